//! What connections need to know of the round, and where they hand in what they see.

use super::Decode;
use super::call::Facts;
use super::clock::Clock;
use super::marks::Marks;
use crate::load::exchange::Prepared;
use crate::load::sample::{Moment, Outcome, RoundEnd, Sample, Sink};
use std::collections::VecDeque;
use std::time::Duration;

/// Failures that are told in words, at most.
const TOLD: usize = 8;

/// A call may be sent on this connection: one of its places is free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Which connection.
    pub link: usize,
    /// Since when, nanoseconds of the round.
    pub since: u64,
}

/// See the module.
pub(super) struct Desk<'a, S> {
    pub clock: Clock,
    /// When the batch of events that is being worked on was read.
    pub now: u64,
    pub prepared: &'a Prepared,
    pub sink: &'a mut S,
    /// Looks at messages.
    pub decode: Option<&'a mut Decode<'a>>,
    pub marks: &'a mut Marks,
    /// The one that has been free for the longest is taken first: so calls go round the connections.
    pub free: VecDeque<Slot>,
    /// Intended times of what is due and not yet sent.
    pub due: VecDeque<u64>,
    /// In a closed loop: a call that ends before this makes the next one due.
    pub again_until: u64,
    pub end: RoundEnd,
    /// Calls that were given to a connection and are not over.
    pub open: u64,
    /// Ends are told to nobody any more: the round was stopped.
    pub silent: bool,
    /// Those of them whose bytes went to the system.
    in_flight: u64,
    last: u64,
}

impl<'a, S: Sink> Desk<'a, S> {
    pub fn new(clock: Clock, prepared: &'a Prepared, sink: &'a mut S, marks: &'a mut Marks) -> Self {
        Desk {
            clock,
            now: clock.now(),
            prepared,
            sink,
            decode: None,
            marks,
            free: VecDeque::new(),
            due: VecDeque::new(),
            again_until: 0,
            end: RoundEnd::default(),
            open: 0,
            silent: false,
            in_flight: 0,
            last: 0,
        }
    }

    /// Reads the clock for a new batch.
    pub fn tick(&mut self) {
        self.now = self.clock.now();
    }

    /// Calls were sent, now.
    pub fn enter(&mut self, calls: u64) {
        self.integrate();
        self.in_flight += calls;
        self.end.sent += calls;
    }

    fn integrate(&mut self) {
        let passed = self.now.saturating_sub(self.last);
        self.end.in_flight_integral += u128::from(self.in_flight) * u128::from(passed);
        self.last = self.now;
    }

    /// A call that a connection had is over; its place is free again.
    pub fn hand_back(&mut self, facts: &Facts, outcome: Outcome, link: usize) {
        if facts.is_watch() {
            // Not when the lane itself ends it.
            if self.silent {
                return;
            }
            self.end.watches_ended += 1;
            self.note(|| format!("a watch ended: {}", words(facts, outcome)));
            return;
        }
        match facts.is_sent() {
            true => self.finish(facts, outcome),
            false => self.give_up(facts.operation, facts.intended, outcome),
        }
        self.open = self.open.saturating_sub(1);
        self.free.push_back(Slot { link, since: self.now });
    }

    /// A call that was sent is over.
    fn finish(&mut self, facts: &Facts, outcome: Outcome) {
        // An answer after the limit is none: it was only seen because nobody had looked in between.
        let (done, outcome) = match self.now > facts.limit {
            true => (facts.limit, Outcome::Timeout),
            false => (self.now, outcome),
        };
        self.integrate();
        self.in_flight = self.in_flight.saturating_sub(1);
        let too_much = u128::from(self.now - done);
        self.end.in_flight_integral = self.end.in_flight_integral.saturating_sub(too_much);
        self.hand_in(facts, done, outcome);
    }

    /// A call is over that was never sent.
    pub fn give_up(&mut self, operation: u32, intended: u64, outcome: Outcome) {
        let facts = Facts::unsent(operation, intended, self.now);
        self.hand_in(&facts, self.now, outcome);
    }

    fn hand_in(&mut self, facts: &Facts, done: u64, outcome: Outcome) {
        if self.silent {
            return;
        }
        let first = match facts.is_stream() && facts.messages > 0 {
            true => facts.first.min(done),
            false => done,
        };
        self.sink.sample(&Sample {
            operation: facts.operation,
            intended: facts.intended,
            able: facts.able,
            sent: facts.sent,
            first,
            done,
            outcome,
            messages: facts.messages,
        });
        self.end.done += 1;
        self.end.elapsed = Duration::from_nanos(self.now);
        if self.now < self.again_until {
            self.due.push_back(self.now);
        }
        let operation = self.prepared.operations.get(facts.operation as usize);
        let accepted = |code| operation.is_some_and(|operation| operation.accepted.contains(&code));
        if !matches!(outcome, Outcome::Status(code) if accepted(code)) {
            let id = operation.map(|operation| operation.id.as_str()).unwrap_or_default();
            self.note(|| format!("{id}: {}", words(facts, outcome)));
        }
    }

    /// Something happened within a stream.
    pub fn moment(&mut self, moment: Moment) {
        self.sink.moment(moment);
    }

    /// Keeps the first failures, each once.
    pub fn note(&mut self, words: impl FnOnce() -> String) {
        if self.end.failures.len() < TOLD {
            let words = words();
            if !self.end.failures.contains(&words) {
                self.end.failures.push(words);
            }
        }
    }
}

fn words(facts: &Facts, outcome: Outcome) -> String {
    match (outcome, facts.wrong) {
        (Outcome::Status(code), _) => code.to_string(),
        (Outcome::Timeout, _) => "no answer in time".to_owned(),
        (Outcome::Lost, _) => "the connection was lost".to_owned(),
        (Outcome::Garbled, Some(reason)) => reason.to_owned(),
        (Outcome::Garbled, None) => "the answer is not readable".to_owned(),
    }
}

/// Takes nothing, for when no round is on.
pub(super) struct Nobody;

impl Sink for Nobody {
    fn sample(&mut self, _: &Sample) {}
    fn moment(&mut self, _: Moment) {}
}
