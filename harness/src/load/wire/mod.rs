//! THE load tier: connections, frames and the event loop, the same for every leg of a study.
//!
//! ```text
//! lane      the event loop of a thread: due -> place -> request, event -> answer -> sample
//! link      a connection through its life          ground, desk    what connections share: of the lane, of the round
//! h2 h1     frames and heads                       request         requests as bytes, made in advance
//! call      what has been seen of an answer        head, prefixed  header blocks, messages
//! hpack socket outbox marks clock
//! ```
//!
//! How it stays cheap: one thread owns its connections and shares nothing; all due requests of a connection leave in one write; it
//! reads until nothing is left and reads the clock once for what a read has brought; a request is a copy of bytes made in advance; a
//! header block that was read before is compared, not decoded. How it stays honest: there is no fast path that one leg has and
//! another has not.
//!
//! What is measured: `sent` is read from the clock right before the write that takes the first bytes of a request along (a
//! connection per request: when connecting begins), `done` right after the read that brought the end of the answer. A connection
//! that is lost ends its calls as lost and is opened again, at once or, where it breaks at once again, with growing pauses; while
//! there is none and none can be made, what is due ends as lost too.
//!
//! TLS sessions are resumed where the target allows it, as other clients do: it matters for a connection per request.

mod call;
mod clock;
mod desk;
mod ground;
mod h1;
mod h2;
mod head;
mod hpack;
mod lane;
mod link;
mod marks;
mod outbox;
mod prefixed;
mod request;
mod socket;

pub use lane::Lane;

use crate::client::ConnectError;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// How many connections and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Connections that share their calls; a leg that cannot share has `connections` x `streams` of them.
    pub connections: usize,
    /// Calls at once on each.
    pub streams: usize,
}

/// One round of one thread.
pub struct Round<'a> {
    /// Zero of all instants. In the future: the round waits for it. Fixed after [`Lane::ready`], or the round begins late.
    pub began: Instant,
    /// When requests become due.
    pub arrivals: Arrivals<'a>,
    /// Nothing becomes due from here on, counted from `began`. What is due is still sent, and what is in flight is awaited, for the
    /// longest timeout of the operations.
    pub until: Duration,
    /// Which request is sent next: operation and exchange.
    pub mix: &'a mut dyn FnMut() -> (usize, usize),
    /// Looks at each message that arrives.
    pub decode: Option<&'a mut Decode<'a>>,
    /// Set from elsewhere: the round ends at once. What is in flight then is dropped without a sample.
    pub stop: &'a AtomicBool,
}

/// Looks at a message: operation and bytes; `false`: it cannot be decoded.
pub type Decode<'a> = dyn FnMut(usize, &[u8]) -> bool + 'a;

/// When requests become due.
pub enum Arrivals<'a> {
    /// At these instants, nanoseconds of the round, never going back. Late is late, never skipped.
    Open(&'a mut dyn Iterator<Item = u64>),
    /// Whenever one ends the next one is due, so that so many are in flight, or wait for a place.
    Closed {
        /// How many.
        in_flight: usize,
    },
}

/// Why a lane cannot run.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A request that cannot be sent.
    #[error("a request cannot be sent: {0}")]
    Request(String),
    /// The system refuses what the event loop needs.
    #[error("the event loop cannot run: {0}")]
    System(#[from] std::io::Error),
}
