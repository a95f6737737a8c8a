//! `stocktake capacity` through the real binary: what it finds, and what it refuses to say.

use crate::support::{
    fixture,
    process::{self, Ended, Server},
    python,
    stocktake::{binary, run, serve},
    tools,
};
use ::stocktake::{
    capacity::{
        measured::Measured,
        record::{Bracket, CapacityRecord, CapacityResult, StageJudged},
    },
    report::store::{self, Stored},
};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Longer than any of these runs takes on a busy machine.
const RUN: Duration = Duration::from_secs(240);

struct Searched {
    ended: Ended,
    out: PathBuf,
    _folder: TempDir,
}

impl Searched {
    fn record(&self) -> CapacityRecord {
        match store::read_any(&self.out) {
            Ok(Stored::Capacity(record)) => *record,
            other => panic!("{other:?}\n{}", self.ended.shown()),
        }
    }
}

fn capacity(arguments: &[&str], within: Duration) -> Searched {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let mut command = Command::new(binary());
    command.arg("capacity").args(arguments).arg("--out").arg(&out);
    Searched {
        ended: process::run(&mut command, within),
        out,
        _folder: folder,
    }
}

fn list() -> String {
    fixture("cases/capacity/list.yaml").display().to_string()
}

#[test]
fn what_is_wrong_is_said_before_anything_is_sent() {
    let missing = "127.0.0.1:1";
    for (arguments, words) in [
        (vec!["https://192.0.2.1:443"], "--allow-overload"),
        (vec!["https://192.0.2.1:443", "--allow-overload"], "--allow-writes"),
        (vec![missing, "--workload", "users"], "virtual users"),
        (vec![missing, "--workload", "grpc-vs-rest"], "combinations of factors"),
        (vec![missing, "--objective", "p99"], "write limits such as"),
        (vec![missing, "--objective", "errors=0%"], "cannot be shown"),
        (vec![missing, "--leg", "soap"], "is no leg"),
        (vec![missing, "--steps", "0,1"], "write calls in flight"),
        (vec![missing, "--steps", "9000"], "do not fit"),
        (
            vec![missing, "--start-rate", "500", "--max-rate", "100"],
            "above --max-rate",
        ),
        (vec![missing, "--max-rate", "10000000"], "lower one of them"),
        (vec![missing, "--server-pid", "1", "--from", "x"], "cannot be used with"),
        (vec![missing, "--current", "1,5"], "needs the rate to expect"),
        (
            vec![missing, "--peak-rate", "10", "--current", "5,1"],
            "write min replicas",
        ),
        (
            vec![missing, "--peak-rate", "10", "--database", "100"],
            "write max_connections",
        ),
        (vec![missing, "--peak-rate", "10", "--headroom", "7"], "headroom"),
        (vec![missing, "--traffic", "flash:peak=x"], "--traffic"),
        (vec![missing, "--memory", "1", "--peak-rate", "10"], "--cpu"),
        (vec!["--from", "/nowhere"], "--from"),
    ] {
        let ended = run(&[vec!["capacity"], arguments.clone()].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.shown());
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.shown());
    }
    let ended = run(&["capacity", missing, "--stage", "1s"]);
    assert_eq!(ended.code, Some(3), "{}", ended.shown());
}

/// One call at a time, where each takes 50 ms, is 20 a second, whatever the target could do beside it.
#[test]
fn a_generator_that_gives_out_is_not_told_as_the_capacity_of_the_target() {
    let server = serve(&["--simulate", "slow=50ms"]);
    let workload = list();
    let arguments = [
        server.address.as_str(),
        "--workload",
        &workload,
        "--objective",
        "p99=300ms",
        "--start-rate",
        "40",
        "--stage",
        "2s",
        "--confirm",
        "2s",
        "--connections",
        "1",
        "--streams-per-connection",
        "1",
        "--steps",
        "none",
        "--peak-rate",
        "100",
    ];
    let searched = capacity(&arguments, RUN);
    assert_eq!(searched.ended.code, Some(4), "{}", searched.ended.shown());
    let record = searched.record();
    assert_eq!(record.verdict.result, CapacityResult::Inconclusive);
    assert!(record.measured.is_none() && record.advice.is_none(), "{record:?}");
    assert!(
        record.verdict.sentence.contains("the limit, not the target"),
        "{}",
        record.verdict.sentence
    );
    assert!(
        record
            .stages
            .iter()
            .all(|stage| matches!(stage.judged, StageJudged::Void { .. })),
        "{record:?}"
    );
    assert!(!record.next.is_empty());
}

