//! What is drawn of a capacity run, and the numbers below each picture. Pure.
//!
//! Axes begin at 0 where a line is to be read as an amount; latency is logarithmic where its spread is large.

pub(super) use super::timeline::timeline;
use super::words;
use crate::{
    capacity::{
        record::{CapacityRecord, ScalabilityRecord, StageJudged, StageRecord, UslRecord},
        usl,
    },
    report::{
        load::{
            chart::{Axis, Chart, Scale, Series},
            charts::Figure,
            sides,
        },
        text,
    },
};

/// Points of a curve.
const CURVE: usize = 80;

/// Goodput and p99 against the rate that was asked for, with the bracket. Nothing where fewer than two rates say anything.
pub fn knee(record: &CapacityRecord) -> Option<Figure> {
    let stages = sound(record);
    let x = rate_axis(stages.iter().map(|(rate, _)| *rate))?;
    let latency = latency(record, &stages, &x).map(|chart| ("Response time, p99 and p50".to_owned(), chart));
    let goodput = goodput(record, &stages, &x)?;
    let mut keys = vec![
        ("cap-pass".to_owned(), "circle", "a stage that passed".to_owned()),
        ("cap-fail".to_owned(), "triangle", "a stage that failed".to_owned()),
        (
            "cap-measure".to_owned(),
            "",
            "median of the stages at a rate".to_owned(),
        ),
        ("cap-half dotted".to_owned(), "", "the same of p50".to_owned()),
        (
            "cap-limit dashed".to_owned(),
            "",
            "the objective, or as much as was asked for".to_owned(),
        ),
    ];
    if record.bracket.is_some() {
        keys.push(("cap-bracket dotted".to_owned(), "", "the bracket".to_owned()));
    }
    let rows = stages.iter().map(|(rate, stage)| {
        vec![
            text::rate(*rate),
            words::phase(stage.phase).to_owned(),
            text::rate(stage.throughput),
            sides::latency(stage.p50).text().to_owned(),
            sides::latency(stage.p99).text().to_owned(),
            text::count(stage.failed),
            words::judged(stage),
        ]
    });
    let charts = latency
        .into_iter()
        .chain([("Accepted answers a second".to_owned(), goodput)]);
    Some(Figure {
        title: "The knee".into(),
        axes: "across: requests asked for, a second".into(),
        charts: charts.collect(),
        keys,
        columns: ["asked for", "phase", "accepted/s", "p50", "p99", "failed", "result"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
        note: "Stages that are void are not drawn; the list of stages names them. A stage of few requests has no p99."
            .into(),
    })
}

/// Stages of an open loop that are not void, from low rates to high.
fn sound(record: &CapacityRecord) -> Vec<(f64, &StageRecord)> {
    let void = |stage: &&StageRecord| matches!(stage.judged, StageJudged::Void { .. });
    let stages = record.stages.iter().filter(|stage| !void(stage));
    let mut stages: Vec<(f64, &StageRecord)> = stages.filter_map(|stage| Some((stage.rate?, stage))).collect();
    stages.sort_by(|a, b| a.0.total_cmp(&b.0));
    stages
}

fn latency(record: &CapacityRecord, stages: &[(f64, &StageRecord)], x: &Axis) -> Option<Chart> {
    let p99 = |stage: &StageRecord| stage.p99.map(|ns| ns as f64);
    let p50 = |stage: &StageRecord| stage.p50.map(|ns| ns as f64);
    let limit = record
        .objective
        .latency
        .iter()
        .find(|(q, _)| (q - 0.99).abs() < 1e-9)
        .map(|(_, ns)| *ns as f64);
    let scale = Scale::for_spread(
        stages
            .iter()
            .flat_map(|(_, stage)| [p50(stage), p99(stage)])
            .flatten()
            .chain(limit)
            .map(|ns| ns.max(1.0)),
    )?;
    let y = Axis {
        scale,
        ticks: scale
            .ticks(6)
            .into_iter()
            .map(|ns| (ns, text::latency_tick(ns)))
            .collect(),
    };
    let mut lines = bracket_lines(record, &y);
    lines.extend(limit.map(|ns| level("cap-limit dashed", x, ns)));
    lines.push(Series {
        class: "cap-half dotted".into(),
        ..medians(stages, &p50)
    });
    lines.push(medians(stages, &p99));
    lines.extend(marks(stages, &p99, &|value| text::latency(value as u64)));
    Some(Chart {
        id: "chart-knee-latency".into(),
        title: "Response time, p99 and p50, against the rate that was asked for".into(),
        about: about(record, stages, &p99, &|value| text::latency(value as u64)),
        height: 240,
        x: x.clone(),
        y,
        parted: Vec::new(),
        lines,
    })
}

fn goodput(record: &CapacityRecord, stages: &[(f64, &StageRecord)], x: &Axis) -> Option<Chart> {
    let goodput = |stage: &StageRecord| Some(stage.throughput);
    let y = rate_axis(stages.iter().map(|(rate, stage)| rate.max(stage.throughput)))?;
    let most = stages.last().map_or(0.0, |(rate, _)| *rate);
    let mut lines = bracket_lines(record, &y);
    lines.push(line("cap-limit dashed", vec![(0.0, Some(0.0)), (most, Some(most))]));
    lines.push(medians(stages, &goodput));
    lines.extend(marks(stages, &goodput, &words::per_second));
    Some(Chart {
        id: "chart-knee-goodput".into(),
        title: "Accepted answers a second against the rate that was asked for".into(),
        about: about(record, stages, &goodput, &text::rate),
        height: 180,
        x: x.clone(),
        y,
        parted: Vec::new(),
        lines,
    })
}

type Of<'a> = &'a dyn Fn(&StageRecord) -> Option<f64>;

/// What is seen, in a sentence.
fn about(record: &CapacityRecord, stages: &[(f64, &StageRecord)], of: Of<'_>, say: &dyn Fn(f64) -> String) -> String {
    let at = |one: Option<&(f64, &StageRecord)>| {
        one.and_then(|(rate, stage)| Some(format!("{} at {}", say(of(stage)?), words::per_second(*rate))))
    };
    let mut parts: Vec<String> = [at(stages.first()), at(stages.last())].into_iter().flatten().collect();
    parts.extend(
        record
            .bracket
            .as_ref()
            .map(|bracket| format!("the bracket is {}", words::bracket(bracket))),
    );
    parts.join("; ")
}

/// The bracket as two lines over the whole height.
fn bracket_lines(record: &CapacityRecord, y: &Axis) -> Vec<Series> {
    let (bottom, top) = match y.scale {
        Scale::Linear { from, to } | Scale::Log { from, to } => (from, to),
    };
    let ends = record
        .bracket
        .iter()
        .flat_map(|bracket| [Some(bracket.low), bracket.high])
        .flatten();
    ends.map(|rate| line("cap-bracket dotted", vec![(rate, Some(bottom)), (rate, Some(top))]))
        .collect()
}

/// A line across.
fn level(class: &str, x: &Axis, value: f64) -> Series {
    let (from, to) = match x.scale {
        Scale::Linear { from, to } | Scale::Log { from, to } => (from, to),
    };
    line(class, vec![(from, Some(value)), (to, Some(value))])
}

/// A line without marks.
pub(super) fn line(class: &str, points: Vec<(f64, Option<f64>)>) -> Series {
    Series {
        class: class.to_owned(),
        points,
        mark: "",
        marks: Vec::new(),
    }
}

/// Through the median of each rate.
fn medians(stages: &[(f64, &StageRecord)], of: Of<'_>) -> Series {
    let mut points: Vec<(f64, Option<f64>)> = Vec::new();
    for group in stages.chunk_by(|a, b| a.0 == b.0) {
        let mut values: Vec<f64> = group.iter().filter_map(|(_, stage)| of(stage)).collect();
        values.sort_by(f64::total_cmp);
        if let (Some((rate, _)), Some(median)) = (group.first(), values.get(values.len() / 2)) {
            points.push((*rate, Some(*median)));
        }
    }
    line("cap-measure", points)
}

/// A mark for each stage: a shape for those that passed, another for those that did not.
fn marks(stages: &[(f64, &StageRecord)], of: Of<'_>, say: &dyn Fn(f64) -> String) -> Vec<Series> {
    let of_kind = |passed: bool| {
        let stages = stages
            .iter()
            .filter(move |(_, stage)| (stage.judged == StageJudged::Passed) == passed);
        let marks = stages.filter_map(|(rate, stage)| {
            let value = of(stage)?;
            Some((
                *rate,
                value,
                format!("{}: {}, {}", words::per_second(*rate), say(value), words::judged(stage)),
            ))
        });
        let (class, mark) = if passed {
            ("cap-pass", "circle")
        } else {
            ("cap-fail", "triangle")
        };
        Series {
            class: class.to_owned(),
            points: Vec::new(),
            mark,
            marks: marks.collect(),
        }
    };
    vec![of_kind(true), of_kind(false)]
}

/// From 0.
pub(super) fn rate_axis(rates: impl Iterator<Item = f64>) -> Option<Axis> {
    let most = rates
        .filter(|rate| rate.is_finite())
        .fold(None, |most: Option<f64>, rate| {
            Some(most.map_or(rate, |most| most.max(rate)))
        })?;
    let scale = Scale::from_zero(most)?;
    Some(Axis {
        scale,
        ticks: scale
            .ticks(5)
            .into_iter()
            .map(|rate| (rate, text::tick(rate)))
            .collect(),
    })
}

/// Throughput over the calls in flight (or replicas), the law through it, and what it leaves over.
pub fn fit(record: &CapacityRecord) -> Option<Figure> {
    let scalability = record.scalability.as_ref()?;
    let law = scalability.fit.as_ref();
    let furthest = scalability.steps.iter().map(|(n, _)| *n).fold(0.0, f64::max);
    let reach = if law.is_some() { furthest * 2.0 } else { furthest };
    let x = rate_axis(std::iter::once(reach))?;
    let drawn = law.map(|law| curve(law, reach)).unwrap_or_default();
    let values = scalability
        .steps
        .iter()
        .map(|(_, y)| *y)
        .chain(drawn.iter().map(|(_, y)| *y));
    let y = rate_axis(values)?;
    let (inside, beyond): (Vec<_>, Vec<_>) = drawn.into_iter().partition(|(n, _)| *n <= furthest);
    let some = |points: Vec<(f64, f64)>| points.into_iter().map(|(n, y)| (n, Some(y))).collect::<Vec<_>>();
    let mut lines = vec![line("cap-law", some(inside)), line("cap-law dashed", some(beyond))];
    lines.push(steps(scalability));
    let throughput = Chart {
        id: "chart-usl".into(),
        title: format!("Accepted answers a second over {}", text::cap(&scalability.of, 60)),
        about: law.map_or_else(|| "No law was fitted".to_owned(), says),
        height: 220,
        x: x.clone(),
        y,
        parted: Vec::new(),
        lines,
    };
    let mut charts = vec![(
        format!("Accepted answers a second over {}", text::cap(&scalability.of, 60)),
        throughput,
    )];
    charts.extend(
        law.and_then(|law| residuals(scalability, law, &x))
            .map(|chart| ("Measured over the law, less 1".to_owned(), chart)),
    );
    let mut keys = vec![("cap-measure".to_owned(), "circle", "measured".to_owned())];
    if law.is_some() {
        keys.push(("cap-law".to_owned(), "", "the law".to_owned()));
        keys.push(("cap-law dashed".to_owned(), "", "extrapolated".to_owned()));
    }
    Some(Figure {
        title: "Scalability".into(),
        axes: format!("across: {}", text::cap(&scalability.of, 60)),
        charts,
        keys,
        columns: ["N", "accepted/s", "the law", "residual"].map(str::to_owned).to_vec(),
        rows: fit_rows(scalability),
        note: "The dashed part lies beyond what was measured, up to twice the largest N; nothing is said beyond that."
            .into(),
    })
}

/// The law in its numbers.
pub fn says(law: &UslRecord) -> String {
    let range = |(from, to): (f64, f64)| format!("{} to {}", short(from), short(to));
    let kappa = match law.kappa_interval {
        Some(interval) => format!("kappa {} ({})", short(law.kappa), range(interval)),
        None => "kappa set to 0, since the steps are too few to tell".to_owned(),
    };
    let peak = match (law.peak, law.peak_throughput) {
        (Some(peak), Some(throughput)) => format!(
            "; most at N = {}: {} a second",
            text::rate(peak),
            text::rate(throughput)
        ),
        _ => String::new(),
    };
    format!(
        "lambda {} ({}), sigma {} ({}), {kappa}, R² {:.3}{peak}",
        text::rate(law.lambda),
        range(law.lambda_interval),
        short(law.sigma),
        range(law.sigma_interval),
        law.r_squared
    )
}

/// Three digits of a small number.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        ..0.001 => format!("{value:.2e}"),
        ..1.0 => format!("{value:.4}"),
        _ => text::rate(value),
    }
}

