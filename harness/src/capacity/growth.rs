//! From the brackets of few replicas to what more of them carry. Pure.
//!
//! With two numbers of replicas there are two unknowns at most: a replica's rate, and what each further one loses or gains.
//!
//! - Where each adds less than the one before, they share something: X(n) = R n / (1 + sigma (n - 1)), the scalability law with
//!   kappa = 0. n / X is a straight line over n - 1, so two points give it.
//! - Where each adds more, arrivals got smoother: a balancer that goes round over n replicas makes of Poisson arrivals such with
//!   1 / n of their variance, and the part of its workers that a replica has to leave idle goes with that variance (Kingman 1961).
//!   A replica carries M - g / n, so all of them X(n) = M n - g, a straight line again.
//!
//! The two meet where replicas share nothing. The range comes from the corners of the brackets, each end of each: it holds the truth
//! where all brackets do, so of two brackets of 95 % in 90 % of cases at least, and where one of the two ways is the truth.

use super::{measured::Loss, record::PredictionRecord};
use crate::numbers;

/// A range wider than this (its half over the middle) is no prediction.
const WIDEST: f64 = 0.10;

/// Brackets (replicas, low, high) of the same target, for how many replicas, and what all of them carry at most where something else was
/// full.
pub fn predict(known: &[(u32, f64, f64)], replicas: u32, ceiling: Option<f64>) -> PredictionRecord {
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
    if half.is_nan() || half > WIDEST || low <= 0.0 {
        let text = format!(
            "cannot tell: {replicas} replicas would carry {range}, which says too little; measure {largest} and fewer with a longer --confirm"
        );
        return told(None, text);
    }
    if let Some(ceiling) = ceiling.filter(|ceiling| high > *ceiling) {
        let text = format!(
            "cannot tell: {replicas} replicas by themselves would carry {range}, and the edge or the database takes {}",
            numbers::per_second(ceiling)
        );
        return told(None, text);
    }
    let extrapolated = if replicas > 2 * largest { ", extrapolated" } else { "" };
    let shared = match loss(&known) {
        Some(loss) if loss.sigma >= 1.0 => {
            "; they share something, such as a database, a lock or an edge: more of them carry no more, or less"
                .to_owned()
        }
        Some(loss) if loss.sigma > 0.0 => format!(
            "; they share something, such as a database, a lock or an edge: no number of them carries more than {}",
            numbers::per_second(law(&middles).map_or(best, |(_, slope)| 1.0 / slope))
        ),
        _ => String::new(),
    };
    let text = format!(
        "{replicas} replicas carry {} ({range}){extrapolated}{shared}",
        numbers::per_second(best)
    );
    told(Some((best, low, high)), text)
}

/// What replicas lose to each other, by the law through these brackets. What is planned with is 0 where a corner of them is without any
/// loss. `None`: they are of fewer than two numbers of replicas.
pub fn loss(known: &[(u32, f64, f64)]) -> Option<Loss> {
    let usable = |(n, low, high): &(u32, f64, f64)| *n > 0 && *low > 0.0 && low <= high && high.is_finite();
    let first = known.first()?.0;
    if !known.iter().all(usable) || known.iter().all(|(n, ..)| *n == first) {
        return None;
    }
    let middle = known.iter().map(|(n, ..)| f64::from(*n)).sum::<f64>() / known.len() as f64;
    let sigma = |rate: &dyn Fn(f64, f64, f64) -> f64| {
        let points: Vec<(f64, f64)> = known
            .iter()
            .map(|(n, low, high)| (f64::from(*n), rate(f64::from(*n), *low, *high)))
            .collect();
        law(&points).map_or(0.0, |(level, slope)| match slope / level {
            // More carry less than few.
            _ if level <= 0.0 => 1.0,
            sigma => sigma.clamp(0.0, 1.0),
        })
    };
    // The fewest at their low ends and the most at their high ones show the least loss.
    let least = sigma(&|n, low, high| if n < middle { low } else { high });
    let most = sigma(&|n, low, high| if n < middle { high } else { low });
    let likely = sigma(&|_, low, high| (low * high).sqrt());
    Some(Loss {
        sigma: if least > 0.0 { likely } else { 0.0 },
        most: most.max(likely),
    })
}

/// Level and slope of n / X = level + slope (n - 1), least squares of relative errors; `None` where all are of one n.
fn law(points: &[(f64, f64)]) -> Option<(f64, f64)> {
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
    let slope = (w * wxy - wx * wy) / determinant;
    (determinant > 1e-12 * w * wxx).then(|| ((wy - slope * wx) / w, slope))
}

