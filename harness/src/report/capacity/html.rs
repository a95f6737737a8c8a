//! `index.html` of a capacity run: as the pages of [`crate::report::html`] and [`crate::report::load::html`], with their style, their
//! policy and their templates' rules. Pure.

use super::{figures, words};
use crate::{
    capacity::{
        recommend::{Advice, Recommendation},
        record::{CapacityRecord, CapacityResult},
    },
    report::{
        html::{self, apology, capital, list, pairs, shown},
        load::{charts::Figure, html as load, words as load_words},
        text,
    },
};
use minijinja::{Value, context};

const STYLE: &str = include_str!("html/capacity.css");

const PAGE: [(&str, &str); 1] = [("capacity-page.html", include_str!("html/page.j2"))];

/// Stages in the table; more are counted, and `run.json` has all.
const STAGES: usize = 500;

/// The file's text.
pub fn render(record: &CapacityRecord) -> String {
    page(record).unwrap_or_else(apology)
}

fn page(record: &CapacityRecord) -> Result<String, minijinja::Error> {
    let environment = html::environment(&[load::TEMPLATES.as_slice(), &PAGE].concat())?;
    let address = record
        .target
        .as_ref()
        .map_or("stored runs", |target| target.address.as_str());
    let advice = record.advice.as_ref();
    environment.get_template("capacity-page.html")?.render(context! {
        dress => html::dressed([html::STYLE, load::STYLE, STYLE].concat(), html::COMMON_SCRIPT),
        command => "capacity",
        verdict => context! { target => shown(address), ..verdict(record) },
        tiles => tiles(record),
        target => target(record),
        identity => identity(record),
        next => texts(&record.next),
        caveats => caveats(record),
        advice => advice.map(|advice| set(&advice.recommendation)),
        simulated => advice.filter(|advice| !advice.outcomes.is_empty()).map(simulated),
        replica => replica(record),
        fit => figures::fit(record).map(figure),
        unfitted => law(record),
        stages => stages(record),
        residue => texts(&record.residue),
    })
}

/// Foreign texts, each fit to show.
fn texts(texts: &[String]) -> Value {
    list(texts.iter().map(|text| shown(text).into()))
}

fn verdict(record: &CapacityRecord) -> Value {
    let (class, mark) = match record.verdict.result {
        CapacityResult::Found => ("good", "✓"),
        CapacityResult::Failed => ("bad", "✕"),
        CapacityResult::NotJudged | CapacityResult::Inconclusive | CapacityResult::Interrupted => ("doubt", "!"),
    };
    context! {
        headline => capital(words::result(record.verdict.result)), class, mark,
        sentence => shown(&record.verdict.sentence),
        incomplete => !record.verdict.complete,
        started => shown(&text::instant(&record.started)),
    }
}

/// The numbers at the top.
fn tiles(record: &CapacityRecord) -> Value {
    let tile = |name: &str, value: String| context! { name, value };
    let mut tiles = Vec::new();
    if let Some(bracket) = &record.bracket {
        tiles.push(tile("Holds at, requests a second", text::rate(bracket.low)));
        let high = bracket.high.map_or_else(|| "not found".to_owned(), text::rate);
        tiles.push(tile("Breaks at", high));
        tiles.push(tile("Limited by", text::clip(&shown(&bracket.limit), 16)));
    }
    if let Some(Advice { recommendation, .. }) = &record.advice {
        let limits = recommendation.limits;
        tiles.push(tile("Replicas to set", format!("{} to {}", limits.min, limits.max)));
        tiles.push(tile("Http concurrency", limits.concurrency.to_string()));
    }
    tiles.push(tile("Took", text::duration(record.elapsed_ms)));
    tiles.push(tile("Exit code", record.verdict.exit_code.to_string()));
    Value::from(tiles)
}

fn target(record: &CapacityRecord) -> Value {
    let mut facts = Vec::new();
    match &record.target {
        Some(target) => {
            facts.push(("Address", shown(&target.address)));
            facts.push(("Descriptors", shown(&target.descriptors)));
            let place = if target.loopback {
                "on this machine: it shares the processors with the generator"
            } else {
                "elsewhere: the network is part of every number"
            };
            facts.push(("Where", place.to_owned()));
        }
        None => facts.push(("Address", "none: only stored runs were read".to_owned())),
    }
    facts.push(("Replicas", words::replicas(record)));
    facts.push(("Objective", words::objective(record).join("; ")));
    if let Some(leg) = record.leg {
        facts.push(("Protocol", leg.title().to_owned()));
    }
    if let Some(workload) = &record.workload {
        facts.push((
            "Workload",
            format!("{}: {}", shown(&workload.id), shown(&workload.name)),
        ));
        facts.push(("SHA-256", shown(&workload.sha256)));
        facts.push(("Seed", workload.seed.to_string()));
    }
    pairs(facts)
}

