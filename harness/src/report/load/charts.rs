//! Which charts a cell has, and the numbers below each. Pure.

use super::{
    chart::{Axis, Chart, Scale, Series},
    sides::{self, Shown},
    words,
};
use crate::{
    load::{
        leg::Leg,
        record::{CellRecord, CurveRecord, LoadRecord, PointRecord, SideRecord},
    },
    report::text,
};

/// Percentiles with a mark on the curve and a row in its table, where they may be shown.
pub const PERCENTILES: [f64; 9] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999, 0.999999];

/// Percentiles that label the axis.
const LABELLED: [f64; 7] = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999];

/// Points across; a longer run is drawn by groups of seconds.
const POINTS: usize = 400;

/// Rows of a table by seconds.
const ROWS: usize = 40;

/// Rounds that are parted by a line; more would hide what is drawn.
const PARTED: usize = 60;

/// A chart, its legend, and what it shows as a table.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it is.
    pub title: String,
    /// What stands on the axes.
    pub axes: String,
    /// The pictures, one below the other: a caption (or none), and the picture.
    pub charts: Vec<(String, Chart)>,
    /// Classes and words of the legend, with the shape of the mark or none.
    pub keys: Vec<(String, &'static str, String)>,
    /// Above the rows.
    pub columns: Vec<String>,
    /// The first value names the row.
    pub rows: Vec<Vec<String>>,
    /// Shown below the table, or empty.
    pub note: String,
}

/// The class of a side, which gives it its colour: by its leg, and the old target of two paler.
pub fn class(record: &LoadRecord, side: &SideRecord) -> String {
    let old = if record.targets.len() > 1 && side.target == 0 {
        " old"
    } else {
        ""
    };
    format!("leg-{}{old}", side.leg.name())
}

/// The shape of a leg's marks.
pub fn mark(leg: Leg) -> &'static str {
    match leg {
        Leg::Grpc => "circle",
        Leg::RestH1 => "square",
        Leg::RestH2 => "triangle",
        Leg::RestH1Close => "diamond",
    }
}

/// Percentiles of response and service time, all sides of a cell together. Nothing where no side has a curve. `number` is the
/// cell's on the page.
pub fn curves(record: &LoadRecord, cell: &CellRecord, number: usize) -> Option<Figure> {
    let sides: Vec<(&SideRecord, String)> = cell
        .sides
        .iter()
        .filter(|side| words::void(cell, side).is_none())
        .map(|side| (side, words::side(record, side.name())))
        .collect();
    let mut lines = Vec::new();
    let mut keys = Vec::new();
    let mut about = Vec::new();
    for (side, name) in &sides {
        let Some(all) = side.overall() else { continue };
        let class = class(record, side);
        lines.push(curve(&all.service, format!("{class} dashed"), "", name));
        lines.push(curve(&all.response, class.clone(), mark(side.leg), name));
        keys.push((class.clone(), mark(side.leg), format!("{name}, response time")));
        keys.push((format!("{class} dashed"), "", format!("{name}, service time")));
        about.push(format!(
            "{name}: median {}, p99 {}",
            sides::latency(all.response.at(0.5)).text(),
            sides::latency(all.response.at(0.99)).text()
        ));
    }
    let values = lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y));
    let y = latency_axis(values)?;
    let furthest = lines.iter().flat_map(|line| line.points.iter().map(|(x, _)| *x));
    let furthest = furthest.fold(across(0.9), f64::max);
    let labelled = LABELLED.into_iter().filter(|q| across(*q) <= furthest + 1e-9);
    let title = format!("Response time by percentile, {}", words::cell(record, cell));
    let chart = Chart {
        id: format!("chart-{number}-curves"),
        title: title.clone(),
        about: about.join("; "),
        height: 280,
        x: Axis {
            scale: Scale::Linear {
                from: 0.0,
                to: furthest,
            },
            ticks: labelled.map(|q| (across(q), percent_of(q))).collect(),
        },
        y,
        parted: Vec::new(),
        lines,
    };
    let (columns, rows) = curve_table(&sides);
    Some(Figure {
        title: "Response time by percentile".into(),
        axes: format!(
            "up: time{}; across: share of requests that were at least as fast, each step right a tenth of the rest",
            scale_words(chart.y.scale)
        ),
        charts: vec![(String::new(), chart)],
        keys,
        columns,
        rows,
        note: "A percentile is shown where at least ten samples lie beyond it.".into(),
    })
}

