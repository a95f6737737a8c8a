//! A round: what becomes due, which connection takes it, when it is over.

use super::Lane;
use crate::load::sample::{Outcome, RoundEnd, Sink};
use crate::load::wire::call::{Begin, enough};
use crate::load::wire::clock::{Clock, nanos, thread_cpu};
use crate::load::wire::desk::{Desk, Slot};
use crate::load::wire::link::{Link, State, Wire};
use crate::load::wire::{Arrivals, Round};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

impl Lane {
    /// Sends what the round says, until its time is over and every request has its end. Call [`Lane::ready`] first. The watches
    /// are closed at the end.
    pub fn run<S: Sink>(&mut self, round: Round<'_>, sink: &mut S) -> RoundEnd {
        if !self.is_ready {
            self.ready();
        }
        self.is_ready = false;
        std::thread::sleep(round.began.saturating_duration_since(Instant::now()));
        let cpu = thread_cpu();
        let prepared = Arc::clone(&self.ground.prepared);
        let mut marks = std::mem::take(&mut self.marks);
        marks.begin();
        let mut desk = Desk::new(Clock(round.began), &prepared, sink, &mut marks);
        if let Some(decode) = round.decode {
            desk.decode = Some(decode);
        }
        self.begin_round(&mut desk);
        self.miss_watches(&mut desk);
        let mut schedule = Schedule::new(round.arrivals, nanos(round.until), &mut desk);
        let longest = prepared.operations.iter().map(|operation| operation.timeout).max();
        let give_up = nanos(round.until.saturating_add(longest.unwrap_or_default()));
        loop {
            if round.stop.load(Ordering::Relaxed) {
                desk.silent = true;
                desk.again_until = 0;
                self.end_calls(&mut desk);
                break;
            }
            schedule.pull(&mut desk);
            self.dispatch(round.mix, &mut desk);
            self.flush(&mut desk);
            if schedule.is_over() && desk.due.is_empty() && desk.open == 0 {
                break;
            }
            if desk.now >= self.next_scan {
                if desk.now >= give_up {
                    self.end_calls(&mut desk);
                    give_up_due(round.mix, &mut desk, Outcome::Timeout);
                    break;
                }
                self.scan(&mut desk, false);
                if !self.links[..self.homes]
                    .iter()
                    .any(|link| matches!(link.state, State::Ready | State::Opening(_)))
                {
                    // There is no connection and none could be made: what is due has failed, as a caller would see it.
                    give_up_due(round.mix, &mut desk, Outcome::Lost);
                }
            }
            let next = schedule.next();
            let send = |lane: &mut Lane, desk: &mut Desk<'_, S>| {
                schedule.pull(desk);
                lane.dispatch(round.mix, desk);
                lane.flush(desk);
            };
            let waited = match self.time_to(next, &mut desk) {
                Ok(most) => self.turn(most, &mut desk, send),
                Err(error) => Err(error),
            };
            if let Err(error) = waited {
                desk.note(|| format!("the wait for events failed: {error}"));
                self.end_calls(&mut desk);
                break;
            }
        }
        self.flush(&mut desk);
        let mut end = std::mem::take(&mut desk.end);
        end.peer_streams = self.peer_streams();
        let after = thread_cpu();
        end.cpu = (after.0.saturating_sub(cpu.0), after.1.saturating_sub(cpu.1));
        // Other sides are measured next.
        self.end_watches(&mut desk);
        self.marks = marks;
        end
    }

    fn begin_round<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        self.limited = false;
        self.timer.forget();
        self.next_scan = 0;
        for link in &mut self.links {
            link.parked = 0;
            link.begin_round(self.ground.timeout);
        }
        // One place of each connection, then the second of each: so the first calls are spread.
        for _ in 0..self.capacity {
            desk.free.extend((0..self.homes).map(|link| Slot { link, since: 0 }));
        }
    }

    /// Counts the watches that could not be opened.
    fn miss_watches<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        let told = std::mem::take(&mut self.told);
        let watching = self.links.iter().filter(|link| !link.watches.is_empty());
        let open: usize = watching.map(Link::in_flight).sum();
        let missing = self.ground.prepared.watches.len().saturating_sub(open);
        if missing > 0 {
            desk.end.watches_ended = missing as u64;
            desk.end.failures = told;
        }
    }

    fn end_watches<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        desk.silent = true;
        for link in self.links.iter_mut().filter(|link| !link.watches.is_empty()) {
            link.end_watches(&mut self.ground, desk);
        }
    }

    fn peer_streams(&self) -> Option<u32> {
        let homes = self.links.iter().take(self.homes);
        homes
            .filter_map(|link| match &link.wire {
                Wire::Two(h2) => h2.peer_streams,
                Wire::One(_) => None,
            })
            .min()
    }

    /// Gives what is due to connections with a free place.
    fn dispatch<S: Sink>(&mut self, mix: &mut dyn FnMut() -> (usize, usize), desk: &mut Desk<'_, S>) {
        if desk.due.is_empty() {
            return;
        }
        let templates = Arc::clone(&self.ground.templates);
        while let Some(intended) = desk.due.front().copied() {
            let Some(slot) = self.next_slot(desk) else {
                desk.end.most_waiting = desk.end.most_waiting.max(desk.due.len() as u64);
                desk.end.peer_limit_reached |= self.limited;
                return;
            };
            desk.due.pop_front();
            let (operation, exchange) = mix();
            let request = desk.prepared.operations.get(operation);
            let exchange =
                request.and_then(|operation| Some((operation, operation.exchanges.get(exchange)?, exchange)));
            let Some((request, what, exchange)) = exchange else {
                desk.note(|| format!("there is no operation {operation} with such a request"));
                desk.free.push_front(slot);
                continue;
            };
            let begin = Begin {
                operation: operation as u32,
                intended,
                able: intended.max(slot.since),
                timeout: request.timeout,
                enough: enough(what),
            };
            let template = &templates.operations[operation][exchange];
            let link = &mut self.links[slot.link];
            link.begin(begin, template, slot.link, &mut self.ground, desk);
            if !std::mem::replace(&mut link.dirty, true) {
                self.dirty.push(slot.link);
            }
        }
    }

    fn next_slot<S>(&mut self, desk: &mut Desk<'_, S>) -> Option<Slot> {
        while let Some(slot) = desk.free.pop_front() {
            let link = &mut self.links[slot.link];
            if link.takes() {
                return Some(slot);
            }
            link.parked += 1;
            self.limited |= link.is_limited();
        }
        None
    }
}

