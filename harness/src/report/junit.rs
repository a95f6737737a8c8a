//! `junit.xml`: for CI systems. Pure: its only clock is the record's.
//!
//! A suite is a scenario file, a test is a case, with `file` and `line`. A CI system that reads it comes to stocktake's
//! own verdict, because there is a `failure` or an `error` in it exactly when the run's verdict is not `passed`:
//!
//! | the case | in JUnit |
//! | --- | --- |
//! | failed at a level that decides, or passed against a known-failing line | `failure`, with the text of the terminal |
//! | failed at a level that does not decide, or known failing | `skipped`, with the reason and the same text |
//! | skipped | `skipped`, with the reason |
//! | not judged | `error`, with the reason; `skipped` where the run passed all the same |
//!
//! What was judged beside the cases is a suite of its own, a test for each check. A verdict that none of them explains, such as a run in which everything was skipped, is an `error` of its own.

use super::{
    escape::visible,
    failure,
    standing::{self, Standing},
    text,
};
use crate::verify::record::{CaseRecord, CheckRecord, CheckResult, RunRecord, VerdictResult};
use chrono::{DateTime, FixedOffset};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::{collections::BTreeMap, time::Duration};

/// Characters of a message; the text of a failure has its own bound.
const CHARACTERS: usize = 1000;

/// The file's text.
pub fn render(record: &RunRecord) -> String {
    let started: Option<DateTime<FixedOffset>> = DateTime::parse_from_rfc3339(&record.started).ok();
    let mut report = Report::new(format!("stocktake {}", visible(&record.command)));
    report.timestamp = started;
    report.set_time(Duration::from_millis(record.elapsed_ms));
    for (file, cases) in by_file(record) {
        let mut suite = TestSuite::new(visible(file));
        suite.timestamp = started;
        // Cases run beside each other: the sum is work, not time on a wall clock.
        suite.set_time(Duration::from_millis(cases.iter().map(|case| case.elapsed_ms).sum()));
        suite.add_test_cases(cases.into_iter().map(|case| test_case(case, record)));
        report.add_test_suite(suite);
    }
    if !record.checks.is_empty() {
        report.add_test_suite(beside(record, started));
    }
    if report.failures + report.errors == 0 && record.verdict.result != VerdictResult::Passed {
        report.add_test_suite(unexplained(record));
    }
    // Writes to memory fail on nothing that a record can hold; were it so, an empty file is one that no CI takes for
    // a success.
    report.to_string().unwrap_or_default()
}

