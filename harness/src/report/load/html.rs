//! `index.html` of a load run, and the section that a `check` has of one: as the page of [`crate::report::html`], with its
//! style, its policy and its templates' rules. Pure.

mod cells;
mod compared;

use super::{sides, standing, words};
use crate::{
    compare::claim::Support,
    load::record::{LoadRecord, LoadResult},
    report::{
        html::{self, apology, capital, list, pairs, shown},
        text,
    },
};
use minijinja::{Value, context};

/// Beside [`html::STYLE`].
pub(in crate::report) const STYLE: &str = include_str!("html/load.css");

/// Parts that the page of a check has, too.
pub(in crate::report) const TEMPLATES: [(&str, &str); 4] = [
    ("load-marks.html", include_str!("html/marks.j2")),
    ("load-parts.html", include_str!("html/parts.j2")),
    ("load-compared.html", include_str!("html/compared.j2")),
    ("load-short.html", include_str!("html/short.j2")),
];

/// Those of this page alone.
const PAGE: [(&str, &str); 2] = [
    ("load-page.html", include_str!("html/page.j2")),
    ("load-cell.html", include_str!("html/cell.j2")),
];

/// Comparisons that still fit a desk when they are all open.
const OPEN: usize = 30;

/// Rows of a claim or of objectives that are open at first.
const ROWS: usize = 12;

/// The file's text.
pub fn render(record: &LoadRecord) -> String {
    page(record).unwrap_or_else(apology)
}

fn page(record: &LoadRecord) -> Result<String, minijinja::Error> {
    let environment = html::environment(&[TEMPLATES.as_slice(), &PAGE].concat())?;
    let target = record.targets.iter().map(|target| target.address.as_str());
    environment.get_template("load-page.html")?.render(context! {
        dress => html::dressed(html::STYLE.to_owned() + STYLE, html::COMMON_SCRIPT),
        command => shown(&record.command),
        verdict => context! { target => shown(&target.collect::<Vec<_>>().join(", ")), ..verdict(record) },
        tiles => tiles(record),
        targets => list(record.targets.iter().map(|target| context! {
            name => capital(&words::fit(&target.name)),
            facts => pairs(vec![
                ("Address", shown(&target.address)),
                ("Descriptors", shown(&target.descriptors)),
                ("Where", where_is(target.loopback).to_owned()),
            ]),
        })),
        workload => workload(record),
        operations => list(record.workload.operations.iter().map(|operation| context! {
            id => shown(&operation.id), method => shown(&operation.method), share => text::percent(operation.share),
        })),
        identity => identity(record),
        caveats => caveats(record),
        claim => claim(record),
        objectives => objectives(record),
        compared => compared::section(record, OPEN),
        cells => cells::section(record),
        round_columns => cells::ROUND,
        residue => list(record.residue.iter().map(|left| shown(left).into())),
    })
}

/// The section of a check: sides and comparisons, no pictures over time.
pub(in crate::report) fn short(record: &LoadRecord) -> Value {
    context! {
        verdict => verdict(record),
        workload => shown(&record.workload.name),
        took => text::duration(record.elapsed_ms),
        caveats => caveats(record),
        compared => compared::section(record, 0),
        cells => cells::tables(record),
    }
}

fn verdict(record: &LoadRecord) -> Value {
    let (class, mark) = match record.verdict.result {
        LoadResult::Measured => ("good", "✓"),
        LoadResult::Failed => ("bad", "✕"),
        LoadResult::NotJudged | LoadResult::Inconclusive | LoadResult::Interrupted => ("doubt", "!"),
    };
    context! {
        headline => capital(words::result(record.verdict.result)), class, mark,
        sentence => shown(&record.verdict.sentence),
        incomplete => !record.verdict.complete,
        started => shown(&text::instant(&record.started)),
    }
}

fn where_is(loopback: bool) -> &'static str {
    if loopback {
        "on this machine: it shares the processors with the generator"
    } else {
        "elsewhere: the network is part of every number"
    }
}

