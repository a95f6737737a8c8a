//! The binary under test.

use super::process::{self, Ended, Server};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use stocktake::verify::record::{RuleVerdict, RunRecord};
use tempfile::TempDir;

/// Longer than any run of the suite may take on a busy machine.
const RUN: Duration = Duration::from_secs(300);

/// The executable.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_stocktake"))
}

/// `stocktake serve` on a free port, with more arguments.
pub fn serve(arguments: &[&str]) -> Server {
    Server::start(
        Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments),
    )
}

/// The binary with these arguments, to its end.
pub fn run(arguments: &[&str]) -> Ended {
    process::run(Command::new(binary()).args(arguments), RUN)
}

/// A verify run that may have ended before it left a record.
pub struct Attempt {
    /// Its exit code.
    pub code: Option<i32>,
    /// All it wrote there.
    pub stdout: String,
    /// All it wrote there.
    pub stderr: String,
    /// Its `run.json`, where there is one.
    pub record: Option<RunRecord>,
}

/// `stocktake verify TARGET`, with more arguments, whatever comes of it.
pub fn attempt(target: &str, arguments: &[&str]) -> Attempt {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let mut command = Command::new(binary());
    command.args(["verify", target, "--out"]).arg(&out).args(arguments);
    let Ended { code, stdout, stderr } = process::run(&mut command, RUN);
    Attempt {
        code,
        stdout,
        stderr,
        record: record(&out),
    }
}

/// The record in a run folder, where there is one.
pub fn record(folder: &Path) -> Option<RunRecord> {
    folder
        .join("run.json")
        .exists()
        .then(|| stocktake::report::store::read(folder).unwrap())
}

/// A verify run and its record.
pub struct Verified {
    /// How it ended.
    pub ended: Ended,
    /// Its `run.json`.
    pub record: RunRecord,
}

/// `stocktake verify TARGET`, with more arguments; fails when it left no record.
pub fn verify(target: &str, arguments: &[&str]) -> Verified {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let ended = process::run(
        Command::new(binary())
            .args(["verify", target, "--out"])
            .arg(&out)
            .args(arguments),
        RUN,
    );
    let record =
        std::fs::read(out.join("run.json")).unwrap_or_else(|error| panic!("run.json: {error}\n{}", ended.shown()));
    let record = serde_json::from_slice(&record).unwrap_or_else(|error| panic!("run.json: {error}"));
    Verified { ended, record }
}

impl Verified {
    /// The rules that failed, by id.
    pub fn failed_rules(&self) -> BTreeSet<&str> {
        let failed = self
            .record
            .rules
            .iter()
            .filter(|rule| rule.verdict == RuleVerdict::Failed);
        failed.map(|rule| rule.id.as_str()).collect()
    }

    /// The failed cases and what failed in them, one line each, for the message of a failed assertion.
    pub fn failures(&self) -> String {
        let mut lines = String::new();
        for case in &self.record.cases {
            for mismatch in &case.mismatches {
                let at = format!("{}:{}", mismatch.file, mismatch.line);
                lines += &format!(
                    "{} {} {at} {}\n",
                    case.name(),
                    mismatch.rules.join(","),
                    mismatch.summary
                );
            }
        }
        lines
    }
}
