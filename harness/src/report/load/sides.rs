//! What a side came to, in one row of a table: all rounds together. Pure.

use super::words;
use crate::{
    load::{
        objective,
        record::{CellRecord, LoadRecord, RoundRecord, SideRecord},
    },
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
const NOT_READ: &str = "not measured: the processor time of the target cannot be read from here, or not finely enough";

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
    let name = words::side(record, side.name());
    let void = words::void(cell, side);
    if void.is_some() {
        return Row {
            name,
            void,
            values: Vec::new(),
        };
    }
    let percentile = |q: f64| latency(side.overall().and_then(|all| all.response.at(q)));
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
            latency(side.overall().and_then(|all| all.response.max)),
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

/// Rounds that count.
pub fn usable(side: &SideRecord) -> impl Iterator<Item = &RoundRecord> {
    side.rounds.iter().filter(|round| round.void.is_none())
}

/// Accepted ends a second over all rounds.
pub fn throughput(side: &SideRecord) -> Option<f64> {
    // What succeeded was meant for these seconds, and an overloaded target answers it long after them.
    let (completed, seconds) = usable(side).fold((0.0, 0.0), |(completed, seconds), round| {
        (completed + round.throughput * round.seconds, seconds + round.seconds)
    });
    (seconds > 0.0).then(|| completed / seconds)
}

/// Of all rounds, void ones too: failures may be what made them void.
fn errors(side: &SideRecord) -> String {
    match objective::ends(&side.rounds) {
        (0, _) => text::count(0),
        (failed, all) => format!(
            "{} ({})",
            text::count(failed),
            text::percent(objective::share(failed, all))
        ),
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
            (round.succeeded, round.failed, round.seconds) = (good, 0, good as f64 / 100.0);
            // Half of what was due is answered in time.
            round.throughput = cpu;
            round.server_cpu_us = Some(cpu);
        }
        side.rounds[2].void = Some("late".into());
        assert_eq!(throughput(side), Some(25.0));
        assert_eq!(mean(side, |round| round.server_cpu_us), Some(25.0));
        side.rounds[1].server_cpu_us = None;
        assert_eq!(mean(side, |round| round.server_cpu_us), None);
        side.rounds[2].failed = 100;
        assert_eq!(errors(side), "100 (7.14 %)");
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