/// The cases of each file, files in the order of the matrix.
fn by_file(record: &RunRecord) -> Vec<(&str, Vec<&CaseRecord>)> {
    let mut files: Vec<(&str, Vec<&CaseRecord>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &record.cases {
        let place = *places.entry(&case.file).or_insert(files.len());
        match files.get_mut(place) {
            Some((_, cases)) => cases.push(case),
            None => files.push((&case.file, vec![case])),
        }
    }
    files
}

fn test_case(case: &CaseRecord, record: &RunRecord) -> TestCase {
    let standing = standing::of_case(case, standing::deciding_level(&record.options));
    let mut test = TestCase::new(visible(&case.name()), status(case, standing, record.verdict.result));
    test.set_classname(visible(&case.scenario));
    test.set_time(Duration::from_millis(case.elapsed_ms));
    test.set_assertions(usize::try_from(case.judged).unwrap_or(usize::MAX));
    let (file, line, _) = failure::place(case);
    test.extra.insert("file".into(), visible(file).into());
    test.extra.insert("line".into(), line.to_string().into());
    test
}

fn status(case: &CaseRecord, standing: Standing, verdict: VerdictResult) -> TestCaseStatus {
    let said = || {
        let reason = standing::reason(case).map(visible).unwrap_or_default();
        failure::note(case, standing).unwrap_or_else(|| format!("{}: {reason}", standing.words()))
    };
    let (mut status, message) = match standing {
        Standing::Passed => return TestCaseStatus::success(),
        Standing::Failed => {
            let first = case.mismatches.first();
            let first = first.map_or(standing.words(), |mismatch| &mismatch.summary);
            (
                TestCaseStatus::non_success(NonSuccessKind::Failure),
                visible(first).into_owned(),
            )
        }
        Standing::UnexpectedPass => (TestCaseStatus::non_success(NonSuccessKind::Failure), said()),
        Standing::NotJudged if verdict != VerdictResult::Passed => {
            (TestCaseStatus::non_success(NonSuccessKind::Error), said())
        }
        Standing::FailedShould | Standing::KnownFailing | Standing::NotJudged | Standing::Skipped => {
            (TestCaseStatus::skipped(), said())
        }
    };
    status
        .set_message(text::cap(&message, CHARACTERS))
        .set_type(standing.words());
    if standing.is_failure() {
        status.set_description(format!("\n{}", failure::block(case, standing)));
    }
    status
}

/// What was judged beside the cases.
fn beside(record: &RunRecord, started: Option<DateTime<FixedOffset>>) -> TestSuite {
    let mut suite = TestSuite::new("beside the cases");
    suite.timestamp = started;
    suite.add_test_cases(record.checks.iter().map(|check| {
        let mut test = TestCase::new(check.about.words(), status_of_check(check));
        test.set_classname("stocktake");
        test
    }));
    suite
}

fn status_of_check(check: &CheckRecord) -> TestCaseStatus {
    let mut status = match check.result {
        CheckResult::Passed => return TestCaseStatus::success(),
        CheckResult::Noted => TestCaseStatus::skipped(),
        CheckResult::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CheckResult::NotJudged => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status
        .set_message(text::cap(&visible(&check.sentence), CHARACTERS))
        .set_type(check.result.words());
    if check.result != CheckResult::Noted && !check.items.is_empty() {
        let rows = check.items.iter().take(100).map(|item| {
            let (kind, subject, words) = (visible(&item.kind), visible(&item.subject), visible(&item.text));
            text::cap(format!("{kind} {subject} {words}").trim_end(), CHARACTERS) + "\n"
        });
        status.set_description(format!("\n{}", rows.collect::<String>()));
    }
    status
}

fn unexplained(record: &RunRecord) -> TestSuite {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status
        .set_message(visible(&record.verdict.sentence))
        .set_type(standing::verdict_words(record.verdict.result));
    let mut suite = TestSuite::new("stocktake");
    suite.add_test_case(TestCase::new("verdict", status));
    suite
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::sample, verify::record::Outcome};

    #[test]
    fn checks_beside_the_cases_are_tests() {
        let text = render(&sample::with_checks());
        let from = text.find("name=\"beside the cases\"").unwrap_or_default();
        insta::assert_snapshot!(text.get(from..).unwrap_or_default());
    }

    #[test]
    fn a_run_with_one_of_everything() {
        insta::assert_snapshot!(render(&sample::failing()));
    }

    #[test]
    fn holds_a_failure_exactly_when_the_verdict_is_not_passed() {
        let red = |record: &RunRecord| {
            let xml = render(record);
            xml.contains("<failure") || xml.contains("<error")
        };
        assert!(!red(&sample::passing()));
        assert!(red(&sample::failing()));

        let mut all_skipped = sample::passing();
        for case in &mut all_skipped.cases {
            case.outcome = Outcome::Skipped {
                reason: "--read-only".into(),
            };
        }
        assert!(!red(&all_skipped));
        all_skipped.verdict.result = VerdictResult::NotJudged;
        assert!(red(&all_skipped));

        let mut opted_out = sample::passing();
        if let Some(case) = opted_out.cases.first_mut() {
            case.outcome = Outcome::NotJudged {
                reason: "needs --allow-disruption".into(),
            };
        }
        assert!(!red(&opted_out));
        opted_out.verdict.result = VerdictResult::Interrupted;
        assert!(red(&opted_out));
    }

    #[test]
    fn should_failures_decide_with_level_should() {
        let mut record = sample::failing();
        let failures = |record: &RunRecord| render(record).matches("<failure").count();
        assert_eq!(failures(&record), 2);
        record.options = vec![("level".into(), "should".into())];
        assert_eq!(failures(&record), 3);
    }

    #[test]
    fn a_hostile_text_breaks_no_markup() {
        let xml = render(&sample::hostile());
        assert!(
            !xml.chars()
                .any(|c| matches!(c, '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'))
        );
        assert!(!xml.contains("<script") && !xml.contains("<img"), "{xml}");
        let mut reader = quick_junit::Report::deserialize_from_str(&xml).map(|report| report.tests);
        assert_eq!(reader.as_mut().ok(), Some(&mut sample::hostile().cases.len()));
    }
}
