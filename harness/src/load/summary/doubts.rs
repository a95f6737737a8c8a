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

/// All rounds of a side, added up.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// By operation; of void rounds only how their requests ended.
    pub tallies: &'a [Tally],
    /// Nanoseconds that callers felt in rounds that are not void: response times, and those of failures.
    pub felt: u128,
    /// Each of them.
    pub rounds: &'a [RoundRecord],
    /// What the threads said at their ends.
    pub end: &'a RoundEnd,
}

/// What bears on the doubts beside the numbers.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Whether the speed of the side is compared with that of another: then errors void a round, since a fast error is no speed,
    /// and so does a rate that the target cannot keep up with. Alone, a side is judged with both.
    pub compared: bool,
    /// Whether a timetable says when to send.
    pub open: bool,
    /// p99 of a bare timed wait on this machine, nanoseconds (see [`crate::load::clock`]).
    pub bare_wait_p99: Option<u64>,
    /// Logical processors, where the target is on this machine.
    pub shared_cpus: Option<usize>,
}

/// The share of failed requests beyond which a compared round is void. Below it failures cannot move a median. One that got no
/// answer in time is worse: it is the slowest of all, and the mean of the others is better without it. So none is allowed.
const ERRORS: f64 = 0.001;

/// The generator's own delay that is doubted: this share of the median service time, …
const LATE_SHARE: f64 = 0.10;

/// … and at least so much, nanoseconds: what a timed wait of Linux is late on an idle machine (timer slack 50 µs, and a wakeup).
const LATE_FLOOR: u64 = 100_000;

/// The generator is saturated when more than half of what it would report as response time is its own delay, …
const SATURATED_SHARE: f64 = 0.5;

/// … and that is more than a millisecond on average: below this, a busy machine is late without being saturated. Where sides are
/// compared this would blur fast ones: there it is [`LATE_FLOOR`], …
const SATURATED_FLOOR: f64 = 1e6;

/// … or so many times what a bare wait on this machine is late, if that is more.
const SATURATED_BARE: f64 = 3.0;

/// How far Little's law may be off. In flight is counted where a call is sent and where it ends, its service time is taken between
/// two readings of the clock beside them: a microsecond each time, and more only by a fault.
const LITTLE: f64 = 0.03;

/// The share of the response time that waiting for a slot may make up before it is said.
const WAITING_SHARE: f64 = 0.10;

/// The share of scheduled requests that has to be sent, and be answered while requests are due.
const SENT: f64 = 0.99;

/// Why a round may not be compared. `tally` is of all operations.
pub(super) fn void(round: &RoundRecord, tally: &Tally, conditions: &Conditions) -> Option<String> {
    untimed(round, tally, conditions).or_else(|| {
        let overload = overload([round], round.most_waiting).filter(|_| conditions.compared && conditions.open)?;
        Some(format!(
            "the target did not keep up with the rate, so its times depend on how long the round was: {}",
            overload.text
        ))
    })
}

/// Why the times of a round say nothing at all. Those of a target that did not keep up do: that they are at least so long.
pub(super) fn untimed(round: &RoundRecord, tally: &Tally, conditions: &Conditions) -> Option<String> {
    let ended = round.succeeded + round.failed;
    if ended == 0 {
        return Some(match round.scheduled {
            0 => "no request was due in the measured time".to_owned(),
            scheduled => format!("none of {scheduled} requests came to an end"),
        });
    }
    if ended < round.scheduled {
        return Some(format!(
            "{} of {} requests have no sample: stocktake itself lost them; please report it",
            round.scheduled - ended,
            round.scheduled
        ));
    }
    failures(round, tally, conditions).or_else(|| saturated(tally, conditions))
}

/// Failures that would make a side look better beside another one.
fn failures(round: &RoundRecord, tally: &Tally, conditions: &Conditions) -> Option<String> {
    if !conditions.compared {
        return None;
    }
    let ended = round.succeeded + round.failed;
    let count = |outcome| tally.outcomes.get(&outcome).copied().unwrap_or_default();
    let (late, lost) = (count(Outcome::Timeout), count(Outcome::Lost));
    if late + lost > 0 {
        let counts = [(late, "timed out"), (lost, "lost their connection")];
        let parts = counts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
        return Some(format!(
            "of {ended} requests {}, and no answer must not make a side look faster",
            parts.join(" and ")
        ));
    }
    let share = round.failed as f64 / ended as f64;
    (share > ERRORS).then(|| {
        format!(
            "{} of {ended} requests failed ({}), and a fast failure is no speed",
            round.failed,
            percent(share)
        )
    })
}

