//! What a server is told before it starts.

use crate::fault::Fault;
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where products are kept.
    pub store: Storage,
    /// Whether the four products of the published service are there from the start; a file that exists gets none.
    pub sample_data: bool,
    /// The rule to break.
    pub fault: Option<Fault>,
    /// Conditions that are no fault.
    pub simulate: Simulate,
    /// The value of the header `x-stocktake-revision`; the version of this package when left out.
    pub revision: Option<String>,
    /// The value of the header `x-stocktake-replica`; a random id when left out.
    pub replica: Option<String>,
    /// A second address for `/livez`, `/readyz` and `/metrics`, over HTTP/1.1 without TLS and without a token.
    pub probe_listen: Option<SocketAddr>,
    /// TLS instead of plaintext.
    pub tls: Option<TlsFiles>,
    /// The file of tokens; without it nobody needs one.
    pub tokens: Option<PathBuf>,
    /// How often the files of `tls` and `tokens` are looked at; a change takes effect without a restart.
    pub reload: Duration,
    /// The longest request message, in bytes: beyond it OUT_OF_RANGE.
    pub max_message: usize,
    /// How many rows one import may have, whose SKUs may have as many bytes together as a message: beyond it
    /// RESOURCE_EXHAUSTED, and what was judged until then stays.
    pub max_import_rows: usize,
    /// How many bytes of requests may be arriving at once, of all callers together: beyond it RESOURCE_EXHAUSTED.
    pub max_request_memory: usize,
    /// The longest head of a request, in bytes: beyond it HTTP 431. HTTP/2 counts each field with 32 bytes more (RFC 9113
    /// section 6.5.2).
    pub max_header: usize,
    /// How many connections may be open: those beyond it are closed at once, so that a client turns elsewhere.
    pub max_connections: usize,
    /// How many calls one connection may have open; beyond it the client waits (RFC 9113 section 5.1.2).
    pub max_streams: u32,
    /// How many watches may be open: beyond it RESOURCE_EXHAUSTED.
    pub max_watches: usize,
    /// How many updates a watch may fall behind before it is ended with RESOURCE_EXHAUSTED; at least 1. Beside it a watch
    /// may be behind by 4 MiB of texts.
    pub watch_buffer: usize,
    /// How long an answer may take to begin, whatever deadline its caller set: beyond it DEADLINE_EXCEEDED.
    pub request_timeout: Duration,
    /// How long a connection may take until its first request, and one of HTTP/1.1 until its next: beyond it it is closed.
    pub header_timeout: Duration,
    /// How long calls under way may take to end once the server shuts down.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            store: Storage::Memory,
            sample_data: true,
            fault: None,
            simulate: Simulate::default(),
            revision: None,
            replica: None,
            probe_listen: None,
            tls: None,
            tokens: None,
            reload: Duration::from_secs(5),
            max_message: 50 << 20,
            max_import_rows: 1_000_000,
            max_request_memory: 1 << 30,
            max_header: 16 << 10,
            max_connections: 10_000,
            max_streams: 1024,
            max_watches: 20_000,
            watch_buffer: 1024,
            request_timeout: Duration::from_secs(120),
            header_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}

/// Where the certificate of the server is.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM: the certificate, then those that signed it.
    pub certificate: PathBuf,
    /// PEM: its private key, not encrypted.
    pub key: PathBuf,
}

/// Where products are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In memory, as long as the server runs.
    Memory,
    /// In memory with this file behind it: what was acknowledged is there after a restart, a crash or a power loss.
    File(PathBuf),
}

/// Conditions of a correct service that runs under difficulties; on both protocols, and all at once where several are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulate {
    /// Added to each answer and to each message of a stream, as if the service were that far away.
    pub delay: Duration,
    /// How much longer each unary call of the inventory service is handled, finer than the millisecond of tokio's timer.
    pub slow: Duration,
    /// When the service does nothing for a while.
    pub stall: Option<Stall>,
    /// How many unary calls of the inventory service are served at once, and for how long each.
    pub capacity: Option<Capacity>,
}

/// A service that serves so many calls at once: others wait in one line, first come, first served. Waiting and serving take no CPU,
/// so that its limit is known: `workers / service` calls a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// At least 1.
    pub workers: usize,
    /// How long each call is served; longer than 0.
    pub service: Duration,
}

/// A service that stops now and then, as for a pause of its garbage collector: each call that it has at that time is answered
/// when it is over. No update happens meanwhile, so that a watch has nothing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long it lasts; shorter than `every`.
    pub length: Duration,
    /// From the start of the service to the first stall, and from the beginning of one to that of the next.
    pub every: Duration,
}
