//! The page as a text: what it shows, what it asks for, and that no text of a record becomes more than text.

use super::*;
use crate::report::capacity::sample;

/// What follows the style sheet and the script.
fn body(page: &str) -> &str {
    page.split_once("</head>").map_or(page, |(_, body)| body)
}

#[test]
fn the_page_has_every_part_of_a_run() {
    let page = render(&sample::found());
    let sections = [
        "next",
        "caveats",
        "set",
        "simulated",
        "replica",
        "scalability",
        "stages",
        "residue",
        "words",
    ];
    for id in sections {
        let there = page.contains(&format!("<section id=\"{id}\"")) || page.contains(&format!("id=\"{id}\""));
        assert_eq!(there, id != "next", "{id}");
    }
    let body = body(&page);
    for says in [
        "138",
        "149",
        "az containerapp update -n $APP -g $RG \\\n  --min-replicas 2",
        "--scale-rule-http-concurrency 89",
        "param maxReplicas = 7",
        "above 40.0 requests a second",
        "extrapolated",
        "void: the generator was busy",
        "Simulated, not measured",
    ] {
        assert!(body.contains(says), "{says} is not there");
    }
    // Two of the knee, two of the law, four of each reading.
    assert_eq!(body.matches("<svg class=\"plot\"").count(), 2 + 2 + 2 * 4);
    assert_eq!(body.matches("<figure class=\"chart\">").count(), 4);
}

#[test]
fn too_little_shows_what_to_run_next_and_no_recommendation() {
    let page = render(&sample::too_little());
    assert!(page.contains("<section id=\"next\">") && page.contains("--connections 64"));
    assert!(!page.contains("<section id=\"set\">") && !page.contains("id=\"simulated\""));
    assert!(page.contains("too few for the law"));
}

#[test]
fn a_void_stage_is_not_drawn_and_says_why() {
    let mut record = sample::found();
    let knee = |record: &CapacityRecord| figures::knee(record).map(|figure| figure.rows.len());
    assert_eq!(knee(&record), Some(8));
    // Without any p99 the median and the accepted answers are drawn.
    for stage in &mut record.stages {
        stage.p99 = None;
    }
    assert_eq!(figures::knee(&record).map(|figure| figure.charts.len()), Some(2));
    for stage in &mut record.stages {
        stage.judged = crate::capacity::record::StageJudged::Void {
            why: "late".into(),
            limit: "generator".into(),
        };
    }
    assert_eq!(knee(&record), None);
    assert!(render(&record).contains("Too few rates were measured"));
    let row = words::stage(&record.stages[0]);
    assert_eq!(row.len(), words::STAGE.len());
    assert_eq!((row[7].as_str(), row[11].as_str()), ("–", "void: late"));
}

#[test]
fn no_text_of_a_record_becomes_more_than_text() {
    let page = render(&sample::hostile());
    let body = body(&page);
    for sign in ["<script", "<img", "<style", "onmouseover=\""] {
        assert!(!body.contains(sign), "{sign}");
    }
    assert!(!page.contains("This report cannot be shown"), "{page}");
}

#[test]
fn numbers_that_are_none_break_nothing() {
    let mut record = sample::found();
    for stage in &mut record.stages {
        (stage.p50, stage.p99, stage.server_cpu_s) = (None, None, None);
        stage.throughput = f64::NAN;
    }
    record.scalability.as_mut().unwrap().steps.clear();
    record
        .scalability
        .as_mut()
        .unwrap()
        .fit
        .as_mut()
        .unwrap()
        .residuals
        .clear();
    record.bracket.as_mut().unwrap().high = None;
    let advice = record.advice.as_mut().unwrap();
    for outcome in &mut advice.outcomes {
        outcome.points.clear();
    }
    let page = render(&record);
    assert!(!page.contains("NaN") && !page.contains("cannot be shown"));
}

/// The tests in a browser begin with this sample, and compute what follows from it as the command does.
#[test]
fn the_fixture_of_the_browser_is_the_sample() {
    let mut record = sample::found();
    record.advice = None;
    let text = serde_json::to_string_pretty(&record).unwrap() + "\n";
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/capacity/run.json");
    if std::env::var_os("STOCKTAKE_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
    }
    let help = "write it again with STOCKTAKE_BLESS=1 cargo test";
    assert!(
        std::fs::read_to_string(&file).unwrap() == text,
        "{} is old: {help}",
        file.display()
    );
}
