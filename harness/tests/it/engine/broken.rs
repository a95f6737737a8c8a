//! Runs that are interrupted, lose their target or cannot write.

use super::{OVER, clean, create, judged, proxy::Proxy, scenario};
use crate::support::{
    stocktake::{attempt, binary, record, run, serve},
    until, write,
};
use std::{
    process::{Command, Stdio},
    sync::atomic::Ordering,
};
use stocktake::verify::record::{Outcome, VerdictResult};

#[test]
fn an_interrupted_case_is_cleaned_up_and_every_case_has_a_record() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    let steps = create("p", 7, &clean("p", -7, 0))
        + "  - call: WatchStockChanges\n    deadline: 60s\n    request: { category: none }\n    expect: { status: DEADLINE_EXCEEDED }\n";
    write(folder.path(), "one.yaml", &scenario("one", "timeout: 90s", &steps));
    write(
        folder.path(),
        "two.yaml",
        &scenario("two", "exclusive: true", "  - call: ListProducts\n"),
    );
    let out = folder.path().join("run");
    let events = out.join("events.jsonl");
    let child = Command::new(binary())
        .args(["verify", &server.address, "--scenarios"])
        .arg(folder.path())
        .args(OVER)
        .arg("--out")
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(|| std::fs::read_to_string(&events).is_ok_and(|log| log.contains("\"case_started\"")));
    // The watch is the second call: by the product one can see that the first one is over.
    until(|| created(&server.address));
    let kill = Command::new("kill")
        .args(["-s", "INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let record = record(&out).unwrap();
    assert_eq!(record.verdict.result, VerdictResult::Interrupted);
    assert_eq!(record.cases.len(), 2, "{:?}", record.cases);
    for case in &record.cases {
        assert_eq!(
            case.outcome,
            Outcome::NotJudged {
                reason: "interrupted".into()
            }
        );
    }
    assert!(record.residue[0].what.ends_with("-p (stock 0)"), "{:?}", record.residue);
    assert_eq!(record.residue[0].why, "");
}

/// Whether somebody has created a fifth product.
fn created(address: &str) -> bool {
    let list =
        "  - call: ListProducts\n    request: { page_size: 100 }\n    expect: { response: { total_count: 5 } }\n";
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "count.yaml", &scenario("count", "", list));
    attempt(address, &["--scenarios", folder.path().to_str().unwrap()]).code == Some(0)
}

#[test]
fn a_target_that_falls_silent_is_not_judged() {
    let server = serve(&[]);
    for steps in [
        // A call that hangs until the case is over its time, and a watch that never hears anything.
        "  - call: WatchStockChanges\n    deadline: 60s\n    request: { category: none }\n    expect: { status: DEADLINE_EXCEEDED }\n",
        "  - id: w\n    call: WatchStockChanges\n    background: true\n    request: { category: none }\n  - wait: w\n    until: message.reason == \"x\"\n    within: 2s\n",
    ] {
        let through = Proxy::start(&server.address);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "one.yaml", &scenario("one", "timeout: 3s", steps));
        let out = folder.path().join("run");
        let events = out.join("events.jsonl");
        let child = Command::new(binary())
            .args(["verify", &through.address, "--scenarios"])
            .arg(folder.path())
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until(|| std::fs::read_to_string(&events).is_ok_and(|log| log.contains("\"case_started\"")));
        through.silent.store(true, Ordering::SeqCst);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3), "{steps}");
        let record = record(&out).unwrap();
        assert!(
            matches!(&record.cases[0].outcome, Outcome::NotJudged { reason } if reason.contains("gone")),
            "{:?}",
            record.cases[0].outcome
        );
    }
}

#[test]
fn results_are_written_even_when_the_approved_answers_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    // A link that leads nowhere: nothing is there to be read, and nothing can be made there.
    std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("no")).unwrap();
    let file = folder.path().join("no").join("such.snap");
    let steps = "  - call: ListProducts\n    request: { page_size: 1 }\n    snapshot: list\n";
    let seen = judged("", steps, &["--snapshot", file.to_str().unwrap(), "--accept"]);
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
    assert!(seen.stderr.contains("cannot write"), "{}", seen.stderr);
    assert_eq!(seen.record.unwrap().verdict.result, VerdictResult::Passed);
}

#[test]
fn the_answer_of_a_failed_step_is_not_approved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers.snap");
    let steps = "  - call: ListProducts\n    request: { page_size: 1 }\n    snapshot: list\n    expect: { response: { page_size: 2 } }\n";
    let seen = judged("", steps, &["--snapshot", file.to_str().unwrap(), "--accept"]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("one/list"));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child = Command::new(binary())
        .args(["verify", "--list"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_ne!(output.status.code(), Some(101));
}

#[test]
fn a_malformed_header_is_not_repeated() {
    let seen = run(&["verify", "127.0.0.1:1", "--header", "authorization=Bearer hunter2:x"]);
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
    assert!(
        !seen.stderr.contains("hunter2") && seen.stderr.contains("no metadata key"),
        "{}",
        seen.stderr
    );
}
