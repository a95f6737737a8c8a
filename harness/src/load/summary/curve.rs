//! Distributions, as far as they may be shown.

use crate::load::{
    distribution::Distribution,
    record::{CurveRecord, OperationRecord},
    recorder::Tally,
    sample::Outcome,
};
use hdrhistogram::{Counter, Histogram};
use std::collections::BTreeMap;

/// The percentiles that reports name.
pub const LADDER: [f64; 8] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999];

/// Samples that have to lie beyond a percentile. With ten of them its relative standard error (in ranks) is about 1 / sqrt(10):
/// less, and the number is that of a few requests.
const BEYOND: f64 = 10.0;

/// Points between two halvings of the distance to 100 %, as in the distributions of HdrHistogram.
const TICKS: u32 = 5;

/// Whether so many samples can show a percentile (0 to 1).
pub fn may_show(count: u64, percentile: f64) -> bool {
    // 100 samples show p90, though 1 - 0.9 is a little less than 0.1 in binary.
    count as f64 * (1.0 - percentile) >= BEYOND - 1e-6
}

/// The largest percentile of the ladder that so many samples can show.
pub fn deepest(count: u64) -> Option<f64> {
    LADDER.into_iter().rev().find(|percentile| may_show(count, *percentile))
}

/// The value of a percentile, where there are enough samples.
pub fn shown<T: Counter>(histogram: &Histogram<T>, percentile: f64) -> Option<u64> {
    may_show(histogram.len(), percentile).then(|| histogram.value_at_quantile(percentile))
}

/// A distribution with all percentiles that may be shown: the ladder, points between them for the curve, and those that are
/// asked for besides (0 to 1), such as the ones of an objective.
pub fn curve(times: &Distribution, besides: &[f64]) -> CurveRecord {
    let percentiles = percentiles(times.count(), besides);
    let values = times.at(&percentiles);
    CurveRecord {
        count: times.count(),
        min: times.min(),
        mean: times.mean(),
        max: times.max(),
        percentiles: percentiles.into_iter().zip(values).collect(),
    }
}

/// The ladder, the grid and what is asked for, rising. The grid is even on the axis that plots of latencies use, 1 / (1 - percentile) in powers of
/// two.
fn percentiles(count: u64, besides: &[f64]) -> Vec<f64> {
    let mut all = LADDER.to_vec();
    all.extend(besides.iter().filter(|percentile| **percentile > 0.0));
    for halving in 0..64 {
        let begin = 1.0 - 0.5f64.powi(halving);
        let step = 0.5f64.powi(halving + 1) / f64::from(TICKS);
        all.extend((0..TICKS).map(|tick| begin + step * f64::from(tick)));
        if !may_show(count, begin) {
            break;
        }
    }
    all.retain(|percentile| may_show(count, *percentile));
    all.sort_by(f64::total_cmp);
    // The grid meets the ladder at 0.5, 0.75, 0.9 and 0.95, up to the last bit.
    all.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    all
}

/// One operation, with these percentiles besides those of [`curve`].
pub fn operation(tally: &Tally, besides: &[f64], hlog: Option<String>) -> OperationRecord {
    let curve = |times: &Distribution| curve(times, besides);
    let some = |times: &Distribution| (times.count() > 0).then(|| curve(times));
    OperationRecord {
        id: tally.id.clone(),
        outcomes: outcomes(&tally.outcomes),
        response: curve(&tally.response),
        service: curve(&tally.service),
        lateness: curve(&tally.lateness),
        slot_wait: curve(&tally.slot_wait),
        failures: curve(&tally.failures),
        first_message: some(&tally.first_message),
        gaps: some(&tally.gaps),
        delivery: some(&tally.delivery),
        hlog,
    }
}

/// All operations together, as one by the name of `all`.
pub fn all(tallies: &[Tally]) -> Tally {
    let mut all = Tally {
        id: "all".to_owned(),
        ..Tally::default()
    };
    for tally in tallies {
        all.merge(tally);
    }
    all
}

