//! From evidence to causes. Pure.
//!
//! [`TABLE`] has the rows in the order in which a cause is looked for: a layer that fails explains everything above it, so the
//! walk ends at the first cause that keeps the target from answering. What answers and still needs a change is collected to the
//! end. A target that shows no symptom gets no diagnosis: nothing is guessed.

mod app;
pub(super) mod certificate;
mod edge;
mod fallback;
mod notes;
mod reach;
mod state;
#[cfg(test)]
mod tests;

use super::azure::App;
use super::evidence::{Call, Evidence, Exchange};
use serde::{Deserialize, Serialize};

pub use notes::{Note, notes};

/// A cause, with what speaks for it and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// A name for programs, such as `upstream-protocol`.
    pub id: String,
    /// Rows of the symptom table; empty for what the table does not have.
    pub rows: Vec<u8>,
    /// The layer that is at fault.
    pub layer: Layer,
    /// What it comes to.
    pub weight: Weight,
    /// The cause, in a sentence.
    pub sentence: String,
    /// What was seen that speaks for it.
    pub evidence: Vec<String>,
    /// What to do, the likeliest first.
    pub fix: Vec<Fix>,
    /// What cannot be told from outside.
    pub unknown: Option<String>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fix {
    /// In words.
    pub text: String,
    /// As a command for Azure Container Apps, where there is one. `$RG` and what else begins with `$` is for the reader to fill in.
    pub az: Option<String>,
}

/// Where the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// DNS.
    Name,
    /// TCP.
    Tcp,
    /// TLS and its certificates.
    Tls,
    /// Agreeing on HTTP/2, and HTTP/2 itself.
    Http2,
    /// The proxy before the service.
    Edge,
    /// The way from the proxy to the service.
    Upstream,
    /// The service.
    Application,
    /// What several replicas share, or do not.
    State,
}

impl Layer {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Name => "name",
            Layer::Tcp => "TCP",
            Layer::Tls => "TLS",
            Layer::Http2 => "HTTP/2",
            Layer::Edge => "edge",
            Layer::Upstream => "edge to service",
            Layer::Application => "service",
            Layer::State => "state",
        }
    }
}

/// What a diagnosis comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// No call can be answered: exit 3.
    Blocks,
    /// Calls are answered, and something needs a change: exit 1.
    Change,
}

/// A row, or several that share a cause.
pub struct Row {
    /// The name of its diagnosis.
    pub id: &'static str,
    /// Its numbers in the symptom table; empty for what the table does not have.
    pub numbers: &'static [u8],
    /// The symptom, as the table has it, in short.
    pub symptom: &'static str,
    /// Looks for it.
    look: fn(&Evidence) -> Option<Finding>,
}

/// A hit of a row, before it is put into a [`Diagnosis`].
struct Finding {
    layer: Layer,
    weight: Weight,
    sentence: String,
    evidence: Vec<String>,
    fix: Vec<Fix>,
    unknown: Option<String>,
}

impl Finding {
    /// No call can be answered.
    fn blocks(layer: Layer, sentence: impl Into<String>) -> Finding {
        Finding {
            layer,
            weight: Weight::Blocks,
            sentence: sentence.into(),
            evidence: Vec::new(),
            fix: Vec::new(),
            unknown: None,
        }
    }

    /// Calls are answered, and something needs a change.
    fn change(layer: Layer, sentence: impl Into<String>) -> Finding {
        Finding {
            weight: Weight::Change,
            ..Finding::blocks(layer, sentence)
        }
    }

    fn seen(mut self, lines: impl IntoIterator<Item = String>) -> Finding {
        self.evidence.extend(lines);
        self
    }

    fn fix(mut self, text: impl Into<String>) -> Finding {
        let text = text.into();
        self.fix.push(Fix { text, az: None });
        self
    }

    fn fix_by(mut self, text: impl Into<String>, az: String) -> Finding {
        let text = text.into();
        self.fix.push(Fix { text, az: Some(az) });
        self
    }

    fn unknown(mut self, text: impl Into<String>) -> Finding {
        self.unknown = Some(text.into());
        self
    }
}

const fn row(
    numbers: &'static [u8],
    id: &'static str,
    symptom: &'static str,
    look: fn(&Evidence) -> Option<Finding>,
) -> Row {
    Row {
        id,
        numbers,
        symptom,
        look,
    }
}

