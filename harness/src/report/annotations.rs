//! Workflow commands that make GitHub show a failure at its line of the scenario file. Pure.
//!
//! The form and its escapes are those of actions/toolkit, `packages/core/src/command.ts`: `%`, CR and LF in the message;
//! `:` and `,` too in a property.

use super::{
    escape::visible,
    failure,
    standing::{self, Standing},
    text,
};
use crate::verify::record::{CaseRecord, RunRecord};

/// Characters of an annotation's message. GitHub cuts at 64 KiB, counted after its own escapes.
const CHARACTERS: usize = 4000;

/// A command for each case that failed, in the order of the matrix: `error` where it decides, else `warning` (known
/// failing: `notice`). Each is one line that ends in `\n`.
pub fn render(record: &RunRecord) -> String {
    let deciding = standing::deciding_level(&record.options);
    record
        .cases
        .iter()
        .filter_map(|case| of_case(case, standing::of_case(case, deciding)))
        .collect()
}

/// The command for one case; `None` where there is nothing to show.
pub fn of_case(case: &CaseRecord, standing: Standing) -> Option<String> {
    let command = match standing {
        Standing::Failed | Standing::UnexpectedPass => "error",
        Standing::FailedShould => "warning",
        Standing::KnownFailing => "notice",
        Standing::NotJudged | Standing::Skipped | Standing::Passed => return None,
    };
    let (file, line, column) = failure::place(case);
    let title = match failure::failed_rules(case).join(", ") {
        rules if rules.is_empty() => case.name(),
        rules => format!("{}: {rules}", case.name()),
    };
    Some(format!(
        "::{command} file={},line={line},col={column},title={}::{}\n",
        property(file),
        property(&text::cap(&title, 200)),
        data(&text::cap(&message(case, standing), CHARACTERS)),
    ))
}

/// The mismatches without their source lines: GitHub shows the source itself.
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

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&visible(text)).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn points_at_the_line_of_the_scenario() {
        insta::assert_snapshot!(render(&sample::failing()));
    }

    #[test]
    fn says_nothing_of_a_run_that_passed() {
        assert_eq!(render(&sample::passing()), "");
    }

    #[test]
    fn a_hostile_text_stays_inside_its_command() {
        let rendered = render(&sample::hostile());
        for line in rendered.lines() {
            assert!(
                line.starts_with("::error file=")
                    || line.starts_with("::warning file=")
                    || line.starts_with("::notice file="),
                "{line}"
            );
            // Two separators of its own, and none from the text in its properties.
            let (properties, _) = line.trim_start_matches("::").split_once("::").unwrap_or_default();
            assert_eq!(properties.matches(',').count(), 3, "{properties}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}
