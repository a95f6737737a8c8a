//! The event loop: what is due is sent as soon as a place is free, what arrives is read, and nothing spins.

mod round;

use super::call::enough;
use super::clock::{Clock, Timer, nanos};
use super::desk::{Desk, Nobody};
use super::ground::{Ground, Owner};
use super::link::{Link, State};
use super::marks::Marks;
use super::request::Templates;
use super::{Shape, WireError};
use crate::client::{ConnectError, Endpoint};
use crate::load::exchange::{Enough, Prepared};
use crate::load::leg::Leg;
use crate::load::sample::Sink;
use mio::{Events, Poll, Token};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The token of the timer; sockets count from 0.
const TIMER: Token = Token(usize::MAX);

/// Events taken from the system at once.
const EVENTS: usize = 256;

/// Time-outs and pauses are looked at this often, or more often where a time is short.
const LONGEST_SCAN: Duration = Duration::from_millis(20);

/// See [`LONGEST_SCAN`].
const SHORTEST_SCAN: Duration = Duration::from_millis(1);

/// One thread's connections to one target on one leg. Not shared: each thread has its own.
pub struct Lane {
    poll: Poll,
    events: Events,
    timer: Timer,
    ground: Ground,
    /// The first ones carry the calls; then those of the watches, then those that are leaving.
    links: Vec<Link>,
    homes: usize,
    /// Places of each home.
    capacity: usize,
    marks: Marks,
    /// Connections with something to send.
    dirty: Vec<usize>,
    /// Connections that may hold more than was read.
    hot: Vec<usize>,
    /// A place could not be used because of the peer's limit of streams.
    limited: bool,
    scan_every: u64,
    next_scan: u64,
    /// See [`Lane::ready`].
    is_ready: bool,
    /// Failures of that, in words.
    told: Vec<String>,
}

impl Lane {
    /// Opens the connections and waits until all are ready, those of the watches too.
    pub fn connect(
        endpoint: &Endpoint,
        leg: Leg,
        shape: Shape,
        prepared: Arc<Prepared>,
        timeout: Duration,
    ) -> Result<Lane, WireError> {
        let templates = Templates::new(endpoint, leg, &prepared)?;
        let (homes, capacity) = match leg.is_multiplexed() {
            true => (shape.connections.max(1), shape.streams.max(1)),
            false => (shape.connections.max(1) * shape.streams.max(1), 1),
        };
        let poll = Poll::new()?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        let registry = poll.registry().try_clone()?;
        let marks = Marks::new(&prepared);
        let mut links: Vec<Link> = (0..homes).map(|home| Link::new(home, Vec::new())).collect();
        let watches: Vec<usize> = (0..prepared.watches.len()).collect();
        let together = if leg.is_multiplexed() { watches.len() } else { 1 };
        for watches in watches.chunks(together.max(1)) {
            links.push(Link::new(links.len(), watches.to_vec()));
        }
        let mut ground = Ground::new(endpoint.clone(), leg, Arc::clone(&prepared), templates, registry);
        ground.streams = capacity;
        ground.timeout = nanos(timeout);
        let mut lane = Lane {
            poll,
            events: Events::with_capacity(EVENTS),
            timer,
            ground,
            links,
            homes,
            capacity,
            marks,
            dirty: Vec::new(),
            hot: Vec::new(),
            limited: false,
            scan_every: nanos(scan_interval(&prepared)),
            next_scan: 0,
            is_ready: false,
            told: Vec::new(),
        };
        lane.wait_until_ready()?;
        Ok(lane)
    }

