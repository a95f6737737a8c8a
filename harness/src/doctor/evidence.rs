//! What the probes saw: plain data, one part for each layer. A part that is `None` was not asked, because a layer below had
//! failed or nobody had asked for it. Times are in milliseconds. Nothing here holds a token: headers that are kept are those
//! of answers, by a list of names.

use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// `https://host:port`, as it was understood.
    pub target: String,
    /// The host of it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether the scheme is https.
    pub tls: bool,
    /// `:authority`, and with TLS the name that is asked for.
    pub authority: String,
    /// The name's addresses.
    pub name: Option<Name>,
    /// A TCP connection to each address, four at most.
    pub tcp: Vec<Tcp>,
    /// TLS that offers HTTP/2 and HTTP/1.1.
    pub secure: Option<Secure>,
    /// Whether a connection for gRPC came about, as the client of `verify` and `load` makes it.
    pub connection: Option<Connection>,
    /// The certificate of a target that got nowhere in plaintext and turned out to speak TLS.
    pub tls_behind: Option<Certificate>,
    /// What HTTP/2 showed beside the calls: SETTINGS, GOAWAY, a plain GET.
    pub http2: Option<Http2>,
    /// A plain GET over HTTP/1.1.
    pub http1: Option<Exchange>,
    /// The first call, `grpc.health.v1.Health/Check`, on a connection of its own.
    pub first: Option<Call>,
    /// The same again, while it is warm.
    pub health: Option<Call>,
    /// What `Health/Check` said, such as `SERVING`.
    pub serving: Option<String>,
    /// Server reflection.
    pub reflection: Option<Reflection>,
    /// The service that was looked for: that of the descriptors that were given, else that of the built-in contract.
    pub wanted: String,
    /// One call of the service itself that changes nothing.
    pub real: Option<Call>,
    /// A stream without messages, where one was asked for.
    pub idle: Option<Idle>,
    /// Writes and reads on fresh connections, where they were agreed to.
    pub pairs: Option<Pairs>,
    /// What could not be asked, and why, in words.
    pub left_out: Vec<String>,
}

/// What DNS said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// IP addresses in the order of the resolver; all of them.
    pub addresses: Vec<String>,
    /// Why there are none.
    pub error: Option<String>,
    /// Until the answer.
    pub took_ms: f64,
}

/// One attempt to connect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    /// `address:port`.
    pub address: String,
    /// How it ended.
    pub end: TcpEnd,
    /// Until it ended.
    pub took_ms: f64,
}

/// How an attempt to connect ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TcpEnd {
    /// It is there.
    Connected,
    /// Something answered that nothing listens there.
    Refused,
    /// No answer in time.
    NoAnswer,
    /// The system says why not.
    Failed(String),
}

/// What TLS showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secure {
    /// The name that was asked for (SNI), and that the certificate must bear.
    pub name: String,
    /// Such as `TLS 1.3`; `None` where the handshake failed.
    pub version: Option<String>,
    /// What was agreed on by ALPN: `h2`, `http/1.1`; `None` where the peer chose nothing.
    pub alpn: Option<String>,
    /// Why the handshake failed.
    pub error: Option<String>,
    /// The certificate that was shown, trusted or not.
    pub certificate: Option<Certificate>,
    /// Until the end of the handshake.
    pub took_ms: f64,
}

/// An X.509 certificate in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Names and addresses that it is for (subject alternative names), 20 at most.
    pub names: Vec<String>,
    /// Who issued it.
    pub issuer: String,
    /// Whether the issuer is the subject.
    pub self_signed: bool,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    /// From the time of the probe to `not_after`, rounded down; negative once it has expired.
    pub days_left: i64,
}

/// Whether the client came through to HTTP/2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// How it went.
    pub end: ConnectionEnd,
    /// Its sentence; empty where it came about.
    pub text: String,
    /// Until it ended.
    pub took_ms: f64,
}

