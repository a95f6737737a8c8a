//! `junit.xml` of a load run: a suite for each cell, a test for each objective and for each comparison of the old target with
//! the new one. Pure.
//!
//! There is a `failure` in it exactly when the run failed, and an `error` when it came to no verdict, so that a CI system that
//! reads only this file decides as the exit code does. A cell without either has a test for each side: measured, or skipped
//! because it is void.

use super::{comparison, sides, standing, words};
use crate::{
    compare::regression::Effect,
    load::{
        record::{CellRecord, ComparisonRecord, LoadRecord, LoadResult},
        words::Names,
    },
    report::{escape::visible, text},
};
use chrono::{DateTime, FixedOffset};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

/// Characters of a message.
const CHARACTERS: usize = 1000;

/// The file's text.
pub fn render(record: &LoadRecord) -> String {
    let started: Option<DateTime<FixedOffset>> = DateTime::parse_from_rfc3339(&record.started).ok();
    let mut report = Report::new(format!("stocktake {}", visible(&record.command)));
    report.timestamp = started;
    report.set_time(Duration::from_millis(record.elapsed_ms));
    for cell in &record.cells {
        let mut suite = TestSuite::new(words::cell(record, cell));
        suite.timestamp = started;
        suite.add_test_cases(tests(record, cell));
        report.add_test_suite(suite);
    }
    let unexplained = match record.verdict.result {
        LoadResult::Measured => None,
        LoadResult::Failed => (report.failures == 0).then_some(NonSuccessKind::Failure),
        LoadResult::NotJudged | LoadResult::Inconclusive | LoadResult::Interrupted => Some(NonSuccessKind::Error),
    };
    if let Some(kind) = unexplained {
        let status = non_success(kind, &record.verdict.sentence, words::result(record.verdict.result));
        let mut suite = TestSuite::new("stocktake");
        suite.add_test_case(TestCase::new("verdict", status));
        report.add_test_suite(suite);
    }
    // As for a verify run: an empty file is one that no CI takes for a success.
    report.to_string().unwrap_or_default()
}

fn tests(record: &LoadRecord, cell: &CellRecord) -> Vec<TestCase> {
    let name = words::cell(record, cell);
    let class = words::fit(&record.workload.id);
    let mut tests: Vec<(String, TestCaseStatus)> = standing::of_cell(record, cell)
        .into_iter()
        .map(|of| {
            let words = format!("{}: {}; measured: {}", of.side, of.says, of.measured);
            let status = match of.held {
                Some(true) => TestCaseStatus::success(),
                Some(false) => decides(record, &words, "not held"),
                None => skipped(&words, "not judged"),
            };
            (format!("{}: {}", of.side, of.says), status)
        })
        .collect();
    let regressions = standing::regressions(record).filter(|of| of.cell == cell.id);
    tests.extend(regressions.map(|of| regression(record, of)));
    if tests.is_empty() {
        tests = sides::rows(record, cell)
            .into_iter()
            .map(|row| {
                let status = match &row.void {
                    None => TestCaseStatus::success(),
                    Some(why) => skipped(&format!("void: {why}"), "void"),
                };
                (format!("{} is measured", row.name), status)
            })
            .collect();
    }
    let test = |(words, status): (String, TestCaseStatus)| {
        let mut test = TestCase::new(format!("{name}: {words}"), status);
        test.set_classname(class.clone());
        test
    };
    tests.into_iter().map(test).collect()
}

fn regression(record: &LoadRecord, of: &ComparisonRecord) -> (String, TestCaseStatus) {
    let Names { other, base, over } = comparison::names(record, of);
    let sentence = comparison::sentence(record, of);
    let status = if standing::effect(of) == Effect::Worse {
        decides(record, &sentence, "worse")
    } else if of.ratio.is_none() {
        skipped(&sentence, comparison::finding(of.finding))
    } else {
        TestCaseStatus::success()
    };
    let name = format!("{over}{other} is not worse than {base} by {}", of.measure.title());
    (name, status)
}

/// A failure where the run failed. In a run that ended otherwise it did not decide: skipped, with the same words.
fn decides(record: &LoadRecord, message: &str, kind: &str) -> TestCaseStatus {
    if record.verdict.result == LoadResult::Failed {
        non_success(NonSuccessKind::Failure, message, kind)
    } else {
        skipped(message, kind)
    }
}

fn non_success(kind: NonSuccessKind, message: &str, of: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(text::cap(&visible(message), CHARACTERS))
        .set_type(of);
    status
}

fn skipped(message: &str, of: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status
        .set_message(text::cap(&visible(message), CHARACTERS))
        .set_type(of);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::load::sample;

    #[test]
    fn objectives_are_tests() {
        insta::assert_snapshot!(render(&sample::failing()));
    }

    #[test]
    fn the_old_target_against_the_new_one_is_tests() {
        insta::assert_snapshot!(render(&sample::against()));
    }

    #[test]
    fn a_run_without_either_has_its_sides() {
        insta::assert_snapshot!(render(&sample::measured()));
    }

    #[test]
    fn worse_by_less_than_the_verdict_counts_is_no_failure() {
        let mut record = sample::against();
        for of in &mut record.comparisons {
            (of.ratio, of.interval) = (Some(1.02), Some((1.01, 1.03)));
        }
        assert!(!render(&record).contains("type=\"worse\""));
    }

    #[test]
    fn holds_a_failure_exactly_when_the_run_failed() {
        for mut record in [sample::measured(), sample::failing(), sample::against()] {
            for (result, failures, errors) in [
                (LoadResult::Measured, false, false),
                (LoadResult::Failed, true, false),
                (LoadResult::NotJudged, false, true),
                (LoadResult::Inconclusive, false, true),
                (LoadResult::Interrupted, false, true),
            ] {
                record.verdict.result = result;
                let xml = render(&record);
                assert_eq!(xml.contains("<failure"), failures, "{result:?}");
                assert_eq!(xml.contains("<error"), errors, "{result:?}");
            }
        }
    }

    #[test]
    fn a_hostile_text_breaks_no_markup() {
        let xml = render(&sample::hostile());
        assert!(
            !xml.chars()
                .any(|c| matches!(c, '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'))
        );
        assert!(!xml.contains("<script") && !xml.contains("<img"), "{xml}");
        let read = quick_junit::Report::deserialize_from_str(&xml).map(|report| report.tests);
        assert_eq!(read.ok(), Some(standing::objectives(&sample::hostile()).len()));
    }
}
