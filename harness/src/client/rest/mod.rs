//! A call over REST: an HTTP request as a `google.api.http` rule makes it of a message, and the answer read back.
//!
//! `request` sends, `connection` keeps connections, `split` finds the JSON values in a stream of bytes, `answer` says what
//! they mean.

pub(crate) mod answer;
mod connection;
pub(crate) mod request;
mod split;

pub(crate) use answer::{LONGEST_ERROR, code_in_stream, code_of_error, is_json};
pub(super) use connection::{Pool, probe};
pub(crate) use split::{Piece, Splitter};

use super::connection::Shared;
use super::failure::explain_http;
use super::frame::MAX_MESSAGE;
use super::open::{OpenCall, Requests, WAITING_REQUESTS};
use super::outcome::{EXCERPT, MAX_MESSAGES, MAX_TOTAL, Outcome, plain};
use super::{Arrival, Call, Code, GRACE, Layer, Metadata, Observation, status};
use crate::schema::MessageType;
use answer::Meaning;
use connection::Exchange;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body::Body as _;
use hyper::body::Incoming;
use request::{Began, Failure};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Sleep, sleep_until};

/// What should have come, where somebody else has answered.
const NOT_REST: &str = "a REST answer";

/// The answer to a call over REST.
pub(super) struct RestAnswer {
    stage: Stage,
    outcome: Outcome,
    give_up: Pin<Box<Sleep>>,
    ty: MessageType,
    server_streaming: bool,
    /// Bytes of all messages.
    received: usize,
    shared: Arc<Shared>,
}

enum Stage {
    /// The task that connects, sends and awaits the response head.
    Head(Sending),
    /// A response whose body is being read.
    Body(Box<Reading>),
}

/// Aborted when it is dropped: then the connection goes too.
struct Sending(JoinHandle<Result<Began, Failure>>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Reading {
    kind: Kind,
    body: Incoming,
    exchange: Exchange,
    splitter: Splitter,
    /// The field of the response that the body holds.
    response_body: Option<String>,
    trailers: Option<HeaderMap>,
    /// The body has ended; what is left lies in the splitter.
    drained: bool,
    says_json: bool,
    /// The first bytes, for showing what is not JSON.
    beginning: Vec<u8>,
}

/// What a body holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The one response of a call.
    Single,
    /// The messages of a server stream.
    Stream,
    /// The status of a call that has failed.
    Refusal,
}

/// Opens a call; what is sent is known with its first request.
pub(super) fn start(call: &Call, shared: &Arc<Shared>, started: Instant) -> OpenCall {
    let (requests, messages) = mpsc::channel(WAITING_REQUESTS);
    let until = started + call.deadline + GRACE;
    let sending = tokio::spawn(request::send(call.clone(), Arc::clone(shared), messages));
    let answer = RestAnswer {
        stage: Stage::Head(Sending(sending)),
        outcome: Outcome::new(call, started),
        give_up: Box::pin(sleep_until(until)),
        ty: call.method.output.clone(),
        server_streaming: call.method.server_streaming,
        received: 0,
        shared: Arc::clone(shared),
    };
    OpenCall::rest(Requests::Plain(requests), answer, until)
}

impl RestAnswer {
    /// What has come so far; the connection is closed, or the stream reset.
    pub fn cancel(self) -> Outcome {
        self.outcome
    }

