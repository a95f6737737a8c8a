//! What a server is told before it starts.

use crate::fault::Fault;
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// How a server behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Whether the four products of the published service are there from the start.
    pub sample_data: bool,
    /// The rule to break.
    pub fault: Option<Fault>,
    /// Conditions that are no fault.
    pub simulate: Simulate,
    /// The value of the header `x-stocktake-revision`; the version of this package when left out.
    pub revision: Option<String>,
    /// The value of the header `x-stocktake-replica`; a random id when left out.
    pub replica: Option<String>,
    /// How many updates a watch may fall behind before it is ended with RESOURCE_EXHAUSTED; at least 1.
    pub watch_buffer: usize,
    /// The longest request message, in bytes.
    pub max_message: usize,
    /// How many calls one connection may have open; beyond it the client waits (RFC 9113 section 5.1.2).
    pub max_streams: u32,
    /// How long calls under way may take to end once the server shuts down.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            sample_data: true,
            fault: None,
            simulate: Simulate::default(),
            revision: None,
            replica: None,
            watch_buffer: 1024,
            max_message: 50 << 20,
            max_streams: 100_000,
            drain: Duration::from_secs(10),
        }
    }
}

/// Conditions of a correct service that runs under difficulties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulate {
    /// Added to each answer and to each message of a stream, as if the service were that far away.
    pub delay: Duration,
}
