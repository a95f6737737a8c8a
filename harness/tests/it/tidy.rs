//! The invariants of the crate docs, and what joins contract, suite and faults.

use inventory_contract::RULES;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder, with their text up to the unit tests.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                let name = path
                    .canonicalize()
                    .unwrap()
                    .strip_prefix(root().canonicalize().unwrap())
                    .unwrap()
                    .display()
                    .to_string();
                found.push((name, code));
            }
        }
    }
    assert!(!found.is_empty());
    found.sort();
    found
}

/// Lines of code (comments aside) that contain one of the words.
fn lines_with(code: &str, words: &[&str]) -> Vec<String> {
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| words.iter().any(|word| line.contains(word)))
        .map(|line| line.trim().to_owned())
        .collect()
}

#[test]
fn pure_rooms_are_pure() {
    let pure = [
        "harness/src/doctor/azure.rs",
        "harness/src/doctor/evidence.rs",
        "harness/src/doctor/layers.rs",
        "harness/src/doctor/record.rs",
        "harness/src/doctor/symptoms",
        "harness/src/load/distribution.rs",
        "harness/src/load/draw.rs",
        "harness/src/load/exchange.rs",
        "harness/src/load/hlog.rs",
        "harness/src/load/leg.rs",
        "harness/src/load/mix.rs",
        "harness/src/load/objective.rs",
        "harness/src/load/pacer.rs",
        "harness/src/load/record.rs",
        "harness/src/load/recorder.rs",
        "harness/src/load/sample.rs",
        "harness/src/load/summary",
        "harness/src/load/verdict.rs",
        "harness/src/load/words.rs",
        "harness/src/numbers.rs",
        "harness/src/scenario/",
        "harness/src/capacity/",
        "harness/src/compare/",
        "harness/src/schema/drift.rs",
        "harness/src/verify/against",
        "harness/src/verify/answers.rs",
        "harness/src/verify/checks.rs",
        "harness/src/verify/redact.rs",
        "harness/src/verify/snapshot.rs",
        "harness/src/verify/matrix.rs",
        "harness/src/verify/judge.rs",
        "harness/src/verify/judge/messages.rs",
        "harness/src/verify/pattern.rs",
        "harness/src/verify/pairing.rs",
        "harness/src/verify/glob.rs",
        "harness/src/verify/link",
        "harness/src/verify/fold.rs",
        "harness/src/verify/record.rs",
        "harness/src/verify/mismatch.rs",
        "harness/src/load/workload/",
        "harness/src/load/prepare.rs",
        "harness/src/load/decode",
        "harness/src/report/ci",
        "harness/src/report/doctor",
        "harness/src/report/html",
        "harness/src/report/load",
        "harness/src/report/console/load/summary.rs",
        "harness/src/report/json.rs",
        "harness/src/report/junit.rs",
        "harness/src/report/markdown.rs",
        "harness/src/report/stored.rs",
        "harness/src/report/text.rs",
    ];
    let impure = [
        "async ",
        ".await",
        "Instant::now",
        "SystemTime::now",
        "Utc::now",
        "std::fs",
        "fs::read",
        "fs::File",
        "tokio::",
    ];
    let all = sources("harness/src");
    for room in pure {
        assert!(
            all.iter().any(|(name, _)| name.starts_with(room)),
            "{room} is no room any more"
        );
    }
    for (name, code) in all
        .iter()
        .filter(|(name, _)| pure.iter().any(|room| name.starts_with(room)))
    {
        assert_eq!(lines_with(code, &impure), Vec::<String>::new(), "{name} is not pure");
    }
}

#[test]
fn three_rooms_open_connections_and_one_file_names_the_server() {
    for (name, code) in sources("harness/src") {
        let rooms = [
            "harness/src/client/",
            "harness/src/load/wire/",
            "harness/src/doctor/probes/",
        ];
        if !rooms.iter().any(|room| name.starts_with(room)) {
            let found = lines_with(
                &code,
                &[
                    "TcpStream",
                    "hyper::client",
                    "h2::client",
                    "TlsConnector",
                    "ClientConnection",
                    "mio::",
                ],
            );
            assert_eq!(found, Vec::<String>::new(), "{name} opens connections");
        }
        if name != "harness/src/commands/serve.rs" {
            assert_eq!(
                lines_with(&code, &["stocktake_server"]),
                Vec::<String>::new(),
                "{name} names the server"
            );
        }
    }
    for (name, code) in sources("server") {
        let found = lines_with(&code, &["stocktake::"]);
        assert_eq!(found, Vec::<String>::new(), "{name} names the harness");
    }
}

#[test]
fn channels_are_bounded() {
    for folder in ["harness/src", "server/src"] {
        for (name, code) in sources(folder) {
            let found = lines_with(&code, &["unbounded_channel", "mpsc::channel()", "unbounded()"]);
            assert_eq!(found, Vec::<String>::new(), "{name}: a channel without a bound");
        }
    }
}

#[test]
fn no_file_is_longer_than_800_lines() {
    for folder in ["harness/src", "server/src", "harness/tests", "server/tests"] {
        let mut folders = vec![root().join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let lines = fs::read_to_string(&path).unwrap().lines().count();
                    assert!(
                        lines <= 800,
                        "{} has {lines} lines: split it by meaning",
                        path.display()
                    );
                }
            }
        }
    }
}

/// The words after `rules: [` of each built-in scenario.
fn rules_of_the_suite() -> BTreeMap<String, BTreeSet<String>> {
    let suite = stocktake::scenario::suite::Suite::parse(
        "embedded",
        &stocktake::scenario::suite::EMBEDDED
            .iter()
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
            .collect::<Vec<_>>(),
    )
    .unwrap_or_else(|errors| panic!("{}", errors.iter().map(|e| e.render()).collect::<String>()));
    let rules = |s: &stocktake::scenario::model::Scenario| s.rules.iter().map(|r| r.value.clone()).collect();
    suite.scenarios.iter().map(|s| (s.id.value.clone(), rules(s))).collect()
}

#[test]
fn contract_suite_and_faults_name_the_same_rules() {
    let contract: BTreeSet<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(contract.len(), RULES.len(), "a rule stands twice in the contract");

    let suite = rules_of_the_suite();
    for (scenario, rules) in &suite {
        assert!(!rules.is_empty(), "{scenario} proves no rule");
        assert_eq!(
            rules.difference(&contract).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{scenario}: no such rule"
        );
    }
    let proven: BTreeSet<String> = suite.into_values().flatten().collect();
    assert_eq!(
        contract.difference(&proven).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "rules that no scenario proves"
    );

    let output = Command::new(env!("CARGO_BIN_EXE_stocktake"))
        .args(["serve", "--fault", "list"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let list = String::from_utf8(output.stdout).unwrap();
    let broken: BTreeSet<String> = list
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(str::to_owned)
        .collect();
    assert!(list.lines().count() >= 70, "{} faults", list.lines().count());
    assert_eq!(contract, broken, "rules of the contract and rules that a fault breaks");
}

#[test]
fn embedded_files_are_named_by_their_id() {
    for (name, text) in stocktake::scenario::suite::EMBEDDED {
        let stem = Path::new(name).file_stem().unwrap().to_str().unwrap();
        assert!(
            text.contains(&format!("\nid: {stem}\n")),
            "{name}: the id is not `{stem}`"
        );
        assert!(
            text.starts_with("# yaml-language-server: $schema=../schema.json\n"),
            "{name}: no schema line"
        );
    }
}
