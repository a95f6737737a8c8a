//! A call on the wire: gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.

use super::{Call, Code, HttpFacts, Layer, Message, Metadata, Observation, Protocol, Status};
use crate::schema::DynMsg;
use std::time::Duration;

/// An open call. Nothing is read from the connection unless [`OpenCall::next`] is polled.
pub struct OpenCall {
    end: Observation,
}

/// What arrives, in this order: headers once (not for trailers-only), messages, one end.
#[derive(Debug)]
pub enum Arrival {
    /// The initial metadata.
    Headers(Metadata),
    /// A message.
    Message(Message),
    /// The end, with everything that came before it. Asked again, it is the same.
    End(Box<Observation>),
}

/// The call takes no more requests: half-closed or over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call takes no more requests")]
pub struct Gone;

impl OpenCall {
    pub(super) fn unopened(call: &Call, reason: &str) -> Self {
        let _ = call;
        let end = Observation {
            protocol: Protocol::Grpc,
            status: Status {
                code: Code::UNAVAILABLE,
                message: reason.to_owned(),
                details: Vec::new(),
            },
            headers: Metadata::default(),
            trailers: Metadata::default(),
            messages: Vec::new(),
            http: HttpFacts::default(),
            layer: Layer::Transport,
            violations: Vec::new(),
            elapsed: Duration::ZERO,
        };
        Self { end }
    }

    /// Sends a message; waits while the target does not read.
    pub async fn send(&mut self, message: &DynMsg) -> Result<(), Gone> {
        let _ = message;
        Err(Gone)
    }

    /// Half-closes: no more requests.
    pub fn close(&mut self) {}

    /// The next arrival. Cancel-safe: nothing is lost when it is dropped before it is ready.
    pub async fn next(&mut self) -> Arrival {
        Arrival::End(Box::new(self.end.clone()))
    }

    /// Resets the call with CANCEL.
    pub fn cancel(self) -> Observation {
        self.end
    }
}

/// Sends all requests, half-closes and reads to the end.
pub async fn collect(mut call: OpenCall, requests: Vec<DynMsg>) -> Observation {
    for request in &requests {
        if call.send(request).await.is_err() {
            break;
        }
    }
    call.close();
    loop {
        if let Arrival::End(observation) = call.next().await {
            return *observation;
        }
    }
}
