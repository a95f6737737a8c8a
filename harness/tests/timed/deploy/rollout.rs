//! `deploy/azure/rollout` from end to end: two revisions behind Envoy, and a stand-in for az that moves the weights there and refuses
//! what azure-cli's parser would refuse.

mod trouble;

use crate::support::{
    fixture,
    process::{self, Ended, Server},
    python, root,
    stocktake::{self, binary},
    tools, until, write,
};
use ::stocktake::verify::record::CheckName;
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Longer than a rollout takes on a busy machine.
const ROLLOUT: Duration = Duration::from_secs(400);
const OLD: &str = "inventory--old";
const NEW: &str = "inventory--new";
/// What is judged before any traffic.
const CHECKS: &str = "doctor verify against load";
/// Short enough for a test: enough samples for a median, evenly spaced, so that how many calls are open does not depend on chance.
const WORKLOAD: &str = "\
version: 1
id: rollout_test
name: pages of the catalogue
service: inventory.InventoryService
effects: read-only
operations:
  - { id: page, call: ListProducts, request: { page_size: 20 } }
arrivals: { constant: 20 }
connections: 4
streams_per_connection: 64
warm_up: 500ms
duration: 6s
rounds: 1
legs: [grpc]
objective: { p50: 2s, errors: 1% }
";

/// An app with an old revision that has all traffic, and an image `reg.example/new:1` that may become a new one.
struct App {
    edge: Server,
    _revisions: [Server; 2],
    folder: TempDir,
}

/// One call of az and the traffic after it.
#[derive(Debug, serde::Deserialize)]
struct Call {
    call: Vec<String>,
    traffic: BTreeMap<String, u32>,
}

impl App {
    /// The new revision serves with these arguments.
    fn start(python: &Path, new: &[&str]) -> App {
        App::of(python, &[], new)
    }

