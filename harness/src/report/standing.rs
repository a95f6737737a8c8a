//! How a case or a rule stands once levels are weighed: which failures decide the verdict and which are only shown.
//! Every report takes its words and their order from here. Pure.

use super::text;
use crate::{
    client::Protocol,
    verify::record::{
        CaseRecord, LevelName, Outcome, ProtocolTally, RuleRecord, RuleVerdict, RunRecord, VerdictResult,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// How a case stands, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A mismatch at a level that decides.
    Failed,
    /// Passed although a known-failing line says otherwise; decides too.
    UnexpectedPass,
    /// Mismatches only at a level that does not decide.
    FailedShould,
    /// Failed as a known-failing line says.
    KnownFailing,
    /// Could not be judged.
    NotJudged,
    /// Not run.
    Skipped,
    /// Held.
    Passed,
}

impl Standing {
    /// In words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Standing::Failed => "failed",
            Standing::UnexpectedPass => "unexpected pass",
            Standing::FailedShould => "failed (should)",
            Standing::KnownFailing => "known failing",
            Standing::NotJudged => "not judged",
            Standing::Skipped => "skipped",
            Standing::Passed => "passed",
        }
    }

    /// Whether a report shows the case's mismatches.
    pub fn is_failure(self) -> bool {
        self <= Standing::KnownFailing
    }

    /// Whether the run fails because of it.
    pub fn decides(self) -> bool {
        self <= Standing::UnexpectedPass
    }
}

/// The level from which on a failure decides: `must`, unless the run was started with `--level should`.
pub fn deciding_level(options: &[(String, String)]) -> LevelName {
    let should = options.iter().any(|(name, value)| name == "level" && value == "should");
    if should { LevelName::Should } else { LevelName::Must }
}

/// How a case stands.
pub fn of_case(case: &CaseRecord, deciding: LevelName) -> Standing {
    match case.outcome {
        Outcome::Passed => Standing::Passed,
        Outcome::Failed if weight(case) <= deciding => Standing::Failed,
        Outcome::Failed => Standing::FailedShould,
        Outcome::KnownFailing { .. } => Standing::KnownFailing,
        Outcome::UnexpectedPass { .. } => Standing::UnexpectedPass,
        Outcome::Skipped { .. } => Standing::Skipped,
        Outcome::NotJudged { .. } => Standing::NotJudged,
    }
}

/// The weightiest level of what did not hold; the case's own where nothing is recorded.
fn weight(case: &CaseRecord) -> LevelName {
    case.mismatches
        .iter()
        .map(|mismatch| mismatch.level)
        .min()
        .unwrap_or(case.level)
}

/// The reason that an outcome carries.
pub fn reason(case: &CaseRecord) -> Option<&str> {
    match &case.outcome {
        Outcome::Passed | Outcome::Failed => None,
        Outcome::KnownFailing { reason }
        | Outcome::UnexpectedPass { reason }
        | Outcome::Skipped { reason }
        | Outcome::NotJudged { reason } => Some(reason),
    }
}

/// How a rule stands, in the words for cases.
pub fn of_rule(rule: &RuleRecord, deciding: LevelName) -> Standing {
    of_verdict(rule.verdict, rule.level, deciding)
}

fn of_verdict(verdict: RuleVerdict, level: LevelName, deciding: LevelName) -> Standing {
    match verdict {
        RuleVerdict::Passed => Standing::Passed,
        RuleVerdict::Failed if level <= deciding => Standing::Failed,
        RuleVerdict::Failed => Standing::FailedShould,
        RuleVerdict::KnownFailing => Standing::KnownFailing,
        RuleVerdict::NotJudged => Standing::NotJudged,
    }
}

/// How a rule stands on one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnProtocol<'a> {
    /// As its cases say.
    Judged(Standing, &'a ProtocolTally),
    /// The target does not offer the protocol.
    NotOffered,
    /// No case of the run looks at the rule there: it is another protocol's alone, or a filter left it out.
    NoCase,
}

/// A rule's cell in the table of rules and protocols.
pub fn on_protocol<'a>(rule: &'a RuleRecord, protocol: Protocol, record: &RunRecord) -> OnProtocol<'a> {
    if record
        .target
        .not_offered
        .iter()
        .any(|(missing, _)| *missing == protocol)
    {
        return OnProtocol::NotOffered;
    }
    let Some(tally) = rule.protocols.iter().find(|tally| tally.protocol == protocol) else {
        return OnProtocol::NoCase;
    };
    let standing = match of_verdict(tally.verdict, rule.level, deciding_level(&record.options)) {
        Standing::NotJudged if tally.skipped > 0 && tally.skipped == tally.not_judged => Standing::Skipped,
        standing => standing,
    };
    OnProtocol::Judged(standing, tally)
}

/// The cases that have something to say about each rule, in the order of the matrix.
pub fn cases_by_rule(record: &RunRecord) -> BTreeMap<&str, Vec<&CaseRecord>> {
    let mut by_rule: BTreeMap<&str, Vec<&CaseRecord>> = BTreeMap::new();
    for case in &record.cases {
        let named = case
            .rules
            .iter()
            .chain(case.mismatches.iter().flat_map(|mismatch| &mismatch.rules));
        let named: BTreeSet<&str> = named.map(String::as_str).collect();
        for rule in named {
            by_rule.entry(rule).or_default().push(case);
        }
    }
    by_rule
}

