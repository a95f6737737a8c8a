//! What lies in `deploy/`: held to what can be known without Azure, and rolled out through a real Envoy.

mod action;
mod files;
mod rollout;
mod seeded;

use crate::support::{
    process::{self, Ended},
    root,
};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Longer than any of the checks takes on a busy machine.
const CHECK: Duration = Duration::from_secs(120);

/// A checker, run in the project's root, to its end.
fn check<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> Ended {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root())
        .env("NO_COLOR", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    process::run(&mut command, CHECK)
}

/// All files below a folder of the project whose name ends so, in order.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
