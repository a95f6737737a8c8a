//! From the cases of a run to its rules, counts and verdict. Pure.

use super::record::{
    CaseRecord, Counts, LevelName, Outcome, ProtocolTally, RuleRecord, RuleVerdict, Verdict, VerdictResult,
};
use crate::{client::Protocol, exit::Exit};
use inventory_contract::{Level, RULES};
use std::collections::{BTreeMap, BTreeSet};

impl From<Level> for LevelName {
    fn from(level: Level) -> LevelName {
        match level {
            Level::Must => LevelName::Must,
            Level::Should => LevelName::Should,
        }
    }
}

/// The level of a rule of the contract.
pub fn level_of(rule: &str) -> Option<LevelName> {
    RULES
        .iter()
        .find(|known| known.id == rule)
        .map(|known| known.level.into())
}

/// Every rule that a case names, in the order of the contract, then the others by name.
pub fn rules(cases: &[CaseRecord]) -> Vec<RuleRecord> {
    let mut records: BTreeMap<(usize, &str), RuleRecord> = BTreeMap::new();
    for case in cases {
        for id in case.rules.iter().chain(case.mismatches.iter().flat_map(|m| &m.rules)) {
            let position = RULES.iter().position(|rule| rule.id == *id);
            let record = records
                .entry((position.unwrap_or(RULES.len()), id))
                .or_insert_with(|| RuleRecord {
                    id: id.clone(),
                    level: level_of(id).unwrap_or(case.level),
                    text: position
                        .and_then(|p| RULES.get(p))
                        .map(|rule| rule.text.to_owned())
                        .unwrap_or_default(),
                    passed: 0,
                    failed: 0,
                    not_judged: 0,
                    failed_cases: Vec::new(),
                    verdict: RuleVerdict::NotJudged,
                    protocols: Vec::new(),
                });
            if position.is_none() {
                record.level = record.level.min(case.level);
            }
        }
    }
    records.into_values().map(|record| judge_rule(record, cases)).collect()
}

fn judge_rule(record: RuleRecord, cases: &[CaseRecord]) -> RuleRecord {
    let of: Vec<&CaseRecord> = cases.iter().filter(|case| names(case, &record.id)).collect();
    let protocols: BTreeSet<Protocol> = of.iter().map(|case| case.protocol).collect();
    let on = |protocol: Protocol| {
        let tally = Tally::of(&record.id, of.iter().copied().filter(|case| case.protocol == protocol));
        ProtocolTally {
            protocol,
            passed: tally.passed,
            failed: tally.failed.len() as u64,
            not_judged: tally.not_judged,
            skipped: tally.skipped,
            verdict: tally.verdict(),
        }
    };
    let protocols = protocols.into_iter().map(on).collect();
    let all = Tally::of(&record.id, of.iter().copied());
    RuleRecord {
        passed: all.passed,
        failed: all.failed.len() as u64,
        not_judged: all.not_judged,
        verdict: all.verdict(),
        failed_cases: all.failed,
        protocols,
        ..record
    }
}

/// Whether a case has anything to say about a rule.
fn names(case: &CaseRecord, rule: &String) -> bool {
    case.rules.contains(rule) || breaks(case, rule)
}

fn breaks(case: &CaseRecord, rule: &String) -> bool {
    case.mismatches.iter().any(|mismatch| mismatch.rules.contains(rule))
}

/// What cases say about a rule.
#[derive(Default)]
struct Tally {
    passed: u64,
    /// By name.
    failed: Vec<String>,
    known_failing: u64,
    not_judged: u64,
    skipped: u64,
}

impl Tally {
    fn of<'a>(rule: &String, cases: impl Iterator<Item = &'a CaseRecord>) -> Tally {
        let mut tally = Tally::default();
        for case in cases {
            let broken = breaks(case, rule);
            tally.skipped += u64::from(matches!(case.outcome, Outcome::Skipped { .. }));
            match &case.outcome {
                Outcome::Passed | Outcome::UnexpectedPass { .. } => tally.passed += 1,
                Outcome::KnownFailing { .. } if broken => tally.known_failing += 1,
                Outcome::Failed if broken => tally.failed.push(case.name()),
                Outcome::Failed | Outcome::KnownFailing { .. } if case.finished => tally.passed += 1,
                // A case that failed for another rule ended before it could speak of this one.
                _ => tally.not_judged += 1,
            }
        }
        tally
    }

    fn verdict(&self) -> RuleVerdict {
        match (self.failed.len(), self.known_failing, self.passed) {
            (1.., _, _) => RuleVerdict::Failed,
            (0, 1.., _) => RuleVerdict::KnownFailing,
            (0, 0, 1..) => RuleVerdict::Passed,
            (0, 0, 0) => RuleVerdict::NotJudged,
        }
    }
}

/// Whether all that a failed case has shown lies below the level that decides.
fn weighs_little(case: &CaseRecord, decides: LevelName) -> bool {
    !case.mismatches.is_empty() && case.mismatches.iter().all(|mismatch| mismatch.level > decides)
}

