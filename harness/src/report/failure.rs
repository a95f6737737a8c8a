//! The text of a failed case: what the terminal shows at once and what JUnit and Markdown quote. Pure.
//!
//! ```text
//! FAIL watch_category_filter (grpc)  watch.category                     scenarios/verify/watch_category_filter.yaml:72:9
//!   72 |         exactly:
//!      |         ^^^^^^^ 3 messages, expected 2
//!   extra   [1] {product_id: "p-7f3c", old_quantity: 11, new_quantity: 10, reason: "noise"}
//!   when    41 ms after `noise` was answered, 18 ms before `fence`
//!   left    products st-8q2m4x-watched (stock 15), st-8q2m4x-other (stock 10)
//! ```

use super::{
    escape::visible,
    line::{Line, Tone},
    standing::{self, Standing},
    text,
};
use crate::verify::record::{CaseRecord, LevelName, MismatchRecord};

/// How much of a failure is shown and how wide.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns.
    pub width: usize,
    /// Break long texts at `width` (a terminal) or leave that to the reader's program.
    pub wrap: bool,
}

impl Layout {
    /// For files.
    pub const FILE: Layout = Layout {
        width: 120,
        wrap: false,
    };
}

/// Mismatches shown of one case. A thousand rows that all fail in one way need no thousand blocks; `run.json` has all.
const MISMATCHES: usize = 20;

/// Characters shown of one text, such as a message of 4 MiB; `run.json` has all.
const CHARACTERS: usize = 2000;

/// Lines that one text may take where it is wrapped.
const WRAPPED_LINES: usize = 12;

/// Labels are padded to this.
const LABEL: usize = 7;

/// The block as plain text, for files; lines end in `\n`.
pub fn block(case: &CaseRecord, standing: Standing) -> String {
    lines(case, standing, Layout::FILE)
        .iter()
        .map(|line| line.plain() + "\n")
        .collect()
}

/// The block in lines.
pub(super) fn lines(case: &CaseRecord, standing: Standing, layout: Layout) -> Vec<Line> {
    let mut lines = header(case, standing, layout);
    let gutter = case
        .mismatches
        .iter()
        .map(|mismatch| mismatch.line)
        .max()
        .unwrap_or(0)
        .to_string()
        .len();
    for mismatch in case.mismatches.iter().take(MISMATCHES) {
        excerpt(mismatch, gutter, layout, &mut lines);
        for (label, detail) in &mismatch.details {
            labelled(label, detail, layout, &mut lines);
        }
        if is_mixed(case) && !mismatch.rules.is_empty() {
            labelled("rule", &rules(&mismatch.rules, mismatch.level), layout, &mut lines);
        }
    }
    let hidden = case.mismatches.len().saturating_sub(MISMATCHES) as u64;
    if hidden > 0 {
        let more = text::plural(
            hidden,
            "mismatch more; run.json has it",
            "mismatches more; run.json has them",
        );
        labelled("…", &more, layout, &mut lines);
    }
    if let Some(reason) = standing::reason(case) {
        labelled("known", reason, layout, &mut lines);
    }
    if standing == Standing::UnexpectedPass {
        labelled(
            "do",
            "remove its known-failing line: the case passes now",
            layout,
            &mut lines,
        );
    }
    if !case.left.is_empty() {
        labelled("left", &case.left.join(", "), layout, &mut lines);
    }
    lines
}

/// Where a case is pointed at: its first mismatch, else itself. File, line, column.
pub(super) fn place(case: &CaseRecord) -> (&str, usize, usize) {
    match case.mismatches.first() {
        Some(first) => (&first.file, first.line, first.column),
        None => (&case.file, case.line, 1),
    }
}

/// The rules that fail with a case, each once; those that it names where no mismatch says more.
pub(super) fn failed_rules(case: &CaseRecord) -> Vec<String> {
    let mut failed: Vec<String> = Vec::new();
    for rule in case.mismatches.iter().flat_map(|mismatch| &mismatch.rules) {
        if !failed.contains(rule) {
            failed.push(rule.clone());
        }
    }
    if failed.is_empty() { case.rules.clone() } else { failed }
}

/// Why a failure does not decide, or a pass does; with the reason of the known-failing line.
pub(super) fn note(case: &CaseRecord, standing: Standing) -> Option<String> {
    let reason = standing::reason(case).map(visible).unwrap_or_default();
    match standing {
        Standing::FailedShould => Some("failed at level should, which does not decide".to_owned()),
        Standing::KnownFailing => Some(format!("known failing: {reason}")),
        Standing::UnexpectedPass => Some(format!("passed, but listed as known failing: {reason}")),
        _ => None,
    }
}

