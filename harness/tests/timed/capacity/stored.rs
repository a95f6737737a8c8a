//! What stored runs say together.

use super::{RUN, capacity};
use crate::support::stocktake::run;
use ::stocktake::{
    capacity::{
        measured::Measured,
        record::{Bracket, CapacityRecord},
    },
    report::store::{self, Stored},
};
use std::path::Path;
use tempfile::TempDir;

/// A stored run, without running one.
fn stored(folder: &Path, replicas: u32, low: f64, high: f64) -> String {
    let text = include_str!("../../../src/capacity/gather/record.json");
    let mut record: CapacityRecord = serde_json::from_str(text).unwrap();
    let each = f64::from(replicas);
    record.replicas = replicas;
    record.objective = ::stocktake::capacity::objective::parse("p99=60ms").unwrap();
    record.bracket = Some(Bracket {
        low,
        high: Some(high),
        best: (low * high).sqrt(),
        confidence: 0.95,
        stages: 12,
        binding: "p99 of at most 60.0 ms".to_owned(),
        limit: "cpu".to_owned(),
        because: "its processors are busy 97 % of the time there".to_owned(),
    });
    record.measured = Some(Measured {
        passed: low / each,
        failed: Some(high / each),
        limit: "cpu".to_owned(),
        in_flight: 4.0,
        service_s: 0.026,
        cpu_s: Some(0.003),
        memory: Some(200 << 20),
        cold_start_s: Some(4.0),
        skew: 1.0,
        ..Measured::default()
    });
    let run = folder.join(format!("capacity-{replicas}"));
    store::create(&run).unwrap();
    store::write_capacity(&run, &record).unwrap();
    run.display().to_string()
}

/// Whether a load run says nothing of the target, as on a busy machine.
fn void(path: &str) -> bool {
    let Ok(Stored::Load(played)) = store::read_any(Path::new(path)) else {
        panic!("{path} is no load run");
    };
    let sides = || played.cells.iter().flat_map(|cell| &cell.sides);
    played.cells.iter().any(|cell| cell.void.is_some())
        || sides().any(|side| side.void.is_some() || side.rounds.iter().any(|round| round.void.is_some()))
}

#[test]
fn runs_of_one_afternoon_become_one_recommendation() {
    let folder = TempDir::new().unwrap();
    let one = stored(folder.path(), 1, 145.0, 156.0);
    let checked = folder.path().join("check").display().to_string();
    let load = folder.path().join("load").display().to_string();
    let ended = run(&["check", "--filter", "get_*", "--out", &checked]);
    assert!(matches!(ended.code, Some(0 | 4)), "{}", ended.shown());
    // p99 needs a thousand requests.
    let ended = run(&[
        "load",
        "--rate",
        "200",
        "--duration",
        "3s",
        "--rounds",
        "2",
        "--legs",
        "grpc",
        "--out",
        &load,
    ]);
    assert!(matches!(ended.code, Some(0 | 4)), "{}", ended.shown());
    let from = format!("{checked},{load},{one}");
    let searched = capacity(
        &[
            "--from",
            &from,
            "--peak-rate",
            "400",
            "--base-rate",
            "20",
            "--cpu",
            "0.5",
            "--memory",
            "1",
            "--current",
            "1,5,10",
            "--replica-start",
            "45s",
            "--traffic",
            "flash:base=20,peak=400,ramp=30s,hold=5m",
            "--compare-max",
            "5,8,12",
        ],
        RUN,
    );
    assert_eq!(searched.ended.code, Some(0), "{}", searched.ended.shown());
    let record = searched.record();
    let advice = record.advice.unwrap();
    // ceil(400 / (0.65 x 145)) = 5.
    assert_eq!(
        advice.recommendation.limits.max, 5,
        "{:?}",
        advice.recommendation.numbers
    );
    assert!(advice.outcomes.len() >= 4);
    // A figure of the deployment stands above what was measured.
    assert_eq!(advice.recommendation.measured.cold_start_s, Some(45.0));
    let measured = record.measured.unwrap();
    assert!(
        measured.from.contains(&one) && measured.from.contains(&checked),
        "{measured:?}"
    );
    // On a busy machine its rates may be void, and then nothing comes from it.
    assert!(measured.from.contains(&load) || void(&load), "{measured:?}");
    for words in ["max replicas", "az containerapp"] {
        assert!(
            searched.ended.stdout.contains(words),
            "{words}: {}",
            searched.ended.shown()
        );
    }
}

