//! A section for each cell: its sides, its pictures, its operations and its rounds. Pure.

use super::value;
use crate::{
    load::record::{CellRecord, CurveRecord, LoadRecord, OperationRecord, SideRecord},
    report::{
        html::{list, shown},
        load::{
            charts::{self, Figure},
            sides::{self, COLUMNS, Shown},
            words,
        },
        text,
    },
};
use minijinja::{Value, context};

/// Cells that are open at first.
const OPEN: usize = 1;

/// The columns of a round.
pub(super) const ROUND: [&str; 12] = [
    "due",
    "sent",
    "accepted",
    "failed",
    "req/s",
    "p50",
    "p99",
    "server CPU/req",
    "generator CPU/req",
    "in flight",
    "by Little's law",
    "most waiting",
];

/// Every cell with all that there is of it.
pub(super) fn section(record: &LoadRecord) -> Value {
    list(record.cells.iter().zip(1..).map(|(cell, number)| {
        let mut figures: Vec<Figure> = charts::curves(record, cell, number).into_iter().collect();
        figures.extend(charts::over_time(record, cell, number));
        context! {
            open => record.cells.len() <= OPEN,
            figures => list(figures.into_iter().map(figure)),
            operations => operations(record, cell),
            rounds => rounds(record, cell),
            anchor => format!("cell-{number}"),
            ..table(record, cell)
        }
    }))
}

/// The tables of the sides alone.
pub(super) fn tables(record: &LoadRecord) -> Value {
    list(record.cells.iter().map(|cell| table(record, cell)))
}

fn table(record: &LoadRecord, cell: &CellRecord) -> Value {
    let rows = sides::rows(record, cell).into_iter().zip(&cell.sides).map(|(row, side)| {
        let values = COLUMNS.iter().zip(&row.values).map(|(column, of)| value(column, of));
        context! {
            name => row.name, void => row.void, class => charts::class(record, side), mark => charts::mark(side.leg),
            values => list(values.collect::<Vec<_>>().into_iter()),
        }
    });
    context! {
        name => words::cell(record, cell),
        arrivals => words::arrivals(&cell.arrivals),
        conditions => words::conditions(cell),
        void => cell.void.as_deref().map(shown),
        columns => COLUMNS,
        rows => list(rows),
    }
}

fn figure(figure: Figure) -> Value {
    let pictures = figure.charts.iter().map(|(caption, chart)| {
        context! { caption, svg => Value::from_safe_string(chart.svg()) }
    });
    context! {
        title => figure.title, axes => figure.axes, note => figure.note,
        pictures => list(pictures),
        keys => list(figure.keys.into_iter().map(|(class, mark, words)| context! { class, mark, words })),
        columns => figure.columns, rows => figure.rows,
    }
}

/// Each operation of each side that is not void: how its requests ended, and where their time went.
fn operations(record: &LoadRecord, cell: &CellRecord) -> Value {
    let sides = cell.sides.iter().filter(|side| words::void(cell, side).is_none());
    list(sides.flat_map(|side| {
        let name = words::side(record, side.name());
        let rows = side.operations.iter().chain(&side.all);
        rows.map(move |operation| operation_row(&name, operation))
            .collect::<Vec<_>>()
    }))
}

fn operation_row(side: &str, operation: &OperationRecord) -> Value {
    let outcomes: Vec<String> = operation
        .outcomes
        .iter()
        .map(|(outcome, n)| format!("{} {}", shown(outcome), text::count(*n)))
        .collect();
    let at = |curve: &CurveRecord, q: f64| sides::latency(curve.at(q));
    let values = [
        ("p50", at(&operation.response, 0.5)),
        ("p99", at(&operation.response, 0.99)),
        ("service p99", at(&operation.service, 0.99)),
        ("waited for a slot, p99", at(&operation.slot_wait, 0.99)),
        ("generator late, p99", at(&operation.lateness, 0.99)),
    ];
    context! {
        side, id => shown(&operation.id), ended => outcomes.join(", "),
        values => list(values.iter().map(|(column, of)| value(column, of))),
        more => more(operation),
        hlog => operation.hlog.as_deref().map(shown),
    }
}

/// What only some operations have: failures and streams.
fn more(operation: &OperationRecord) -> String {
    let both = |words: &str, curve: &CurveRecord| {
        let at = |q: f64| sides::latency(curve.at(q)).text().to_owned();
        format!("{words}: p50 {}, p99 {}", at(0.5), at(0.99))
    };
    let mut parts = Vec::new();
    if operation.failures.count > 0 {
        parts.push(both("failed ones", &operation.failures));
    }
    let streams = [
        ("to the first message", &operation.first_message),
        ("between messages", &operation.gaps),
        ("to its delivery by a watch", &operation.delivery),
    ];
    let streams = streams
        .into_iter()
        .filter_map(|(words, curve)| Some((words, curve.as_ref()?)));
    parts.extend(streams.map(|(words, curve)| both(words, curve)));
    parts.join("; ")
}

/// Every round of every side, in the order in which they ran.
fn rounds(record: &LoadRecord, cell: &CellRecord) -> Value {
    let mut rounds: Vec<(&SideRecord, &_)> = cell
        .sides
        .iter()
        .flat_map(|side| side.rounds.iter().map(move |round| (side, round)))
        .collect();
    rounds.sort_by_key(|(_, round)| round.order);
    list(rounds.into_iter().map(|(side, round)| {
        let side_void = words::void(cell, side);
        let void = round.void.as_deref().map(shown).or(side_void);
        let values = if void.is_some() {
            Vec::new()
        } else {
            let cpu = round
                .server_cpu_us
                .map_or(Shown::Missing("not measured"), |us| Shown::Value(sides::micros(us)));
            let shown = |text: String| Shown::Value(text);
            let values = [
                shown(text::count(round.scheduled)),
                shown(text::count(round.sent)),
                shown(text::count(round.succeeded)),
                shown(text::count(round.failed)),
                shown(text::rate(round.throughput)),
                sides::latency(round.p50),
                sides::latency(round.p99),
                cpu,
                shown(sides::micros(round.client_cpu_us)),
                shown(text::rate(round.in_flight)),
                shown(text::rate(round.littles)),
                shown(text::count(round.most_waiting)),
            ];
            ROUND.into_iter().zip(values).collect()
        };
        context! {
            order => round.order.saturating_add(1), block => round.block.saturating_add(1), side => words::side(record, side.name()), void,
            values => list(values.iter().map(|(column, of)| value(column, of))),
        }
    }))
}
