//! What the doctor has to say: lines for a screen, Markdown, a page. Pure.

pub mod html;
pub mod markdown;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use super::{
    escape::visible,
    failure::Layout,
    line::{Line, Tone},
    text,
};
use crate::doctor::{
    layers::{State, layers},
    record::{DoctorRecord, DoctorResult},
    symptoms::{Diagnosis, Weight},
};

/// Columns of the name of a layer.
const NAME: usize = 14;

/// The whole report for a screen, with a final newline. `report` is where the page lies.
pub fn render(record: &DoctorRecord, report: Option<&str>, layout: Layout, color: bool, quiet: bool) -> String {
    let mut lines = Vec::new();
    if !quiet {
        lines.push(
            Line::of(Tone::Faint, format!("{:<NAME$}", "target")).with(Tone::Strong, visible(&record.evidence.target)),
        );
        for layer in layers(&record.evidence) {
            row(layer.name, tone(layer.state), &layer.text, layout, &mut lines);
        }
        for note in &record.notes {
            row("note", Tone::Plain, &note.text, layout, &mut lines);
        }
    }
    for diagnosis in &record.diagnoses {
        lines.push(Line::default());
        lines.extend(shown(diagnosis, layout));
    }
    if !quiet {
        lines.push(Line::default());
        let residue = record.evidence.pairs.as_ref().map_or(0, |pairs| pairs.residue.len());
        if residue > 0 {
            let left = text::plural(residue as u64, "product stays", "products stay");
            row(
                "left",
                Tone::Plain,
                &format!("{left} on the target; run.json names them"),
                layout,
                &mut lines,
            );
        }
        if let Some(report) = report {
            row("report", Tone::Plain, report, layout, &mut lines);
        }
    }
    let word = word(record.verdict.result);
    lines.push(
        Line::of(verdict_tone(record.verdict.result), word)
            .with(Tone::Plain, format!(": {}", visible(&record.verdict.sentence))),
    );
    lines.iter().map(|line| line.shown(color) + "\n").collect()
}

/// A diagnosis alone, as `verify` and `load` show it below their own message. Without a final newline.
pub fn below(diagnosis: &Diagnosis, layout: Layout, color: bool) -> String {
    let lines = shown(diagnosis, layout);
    let text: Vec<String> = lines.iter().map(|line| line.shown(color)).collect();
    text.join("\n")
}

/// In one word.
pub fn word(result: DoctorResult) -> &'static str {
    match result {
        DoctorResult::Healthy => "HEALTHY",
        DoctorResult::Change => "NEEDS A CHANGE",
        DoctorResult::Unreachable => "NOT REACHABLE",
        DoctorResult::Interrupted => "INTERRUPTED",
    }
}

fn verdict_tone(result: DoctorResult) -> Tone {
    match result {
        DoctorResult::Healthy => Tone::Good,
        DoctorResult::Change | DoctorResult::Unreachable => Tone::Bad,
        DoctorResult::Interrupted => Tone::Doubt,
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Good => Tone::Good,
        State::Bad => Tone::Bad,
        State::Fact => Tone::Plain,
        State::Unasked => Tone::Faint,
    }
}

/// A name, and a text that may take several lines.
fn row(name: &str, tone: Tone, value: &str, layout: Layout, lines: &mut Vec<Line>) {
    let value = visible(value);
    let parts = match layout.wrap {
        true => text::wrap(&value, layout.width.saturating_sub(NAME).max(20)),
        false => vec![value.into_owned()],
    };
    let mut name = name;
    for part in parts {
        lines.push(Line::of(Tone::Faint, format!("{name:<NAME$}")).with(tone, part));
        name = "";
    }
}

fn shown(diagnosis: &Diagnosis, layout: Layout) -> Vec<Line> {
    let mut lines = Vec::new();
    let tone = match diagnosis.weight {
        Weight::Blocks => Tone::Bad,
        Weight::Change => Tone::Doubt,
    };
    row("diagnosis", tone, &diagnosis.sentence, layout, &mut lines);
    row("", Tone::Faint, &place(diagnosis), layout, &mut lines);
    for (n, seen) in diagnosis.evidence.iter().enumerate() {
        let name = if n == 0 { "because" } else { "" };
        row(name, Tone::Plain, seen, layout, &mut lines);
    }
    for (n, fix) in diagnosis.fix.iter().enumerate() {
        let name = if n == 0 { "do" } else { "or" };
        row(name, Tone::Plain, &fix.text, layout, &mut lines);
        if let Some(az) = &fix.az {
            // A command is one line: it is to be copied.
            lines.push(Line::of(Tone::Faint, " ".repeat(NAME + 2)).with(Tone::Strong, visible(az)));
        }
    }
    if let Some(unknown) = &diagnosis.unknown {
        row(
            "not known",
            Tone::Faint,
            &format!("from outside: {unknown}"),
            layout,
            &mut lines,
        );
    }
    lines
}

/// Its name, its layer, its rows.
fn place(diagnosis: &Diagnosis) -> String {
    let rows: Vec<String> = diagnosis.rows.iter().map(u8::to_string).collect();
    let rows = match rows.len() {
        0 => String::new(),
        1 => format!(", row {} of the symptom table", rows.join("")),
        _ => format!(", rows {} of the symptom table", rows.join(", ")),
    };
    format!("{}: layer {}{rows}", diagnosis.id, diagnosis.layer.name())
}
