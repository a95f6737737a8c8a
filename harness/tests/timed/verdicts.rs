//! What is judged beside the cases, end to end: the old target, approved outcomes, who answers, the contract, the cold start, and
//! what CI systems are told.

mod alternator;
mod drifted;
mod pull_request;

use crate::support::{
    process::{self, Server},
    python,
    stocktake::{attempt, binary, record, serve},
    tools, until, write,
};
use alternator::Alternator;
use std::{fs, path::Path, process::Command};
use stocktake::verify::record::{CheckName, CheckRecord, CheckResult, Outcome, RunRecord, VerdictResult};

/// A few cases that take little time.
const FEW: [&str; 2] = ["--filter", "get_*,list_category*,create_stored*,update_applied*"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    FEW.iter().chain(more).copied().collect()
}

fn check(record: &RunRecord, about: CheckName) -> &CheckRecord {
    let found = record.checks.iter().find(|check| check.about == about);
    found.unwrap_or_else(|| panic!("no check {about:?} in {:?}", record.checks))
}

fn kinds(check: &CheckRecord) -> Vec<&str> {
    check.items.iter().map(|item| item.kind.as_str()).collect()
}

#[test]
fn what_passed_on_the_old_target_and_fails_on_the_new_one_is_a_regression() {
    let (old, new) = (serve(&[]), serve(&["--fault", "get-stale"]));
    let seen = attempt(&new.address, &with(&["--against", &old.address]));
    assert_eq!(seen.code, Some(1), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::Against);
    assert_eq!(found.result, CheckResult::Failed);
    assert!(
        kinds(found).contains(&"regression") && !kinds(found).contains(&"failed before"),
        "{found:?}"
    );
    assert!(
        record.verdict.sentence.contains("regressed"),
        "{}",
        record.verdict.sentence
    );
    assert!(
        seen.stdout.contains("against the old target: failed"),
        "{}",
        seen.stdout
    );

    // The other way round it is mended.
    let seen = attempt(&old.address, &with(&["--against", &new.address]));
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    assert!(kinds(check(&record, CheckName::Against)).contains(&"fixed"));

    // On both it is known of old, and fails the run as it does without the other.
    let also = serve(&["--fault", "get-stale"]);
    let seen = attempt(&new.address, &with(&["--against", &also.address]));
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::Against);
    assert_ne!(found.result, CheckResult::Failed, "{found:?}");
    assert!(kinds(found).contains(&"failed before"), "{found:?}");
}

#[test]
fn the_same_service_twice_answers_the_same() {
    let (old, new) = (serve(&[]), serve(&[]));
    let seen = attempt(&new.address, &with(&["--against", &old.address, "--level", "should"]));
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::Against);
    assert_eq!((found.result, found.items.len()), (CheckResult::Passed, 0), "{found:?}");
    assert!(found.sentence.contains("the same"), "{}", found.sentence);
}

#[test]
fn both_targets_are_asked_the_same_where_one_is_not_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let text = "version: 1\nid: ID\nname: one\neffects: read-only\nMOREservice: inventory.InventoryService\nsteps:\n  - call: ListProducts\n    request: { page_size: 1 }\n";
    for (id, more) in [
        ("plain", ""),
        ("alone", "exclusive: true\n"),
        ("odd", "odd_data: true\n"),
    ] {
        let text = text.replace("ID", id).replace("MORE", more);
        write(folder.path(), &format!("{id}.yaml"), &text);
    }
    let scenarios = ["--scenarios", folder.path().to_str().unwrap(), "--protocol", "grpc"];
    let (one, other) = (serve(&[]), serve(&[]));
    // It is this machine, and its name does not say so.
    let far = |address: &str| format!("http://{}", address.replace("127.0.0.1", "0.0.0.0"));
    for (new, old) in [
        (far(&one.address), other.address.clone()),
        (one.address.clone(), far(&other.address)),
    ] {
        let more = ["--against", &old, "--allow-writes"];
        let seen = attempt(&new, &[&scenarios[..], &more].concat());
        assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
        let record = seen.record.unwrap();
        let found = check(&record, CheckName::Against);
        assert_eq!((found.result, found.items.len()), (CheckResult::Passed, 0), "{found:?}");
        assert_eq!(record.verdict.counts.skipped, 2, "{:?}", record.verdict);
    }
}

