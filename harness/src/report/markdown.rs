//! `report.md`: the verdict for a GitHub step summary or a pull request. Pure.
//!
//! GitHub takes 1 MiB per step summary and shows nothing of a larger one, so every part has a bound and failures are cut
//! first, with a line that says how many.

use super::{
    coverage::{self, Share},
    escape::{code_span, fence, markdown as text_of, visible},
    failure, load,
    standing::{self, OnProtocol, Standing},
    text,
};
use crate::{
    client::Protocol,
    verify::record::{CaseRecord, CheckResult, RuleRecord, RunRecord, VerdictResult},
};

/// Bytes for the failures.
const FAILURES_BYTES: usize = 500_000;

/// Bytes for the rows of each other list: ten of them, the checks and the failures leave 38,000 for all else.
const LIST_BYTES: usize = 45_000;

/// Bytes for what all checks found together.
const CHECKS_BYTES: usize = 60_000;

/// Names in one line of what was not exercised.
const GAP: usize = 40;

/// Characters of one foreign text.
const CHARACTERS: usize = 300;

/// The file's text.
pub fn render(record: &RunRecord) -> String {
    let mut page = String::new();
    let mark = match record.verdict.result {
        VerdictResult::Passed => "✅",
        VerdictResult::Failed => "❌",
        VerdictResult::NotJudged | VerdictResult::Interrupted => "⚠️",
    };
    let words = standing::verdict_words(record.verdict.result);
    page.push_str(&format!(
        "## {mark} stocktake {}: {words}\n\n",
        foreign(&record.command)
    ));
    page.push_str(&format!("**{}**\n\n", foreign(&record.verdict.sentence)));
    page.push_str(&format!(
        "{} · {} · {}\n\n",
        target(record),
        cases(record),
        text::duration(record.elapsed_ms)
    ));
    page.push_str(&by_protocol(record));
    checks(record, &mut page);
    rules(record, &mut page);
    failures(record, &mut page);
    without_verdict(record, &mut page);
    residue(record, &mut page);
    caveats(record, &mut page);
    if let Some(measured) = &record.load {
        load::markdown::short(measured, &mut page);
    }
    coverage(record, &mut page);
    page.push_str(&identity(record));
    page
}

fn target(record: &RunRecord) -> String {
    format!(
        "{} ({})",
        code(&record.target.address),
        standing::protocols_in_words(record)
    )
}

fn cases(record: &RunRecord) -> String {
    let counts: Vec<String> = standing::counts(record)
        .into_iter()
        .map(|(standing, n)| format!("{} {}", text::count(n), standing.words()))
        .collect();
    format!(
        "{}: {}{}",
        text::plural(record.verdict.counts.cases, "case", "cases"),
        counts.join(", "),
        standing::unfinished(record)
    )
}

/// What each protocol came to, where there is more than one.
fn by_protocol(record: &RunRecord) -> String {
    let protocols = standing::cases_by_protocol(record);
    if protocols.len() < 2 {
        return String::new();
    }
    let line = |(protocol, passed, all): &(Protocol, u64, u64)| {
        let all = text::plural(*all, "case", "cases");
        format!(
            "{}: {} of {all} passed",
            standing::title(*protocol),
            text::count(*passed)
        )
    };
    format!("{}\n\n", protocols.iter().map(line).collect::<Vec<_>>().join(" · "))
}

