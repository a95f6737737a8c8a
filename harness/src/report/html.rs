//! `index.html`: the report for people, one file that asks for nothing from anywhere. Pure.
//!
//! Everything is put in words and classes here and in the rooms below; the templates only arrange it and escape what they
//! are given (autoescape is on). A Content-Security-Policy names the one style sheet and the one script of the page by
//! their hashes and forbids all else, so that a text of a target would not run even if it were not escaped. Without the
//! script the page reads the same; it filters, opens what a link points at, and remembers the theme.

mod cases;
mod coverage;
mod failures;
mod rules;
mod timeline;

use super::{
    escape::visible,
    load,
    standing::{self, Standing},
    text,
};
use crate::verify::record::{CheckResult, RunRecord, VerdictResult};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use minijinja::{Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Failures shown; more are counted. A browser stays quick, and `run.json` has all.
const FAILURES: usize = 500;

/// Characters of one foreign text.
const CHARACTERS: usize = 2000;

/// The style of every page.
pub(in crate::report) const STYLE: &str = include_str!("html/style.css");

/// The script of every page: theme, links, print.
pub(in crate::report) const COMMON_SCRIPT: &str = include_str!("html/script.js");

const SCRIPT: &str = concat!(include_str!("html/script.js"), include_str!("html/filter.js"));

/// By name; one that ends in .html is escaped.
const SHARED: [(&str, &str); 2] = [
    ("parts.html", include_str!("html/parts.j2")),
    ("head.html", include_str!("html/head.j2")),
];

/// Those of this page alone.
const TEMPLATES: [(&str, &str); 6] = [
    ("checks.html", include_str!("html/checks.j2")),
    ("page.html", include_str!("html/page.j2")),
    ("failures.html", include_str!("html/failures.j2")),
    ("rules.html", include_str!("html/rules.j2")),
    ("coverage.html", include_str!("html/coverage.j2")),
    ("cases.html", include_str!("html/cases.j2")),
];

/// The file's text.
pub fn render(record: &RunRecord) -> String {
    page(record).unwrap_or_else(apology)
}

/// A page that says that it could not be made. The templates and the names in them are part of the program, and the tests
/// render them whole: they fail on no record.
pub(in crate::report) fn apology(error: minijinja::Error) -> String {
    let why = error.to_string().replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>stocktake</title>\n<p>This report cannot be shown ({why}); run.json has all of it.\n"
    )
}

/// The templates of a page, after those that all share.
pub(in crate::report) fn environment(
    templates: &[(&'static str, &'static str)],
) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    for (name, text) in SHARED.iter().chain(templates) {
        environment.add_template(name, text)?;
    }
    Ok(environment)
}

/// The one style sheet and the one script of a page, and their hashes.
pub(in crate::report) fn dressed(style: String, script: &str) -> Value {
    context! {
        style_hash => Value::from_safe_string(hash(&style)), script_hash => Value::from_safe_string(hash(script)),
        style => Value::from_safe_string(style), script => Value::from_safe_string(script.to_owned()),
    }
}

fn page(record: &RunRecord) -> Result<String, minijinja::Error> {
    let environment = environment(&[TEMPLATES.as_slice(), &load::html::TEMPLATES].concat())?;
    let links = Links::of(record);
    environment.get_template("page.html")?.render(context! {
        dress => dressed(STYLE.to_owned() + record.load.as_ref().map_or("", |_| load::html::STYLE), SCRIPT),
        load => record.load.as_ref().map(|load| load::html::short(load)),
        command => shown(&record.command),
        verdict => verdict(record),
        tiles => tiles(record),
        counts => counts(record),
        facts => facts(record),
        answered_by => list(record.target.answered_by.iter().map(|(who, n)| context! { who => shown(who), n => text::plural(*n, "answer", "answers") })),
        not_offered => list(record.target.not_offered.iter().map(|(protocol, why)| context! { protocol => standing::title(*protocol), why => shown(why) })),
        identity => identity(record),
        caveats => list(record.caveats.iter().map(|caveat| context! { text => shown(&caveat.text), remedy => shown(&caveat.remedy) })),
        checks => checks(record),
        failures => failures::section(record, &links),
        rules => rules::section(record, &links),
        coverage => coverage::section(record),
        without_verdict => cases::without_verdict(record, &links),
        residue => list(record.residue.iter().map(|left| context! { what => shown(&left.what), why => shown(&left.why) })),
        cases => cases::section(record, &links),
    })
}

/// What a Content-Security-Policy calls the hash of an inline style sheet or script (CSP 3 section 2.3.1).
pub(in crate::report) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Where things stand on the page.
struct Links {
    /// Failures by the name of their case, from 1.
    failures: BTreeMap<String, usize>,
    /// Cases by name, from 1.
    cases: BTreeMap<String, usize>,
    /// Rules by id, from 1.
    rules: BTreeMap<String, usize>,
}

impl Links {
    fn of(record: &RunRecord) -> Links {
        let numbered = |names: &mut dyn Iterator<Item = String>| names.zip(1..).collect();
        Links {
            failures: numbered(
                &mut standing::failures(record)
                    .iter()
                    .take(FAILURES)
                    .map(|(case, _)| case.name()),
            ),
            cases: numbered(&mut record.cases.iter().map(|case| case.name())),
            rules: numbered(&mut record.rules.iter().map(|rule| rule.id.clone())),
        }
    }

