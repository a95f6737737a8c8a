//! A connection through its life: opened, used, lost, opened again.

mod ending;

use super::call::{Begin, Call};
use super::desk::{Desk, Slot};
use super::ground::{Cause, Ground};
use super::h1::H1;
use super::h2::H2;
use super::outbox::Outbox;
use super::request::Template;
use super::socket::Socket;
use crate::client::ConnectError;
use crate::load::leg::Leg;
use crate::load::sample::Sink;

/// A connection that cannot be opened is tried again after this, then after twice that, and so on.
const FIRST_PAUSE: u64 = 50_000_000;

/// At most.
const LONGEST_PAUSE: u64 = 1_000_000_000;

/// Before a round, so long is waited for a target that refuses connections, or does not say that a watch is open.
const PATIENCE: u64 = 1_000_000_000;

/// See the module.
pub(super) struct Link {
    /// Whose places its calls take: its own index, unless it is leaving and another one has taken its place.
    pub home: usize,
    /// By which the system knows its socket.
    pub token: usize,
    /// Places that wait for it to be ready, or for the peer to allow more streams.
    pub parked: usize,
    /// Watches that it carries, in rounds alone; others carry calls of the rounds.
    pub watches: Vec<usize>,
    /// They were opened on it for this round.
    pub watched: bool,
    pub state: State,
    pub wire: Wire,
    /// It has something to send and is on the list of those.
    pub dirty: bool,
    /// The peer has closed its side: there is no other event for it, so reading goes on until the end is reached.
    pub closing: bool,
    /// Why it could not be opened, the last time.
    pub problem: Option<ConnectError>,
    socket: Option<Socket>,
    out: Outbox,
    /// What has come of a frame or a head that is not whole.
    carry: Vec<u8>,
    /// Since when it is ready; `None`: since before the round.
    since: Option<u64>,
    /// Attempts in a row that came to nothing.
    pub failed: u32,
    /// Which of the addresses is tried.
    address: usize,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not there; tried again at this instant.
    Down(u64),
    /// Being made, until this instant.
    Opening(u64),
    /// Takes calls. For a connection per request: there may be none.
    Ready,
    /// Takes no more calls, and is gone with its last one.
    Leaving,
    /// Gone for good.
    Gone,
}

/// What it speaks.
pub(super) enum Wire {
    /// HTTP/1.1.
    One(Box<H1>),
    /// HTTP/2.
    Two(Box<H2>),
}

impl Link {
    pub fn new(home: usize, watches: Vec<usize>) -> Link {
        Link {
            home,
            token: usize::MAX,
            parked: 0,
            watches,
            watched: false,
            state: State::Down(0),
            wire: Wire::One(Box::default()),
            dirty: false,
            closing: false,
            problem: None,
            socket: None,
            out: Outbox::default(),
            carry: Vec::new(),
            since: None,
            failed: 0,
            address: 0,
        }
    }

    /// Begins to connect; for a connection per request there is nothing to do yet.
    pub fn open<S: Sink>(&mut self, ground: &mut Ground, index: usize, desk: &mut Desk<'_, S>) {
        self.state = State::Opening(desk.now.saturating_add(ground.timeout));
        if ground.leg == Leg::RestH1Close && self.watches.is_empty() {
            self.become_ready(desk);
            return;
        }
        if let Err(cause) = self.open_socket(ground, index, desk) {
            self.fail(cause, ground, desk);
            return;
        }
        self.wire = match ground.leg.is_multiplexed() {
            true => {
                let streams = ground.streams.max(self.watches.len());
                let h2 = H2::new(ground.leg.protocol(), streams, ground.templates.table, &mut self.out);
                Wire::Two(Box::new(h2))
            }
            false => Wire::One(Box::default()),
        };
    }

    fn open_socket<S: Sink>(&mut self, ground: &mut Ground, index: usize, desk: &mut Desk<'_, S>) -> Result<(), Cause> {
        let token = ground.tokens.take(index);
        self.token = token;
        self.closing = false;
        let address = ground
            .endpoint
            .addresses
            .get(self.address % ground.endpoint.addresses.len().max(1));
        let address = *address.ok_or(Cause::Ended)?;
        self.socket = Some(ground.socket(address, token)?);
        desk.end.opened += u64::from(self.watches.is_empty());
        Ok(())
    }