/// What was judged beside the cases. What a check found is text that a target or a file wrote: it stands in a fence.
fn checks(record: &RunRecord, page: &mut String) {
    if record.checks.is_empty() {
        return;
    }
    page.push_str("### Beside the cases\n\n");
    for check in &record.checks {
        let icon = match check.result {
            CheckResult::Passed => "✅",
            CheckResult::Failed => "❌",
            CheckResult::Noted => "⚪",
            CheckResult::NotJudged => "⚠️",
        };
        page.push_str(&format!(
            "- {icon} **{}**: {}: {}\n",
            check.about.words(),
            check.result.words(),
            text_of(&text::cap(&check.sentence, 1000))
        ));
    }
    page.push('\n');
    for check in record.checks.iter().filter(|check| !check.items.is_empty()) {
        let rows = check.items.iter().map(|item| {
            let (kind, subject, words) = (visible(&item.kind), visible(&item.subject), visible(&item.text));
            let row = format!("{kind} {subject} {words}");
            text::cap(row.trim_end(), CHARACTERS) + "\n"
        });
        let mut found = String::new();
        let cut = bounded(rows, CHECKS_BYTES / record.checks.len(), &mut found);
        let fence = fence(&found);
        let open = if check.result == CheckResult::Failed {
            " open"
        } else {
            ""
        };
        page.push_str(&format!(
            "<details{open}><summary>{}</summary>\n\n{fence}diff\n{found}{fence}\n\n",
            check.about.words()
        ));
        if cut > 0 {
            page.push_str(&format!("… and {} more; `run.json` has all.\n\n", text::count(cut)));
        }
        page.push_str("</details>\n\n");
    }
}

fn rules(record: &RunRecord, page: &mut String) {
    let rules = standing::rules_not_passed(record);
    if rules.is_empty() {
        page.push_str(&format!(
            "All {} passed.\n\n",
            text::plural(record.rules.len() as u64, "rule", "rules")
        ));
        return;
    }
    let protocols = standing::protocols(record);
    let columns: String = protocols
        .iter()
        .map(|of| format!(" {} |", standing::title(*of)))
        .collect();
    page.push_str(&format!(
        "### Rules not passed\n\n{} of {} held.\n\n| rule | level | verdict |{columns} says |\n| --- | --- | --- |{} --- |\n",
        text::count(record.rules.len().saturating_sub(rules.len()) as u64),
        text::plural(record.rules.len() as u64, "rule", "rules"),
        " --- |".repeat(protocols.len())
    ));
    let rows = rules.iter().map(|(rule, standing)| {
        let cells: String = protocols
            .iter()
            .map(|of| format!(" {} |", cell(rule, *of, record)))
            .collect();
        format!(
            "| {} | {} | {} |{cells} {} |\n",
            code(&rule.id).replace('|', "\\|"),
            rule.level.name(),
            standing_cell(*standing),
            foreign(&rule.text)
        )
    });
    list(rows, "rule", "rules", page);
    if rules.iter().any(|(_, standing)| *standing == Standing::FailedShould) {
        page.push_str("A failed `should` rule does not decide the verdict; `--level should` lets it.\n\n");
    }
}

/// A rule on one protocol: how many cases failed it, or held it.
fn cell(rule: &RuleRecord, protocol: Protocol, record: &RunRecord) -> String {
    match standing::on_protocol(rule, protocol, record) {
        OnProtocol::NotOffered => "not offered".to_owned(),
        OnProtocol::NoCase => "no case".to_owned(),
        OnProtocol::Judged(standing, tally) => match standing {
            Standing::Failed | Standing::FailedShould => {
                format!("{} {}", icon(standing), standing::failed_of(tally.failed, tally.passed))
            }
            Standing::Passed => format!("{} {}", icon(standing), text::count(tally.passed)),
            _ => standing_cell(standing),
        },
    }
}

