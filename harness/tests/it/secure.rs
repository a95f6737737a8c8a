//! The built-in service with TLS and tokens, as somebody sets it up, and verified as somebody would.

use crate::support::{
    stocktake::{attempt, run, serve},
    until, write,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use tempfile::TempDir;

const READER: &str = "reader-3f9c2ab77d10e6";
const WRITER: &str = "writer-81c04d2e5fb6a9";

/// A folder with what a server needs: a certificate of its own authority, its key, and two tokens.
pub fn setup() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    write(folder.path(), "ca.pem", &issuer.pem());
    write(folder.path(), "cert.pem", &certificate.pem());
    write(folder.path(), "key.pem", &key.serialize_pem());
    write(
        folder.path(),
        "tokens",
        &format!("# of a test\nread-only {READER} a dashboard\nread-write {WRITER} a rollout\n"),
    );
    write(folder.path(), "reader", READER);
    write(folder.path(), "writer", WRITER);
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

#[test]
fn a_service_behind_tls_and_tokens_is_verified_and_keeps_its_secrets() {
    let folder = setup();
    let path = |name: &str| path(folder.path(), name);
    let mut server = serve(&[
        "--tls-cert",
        &path("cert.pem"),
        "--tls-key",
        &path("key.pem"),
        "--tokens",
        &path("tokens"),
        "--log",
        "trace",
        "--log-format",
        "json",
    ]);
    let target = format!("https://{}", server.address);
    let verify = |token: Option<&str>, filter: &str| {
        let token = token.map(&path);
        let (ca, mut arguments) = (path("ca.pem"), vec!["--filter", filter, "--ca"]);
        arguments.push(&ca);
        if let Some(token) = &token {
            arguments.extend(["--token-file", token]);
        }
        let seen = attempt(&target, &arguments);
        (seen.code, format!("{}{}", seen.stdout, seen.stderr))
    };

    let (code, text) = verify(Some("writer"), "update_*");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = verify(Some("reader"), "catalogue_pages*");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = verify(Some("reader"), "update_applied*");
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("PERMISSION_DENIED"), "{text}");
    let (code, text) = verify(None, "update_applied*");
    assert_ne!(code, Some(0), "{text}");
    assert!(text.contains("UNAUTHENTICATED"), "{text}");

    // What the server wrote with all its log on, and what the system shows of it.
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", server.id())).unwrap();
    let log = server.kill();
    assert!(log.contains("\"level\":\"TRACE\""), "the log is not on");
    assert!(log.lines().all(|line| line.starts_with('{')), "not JSON");
    for secret in [READER, WRITER, "PRIVATE KEY"] {
        assert!(!log.contains(secret), "the log tells {secret}");
        assert!(!arguments.contains(secret), "the process list tells {secret}");
    }
}

#[test]
fn files_that_cannot_be_used_are_wrong_input() {
    let folder = setup();
    let path = |name: &str| path(folder.path(), name);
    write(folder.path(), "broken", "read-only tell-nobody-of-this !");
    write(folder.path(), "worse", "tell-nobody-of-this read-only");
    let (cert, key, ca, broken, worse) = (
        path("cert.pem"),
        path("key.pem"),
        path("ca.pem"),
        path("broken"),
        path("worse"),
    );
    let table: [(&[&str], &str); 6] = [
        (&["--tokens", &worse], "worse:1: a line begins with its role"),
        (&["--tokens", "/nowhere"], "cannot read /nowhere\n  No such file"),
        (
            &["--tls-cert", &ca, "--tls-key", &key],
            "key.pem: not the key of the certificate in",
        ),
        (&["--tls-cert", &key, "--tls-key", &key], "key.pem: no PEM certificate"),
        (&["--tls-cert", &cert], "--tls-key"),
        (&["--tls-key", &key], "--tls-cert"),
    ];
    for (arguments, expected) in table {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0"];
        all.extend(arguments);
        let ended = run(&all);
        assert_eq!(ended.code, Some(2), "{}", ended.shown());
        assert!(ended.stderr.contains(expected), "{expected}: {}", ended.shown());
        assert!(!ended.stderr.contains("tell-nobody"), "{}", ended.shown());
    }
    // Words behind a token are anybody's.
    drop(serve(&["--tokens", &broken]));
}

#[test]
fn limits_are_read_and_wrong_ones_are_wrong_input() {
    for (flag, value) in [
        ("--max-message-size", "50"),
        ("--max-header-size", "0B"),
        ("--max-import-rows", "1e6"),
        ("--max-request-memory", "1TiB"),
        ("--max-connections", "0"),
        ("--max-streams", "-1"),
        ("--max-watches", "many"),
        ("--watch-buffer", "0"),
        ("--request-timeout", "0s"),
        ("--header-timeout", "5"),
        ("--drain", "2days"),
        ("--probe-listen", "9000"),
    ] {
        let ended = run(&["serve", &format!("{flag}={value}")]);
        assert_eq!(ended.code, Some(2), "{flag}: {}", ended.shown());
        assert!(ended.stderr.contains(flag), "{}", ended.shown());
    }
    let mut server = serve(&[
        "--max-message-size=1MiB",
        "--max-header-size=8KiB",
        "--max-import-rows=6",
        "--max-request-memory=64MiB",
        "--max-connections=7",
        "--max-streams=8",
        "--max-watches=9",
        "--watch-buffer=10",
        "--request-timeout=11s",
        "--header-timeout=12s",
        "--drain=13s",
        "--probe-listen=127.0.0.1:0",
        "--log-format=json",
    ]);
    // The line of the limits is written once the service serves.
    until(|| std::net::TcpStream::connect(&server.address).is_ok());
    let seen = attempt(&server.address, &["--filter", "get_unknown*"]);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let log = server.kill();
    let limits = log.lines().find(|line| line.contains("\"limits\"")).unwrap();
    let limits: serde_json::Value = serde_json::from_str(limits).unwrap();
    let expected = serde_json::json!({
        "message": "limits",
        "message_bytes": 1 << 20,
        "import_rows": 6,
        "request_memory_bytes": 64 << 20,
        "header_bytes": 8 << 10,
        "connections": 7,
        "streams_per_connection": 8,
        "watches": 9,
        "watch_buffer": 10,
        "request_timeout": "11s",
        "header_timeout": "12s",
        "drain": "13s",
    });
    assert_eq!(limits["fields"], expected);
}