/// Whether the generator measured itself.
fn saturated(tally: &Tally, conditions: &Conditions) -> Option<String> {
    let floor = if conditions.compared {
        let bare = conditions.bare_wait_p99.unwrap_or_default() as f64;
        (LATE_FLOOR as f64).max(SATURATED_BARE * bare)
    } else {
        SATURATED_FLOOR
    };
    let late = tally.lateness.mean().unwrap_or_default();
    let share = lateness_share(tally);
    (share > SATURATED_SHARE && late > floor).then(|| {
        format!(
            "the generator was saturated: it sent requests {} late on average, {} of what they took",
            time(late),
            percent(share)
        )
    })
}

/// A rate that was too high.
struct Overload {
    text: String,
    remedy: &'static str,
}

/// Whether the target kept up with the rate in these rounds of an open loop; `most_waiting` is of the worst of them.
fn overload<'a>(rounds: impl IntoIterator<Item = &'a RoundRecord>, most_waiting: u64) -> Option<Overload> {
    let (mut scheduled, mut sent, mut succeeded, mut failed) = (0, 0, 0, 0);
    let (mut completed, mut number) = (0.0, 0);
    for round in rounds {
        scheduled += round.scheduled;
        sent += round.sent;
        succeeded += round.succeeded;
        failed += round.failed;
        completed += round.throughput * round.seconds;
        number += 1;
    }
    if (sent as f64) < SENT * scheduled as f64 {
        return Some(Overload {
            text: format!("{scheduled} requests were due and {sent} were sent; up to {most_waiting} waited"),
            remedy: "the target cannot take this rate: its latencies depend on how long the run was; lower the rate",
        });
    }
    let ended = succeeded + failed;
    let missing = succeeded as f64 - completed;
    // Slow answers alone come after the time too; a queue that grew is as long as what is missing of a round.
    let queued = 2 * most_waiting * number;
    (missing > (1.0 - SENT) * ended as f64 && missing < queued as f64).then(|| Overload {
        text: format!(
            "{} of {ended} requests were answered after the time that they were due in; up to {most_waiting} waited",
            missing.round(),
        ),
        remedy: "the target cannot keep up with this rate: its latencies depend on how long the run was; lower the rate",
    })
}

/// A round is void too when what was to be open beside its calls was not: the work of the server was another one then.
pub(super) fn watch_ended(end: &RoundEnd) -> Option<String> {
    let such = end.failures.iter().find(|words| words.starts_with("a watch ended"));
    let such = such.map(|words| format!(": {words}")).unwrap_or_default();
    match end.watches_ended {
        0 => None,
        1 => Some(format!("a stream that was to stay open beside the calls ended{such}")),
        count => Some(format!(
            "{count} streams that were to stay open beside the calls ended{such}"
        )),
    }
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

/// Doubts about a side, each with its remedy.
pub fn caveats(leg: Leg, seen: &Seen<'_>, conditions: &Conditions) -> Vec<Caveat> {
    let tally = super::all(seen.tallies);
    let mut found = Found {
        leg,
        caveats: Vec::new(),
    };
    found.void_rounds(seen.rounds);
    found.late(&tally, conditions);
    found.offered(seen, conditions);
    found.waiting(&tally, seen.felt, conditions);
    found.peer_limit(seen.end);
    found.failed(seen.tallies, seen.end);
    found.little(seen.rounds);
    found.few(seen);
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

    fn offered(&mut self, seen: &Seen<'_>, conditions: &Conditions) {
        if conditions.open
            && let Some(overload) = overload(seen.rounds, seen.end.most_waiting)
        {
            self.push(overload.text, overload.remedy);
        }
    }

    fn waiting(&mut self, tally: &Tally, felt: u128, conditions: &Conditions) {
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
                let ended: u64 = tally.outcomes.values().sum();
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

    /// One doubt for a side, about the operation with the fewest answers. A side of void rounds has none, and more of them
    /// would not help.
    fn few(&mut self, seen: &Seen<'_>) {
        if seen.rounds.iter().all(|round| round.void.is_some()) {
            return;
        }
        let count = |tally: &&Tally| tally.response.count();
        let Some(fewest) = seen.tallies.iter().min_by_key(count) else {
            return;
        };
        let count = count(&fewest);
        let shown = match deepest(count) {
            Some(deepest) if deepest >= 0.99 => return,
            Some(deepest) => format!("percentiles above p{} are not shown", deepest * 100.0),
            None => "no percentile is shown".to_owned(),
        };
        let text = format!("{}: {count} answers are few: {shown}", fewest.id);
        self.push(
            text,
            "p99 needs 1,000 of them: a longer run, more rounds or a higher rate",
        );
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
