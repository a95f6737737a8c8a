//! The steps of `deploy/ci/action.yml`, run as GitHub's runner runs them.

use crate::support::{
    process::{self, Ended},
    python, root,
    stocktake::{self, binary},
    tools,
};
use std::{env, path::Path, process::Command, time::Duration};
use tempfile::TempDir;

/// Longer than a step takes on a busy machine.
const STEP: Duration = Duration::from_secs(120);

/// Runs a step; how it ended, and what it wrote as outputs.
fn step(python: &Path, name: &str, variables: &[(&str, &str)]) -> (Ended, String) {
    let text = python::run(python, "action_step.py", &[name]);
    assert_eq!(text.code, Some(0), "{}", text.shown());
    let folder = TempDir::new().unwrap();
    let outputs = folder.path().join("outputs");
    let places = std::iter::once(binary().parent().unwrap().to_owned());
    let path = env::join_paths(places.chain(env::split_paths(&env::var_os("PATH").unwrap_or_default()))).unwrap();
    let mut command = Command::new("bash");
    command
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &text.stdout])
        .current_dir(folder.path())
        .env("GITHUB_OUTPUT", &outputs)
        .env("RUNNER_TEMP", folder.path())
        .env("PATH", path)
        .envs(variables.iter().copied());
    let ended = process::run(&mut command, STEP);
    (ended, std::fs::read_to_string(outputs).unwrap_or_default())
}

#[test]
fn the_action_judges_and_says_so() {
    let Some(python) = tools::python("the_action_judges_and_says_so") else {
        return;
    };
    let server = stocktake::serve(&["--revision", "r7"]);
    let faulty = stocktake::serve(&["--revision", "r7", "--fault", "get-unknown-ok"]);
    for (target, revision, code, verdict) in [
        (server.address.as_str(), "r7", 0, "verdict=PASSED: "),
        (server.address.as_str(), "r8", 1, "verdict=FAILED: "),
        (faulty.address.as_str(), "", 1, "verdict=FAILED: "),
        ("127.0.0.1:1", "", 3, "verdict=error: cannot reach http://127.0.0.1:1"),
    ] {
        let variables = [
            ("COMMAND", "verify"),
            ("TARGET", target),
            ("AGAINST", ""),
            ("REVISION", revision),
            ("ARGUMENTS", "--filter get_* --read-only"),
            ("STOCKTAKE_ACTION_TOKEN", ""),
            ("OUT", "run"),
        ];
        let (ended, outputs) = step(&python, "Judge", &variables);
        assert_eq!(ended.code, Some(code), "{target} {revision}: {}", ended.shown());
        assert!(outputs.contains(&format!("exit-code={code}\n")), "{outputs}");
        assert!(outputs.contains(verdict), "{outputs}");
    }
}

#[test]
fn the_action_knows_whether_it_has_to_build() {
    let Some(python) = tools::python("the_action_knows_whether_it_has_to_build") else {
        return;
    };
    let source = root().to_str().unwrap();
    let (there, outputs) = step(&python, "Look for stocktake", &[("SOURCE", source)]);
    assert_eq!(there.code, Some(0), "{}", there.shown());
    assert_eq!(outputs, "there=yes\n");
    let bare = [("SOURCE", source), ("PATH", "/usr/bin:/bin")];
    let (absent, outputs) = step(&python, "Look for stocktake", &bare);
    assert_eq!(absent.code, Some(0), "{}", absent.shown());
    let key = outputs.strip_prefix("there=no\nkey=").unwrap().trim_end();
    assert!(
        key.len() == 64 && key.chars().all(|c| c.is_ascii_hexdigit()),
        "{outputs}"
    );
}
