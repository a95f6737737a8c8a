//! A new run against stored ones: whether it lies outside of what the stored ones let expect of one more run.
//!
//! Two stored runs cannot be compared. Rounds of one run share its hour: its neighbours on the machine, its memory layout, the
//! temperature. The scatter between runs is larger than that within one, and no resampling inside a run sees it. So the runs
//! are the sample here: each gives one value (the geometric mean over its good rounds) for each side and measure, and the
//! values of n BASE runs give the interval for one more: exp(m ± t(n-1, 0.975) · s · √(1 + 1/n)) with mean and deviation of
//! their logarithms (the prediction interval of Hahn and Meeker, Statistical Intervals). At n = 2 that t is 12.7; at [`FEWEST_RUNS`] it is 2.8.

use super::{
    ALPHA, holm,
    paired::{self, detectable, mean_and_sd},
    regression::{Effect, Minimum},
    sides::{finding, measures, usable, value},
    student,
};
use crate::load::record::{CellRecord, Finding, LoadRecord, Measure, SideName, SideRecord};

mod fit;
mod words;

/// Fewest BASE runs. With fewer the interval is so wide that it would let pass what nobody would.
pub const FEWEST_RUNS: usize = 5;

/// A run and what to call it.
#[derive(Clone, Copy, Debug)]
pub struct StoredRun<'a> {
    /// The folder, as typed.
    pub name: &'a str,
    /// Its record.
    pub record: &'a LoadRecord,
}

/// What a new run comes to beside stored ones.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredComparison {
    /// Name of the new run.
    pub new: String,
    /// Names of the BASE runs that are used.
    pub used: Vec<String>,
    /// Names of those that are not, and why.
    pub set_aside: Vec<(String, String)>,
    /// In the order of the new run's cells, sides and measures; empty with too few runs.
    pub rows: Vec<Row>,
    /// What it comes to.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub sentence: String,
}

/// What a new run comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing got worse, as far as these runs can tell: exit 0.
    NoRegression,
    /// Something did: exit 1.
    Regression,
    /// Too few runs, or a side that could not be compared: exit 4.
    Inconclusive,
}

/// One side by one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// [`CellRecord::id`].
    pub cell: String,
    /// Which side.
    pub side: SideName,
    /// Name of its target.
    pub target: String,
    /// By what.
    pub measure: Measure,
    /// BASE runs that have a value.
    pub runs: usize,
    /// Geometric mean of the BASE runs, in the unit of the measure: nanoseconds, a second, microseconds, bytes.
    pub base: Option<f64>,
    /// The value of the new run.
    pub new: Option<f64>,
    /// new / base.
    pub ratio: Option<f64>,
    /// Where the ratio of one more run like BASE lies in 95 %, before Holm.
    pub expected: Option<(f64, f64)>,
    /// Two-sided, of "the new run is one more of BASE", adjusted by Holm over all rows; `None` for bytes that do not scatter.
    pub p_adjusted: Option<f64>,
    /// The smallest ratio above 1 that would be found with 80 % power.
    pub detectable: Option<f64>,
    /// Whether the new run has more or less of it.
    pub finding: Finding,
    /// Whether that matters.
    pub effect: Effect,
}

/// Compares a new run with stored ones. It is a regression only where Holm's p-value says that the new run is none of BASE, the
/// difference is larger than the minimum, and it does harm.
pub fn compare(base: &[StoredRun], new: StoredRun, minimum: &Minimum) -> StoredComparison {
    let (used, set_aside) = fit::sort(base, new);
    let mut comparison = StoredComparison {
        new: new.name.to_owned(),
        used: used.iter().map(|run| run.name.to_owned()).collect(),
        set_aside,
        rows: Vec::new(),
        verdict: Verdict::Inconclusive,
        sentence: String::new(),
    };
    if let Some(reason) = fit::unusable(new.record) {
        comparison.sentence = format!("inconclusive: the new run {reason}");
    } else if used.len() < FEWEST_RUNS {
        let rates = comparison.set_aside.iter().any(|(_, why)| why == fit::OTHER_RATES);
        comparison.sentence = words::too_few(base.len(), used.len(), rates, new.record);
    } else {
        comparison.rows = rows(&used, new.record, minimum);
        comparison.verdict = verdict(&comparison.rows);
        comparison.sentence = words::judged(&comparison);
    }
    comparison
}

fn verdict(rows: &[Row]) -> Verdict {
    if rows.iter().any(|row| row.effect == Effect::Worse) {
        Verdict::Regression
    } else if rows.is_empty() || rows.iter().any(is_silent_speed) {
        Verdict::Inconclusive
    } else {
        Verdict::NoRegression
    }
}

/// Whether a row should say how fast a side is, and cannot.
fn is_silent_speed(row: &Row) -> bool {
    let is_speed = matches!(row.measure, Measure::P50 | Measure::Mean | Measure::Throughput);
    is_speed && matches!(row.finding, Finding::TooFew | Finding::Void)
}

