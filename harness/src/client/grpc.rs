//! A call on the wire: gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.

use super::connect::{Ending, Link};
use super::connection::Shared;
use super::frame::{Deframer, Frame, MAX_MESSAGE, frame};
use super::outcome::{End, Outcome};
use super::request::{self, pump};
use super::{Call, Code, ConnectError, GRACE, Layer, Message, Metadata, Observation};
use crate::schema::{DynMsg, MessageType};
use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

/// Messages that wait for the peer to read; beyond it `send` waits.
const WAITING_REQUESTS: usize = 16;

/// More answers than any scenario can mean; a target that floods ends here and not in our memory.
const MAX_MESSAGES: usize = 1_000_000;
const MAX_TOTAL: usize = 512 << 20;

/// How much of an answer that is not gRPC is shown.
const EXCERPT: usize = 512;

/// An open call. Nothing is read from the connection unless [`OpenCall::next`] is polled. Dropped before its end, it is
/// reset with CANCEL.
pub struct OpenCall {
    stage: Stage,
    outcome: Outcome,
    /// Framed requests; `None` after the half-close.
    requests: Option<mpsc::Sender<Bytes>>,
    /// Dropped to reset the stream.
    cancel: Option<oneshot::Sender<Infallible>>,
    give_up: Pin<Box<Sleep>>,
    ty: MessageType,
    /// Bytes of all messages.
    received: usize,
    /// For a call on the shared connection.
    shared: Option<Arc<Shared>>,
    ending: Option<Ending>,
}

enum Stage {
    Head(ResponseFuture),
    Body {
        stream: RecvStream,
        deframer: Deframer,
        drained: bool,
    },
    /// An answer that is not gRPC, and its beginning.
    Foreign(RecvStream, Vec<u8>),
    Over(Box<Observation>),
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
    /// An error means that nothing was sent.
    pub(super) fn start(
        call: &Call,
        shared: &Arc<Shared>,
        mut link: Link,
        started: Instant,
    ) -> Result<Self, h2::Error> {
        let request = match request::head(call, shared) {
            Ok(request) => request,
            Err(reason) => {
                let end = Outcome::new(call, started).failed(Layer::Client, Code::INTERNAL, reason);
                return Ok(Self::over(call, started, end));
            }
        };
        let (response, stream) = link.send.send_request(request, false)?;
        let (requests, messages) = mpsc::channel(WAITING_REQUESTS);
        let (cancel, cancelled) = oneshot::channel();
        tokio::spawn(pump(stream, messages, cancelled));
        Ok(Self {
            stage: Stage::Head(response),
            outcome: Outcome::new(call, started),
            requests: Some(requests),
            cancel: Some(cancel),
            give_up: Box::pin(sleep_until(started + call.deadline + GRACE)),
            ty: call.method.output.clone(),
            received: 0,
            shared: (!call.fresh_connection && !call.small_window).then(|| Arc::clone(shared)),
            ending: Some(link.ending),
        })
    }

    pub(super) fn unconnected(call: &Call, error: &ConnectError, started: Instant) -> Self {
        let outcome = Outcome::new(call, started);
        Self::over(
            call,
            started,
            outcome.failed(Layer::Transport, Code::UNAVAILABLE, error.to_string()),
        )
    }

    pub(super) fn unopened(call: &Call, error: &h2::Error, started: Instant) -> Self {
        Self::over(call, started, Outcome::new(call, started).broken(error, None))
    }

    fn over(call: &Call, started: Instant, end: Observation) -> Self {
        Self {
            stage: Stage::Over(Box::new(end)),
            outcome: Outcome::new(call, started),
            requests: None,
            cancel: None,
            give_up: Box::pin(sleep_until(started)),
            ty: call.method.output.clone(),
            received: 0,
            shared: None,
            ending: None,
        }
    }

