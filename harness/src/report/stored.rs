//! A stored comparison as plain text: who was compared with whom, a table, the verdict. Pure.

use super::{escape::visible, load::sides, text};
use crate::{
    compare::{
        regression::{Effect, change},
        stored::{Row, StoredComparison, Verdict},
    },
    load::record::{Finding, Measure},
};

const HEADS: [&str; 8] = ["cell", "side", "measure", "base", "new", "change", "expected", "p"];

/// The text, with a final newline.
pub fn render(comparison: &StoredComparison) -> String {
    let mut out = format!("new     {}\n", visible(&comparison.new));
    for name in &comparison.used {
        out += &format!("base    {}\n", visible(name));
    }
    for (name, reason) in &comparison.set_aside {
        out += &format!("unused  {} {}\n", visible(name), visible(reason));
    }
    if !comparison.rows.is_empty() {
        out += &format!("\n{}", table(&comparison.rows));
        out += "\nexpected: where 95 % of further runs like BASE lie; p: after Holm over all rows\n";
    }
    let word = match comparison.verdict {
        Verdict::NoRegression => "PASSED",
        Verdict::Regression => "FAILED",
        Verdict::Inconclusive => "INCONCLUSIVE",
    };
    let sentence = comparison.sentence.trim_start_matches("inconclusive: ");
    out + &format!("\n{word}: {}\n", visible(sentence))
}

fn table(rows: &[Row]) -> String {
    let heads = HEADS.map(str::to_owned).into_iter().chain([String::new()]).collect();
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| text::columns(&line[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..=HEADS.len()).map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| {
            let missing = width - text::columns(cell);
            format!("{cell}{}", " ".repeat(missing))
        });
        out += padded.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    out
}

fn cells(row: &Row) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| amount(row.measure, value));
    let side = match row.target.as_str() {
        "" | "target" => row.side.leg.name().to_owned(),
        target => format!("{} {}", row.side.leg.name(), visible(target)),
    };
    vec![
        visible(&row.cell).into_owned(),
        side,
        row.measure.title().to_owned(),
        shown(row.base),
        shown(row.new),
        row.ratio.map_or_else(|| "-".to_owned(), change),
        row.expected.map_or_else(
            || "-".to_owned(),
            |(low, high)| format!("{} .. {}", percent(low), percent(high)),
        ),
        row.p_adjusted.map_or_else(|| "-".to_owned(), p_value),
        word(row).to_owned(),
    ]
}

fn word(row: &Row) -> &'static str {
    match (row.effect, row.finding) {
        (Effect::Worse, _) => "worse",
        (Effect::Better, _) => "better",
        (Effect::None, Finding::More | Finding::Less) => "below the minimum",
        (Effect::None, Finding::NoDifference) => "",
        (Effect::None, Finding::TooFew) => "too few",
        (Effect::None, Finding::Void) => "void",
    }
}

/// A value with its unit.
fn amount(measure: Measure, value: f64) -> String {
    match measure {
        Measure::P50 | Measure::P99 | Measure::Mean => sides::micros(value / 1e3),
        Measure::Throughput => format!("{}/s", text::rate(value)),
        Measure::ServerCpu => sides::micros(value),
        Measure::Bytes => text::bytes(value),
    }
}

fn percent(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

fn p_value(p: f64) -> String {
    if p < 0.001 {
        "<0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{leg::Leg, record::SideName};

    fn row(cell: &str, measure: Measure, finding: Finding, effect: Effect) -> Row {
        Row {
            cell: cell.to_owned(),
            side: SideName {
                leg: Leg::RestH1,
                target: 0,
            },
            target: "new".to_owned(),
            measure,
            runs: 6,
            base: Some(1_234_567.0),
            new: Some(987_654.0),
            ratio: Some(0.8),
            expected: Some((0.951, 1.0515)),
            p_adjusted: Some(0.000_02),
            detectable: Some(1.1),
            finding,
            effect,
        }
    }

    #[test]
    fn a_table_with_one_of_everything() {
        let mut rows = vec![
            row("c1", Measure::P50, Finding::Less, Effect::Better),
            row("c1", Measure::Throughput, Finding::Less, Effect::Worse),
            row("c1", Measure::ServerCpu, Finding::Less, Effect::None),
            row("c10\u{1b}[31m", Measure::Mean, Finding::NoDifference, Effect::None),
            row("c2", Measure::Bytes, Finding::TooFew, Effect::None),
            row("c2", Measure::P99, Finding::Void, Effect::None),
        ];
        rows[3].p_adjusted = Some(0.25);
        for row in &mut rows[4..] {
            (row.base, row.new, row.ratio, row.expected, row.p_adjusted) = (None, None, None, None, None);
            row.target = "target".to_owned();
        }
        let comparison = StoredComparison {
            new: "runs/new".to_owned(),
            used: vec!["runs/1".to_owned(), "runs/2".to_owned()],
            set_aside: vec![("runs/3".to_owned(), "was interrupted".to_owned())],
            rows,
            verdict: Verdict::Regression,
            sentence: "the new run is worse".to_owned(),
        };
        insta::assert_snapshot!(render(&comparison), @r"
        new     runs/new
        base    runs/1
        base    runs/2
        unused  runs/3 was interrupted

        cell           side         measure                 base         new        change     expected          p
        c1             rest-h1 new  median response time    1.23 ms      988 µs     20 % less  -4.9 % .. +5.2 %  <0.001  better
        c1             rest-h1 new  throughput              1,234,567/s  987,654/s  20 % less  -4.9 % .. +5.2 %  <0.001  worse
        c1             rest-h1 new  server CPU per request  1.23 s       988 ms     20 % less  -4.9 % .. +5.2 %  <0.001  below the minimum
        c10\u{1b}[31m  rest-h1 new  mean response time      1.23 ms      988 µs     20 % less  -4.9 % .. +5.2 %  0.250
        c2             rest-h1      bytes per request       -            -          -          -                 -       too few
        c2             rest-h1      p99 response time       -            -          -          -                 -       void

        expected: where 95 % of further runs like BASE lie; p: after Holm over all rows

        FAILED: the new run is worse
        ");
    }
}
