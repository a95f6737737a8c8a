//! How far a load run is: what its driver tells whoever shows it, about once a second.

use super::leg::Leg;
use std::time::Duration;

/// A moment of a load run. Numbers are of the present round so far, warm-up left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Which combination of factors, from 1.
    pub cell: usize,
    /// Of how many.
    pub cells: usize,
    /// Which protocol variant is under way.
    pub leg: Leg,
    /// The name of its target, where the run has two.
    pub target: Option<String>,
    /// Which block of rounds, from 1; every side runs once in each.
    pub round: usize,
    /// Of how many.
    pub rounds: usize,
    /// Whether the round is still in its warm-up.
    pub warming: bool,
    /// Since the run began.
    pub elapsed: Duration,
    /// Until its end, by the schedule.
    pub left: Duration,
    /// Accepted ends a second.
    pub rate: Option<f64>,
    /// Median response time, nanoseconds.
    pub p50: Option<u64>,
    /// 99th percentile of the response time, nanoseconds.
    pub p99: Option<u64>,
    /// Requests that did not end as accepted.
    pub errors: u64,
}
