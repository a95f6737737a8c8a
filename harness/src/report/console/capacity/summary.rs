//! The end of a capacity run on the screen: the bracket, what to set, what it does under traffic, doubts, the verdict. Pure.

use crate::{
    capacity::{
        recommend::Advice,
        record::{CapacityRecord, CapacityResult},
    },
    report::{
        capacity::{figures, words},
        console::summary::{fit, heading, more, paragraph},
        escape::visible,
        failure::Layout,
        line::{Line, Tone},
        text,
    },
};

/// Rows of a list; more are counted.
const ROWS: usize = 12;

/// The summary in lines. `folder` is the run's, where there is more.
pub(super) fn lines(record: &CapacityRecord, folder: Option<&str>, layout: Layout) -> Vec<Line> {
    let mut lines = Vec::new();
    heading("one replica", &mut lines);
    paragraph("  ", Tone::Plain, &words::replica(record), layout, &mut lines);
    for (name, value) in words::measured(record)
        .into_iter()
        .filter(|(_, value)| value != words::NONE)
    {
        lines.push(Line::of(Tone::Faint, format!("  {name:<42}")).with(Tone::Plain, value));
    }
    if let Some(of) = &record.scalability {
        let says = of.fit.as_ref().map(figures::says);
        let note = of
            .note
            .as_ref()
            .map(|note| format!("Scalability law: {}", visible(note)));
        for line in [says, note].into_iter().flatten() {
            paragraph("  ", Tone::Plain, &line, layout, &mut lines);
        }
    }
    if let Some(prediction) = &record.prediction {
        paragraph("  ", Tone::Plain, &prediction.sentence, layout, &mut lines);
    }
    if let Some(advice) = &record.advice {
        set(advice, layout, &mut lines);
        traffic(advice, &mut lines);
    }
    caveats(record, layout, &mut lines);
    if !record.next.is_empty() {
        heading("what to run next", &mut lines);
        for next in record.next.iter().take(ROWS) {
            paragraph("  - ", Tone::Plain, next, layout, &mut lines);
        }
        more(record.next.len(), ROWS, "more", "more", &mut lines);
    }
    lines.push(Line::default());
    if let Some(target) = &record.target {
        lines.push(row("target", &text::cap(&visible(&target.address), 500)));
    }
    lines.push(row("replicas", &words::replicas(record)));
    lines.push(row("wanted", &words::objective(record).join("; ")));
    if !record.residue.is_empty() {
        let n = text::plural(record.residue.len() as u64, "item stays", "items stay");
        lines.push(row("left", &format!("{n} on the target; run.json names what")));
    }
    lines.push(row("took", &text::duration(record.elapsed_ms)));
    if let Some(folder) = folder {
        lines.push(row("report", &format!("{folder}/index.html")));
        lines.push(row("", "beside it: report.md, and run.json for programs"));
    }
    lines.push(Line::default());
    lines.extend(verdict(record, layout));
    lines
}

fn row(name: &str, value: &str) -> Line {
    Line::of(Tone::Faint, format!("{name:<9}")).with(Tone::Plain, visible(value))
}

/// The verdict alone: a word and its sentence.
fn verdict(record: &CapacityRecord, layout: Layout) -> Vec<Line> {
    let tone = match record.verdict.result {
        CapacityResult::Found => Tone::Good,
        CapacityResult::Failed => Tone::Bad,
        CapacityResult::NotJudged | CapacityResult::Inconclusive | CapacityResult::Interrupted => Tone::Doubt,
    };
    let word = words::result(record.verdict.result).to_uppercase();
    let head = Line::of(tone, word.as_str()).with(Tone::Plain, ": ");
    let room = layout.width.saturating_sub(head.columns());
    let mut parts = fit(&record.verdict.sentence, room, layout).into_iter();
    let mut lines = vec![head.with(Tone::Plain, parts.next().unwrap_or_default())];
    lines.extend(parts.map(|part| Line::of(Tone::Plain, " ".repeat(word.len() + 2) + &part)));
    lines
}

fn set(advice: &Advice, layout: Layout, lines: &mut Vec<Line>) {
    let told = &advice.recommendation;
    heading("what to set", lines);
    paragraph("  ", Tone::Faint, &words::planned(told), layout, lines);
    let currency = words::currency(told);
    for number in &told.numbers {
        let range = words::range(number, currency).map_or_else(String::new, |range| format!(" ({range})"));
        let head = format!("  {:<54}", number.subject.title());
        let value = format!("{}{range}", words::value(number, currency));
        lines.push(Line::of(Tone::Faint, head).with(Tone::Strong, value));
        let because = format!("{}: {}", number.binding, number.because);
        paragraph("    ", Tone::Plain, &because, layout, lines);
    }
    for line in [words::prices(told), words::net(told)].into_iter().flatten() {
        paragraph("  ", Tone::Faint, &line, layout, lines);
    }
    lines.push(Line::default());
    for line in told.az.lines() {
        lines.push(Line::of(Tone::Plain, format!("  {line}")));
    }
    let today = told.today.iter().flat_map(|today| &today.saturates);
    for one in today {
        paragraph("  now, ", Tone::Faint, &words::saturation(one), layout, lines);
    }
}

fn traffic(advice: &Advice, lines: &mut Vec<Line>) {
    if advice.outcomes.is_empty() {
        return;
    }
    heading("under traffic, simulated", lines);
    let currency = words::currency(&advice.recommendation);
    let mut rows = vec![words::OUTCOME.map(str::to_owned).to_vec()];
    rows.extend(
        advice
            .outcomes
            .iter()
            .take(ROWS)
            .map(|outcome| words::outcome(outcome, currency)),
    );
    let widths: Vec<usize> = (0..words::OUTCOME.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| text::columns(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    for (at, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            let pad = " ".repeat(width.saturating_sub(text::columns(cell)));
            format!("{cell}{pad}")
        });
        let tone = if at == 0 { Tone::Faint } else { Tone::Plain };
        lines.push(Line::of(tone, format!("  {}", cells.collect::<Vec<_>>().join("  "))));
    }
    more(
        advice.outcomes.len(),
        ROWS,
        "simulation more",
        "simulations more",
        lines,
    );
}

fn caveats(record: &CapacityRecord, layout: Layout, lines: &mut Vec<Line>) {
    let run = record.caveats.iter().map(|caveat| (&caveat.text, &caveat.remedy));
    let advice = record.advice.iter().flat_map(|advice| &advice.recommendation.warnings);
    let all: Vec<_> = run
        .chain(advice.map(|warning| (&warning.text, &warning.remedy)))
        .collect();
    if all.is_empty() {
        return;
    }
    heading("caveats", lines);
    for (text, remedy) in all.iter().take(ROWS) {
        paragraph("  ! ", Tone::Doubt, text, layout, lines);
        paragraph("    ", Tone::Faint, remedy, layout, lines);
    }
    more(
        all.len(),
        ROWS,
        "caveat more, in index.html",
        "caveats more, in index.html",
        lines,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::capacity::sample;

    fn plain(record: &CapacityRecord) -> String {
        let layout = Layout { width: 120, wrap: true };
        let lines = lines(record, Some("reports/runs/x"), layout);
        lines.iter().map(|line| line.plain() + "\n").collect()
    }

    #[test]
    fn a_run_with_a_recommendation() {
        insta::assert_snapshot!(plain(&sample::found()));
    }

    #[test]
    fn too_little_says_what_to_run_next() {
        insta::assert_snapshot!(plain(&sample::too_little()));
    }
}
