//! Targets that cannot be judged: exit 3, a sentence that helps, within the deadline; and a target that dies in mid-run.

use crate::support::{
    process::Server,
    stocktake::{attempt, binary, record, run, serve},
    until,
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use stocktake::verify::record::{Outcome, VerdictResult};

/// Accepts connections for as long as the test runs, and handles each in a thread of its own.
fn peer(handle: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = handle.clone();
            thread::spawn(move || handle(stream));
        }
    });
    port
}

fn refused(target: &str, words: &[&str]) {
    let began = Instant::now();
    let seen = run(&["verify", target, "--connect-timeout", "2s"]);
    assert_eq!(seen.code, Some(3), "{target}: {}{}", seen.stdout, seen.stderr);
    for word in words {
        assert!(
            seen.stderr.contains(word),
            "{target}: {word:?} is not in {}",
            seen.stderr
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{target}: {:?}",
        began.elapsed()
    );
}

#[test]
fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    refused(&format!("http://127.0.0.1:{port}"), &["cannot reach", "refused"]);
}

#[test]
fn a_target_that_accepts_and_says_nothing() {
    let port = peer(|mut stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    refused(&format!("http://127.0.0.1:{port}"), &["cannot reach"]);
    refused(&format!("https://127.0.0.1:{port}"), &["cannot reach"]);
}

#[test]
fn a_target_that_speaks_http_1_only() {
    let port = peer(|mut stream| {
        let mut some = [0; 24];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    });
    refused(&format!("http://127.0.0.1:{port}"), &["HTTP/1.1", "http2"]);
}

#[test]
fn a_target_that_speaks_garbage() {
    let port = peer(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
        let mut some = [0; 24];
        let _ = stream.read(&mut some);
    });
    refused(&format!("http://127.0.0.1:{port}"), &["cannot reach"]);
    refused(&format!("https://127.0.0.1:{port}"), &["cannot reach"]);
}

#[test]
fn tls_to_plaintext() {
    let server = serve(&[]);
    refused(&format!("https://{}", server.address), &["plaintext", "http://"]);
}

#[test]
fn plaintext_to_tls() {
    // An alert is what a TLS server answers to bytes that are no hello (RFC 8446 section 6).
    let port = peer(|mut stream| {
        let mut some = [0; 24];
        let _ = stream.read(&mut some);
        let _ = stream.write_all(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a]);
    });
    refused(&format!("http://127.0.0.1:{port}"), &["TLS", "https://"]);
}

#[test]
fn a_target_that_comes_up_late_is_waited_for() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let verify = {
        let address = address.clone();
        thread::spawn(move || attempt(&address, &["--wait", "30s", "--filter", "get_unknown*"]))
    };
    let server = Server::start(Command::new(binary()).args(["serve", "--listen", &address]));
    let seen = verify.join().unwrap();
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    drop(server);
}

#[test]
fn a_target_killed_in_mid_run_ends_it_with_what_was_judged() {
    let server = serve(&["--simulate", "delay=40ms"]);
    let address = server.address.clone();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let events = out.join("events.jsonl");
    let seen = {
        let out = out.clone();
        thread::spawn(move || run(&["verify", &address, "--jobs", "2", "--out", out.to_str().unwrap()]))
    };
    // Killed once three cases are over: seen in the log, not guessed by the clock.
    until(|| std::fs::read_to_string(&events).is_ok_and(|log| log.matches("\"case_finished\"").count() >= 3));
    drop(server);
    let seen = seen.join().unwrap();
    assert!(matches!(seen.code, Some(1 | 3)), "{}{}", seen.stdout, seen.stderr);
    let record = record(&out).unwrap();
    assert_eq!(
        record.verdict.result,
        VerdictResult::NotJudged,
        "{}",
        record.verdict.sentence
    );
    assert_eq!(seen.code, Some(3));
    assert!(
        !record.verdict.complete && record.verdict.counts.passed >= 3,
        "{:?}",
        record.verdict
    );
    assert!(
        record
            .cases
            .iter()
            .any(|case| matches!(&case.outcome, Outcome::NotJudged { reason } if reason.contains("gone")))
    );
}

#[test]
fn an_interrupted_run_writes_what_was_judged() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let server = serve(&["--simulate", "delay=40ms"]);
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let events = out.join("events.jsonl");
        let mut command = Command::new(binary());
        command
            .args(["verify", &server.address, "--jobs", "2", "--out"])
            .arg(&out);
        let child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        until(|| std::fs::read_to_string(&events).is_ok_and(|log| log.matches("\"case_finished\"").count() >= 3));
        let kill = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(kill.success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        let record = record(&out).unwrap();
        assert_eq!(record.verdict.result, VerdictResult::Interrupted);
        assert!(
            !record.verdict.complete && record.verdict.counts.passed >= 3,
            "{:?}",
            record.verdict
        );
    }
}