    /// The failure of a case, else its row in the list of all cases.
    fn case(&self, name: &str) -> String {
        match (self.failures.get(name), self.cases.get(name)) {
            (Some(failure), _) => format!("#f{failure}"),
            (None, Some(case)) => format!("#c{case}"),
            (None, None) => "#cases".to_owned(),
        }
    }

    fn rule(&self, id: &str) -> String {
        self.rules
            .get(id)
            .map_or_else(|| "#rules".to_owned(), |rule| format!("#r{rule}"))
    }
}

fn verdict(record: &RunRecord) -> Value {
    let headline = capital(standing::verdict_words(record.verdict.result));
    let (class, mark) = match record.verdict.result {
        VerdictResult::Passed => ("good", "✓"),
        VerdictResult::Failed => ("bad", "✕"),
        VerdictResult::NotJudged | VerdictResult::Interrupted => ("doubt", "!"),
    };
    context! {
        headline, class, mark,
        sentence => shown(&record.verdict.sentence),
        incomplete => !record.verdict.complete,
        started => shown(&text::instant(&record.started)),
        target => shown(&record.target.address),
    }
}

/// What was judged beside the cases.
fn checks(record: &RunRecord) -> Value {
    list(record.checks.iter().map(|check| {
        let (class, mark) = match check.result {
            CheckResult::Passed => ("good", "✓"),
            CheckResult::Failed => ("bad", "✕"),
            CheckResult::Noted => ("open", "·"),
            CheckResult::NotJudged => ("doubt", "!"),
        };
        context! {
            class, mark,
            words => check.result.words(),
            about => capital(check.about.words()),
            sentence => shown(&check.sentence),
            found => check.items.len(),
            open => check.result == CheckResult::Failed,
            items => list(check.items.iter().map(|item| {
                context! { kind => shown(&item.kind), subject => shown(&item.subject), text => shown(&item.text) }
            })),
        }
    }))
}

/// With a capital at its start.
pub(in crate::report) fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The numbers at the top.
fn tiles(record: &RunRecord) -> Value {
    let counts = &record.verdict.counts;
    let tile = |name: &str, value: String, note: String| context! { name, value, note };
    let mut tiles = vec![
        tile("Cases passed", of(counts.passed, counts.cases), String::new()),
        tile("Rules held", standing::rules_passed(record), String::new()),
    ];
    for (protocol, passed, all) in standing::cases_by_protocol(record) {
        tiles.push(tile(
            &format!("Over {}", standing::title(protocol)),
            of(passed, all),
            String::new(),
        ));
    }
    for (protocol, _) in &record.target.not_offered {
        tiles.push(tile(
            standing::title(*protocol),
            "not offered".to_owned(),
            String::new(),
        ));
    }
    let judged = record.cases.iter().map(|case| case.judged).sum();
    tiles.push(tile("Expectations", text::count(judged), "judged".to_owned()));
    tiles.push(tile("Took", text::duration(record.elapsed_ms), String::new()));
    tiles.push(tile("Exit code", record.verdict.exit_code.to_string(), String::new()));
    Value::from(tiles)
}

fn of(part: u64, all: u64) -> String {
    format!("{} of {}", text::count(part), text::count(all))
}

/// The counts of cases, each with its stretch of the bar in percent.
fn counts(record: &RunRecord) -> Value {
    let counts = standing::counts(record);
    let all = counts.iter().map(|(_, n)| *n).sum::<u64>().max(1) as f64;
    let mut from = 0.0;
    list(counts.into_iter().map(|(standing, n)| {
        let width = n as f64 / all * 100.0;
        let start = from;
        from += width;
        context! {
            class => if n == 0 { "open" } else { class(standing) }, mark => mark(standing), words => standing.words(),
            n => text::count(n), any => n > 0, from => format!("{start:.3}%"), width => format!("{width:.3}%"),
        }
    }))
}

/// What was judged, as name and value.
fn facts(record: &RunRecord) -> Value {
    let judged: Vec<&str> = record
        .target
        .protocols
        .iter()
        .map(|protocol| standing::title(*protocol))
        .collect();
    pairs(vec![
        ("Address", shown(&record.target.address)),
        ("Protocols judged", judged.join(", ")),
        ("Descriptors", shown(&record.target.descriptors)),
    ])
}

/// By what it was judged.
fn identity(record: &RunRecord) -> Value {
    let suite = format!(
        "{}, {}",
        visible(&record.suite.name),
        text::plural(record.suite.files as u64, "file", "files")
    );
    let cpus = text::plural(record.host.cpus as u64, "processor", "processors");
    let options: Vec<String> = record
        .options
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut facts = vec![
        ("Run id", shown(&record.run_id)),
        ("Started", shown(&text::instant(&record.started))),
        ("Suite", text::cap(&suite, CHARACTERS)),
        ("Suite SHA-256", shown(&record.suite.sha256)),
        ("stocktake", shown(&record.host.stocktake)),
        ("Host", format!("{}, {cpus}", visible(&record.host.system))),
    ];
    if !options.is_empty() {
        facts.push(("Options", shown(&options.join(" "))));
    }
    pairs(facts)
}

pub(in crate::report) fn pairs(facts: Vec<(&str, String)>) -> Value {
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

pub(in crate::report) fn list(items: impl Iterator<Item = Value>) -> Value {
    Value::from(items.collect::<Vec<Value>>())
}

fn hidden(all: usize, shown: usize) -> usize {
    all.saturating_sub(shown)
}

/// A short name in a narrow column.
fn name(text: &str) -> String {
    text::clip(&visible(text), 24)
}

pub(in crate::report) fn shown(text: &str) -> String {
    text::cap(&visible(text), CHARACTERS)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
