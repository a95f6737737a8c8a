//! What is judged beside the cases: the contract, who answered, the cold start; and how such checks weigh in the verdict.
//! Pure.

use super::record::{CaseRecord, CheckItem, CheckName, CheckRecord, CheckResult, Outcome, Verdict, VerdictResult};
use crate::{client::identity::Seen, exit::Exit, schema::Drift};
use std::time::Duration;

/// Items kept of a check; more are counted in its last one.
pub const MOST: usize = 500;

/// One item.
pub fn item(kind: &str, subject: impl Into<String>, text: impl Into<String>) -> CheckItem {
    CheckItem {
        kind: kind.to_owned(),
        subject: subject.into(),
        text: text.into(),
    }
}

/// As many items as are kept, and how many are not.
pub fn bounded(mut items: Vec<CheckItem>) -> Vec<CheckItem> {
    let more = items.len().saturating_sub(MOST);
    if more > 0 {
        items.truncate(MOST);
        items.push(item("more", format!("{more} more"), ""));
    }
    items
}

/// The target's descriptors beside the contract, which is named by `of`.
pub fn contract(drift: &Drift, of: &str) -> CheckRecord {
    let n = drift.breaking.len();
    let added = match drift.added {
        0 => String::new(),
        added => format!("; {added} more than it has"),
    };
    let (result, sentence) = match n {
        0 => (
            CheckResult::Passed,
            format!(
                "the descriptors keep the {of}: {} {} looked at{added}",
                drift.methods,
                noun(drift.methods, "method")
            ),
        ),
        _ => (
            CheckResult::Failed,
            format!("{n} breaking {} against the {of}{added}", noun(n, "change")),
        ),
    };
    let items = drift
        .breaking
        .iter()
        .map(|change| item("breaking", &change.what, &change.became));
    CheckRecord {
        about: CheckName::Contract,
        result,
        sentence,
        items: bounded(items.collect()),
    }
}

/// Who answered, where one revision was expected.
pub fn identity(seen: &Seen, expected: &str) -> CheckRecord {
    let all: u64 = seen.by.values().sum();
    let strangers: u64 = seen.strangers.values().sum();
    let nameless = seen.strangers.get("no revision").copied().unwrap_or(0);
    let all = all + nameless;
    let (result, sentence) = match (strangers, all) {
        (0, 0) => (
            CheckResult::NotJudged,
            format!("nobody answered, so nobody as {expected:?}"),
        ),
        (0, _) => (
            CheckResult::Passed,
            format!(
                "all {all} answers name {expected:?}, of {} {}",
                seen.by.len(),
                noun(seen.by.len(), "replica")
            ),
        ),
        _ => (
            CheckResult::Failed,
            format!("{strangers} of {all} answers do not name the revision {expected:?}"),
        ),
    };
    let strange = seen
        .strangers
        .iter()
        .map(|(who, n)| item("stranger", who, format!("{n} answers")));
    let known = seen
        .by
        .iter()
        .map(|(who, n)| item("answered", who, format!("{n} answers")));
    CheckRecord {
        about: CheckName::Identity,
        result,
        sentence,
        items: bounded(strange.chain(known).collect()),
    }
}