#[test]
fn replicas_are_counted_over_rest_too_and_are_not_known_where_none_names_itself() {
    let server = serve(&[]);
    let workload = list();
    for (leg, header, replicas) in [
        ("rest-h1", "x-stocktake-replica", 1),
        ("rest-h1", "x-nobody", 0),
        ("grpc", "x-nobody", 0),
    ] {
        let arguments = [
            server.address.as_str(),
            "--workload",
            &workload,
            "--leg",
            leg,
            "--replica-header",
            header,
            "--start-rate",
            "20",
            "--max-rate",
            "20",
            "--stage",
            "200ms",
            "--steps",
            "none",
        ];
        let searched = capacity(&arguments, RUN);
        let record = searched.record();
        assert_eq!(record.replicas, replicas, "{leg} {header}: {}", searched.ended.shown());
        let unknown = |text: &str| text.contains("how many replicas are behind the target is not known");
        let told = record.caveats.iter().any(|caveat| unknown(&caveat.text));
        assert_eq!(told, replicas == 0, "{:?}", record.caveats);
    }
}

/// On a busy machine there may be no answer; one that there is lies below what four workers of 5 ms can do.
#[test]
fn a_queue_with_a_known_limit_is_bracketed_or_nothing_is_said() {
    let server = serve(&["--simulate", "capacity=workers:4,service:5ms"]);
    let workload = list();
    let process = server.id().to_string();
    let arguments = [
        server.address.as_str(),
        "--workload",
        &workload,
        "--objective",
        "p99=30ms,errors=1%",
        "--start-rate",
        "400",
        "--stage",
        "500ms",
        "--confirm",
        "500ms",
        "--pause",
        "0s",
        "--steps",
        "none",
        "--server-pid",
        &process,
    ];
    let searched = capacity(&arguments, RUN);
    let record = searched.record();
    match searched.ended.code {
        Some(0) => {
            let bracket = record.bracket.unwrap();
            assert!(bracket.low < 800.0 && bracket.low > 100.0, "{bracket:?}");
            let measured = record.measured.unwrap();
            assert!(measured.service_s >= 0.005 && measured.in_flight > 0.5, "{measured:?}");
        }
        Some(1 | 4) => assert!(record.measured.is_none() && !record.next.is_empty(), "{record:?}"),
        _ => panic!("{}", searched.ended.shown()),
    }
}

/// A stored run, without running one.
fn stored(folder: &Path, replicas: u32, low: f64, high: f64) -> String {
    let text = include_str!("../../src/capacity/gather/record.json");
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

/// Replicas behind a balancer, the balancer ended first.
struct Fleet {
    balancer: Server,
    _replicas: Vec<Server>,
}

/// In real time, for minutes: `scripts/soak capacity`. `STOCKTAKE_CAPACITY_SCALE` divides every time, so that 4 makes of 20 ms and
/// half an hour 5 ms and eight minutes; it needs a machine that does nothing else.
#[test]
fn three_replicas_carry_what_one_and_two_predict() {
    let Some(scale) = env::var("STOCKTAKE_CAPACITY_SCALE")
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
    else {
        println!(
            "three_replicas_carry_what_one_and_two_predict: left out without STOCKTAKE_CAPACITY_SCALE: scripts/soak capacity"
        );
        return;
    };
    let Some(python) = tools::python("three_replicas_carry_what_one_and_two_predict") else {
        return;
    };
    let of = |millis: u32| format!("{}us", millis * 1000 / scale);
    let simulate = format!("capacity=workers:4,service:{}", of(20));
    let workload = list();
    let fleet = |replicas: usize| {
        let replicas: Vec<Server> = (0..replicas).map(|_| serve(&["--simulate", &simulate])).collect();
        let addresses: Vec<&str> = replicas.iter().map(|replica| replica.address.as_str()).collect();
        Fleet {
            balancer: python::serve(&python, "balancer.py", &addresses),
            _replicas: replicas,
        }
    };
    let objective = format!("p99={}", of(60));
    let (stage, confirm) = (of(10_000), of(30_000));
    let searches: Vec<Searched> = (1..=3)
        .map(|replicas| {
            let fleet = fleet(replicas);
            let start = (60 * replicas * scale as usize).to_string();
            let arguments = [
                fleet.balancer.address.as_str(),
                "--workload",
                &workload,
                "--objective",
                &objective,
                "--start-rate",
                &start,
                "--stage",
                &stage,
                "--confirm",
                &confirm,
                "--steps",
                "none",
            ];
            let searched = capacity(&arguments, Duration::from_secs(3600));
            println!("{replicas}: {}", searched.record().verdict.sentence);
            assert_eq!(searched.ended.code, Some(0), "{}", searched.ended.shown());
            assert_eq!(usize::try_from(searched.record().replicas), Ok(replicas));
            searched
        })
        .collect();
    let from = format!("{},{}", searches[0].out.display(), searches[1].out.display());
    let predicted = capacity(&["--from", &from, "--predict", "3"], RUN);
    println!("{}", predicted.record().verdict.sentence);
    assert_eq!(predicted.ended.code, Some(0), "{}", predicted.ended.shown());
    let (best, ..) = predicted.record().prediction.unwrap().rate.unwrap();
    let found = searches[2].record().bracket.unwrap().best;
    println!(
        "predicted {best:.0}/s, found {found:.0}/s: off by {:.1} %",
        (best / found - 1.0) * 100.0
    );
    assert!((best / found - 1.0).abs() < 0.10);
}
