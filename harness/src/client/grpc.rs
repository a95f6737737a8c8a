//! A call on the wire: gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.

use super::connect::{Ending, Link};
use super::connection::Shared;
use super::frame::{Deframer, Frame, MAX_MESSAGE};
use super::open::{OpenCall, Requests, WAITING_REQUESTS};
use super::outcome::{EXCERPT, End, MAX_MESSAGES, MAX_TOTAL, Outcome};
use super::request::{self, pump};
use super::{Arrival, Call, Code, GRACE, Layer, Observation};
use crate::schema::{DynMsg, MessageType};
use h2::RecvStream;
use h2::client::ResponseFuture;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

/// The answer to a call over gRPC.
pub(super) struct GrpcAnswer {
    stage: Stage,
    outcome: Outcome,
    /// Dropped to reset the stream.
    _cancel: oneshot::Sender<Infallible>,
    give_up: Pin<Box<Sleep>>,
    ty: MessageType,
    /// Bytes of all messages.
    received: usize,
    /// For a call on the shared connection.
    shared: Option<Arc<Shared>>,
    ending: Ending,
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
}

/// Opens a call. An error means that nothing was sent.
pub(super) fn start(
    call: &Call,
    shared: &Arc<Shared>,
    mut link: Link,
    started: Instant,
) -> Result<OpenCall, h2::Error> {
    let request = match request::head(call, shared) {
        Ok(request) => request,
        Err(reason) => {
            let end = Outcome::new(call, started).failed(Layer::Client, Code::INTERNAL, reason);
            return Ok(OpenCall::over(end, started));
        }
    };
    let (response, stream) = link.send.send_request(request, false)?;
    let (requests, messages) = mpsc::channel(WAITING_REQUESTS);
    let (cancel, cancelled) = oneshot::channel();
    tokio::spawn(pump(stream, messages, cancelled));
    let until = started + call.deadline + GRACE;
    let answer = GrpcAnswer {
        stage: Stage::Head(response),
        outcome: Outcome::new(call, started),
        _cancel: cancel,
        give_up: Box::pin(sleep_until(until)),
        ty: call.method.output.clone(),
        received: 0,
        shared: (!call.fresh_connection && !call.small_window).then(|| Arc::clone(shared)),
        ending: link.ending,
    };
    Ok(OpenCall::grpc(Requests::Framed(requests), answer, until))
}

/// A call that could not be opened.
pub(super) fn unopened(call: &Call, error: &h2::Error, started: Instant) -> OpenCall {
    OpenCall::over(Outcome::new(call, started).broken(error, None), started)
}

impl GrpcAnswer {
    /// What has come so far; the stream is reset.
    pub fn cancel(self) -> Outcome {
        self.outcome
    }

    /// The next arrival; not asked again after the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        if let Poll::Ready(arrival) = self.poll_stream(cx) {
            return Poll::Ready(arrival);
        }
        ready!(self.give_up.as_mut().poll(cx));
        Poll::Ready(self.give_up_now())
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        loop {
            match &mut self.stage {
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
                        return Poll::Ready(self.end(|outcome| outcome.foreign(&beginning, "a gRPC answer")));
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
        let epitaph = self.ending.epitaph();
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
            return self.end(|outcome| outcome.foreign(&beginning, "a gRPC answer"));
        }
        if let (Stage::Head(_), Some(shared)) = (&self.stage, &self.shared) {
            // Nothing came at all: perhaps the connection is dead without anybody having said so.
            shared.forget_connection();
        }
        self.end(Outcome::gave_up)
    }

    fn end(&mut self, end: impl FnOnce(Outcome) -> Observation) -> Arrival {
        Arrival::End(Box::new(end(self.outcome.take())))
    }
}