/// The numbers at the top.
fn tiles(record: &LoadRecord) -> Value {
    let sides = || {
        record
            .cells
            .iter()
            .flat_map(|cell| cell.sides.iter().map(move |side| (cell, side)))
    };
    let rounds = || sides().flat_map(|(_, side)| side.rounds.iter());
    let sent = rounds().fold(0, |sum: u64, round| sum.saturating_add(round.sent));
    let failed = rounds().fold(0, |sum: u64, round| sum.saturating_add(round.failed));
    let usable = sides().filter(|(cell, side)| words::void(cell, side).is_none()).count() as u64;
    let all = sides().count() as u64;
    let tile = |name: &str, value: String| context! { name, value };
    let mut tiles = vec![
        tile("Requests sent", text::count(sent)),
        tile("Not accepted", text::count(failed)),
        tile(
            "Sides measured",
            format!("{} of {}", text::count(usable), text::count(all)),
        ),
    ];
    if record.cells.len() > 1 {
        tiles.push(tile("Cells", text::count(record.cells.len() as u64)));
    }
    tiles.push(tile("Took", text::duration(record.elapsed_ms)));
    tiles.push(tile("Exit code", record.verdict.exit_code.to_string()));
    Value::from(tiles)
}

/// What was sent.
fn workload(record: &LoadRecord) -> Value {
    let workload = &record.workload;
    pairs(vec![
        ("Id", shown(&workload.id)),
        ("Says", shown(&workload.name)),
        ("File", shown(&workload.file)),
        ("SHA-256", shown(&workload.sha256)),
        ("Seed", workload.seed.to_string()),
    ])
}

/// By what and from where.
fn identity(record: &LoadRecord) -> Value {
    let cpus = text::plural(record.host.cpus as u64, "processor", "processors");
    let generator = &record.generator;
    let options: Vec<String> = record
        .options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let unknown = || "not named by the system".to_owned();
    let named = |name: &Option<String>| name.as_deref().map_or_else(unknown, shown);
    let wait = generator.bare_wait_p99.map_or_else(
        || "not measured".to_owned(),
        |ns| format!("{} late, p99 of a bare timed wait", text::latency(ns)),
    );
    let mut facts = vec![
        ("Run id", shown(&record.run_id)),
        ("Started", shown(&text::instant(&record.started))),
        ("stocktake", shown(&record.host.stocktake)),
        ("Host", format!("{}, {cpus}", shown(&record.host.system))),
        ("Processor", named(&generator.processor)),
        ("Kernel", named(&generator.kernel)),
        (
            "Sends from",
            text::plural(generator.threads as u64, "thread", "threads"),
        ),
        ("Clock", wait),
    ];
    if !options.is_empty() {
        facts.push(("Options", shown(&options.join(" "))));
    }
    pairs(facts)
}

fn caveats(record: &LoadRecord) -> Value {
    list(
        record
            .caveats
            .iter()
            .map(|caveat| context! { text => shown(&caveat.text), remedy => shown(&caveat.remedy) }),
    )
}

fn claim(record: &LoadRecord) -> Value {
    let Some(claim) = &record.workload.claim else {
        return Value::from(());
    };
    let rows = standing::claim(record);
    let (found, open) = (standing::claimed(&rows), rows.len() <= ROWS);
    let rows = rows.into_iter().map(|row| {
        let (class, mark) = match row.support {
            Support::Supported => ("good", "✓"),
            Support::NotSupported => ("doubt", "✕"),
            Support::Undecided | Support::NotMeasured => ("open", "?"),
        };
        let ratio = row.advantage.map_or_else(|| "–".to_owned(), text::ratio);
        context! {
            class, mark, words => row.support.words(), cell => words::cell_of(record, &row.cell),
            measure => row.measure.title(), ratio, missing => row.advantage.is_none(),
            interval => row.interval.map(text::ratios),
        }
    });
    let (from, to) = claim.ratio;
    context! {
        text => shown(&claim.text),
        means => format!("{} is {} to {} times as fast as {}", claim.faster.title(), text::tick(from), text::tick(to), claim.slower.title()),
        rows => list(rows), found, open,
    }
}

fn objectives(record: &LoadRecord) -> Value {
    let all = standing::objectives(record);
    if all.is_empty() {
        return Value::from(());
    }
    let (found, open) = (standing::held(&all), all.len() <= ROWS);
    let rows = list(all.into_iter().map(|objective| {
        let (class, mark, words) = match objective.held {
            Some(true) => ("good", "✓", "held"),
            Some(false) => ("bad", "✕", "not held"),
            None => ("doubt", "?", "not judged"),
        };
        context! { class, mark, words, cell => objective.cell, side => objective.side, says => objective.says, measured => objective.measured }
    }));
    context! { rows, found, open }
}

/// A value with its column, and why it is missing.
fn value(column: &str, value: &sides::Shown) -> Value {
    context! { column, text => value.text(), why => value.why() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