/// Ends what is due without a connection.
fn give_up_due<S: Sink>(mix: &mut dyn FnMut() -> (usize, usize), desk: &mut Desk<'_, S>, outcome: Outcome) {
    // In a closed loop each of them makes another one due.
    for _ in 0..desk.due.len() {
        if let Some(intended) = desk.due.pop_front() {
            let (operation, _) = mix();
            desk.give_up(operation as u32, intended, outcome);
        }
    }
}

/// When requests become due.
struct Schedule<'a> {
    open: Option<&'a mut dyn Iterator<Item = u64>>,
    next: Option<u64>,
    until: u64,
    /// Nothing becomes due any more.
    over: bool,
}

impl<'a> Schedule<'a> {
    fn new<S: Sink>(arrivals: Arrivals<'a>, until: u64, desk: &mut Desk<'_, S>) -> Schedule<'a> {
        let mut schedule = Schedule {
            open: None,
            next: None,
            until,
            over: false,
        };
        match arrivals {
            Arrivals::Open(arrivals) => {
                schedule.next = arrivals.next();
                schedule.open = Some(arrivals);
            }
            Arrivals::Closed { in_flight } => {
                desk.again_until = until;
                desk.due.extend(std::iter::repeat_n(0, in_flight));
            }
        }
        schedule
    }

    /// Makes due what is.
    fn pull<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        let Some(arrivals) = &mut self.open else {
            if desk.now >= self.until && !self.over {
                self.over = true;
                desk.due.clear();
            }
            desk.end.scheduled = desk.open + desk.end.done;
            return;
        };
        if self.over {
            return;
        }
        desk.tick();
        while let Some(intended) = self.next.filter(|next| *next < self.until) {
            if intended > desk.now {
                return;
            }
            desk.due.push_back(intended);
            desk.end.scheduled += 1;
            self.next = arrivals.next();
        }
        self.over = true;
    }

    /// When the next request is due.
    fn next(&self) -> Option<u64> {
        self.next.filter(|_| !self.over)
    }

    fn is_over(&self) -> bool {
        self.over
    }
}
