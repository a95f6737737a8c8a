//! One request of a load run, and the end of a round.

use crate::client::Code;
use std::time::Duration;

/// One request. Instants are nanoseconds since the round began, in this order:
/// `intended <= able <= sent <= first <= done`.
///
/// - response time = `done - intended`: what a caller would have felt;
/// - slot wait     = `able - intended`: no connection or stream was free;
/// - lateness      = `sent - able`: the generator's own fault;
/// - service time  = `done - sent`: what most tools report.
///
/// The three parts add up to the response time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Position of the operation in the workload.
    pub operation: u32,
    /// When the schedule wanted it sent. In a closed loop: when the call before it on its slot was over.
    pub intended: u64,
    /// When it was due and a slot was free for it.
    pub able: u64,
    /// When its bytes were handed to the system (for TLS: to the TLS layer). With a
    /// connection per request: when connecting began.
    pub sent: u64,
    /// When the first message had arrived; equals `done` for an answer of one message, and for one without any.
    pub first: u64,
    /// When the answer was complete: trailers, or the end of the body; decoded, where answers are. For a timeout: `sent` plus the timeout; for one that found
    /// no place until the round was over: when it was given up, `able` and `sent` being the same instant.
    pub done: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Messages that arrived.
    pub messages: u32,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// With a status: of gRPC, or the one that REST's answer carries or maps to. Whether it is a success is for the operation's
    /// accepted statuses to say.
    Status(Code),
    /// The client gave up.
    Timeout,
    /// The connection failed, or could not be made.
    Lost,
    /// An answer that breaks the protocol, cannot be decoded, or has no status.
    Garbled,
}

/// A moment inside a stream, for latencies that are not those of whole calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nanoseconds between two messages of one stream.
    Gap {
        /// Position of the operation.
        operation: u32,
        /// When the second one arrived, since the round began.
        at: u64,
        /// How long after the first.
        gap: u64,
    },
    /// A marked request was announced by a watch.
    Delivery {
        /// Position of the operation that was marked.
        operation: u32,
        /// When the send was intended, since the round began.
        intended: u64,
        /// When the watch delivered it.
        at: u64,
    },
}

/// Takes what a lane measures, in the order of completion.
pub trait Sink {
    /// A request is over.
    fn sample(&mut self, sample: &Sample);
    /// Something happened inside a stream.
    fn moment(&mut self, moment: Moment);
}

/// What one thread says of a round, beside its samples.
#[derive(Clone, Debug, Default)]
pub struct RoundEnd {
    /// Requests that the schedule wanted. In a closed loop: that were begun.
    pub scheduled: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were over, whatever their outcome: each has its sample.
    pub done: u64,
    /// The most requests that were due and waited for a slot.
    pub most_waiting: u64,
    /// Nanoseconds of calls in flight, summed over the calls: the time integral of a counter that goes up with each send and down
    /// with each end, kept apart from the samples, for Little's law.
    pub in_flight_integral: u128,
    /// From the round's begin to its last end.
    pub elapsed: Duration,
    /// CPU time of the thread: user, system.
    pub cpu: (Duration, Duration),
    /// Bytes of the connections: payload of TCP before encryption; sent, received. Handshakes of TLS are left out.
    pub bytes: (u64, u64),
    /// Connections that were opened in the round.
    pub opened: u64,
    /// Connections that ended against our will.
    pub lost: u64,
    /// Watches that were to stay open for the whole round and did not: they could not be opened before it, or ended in it.
    pub watches_ended: u64,
    /// The smallest SETTINGS_MAX_CONCURRENT_STREAMS of a peer; `None`: unlimited, or not HTTP/2.
    pub peer_streams: Option<u32>,
    /// Whether a call had to wait because of it.
    pub peer_limit_reached: bool,
    /// The first failures in words, for the reader; few.
    pub failures: Vec<String>,
}