fn rows(base: &[StoredRun], new: &LoadRecord, minimum: &Minimum) -> Vec<Row> {
    let untested: Vec<Untested> = new
        .cells
        .iter()
        .flat_map(|cell| cell.sides.iter().map(move |side| (cell, side)))
        .flat_map(|(cell, side)| measures(cell).iter().map(move |measure| (cell, side, *measure)))
        .filter_map(|(cell, side, measure)| Untested::of(base, new, (cell, side, measure)))
        .collect();
    let p_values: Vec<f64> = untested.iter().filter_map(Untested::p).collect();
    let mut adjusted = holm::adjust(&p_values).into_iter();
    let strictest = ALPHA / paired::count(p_values.len().max(1));
    untested
        .into_iter()
        .map(|row| {
            let p = row.p().and_then(|_| adjusted.next());
            row.with(p, strictest, minimum)
        })
        .collect()
}

/// A row before Holm.
struct Untested {
    row: Row,
    /// Mean and deviation of the logarithms of BASE, and the logarithm of the new run.
    logs: Option<(f64, f64, f64)>,
}

impl Untested {
    /// `None` for a measure that neither BASE nor the new run has.
    fn of(base: &[StoredRun], new: &LoadRecord, place: (&CellRecord, &SideRecord, Measure)) -> Option<Untested> {
        let (cell, side, measure) = place;
        let name = side.name();
        let in_cell = |cell: &CellRecord| usable(cell, name).and_then(|side| run_value(side, measure));
        let of_run = |run: &StoredRun| {
            let twin = run.record.cells.iter().find(|twin| fit::is_same_cell(twin, cell));
            twin.and_then(in_cell)
        };
        let before: Vec<f64> = base.iter().filter_map(of_run).collect();
        let now = in_cell(cell);
        let is_optional = matches!(measure, Measure::P99 | Measure::ServerCpu | Measure::Bytes);
        if is_optional && before.is_empty() && now.is_none() {
            return None;
        }
        let is_void = usable(cell, name).is_none();
        let is_enough = before.len() >= FEWEST_RUNS;
        let logs = now.filter(|_| is_enough).map(|now| {
            let (mean, sd) = mean_and_sd(&before);
            (mean, sd, now)
        });
        let base = logs.map(|(mean, _, _)| mean.exp());
        let row = Row {
            cell: cell.id.clone(),
            side: name,
            target: new
                .targets
                .get(side.target)
                .map_or_else(String::new, |t| t.name.clone()),
            measure,
            runs: before.len(),
            base,
            new: now.map(f64::exp),
            ratio: logs.map(|(mean, _, now)| (now - mean).exp()),
            expected: logs.and_then(|(_, sd, _)| expected(before.len(), sd)),
            p_adjusted: None,
            detectable: None,
            finding: if is_void { Finding::Void } else { Finding::TooFew },
            effect: Effect::None,
        };
        // Times that do not scatter at all have no t, and leave open how far off another value is.
        let is_open = |(mean, sd, now): &(f64, f64, f64)| *sd == 0.0 && !paired::is_equal(now - mean);
        let logs = logs.filter(|logs| measure == Measure::Bytes || !is_open(logs));
        Some(Untested { row, logs })
    }

    /// The p-value, where the row is one by chance.
    fn p(&self) -> Option<f64> {
        let (mean, sd, now) = self.logs?;
        let n = self.row.runs;
        match sd == 0.0 {
            true if self.row.measure == Measure::Bytes => None,
            true => Some(1.0),
            false => student::two_sided(n - 1, (now - mean) / error(n, sd)),
        }
    }

    fn with(self, p_adjusted: Option<f64>, strictest: f64, minimum: &Minimum) -> Row {
        let mut row = self.row;
        if let Some((mean, sd, now)) = self.logs {
            row.p_adjusted = p_adjusted;
            row.finding = finding(now - mean, p_adjusted);
            row.detectable = detectable(row.runs - 1, error(row.runs, sd), strictest);
            row.effect = minimum.effect(row.measure, row.finding, row.ratio);
        }
        row
    }
}

/// The standard error of one more run on the log scale.
fn error(runs: usize, sd: f64) -> f64 {
    sd * (1.0 + 1.0 / paired::count(runs)).sqrt()
}

/// The prediction interval as a ratio to the mean of BASE.
fn expected(runs: usize, sd: f64) -> Option<(f64, f64)> {
    let reach = student::quantile(runs - 1, 1.0 - ALPHA / 2.0)? * error(runs, sd);
    Some(((-reach).exp(), reach.exp())).filter(|(_, high)| high.is_finite())
}

/// The mean logarithm over the good rounds of a side. `None` when half of its rounds or more have no value: such a run is not
/// like the others.
fn run_value(side: &SideRecord, measure: Measure) -> Option<f64> {
    let good = side.rounds.iter().filter(|round| round.void.is_none());
    let logs: Vec<f64> = good.filter_map(|round| value(round, measure)).map(f64::ln).collect();
    let is_enough = 2 * logs.len() > side.rounds.len();
    is_enough.then(|| mean_and_sd(&logs).0)
}

#[cfg(test)]
mod tests;
