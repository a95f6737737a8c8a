//! The end of a load run on the screen: what was measured, how the sides compare, doubts, the verdict, where the files are.
//! Pure.

use crate::{
    compare::claim::Support,
    load::record::{CellRecord, LoadRecord, LoadResult},
    report::{
        console::summary::{fit, heading, more, paragraph},
        escape::visible,
        failure::Layout,
        line::{Line, Tone},
        load::{
            comparison,
            sides::{self, COLUMNS, Row},
            standing::{self, Objective},
            words,
        },
        text,
    },
};

/// Cells with a table; more are counted. The page has all.
const CELLS: usize = 12;

/// Rows of a list; more are counted.
const ROWS: usize = 24;

/// The target and the workload, as the first lines of a run.
pub(super) fn head(record: &LoadRecord) -> Vec<Line> {
    let mut lines: Vec<Line> = record
        .targets
        .iter()
        .map(|target| {
            let name = text::clip(&visible(&target.name), 8);
            Line::of(Tone::Faint, format!("{name:<9}"))
                .with(Tone::Strong, text::cap(&visible(&target.address), 500))
                .with(
                    Tone::Faint,
                    format!("  descriptors: {}", words::fit(&target.descriptors)),
                )
        })
        .collect();
    lines.push(Line::of(Tone::Faint, "workload ").with(
        Tone::Plain,
        format!(
            "{}: {}",
            words::fit(&record.workload.id),
            words::fit(&record.workload.name)
        ),
    ));
    lines
}

/// The summary in lines. `report` is where the reader finds more, the path of `index.html`.
pub(super) fn lines(record: &LoadRecord, report: Option<&str>, layout: Layout) -> Vec<Line> {
    let mut lines = Vec::new();
    for cell in record.cells.iter().take(CELLS) {
        measured(record, cell, layout, &mut lines);
    }
    more(
        record.cells.len(),
        CELLS,
        "cell more, in index.html",
        "cells more, in index.html",
        &mut lines,
    );
    if !record.cells.is_empty() {
        lines.push(Line::of(
            Tone::Faint,
            "  Times count from when a request was due. p99: 99 of 100 requests were at least as fast.",
        ));
    }
    compared(record, layout, &mut lines);
    claim(record, layout, &mut lines);
    objectives(record, layout, &mut lines);
    caveats(record, layout, &mut lines);
    lines.push(Line::default());
    for line in head(record) {
        lines.push(line);
    }
    if !record.residue.is_empty() {
        let n = text::plural(record.residue.len() as u64, "item stays", "items stay");
        lines.push(row("left", &format!("{n} on the target; run.json names what")));
    }
    lines.push(row("took", &text::duration(record.elapsed_ms)));
    if let Some(report) = report {
        lines.push(row("report", report));
        lines.push(row("", "beside it: run.json for programs, *.hlog with every histogram"));
    }
    lines.push(Line::default());
    lines.extend(verdict(record, layout));
    lines
}

/// A name and a value, below those of [`head`].
fn row(name: &str, value: &str) -> Line {
    Line::of(Tone::Faint, format!("{name:<9}")).with(Tone::Plain, visible(value))
}

/// The verdict alone: a word and its sentence.
pub(super) fn verdict(record: &LoadRecord, layout: Layout) -> Vec<Line> {
    let tone = match record.verdict.result {
        LoadResult::Measured => Tone::Good,
        LoadResult::Failed => Tone::Bad,
        LoadResult::NotJudged | LoadResult::Inconclusive | LoadResult::Interrupted => Tone::Doubt,
    };
    let word = words::result(record.verdict.result).to_uppercase();
    let head = Line::of(tone, word.as_str()).with(Tone::Plain, ": ");
    let room = layout.width.saturating_sub(head.columns());
    let mut parts = fit(&record.verdict.sentence, room, layout).into_iter();
    let mut lines = vec![head.with(Tone::Plain, parts.next().unwrap_or_default())];
    lines.extend(parts.map(|part| Line::of(Tone::Plain, " ".repeat(word.len() + 2) + &part)));
    lines
}

/// A cell: how it was measured, and a row for each side.
fn measured(record: &LoadRecord, cell: &CellRecord, layout: Layout, lines: &mut Vec<Line>) {
    heading(&words::cell(record, cell), lines);
    paragraph("  ", Tone::Faint, &words::arrivals(&cell.arrivals), layout, lines);
    let rows = sides::rows(record, cell);
    let name_columns = rows
        .iter()
        .map(|row| text::columns(&row.name))
        .max()
        .unwrap_or(0)
        .max(3);
    let widths: Vec<usize> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, column)| width(at, column, &rows))
        .collect();
    let mut head = Line::of(Tone::Faint, format!("  {:<name_columns$}", "leg"));
    for (column, width) in COLUMNS.iter().zip(&widths) {
        head = head.with(Tone::Faint, format!("  {column:>width$}"));
    }
    lines.push(head);
    for row in &rows {
        let pad = " ".repeat(name_columns.saturating_sub(text::columns(&row.name)));
        let line = Line::of(Tone::Strong, format!("  {}{pad}", row.name));
        let line = match &row.void {
            Some(why) => line.with(Tone::Doubt, format!("  void: {}", visible(why))),
            None => row.values.iter().zip(&widths).fold(line, |line, (value, width)| {
                let pad = " ".repeat(width.saturating_sub(text::columns(value.text())));
                line.with(Tone::Plain, format!("  {pad}{}", value.text()))
            }),
        };
        lines.push(line);
    }
    let mut missing: Vec<&str> = rows
        .iter()
        .flat_map(|row| row.values.iter().filter_map(|value| value.why()))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        lines.push(Line::of(Tone::Faint, format!("  –: {}", missing.join("; "))));
    }
}

