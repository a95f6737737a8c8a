//! The doctor against peers that are ill, each in one way: real Envoy as the edge, servers in Python, this project's own. What it
//! names first must be what was staged; of healthy peers it names nothing.

mod cases;
mod stage;

use crate::support::{process, stocktake, tools};
use cases::{CASES, Case};
use stage::Stage;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

/// Runs at once: the machine has few cores, and most of a case is waiting.
const AT_ONCE: usize = 4;

/// What the doctor named for a case: the first diagnosis, or `healthy`.
struct Named {
    first: String,
    exit: Option<i32>,
    notes: Vec<String>,
    shown: String,
}

fn examine(case: &Case, stage: &Stage) -> Named {
    let target = stage.target(case.target);
    let mut arguments = vec!["doctor", target.as_str(), "--format", "json", "--connect-timeout", "2s"];
    let (ca, out) = (stage.path("ca.pem"), stage.path(&format!("run-{}", case.name)));
    arguments.extend(["--ca", &ca, "--out", &out]);
    arguments.extend(case.arguments);
    let ended = stocktake::run(&arguments);
    let record: serde_json::Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{}: {error}\n{}", case.name, ended.shown()));
    let ids = |field: &str| -> Vec<String> {
        let all = record[field].as_array().unwrap();
        all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    Named {
        first: ids("diagnoses")
            .into_iter()
            .next()
            .unwrap_or_else(|| "healthy".to_owned()),
        exit: ended.code,
        notes: ids("notes"),
        shown: ended.shown(),
    }
}

/// All cases, a few at a time.
fn examine_all(stage: &Stage) -> BTreeMap<&'static str, Named> {
    let (waiting, done) = (Mutex::new(CASES.iter()), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(case) = next else { return };
                    let named = examine(case, stage);
                    done.lock().unwrap().insert(case.name, named);
                }
            });
        }
    });
    done.into_inner().unwrap()
}

/// Rows: what was staged; columns: what was named first. Columns of nothing but the diagonal are left out.
fn matrix(named: &BTreeMap<&'static str, Named>) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for case in CASES {
        *counts.entry((case.expect, &named[case.name].first)).or_default() += 1;
    }
    let rows: BTreeSet<&str> = CASES.iter().map(|case| case.expect).collect();
    let mut text = format!("{:<20} {:>6} {:>6}  named otherwise\n", "staged", "cases", "right");
    for row in rows {
        let of_row = counts.iter().filter(|((expect, _), _)| *expect == row);
        let all: usize = of_row.clone().map(|(_, n)| n).sum();
        let right = counts.get(&(row, row)).copied().unwrap_or(0);
        let others: Vec<String> = of_row
            .filter(|((_, first), _)| *first != row)
            .map(|((_, first), n)| format!("{first} {n}"))
            .collect();
        text += &format!("{row:<20} {all:>6} {right:>6}  {}\n", others.join(", "));
    }
    text
}