#[test]
fn an_interrupted_check_ends_as_interrupted() {
    // It asks for the signal before it compares gRPC and REST, and again for its verdict.
    let server = serve(&["--simulate", "delay=40ms"]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let mut command = Command::new(binary());
    command
        .args(["check", &server.address, "--jobs", "2", "--out"])
        .arg(&out);
    let child = process::spawn(&mut command);
    let log = out.join("events.jsonl");
    until(|| fs::read_to_string(&log).is_ok_and(|log| log.matches("\"case_finished\"").count() >= 3));
    let kill = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(130), "{stdout}");
    let record = record(&out).unwrap();
    assert_eq!(
        record.verdict.result,
        VerdictResult::Interrupted,
        "{:?}",
        record.verdict
    );
    assert!(
        record.load.is_none() && !stdout.contains("gRPC against REST"),
        "{stdout}"
    );
}

/// Scenarios that pass on every service, whatever stands in the description.
fn told(folder: &Path) {
    let text = "version: 1\nid: told\nname: told\neffects: writes\nservice: inventory.InventoryService\nsteps:\n  - id: p\n    call: CreateProduct\n    request: { name: nut, sku: \"st-${{ run.id }}-1\", price: 1.255, stock_quantity: STOCK }\n    snapshot: made\n  - call: GetProduct\n    request: { id: \"${{ p.response.id }}\" }\n";
    write(folder, "told.yaml", &text.replace("STOCK", "5"));
}

#[test]
fn other_answers_of_cases_that_pass_are_told_and_fail_at_level_should() {
    let folder = tempfile::tempdir().unwrap();
    told(folder.path());
    let scenarios = ["--scenarios", folder.path().to_str().unwrap()];
    // It answers with what is not stored, and no scenario looks.
    let (old, new) = (serve(&[]), serve(&["--fault", "create-price-cents"]));
    let run = |level: &str| {
        let more = ["--against", &old.address, "--level", level];
        attempt(&new.address, &[&scenarios[..], &more].concat())
    };
    let seen = run("must");
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    assert!(
        kinds(check(&record, CheckName::Against)).contains(&"differs"),
        "{:?}",
        record.checks
    );
    assert_eq!(run("should").code, Some(1));
}

