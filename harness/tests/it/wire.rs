//! The load tier: against the built-in service over every leg, and against peers that answer oddly, where it must see what the
//! client sees.

mod odd;
mod real;
mod scripted;
mod watch;

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stocktake::client::{Client, Code, Endpoint, Options, Target};
use stocktake::load::exchange::{Answer, Enough, Exchange, Operation, Order, Prepared};
use stocktake::load::leg::Leg;
use stocktake::load::sample::{Moment, Outcome, RoundEnd, Sample, Sink};
use stocktake::load::wire::{Arrivals, Lane, Round, Shape, WireError};

/// Longer than anything here takes, also on a busy machine.
const LONG: Duration = Duration::from_secs(30);

const OK: Outcome = Outcome::Status(Code::OK);

const ONE: Shape = Shape {
    connections: 1,
    streams: 1,
};

/// All that a round has told; asks for its end after so many samples.
struct Seen {
    samples: Vec<Sample>,
    moments: Vec<Moment>,
    enough: usize,
    stop: Arc<AtomicBool>,
    /// Called with the number of samples so far.
    each: Box<dyn FnMut(usize)>,
}

impl Sink for Seen {
    fn sample(&mut self, sample: &Sample) {
        self.samples.push(*sample);
        (self.each)(self.samples.len());
        if self.samples.len() >= self.enough {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn moment(&mut self, moment: Moment) {
        self.moments.push(moment);
    }
}

impl Seen {
    fn new(enough: usize) -> Seen {
        Seen {
            samples: Vec::new(),
            moments: Vec::new(),
            enough,
            stop: Arc::default(),
            each: Box::new(|_| {}),
        }
    }

    fn outcomes(&self) -> BTreeMap<Outcome, usize> {
        let mut count = BTreeMap::new();
        for sample in &self.samples {
            *count.entry(sample.outcome).or_default() += 1;
        }
        count
    }
}

fn endpoint_with(url: &str, options: Options) -> Endpoint {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = Client::new(Target::parse(url).unwrap(), options).unwrap();
    runtime.block_on(client.endpoint()).unwrap()
}

fn endpoint(address: &str) -> Endpoint {
    endpoint_with(&format!("http://{address}"), Options::default())
}

fn lane(endpoint: &Endpoint, leg: Leg, shape: Shape, prepared: Prepared) -> Lane {
    connect(endpoint, leg, shape, prepared).unwrap_or_else(|error| panic!("{}: {error}", leg.name()))
}

fn connect(endpoint: &Endpoint, leg: Leg, shape: Shape, prepared: Prepared) -> Result<Lane, WireError> {
    Lane::connect(endpoint, leg, shape, Arc::new(prepared), LONG)
}

/// A closed loop until so many samples have come, or `until`.
fn closed(lane: &mut Lane, in_flight: usize, requests: usize, until: Duration) -> (Seen, RoundEnd) {
    run(lane, Arrivals::Closed { in_flight }, until, Seen::new(requests))
}

fn run(lane: &mut Lane, arrivals: Arrivals<'_>, until: Duration, mut seen: Seen) -> (Seen, RoundEnd) {
    let stop = Arc::clone(&seen.stop);
    // The borrows of the round are shorter than that of the schedule.
    let arrivals = match arrivals {
        Arrivals::Open(schedule) => Arrivals::Open(schedule),
        Arrivals::Closed { in_flight } => Arrivals::Closed { in_flight },
    };
    let round = Round {
        began: Instant::now(),
        arrivals,
        until,
        mix: &mut || (0, 0),
        decode: None,
        stop: &stop,
    };
    let end = lane.run(round, &mut seen);
    (seen, end)
}

fn operation(id: &str, exchanges: Vec<Exchange>, timeout: Duration) -> Operation {
    Operation {
        id: id.into(),
        weight: 1,
        exchanges,
        order: Order::Sequential,
        accepted: vec![Code::OK],
        timeout,
    }
}

fn only(operation: Operation) -> Prepared {
    Prepared {
        operations: vec![operation],
        watches: Vec::new(),
    }
}

fn prefixed(message: &[u8]) -> Vec<u8> {
    let mut body = vec![0];
    body.extend_from_slice(&(message.len() as u32).to_be_bytes());
    body.extend_from_slice(message);
    body
}

/// A request of gRPC.
fn grpc(method: &str, body: impl Into<Bytes>) -> Exchange {
    Exchange {
        method: "POST".into(),
        path: format!("/inventory.InventoryService/{method}"),
        headers: vec![
            ("content-type".into(), b"application/grpc".to_vec()),
            ("user-agent".into(), b"stocktake".to_vec()),
        ],
        body: body.into(),
        answer: Answer::Message,
        mark: None,
    }
}

/// A request of REST.
fn rest(method: &str, path: &str, body: &str) -> Exchange {
    let mut headers = vec![("accept".into(), b"application/json".to_vec())];
    if !body.is_empty() {
        headers.push(("content-type".into(), b"application/json".to_vec()));
    }
    Exchange {
        method: method.into(),
        path: path.into(),
        headers,
        body: body.to_owned().into(),
        answer: Answer::Message,
        mark: None,
    }
}

fn streaming(exchange: Exchange, enough: Enough) -> Exchange {
    Exchange {
        answer: Answer::Stream { enough },
        ..exchange
    }
}
