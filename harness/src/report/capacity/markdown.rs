//! `report.md` of a capacity run, for a step summary or a pull request. Pure; every list has a bound, and says what it left out.

use super::words;
use crate::{
    capacity::{
        recommend::Recommendation,
        record::{CapacityRecord, CapacityResult},
    },
    report::{
        markdown::{code, foreign, list},
        text,
    },
};

/// The file's text.
pub fn render(record: &CapacityRecord) -> String {
    let mark = match record.verdict.result {
        CapacityResult::Found => "✅",
        CapacityResult::Failed => "❌",
        CapacityResult::NotJudged | CapacityResult::Inconclusive | CapacityResult::Interrupted => "⚠️",
    };
    let mut page = format!(
        "## {mark} stocktake capacity: {}\n\n**{}**\n\n",
        words::result(record.verdict.result),
        foreign(&record.verdict.sentence)
    );
    if !record.verdict.complete {
        page.push_str("The run ended early: what follows is what was measured until then.\n\n");
    }
    let target = record
        .target
        .as_ref()
        .map_or_else(|| "stored runs".to_owned(), |target| code(&target.address));
    page.push_str(&format!(
        "{target} · replicas: {} · {} · {}\n\n",
        words::replicas(record),
        words::objective(record).join("; "),
        text::duration(record.elapsed_ms)
    ));
    section(
        "What to run next",
        record.next.iter().map(|next| format!("- {}\n", foreign(next))),
        &mut page,
    );
    replica(record, &mut page);
    if let Some(advice) = &record.advice {
        set(&advice.recommendation, &mut page);
        let currency = words::currency(&advice.recommendation);
        let rows = advice
            .outcomes
            .iter()
            .map(|outcome| row(&words::outcome(outcome, currency)));
        if rows.len() > 0 {
            page.push_str(&format!(
                "### Under traffic\n\n{}\n\n{}",
                foreign(&words::simulated(advice)),
                head(&words::OUTCOME)
            ));
            list(rows, "simulation", "simulations", &mut page);
        }
    }
    let warnings = record.advice.iter().flat_map(|advice| &advice.recommendation.warnings);
    let caveats = record.caveats.iter().map(|caveat| (&caveat.text, &caveat.remedy));
    let all = caveats.chain(warnings.map(|warning| (&warning.text, &warning.remedy)));
    section(
        "Caveats",
        all.map(|(text, remedy)| format!("- {} → {}\n", foreign(text), foreign(remedy))),
        &mut page,
    );
    stages(record, &mut page);
    section(
        "Left on the target",
        record.residue.iter().map(|left| format!("- {}\n", code(left))),
        &mut page,
    );
    page.push_str(&format!(
        "<sub>stocktake {}, {}, {}, run {}, {}</sub>\n",
        foreign(&record.host.stocktake),
        foreign(&record.host.system),
        text::plural(record.host.cpus as u64, "processor", "processors"),
        foreign(&record.run_id),
        foreign(&text::instant(&record.started))
    ));
    page
}

/// A heading and its lines; nothing where there are none.
fn section(title: &str, lines: impl Iterator<Item = String>, page: &mut String) {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        page.push_str(&format!("### {title}\n\n"));
        list(lines, "line", "lines", page);
    }
}

fn head(columns: &[&str]) -> String {
    format!("| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(columns.len()))
}

fn row(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| foreign(value)).collect();
    format!("| {} |\n", values.join(" | "))
}

fn replica(record: &CapacityRecord, page: &mut String) {
    page.push_str(&format!("### One replica\n\n{}\n\n", foreign(&words::replica(record))));
    let facts = words::measured(record)
        .into_iter()
        .filter(|(_, value)| value != words::NONE);
    let facts = facts.map(|(name, value)| row(&[name.to_owned(), value]));
    let facts: Vec<String> = facts.collect();
    if !facts.is_empty() {
        page.push_str("| of one replica | |\n| --- | --- |\n");
        list(facts.into_iter(), "fact", "facts", page);
    }
    if let Some(prediction) = &record.prediction {
        page.push_str(&format!("{}\n\n", foreign(&prediction.sentence)));
    }
    let law = record
        .scalability
        .as_ref()
        .map(|of| (of.fit.as_ref().map(super::figures::says), of.note.as_ref()));
    if let Some((says, note)) = law {
        for line in says.iter().chain(note) {
            page.push_str(&format!("{}\n\n", foreign(line)));
        }
    }
}

fn set(told: &Recommendation, page: &mut String) {
    page.push_str(&format!("### What to set\n\n{}\n\n", foreign(&words::planned(told))));
    page.push_str(&head(&[
        "number",
        "value",
        "may be",
        "bound by",
        "computed",
        "what would change it",
        "from",
    ]));
    let currency = words::currency(told);
    let rows = told.numbers.iter().map(|number| {
        row(&[
            number.subject.title().to_owned(),
            words::value(number, currency),
            words::range(number, currency).unwrap_or_else(|| words::NONE.to_owned()),
            number.binding.clone(),
            number.because.clone(),
            number.changes.clone(),
            words::from(&number.from),
        ])
    });
    list(rows, "number", "numbers", page);
    for line in [words::prices(told), words::net(told)].into_iter().flatten() {
        page.push_str(&format!("{}\n\n", foreign(&line)));
    }
    // Both are made of numbers alone.
    page.push_str(&format!("```sh\n{}\n```\n\n```bicep\n{}\n```\n\n", told.az, told.bicep));
    if let Some(today) = &told.today {
        let limits = today.current.limits;
        page.push_str(&format!(
            "Set now: {} to {} replicas, concurrency {}; they sustain {} at the objective.\n\n",
            limits.min,
            limits.max,
            limits.concurrency,
            words::per_second(today.sustains)
        ));
        list(
            today
                .saturates
                .iter()
                .map(|one| format!("- {}\n", words::saturation(one))),
            "reading",
            "readings",
            page,
        );
    }
    page.push_str("<details><summary>What the platform counts: the run that tells</summary>\n\n");
    list(
        told.calibration
            .steps
            .iter()
            .map(|step| format!("1. {}\n", foreign(step))),
        "step",
        "steps",
        page,
    );
    page.push_str("</details>\n\n");
}

fn stages(record: &CapacityRecord, page: &mut String) {
    if record.stages.is_empty() {
        return;
    }
    let n = text::plural(record.stages.len() as u64, "stage", "stages");
    page.push_str(&format!(
        "<details><summary>{n}, in order</summary>\n\n{}",
        head(&words::STAGE)
    ));
    let rows = record.stages.iter().map(|stage| row(&words::stage(stage)));
    list(rows, "stage", "stages", page);
    page.push_str("</details>\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::capacity::sample;

    #[test]
    fn a_run_with_a_recommendation() {
        insta::assert_snapshot!(render(&sample::found()));
    }

    #[test]
    fn too_little_says_what_to_run_next() {
        let page = render(&sample::too_little());
        assert!(page.contains("### What to run next\n\n- "), "{page}");
        assert!(!page.contains("### What to set"));
    }
}