/// Two replicas that carry no more than one: the rate of one times eight would be a lie.
#[test]
fn replicas_that_share_what_limits_are_not_multiplied() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (
        stored(folder.path(), 1, 145.0, 156.0),
        stored(folder.path(), 2, 147.0, 155.0),
    );
    let from = format!("{one},{two}");
    let searched = capacity(&["--from", &from, "--peak-rate", "400"], RUN);
    assert_eq!(searched.ended.code, Some(4), "{}", searched.ended.shown());
    let record = searched.record();
    assert!(record.advice.is_none());
    assert!(
        record
            .verdict
            .sentence
            .contains("nothing is recommended: replicas share something"),
        "{}",
        record.verdict.sentence
    );
    assert!(record.next[0].contains("find what replicas share"), "{:?}", record.next);

    // What little the peak asks for they carry.
    let searched = capacity(&["--from", &from, "--peak-rate", "60", "--at-least", "1"], RUN);
    assert_eq!(searched.ended.code, Some(0), "{}", searched.ended.shown());
}

/// What many carry together is told of one where it is said how many there were, and not before.
#[test]
fn load_runs_alone_recommend_nothing_without_the_number_of_replicas() {
    let folder = TempDir::new().unwrap();
    let load = folder.path().join("load").display().to_string();
    let ended = run(&[
        "load",
        "--rate",
        "200",
        "--duration",
        "500ms",
        "--rounds",
        "2",
        "--legs",
        "grpc",
        "--out",
        &load,
    ]);
    assert!(matches!(ended.code, Some(0 | 4)), "{}", ended.shown());
    let mut asked = vec!["--from", &load, "--peak-rate", "100", "--objective", "p50=5s"];
    let searched = capacity(&asked, RUN);
    assert_eq!(searched.ended.code, Some(4), "{}", searched.ended.shown());
    let record = searched.record();
    assert!(record.measured.is_none() && record.advice.is_none(), "{record:?}");
    if !void(&load) {
        assert!(record.next[0].contains("--replicas N"), "{:?}", record.next);
        asked.extend(["--replicas", "4"]);
        let searched = capacity(&asked, RUN);
        // Where it stops is not known, so nothing is recommended still.
        assert_eq!(searched.ended.code, Some(4), "{}", searched.ended.shown());
        assert_eq!(searched.record().measured.unwrap().passed, 50.0);
    }

    let one = stored(folder.path(), 1, 145.0, 156.0);
    let searched = capacity(&["--from", &one, "--replicas", "2"], RUN);
    assert_eq!(searched.ended.code, Some(2), "{}", searched.ended.shown());
    assert!(
        searched.ended.stderr.contains("leave it out"),
        "{}",
        searched.ended.shown()
    );
}

#[test]
fn more_replicas_are_predicted_from_fewer_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let (one, two) = (
        stored(folder.path(), 1, 145.0, 156.0),
        stored(folder.path(), 2, 295.0, 312.0),
    );
    let from = format!("{one},{two}");
    let searched = capacity(&["--from", &from, "--predict", "3"], RUN);
    assert_eq!(searched.ended.code, Some(0), "{}", searched.ended.shown());
    let (best, ..) = searched.record().prediction.unwrap().rate.unwrap();
    assert!((best - 452.0).abs() < 15.0, "{best}");

    let searched = capacity(&["--from", &one, "--predict", "3"], RUN);
    assert_eq!(searched.ended.code, Some(4), "{}", searched.ended.shown());
    assert!(
        searched.ended.stdout.contains("cannot tell"),
        "{}",
        searched.ended.shown()
    );
}
