//! A service that is far away: each answer comes later by a fixed time, and no throughput is lost.

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};
use tonic::{Status, body::Body};

/// How many frames may be under way; beyond it the source waits.
const UNDER_WAY: usize = 1024;

/// A streaming body whose frames each arrive later.
pub struct Delayed {
    inner: Body,
    delay: Duration,
    finished: bool,
    under_way: VecDeque<(Instant, Result<Frame<Bytes>, Status>)>,
    timer: Pin<Box<Sleep>>,
}

impl Delayed {
    /// This body, later.
    pub fn new(inner: Body, delay: Duration) -> Delayed {
        Delayed {
            inner,
            delay,
            finished: false,
            under_way: VecDeque::new(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        }
    }
}

impl HttpBody for Delayed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        while !this.finished && this.under_way.len() < UNDER_WAY {
            match Pin::new(&mut this.inner).poll_frame(context) {
                Poll::Ready(Some(frame)) => this.under_way.push_back((Instant::now() + this.delay, frame)),
                Poll::Ready(None) => this.finished = true,
                Poll::Pending => break,
            }
        }
        let Some((due, _)) = this.under_way.front() else {
            return if this.finished {
                Poll::Ready(None)
            } else {
                Poll::Pending
            };
        };
        if this.timer.deadline() != *due {
            this.timer.as_mut().reset(*due);
        }
        ready!(this.timer.as_mut().poll(context));
        Poll::Ready(this.under_way.pop_front().map(|(_, frame)| frame))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};

    #[tokio::test(start_paused = true)]
    async fn frames_arrive_later_and_at_their_own_pace() {
        let frames = stream::iter(["a", "b", "c"]).map(|text| Ok::<_, Status>(Frame::data(Bytes::from(text))));
        let mut body = Delayed::new(Body::new(StreamBody::new(frames)), Duration::from_millis(300));
        let start = Instant::now();
        let mut seen = Vec::new();
        while let Some(frame) = body.frame().await {
            seen.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(seen, ["a", "b", "c"]);
        // All were ready at once: they share the delay, and none waits for the one before.
        assert_eq!(start.elapsed().as_millis() / 10, 30);
    }
}