/// Where a percentile stands: the logarithm of how many requests there are for each slower one.
fn across(q: f64) -> f64 {
    -(1.0 - q).log10()
}

fn percent_of(q: f64) -> String {
    text::percentile(q).replacen('p', "", 1) + " %"
}

fn curve(curve: &CurveRecord, class: String, mark: &'static str, name: &str) -> Series {
    let mut points: Vec<(f64, Option<f64>)> = curve
        .percentiles
        .iter()
        .filter(|(q, _)| (0.0..1.0).contains(q))
        .map(|(q, ns)| (across(*q), Some(*ns as f64)))
        .collect();
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let says = |q: f64, ns: u64| format!("{name}: {} {}", text::percentile(q), text::latency(ns));
    let marked = PERCENTILES.into_iter().filter_map(|q| curve.at(q).map(|ns| (q, ns)));
    let marks = if mark.is_empty() {
        Vec::new()
    } else {
        marked.map(|(q, ns)| (across(q), ns as f64, says(q, ns))).collect()
    };
    Series {
        class,
        points,
        mark,
        marks,
    }
}

fn curve_table(sides: &[(&SideRecord, String)]) -> (Vec<String>, Vec<Vec<String>>) {
    let all = |side: &SideRecord| side.overall().map(|all| (all.response.clone(), all.service.clone()));
    let known: Vec<(&String, (CurveRecord, CurveRecord))> = sides
        .iter()
        .filter_map(|(side, name)| Some((name, all(side)?)))
        .collect();
    let mut columns = vec!["percentile".to_owned()];
    for (name, _) in &known {
        columns.extend([format!("{name}, response"), format!("{name}, service")]);
    }
    let row = |head: String, of: &dyn Fn(&CurveRecord) -> Option<u64>| -> Vec<String> {
        let values = known
            .iter()
            .flat_map(|(_, (response, service))| [of(response), of(service)]);
        std::iter::once(head)
            .chain(values.map(|value| sides::latency(value).text().to_owned()))
            .collect()
    };
    let mut rows = vec![row("smallest".into(), &|curve| curve.min)];
    let shown = PERCENTILES
        .into_iter()
        .filter(|q| known.iter().any(|(_, (response, _))| response.at(*q).is_some()));
    rows.extend(shown.map(|q| row(text::percentile(q), &|curve| curve.at(q))));
    rows.push(row("largest".into(), &|curve| curve.max));
    rows.push(row("mean".into(), &|curve| {
        curve.mean.filter(|mean| *mean >= 0.0).map(|mean| mean.round() as u64)
    }));
    (columns, rows)
}

/// Latency, and offered against achieved, by the second: one side alone, on the same scales as the others of its cell.
pub fn over_time(record: &LoadRecord, cell: &CellRecord, number: usize) -> Vec<Figure> {
    let sides = cell.sides.iter().enumerate();
    let drawn: Vec<(usize, &SideRecord)> = sides
        .filter(|(_, side)| words::void(cell, side).is_none() && !side.series.is_empty())
        .collect();
    let points = || drawn.iter().flat_map(|(_, side)| side.series.iter());
    let latencies = points().flat_map(|point| [point.p50, point.p99, point.max]);
    let latency = latency_axis(latencies.flatten().map(|ns| ns as f64));
    let most = points().map(|point| point.scheduled.max(point.succeeded.saturating_add(point.failed)));
    let rate = rate_axis(most.max().unwrap_or(0) as f64);
    drawn
        .iter()
        .filter_map(|(at, side)| {
            Some(of_side(
                record,
                cell,
                side,
                (number, *at),
                (latency.clone(), rate.clone()?),
            ))
        })
        .collect()
}

