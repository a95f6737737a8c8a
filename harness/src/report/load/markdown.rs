//! `report.md` of a load run, for a GitHub step summary or a pull request, and the part of it that a `check` has. Pure.
//!
//! GitHub shows nothing of a summary above 1 MiB: every list has a bound, and says what it left out.

use super::{
    comparison,
    sides::{self, COLUMNS},
    standing, words,
};
use crate::{
    load::record::{LoadRecord, LoadResult},
    report::{
        markdown::{bounded, code, foreign, list},
        text,
    },
};

/// Rows of a table that are open at first.
const ROWS: usize = 24;

/// Bytes of the options in one line.
const OPTIONS: usize = 20_000;

/// The file's text.
pub fn render(record: &LoadRecord) -> String {
    let mark = match record.verdict.result {
        LoadResult::Measured => "✅",
        LoadResult::Failed => "❌",
        LoadResult::NotJudged | LoadResult::Inconclusive | LoadResult::Interrupted => "⚠️",
    };
    let mut page = format!(
        "## {mark} stocktake {}: {}\n\n**{}**\n\n",
        foreign(&record.command),
        words::result(record.verdict.result),
        foreign(&record.verdict.sentence)
    );
    if !record.verdict.complete {
        page.push_str("The run ended early: what follows is what was measured until then.\n\n");
    }
    let targets: Vec<String> = record.targets.iter().map(|target| code(&target.address)).collect();
    page.push_str(&format!(
        "{} · workload {} · {} · {}\n\n",
        targets.join(" against "),
        code(&record.workload.id),
        text::plural(record.cells.len() as u64, "cell", "cells"),
        text::duration(record.elapsed_ms)
    ));
    claim(record, &mut page);
    objectives(record, &mut page);
    compared(record, &mut page);
    measured(record, &mut page);
    caveats(record, &mut page);
    residue(record, &mut page);
    page.push_str(&identity(record));
    page
}

/// What a check shows of its comparison.
pub(in crate::report) fn short(record: &LoadRecord, page: &mut String) {
    page.push_str(&format!(
        "### gRPC against REST, in short\n\n{}\n\n",
        foreign(&record.verdict.sentence)
    ));
    for line in comparison::short(record) {
        page.push_str(&format!("- {}\n", foreign(&line)));
    }
    page.push('\n');
    measured(record, page);
    caveats(record, page);
}

/// A table, in a fold where it is long.
fn table(head: &str, rows: impl ExactSizeIterator<Item = String>, (one, many): (&str, &str), page: &mut String) {
    let n = rows.len();
    if n > ROWS {
        page.push_str(&format!(
            "<details><summary>{}</summary>\n\n",
            text::plural(n as u64, one, many)
        ));
    }
    page.push_str(head);
    list(rows, one, many, page);
    if n > ROWS {
        page.push_str("</details>\n\n");
    }
}

fn claim(record: &LoadRecord, page: &mut String) {
    let Some(claim) = &record.workload.claim else { return };
    let rows = standing::claim(record);
    page.push_str(&format!("### Claim\n\n{}\n\n", foreign(&claim.text)));
    if rows.is_empty() {
        page.push_str("No two sides of this run speak of it.\n\n");
        return;
    }
    page.push_str(&format!("{}.\n\n", standing::claimed(&rows)));
    let head = "| cell | by | times as fast | 95 % interval | verdict |\n| --- | --- | ---: | --- | --- |\n";
    let rows = rows.into_iter().map(|row| {
        format!(
            "| {} | {} | {} | {} | {} |\n",
            foreign(&words::cell_of(record, &row.cell)),
            row.measure.title(),
            row.advantage.map_or_else(|| "–".to_owned(), text::ratio),
            row.interval.map_or_else(|| "–".to_owned(), text::ratios),
            row.support.words()
        )
    });
    table(head, rows, ("row", "rows"), page);
}

fn objectives(record: &LoadRecord, page: &mut String) {
    let objectives = standing::objectives(record);
    if objectives.is_empty() {
        return;
    }
    page.push_str(&format!("### Objectives\n\n{}.\n\n", standing::held(&objectives)));
    let head = "| | cell | side | wanted | measured |\n| --- | --- | --- | --- | --- |\n";
    let rows = objectives.into_iter().map(|of| {
        let verdict = match of.held {
            Some(true) => "✅ held",
            Some(false) => "❌ not held",
            None => "⚪ not judged",
        };
        format!(
            "| {verdict} | {} | {} | {} | {} |\n",
            foreign(&of.cell),
            foreign(&of.side),
            of.says,
            foreign(&of.measured)
        )
    });
    table(head, rows, ("objective", "objectives"), page);
}

fn compared(record: &LoadRecord, page: &mut String) {
    if record.comparisons.is_empty() {
        return;
    }
    page.push_str("### Compared\n\n");
    let head = "| cell | ratio, with its 95 % interval | finding | from |\n| --- | --- | --- | --- |\n";
    let rows = comparison::listed(record).into_iter().map(|of| {
        format!(
            "| {} | {} | {} | {} |\n",
            foreign(&words::cell_of(record, &of.cell)),
            foreign(&comparison::sentence(record, of)),
            comparison::finding(of.finding),
            comparison::grounds(of)
        )
    });
    table(head, rows, ("comparison", "comparisons"), page);
}

