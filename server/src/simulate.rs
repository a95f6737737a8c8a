//! Conditions that are no fault, on both protocols: a service that is far away, one that takes its time, one that stalls, one that
//! serves few calls at once.
//! Waiting takes no thread and no core, so that no throughput is lost.

mod timer;

use crate::{
    config::{Capacity, Simulate, Stall},
    method::Method,
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use timer::Timer;
use tokio::{
    sync::Semaphore,
    time::{Instant, Sleep, sleep},
};
use tonic::{Status, body::Body};

/// How many frames may be under way; beyond it the source waits.
const UNDER_WAY: usize = 1024;

/// What a server has to put up with.
#[derive(Debug)]
pub struct Conditions {
    delay: Duration,
    /// How long a unary call takes besides, and who keeps that time.
    slow: Option<(Duration, Timer)>,
    stall: Option<Stall>,
    queue: Option<Queue>,
    start: Instant,
}

/// One line in front of a few workers.
#[derive(Debug)]
struct Queue {
    /// Its places are given in the order in which they were asked for; who gives up leaves the line.
    workers: Semaphore,
    service: Duration,
    timer: Timer,
}

impl Queue {
    fn start(capacity: Capacity) -> io::Result<Queue> {
        Ok(Queue {
            workers: Semaphore::new(capacity.workers.clamp(1, Semaphore::MAX_PERMITS)),
            service: capacity.service,
            timer: Timer::start()?,
        })
    }

    async fn serve(&self) {
        // It is never closed, so there always is a permit in the end.
        let _worker = self.workers.acquire().await;
        self.timer.wait(self.service).await;
    }
}

impl Conditions {
    /// From now on. Fails where the system gives no thread.
    pub fn start(simulate: &Simulate) -> io::Result<Conditions> {
        let slow = match simulate.slow {
            Duration::ZERO => None,
            slow => Some((slow, Timer::start()?)),
        };
        Ok(Conditions {
            delay: simulate.delay,
            slow,
            stall: simulate.stall,
            queue: simulate.capacity.map(Queue::start).transpose()?,
            start: Instant::now(),
        })
    }

    /// The answer of a call to this method, under these conditions.
    pub async fn answer<F: Future>(&self, method: Method, answer: F) -> F::Output {
        // Boxed, so that a call under no conditions does not pay for their size.
        if self.slow.is_some() || self.stall.is_some() || self.queue.is_some() {
            Box::pin(self.before(method)).await;
        }
        let answer = answer.await;
        if self.stall.is_some() || !self.delay.is_zero() {
            Box::pin(self.after()).await;
        }
        answer
    }

    async fn before(&self, method: Method) {
        if let Some(queue) = &self.queue
            && method.is_unary()
        {
            queue.serve().await;
        }
        if let Some((slow, timer)) = &self.slow
            && method.is_unary()
        {
            timer.wait(*slow).await;
        }
        // In a stall nothing is handled either, or the watches would tell of it.
        self.stall_over().await;
    }

    async fn after(&self) {
        self.stall_over().await;
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
    }

    /// Waits for the end of the stall, in one.
    async fn stall_over(&self) {
        let left = self.stall.and_then(|stall| stall.left(self.start.elapsed()));
        if let Some(left) = left {
            sleep(left).await;
        }
    }

    /// The body of a stream, under these conditions.
    pub fn stream(&self, body: Body) -> Body {
        if self.delay.is_zero() {
            body
        } else {
            Body::new(Delayed::new(body, self.delay))
        }
    }
}

impl Stall {
    /// How long the stall still lasts in which the service is, so long after its start.
    fn left(self, since_start: Duration) -> Option<Duration> {
        // A service begins well: the first stall comes when its time has passed once.
        if since_start < self.every {
            return None;
        }
        let into = since_start.as_nanos().checked_rem(self.every.as_nanos())?;
        let left = self.length.as_nanos().checked_sub(into).filter(|left| *left > 0)?;
        u64::try_from(left).ok().map(Duration::from_nanos)
    }
}

/// A streaming body whose frames each arrive later.
struct Delayed {
    inner: Body,
    delay: Duration,
    finished: bool,
    under_way: VecDeque<(Instant, Result<Frame<Bytes>, Status>)>,
    timer: Pin<Box<Sleep>>,
}

impl Delayed {
    /// This body, later.
    fn new(inner: Body, delay: Duration) -> Delayed {
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

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Conditions that begin now, and when a call comes and how long it is handled; when it was answered. In milliseconds.
    async fn answered(simulate: &Simulate, method: Method, comes: u64, handled: u64) -> u128 {
        let conditions = Conditions::start(simulate).unwrap();
        sleep(ms(comes)).await;
        conditions.answer(method, async { sleep(ms(handled)).await }).await;
        conditions.start.elapsed().as_millis()
    }

    fn stalling() -> Simulate {
        Simulate {
            stall: Some(Stall {
                length: ms(1000),
                every: ms(10_000),
            }),
            ..Simulate::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_in_a_stall_is_answered_at_its_end() {
        let delayed = Simulate {
            delay: ms(300),
            ..stalling()
        };
        for (simulate, comes, handled, at) in [
            (stalling(), 0, 0, 0),
            (stalling(), 9_990, 0, 9_990),
            (stalling(), 10_000, 0, 11_000),
            (stalling(), 10_400, 0, 11_000),
            (stalling(), 10_990, 0, 11_000),
            (stalling(), 11_000, 0, 11_000),
            (stalling(), 19_990, 0, 19_990),
            (stalling(), 30_500, 0, 31_000),
            // It comes before the stall and is not done by then; and it comes in one and is handled behind it.
            (stalling(), 9_900, 200, 11_000),
            (stalling(), 10_900, 200, 11_200),
            // Distance comes on top.
            (delayed, 10_400, 0, 11_300),
            (delayed, 500, 0, 800),
        ] {
            for method in [Method::GetProduct, Method::WatchStockChanges, Method::Docs] {
                let found = answered(&simulate, method, comes, handled).await;
                // Tokio counts whole milliseconds.
                assert!(found.abs_diff(at) <= 3, "{method:?} {simulate:?} {comes}: {found}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_handled_in_a_stall() {
        let conditions = Conditions::start(&stalling()).unwrap();
        sleep(ms(10_400)).await;
        let handled = async { conditions.start.elapsed() };
        let at = conditions.answer(Method::UpdateStock, handled).await;
        assert!(at >= ms(11_000), "{at:?}");
    }

    #[test]
    fn a_stall_without_a_period_never_comes() {
        let (length, every) = (ms(1000), Duration::ZERO);
        assert_eq!(Stall { length, every }.left(ms(500)), None);
    }

    #[tokio::test]
    async fn unary_calls_alone_are_slow_and_all_at_once() {
        let slow = ms(50);
        let conditions = Conditions::start(&Simulate {
            slow,
            ..Simulate::default()
        })
        .unwrap();
        let start = Instant::now();
        let calls = (0..1000).map(|_| conditions.answer(Method::GetProduct, async {}));
        futures_util::future::join_all(calls).await;
        assert!(start.elapsed() >= slow);
        assert!(
            start.elapsed() < 100 * slow,
            "one after the other: {:?}",
            start.elapsed()
        );

        let forever = Conditions::start(&Simulate {
            slow: ms(3_600_000),
            ..Simulate::default()
        })
        .unwrap();
        for method in Method::ALL.into_iter().filter(|method| !method.is_unary()) {
            forever.answer(method, async {}).await;
        }
    }

    fn served(workers: usize, service: Duration) -> Simulate {
        Simulate {
            capacity: Some(Capacity { workers, service }),
            ..Simulate::default()
        }
    }

    #[tokio::test]
    async fn a_queue_serves_so_many_at_once_in_the_order_of_their_coming() {
        let service = ms(20);
        let conditions = Conditions::start(&served(2, service)).unwrap();
        let start = Instant::now();
        let calls = (0..6).map(|call| {
            let conditions = &conditions;
            async move {
                conditions.answer(Method::GetProduct, async {}).await;
                (call, start.elapsed())
            }
        });
        let mut done = futures_util::future::join_all(calls).await;
        done.sort_by_key(|(_, at)| *at);
        // Two are served at once: who comes later is done later, by whole service times.
        for (place, (call, at)) in done.iter().enumerate() {
            assert_eq!(call / 2, place / 2, "{done:?}");
            assert!(*at >= service * (u32::try_from(place).unwrap() / 2 + 1), "{done:?}");
        }
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_line_and_streams_never_stand_in_it() {
        let conditions = Conditions::start(&served(1, ms(3_600_000))).unwrap();
        let mut first = Box::pin(conditions.answer(Method::GetProduct, async {}));
        let mut second = Box::pin(conditions.answer(Method::GetProduct, async {}));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        for method in Method::ALL.into_iter().filter(|method| !method.is_unary()) {
            conditions.answer(method, async {}).await;
        }
        let queue = conditions.queue.as_ref().unwrap();
        assert_eq!(queue.workers.available_permits(), 0);
        drop((first, second));
        assert_eq!(queue.workers.available_permits(), 1);
    }
}