fn width(at: usize, column: &str, rows: &[Row]) -> usize {
    let values = rows.iter().filter_map(|row| row.values.get(at));
    let widest = values.map(|value| text::columns(value.text())).max().unwrap_or(0);
    widest.max(text::columns(column))
}

/// The comparisons as sentences, below the name of their cell where there are several.
fn compared(record: &LoadRecord, layout: Layout, lines: &mut Vec<Line>) {
    if record.comparisons.is_empty() {
        return;
    }
    heading("Compared, pair by pair of rounds", lines);
    let reads = "a ratio (its 95 % interval) [the smallest that would be found]";
    paragraph("  ", Tone::Faint, reads, layout, lines);
    let all = comparison::listed(record);
    let several = record.cells.len() > 1;
    let mut shown = 0;
    for cell in &record.cells {
        let of_cell: Vec<_> = all.iter().filter(|of| of.cell == cell.id).collect();
        if several && !of_cell.is_empty() && shown < ROWS {
            lines.push(Line::of(Tone::Faint, format!("  {}", words::cell(record, cell))));
        }
        let mut said: Vec<String> = Vec::new();
        for of in of_cell.into_iter().take(ROWS.saturating_sub(shown)) {
            shown += 1;
            let indent = if several { "    " } else { "  " };
            let detectable = match of.detectable {
                Some(ratio) => format!(" [{}]", text::ratio(ratio)),
                None => String::new(),
            };
            let sentence = comparison::sentence(record, of) + &detectable;
            // That two sides cannot be compared is the same by every measure.
            if said.contains(&sentence) {
                continue;
            }
            said.push(sentence.clone());
            paragraph(indent, Tone::Plain, &sentence, layout, lines);
        }
    }
    more(
        all.len(),
        shown,
        "comparison more, in index.html",
        "comparisons more, in index.html",
        lines,
    );
}

fn claim(record: &LoadRecord, layout: Layout, lines: &mut Vec<Line>) {
    let Some(claim) = &record.workload.claim else { return };
    heading("Claim", lines);
    paragraph("  ", Tone::Plain, &claim.text, layout, lines);
    let rows = standing::claim(record);
    for row in rows.iter().take(ROWS) {
        let ratio = match (row.advantage, row.interval) {
            (Some(ratio), Some(interval)) => format!("{} ({})", text::ratio(ratio), text::ratios(interval)),
            _ => "–".to_owned(),
        };
        let place = if record.cells.len() > 1 {
            format!(" ({})", words::cell_of(record, &row.cell))
        } else {
            String::new()
        };
        let words = format!(
            "{} is {ratio} as fast by {}{place}: {}",
            claim.faster.title(),
            row.measure.title(),
            row.support.words()
        );
        let tone = match row.support {
            Support::Supported => Tone::Good,
            Support::NotSupported | Support::Undecided | Support::NotMeasured => Tone::Doubt,
        };
        paragraph("    ", tone, &words, layout, lines);
    }
    more(
        rows.len(),
        ROWS,
        "row more, in index.html",
        "rows more, in index.html",
        lines,
    );
}

/// Those that do not hold or cannot be judged; the others are counted.
fn objectives(record: &LoadRecord, layout: Layout, lines: &mut Vec<Line>) {
    let all = standing::objectives(record);
    if all.is_empty() {
        return;
    }
    heading(&format!("Objectives: {}", standing::held(&all)), lines);
    let open: Vec<&Objective> = all.iter().filter(|of| of.held != Some(true)).collect();
    for of in open.iter().take(ROWS) {
        let (word, tone) = match of.held {
            Some(_) => ("not held", Tone::Bad),
            None => ("not judged", Tone::Doubt),
        };
        let words = format!("{}, {}: {}; measured: {}", of.cell, of.side, of.says, of.measured);
        paragraph(&format!("  {word:<10}  "), tone, &words, layout, lines);
    }
    more(
        open.len(),
        ROWS,
        "objective more, in index.html",
        "objectives more, in index.html",
        lines,
    );
}

fn caveats(record: &LoadRecord, layout: Layout, lines: &mut Vec<Line>) {
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
