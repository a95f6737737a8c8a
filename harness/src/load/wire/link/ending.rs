//! How a connection ends, and the calls on it.

use super::{FIRST_PAUSE, LONGEST_PAUSE, Link, State, Wire};
use crate::load::leg::Leg;
use crate::load::sample::{Outcome, Sink};
use crate::load::wire::call::Call;
use crate::load::wire::desk::Desk;
use crate::load::wire::ground::{Cause, Ground};

impl Link {
    /// Fails where it was not made in time.
    pub fn give_up_opening<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) {
        if matches!(self.state, State::Opening(until) if desk.now > until) {
            self.fail(Cause::Silent, ground, desk);
        }
    }

    /// Ends calls whose time is over.
    pub fn scan<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>, all: bool) {
        let now = desk.now;
        let over = |call: &Call| match call.facts.times_out(now) {
            None if all && !call.facts.is_watch() => Some(Outcome::Timeout),
            end => end,
        };
        match &mut self.wire {
            Wire::Two(h2) if h2.in_flight > 0 => h2.end_some(over, &mut self.out, self.home, desk),
            Wire::One(h1) if h1.busy => {
                if let Some(outcome) = over(&h1.call) {
                    h1.finish(outcome, self.home, desk);
                    self.socket = None;
                    self.close(ground, desk);
                }
            }
            _ => {}
        }
    }

    /// Closes it in order; what comes next is for the lane to see by the state.
    pub(super) fn close<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) {
        // The side that closes first keeps the port for a minute. With a connection per request that has to be the server, or the
        // ports of this machine run out.
        match (self.socket.take(), ground.leg) {
            (Some(socket), Leg::RestH1Close) => ground.tokens.linger(self.token, socket, desk.now),
            _ => ground.tokens.give_back(self.token),
        }
        self.token = usize::MAX;
        self.out.clear();
        self.carry.clear();
        self.state = match (self.state, ground.leg) {
            (State::Leaving | State::Gone, _) => State::Gone,
            (_, Leg::RestH1Close) if self.watches.is_empty() => State::Ready,
            _ => State::Down(self.pause(desk.now)),
        };
    }

    /// When to try again.
    fn pause(&self, now: u64) -> u64 {
        match self.failed {
            0 => now,
            failed => now.saturating_add((FIRST_PAUSE << (failed - 1).min(8)).min(LONGEST_PAUSE)),
        }
    }

    /// It is lost, or could not be made.
    pub fn fail<S: Sink>(&mut self, cause: Cause, ground: &mut Ground, desk: &mut Desk<'_, S>) {
        let (outcome, why) = match &cause {
            Cause::Broken(why) => (Outcome::Garbled, Some(*why)),
            _ => (Outcome::Lost, None),
        };
        let heard = self.socket.as_ref().is_some_and(|socket| socket.heard);
        let opening = matches!(self.state, State::Opening(_));
        let is_idle_end = matches!(&cause, Cause::Ended) && !opening && self.in_flight() == 0;
        if !is_idle_end {
            let error = cause.explain(ground, heard, opening);
            desk.note(|| error.to_string());
            self.problem = Some(error);
        }
        desk.end.lost += u64::from(self.watches.is_empty() && !opening);
        let one_each = ground.leg == Leg::RestH1Close && self.watches.is_empty();
        // One that breaks as soon as it is there is no better than one that is never there.
        self.failed = match opening
            || one_each
            || self
                .since
                .is_some_and(|since| desk.now < since.saturating_add(FIRST_PAUSE))
        {
            true => self.failed + 1,
            false => 0,
        };
        self.address += usize::from(opening || one_each);
        self.watched = false;
        match &mut self.wire {
            Wire::One(h1) => {
                h1.call.facts.wrong = why;
                h1.finish(outcome, self.home, desk);
            }
            Wire::Two(h2) => h2.end_all(outcome, why, self.home, desk),
        }
        self.socket = None;
        ground.tokens.give_back(self.token);
        self.token = usize::MAX;
        self.out.clear();
        self.carry.clear();
        self.state = match self.state {
            State::Leaving | State::Gone => State::Gone,
            _ => State::Down(self.pause(desk.now)),
        };
    }

    /// Ends its watches, as a round is over: a stream by a reset, a connection that cannot do without by closing it.
    pub fn end_watches<S: Sink>(&mut self, ground: &mut Ground, desk: &mut Desk<'_, S>) {
        self.watched = false;
        match &mut self.wire {
            Wire::Two(h2) => h2.end_some(|_| Some(Outcome::Lost), &mut self.out, self.home, desk),
            Wire::One(h1) if h1.busy => {
                h1.finish(Outcome::Lost, self.home, desk);
                self.socket = None;
                self.close(ground, desk);
            }
            Wire::One(_) => {}
        }
        if let Err(cause) = self.flush(desk) {
            self.fail(cause, ground, desk);
        }
    }

    /// Closes it for good.
    pub fn end(&mut self, ground: &mut Ground) {
        self.socket = None;
        ground.tokens.give_back(self.token);
        self.token = usize::MAX;
        self.state = State::Gone;
    }

    /// Closes it, to be opened again at once.
    pub fn renew(&mut self, ground: &mut Ground, now: u64) {
        self.end(ground);
        self.out.clear();
        self.carry.clear();
        self.failed = 0;
        self.state = State::Down(now);
    }
}
