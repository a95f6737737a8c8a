//! From what was measured to what is recorded: rounds, sides, curves, and the doubts about them. Pure.

mod curve;
mod doubts;

pub use curve::{LADDER, all, curve, deepest, may_show, operation};
pub use doubts::{Conditions, Seen, caveats};

use super::{
    leg::Leg,
    record::{PointRecord, RoundRecord, SideRecord},
    recorder::{Recorder, Second, Tally},
    sample::RoundEnd,
};
use crate::verify::record::Caveat;
use std::time::Duration;

/// What else there is to say of a round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its place in the order of all rounds of the cell, from 0.
    pub order: usize,
    /// The block that it belongs to, from 0.
    pub block: usize,
    /// Milliseconds since the run began.
    pub began_ms: u64,
    /// CPU time of the server from the round's begin to its end, where it could be read.
    pub server_cpu: Option<Duration>,
}

/// The rounds of one leg on one target, added up.
#[derive(Clone, Debug)]
pub struct Rounds {
    leg: Leg,
    target: usize,
    conditions: Conditions,
    /// Percentiles that are recorded besides the usual ones.
    percentiles: Vec<f64>,
    tallies: Vec<Tally>,
    /// Nanoseconds that callers felt in rounds that are not void.
    felt: u128,
    rounds: Vec<RoundRecord>,
    series: Vec<PointRecord>,
    /// Seconds of the rounds so far.
    seconds: u64,
    end: RoundEnd,
}

impl Rounds {
    /// None yet.
    pub fn new(leg: Leg, target: usize, conditions: Conditions) -> Rounds {
        Rounds {
            leg,
            target,
            conditions,
            percentiles: Vec::new(),
            tallies: Vec::new(),
            felt: 0,
            rounds: Vec::new(),
            series: Vec::new(),
            seconds: 0,
            end: RoundEnd::default(),
        }
    }

    /// Records these percentiles (0 to 1) too, where there are samples enough: those that an objective names need not be among
    /// the usual ones.
    #[must_use]
    pub fn with_percentiles(mut self, percentiles: impl IntoIterator<Item = f64>) -> Rounds {
        self.percentiles.extend(percentiles);
        self
    }

    /// Adds a round: what its threads recorded, merged, and what each of them said at the end. How its requests ended counts
    /// always, its times do not where it is void; but those of a target that did not keep up do, since an objective is missed by
    /// them, though no other side may be compared with them.
    pub fn add(&mut self, recorder: &Recorder, ends: &[RoundEnd], place: Place) -> &RoundRecord {
        let end = together(ends);
        let (round, timed) = round(recorder, &end, place, &self.conditions);
        if self.tallies.is_empty() {
            let empty = |tally: &Tally| Tally {
                id: tally.id.clone(),
                ..Tally::default()
            };
            self.tallies = recorder.tallies().iter().map(empty).collect();
        }
        for (tally, other) in self.tallies.iter_mut().zip(recorder.tallies()) {
            if timed {
                tally.merge(other);
                self.felt += other.response.sum() + other.failures.sum();
            } else {
                tally.merge_ends(other);
            }
        }
        self.series.extend(points(recorder, self.seconds, !timed));
        self.seconds += whole_seconds(recorder);
        self.end = after(&self.end, end);
        self.rounds.push(round);
        &self.rounds[self.rounds.len() - 1]
    }

    /// The rounds so far.
    pub fn rounds(&self) -> &[RoundRecord] {
        &self.rounds
    }

    /// By operation, all rounds together; of void ones only how their requests ended.
    pub fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// The record of all rounds. `hlog` names the file of an operation's histograms, where one was written.
    pub fn record(&self, hlog: impl Fn(&str) -> Option<String>) -> SideRecord {
        let of = |tally: &Tally| operation(tally, &self.percentiles, hlog(&tally.id));
        SideRecord {
            leg: self.leg,
            target: self.target,
            rounds: self.rounds.clone(),
            operations: self.tallies.iter().map(of).collect(),
            all: (self.tallies.len() > 1).then(|| of(&all(&self.tallies))),
            series: self.series.clone(),
            void: self.void(),
        }
    }

    /// Doubts about the side, each with its remedy.
    pub fn caveats(&self) -> Vec<Caveat> {
        let seen = Seen {
            tallies: &self.tallies,
            felt: self.felt,
            rounds: &self.rounds,
            end: &self.end,
        };
        caveats(self.leg, &seen, &self.conditions)
    }

    /// A side is void when every round is: single ones are left out where rounds are compared.
    fn void(&self) -> Option<String> {
        let first = match self.rounds.first() {
            Some(round) => round.void.clone()?,
            None => return Some("no round was measured".to_owned()),
        };
        self.rounds.iter().all(|round| round.void.is_some()).then_some(first)
    }
}

