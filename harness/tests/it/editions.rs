//! A service of edition 2023, in Python: every kind of field that an edition shapes, all four kinds of method.

use crate::support::{
    fixture,
    process::{self, Server},
    python, stocktake, tools,
};
use ::stocktake::verify::record::Outcome;
use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

/// The files of the room and their rows.
const CASES: usize = 40;

/// All scenarios against `server` must pass; `described` is where the descriptors came from.
fn passes(server: &Server, arguments: &[&str], described: &str) {
    let run = stocktake::verify(&server.address, arguments);
    assert_eq!(run.ended.code, Some(0), "{}{}", run.failures(), run.ended.shown());
    assert_eq!(run.record.cases.len(), CASES);
    assert_eq!(
        run.record.verdict.counts.passed,
        run.record.verdict.counts.cases,
        "{}",
        run.ended.shown()
    );
    assert!(run.ended.stdout.contains(described), "{}", run.ended.shown());
}

/// What `protoc` makes of `editions.proto`, with its imports.
fn descriptor_set(python: &Path, folder: &Path) -> String {
    let file = folder.join("editions.binpb");
    let mut command = Command::new(python);
    command
        .args(["-m", "grpc_tools.protoc", "--include_imports"])
        .arg(format!("--proto_path={}", fixture("python").display()))
        .arg(format!("--descriptor_set_out={}", file.display()))
        .arg("editions.proto");
    let ended = process::run(&mut command, Duration::from_secs(60));
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_service_of_edition_2023_is_described_and_driven() {
    let Some(python) = tools::python("a_service_of_edition_2023_is_described_and_driven") else {
        return;
    };
    let room = fixture("cases/editions");
    let scenarios = ["--scenarios", room.to_str().unwrap()];

    let server = python::serve(&python, "editions_server.py", &[]);
    passes(&server, &scenarios, "descriptors: reflection v1alpha");

    let folder = TempDir::new().unwrap();
    let set = descriptor_set(&python, folder.path());
    let silent = python::serve(&python, "editions_server.py", &["--no-reflection"]);
    let described = [&scenarios[..], &["--descriptor-set", &set]].concat();
    passes(&silent, &described, "descriptors: descriptor set");
}

#[test]
fn what_an_edition_shapes_is_judged() {
    let Some(python) = tools::python("what_an_edition_shapes_is_judged") else {
        return;
    };
    let room = fixture("cases/editions");
    let contrary = python::serve(&python, "editions_server.py", &["--contrary"]);
    let run = stocktake::verify(&contrary.address, &["--scenarios", room.to_str().unwrap()]);
    assert_eq!(run.ended.code, Some(1), "{}", run.ended.shown());
    assert_eq!(run.record.cases.len(), CASES);
    for case in &run.record.cases {
        assert_eq!(case.outcome, Outcome::Failed, "{} did not notice", case.name());
        assert!(!case.mismatches.is_empty(), "{} shows no mismatch", case.name());
    }

    // One field a line: each is noticed by itself.
    let text = fs::read_to_string(room.join("editions_echo.yaml")).unwrap();
    let first = text.lines().position(|line| line == "      response:").unwrap() + 2;
    let echo = run
        .record
        .cases
        .iter()
        .find(|case| case.scenario == "editions_echo")
        .unwrap();
    let noticed: BTreeSet<usize> = echo.mismatches.iter().map(|mismatch| mismatch.line).collect();
    let missed: Vec<&str> = (first..=text.lines().count())
        .filter(|line| !noticed.contains(line))
        .map(|line| text.lines().nth(line - 1).unwrap())
        .collect();
    assert_eq!(missed, Vec::<&str>::new(), "bent fields that were taken for right");
}
