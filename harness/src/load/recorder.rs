//! What a thread measures in one round, in memory that does not grow with the number of requests. Pure.
//!
//! A request belongs to the second in which it was meant to be sent, and one meant to be sent in the warm-up is left out, whenever
//! it was answered: a stall at the end of the warm-up must not lose its victims, nor may the victims of the measured part
//! end up in nobody's.

use super::{
    distribution::{DIGITS, Distribution, LONGEST},
    exchange::{Answer, Operation},
    sample::{Moment, Outcome, Sample, Sink},
};
use crate::client::Code;
use hdrhistogram::Histogram;
use std::{collections::BTreeMap, time::Duration};

/// Which part of a round counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Before it.
    pub warm_up: Duration,
    /// How long it is.
    pub measured: Duration,
}

impl Window {
    fn contains(&self, instant: u64) -> bool {
        let instant = Duration::from_nanos(instant);
        instant >= self.warm_up && instant - self.warm_up < self.measured
    }

    /// The second of measured time.
    fn second(&self, instant: u64) -> usize {
        (Duration::from_nanos(instant).saturating_sub(self.warm_up)).as_secs() as usize
    }
}

/// What was measured of one operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// The operation's id.
    pub id: String,
    /// How requests ended, and how many.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// From the intended send to the end, of those that ended as accepted.
    pub response: Distribution,
    /// From the actual send to the end, of those that ended as accepted.
    pub service: Distribution,
    /// From when it could be sent to when it was, of all.
    pub lateness: Distribution,
    /// From the intended send to when a slot was free, of all.
    pub slot_wait: Distribution,
    /// From the intended send to the end, of those that did not end as accepted; a timeout counts with its limit.
    pub failures: Distribution,
    /// From the intended send to the first message of a stream, of those that ended as accepted.
    pub first_message: Distribution,
    /// Between two messages of a stream.
    pub gaps: Distribution,
    /// From the intended send of a marked request to its delivery by a watch.
    pub delivery: Distribution,
}

impl Tally {
    /// Its distributions with their names, as files and records call them.
    pub fn distributions(&self) -> [(&'static str, &Distribution); 8] {
        [
            ("response", &self.response),
            ("service", &self.service),
            ("lateness", &self.lateness),
            ("slot_wait", &self.slot_wait),
            ("failures", &self.failures),
            ("first_message", &self.first_message),
            ("gaps", &self.gaps),
            ("delivery", &self.delivery),
        ]
    }

    /// Adds how another one's requests ended, and when those that failed did, but no other time of it.
    pub fn merge_ends(&mut self, other: &Tally) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        self.failures.merge(&other.failures);
    }

    /// Adds another one: of another thread, another round, or another operation. Exact, in any order.
    pub fn merge(&mut self, other: &Tally) {
        self.merge_ends(other);
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.lateness.merge(&other.lateness);
        self.slot_wait.merge(&other.slot_wait);
        self.first_message.merge(&other.first_message);
        self.gaps.merge(&other.gaps);
        self.delivery.merge(&other.delivery);
    }
}

/// One second of measured time.
#[derive(Clone, Debug)]
pub struct Second {
    /// Requests meant to be sent in it, by the timetable where there is one (see [`Recorder::expect`]).
    pub scheduled: u64,
    /// Those of them that ended as accepted.
    pub succeeded: u64,
    /// Those that ended otherwise.
    pub failed: u64,
    /// Response times of the accepted, to 1 % or half a microsecond: a few kilobytes, at most 14.
    pub response: Histogram<u32>,
}

impl Default for Second {
    fn default() -> Second {
        let response = Histogram::new_with_bounds(1_000, 2_000, DIGITS - 1);
        let mut response = response.expect("the bounds are constants that the library takes");
        // It grows to its largest time, so that seconds of fast answers stay small.
        response.auto(true);
        Second {
            scheduled: 0,
            succeeded: 0,
            failed: 0,
            response,
        }
    }
}

impl Second {
    fn merge(&mut self, other: &Second) {
        self.scheduled += other.scheduled;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.response.add(&other.response).expect("it grows to what is added");
    }
}

/// What counts as success, and as a stream.
#[derive(Clone, Debug)]
struct Rule {
    accepted: Vec<Code>,
    stream: bool,
}

/// Takes the samples of one thread of one side in one round.
#[derive(Clone, Debug)]
pub struct Recorder {
    window: Window,
    rules: Vec<Rule>,
    tallies: Vec<Tally>,
    seconds: Vec<Second>,
    /// Whether the seconds know the timetable.
    expected: bool,
    completed: u64,
    service: u128,
}

impl Recorder {
    /// An empty one for these operations.
    pub fn new(operations: &[Operation], window: Window) -> Recorder {
        let rule = |operation: &Operation| Rule {
            accepted: operation.accepted.clone(),
            stream: operation
                .exchanges
                .iter()
                .any(|exchange| exchange.answer != Answer::Message),
        };
        let tally = |operation: &Operation| Tally {
            id: operation.id.clone(),
            ..Tally::default()
        };
        Recorder {
            window,
            rules: operations.iter().map(rule).collect(),
            tallies: operations.iter().map(tally).collect(),
            seconds: Vec::new(),
            expected: false,
            completed: 0,
            service: 0,
        }
    }

