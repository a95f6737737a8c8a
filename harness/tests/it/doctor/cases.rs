//! What is staged, and what the doctor is to name first.

/// A peer, and what it has.
pub struct Case {
    /// For people, and the run's folder.
    pub name: &'static str,
    /// `SCHEME NAME` of the stage, or an address.
    pub target: &'static str,
    /// The id of the first diagnosis, or `healthy`.
    pub expect: &'static str,
    /// The exit code.
    pub exit: i32,
    /// More of the command line.
    pub arguments: &'static [&'static str],
    /// A note that must be there.
    pub note: Option<&'static str>,
}

const fn case(name: &'static str, target: &'static str, expect: &'static str, exit: i32) -> Case {
    Case {
        name,
        target,
        expect,
        exit,
        arguments: &[],
        note: None,
    }
}

const fn with(case: Case, arguments: &'static [&'static str]) -> Case {
    Case { arguments, ..case }
}

const fn noting(case: Case, note: &'static str) -> Case {
    Case {
        note: Some(note),
        ..case
    }
}

/// All of them. Those that take long come first.
pub const CASES: &[Case] = &[
    // Long ones.
    with(
        case("hang-forever", "http edge:hang-forever", "no-answer", 3),
        &["--cold-start", "2s"],
    ),
    with(case("idle", "http edge:idle", "idle-cut", 1), &["--idle", "3s"]),
    with(
        case("idle-healthy", "http edge:healthy", "healthy", 0),
        &["--idle", "3s"],
    ),
    case("cold", "http edge:cold", "cold-start", 1),
    case("silent", "http silent", "silent", 3),
    case("silent-tls", "https silent", "silent", 3),
    case("hang", "http edge:hang", "idle-before-answer", 3),
    case("route-timeout", "http edge:route-timeout", "route-timeout", 3),
    // Healthy.
    case("healthy", "http ours", "healthy", 0),
    case("healthy-edge", "http edge:healthy", "healthy", 0),
    case("healthy-edge-tls", "https edge:healthy-tls", "healthy", 0),
    case("healthy-python", "http python", "healthy", 0),
    case("healthy-python-edge", "http edge:healthy-python", "healthy", 0),
    noting(
        case("no-reflection", "http no-reflection", "healthy", 0),
        "reflection-off",
    ),
    noting(case("read-only", "http no-reflection", "healthy", 0), "no-writes"),
    with(
        case("healthy-token", "http locked", "healthy", 0),
        &[
            "--header",
            "authorization: Bearer reader-3f9c2ab77d10e6",
            "--pairs",
            "0",
        ],
    ),
    // Name and TCP.
    case("no-such-name", "http://no-such-host.invalid:80", "name-unknown", 3),
    case("nothing-listens", "http dead", "port-closed", 3),
    // TLS.
    case("tls-to-plaintext", "https ours", "tls-to-plaintext", 3),
    case("plaintext-to-tls", "http edge:healthy-tls", "plaintext-to-tls", 3),
    case("other-name", "https edge:other-name", "certificate-name", 3),
    case("expired", "https edge:expired", "certificate-expired", 3),
    case("stranger", "https edge:stranger", "certificate-issuer", 3),
    case(
        "client-certificate",
        "https edge:client-certificate",
        "client-certificate",
        3,
    ),
    case("alpn-http1", "https edge:alpn-http1", "no-alpn", 3),
    case("alpn-none", "https edge:alpn-none", "no-alpn", 3),
    case("alpn-lies", "https edge:alpn-lies", "http1-only", 3),
    // HTTP/2.
    case("http1-server", "http page", "http1-only", 3),
    case("closing", "http closing", "silent", 3),
    case("too-many-pings", "http calm", "too-many-pings", 3),
    case("refused-streams", "http refused", "refused-streams", 3),
    // The edge.
    case("transport", "http edge:transport", "upstream-protocol", 3),
    case("transport-ours", "http edge:transport-ours", "upstream-protocol", 3),
    case("port-of-http1", "http edge:port-of-http1", "upstream-protocol", 3),
    case("port-dead", "http edge:port-dead", "upstream-refused", 3),
    case("app-tls", "http edge:app-tls", "upstream-tls", 3),
    case("no-upstream", "http edge:no-upstream", "no-upstream", 3),
    case("overflow", "http edge:overflow", "overflow", 3),
    case("unknown-host", "http edge:unknown-host", "unknown-host", 3),
    case("ip-rule", "http edge:rbac", "ip-rule", 3),
    case("redirect", "http edge:redirect", "redirect-to-https", 3),
    case("login-redirect", "http edge:login-redirect", "login", 3),
    case("login-bearer", "http edge:login-bearer", "login", 3),
    case("forbidden", "http edge:forbidden", "forbidden", 3),
    case("edge-503", "http edge:edge-503", "edge-overloaded", 3),
    case("page", "http edge:page", "not-grpc", 3),
    // The service.
    case("no-token", "http locked", "unauthenticated", 3),
    case("denied", "http denied", "permission-denied", 3),
    case("other-package", "http other-package", "wrong-package", 1),
    case("unknown-service", "http unknown-service", "wrong-package", 1),
    case("not-serving", "http not-serving", "not-serving", 1),
    case("failing", "http failing", "service-fails", 1),
    // State.
    case("split", "http edge:split", "split-state", 1),
];