#[test]
fn an_old_target_that_cannot_be_reached_leaves_nothing_judged() {
    let new = serve(&[]);
    let seen = attempt(
        &new.address,
        &with(&["--against", "127.0.0.1:1", "--connect-timeout", "1s"]),
    );
    assert_eq!(seen.code, Some(3), "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stderr.contains("cannot reach"), "{}", seen.stderr);
}

#[test]
fn an_approved_outcome_is_new_holds_and_differs() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    told(folder.path());
    let file = folder.path().join("snapshots/told.snap");
    let pending = folder.path().join("snapshots/told.snap.new");
    let run = |more: &[&str]| {
        let scenarios = folder.path().join("told.yaml");
        let args = [
            "--scenarios",
            scenarios.to_str().unwrap(),
            "--snapshot",
            file.to_str().unwrap(),
        ];
        attempt(&server.address, &[&args[..], more].concat())
    };
    let first = run(&[]);
    assert_eq!(first.code, Some(1), "{}{}", first.stdout, first.stderr);
    assert!(first.stdout.contains("does not exist yet"), "{}", first.stdout);
    assert!(pending.exists() && !file.exists());
    // What is left to be reviewed is what is approved, and `cargo insta accept` is to rename it.
    fs::rename(&pending, &file).unwrap();
    let holds = run(&["--jobs", "1"]);
    assert_eq!(holds.code, Some(0), "{}{}", holds.stdout, holds.stderr);

    // Another answer: the step, the line of the diff and the exit code say so.
    let text = fs::read_to_string(folder.path().join("told.yaml")).unwrap();
    write(
        folder.path(),
        "told.yaml",
        &text.replace("stock_quantity: 5", "stock_quantity: 6"),
    );
    let differs = run(&[]);
    assert_eq!(differs.code, Some(1), "{}", differs.stdout);
    for words in [
        "differs from the approved `told/made`",
        "-         \"stock_quantity\": 5",
        "+         \"stock_quantity\": 6",
    ] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            squeezed(&differs.stdout).contains(&squeezed(words)),
            "{words}: {}",
            differs.stdout
        );
    }
    // The case itself held: what is to be reviewed does not call it failed.
    let new = fs::read_to_string(&pending).unwrap();
    assert!(
        new.contains("\"outcome\": \"passed\"") && !new.contains("failed"),
        "{new}"
    );
    assert_eq!(run(&["--accept"]).code, Some(0));
    assert!(!pending.exists());
    assert_eq!(fs::read_to_string(&file).unwrap(), new);
    assert_eq!(run(&[]).code, Some(0));
}

#[test]
fn a_snapshot_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.snap");
    fs::write(&file, "{\"version\": 1, \"snapshots\": {}}").unwrap();
    for (name, words) in [("a.snap", "no snapshot"), ("a.json", "must end in .snap")] {
        let path = folder.path().join(name);
        let seen = attempt("127.0.0.1:1", &with(&["--snapshot", path.to_str().unwrap()]));
        assert_eq!(seen.code, Some(2), "{}", seen.stderr);
        assert!(seen.stderr.contains(words), "{}", seen.stderr);
    }
}

#[test]
fn every_answer_of_the_whole_suite_names_the_revision() {
    let server = serve(&["--revision", "new", "--replica", "a"]);
    // Streams, errors, REST, reflection, probes and clean-up.
    let seen = attempt(
        &server.address,
        &[
            "--expect-revision",
            "new",
            "--filter",
            "get_*,list_*,create_*,bulk_*,watch_*,rpc_unknown*,rpc_details*",
        ],
    );
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::Identity);
    assert_eq!(found.result, CheckResult::Passed, "{found:?}");
    assert!(found.sentence.ends_with("of 1 replica"), "{}", found.sentence);
    let calls: u64 = record.coverage.methods.iter().map(|method| method.calls).sum();
    let counted: u64 = record.target.answered_by.iter().map(|(_, n)| n).sum();
    assert!(counted >= calls && calls > 500, "{counted} answers, {calls} calls");
}

#[test]
fn a_pass_cannot_come_from_the_old_revision() {
    let (old, new) = (
        serve(&["--revision", "old", "--replica", "a"]),
        serve(&["--revision", "new", "--replica", "b"]),
    );
    // Every other connection goes to the old one; each case alone would pass on either.
    let both = Alternator::start(&[&new.address, &old.address]);
    let folder = tempfile::tempdir().unwrap();
    let steps = "  - call: ListProducts\n    connection: fresh\n    request: { page_size: 1 }\n  - id: w\n    call: WatchStockChanges\n    background: true\n    request: { category: none }\n  - call: ListProducts\n    connection: fresh\n    request: { page_size: 1 }\n  - call: GetProduct\n    connection: fresh\n    request: { id: none }\n    expect: { status: NOT_FOUND }\n  - cancel: w\n";
    let text = format!(
        "version: 1\nid: one\nname: one\neffects: read-only\nservice: inventory.InventoryService\nsteps:\n{steps}"
    );
    write(folder.path(), "one.yaml", &text);
    let args = ["--scenarios", folder.path().to_str().unwrap()];
    assert_eq!(
        attempt(&both.address, &args).code,
        Some(0),
        "each of them keeps the promises"
    );
    let seen = attempt(&both.address, &[&args[..], &["--expect-revision", "new"]].concat());
    assert_eq!(seen.code, Some(1), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::Identity);
    assert_eq!(found.result, CheckResult::Failed, "{found:?}");
    assert!(
        found
            .items
            .iter()
            .any(|item| item.kind == "stranger" && item.subject == "old"),
        "{found:?}"
    );
    assert!(
        seen.stdout.contains("do not name the revision \"new\""),
        "{}",
        seen.stdout
    );
    let names: Vec<&str> = record
        .target
        .answered_by
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["new/b", "old/a"]);
}

