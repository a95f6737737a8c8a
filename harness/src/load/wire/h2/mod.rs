//! HTTP/2, RFC 9113, the side of the client: as much of it as a load run needs, and all that a peer may do.
//!
//! The fast path appends a request made in advance and gives it a stream id, compares the header blocks of an answer with ones that
//! were decoded before, and never takes a window into account but by subtracting from it.

mod frame;
mod receive;
mod send;

use super::call::{Begin, Call};
use super::desk::Desk;
use super::head::Head;
use super::hpack::Decoder;
use super::outbox::Outbox;
use super::request::{FRAME, Form, Template, put_frame_head};
use crate::client::Protocol;
use crate::load::sample::{Outcome, Sink};
use frame::{CANCEL, Frame, HEAD, PREFACE, flag, kind, number, setting};
use send::Sending;

/// The largest window there is (section 6.9.1).
const LARGEST_WINDOW: u32 = (1 << 31) - 1;

/// Of each stream: nothing that a workload sends comes near it, but for a stream that goes on for long.
const STREAM_WINDOW: u32 = (1 << 30) - 1;

/// So much is read before the window of the connection is opened again.
const TOP_UP: usize = 16 << 20;

/// The last id that is used; after it the connection is replaced.
const LAST_STREAM: u32 = LARGEST_WINDOW - 2;

/// Header blocks that are remembered.
const REMEMBERED: usize = 6;

/// The header block of one answer, CONTINUATION included, at most.
const LONGEST_BLOCK: usize = 1 << 20;

/// One connection.
pub(super) struct H2 {
    protocol: Protocol,
    /// The peer's SETTINGS have come.
    pub settled: bool,
    /// The peer takes no new streams, or there are no more ids: finish, and open another.
    pub leaving: bool,
    /// Whether what the peer said frees places: more streams at once than before.
    pub widened: bool,
    next: u32,
    /// The stream with an id is at `id / 2` modulo the length, or nowhere. An id whose place is taken is skipped, which closes it
    /// (section 5.1.1): so finding a stream is one comparison.
    streams: Vec<Stream>,
    pub in_flight: usize,
    /// SETTINGS_MAX_CONCURRENT_STREAMS.
    pub peer_streams: Option<u32>,
    /// Of the connection, for what we send.
    window: i64,
    /// Of each new stream, for what we send.
    initial_window: i64,
    /// What the peer's table takes.
    table: usize,
    form: Form,
    decoder: Decoder,
    remembered: Vec<Remembered>,
    /// Which of them goes next.
    oldest: usize,
    /// Read since the connection's window was opened.
    received: usize,
    /// A header block whose end has not come: frame, and what has.
    open_block: Option<(Frame, Vec<u8>)>,
    /// Streams with a body that did not fit a window.
    sending: Vec<usize>,
}

#[derive(Default)]
struct Stream {
    /// 0: free.
    id: u32,
    call: Call,
    sending: Option<Box<Sending>>,
}

struct Remembered {
    block: Vec<u8>,
    generation: u64,
    head: Head,
}

/// The peer breaks the rules of HTTP/2.
pub(super) type Broken = &'static str;

