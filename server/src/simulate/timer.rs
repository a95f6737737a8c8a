//! Waits that end when they should: tokio's timer counts whole milliseconds, and would make of a service time of 2 ms one
//! of 2 to 3.
//!
//! One thread sleeps until the first wait is over and wakes its task: on Linux some 60 µs late, and as much again until the
//! task runs where its worker slept, too. It does nothing while nobody waits, and a wait that begins is no work for it
//! unless it is the first to end: equal ones never are.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

/// Whoever waits, by the end of the wait and a number, which tells apart those that end together. A wait that is given up
/// leaves, so that there are never more than there are calls.
type Waiting = BTreeMap<(Instant, u64), Waker>;

/// The thread; it ends with this handle.
#[derive(Debug)]
pub struct Timer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// There is a wait that ends before all others, or no timer any more.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// Of the next wait.
    number: u64,
    closed: bool,
}

/// A wait; dropped, it is given up.
#[derive(Debug)]
pub struct Wait {
    shared: Arc<Shared>,
    until: Instant,
    /// Once it was polled.
    number: Option<u64>,
}

impl Timer {
    /// Starts the thread.
    pub fn start() -> io::Result<Timer> {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        thread::Builder::new()
            .name("timer".to_owned())
            .spawn(move || of_thread.run())?;
        Ok(Timer(shared))
    }

    /// Waits so long, from now on.
    pub fn wait(&self, duration: Duration) -> Wait {
        Wait {
            shared: self.0.clone(),
            until: Instant::now() + duration,
            number: None,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.state();
        while !state.closed {
            let now = Instant::now();
            let first = state.waiting.first_key_value().map(|((until, _), _)| *until);
            state = match first {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) if until > now => {
                    let waited = self.changed.wait_timeout(state, until - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let mut over = Vec::new();
                    while let Some(first) = state.waiting.first_entry().filter(|first| first.key().0 <= now) {
                        over.push(first.remove());
                    }
                    drop(state);
                    over.into_iter().for_each(Waker::wake);
                    self.state()
                }
            };
        }
        // Nobody is left waiting for a timer that is gone.
        let over = std::mem::take(&mut state.waiting);
        drop(state);
        over.into_values().for_each(Waker::wake);
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if Instant::now() >= this.until {
            return Poll::Ready(());
        }
        let mut state = this.shared.state();
        if state.closed {
            return Poll::Ready(());
        }
        let number = *this.number.get_or_insert_with(|| {
            state.number += 1;
            state.number
        });
        let key = (this.until, number);
        state.waiting.insert(key, context.waker().clone());
        let is_first = state.waiting.first_key_value().is_some_and(|(first, _)| *first == key);
        drop(state);
        if is_first {
            this.shared.changed.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.state().waiting.remove(&(self.until, number));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, future::join_all};

    #[tokio::test]
    async fn a_wait_is_never_too_short_and_mostly_late_by_less_than_half_a_millisecond() {
        const WAIT: Duration = Duration::from_micros(2250);
        let timer = Timer::start().unwrap();
        // A machine that has other things to do makes waits longer: one quiet moment in ten is enough. Tokio's own timer has none.
        let mut medians = Vec::new();
        for _ in 0..10 {
            let mut late = Vec::new();
            for _ in 0..61 {
                let start = Instant::now();
                timer.wait(WAIT).await;
                late.push(start.elapsed().checked_sub(WAIT).expect("it was too short"));
            }
            late.sort();
            medians.push(late[late.len() / 2]);
            if late[late.len() / 2] < Duration::from_micros(400) {
                return;
            }
        }
        panic!("late by {medians:?}");
    }

    #[tokio::test]
    async fn waits_run_side_by_side_and_a_shorter_one_ends_first() {
        let timer = Timer::start().unwrap();
        let start = Instant::now();
        let long = join_all((0..1000).map(|_| timer.wait(Duration::from_millis(300))));
        let short = async {
            timer.wait(Duration::from_millis(5)).await;
            start.elapsed()
        };
        let (_, short) = tokio::join!(long, short);
        let long = start.elapsed();
        assert!(short < long && long >= Duration::from_millis(300), "{short:?} {long:?}");
        assert!(long < Duration::from_secs(30), "one after the other: {long:?}");
        assert!(timer.0.state().waiting.is_empty());
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_leaves_nothing_behind() {
        let timer = Timer::start().unwrap();
        let hour = Duration::from_secs(3600);
        let mut waits: Vec<_> = (0..100).map(|_| timer.wait(hour)).collect();
        for wait in &mut waits {
            for _ in 0..2 {
                assert_eq!(wait.now_or_never(), None);
            }
        }
        assert_eq!(timer.0.state().waiting.len(), 100);
        waits.truncate(1);
        assert_eq!(timer.0.state().waiting.len(), 1);
        // With the timer goes its thread; nobody waits for it any more.
        drop(timer);
        for wait in waits {
            wait.await;
        }
    }
}
