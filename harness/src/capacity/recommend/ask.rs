//! What is asked for: traffic to bear, and what bounds the deployment. Pure.

use super::{RecommendError, size};
use crate::capacity::{prices::Size, scaler::Limits};
use serde::{Deserialize, Serialize};

/// What the deployment has to bear, and what bounds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The highest rate to expect, requests a second.
    pub peak: f64,
    /// The rate of quiet hours.
    pub base: Option<f64>,
    /// How much above those two a rate may jump: at least 1.
    pub burst: f64,
    /// The share of what a replica sustains that is planned with: 0.6 to 0.7 is usual.
    pub headroom: f64,
    /// Seconds that a caller waits in a burst, at most.
    pub patience_s: f64,
    /// Streams open at once, at most.
    pub streams: Option<u64>,
    /// Replicas without which nothing is redundant: 1 for none to spare, 2, or 3 for three zones.
    pub at_least: u32,
    /// Whether a replica keeps in memory what another one would have to know.
    pub in_memory: bool,
    /// Revisions that run beside each other while traffic moves: 1 or 2.
    pub revisions: u32,
    /// What the measured replica had, where it was limited.
    pub size: Option<Size>,
    /// What others bound.
    pub bounds: Bounds,
    /// What is set now.
    pub current: Option<Current>,
}

impl Default for Ask {
    fn default() -> Ask {
        Ask {
            peak: 0.0,
            base: None,
            burst: 1.0,
            headroom: 0.65,
            patience_s: 1.0,
            streams: None,
            at_least: 2,
            in_memory: false,
            revisions: 1,
            size: None,
            bounds: Bounds::default(),
            current: None,
        }
    }
}

/// What others bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Of the database.
    pub connections: Option<Connections>,
    /// vCPU of the quota that are left for this app.
    pub cores: Option<f64>,
    /// A month of compute at the most replicas, in the currency of the prices.
    pub budget: Option<f64>,
}

/// Connections of a database.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connections {
    /// `max_connections`.
    pub most: u32,
    /// Kept for others.
    pub reserved: u32,
    /// The pool of a replica.
    pub pool: u32,
}

/// What is set now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Current {
    /// Replicas and the rule; an app without a rule has [`DEFAULT_CONCURRENCY`](crate::capacity::scaler::DEFAULT_CONCURRENCY).
    pub limits: Limits,
    /// Of a replica.
    pub size: Option<Size>,
}

/// Whether what is asked for makes sense.
pub(super) fn sound(ask: &Ask) -> Result<(), RecommendError> {
    let wrong = |text: &str, help: &str| {
        Err(RecommendError::Wrong {
            text: text.to_owned(),
            help: help.to_owned(),
        })
    };
    let positive = |value: f64| value.is_finite() && value > 0.0;
    if !positive(ask.peak) {
        return wrong(
            "there is no peak rate",
            "say what the deployment has to bear, in requests a second",
        );
    }
    if ask
        .base
        .is_some_and(|base| !base.is_finite() || base < 0.0 || base > ask.peak)
    {
        return wrong(
            "the base rate is not between 0 and the peak",
            "give the rate of quiet hours",
        );
    }
    if !(ask.burst.is_finite() && ask.burst >= 1.0) {
        return wrong(
            "the burst factor is below 1",
            "give 1 for none, or how many times the rate it jumps to",
        );
    }
    if !(ask.headroom.is_finite() && ask.headroom > 0.0 && ask.headroom <= 1.0) {
        return wrong(
            "the headroom is not above 0 and at most 1",
            "give the share to plan with, such as 0.65",
        );
    }
    if !positive(ask.patience_s) {
        return wrong(
            "callers have no patience at all",
            "give the seconds that they wait, above 0",
        );
    }
    if ask.at_least == 0 || ask.revisions == 0 {
        return wrong("there are no replicas or no revisions", "give at least 1 of each");
    }
    if ask
        .size
        .is_some_and(|size| !positive(size.cpu) || !positive(size.memory))
    {
        return wrong(
            "the size of a replica is nothing",
            "give its vCPU and its GiB, such as 0.5 and 1",
        );
    }
    if ask
        .size
        .is_some_and(|size| size.cpu > size::LARGEST || size.memory > 2.0 * size::LARGEST)
    {
        let text = "no replica of the Consumption plan is that large";
        return wrong(text, "measure a replica of at most 4 vCPU and 8 GiB");
    }
    if ask.bounds.connections.is_some_and(|connections| connections.pool == 0) {
        return wrong(
            "the pool of a replica has no connection",
            "give its connections, at least 1",
        );
    }
    Ok(())
}