/// The kinds of [`crate::client::ConnectError`], without their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionEnd {
    /// The peer's SETTINGS have arrived.
    Http2,
    /// No address.
    Name,
    /// Nothing listens.
    Refused,
    /// The system cannot get there.
    Unreachable,
    /// No TCP connection in time.
    NoTcp,
    /// TCP, and then nothing.
    Silent,
    /// TCP, and then closed without a byte.
    Closed,
    /// HTTP/1.x where HTTP/2 should be.
    Http1,
    /// TLS where plaintext was spoken.
    SpeaksTls,
    /// Plaintext where TLS was spoken.
    SpeaksPlaintext,
    /// Neither HTTP nor TLS.
    Foreign,
    /// A certificate from nobody who is trusted.
    UnknownIssuer,
    /// A certificate of the client is asked for.
    ClientCertificate,
    /// A certificate for other names.
    WrongName,
    /// A certificate of the past.
    Expired,
    /// A certificate that is wrong otherwise.
    Certificate,
    /// TLS without HTTP/2 by ALPN.
    NoAlpn,
    /// TLS failed otherwise.
    Tls,
    /// HTTP/2 began and failed.
    Http2Failed,
    /// Anything else.
    Other,
}

/// What a connection over HTTP/2 showed, off the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http2 {
    /// The peer's SETTINGS by name (RFC 9113 section 6.5.2), in its order; `None` when they did not arrive.
    pub settings: Option<Vec<(String, u32)>>,
    /// GOAWAY, where one came.
    pub goaway: Option<GoAway>,
    /// `GET /`.
    pub get: Exchange,
}

/// A GOAWAY frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoAway {
    /// The error code by name (RFC 9113 section 7).
    pub code: String,
    /// Its debug data, printable, 120 characters at most.
    pub debug: String,
}

/// A plain GET and its answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// 0 where no answer came.
    pub status: u16,
    /// Those of [`KEPT`] that came.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body, printable, in one line, 200 characters at most.
    pub body: String,
    /// Why no answer came.
    pub error: Option<String>,
    /// Until its head.
    pub took_ms: f64,
}

impl Exchange {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Headers of answers that are kept. `x-envoy-upstream-service-time` is there where Envoy has an answer from behind it, and not
/// where it answers itself.
pub const KEPT: [&str; 7] = [
    "content-type",
    "location",
    "server",
    "www-authenticate",
    "x-envoy-upstream-service-time",
    "x-stocktake-replica",
    "x-stocktake-revision",
];

fn header<'a>(headers: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.as_str())
}

/// A gRPC call and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// `package.Service/Method`.
    pub method: String,
    /// Name of the status, as the client of `verify` and `load` reads it.
    pub status: String,
    /// Its message.
    pub message: String,
    /// Who answered: `application`, `proxy`, `transport` or `client`, as far as the protocol tells. An Envoy answers in the form
    /// of gRPC and so counts as `application` here.
    pub layer: String,
    /// The HTTP status; 0 where no head came.
    pub http_status: u16,
    /// Those of [`KEPT`] that came.
    pub headers: Vec<(String, String)>,
    /// The HTTP/2 error code of a reset, by name.
    pub reset: Option<String>,
    /// Messages that came.
    pub messages: usize,
    /// How long it was allowed to take.
    pub deadline_ms: f64,
    /// How long it took.
    pub took_ms: f64,
}

impl Call {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Whether it ended OK.
    pub fn is_ok(&self) -> bool {
        self.status == "OK"
    }
}

/// What reflection gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reflection {
    /// Services, 50 at most.
    pub services: Vec<String>,
    /// It is not offered: why the descriptors are not there.
    pub not_offered: Option<String>,
    /// It failed.
    pub error: Option<String>,
}

/// A stream on which nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// The method of the stream.
    pub method: String,
    /// How long it was to be silent.
    pub asked_ms: f64,
    /// From its last message, or its begin, to its end; `None` while it was still open when the time was over.
    pub cut_after_ms: Option<f64>,
    /// Name of the status of the end.
    pub status: String,
    /// Its message.
    pub message: String,
    /// As in [`Call::layer`].
    pub layer: String,
    /// The HTTP/2 error code of a reset, by name.
    pub reset: Option<String>,
}

/// Writes and reads, each on a connection of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// Things that were written.
    pub written: usize,
    /// Of them, those that both reads found.
    pub found: usize,
    /// Of them, those that a read did not find (NOT_FOUND).
    pub missed: usize,
    /// Other ends, each once: `UNAVAILABLE: …`.
    pub failed: Vec<String>,
    /// The replicas that answered, by `x-stocktake-replica`, sorted; empty where nobody sends it.
    pub replicas: Vec<String>,
    /// What stays on the target.
    pub residue: Vec<String>,
}