/// The record of one round. CPU, bytes and in-flight are of the whole round, warm-up included, and so are the requests that
/// they are divided by: those that were sent, since one that never was costs nothing. Beside it, whether its times count.
fn round(recorder: &Recorder, end: &RoundEnd, place: Place, conditions: &Conditions) -> (RoundRecord, bool) {
    let tally = all(recorder.tallies());
    let seconds = recorder.window().measured.as_secs_f64();
    let each = |total: f64| if end.sent > 0 { total / end.sent as f64 } else { 0.0 };
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let elapsed = end.elapsed.as_nanos() as f64;
    let mean = |integral: u128| if elapsed > 0.0 { integral as f64 / elapsed } else { 0.0 };
    let percentile = |q| {
        tally
            .response
            .histogram()
            .and_then(|histogram| curve::shown(histogram, q))
    };
    let scheduled = recorder.scheduled();
    let mut round = RoundRecord {
        order: place.order,
        block: place.block,
        began_ms: place.began_ms,
        seconds,
        scheduled,
        // What was never sent was still waiting at the end, so it is missing in the measured time.
        sent: scheduled.saturating_sub(end.scheduled.saturating_sub(end.sent)),
        succeeded: tally.response.count(),
        failed: tally.failures.count(),
        throughput: if seconds > 0.0 {
            recorder.completed() as f64 / seconds
        } else {
            0.0
        },
        mean: tally.response.mean(),
        p50: percentile(0.5),
        p99: percentile(0.99),
        server_cpu_us: place.server_cpu.filter(|_| end.sent > 0).map(|time| each(micros(time))),
        client_cpu_us: each(micros(end.cpu.0 + end.cpu.1)),
        bytes: (each(end.bytes.0 as f64), each(end.bytes.1 as f64)),
        in_flight: mean(end.in_flight_integral),
        littles: mean(recorder.service()),
        most_waiting: end.most_waiting,
        void: None,
    };
    let broken = doubts::watch_ended(end);
    let timed = broken.is_none() && doubts::untimed(&round, &tally, conditions).is_none();
    round.void = doubts::void(&round, &tally, conditions).or(broken);
    (round, timed)
}

/// The seconds of a round, the first one by this number. A second without anything is there too, and those of a round whose times
/// do not count are without them.
fn points(recorder: &Recorder, first: u64, void: bool) -> impl Iterator<Item = PointRecord> {
    let nothing = Second::default();
    let open = recorder.is_expected();
    (0..whole_seconds(recorder)).map(move |number| {
        let second = recorder.seconds().get(number as usize).unwrap_or(&nothing);
        let response = &second.response;
        let ended = second.succeeded + second.failed;
        PointRecord {
            second: first + number,
            scheduled: if open { second.scheduled } else { ended },
            succeeded: second.succeeded,
            failed: second.failed,
            p50: curve::shown(response, 0.5).filter(|_| !void),
            p99: curve::shown(response, 0.99).filter(|_| !void),
            max: (!void && !response.is_empty()).then(|| response.max()),
        }
    })
}

/// Seconds of the measured time; a begun one counts.
fn whole_seconds(recorder: &Recorder) -> u64 {
    recorder.window().measured.as_secs_f64().ceil() as u64
}

/// Threads beside each other.
fn together(ends: &[RoundEnd]) -> RoundEnd {
    let mut sum = RoundEnd::default();
    for end in ends {
        let elapsed = sum.elapsed.max(end.elapsed);
        // At most: the threads need not have waited at the same moment.
        let most_waiting = sum.most_waiting + end.most_waiting;
        sum = after(&sum, end.clone());
        sum.elapsed = elapsed;
        sum.most_waiting = most_waiting;
    }
    sum
}

/// Failures in words that a side keeps.
const WORDS: usize = 3;

/// One round after the other.
fn after(sum: &RoundEnd, end: RoundEnd) -> RoundEnd {
    let smaller = |a: Option<u32>, b: Option<u32>| a.into_iter().chain(b).min();
    let mut failures = sum.failures.clone();
    for words in end.failures {
        if failures.len() < WORDS && !failures.contains(&words) {
            failures.push(words);
        }
    }
    RoundEnd {
        scheduled: sum.scheduled + end.scheduled,
        sent: sum.sent + end.sent,
        done: sum.done + end.done,
        most_waiting: sum.most_waiting.max(end.most_waiting),
        in_flight_integral: sum.in_flight_integral + end.in_flight_integral,
        elapsed: sum.elapsed + end.elapsed,
        cpu: (sum.cpu.0 + end.cpu.0, sum.cpu.1 + end.cpu.1),
        bytes: (sum.bytes.0 + end.bytes.0, sum.bytes.1 + end.bytes.1),
        opened: sum.opened + end.opened,
        lost: sum.lost + end.lost,
        watches_ended: sum.watches_ended + end.watches_ended,
        peer_streams: smaller(sum.peer_streams, end.peer_streams),
        peer_limit_reached: sum.peer_limit_reached || end.peer_limit_reached,
        failures,
    }
}