/// What was called and what was not.
fn coverage(record: &RunRecord, page: &mut String) {
    let reach = coverage::reach(record);
    if coverage::all_methods(record).next().is_none() {
        return;
    }
    let share = |share: Share| format!("{} of {}", text::count(share.reached), text::count(share.of));
    page.push_str("<details><summary>Coverage</summary>\n\n");
    page.push_str(
        "| | methods called | request fields set | response fields seen | judged |\n| --- | --- | --- | --- | --- |\n",
    );
    for of in &reach {
        let shares = [of.methods, of.request, of.response, of.judged].map(share);
        page.push_str(&format!(
            "| {} | {} |\n",
            standing::title(of.protocol),
            shares.join(" | ")
        ));
    }
    page.push_str("\n| method | over | calls | ended |\n| --- | --- | ---: | --- |\n");
    let rows = coverage::all_methods(record).map(|method| {
        let ends: Vec<String> = method
            .ends
            .iter()
            .map(|(end, n)| format!("{} {}", foreign(end), text::count(*n)))
            .collect();
        format!(
            "| {} | {} | {} | {} |\n",
            code(coverage::short(&method.method)).replace('|', "\\|"),
            standing::title(method.protocol),
            text::count(method.calls),
            ends.join(", ")
        )
    });
    list(rows, "method", "methods", page);
    let gaps = coverage::gaps(record).into_iter().map(|gap| {
        let names = gap
            .items
            .iter()
            .take(GAP)
            .map(|item| code(item))
            .collect::<Vec<_>>()
            .join(", ");
        let more = gap.items.len().saturating_sub(GAP) as u64;
        let more = if more > 0 {
            format!(" and {} more", text::count(more))
        } else {
            String::new()
        };
        format!("- {}: {names}{more}\n", gap.what)
    });
    list(gaps, "gap", "gaps", page);
    page.push_str("</details>\n\n");
}

fn failures(record: &RunRecord, page: &mut String) {
    let failures = standing::failures(record);
    if failures.is_empty() {
        return;
    }
    page.push_str("### Failures\n\n");
    let cut = bounded(
        failures.iter().map(|(case, standing)| failure_details(case, *standing)),
        FAILURES_BYTES,
        page,
    );
    if cut > 0 {
        page.push_str(&format!(
            "… {} cut, because GitHub shows no summary above 1 MiB; `index.html` and `run.json` have all.\n\n",
            text::plural(cut, "more failure is", "more failures are")
        ));
    }
}

fn failure_details(case: &CaseRecord, standing: Standing) -> String {
    let block = failure::block(case, standing);
    let fence = fence(&block);
    let open = if standing.decides() { " open" } else { "" };
    let rules = text::cap(&failure::failed_rules(case).join(", "), CHARACTERS);
    // Markdown is not looked at inside <summary>, so entities alone are escaped there.
    format!(
        "<details{open}><summary>{} <b>{}</b> {}</summary>\n\n{fence}text\n{block}{fence}\n\n</details>\n\n",
        icon(standing),
        in_html(&text::cap(&case.name(), CHARACTERS)),
        in_html(&rules)
    )
}

fn without_verdict(record: &RunRecord, page: &mut String) {
    let groups = standing::without_verdict(record);
    if groups.is_empty() {
        return;
    }
    page.push_str("### Skipped and not judged\n\n| | cases | reason |\n| --- | ---: | --- |\n");
    let rows = groups.iter().map(|(standing, reason, cases)| {
        format!(
            "| {} | {} | {} |\n",
            standing.words(),
            text::count(cases.len() as u64),
            foreign(reason)
        )
    });
    list(rows, "reason", "reasons", page);
}

fn residue(record: &RunRecord, page: &mut String) {
    if record.residue.is_empty() {
        return;
    }
    let n = text::plural(record.residue.len() as u64, "item", "items");
    page.push_str(&format!("<details><summary>Left on the target: {n}</summary>\n\n"));
    let rows = record.residue.iter().map(|left| {
        let why = if left.why.is_empty() {
            String::new()
        } else {
            format!(": {}", foreign(&left.why))
        };
        format!("- {}{why}\n", code(&left.what))
    });
    list(rows, "item", "items", page);
    page.push_str("</details>\n\n");
}

fn caveats(record: &RunRecord, page: &mut String) {
    if record.caveats.is_empty() {
        return;
    }
    page.push_str("### Caveats\n\n");
    let rows = record
        .caveats
        .iter()
        .map(|caveat| format!("- {} → {}\n", foreign(&caveat.text), foreign(&caveat.remedy)));
    list(rows, "caveat", "caveats", page);
}