/// Rules that decide, which nobody judged because their cases had failed below that level before.
fn hidden<'a>(cases: &[CaseRecord], rules: &'a [RuleRecord], decides: LevelName) -> Vec<&'a str> {
    let failed = |id: &String| {
        let mut failed = cases.iter().filter(|case| case.outcome == Outcome::Failed);
        failed.any(|case| case.rules.contains(id))
    };
    rules
        .iter()
        .filter(|rule| rule.level <= decides && rule.verdict == RuleVerdict::NotJudged && failed(&rule.id))
        .map(|rule| rule.id.as_str())
        .collect()
}

/// Cases by how they ended; `total` is the size of the matrix.
pub fn counts(cases: &[CaseRecord], total: usize, decides: LevelName) -> Counts {
    let mut counts = Counts {
        cases: total as u64,
        ..Counts::default()
    };
    for case in cases {
        match &case.outcome {
            Outcome::Passed => counts.passed += 1,
            Outcome::Failed if weighs_little(case, decides) => counts.failed_should += 1,
            Outcome::Failed => counts.failed += 1,
            Outcome::KnownFailing { .. } => counts.known_failing += 1,
            Outcome::UnexpectedPass { .. } => counts.unexpected_pass += 1,
            Outcome::Skipped { .. } => counts.skipped += 1,
            Outcome::NotJudged { .. } => counts.not_judged += 1,
        }
    }
    counts.not_judged += (total - cases.len().min(total)) as u64;
    counts
}

/// The verdict: `decides` is the lowest level that counts, `why` the reason for which cases could not be judged, where it is one
/// for all (the target stopped answering, or has no REST), `signal` the exit of an interrupted run.
pub fn verdict(
    cases: &[CaseRecord],
    rules: &[RuleRecord],
    total: usize,
    decides: LevelName,
    why: Option<&str>,
    signal: Option<Exit>,
) -> Verdict {
    let counts = counts(cases, total, decides);
    let complete = counts.not_judged == 0 && signal.is_none();
    let broken = |level: LevelName| -> Vec<&str> {
        rules
            .iter()
            .filter(|r| r.verdict == RuleVerdict::Failed && r.level == level)
            .map(|r| r.id.as_str())
            .collect()
    };
    let (must, should) = (broken(LevelName::Must), broken(LevelName::Should));
    let deciding: Vec<&str> = if decides == LevelName::Should {
        must.iter().chain(&should).copied().collect()
    } else {
        must
    };
    let judged = counts.passed + counts.failed + counts.failed_should + counts.known_failing + counts.unexpected_pass;
    let failed = counts.failed + counts.unexpected_pass;

    let (result, exit, sentence) = if let Some(signal) = signal {
        let sentence = format!("ended after {judged} of {total} cases; {failed} failed so far");
        (VerdictResult::Interrupted, signal, sentence)
    } else if failed > 0 {
        let mut sentence = format!("{failed} of {total} {} failed", plural(total, "case"));
        if !deciding.is_empty() {
            let noun = plural(deciding.len(), "rule");
            sentence.push_str(&format!("; {} {noun} broken: {}", deciding.len(), deciding.join(", ")));
        }
        if counts.unexpected_pass > 0 {
            sentence.push_str(&format!(
                "; {} passed against the known-failing file: remove {} there",
                counts.unexpected_pass,
                if counts.unexpected_pass == 1 {
                    "its line"
                } else {
                    "their lines"
                }
            ));
        }
        if counts.not_judged > 0 {
            sentence.push_str(&format!("; {} not judged", counts.not_judged));
        }
        (VerdictResult::Failed, Exit::Failed, sentence)
    } else if counts.not_judged > 0 {
        let why = why.map(|reason| format!(": {reason}")).unwrap_or_default();
        let sentence = format!(
            "{} of {total} {} could not be judged{why}",
            counts.not_judged,
            plural(total, "case")
        );
        (VerdictResult::NotJudged, Exit::NotJudged, sentence)
    } else if let hidden @ [_, ..] = hidden(cases, rules, decides).as_slice() {
        let sentence = format!(
            "nobody judged {}: the only case failed before, at level should",
            hidden.join(", ")
        );
        (VerdictResult::NotJudged, Exit::NotJudged, sentence)
    } else if judged == 0 {
        let sentence = format!("all {total} {} were skipped", plural(total, "case"));
        (VerdictResult::NotJudged, Exit::NotJudged, sentence)
    } else {
        let held = rules.iter().filter(|rule| rule.verdict == RuleVerdict::Passed).count();
        let mut sentence = format!("{} of {total} {} passed", counts.passed, plural(total, "case"));
        if held > 0 {
            sentence.push_str(&format!("; {held} {} hold", plural(held, "rule")));
        }
        if !should.is_empty() {
            sentence.push_str(&format!(
                "; {} should-{} broken: {}",
                should.len(),
                plural(should.len(), "rule"),
                should.join(", ")
            ));
        } else if counts.failed_should > 0 {
            sentence.push_str(&format!("; {} failed at level should", counts.failed_should));
        }
        if counts.known_failing > 0 {
            sentence.push_str(&format!("; {} known failing", counts.known_failing));
        }
        if counts.skipped > 0 {
            sentence.push_str(&format!("; {} skipped", counts.skipped));
        }
        (VerdictResult::Passed, Exit::Passed, sentence)
    };
    Verdict {
        result,
        exit_code: exit.code().into(),
        sentence,
        complete,
        counts,
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        noun.to_owned()
    } else {
        format!("{noun}s")
    }
}
