//! The simulation over time: what arrives and what each `max` makes of it. Pure.

use super::{
    figures::{line, rate_axis},
    words,
};
use crate::{
    capacity::{
        recommend::Advice,
        scaler::{Outcome, Point, Reading},
    },
    report::{
        load::{
            chart::{Axis, Chart, Scale, Series},
            charts::Figure,
        },
        text,
    },
};

/// Outcomes in one picture; so many are left out of none that the command plays.
pub const MOST: usize = 6;

/// Rows of the table.
const ROWS: usize = 40;

/// Shapes of marks, by the place of the outcome; from the fifth on the strokes are dashed.
const MARKS: [&str; 4] = ["circle", "square", "triangle", "diamond"];

/// Marks on a line.
const MARKED: usize = 8;

/// By one reading: requests and what is sustained, replicas, waits and failures. Nothing where nothing was simulated.
pub fn timeline(advice: &Advice, reading: Reading) -> Option<Figure> {
    let outcomes: Vec<&Outcome> = advice
        .outcomes
        .iter()
        .filter(|outcome| outcome.deployment.reading == reading)
        .take(MOST)
        .collect();
    let first = outcomes.first()?;
    let x = time_axis(first.seconds)?;
    let id = match reading {
        Reading::Rate => "rate",
        Reading::InFlight => "calls",
    };
    let arriving = line(
        "cap-limit dashed",
        first
            .points
            .iter()
            .map(|point| (middle(point), Some(point.rate)))
            .collect(),
    );
    let replica = first.deployment.replica.rate;
    let chart =
        |part: &str, title: &str, extra: Option<Series>, of: &dyn Fn(&Point) -> f64, say: &dyn Fn(f64) -> String| {
            let values = outcomes.iter().flat_map(|outcome| outcome.points.iter().map(of));
            let more = extra.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y));
            let y = rate_axis(values.chain(more))?;
            let about = outcomes.iter().map(|outcome| {
                let most = outcome.points.iter().map(of).fold(0.0, f64::max);
                format!("max {}: at most {}", outcome.deployment.limits.max, say(most))
            });
            let lines = outcomes
                .iter()
                .enumerate()
                .map(|(at, outcome)| series(at, outcome, of, say));
            Some((
                title.to_owned(),
                Chart {
                    id: format!("chart-{id}-{part}"),
                    title: format!("{title}, by {}", reading.words()),
                    about: about.collect::<Vec<_>>().join("; "),
                    height: 150,
                    x: x.clone(),
                    y,
                    parted: Vec::new(),
                    lines: extra.into_iter().chain(lines).collect(),
                },
            ))
        };
    let charts: Vec<(String, Chart)> = [
        chart(
            "served",
            "Requests a second: arriving, and what the replicas that serve sustain",
            Some(arriving),
            &|point| f64::from(point.ready) * replica,
            &words::per_second,
        ),
        chart(
            "replicas",
            "Replicas that serve",
            None,
            &|point| f64::from(point.ready),
            &text::tick,
        ),
        chart(
            "wait",
            "Longest wait, seconds",
            None,
            &|point| point.wait_s,
            &words::wait,
        ),
        chart(
            "failed",
            "Failed requests a second",
            None,
            &|point| point.failed,
            &text::rate,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut keys = vec![("cap-limit dashed".to_owned(), "", "arriving".to_owned())];
    keys.extend(outcomes.iter().enumerate().map(|(at, outcome)| {
        let limits = outcome.deployment.limits;
        (
            class(at),
            MARKS[at % MARKS.len()],
            format!("max {}, concurrency {}", limits.max, limits.concurrency),
        )
    }));
    let (columns, rows) = table(&outcomes);
    Some(Figure {
        title: format!("If the platform counts {}", reading.words()),
        axes: "across: time".into(),
        charts,
        keys,
        columns,
        rows,
        note: "Each row stands for the time until the next one: rates are means, replicas the fewest that serve, waits the longest.".into(),
    })
}

fn class(at: usize) -> String {
    let dashed = if at < MARKS.len() { "" } else { " dashed" };
    format!("sim-{}{dashed}", at % MARKS.len() + 1)
}

fn middle(point: &Point) -> f64 {
    point.at + point.seconds / 2.0
}

/// A stroke with a few marks, so that it is told from the others without its colour.
fn series(at: usize, outcome: &Outcome, of: &dyn Fn(&Point) -> f64, say: &dyn Fn(f64) -> String) -> Series {
    let every = (outcome.points.len() / MARKED).max(1);
    let marked = outcome
        .points
        .iter()
        .skip((at * every / MOST).min(every))
        .step_by(every);
    let marks = marked.map(|point| {
        let says = format!(
            "max {} at {}: {}",
            outcome.deployment.limits.max,
            words::clock(point.at),
            say(of(point))
        );
        (middle(point), of(point), says)
    });
    Series {
        class: class(at),
        points: outcome
            .points
            .iter()
            .map(|point| (middle(point), Some(of(point))))
            .collect(),
        mark: MARKS[at % MARKS.len()],
        marks: marks.collect(),
    }
}

fn time_axis(seconds: f64) -> Option<Axis> {
    if !seconds.is_finite() || seconds <= 0.0 {
        return None;
    }
    let steps = [
        10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0,
    ];
    let step = steps.into_iter().find(|step| seconds / step <= 8.0).unwrap_or(86_400.0);
    let count = (seconds / step + 1e-9).floor() as u32;
    let label = |at: f64| match step {
        ..60.0 => format!("{at} s"),
        60.0..3600.0 => format!("{} min", at / 60.0),
        _ => format!("{} h", at / 3600.0),
    };
    Some(Axis {
        scale: Scale::Linear { from: 0.0, to: seconds },
        ticks: (0..=count)
            .map(|n| f64::from(n) * step)
            .map(|at| (at, label(at)))
            .collect(),
    })
}

/// Few rows, each the worst of its time.
fn table(outcomes: &[&Outcome]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut columns = vec!["from".to_owned(), "arriving/s".to_owned()];
    for outcome in outcomes {
        let max = outcome.deployment.limits.max;
        columns.extend(["serving", "longest wait", "failed/s"].map(|what| format!("max {max}: {what}")));
    }
    let points = outcomes.iter().map(|outcome| outcome.points.len()).min().unwrap_or(0);
    let group = points.div_ceil(ROWS).max(1);
    let rows = (0..points).step_by(group).map(|start| {
        let of = |outcome: &Outcome| -> Vec<Point> {
            let end = (start + group).min(outcome.points.len());
            outcome.points.get(start..end).unwrap_or_default().to_vec()
        };
        let mean = |points: &[Point], of: &dyn Fn(&Point) -> f64| {
            let seconds: f64 = points.iter().map(|point| point.seconds).sum();
            let sum: f64 = points.iter().map(|point| of(point) * point.seconds).sum();
            if seconds > 0.0 { sum / seconds } else { 0.0 }
        };
        let mut row = Vec::new();
        for (at, outcome) in outcomes.iter().enumerate() {
            let points = of(outcome);
            if at == 0 {
                row.push(words::clock(points.first().map_or(0.0, |point| point.at)));
                row.push(text::rate(mean(&points, &|point| point.rate)));
            }
            row.push(points.iter().map(|point| point.ready).min().unwrap_or(0).to_string());
            row.push(words::wait(points.iter().map(|point| point.wait_s).fold(0.0, f64::max)));
            row.push(text::rate(mean(&points, &|point| point.failed)));
        }
        row
    });
    (columns, rows.collect())
}
