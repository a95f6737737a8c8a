//! The end of a run on the screen: what does not hold, what was not looked at, what stays behind, the verdict. Pure.

use crate::{
    client::Protocol,
    report::{
        escape::visible,
        failure::Layout,
        line::{Line, Tone},
        load::comparison,
        standing::{self, Standing},
        text,
    },
    verify::record::{CheckRecord, CheckResult, LevelName, RuleRecord, RunRecord, VerdictResult},
};

/// Rows of a list; more are counted. `run.json` and `index.html` have all.
const ROWS: usize = 40;

/// Rows of what stays behind: names of products, of which a few tell enough.
const RESIDUE_ROWS: usize = 10;

/// The summary in lines. `report` is where the reader finds more, such as the path of `index.html`.
pub(super) fn lines(record: &RunRecord, report: Option<&str>, layout: Layout) -> Vec<Line> {
    let mut lines = Vec::new();
    checks(&record.checks, layout, &mut lines);
    rules(record, layout, &mut lines);
    without_verdict(record, layout, &mut lines);
    residue(record, layout, &mut lines);
    caveats(record, layout, &mut lines);
    lines.push(Line::default());
    lines.push(field("target", &target(record)));
    lines.push(cases(record));
    lines.extend(by_protocol(record));
    lines.push(field("rules", &format!("{} passed", standing::rules_passed(record))));
    if let Some(load) = &record.load {
        for (at, sentence) in comparison::short(load).iter().enumerate() {
            paragraph(
                if at == 0 { "load    " } else { "        " },
                Tone::Plain,
                sentence,
                layout,
                &mut lines,
            );
        }
    }
    if let Some(report) = report {
        lines.push(field("report", report));
    }
    lines.push(Line::default());
    lines.extend(verdict(record, layout));
    lines
}

/// The verdict alone: a word and its sentence.
pub(super) fn verdict(record: &RunRecord, layout: Layout) -> Vec<Line> {
    let tone = match record.verdict.result {
        VerdictResult::Passed => Tone::Good,
        VerdictResult::Failed => Tone::Bad,
        VerdictResult::NotJudged | VerdictResult::Interrupted => Tone::Doubt,
    };
    let word = standing::verdict_words(record.verdict.result).to_uppercase();
    let head = Line::of(tone, word.as_str()).with(Tone::Plain, ": ");
    let room = layout.width.saturating_sub(head.columns());
    let mut parts = fit(&record.verdict.sentence, room, layout).into_iter();
    let mut lines = vec![head.with(Tone::Plain, parts.next().unwrap_or_default())];
    lines.extend(parts.map(|part| Line::of(Tone::Plain, " ".repeat(word.len() + 2) + &part)));
    lines
}

/// What was judged beside the cases: a line each, and below it what it found.
pub(super) fn checks(checks: &[CheckRecord], layout: Layout, lines: &mut Vec<Line>) {
    if checks.is_empty() {
        return;
    }
    heading("Beside the cases", lines);
    for check in checks {
        let tone = match check.result {
            CheckResult::Passed => Tone::Good,
            CheckResult::Failed => Tone::Bad,
            CheckResult::Noted => Tone::Plain,
            CheckResult::NotJudged => Tone::Doubt,
        };
        let head = format!("  {}: {}: ", check.about.words(), check.result.words());
        paragraph(&head, tone, &check.sentence, layout, lines);
        for item in check.items.iter().take(ROWS) {
            let head = format!("    {} ", visible(&item.kind));
            let words = format!("{} {}", item.subject, item.text);
            paragraph(&head, Tone::Plain, words.trim_end(), layout, lines);
        }
        more(
            check.items.len(),
            ROWS,
            "more; index.html has it",
            "more; index.html has them",
            lines,
        );
    }
}