    /// Whether a call can be given to it now.
    pub fn takes(&self) -> bool {
        self.state == State::Ready
            && match &self.wire {
                Wire::One(h1) => !h1.busy,
                Wire::Two(h2) => h2.has_room() && !h2.leaving,
            }
    }

    /// Whether only the peer's limit of streams keeps it from taking a call.
    pub fn is_limited(&self) -> bool {
        self.state == State::Ready && matches!(&self.wire, Wire::Two(h2) if !h2.has_room())
    }

    /// Gives it a call.
    pub fn begin<S: Sink>(
        &mut self,
        begin: Begin,
        template: &Template,
        index: usize,
        ground: &mut Ground,
        desk: &mut Desk<'_, S>,
    ) {
        desk.open += 1;
        let digits = template.mark.map(|_| desk.marks.next(begin.operation, begin.intended));
        match &mut self.wire {
            Wire::Two(h2) => h2.begin(begin, template, digits, &mut self.out),
            Wire::One(h1) => {
                h1.begin(begin, template, digits, &mut self.out);
                if ground.leg == Leg::RestH1Close {
                    // Its connection is part of the service: it is sent when that is begun.
                    desk.tick();
                    h1.call.facts.stamp(desk.now);
                    desk.enter(1);
                    if let Err(cause) = self.open_socket(ground, index, desk) {
                        self.fail(cause, ground, desk);
                    }
                }
            }
        }
    }

