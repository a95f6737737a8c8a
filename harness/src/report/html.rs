//! `index.html`: the report for people, one file that asks for nothing: no script, no font, no image, no request. Pure.
//!
//! Everything is put in words and classes here; `report.html.j2` only arranges it. The template escapes what it is given
//! (autoescape is on), and a Content-Security-Policy forbids the page to load or run anything even if it did not.

use super::{
    escape::visible,
    failure::{self, Excerpt},
    standing::{self, Standing},
    text,
};
use crate::verify::record::{CaseRecord, LevelName, MismatchRecord, RuleRecord, RunRecord, VerdictResult};
use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};
use std::collections::BTreeMap;

/// Failures shown; more are counted. A browser stays quick, and `run.json` has all.
const FAILURES: usize = 500;

/// Mismatches shown of one case, and entries of its timeline.
const MISMATCHES: usize = 20;
const TIMELINE: usize = 200;

/// Characters of one foreign text.
const CHARACTERS: usize = 2000;

/// Columns of a source line.
const SOURCE: usize = 110;

/// The file's text.
pub fn render(record: &RunRecord) -> String {
    // The template and the names in it are part of the program, and the tests render it whole: it fails on no record.
    // If it did, a page that says so is better than none.
    page(record).unwrap_or_else(|error| {
        let why = error.to_string().replace('&', "&amp;").replace('<', "&lt;");
        format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>stocktake</title>\n<p>This report cannot be shown ({why}); run.json has all of it.\n")
    })
}

fn page(record: &RunRecord) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // The name ends in .html, which turns the escaping on.
    environment.add_template("report.html", include_str!("report.html.j2"))?;
    let deciding = standing::deciding_level(&record.options);
    let failures = standing::failures(record);
    let anchors: BTreeMap<String, usize> = failures
        .iter()
        .take(FAILURES)
        .enumerate()
        .map(|(i, (case, _))| (case.name(), i + 1))
        .collect();
    let should_decides = deciding == LevelName::Should;
    environment.get_template("report.html")?.render(context! {
        command => shown(&record.command),
        verdict => verdict(record),
        facts => facts(record),
        counts => counts(record),
        cases_in_words => text::plural(record.verdict.counts.cases, "case", "cases"),
        judged => text::plural(record.cases.iter().map(|case| case.judged).sum(), "expectation judged", "expectations judged"),
        elapsed => text::duration(record.elapsed_ms),
        caveats => list(record.caveats.iter().map(|caveat| context! { text => shown(&caveat.text), remedy => shown(&caveat.remedy) })),
        failures => list(failures.iter().take(FAILURES).enumerate().map(|(i, (case, standing))| failed_case(case, *standing, i + 1))),
        failures_hidden => hidden(failures.len(), FAILURES),
        should_decides,
        rule_groups => rule_groups(record, &anchors, deciding),
        rules_passed => rules_passed(record),
        without_verdict => without_verdict(record),
        residue => list(record.residue.iter().map(|left| context! { what => shown(&left.what), why => shown(&left.why) })),
        cases => cases(record, deciding, &anchors),
        identity => identity(record),
    })
}

fn verdict(record: &RunRecord) -> Value {
    let words = standing::verdict_words(record.verdict.result);
    let class = match record.verdict.result {
        VerdictResult::Passed => "good",
        VerdictResult::Failed => "bad",
        VerdictResult::NotJudged | VerdictResult::Interrupted => "doubt",
    };
    let mut letters = words.chars();
    let headline: String = letters
        .next()
        .map(|first| first.to_ascii_uppercase())
        .into_iter()
        .chain(letters)
        .collect();
    context! {
        headline, class,
        mark => match record.verdict.result {
            VerdictResult::Passed => "✓",
            VerdictResult::Failed => "✕",
            VerdictResult::NotJudged | VerdictResult::Interrupted => "!",
        },
        sentence => shown(&record.verdict.sentence),
        exit_code => record.verdict.exit_code,
        incomplete => !record.verdict.complete,
        started => shown(&text::instant(&record.started)),
        target => shown(&record.target.address),
    }
}

/// What was judged, as name and value.
fn facts(record: &RunRecord) -> Value {
    let protocols: Vec<&str> = record.target.protocols.iter().map(|protocol| protocol.name()).collect();
    let mut facts = vec![
        ("Target", shown(&record.target.address)),
        ("Protocol", protocols.join(", ")),
        ("Descriptors", shown(&record.target.descriptors)),
    ];
    let answered: Vec<String> = record
        .target
        .answered_by
        .iter()
        .map(|(who, n)| format!("{} ({})", visible(who), text::plural(*n, "answer", "answers")))
        .collect();
    if !answered.is_empty() {
        facts.push(("Answered by", text::cap(&answered.join(", "), CHARACTERS)));
    }
    pairs(facts)
}