fn rules(record: &RunRecord, layout: Layout, lines: &mut Vec<Line>) {
    let rules = standing::rules_not_passed(record);
    if rules.is_empty() {
        return;
    }
    heading("Rules not passed", lines);
    let id_columns = rules
        .iter()
        .map(|(rule, _)| text::columns(&visible(&rule.id)))
        .max()
        .unwrap_or(0)
        .min(40);
    let verdicts: Vec<String> = rules.iter().map(|(rule, standing)| in_words(rule, *standing)).collect();
    let verdict_columns = verdicts.iter().map(|words| text::columns(words)).max().unwrap_or(0);
    for ((rule, standing), words) in rules.iter().zip(&verdicts).take(ROWS) {
        let level = match rule.level {
            LevelName::Must => "must  ",
            LevelName::Should => "should",
        };
        let tone = if standing.decides() { Tone::Bad } else { Tone::Doubt };
        let id = visible(&rule.id);
        let pad = " ".repeat(id_columns.saturating_sub(text::columns(&id)));
        let row = Line::of(Tone::Faint, format!("  {level}  "))
            .with(Tone::Strong, format!("{id}{pad}"))
            .with(tone, format!("  {words:<verdict_columns$}"));
        let room = layout.width.saturating_sub(row.columns() + 2);
        // What a rule says may be cut on a narrow terminal: its id finds the whole sentence.
        let says = if layout.wrap {
            text::clip(&visible(&rule.text), room)
        } else {
            visible(&rule.text).into_owned()
        };
        let says = if layout.wrap && room < 16 { String::new() } else { says };
        lines.push(row.with(Tone::Plain, format!("  {says}")));
    }
    more(rules.len(), ROWS, "rule more", "rules more", lines);
    let should_failed = rules.iter().any(|(_, standing)| *standing == Standing::FailedShould);
    if should_failed {
        lines.push(Line::of(
            Tone::Faint,
            "  A failed `should` rule does not decide the verdict; --level should lets it.",
        ));
    }
}

/// `failed 1 of 3 cases`: of those that judged the rule; `…, all over rest` where another protocol held it.
fn in_words(rule: &RuleRecord, standing: Standing) -> String {
    let word = match standing {
        Standing::KnownFailing => "known failing",
        Standing::NotJudged => return standing.words().to_owned(),
        _ => "failed",
    };
    let noun = if rule.failed.saturating_add(rule.passed) == 1 {
        "case"
    } else {
        "cases"
    };
    let over = match rule
        .protocols
        .iter()
        .filter(|tally| tally.failed > 0)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [only] if rule.protocols.len() > 1 => format!(", all over {}", only.protocol.name()),
        _ => String::new(),
    };
    format!("{word} {} {noun}{over}", standing::failed_of(rule.failed, rule.passed))
}

fn without_verdict(record: &RunRecord, layout: Layout, lines: &mut Vec<Line>) {
    let groups = standing::without_verdict(record);
    if groups.is_empty() {
        return;
    }
    heading("Skipped and not judged", lines);
    for (standing, reason, cases) in groups.iter().take(ROWS) {
        let head = format!(
            "  {:<10}  {}: ",
            standing.words(),
            text::plural(cases.len() as u64, "case", "cases")
        );
        paragraph(&head, Tone::Plain, reason, layout, lines);
    }
    more(groups.len(), ROWS, "reason more", "reasons more", lines);
}

fn residue(record: &RunRecord, layout: Layout, lines: &mut Vec<Line>) {
    if record.residue.is_empty() {
        return;
    }
    let n = record.residue.len() as u64;
    heading(
        &format!("Left on the target: {}", text::plural(n, "item", "items")),
        lines,
    );
    for left in record.residue.iter().take(RESIDUE_ROWS) {
        let why = if left.why.is_empty() {
            String::new()
        } else {
            format!(" ({})", left.why)
        };
        paragraph("  ", Tone::Plain, &format!("{}{why}", left.what), layout, lines);
    }
    more(
        record.residue.len(),
        RESIDUE_ROWS,
        "more; index.html lists it",
        "more; index.html lists them",
        lines,
    );
}

