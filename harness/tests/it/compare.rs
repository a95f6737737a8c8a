//! `stocktake compare` through the real binary, on run folders made for it.

use crate::support::{process::Ended, stocktake::run};
use std::{fs, path::PathBuf};
use stocktake::{
    load::{
        exchange::Decoding,
        leg::Leg,
        record::{
            ArrivalsRecord, CellRecord, GeneratorRecord, LOAD_VERSION, LoadRecord, LoadResult, LoadTarget, LoadVerdict,
            RoundRecord, SideRecord, WorkloadRecord,
        },
    },
    verify::record::HostRecord,
};
use tempfile::TempDir;

/// A round of about such a mean time, in milliseconds.
fn round(block: usize, time: f64) -> RoundRecord {
    let nanoseconds = time * 1e6 * [1.0, 1.01, 0.985, 1.004][block % 4];
    RoundRecord {
        order: block,
        block,
        began_ms: 1_000,
        seconds: 5.0,
        scheduled: 5_000,
        sent: 5_000,
        succeeded: 5_000,
        failed: 0,
        throughput: 1_000.0,
        mean: Some(nanoseconds),
        p50: Some((0.9 * nanoseconds) as u64),
        p99: Some((3.0 * nanoseconds) as u64),
        server_cpu_us: None,
        client_cpu_us: 40.0,
        bytes: (120.0, 380.0),
        in_flight: 1.0,
        littles: 1.0,
        most_waiting: 0,
        void: None,
    }
}

fn side(leg: Leg, time: f64) -> SideRecord {
    SideRecord {
        leg,
        target: 0,
        rounds: (0..12).map(|block| round(block, time)).collect(),
        operations: Vec::new(),
        all: None,
        series: Vec::new(),
        void: None,
    }
}

fn record(id: &str, time: f64) -> LoadRecord {
    LoadRecord {
        load_version: LOAD_VERSION,
        command: "load".to_owned(),
        run_id: id.to_owned(),
        started: "2026-11-27T02:00:00Z".to_owned(),
        elapsed_ms: 120_000,
        targets: vec![LoadTarget {
            name: "target".to_owned(),
            address: "built-in service http://127.0.0.1:40123".to_owned(),
            descriptors: "reflection v1".to_owned(),
            loopback: true,
            cold_start_ms: None,
        }],
        workload: WorkloadRecord {
            id: "reads".to_owned(),
            name: "reads".to_owned(),
            file: "embedded".to_owned(),
            sha256: "ab".repeat(32),
            seed: 1,
            operations: Vec::new(),
            claim: None,
            objective: None,
        },
        host: HostRecord {
            stocktake: "0.1.0".to_owned(),
            system: "linux x86_64".to_owned(),
            cpus: 2,
        },
        generator: GeneratorRecord {
            threads: 1,
            processor: None,
            kernel: None,
            bare_wait_p99: None,
        },
        options: Vec::new(),
        cells: vec![CellRecord {
            id: "c1".to_owned(),
            factors: Vec::new(),
            arrivals: ArrivalsRecord::Poisson {
                stages: vec![(1_000.0, 1_000.0, 5.0)],
            },
            decoding: Decoding::Sampled,
            connections: 4,
            streams_per_connection: 8,
            measured_s: 5.0,
            warm_up_s: 1.0,
            sides: vec![side(Leg::Grpc, time), side(Leg::RestH1, 2.0 * time)],
            void: None,
        }],
        comparisons: Vec::new(),
        residue: Vec::new(),
        caveats: Vec::new(),
        verdict: LoadVerdict {
            result: LoadResult::Measured,
            exit_code: 0,
            sentence: "measured".to_owned(),
            complete: true,
        },
    }
}

/// Folders of runs.
struct Runs(TempDir);

impl Runs {
    /// `runs` of them that differ by a few percent.
    fn new(runs: usize) -> Runs {
        let folder = Runs(TempDir::new().unwrap());
        for (i, time) in [1.0, 1.02, 0.99, 1.01, 0.985, 1.03].iter().take(runs).enumerate() {
            folder.add(&record(&format!("base{i}"), *time));
        }
        folder
    }