fn identity(record: &CapacityRecord) -> Value {
    let cpus = text::plural(record.host.cpus as u64, "processor", "processors");
    let mut facts = vec![
        ("Run id", shown(&record.run_id)),
        ("Started", shown(&text::instant(&record.started))),
        ("stocktake", shown(&record.host.stocktake)),
        ("Host", format!("{}, {cpus}", shown(&record.host.system))),
    ];
    if let Some(generator) = &record.generator {
        let named = |name: &Option<String>| {
            name.as_deref()
                .map_or_else(|| "not named by the system".to_owned(), shown)
        };
        facts.push(("Processor", named(&generator.processor)));
        facts.push(("Kernel", named(&generator.kernel)));
        let threads = text::plural(generator.threads as u64, "thread", "threads");
        facts.push(("Sends from", threads));
    }
    if !record.options.is_empty() {
        let options: Vec<String> = record
            .options
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        facts.push(("Options", shown(&options.join(" "))));
    }
    pairs(facts)
}

/// Those of the run, then those of what follows from it.
fn caveats(record: &CapacityRecord) -> Value {
    let run = record.caveats.iter().map(|caveat| (&caveat.text, &caveat.remedy));
    let advice = record.advice.iter().flat_map(|advice| &advice.recommendation.warnings);
    let advice = advice.map(|warning| (&warning.text, &warning.remedy));
    list(
        run.chain(advice)
            .map(|(text, remedy)| context! { text => shown(text), remedy => shown(remedy) }),
    )
}

fn set(told: &Recommendation) -> Value {
    let currency = words::currency(told);
    let numbers = told.numbers.iter().map(|number| {
        context! {
            title => capital(number.subject.title()),
            value => words::value(number, currency), range => words::range(number, currency),
            binding => shown(&number.binding), because => shown(&number.because), changes => shown(&number.changes),
            from => words::from(&number.from),
        }
    });
    let today = told.today.as_ref().map(|today| {
        let limits = today.current.limits;
        let mut lines = vec![format!("At the objective its {} sustain {}.", text::plural(u64::from(limits.max), "replica", "replicas"), words::per_second(today.sustains))];
        lines.extend(today.saturates.iter().map(|one| format!("{}.", capital(&words::saturation(one)))));
        context! { set => format!("{} to {} replicas, concurrency {}", limits.min, limits.max, limits.concurrency), lines }
    });
    context! {
        planned => words::planned(told),
        numbers => list(numbers),
        costs => [words::prices(told), words::net(told)].into_iter().flatten().collect::<Vec<_>>(),
        az => lines(&told.az), bicep => lines(&told.bicep), today,
        calibration => texts(&told.calibration.steps),
    }
}

/// A text of several lines, each fit to show.
fn lines(text: &str) -> String {
    text.lines().map(shown).collect::<Vec<_>>().join("\n")
}

fn simulated(advice: &Advice) -> Value {
    let currency = words::currency(&advice.recommendation);
    let traffic = advice.traffic.as_ref().map_or_else(String::new, |traffic| {
        format!(
            "{}: {} to {} for {}.",
            load_words::fit(&traffic.name),
            text::rate(traffic.base()),
            words::per_second(traffic.peak()),
            words::clock(traffic.seconds())
        )
    });
    let figures = words::readings(advice)
        .into_iter()
        .filter_map(|reading| figures::timeline(advice, reading));
    context! {
        traffic, note => words::simulated(advice),
        columns => words::OUTCOME,
        rows => advice.outcomes.iter().map(|outcome| words::outcome(outcome, currency)).collect::<Vec<_>>(),
        figures => list(figures.map(figure)),
    }
}

fn replica(record: &CapacityRecord) -> Value {
    context! {
        sentence => words::replica(record),
        prediction => record.prediction.as_ref().map(|prediction| shown(&prediction.sentence)),
        facts => pairs(words::measured(record)),
        knee => figures::knee(record).map(figure),
    }
}

/// What is to say of the law, in lines.
fn law(record: &CapacityRecord) -> Value {
    let Some(scalability) = &record.scalability else {
        return Value::from(());
    };
    let law = scalability.fit.as_ref().map(figures::says);
    let note = scalability.note.as_deref().map(shown);
    list(law.into_iter().chain(note).map(Value::from))
}

fn stages(record: &CapacityRecord) -> Value {
    if record.stages.is_empty() {
        return Value::from(());
    }
    let all = record.stages.len();
    let count = text::plural(all as u64, "stage", "stages");
    let count = if all > STAGES {
        format!("{count}, the first {STAGES} of them")
    } else {
        count
    };
    let rows: Vec<Vec<String>> = record.stages.iter().take(STAGES).map(words::stage).collect();
    context! { count, columns => words::STAGE, rows }
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
