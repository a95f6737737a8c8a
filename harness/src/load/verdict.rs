//! From what was measured to a verdict: the objective, the old target against the new one, and one sentence. Pure.

use super::{
    objective::{self, Limit, Measured, Outcome},
    record::{CellRecord, ComparisonRecord, Finding, LoadResult, LoadVerdict, Measure, ObjectiveRecord, SideRecord},
    words::{self, Names},
};
use crate::{
    compare::{
        claim::{self, Support},
        regression::{Judged as Compared, Verdict},
    },
    exit::Exit,
    numbers,
};
use std::fmt::Write;

/// What ended a run before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A signal, with its exit.
    Signal(Exit),
    /// The target was lost, or refused too much; in words.
    Target(String),
    /// A request cannot be made of what the set-up answered; in words, with the place in the workload.
    Workload(String),
}

/// What else is known when the verdict is due.
pub struct Known<'a> {
    /// What the run has to hold.
    pub objective: Option<&'a ObjectiveRecord>,
    /// How the new target does against the old one. `None`: there is one target.
    pub against: Option<&'a Compared>,
    /// What a claim comes to.
    pub claim: Option<&'a claim::Judged>,
    /// What ended the run early.
    pub cut: Option<&'a Cut>,
}

/// The verdict of a run.
pub fn verdict(cells: &[CellRecord], comparisons: &[ComparisonRecord], known: &Known<'_>) -> LoadVerdict {
    let complete = known.cut.is_none();
    let end = |result, exit: Exit, sentence: String| LoadVerdict {
        result,
        exit_code: exit.code().into(),
        sentence,
        complete,
    };
    let measured = cells
        .iter()
        .flat_map(|cell| &cell.sides)
        .any(|side| !side.rounds.is_empty());
    match known.cut {
        Some(Cut::Signal(exit)) => {
            let what = if measured {
                "what was measured until then is written"
            } else {
                "nothing was measured"
            };
            return end(LoadResult::Interrupted, *exit, format!("interrupted: {what}"));
        }
        Some(Cut::Target(_) | Cut::Workload(_)) => {}
        None if !measured => {
            return end(
                LoadResult::NotJudged,
                Exit::NotJudged,
                "nothing was measured".to_owned(),
            );
        }
        None => {}
    }
    let mut judged = known
        .objective
        .map(|objective| limits(cells, objective))
        .unwrap_or_default();
    if known.objective.is_some() || known.against.is_some() {
        judged.open.extend(cells.iter().filter_map(empty));
    }
    let mut failed = judged.failed;
    if let Some(against) = known.against {
        failed.extend(more_errors(cells));
        if against.verdict == Verdict::Regression {
            failed.push(against.sentence.clone());
        }
    }
    // What was judged and failed comes before why the run ended.
    let why = match known.cut {
        // Found before anything was measured.
        Some(Cut::Workload(why)) => return end(LoadResult::NotJudged, Exit::Input, why.clone()),
        Some(Cut::Target(why)) => Some(why.clone()),
        Some(Cut::Signal(_)) | None => None,
    };
    if !failed.is_empty() {
        failed.extend(why);
        return end(LoadResult::Failed, Exit::Failed, shortened(&failed));
    }
    if let Some(why) = why {
        return end(LoadResult::NotJudged, Exit::NotJudged, why);
    }
    let usable = |cell: &CellRecord| cell.void.is_none() && cell.sides.iter().any(|side| side.void.is_none());
    if !cells.iter().any(usable) {
        let why = cells.iter().find_map(reason).unwrap_or("no round could be used");
        let sentence = format!("nothing is left to judge: {why}");
        return end(LoadResult::Inconclusive, Exit::Inconclusive, sentence);
    }
    if !judged.open.is_empty() {
        return end(LoadResult::Inconclusive, Exit::Inconclusive, shortened(&judged.open));
    }
    if let Some(against) = known.against
        && against.verdict == Verdict::Inconclusive
    {
        return end(LoadResult::Inconclusive, Exit::Inconclusive, against.sentence.clone());
    }
    if known.objective.is_none() && known.against.is_none() {
        let unmeasured = |claim: &&claim::Judged| claim.cells.iter().all(|cell| cell.support == Support::NotMeasured);
        if let Some(claim) = known.claim.filter(unmeasured) {
            return end(LoadResult::Inconclusive, Exit::Inconclusive, claim.sentence.clone());
        }
        if cells.iter().any(|cell| cell.sides.len() > 1) && !comparisons.iter().any(is_speed) {
            let sentence =
                "too few pairs of rounds are left for a comparison: measure more rounds, on a quieter machine";
            return end(LoadResult::Inconclusive, Exit::Inconclusive, sentence.to_owned());
        }
    }
    let mut sentence = match (known.claim, known.against) {
        // A run against an old target is about that; the reports judge the claim beside it.
        (_, Some(against)) => against.sentence.clone(),
        (Some(claim), None) => claim.sentence.clone(),
        (None, None) => in_short(cells, comparisons),
    };
    if known.objective.is_some() {
        sentence = format!("the objective holds; {sentence}");
    }
    end(LoadResult::Measured, Exit::Passed, sentence)
}

fn reason(cell: &CellRecord) -> Option<&str> {
    let of_side = || cell.sides.iter().find_map(|side| side.void.as_deref());
    cell.void.as_deref().or_else(of_side)
}

