//! `stocktake capacity` through the real binary: what it finds, and what it refuses to say.

mod stored;

use crate::support::{
    fixture,
    process::{self, Ended, Server},
    python,
    stocktake::{binary, run, serve},
    tools,
};
use ::stocktake::{
    capacity::record::{CapacityRecord, CapacityResult, Phase, StageJudged},
    report::store::{self, Stored},
};
use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command},
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

/// What a search says that something else than the replicas ends: exit 4, nothing confirmed, nothing recommended.
fn ended_elsewhere(target: &str, metrics: &str, objective: &str, limit: &str, sentence: &str) {
    let workload = list();
    let arguments = [
        target,
        "--workload",
        &workload,
        "--objective",
        objective,
        "--start-rate",
        "40",
        "--stage",
        "1s",
        "--confirm",
        "1s",
        "--steps",
        "none",
        "--metrics-url",
        metrics,
        "--cpu",
        "1",
        "--peak-rate",
        "100",
    ];
    let searched = capacity(&arguments, RUN);
    let record = searched.record();
    assert_eq!(searched.ended.code, Some(4), "{}", searched.ended.shown());
    assert!(record.measured.is_none() && record.advice.is_none(), "{record:?}");
    assert!(
        record.verdict.sentence.starts_with(sentence),
        "{}",
        searched.ended.shown()
    );
    assert_eq!(record.bracket.unwrap().limit, limit);
    let confirmed = record.stages.iter().any(|stage| stage.phase == Phase::Confirm);
    assert!(!confirmed && !record.next.is_empty(), "{}", searched.ended.shown());
}

/// An edge that passes on no more than four calls at once is full at 80 a second, where each takes 50 ms, and its replica is idle: said
/// before anything is confirmed, and never as the capacity of the replica.
#[test]
fn a_full_edge_ends_the_search_and_is_not_told_as_the_capacity_of_a_replica() {
    let Some(python) = tools::python("a_full_edge_ends_the_search") else {
        return;
    };
    let replica = serve(&["--simulate", "slow=50ms", "--probe-listen", "127.0.0.1:0"]);
    let metrics = format!("http://{}/metrics", replica.another());
    let edge = python::serve(&python, "balancer.py", &["--calls", "4", &replica.address]);
    ended_elsewhere(
        &edge.address,
        &metrics,
        "p50=300ms",
        "edge",
        "the edge in front of the replicas is the limit, not the replicas: ",
    );
}

/// A PostgreSQL in which all calls wait for one lock that each holds for 10 ms, before a replica with nothing to do: the same.
#[test]
fn a_full_database_ends_the_search_and_is_not_told_as_the_capacity_of_a_replica() {
    let test = "a_full_database_ends_the_search";
    let (Some(python), Some(postgres)) = (tools::python(test), tools::postgres(test)) else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let (postgres, data) = (postgres.display().to_string(), folder.path().display().to_string());
    let arguments = ["--postgres", &postgres, "--folder", &data];
    let replica = python::serve(&python, "database_server.py", &arguments);
    // It names its metrics first.
    let metrics = format!("http://{}/", replica.address);
    ended_elsewhere(
        &replica.another(),
        &metrics,
        "p50=200ms",
        "database",
        "the database behind the replicas is the limit, not the replicas: ",
    );
}

/// A search under way, its lines read until one says this.
fn begun(arguments: &[&str], out: &Path, words: &str) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = Command::new(binary());
    let mut child = process::spawn(command.arg("capacity").args(arguments).arg("--out").arg(out));
    let mut lines = BufRead::lines(BufReader::new(child.stdout.take().unwrap())).map_while(Result::ok);
    let told = lines.find(|line| line.contains(words));
    assert!(told.is_some(), "{words} was not told");
    (child, lines)
}

fn read(out: &Path) -> CapacityRecord {
    match store::read_any(out) {
        Ok(Stored::Capacity(record)) => *record,
        other => panic!("{other:?}"),
    }
}

/// Nothing bounds the time: 800 slots fill up with calls that wait in a target that does 200 a second, and that is the target's queue.
#[test]
fn an_objective_of_errors_alone_finds_where_a_queue_grows() {
    let server = serve(&["--simulate", "capacity=workers:4,service:20ms"]);
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let workload = list();
    let arguments = [
        server.address.as_str(),
        "--workload",
        &workload,
        "--objective",
        "errors=5%",
        "--start-rate",
        "150",
        "--stage",
        "2s",
        "--steps",
        "none",
    ];
    let (mut child, lines) = begun(&arguments, &out, "failed: ");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let record = read(&out);
    assert_eq!(record.verdict.result, CapacityResult::Interrupted);
    let (last, passed) = record.stages.split_last().unwrap();
    assert_eq!(last.rate, Some(300.0));
    assert!(
        matches!(&last.judged, StageJudged::Failed { limit, .. } if limit == "backlog"),
        "{last:?}"
    );
    assert!(passed.iter().all(|stage| stage.judged == StageJudged::Passed));
}

/// A target that dies under load: what was measured until then is kept, and nothing is concluded from it.
#[test]
fn a_target_that_is_lost_under_load_is_not_judged() {
    let mut server = serve(&[]);
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let address = server.address.clone();
    let workload = list();
    let arguments = [
        address.as_str(),
        "--workload",
        &workload,
        "--start-rate",
        "50",
        "--stage",
        "1s",
        "--steps",
        "none",
    ];
    let (mut child, lines) = begun(&arguments, &out, "explore ");
    server.kill();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{rest:?}");
    let record = read(&out);
    assert_eq!(record.verdict.result, CapacityResult::NotJudged);
    assert!(!record.verdict.complete && !record.stages.is_empty() && record.measured.is_none());
    assert!(
        record.verdict.sentence.contains("was lost under load"),
        "{}",
        record.verdict.sentence
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