impl H2 {
    /// Appends the preface. `table`: what the indexed form of requests needs.
    pub fn new(protocol: Protocol, streams: usize, table: usize, out: &mut Outbox) -> H2 {
        let bytes = out.bytes();
        bytes.extend_from_slice(PREFACE);
        let settings = [(setting::ENABLE_PUSH, 0), (setting::INITIAL_WINDOW_SIZE, STREAM_WINDOW)];
        put_frame_head(6 * settings.len(), kind::SETTINGS, 0, 0, bytes);
        for (name, value) in settings {
            bytes.extend_from_slice(&name.to_be_bytes());
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        put_window_update(0, LARGEST_WINDOW - 65_535, bytes);
        let places = (streams.max(1) * 2).next_power_of_two();
        H2 {
            protocol,
            settled: false,
            leaving: false,
            widened: false,
            next: 1,
            streams: std::iter::repeat_with(Stream::default).take(places).collect(),
            in_flight: 0,
            peer_streams: None,
            window: 65_535,
            initial_window: 65_535,
            table,
            form: Form::First,
            decoder: Decoder::new(),
            remembered: Vec::new(),
            oldest: 0,
            received: 0,
            open_block: None,
            sending: Vec::new(),
        }
    }

    /// Whether the peer allows one more.
    pub fn has_room(&self) -> bool {
        self.peer_streams.is_none_or(|most| self.in_flight < most as usize)
    }

    /// Whether the head of an answer is still to come.
    pub fn awaits_head(&self) -> bool {
        let mut streams = self.streams.iter().filter(|stream| stream.id != 0);
        streams.any(|stream| stream.call.head.is_none())
    }

    /// Sends a request; the caller has seen to it that there is room.
    pub fn begin(&mut self, begin: Begin, template: &Template, digits: Option<[u8; 16]>, out: &mut Outbox) {
        let mask = self.streams.len() - 1;
        while self.streams[(self.next as usize / 2) & mask].id != 0 {
            self.next += 2;
        }
        let (id, place) = (self.next, (self.next as usize / 2) & mask);
        self.next += 2;
        self.leaving |= self.next >= LAST_STREAM;
        self.in_flight += 1;
        let stream = &mut self.streams[place];
        stream.id = id;
        stream.call.begin(begin);
        out.begin(place);
        let bytes = out.bytes();
        let start = bytes.len();
        bytes.extend_from_slice(&template.heads[self.form as usize]);
        if self.form == Form::First {
            self.form = Form::Indexed;
        }
        let length = template.body.len() as i64;
        if template.data.is_empty() && length > 0 || length > self.window.min(self.initial_window) {
            put_frames(bytes, start, id);
            stream.sending = Some(Box::new(Sending::new(template, digits, self.initial_window)));
            self.sending.push(place);
            self.pump(out);
            return;
        }
        self.window -= length;
        let data = bytes.len();
        bytes.extend_from_slice(&template.data);
        put_frames(bytes, start, id);
        if let Some(digits) = digits {
            for (at, digit) in template.digits.iter().zip(digits) {
                bytes[data + at] = digit;
            }
        }
    }

    /// Takes frames in; how many bytes of them.
    pub fn take<S: Sink>(
        &mut self,
        input: &[u8],
        out: &mut Outbox,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) -> Result<usize, Broken> {
        let mut at = 0;
        while let Some(frame) = Frame::read(&input[at..]) {
            if frame.length > FRAME {
                return Err("a frame longer than the 16 KiB that the client takes");
            }
            let Some(payload) = input.get(at + HEAD..at + HEAD + frame.length) else {
                break;
            };
            at += HEAD + frame.length;
            self.frame(frame, payload, out, home, desk)?;
        }
        if self.received >= TOP_UP {
            put_window_update(0, self.received as u32, out.bytes());
            self.received = 0;
        }
        Ok(at)
    }

    fn frame<S: Sink>(
        &mut self,
        frame: Frame,
        payload: &[u8],
        out: &mut Outbox,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) -> Result<(), Broken> {
        if !self.settled && frame.kind != kind::SETTINGS {
            return Err("a first frame that is no SETTINGS");
        }
        if self.open_block.is_some() && frame.kind != kind::CONTINUATION {
            return Err("a frame within a header block");
        }
        match frame.kind {
            kind::DATA => self.data(frame, payload, out, home, desk),
            kind::HEADERS => {
                let block = frame.content(payload)?;
                if frame.has(flag::END_HEADERS) {
                    return self.block(frame, block, out, home, desk);
                }
                self.open_block = Some((frame, block.to_vec()));
                Ok(())
            }
            kind::CONTINUATION => self.continuation(frame, payload, out, home, desk),
            kind::RST_STREAM => {
                let code = number(payload).ok_or("a RST_STREAM without a code")?;
                if let Some(place) = self.find(frame.stream) {
                    let outcome = self.streams[place].call.reset(code);
                    self.finish(place, outcome, home, desk);
                }
                Ok(())
            }
            kind::SETTINGS if frame.has(flag::ACK) => Ok(()),
            kind::SETTINGS => self.settings(payload, out),
            kind::PING if !frame.has(flag::ACK) => {
                put_frame_head(payload.len(), kind::PING, flag::ACK, 0, out.bytes());
                out.bytes().extend_from_slice(payload);
                Ok(())
            }
            kind::GOAWAY => self.go_away(payload, home, desk),
            kind::WINDOW_UPDATE => self.window_update(frame, payload, out),
            kind::PUSH_PROMISE => Err("a PUSH_PROMISE, though push was turned off"),
            // Priorities, and what is not known here (section 5.5).
            _ => Ok(()),
        }
    }

    fn find(&self, id: u32) -> Option<usize> {
        let place = (id as usize / 2) & (self.streams.len() - 1);
        (id != 0 && self.streams[place].id == id).then_some(place)
    }

    /// The answer is complete. A request that is not, is not wanted any more.
    fn end<S: Sink>(&mut self, place: usize, outcome: Outcome, out: &mut Outbox, home: usize, desk: &mut Desk<'_, S>) {
        if self.streams[place].sending.is_some() {
            put_reset(self.streams[place].id, out.bytes());
        }
        self.finish(place, outcome, home, desk);
    }

    fn finish<S: Sink>(&mut self, place: usize, outcome: Outcome, home: usize, desk: &mut Desk<'_, S>) {
        let stream = &mut self.streams[place];
        stream.id = 0;
        self.in_flight -= 1;
        if stream.sending.take().is_some() {
            self.sending.retain(|other| *other != place);
        }
        desk.hand_back(&stream.call.facts, outcome, home);
    }

    fn settings(&mut self, payload: &[u8], out: &mut Outbox) -> Result<(), Broken> {
        if !payload.len().is_multiple_of(6) {
            return Err("SETTINGS of a length that is no multiple of six");
        }
        let room = self.peer_streams.unwrap_or(u32::MAX);
        for setting in payload.chunks_exact(6) {
            let [a, b, c, d, e, f] = setting else { continue };
            let value = u32::from_be_bytes([*c, *d, *e, *f]);
            match u16::from_be_bytes([*a, *b]) {
                setting::HEADER_TABLE_SIZE if (value as usize) < self.table => {
                    // Before the first request it only says how to write it; later our table would have to shrink.
                    match self.form {
                        Form::First => self.form = Form::Literal,
                        Form::Indexed => self.leaving = true,
                        Form::Literal => {}
                    }
                }
                setting::MAX_CONCURRENT_STREAMS => self.peer_streams = Some(value),
                setting::INITIAL_WINDOW_SIZE => {
                    let value = i64::from(value);
                    if value > i64::from(LARGEST_WINDOW) {
                        return Err("a window larger than there is");
                    }
                    self.resize_windows(value);
                }
                _ => {}
            }
        }
        self.widened |= !self.settled || self.peer_streams.unwrap_or(u32::MAX) > room;
        self.settled = true;
        put_frame_head(0, kind::SETTINGS, flag::ACK, 0, out.bytes());
        self.pump(out);
        Ok(())
    }

    fn go_away<S: Sink>(&mut self, payload: &[u8], home: usize, desk: &mut Desk<'_, S>) -> Result<(), Broken> {
        let (Some(last), Some(code)) = (number(payload), payload.get(4..).and_then(number)) else {
            return Err("a GOAWAY without its last stream");
        };
        self.leaving = true;
        if code != 0 {
            desk.note(|| {
                format!(
                    "the target closed a connection with GOAWAY {:?}",
                    h2::Reason::from(code)
                )
            });
        }
        // What lies beyond was not looked at.
        for place in 0..self.streams.len() {
            if self.streams[place].id > last & 0x7fff_ffff {
                self.finish(place, Outcome::Lost, home, desk);
            }
        }
        Ok(())
    }

    /// Ends every call: the connection is gone.
    pub fn end_all<S: Sink>(
        &mut self,
        outcome: Outcome,
        why: Option<&'static str>,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) {
        for place in 0..self.streams.len() {
            if self.streams[place].id != 0 {
                self.streams[place].call.facts.wrong = why;
                self.finish(place, outcome, home, desk);
            }
        }
    }

    /// Ends what `over` has an end for, and tells the peer.
    pub fn end_some<S: Sink>(
        &mut self,
        mut over: impl FnMut(&Call) -> Option<Outcome>,
        out: &mut Outbox,
        home: usize,
        desk: &mut Desk<'_, S>,
    ) {
        for place in 0..self.streams.len() {
            let stream = &self.streams[place];
            if stream.id != 0
                && let Some(outcome) = over(&stream.call)
            {
                put_reset(stream.id, out.bytes());
                self.finish(place, outcome, home, desk);
            }
        }
    }

    /// The call at a place of the outbox; it may be over by now.
    pub fn call(&mut self, place: usize) -> Option<&mut Call> {
        let stream = self.streams.get_mut(place).filter(|stream| stream.id != 0)?;
        Some(&mut stream.call)
    }
}

fn put_frames(bytes: &mut [u8], start: usize, id: u32) {
    super::request::put_stream(bytes, start, id);
}

fn put_window_update(stream: u32, by: u32, to: &mut Vec<u8>) {
    put_frame_head(4, kind::WINDOW_UPDATE, 0, stream, to);
    to.extend_from_slice(&by.to_be_bytes());
}

fn put_reset(stream: u32, to: &mut Vec<u8>) {
    put_frame_head(4, kind::RST_STREAM, 0, stream, to);
    to.extend_from_slice(&CANCEL.to_be_bytes());
}
