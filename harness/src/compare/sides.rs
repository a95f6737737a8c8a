//! The comparisons of a run: which sides stand against each other, by which measures, and which of their rounds are pairs.

use super::{
    ALPHA, holm,
    paired::{self, Paired, Unjudged},
};
use crate::load::record::{CellRecord, ComparisonRecord, Finding, Measure, RoundRecord, SideName, SideRecord};
use std::collections::{BTreeMap, BTreeSet};

/// In how many blocks of a hundred a value may be missing from rounds that are not void. Percentiles are missing where there were
/// too few samples, which is where a side was slow: what is left would flatter it.
const MOST_MISSING_PERCENT: usize = 10;

/// The values of two sides in the same blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// (base, other), a pair for each block.
    pub values: Vec<(f64, f64)>,
    /// Blocks that are left out because a round in them is void, or has nothing beside it.
    pub void: usize,
    /// Blocks that are left out because a value is missing, 0 or not a number.
    pub missing: usize,
}

/// Compares the sides of each cell that were measured in turns: with two targets the new one against the old one on each leg,
/// else every leg against the first one in the order of [`crate::load::leg::Leg::ALL`], which is gRPC where it is there. The ratio is other /
/// base: above 1 by a response time, the other side is slower. Open-loop cells are compared by their response times,
/// closed-loop ones, where a slow side gets fewer requests, by throughput and mean; both by server CPU and bytes.
///
/// All comparisons of the call are one family of tests for [`holm`], apart from bytes that do not scatter: they are a fact.
pub fn comparisons(cells: &[CellRecord]) -> Vec<ComparisonRecord> {
    let found: Vec<Untested> = cells.iter().flat_map(of_cell).collect();
    let p_values: Vec<f64> = found.iter().filter_map(Untested::p).collect();
    let mut adjusted = holm::adjust(&p_values).into_iter();
    let strictest = ALPHA / paired::count(p_values.len().max(1));
    found
        .into_iter()
        .map(|untested| {
            let p = untested.p().and_then(|_| adjusted.next());
            untested.with(p, strictest)
        })
        .collect()
}

/// By what the sides of a cell are compared.
pub fn measures(cell: &CellRecord) -> &'static [Measure] {
    match cell.arrivals.is_closed() {
        true => &[Measure::Throughput, Measure::Mean, Measure::ServerCpu, Measure::Bytes],
        false => &[
            Measure::P50,
            Measure::P99,
            Measure::Mean,
            Measure::ServerCpu,
            Measure::Bytes,
        ],
    }
}

/// The measure that says how fast a side of the cell is: the median, or in a closed loop the throughput.
pub fn headline(cell: &CellRecord) -> Measure {
    if cell.arrivals.is_closed() {
        Measure::Throughput
    } else {
        Measure::P50
    }
}

/// The value of a round, where it is one to take the logarithm of.
pub fn value(round: &RoundRecord, measure: Measure) -> Option<f64> {
    // Exact up to 104 days; the histogram has three digits anyway.
    let nanoseconds = |value: u64| value as f64;
    let value = match measure {
        Measure::P50 => round.p50.map(nanoseconds),
        Measure::P99 => round.p99.map(nanoseconds),
        Measure::Mean => round.mean,
        Measure::Throughput => Some(round.throughput),
        Measure::ServerCpu => round.server_cpu_us,
        Measure::Bytes => Some(round.bytes.0 + round.bytes.1),
    };
    value.filter(|value| value.is_finite() && *value > 0.0)
}

/// The pairs of two sides: their rounds of the same block. A block counts once, whatever lies in it; with several rounds of
/// one side it gives their geometric mean.
pub fn pairs(base: &SideRecord, other: &SideRecord, measure: Measure) -> Pairs {
    let (base, other) = (by_block(base), by_block(other));
    let blocks: BTreeSet<usize> = base.keys().chain(other.keys()).copied().collect();
    let mut pairs = Pairs::default();
    for block in blocks {
        let both = base.get(&block).zip(other.get(&block));
        let is_void = |rounds: &[&RoundRecord]| rounds.iter().any(|round| round.void.is_some());
        match both.filter(|(base, other)| !is_void(base) && !is_void(other)) {
            None => pairs.void += 1,
            Some((base, other)) => match geometric_mean(base, measure).zip(geometric_mean(other, measure)) {
                None => pairs.missing += 1,
                Some(values) => pairs.values.push(values),
            },
        }
    }
    pairs
}

impl Pairs {
    /// Judges them; too many missing values are too few pairs.
    pub fn judge(&self) -> Result<Paired, Unjudged> {
        match self.missing * 100 > MOST_MISSING_PERCENT * (self.missing + self.values.len()) {
            true => Err(Unjudged::TooFew),
            false => Paired::of(&self.values),
        }
    }
}