    /// Something happened on the socket. Whether the system may hold more to read.
    pub fn event<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) -> bool {
        match self.try_event(ground, desk) {
            Ok(more) => more && self.socket.is_some(),
            Err(cause) => {
                self.fail(cause, ground, desk);
                false
            }
        }
    }

    fn try_event<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) -> Result<bool, Cause> {
        self.check_ready(ground, desk)?;
        self.flush(desk)?;
        self.read(ground, desk)
    }

    /// Whether the protocol may begin. Errors of connecting come out here.
    fn check_ready<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) -> Result<bool, Cause> {
        let Some(socket) = &mut self.socket else {
            return Ok(false);
        };
        if !socket.is_ready(ground.leg.is_multiplexed())? {
            return Ok(false);
        }
        if let (Wire::One(_), State::Opening(_)) = (&self.wire, self.state) {
            desk.tick();
            self.become_ready(desk);
        }
        Ok(true)
    }

    fn read<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) -> Result<bool, Cause> {
        let Some(socket) = &mut self.socket else {
            return Ok(false);
        };
        let kept = self.carry.len();
        let scratch = &mut ground.scratch;
        if let Some(place) = scratch.get_mut(..kept) {
            place.copy_from_slice(&self.carry);
        }
        let taken = socket.read(&mut scratch[kept..], &mut ground.raw)?;
        desk.tick();
        if self.watches.is_empty() {
            desk.end.bytes.1 += taken.bytes as u64;
        }
        // The handshake of TLS is driven by reading.
        if !self.check_ready(ground, desk)? {
            return if taken.ended {
                Err(Cause::Ended)
            } else {
                Ok(taken.more || self.closing && taken.bytes > 0)
            };
        }
        if taken.bytes > 0 {
            let input = &ground.scratch[..kept + taken.bytes];
            let used = match &mut self.wire {
                Wire::One(h1) => h1.take(input, self.home, desk),
                Wire::Two(h2) => h2.take(input, &mut self.out, self.home, desk),
            };
            let used = used.map_err(|why| Cause::broken(why, self.state, input))?;
            self.carry.clear();
            self.carry.extend_from_slice(&input[used..]);
        }
        if taken.ended {
            if let Wire::One(h1) = &mut self.wire {
                h1.closed(self.home, desk);
            }
            self.after_take(ground, desk);
            return match (self.socket.is_some(), self.state) {
                (false, _) => Ok(false),
                // Too short for a frame: it was something else.
                (true, State::Opening(_)) if !self.carry.is_empty() => {
                    Err(Cause::Foreign(std::mem::take(&mut self.carry)))
                }
                (true, _) => Err(Cause::Ended),
            };
        }
        if taken.bytes > 0 {
            self.after_take(ground, desk);
        }
        Ok(taken.more || self.closing)
    }

    /// What an answer may have brought beside itself.
    fn after_take<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) {
        let close = match &mut self.wire {
            Wire::Two(h2) => {
                if std::mem::take(&mut h2.widened) {
                    match self.state {
                        State::Opening(_) => self.become_ready(desk),
                        _ => self.release(desk),
                    }
                }
                false
            }
            // Bytes that nobody asked for mean that the two sides do not agree on where an answer ended.
            Wire::One(h1) => !h1.busy && (h1.leaving || !self.carry.is_empty()),
        };
        if close {
            self.failed = 0;
            self.close(ground, desk);
        }
    }

    fn become_ready<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        self.state = State::Ready;
        self.problem = None;
        self.since = Some(desk.now);
        self.release(desk);
    }

    /// Opens its watches.
    pub fn watch(&mut self, ground: &Ground) {
        self.watched = true;
        for watch in self.watches.clone() {
            let exchange = ground.prepared.watches.get(watch);
            if let (Some(exchange), Some(template)) = (exchange, ground.templates.watches.get(watch)) {
                let begin = Begin::watch(exchange);
                match &mut self.wire {
                    Wire::One(h1) => h1.begin(begin, template, None, &mut self.out),
                    Wire::Two(h2) => h2.begin(begin, template, None, &mut self.out),
                }
            }
        }
    }

    fn release<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        for _ in 0..std::mem::take(&mut self.parked) {
            desk.free.push_back(Slot {
                link: self.home,
                since: desk.now,
            });
        }
    }

    /// Whether it waits to send something.
    pub fn has_output(&self) -> bool {
        self.socket.is_some() && !self.out.waiting().is_empty()
    }

    /// Hands to the system what it takes.
    pub fn flush<S: Sink>(&mut self, desk: &mut Desk<'_, S>) -> Result<(), Cause> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        if socket.is_behind() {
            socket.flush()?;
        }
        while !self.out.waiting().is_empty() {
            desk.tick();
            let waiting = self.out.waiting();
            let all = waiting.len();
            let written = socket.write(waiting)?;
            let mut sent = 0;
            for place in self.out.leaving(written) {
                let call: Option<&mut Call> = match &mut self.wire {
                    Wire::One(h1) => Some(&mut h1.call),
                    Wire::Two(h2) => h2.call(place),
                };
                if let Some(call) = call {
                    sent += u64::from(call.facts.stamp(desk.now) && !call.facts.is_watch());
                }
            }
            self.out.tidy();
            if sent > 0 {
                desk.enter(sent);
            }
            if self.watches.is_empty() {
                desk.end.bytes.0 += written as u64;
            }
            if written < all {
                break;
            }
            if let Wire::Two(h2) = &mut self.wire
                && h2.is_sending()
            {
                h2.pump(&mut self.out);
            }
        }
        Ok(())
    }

    /// Instants have another zero from now on.
    pub fn begin_round(&mut self, timeout: u64) {
        self.since = None;
        match &mut self.state {
            State::Down(at) => *at = 0,
            State::Opening(until) => *until = timeout,
            State::Ready | State::Leaving | State::Gone => {}
        }
    }

    /// Until when a round is not begun for its sake; 0: it is as it should be.
    pub fn patience(&self, timeout: u64) -> u64 {
        let soon = timeout.min(PATIENCE);
        match self.state {
            State::Opening(until) => until,
            State::Down(_) => soon,
            State::Ready if self.has_output() || self.awaits_watch() => self.since.unwrap_or(0).saturating_add(soon),
            State::Ready | State::Leaving | State::Gone => 0,
        }
    }

    /// Whether the peer has not yet said that a watch is open. Some say it with the first message only.
    fn awaits_watch(&self) -> bool {
        !self.watches.is_empty()
            && match &self.wire {
                Wire::One(h1) => h1.busy && h1.call.head.is_none(),
                Wire::Two(h2) => h2.awaits_head(),
            }
    }

    /// Calls on it, watches too.
    pub fn in_flight(&self) -> usize {
        match &self.wire {
            Wire::One(h1) => usize::from(h1.busy),
            Wire::Two(h2) => h2.in_flight,
        }
    }

    /// Whether it goes on, but takes no new calls.
    pub fn is_leaving(&self) -> bool {
        matches!(&self.wire, Wire::Two(h2) if h2.leaving) && self.state == State::Ready
    }
}