fn at(law: &UslRecord, n: f64) -> f64 {
    usl::law(law.lambda, law.sigma, law.kappa, n)
}

fn curve(law: &UslRecord, reach: f64) -> Vec<(f64, f64)> {
    let from = 1.0f64.min(reach);
    let place = |i: usize| from + (reach - from) * i as f64 / CURVE as f64;
    (0..=CURVE).map(place).map(|n| (n, at(law, n))).collect()
}

fn steps(scalability: &ScalabilityRecord) -> Series {
    let marks = scalability
        .steps
        .iter()
        .map(|(n, y)| (*n, *y, format!("N {}: {}", text::rate(*n), words::per_second(*y))));
    // The first point is a stroke of no length, so that a picture of marks alone has a line, too.
    let first = scalability.steps.first().map(|(n, y)| (*n, Some(*y)));
    Series {
        class: "cap-measure".into(),
        points: first.into_iter().collect(),
        mark: "circle",
        marks: marks.collect(),
    }
}

/// Percent of the law, around 0.
fn residuals(scalability: &ScalabilityRecord, law: &UslRecord, x: &Axis) -> Option<Chart> {
    let most = law.residuals.iter().map(|residual| residual.abs()).fold(0.01, f64::max);
    let half = Scale::from_zero(most)?;
    let Scale::Linear { to, .. } = half else { return None };
    let scale = Scale::Linear { from: -to, to };
    let label = |value: f64| format!("{}{}", if value < 0.0 { "−" } else { "" }, text::percent(value.abs()));
    let pairs = scalability.steps.iter().zip(&law.residuals);
    let marks = pairs.map(|((n, _), residual)| (*n, *residual, format!("N {}: {}", text::rate(*n), label(*residual))));
    Some(Chart {
        id: "chart-usl-residuals".into(),
        title: "What the law leaves over".into(),
        about: format!("The largest is {}", text::percent(most)),
        height: 110,
        x: x.clone(),
        y: Axis {
            scale,
            ticks: [-to, 0.0, to].map(|value| (value, label(value))).to_vec(),
        },
        parted: Vec::new(),
        lines: vec![
            level("cap-limit dashed", x, 0.0),
            Series {
                class: "cap-measure".into(),
                points: Vec::new(),
                mark: "circle",
                marks: marks.collect(),
            },
        ],
    })
}

fn fit_rows(scalability: &ScalabilityRecord) -> Vec<Vec<String>> {
    let none = || words::NONE.to_owned();
    let row = |(i, (n, y)): (usize, &(f64, f64))| {
        let law = scalability.fit.as_ref();
        let residual = law.and_then(|law| law.residuals.get(i));
        vec![
            text::rate(*n),
            text::rate(*y),
            law.map_or_else(none, |law| text::rate(at(law, *n))),
            residual.map_or_else(none, |residual| format!("{:+.1} %", residual * 100.0)),
        ]
    };
    scalability.steps.iter().enumerate().map(row).collect()
}