/// The symptom table, in the order in which a cause is looked for.
pub const TABLE: &[Row] = &[
    // Name and TCP.
    row(&[19], "name-unknown", "DNS knows no address", reach::name_unknown),
    row(&[19], "port-closed", "the connection is refused", reach::port_closed),
    row(&[19], "no-route", "packets get no answer", reach::no_route),
    // TLS and ALPN.
    row(
        &[16],
        "tls-to-plaintext",
        "plaintext answers a TLS handshake",
        reach::tls_to_plaintext,
    ),
    row(
        &[18],
        "certificate-name",
        "the certificate is for other names",
        certificate::name,
    ),
    row(
        &[18],
        "certificate-expired",
        "the certificate has expired",
        certificate::expired,
    ),
    row(
        &[18],
        "certificate-issuer",
        "nobody trusted issued the certificate",
        certificate::issuer,
    ),
    row(
        &[13],
        "client-certificate",
        "a client certificate is required",
        certificate::client,
    ),
    row(&[17], "no-alpn", "TLS without HTTP/2 by ALPN", certificate::no_alpn),
    row(
        &[18],
        "tls-failed",
        "TLS fails otherwise",
        certificate::failed_otherwise,
    ),
    // HTTP/2 itself.
    row(
        &[15],
        "plaintext-to-tls",
        "TLS answers plaintext",
        reach::plaintext_to_tls,
    ),
    row(&[15, 17], "http1-only", "HTTP/1.1 answers HTTP/2", reach::http1_only),
    row(
        &[6, 19],
        "silent",
        "connections are taken, nothing is said",
        reach::silent,
    ),
    row(
        &[31],
        "too-many-pings",
        "GOAWAY or reset with ENHANCE_YOUR_CALM",
        reach::calm,
    ),
    row(&[30], "refused-streams", "streams are refused", reach::refused_streams),
    row(&[15], "not-http2", "something else than HTTP/2 answers", reach::foreign),
    // The edge answers in the service's place.
    row(
        &[14],
        "redirect-to-https",
        "a redirect to https",
        edge::redirect_to_https,
    ),
    row(&[27], "login", "a login in the way", edge::login),
    row(&[12], "ip-rule", "RBAC: access denied", edge::ip_rule),
    row(&[5], "no-upstream", "no healthy upstream", edge::no_upstream),
    row(&[21], "overflow", "reset reason: overflow", edge::overflow),
    row(
        &[3],
        "upstream-refused",
        "reset reason: remote connection failure",
        edge::upstream_refused,
    ),
    row(
        &[4],
        "upstream-tls",
        "reset reason: connection termination",
        edge::upstream_tls,
    ),
    row(
        &[1, 2],
        "upstream-protocol",
        "reset reason: protocol error",
        edge::upstream_protocol,
    ),
    row(&[9], "route-timeout", "upstream request timeout", edge::route_timeout),
    row(
        &[6, 7],
        "idle-before-answer",
        "stream timeout before an answer",
        edge::idle_before_answer,
    ),
    row(
        &[21],
        "edge-overloaded",
        "503 without a reason of Envoy's",
        edge::overloaded,
    ),
    row(&[10], "unknown-host", "404 for every method", edge::unknown_host),
    row(&[13], "forbidden", "403 without a reason", edge::forbidden),
    row(&[26], "not-grpc", "HTTP answers, not gRPC", edge::not_grpc),
    // The service answers.
    row(
        &[27],
        "unauthenticated",
        "UNAUTHENTICATED from the service",
        app::unauthenticated,
    ),
    row(
        &[13],
        "permission-denied",
        "PERMISSION_DENIED from the service",
        app::permission_denied,
    ),
    row(&[6], "no-answer", "no answer to any call", app::no_answer),
    row(
        &[20],
        "cold-start",
        "the first call is slow, the next are not",
        app::cold_start,
    ),
    row(&[], "not-serving", "health says NOT_SERVING", app::not_serving),
    row(
        &[11],
        "wrong-package",
        "one method is unknown, health is fine",
        app::wrong_package,
    ),
    row(
        &[],
        "service-fails",
        "the service answers with a failure of its own",
        app::fails,
    ),
    row(&[8], "idle-cut", "a silent stream is cut", state::idle_cut),
    row(&[22], "split-state", "written here, not found there", state::split),
    row(
        &[],
        "lost-writes",
        "written on one replica, and not found on it",
        state::lost,
    ),
    row(&[], "pairs-failed", "writes and reads fail", state::pairs_failed),
    row(
        &[],
        "unexplained",
        "no call is answered, and no row says why",
        fallback::unexplained,
    ),
];