fn caveats(record: &RunRecord, layout: Layout, lines: &mut Vec<Line>) {
    if record.caveats.is_empty() {
        return;
    }
    heading("Caveats", lines);
    for caveat in record.caveats.iter().take(ROWS) {
        paragraph("  ", Tone::Doubt, &caveat.text, layout, lines);
        paragraph("    -> ", Tone::Plain, &caveat.remedy, layout, lines);
    }
    more(record.caveats.len(), ROWS, "caveat more", "caveats more", lines);
}

fn target(record: &RunRecord) -> String {
    format!(
        "{} ({}; descriptors: {})",
        record.target.address,
        standing::protocols_in_words(record),
        record.target.descriptors
    )
}

/// A line for each protocol, where there is more than one.
fn by_protocol(record: &RunRecord) -> Vec<Line> {
    let protocols = standing::cases_by_protocol(record);
    if protocols.len() < 2 {
        return Vec::new();
    }
    let line = |(protocol, passed, all): (Protocol, u64, u64)| {
        let words = format!(
            "{} of {} passed",
            text::count(passed),
            text::plural(all, "case", "cases")
        );
        field(protocol.name(), &words)
    };
    protocols.into_iter().map(line).collect()
}

fn cases(record: &RunRecord) -> Line {
    let mut line = Line::of(Tone::Faint, format!("{:<8}", "cases"))
        .with(Tone::Plain, format!("{}: ", text::count(record.verdict.counts.cases)));
    for (i, (standing, n)) in standing::counts(record).into_iter().enumerate() {
        let tone = match standing {
            _ if n == 0 => Tone::Plain,
            Standing::Passed => Tone::Good,
            Standing::Failed | Standing::UnexpectedPass => Tone::Bad,
            Standing::Skipped => Tone::Plain,
            _ => Tone::Doubt,
        };
        let comma = if i == 0 { "" } else { ", " };
        line = line
            .with(Tone::Plain, comma)
            .with(tone, format!("{} {}", text::count(n), standing.words()));
    }
    line.with(
        Tone::Faint,
        format!(
            "  in {}{}",
            text::duration(record.elapsed_ms),
            standing::unfinished(record)
        ),
    )
}

pub(super) fn heading(words: &str, lines: &mut Vec<Line>) {
    lines.push(Line::default());
    lines.push(Line::of(Tone::Strong, words));
}

pub(super) fn field(name: &str, value: &str) -> Line {
    Line::of(Tone::Faint, format!("{name:<8}")).with(Tone::Plain, visible(value))
}

/// How many rows were not shown, if any.
pub(super) fn more(rows: usize, shown: usize, one: &str, many: &str, lines: &mut Vec<Line>) {
    let hidden = rows.saturating_sub(shown) as u64;
    if hidden > 0 {
        lines.push(Line::of(
            Tone::Faint,
            format!("  … {}", text::plural(hidden, one, many)),
        ));
    }
}

/// A text behind its head, further lines below its start.
pub(super) fn paragraph(head: &str, tone: Tone, words: &str, layout: Layout, lines: &mut Vec<Line>) {
    let indent = text::columns(head);
    for (i, part) in fit(words, layout.width.saturating_sub(indent), layout)
        .into_iter()
        .enumerate()
    {
        let head = if i == 0 { head.to_owned() } else { " ".repeat(indent) };
        lines.push(Line::of(Tone::Faint, head).with(tone, part));
    }
}

/// A foreign text, fit to show: wrapped on a terminal, one line elsewhere.
pub(super) fn fit(words: &str, room: usize, layout: Layout) -> Vec<String> {
    let words = text::cap(&visible(words), 1000);
    if layout.wrap {
        text::wrap(&words, room.max(20))
    } else {
        vec![words]
    }
}
