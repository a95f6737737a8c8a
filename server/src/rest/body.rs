//! Request bodies: whether they are JSON, and all of one within the limit.

use crate::{error, fault::Active, limits::Arriving};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::{Body as _, Frame};
use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status, codegen::StdError};

/// How much of a refused body is still read, in bytes, and for how long.
const DISCARDED: (usize, Duration) = (64 << 20, Duration::from_secs(2));

/// Whether a body of this type is read here: JSON in UTF-8, or no type at all, which is taken for JSON; and no coding.
pub fn is_json(headers: &HeaderMap, others: &[&str]) -> bool {
    let coded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return !coded;
    };
    let Ok(value) = value.to_str() else {
        return false;
    };
    let mut parts = value.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let known = std::iter::once(&"application/json").chain(others);
    !coded
        && known.into_iter().any(|known| essence.eq_ignore_ascii_case(known))
        && parts.all(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let utf8 = ["utf-8", "utf8", "us-ascii"].map(|name| value.trim_matches('"').eq_ignore_ascii_case(name));
            !name.eq_ignore_ascii_case("charset") || utf8.contains(&true)
        })
}

/// A body that comes in.
pub struct Upload {
    body: Arriving,
    /// Whether anybody asked for it; a client that sent `Expect: 100-continue` sends it only then.
    begun: bool,
    fault: Active,
}

impl Upload {
    /// This body; nothing of it is read yet.
    pub fn new(body: Arriving, fault: Active) -> Upload {
        Upload {
            body,
            begun: false,
            fault,
        }
    }

    /// The next piece; none at the end.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>> {
        self.begun = true;
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(frame) => frame,
                None => return Poll::Ready(None),
            };
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => return Poll::Ready(Some(Ok(data))),
                // Trailers.
                Ok(Err(_)) => {}
                Err(error) => return Poll::Ready(Some(Err(self.broken(error)))),
            }
        }
    }

    async fn piece(&mut self) -> Option<Result<Bytes, Status>> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    /// All of it.
    pub async fn whole(&mut self, limit: usize) -> Result<Bytes, Status> {
        let mut first = Bytes::new();
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await {
            let piece = piece?;
            if first.len().max(whole.len()) + piece.len() > limit {
                return Err(too_long(limit, self.fault));
            }
            if first.is_empty() {
                first = piece;
            } else {
                if whole.is_empty() {
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&piece);
            }
        }
        Ok(if whole.is_empty() { first } else { whole.freeze() })
    }

    /// Reads on and forgets, for a client of HTTP/1.1 that will read an answer only when it has sent everything, and would
    /// find a broken connection instead. One that waits to be asked has its answer already. Ends by the deadline of the call.
    pub async fn discard(mut self, headers: &HeaderMap, deadline: Option<Instant>) {
        if !self.begun && headers.contains_key(header::EXPECT) {
            return;
        }
        let all = async {
            let mut read = 0;
            while let Some(Ok(piece)) = self.piece().await {
                read += piece.len();
                if read > DISCARDED.0 {
                    break;
                }
            }
        };
        // What was not read by then is refused by closing the connection.
        let patience = Instant::now() + DISCARDED.1;
        let _ = timeout_at(deadline.map_or(patience, |deadline| deadline.min(patience)), all).await;
    }

    /// A body that does not come to its end, or not as HTTP frames one, or for which there is no room.
    fn broken(&self, error: StdError) -> Status {
        let error = match error.downcast::<Status>() {
            Ok(status) => return error::refused(status.code(), "NO_ROOM", status.message().to_owned(), self.fault),
            Err(error) => error,
        };
        tracing::debug!(%error, "a body broke off");
        let problem = "must be complete and framed as HTTP demands";
        let message = format!("the body of the request is broken: it {problem}");
        error::bad_field("BROKEN_BODY", "body", problem, message, self.fault)
    }
}

/// A message beyond the limit.
pub fn too_long(limit: usize, fault: Active) -> Status {
    let message = format!("the message is longer than the limit of {limit} bytes");
    error::refused(Code::ResourceExhausted, "MESSAGE_TOO_LONG", message, fault)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn json_is_told_by_its_type() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; profile=x", true),
            ("application/x-ndjson", true),
            ("application/json; charset=utf-16", false),
            ("application/json; charset", false),
            ("application/jsonp", false),
            ("application/x-www-form-urlencoded", false),
            ("text/plain", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_json(&headers, &["application/x-ndjson"]), json, "{value}");
        }
        let mut headers = HeaderMap::new();
        assert!(is_json(&headers, &[]));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
        assert!(is_json(&headers, &[]));
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(!is_json(&headers, &[]));
    }
}
