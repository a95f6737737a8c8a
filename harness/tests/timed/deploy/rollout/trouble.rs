//! A rollout whose surroundings fail: Azure is busy, a call hangs, a revision is dead or starts slowly, the script is killed.

use super::{App, NEW, OLD, ROLLOUT, executable};
use crate::support::{
    process::{self, Ended},
    root,
    stocktake::binary,
    tools, until, write,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What the file `way-back` says.
const WAY_BACK: &str = "inventory--old=100 inventory--new=0\n";
/// A revision to which nothing answers, and no check that would tell before it has traffic.
const DEAD: [&str; 6] = ["--image", "reg.example/dead:1", "--steps", "100", "--pause", "0"];
/// The text of a workflow's step of this name, in whichever form.
const STEP: &str = r#"
import sys, yaml
def found(node):
    if isinstance(node, dict):
        if sys.argv[2] in (node.get("name"), node.get("displayName")):
            yield node.get("run") or node["inputs"]["inlineScript"]
        node = list(node.values())
    for one in node if isinstance(node, list) else []:
        yield from found(one)
[text] = found(yaml.safe_load(open(sys.argv[1], encoding="utf-8")))
print(text, end="")
"#;

impl App {
    /// Puts shell text before the stand-in for az; `$real` is the stand-in, `$here` the folder.
    fn before_az(&self, text: &str) {
        std::fs::rename(self.path("az"), self.path("az-real")).unwrap();
        let here = self.folder.path().display();
        let text = format!("#!/bin/sh\nhere='{here}'\nreal=\"$here/az-real\"\n{text}\nexec \"$real\" \"$@\"\n");
        executable(&write(self.folder.path(), "az", &text));
    }

    /// Azure refuses the way back so often.
    fn busy(&self, times: u32) {
        write(self.folder.path(), "busy", &times.to_string());
        self.before_az(
            "case \"$*\" in *'inventory--old=100 inventory--new=0 '*)
  left=$(cat \"$here/busy\")
  if [ \"$left\" -gt 0 ]; then
    echo $((left - 1)) >\"$here/busy\"
    echo 'ERROR: (ContainerAppOperationInProgress) an operation is under way' >&2
    exit 1
  fi ;;
esac",
        );
    }

    fn unchecked(&self, arguments: &[&str]) -> Ended {
        let mut command = self.rollout(arguments);
        process::run(command.env("STOCKTAKE_ROLLOUT_CHECKS", " "), ROLLOUT)
    }
}

#[test]
fn a_dead_revision_at_100_is_taken_back_though_azure_is_busy() {
    let Some(python) = tools::python("a_dead_revision_at_100_is_taken_back_though_azure_is_busy") else {
        return;
    };
    let app = App::start(&python, &[]);
    app.busy(5);
    let ended = app.unchecked(&DEAD);
    let summary = app.summary();
    assert!(matches!(ended.code, Some(1 | 3)), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0, 100, 0]);
    assert!(
        summary.contains("Reason: at 100 % nobody answered with a revision: "),
        "{summary}"
    );
    assert!(!summary.contains("answer still"), "{summary}");
    for word in [
        "attempt 1 of 6: az (exit 1): ERROR: (ContainerAppOperationInProgress)",
        "attempt 5 of 6",
    ] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.shown());
    }
    assert!(
        summary.contains("| 0 % | verify on the app's name, after going back | ok |"),
        "{summary}"
    );
    assert!(!app.path("out/way-back").exists());
}

#[test]
fn what_cannot_be_taken_back_is_said() {
    let Some(python) = tools::python("what_cannot_be_taken_back_is_said") else {
        return;
    };
    let app = App::start(&python, &[]);
    app.busy(100);
    let ended = app.unchecked(&DEAD);
    let summary = app.summary();
    assert!(matches!(ended.code, Some(1 | 3)), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0, 100]);
    assert!(
        summary.contains("**The traffic could not be taken back** (az (exit 1): ERROR: "),
        "{summary}"
    );
    assert_eq!(std::fs::read_to_string(app.path("busy")).unwrap(), "94\n");
    // For whoever comes afterwards.
    assert_eq!(std::fs::read_to_string(app.path("out/way-back")).unwrap(), WAY_BACK);
}

