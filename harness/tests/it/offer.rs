//! Targets that offer one protocol alone, and what a run without the other one is worth.

use crate::support::{
    python,
    stocktake::{record, run, serve},
    tools,
};
use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};
use stocktake::{
    client::Protocol,
    verify::record::{Outcome, RunRecord, VerdictResult},
};
use tempfile::TempDir;

/// How HTTP/2 begins (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI";

/// An empty SETTINGS frame, with which servers of HTTP/2 answer whatever comes.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

const NO_HTTP2: &[u8] = b"HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Something before a service that lets one protocol through, as HTTP/2 or HTTP/1.1, and answers the other with `refusal`.
fn only(protocol: Protocol, refusal: &'static [u8], service: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = service.to_owned();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let service = service.clone();
            thread::spawn(move || {
                let mut begun = [0; 3];
                if client.read_exact(&mut begun).is_err() {
                    return;
                }
                if (begun == PREFACE) != (protocol == Protocol::Grpc) {
                    let _ = client.write_all(refusal);
                    // Closed with bytes unread, the connection would be reset, and the answer with it.
                    let _ = client.shutdown(std::net::Shutdown::Write);
                    let _ = std::io::copy(&mut client, &mut std::io::sink());
                    return;
                }
                let Ok(mut server) = TcpStream::connect(service) else {
                    return;
                };
                let _ = server.write_all(&begun);
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    address
}

/// A run of a few cases on both protocols, its output, and its reports where it got so far.
struct Judged {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    record: Option<RunRecord>,
    /// `report.md`, `junit.xml` and `index.html`.
    reports: Vec<String>,
}

fn judge(target: &str, protocol: &str) -> Judged {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("run");
    let ended = run(&[
        "verify",
        target,
        "--protocol",
        protocol,
        "--filter",
        "get_unknown*,update_applied*",
        "--connect-timeout",
        "5s",
        "--out",
        out.to_str().unwrap(),
    ]);
    let reports = ["report.md", "junit.xml", "index.html"];
    Judged {
        code: ended.code,
        stdout: ended.stdout,
        stderr: ended.stderr,
        record: record(&out),
        reports: reports
            .map(|name| fs::read_to_string(out.join(name)).unwrap_or_default())
            .into(),
    }
}

impl Judged {
    fn shown(&self) -> String {
        format!("exit {:?}\n{}{}", self.code, self.stdout, self.stderr)
    }

    fn record(&self) -> &RunRecord {
        self.record
            .as_ref()
            .unwrap_or_else(|| panic!("no record: {}", self.shown()))
    }

    /// How many cases of a protocol ended so.
    fn count(&self, protocol: Protocol, outcome: impl Fn(&Outcome) -> bool) -> usize {
        let cases = self.record().cases.iter();
        cases
            .filter(|case| case.protocol == protocol && outcome(&case.outcome))
            .count()
    }

    /// That console and reports name REST as not offered, with the reason.
    fn says_that_rest_is_missing(&self, reason: &str) {
        assert_eq!(self.record().target.not_offered[0].0, Protocol::Rest);
        assert!(
            self.record().target.not_offered[0].1.contains(reason),
            "{:?}",
            self.record().target
        );
        let texts = std::iter::once(&self.stdout).chain(&self.reports[..1]);
        for text in texts {
            assert!(text.contains("rest is not offered"), "{text}");
        }
        for text in std::iter::once(&self.stdout).chain(&self.reports) {
            assert!(text.contains("the target offers no REST: GET "), "{text}");
        }
        assert!(!self.stdout.contains("not run to the end"), "{}", self.stdout);
    }
}

fn skipped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Skipped { reason } if reason.starts_with("the target offers no REST"))
}

fn not_judged(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotJudged { reason } if reason.starts_with("the target offers no REST"))
}

/// Why REST is found missing, by what the target answers to HTTP/1.1.
const WITHOUT_REST: [(&[u8], &str); 3] = [
    (SETTINGS, "answers HTTP/2 only"),
    (b"", "closed the connection"),
    (NOT_FOUND, "404"),
];

#[test]
fn auto_judges_grpc_alone_where_there_is_no_rest_and_says_so() {
    let (right, broken) = (serve(&[]), serve(&["--fault", "get-unknown-ok"]));
    for (refusal, reason) in WITHOUT_REST {
        let seen = judge(&only(Protocol::Grpc, refusal, &right.address), "auto");
        assert_eq!(seen.code, Some(0), "{}", seen.shown());
        let record = seen.record();
        assert_eq!(record.verdict.result, VerdictResult::Passed);
        assert_eq!(record.target.protocols, [Protocol::Grpc]);
        let (grpc, rest) = (
            seen.count(Protocol::Grpc, |outcome| *outcome == Outcome::Passed),
            seen.count(Protocol::Rest, skipped),
        );
        assert!(grpc > 1 && rest > 1, "{}", seen.shown());
        let counts = &record.verdict.counts;
        assert_eq!((counts.passed, counts.skipped), (grpc as u64, rest as u64));
        assert_eq!(counts.cases as usize, grpc + rest, "each case is counted");
        assert!(record.verdict.sentence.contains(&format!("{rest} skipped")));
        assert!(
            record
                .caveats
                .iter()
                .any(|caveat| caveat.text.contains("REST was not judged"))
        );
        seen.says_that_rest_is_missing(reason);
    }
    // What gRPC shows decides.
    let seen = judge(&only(Protocol::Grpc, NOT_FOUND, &broken.address), "auto");
    assert_eq!(seen.code, Some(1), "{}", seen.shown());
    seen.says_that_rest_is_missing("404");
}