fn of_side(
    record: &LoadRecord,
    cell: &CellRecord,
    side: &SideRecord,
    (number, at): (usize, usize),
    (latency, rate): (Option<Axis>, Axis),
) -> Figure {
    let name = words::side(record, side.name());
    let class = class(record, side);
    let (points, group) = grouped(&side.series, POINTS);
    let last = side.series.last().map_or(1.0, |point| point.second as f64 + 1.0);
    let across = Axis {
        scale: Scale::Linear { from: 0.0, to: last },
        ticks: Scale::Linear { from: 0.0, to: last }
            .ticks(6)
            .into_iter()
            .map(|second| (second, format!("{} s", text::tick(second))))
            .collect(),
    };
    let parted = rounds_end(side);
    let line = |class: String, value: &dyn Fn(&PointRecord) -> Option<f64>| Series {
        class,
        points: points
            .iter()
            .map(|point| (point.second as f64 + group as f64 / 2.0, value(point)))
            .collect(),
        mark: "",
        marks: Vec::new(),
    };
    let nanoseconds = |value: Option<u64>| value.map(|ns| ns as f64);
    let in_cell = words::cell(record, cell);
    let chart = |kind: &str, title: String, about: String, height, y, lines| Chart {
        id: format!("chart-{number}-{at}-{kind}"),
        title: format!("{title}, {in_cell}"),
        about,
        height,
        x: across.clone(),
        y,
        parted: parted.clone(),
        lines,
    };
    let mut charts = Vec::new();
    let mut axes = "across: measured time, all rounds one after the other".to_owned();
    if let Some(y) = latency {
        let lines = vec![
            line(format!("{class} dotted"), &|point| nanoseconds(point.max)),
            line(format!("{class} dashed"), &|point| nanoseconds(point.p99)),
            line(class.clone(), &|point| nanoseconds(point.p50)),
        ];
        axes = format!("up: time{}, requests a second; {axes}", scale_words(y.scale));
        let about = spread_about(&points);
        let title = format!("Response time over time, {name}");
        charts.push((
            "response time of the requests due in each second".to_owned(),
            chart("latency", title, about, 150, y, lines),
        ));
    }
    let seconds = group as f64;
    let lines = vec![
        line("offered".into(), &|point| Some(point.scheduled as f64 / seconds)),
        line(class.clone(), &|point| Some(point.succeeded as f64 / seconds)),
        line("failing".into(), &|point| {
            (point.failed > 0).then_some(point.failed as f64 / seconds)
        }),
    ];
    let sum = |of: &dyn Fn(&PointRecord) -> u64| text::count(side.series.iter().map(of).fold(0, u64::saturating_add));
    let about = format!(
        "{} requests were due, {} ended as accepted, {} did not",
        sum(&|point| point.scheduled),
        sum(&|point| point.succeeded),
        sum(&|point| point.failed)
    );
    charts.push((
        "requests a second: due, and ended as accepted".to_owned(),
        chart(
            "rate",
            format!("Offered against achieved, {name}"),
            about,
            100,
            rate,
            lines,
        ),
    ));
    let keys = vec![
        (class.clone(), "", "median, accepted".to_owned()),
        (format!("{class} dashed"), "", "p99".to_owned()),
        (format!("{class} dotted"), "", "largest".to_owned()),
        ("offered".to_owned(), "", "due".to_owned()),
        ("failing".to_owned(), "", "not accepted".to_owned()),
    ];
    let note = if group > 1 {
        format!(
            "Drawn by groups of {group} seconds: the largest of their medians, p99 and maxima; requests a second as their mean."
        )
    } else {
        String::new()
    };
    let (columns, rows) = time_table(side);
    Figure {
        title: format!("{name} over time"),
        axes,
        charts,
        keys,
        columns,
        rows,
        note,
    }
}

fn time_table(side: &SideRecord) -> (Vec<String>, Vec<Vec<String>>) {
    let columns = ["from second", "due", "accepted", "failed", "p50", "p99", "max"];
    let (points, group) = grouped(&side.series, ROWS);
    let latency = |value| match sides::latency(value) {
        Shown::Value(text) => text,
        Shown::Missing(_) => "–".to_owned(),
    };
    let rows = points.iter().map(|point| {
        let counts = [point.second, point.scheduled, point.succeeded, point.failed];
        let latencies = [point.p50, point.p99, point.max];
        counts
            .map(text::count)
            .into_iter()
            .chain(latencies.map(latency))
            .collect()
    });
    let mut columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    if group > 1 {
        columns = columns.iter().map(|column| grouped_column(column, group)).collect();
    }
    (columns, rows.collect())
}

fn grouped_column(column: &str, group: u64) -> String {
    match column {
        "p50" | "p99" => format!("largest {column} of {group} s"),
        _ => column.to_owned(),
    }
}

