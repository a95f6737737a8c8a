//! A call and what came back, neutral of the protocol.

use crate::schema::{DynMsg, Method};
use std::time::Duration;

/// The protocols of the harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// proto3 JSON over HTTP, as `google.api.http` rules map it.
    Rest,
}

/// One call, before it is opened.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called.
    pub method: Method,
    /// Over what.
    pub protocol: Protocol,
    /// Metadata: lower-case key and value; the value of a `-bin` key is raw bytes.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// Sent as `grpc-timeout`; the client itself gives up [`GRACE`] later, so that the server's own end is seen.
    pub deadline: Duration,
    /// A connection of its own.
    pub fresh_connection: bool,
    /// A small receive window, for a consumer that is slow on purpose. Implies a connection of its own.
    pub small_window: bool,
}

/// How much longer than its deadline the client listens.
pub const GRACE: Duration = Duration::from_secs(2);

/// A message and when it arrived.
#[derive(Clone, Debug)]
pub struct Message {
    /// The message.
    pub value: DynMsg,
    /// Since the call was opened.
    pub at: Duration,
}

/// What came back, whole.
#[derive(Clone, Debug)]
pub struct Observation {
    /// Over which protocol.
    pub protocol: Protocol,
    /// The status in the end.
    pub status: Status,
    /// Initial metadata.
    pub headers: Metadata,
    /// Trailing metadata; all of it for trailers-only. REST has none, HTTP trailers aside.
    pub trailers: Metadata,
    /// In the order of arrival.
    pub messages: Vec<Message>,
    /// What HTTP showed.
    pub http: HttpFacts,
    /// Who answered.
    pub layer: Layer,
    /// What the wire showed against the protocol, in words; empty for a clean answer.
    pub violations: Vec<String>,
    /// From opening to the end.
    pub elapsed: Duration,
}

/// A status of gRPC, also where REST carries it. https://github.com/grpc/grpc/blob/master/doc/statuscodes.md
#[derive(Clone, Debug)]
pub struct Status {
    /// Its code.
    pub code: Code,
    /// Its message, percent-decoded.
    pub message: String,
    /// `google.rpc.Status.details`, from `grpc-status-details-bin` or the JSON of an error.
    pub details: Vec<Detail>,
}

/// The seventeen codes of gRPC, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u8);

/// One rich detail.
#[derive(Clone, Debug)]
pub struct Detail {
    /// Such as `google.rpc.BadRequest`.
    pub type_name: String,
    /// Decoded, where the type is known.
    pub value: Option<DynMsg>,
}

/// Metadata in order; `-bin` values are decoded bytes shown as base64 text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(pub Vec<(String, String)>);

impl Metadata {
    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// What HTTP showed.
#[derive(Clone, Debug, Default)]
pub struct HttpFacts {
    /// The HTTP status; 0 when no response head came.
    pub status: u16,
    /// `content-type`, as sent.
    pub content_type: Option<String>,
    /// Status in the only header block of the response.
    pub trailers_only: bool,
    /// The HTTP/2 error code of a reset, by name (RFC 9113 section 7).
    pub reset: Option<String>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The service: an answer of the protocol.
    Application,
    /// Something that speaks HTTP but not the protocol: a proxy, an ingress, another server.
    Proxy,
    /// The connection ended it: reset, closed, refused.
    Transport,
    /// We did: deadline and grace over, or cancelled.
    Client,
}