#[test]
fn a_stream_of_the_old_revision_alone_is_noticed() {
    // All calls but the one that stays open go to the new one.
    let (old, new) = (serve(&["--revision", "old"]), serve(&["--revision", "new"]));
    let both = Alternator::start(&[&new.address, &old.address, &new.address]);
    let folder = tempfile::tempdir().unwrap();
    let steps = "  - id: w\n    call: WatchStockChanges\n    background: true\n    connection: fresh\n    request: { category: none }\n  - call: ListProducts\n    request: { page_size: 1 }\n  - cancel: w\n";
    let text = format!(
        "version: 1\nid: one\nname: one\neffects: read-only\nservice: inventory.InventoryService\nsteps:\n{steps}"
    );
    write(folder.path(), "one.yaml", &text);
    let mut noticed = 0;
    // Which connection the stream gets depends on how many came before: one of three must be of the old one.
    for _ in 0..3 {
        let args = [
            "--scenarios",
            folder.path().to_str().unwrap(),
            "--protocol",
            "grpc",
            "--expect-revision",
            "new",
        ];
        let seen = attempt(&both.address, &args);
        let record = seen.record.unwrap();
        let found = check(&record, CheckName::Identity);
        let stranger = found.items.iter().any(|item| item.kind == "stranger");
        assert_eq!(seen.code == Some(1), stranger, "{found:?}");
        noticed += usize::from(stranger);
    }
    assert!(noticed > 0, "no answer of the old revision was seen");
}

#[test]
fn a_contract_that_has_drifted_is_told_before_any_case_and_fails() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    // What clients were promised: the contract with one more field of another name.
    let published = fs::read_to_string(crate::support::root().join("proto/inventory.proto")).unwrap();
    let promised = published.replace("  string sku = 3;", "  string article = 3;");
    assert_ne!(promised, published);
    for (text, code) in [(&promised, 1), (&published, 0)] {
        write(folder.path(), "inventory.proto", text);
        let file = folder.path().join("inventory.proto");
        let args = [
            "--proto",
            file.to_str().unwrap(),
            "--filter",
            "list_past_end*",
            "--protocol",
            "grpc",
        ];
        let seen = attempt(&server.address, &args);
        assert_eq!(seen.code, Some(code), "{}{}", seen.stdout, seen.stderr);
        if code == 0 {
            assert!(seen.stdout.contains("contract: passed"), "{}", seen.stdout);
            continue;
        }
        let told = seen.stdout.find("inventory.Product.article").unwrap_or(usize::MAX);
        let first = seen.stdout.find("list_past_end").unwrap();
        assert!(told < first, "{}", seen.stdout);
        assert!(
            seen.stdout
                .contains("FAILED: 1 breaking change against the contract of --proto"),
            "{}",
            seen.stdout
        );
    }
}

