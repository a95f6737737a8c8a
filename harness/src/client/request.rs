//! The request side of a call: its head, and the task that sends its messages.

use super::Call;
use super::connection::Shared;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::header::{ACCEPT, CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use std::future::poll_fn;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

pub(crate) const AGENT: &str = concat!("stocktake/", env!("CARGO_PKG_VERSION"));

/// The head of the request, or what is wrong with the call.
pub(super) fn head(call: &Call, shared: &Shared) -> Result<Request<()>, String> {
    let authority = match &shared.options.authority {
        Some(authority) => authority.clone(),
        None => shared.target.authority(),
    };
    let uri = Uri::builder()
        .scheme(if shared.target.is_tls() { "https" } else { "http" })
        .authority(authority.as_str())
        .path_and_query(call.method.path())
        .build()
        .map_err(|e| format!("`{authority}{}` is no address of a method: {e}", call.method.path()))?;
    let headers = headers(call.deadline, shared.options.metadata.iter().chain(&call.metadata))?;
    let mut request = Request::new(());
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = http::Version::HTTP_2;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// The headers of a call over gRPC, metadata included.
pub(crate) fn headers<'m>(
    deadline: Duration,
    metadata: impl Iterator<Item = &'m (String, Vec<u8>)>,
) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("identity"));
    if let Ok(timeout) = HeaderValue::from_str(&timeout(deadline)) {
        headers.insert("grpc-timeout", timeout);
    }
    for (key, value) in metadata {
        add(&mut headers, key, value)?;
    }
    Ok(headers)
}

/// Says what is wrong with a piece of metadata, without repeating its value.
pub fn check_metadata(key: &str, value: &[u8]) -> Result<(), String> {
    add(&mut HeaderMap::new(), key, value)
}

/// Keys that the client sets itself are replaced, so that a scenario can send them wrong; others add up.
pub(crate) fn add(headers: &mut HeaderMap, key: &str, value: &[u8]) -> Result<(), String> {
    let name = HeaderName::from_bytes(key.as_bytes()).map_err(|_| format!("`{key}` is no metadata key"))?;
    let text;
    let value = match key.ends_with("-bin") {
        true => {
            text = STANDARD_NO_PAD.encode(value);
            text.as_bytes()
        }
        false => value,
    };
    // The value may be a secret: it is not repeated.
    let mut value = HeaderValue::from_bytes(value)
        .map_err(|_| format!("the value of the metadata `{key}` has control characters"))?;
    value.set_sensitive(name == http::header::AUTHORIZATION);
    let own = [ACCEPT, TE, CONTENT_TYPE, USER_AGENT].contains(&name) || name.as_str().starts_with("grpc-");
    if own {
        headers.insert(name, value);
    } else {
        headers.append(name, value);
    }
    Ok(())
}

/// `grpc-timeout`: at most eight digits and a unit, rounded up.
pub(super) fn timeout(deadline: Duration) -> String {
    let nanos = deadline.as_nanos();
    let units = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
    ];
    for (unit, letter) in units {
        let count = nanos.div_ceil(unit);
        if count <= 99_999_999 {
            return format!("{count}{letter}");
        }
    }
    format!("{}H", nanos.div_ceil(3_600_000_000_000).min(99_999_999))
}

/// Sends framed messages as the peer's windows allow, then half-closes. Ends early when the peer resets the stream; resets it
/// with CANCEL when the other end of `cancel` is dropped before.
pub(super) async fn pump(
    mut stream: SendStream<Bytes>,
    mut messages: mpsc::Receiver<Bytes>,
    cancel: oneshot::Receiver<std::convert::Infallible>,
) {
    let cancelled = {
        let work = send_all(&mut stream, &mut messages);
        tokio::select! {
            () = work => false,
            _ = cancel => true,
        }
    };
    if cancelled {
        stream.send_reset(Reason::CANCEL);
    }
}

async fn send_all(stream: &mut SendStream<Bytes>, messages: &mut mpsc::Receiver<Bytes>) {
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            _ = poll_fn(|cx| stream.poll_reset(cx)) => return,
        };
        let Some(message) = message else {
            // Fails only where the stream is over already.
            let _ = stream.send_data(Bytes::new(), true);
            return;
        };
        // The half-close rides on the last message where it is known by then.
        let last = messages.is_closed() && messages.is_empty();
        if send(stream, message, last).await.is_err() || last {
            return;
        }
    }
}

async fn send(stream: &mut SendStream<Bytes>, mut message: Bytes, last: bool) -> Result<(), h2::Error> {
    loop {
        stream.reserve_capacity(message.len());
        let capacity = match stream.capacity() {
            0 => match poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(capacity) => capacity?,
                // The stream takes no more data.
                None => return Err(Reason::STREAM_CLOSED.into()),
            },
            capacity => capacity,
        };
        let chunk = message.split_to(capacity.min(message.len()));
        stream.send_data(chunk, last && message.is_empty())?;
        if message.is_empty() {
            return Ok(());
        }
    }
}
