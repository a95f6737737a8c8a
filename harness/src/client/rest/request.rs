//! The request side: its head, its body, and the task that sends it.

use super::connection::Exchange;
use crate::client::connection::Shared;
use crate::client::request::{AGENT, add, timeout};
use crate::client::wire::Heard;
use crate::client::{Call, Code, ConnectError};
use crate::schema::{DynMsg, HttpRequest};
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;

/// A response whose head has come.
pub(super) struct Began {
    pub response: Response<Incoming>,
    pub exchange: Exchange,
    /// The field of the response that the body holds.
    pub response_body: Option<String>,
}

/// There is no response.
pub(super) enum Failure {
    /// No connection.
    Connect(ConnectError),
    /// The call cannot be said over REST.
    Call(String),
    /// HTTP failed before the response head.
    Http {
        error: hyper::Error,
        /// What the peer said on this connection.
        heard: Heard,
        /// It has answered on this connection before.
        reused: bool,
    },
}

/// The body of a request.
pub(super) enum Outgoing {
    /// Known from the start.
    Whole(Option<Bytes>),
    /// A client stream: a JSON array, written message by message, since that is the one form that transcoders take.
    Array {
        messages: mpsc::Receiver<DynMsg>,
        count: u64,
        ended: bool,
    },
}

/// Sends the first request of a call, or its stream of them, and awaits the response head.
pub(super) async fn send(
    call: Call,
    shared: Arc<Shared>,
    mut messages: mpsc::Receiver<DynMsg>,
) -> Result<Began, Failure> {
    let (made, mut body) = if call.method.client_streaming {
        let made = call.method.http_stream().map_err(Failure::Call)?;
        let body = Outgoing::Array {
            messages,
            count: 0,
            ended: false,
        };
        (made, body)
    } else {
        let first = messages.recv().await;
        let first = first.ok_or_else(|| Failure::Call("the call was closed without a request".to_owned()))?;
        messages.close();
        let mut made = call.method.http_request(&first).map_err(Failure::Call)?;
        let body = Outgoing::Whole(made.body.take().map(Bytes::from));
        (made, body)
    };
    loop {
        let mut exchange = shared.pool.take(&shared, &call).await.map_err(Failure::Connect)?;
        let head = head(&call, &shared, &made, &body, exchange.is_http2()).map_err(Failure::Call)?;
        let sent = exchange.send(head.map(|()| body)).await;
        let mut error = match sent {
            Some(Ok(response)) => {
                return Ok(Began {
                    response,
                    exchange,
                    response_body: made.response_body,
                });
            }
            Some(Err(error)) => error,
            None => return Err(Failure::Call("the connection is in use".to_owned())),
        };
        match error.take_message() {
            // The connection ended in between, before anything of the call was sent.
            Some(unsent) if exchange.reused => body = unsent.into_body(),
            _ => {
                return Err(Failure::Http {
                    heard: exchange.heard(),
                    reused: exchange.reused,
                    error: error.into_error(),
                });
            }
        }
    }
}

/// The head of the request for a call.
fn head(call: &Call, shared: &Shared, made: &HttpRequest, body: &Outgoing, http2: bool) -> Result<Request<()>, String> {
    let method = Method::from_bytes(made.verb.as_bytes()).map_err(|_| format!("`{}` is no method", made.verb))?;
    let mut request = bare_head(shared, method, &made.path_and_query, http2)?;
    let has_body = !matches!(body, Outgoing::Whole(None));
    call_headers(request.headers_mut(), has_body, call)?;
    Ok(request)
}

/// What a call adds to the headers that all requests have.
fn call_headers(headers: &mut HeaderMap, has_body: bool, call: &Call) -> Result<(), String> {
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let accepted = match call.method.server_streaming {
        true => "application/x-ndjson, application/json",
        false => "application/json",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accepted));
    if let Ok(timeout) = HeaderValue::from_str(&timeout(call.deadline)) {
        headers.insert("grpc-timeout", timeout);
    }
    for (key, value) in &call.metadata {
        if ["connection", "content-length", "host", "transfer-encoding", "upgrade"].contains(&key.as_str()) {
            return Err(format!("the metadata `{key}` cannot be sent: it belongs to HTTP"));
        }
        add(headers, key, value)?;
    }
    Ok(())
}

/// What all requests have beside their head line and `host`.
fn common_headers(headers: &mut HeaderMap, metadata: &[(String, Vec<u8>)]) -> Result<(), String> {
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (key, value) in metadata {
        add(headers, key, value)?;
    }
    Ok(())
}

/// The headers of a call over REST, without `host`; `common` is the metadata of every call.
pub(crate) fn headers(call: &Call, has_body: bool, common: &[(String, Vec<u8>)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    common_headers(&mut headers, common)?;
    call_headers(&mut headers, has_body, call)?;
    Ok(headers)
}

/// What stands before an element of the array of a client stream.
fn before(count: u64) -> &'static str {
    if count == 0 { "[" } else { ",\n" }
}

/// What stands after the last one.
fn after(count: u64) -> &'static str {
    if count == 0 { "[]" } else { "]" }
}

/// The body of a client stream whose messages are known.
pub(crate) fn array(messages: &[DynMsg]) -> Result<String, String> {
    let mut text = String::new();
    for (message, count) in messages.iter().zip(0..) {
        text.push_str(before(count));
        text.push_str(&message.to_proto_json()?);
    }
    text.push_str(after(messages.len() as u64));
    Ok(text)
}

/// What all requests have: where to, and what is sent with every call.
pub(super) fn bare_head(shared: &Shared, method: Method, path: &str, http2: bool) -> Result<Request<()>, String> {
    let authority = match &shared.options.authority {
        Some(authority) => authority.clone(),
        None => shared.target.authority(),
    };
    let mut uri = Uri::builder().path_and_query(path);
    if http2 {
        let scheme = if shared.target.is_tls() { "https" } else { "http" };
        uri = uri.scheme(scheme).authority(authority.as_str());
    }
    let uri = uri.build().map_err(|error| format!("`{path}` is no path: {error}"))?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    if !http2 {
        let host = HeaderValue::from_str(&authority).map_err(|_| format!("`{authority}` is no host"))?;
        headers.insert(HOST, host);
    }
    common_headers(headers, &shared.options.metadata)?;
    Ok(request)
}

/// An error of HTTP as a code and a sentence.
pub(super) fn explain(error: &hyper::Error) -> (Code, String) {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    if error.is_parse() {
        return (Code::INTERNAL, format!("the target broke the rules of HTTP: {text}"));
    }
    if error.is_user() {
        return (Code::INTERNAL, format!("the call cannot be sent: {text}"));
    }
    (Code::UNAVAILABLE, format!("the connection was lost: {text}"))
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let (messages, count, ended) = match self.get_mut() {
            Outgoing::Whole(body) => return Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Outgoing::Array { ended: true, .. } => return Poll::Ready(None),
            Outgoing::Array { messages, count, ended } => (messages, count, ended),
        };
        let text = match ready!(messages.poll_recv(cx)) {
            Some(message) => {
                let before = before(*count);
                *count += 1;
                match message.to_proto_json() {
                    Ok(json) => format!("{before}{json}"),
                    Err(reason) => return Poll::Ready(Some(Err(io::Error::other(reason)))),
                }
            }
            None => {
                *ended = true;
                after(*count).to_owned()
            }
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(text)))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Outgoing::Whole(None) | Outgoing::Array { ended: true, .. })
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Outgoing::Array { .. } => SizeHint::default(),
        }
    }
}