    /// The next arrival; not asked again after the end.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        if let Poll::Ready(arrival) = self.poll_stage(cx) {
            return Poll::Ready(arrival);
        }
        ready!(self.give_up.as_mut().poll(cx));
        Poll::Ready(match &self.stage {
            Stage::Body(reading) if reading.kind == Kind::Refusal => self.foreign(),
            _ => self.end(Outcome::gave_up),
        })
    }

    fn poll_stage(&mut self, cx: &mut Context<'_>) -> Poll<Arrival> {
        loop {
            let reading = match &mut self.stage {
                Stage::Body(reading) => reading,
                Stage::Head(sending) => {
                    match ready!(Pin::new(&mut sending.0).poll(cx)) {
                        Ok(Ok(began)) => {
                            if let Some(headers) = self.take_head(began) {
                                return Poll::Ready(Arrival::Headers(headers));
                            }
                        }
                        Ok(Err(failure)) => return Poll::Ready(self.not_begun(failure)),
                        Err(error) => return Poll::Ready(self.not_begun(Failure::Call(error.to_string()))),
                    }
                    continue;
                }
            };
            if reading.kind == Kind::Stream
                && let Some(piece) = reading.splitter.pop(reading.drained)
            {
                return Poll::Ready(self.take_piece(piece));
            }
            let waiting = reading.splitter.waiting();
            match (reading.kind, reading.drained) {
                (Kind::Single, false) if waiting > MAX_MESSAGE => {
                    let text = format!("the answer is too long; the client takes at most {MAX_MESSAGE} bytes");
                    return Poll::Ready(self.end(|outcome| outcome.unreadable(text)));
                }
                (Kind::Refusal, false) if waiting > answer::LONGEST_ERROR => return Poll::Ready(self.foreign()),
                (_, false) => {
                    if let Some(error) = ready!(reading.poll_more(cx)) {
                        return Poll::Ready(self.lost(&error));
                    }
                }
                (kind, true) => {
                    // The exchange is over in order: its connection can serve the next one.
                    reading.exchange.recycle(&self.shared.pool);
                    let body = match kind {
                        Kind::Stream => None,
                        Kind::Single | Kind::Refusal => Some(reading.splitter.take()),
                    };
                    return Poll::Ready(match (kind, body) {
                        (Kind::Refusal, body) => self.refused(&body.unwrap_or_default()),
                        (_, Some(body)) => self.take_single(&body),
                        (_, None) => self.finish(),
                    });
                }
            }
        }
    }

    /// Takes the response head in; the metadata of a success is an arrival of its own.
    fn take_head(&mut self, began: Began) -> Option<Metadata> {
        let (head, body) = began.response.into_parts();
        self.outcome.http_head(&head);
        let content_type = self.outcome.http().content_type.as_deref();
        let says_json = content_type.is_some_and(answer::is_json);
        if let Some(encoding) = head.headers.get(CONTENT_ENCODING).filter(|value| *value != "identity") {
            let encoding = status::shown(encoding);
            self.outcome.violation(format!(
                "content-encoding `{encoding}`, though only identity was accepted"
            ));
        }
        let kind = match (head.status.is_success(), self.server_streaming) {
            (true, true) => Kind::Stream,
            (true, false) => Kind::Single,
            (false, _) => {
                // Envoy tells the status of gRPC in headers where it does not put it into the body.
                let status = status::read(&head.headers, &self.ty, &mut Vec::new());
                self.outcome.set_early(status);
                Kind::Refusal
            }
        };
        self.stage = Stage::Body(Box::new(Reading {
            kind,
            body,
            exchange: began.exchange,
            splitter: Splitter::default(),
            response_body: began.response_body,
            trailers: None,
            drained: false,
            says_json,
            beginning: Vec::new(),
        }));
        (kind != Kind::Refusal).then(|| self.outcome.headers().clone())
    }

    /// One JSON value of a stream.
    fn take_piece(&mut self, piece: Piece) -> Arrival {
        let number = self.outcome.messages().len();
        let text = match piece {
            Piece::Value(text) => text,
            Piece::Wrong(reason) => return self.unreadable(format!("after {number} messages: {reason}")),
        };
        self.received += text.len();
        if self.received > MAX_TOTAL || number >= MAX_MESSAGES {
            let text = format!("the client gave up after {number} messages and {} bytes", self.received);
            return self.end(|outcome| outcome.failed(Layer::Client, Code::RESOURCE_EXHAUSTED, text));
        }
        match answer::of_stream(&text, &self.ty, self.response_body()) {
            Ok(Meaning::Message(message, unknown)) => {
                self.note(unknown);
                Arrival::Message(self.outcome.message(message))
            }
            Ok(Meaning::Status(status)) => {
                self.end(|outcome| outcome.observation(Layer::Application, status, Metadata::default()))
            }
            Err(reason) => self.unreadable(format!("message {number} is no {}: {reason}", self.ty.full_name())),
        }
    }

    /// The one answer of a call.
    fn take_single(&mut self, body: &[u8]) -> Arrival {
        if body.trim_ascii().is_empty() {
            let text = format!("HTTP {} without JSON", self.outcome.http().status);
            self.outcome.violation(text);
            return self.finish();
        }
        match answer::decode(body, &self.ty, self.response_body()) {
            Ok((message, unknown)) => {
                self.note(unknown);
                self.outcome.message(message);
                self.finish()
            }
            Err(reason) => self.unreadable(format!("the answer is no {}: {reason}", self.ty.full_name())),
        }
    }

    /// The body of a success has ended in order.
    fn finish(&mut self) -> Arrival {
        let (mut trailers, mut unfinished) = (None, None);
        if let Stage::Body(reading) = &mut self.stage {
            trailers = reading.trailers.take();
            unfinished = reading.splitter.unfinished();
        }
        if let Some(reason) = unfinished {
            return self.unreadable(reason);
        }
        let (metadata, status) = match &trailers {
            Some(block) => self.outcome.trailers(block),
            None => (Metadata::default(), None),
        };
        // A success says so by its HTTP status; Envoy tells a late failure of a stream in trailers.
        let status = status.unwrap_or_else(|| plain(Code::OK, String::new()));
        self.end(|outcome| outcome.observation(Layer::Application, status, metadata))
    }

    /// A response that is no success has been read.
    fn refused(&mut self, body: &[u8]) -> Arrival {
        let Some(status) = answer::of_error(body, &self.ty).or_else(|| self.outcome.take_early()) else {
            return self.foreign();
        };
        if let Some(text) = answer::wrong_http_status(self.outcome.http().status, status.code) {
            self.outcome.violation(text);
        }
        self.end(|outcome| outcome.observation(Layer::Application, status, Metadata::default()))
    }

    /// JSON that cannot be taken; where nothing said that it would be JSON, somebody else has answered.
    fn unreadable(&mut self, text: String) -> Arrival {
        match &self.stage {
            Stage::Body(reading) if !reading.says_json && self.outcome.messages().is_empty() => self.foreign(),
            _ => self.end(|outcome| outcome.unreadable(text)),
        }
    }

    /// HTTP, but no answer of a service.
    fn foreign(&mut self) -> Arrival {
        let beginning = match &mut self.stage {
            Stage::Body(reading) => std::mem::take(&mut reading.beginning),
            Stage::Head(_) => Vec::new(),
        };
        self.end(|outcome| outcome.foreign(&beginning, NOT_REST))
    }

    fn not_begun(&mut self, failure: Failure) -> Arrival {
        let (error, heard) = match failure {
            Failure::Connect(error) => {
                return self.end(|outcome| outcome.failed(Layer::Transport, Code::UNAVAILABLE, error.to_string()));
            }
            Failure::Call(text) => return self.end(|outcome| outcome.failed(Layer::Client, Code::INTERNAL, text)),
            // On a connection that has answered before, the peer is known to speak HTTP.
            Failure::Http {
                error, reused: true, ..
            } => return self.lost(&error),
            Failure::Http { error, heard, .. } => (error, heard),
        };
        if answer::reset(&error).is_some() {
            return self.lost(&error);
        }
        let error = explain_http(&self.shared.target, &heard, request::explain(&error).1);
        self.end(|outcome| outcome.failed(Layer::Transport, Code::UNAVAILABLE, error.to_string()))
    }

    /// HTTP ended it.
    fn lost(&mut self, error: &hyper::Error) -> Arrival {
        if let Some(reset) = answer::reset(error) {
            return self.end(|outcome| outcome.broken(reset, None));
        }
        let (code, text) = request::explain(error);
        self.end(|outcome| outcome.failed(Layer::Transport, code, text))
    }

    fn response_body(&self) -> Option<&str> {
        match &self.stage {
            Stage::Body(reading) => reading.response_body.as_deref(),
            Stage::Head(_) => None,
        }
    }

    /// Notes what is odd about JSON that could be read: fields that the type does not know, another content type.
    fn note(&mut self, unknown: Option<String>) {
        if let Some(text) = unknown {
            self.outcome.violation(text);
        }
        if matches!(&self.stage, Stage::Body(reading) if !reading.says_json) {
            let text = match &self.outcome.http().content_type {
                Some(content_type) => format!("content-type `{content_type}` on JSON"),
                None => "no content-type on JSON".to_owned(),
            };
            self.outcome.violation(text);
        }
    }

    fn end(&mut self, end: impl FnOnce(Outcome) -> Observation) -> Arrival {
        Arrival::End(Box::new(end(self.outcome.take())))
    }
}

impl Reading {
    /// Reads once; gives the error that ended the body.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Error>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(error)),
            None => {
                self.drained = true;
                return Poll::Ready(None);
            }
        };
        match frame.into_data() {
            Ok(data) => {
                let room = EXCERPT.saturating_sub(self.beginning.len());
                self.beginning.extend(data.iter().take(room));
                self.splitter.push(&data);
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
        Poll::Ready(None)
    }
}