/// The protocols that a run was asked to judge, offered or not.
pub fn protocols(record: &RunRecord) -> Vec<Protocol> {
    let missing = record.target.not_offered.iter().map(|(protocol, _)| *protocol);
    let mut protocols: Vec<Protocol> = record.target.protocols.iter().copied().chain(missing).collect();
    protocols.sort();
    protocols.dedup();
    protocols
}

/// `grpc and rest`, `grpc; rest is not offered`: what was judged and what could not be.
pub fn protocols_in_words(record: &RunRecord) -> String {
    let judged: Vec<&str> = record.target.protocols.iter().map(|protocol| protocol.name()).collect();
    let missing = record.target.not_offered.iter();
    let missing = missing.map(|(protocol, _)| format!("{} is not offered", protocol.name()));
    let judged = (!judged.is_empty()).then(|| judged.join(" and "));
    judged.into_iter().chain(missing).collect::<Vec<_>>().join("; ")
}

/// For each protocol that was judged: the cases that passed, and all of them.
pub fn cases_by_protocol(record: &RunRecord) -> Vec<(Protocol, u64, u64)> {
    let of = |protocol: Protocol| {
        let cases = record.cases.iter().filter(|case| case.protocol == protocol);
        cases.fold((protocol, 0, 0), |(protocol, passed, all), case| {
            (protocol, passed + u64::from(case.outcome == Outcome::Passed), all + 1)
        })
    };
    record.target.protocols.iter().map(|protocol| of(*protocol)).collect()
}

/// What the counts of an unfinished run need beside them. One that has judged all that the target offers is finished.
pub fn unfinished(record: &RunRecord) -> &'static str {
    let missing = |protocol: Protocol| record.target.not_offered.iter().any(|(name, _)| *name == protocol);
    let all_that_could = || {
        let mut left = record
            .cases
            .iter()
            .filter(|case| matches!(case.outcome, Outcome::NotJudged { .. }));
        record.verdict.result != VerdictResult::Interrupted && left.all(|case| missing(case.protocol))
    };
    if record.verdict.complete || all_that_could() {
        ""
    } else {
        ", not run to the end"
    }
}

/// A protocol's name in prose.
pub fn title(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Grpc => "gRPC",
        Protocol::Rest => "REST",
    }
}

/// `57 of 58`: the rules that passed.
pub fn rules_passed(record: &RunRecord) -> String {
    let passed = record.rules.len().saturating_sub(rules_not_passed(record).len());
    format!(
        "{} of {}",
        text::count(passed as u64),
        text::count(record.rules.len() as u64)
    )
}

/// `2 of 3`: the cases that failed a rule, of those that judged it.
pub fn failed_of(failed: u64, passed: u64) -> String {
    format!(
        "{} of {}",
        text::count(failed),
        text::count(failed.saturating_add(passed))
    )
}

/// The rules that did not pass, the gravest first, `must` before `should` among equals, else in the contract's order.
pub fn rules_not_passed(record: &RunRecord) -> Vec<(&RuleRecord, Standing)> {
    let deciding = deciding_level(&record.options);
    let mut rules: Vec<_> = record
        .rules
        .iter()
        .map(|rule| (rule, of_rule(rule, deciding)))
        .filter(|(_, standing)| *standing != Standing::Passed)
        .collect();
    rules.sort_by_key(|(rule, standing)| (*standing, rule.level));
    rules
}

/// The cases that stand so, with their failures to show, the gravest first, else in the order of the matrix.
pub fn failures(record: &RunRecord) -> Vec<(&CaseRecord, Standing)> {
    let deciding = deciding_level(&record.options);
    let mut cases: Vec<_> = record
        .cases
        .iter()
        .map(|case| (case, of_case(case, deciding)))
        .filter(|(_, standing)| standing.is_failure())
        .collect();
    cases.sort_by_key(|(_, standing)| *standing);
    cases
}

/// Why cases were skipped or not judged: the reason and the cases that share it, not judged first, else in the order in
/// which the reasons came up.
pub fn without_verdict(record: &RunRecord) -> Vec<(Standing, &str, Vec<&CaseRecord>)> {
    let deciding = deciding_level(&record.options);
    let mut groups: Vec<(Standing, &str, Vec<&CaseRecord>)> = Vec::new();
    for case in &record.cases {
        let standing = of_case(case, deciding);
        if !matches!(standing, Standing::Skipped | Standing::NotJudged) {
            continue;
        }
        let reason = reason(case).unwrap_or_default();
        match groups
            .iter_mut()
            .find(|(group, why, _)| *group == standing && *why == reason)
        {
            Some((_, _, cases)) => cases.push(case),
            None => groups.push((standing, reason, vec![case])),
        }
    }
    groups.sort_by_key(|(standing, ..)| *standing);
    groups
}

/// The counts that are not zero, as words and number, the gravest first; passed cases are always named.
pub fn counts(record: &RunRecord) -> Vec<(Standing, u64)> {
    let counts = &record.verdict.counts;
    let mut named = vec![
        (Standing::Failed, counts.failed),
        (Standing::UnexpectedPass, counts.unexpected_pass),
        (Standing::FailedShould, counts.failed_should),
        (Standing::KnownFailing, counts.known_failing),
        (Standing::NotJudged, counts.not_judged),
        (Standing::Skipped, counts.skipped),
    ];
    named.retain(|(_, n)| *n > 0);
    named.insert(0, (Standing::Passed, counts.passed));
    named
}

/// The verdict in a word or two.
pub fn verdict_words(result: VerdictResult) -> &'static str {
    match result {
        VerdictResult::Passed => "passed",
        VerdictResult::Failed => "failed",
        VerdictResult::NotJudged => "not judged",
        VerdictResult::Interrupted => "interrupted",
    }
}