    /// Sends a message; waits while the target does not read, until the client gives up.
    pub async fn send(&mut self, message: &DynMsg) -> Result<(), Gone> {
        let requests = self.requests.as_ref().ok_or(Gone)?;
        let sent = timeout_at(self.give_up.deadline(), requests.send(frame(&message.encode()))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Half-closes: no more requests.
    pub fn close(&mut self) {
        self.requests = None;
    }

    /// The next arrival. Cancel-safe: nothing is lost when it is dropped before it is ready.
    pub async fn next(&mut self) -> Arrival {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Resets the call with CANCEL, unless it is over.
    pub fn cancel(self) -> Observation {
        match self.stage {
            Stage::Over(end) => *end,
            _ => self
                .outcome
                .failed(Layer::Client, Code::CANCELLED, "cancelled by the client".to_owned()),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        if let Poll::Ready(arrival) = self.poll_stream(cx) {
            return Poll::Ready(arrival);
        }
        ready!(self.give_up.as_mut().poll(cx));
        Poll::Ready(self.give_up_now())
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        loop {
            match &mut self.stage {
                Stage::Over(end) => return Poll::Ready(Arrival::End(end.clone())),
                Stage::Head(response) => match ready!(Pin::new(response).poll(cx)) {
                    Ok(response) => {
                        if let Some(arrival) = self.take_head(response) {
                            return Poll::Ready(arrival);
                        }
                    }
                    Err(error) => return Poll::Ready(self.broken(&error)),
                },
                Stage::Body {
                    stream,
                    deframer,
                    drained: false,
                } => {
                    if let Some(frame) = deframer.pop() {
                        return Poll::Ready(self.take_frame(frame));
                    }
                    match ready!(stream.poll_data(cx)) {
                        Some(Ok(data)) => {
                            // The window opens again by what was read, and only now.
                            let _ = stream.flow_control().release_capacity(data.len());
                            deframer.push(&data);
                        }
                        Some(Err(error)) => return Poll::Ready(self.broken(&error)),
                        None => self.drain(),
                    }
                }
                Stage::Body {
                    stream,
                    deframer,
                    drained: true,
                } => {
                    let rest = deframer.rest();
                    let trailers = ready!(stream.poll_trailers(cx));
                    return Poll::Ready(match trailers {
                        Ok(trailers) => self.end(|outcome| outcome.ended(End { trailers, rest })),
                        Err(error) => self.broken(&error),
                    });
                }
                Stage::Foreign(stream, beginning) => {
                    let data = ready!(stream.poll_data(cx));
                    if let Some(Ok(data)) = &data {
                        let _ = stream.flow_control().release_capacity(data.len());
                        beginning.extend(data.iter().take(EXCERPT - beginning.len()));
                    }
                    if !matches!(data, Some(Ok(_))) || beginning.len() >= EXCERPT {
                        let beginning = std::mem::take(beginning);
                        return Poll::Ready(self.end(|outcome| outcome.foreign(&beginning)));
                    }
                }
            }
        }
    }

    /// `None` when there is nothing to tell yet.
    fn take_head(&mut self, response: http::Response<RecvStream>) -> Option<Arrival> {
        let (head, stream) = response.into_parts();
        let is_grpc = self.outcome.head(&head, stream.is_end_stream());
        if !is_grpc {
            self.stage = Stage::Foreign(stream, Vec::new());
            return None;
        }
        if self.outcome.is_trailers_only() {
            return Some(self.end(|outcome| {
                outcome.ended(End {
                    trailers: None,
                    rest: 0,
                })
            }));
        }
        self.stage = Stage::Body {
            stream,
            deframer: Deframer::default(),
            drained: false,
        };
        Some(Arrival::Headers(self.outcome.headers().clone()))
    }

    fn take_frame(&mut self, frame: Frame) -> Arrival {
        let number = self.outcome.messages().len();
        let refusal = match frame {
            Frame::Message(bytes) => {
                self.received += bytes.len();
                if self.received > MAX_TOTAL || number >= MAX_MESSAGES {
                    let text = format!("the client gave up after {number} messages and {} bytes", self.received);
                    return self.end(|outcome| outcome.failed(Layer::Client, Code::RESOURCE_EXHAUSTED, text));
                }
                match DynMsg::decode(&self.ty, &bytes) {
                    Ok(value) => return Arrival::Message(self.outcome.message(value)),
                    Err(error) => format!("message {number} is no {}: {error}", self.ty.full_name()),
                }
            }
            Frame::Compressed => format!("message {number} is compressed, though only identity was accepted"),
            Frame::BadFlags(flags) => format!("message {number} begins with the byte {flags:#04x}, neither 0 nor 1"),
            Frame::TooLong(length) => {
                format!("message {number} has {length} bytes; the client takes at most {MAX_MESSAGE}")
            }
        };
        self.end(|outcome| outcome.unreadable(refusal))
    }

    fn broken(&mut self, error: &h2::Error) -> Arrival {
        let epitaph = self.ending.as_ref().and_then(Ending::epitaph);
        self.end(|outcome| outcome.broken(error, epitaph))
    }

    fn drain(&mut self) {
        if let Stage::Body { drained, .. } = &mut self.stage {
            *drained = true;
        }
    }

    fn give_up_now(&mut self) -> Arrival {
        if let Stage::Foreign(_, beginning) = &mut self.stage {
            let beginning = std::mem::take(beginning);
            return self.end(|outcome| outcome.foreign(&beginning));
        }
        if let (Stage::Head(_), Some(shared)) = (&self.stage, &self.shared) {
            // Nothing came at all: perhaps the connection is dead without anybody having said so.
            shared.forget_connection();
        }
        self.end(Outcome::gave_up)
    }

    fn end(&mut self, end: impl FnOnce(Outcome) -> Observation) -> Arrival {
        let end = Box::new(end(self.outcome.take()));
        // Both halves go: what is still open is reset.
        self.stage = Stage::Over(end.clone());
        self.requests = None;
        self.cancel = None;
        Arrival::End(end)
    }
}

/// Sends all requests, half-closes and reads to the end; sends and reads at the same time, so that neither waits for the
/// other.
pub async fn collect(mut call: OpenCall, requests: Vec<DynMsg>) -> Observation {
    let sender = call.requests.take();
    let send = async move {
        let Some(sender) = sender else { return };
        for request in &requests {
            if sender.send(frame(&request.encode())).await.is_err() {
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
