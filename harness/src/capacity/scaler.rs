//! The HTTP scaler of Azure Container Apps, as its documentation tells it. Pure.
//!
//! From "Set scaling rules in Azure Container Apps" (learn.microsoft.com/azure/container-apps/scale-app), its section on HTTP rules
//! and its table "Scale behavior":
//!
//! - every 15 s: M = requests of the past 15 s / 15; desired = ceil(M / T), T the concurrency of the rule (10 where none is set);
//! - up at once (a window of 0 s), in steps of 1, 4 and then 100 % of what runs;
//! - down when all that was desired in the past 300 s is lower, then by 100 % of what is too many;
//! - the last replica goes when the last request is as long ago as the cooldown says, 300 s where none is set.
//!
//! Not in the documentation, and so not in here: a tolerance around T, replicas that the platform moves, quotas. How many
//! replicas truly run is "not a guarantee". Whether M counts arrivals, as the sentence says, or calls in flight, as the name
//! `concurrentRequests` says, is told apart by a run; see [`Reading`].

mod fleet;
mod simulation;

pub use fleet::Replica;
pub use simulation::{Deployment, Outcome, Point, simulate};

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Seconds between two looks at the metric, and seconds that it counts.
pub const METRIC_S: f64 = 15.0;

/// Seconds for which less must have been wanted before replicas go.
pub const SCALE_IN_S: f64 = 300.0;

/// Seconds from the last request to the end of the last replica, where nothing is set.
pub const COOLDOWN_S: u32 = 300;

/// The concurrency of an app without a scale rule.
pub const DEFAULT_CONCURRENCY: u32 = 10;

/// Replicas that a revision may have.
pub const MOST_REPLICAS: u32 = 1000;

/// How much of itself a quotient may lie above a whole number: 600 requests in 15 s are 40 a second, whatever a double says.
const ROUNDING: f64 = 1e-9;

/// What the scaler divides by the concurrency of its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// Requests a second, as documented.
    Rate,
    /// Calls in flight, as the name says.
    InFlight,
}

impl Reading {
    /// Both, the documented one first.
    pub const ALL: [Reading; 2] = [Reading::Rate, Reading::InFlight];

    /// `requests a second`, or `calls in flight`.
    pub fn words(self) -> &'static str {
        match self {
            Reading::Rate => "requests a second",
            Reading::InFlight => "calls in flight",
        }
    }
}

/// What is set for an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// `--min-replicas`.
    pub min: u32,
    /// `--max-replicas`.
    pub max: u32,
    /// `--scale-rule-http-concurrency`, above 0.
    pub concurrency: u32,
    /// `cooldownPeriod`, seconds. Below [`SCALE_IN_S`] it changes nothing, since that holds the last replica, too.
    pub cooldown_s: u32,
}

impl Limits {
    /// With the default cooldown.
    pub fn new(min: u32, max: u32, concurrency: u32) -> Limits {
        Limits {
            min,
            max,
            concurrency,
            cooldown_s: COOLDOWN_S,
        }
    }

    fn clamp(self, replicas: u32) -> u32 {
        replicas.max(self.min).min(self.max.max(self.min))
    }
}

/// Replicas that a metric asks for: ceil(M / T).
pub fn desired(metric: f64, concurrency: u32) -> u32 {
    let quotient = metric.max(0.0) / f64::from(concurrency.max(1));
    // The cast saturates, which is as good as any number above `max`.
    (quotient * (1.0 - ROUNDING)).ceil() as u32
}

/// Replicas that one look may lead to: the steps are 1, 4, then twice as many.
pub fn step_up(current: u32) -> u32 {
    match current {
        0 => 1,
        _ => current.saturating_mul(2).max(4),
    }
}

/// What decided a number of replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It is what the metric asks for.
    Metric,
    /// The metric asks for more; a step goes no further.
    Step,
    /// The metric asks for more than `max`.
    Max,
    /// The metric asks for less than `min`.
    Min,
    /// The metric asks for less, but did not for all of the past 300 s.
    Window,
    /// Nothing is asked for, but the last request is not yet as long ago as the cooldown says.
    Cooldown,
}

/// One look of the scaler.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Seconds from the begin.
    pub at: f64,
    /// M.
    pub metric: f64,
    /// ceil(M / T).
    pub desired: u32,
    /// Replicas before.
    pub before: u32,
    /// Replicas that are to run from now on.
    pub next: u32,
    /// What decided it.
    pub why: Why,
}

/// The scaler of one revision.
#[derive(Clone, Debug)]
pub struct Scaler {
    limits: Limits,
    current: u32,
    /// What was desired in the past 300 s, and when.
    wanted: VecDeque<(f64, u32)>,
    /// When there was a request.
    active: f64,
}

impl Scaler {
    /// At 0 s, with replicas that run, and that were wanted until then.
    pub fn new(limits: Limits, current: u32) -> Scaler {
        Scaler {
            limits,
            current,
            wanted: VecDeque::from([(0.0, current)]),
            active: 0.0,
        }
    }

    /// Replicas that are to run.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// Looks at a metric; `at` never goes back.
    pub fn look(&mut self, at: f64, metric: f64) -> Step {
        let before = self.current;
        let desired = desired(metric, self.limits.concurrency);
        if metric > 0.0 {
            self.active = at;
        }
        self.wanted.push_back((at, desired));
        while self.wanted.front().is_some_and(|(then, _)| *then < at - SCALE_IN_S) {
            self.wanted.pop_front();
        }
        let target = self.limits.clamp(desired);
        let (next, why) = if target > before {
            self.up(target, desired)
        } else {
            self.down(at, target, desired)
        };
        self.current = next;
        Step {
            at,
            metric,
            desired,
            before,
            next,
            why,
        }
    }

    fn up(&self, target: u32, desired: u32) -> (u32, Why) {
        // Below `min` the platform itself brings up what is missing; steps are for what the rule adds.
        let next = target.min(step_up(self.current).max(self.limits.min));
        let why = match next {
            _ if next < target => Why::Step,
            _ if desired < next => Why::Min,
            _ if desired > next => Why::Max,
            _ => Why::Metric,
        };
        (next, why)
    }

    fn down(&self, at: f64, target: u32, desired: u32) -> (u32, Why) {
        let highest = self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or(desired);
        let next = self.limits.clamp(highest).min(self.current);
        if next == 0 && self.current > 0 && at - self.active < f64::from(self.limits.cooldown_s) {
            return (1, Why::Cooldown);
        }
        let why = match next {
            _ if next > target => Why::Window,
            _ if desired > next => Why::Max,
            _ if desired < next => Why::Min,
            _ => Why::Metric,
        };
        (next, why)
    }
}

/// Where an app has no more replicas to add, by one reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saturation {
    /// What M is.
    pub reading: Reading,
    /// Above so many requests a second all replicas run.
    pub reaches: f64,
    /// Above so many more than `max` are asked for.
    pub exceeds: f64,
}

/// Where an app stands at its `max`. A call is in flight for `seconds`; by calls in flight there is no answer without it.
pub fn saturation(limits: Limits, reading: Reading, seconds: f64) -> Option<Saturation> {
    let of_one = match reading {
        Reading::Rate => f64::from(limits.concurrency),
        Reading::InFlight if seconds > 0.0 => f64::from(limits.concurrency) / seconds,
        Reading::InFlight => return None,
    };
    Some(Saturation {
        reading,
        reaches: f64::from(limits.max.saturating_sub(1)) * of_one,
        exceeds: f64::from(limits.max) * of_one,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
