//! When a number may not be used, and when it comes with a doubt.
//!
//! The limits are choices, not laws; each has its reason beside it.

use super::curve::deepest;
use crate::{
    load::{
        leg::Leg,
        record::RoundRecord,
        recorder::Tally,
        sample::{Outcome, RoundEnd},
    },
    verify::record::Caveat,
};

/// What bears on the doubts beside the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Whether the speed of the side is compared with that of another: then errors void a round, since a fast error is no speed.
    pub compared: bool,
    /// Whether a timetable says when to send.
    pub open: bool,
    /// p99 of a bare timed wait on this machine, nanoseconds (see [`crate::load::clock`]).
    pub bare_wait_p99: Option<u64>,
    /// Logical processors, where the target is on this machine.
    pub shared_cpus: Option<usize>,
}

/// The share of failed requests beyond which a compared round is void. Below it failures cannot move a median.
const ERRORS: f64 = 0.001;

/// The generator's own delay that is doubted: this share of the median service time, …
const LATE_SHARE: f64 = 0.10;

/// … and at least so much, nanoseconds: what a timed wait of Linux is late on an idle machine (timer slack 50 µs, and a wakeup).
const LATE_FLOOR: u64 = 100_000;

/// The generator is saturated when more than half of what it would report as response time is its own delay, …
const SATURATED_SHARE: f64 = 0.5;

/// … and that is more than a millisecond on average: below this, a busy machine is late without being saturated.
const SATURATED_FLOOR: f64 = 1e6;

/// How far Little's law may be off. In flight is counted where a call is sent and where it ends, its service time is taken between
/// two readings of the clock beside them: a microsecond each time, and more only by a fault.
const LITTLE: f64 = 0.03;

/// The share of the response time that waiting for a slot may make up before it is said.
const WAITING_SHARE: f64 = 0.10;

/// The share of scheduled requests that has to be sent.
const SENT: f64 = 0.99;

/// Why a round may not be used. `tally` is of all operations.
pub(super) fn void(tally: &Tally, scheduled: u64, conditions: &Conditions) -> Option<String> {
    let (succeeded, failed) = (tally.response.count(), tally.failures.count());
    let ended = succeeded + failed;
    if ended == 0 {
        return Some(match scheduled {
            0 => "no request was due in the measured time".to_owned(),
            _ => format!("none of {scheduled} requests came to an end"),
        });
    }
    let share = failed as f64 / ended as f64;
    if conditions.compared && share > ERRORS {
        let text = format!(
            "{failed} of {ended} requests failed ({}), and a fast failure is no speed",
            percent(share)
        );
        return Some(text);
    }
    let late = tally.lateness.mean().unwrap_or_default();
    let share = lateness_share(tally);
    (share > SATURATED_SHARE && late > SATURATED_FLOOR).then(|| {
        format!(
            "the generator was saturated: it sent requests {} late on average, {} of what they took",
            time(late),
            percent(share)
        )
    })
}

/// The share of the generator's own delay in what callers would have felt.
fn lateness_share(tally: &Tally) -> f64 {
    let felt = tally.response.sum() + tally.failures.sum();
    if felt > 0 {
        tally.lateness.sum() as f64 / felt as f64
    } else {
        0.0
    }
}

/// Doubts about a side, each with its remedy; `end` is of all its rounds.
pub fn caveats(
    leg: Leg,
    tallies: &[Tally],
    rounds: &[RoundRecord],
    end: &RoundEnd,
    conditions: &Conditions,
) -> Vec<Caveat> {
    let tally = super::all(tallies);
    let mut found = Found {
        leg,
        caveats: Vec::new(),
    };
    found.void_rounds(rounds);
    found.late(&tally, conditions);
    found.offered(rounds, end, conditions);
    found.waiting(&tally, conditions);
    found.peer_limit(end);
    found.failed(tallies, end);
    found.little(rounds);
    found.few(tallies);
    if let Some(cpus) = conditions.shared_cpus {
        let text = format!("server and generator share the {cpus} processors of this machine");
        let remedy =
            "read ratios between sides, not what the server can do; run the generator on another machine for that";
        found.caveats.push(caveat(text, remedy));
    }
    found.caveats
}

struct Found {
    leg: Leg,
    caveats: Vec<Caveat>,
}

impl Found {
    fn push(&mut self, text: String, remedy: &str) {
        self.caveats
            .push(caveat(format!("{}: {text}", self.leg.name()), remedy));
    }

    fn void_rounds(&mut self, rounds: &[RoundRecord]) {
        let void: Vec<&String> = rounds.iter().filter_map(|round| round.void.as_ref()).collect();
        if let Some(first) = void.first() {
            let text = format!(
                "{} of {} rounds are void, the first one because {first}",
                void.len(),
                rounds.len()
            );
            self.push(text, "look at the cause; void rounds are left out of comparisons");
        }
    }

    fn late(&mut self, tally: &Tally, conditions: &Conditions) {
        let (Some(lateness), Some(service)) = (tally.lateness.histogram(), tally.service.histogram()) else {
            return;
        };
        let late = lateness.value_at_quantile(0.99);
        let median = service.value_at_quantile(0.5);
        if late < LATE_FLOOR || (late as f64) < LATE_SHARE * median as f64 {
            return;
        }
        let mut text = format!(
            "the generator sent 1 of 100 requests {} late or later, where the median service time is {}",
            time(late as f64),
            time(median as f64)
        );
        if let Some(bare) = conditions.bare_wait_p99 {
            text += &format!("; a bare timed wait on this machine is {} late", time(bare as f64));
        }
        self.push(
            text,
            "lower the rate, give the generator processors of its own, or look at the service time beside it",
        );
    }

