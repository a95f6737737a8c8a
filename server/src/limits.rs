//! What is bounded by number: connections, watches, bytes of requests that are still arriving.

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};
use tonic::{Status, codegen::StdError};

/// A number of places, and how many are taken.
#[derive(Debug)]
pub struct Places {
    taken: AtomicUsize,
    most: usize,
}

/// Places that are taken; they are free again when this is dropped.
#[derive(Debug)]
pub struct Taken {
    places: Arc<Places>,
    count: usize,
}

impl Places {
    /// So many places.
    pub fn new(most: usize) -> Arc<Places> {
        Arc::new(Places {
            taken: AtomicUsize::new(0),
            most,
        })
    }

    /// Takes one place, if one is free.
    pub fn take(self: &Arc<Self>) -> Option<Taken> {
        let mut taken = Taken::none(self);
        taken.more(1).then_some(taken)
    }

    /// How many places there are.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Taken {
    fn none(places: &Arc<Places>) -> Taken {
        Taken {
            places: places.clone(),
            count: 0,
        }
    }

    /// Takes so many more, if they are free.
    fn more(&mut self, count: usize) -> bool {
        let Places { taken, most } = &*self.places;
        let add = |taken: usize| taken.checked_add(count).filter(|sum| sum <= most);
        let added = taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        if added {
            self.count += count;
        }
        added
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.places.taken.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// A request whose bytes count against the memory that all requests share.
pub type Request = http::Request<Arriving>;

/// The body of such a request.
pub type Arriving = Metered<Incoming>;

/// A body whose bytes count against the memory that all requests share. A byte counts from its arrival
/// until the body is dropped, which is when its message was decoded; a body that carries many messages holds one at a
/// time, and never counts for more than the longest.
#[derive(Debug)]
pub struct Metered<B> {
    body: B,
    bytes: Taken,
    longest: usize,
}

impl<B> Metered<B> {
    /// This body, counting against `memory` for up to `longest` bytes.
    pub fn new(body: B, memory: &Arc<Places>, longest: usize) -> Metered<B> {
        Metered {
            body,
            bytes: Taken::none(memory),
            longest,
        }
    }
}

impl<B> HttpBody for Metered<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<StdError>,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = self.get_mut();
        let frame = match ready!(Pin::new(&mut this.body).poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => return Poll::Ready(None),
        };
        let arrived = frame.data_ref().map_or(0, Bytes::len);
        let counted = arrived.min(this.longest.saturating_sub(this.bytes.count));
        if counted > 0 && !this.bytes.more(counted) {
            let text = "the requests that are arriving fill the memory set aside for them: try again later";
            return Poll::Ready(Some(Err(Status::resource_exhausted(text).into())));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Full};

    #[test]
    fn places_are_taken_up_to_the_last_and_given_back() {
        let places = Places::new(2);
        let first = places.take().unwrap();
        let second = places.take().unwrap();
        assert!(places.take().is_none());
        drop(first);
        assert_eq!(places.taken(), 1);
        let third = places.take().unwrap();
        drop((second, third));
        assert_eq!(places.taken(), 0);
    }

    fn body(bytes: usize, memory: &Arc<Places>) -> Metered<Full<Bytes>> {
        Metered::new(Full::from(vec![0; bytes]), memory, 80)
    }

    #[tokio::test]
    async fn bytes_count_until_their_body_is_dropped_and_never_for_more_than_a_message() {
        let memory = Places::new(100);
        let mut first = body(60, &memory);
        assert!(first.frame().await.unwrap().is_ok());
        let refused = body(41, &memory).frame().await.unwrap().unwrap_err();
        assert_eq!(
            refused.downcast::<Status>().unwrap().code(),
            tonic::Code::ResourceExhausted
        );
        drop(first);
        let mut long = body(500, &memory);
        assert!(long.frame().await.unwrap().is_ok());
        assert_eq!(memory.taken(), 80);
        drop(long);
        assert_eq!(memory.taken(), 0);
    }
}
