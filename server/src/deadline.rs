//! Deadlines, decided here rather than by the transport: a call past its `grpc-timeout` ends DEADLINE_EXCEEDED, streams
//! included.

use crate::{
    error,
    fault::{Active, Fault},
};
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status, body::Body};

const HEADER: &str = "grpc-timeout";

/// When the call is over, by its `grpc-timeout`. A value that is not of the form of the gRPC over HTTP/2 protocol (one to
/// eight digits and one of H M S m u n) is INVALID_ARGUMENT: to ignore it would be to wait forever.
pub fn of_call(headers: &HeaderMap, active: Active) -> Result<Option<Instant>, Status> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    if active.is(Fault::DeadlineIgnored) {
        return Ok(None);
    }
    let problem = "must be one to eight digits and one of H, M, S, m, u, n";
    let mut timeout = parse(value.as_bytes()).ok_or_else(|| error::bad_metadata(HEADER, problem, active))?;
    if active.is(Fault::DeadlineMinutes) && value.as_bytes().ends_with(b"m") {
        timeout *= 60_000;
    }
    if active.is(Fault::DeadlineLate) {
        timeout += Duration::from_millis(1500);
    }
    // Beyond what the clock can express is no deadline.
    Ok(Instant::now().checked_add(timeout))
}

/// How a call past its deadline ends.
pub fn exceeded(active: Active) -> Status {
    let code = if active.is(Fault::DeadlineCancelled) {
        Code::Cancelled
    } else {
        Code::DeadlineExceeded
    };
    Status::new(code, "the deadline of this call has passed")
}

/// How a stream past its deadline ends.
pub fn stream_exceeded(active: Active) -> Status {
    if active.is(Fault::DeadlineOk) {
        Status::ok("")
    } else {
        exceeded(active)
    }
}

/// The answer, if it begins by the deadline of its caller and within the limit of the server; else how the call ends.
pub async fn within<F: Future>(
    deadline: Option<Instant>,
    limit: Duration,
    active: Active,
    answer: F,
) -> Result<F::Output, Status> {
    let limit = Instant::now() + limit;
    let first = deadline.map_or(limit, |deadline| deadline.min(limit));
    timeout_at(first, answer).await.map_err(|_| {
        if deadline.is_some_and(|deadline| deadline <= limit) {
            exceeded(active)
        } else {
            Status::deadline_exceeded("the call took longer than this server allows")
        }
    })
}

fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// The body of a streaming response that something else may end: a deadline, a shutdown.
pub struct Ending<F> {
    /// Gone once it was ended, so that what feeds it is freed at once.
    inner: Option<Body>,
    end: Pin<Box<F>>,
}

/// The last frame of a body, if it has one to say how it ended.
pub type Last = Option<Result<Frame<Bytes>, Status>>;

/// How gRPC says that a stream is over.
pub fn trailers(status: &Status) -> Last {
    let mut trailers = HeaderMap::new();
    Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
}

impl<F: Future<Output = Last> + Send> Ending<F> {
    /// The body, until `end` gives its last frame.
    pub fn new(inner: Body, end: F) -> Ending<F> {
        Ending {
            inner: Some(inner),
            end: Box::pin(end),
        }
    }
}

impl<F: Future<Output = Last> + Send> HttpBody for Ending<F> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(last) = this.end.as_mut().poll(context) {
            this.inner = None;
            return Poll::Ready(last);
        }
        Pin::new(inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (value, millis) in [
            ("1H", 3_600_000),
            ("2M", 120_000),
            ("3S", 3000),
            ("4m", 4),
            ("5000u", 5),
            ("6000000n", 6),
        ] {
            assert_eq!(parse(value.as_bytes()), Some(Duration::from_millis(millis)), "{value}");
        }
        assert_eq!(parse(b"99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
    }

    #[test]
    fn what_the_protocol_does_not_know_is_refused() {
        for value in ["", "1", "S", "123456789S", "-1S", "+1S", "1.5S", "1s", "1 S", "١S"] {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
    }
}
