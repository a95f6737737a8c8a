//! The comparisons as tables with a picture of each ratio: a forest plot for each measure. Pure.

use crate::{
    compare::regression::Effect,
    load::record::{ComparisonRecord, Finding, LoadRecord, Measure},
    report::{
        html::list,
        load::{
            chart::{self, Scale},
            comparison, standing, words,
        },
        text,
    },
};
use minijinja::{Value, context};

/// Ticks below a forest plot.
const TICKS: usize = 7;

/// A table for each measure that was compared, the first one open, all where there are at most so many rows.
pub(super) fn section(record: &LoadRecord, open: usize) -> Value {
    let measures: Vec<(Measure, Vec<&ComparisonRecord>)> = comparison::MEASURES
        .into_iter()
        .map(|measure| (measure, comparison::by(record, measure)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let few = measures.iter().map(|(_, rows)| rows.len()).sum::<usize>() <= open;
    let mut numbers = 1..;
    list(measures.iter().enumerate().map(|(at, (measure, of))| {
        let scale = scale(of);
        let ticks: Vec<(f64, String)> = scale
            .ticks(TICKS)
            .into_iter()
            .map(|value| (value, text::tick(value)))
            .collect();
        let rows = of.iter().map(|of| row(record, of, scale, numbers.next().unwrap_or(0)));
        context! {
            title => title(*measure),
            arrows => if measure.more_is_better() { "← worse · better →" } else { "← better · worse →" },
            better => if measure.more_is_better() { "right of 1: more, which is better" } else { "left of 1: less, which is better" },
            open => few || at == 0,
            n => text::plural(of.len() as u64, "comparison", "comparisons"),
            found => found(of),
            rows => list(rows.collect::<Vec<_>>().into_iter()),
            ruler => Value::from_safe_string(chart::ruler(scale, &ticks)),
            cells => record.cells.len() > 1,
        }
    }))
}

/// With a capital, but for the name of a percentile.
fn title(measure: Measure) -> String {
    match measure {
        Measure::P99 => measure.title().to_owned(),
        _ => super::capital(measure.title()),
    }
}

/// Room for every interval, 1 in it.
fn scale(of: &[&ComparisonRecord]) -> Scale {
    let usable = of.iter().filter(|of| says(of));
    let values = usable.flat_map(|of| {
        let (from, to) = of.interval.unzip();
        [of.ratio, from, to]
    });
    Scale::around_one(values.flatten())
}

fn says(of: &ComparisonRecord) -> bool {
    !matches!(of.finding, Finding::Void | Finding::TooFew)
}

fn row(record: &LoadRecord, of: &ComparisonRecord, scale: Scale, number: usize) -> Value {
    let across_targets = of.base.target != of.other.target;
    let effect = across_targets.then(|| standing::effect(of));
    let (class, mark) = match of.finding {
        _ if effect == Some(Effect::Worse) => ("bad", "✕"),
        _ if effect == Some(Effect::Better) => ("good", "✓"),
        Finding::More => ("known", "▲"),
        Finding::Less => ("known", "▼"),
        Finding::NoDifference => ("open", "="),
        Finding::TooFew => ("doubt", "?"),
        Finding::Void => ("doubt", "–"),
    };
    let sentence = comparison::sentence(record, of);
    let (ratio, interval) = match says(of) {
        true => (of.ratio, of.interval),
        false => (None, None),
    };
    let drawn = chart::interval(
        &format!("ratio-{number}"),
        scale,
        ratio,
        interval,
        &format!("leg-{}", of.other.leg.name()),
        &sentence,
    );
    context! {
        cell => words::cell_of(record, &of.cell), sentence, class, mark,
        words => comparison::finding(of.finding),
        grounds => says(of).then(|| comparison::grounds(of)),
        plot => Value::from_safe_string(drawn),
    }
}

/// `3 more, 1 no difference found`, for a table that is closed.
fn found(of: &[&ComparisonRecord]) -> String {
    let findings = [
        Finding::More,
        Finding::Less,
        Finding::NoDifference,
        Finding::TooFew,
        Finding::Void,
    ];
    let counts = findings.into_iter().filter_map(|finding| {
        let n = of.iter().filter(|of| of.finding == finding).count();
        (n > 0).then(|| format!("{n} {}", comparison::finding(finding)))
    });
    counts.collect::<Vec<_>>().join(", ")
}