fn identity(record: &RunRecord) -> String {
    let mut options = String::new();
    let cut = bounded(
        record
            .options
            .iter()
            .map(|(name, value)| format!("{} ", code(&format!("{name}={value}")))),
        LIST_BYTES,
        &mut options,
    );
    if cut > 0 {
        options.push_str(&format!("and {} more", text::count(cut)));
    }
    format!(
        "<sub>Run {} of {}, stocktake {} on {} with {}; suite {}, {}, sha256 {}; descriptors: {}; options: {}</sub>\n",
        code(&record.run_id),
        foreign(&text::instant(&record.started)),
        foreign(&record.host.stocktake),
        foreign(&record.host.system),
        text::plural(record.host.cpus as u64, "processor", "processors"),
        code(&record.suite.name),
        text::plural(record.suite.files as u64, "file", "files"),
        code(&record.suite.sha256.chars().take(12).collect::<String>()),
        foreign(&record.target.descriptors),
        if options.is_empty() { "none" } else { options.trim_end() }
    )
}

/// Rows, and below them how many were cut.
pub(in crate::report) fn list(rows: impl Iterator<Item = String>, one: &str, many: &str, page: &mut String) {
    let cut = bounded(rows, LIST_BYTES, page);
    page.push('\n');
    if cut > 0 {
        page.push_str(&format!(
            "… and {} more; `index.html` has all.\n\n",
            text::plural(cut, one, many)
        ));
    }
}

/// As many rows as fit into so many bytes; returns how many did not.
pub(in crate::report) fn bounded(rows: impl Iterator<Item = String>, bytes: usize, page: &mut String) -> u64 {
    let (begin, mut cut) = (page.len(), 0);
    for row in rows {
        if cut > 0 || page.len() - begin + row.len() > bytes {
            cut += 1;
        } else {
            page.push_str(&row);
        }
    }
    cut
}

fn icon(standing: Standing) -> &'static str {
    match standing {
        Standing::Failed | Standing::UnexpectedPass => "❌",
        Standing::FailedShould => "🟡",
        Standing::KnownFailing | Standing::NotJudged | Standing::Skipped => "⚪",
        Standing::Passed => "✅",
    }
}

fn standing_cell(standing: Standing) -> String {
    format!("{} {}", icon(standing), standing.words())
}

pub(in crate::report) fn foreign(text: &str) -> String {
    text_of(&text::cap(text, CHARACTERS))
}

pub(in crate::report) fn code(text: &str) -> String {
    code_span(&text::cap(text, CHARACTERS))
}

fn in_html(text: &str) -> String {
    super::escape::visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@<!-- -->")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run_with_one_of_everything() {
        insta::assert_snapshot!(render(&sample::failing()));
    }

    #[test]
    fn what_was_judged_beside_the_cases_is_told_first() {
        let page = render(&sample::with_checks());
        insta::assert_snapshot!(page.split("All 4 rules").next().unwrap_or_default());
    }

    #[test]
    fn a_run_that_passes_is_short() {
        insta::assert_snapshot!(render(&sample::passing()));
    }

    #[test]
    fn a_check_shows_grpc_against_rest_in_short() {
        let page = render(&sample::with_load());
        let (_, section) = page.split_once("### gRPC against REST").unwrap_or_default();
        insta::assert_snapshot!(section.split("\n<").next().unwrap_or_default());
    }

    #[test]
    fn a_hostile_text_stays_text() {
        let page = render(&sample::hostile());
        assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{page:?}");
        insta::assert_snapshot!(page);
    }

    #[test]
    fn ten_thousand_failures_fit_a_step_summary() {
        let mut record = sample::hostile();
        let case = record.cases.first().cloned();
        record.cases = case.into_iter().cycle().take(10_000).collect();
        record.residue = record.residue.into_iter().cycle().take(10_000).collect();
        record.rules = record.rules.into_iter().cycle().take(10_000).collect();
        record.caveats = record.caveats.into_iter().cycle().take(10_000).collect();
        record.verdict.sentence = "x".repeat(2_000_000);
        if let Some(load) = &mut record.load {
            load.cells = load.cells.iter().cloned().cycle().take(500).collect();
        }
        let page = render(&record);
        assert!(page.len() < 1 << 20, "{} bytes", page.len());
        assert!(page.contains("more failures are cut, because GitHub shows no summary above 1 MiB"));
        assert_eq!(page.matches("<details").count(), page.matches("</details>\n").count());
    }
}
