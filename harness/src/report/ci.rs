//! What a CI system is told of a run: issues at their lines, a summary, outputs. [`github`] and [`azure`] write them in
//! their own commands. Pure; `commands/ci.rs` prints and writes.

pub mod azure;
pub mod github;

use super::{
    escape::visible,
    failure,
    load::standing as of_load,
    standing::{self, Standing},
    text,
};
use crate::{
    compare::regression::Effect,
    load::record::{LoadRecord, LoadResult},
    verify::record::{CaseRecord, CheckResult, RunRecord, VerdictResult},
};

/// Characters of the message of an issue. GitHub cuts at 64 KiB, counted after its own escapes.
const CHARACTERS: usize = 4000;

/// Issues of one severity that GitHub shows of a step (docs.github.com, "Setting an error message": 10 errors and 10
/// warnings a step). More are gathered in the last one.
const MOST: usize = 10;

/// How grave an issue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The run fails for it.
    Error,
    /// It does not decide.
    Warning,
    /// For the reader.
    Notice,
}

/// Something to show, at its place where it has one. All texts are as they came: the writers escape them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How grave.
    pub severity: Severity,
    /// File, line and column, both from 1.
    pub place: Option<(String, usize, usize)>,
    /// In a few words.
    pub title: String,
    /// Lines.
    pub message: String,
}

/// The issues of a verify run: what was judged beside the cases first, then cases in the order of the matrix. A verdict that
/// none of them explains is one of its own.
pub fn of_run(record: &RunRecord) -> Vec<Issue> {
    let deciding = standing::deciding_level(&record.options);
    let checks = record.checks.iter().filter_map(|check| {
        let severity = match check.result {
            CheckResult::Failed | CheckResult::NotJudged => Severity::Error,
            CheckResult::Noted if !check.items.is_empty() => Severity::Notice,
            CheckResult::Noted | CheckResult::Passed => return None,
        };
        let items = check.items.iter().take(20).map(|item| {
            let (kind, subject, text) = (visible(&item.kind), visible(&item.subject), visible(&item.text));
            format!("{kind} {subject} {text}").trim_end().to_owned()
        });
        let lines: Vec<String> = [visible(&check.sentence).into_owned()]
            .into_iter()
            .chain(items)
            .collect();
        Some(Issue {
            severity,
            place: None,
            title: format!("stocktake {}: {}", record.command, check.about.words()),
            message: lines.join("\n"),
        })
    });
    let cases = record
        .cases
        .iter()
        .filter_map(|case| of_case(case, standing::of_case(case, deciding)));
    let mut issues: Vec<Issue> = checks.chain(cases).collect();
    let explained = issues.iter().any(|issue| issue.severity == Severity::Error);
    if record.verdict.result != VerdictResult::Passed && !explained {
        issues.insert(0, verdict(&record.command, &record.verdict.sentence));
    }
    issues
}

/// The issue of one case; `None` where there is nothing to show.
fn of_case(case: &CaseRecord, standing: Standing) -> Option<Issue> {
    let severity = match standing {
        Standing::Failed | Standing::UnexpectedPass => Severity::Error,
        Standing::FailedShould => Severity::Warning,
        Standing::KnownFailing => Severity::Notice,
        Standing::NotJudged | Standing::Skipped | Standing::Passed => return None,
    };
    let (file, line, column) = failure::place(case);
    let title = match failure::failed_rules(case).join(", ") {
        rules if rules.is_empty() => case.name(),
        rules => format!("{}: {rules}", case.name()),
    };
    Some(Issue {
        severity,
        place: Some((file.to_owned(), line, column)),
        title,
        message: message(case, standing),
    })
}

/// The mismatches without their source lines: the CI system shows the source itself.
fn message(case: &CaseRecord, standing: Standing) -> String {
    let mut lines = Vec::new();
    for mismatch in &case.mismatches {
        lines.push(visible(&mismatch.summary).into_owned());
        lines.extend(
            mismatch
                .details
                .iter()
                .map(|(label, detail)| format!("{}: {}", visible(label), visible(detail))),
        );
    }
    if let Some(reason) = standing::reason(case) {
        lines.push(format!("{}: {}", standing.words(), visible(reason)));
    }
    if lines.is_empty() {
        lines.push(standing.words().to_owned());
    }
    lines.join("\n")
}