/// The first answer, timed apart.
pub fn cold_start(took: Duration, budget: Duration) -> CheckRecord {
    let took = Duration::from_millis(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    CheckRecord {
        about: CheckName::ColdStart,
        result: CheckResult::Noted,
        sentence: format!(
            "the first answer took {}, of {} allowed; no case waits for it",
            humantime::format_duration(took),
            humantime::format_duration(budget)
        ),
        items: vec![item("first answer", format!("{} ms", took.as_millis()), "")],
    }
}

/// The verdict of the cases with that of the checks beside them: what failed comes first in the sentence.
pub fn weigh(verdict: Verdict, checks: &[CheckRecord]) -> Verdict {
    if verdict.result == VerdictResult::Interrupted {
        return verdict;
    }
    let of = |result: CheckResult| {
        let sentences = checks.iter().filter(move |check| check.result == result);
        sentences.map(|check| check.sentence.clone()).collect::<Vec<_>>()
    };
    let (failed, open) = (of(CheckResult::Failed), of(CheckResult::NotJudged));
    let of_cases = Exit::of_code(verdict.exit_code);
    let exit = match (failed.is_empty(), open.is_empty()) {
        (false, _) => of_cases.worst(Exit::Failed),
        (true, false) => of_cases.worst(Exit::NotJudged),
        (true, true) => of_cases,
    };
    let result = match exit {
        Exit::Failed => VerdictResult::Failed,
        Exit::NotJudged => VerdictResult::NotJudged,
        _ => verdict.result,
    };
    // The cases come first where they fail by themselves.
    let cases = [verdict.sentence.clone()];
    let parts: Vec<String> = match of_cases {
        Exit::Failed => cases.into_iter().chain(failed).chain(open).collect(),
        _ => failed.into_iter().chain(open).chain(cases).collect(),
    };
    Verdict {
        result,
        exit_code: exit.code().into(),
        sentence: parts.join("; "),
        ..verdict
    }
}

/// The rule that state is one, whichever replica answers.
const ONE_STATE: &str = "replica.one-state";

/// A sentence for a run whose cases show that what one replica wrote another does not know; `answered_by` as in the record.
pub fn split_state(cases: &[CaseRecord], answered_by: &[(String, u64)]) -> Option<String> {
    let breaks = |case: &&CaseRecord| {
        let broken = case
            .mismatches
            .iter()
            .any(|mismatch| mismatch.rules.iter().any(|rule| rule == ONE_STATE));
        broken && case.outcome == Outcome::Failed
    };
    let case = cases.iter().find(breaks)?;
    // A defect of one server shows in the same rule: two replicas must have answered, or a fresh connection not have known.
    let replicas: Vec<&str> = answered_by.iter().map(|(who, _)| who.as_str()).collect();
    match replicas.as_slice() {
        [_] => None,
        [] => Some(format!(
            "what one connection wrote others do not see ({}): state may be split over replicas that do not name themselves",
            case.name()
        )),
        many => Some(format!(
            "state is split: {} replicas answered ({}), and what is written through one the others do not know ({}); keep state outside of them, or run one replica",
            many.len(),
            many.join(", "),
            case.name()
        )),
    }
}

fn noun(n: usize, noun: &str) -> String {
    if n == 1 { noun.to_owned() } else { format!("{noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        schema::Change,
        verify::record::{Counts, Verdict},
    };
    use std::collections::BTreeMap;

    fn verdict(exit: Exit, result: VerdictResult) -> Verdict {
        Verdict {
            result,
            exit_code: exit.code().into(),
            sentence: "of the cases".into(),
            complete: true,
            counts: Counts::default(),
        }
    }

    fn check(result: CheckResult) -> CheckRecord {
        CheckRecord {
            about: CheckName::Contract,
            result,
            sentence: result.words().into(),
            items: Vec::new(),
        }
    }

    #[test]
    fn a_failed_check_fails_a_run_whose_cases_passed() {
        let passed = || verdict(Exit::Passed, VerdictResult::Passed);
        let failed = weigh(passed(), &[check(CheckResult::Noted), check(CheckResult::Failed)]);
        assert_eq!(
            (failed.exit_code, failed.result, failed.sentence.as_str()),
            (1, VerdictResult::Failed, "failed; of the cases")
        );
        let open = weigh(passed(), &[check(CheckResult::NotJudged)]);
        assert_eq!((open.exit_code, open.result), (3, VerdictResult::NotJudged));
        let fine = weigh(passed(), &[check(CheckResult::Passed), check(CheckResult::Noted)]);
        assert_eq!((fine.exit_code, fine.sentence.as_str()), (0, "of the cases"));
        // What could not be judged does not hide what failed, and a signal stays a signal.
        let cases = verdict(Exit::NotJudged, VerdictResult::NotJudged);
        assert_eq!(weigh(cases, &[check(CheckResult::Failed)]).exit_code, 1);
        let signal = verdict(Exit::Interrupted, VerdictResult::Interrupted);
        assert_eq!(weigh(signal, &[check(CheckResult::Failed)]).exit_code, 130);
    }

    #[test]
    fn checks_say_what_they_found() {
        let drift = Drift {
            breaking: vec![Change {
                what: "shop.Item.stock".into(),
                became: "is removed".into(),
            }],
            added: 2,
            methods: 3,
        };
        let found = contract(&drift, "built-in contract");
        assert_eq!(
            found.sentence,
            "1 breaking change against the built-in contract; 2 more than it has"
        );
        assert_eq!(found.items, [item("breaking", "shop.Item.stock", "is removed")]);

        let seen = Seen {
            by: BTreeMap::from([("new/a".to_owned(), 5), ("old/b".to_owned(), 2)]),
            strangers: BTreeMap::from([("old".to_owned(), 2), ("no revision".to_owned(), 1)]),
        };
        let found = identity(&seen, "new");
        assert_eq!(
            (found.result, found.sentence.as_str()),
            (CheckResult::Failed, "3 of 8 answers do not name the revision \"new\"")
        );
        assert_eq!(identity(&Seen::default(), "new").result, CheckResult::NotJudged);
    }

    #[test]
    fn items_are_bounded() {
        let all = bounded((0..600).map(|n| item("x", n.to_string(), "")).collect());
        assert_eq!((all.len(), all[MOST].subject.as_str()), (MOST + 1, "100 more"));
    }
}
