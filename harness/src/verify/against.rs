//! The same cases on an old target and on a new one. Pure.
//!
//! | on the old one | on the new one | is |
//! | --- | --- | --- |
//! | passed | failed, skipped, not run | a regression: the run fails, whatever the level of the case |
//! | passed | known failing | told: somebody has agreed to it |
//! | failed | failed | known of old: told; the verdict is that of the new target alone |
//! | failed | passed | fixed: told |
//! | passed | passed, with other answers | a difference: told; with `--level should` the run fails |
//! | not judged | passed | not compared: the comparison is not judged |
//! | skipped or not there | anything | new: counted |

use super::{
    answers::{Answer, Kept},
    checks::{bounded, item},
    record::{CaseRecord, CheckName, CheckRecord, CheckResult, LevelName, Outcome},
};
use std::collections::{BTreeMap, BTreeSet};

/// A run on one target.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// As typed.
    pub address: &'a str,
    /// In the order of the matrix.
    pub cases: &'a [CaseRecord],
    /// What they were answered, by name.
    pub answers: &'a BTreeMap<String, Kept>,
}

/// How a case ended, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed,
    Known,
    NotRun,
    NotJudged,
}

/// Compares two runs; `decides` is the lowest level that counts.
pub fn compare(new: Side<'_>, old: Side<'_>, decides: LevelName) -> CheckRecord {
    let cases_of = |side: Side<'_>| -> BTreeMap<String, (End, String)> {
        let one = |case: &CaseRecord| (case.name(), (end(case), words(case)));
        side.cases.iter().map(one).collect()
    };
    let (before, now) = (cases_of(old), cases_of(new));
    let missing = (End::NotRun, "not run".to_owned());
    // In the order of the new run, then what only the old one has.
    let mut names: Vec<String> = new.cases.iter().map(CaseRecord::name).collect();
    let known: BTreeSet<String> = names.iter().cloned().collect();
    names.extend(
        old.cases
            .iter()
            .map(CaseRecord::name)
            .filter(|name| !known.contains(name)),
    );

    let (mut regressions, mut open, mut differences) = (Vec::new(), Vec::new(), Vec::new());
    let (mut agreed, mut failing, mut fixed, mut same, mut added) = (Vec::new(), Vec::new(), Vec::new(), 0, 0);
    for name in names {
        let (was, was_words) = before.get(&name).unwrap_or(&missing);
        let (is, is_words) = now.get(&name).unwrap_or(&missing);
        match (was, is) {
            (End::Passed, End::Passed) => match difference(old.answers.get(&name), new.answers.get(&name)) {
                found if found.is_empty() => same += 1,
                found => differences.extend(found.into_iter().map(|text| item("differs", name.as_str(), text))),
            },
            (End::Passed, End::Failed | End::NotRun) => {
                regressions.push(item("regression", name, format!("passed before; now {is_words}")));
            }
            (End::Passed, End::Known) => agreed.push(item("agreed", name, format!("passed before; now {is_words}"))),
            (End::Failed | End::Known, End::Failed | End::Known) => {
                failing.push(item(
                    "failed before",
                    name,
                    format!("before: {was_words}; now: {is_words}"),
                ));
            }
            (End::Failed | End::Known, End::Passed) => fixed.push(item("fixed", name, format!("before: {was_words}"))),
            // What the new target did not judge is in the verdict of its cases.
            (_, End::NotJudged) | (End::Failed | End::Known, End::NotRun) => {}
            (End::NotJudged, _) => open.push(item("not compared", name, format!("on the old target {was_words}"))),
            (End::NotRun, _) => added += 1,
        }
    }
    let compared = same + differences.len() + agreed.len() + failing.len() + fixed.len();
    let level_decides = decides == LevelName::Should;
    let result = match () {
        () if !regressions.is_empty() || (level_decides && !differences.is_empty()) => CheckResult::Failed,
        () if !open.is_empty() || compared == 0 => CheckResult::NotJudged,
        () if differences.is_empty() && agreed.is_empty() => CheckResult::Passed,
        () => CheckResult::Noted,
    };
    let differing: BTreeSet<&str> = differences.iter().map(|item| item.subject.as_str()).collect();
    let counts = [
        (regressions.len(), "regressed"),
        (open.len(), "could not be compared"),
        (differing.len(), "passed with other answers"),
        (agreed.len(), "known failing and passed before"),
        (failing.len(), "failed before too"),
        (fixed.len(), "fixed"),
        (same, "the same"),
        (added, "not run on the old one"),
    ];
    let told: Vec<String> = counts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| format!("{n} {words}"))
        .collect();
    let sentence = match told.is_empty() {
        true => format!("nothing could be compared with {}", old.address),
        false => format!("against {}: {}", old.address, told.join(", ")),
    };
    let items = [regressions, open, differences, agreed, failing, fixed].concat();
    CheckRecord {
        about: CheckName::Against,
        result,
        sentence,
        items: bounded(items),
    }
}