fn counts(record: &RunRecord) -> Value {
    list(standing::counts(record).into_iter().map(|(standing, n)| {
        context! { class => if n == 0 { "open" } else { class(standing) }, mark => mark(standing), words => standing.words(), n => text::count(n), share => n }
    }))
}

fn failed_case(case: &CaseRecord, standing: Standing, anchor: usize) -> Value {
    context! {
        anchor, class => class(standing), mark => mark(standing), words => standing.words(), decides => standing.decides(),
        name => shown(&case.name()),
        title => shown(&case.title),
        rules => list(failure::failed_rules(case).iter().take(MISMATCHES).map(|rule| Value::from(shown(rule)))),
        reason => standing::reason(case).map(shown).unwrap_or_default(),
        elapsed => text::duration(case.elapsed_ms),
        place => format!("{}:{}", visible(&case.file), case.line),
        mismatches => list(case.mismatches.iter().take(MISMATCHES).map(|one| mismatch(one, failure::is_mixed(case)))),
        mismatches_hidden => hidden(case.mismatches.len(), MISMATCHES),
        left => shown(&case.left.join(", ")),
        timeline => list(case.timeline.iter().take(TIMELINE).map(|entry| context! {
            at => text::offset(entry.at_ms), step => name(&entry.step), kind => name(&entry.kind), text => shown(&entry.text),
        })),
        timeline_hidden => hidden(case.timeline.len(), TIMELINE),
    }
}

/// `mixed`: the case fails different rules, so each mismatch names its own.
fn mismatch(mismatch: &MismatchRecord, mixed: bool) -> Value {
    let excerpt = Excerpt::of(mismatch, SOURCE);
    context! {
        place => format!("{}:{}:{}", visible(&mismatch.file), mismatch.line, mismatch.column),
        step => if mismatch.step.starts_with("step ") { shown(&mismatch.step) } else { format!("step {}", shown(&mismatch.step)) },
        line => mismatch.line,
        source => excerpt.source,
        carets => format!("{}{}", " ".repeat(excerpt.indent), "^".repeat(excerpt.carets)),
        summary => shown(&mismatch.summary),
        rules => if mixed { shown(&mismatch.rules.join(", ")) } else { String::new() },
        should => mixed && mismatch.level == LevelName::Should,
        details => list(mismatch.details.iter().map(|(label, detail)| context! { label => name(label), text => shown(detail) })),
    }
}

/// Rules by what stands before the first dot, groups and rules in the record's order.
fn rule_groups(record: &RunRecord, anchors: &BTreeMap<String, usize>, deciding: LevelName) -> Value {
    let mut groups: Vec<(&str, Vec<&RuleRecord>)> = Vec::new();
    for rule in &record.rules {
        let prefix = rule.id.split('.').next().unwrap_or_default();
        match groups.iter_mut().find(|(group, _)| *group == prefix) {
            Some((_, rules)) => rules.push(rule),
            None => groups.push((prefix, vec![rule])),
        }
    }
    list(groups.into_iter().map(|(prefix, rules)| {
        context! { prefix => shown(prefix), rules => list(rules.into_iter().map(|rule| rule_row(rule, anchors, deciding))) }
    }))
}

fn rule_row(rule: &RuleRecord, anchors: &BTreeMap<String, usize>, deciding: LevelName) -> Value {
    let standing = standing::of_rule(rule, deciding);
    let links = rule.failed_cases.iter().take(MISMATCHES).map(|case| {
        context! { name => shown(case), anchor => anchors.get(case).copied().unwrap_or(0) }
    });
    context! {
        id => shown(&rule.id), text => shown(&rule.text), class => class(standing), mark => mark(standing),
        words => standing.words(),
        level => match rule.level {
            LevelName::Must => "must",
            LevelName::Should => "should",
        },
        passed => cell(rule.passed), failed => cell(rule.failed), not_judged => cell(rule.not_judged),
        any_passed => rule.passed > 0, any_failed => rule.failed > 0, any_not_judged => rule.not_judged > 0,
        links => list(links),
    }
}

/// A count in a table: what is not there does not shout.
fn cell(n: u64) -> String {
    if n == 0 { "–".to_owned() } else { text::count(n) }
}

fn rules_passed(record: &RunRecord) -> String {
    let passed = record
        .rules
        .len()
        .saturating_sub(standing::rules_not_passed(record).len());
    format!(
        "{} of {} passed",
        text::count(passed as u64),
        text::plural(record.rules.len() as u64, "rule", "rules")
    )
}

