//! Servers and clients that were not written with this program: the published post's own, and others in Python and Go.

use crate::support::{
    fixture,
    process::{self, Server},
    python::{self, Seed},
    root, stocktake, tools,
};
use ::stocktake::verify::record::Outcome;
use std::{
    collections::{BTreeSet, VecDeque},
    process::Command,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The `must` rules that the post's server breaks in every run.
pub const SEED_ALWAYS: [&str; 6] = [
    "bulk.bad-rows-counted",
    "bulk.bad-rows-named",
    "bulk.duplicate-in-stream",
    "bulk.status-ok",
    "watch.independent",
    "watch.no-starvation",
];

/// The `should` rules that it breaks.
pub const SEED_SHOULD: [&str; 8] = [
    "create.invalid-name",
    "create.invalid-price",
    "create.invalid-sku",
    "create.invalid-stock",
    "create.invalid-text",
    "rpc.details",
    "rpc.health",
    "update.overflow-status",
];

/// What it breaks now and then: two of ten concurrent creates win in one round out of twenty.
pub const SEED_SOMETIMES: [&str; 1] = ["create.sku-race"];

/// Each defect of `inventory_server.py`: the exit code, the rules that fail, and those that it may take along.
pub const DEFECTS: [(&str, i32, &[&str], &[&str]); 8] = [
    ("bulk-context-status", 1, SEED_ALWAYS.split_at(4).0, &[]),
    ("watch-list-equality", 1, &["watch.independent"], &[]),
    ("watch-threads", 1, &["watch.no-starvation"], &[]),
    ("sku-race", 1, &["create.sku-race"], &[]),
    // Without an INVALID_ARGUMENT there is none to carry details.
    ("no-validation", 0, SEED_SHOULD.split_at(5).0, &["rpc.details"]),
    ("overflow-unknown", 0, &["update.overflow-status"], &[]),
    ("no-health", 0, &["rpc.health"], &[]),
    ("no-details", 0, &["rpc.details"], &[]),
];

/// Ids of rules.
pub fn set<'a>(rules: &[&'a str]) -> BTreeSet<&'a str> {
    rules.iter().copied().collect()
}

/// Verifies `server`, with `arguments`, and fails unless exactly `always` fail, and of the rest only some of `perhaps`.
pub fn judge(
    name: &str,
    (server, arguments): (&Server, &[&str]),
    code: i32,
    always: &BTreeSet<&str>,
    perhaps: &BTreeSet<&str>,
) {
    let run = stocktake::verify(&server.address, arguments);
    let failed = run.failed_rules();
    let missed: Vec<_> = always.difference(&failed).collect();
    let wronged: Vec<_> = failed
        .iter()
        .filter(|rule| !always.contains(*rule) && !perhaps.contains(*rule))
        .collect();
    assert!(
        missed.is_empty() && wronged.is_empty() && run.ended.code == Some(code),
        "{name}: not caught {missed:?}, wrongly failed {wronged:?}, expected exit {code}, got {:?}\n{}{}{}",
        run.ended.code,
        run.failures(),
        run.record.verdict.sentence,
        run.ended.stderr
    );
    assert!(run.record.verdict.complete, "{name}: {}", run.record.verdict.sentence);
}

/// Does something with each item, a few at a time: a run against a starving server is mostly waiting.
fn some_at_once<T: Send>(items: impl IntoIterator<Item = T>, each: impl Fn(T) + Sync) {
    const AT_ONCE: usize = 5;
    let items = Mutex::new(items.into_iter().collect::<VecDeque<T>>());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(item) = next() {
                    each(item);
                }
            });
        }
    });
}

