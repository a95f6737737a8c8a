//! How late a bare timed wait is on this machine: the part of a lateness that no generator can avoid.

use super::distribution::Distribution;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Waits that are enough for a p99 (ten beyond it), and the least for an answer.
const ENOUGH: u64 = 1_000;

/// The p99 of how late waits return, nanoseconds. This thread sleeps until each of these instants (nanoseconds from now on, never
/// decreasing) and does nothing else; an instant that is past already counts with how long. Run it beside the load, on the
/// machine of the generator, with a timetable like that of one of its threads: after a long pause a core wakes late, and of
/// two instants close together the second is late with the first, so a Poisson timetable is kept worse than an even one.
/// `None` for fewer than 1,000 instants.
///
/// It is `std::thread::sleep`, which on Linux is `clock_nanosleep` on the monotonic clock.
pub fn bare_wait_p99(instants: impl IntoIterator<Item = u64>) -> Option<u64> {
    let begin = Instant::now();
    let mut lateness = Distribution::default();
    let mut waits = 0;
    for due in instants.into_iter().map(Duration::from_nanos) {
        thread::sleep(due.saturating_sub(begin.elapsed()));
        let late = begin.elapsed().saturating_sub(due);
        lateness.record(u64::try_from(late.as_nanos()).unwrap_or(u64::MAX));
        waits += 1;
    }
    (waits >= ENOUGH)
        .then(|| lateness.at(&[0.99]).first().copied())
        .flatten()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_late_and_not_by_much() {
        let begin = Instant::now();
        let late = bare_wait_p99((1..=2_000).map(|wait| wait * 200_000)).unwrap();
        // It kept its instants, however late each: the whole takes as long as asked.
        assert!(begin.elapsed() >= Duration::from_millis(400));
        // No wait ends early, and none takes longer than all of them on a machine that runs tests at all.
        assert!(late > 0 && late < 5_000_000_000, "{late}");
    }

    #[test]
    fn too_few_waits_say_nothing() {
        assert_eq!(bare_wait_p99(1..=999), None);
        assert_eq!(bare_wait_p99([]), None);
    }
}
