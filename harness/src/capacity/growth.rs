//! From the brackets of few replicas to what more of them carry. Pure.
//!
//! With two numbers of replicas there are two unknowns at most: a replica's rate R, and what each loses to the others. The law
//! X(n) = R n / (1 + sigma (n - 1)) is the scalability law with kappa = 0; N / X is a straight line over n - 1, so two points give it.
//! sigma is not taken below 0: a balancer that spreads arrivals evenly makes two replicas carry a little more than twice as much,
//! but nobody should count on it for the third. The range comes from the corners of the brackets, each end of each: it holds the truth
//! where all brackets do.

use super::record::PredictionRecord;
use crate::numbers;

/// A range wider than this (its half over the middle) is no prediction.
const WIDEST: f64 = 0.10;

/// Brackets (replicas, low, high) of the same target, and for how many replicas.
pub fn predict(known: &[(u32, f64, f64)], replicas: u32) -> PredictionRecord {
    let mut known: Vec<(u32, f64, f64)> = known.to_vec();
    known.sort_by_key(|(n, ..)| *n);
    let told = |rate, sentence| PredictionRecord {
        known: known.clone(),
        replicas,
        rate,
        sentence,
    };
    let usable = |(n, low, high): &(u32, f64, f64)| *n > 0 && *low > 0.0 && low <= high && high.is_finite();
    let different = known.windows(2).filter(|pair| pair[0].0 != pair[1].0).count() + 1;
    if known.is_empty() || !known.iter().all(usable) || different < 2 {
        let text =
            "cannot tell: brackets with both ends are needed of at least two numbers of replicas, such as 1 and 2";
        return told(None, text.to_owned());
    }
    let largest = known.last().map_or(1, |(n, ..)| *n);
    let middles: Vec<(f64, f64)> = known
        .iter()
        .map(|(n, low, high)| (f64::from(*n), (low * high).sqrt()))
        .collect();
    let best = carried(&middles, replicas);
    // Every corner: low or high at each number.
    let corners = (0..1usize << known.len().min(10)).map(|corner| {
        let at = |(index, (n, low, high)): (usize, &(u32, f64, f64))| {
            let rate = if corner >> index & 1 == 0 { *low } else { *high };
            (f64::from(*n), rate)
        };
        carried(&known.iter().enumerate().map(at).collect::<Vec<_>>(), replicas)
    });
    let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
    for corner in corners {
        low = low.min(corner);
        high = high.max(corner);
    }
    let half = (high - low) / 2.0 / best;
    let range = format!("{} to {}", numbers::per_second(low), numbers::per_second(high));
    if half.is_nan() || half > WIDEST {
        let text = format!(
            "cannot tell: {replicas} replicas would carry {range}, which says too little; measure {largest} and fewer with a longer --confirm"
        );
        return told(None, text);
    }
    let extrapolated = if replicas > 2 * largest { ", extrapolated" } else { "" };
    let text = format!(
        "{replicas} replicas carry {} ({range}){extrapolated}",
        numbers::per_second(best)
    );
    told(Some((best, low, high)), text)
}

/// By the law through these points.
fn carried(points: &[(f64, f64)], replicas: u32) -> f64 {
    let n = f64::from(replicas);
    // Least squares of n / X = a + b (n - 1), relative errors.
    let (mut w, mut wx, mut wxx, mut wy, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (count, rate) in points {
        let (x, y) = (count - 1.0, count / rate);
        let weight = 1.0 / (y * y);
        w += weight;
        wx += weight * x;
        wxx += weight * x * x;
        wy += weight * y;
        wxy += weight * x * y;
    }
    let determinant = w * wxx - wx * wx;
    let (mut a, mut b) = (wy / w, 0.0);
    if determinant > 1e-12 * w * wxx {
        let slope = (w * wxy - wx * wy) / determinant;
        if slope > 0.0 {
            (a, b) = ((wy - slope * wx) / w, slope);
        }
    }
    n / (a + b * (n - 1.0))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_share_nothing_add_up() {
        let told = predict(&[(1, 148.0, 156.0), (2, 300.0, 310.0)], 3);
        let (best, low, high) = told.rate.unwrap();
        assert!((best - 456.0).abs() < 8.0 && low < best && best < high, "{told:?}");
    }

    #[test]
    fn what_they_lose_to_each_other_goes_on() {
        let told = predict(&[(1, 99.0, 101.0), (2, 178.0, 180.0)], 4);
        // 2 R / (1 + sigma) = 179: sigma = 0.117; four carry 400 / (1 + 3 sigma).
        let (best, ..) = told.rate.unwrap();
        assert!((best - 296.0).abs() < 4.0, "{told:?}");
        assert!(!told.sentence.contains("extrapolated"));
        assert!(
            predict(&[(1, 99.0, 101.0), (2, 178.0, 180.0)], 5)
                .sentence
                .ends_with("extrapolated")
        );
    }

    #[test]
    fn too_little_cannot_tell() {
        for known in [
            vec![],
            vec![(1, 100.0, 110.0)],
            vec![(2, 100.0, 110.0), (2, 90.0, 120.0)],
        ] {
            let told = predict(&known, 3);
            assert!(
                told.rate.is_none() && told.sentence.starts_with("cannot tell"),
                "{told:?}"
            );
        }
        assert_eq!(predict(&[(1, 60.0, 150.0), (2, 110.0, 310.0)], 3).rate, None);
        assert_eq!(predict(&[(1, 0.0, 150.0), (2, 110.0, f64::INFINITY)], 3).rate, None);
    }
}
