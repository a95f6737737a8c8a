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
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", folder.path().join("summary"))
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
    let (good, bad) = (server.address.as_str(), faulty.address.as_str());
    let cases = "--filter get_* --read-only";
    for (command, target, revision, arguments, code, verdict, sentence) in [
        ("verify", good, "r7", cases, 0, "passed", "PASSED: "),
        ("verify", good, "r8", cases, 1, "failed", "FAILED: "),
        ("verify", bad, "", cases, 1, "failed", "FAILED: "),
        (
            "verify",
            "127.0.0.1:1",
            "",
            cases,
            3,
            "not_judged",
            "error: cannot reach http://127.0.0.1:1",
        ),
        ("verify", good, "", "--no-such-option", 2, "wrong_input", "error: "),
        // Writes no outputs of its own.
        (
            "doctor",
            "127.0.0.1:1",
            "",
            "",
            3,
            "not_judged",
            "NOT REACHABLE: http://127.0.0.1:1",
        ),
    ] {
        let variables = [
            ("COMMAND", command),
            ("TARGET", target),
            ("AGAINST", ""),
            ("REVISION", revision),
            ("ARGUMENTS", arguments),
            ("STOCKTAKE_ACTION_TOKEN", ""),
            ("OUT", "run"),
        ];
        let (ended, outputs) = step(&python, "Judge", &variables);
        assert_eq!(ended.code, Some(code), "{target} {revision}: {}", ended.shown());
        let lines: Vec<&str> = outputs.lines().collect();
        assert!(lines.contains(&format!("exit-code={code}").as_str()), "{outputs}");
        let verdicts: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("verdict=")).collect();
        assert_eq!(verdicts, [verdict], "{outputs}");
        let sentences: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("sentence=")).collect();
        assert!(sentences.len() == 1 && sentences[0].starts_with(sentence), "{outputs}");
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