/// By the law through these points, of at least two n.
fn carried(points: &[(f64, f64)], replicas: u32) -> f64 {
    let n = f64::from(replicas);
    if let Some((level, slope)) = law(points).filter(|(level, slope)| *slope >= 0.0 && *level > 0.0) {
        return n / (level + slope * (n - 1.0));
    }
    // Each adds more than the one before: a straight line through the rates themselves.
    let (mut w, mut wx, mut wxx, mut wy, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (count, rate) in points {
        let weight = 1.0 / (rate * rate);
        w += weight;
        wx += weight * count;
        wxx += weight * count * count;
        wy += weight * rate;
        wxy += weight * count * rate;
    }
    let slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
    (wy - slope * wx) / w + slope * n
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn replicas_that_share_nothing_add_up() {
        let told = predict(&[(1, 148.0, 156.0), (2, 300.0, 310.0)], 3, None);
        let (best, low, high) = told.rate.unwrap();
        assert!((best - 456.0).abs() < 8.0 && low < best && best < high, "{told:?}");
    }

    #[test]
    fn what_they_lose_to_each_other_goes_on() {
        let told = predict(&[(1, 99.0, 101.0), (2, 178.0, 180.0)], 4, None);
        // 2 R / (1 + sigma) = 179: sigma = 0.117; four carry 400 / (1 + 3 sigma).
        let (best, ..) = told.rate.unwrap();
        assert!((best - 296.0).abs() < 4.0, "{told:?}");
        assert!(!told.sentence.contains("extrapolated"));
        // 100 / 0.1173.
        assert!(
            told.sentence.ends_with("no number of them carries more than 853/s"),
            "{told:?}"
        );
        let far = predict(&[(1, 99.0, 101.0), (2, 178.0, 180.0)], 5, None);
        assert!(far.sentence.contains("), extrapolated; "), "{far:?}");
    }

    /// Poisson arrivals that go round over n queues of 4 workers and 20 ms, p99 at most 60 ms: simulated with 3,000,000 calls each,
    /// 152.4/s, 349.5/s and 547.5/s.
    #[test]
    fn what_a_balancer_gains_goes_on_too() {
        let told = predict(&[(1, 149.0, 156.0), (2, 343.0, 356.0)], 3, None);
        let (best, low, high) = told.rate.unwrap();
        assert!((best - 547.5).abs() < 4.0 && low < 547.5 && 547.5 < high, "{told:?}");
    }

    #[test]
    fn more_that_carry_less_are_told_so() {
        let told = predict(&[(1, 149.0, 153.0), (2, 121.0, 125.0)], 3, None);
        assert!(
            told.sentence.ends_with("more of them carry no more, or less"),
            "{told:?}"
        );
    }

    #[test]
    fn a_loss_is_told_where_no_end_of_the_brackets_is_without_it() {
        let told = loss(&[(2, 178.0, 180.0), (1, 99.0, 101.0)]).unwrap();
        assert!((told.sigma - 0.1174).abs() < 1e-3, "{told:?}");
        // 2 x 101 / 178 - 1.
        assert!((told.most - 0.1348).abs() < 1e-3, "{told:?}");
        // Two carry what one does, or less.
        assert!(loss(&[(1, 145.0, 156.0), (2, 147.0, 154.0)]).unwrap().sigma > 0.95);
        assert_eq!(loss(&[(1, 99.0, 101.0), (2, 20.0, 22.0)]).unwrap().sigma, 1.0);
        // It may be none, or as much as 2 x 156 / 285 - 1.
        let open = loss(&[(1, 145.0, 156.0), (2, 285.0, 300.0)]).unwrap();
        assert!(open.sigma == 0.0 && (open.most - 0.0947).abs() < 1e-3, "{open:?}");
        let gains = loss(&[(1, 145.0, 156.0), (2, 340.0, 350.0)]).unwrap();
        assert_eq!((gains.sigma, gains.most), (0.0, 0.0));
        assert_eq!(loss(&[(2, 145.0, 156.0), (2, 340.0, 350.0)]), None);
        assert_eq!(loss(&[]), None);
    }

    #[test]
    fn too_little_cannot_tell() {
        for known in [
            vec![],
            vec![(1, 100.0, 110.0)],
            vec![(2, 100.0, 110.0), (2, 90.0, 120.0)],
        ] {
            let told = predict(&known, 3, None);
            assert!(
                told.rate.is_none() && told.sentence.starts_with("cannot tell"),
                "{told:?}"
            );
        }
        assert_eq!(predict(&[(1, 60.0, 150.0), (2, 110.0, 310.0)], 3, None).rate, None);
        assert_eq!(
            predict(&[(1, 0.0, 150.0), (2, 110.0, f64::INFINITY)], 3, None).rate,
            None
        );
        // A database in between takes less than that.
        let bounded = predict(&[(1, 148.0, 156.0), (2, 300.0, 310.0)], 3, Some(400.0));
        assert!(
            bounded.rate.is_none() && bounded.sentence.ends_with("the edge or the database takes 400/s"),
            "{bounded:?}"
        );
        // Backwards along a line that goes below nothing.
        assert_eq!(predict(&[(4, 98.0, 102.0), (8, 297.0, 303.0)], 1, None).rate, None);
    }
}