/// The issues of a load run: objectives that do not hold, what became worse than on the old target, and the verdict where
/// neither explains it.
pub fn of_load(record: &LoadRecord) -> Vec<Issue> {
    let file = &record.workload.file;
    let place = (file != "embedded").then(|| (file.clone(), 1, 1));
    let issue = |title: &str, message: String| Issue {
        severity: Severity::Error,
        place: place.clone(),
        title: format!("stocktake load: {title}"),
        message,
    };
    let missed = of_load::objectives(record)
        .into_iter()
        .filter(|of| of.held == Some(false))
        .map(|of| {
            issue(
                "objective not held",
                format!("{}, {}: {}: {}", of.cell, of.side, of.says, of.measured),
            )
        });
    let worse = of_load::regressions(record)
        .filter(|of| matches!(of_load::effect(of), Effect::Worse))
        .map(|of| {
            let ratio = of
                .ratio
                .map_or(String::new(), |ratio| format!(", {ratio:.2} times the old one"));
            issue(
                "slower than the old target",
                format!(
                    "{} of {} in {}{ratio}",
                    of.measure.title(),
                    of.other.leg.title(),
                    of.cell
                ),
            )
        });
    let mut issues: Vec<Issue> = missed.chain(worse).collect();
    if record.verdict.result != LoadResult::Measured {
        let mut first = verdict(&record.command, &record.verdict.sentence);
        first.place = place;
        issues.insert(0, first);
    } else {
        // Told in the report; the run passed all the same.
        issues.clear();
    }
    issues
}

/// A run that ended before it had a record.
pub fn of_refusal(command: &str, why: &str) -> Issue {
    verdict(command, why)
}

fn verdict(command: &str, sentence: &str) -> Issue {
    let lines: Vec<String> = sentence.lines().map(|line| visible(line).into_owned()).collect();
    Issue {
        severity: Severity::Error,
        place: None,
        title: format!("stocktake {command}"),
        message: lines.join("\n"),
    }
}

/// At most [`MOST`] of each severity, in order; the last one names those that are left out.
fn capped(issues: &[Issue]) -> Vec<Issue> {
    let mut kept = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Notice] {
        let of: Vec<&Issue> = issues.iter().filter(|issue| issue.severity == severity).collect();
        if of.len() <= MOST {
            kept.extend(of.into_iter().cloned());
            continue;
        }
        let (shown, rest) = of.split_at(MOST - 1);
        kept.extend(shown.iter().map(|issue| (*issue).clone()));
        let titles: Vec<String> = rest.iter().map(|issue| visible(&issue.title).into_owned()).collect();
        kept.push(Issue {
            severity,
            place: None,
            title: format!("{} more", rest.len()),
            message: titles.join("\n"),
        });
    }
    kept
}

/// Name and value of each output of a verify run, one line each: `failed` counts cases, `checks_failed` what was judged beside
/// them.
pub fn outputs_of_run(record: &RunRecord, report: &str) -> Vec<(&'static str, String)> {
    let counts = &record.verdict.counts;
    let of = |result| record.checks.iter().filter(|check| check.result == result).count();
    vec![
        ("verdict", verdict_word(record.verdict.result).to_owned()),
        ("failed", (counts.failed + counts.unexpected_pass).to_string()),
        ("checks_failed", of(CheckResult::Failed).to_string()),
        ("report", visible(report).into_owned()),
    ]
}

fn verdict_word(result: VerdictResult) -> &'static str {
    match result {
        VerdictResult::Passed => "passed",
        VerdictResult::Failed => "failed",
        VerdictResult::NotJudged => "not_judged",
        VerdictResult::Interrupted => "interrupted",
    }
}

/// Name and value of each output of a load run. `p99_ms` is the worst p99 of the response time of the newest target over its
/// legs and cells; it is left out where no side has enough samples for one.
pub fn outputs_of_load(record: &LoadRecord, report: &str) -> Vec<(&'static str, String)> {
    let word = match record.verdict.result {
        LoadResult::Measured => "passed",
        LoadResult::Failed => "failed",
        LoadResult::Inconclusive => "inconclusive",
        LoadResult::NotJudged => "not_judged",
        LoadResult::Interrupted => "interrupted",
    };
    let sides = record.cells.iter().flat_map(|cell| &cell.sides);
    let newest = sides.filter(|side| side.target == record.newest());
    let p99 = newest
        .filter_map(|side| side.overall().and_then(|all| all.response.at(0.99)))
        .max();
    let failed = of_load(record).len().saturating_sub(1);
    let mut outputs = vec![
        ("verdict", word.to_owned()),
        ("failed", failed.max(usize::from(word == "failed")).to_string()),
        ("report", visible(report).into_owned()),
    ];
    outputs.extend(p99.map(|ns| ("p99_ms", format!("{:.3}", ns as f64 / 1e6))));
    outputs
}

/// A message within its bound.
fn bounded(message: &str) -> String {
    text::cap(message, CHARACTERS)
}

#[cfg(test)]
mod tests;
