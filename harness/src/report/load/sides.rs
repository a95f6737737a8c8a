//! What a side came to, in one row of a table: all rounds together. Pure.

use super::words;
use crate::{
    load::record::{CellRecord, LoadRecord, OperationRecord, RoundRecord, SideRecord},
    report::text,
};

/// A value of a table, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Fit to show.
    Value(String),
    /// Why it is not there.
    Missing(&'static str),
}

/// The reason where a percentile may not be printed.
pub const TOO_FEW: &str = "too few samples";

/// The reason where a server's processor time is not known.
const NOT_READ: &str = "not measured: the processor time of the target cannot be read from here";

impl Shown {
    /// The text, `–` where there is none.
    pub fn text(&self) -> &str {
        match self {
            Shown::Value(text) => text,
            Shown::Missing(_) => "–",
        }
    }

    /// Why there is none.
    pub fn why(&self) -> Option<&'static str> {
        match self {
            Shown::Value(_) => None,
            Shown::Missing(why) => Some(why),
        }
    }
}

/// The columns of [`Row::values`].
pub const COLUMNS: [&str; 8] = [
    "req/s",
    "p50",
    "p99",
    "p99.9",
    "max",
    "errors",
    "server CPU/req",
    "bytes/req",
];

/// One side of a cell.
#[derive(Clone, Debug)]
pub struct Row {
    /// `gRPC`, or `gRPC on new`.
    pub name: String,
    /// Why nothing of it may be shown; then there are no values.
    pub void: Option<String>,
    /// By [`COLUMNS`].
    pub values: Vec<Shown>,
}

/// The rows of a cell.
pub fn rows(record: &LoadRecord, cell: &CellRecord) -> Vec<Row> {
    cell.sides.iter().map(|side| row(record, cell, side)).collect()
}

fn row(record: &LoadRecord, cell: &CellRecord, side: &SideRecord) -> Row {
    let name = words::side(record, words::name_of(side));
    let void = words::void(cell, side);
    if void.is_some() {
        return Row {
            name,
            void,
            values: Vec::new(),
        };
    }
    let percentile = |q: f64| latency(overall(side).and_then(|all| all.response.at(q)));
    let bytes = mean(side, |round| Some(round.bytes.0 + round.bytes.1));
    Row {
        name,
        void,
        values: vec![
            throughput(side).map_or(Shown::Missing("no round could be used"), |rate| {
                Shown::Value(text::rate(rate))
            }),
            percentile(0.5),
            percentile(0.99),
            percentile(0.999),
            latency(overall(side).and_then(|all| all.response.max)),
            Shown::Value(errors(side)),
            mean(side, |round| round.server_cpu_us).map_or(Shown::Missing(NOT_READ), |us| Shown::Value(micros(us))),
            bytes.map_or(Shown::Missing("no request was sent"), |bytes| {
                Shown::Value(text::bytes(bytes))
            }),
        ],
    }
}

/// A latency that may be missing for lack of samples.
pub fn latency(ns: Option<u64>) -> Shown {
    ns.map_or(Shown::Missing(TOO_FEW), |ns| Shown::Value(text::latency(ns)))
}

/// Microseconds as a latency.
pub fn micros(us: f64) -> String {
    if us.is_finite() && us >= 0.0 {
        text::latency((us * 1000.0).round() as u64)
    } else {
        "?".to_owned()
    }
}

/// All operations of a side together.
pub fn overall(side: &SideRecord) -> Option<&OperationRecord> {
    side.all.as_ref().or(match side.operations.as_slice() {
        [only] => Some(only),
        _ => None,
    })
}

/// Rounds that count.
pub fn usable(side: &SideRecord) -> impl Iterator<Item = &RoundRecord> {
    side.rounds.iter().filter(|round| round.void.is_none())
}

/// Accepted ends a second over all rounds.
pub fn throughput(side: &SideRecord) -> Option<f64> {
    let seconds: f64 = usable(side).map(|round| round.seconds).sum();
    let (succeeded, _) = ends(side);
    (seconds > 0.0).then(|| succeeded as f64 / seconds)
}

/// Requests that ended in rounds that count: accepted, and all others.
pub fn ends(side: &SideRecord) -> (u64, u64) {
    sum(usable(side))
}

/// The share of requests that failed in these rounds; none where nothing ended.
pub fn error_share_of<'a>(rounds: impl IntoIterator<Item = &'a RoundRecord>) -> Option<f64> {
    let (good, bad) = sum(rounds);
    let all = good as f64 + bad as f64;
    (all > 0.0).then(|| bad as f64 / all)
}

fn sum<'a>(rounds: impl IntoIterator<Item = &'a RoundRecord>) -> (u64, u64) {
    rounds.into_iter().fold((0, 0), |(good, bad): (u64, u64), round| {
        (good.saturating_add(round.succeeded), bad.saturating_add(round.failed))
    })
}

fn errors(side: &SideRecord) -> String {
    let (_, bad) = ends(side);
    match error_share_of(usable(side)) {
        Some(share) if bad > 0 => format!("{} ({})", text::count(bad), text::percent(share)),
        _ => text::count(bad),
    }
}

/// The mean of what rounds say of each request, by the requests of each; none where a round does not say it.
pub fn mean(side: &SideRecord, of: impl Fn(&RoundRecord) -> Option<f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut requests = 0.0;
    for round in usable(side) {
        let ended = round.succeeded as f64 + round.failed as f64;
        sum += of(round)? * ended;
        requests += ended;
    }
    (requests > 0.0).then(|| sum / requests)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::load::sample;

    #[test]
    fn rounds_weigh_by_their_requests_and_void_ones_not_at_all() {
        let mut record = sample::measured();
        let side = &mut record.cells[0].sides[0];
        side.rounds.truncate(3);
        for (round, (good, cpu)) in side.rounds.iter_mut().zip([(100, 10.0), (300, 30.0), (900, 900.0)]) {
            (round.succeeded, round.failed, round.seconds) = (good, 0, 1.0);
            round.server_cpu_us = Some(cpu);
        }
        side.rounds[2].void = Some("late".into());
        assert_eq!(throughput(side), Some(200.0));
        assert_eq!(mean(side, |round| round.server_cpu_us), Some(25.0));
        side.rounds[1].server_cpu_us = None;
        assert_eq!(mean(side, |round| round.server_cpu_us), None);
        side.rounds[0].failed = 100;
        assert_eq!(error_share_of(usable(side)), Some(0.2));
    }

    #[test]
    fn nothing_of_a_void_side_is_shown() {
        let mut record = sample::measured();
        record.cells[0].void = Some("the generator was late".into());
        let rows = rows(&record, &record.cells[0]);
        assert!(rows.iter().all(|row| row.values.is_empty() && row.void.is_some()));
    }

    #[test]
    fn what_is_missing_says_why() {
        let mut record = sample::measured();
        let side = &mut record.cells[0].sides[0];
        side.all
            .as_mut()
            .unwrap()
            .response
            .percentiles
            .retain(|(q, _)| *q < 0.99);
        side.rounds.iter_mut().for_each(|round| round.server_cpu_us = None);
        let row = &rows(&record, &record.cells[0])[0];
        assert_eq!((row.values[2].text(), row.values[2].why()), ("–", Some(TOO_FEW)));
        assert_eq!((row.values[6].text(), row.values[6].why()), ("–", Some(NOT_READ)));
    }
}
