//! Whether what is recommended for steady rates bears traffic that rises. Pure.

use super::{Recommendation, Warning, replica};
use crate::{
    capacity::{
        prices::Prices,
        scaler::{Deployment, Limits, Reading, simulate},
        traffic::Profile,
    },
    numbers::percent,
};

/// A smaller share of lost requests is not worth a word.
const NOTHING: f64 = 1e-4;

/// A warning where the recommended limits lose requests under this traffic, by the documented reading, with the fewest replicas
/// that would lose none.
pub fn lost(told: &Recommendation, profile: &Profile, prices: &Prices) -> Option<Warning> {
    let limits = told.limits;
    let share = |min: u32| {
        let deployment = Deployment {
            limits: Limits { min, ..limits },
            reading: Reading::Rate,
            replica: replica(&told.measured, &told.ask),
            size: told.size,
        };
        let outcome = simulate(profile, &deployment, prices);
        if outcome.requests > 0.0 {
            outcome.failed / outcome.requests
        } else {
            0.0
        }
    };
    let as_set = share(limits.min);
    if as_set < NOTHING {
        return None;
    }
    let remedy = match fewest(limits, &share) {
        Some(min) => format!("raise min replicas to {min} before such traffic: then none is lost"),
        None => format!(
            "even {} replicas from the start lose {}: lift what binds max replicas, or let callers wait longer",
            limits.max,
            percent(share(limits.max))
        ),
    };
    Some(Warning {
        text: format!(
            "under the traffic that was simulated these limits lose {} of the requests: new replicas come too late",
            percent(as_set)
        ),
        remedy,
    })
}

/// By halves: with more replicas from the start no more is lost.
fn fewest(limits: Limits, share: &dyn Fn(u32) -> f64) -> Option<u32> {
    if share(limits.max) >= NOTHING {
        return None;
    }
    let (mut loses, mut bears) = (limits.min, limits.max);
    while bears - loses > 1 {
        let middle = loses + (bears - loses) / 2;
        if share(middle) < NOTHING {
            bears = middle;
        } else {
            loses = middle;
        }
    }
    Some(bears)
}