    fn offered(&mut self, rounds: &[RoundRecord], end: &RoundEnd, conditions: &Conditions) {
        if !conditions.open {
            return;
        }
        let scheduled: u64 = rounds.iter().map(|round| round.scheduled).sum();
        let sent: u64 = rounds.iter().map(|round| round.sent).sum();
        if (sent as f64) < SENT * scheduled as f64 {
            let text = format!(
                "{scheduled} requests were due and {sent} were sent; up to {} waited",
                end.most_waiting
            );
            self.push(
                text,
                "the target cannot take this rate: its latencies depend on how long the run was; lower the rate",
            );
            return;
        }
        let completed: f64 = rounds.iter().map(|round| round.throughput * round.seconds).sum();
        let ended: u64 = rounds.iter().map(|round| round.succeeded + round.failed).sum();
        let failed: u64 = rounds.iter().map(|round| round.failed).sum();
        let missing = ended as f64 - failed as f64 - completed;
        // Slow answers alone come after the time too; a queue that grew is as long as what is missing of a round.
        let queued = 2 * end.most_waiting * rounds.len() as u64;
        if missing > (1.0 - SENT) * ended as f64 && missing < queued as f64 {
            let text = format!(
                "{} of {ended} requests were answered after the time that they were due in; up to {} waited",
                missing.round(),
                end.most_waiting
            );
            self.push(text, "the target cannot keep up with this rate: its latencies depend on how long the run was; lower the rate");
        }
    }

    fn waiting(&mut self, tally: &Tally, conditions: &Conditions) {
        let felt = tally.response.sum() + tally.failures.sum();
        let share = tally.slot_wait.sum() as f64 / felt.max(1) as f64;
        if conditions.open && share > WAITING_SHARE {
            let text = format!(
                "{} of the response time is waiting for a free connection or stream",
                percent(share)
            );
            self.push(text, "this is what callers with as few connections would feel; for the server alone add connections or streams");
        }
    }

    fn peer_limit(&mut self, end: &RoundEnd) {
        if !end.peer_limit_reached {
            return;
        }
        let limit = end
            .peer_streams
            .map_or("fewer".to_owned(), |streams| streams.to_string());
        let text = format!("the peer allows {limit} streams on a connection, and calls waited for one");
        self.push(
            text,
            "more connections, or no more streams on each than the peer allows",
        );
    }

    fn failed(&mut self, tallies: &[Tally], end: &RoundEnd) {
        for tally in tallies {
            let failed = tally.failures.count();
            if failed > 0 {
                let ended = failed + tally.response.count();
                let such = end
                    .failures
                    .first()
                    .map(|words| format!(", such as: {words}"))
                    .unwrap_or_default();
                let text = format!("{}: {failed} of {ended} requests failed{such}", tally.id);
                self.push(
                    text,
                    "failures stand in a distribution of their own; what succeeded may be the easier part",
                );
            }
            if tally.outcomes.contains_key(&Outcome::Garbled) {
                let text = format!("{}: answers could not be read", tally.id);
                self.push(text, "`stocktake verify` says what is wrong with them");
            }
        }
        if end.lost > 0 {
            let text = format!("{} connections were lost and made again", end.lost);
            self.push(
                text,
                "look for restarts of the target, and for a proxy that limits a connection's age",
            );
        }
    }

    fn little(&mut self, rounds: &[RoundRecord]) {
        let off =
            |round: &&RoundRecord| round.in_flight >= 1.0 && (round.littles / round.in_flight - 1.0).abs() > LITTLE;
        let Some(worst) = rounds
            .iter()
            .filter(off)
            .max_by(|a, b| distance(a).total_cmp(&distance(b)))
        else {
            return;
        };
        let text = format!(
            "in round {} the counter says that {:.2} calls were in flight, the service times say {:.2}: a time was measured wrong",
            worst.order, worst.in_flight, worst.littles
        );
        self.push(text, "do not use the latencies; report it with the record of the run");
    }

    fn few(&mut self, tallies: &[Tally]) {
        for tally in tallies {
            let count = tally.response.count();
            let deepest = deepest(count);
            if deepest.is_some_and(|deepest| deepest >= 0.99) {
                continue;
            }
            let shown = match deepest {
                Some(deepest) => format!("percentiles above p{} are not shown", deepest * 100.0),
                None => "no percentile is shown".to_owned(),
            };
            let text = format!("{}: {count} answers are few: {shown}", tally.id);
            self.push(
                text,
                "p99 needs 1,000 of them: a longer run, more rounds or a higher rate",
            );
        }
    }
}

fn distance(round: &RoundRecord) -> f64 {
    (round.littles / round.in_flight - 1.0).abs()
}

fn caveat(text: String, remedy: &str) -> Caveat {
    Caveat {
        text,
        remedy: remedy.to_owned(),
    }
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent < 1.0 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// Nanoseconds for people.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e6 => format!("{:.0} µs", short / 1e3),
        middle if middle < 1e9 => format!("{:.1} ms", middle / 1e6),
        long => format!("{:.2} s", long / 1e9),
    }
}