    fn wait_until_ready(&mut self) -> Result<(), WireError> {
        let prepared = Arc::clone(&self.ground.prepared);
        let mut marks = std::mem::take(&mut self.marks);
        let clock = Clock(Instant::now());
        let mut nobody = Nobody;
        let mut desk = Desk::new(clock, &prepared, &mut nobody, &mut marks);
        let until = self.ground.timeout;
        let ended = loop {
            desk.tick();
            self.scan(&mut desk, false);
            let addresses = self.ground.endpoint.addresses.len() as u32;
            if self.links.iter().all(|link| link.state == State::Ready) && !self.links.iter().any(Link::has_output) {
                break Ok(());
            }
            let failed = self
                .links
                .iter_mut()
                .find(|link| link.failed >= addresses || desk.now >= until);
            if let Some(problem) = failed.and_then(|link| link.problem.take()) {
                break Err(WireError::Connect(problem));
            }
            if desk.now >= until.saturating_add(1_000_000_000) {
                let address = self.ground.endpoint.address();
                let within = Duration::from_nanos(until);
                break Err(WireError::Connect(ConnectError::NoTcp { address, within }));
            }
            if let Err(error) = self.turn(Duration::from_millis(5), &mut desk, Lane::flush) {
                break Err(error.into());
            }
        };
        self.marks = marks;
        ended
    }

    /// Closes all connections.
    pub fn close(mut self) {
        for link in &mut self.links {
            link.end(&mut self.ground);
        }
    }

    /// Makes all ready for a round: connections that the peer closed since the last one are opened again, and the watches are
    /// opened. To be called right before the begin of the round is fixed; [`Lane::run`] does it where that was not done, and the
    /// round then begins late by as long as it takes.
    ///
    /// Waits for connections that are being made, each for the timeout of [`Lane::connect`] at most; for a second, or that timeout
    /// where it is shorter, for ones that are refused, and for a peer that does not answer a watch with a head. What is not ready
    /// by then shows in the round: [`RoundEnd::watches_ended`](crate::load::sample::RoundEnd::watches_ended), or requests that are
    /// lost. The watches stay open until the round is over.
    pub fn ready(&mut self) {
        let prepared = Arc::clone(&self.ground.prepared);
        let mut marks = std::mem::take(&mut self.marks);
        let mut nobody = Nobody;
        let mut desk = Desk::new(Clock(Instant::now()), &prepared, &mut nobody, &mut marks);
        let timeout = self.ground.timeout;
        for link in &mut self.links {
            link.begin_round(timeout);
        }
        let mut wait = Duration::ZERO;
        loop {
            self.scan(&mut desk, false);
            // An error shows again when the round waits, and is told there.
            let waited = self.turn(wait, &mut desk, Lane::flush);
            let is_quiet = self.events.is_empty() && self.hot.is_empty();
            // The ends of connections are read before anything is sent on them.
            if is_quiet || desk.now >= timeout {
                self.open_watches();
            }
            self.flush(&mut desk);
            let patience = self.links.iter().map(|link| link.patience(timeout)).max();
            let is_over = desk.now > patience.unwrap_or(0) && (is_quiet || desk.now > timeout);
            let is_over = is_over || desk.now > timeout.saturating_mul(2);
            if waited.is_err() || is_over {
                break;
            }
            wait = Duration::from_millis(1);
        }
        self.told = std::mem::take(&mut desk.end.failures);
        self.marks = marks;
        self.is_ready = true;
    }