    fn add(&self, record: &LoadRecord) -> PathBuf {
        self.write(&record.run_id, &serde_json::to_string(record).unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("run.json"), text).unwrap();
        folder
    }

    /// All that are there beside the new one.
    fn compare(&self, new: &LoadRecord) -> Ended {
        let mut folders: Vec<PathBuf> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        folders.sort();
        folders.push(self.add(new));
        let arguments = folders.iter().map(|folder| folder.to_str().unwrap());
        run(&std::iter::once("compare").chain(arguments).collect::<Vec<_>>())
    }
}

#[test]
fn a_run_like_its_forerunners_passes() {
    let ended = Runs::new(6).compare(&record("new", 1.01));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    let last = ended.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("PASSED: no regression found beside 6 BASE runs; it would have been"),
        "{last}"
    );
    assert_eq!(
        ended.stdout.lines().filter(|line| line.starts_with("c1 ")).count(),
        8,
        "{}",
        ended.stdout
    );
}

#[test]
fn a_slow_run_fails_and_says_by_what() {
    let ended = Runs::new(6).compare(&record("new", 1.6));
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let last = ended.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("FAILED: the new run is worse: median response time of grpc in c1: 59 % more"),
        "{last}"
    );
    assert!(last.ends_with("; and 3 more"), "{last}");
    assert_eq!(ended.stdout.matches("  worse\n").count(), 6, "{}", ended.stdout);
}

#[test]
fn a_fast_run_passes_and_is_called_better() {
    let ended = Runs::new(6).compare(&record("new", 0.6));
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended
            .stdout
            .contains("; better: median response time of grpc in c1: 40 % less"),
        "{}",
        ended.stdout
    );
}

#[test]
fn fewer_than_five_runs_of_a_kind_are_inconclusive() {
    let ended = Runs::new(1).compare(&record("new", 9.0));
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    let last = ended.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("INCONCLUSIVE: 1 of 1 BASE run can be used, 5 are needed")
            && last.contains("`stocktake load --workload reads` on the old state 4 more times on this host"),
        "{last}"
    );

    // Six runs, of which two are of another machine.
    let runs = Runs::new(4);
    for i in 0..2 {
        let mut other = record(&format!("other{i}"), 1.0);
        other.host.cpus = 8;
        runs.add(&other);
    }
    let ended = runs.compare(&record("new", 1.0));
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended
            .stdout
            .contains("other1 has another number of processors: 8, the new run has 2"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_new_run_with_a_void_side_is_inconclusive() {
    let mut new = record("new", 1.0);
    new.cells[0].sides[1].void = Some("no answer".to_owned());
    let ended = Runs::new(6).compare(&new);
    assert_eq!(ended.code, Some(4), "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("median response time of rest-h1 in c1"),
        "{}",
        ended.stdout
    );
}

#[test]
fn what_is_no_load_run_is_wrong_input() {
    let runs = Runs::new(5);
    let version =
        serde_json::to_string(&record("later", 1.0))
            .unwrap()
            .replacen("\"load_version\":1", "\"load_version\":2", 1);
    let table = [
        (
            "verify",
            "{\"schema_version\": 2}".to_owned(),
            "is the record of a verify run, not of a load run: give the folder of one",
        ),
        ("later", version, "has load version 2, this stocktake reads version 1"),
        (
            "torn",
            "{\"load_version\": 1".to_owned(),
            "this is not the record of a run: ",
        ),
    ];
    let base = runs.0.path().join("base0");
    for (name, text, expected) in table {
        let folder = runs.write(name, &text);
        for order in [[&base, &folder], [&folder, &base]] {
            let ended = run(&["compare", order[0].to_str().unwrap(), order[1].to_str().unwrap()]);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{}", ended.stderr);
            assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        }
    }
    let missing = run(&["compare", base.to_str().unwrap(), "nowhere"]);
    assert_eq!(missing.code, Some(2));
    assert!(
        missing
            .stderr
            .contains("nowhere holds no run.json: give the folder of a run"),
        "{}",
        missing.stderr
    );
    assert_eq!(run(&["compare", base.to_str().unwrap()]).code, Some(2));
    assert_eq!(run(&["compare"]).code, Some(2));
}
