//! The failures: each with its place in the scenario, what came back and what happened in order. Pure.

use super::{Links, class, hidden, list, mark, name, shown, timeline};
use crate::{
    report::{
        escape::visible,
        failure::{self, Excerpt},
        standing::{self, Standing},
        text,
    },
    verify::record::{CaseRecord, LevelName, MismatchRecord, RunRecord},
};
use minijinja::{Value, context};
use std::collections::BTreeSet;

/// Mismatches shown of one case, and entries of its timeline.
const MISMATCHES: usize = 20;
const TIMELINE: usize = 200;

/// Failures that stand open; the others are one click away.
const OPEN: usize = 20;

/// Columns of a source line, which scrolls where it does not fit.
const SOURCE: usize = 200;

pub(super) fn section(record: &RunRecord, links: &Links) -> Value {
    let failures = standing::failures(record);
    let shown = failures.iter().take(super::FAILURES).enumerate();
    // What failed the same way on another protocol need not be read twice.
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut is_new = |case: &CaseRecord| {
        let found: Vec<_> = case.mismatches.iter().map(|one| (one.line, &one.summary)).collect();
        known.insert(format!("{:?}", (&case.scenario, &case.row, found)))
    };
    context! {
        all => text::plural(failures.len() as u64, "case", "cases"),
        many => failures.len() > 3,
        hidden => hidden(failures.len(), super::FAILURES),
        list => list(shown.map(|(index, (case, standing))| failed(case, *standing, index, is_new(case) && index < OPEN, links))),
    }
}

fn failed(case: &CaseRecord, standing: Standing, index: usize, open: bool, links: &Links) -> Value {
    let rules = failure::failed_rules(case);
    context! {
        anchor => index + 1, class => class(standing), mark => mark(standing), words => standing.words(),
        open,
        name => shown(&case.name()),
        title => shown(&case.title),
        protocol => standing::title(case.protocol),
        rules => list(rules.iter().take(MISMATCHES).map(|rule| context! { id => shown(rule), link => links.rule(rule) })),
        note => failure::note(case, standing).map(|note| shown(&note)).unwrap_or_default(),
        elapsed => text::duration(case.elapsed_ms),
        place => format!("{}:{}", visible(&case.file), case.line),
        first => case.mismatches.first().map(|first| shown(&first.summary)).unwrap_or_default(),
        mismatches => list(case.mismatches.iter().take(MISMATCHES).map(|one| mismatch(one, failure::is_mixed(case)))),
        mismatches_hidden => hidden(case.mismatches.len(), MISMATCHES),
        left => list(case.left.iter().map(|left| Value::from(shown(left)))),
        picture => timeline::picture(&case.timeline),
        timeline => list(case.timeline.iter().take(TIMELINE).map(|entry| context! {
            at => text::offset(entry.at_ms), step => name(&entry.step), kind => name(&entry.kind), text => shown(&entry.text),
        })),
        timeline_hidden => hidden(case.timeline.len(), TIMELINE),
    }
}

/// `mixed`: the case fails different rules, so each mismatch names its own.
fn mismatch(mismatch: &MismatchRecord, mixed: bool) -> Value {
    let excerpt = Excerpt::of(mismatch, SOURCE);
    let first = mismatch.line.saturating_sub(mismatch.before.len());
    let gutter = mismatch.line.saturating_add(mismatch.after.len()).to_string().len();
    let around = |from: usize, lines: &[String]| {
        let numbered = lines.iter().zip(from..);
        list(numbered.map(|(line, number)| context! { number => format!("{number:gutter$}"), text => source(line) }))
    };
    context! {
        place => format!("{}:{}:{}", visible(&mismatch.file), mismatch.line, mismatch.column),
        step => if mismatch.step.starts_with("step ") { shown(&mismatch.step) } else { format!("step {}", shown(&mismatch.step)) },
        line => format!("{:gutter$}", mismatch.line),
        blank => " ".repeat(gutter),
        before => around(first, &mismatch.before),
        source => excerpt.source,
        carets => format!("{}{}", " ".repeat(excerpt.indent), "^".repeat(excerpt.carets)),
        after => around(mismatch.line.saturating_add(1), &mismatch.after),
        summary => shown(&mismatch.summary),
        rules => if mixed { shown(&mismatch.rules.join(", ")) } else { String::new() },
        should => mixed && mismatch.level == LevelName::Should,
        details => list(mismatch.details.iter().map(|(label, detail)| context! { label => name(label), text => shown(detail) })),
    }
}

/// A line around the one of a mismatch.
fn source(line: &str) -> String {
    text::clip(&visible(&line.replace('\t', " ")), SOURCE)
        .trim_end()
        .to_owned()
}