/// The word in front of a case.
pub(super) fn label(standing: Standing) -> Line {
    let (tone, word) = match standing {
        Standing::Failed | Standing::UnexpectedPass => (Tone::Bad, "FAIL"),
        // Small letters: shown, but the verdict does not hang on it.
        Standing::FailedShould | Standing::KnownFailing => (Tone::Doubt, "fail"),
        Standing::NotJudged => (Tone::Doubt, "----"),
        Standing::Skipped => (Tone::Faint, "skip"),
        Standing::Passed => (Tone::Good, "ok  "),
    };
    Line::of(tone, word).with(Tone::Plain, " ")
}

fn header(case: &CaseRecord, standing: Standing, layout: Layout) -> Vec<Line> {
    let mut head = label(standing).with(Tone::Strong, visible(&case.name()));
    let named = visible(&failed_rules(case).join(", ")).into_owned();
    if !named.is_empty() {
        head = head.with(Tone::Plain, format!("  {}", text::cap(&named, CHARACTERS)));
    }
    match standing {
        Standing::FailedShould => head = head.with(Tone::Doubt, "  (should: shown, does not decide)"),
        Standing::KnownFailing => head = head.with(Tone::Doubt, "  (known failing)"),
        Standing::UnexpectedPass => head = head.with(Tone::Bad, "  (passed, but listed as known failing)"),
        _ => {}
    }
    let (file, line, column) = place(case);
    let place = format!("{}:{line}:{column}", visible(file));
    let space = layout.width.saturating_sub(head.columns() + text::columns(&place));
    if space >= 2 {
        return vec![head.with(Tone::Faint, " ".repeat(space) + &place)];
    }
    let mut lines = vec![head];
    labelled("at", &place, layout, &mut lines);
    lines
}

/// Source line, carets, summary.
fn excerpt(mismatch: &MismatchRecord, gutter: usize, layout: Layout, lines: &mut Vec<Line>) {
    let shown = Excerpt::of(mismatch, layout.width.saturating_sub(gutter + 5));
    lines.push(
        Line::of(Tone::Faint, format!("  {:>gutter$} | ", mismatch.line)).with(Tone::Plain, shown.source.as_str()),
    );
    let carets = format!("{}{}", " ".repeat(shown.indent), "^".repeat(shown.carets));
    let summary = text::cap(&visible(&mismatch.summary), CHARACTERS);
    let blank = format!("  {:gutter$} | ", "");
    let used = text::columns(&blank) + carets.len() + 1;
    let underlined = Line::of(Tone::Faint, blank.as_str()).with(Tone::Bad, carets);
    if !layout.wrap || used + text::columns(&summary) <= layout.width {
        lines.push(underlined.with(Tone::Plain, " ").with(Tone::Strong, summary));
        return;
    }
    // On a narrow terminal the summary goes below the carets, over the whole width.
    lines.push(underlined);
    let room = layout.width.saturating_sub(text::columns(&blank));
    for part in text::wrap(&summary, room).into_iter().take(WRAPPED_LINES) {
        lines.push(Line::of(Tone::Faint, blank.as_str()).with(Tone::Strong, part));
    }
}

/// A label and its text.
fn labelled(label: &str, detail: &str, layout: Layout, lines: &mut Vec<Line>) {
    let label = visible(label);
    let detail = text::cap(&visible(detail), CHARACTERS);
    let head = format!("  {label:<LABEL$} ");
    if !layout.wrap {
        lines.push(Line::of(Tone::Faint, head).with(Tone::Plain, detail));
        return;
    }
    let parts = text::wrap(&detail, layout.width.saturating_sub(LABEL + 3));
    let cut = parts.len() > WRAPPED_LINES;
    for (i, part) in parts.into_iter().take(WRAPPED_LINES).enumerate() {
        let head = if i == 0 { head.clone() } else { " ".repeat(LABEL + 3) };
        let end = if cut && i + 1 == WRAPPED_LINES { " …" } else { "" };
        lines.push(Line::of(Tone::Faint, head).with(Tone::Plain, part + end));
    }
}

/// Whether the mismatches of a case fail different rules, so that each has to name its own.
pub(super) fn is_mixed(case: &CaseRecord) -> bool {
    let mut mismatches = case.mismatches.iter();
    match mismatches.next() {
        Some(first) => mismatches.any(|other| other.rules != first.rules || other.level != first.level),
        None => false,
    }
}

fn rules(rules: &[String], level: LevelName) -> String {
    match level {
        LevelName::Must => rules.join(", "),
        LevelName::Should => format!("{} (should)", rules.join(", ")),
    }
}