/// The side of a cell, unless it or the cell is void.
pub(super) fn usable(cell: &CellRecord, name: SideName) -> Option<&SideRecord> {
    let mut sides = cell.sides.iter().filter(|_| cell.void.is_none());
    sides.find(|side| side.name() == name && side.void.is_none())
}

/// The two sides of a pair of names judged by a measure. `None` where one of them is void or not there.
pub(super) fn judged(
    cell: &CellRecord,
    base: SideName,
    other: SideName,
    measure: Measure,
) -> Option<Result<Paired, Unjudged>> {
    let (base, other) = usable(cell, base).zip(usable(cell, other))?;
    Some(pairs(base, other, measure).judge())
}

/// A comparison before Holm.
struct Untested {
    cell: String,
    measure: Measure,
    base: SideName,
    other: SideName,
    pairs: usize,
    /// `None` where the cell or a side is void.
    judged: Option<Result<Paired, Unjudged>>,
}

impl Untested {
    /// The p-value, where the comparison is one by chance.
    fn p(&self) -> Option<f64> {
        let judged = self.judged?.ok()?;
        let is_fact = self.measure == Measure::Bytes && judged.sd == 0.0;
        (!is_fact).then_some(judged.p)
    }

    fn with(self, p_adjusted: Option<f64>, strictest: f64) -> ComparisonRecord {
        let paired = self.judged.and_then(Result::ok);
        let finding = match (self.judged, paired) {
            (None, _) => Finding::Void,
            (_, None) => Finding::TooFew,
            (_, Some(paired)) => finding(paired.mean, p_adjusted),
        };
        ComparisonRecord {
            cell: self.cell,
            measure: self.measure,
            base: self.base,
            other: self.other,
            pairs: self.pairs,
            ratio: paired.map(|paired| paired.ratio),
            interval: paired.map(|paired| paired.interval),
            p_adjusted,
            detectable: paired.and_then(|paired| paired.detectable(strictest)),
            finding,
        }
    }
}

/// What a log-ratio comes to; without a p-value it is a fact.
pub(super) fn finding(log_ratio: f64, p_adjusted: Option<f64>) -> Finding {
    let is_found = match p_adjusted {
        Some(p) => p < ALPHA,
        None => !paired::is_equal(log_ratio),
    };
    match is_found {
        false => Finding::NoDifference,
        true if log_ratio > 0.0 => Finding::More,
        true => Finding::Less,
    }
}

fn of_cell(cell: &CellRecord) -> Vec<Untested> {
    let mut found = Vec::new();
    for (base, other) in opponents(cell) {
        for measure in measures(cell) {
            let has = |side: &SideRecord| side.rounds.iter().any(|round| value(round, *measure).is_some());
            let is_optional = matches!(measure, Measure::P99 | Measure::ServerCpu | Measure::Bytes);
            if is_optional && !has(base) && !has(other) {
                continue;
            }
            let is_usable = cell.void.is_none() && base.void.is_none() && other.void.is_none();
            let pairs = is_usable.then(|| pairs(base, other, *measure));
            found.push(Untested {
                cell: cell.id.clone(),
                measure: *measure,
                base: base.name(),
                other: other.name(),
                pairs: pairs.as_ref().map_or(0, |pairs| pairs.values.len()),
                judged: pairs.map(|pairs| pairs.judge()),
            });
        }
    }
    found
}

/// Who stands against whom: (base, other).
fn opponents(cell: &CellRecord) -> Vec<(&SideRecord, &SideRecord)> {
    let against = |side: &SideRecord| SideName {
        leg: side.leg,
        target: 0,
    };
    if cell.sides.iter().any(|side| side.target > 0) {
        let new = cell.sides.iter().filter(|side| side.target > 0);
        return new
            .filter_map(|new| {
                let old = cell.sides.iter().find(|side| side.name() == against(new))?;
                Some((old, new))
            })
            .collect();
    }
    let Some(base) = cell.sides.iter().min_by_key(|side| side.leg) else {
        return Vec::new();
    };
    let others = cell.sides.iter().filter(|side| side.leg != base.leg);
    others.map(|other| (base, other)).collect()
}

fn by_block(side: &SideRecord) -> BTreeMap<usize, Vec<&RoundRecord>> {
    let mut blocks: BTreeMap<usize, Vec<&RoundRecord>> = BTreeMap::new();
    for round in &side.rounds {
        blocks.entry(round.block).or_default().push(round);
    }
    blocks
}

/// `None` where a value is missing.
fn geometric_mean(rounds: &[&RoundRecord], measure: Measure) -> Option<f64> {
    let logs: Option<Vec<f64>> = rounds.iter().map(|round| value(round, measure).map(f64::ln)).collect();
    let logs = logs.filter(|logs| !logs.is_empty())?;
    Some((logs.iter().sum::<f64>() / paired::count(logs.len())).exp())
}

#[cfg(test)]
mod tests;