#[test]
fn both_is_not_judged_where_there_is_no_rest_unless_grpc_fails() {
    let (right, broken) = (serve(&[]), serve(&["--fault", "get-unknown-ok"]));
    for (refusal, reason) in WITHOUT_REST {
        let seen = judge(&only(Protocol::Grpc, refusal, &right.address), "both");
        assert_eq!(seen.code, Some(3), "{}", seen.shown());
        let verdict = &seen.record().verdict;
        assert_eq!(verdict.result, VerdictResult::NotJudged);
        let rest = seen.count(Protocol::Rest, not_judged);
        assert_eq!((verdict.counts.not_judged, verdict.counts.skipped), (rest as u64, 0));
        assert!(
            rest > 1 && seen.count(Protocol::Grpc, |outcome| *outcome == Outcome::Passed) > 1,
            "{}",
            seen.shown()
        );
        let sentence = "could not be judged: the target offers no REST";
        assert!(verdict.sentence.contains(sentence), "{}", verdict.sentence);
        seen.says_that_rest_is_missing(reason);
    }
    let seen = judge(&only(Protocol::Grpc, NOT_FOUND, &broken.address), "both");
    assert_eq!(seen.code, Some(1), "{}", seen.shown());
    assert!(
        seen.record().verdict.sentence.contains("not judged"),
        "{}",
        seen.shown()
    );
    seen.says_that_rest_is_missing("404");
}

#[test]
fn rest_alone_cannot_be_judged_where_there_is_none() {
    let server = serve(&[]);
    for (refusal, reason) in &WITHOUT_REST[..2] {
        let seen = judge(&only(Protocol::Grpc, refusal, &server.address), "rest");
        assert_eq!(seen.code, Some(3), "{}", seen.shown());
        assert!(
            seen.stderr.contains("cannot reach") && seen.stderr.contains(reason),
            "{}",
            seen.shown()
        );
    }
    // Here something answers in HTTP/1.1, but not as the rules say.
    let seen = judge(&only(Protocol::Grpc, NOT_FOUND, &server.address), "rest");
    assert_eq!(seen.code, Some(3), "{}", seen.shown());
    let record = seen.record();
    assert_eq!(record.target.protocols, []);
    assert_eq!(seen.count(Protocol::Rest, not_judged), record.cases.len());
    assert!(record.cases.len() > 1 && record.residue.is_empty());
    seen.says_that_rest_is_missing("404");
    assert!(!seen.stdout.contains("; rest is not offered"), "{}", seen.stdout);
}

#[test]
fn a_target_without_grpc_is_judged_over_rest_alone_and_the_others_say_how() {
    let (right, broken) = (serve(&[]), serve(&["--fault", "get-unknown-ok"]));
    let target = only(Protocol::Rest, NO_HTTP2, &right.address);
    for protocol in ["auto", "both", "grpc"] {
        let seen = judge(&target, protocol);
        assert_eq!(seen.code, Some(3), "{protocol}: {}", seen.shown());
        for words in ["cannot reach", "HTTP/1.1 only", "--protocol rest"] {
            assert!(seen.stderr.contains(words), "{protocol}: {}", seen.shown());
        }
        assert!(seen.record.is_none(), "{protocol}: nothing was judged");
    }
    let seen = judge(&target, "rest");
    assert_eq!(seen.code, Some(0), "{}", seen.shown());
    assert_eq!(seen.record().target.protocols, [Protocol::Rest]);
    assert_eq!(seen.record().verdict.counts.passed as usize, seen.record().cases.len());
    assert!(seen.stdout.contains("the built-in contract is used"), "{}", seen.stdout);
    let seen = judge(&only(Protocol::Rest, NO_HTTP2, &broken.address), "rest");
    assert_eq!(seen.code, Some(1), "{}", seen.shown());
}

#[test]
fn a_foreign_server_without_rest_is_found_out() {
    let Some(python) = tools::python("a_foreign_server_without_rest_is_found_out") else {
        return;
    };
    let server = python::serve(&python, "inventory_server.py", &[]);
    for (protocol, code) in [("auto", 0), ("both", 3), ("rest", 3)] {
        let seen = judge(&server.address, protocol);
        assert_eq!(seen.code, Some(code), "{protocol}: {}", seen.shown());
        if protocol != "rest" {
            seen.says_that_rest_is_missing("");
            assert!(seen.count(Protocol::Grpc, |outcome| *outcome == Outcome::Passed) > 1);
        }
    }
}