/// A source line with the place of its carets, in columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line, or the part of it around the span; fit to show.
    pub(super) source: String,
    /// Columns before the carets.
    pub(super) indent: usize,
    /// How many carets, at least 1.
    pub(super) carets: usize,
}

impl Excerpt {
    /// The part of the source line that fits into so many columns, with the span in it.
    pub(super) fn of(mismatch: &MismatchRecord, room: usize) -> Excerpt {
        let room = room.max(20);
        // A tab is one column for the scenario parser, so it is shown as one.
        let mut chars = mismatch.source.chars().map(|c| if c == '\t' { ' ' } else { c });
        let before: String = chars.by_ref().take(mismatch.column.saturating_sub(1)).collect();
        let span: String = chars.by_ref().take(mismatch.width.max(1)).collect();
        let after: String = chars.collect();
        let (before, span) = (visible(&before), text::clip(&visible(&span), room / 2));
        let carets = text::columns(&span).max(1);
        // Two columns are kept for what follows, or for the sign that something does.
        let start = tail(&before, room - carets - 2);
        let indent = text::columns(&start);
        let end = text::clip(&visible(&after), room - indent - carets);
        Excerpt {
            source: format!("{start}{span}{end}").trim_end().to_owned(),
            indent,
            carets,
        }
    }
}

/// The end of a text in at most so many columns; one that is cut begins with `…`.
fn tail(text: &str, max: usize) -> String {
    if text::columns(text) <= max {
        return text.to_owned();
    }
    let mut kept = text;
    while text::columns(kept) + 1 > max {
        let mut chars = kept.chars();
        chars.next();
        kept = chars.as_str();
    }
    format!("…{kept}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn shows_every_mismatch_of_a_case_as_the_language_promises() {
        let record = sample::failing();
        let case = record
            .cases
            .iter()
            .find(|case| case.scenario == "watch_category_filter")
            .unwrap();
        insta::assert_snapshot!(block(case, Standing::Failed));
    }

    #[test]
    fn a_narrow_terminal_gets_wrapped_lines_that_fit() {
        let record = sample::failing();
        let layout = Layout { width: 60, wrap: true };
        for (case, standing) in standing::failures(&record) {
            let lines = lines(case, standing, layout);
            for line in lines.iter().skip(1) {
                assert!(line.columns() <= 62, "{:?} is {} wide", line.plain(), line.columns());
            }
        }
        let case = record
            .cases
            .iter()
            .find(|case| case.scenario == "watch_category_filter")
            .unwrap();
        let text: String = lines(case, Standing::Failed, layout)
            .iter()
            .map(|line| line.plain() + "\n")
            .collect();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_hostile_answer_stays_one_harmless_line() {
        let record = sample::hostile();
        let text = block(record.cases.first().unwrap(), Standing::Failed);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn carets_stand_under_wide_characters_and_inside_long_lines() {
        let mut record = sample::failing();
        let mismatch = record
            .cases
            .iter_mut()
            .flat_map(|case| &mut case.mismatches)
            .next()
            .unwrap();
        mismatch.source = "  名: 値".into();
        (mismatch.column, mismatch.width) = (6, 1);
        let expected = Excerpt {
            source: "  名: 値".into(),
            indent: 6,
            carets: 2,
        };
        assert_eq!(Excerpt::of(mismatch, 80), expected);

        mismatch.source = format!("{}needle{}", "a".repeat(500), "b".repeat(500));
        (mismatch.column, mismatch.width) = (501, 6);
        let excerpt = Excerpt::of(mismatch, 40);
        assert_eq!(excerpt.source, format!("…{}needleb…", "a".repeat(31)));
        assert_eq!((excerpt.indent, excerpt.carets), (32, 6));

        // A span outside its line, as a damaged record may have it.
        (mismatch.column, mismatch.width) = (usize::MAX, usize::MAX);
        assert_eq!(Excerpt::of(mismatch, 40).carets, 1);
    }

    #[test]
    fn a_thousand_mismatches_become_a_short_block() {
        let mut record = sample::failing();
        let case = record
            .cases
            .iter_mut()
            .find(|case| !case.mismatches.is_empty())
            .unwrap();
        let mut one = case.mismatches.first().unwrap().clone();
        one.details = vec![("got".into(), "x".repeat(1_000_000))];
        case.mismatches = vec![one; 1000];
        let text = block(case, Standing::Failed);
        assert!(text.len() < 50_000, "{} bytes", text.len());
        assert!(text.contains("980 mismatches more; run.json has them"), "{text}");
        assert!(text.contains("… (998,000 more characters)"), "{text}");
    }
}
