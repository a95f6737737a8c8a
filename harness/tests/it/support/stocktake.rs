//! The binary under test.

use super::process::{self, Ended, Server};
use std::{collections::BTreeSet, path::PathBuf, process::Command, time::Duration};
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