/// Why a cell has nothing to judge.
fn empty(cell: &CellRecord) -> Option<String> {
    let name = || {
        let factors = cell.factors.iter().map(|(key, value)| format!("{key} = {value}"));
        let factors: Vec<String> = factors.collect();
        if factors.is_empty() {
            cell.id.clone()
        } else {
            factors.join(", ")
        }
    };
    match &cell.void {
        _ if !cell.sides.is_empty() => None,
        Some(why) => Some(format!("{} was not judged: {why}", name())),
        None => Some(format!("{} was not judged: it was not measured", name())),
    }
}

/// Whether it says which side is faster.
fn is_speed(comparison: &ComparisonRecord) -> bool {
    let speed = [Measure::P50, Measure::Mean, Measure::Throughput, Measure::ServerCpu];
    decided(comparison.finding) && speed.contains(&comparison.measure)
}

fn decided(finding: Finding) -> bool {
    matches!(finding, Finding::More | Finding::Less | Finding::NoDifference)
}

/// The first of several sentences, and how many more there are.
fn shortened(sentences: &[String]) -> String {
    match sentences {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first}; {} more", rest.len()),
    }
}

/// The limits of the objective that do not hold, and those that could not be judged, in words.
#[derive(Default)]
struct Limits {
    failed: Vec<String>,
    open: Vec<String>,
}

fn limits(cells: &[CellRecord], objective: &ObjectiveRecord) -> Limits {
    let mut limits = Limits::default();
    for of in cells.iter().flat_map(|cell| objective::judge(cell, objective)) {
        let who = name_in(of.cell, of.side);
        let name = of.limit.name();
        match of.outcome {
            Outcome::Held(_) => {}
            Outcome::Missed(found) => {
                let most = of.limit.most();
                limits.failed.push(match (found, of.limit) {
                    (Measured::Errors { failed, all }, Limit::Errors { .. }) => {
                        format!("{}, the objective is at most {most}", failures(&who, failed, all))
                    }
                    (Measured::Errors { failed, all }, Limit::Latency { .. }) => {
                        format!("{}: {name} cannot be at most {most}", failures(&who, failed, all))
                    }
                    (Measured::Latency(_), _) => {
                        format!(
                            "{name} over {who} is {}, the objective is at most {most}",
                            found.words()
                        )
                    }
                });
            }
            Outcome::Open(open) => limits
                .open
                .push(format!("{name} was not judged on {who}: {}", open.words())),
        }
    }
    limits
}

/// `2.00 % of the requests over gRPC failed (20 of 1000)`.
fn failures(who: &str, failed: u64, all: u64) -> String {
    let share = numbers::percent(objective::share(failed, all));
    format!("{share} of the requests over {who} failed ({failed} of {all})")
}

/// How much larger the share of failures on the new target has to be than on the old one: one in a thousand.
const MORE_ERRORS: f64 = 0.001;

/// Legs on which more requests fail on the new target than on the old one. A side with failures is void where speeds are
/// compared, and must not end as "could not be compared".
fn more_errors(cells: &[CellRecord]) -> Vec<String> {
    let mut found = Vec::new();
    for cell in cells {
        for new in cell.sides.iter().filter(|side| side.target == 1) {
            let old = cell.sides.iter().find(|side| side.target == 0 && side.leg == new.leg);
            let Some(old) = old else { continue };
            let (failed, all) = objective::ends(&new.rounds);
            let (failed_before, all_before) = objective::ends(&old.rounds);
            let before = objective::share(failed_before, all_before);
            if objective::share(failed, all) > before + MORE_ERRORS {
                let now = failures(&name_in(cell, new), failed, all);
                found.push(format!("{now}, on the old target {}", numbers::percent(before)));
            }
        }
    }
    found
}

/// `gRPC`, with two targets `gRPC on new`, in one of several cells `gRPC with products = 10`.
fn name_in(cell: &CellRecord, side: &SideRecord) -> String {
    let mut name = side.leg.title().to_owned();
    if cell.sides.iter().any(|other| other.target != side.target) {
        name.push_str(if side.target == 0 { " on old" } else { " on new" });
    }
    if !cell.factors.is_empty() {
        let factors: Vec<String> = cell
            .factors
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        let _ = write!(name, " with {}", factors.join(", "));
    }
    name
}

/// The comparisons that a newcomer asks for first, of the first cell that has some.
fn in_short(cells: &[CellRecord], comparisons: &[ComparisonRecord]) -> String {
    for cell in cells {
        let of = |measure| {
            let mut found = comparisons.iter().filter(|c| c.cell == cell.id && c.measure == measure);
            found.find(|c| decided(c.finding))
        };
        let parts: Vec<String> = [Measure::ServerCpu, Measure::Throughput, Measure::Mean, Measure::P50]
            .into_iter()
            .filter_map(of)
            .take(2)
            .map(told)
            .collect();
        if !parts.is_empty() {
            return parts.join("; ");
        }
    }
    let sides = cells
        .iter()
        .flat_map(|cell| &cell.sides)
        .filter(|side| side.void.is_none())
        .count();
    match sides {
        1 => "one side was measured, there is nothing to compare".to_owned(),
        _ => "there are too few pairs of rounds for a comparison".to_owned(),
    }
}

/// Of two legs on one target; what is void or has too few pairs is not asked for.
fn told(comparison: &ComparisonRecord) -> String {
    let names = Names {
        other: comparison.other.leg.title().to_owned(),
        base: comparison.base.leg.title().to_owned(),
        over: String::new(),
    };
    words::sentence(comparison, &names, "a side is void")
}

#[cfg(test)]
mod tests;
