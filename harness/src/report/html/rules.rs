//! The table of rules and protocols. Pure.

use super::{Links, class, hidden, list, mark, shown};
use crate::{
    client::Protocol,
    report::{
        standing::{self, OnProtocol, Standing},
        text,
    },
    verify::record::{CaseRecord, RuleRecord, RunRecord},
};
use minijinja::{Value, context};

/// Cases listed below one rule; more are counted.
const CASES: usize = 60;

pub(super) fn section(record: &RunRecord, links: &Links) -> Value {
    let protocols = standing::protocols(record);
    let groups = groups(record);
    let cases = standing::cases_by_rule(record);
    let tally = |wanted: &str| {
        let rules: Vec<&RuleRecord> = record.rules.iter().filter(|rule| rule.level.name() == wanted).collect();
        let held = rules.iter().filter(|rule| is_passed(rule, record)).count() as u64;
        let of = text::count(rules.len() as u64);
        (!rules.is_empty()).then(|| {
            format!(
                "{} of {of} {wanted} {}",
                text::count(held),
                if rules.len() == 1 { "rule" } else { "rules" }
            )
        })
    };
    context! {
        by_level => [tally("must"), tally("should")].into_iter().flatten().collect::<Vec<_>>().join(" and "),
        should_decides => standing::deciding_level(&record.options) == crate::verify::record::LevelName::Should,
        protocols => list(protocols.iter().map(|protocol| Value::from(standing::title(*protocol)))),
        columns => protocols.len() + 3,
        groups => list(groups.into_iter().map(|(prefix, rules)| context! {
            prefix => shown(prefix),
            rules => list(rules.into_iter().map(|rule| row(rule, &protocols, cases.get(rule.id.as_str()).map_or(&[][..], Vec::as_slice), record, links))),
        })),
    }
}

fn is_passed(rule: &RuleRecord, record: &RunRecord) -> bool {
    standing::of_rule(rule, standing::deciding_level(&record.options)) == Standing::Passed
}

/// Rules by what stands before the first dot, groups and rules in the record's order.
fn groups(record: &RunRecord) -> Vec<(&str, Vec<&RuleRecord>)> {
    let mut groups: Vec<(&str, Vec<&RuleRecord>)> = Vec::new();
    for rule in &record.rules {
        let prefix = rule.id.split('.').next().unwrap_or_default();
        match groups.iter_mut().find(|(group, _)| *group == prefix) {
            Some((_, rules)) => rules.push(rule),
            None => groups.push((prefix, vec![rule])),
        }
    }
    groups
}

fn row(rule: &RuleRecord, protocols: &[Protocol], cases: &[&CaseRecord], record: &RunRecord, links: &Links) -> Value {
    let deciding = standing::deciding_level(&record.options);
    let standing = standing::of_rule(rule, deciding);
    let link = |case: &CaseRecord| {
        let standing = standing::of_case(case, deciding);
        context! {
            name => shown(&case.name()), link => links.case(&case.name()), class => class(standing),
            mark => mark(standing), words => standing.words(),
        }
    };
    let broken = |case: &&&CaseRecord| rule.failed_cases.contains(&case.name());
    context! {
        anchor => links.rules.get(&rule.id).copied().unwrap_or(0),
        id => shown(&rule.id), text => shown(&rule.text), level => rule.level.name(),
        class => class(standing), passed => standing == Standing::Passed,
        cells => list(protocols.iter().map(|protocol| cell(rule, *protocol, record))),
        broken => list(cases.iter().filter(broken).take(CASES).map(|case| link(case))),
        n => text::plural(cases.len() as u64, "case", "cases"),
        cases => list(cases.iter().take(CASES).map(|case| link(case))),
        hidden => hidden(cases.len(), CASES),
    }
}

fn cell(rule: &RuleRecord, protocol: Protocol, record: &RunRecord) -> Value {
    let protocol_title = standing::title(protocol);
    let plain = |words: &str| context! { protocol => protocol_title, class => "none", mark => "", words, n => "" };
    match standing::on_protocol(rule, protocol, record) {
        OnProtocol::NotOffered => plain("not offered"),
        OnProtocol::NoCase => plain("no case"),
        OnProtocol::Judged(standing, tally) => {
            let n = match standing {
                Standing::Failed | Standing::FailedShould => standing::failed_of(tally.failed, tally.passed),
                Standing::Passed => text::count(tally.passed),
                _ => text::count(tally.not_judged),
            };
            context! {
                protocol => protocol_title, class => class(standing), mark => mark(standing), words => standing.words(), n,
            }
        }
    }
}