fn measured(record: &LoadRecord, page: &mut String) {
    if record.cells.is_empty() {
        return;
    }
    let head = format!(
        "| cell | side | {} |\n| --- | --- |{}\n",
        COLUMNS.join(" | "),
        " ---: |".repeat(COLUMNS.len())
    );
    let rows = record.cells.iter().flat_map(|cell| {
        let name = foreign(&words::cell(record, cell));
        sides::rows(record, cell).into_iter().map(move |row| {
            let values = match &row.void {
                Some(why) => format!("void: {} |{}", foreign(why), " |".repeat(COLUMNS.len() - 1)),
                None => row
                    .values
                    .iter()
                    .map(|value| format!("{} |", value.text()))
                    .collect::<Vec<_>>()
                    .join(" "),
            };
            format!("| {name} | {} | {values}\n", foreign(&row.name))
        })
    });
    let rows: Vec<String> = rows.collect();
    table(&head, rows.into_iter(), ("side", "sides"), page);
}

fn caveats(record: &LoadRecord, page: &mut String) {
    if record.caveats.is_empty() {
        return;
    }
    page.push_str("### Caveats\n\n");
    let rows = record.caveats.iter();
    let rows = rows.map(|caveat| format!("- {} → {}\n", foreign(&caveat.text), foreign(&caveat.remedy)));
    list(rows, "caveat", "caveats", page);
}

fn residue(record: &LoadRecord, page: &mut String) {
    if record.residue.is_empty() {
        return;
    }
    let n = text::plural(record.residue.len() as u64, "item", "items");
    page.push_str(&format!("<details><summary>Left on the target: {n}</summary>\n\n"));
    let rows = record.residue.iter().map(|left| format!("- {}\n", code(left)));
    list(rows, "item", "items", page);
    page.push_str("</details>\n\n");
}

fn identity(record: &LoadRecord) -> String {
    let mut options = String::new();
    let names = record.options.iter();
    let names = names.map(|(name, value)| format!("{} ", code(&format!("{name}={value}"))));
    let cut = bounded(names, OPTIONS, &mut options);
    if cut > 0 {
        options.push_str(&format!("and {} more", text::count(cut)));
    }
    format!(
        "<sub>Run {} of {}, stocktake {} on {} with {}; workload {}, sha256 {}, seed {}; options: {}</sub>\n",
        code(&record.run_id),
        foreign(&text::instant(&record.started)),
        foreign(&record.host.stocktake),
        foreign(&record.host.system),
        text::plural(record.host.cpus as u64, "processor", "processors"),
        code(&record.workload.file),
        code(&record.workload.sha256.chars().take(12).collect::<String>()),
        record.workload.seed,
        if options.is_empty() { "none" } else { options.trim_end() }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::load::sample;

    #[test]
    fn a_run_that_measured_and_found() {
        insta::assert_snapshot!(render(&sample::measured()));
    }

    #[test]
    fn a_run_with_a_void_side_and_an_objective_that_does_not_hold() {
        insta::assert_snapshot!(render(&sample::failing()));
    }

    #[test]
    fn an_old_target_against_a_new_one() {
        insta::assert_snapshot!(render(&sample::against()));
    }

    #[test]
    fn a_hostile_text_stays_text() {
        let page = render(&sample::hostile());
        assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{page:?}");
        // Within code, whose fence is longer than any of the text's, everything is only shown.
        let outside: String = page.split("``````").step_by(2).collect();
        assert!(!outside.contains("<script") && !outside.contains("<img") && !outside.contains("@everyone"));
        // No text ends the cell of its table.
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        for (head, columns) in [("\n| cell | side |", 11), ("\n| cell | ratio", 5), ("\n| | cell |", 6)] {
            let rows = page.split(head).nth(1).unwrap_or_default();
            let rows: Vec<&str> = rows.lines().skip(1).take_while(|line| line.starts_with('|')).collect();
            assert!(rows.len() > 3, "{head}");
            assert!(rows.iter().all(|row| cells(row) == columns), "{head}: {rows:?}");
        }
    }

    #[test]
    fn a_thousand_cells_fit_a_step_summary() {
        let mut record = sample::hostile();
        record.cells = record.cells.into_iter().cycle().take(1000).collect();
        record.comparisons = record.comparisons.into_iter().cycle().take(20_000).collect();
        record.caveats = record.caveats.into_iter().cycle().take(10_000).collect();
        record.residue = record.residue.into_iter().cycle().take(10_000).collect();
        record.options = record.options.into_iter().cycle().take(10_000).collect();
        record.verdict.sentence = "x".repeat(2_000_000);
        let page = render(&record);
        assert!(page.len() < 1 << 20, "{} bytes", page.len());
        assert!(page.contains("comparisons more; `index.html` has all"));
    }
}