#[test]
fn the_posts_server_breaks_the_same_rules_in_each_of_ten_runs() {
    let test = "the_posts_server_breaks_the_same_rules_in_each_of_ten_runs";
    let (Some(post), Some(python)) = (tools::post(test), tools::python(test)) else {
        return;
    };
    let seed = Seed::extract(&python, &post);
    let always = &set(&SEED_ALWAYS) | &set(&SEED_SHOULD);
    some_at_once(1..=10, |run| {
        let server = seed.serve(&python);
        // One case at a time: its CreateProduct walks a dictionary that others change meanwhile, and then ends UNKNOWN.
        let one_by_one = (&server, ["--jobs", "1"].as_slice());
        judge(&format!("run {run}"), one_by_one, 1, &always, &set(&SEED_SOMETIMES));
    });
}

#[test]
fn a_correct_foreign_server_passes() {
    let Some(python) = tools::python("a_correct_foreign_server_passes") else {
        return;
    };
    let server = python::serve(&python, "inventory_server.py", &[]);
    for run in 1..=3 {
        judge(
            &format!("run {run}"),
            (&server, &[]),
            0,
            &BTreeSet::new(),
            &BTreeSet::new(),
        );
    }
}

#[test]
fn a_correct_server_that_tells_of_some_products_later_passes() {
    let Some(python) = tools::python("a_correct_server_that_tells_of_some_products_later_passes") else {
        return;
    };
    let server = python::serve(&python, "inventory_server.py", &["--late", "0.4"]);
    judge("late", (&server, &[]), 0, &BTreeSet::new(), &BTreeSet::new());
}

#[test]
fn each_defect_of_a_foreign_server_fails_its_own_rules() {
    let Some(python) = tools::python("each_defect_of_a_foreign_server_fails_its_own_rules") else {
        return;
    };
    some_at_once(DEFECTS, |(defect, code, always, perhaps)| {
        let server = python::serve(&python, "inventory_server.py", &["--defects", defect]);
        judge(defect, (&server, &[]), code, &set(always), &set(perhaps));
    });
}

#[test]
fn all_defects_at_once_fail_all_their_rules() {
    let Some(python) = tools::python("all_defects_at_once_fail_all_their_rules") else {
        return;
    };
    let defects = DEFECTS.map(|(defect, ..)| defect).join(",");
    let server = python::serve(&python, "inventory_server.py", &["--defects", &defects]);
    let always = &(&set(&SEED_ALWAYS) | &set(&SEED_SHOULD)) | &set(&SEED_SOMETIMES);
    judge("all", (&server, &[]), 1, &always, &BTreeSet::new());
}

#[test]
fn every_kind_of_method_and_field_is_judged() {
    let Some(python) = tools::python("every_kind_of_method_and_field_is_judged") else {
        return;
    };
    let scenarios = fixture("cases/kinds");
    let scenarios = ["--scenarios", scenarios.to_str().unwrap()];

    let server = python::serve(&python, "kinds_server.py", &[]);
    let run = stocktake::verify(&server.address, &scenarios);
    assert_eq!(run.ended.code, Some(0), "{}", run.ended.shown());
    assert_eq!(run.record.verdict.counts.passed, run.record.verdict.counts.cases);
    assert_eq!(run.record.cases.len(), 8, "seven files, one of them with two rows");

    let contrary = python::serve(&python, "kinds_server.py", &["--contrary"]);
    let run = stocktake::verify(&contrary.address, &scenarios);
    assert_eq!(run.ended.code, Some(1), "{}", run.ended.shown());
    for case in &run.record.cases {
        assert_eq!(case.outcome, Outcome::Failed, "{} did not notice", case.name());
        assert!(!case.mismatches.is_empty(), "{} shows no mismatch", case.name());
    }
}

#[test]
fn a_python_client_does_all_six_calls() {
    let Some(python) = tools::python("a_python_client_does_all_six_calls") else {
        return;
    };
    let proto = root().join("proto/inventory.proto");
    let server = stocktake::serve(&[]);
    let ended = python::run(&python, "client_all.py", &[proto.to_str().unwrap(), &server.address]);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.contains("6 methods"), "{}", ended.shown());

    // The client itself can fail.
    let broken = python::serve(&python, "inventory_server.py", &["--defects", "bulk-context-status"]);
    let ended = python::run(&python, "client_all.py", &[proto.to_str().unwrap(), &broken.address]);
    assert_eq!(ended.code, Some(1), "{}", ended.shown());
}

