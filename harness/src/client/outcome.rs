//! What a call has shown so far, and what it amounts to in the end.

use super::{Call, Code, GRACE, HttpFacts, Layer, Message, Metadata, Observation, Protocol, Status, status};
use crate::schema::{DynMsg, MessageType};
use http::header::CONTENT_TYPE;
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use humantime::format_duration;
use std::time::Duration;
use tokio::time::Instant;

/// More answers than any scenario can mean; a target that floods ends here and not in our memory.
pub(super) const MAX_MESSAGES: usize = 1_000_000;
/// See [`MAX_MESSAGES`]; bytes.
pub(super) const MAX_TOTAL: usize = 512 << 20;

/// How much of an answer that is not of the protocol is read for showing it.
pub(super) const EXCERPT: usize = 512;

/// How much of it goes into a status message.
const SHOWN: usize = 200;

pub(super) struct Outcome {
    protocol: Protocol,
    started: Instant,
    deadline: Duration,
    server_streaming: bool,
    /// For the details of a status.
    types: MessageType,
    /// In the initial header block.
    early: Option<Status>,
    headers: Metadata,
    messages: Vec<Message>,
    http: HttpFacts,
    violations: Vec<String>,
}

/// A stream that ended in order.
pub(super) struct End {
    pub trailers: Option<HeaderMap>,
    /// Bytes of a message that never became whole.
    pub rest: usize,
}

impl Outcome {
    pub fn new(call: &Call, started: Instant) -> Self {
        Self {
            protocol: call.protocol,
            started,
            deadline: call.deadline,
            server_streaming: call.method.server_streaming,
            types: call.method.output.clone(),
            early: None,
            headers: Metadata::default(),
            messages: Vec::new(),
            http: HttpFacts::default(),
            violations: Vec::new(),
        }
    }

    /// All of it, leaving a blank one.
    pub fn take(&mut self) -> Self {
        Self {
            early: self.early.take(),
            headers: std::mem::take(&mut self.headers),
            messages: std::mem::take(&mut self.messages),
            http: std::mem::take(&mut self.http),
            violations: std::mem::take(&mut self.violations),
            types: self.types.clone(),
            ..*self
        }
    }

    /// Takes the response head in.
    pub fn http_head(&mut self, head: &Parts) {
        self.http.status = head.status.as_u16();
        self.http.content_type = head.headers.get(CONTENT_TYPE).map(status::shown);
        self.headers = status::metadata(&head.headers, &mut self.violations);
    }

    /// Takes the response head in; says whether it is an answer of gRPC.
    pub fn head(&mut self, head: &Parts, ended: bool) -> bool {
        self.http_head(head);
        self.early = status::read(&head.headers, &self.types, &mut self.violations);
        self.http.trailers_only = ended && self.early.is_some();
        let content_type = self.http.content_type.as_deref().unwrap_or_default();
        let is_grpc = is_grpc(content_type);
        if self.early.is_none() && (!is_grpc || head.status != StatusCode::OK) {
            return false;
        }
        if head.status != StatusCode::OK {
            self.violations
                .push(format!("HTTP status {} on a gRPC answer", head.status.as_u16()));
        }
        match (&self.http.content_type, is_grpc) {
            (_, true) => {}
            (Some(content_type), false) => self
                .violations
                .push(format!("content-type `{content_type}` on a gRPC answer")),
            (None, false) => self.violations.push("no content-type on a gRPC answer".to_owned()),
        }
        if let Some(encoding) = head.headers.get("grpc-encoding").filter(|value| *value != "identity") {
            let text = format!(
                "grpc-encoding `{}`, though only identity was accepted",
                status::shown(encoding)
            );
            self.violations.push(text);
        }
        true
    }

    pub fn is_trailers_only(&self) -> bool {
        self.http.trailers_only
    }

    pub fn headers(&self) -> &Metadata {
        &self.headers
    }

    pub fn http(&self) -> &HttpFacts {
        &self.http
    }

    /// A status that has come with the response head.
    pub fn set_early(&mut self, status: Option<Status>) {
        self.early = status;
    }

    /// See [`Outcome::set_early`].
    pub fn take_early(&mut self) -> Option<Status> {
        self.early.take()
    }

    /// What a block of trailers says.
    pub fn trailers(&mut self, block: &HeaderMap) -> (Metadata, Option<Status>) {
        let metadata = status::metadata(block, &mut self.violations);
        (metadata, status::read(block, &self.types, &mut self.violations))
    }