#[test]
fn a_target_whose_own_description_breaks_the_contract_fails_by_it() {
    // It describes `skv` where clients were promised `sku`.
    let target = drifted::Target::start(b"sku", b"skv");
    let seen = attempt(&target.address, &["--filter", "list_past_end*", "--protocol", "grpc"]);
    assert_eq!(seen.code, Some(1), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::Contract);
    let subjects: Vec<&str> = found.items.iter().map(|item| item.subject.as_str()).collect();
    assert_eq!(
        subjects,
        ["inventory.Product.sku", "inventory.CreateProductRequest.sku"],
        "{found:?}"
    );
    // Clients call as they were promised: the cases show what comes of it.
    assert!(
        record.cases.iter().any(|case| case.outcome == Outcome::Failed) && record.verdict.counts.passed == 0,
        "{:?}",
        record.verdict
    );
    assert!(
        record
            .verdict
            .sentence
            .contains("2 breaking changes against the built-in contract"),
        "{}",
        record.verdict.sentence
    );
    assert!(
        record
            .caveats
            .iter()
            .any(|caveat| caveat.text.contains("built-in contract")),
        "{:?}",
        record.caveats
    );

    // A method that is gone is no mistake in the scenarios.
    let target = drifted::Target::start(b"BulkImport", b"BulkExport");
    let seen = attempt(&target.address, &["--filter", "bulk_empty*", "--protocol", "grpc"]);
    assert_eq!(seen.code, Some(1), "{}{}", seen.stdout, seen.stderr);
    assert!(
        seen.stdout
            .contains("inventory.InventoryService/BulkImport is removed or renamed"),
        "{}",
        seen.stdout
    );
}

#[test]
fn the_first_answer_has_its_own_time() {
    let cold = Server::start(std::process::Command::new(crate::support::stocktake::binary()).args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--simulate",
        "delay=1500ms",
    ]));
    let filter = ["--filter", "list_past_end*", "--protocol", "grpc"];
    let seen = attempt(&cold.address, &[&filter[..], &["--cold-start", "30s"]].concat());
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let record = seen.record.unwrap();
    let found = check(&record, CheckName::ColdStart);
    let ms: u64 = found.items[0].subject.trim_end_matches(" ms").parse().unwrap();
    assert!((1_500..30_000).contains(&ms), "{found:?}");
    assert!(seen.stdout.contains("the first answer took"), "{}", seen.stdout);

    // One that does not come in time is not tried again.
    let seen = attempt(&cold.address, &[&filter[..], &["--cold-start", "300ms"]].concat());
    assert_eq!(seen.code, Some(3), "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stderr.contains("no first answer of"), "{}", seen.stderr);
    assert!(seen.record.is_none());
    let rest = ["--filter", "list_past_end*", "--protocol", "rest"];
    let seen = attempt(&cold.address, &[&rest[..], &["--cold-start", "30s"]].concat());
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stdout.contains("the first answer took"), "{}", seen.stdout);
    let seen = attempt(
        &cold.address,
        &[&filter[..], &["--cold-start", "1s", "--wait", "1s"]].concat(),
    );
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
}

#[test]
fn replicas_with_a_memory_each_are_split_state_and_one_is_not() {
    let test = "replicas_with_a_memory_each_are_split_state_and_one_is_not";
    let Some(python) = tools::python(test) else { return };
    let (a, b) = (
        serve(&["--replica", "a", "--revision", "r"]),
        serve(&["--replica", "b", "--revision", "r"]),
    );
    let filter = ["--filter", "replicas", "--protocol", "grpc"];
    let envoy = python::serve(&python, "round_robin.py", &[&a.address, &b.address]);
    let seen = attempt(&envoy.address, &filter);
    assert_eq!(seen.code, Some(1), "{}{}", seen.stdout, seen.stderr);
    for words in ["replica.one-state", "state is split: 2 replicas answered (r/a, r/b)"] {
        assert!(seen.stdout.contains(words), "{words}: {}", seen.stdout);
    }
    drop(envoy);
    let envoy = python::serve(&python, "round_robin.py", &[&a.address]);
    let seen = attempt(&envoy.address, &filter);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
}
