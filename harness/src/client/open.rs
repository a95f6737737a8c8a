//! An open call, whatever the protocol: what is sent, what arrives, how it ends.

use super::frame::frame;
use super::grpc::GrpcAnswer;
use super::identity::Watch;
use super::outcome::Outcome;
use super::rest::RestAnswer;
use super::{Call, Code, ConnectError, Layer, Message, Metadata, Observation};
use crate::schema::DynMsg;
use bytes::Bytes;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Messages that wait for the peer to read; beyond it `send` waits.
pub(super) const WAITING_REQUESTS: usize = 16;

/// An open call. Nothing is read from the connection unless [`OpenCall::next`] is polled. Dropped before its end, it is
/// reset: with CANCEL where the connection carries other calls, else by closing the connection.
pub struct OpenCall {
    /// `None` after the half-close.
    requests: Option<Requests>,
    answer: Answer,
    /// When the client gives up.
    until: Instant,
    /// Looks at who answers.
    watch: Option<Watch>,
}

/// Where requests go.
pub(super) enum Requests {
    /// Framed for gRPC.
    Framed(mpsc::Sender<Bytes>),
    /// As they are: REST puts them into a path, a query or a body.
    Plain(mpsc::Sender<DynMsg>),
}

enum Answer {
    Grpc(Box<GrpcAnswer>),
    Rest(Box<RestAnswer>),
    Over(Box<Observation>),
}

/// What arrives, in this order: headers once (not for trailers-only, nor for an error over REST), messages, one end.
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
    pub(super) fn grpc(requests: Requests, answer: GrpcAnswer, until: Instant) -> Self {
        OpenCall {
            requests: Some(requests),
            answer: Answer::Grpc(Box::new(answer)),
            until,
            watch: None,
        }
    }

    pub(super) fn rest(requests: Requests, answer: RestAnswer, until: Instant) -> Self {
        OpenCall {
            requests: Some(requests),
            answer: Answer::Rest(Box::new(answer)),
            until,
            watch: None,
        }
    }

    pub(super) fn over(end: Observation, started: Instant) -> Self {
        OpenCall {
            requests: None,
            answer: Answer::Over(Box::new(end)),
            until: started,
            watch: None,
        }
    }

    pub(super) fn watched(self, watch: Watch) -> Self {
        OpenCall {
            watch: Some(watch),
            ..self
        }
    }

    pub(super) fn unconnected(call: &Call, error: &ConnectError, started: Instant) -> Self {
        let outcome = Outcome::new(call, started);
        let end = outcome.failed(Layer::Transport, Code::UNAVAILABLE, error.to_string());
        Self::over(end, started)
    }

    /// Sends a message; waits while the target does not read, until the client gives up.
    pub async fn send(&mut self, message: &DynMsg) -> Result<(), Gone> {
        let requests = self.requests.as_ref().ok_or(Gone)?;
        match timeout_at(self.until, requests.send(message)).await {
            Ok(sent) => sent,
            Err(_) => Err(Gone),
        }
    }

    /// Half-closes: no more requests.
    pub fn close(&mut self) {
        self.requests = None;
    }

    /// The next arrival. Cancel-safe: nothing is lost when it is dropped before it is ready.
    pub async fn next(&mut self) -> Arrival {
        let arrival = std::future::poll_fn(|cx| self.poll_next(cx)).await;
        match (&arrival, &mut self.watch) {
            (Arrival::Headers(headers), Some(watch)) => watch.headers(headers),
            (Arrival::End(end), Some(watch)) => watch.end(end),
            _ => {}
        }
        if let Arrival::End(end) = &arrival {
            // Both halves go: what is still open is reset.
            self.requests = None;
            self.answer = Answer::Over(end.clone());
        }
        arrival
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        match &mut self.answer {
            Answer::Grpc(answer) => answer.poll_next(cx),
            Answer::Rest(answer) => answer.poll_next(cx),
            Answer::Over(end) => Poll::Ready(Arrival::End(end.clone())),
        }
    }

    /// Resets the call, unless it is over.
    pub fn cancel(self) -> Observation {
        let outcome = match self.answer {
            Answer::Over(end) => return *end,
            Answer::Grpc(answer) => answer.cancel(),
            Answer::Rest(answer) => answer.cancel(),
        };
        let end = outcome.failed(Layer::Client, Code::CANCELLED, "cancelled by the client".to_owned());
        if let Some(mut watch) = self.watch {
            watch.end(&end);
        }
        end
    }
}

impl Requests {
    async fn send(&self, message: &DynMsg) -> Result<(), Gone> {
        match self {
            Requests::Framed(to) => to.send(frame(&message.encode())).await.map_err(|_| Gone),
            Requests::Plain(to) => to.send(message.clone()).await.map_err(|_| Gone),
        }
    }
}

/// Sends all requests, half-closes and reads to the end; sends and reads at the same time, so that neither waits for the
/// other.
pub async fn collect(mut call: OpenCall, requests: impl AsRef<[DynMsg]>) -> Observation {
    let sender = call.requests.take();
    let send = async move {
        let Some(sender) = sender else { return };
        for request in requests.as_ref() {
            if sender.send(request).await.is_err() {
                return;
            }
        }
    };
    let mut send = std::pin::pin!(send);
    let mut sending = true;
    loop {
        tokio::select! {
            biased;
            () = &mut send, if sending => sending = false,
            arrival = call.next() => {
                if let Arrival::End(observation) = arrival {
                    return *observation;
                }
            }
        }
    }
}