#[test]
fn the_posts_client_runs_unchanged() {
    let test = "the_posts_client_runs_unchanged";
    let (Some(post), Some(python)) = (tools::post(test), tools::python(test)) else {
        return;
    };
    let Some(network) = tools::own_network(test) else {
        return;
    };
    let seed = Seed::extract(&python, &post);
    // Its port is fixed: server and client get a network of their own, in which the port is free.
    let mut serve = Command::new("unshare");
    serve
        .args(&network)
        .args([
            "sh",
            "-c",
            r#"ip link set lo up && exec "$0" serve --listen 127.0.0.1:50051"#,
        ])
        .arg(stocktake::binary());
    let server = Server::start(&mut serve);
    assert_eq!(server.address, "127.0.0.1:50051");

    let mut client = Command::new("nsenter");
    client.args(["--target", &server.id().to_string(), "--net"]);
    if network.contains(&"--user") {
        client.args(["--user", "--preserve-credentials"]);
    }
    client.arg(&python);
    let ended = process::run(&mut seed.program(client, "client.py"), Duration::from_secs(60));
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    assert!(ended.stdout.starts_with("Found 4 products:\n"), "{}", ended.shown());
    assert!(
        ended.stdout.contains("  Widget A - $9.99 (100 in stock)\n"),
        "{}",
        ended.shown()
    );
    assert!(
        ended.stdout.contains("\nCreated: Super Gadget (ID: "),
        "{}",
        ended.shown()
    );
}

#[test]
fn buf_lists_and_calls_by_reflection() {
    let Some(buf) = tools::buf("buf_lists_and_calls_by_reflection") else {
        return;
    };
    let server = stocktake::serve(&[]);
    let base = format!("http://{}", server.address);
    let curl = |arguments: &[&str]| {
        let mut command = Command::new(&buf);
        command
            .args(["curl", "--http2-prior-knowledge", "--protocol", "grpc"])
            .args(arguments);
        process::run(&mut command, Duration::from_secs(60))
    };
    let call =
        |method: &str, data: &str| curl(&["--data", data, &format!("{base}/inventory.InventoryService/{method}")]);

    for version in ["grpc-v1", "grpc-v1alpha"] {
        let listed = curl(&["--reflect-protocol", version, "--list-methods", &base]);
        assert_eq!(listed.code, Some(0), "{version}: {}", listed.shown());
        for method in [
            "BulkImport",
            "CreateProduct",
            "GetProduct",
            "ListProducts",
            "UpdateStock",
            "WatchStockChanges",
        ] {
            let line = format!("inventory.InventoryService/{method}\n");
            assert!(listed.stdout.contains(&line), "{version}: {}", listed.shown());
        }
    }

    let created = call(
        "CreateProduct",
        r#"{"name": "n", "sku": "BUF-1", "price": 1.5, "stockQuantity": 3}"#,
    );
    assert_eq!(created.code, Some(0), "{}", created.shown());
    let created: serde_json::Value = serde_json::from_str(&created.stdout).unwrap();
    assert_eq!(created["stockQuantity"], 3);
    let data = format!(r#"{{"id": {}}}"#, created["id"]);
    let read = call("GetProduct", &data);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&read.stdout).unwrap(),
        created,
        "{}",
        read.shown()
    );
    let imported = call(
        "BulkImport",
        r#"{"name": "n", "sku": "BUF-1"} {"name": "n", "sku": "BUF-2"}"#,
    );
    let imported: serde_json::Value = serde_json::from_str(&imported.stdout).unwrap();
    assert_eq!(
        (&imported["importedCount"], &imported["failedCount"]),
        (&1.into(), &1.into())
    );

    let refused = call("GetProduct", r#"{"id": "no-such-product"}"#);
    assert_ne!(refused.code, Some(0), "{}", refused.shown());
    assert!(refused.stderr.contains(r#""code": "not_found""#), "{}", refused.shown());
}