fn without_verdict(record: &RunRecord) -> Value {
    list(standing::without_verdict(record).into_iter().map(|(standing, reason, cases)| {
        context! {
            class => class(standing), mark => mark(standing), words => standing.words(), reason => shown(reason),
            cases => list(cases.iter().map(|case| Value::from(shown(&case.name())))),
            n => text::plural(cases.len() as u64, "case", "cases"),
        }
    }))
}

fn cases(record: &RunRecord, deciding: LevelName, anchors: &BTreeMap<String, usize>) -> Value {
    list(record.cases.iter().map(|case| {
        let standing = standing::of_case(case, deciding);
        context! {
            class => class(standing), mark => mark(standing), words => standing.words(),
            name => shown(&case.name()), title => shown(&case.title),
            judged => text::count(case.judged), elapsed => text::duration(case.elapsed_ms),
            anchor => anchors.get(&case.name()).copied().unwrap_or(0),
        }
    }))
}

fn identity(record: &RunRecord) -> Value {
    let options: Vec<String> = record
        .options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut facts = vec![
        ("Run", shown(&record.run_id)),
        ("Started", shown(&text::instant(&record.started))),
        ("Took", text::duration(record.elapsed_ms)),
        (
            "Suite",
            format!(
                "{}, {}",
                visible(&record.suite.name),
                text::plural(record.suite.files as u64, "file", "files")
            ),
        ),
        ("Suite SHA-256", shown(&record.suite.sha256)),
        ("stocktake", shown(&record.host.stocktake)),
        (
            "Host",
            format!(
                "{}, {}",
                visible(&record.host.system),
                text::plural(record.host.cpus as u64, "processor", "processors")
            ),
        ),
    ];
    if !options.is_empty() {
        facts.push(("Options", shown(&options.join(" "))));
    }
    pairs(facts)
}

fn pairs(facts: Vec<(&str, String)>) -> Value {
    list(facts.into_iter().map(|(name, value)| context! { name, value }))
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Failed | Standing::UnexpectedPass => "bad",
        Standing::FailedShould => "doubt",
        Standing::KnownFailing => "known",
        Standing::NotJudged | Standing::Skipped => "open",
        Standing::Passed => "good",
    }
}

/// A sign beside the colour, for those who do not see the colour.
fn mark(standing: Standing) -> &'static str {
    match standing {
        Standing::Failed => "✕",
        Standing::UnexpectedPass | Standing::FailedShould => "!",
        Standing::KnownFailing => "~",
        Standing::NotJudged => "?",
        Standing::Skipped => "–",
        Standing::Passed => "✓",
    }
}

fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::from(items.collect::<Vec<Value>>())
}

fn hidden(all: usize, shown: usize) -> usize {
    all.saturating_sub(shown)
}

/// A short name in a narrow column.
fn name(text: &str) -> String {
    text::clip(&visible(text), 24)
}

fn shown(text: &str) -> String {
    text::cap(&visible(text), CHARACTERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// What follows the style sheet, which is not worth a snapshot.
    fn body(page: &str) -> &str {
        page.split_once("</head>").map_or(page, |(_, body)| body)
    }

    #[test]
    fn a_run_with_one_of_everything() {
        insta::assert_snapshot!(body(&render(&sample::failing())));
    }

    #[test]
    fn a_run_that_passes_is_calm() {
        insta::assert_snapshot!(body(&render(&sample::passing())));
    }

    #[test]
    fn asks_for_nothing_from_anywhere() {
        let page = render(&sample::failing());
        for resource in [
            "src=",
            "srcset=",
            "url(",
            "@import",
            "<script",
            "<link",
            "<iframe",
            "<object",
            "http-equiv=\"refresh",
        ] {
            assert!(!page.contains(resource), "{resource} in the page");
        }
        for (at, _) in page.match_indices("href=\"") {
            assert!(
                page.get(at + 6..).is_some_and(|link| link.starts_with('#')),
                "a link leaves the page"
            );
        }
        assert!(page.contains("default-src 'none'"));
    }

    #[test]
    fn a_hostile_text_stays_text() {
        let page = render(&sample::hostile());
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(!page.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
        // No tag of the page is closed or opened by the text: the same elements as for a harmless one.
        let tags = |page: &str, tag: &str| page.matches(tag).count();
        for tag in ["<pre", "<details", "<section", "<table"] {
            let close = tag.replace('<', "</");
            assert_eq!(tags(&page, tag), tags(&page, &close), "{tag}");
        }
    }
}