/// Ends by their name. Numbers that gRPC does not define share one.
fn outcomes(counts: &BTreeMap<Outcome, u64>) -> Vec<(String, u64)> {
    let mut named: Vec<(String, u64)> = Vec::new();
    for (outcome, count) in counts {
        let name = match outcome {
            Outcome::Status(code) => code.name(),
            Outcome::Timeout => "timeout",
            Outcome::Lost => "connection lost",
            Outcome::Garbled => "not readable",
        };
        match named.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known += count,
            None => named.push((name.to_owned(), *count)),
        }
    }
    named
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::client::Code;

    fn samples(count: u64) -> CurveRecord {
        let mut times = Distribution::default();
        (1..=count).for_each(|n| times.record(n * 1_000));
        curve(&times, &[])
    }

    #[test]
    fn a_percentile_that_is_asked_for_is_on_the_curve() {
        let times = |count: u64| {
            let mut times = Distribution::default();
            (1..=count).for_each(|n| times.record(n * 1_000));
            times
        };
        let asked = [0.995, 0.98, 0.9, f64::NAN, -1.0, 1.0];
        let curve = curve(&times(2_000), &asked);
        for (percentile, wanted) in [(0.98, 1_960_000.0), (0.995, 1_990_000.0)] {
            let value = curve.at(percentile).unwrap() as f64;
            assert!((value / wanted - 1.0).abs() < 0.001, "{percentile}: {value}");
        }
        assert!(curve.percentiles.is_sorted());
        // What the curve has anyway is there once, and what is none is not.
        assert_eq!(curve.percentiles.len(), samples(2_000).percentiles.len() + 2);
        // It needs its samples as all of them do.
        let few = super::curve(&times(1_999), &asked);
        assert_eq!((few.at(0.995), few.at(0.98).is_some()), (None, true));
    }

    #[test]
    fn a_percentile_needs_ten_samples_beyond_it() {
        for (enough, percentile) in [
            (20, 0.5),
            (40, 0.75),
            (100, 0.9),
            (200, 0.95),
            (1_000, 0.99),
            (10_000, 0.999),
        ] {
            assert!(samples(enough).at(percentile).is_some(), "{percentile} of {enough}");
            assert_eq!(
                samples(enough - 1).at(percentile),
                None,
                "{percentile} of {}",
                enough - 1
            );
        }
        assert_eq!(deepest(999), Some(0.95));
        assert_eq!(deepest(19), None);
    }

    #[test]
    fn values_are_those_of_the_samples() {
        let curve = samples(10_000);
        for (percentile, wanted) in [
            (0.5, 5_000_000.0),
            (0.9, 9_000_000.0),
            (0.99, 9_900_000.0),
            (0.999, 9_990_000.0),
        ] {
            let value = curve.at(percentile).unwrap() as f64;
            assert!((value / wanted - 1.0).abs() < 0.001, "{percentile}: {value}");
        }
        assert_eq!(curve.mean, Some(5_000_500.0));
        assert_eq!(curve.at(0.9999), None);
        assert_eq!(curve.min, Some(1_000));
    }

    #[test]
    fn the_points_of_a_curve_rise_and_end_where_samples_do() {
        let curve = samples(10_000);
        assert!(curve.percentiles.is_sorted());
        // 1 / (1 - 0.999) is 2^9.97: nearly ten halvings of five points each, and four of the ladder that the grid lacks.
        assert!(
            (45..=60).contains(&curve.percentiles.len()),
            "{}",
            curve.percentiles.len()
        );
        let (last, _) = curve.percentiles.last().unwrap();
        assert!(*last <= 0.999);
        assert_eq!(samples(0), CurveRecord::default());
        assert_eq!(samples(9).percentiles, []);
    }

    #[test]
    fn ends_have_names_and_unknown_numbers_share_one() {
        let counts = [
            (Outcome::Status(Code::OK), 5),
            (Outcome::Status(Code::UNKNOWN), 1),
            (Outcome::Status(Code(99)), 2),
            (Outcome::Timeout, 3),
            (Outcome::Lost, 4),
            (Outcome::Garbled, 6),
        ];
        let named = outcomes(&counts.into_iter().collect());
        let named: Vec<_> = named.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let wanted = [
            ("OK", 5),
            ("UNKNOWN", 3),
            ("timeout", 3),
            ("connection lost", 4),
            ("not readable", 6),
        ];
        assert_eq!(named, wanted);
    }
}
