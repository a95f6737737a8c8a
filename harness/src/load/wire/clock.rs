//! Time of a round, the timer that wakes for the next request, and the CPU time of this thread.

use std::time::{Duration, Instant};

/// Nanoseconds since a round began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(pub Instant);

impl Clock {
    pub fn now(self) -> u64 {
        nanos(self.0.elapsed())
    }
}

/// Whole nanoseconds; 584 years are enough.
pub(super) fn nanos(time: Duration) -> u64 {
    time.as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(time.subsec_nanos()))
}

/// User and system time of this thread.
#[cfg(target_os = "linux")]
pub(super) fn thread_cpu() -> (Duration, Duration) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let whole = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    match getrusage(UsageWho::RUSAGE_THREAD) {
        Ok(usage) => (
            whole(usage.user_time().num_microseconds()),
            whole(usage.system_time().num_microseconds()),
        ),
        Err(_) => (Duration::ZERO, Duration::ZERO),
    }
}

/// Other systems have no such call that is safe; there it is zero.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_cpu() -> (Duration, Duration) {
    (Duration::ZERO, Duration::ZERO)
}

/// Wakes the event loop at an instant. The wait of epoll has milliseconds only, and the kernel adds slack to others; a timerfd
/// has neither, and nothing spins.
#[cfg(target_os = "linux")]
pub(super) struct Timer {
    timer: nix::sys::timerfd::TimerFd,
    /// For which instant it is set; 0: for none.
    armed: u64,
}

#[cfg(target_os = "linux")]
impl Timer {
    pub fn new(registry: &mio::Registry, token: mio::Token) -> std::io::Result<Timer> {
        use nix::sys::timerfd::{ClockId, TimerFd, TimerFlags};
        use std::os::fd::{AsFd, AsRawFd};
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let raw = timer.as_fd().as_raw_fd();
        registry.register(&mut mio::unix::SourceFd(&raw), token, mio::Interest::READABLE)?;
        Ok(Timer { timer, armed: 0 })
    }

    /// Instants have another zero from now on.
    pub fn forget(&mut self) {
        self.armed = 0;
    }

    /// How long to wait at most for `at`: the timer does the fine part. It is set where `at` lies behind `most`, too: the wait of
    /// epoll is rounded up to whole milliseconds, and so may end behind `at`.
    pub fn wait(&mut self, at: u64, now: u64, most: Duration) -> std::io::Result<Duration> {
        use nix::sys::time::{TimeSpec, TimeValLike};
        use nix::sys::timerfd::{Expiration, TimerSetTimeFlags};
        let left = at.saturating_sub(now);
        // An event of a connection may have woken us before it: then it is still set.
        if self.armed != at {
            let left = TimeSpec::nanoseconds(i64::try_from(left.max(1)).unwrap_or(i64::MAX));
            self.timer.set(Expiration::OneShot(left), TimerSetTimeFlags::empty())?;
            self.armed = at;
        }
        Ok(most)
    }
}

/// Elsewhere the wait itself is fine enough.
#[cfg(not(target_os = "linux"))]
pub(super) struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    pub fn new(_: &mio::Registry, _: mio::Token) -> std::io::Result<Timer> {
        Ok(Timer)
    }

    pub fn forget(&mut self) {}

    pub fn wait(&mut self, at: u64, now: u64, most: Duration) -> std::io::Result<Duration> {
        Ok(Duration::from_nanos(at.saturating_sub(now)).min(most))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The shortest of many waits for an instant so many nanoseconds away, no longer than `most` at a time.
    fn shortest(away: u64, most: Duration) -> u64 {
        let mut poll = mio::Poll::new().unwrap();
        let mut events = mio::Events::with_capacity(1);
        let mut timer = Timer::new(poll.registry(), mio::Token(7)).unwrap();
        let clock = Clock(Instant::now());
        let waits = (0..20).map(|_| {
            let begin = clock.now();
            let at = begin + away;
            while clock.now() < at {
                let most = timer.wait(at, clock.now(), most).unwrap();
                poll.poll(&mut events, Some(most)).unwrap();
            }
            clock.now() - begin
        });
        waits.min().unwrap()
    }

    #[test]
    fn the_timer_wakes_between_milliseconds() {
        let shortest = shortest(300_000, Duration::from_secs(5));
        // A wait in whole milliseconds would take one at least, each time.
        assert!((300_000..1_000_000).contains(&shortest), "{shortest} ns");
    }

    #[test]
    fn an_instant_right_behind_the_longest_wait_is_kept() {
        let shortest = shortest(1_150_000, Duration::from_micros(1_100));
        // The longest wait alone, in whole milliseconds, would take two.
        assert!((1_150_000..1_900_000).contains(&shortest), "{shortest} ns");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_costs_cpu_time() {
        let before = thread_cpu();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(30) {}
        let after = thread_cpu();
        assert!(after.0 + after.1 > before.0 + before.1);
    }
}