/// Rows that no question from outside can tell, and who can.
pub const OUTSIDE: &[(u8, &str)] = &[
    (
        23,
        "needs a restart between a write and a read: stocktake verify after a deployment, with a store that lasts",
    ),
    (
        24,
        "needs the load of each replica: the metric Requests, split by podName",
    ),
    (
        25,
        "needs the number of replicas under load: the metrics Replicas and Requests",
    ),
    (
        29,
        "a scheme that a tool does not take: stocktake says itself which it takes",
    ),
    (32, "needs az: the state of the revision, and the system logs"),
];

/// All causes that the evidence shows, the first one first; none for a healthy target.
pub fn diagnose(evidence: &Evidence) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    for row in TABLE {
        let Some(finding) = (row.look)(evidence) else { continue };
        // What is cut short by a lower layer shows symptoms of its own that are none.
        let ends = finding.weight == Weight::Blocks;
        if ends && row.id == "unexplained" && !found.is_empty() {
            break;
        }
        found.push(Diagnosis {
            id: row.id.to_owned(),
            rows: row.numbers.to_vec(),
            layer: finding.layer,
            weight: finding.weight,
            sentence: finding.sentence,
            evidence: finding.evidence,
            fix: finding.fix,
            unknown: finding.unknown,
        });
        if ends {
            break;
        }
    }
    found
}

/// What was seen, in the words of the rows.
impl Evidence {
    fn app(&self) -> App {
        App::of(&self.host)
    }

    /// The gRPC calls, in the order in which they were made.
    fn calls(&self) -> impl Iterator<Item = &Call> {
        [&self.first, &self.health, &self.real].into_iter().flatten()
    }

    /// The plain GETs.
    fn gets(&self) -> impl Iterator<Item = &Exchange> {
        self.http2.iter().map(|seen| &seen.get).chain(&self.http1)
    }

    /// Whether the service has shown itself: reflection lists services, or a call has an end that is neither of an edge nor of
    /// waiting in vain.
    fn answers(&self) -> bool {
        let reflection = self.reflection.as_ref();
        let described = reflection.is_some_and(|reflection| !reflection.services.is_empty());
        described || self.calls().any(|call| self.is_own(call))
    }

    /// Whether the service itself ended a call.
    fn is_own(&self, call: &Call) -> bool {
        let of_an_edge = edge::is_of_an_edge(call) || (call.status == "UNAVAILABLE" && self.is_cut_off());
        call.layer == "application" && call.status != "DEADLINE_EXCEEDED" && !of_an_edge
    }

    /// Whether a GET was answered by an edge that says that nothing stands behind it.
    fn is_cut_off(&self) -> bool {
        let mut gets = self.gets();
        gets.any(|get| matches!(get.status, 502..=504) && get.header("x-envoy-upstream-service-time").is_none())
    }
}

/// A call, for a line of evidence.
fn said(call: &Call) -> String {
    let mut text = format!("{} ended {}", call.method, call.status);
    if call.message.is_empty() {
        text += " without a message";
    } else {
        text += &format!(" \"{}\"", call.message);
    }
    text + &format!(" after {}", took(call.took_ms))
}

/// An exchange, for a line of evidence.
fn got(exchange: &Exchange, over: &str) -> String {
    if let Some(error) = &exchange.error {
        return format!("GET / over {over}: no answer: {error}");
    }
    let mut text = format!("GET / over {over} answered {}", exchange.status);
    for name in ["content-type", "location", "www-authenticate", "server"] {
        if let Some(value) = exchange.header(name) {
            text += &format!(", {name} {value}");
        }
    }
    if !exchange.body.is_empty() {
        text += &format!(": {}", exchange.body);
    }
    text
}

/// The plain GETs, for lines of evidence.
fn gets(evidence: &Evidence) -> Vec<String> {
    let over_h2 = evidence.http2.as_ref().map(|seen| got(&seen.get, "HTTP/2"));
    let over_h1 = evidence.http1.as_ref().map(|get| got(get, "HTTP/1.1"));
    over_h2.into_iter().chain(over_h1).collect()
}

/// A time in milliseconds, for people.
pub(super) fn took(ms: f64) -> String {
    // A negative one or none at all is no time: `as` makes 0 of it.
    crate::numbers::latency((ms * 1e6) as u64)
}
