//! The concurrency of the HTTP rule, by both readings. Pure.

use super::{Ground, Number, Subject};
use crate::numbers::rate;

pub(super) struct Rule {
    /// As documented.
    pub rate: u32,
    /// As the name reads; `None` where calls in flight were not measured.
    pub in_flight: Option<u32>,
    pub numbers: Vec<Number>,
}

/// Rounded down, but a rule has at least 1.
fn down(concurrency: f64) -> u32 {
    ((concurrency * (1.0 + 1e-9)).floor() as u32).max(1)
}

/// In words, where that is what a rule has.
fn least(concurrency: f64) -> &'static str {
    if concurrency < 1.0 { ", 1 at least" } else { "" }
}

/// For so many replicas at most: fewer carry no less each.
pub(super) fn rule(ground: &Ground<'_>, max: u32) -> Rule {
    let measured = ground.measured;
    let (low, high) = ground.rates();
    let share = ground.sharing().share(max);
    let planned = |rate: f64| down(ground.planned(rate) * share);
    let by_rate = planned(low);
    let skewed = match measured.skew {
        skew if skew > 1.0 => format!(" / {}", rate(skew)),
        _ => String::new(),
    };
    let shared = match share {
        1.0 => String::new(),
        share => format!(" x {}, since {max} replicas share something", rate(share)),
    };
    let mut numbers = vec![
        ground.number(
            Subject::ConcurrencyRate,
            f64::from(by_rate),
            (f64::from(by_rate), f64::from(planned(high))),
            [
                "what a replica sustains".to_owned(),
                format!(
                    "floor({} x {}{skewed}{shared}), in requests a second{}",
                    rate(ground.ask.headroom),
                    rate(low),
                    least(ground.planned(low) * share)
                ),
                "another objective, headroom or size of a replica; the calibration run, if it shows calls in flight"
                    .to_owned(),
            ],
        ),
    ];
    let known = measured.in_flight.is_finite() && measured.in_flight > 0.0;
    let in_flight = known.then(|| down(ground.planned(measured.in_flight)));
    if let Some(calls) = in_flight {
        // Beyond what passed calls in flight were not measured: with the rate they grow at least as it does.
        let beyond = down(ground.planned(measured.in_flight * high / low));
        numbers.push(ground.number(
            Subject::ConcurrencyInFlight,
            f64::from(calls),
            (f64::from(calls), f64::from(beyond)),
            [
                "calls in flight at what a replica sustains".to_owned(),
                format!(
                    "floor({} x {}{skewed}){}",
                    rate(ground.ask.headroom),
                    rate(measured.in_flight),
                    least(ground.planned(measured.in_flight))
                ),
                "another service time at the same rate; it counts only if the calibration run shows calls in flight".to_owned(),
            ],
        ));
    }
    Rule {
        rate: by_rate,
        in_flight,
        numbers,
    }
}
