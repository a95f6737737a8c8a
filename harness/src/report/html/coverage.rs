//! What was called, what it was answered, and which fields were touched. Pure.

use super::{hidden, list, name, shown};
use crate::{
    client::{Code, Protocol},
    report::{
        coverage::{self, Share},
        standing, text,
    },
    verify::record::{MethodCoverage, RunRecord},
};
use minijinja::{Value, context};

/// Methods shown; more are counted.
const METHODS: usize = 200;

/// Names in one list of what was not exercised.
const ITEMS: usize = 60;

pub(super) fn section(record: &RunRecord) -> Value {
    let all: Vec<&MethodCoverage> = coverage::all_methods(record).collect();
    let ends = ends(&all);
    let gaps = coverage::gaps(record).into_iter().map(|gap| {
        let names = gap.items.iter().take(ITEMS).map(|item| Value::from(shown(item)));
        context! { what => gap.what, items => list(names), hidden => hidden(gap.items.len(), ITEMS) }
    });
    context! {
        any => !all.is_empty(),
        calls => text::plural(all.iter().map(|method| method.calls).sum(), "call", "calls"),
        reach => list(coverage::reach(record).into_iter().map(|reach| context! {
            protocol => standing::title(reach.protocol),
            shares => list([
                ("methods called", reach.methods), ("request fields set", reach.request),
                ("response fields seen", reach.response), ("response fields judged", reach.judged),
            ].into_iter().map(|(name, share)| meter(name, share))),
        })),
        gaps => list(gaps),
        columns => ends.len() + 3,
        ends => list(ends.iter().map(|end| context! { name => name(end), words => words(end) })),
        services => services(&all, &ends),
        hidden => hidden(all.len(), METHODS),
        methods => list(methods(&record.coverage.methods)),
    }
}

fn meter(name: &str, share: Share) -> Value {
    let part = if share.of == 0 {
        0.0
    } else {
        share.reached as f64 / share.of as f64 * 100.0
    };
    context! {
        name, reached => text::count(share.reached), of => text::count(share.of), width => format!("{part:.2}%"),
        full => share.reached == share.of,
    }
}

/// How calls of the run ended, in the order of the codes.
fn ends(methods: &[&MethodCoverage]) -> Vec<String> {
    let rank = |name: &str| match Code::from_name(name) {
        Some(code) => usize::from(code.0),
        None => {
            100 + ["proxy", "connection", "client"]
                .iter()
                .position(|end| *end == name)
                .unwrap_or(3)
        }
    };
    let mut ends: Vec<String> = methods
        .iter()
        .flat_map(|method| &method.ends)
        .map(|(end, _)| end.clone())
        .collect();
    ends.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
    ends.dedup();
    ends
}

/// What an end means that is no status of the service.
fn words(end: &str) -> &'static str {
    match end {
        "proxy" => "answered by something in front of the service",
        "connection" => "the connection broke",
        "client" => "cancelled or given up by stocktake",
        _ => "",
    }
}

/// The rows of the table of statuses, by service.
fn services(methods: &[&MethodCoverage], ends: &[String]) -> Value {
    let mut services: Vec<(&str, Vec<Value>)> = Vec::new();
    let mut above = "";
    for method in methods.iter().take(METHODS) {
        let (service, own) = method.method.rsplit_once('/').unwrap_or(("", &method.method));
        let counts = ends.iter().map(|end| {
            let n = method.ends.iter().find(|(of, _)| of == end).map_or(0, |(_, n)| *n);
            context! { end => name(end), n => text::count(n), any => n > 0, ok => end == "OK" }
        });
        let row = context! {
            name => shown(own), protocol => standing::title(method.protocol), described => method.described,
            again => above == method.method,
            calls => text::count(method.calls), called => method.calls > 0, counts => list(counts),
        };
        above = &method.method;
        match services.iter_mut().find(|(known, _)| *known == service) {
            Some((_, rows)) => rows.push(row),
            None => services.push((service, vec![row])),
        }
    }
    list(
        services
            .into_iter()
            .map(|(service, rows)| context! { name => shown(service), rows }),
    )
}

/// The fields of each method, protocols beside each other.
fn methods(methods: &[MethodCoverage]) -> impl Iterator<Item = Value> {
    let mut grouped: Vec<(&str, Vec<&MethodCoverage>)> = Vec::new();
    for method in methods {
        match grouped.last_mut().filter(|(last, _)| *last == method.method) {
            Some((_, group)) => group.push(method),
            None => grouped.push((&method.method, vec![method])),
        }
    }
    grouped.into_iter().take(METHODS).map(|(name, group)| {
        let protocols: Vec<Protocol> = group.iter().map(|method| method.protocol).collect();
        let request = fields(&group, |method| {
            method
                .request
                .iter()
                .map(|field| (field.field.as_str(), vec![field.set]))
                .collect()
        });
        let response = fields(&group, |method| {
            method
                .response
                .iter()
                .map(|field| (field.field.as_str(), vec![field.set, field.judged]))
                .collect()
        });
        let summary = summary(&group, &request, &response);
        context! {
            name => shown(coverage::short(name)),
            summary,
            protocols => list(protocols.iter().map(|protocol| Value::from(standing::title(*protocol)))),
            request => list(request.into_iter().map(Row::value)),
            response => list(response.into_iter().map(Row::value)),
            left_out => group.iter().map(|method| method.fields_left_out).max().unwrap_or(0),
        }
    })
}

/// What is missing on some protocol, in a few words.
fn summary(group: &[&MethodCoverage], request: &[Row], response: &[Row]) -> String {
    let idle: Vec<&str> = group
        .iter()
        .filter(|of| of.calls == 0)
        .map(|of| standing::title(of.protocol))
        .collect();
    if idle.len() == group.len() {
        return "never called".to_owned();
    }
    let missed = |rows: &[Row], which: usize| {
        let is_missed = |row: &&Row| {
            let on = row.counts.iter().zip(group).filter(|(_, method)| method.calls > 0);
            on.map(|(counts, _)| counts.get(which)).any(|count| count == Some(&0))
        };
        rows.iter().filter(is_missed).count() as u64
    };
    let fields = [
        (missed(request, 0), "request field", "never set"),
        (missed(response, 0), "response field", "never seen"),
        (missed(response, 1), "response field", "never judged"),
    ];
    let mut words: Vec<String> = fields
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, field, what)| format!("{} {what}", text::plural(n, field, &format!("{field}s"))))
        .collect();
    if !idle.is_empty() {
        words.insert(0, format!("never called over {}", idle.join(" and ")));
    }
    words.join(", ")
}

/// A field with its counts by protocol.
struct Row {
    field: String,
    counts: Vec<Vec<u64>>,
}

impl Row {
    fn value(self) -> Value {
        let counts = self.counts.into_iter().map(|counts| {
            list(
                counts
                    .into_iter()
                    .map(|n| context! { n => text::count(n), any => n > 0 }),
            )
        });
        context! { field => shown(&self.field), counts => list(counts) }
    }
}

fn fields<'a>(group: &[&'a MethodCoverage], of: impl Fn(&'a MethodCoverage) -> Vec<(&'a str, Vec<u64>)>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (column, method) in group.iter().enumerate() {
        for (index, (field, counts)) in of(method).into_iter().enumerate() {
            // The protocols of one method share its descriptor, so the fields stand at the same places.
            match rows.get_mut(index).filter(|row| column > 0 && row.field == field) {
                Some(row) => row.counts.push(counts),
                None => rows.push(Row {
                    field: field.to_owned(),
                    counts: vec![counts],
                }),
            }
        }
    }
    rows
}
