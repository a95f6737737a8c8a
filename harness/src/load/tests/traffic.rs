//! Schedules: evenly spaced or Poisson, along ramps, split over threads, and the same again for the same seed.

use crate::load::pacer::{Kind, Schedule, Share, Stage, wanted};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The instants of all threads, in order.
fn together(kind: Kind, stages: &[Stage], seed: u64, threads: usize) -> Vec<u64> {
    let share = |index| Share { index, of: threads };
    let mut all: Vec<u64> = (0..threads)
        .flat_map(|index| Schedule::new(kind, stages, seed, share(index)))
        .collect();
    all.sort_unstable();
    all
}

fn gaps(instants: &[u64]) -> Vec<f64> {
    let mut last = 0;
    let gap = |instant: &u64| {
        let gap = instant - last;
        last = *instant;
        gap as f64 / SECOND as f64
    };
    instants.iter().map(gap).collect()
}

/// The Kolmogorov-Smirnov distance of gaps from the exponential distribution of a rate, times the root of their number.
fn distance(mut gaps: Vec<f64>, rate: f64) -> f64 {
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let mut most: f64 = 0.0;
    for (below, gap) in gaps.iter().enumerate() {
        let wanted = 1.0 - (-rate * gap).exp();
        most = most
            .max(wanted - below as f64 / n)
            .max((below as f64 + 1.0) / n - wanted);
    }
    most * n.sqrt()
}

/// The distance that one of a thousand truly exponential samples exceeds (Kolmogorov's distribution at 0.999).
const CRITICAL: f64 = 1.95;

#[test]
fn poisson_gaps_are_exponential_in_each_thread_and_in_all_together() {
    let stages = [Stage::level(2_000.0, seconds(10.0))];
    for seed in 0..10 {
        for index in 0..4 {
            let thread: Vec<u64> = Schedule::new(Kind::Poisson, &stages, seed, Share { index, of: 4 }).collect();
            let distance = distance(gaps(&thread), 500.0);
            assert!(distance < CRITICAL, "seed {seed}, thread {index}: {distance}");
        }
        let all = together(Kind::Poisson, &stages, seed, 4);
        let far = distance(gaps(&all), 2_000.0);
        assert!(far < CRITICAL, "seed {seed}: {far}");
        // The test can tell: a rate that is 10 % off, and even spacing, are no such sample.
        assert!(distance(gaps(&all), 2_200.0) > CRITICAL);
    }
    let even = together(Kind::Constant, &stages, 0, 4);
    assert!(distance(gaps(&even), 2_000.0) > 10.0 * CRITICAL);
}

/// Variance over mean of the sends in windows of 50 ms: 1 for Poisson, and 0 for even spacing.
fn dispersion(instants: &[u64], windows: usize) -> f64 {
    let mut counts = vec![0.0; windows];
    for instant in instants {
        counts[(instant / (SECOND / 20)) as usize] += 1.0;
    }
    let mean = counts.iter().sum::<f64>() / windows as f64;
    let variance = counts.iter().map(|n| (n - mean) * (n - mean)).sum::<f64>() / (windows - 1) as f64;
    variance / mean
}

#[test]
fn sends_in_windows_scatter_as_poisson_does() {
    let stages = [Stage::level(1_000.0, seconds(20.0))];
    for seed in 0..10 {
        for threads in [1, 3] {
            // With 400 windows the index of dispersion has a standard deviation of sqrt(2 / 399), 0.07: four of them.
            let found = dispersion(&together(Kind::Poisson, &stages, seed, threads), 400);
            assert!((found - 1.0).abs() < 0.283, "seed {seed}, {threads} threads: {found}");
        }
    }
    assert!(dispersion(&together(Kind::Constant, &stages, 0, 3), 400) < 0.01);
}

#[test]
fn threads_together_are_evenly_spaced() {
    let stages = [Stage::level(500.0, seconds(4.0))];
    for threads in [1, 2, 3, 7] {
        let all = together(Kind::Constant, &stages, 0, threads);
        assert_eq!(all.len(), 2_000);
        let even = |(n, instant): (usize, &u64)| *instant == (2 * n as u64 + 1) * SECOND / 1_000;
        assert!(all.iter().enumerate().all(even), "{threads} threads");
    }
}