fn end(case: &CaseRecord) -> End {
    match case.outcome {
        Outcome::Passed | Outcome::UnexpectedPass { .. } => End::Passed,
        Outcome::Failed => End::Failed,
        Outcome::KnownFailing { .. } => End::Known,
        Outcome::Skipped { .. } => End::NotRun,
        Outcome::NotJudged { .. } => End::NotJudged,
    }
}

fn words(case: &CaseRecord) -> String {
    let first = case.mismatches.first();
    let why = first.map(|mismatch| match mismatch.rules.as_slice() {
        [] => mismatch.summary.clone(),
        rules => format!("{} ({})", mismatch.summary, rules.join(", ")),
    });
    let of = |word: &str, why: Option<String>| match why {
        Some(why) => format!("{word}: {why}"),
        None => word.to_owned(),
    };
    match &case.outcome {
        Outcome::Passed | Outcome::UnexpectedPass { .. } => "passed".to_owned(),
        Outcome::Failed => of("failed", why),
        Outcome::KnownFailing { .. } => of("known failing", why),
        Outcome::Skipped { reason } => format!("skipped: {reason}"),
        Outcome::NotJudged { reason } => format!("not judged: {reason}"),
    }
}

/// Where answers differ, a line for each step.
fn difference(old: Option<&Kept>, new: Option<&Kept>) -> Vec<String> {
    let (Some(old), Some(new)) = (old, new) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for at in 0..old.answers.len().max(new.answers.len()) {
        match (old.answers.get(at), new.answers.get(at)) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => found.push(format!("{}: {}", was.step, changed(was, is))),
            (Some(was), None) => found.push(format!("{}: was answered {}, is not any more", was.step, was.status)),
            (None, Some(is)) => found.push(format!("{}: is answered {}, was not before", is.step, is.status)),
            (None, None) => {}
        }
    }
    found
}

fn changed(was: &Answer, is: &Answer) -> String {
    if was.step != is.step || was.call != is.call {
        return format!("was {} of `{}`, is {} of `{}`", was.call, was.step, is.call, is.step);
    }
    let mut parts = Vec::new();
    if was.status != is.status {
        parts.push(format!("status {} -> {}", was.status, is.status));
    }
    if was.message != is.message {
        let shown = |message: &Option<String>| message.as_ref().map_or("none".to_owned(), |text| format!("{text:?}"));
        parts.push(format!("message {} -> {}", shown(&was.message), shown(&is.message)));
    }
    if was.response != is.response {
        let null = serde_json::Value::Null;
        let mut fields = Vec::new();
        walk(
            "response",
            was.response.as_ref().unwrap_or(&null),
            is.response.as_ref().unwrap_or(&null),
            &mut fields,
        );
        parts.extend(fields);
    }
    parts.join("; ")
}

/// The fields that differ, with both values.
fn walk(path: &str, was: &serde_json::Value, is: &serde_json::Value, found: &mut Vec<String>) {
    use serde_json::Value;
    const FIELDS: usize = 8;
    if was == is || found.len() > FIELDS {
        return;
    }
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                walk(&format!("{path}.{key}"), &of(a), &of(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}[{at}]"), a, b, found);
            }
        }
        _ if found.len() == FIELDS => found.push("…".to_owned()),
        _ => {
            let shown = |value: &Value| match value {
                Value::Null => "absent".to_owned(),
                value => super::timeline::cut(&value.to_string()),
            };
            found.push(format!("{path} {} -> {}", shown(was), shown(is)));
        }
    }
}

#[cfg(test)]
mod tests;
