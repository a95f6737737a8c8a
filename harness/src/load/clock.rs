//! How late a bare timed wait is on this machine: the part of a lateness that no generator can avoid.

use super::distribution::Distribution;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Waits that are enough for a p99 (ten beyond it), and the least for an answer.
const ENOUGH: u64 = 1_000;

/// The p99 of how late waits return, nanoseconds. This thread sleeps until each of `rate` evenly spaced instants a second, for
/// `duration`, and does nothing else; an instant that is past already counts with how long. Run it beside the load, on the
/// machine of the generator, at the rate of one of its threads. `None` where that makes fewer than 1,000 waits.
///
/// It is `std::thread::sleep`, which on Linux is `clock_nanosleep` on the monotonic clock.
pub fn bare_wait_p99(rate: f64, duration: Duration) -> Option<u64> {
    let waits = rate * duration.as_secs_f64();
    if !waits.is_finite() || waits < ENOUGH as f64 {
        return None;
    }
    let begin = Instant::now();
    let mut lateness = Distribution::default();
    for wait in 1..=waits as u64 {
        let due = Duration::from_secs_f64(wait as f64 / rate);
        thread::sleep(due.saturating_sub(begin.elapsed()));
        let late = begin.elapsed().saturating_sub(due);
        lateness.record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
    }
    lateness.at(&[0.99]).first().copied()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_late_and_not_by_much() {
        let begin = Instant::now();
        let late = bare_wait_p99(5_000.0, Duration::from_millis(400)).unwrap();
        // It kept its instants, however late each: the whole takes as long as asked.
        assert!(begin.elapsed() >= Duration::from_millis(400));
        // No wait ends early, and none takes longer than all of them on a machine that runs tests at all.
        assert!(late > 0 && late < 5_000_000_000, "{late}");
    }

    #[test]
    fn too_few_waits_say_nothing() {
        assert_eq!(bare_wait_p99(100.0, Duration::from_secs(1)), None);
        assert_eq!(bare_wait_p99(f64::NAN, Duration::from_secs(1)), None);
    }
}
