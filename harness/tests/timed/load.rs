//! `stocktake load` through the real binary: what it writes, how it ends.

use crate::support::{
    process::{self, Ended, Server},
    python::Seed,
    stocktake::{self, binary, serve},
    tools,
};
use ::stocktake::{
    load::{
        leg::Leg,
        record::{Finding, LoadRecord, LoadResult, Measure},
    },
    report::store,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than any of these runs takes on a busy machine.
const RUN: Duration = Duration::from_secs(180);

/// A run and its folder.
struct Loaded {
    ended: Ended,
    out: PathBuf,
    _folder: TempDir,
}

impl Loaded {
    fn record(&self) -> LoadRecord {
        store::read_load(&self.out).unwrap_or_else(|error| panic!("{error}\n{}", self.ended.shown()))
    }

    fn expect(&self, code: i32) -> LoadRecord {
        assert_eq!(self.ended.code, Some(code), "{}", self.ended.shown());
        let record = self.record();
        assert_eq!(record.verdict.exit_code, code);
        record
    }
}

fn load(arguments: &[&str]) -> Loaded {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let mut command = Command::new(binary());
    command.arg("load").args(arguments).arg("--out").arg(&out);
    Loaded {
        ended: process::run(&mut command, RUN),
        out,
        _folder: folder,
    }
}

/// Rounds that are short, and as many as a comparison needs.
const SHORT: [&str; 6] = ["--duration", "100ms", "--warm-up", "20ms", "--rounds", "12"];

fn files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap();
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn the_built_in_service_is_driven_on_both_protocols_and_its_reports_are_rendered_again() {
    let run = load(&SHORT);
    // On a machine that is too busy for so short rounds, too many of them are void for a comparison.
    let void = |record: &LoadRecord| {
        record.cells[0]
            .sides
            .iter()
            .any(|side| side.rounds.iter().any(|round| round.void.is_some()))
    };
    let record = match run.ended.code {
        Some(4) if void(&run.record()) => run.expect(4),
        _ => run.expect(0),
    };
    let cell = &record.cells[0];
    let legs: Vec<Leg> = cell.sides.iter().map(|side| side.leg).collect();
    assert!(legs.contains(&Leg::Grpc) && legs.contains(&Leg::RestH1), "{legs:?}");
    for side in &cell.sides {
        assert_eq!(side.rounds.len(), 12);
        for round in &side.rounds {
            assert!(round.sent > 0 && round.sent == round.scheduled, "{round:?}");
            assert_eq!((round.failed, round.succeeded), (0, round.sent), "{round:?}");
            assert!(round.server_cpu_us.is_none_or(|cpu| cpu > 0.0), "{round:?}");
        }
    }
    // The same traffic on each side of a block.
    for block in 0..12 {
        let scheduled: BTreeSet<u64> = cell
            .sides
            .iter()
            .flat_map(|side| side.rounds.iter().filter(|round| round.block == block))
            .map(|round| round.scheduled)
            .collect();
        assert_eq!(scheduled.len(), 1, "block {block}");
    }
    // JSON and heads of HTTP/1.1 are longer; a round that the machine was too busy for may be void.
    let compared = record.comparisons.iter().find(|c| c.measure == Measure::Bytes);
    let compared = compared.expect("bytes are compared");
    assert!(
        matches!(compared.finding, Finding::More | Finding::TooFew),
        "{compared:?}"
    );

    let written = files(&run.out);
    for side in &cell.sides {
        for operation in &side.operations {
            let log = operation.hlog.clone().unwrap();
            assert!(
                written.contains(&log) && written.contains(&log.replace(".hlog", ".hgrm")),
                "{written:?}"
            );
        }
    }
    let again = TempDir::new().unwrap();
    let out = again.path().join("again");
    let rendered = stocktake::run(&["report", run.out.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(rendered.code, Some(0), "{}", rendered.shown());
    for name in ["run.json", "index.html", "report.md"] {
        assert_eq!(
            fs::read(run.out.join(name)).unwrap(),
            fs::read(out.join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_seed_names_the_traffic() {
    let schedule = |seed: &str| -> Vec<u64> {
        let arguments = [
            "--legs",
            "grpc",
            "--rounds",
            "2",
            "--duration",
            "200ms",
            "--warm-up",
            "0s",
            "--seed",
            seed,
        ];
        let file = workload("arrivals: { poisson: 400 }");
        let run = load(&[&arguments[..], &["--workload", file.path().to_str().unwrap()]].concat());
        let record = run.expect(0);
        record.cells[0].sides[0]
            .rounds
            .iter()
            .map(|round| round.scheduled)
            .collect()
    };
    let first = schedule("1");
    assert_eq!(first, schedule("1"));
    assert_ne!(first, schedule("2"), "Poisson arrivals of two seeds");
}

/// A workload of one operation, with more keys.
fn workload(keys: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    let text = format!(
        "version: 1\nid: pages\nname: pages of the catalogue\nservice: inventory.InventoryService\neffects: read-only\n\
         operations:\n  - id: list\n    call: ListProducts\n    request: {{ page_size: 2 }}\n{keys}\n"
    );
    fs::write(file.path(), text).unwrap();
    file
}

/// The options of a workload in so many rounds of such a length.
fn rounds<'a>(file: &'a tempfile::NamedTempFile, rounds: &'a str, duration: &'a str) -> [&'a str; 6] {
    let path = file.path().to_str().unwrap();
    ["--workload", path, "--rounds", rounds, "--duration", duration]
}

#[test]
fn an_objective_fails_the_run_and_too_few_samples_do_not_pass_it() {
    let slow = serve(&["--simulate", "slow=30ms"]);
    let file = workload("arrivals: { constant: 100 }\nlegs: [grpc, rest-h1]\nobjective: { p50: 20ms, errors: 1% }");
    let arguments = rounds(&file, "2", "500ms");
    let run = load(&[&[slow.address.as_str()], &arguments[..]].concat());
    let record = run.expect(1);
    assert!(
        record.verdict.sentence.starts_with("p50 over gRPC is 3"),
        "{}",
        record.verdict.sentence
    );

    // A p99 needs a thousand samples.
    let file = workload("arrivals: { constant: 100 }\nlegs: [grpc]\nobjective: { p99: 10s }");
    let arguments = rounds(&file, "2", "200ms");
    let record = load(&arguments).expect(4);
    assert!(
        record.verdict.sentence.contains("too few samples"),
        "{}",
        record.verdict.sentence
    );
}

#[test]
fn a_new_target_that_is_slower_fails_against_the_old_one_and_itself_does_not() {
    let (old, new) = (serve(&["--simulate", "slow=10ms"]), serve(&["--simulate", "slow=25ms"]));
    let file = workload("arrivals: { in_flight: 4 }\nlegs: [grpc]");
    let arguments = rounds(&file, "10", "200ms");
    let against = |new: &Server, old: &Server| {
        load(
            &[
                &[new.address.as_str(), "--against", old.address.as_str()],
                &arguments[..],
            ]
            .concat(),
        )
    };
    let record = against(&new, &old).expect(1);
    assert_eq!(record.targets.len(), 2);
    assert_eq!(record.verdict.result, LoadResult::Failed, "{}", record.verdict.sentence);
    let faster = against(&old, &new).expect(0);
    assert_eq!(
        faster.verdict.result,
        LoadResult::Measured,
        "{}",
        faster.verdict.sentence
    );
}

#[test]
fn what_cannot_be_measured_has_its_own_exit() {
    let gone = load(&["127.0.0.1:1"]);
    assert_eq!(gone.ended.code, Some(3), "{}", gone.ended.shown());
    for (arguments, code, part) in [
        (&["--legs", "soap"][..], 2, "`soap` is no leg"),
        (
            &["--workload", "nowhere.yaml"],
            2,
            "cannot read the workload nowhere.yaml",
        ),
        (&["--rate", "0"], 2, "is no rate"),
        (&["http://example.com"], 2, "--allow-writes"),
    ] {
        let run = load(arguments);
        assert_eq!(run.ended.code, Some(code), "{arguments:?}: {}", run.ended.shown());
        assert!(run.ended.stderr.contains(part), "{arguments:?}: {}", run.ended.shown());
    }
}

#[test]
fn failures_end_the_run_and_are_no_speed() {
    // Every call is over its deadline: the service never answers in time.
    let slow = serve(&["--simulate", "delay=2s"]);
    let file = workload("arrivals: { constant: 50 }\nlegs: [grpc]");
    let text = fs::read_to_string(file.path()).unwrap();
    fs::write(
        file.path(),
        text.replace("request: {", "timeout: 100ms\n    request: {"),
    )
    .unwrap();
    let arguments = rounds(&file, "3", "300ms");
    let run = load(&[&[slow.address.as_str()], &arguments[..]].concat());
    let record = run.expect(3);
    assert!(
        record.verdict.sentence.contains("--max-errors"),
        "{}",
        record.verdict.sentence
    );
    assert_eq!(record.cells[0].sides[0].rounds.len(), 1);
}

#[test]
fn an_interrupted_run_writes_what_it_has() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let mut command = Command::new(binary());
    command
        .args([
            "load",
            "--rounds",
            "1000",
            "--duration",
            "200ms",
            "--warm-up",
            "0s",
            "--out",
        ])
        .arg(&out);
    let mut child = process::spawn(&mut command);
    // Each block is a line.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let told = lines.find(|line| {
        line.as_ref()
            .is_ok_and(|line| line.contains("2/1000") || line.contains("2 of 1000"))
    });
    assert!(told.is_some(), "no block was told");
    let status = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
    let deadline = Instant::now() + RUN;
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let ended = child.wait().unwrap();
    assert!(Instant::now() < deadline);
    assert_eq!(ended.code(), Some(130), "{rest:?}");
    let record = store::read_load(&out).unwrap();
    assert_eq!(record.verdict.result, LoadResult::Interrupted);
    assert!(!record.verdict.complete);
    assert!(!record.cells[0].sides[0].rounds.is_empty());
}

#[test]
fn a_request_that_cannot_be_made_in_a_late_cell_is_told_before_anything_is_measured() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("late.yaml");
    let text = "version: 1\nid: late\nname: a mistake in the last cell\nservice: inventory.InventoryService\neffects: writes\n\
        factors: { step: [1, 0] }\n\
        setup:\n  - call: CreateProduct\n    request: { name: a, sku: \"st-${{ run.id }}\", price: 1 }\n\
        operations:\n  - id: list\n    call: ListProducts\n    request: { page_size: \"${{ 10 / factor.step }}\" }\n\
        arrivals: { constant: 50 }\nduration: 100ms\nrounds: 10\n";
    fs::write(&file, text).unwrap();
    let run = load(&["--workload", file.to_str().unwrap()]);
    let record = run.expect(2);
    assert!(record.cells.is_empty(), "{:?}", record.cells);
    assert_eq!(record.residue.len(), 1, "what the set-up wrote is listed");
    assert!(
        record.verdict.sentence.contains("late.yaml:13"),
        "{}",
        record.verdict.sentence
    );
}

#[test]
fn a_set_up_that_takes_long_is_interrupted() {
    let server = serve(&["--simulate", "slow=500ms"]);
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let mut command = Command::new(binary());
    let workload = [
        "load",
        &server.address,
        "--workload",
        "grpc-vs-rest",
        "--legs",
        "grpc",
        "--out",
    ];
    let mut child = process::spawn(command.args(workload).arg(&out));
    // A hundred products, four at a time, half a second each: the first line is told before them.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.next().is_some(), "nothing was told");
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{rest:?}");
    let record = store::read_load(&out).unwrap();
    assert_eq!(record.verdict.result, LoadResult::Interrupted);
    assert!(record.cells.is_empty());
}

#[test]
fn the_posts_server_is_driven_over_grpc_alone() {
    let test = "load::the_posts_server_is_driven_over_grpc_alone";
    let (Some(python), Some(post)) = (tools::python(test), tools::post(test)) else {
        return;
    };
    let seed = Seed::extract(&python, &post);
    let server = seed.serve(&python);
    let run = load(&[&[server.address.as_str(), "--rate", "100"], &SHORT[..]].concat());
    let record = run.expect(0);
    let legs: Vec<Leg> = record.cells[0].sides.iter().map(|side| side.leg).collect();
    assert_eq!(legs, [Leg::Grpc]);
    let told = record
        .caveats
        .iter()
        .any(|caveat| caveat.text.starts_with("REST was not driven"));
    assert!(told, "{:?}", record.caveats);
    assert!(record.cells[0].sides[0].rounds.iter().all(|round| round.failed == 0));
}