#[test]
fn a_call_of_az_under_way_does_not_hold_up_the_way_back() {
    let Some(python) = tools::python("a_call_of_az_under_way_does_not_hold_up_the_way_back") else {
        return;
    };
    let app = App::start(&python, &[]);
    // Longer than the test waits.
    app.before_az("case \"$*\" in *'inventory--new=10 '*) \"$real\" \"$@\"; exec sleep 300 ;; esac");
    let mut command = app.rollout(&[]);
    let mut child = process::spawn(command.env("STOCKTAKE_ROLLOUT_CHECKS", " "));
    until(|| std::fs::read_to_string(app.path("calls.log")).is_ok_and(|log| log.contains("inventory--new=10\"")));
    assert_eq!(std::fs::read_to_string(app.path("out/way-back")).unwrap(), WAY_BACK);
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(told.success());
    until(|| child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(app.weights(), [0, 10, 0]);
    assert!(app.summary().contains("Reason: interrupted"), "{}", app.summary());
    assert!(!app.path("out/way-back").exists());
}

#[test]
fn a_slow_start_and_answers_without_a_replica_are_no_reason_to_go_back() {
    let Some(python) = tools::python("a_slow_start_and_answers_without_a_replica_are_no_reason_to_go_back") else {
        return;
    };
    let app = App::start(&python, &[]);
    // The first caller waits for the start, the second finds no label; and runs say who answered without a replica.
    let slow = write(
        app.folder.path(),
        "slow",
        &format!(
            "#!/bin/sh
for out in \"$@\"; do :; done
if [ \"$1\" = doctor ]; then
  echo >>'{calls}'
  [ $(wc -l <'{calls}') -gt 2 ] || {{ echo 'NOT REACHABLE: no such label yet'; exit 3; }}
  [ $(wc -l <'{calls}') -gt 3 ] || {{ echo 'CHANGE: the first answer took 40 s'; exit 1; }}
fi
'{binary}' \"$@\"
code=$?
[ ! -f \"$out/run.json\" ] || sed -i -E 's#\"(inventory--[a-z]+)/[^\"]*\"#\"\\1\"#' \"$out/run.json\"
exit $code
",
            calls = app.path("doctors").display(),
            binary = binary().display(),
        ),
    );
    executable(&slow);
    let mut command = app.rollout(&[
        "--steps",
        "100",
        "--step-rate",
        "20",
        "--verify",
        "--read-only --filter get_*",
    ]);
    command
        .args(["--stocktake", slow.to_str().unwrap()])
        .env("STOCKTAKE_ROLLOUT_CHECKS", "doctor verify")
        // Does not go with the wait that verify has otherwise.
        .env("STOCKTAKE_COLD_START", "10s");
    let ended = process::run(&mut command, ROLLOUT);
    let summary = app.summary();
    assert_eq!(ended.code, Some(0), "{}{summary}", ended.shown());
    assert_eq!(app.weights(), [0, 100]);
    assert!(summary.contains("| 0 % | doctor | ok |"), "{summary}");
    let record = std::fs::read_to_string(app.path("out/100-verify-1/run.json")).unwrap();
    assert!(record.contains(&format!("\"{NEW}\"")) && !record.contains(&format!("\"{NEW}/")));
}

/// Runs the step of a workflow that takes the traffic back, beside a folder `rollout`.
fn taken_back(app: &App, python: &Path, file: &str) -> Ended {
    let mut command = Command::new(python);
    let workflow: PathBuf = root().join(file);
    command.args(["-c", STEP]).arg(&workflow).arg("Take the traffic back");
    let step = process::run(&mut command, Duration::from_secs(60));
    assert_eq!(step.code, Some(0), "{}", step.shown());
    // The way to the stand-in is that of a rollout.
    let like = app.rollout(&[]);
    let mut command = Command::new("bash");
    for (name, value) in like.get_envs() {
        value.map(|value| command.env(name, value));
    }
    command
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &step.stdout])
        .current_dir(app.folder.path())
        .envs([("APP", "inventory"), ("GROUP", "rg")])
        .env("BUILD_ARTIFACTSTAGINGDIRECTORY", app.folder.path());
    process::run(&mut command, Duration::from_secs(60))
}

#[test]
fn the_workflows_take_back_what_a_killed_rollout_left() {
    let Some(python) = tools::python("the_workflows_take_back_what_a_killed_rollout_left") else {
        return;
    };
    for file in [
        "deploy/ci/github/after-rollout.yml",
        "deploy/ci/azure-pipelines/after-rollout.yml",
    ] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        // The runner signals its own child: that has to be the script.
        assert!(text.contains(" exec deploy/azure/rollout"), "{file}");
        let app = App::start(&python, &[]);
        let az = |line: &str| {
            let mut command = Command::new(app.path("az"));
            command
                .args(line.split(' '))
                .env("STOCKTAKE_TEST_EDGE", app.folder.path());
            let ended = process::run(&mut command, Duration::from_secs(60));
            assert_eq!(ended.code, Some(0), "{line}: {}", ended.shown());
        };
        az(&format!(
            "containerapp ingress traffic set -n inventory -g rg --revision-weight {OLD}=100"
        ));
        az("containerapp update -n inventory -g rg --image reg.example/new:1 --revision-suffix new");
        az(&format!(
            "containerapp ingress traffic set -n inventory -g rg --revision-weight {OLD}=50 {NEW}=50"
        ));
        // Nothing to take back, as after a rollout that took it back itself.
        let ended = taken_back(&app, &python, file);
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.shown());
        assert_eq!(app.weights(), [0, 50], "{file}");
        std::fs::create_dir(app.path("rollout")).unwrap();
        write(&app.path("rollout"), "way-back", WAY_BACK);
        let ended = taken_back(&app, &python, file);
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.shown());
        assert_eq!(app.weights(), [0, 50, 0], "{file}");
    }
}