    /// Notes what the wire showed against the protocol, once.
    pub fn violation(&mut self, text: String) {
        if !self.violations.contains(&text) {
            self.violations.push(text);
        }
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub fn message(&mut self, value: DynMsg) -> Message {
        let message = Message {
            value,
            at: self.started.elapsed(),
        };
        self.messages.push(message.clone());
        message
    }

    /// The stream ended in order.
    pub fn ended(mut self, end: End) -> Observation {
        let mut trailers = Metadata::default();
        let mut found = None;
        if let Some(block) = &end.trailers {
            (trailers, found) = self.trailers(block);
        }
        let early = self.early.take();
        if early.is_some() && !self.http.trailers_only {
            match end.trailers.is_none() && self.messages.is_empty() && end.rest == 0 {
                // The end of the stream came in an empty DATA frame instead of with the headers.
                true => self.http.trailers_only = true,
                false => self
                    .violations
                    .push("grpc-status in the initial headers, with more after them".to_owned()),
            }
        }
        let mut status = found.or(early).unwrap_or_else(|| {
            let text = match end.trailers {
                Some(_) => "no grpc-status in the trailers",
                None => "the stream ended without trailers, so without grpc-status",
            };
            self.violations.push(text.to_owned());
            plain(Code::UNKNOWN, text.to_owned())
        });
        if end.rest > 0 {
            let text = format!("the stream ended within a message, after {} of its bytes", end.rest);
            if status.code == Code::OK {
                status = plain(Code::INTERNAL, text.clone());
            }
            self.violations.push(text);
        }
        let count = self.messages.len();
        if status.code == Code::OK && !self.server_streaming && count != 1 {
            self.violations.push(format!("{count} messages on a unary OK"));
        }
        self.observation(Layer::Application, status, trailers)
    }

    /// A message that cannot be taken: the call is reset here.
    pub fn unreadable(mut self, text: String) -> Observation {
        self.violations.push(text.clone());
        self.failed(Layer::Application, Code::INTERNAL, text)
    }

    /// HTTP without the protocol; `what` should have come.
    pub fn foreign(self, beginning: &[u8], what: &str) -> Observation {
        let content_type = match &self.http.content_type {
            Some(content_type) => format!("content-type {content_type}"),
            None => "no content-type".to_owned(),
        };
        let text = String::from_utf8_lossy(beginning);
        let words: Vec<&str> = text.split_whitespace().collect();
        let shown: String = words
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN)
            .collect();
        let body = if shown.is_empty() {
            String::new()
        } else {
            format!(": {shown}")
        };
        let code = status::from_http(self.http.status);
        let text = format!("HTTP {} with {content_type}, not {what}{body}", self.http.status);
        self.failed(Layer::Proxy, code, text)
    }

    /// HTTP/2 ended it; `epitaph` is why the whole connection has ended, where that is known.
    pub fn broken(mut self, error: &h2::Error, epitaph: Option<String>) -> Observation {
        // A status that had already come in the headers stands, whatever ended the stream after it.
        if let Some(early) = self.early.take().filter(|_| self.messages.is_empty()) {
            self.http.trailers_only = true;
            return self.observation(Layer::Application, early, Metadata::default());
        }
        let reason = error.reason();
        let name = reason.map(|reason| format!("{reason:?}")).unwrap_or_default();
        if error.is_library() {
            let text = format!("the target broke the rules of HTTP/2: {error}");
            self.violations.push(text.clone());
            return self.failed(Layer::Transport, Code::INTERNAL, text);
        }
        match reason {
            Some(reason) if error.is_reset() => {
                let code = status::from_reset(reason);
                self.http.reset = Some(name.clone());
                self.failed(
                    Layer::Transport,
                    code,
                    format!("the target reset the stream with {name}"),
                )
            }
            Some(_) if error.is_go_away() => self.failed(
                Layer::Transport,
                Code::UNAVAILABLE,
                format!("the target closed the connection with GOAWAY {name}"),
            ),
            _ if error.is_io() => {
                let text = epitaph.unwrap_or_else(|| format!("the connection was lost: {error}"));
                self.failed(Layer::Transport, Code::UNAVAILABLE, text)
            }
            // Headers that HTTP/2 forbids, such as `connection`.
            _ => self.failed(
                Layer::Client,
                Code::INTERNAL,
                format!("the call cannot be sent: {error}"),
            ),
        }
    }

    /// Deadline and grace are over.
    pub fn gave_up(self) -> Observation {
        let text = format!(
            "the client gave up: the target did not end the call within its deadline of {} and {} more",
            format_duration(self.deadline),
            format_duration(GRACE)
        );
        self.failed(Layer::Client, Code::DEADLINE_EXCEEDED, text)
    }

    pub fn failed(self, layer: Layer, code: Code, message: String) -> Observation {
        self.observation(layer, plain(code, message), Metadata::default())
    }

    /// The end, with a status of the service's own.
    pub fn observation(mut self, layer: Layer, status: Status, mut trailers: Metadata) -> Observation {
        if self.http.trailers_only {
            // "Trailers-Only": the one header block is the trailers (PROTOCOL-HTTP2.md, Responses).
            trailers.0.append(&mut self.headers.0);
        }
        Observation {
            protocol: self.protocol,
            status,
            headers: self.headers,
            trailers,
            messages: self.messages,
            http: self.http,
            layer,
            violations: self.violations,
            elapsed: self.started.elapsed(),
        }
    }
}

pub(super) fn plain(code: Code, message: String) -> Status {
    Status {
        code,
        message,
        details: Vec::new(),
    }
}

/// `application/grpc` or `application/grpc+proto`, with or without parameters; not `application/grpc-web`.
pub(crate) fn is_grpc(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/grpc") || essence.eq_ignore_ascii_case("application/grpc+proto")
}