#[test]
fn the_doctor_names_the_cause_that_was_staged_first() {
    let Some(python) = tools::python("the_doctor_names_the_cause_that_was_staged_first") else {
        return;
    };
    let stage = Stage::set(&python);
    let named = examine_all(&stage);
    println!("{}", matrix(&named));
    let mut wrong = String::new();
    for case in CASES {
        let seen = &named[case.name];
        let notes = case.note.is_none_or(|note| seen.notes.iter().any(|id| id == note));
        if seen.first != case.expect || seen.exit != Some(case.exit) || !notes {
            wrong += &format!(
                "{}: expected {} and exit {}, got {}: {}\n",
                case.name, case.expect, case.exit, seen.first, seen.shown
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let ill = CASES.iter().filter(|case| case.expect != "healthy").count();
    assert!(
        ill >= 20 && CASES.len() - ill >= 4,
        "{ill} of {} cases are ill",
        CASES.len()
    );
}

#[test]
fn verify_and_load_say_of_an_unreached_service_what_the_doctor_says() {
    let test = "verify_and_load_say_of_an_unreached_service_what_the_doctor_says";
    let Some(python) = tools::python(test) else { return };
    let stage = Stage::set(&python);
    let fix = "az containerapp ingress update -n $APP -g $RG --transport http2";
    // The connection comes about, and the edge answers in the service's place.
    for command in ["verify", "load"] {
        let (target, out) = (stage.target("http edge:transport"), stage.path(command));
        let ended = stocktake::run(&[command, &target, "--out", &out]);
        assert_eq!(ended.code, Some(3), "{}", ended.shown());
        let (message, advice) = ended
            .stderr
            .split_once("\n\n")
            .unwrap_or_else(|| panic!("{}", ended.shown()));
        assert!(
            message.starts_with("error: ") && message.contains("protocol error"),
            "{}",
            ended.shown()
        );
        assert!(
            advice.starts_with("diagnosis ") && advice.contains(fix),
            "{}",
            ended.shown()
        );
    }
    // It does not come about.
    let ended = stocktake::run(&["verify", &stage.target("http dead")]);
    assert_eq!(ended.code, Some(3), "{}", ended.shown());
    assert!(ended.stderr.contains("port-closed: layer TCP"), "{}", ended.shown());
    // An edge that says UNIMPLEMENTED to everything looks like a service that does nothing right; the report knows better.
    let arguments = ["--filter", "catalogue_*", "--protocol", "grpc"];
    let seen = stocktake::attempt(&stage.target("http edge:unknown-host"), &arguments);
    let caveats = seen.record.unwrap().caveats;
    let told = caveats
        .iter()
        .find(|caveat| caveat.text.starts_with("doctor: the edge does not know"));
    assert!(told.is_some_and(|caveat| !caveat.remedy.is_empty()), "{caveats:?}");
    assert_ne!(seen.code, Some(0));
}

#[test]
fn a_token_is_nowhere_to_be_read_and_a_run_is_rendered_again() {
    let Some(python) = tools::python("a_token_is_nowhere_to_be_read_and_a_run_is_rendered_again") else {
        return;
    };
    let stage = Stage::set(&python);
    let (target, out, again) = (stage.target("http locked"), stage.path("run"), stage.path("again"));
    let token = "Bearer hunter2-hunter2";
    let ended = stocktake::run(&[
        "doctor",
        &target,
        "--out",
        &out,
        "--header",
        &format!("authorization: {token}"),
    ]);
    assert_eq!(ended.code, Some(3), "{}", ended.shown());
    let rendered = stocktake::run(&["report", &out, "--out", &again]);
    assert_eq!(rendered.code, Some(0), "{}", rendered.shown());
    let mut texts = vec![ended.stdout, ended.stderr];
    for name in ["run.json", "report.md", "index.html"] {
        let read = |folder: &str| std::fs::read_to_string(std::path::Path::new(folder).join(name)).unwrap();
        assert_eq!(read(&out), read(&again), "{name}");
        texts.push(read(&out));
    }
    assert!(texts.iter().all(|text| !text.contains("hunter2")));
}

/// Answers every request with what it was asked, over HTTP/1.1, and takes no other.
fn parrot() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = vec![0; 8 << 10];
            let n = stream.read(&mut asked).unwrap_or(0);
            let said = String::from_utf8_lossy(&asked[..n]).replace("\r\n", "; ");
            let length = said.len();
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-length: {length}\r\nwww-authenticate: {said}\r\n\r\n{said}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn no_piece_of_a_long_token_is_said_back() {
    // As long as one of Entra; every eight characters of it are there once.
    let token: String = (0..125)
        .map(|n| format!("{:08x}", 0x9e37_79b9_u32.wrapping_mul(n + 1)))
        .collect();
    assert_eq!(token.len(), 1_000);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let header = format!("authorization: Bearer {token}");
    let arguments = ["doctor", &parrot(), "--header", &header, "--out", out.to_str().unwrap()];
    let ended = stocktake::run(&arguments);
    assert_eq!(ended.code, Some(3), "{}", ended.shown());
    let mut texts = vec![ended.stdout, ended.stderr];
    for name in ["run.json", "report.md", "index.html"] {
        texts.push(std::fs::read_to_string(out.join(name)).unwrap());
    }
    assert!(texts[2].contains("authorization: [hidden]"), "{}", texts[2]);
    for text in texts {
        let seen = (0..125)
            .map(|n| &token[n * 8..][..8])
            .find(|piece| text.contains(piece));
        assert_eq!(seen, None, "{text}");
    }
}

#[test]
fn a_target_that_is_slower_than_a_first_look_gets_no_diagnosis() {
    let server = stocktake::serve(&["--simulate", "delay=2s"]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let more = ["--filter", "list_past_end*", "--protocol", "grpc"];
    let arguments = [&["check", &server.address, "--out", out.to_str().unwrap()][..], &more].concat();
    let ended = stocktake::run(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    let line = ended.stdout.lines().find(|line| line.starts_with("doctor: ")).unwrap();
    assert!(line.contains("not every answer came within 1.5 s"), "{line}");
    let record = stocktake::record(&out).unwrap();
    let said = record.caveats.iter().find(|caveat| caveat.text.starts_with("doctor:"));
    assert!(said.is_none(), "{said:?}");
}

#[test]
fn an_interrupted_doctor_writes_what_it_has_seen() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let peer = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let target = peer.local_addr().unwrap().to_string();
        let mut command = Command::new(stocktake::binary());
        command
            .args(["doctor", &target, "--connect-timeout", "60s", "--out"])
            .arg(&out);
        let child = process::spawn(&mut command);
        // One connection is of the layer TCP, the next one waits for HTTP/2.
        let held = [peer.accept().unwrap(), peer.accept().unwrap()];
        let kill = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(
            ended.status.code(),
            Some(code),
            "{}",
            String::from_utf8_lossy(&ended.stdout)
        );
        let record = ::stocktake::report::store::read_doctor(&out).unwrap();
        assert!(
            record.diagnoses.is_empty() && !record.verdict.complete,
            "{:?}",
            record.verdict
        );
        assert_eq!(record.evidence.tcp.len(), 1, "{:?}", record.evidence);
        drop(held);
    }
}