/// At most so many points: seconds by groups, counts summed, latencies by the worst second. No percentile is averaged.
fn grouped(series: &[PointRecord], most: usize) -> (Vec<PointRecord>, u64) {
    let group = series.len().div_ceil(most).max(1);
    let merged = |points: &[PointRecord]| -> Option<PointRecord> {
        let mut merged = points.first()?.clone();
        for point in points.iter().skip(1) {
            merged.scheduled = merged.scheduled.saturating_add(point.scheduled);
            merged.succeeded = merged.succeeded.saturating_add(point.succeeded);
            merged.failed = merged.failed.saturating_add(point.failed);
            merged.p50 = merged.p50.max(point.p50);
            merged.p99 = merged.p99.max(point.p99);
            merged.max = merged.max.max(point.max);
        }
        Some(merged)
    };
    (series.chunks(group).filter_map(merged).collect(), group as u64)
}

/// Where a round ends and another begins.
fn rounds_end(side: &SideRecord) -> Vec<f64> {
    let mut ends = Vec::new();
    let mut at = 0.0;
    for round in sides::usable(side) {
        if at > 0.0 {
            ends.push(at);
        }
        at += round.seconds;
    }
    if ends.len() < PARTED { ends } else { Vec::new() }
}

fn spread_about(points: &[PointRecord]) -> String {
    let range = |values: Vec<u64>| match (values.iter().min(), values.iter().max()) {
        (Some(least), Some(most)) => format!("{} to {}", text::latency(*least), text::latency(*most)),
        _ => sides::TOO_FEW.to_owned(),
    };
    let of = |value: &dyn Fn(&PointRecord) -> Option<u64>| range(points.iter().filter_map(value).collect());
    format!(
        "median {}; p99 {}; largest {}",
        of(&|point| point.p50),
        of(&|point| point.p99),
        of(&|point| point.max)
    )
}

fn latency_axis(values: impl Iterator<Item = f64>) -> Option<Axis> {
    // A response in no time has no logarithm; nothing ends within a nanosecond.
    let scale = Scale::for_spread(values.map(|ns| ns.max(1.0)))?;
    let ticks = scale.ticks(7).into_iter();
    Some(Axis {
        scale,
        ticks: ticks.map(|ns| (ns, text::latency_tick(ns))).collect(),
    })
}

fn rate_axis(most: f64) -> Option<Axis> {
    let scale = Scale::from_zero(most)?;
    let ticks = scale.ticks(3).into_iter();
    Some(Axis {
        scale,
        ticks: ticks.map(|rate| (rate, text::tick(rate))).collect(),
    })
}

fn scale_words(scale: Scale) -> &'static str {
    match scale {
        Scale::Linear { .. } => "",
        Scale::Log { .. } => " on a logarithmic scale",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::load::sample;

    #[test]
    fn a_curve_for_every_side_that_is_not_void() {
        let record = sample::failing();
        let figure = curves(&record, &record.cells[0], 1).unwrap();
        let void = record.cells[0].sides.iter().filter(|side| side.void.is_some()).count();
        assert_eq!(void, 1);
        // Response and service time of each.
        assert_eq!(figure.charts[0].1.lines.len(), 2 * (record.cells[0].sides.len() - void));
        assert_eq!(figure.keys.len(), figure.charts[0].1.lines.len());
        insta::assert_debug_snapshot!((&figure.columns, &figure.rows));
    }

    #[test]
    fn a_void_cell_has_no_picture() {
        let mut record = sample::measured();
        record.cells[0].void = Some("late".into());
        assert!(curves(&record, &record.cells[0], 1).is_none());
        assert!(over_time(&record, &record.cells[0], 1).is_empty());
    }

    #[test]
    fn seconds_are_grouped_by_the_worst_and_never_averaged() {
        let point = |second: u64| PointRecord {
            second,
            scheduled: 10,
            succeeded: 9,
            failed: 1,
            p50: Some(second + 1),
            p99: (second == 2).then_some(70),
            max: Some(100),
        };
        let series: Vec<PointRecord> = (0..5).map(point).collect();
        let (points, group) = grouped(&series, 2);
        assert_eq!((points.len(), group), (2, 3));
        assert_eq!(
            (points[0].scheduled, points[0].p50, points[0].p99),
            (30, Some(3), Some(70))
        );
        assert_eq!((points[1].second, points[1].succeeded, points[1].p99), (3, 18, None));
        assert_eq!(grouped(&series, 5).1, 1);
    }

    #[test]
    fn the_marks_of_the_axis_are_a_decade_apart() {
        assert!((across(0.9) - 1.0).abs() < 1e-9 && (across(0.999) - 3.0).abs() < 1e-9);
        assert_eq!([0.0, 0.5, 0.999].map(percent_of), ["0 %", "50 %", "99.9 %"]);
    }
}