    /// Takes over the timetable of an open loop, so that a second in which nothing was answered, or nothing sent, still says
    /// what was wanted in it. Once for each schedule of the round; not in a closed loop, where samples are all there is.
    pub fn expect(&mut self, schedule: impl Iterator<Item = u64>) {
        self.expected = true;
        for intended in schedule {
            if self.window.contains(intended) {
                self.second(intended).scheduled += 1;
            }
        }
    }

    /// Adds what another thread measured in the same round. Exact, in any order.
    pub fn merge(&mut self, other: &Recorder) {
        for (tally, other) in self.tallies.iter_mut().zip(&other.tallies) {
            tally.merge(other);
        }
        if self.seconds.len() < other.seconds.len() {
            self.seconds.resize_with(other.seconds.len(), Second::default);
        }
        for (second, other) in self.seconds.iter_mut().zip(&other.seconds) {
            second.merge(other);
        }
        self.expected |= other.expected;
        self.completed += other.completed;
        self.service += other.service;
    }

    /// Which part of the round counts.
    pub fn window(&self) -> Window {
        self.window
    }

    /// By operation, in the order of the workload.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// By second of measured time; shorter than that where nothing was wanted at the end.
    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// Whether the seconds know the timetable (see [`Recorder::expect`]).
    pub fn is_expected(&self) -> bool {
        self.expected
    }

    /// Requests that the measured time wanted: of the timetable, or in a closed loop all that ended.
    pub fn scheduled(&self) -> u64 {
        let of = |second: &Second| match self.expected {
            true => second.scheduled,
            false => second.succeeded + second.failed,
        };
        self.seconds.iter().map(of).sum()
    }

    /// Accepted ends within the measured time, whenever they were meant to be sent: what a throughput counts. An overloaded
    /// server answers what was meant for the measured time long after it.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// Nanoseconds of service of all requests of the round, warm-up and failures too: what Little's law wants.
    pub fn service(&self) -> u128 {
        self.service
    }

    /// Bytes of all buffers: a bound that depends on the operations and the length of the round, not on the requests.
    pub fn buffer_bytes(&self) -> usize {
        let tally = |tally: &Tally| -> usize {
            let outcomes = tally.outcomes.len() * size_of::<(Outcome, u64)>();
            outcomes
                + tally
                    .distributions()
                    .iter()
                    .map(|(_, times)| times.buffer_bytes())
                    .sum::<usize>()
        };
        let second = |second: &Second| second.response.distinct_values() * size_of::<u32>();
        let seconds = self.seconds.capacity() * size_of::<Second>();
        self.tallies.iter().map(tally).sum::<usize>() + seconds + self.seconds.iter().map(second).sum::<usize>()
    }

    /// The second of an instant within the window.
    fn second(&mut self, intended: u64) -> &mut Second {
        let second = self.window.second(intended);
        if self.seconds.len() <= second {
            self.seconds.resize_with(second + 1, Second::default);
        }
        &mut self.seconds[second]
    }
}

impl Sink for Recorder {
    fn sample(&mut self, sample: &Sample) {
        let index = sample.operation as usize;
        let (Some(rule), Some(tally)) = (self.rules.get(index), self.tallies.get_mut(index)) else {
            return;
        };
        let accepted = matches!(sample.outcome, Outcome::Status(code) if rule.accepted.contains(&code));
        let service = sample.done.saturating_sub(sample.sent);
        self.service += u128::from(service);
        if accepted && self.window.contains(sample.done) {
            self.completed += 1;
        }
        if !self.window.contains(sample.intended) {
            return;
        }
        let response = sample.done.saturating_sub(sample.intended);
        *tally.outcomes.entry(sample.outcome).or_default() += 1;
        tally.lateness.record(sample.sent.saturating_sub(sample.able));
        tally.slot_wait.record(sample.able.saturating_sub(sample.intended));
        if accepted {
            tally.response.record(response);
            tally.service.record(service);
            if rule.stream && sample.messages > 0 {
                tally.first_message.record(sample.first.saturating_sub(sample.intended));
            }
        } else {
            tally.failures.record(response);
        }
        let second = self.second(sample.intended);
        if accepted {
            second.succeeded += 1;
            second
                .response
                .record(response.min(LONGEST))
                .expect("it grows to what is recorded");
        } else {
            second.failed += 1;
        }
    }

    fn moment(&mut self, moment: Moment) {
        match moment {
            Moment::Gap { operation, at, gap } => {
                if self.window.contains(at)
                    && let Some(tally) = self.tallies.get_mut(operation as usize)
                {
                    tally.gaps.record(gap);
                }
            }
            Moment::Delivery {
                operation,
                intended,
                at,
            } => {
                if self.window.contains(intended)
                    && let Some(tally) = self.tallies.get_mut(operation as usize)
                {
                    tally.delivery.record(at.saturating_sub(intended));
                }
            }
        }
    }
}