    fn open_watches(&mut self) {
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.state == State::Ready && !link.watches.is_empty() && !link.watched {
                link.watch(&self.ground);
                if !std::mem::replace(&mut link.dirty, true) {
                    self.dirty.push(index);
                }
            }
        }
    }

    /// Hands what waits to the system, each connection in one write.
    fn flush<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        while let Some(index) = self.dirty.pop() {
            let link = &mut self.links[index];
            link.dirty = false;
            if let Err(cause) = link.flush(desk) {
                link.fail(cause, &mut self.ground, desk);
                self.look_after(index, desk);
            }
        }
    }

    /// How long to wait for events when something is due at `next`.
    fn time_to<S: Sink>(&mut self, next: Option<u64>, desk: &mut Desk<'_, S>) -> io::Result<Duration> {
        let scan = Duration::from_nanos(self.next_scan.saturating_sub(desk.now).max(1_000_000));
        match next {
            _ if !self.hot.is_empty() => Ok(Duration::ZERO),
            None => Ok(scan),
            Some(next) => {
                desk.tick();
                match next <= desk.now {
                    true => Ok(Duration::ZERO),
                    false => self.timer.wait(next, desk.now, scan),
                }
            }
        }
    }

    /// Takes the events that there are, waiting for them at most so long. `after` each of them: what it has made possible is sent
    /// before the next one is looked at, so that many connections do not wait for each other.
    fn turn<S: Sink>(
        &mut self,
        most: Duration,
        desk: &mut Desk<'_, S>,
        mut after: impl FnMut(&mut Lane, &mut Desk<'_, S>),
    ) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(most)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        if self.events.is_empty() {
            desk.tick();
        }
        let mut hot = std::mem::take(&mut self.hot);
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match self.ground.tokens.owner(event.token().0) {
                Owner::Link(index) => {
                    let index = *index;
                    self.links[index].closing |= event.is_read_closed();
                    hot.push(index);
                }
                Owner::Linger(_) if event.is_read_closed() || event.is_error() => {
                    self.ground.tokens.give_back(event.token().0);
                }
                Owner::Nobody | Owner::Linger(_) => {}
            }
        }
        self.events = events;
        for index in hot.drain(..) {
            if self.links[index].event(&mut self.ground, desk) {
                self.hot.push(index);
            }
            self.look_after(index, desk);
            after(self, desk);
        }
        if self.hot.is_empty() {
            self.hot = hot;
        }
        Ok(())
    }

    /// After something happened to a connection.
    fn look_after<S: Sink>(&mut self, index: usize, desk: &mut Desk<'_, S>) {
        let link = &mut self.links[index];
        if link.has_output() && !link.dirty {
            link.dirty = true;
            self.dirty.push(index);
        }
        match link.state {
            State::Down(at) if at <= desk.now => link.open(&mut self.ground, index, desk),
            State::Leaving if link.in_flight() == 0 => link.end(&mut self.ground),
            State::Ready if link.is_leaving() => self.replace(index, desk),
            _ => {}
        }
    }

    /// The peer wants this connection to end: its calls go on, new ones go to another.
    fn replace<S: Sink>(&mut self, index: usize, desk: &mut Desk<'_, S>) {
        if self.links[index].in_flight() == 0 {
            self.links[index].renew(&mut self.ground, desk.now);
        } else {
            let mut fresh = Link::new(self.links[index].home, self.links[index].watches.clone());
            // Watches go on where they are.
            fresh.watched = self.links[index].watched;
            let mut old = std::mem::replace(&mut self.links[index], fresh);
            self.links[index].parked = std::mem::take(&mut old.parked);
            old.state = State::Leaving;
            let first = self.links.iter().position(|link| link.state == State::Gone);
            let place = first.unwrap_or(self.links.len());
            self.ground.tokens.set(old.token, Owner::Link(place));
            if std::mem::take(&mut old.dirty) {
                self.dirty.retain(|other| *other != index);
            }
            // What is left to be read is found under its new index.
            self.hot.push(place);
            match self.links.get_mut(place) {
                Some(gone) => *gone = old,
                None => self.links.push(old),
            }
            self.look_after(place, desk);
        }
        self.links[index].open(&mut self.ground, index, desk);
    }

    /// What is a matter of time: calls that take too long, connections that are to be opened.
    fn scan<S: Sink>(&mut self, desk: &mut Desk<'_, S>, all: bool) {
        self.next_scan = desk.now.saturating_add(self.scan_every);
        self.ground.tokens.let_go(desk.now, usize::MAX);
        for index in 0..self.links.len() {
            let link = &mut self.links[index];
            link.scan(&mut self.ground, desk, all);
            link.give_up_opening(&mut self.ground, desk);
            self.look_after(index, desk);
        }
    }

    /// Ends every call there is.
    fn end_calls<S: Sink>(&mut self, desk: &mut Desk<'_, S>) {
        desk.tick();
        desk.again_until = 0;
        self.scan(desk, true);
    }
}

/// Short enough for the shortest time that matters.
fn scan_interval(prepared: &Prepared) -> Duration {
    let exchanges = prepared.operations.iter().flat_map(|operation| &operation.exchanges);
    let stops = exchanges.filter_map(|exchange| match enough(exchange) {
        Some(Enough::Time(time)) => Some(time),
        _ => None,
    });
    let timeouts = prepared.operations.iter().map(|operation| operation.timeout);
    let shortest = timeouts.chain(stops).min().unwrap_or(LONGEST_SCAN);
    (shortest / 50).clamp(SHORTEST_SCAN, LONGEST_SCAN)
}