#[test]
fn ramps_and_levels_follow_their_rate() {
    // 0 to 1,000 a second in 4 s, a level, a pause, and down again: 2,000 + 3,000 + 0 + 1,100 requests.
    let stages = [
        Stage {
            from: 0.0,
            to: 1_000.0,
            duration: seconds(4.0),
        },
        Stage::level(1_000.0, seconds(3.0)),
        Stage::level(0.0, seconds(2.0)),
        Stage {
            from: 1_000.0,
            to: 100.0,
            duration: seconds(2.0),
        },
    ];
    assert_eq!(wanted(&stages), 6_100.0);
    // The requests that are wanted until each second, by hand.
    let until = [
        125.0, 500.0, 1_125.0, 2_000.0, 3_000.0, 4_000.0, 5_000.0, 5_000.0, 5_000.0, 5_775.0, 6_100.0,
    ];
    for threads in [1, 3] {
        for kind in [Kind::Constant, Kind::Poisson] {
            let all = together(kind, &stages, 5, threads);
            for (second, wanted) in (1..).zip(until) {
                let sent = all.partition_point(|instant| *instant < second * SECOND) as f64;
                // Four standard deviations of a Poisson count; even spacing is off by rounding alone.
                let allowed = if kind == Kind::Poisson {
                    4.0 * f64::sqrt(wanted)
                } else {
                    1.0
                };
                assert!(
                    (sent - wanted).abs() <= allowed,
                    "{kind:?}, second {second}: {sent}, not {wanted}"
                );
            }
            assert!(
                all.iter().all(|instant| !(7 * SECOND..9 * SECOND).contains(instant)),
                "{kind:?} sends in the pause"
            );
            assert!(
                all.iter().all(|instant| *instant < 11 * SECOND),
                "{kind:?} sends after the end"
            );
        }
    }
}

#[test]
fn instants_of_a_thread_never_go_back() {
    let stages = [
        Stage {
            from: 3e6,
            to: 0.0,
            duration: seconds(0.1),
        },
        Stage {
            from: 0.0,
            to: 3e6,
            duration: seconds(0.1),
        },
        Stage::level(2e6, seconds(0.1)),
    ];
    for kind in [Kind::Constant, Kind::Poisson] {
        let all: Vec<u64> = Schedule::new(kind, &stages, 9, Share { index: 1, of: 2 }).collect();
        assert!(all.is_sorted(), "{kind:?}");
        assert!((245_000..255_000).contains(&all.len()), "{}", all.len());
    }
}

#[test]
fn rates_at_the_edges_are_taken_as_they_are() {
    let count = |stages: &[Stage]| Schedule::new(Kind::Constant, stages, 0, Share::WHOLE).count();
    assert_eq!(count(&[]), 0);
    assert_eq!(count(&[Stage::level(0.0, seconds(3_600.0))]), 0);
    assert_eq!(count(&[Stage::level(1_000.0, Duration::ZERO)]), 0);
    assert_eq!(
        count(&[Stage::level(f64::NAN, seconds(1.0)), Stage::level(-5.0, seconds(1.0))]),
        0
    );
    // One an hour, for a day; and many, for a moment.
    assert_eq!(count(&[Stage::level(1.0 / 3_600.0, seconds(86_400.0))]), 24);
    assert_eq!(count(&[Stage::level(1e9, seconds(0.001))]), 1_000_000);
    // More threads than requests: each request is sent once.
    let stages = [Stage::level(3.0, seconds(1.0))];
    assert_eq!(together(Kind::Constant, &stages, 0, 16).len(), 3);
    let nobody = Schedule::new(Kind::Constant, &stages, 0, Share { index: 0, of: 0 });
    assert_eq!(nobody.count(), 3);
}

#[test]
fn the_same_seed_is_the_same_traffic_and_another_is_not() {
    let stages = [
        Stage {
            from: 10.0,
            to: 2_000.0,
            duration: seconds(2.0),
        },
        Stage::level(2_000.0, seconds(1.0)),
    ];
    let of =
        |seed, index| -> Vec<u64> { Schedule::new(Kind::Poisson, &stages, seed, Share { index, of: 2 }).collect() };
    assert_eq!(of(42, 0), of(42, 0));
    assert_ne!(of(42, 0), of(43, 0));
    assert_ne!(of(42, 0), of(42, 1));
    // Pinned, so that a later version that would send other traffic for a stored seed is noticed. To the microsecond: the last
    // bit of a logarithm is the system's.
    let first: Vec<u64> = of(42, 0).iter().take(5).map(|instant| instant / 1_000).collect();
    assert_eq!(first, [24_961, 48_344, 56_784, 84_318, 90_713]);
}
