//! Requests, rendered and encoded before the clock starts.

use crate::client::Code;
use bytes::Bytes;
use std::time::Duration;

/// All requests of one leg: what a run sends, again and again.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// By operation, in the order of the workload.
    pub operations: Vec<Operation>,
    /// Streams that are open beside the measured calls: opened before each round, closed after it.
    pub watches: Vec<Exchange>,
}

/// One operation of a workload on one leg.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The operation's id.
    pub id: String,
    /// Its share of the requests, relative to the others.
    pub weight: u32,
    /// Its requests, at least one; which one is sent next is for the mix to say.
    pub exchanges: Vec<Exchange>,
    /// In which order they are sent.
    pub order: Order,
    /// The statuses that count as success.
    pub accepted: Vec<Code>,
    /// When the client gives up; such a request counts with this time.
    pub timeout: Duration,
}

/// In which order the requests of an operation are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One after the other, from the start again at the end.
    #[default]
    Sequential,
    /// Drawn, each as likely as the others.
    Random,
}

/// One request, without what depends on the connection: authority, framing of HTTP, stream ids.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The HTTP method, such as `POST`.
    pub method: String,
    /// Path and query, percent-encoded.
    pub path: String,
    /// Lower-case names with their values; none that HTTP itself sets (`host`, `content-length`, `connection`, `te`).
    pub headers: Vec<(String, Vec<u8>)>,
    /// gRPC: length-prefixed messages, one after the other; REST: JSON, or lines of it.
    pub body: Bytes,
    /// What comes back.
    pub answer: Answer,
    /// Where in `body` a mark stands that is overwritten at each send (see [`MARK`]); `None`: the body is always the same.
    pub mark: Option<usize>,
}

/// Bytes of a mark: [`MARK_PREFIX`] and sixteen hexadecimal digits, the number of the send. A watch that delivers it says
/// when this send was announced.
pub const MARK: usize = MARK_PREFIX.len() + 16;

/// What a mark begins with.
pub const MARK_PREFIX: &str = "st-mark-";

/// What comes back for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One message.
    Message,
    /// A stream of messages: gRPC's length-prefixed ones, or lines of JSON.
    Stream {
        /// When the client has seen enough and ends it; the call then counts as OK.
        enough: Enough,
    },
}

/// When a stream is over for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// The peer ends it.
    ItsEnd,
    /// So many messages have come, at least one.
    Messages(u64),
    /// So long after it was opened.
    Time(Duration),
}

/// What the client does with an answer beside looking at its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decoding {
    /// The body is read whole and counted.
    #[default]
    Off,
    /// One answer of a hundred is decoded.
    Sampled,
    /// Every answer is decoded: into the types of the contract where the method is one of it, else into dynamic messages.
    Full,
}
