//! All cases, and those without a verdict. Pure.

use super::{Links, class, list, mark, shown};
use crate::{
    report::{
        standing::{self, Standing},
        text,
    },
    verify::record::RunRecord,
};
use minijinja::{Value, context};

pub(super) fn section(record: &RunRecord, links: &Links) -> Value {
    let deciding = standing::deciding_level(&record.options);
    let mut standings: Vec<Standing> = record
        .cases
        .iter()
        .map(|case| standing::of_case(case, deciding))
        .collect();
    standings.sort();
    standings.dedup();
    let cases = record.cases.iter().map(|case| {
        let standing = standing::of_case(case, deciding);
        let name = case.name();
        context! {
            anchor => links.cases.get(&name).copied().unwrap_or(0),
            failure => links.failures.get(&name).copied().unwrap_or(0),
            class => class(standing), mark => mark(standing), words => standing.words(),
            name => shown(&name), title => shown(&case.title), protocol => standing::title(case.protocol),
            rules => shown(&case.rules.join(" ")),
            judged => text::count(case.judged), elapsed => text::duration(case.elapsed_ms),
        }
    });
    context! {
        n => text::plural(record.cases.len() as u64, "case", "cases"),
        standings => list(standings.iter().map(|standing| Value::from(standing.words()))),
        protocols => list(record.target.protocols.iter().map(|protocol| Value::from(standing::title(*protocol)))),
        list => list(cases),
    }
}

pub(super) fn without_verdict(record: &RunRecord, links: &Links) -> Value {
    list(standing::without_verdict(record).into_iter().map(|(standing, reason, cases)| {
        context! {
            class => class(standing), mark => mark(standing), words => standing.words(), reason => shown(reason),
            n => text::plural(cases.len() as u64, "case", "cases"),
            cases => list(cases.iter().map(|case| context! { name => shown(&case.name()), link => links.case(&case.name()) })),
        }
    }))
}
