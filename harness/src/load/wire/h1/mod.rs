//! HTTP/1.1, RFC 9112, the side of the client: one call at a time on a connection.

mod chunks;

use super::call::{Begin, Call};
use super::desk::Desk;
use super::head::Head;
use super::outbox::Outbox;
use super::request::Template;
use crate::client::Protocol;
use crate::load::sample::{Outcome, Sink};
use chunks::Chunks;

/// Fields of a head, at most.
const FIELDS: usize = 128;

/// Bytes of a head, at most.
const LONGEST_HEAD: usize = 64 << 10;

/// One connection.
#[derive(Default)]
pub(super) struct H1 {
    pub call: Call,
    pub busy: bool,
    /// The connection ends with the answer that is being read, or ended with the one that was.
    pub leaving: bool,
    state: State,
    chunks: Chunks,
    /// Fields after the chunks.
    trailers: Head,
    /// The head that was read last, and what it says: one that begins with the same bytes says the same.
    remembered: (Vec<u8>, Head),
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So many bytes of the body.
    Length(u64),
    Chunks,
    /// The body, until the connection ends.
    Rest,
}

/// The peer breaks the rules of HTTP/1.1.
pub(super) type Broken = &'static str;

impl H1 {
    /// Sends a request.
    pub fn begin(&mut self, begin: Begin, template: &Template, digits: Option<[u8; 16]>, out: &mut Outbox) {
        self.call.begin(begin);
        self.busy = true;
        self.leaving = false;
        self.state = State::Head;
        out.begin(0);
        let bytes = out.bytes();
        let start = bytes.len();
        bytes.extend_from_slice(&template.heads[0]);
        if let Some(digits) = digits {
            for (at, digit) in template.digits.iter().zip(digits) {
                bytes[start + at] = digit;
            }
        }
    }

    /// Takes bytes in; how many of them. What comes after the end of an answer is left.
    pub fn take<S: Sink>(&mut self, input: &[u8], home: usize, desk: &mut Desk<'_, S>) -> Result<usize, Broken> {
        let mut at = 0;
        while self.busy && at < input.len() {
            let rest = &input[at..];
            match self.state {
                State::Head => match self.head(rest)? {
                    None => break,
                    Some((length, head)) => {
                        at += length;
                        self.take_head(head, home, desk)?;
                    }
                },
                State::Length(left) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    at += most;
                    self.call.data(&rest[..most], desk);
                    self.state = State::Length(left - most as u64);
                    self.early_end(home, desk);
                    if self.busy && left == most as u64 {
                        self.end(None, home, desk);
                    }
                }
                State::Chunks => {
                    let trailers = &mut self.trailers;
                    let call = &mut self.call;
                    let data = |data: &[u8]| {
                        if call.early_end().is_none() {
                            call.data(data, desk);
                        }
                    };
                    at += self
                        .chunks
                        .push(rest, data, |name, value| trailers.field(name, value))?;
                    self.early_end(home, desk);
                    if self.busy && self.chunks.is_over() {
                        self.end(Some(self.trailers), home, desk);
                    }
                }
                State::Rest => {
                    at = input.len();
                    self.call.data(rest, desk);
                    self.early_end(home, desk);
                }
            }
        }
        Ok(at)
    }

    /// The head that the input begins with; `None` where it is not whole.
    fn head(&mut self, input: &[u8]) -> Result<Option<(usize, Head)>, Broken> {
        let (known, head) = &self.remembered;
        if !known.is_empty() && input.starts_with(known) {
            return Ok(Some((known.len(), *head)));
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(input) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if input.len() < LONGEST_HEAD => return Ok(None),
            _ => return Err("an answer that is no HTTP/1.1"),
        };
        let mut head = Head {
            http: response.code.unwrap_or(0),
            // HTTP/1.0 keeps no connection unless it says so, which nobody does any more.
            close: response.version != Some(1),
            ..Head::default()
        };
        for field in response.headers.iter() {
            head.field(field.name.to_ascii_lowercase().as_bytes(), field.value);
        }
        self.remembered.0.clear();
        self.remembered.0.extend_from_slice(&input[..length]);
        self.remembered.1 = head;
        Ok(Some((length, head)))
    }

    fn take_head<S: Sink>(&mut self, head: Head, home: usize, desk: &mut Desk<'_, S>) -> Result<(), Broken> {
        if head.is_informational() {
            return match head.http {
                101 => Err("a change of protocol that nobody asked for"),
                _ => Ok(()),
            };
        }
        if head.unclear || head.chunked && head.length.is_some() {
            return Err("an answer whose length is not clear");
        }
        self.leaving |= head.close;
        self.call.take_head(head, Protocol::Rest, desk);
        // RFC 9112 section 6.3.
        self.state = match head.length {
            _ if matches!(head.http, 204 | 304) => State::Length(0),
            _ if head.chunked => State::Chunks,
            Some(length) => State::Length(length),
            None => {
                self.leaving = true;
                State::Rest
            }
        };
        self.chunks.reset();
        self.trailers = Head::default();
        self.early_end(home, desk);
        if self.busy && self.state == State::Length(0) {
            self.end(None, home, desk);
        }
        Ok(())
    }

    /// Ends the call where the client has an end for it before the peer: then the rest of the answer is not read.
    fn early_end<S: Sink>(&mut self, home: usize, desk: &mut Desk<'_, S>) {
        if let Some(outcome) = self.call.early_end() {
            self.leaving = true;
            self.finish(outcome, home, desk);
        }
    }

    fn end<S: Sink>(&mut self, trailers: Option<Head>, home: usize, desk: &mut Desk<'_, S>) {
        let outcome = self.call.end(trailers.as_ref(), desk);
        self.finish(outcome, home, desk);
    }

    /// Ends the call, if there is one.
    pub fn finish<S: Sink>(&mut self, outcome: Outcome, home: usize, desk: &mut Desk<'_, S>) {
        if self.busy {
            self.busy = false;
            desk.hand_back(&self.call.facts, outcome, home);
        }
    }

    /// The peer has closed the connection: the end of a body that has no other.
    pub fn closed<S: Sink>(&mut self, home: usize, desk: &mut Desk<'_, S>) {
        if self.busy && self.state == State::Rest {
            self.end(None, home, desk);
        }
    }
}