    /// Each revision serves with arguments of its own.
    fn of(python: &Path, old: &[&str], new: &[&str]) -> App {
        let folder = TempDir::new().unwrap();
        let old = stocktake::serve(&[&["--revision", OLD], old].concat());
        let new = stocktake::serve(&[&["--revision", NEW], new].concat());
        let edge = python::serve(
            python,
            "edge.py",
            &[
                folder.path().to_str().unwrap(),
                "inventory",
                &format!("{OLD}={}", old.address),
                &format!("reg.example/new:1={}", new.address),
                // Nothing listens there.
                "reg.example/dead:1=127.0.0.1:1",
            ],
        );
        let az = write(
            folder.path(),
            "az",
            &format!(
                "#!/bin/sh\nexec '{}' '{}' \"$@\"\n",
                python.display(),
                fixture("python/az.py").display()
            ),
        );
        executable(&az);
        write(folder.path(), "workload.yaml", WORKLOAD);
        App {
            edge,
            _revisions: [old, new],
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A rollout of the image, as a command.
    fn rollout(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(root().join("deploy/azure/rollout"));
        let path = env::var_os("PATH").unwrap_or_default();
        let places = std::iter::once(self.folder.path().to_owned()).chain(env::split_paths(&path));
        command
            .args(["--app", "inventory", "--group", "rg", "--suffix", "new"])
            .args(["--address", &format!("http://{}", self.edge.address), "--stocktake"])
            .arg(binary())
            .arg("--workload")
            .arg(self.path("workload.yaml"))
            .arg("--out")
            .arg(self.path("out"))
            .args(["--duration", "4s", "--step-duration", "3s"])
            .args(arguments)
            // One option by its twin.
            .env("STOCKTAKE_ROLLOUT_IMAGE", "reg.example/new:1")
            .env("STOCKTAKE_ROLLOUT_CHECKS", CHECKS)
            .env("STOCKTAKE_TEST_EDGE", self.folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("TF_BUILD")
            .env("PATH", env::join_paths(places).unwrap());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        process::run(&mut self.rollout(arguments), ROLLOUT)
    }

    fn calls(&self) -> Vec<Call> {
        let log = std::fs::read_to_string(self.path("calls.log")).unwrap_or_default();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Percentages of the new revision, one after the other.
    fn weights(&self) -> Vec<u32> {
        let mut seen = vec![];
        for call in self.calls() {
            let weight = call.traffic.get(NEW).copied().unwrap_or_default();
            assert_eq!(call.traffic.values().sum::<u32>(), 100, "{call:?}");
            if seen.last() != Some(&weight) {
                seen.push(weight);
            }
        }
        seen
    }

    fn summary(&self) -> String {
        std::fs::read_to_string(self.path("out/summary.md")).unwrap()
    }
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_good_revision_reaches_all_traffic() {
    let Some(python) = tools::python("a_good_revision_reaches_all_traffic") else {
        return;
    };
    let app = App::start(&python, &[]);
    let ended = app.run(&["--step-rate", "60", "--deactivate", "yes"]);
    let summary = app.summary();
    assert_eq!(ended.code, Some(0), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0, 10, 50, 100]);
    assert!(
        summary.starts_with("# Rollout of inventory--new: at 100 %\n"),
        "{summary}"
    );
    for row in [
        "| 0 % | verify | ok |",
        "| 0 % | verify against inventory--old | ok |",
        "| 0 % | load, 20 a second | ok |",
        "| 10 % | load on the app's name, 60 a second | ok |",
        "| 100 % | verify on the app's name | ok |",
        "`inventory--old` is deactivated.",
        "State is in memory: one replica",
    ] {
        assert!(summary.contains(row), "{row}: {summary}");
    }
    let calls = app.calls();
    let words: Vec<String> = calls.iter().map(|call| call.call.join(" ")).collect();
    let place = |what: &str| {
        words
            .iter()
            .position(|line| line.contains(what))
            .unwrap_or_else(|| panic!("{what}: {words:#?}"))
    };
    // The old revision is pinned by name before there is a new one, and stopped when nothing more is judged.
    assert!(place("--revision-weight inventory--old=100 -o") < place("containerapp update"));
    assert!(words[place("containerapp update")].contains("--max-replicas 1"));
    assert!(place("--label green") < place("inventory--old=90 inventory--new=10"));
    assert_eq!(place("revision deactivate"), words.len() - 1);
}

#[test]
fn a_faulty_revision_is_rolled_back_before_it_has_traffic() {
    let Some(python) = tools::python("a_faulty_revision_is_rolled_back_before_it_has_traffic") else {
        return;
    };
    let app = App::start(&python, &["--fault", "update-clamps-to-zero"]);
    let ended = app.run(&["--verify", "--filter update_*"]);
    let summary = app.summary();
    assert_eq!(ended.code, Some(1), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0]);
    assert!(
        summary.starts_with(
            "# Rollout of inventory--new: rolled back at 0 %, before it had traffic\n\nReason: verify at 0 %: FAILED: "
        ),
        "{summary}"
    );
    for word in [
        "update.never-negative",
        "`inventory--old` has all traffic, as before.",
        "| 0 % | verify | **exit 1** |",
    ] {
        assert!(summary.contains(word), "{word}: {summary}");
    }
    assert!(
        !summary.contains("| load"),
        "nothing is judged behind a failure: {summary}"
    );
}

#[test]
fn a_revision_that_fails_above_the_rate_of_the_short_load_is_rolled_back_at_10() {
    let Some(python) = tools::python("a_revision_that_fails_above_the_rate_of_the_short_load_is_rolled_back_at_10")
    else {
        return;
    };
    // Answers take 600 ms, and it has room for 9 calls: 6 requests a second keep 4 open, 10 % of 300 some 18.
    let limits = [
        "--simulate",
        "delay=600ms",
        "--max-streams",
        "1",
        "--max-connections",
        "9",
    ];
    let app = App::start(&python, &limits);
    let rates = ["--rate", "6", "--step-rate", "300"];
    let ended = app.run(&[&["--verify", "--read-only --jobs 1 --filter get_*"], &rates[..]].concat());
    let summary = app.summary();
    assert_eq!(ended.code, Some(1), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0, 10, 0]);
    assert!(
        summary.starts_with("# Rollout of inventory--new: rolled back at 10 %\n"),
        "{summary}"
    );
    for word in [
        "| 0 % | load, 6 a second | ok |",
        "Reason: load on the app's name, 300 a second at 10 %: FAILED: ",
        "of the requests over gRPC failed",
        "| 0 % | verify on the app's name, after going back | ok |",
    ] {
        assert!(summary.contains(word), "{word}: {summary}");
    }
}

#[test]
fn what_the_new_revision_is_compared_with_is_the_old_one() {
    let Some(python) = tools::python("what_the_new_revision_is_compared_with_is_the_old_one") else {
        return;
    };
    // Both lie behind one address, and differ by host name alone: the defect of the old one has to show.
    let app = App::of(&python, &["--fault", "get-unknown-ok"], &[]);
    let mut command = app.rollout(&["--verify", "--filter get_*", "--steps", "100", "--step-rate", "20"]);
    let ended = process::run(command.env("STOCKTAKE_ROLLOUT_CHECKS", "against"), ROLLOUT);
    assert_eq!(ended.code, Some(0), "{}{}", ended.shown(), app.summary());
    assert_eq!(app.weights(), [0, 100]);
    let record = stocktake::record(&app.path("out/0-against")).unwrap();
    let against = record
        .checks
        .iter()
        .find(|check| check.about == CheckName::Against)
        .unwrap();
    assert!(against.sentence.contains("fixed"), "{}", against.sentence);
}

#[test]
fn a_revision_that_never_gets_healthy_is_not_judged() {
    let Some(python) = tools::python("a_revision_that_never_gets_healthy_is_not_judged") else {
        return;
    };
    let app = App::start(&python, &[]);
    let ended = app.run(&["--image", "reg.example/none:1"]);
    let summary = app.summary();
    assert_eq!(ended.code, Some(3), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0]);
    assert!(summary.contains("MANIFEST_UNKNOWN"), "{summary}");
}

#[test]
fn a_rollout_that_is_told_to_stop_takes_the_traffic_back() {
    let Some(python) = tools::python("a_rollout_that_is_told_to_stop_takes_the_traffic_back") else {
        return;
    };
    let app = App::start(&python, &[]);
    let mut command = app.rollout(&["--step-duration", "60s", "--step-rate", "20"]);
    command
        .env("STOCKTAKE_ROLLOUT_CHECKS", "verify")
        .args(["--verify", "--read-only --filter get_*"]);
    let mut child = process::spawn(&mut command);
    until(|| app.path("out/10-load.log").exists());
    let told = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(told.success());
    // Well before the load of a minute would end.
    until(|| child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(app.weights(), [0, 10, 0]);
    assert!(app.summary().contains("Reason: interrupted"), "{}", app.summary());
}

#[test]
fn wrong_input_touches_nothing() {
    let Some(python) = tools::python("wrong_input_touches_nothing") else {
        return;
    };
    let app = App::start(&python, &[]);
    for (arguments, word) in [
        (["--steps", "10 50"], "the last one has to be 100"),
        (["--steps", "50 10 100"], "rising percentages"),
        (["--suffix", "New_1"], "small letters"),
        (["--pause", "15s"], "--pause 15s: seconds"),
        (["--state", "disk"], "memory or shared"),
        (["--checks", "verify hope"], "of doctor, verify, against, load"),
        (["--workload", "none.yaml"], "no such file"),
        (["--image", ""], "STOCKTAKE_ROLLOUT_IMAGE"),
        (["--stap", "10"], "no option --stap"),
        // The revision that has the traffic.
        (["--suffix", "old"], "needs a new --suffix"),
    ] {
        let ended = app.run(&arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.shown());
        assert!(ended.stderr.contains(word), "{arguments:?}: {}", ended.shown());
    }
    let touched: Vec<Call> = app
        .calls()
        .into_iter()
        .filter(|call| !call.call.contains(&"show".to_owned()))
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
}

#[test]
fn the_stand_in_for_az_refuses_what_azure_cli_refuses() {
    let Some(python) = tools::python("the_stand_in_for_az_refuses_what_azure_cli_refuses") else {
        return;
    };
    let app = App::start(&python, &[]);
    for (line, word) in [
        (
            "containerapp update -n inventory -g rg --target-port 1",
            "no option --target-port",
        ),
        (
            "containerapp ingress traffic set -n inventory -g rg --revision-weight inventory--none=100",
            "not a valid revision",
        ),
        (
            "containerapp revision label add -n inventory -g rg --label green",
            "needs --revision",
        ),
    ] {
        let mut command = Command::new(app.path("az"));
        command
            .args(line.split(' '))
            .env("STOCKTAKE_TEST_EDGE", app.folder.path());
        let ended = process::run(&mut command, Duration::from_secs(60));
        assert_ne!(ended.code, Some(0), "{line}");
        assert!(ended.stderr.contains(word), "{line}: {}", ended.shown());
    }
}
