//! Pairs of one measure: their ratio with an interval, and what it would have taken to see a difference.
//!
//! Ratios are worked on as logarithms: "twice" and "half" are then equally far from "the same", and the result is a geometric
//! mean, which no single round carries away. Why pairs, and what they do against drift: see [`super`].

use super::{ALPHA, FEWEST_PAIRS, POWER, student};

/// A standard deviation of log-ratios below this is rounding and no scatter: a double has 16 digits, the histograms three.
const NO_SCATTER: f64 = 1e-9;

/// What pairs say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// How many; at least [`FEWEST_PAIRS`].
    pub pairs: usize,
    /// Mean of ln(other / base).
    pub mean: f64,
    /// Standard deviation of ln(other / base), with n-1; 0 where there is none.
    pub sd: f64,
    /// Geometric mean of other / base.
    pub ratio: f64,
    /// Its two-sided 95 % t interval: exp(mean ± t(n-1, 0.975) · sd / √n). Without scatter it is the ratio alone.
    pub interval: (f64, f64),
    /// Of "the ratio is 1", two-sided. Without scatter there is no t; then it is that of the sign test, 2 / 2ⁿ.
    pub p: f64,
}

/// Why pairs say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// Fewer than [`FEWEST_PAIRS`].
    TooFew,
    /// A value that is 0, negative or not finite, or ratios beyond what a double holds.
    NotANumber,
}

impl Paired {
    /// Judges pairs of (base, other).
    pub fn of(pairs: &[(f64, f64)]) -> Result<Paired, Unjudged> {
        let usable = |value: f64| value.is_finite() && value > 0.0;
        if pairs.iter().any(|(base, other)| !usable(*base) || !usable(*other)) {
            return Err(Unjudged::NotANumber);
        }
        if pairs.len() < FEWEST_PAIRS {
            return Err(Unjudged::TooFew);
        }
        let logs: Vec<f64> = pairs.iter().map(|(base, other)| other.ln() - base.ln()).collect();
        let (mean, sd) = mean_and_sd(&logs);
        let n = logs.len();
        let error = sd / count(n).sqrt();
        let (p, reach) = if sd == 0.0 {
            (sign_test(n, mean), 0.0)
        } else {
            let t = student::quantile(n - 1, 1.0 - ALPHA / 2.0).ok_or(Unjudged::NotANumber)?;
            let p = student::two_sided(n - 1, mean / error).ok_or(Unjudged::NotANumber)?;
            (p, t * error)
        };
        let judged = Paired {
            pairs: n,
            mean,
            sd,
            ratio: mean.exp(),
            interval: ((mean - reach).exp(), (mean + reach).exp()),
            p,
        };
        match judged.interval.1.is_finite() && judged.interval.0 > 0.0 {
            true => Ok(judged),
            false => Err(Unjudged::NotANumber),
        }
    }

    /// The smallest ratio above 1 that so many pairs with this scatter find with 80 % power, by a two-sided test at `alpha`:
    /// exp((t(n-1, 1-alpha/2) + t(n-1, 0.8)) · sd / √n), the minimum detectable difference of Zar, Biostatistical
    /// Analysis. With Holm over m comparisons, alpha / m is the strictest that may be asked: the power
    /// is then 80 % at least. `None` without scatter, of which nothing follows.
    pub fn detectable(&self, alpha: f64) -> Option<f64> {
        detectable(self.pairs.checked_sub(1)?, self.sd / count(self.pairs).sqrt(), alpha)
    }
}

/// As [`Paired::detectable`], of an estimate with this standard error on the log scale.
pub(super) fn detectable(degrees: usize, error: f64, alpha: f64) -> Option<f64> {
    let t = student::quantile(degrees, 1.0 - alpha / 2.0)? + student::quantile(degrees, POWER)?;
    let ratio = (t * error).exp();
    (ratio.is_finite() && error > 0.0).then_some(ratio)
}

/// Mean and standard deviation (n-1); a deviation that is rounding alone is 0.
pub(super) fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = count(values.len());
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (squares / (n - 1.0)).sqrt();
    (mean, if sd > NO_SCATTER { sd } else { 0.0 })
}

/// Whether a log-ratio is one of equal values.
pub(super) fn is_equal(log_ratio: f64) -> bool {
    log_ratio.abs() <= NO_SCATTER
}

/// A count as a number to reckon with.
pub(super) fn count(n: usize) -> f64 {
    // Exact below 2^32; nobody has more rounds.
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// The p-value of n pairs that all lean to one side by the same ratio.
fn sign_test(n: usize, mean: f64) -> f64 {
    match is_equal(mean) {
        true => 1.0,
        false => (2.0 * 0.5_f64.powf(count(n))).min(1.0),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn pairs(logs: &[f64]) -> Vec<(f64, f64)> {
        logs.iter().map(|log| (3.0, 3.0 * log.exp())).collect()
    }

    /// Student's own example (Biometrika 6, 1908, p. 20): hours of sleep gained by ten patients with two drugs. Their
    /// differences have the mean 1.58, the deviation 1.230, t = 4.062, p = 0.00283, the interval 0.700 to 2.460.
    #[test]
    fn judges_students_sleep_as_student_did() {
        let sleep = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        let judged = Paired::of(&pairs(&sleep)).unwrap();
        assert_eq!(judged.pairs, 10);
        assert!(
            (judged.mean - 1.58).abs() < 1e-12 && (judged.sd - 1.229_995).abs() < 1e-6,
            "{judged:?}"
        );
        assert!((judged.p - 0.002_833).abs() < 1e-6, "{judged:?}");
        assert!((judged.ratio.ln() - 1.58).abs() < 1e-12, "{judged:?}");
        assert!((judged.interval.0.ln() - 0.700_114).abs() < 1e-5, "{judged:?}");
        assert!((judged.interval.1.ln() - 2.459_886).abs() < 1e-5, "{judged:?}");
        // (2.262157 + 0.883404) * 1.229995 / sqrt(10)
        assert!(
            (judged.detectable(0.05).unwrap().ln() - 1.223_48).abs() < 1e-4,
            "{judged:?}"
        );
    }

    #[test]
    fn a_stricter_level_detects_less() {
        let judged = Paired::of(&pairs(&[0.1, -0.1, 0.2, 0.0, 0.1, -0.2, 0.05, 0.1, 0.0, 0.15])).unwrap();
        assert!(judged.detectable(0.05 / 20.0).unwrap() > judged.detectable(0.05).unwrap());
        assert_eq!(judged.detectable(f64::NAN), None);
        assert_eq!(judged.detectable(0.0), None);
    }

    #[test]
    fn swapped_sides_are_the_other_way_round() {
        let there = pairs(&[0.3, 0.1, 0.25, 0.2, 0.4, 0.1, 0.3, 0.2, 0.3, 0.22, 0.1]);
        let back: Vec<(f64, f64)> = there.iter().map(|(a, b)| (*b, *a)).collect();
        let (there, back) = (Paired::of(&there).unwrap(), Paired::of(&back).unwrap());
        assert!((there.ratio * back.ratio - 1.0).abs() < 1e-12);
        assert!((there.interval.0 * back.interval.1 - 1.0).abs() < 1e-12);
        assert!((there.p - back.p).abs() < 1e-12);
    }

    #[test]
    fn too_few_pairs_say_nothing() {
        assert_eq!(Paired::of(&[]), Err(Unjudged::TooFew));
        assert_eq!(Paired::of(&pairs(&[0.5; 9])), Err(Unjudged::TooFew));
        assert!(Paired::of(&pairs(&[0.5; 10])).is_ok());
    }

    #[test]
    fn without_scatter_there_is_no_t_and_no_boast() {
        let same = Paired::of(&[(7.0, 7.0); 12]).unwrap();
        assert_eq!(
            (same.ratio, same.interval, same.p, same.sd),
            (1.0, (1.0, 1.0), 1.0, 0.0)
        );
        assert_eq!(same.detectable(0.05), None);

        // Ratios that differ in the last digit of a double: rounding, which t would call certain.
        let third: Vec<(f64, f64)> = (1..=12)
            .map(|i| (f64::from(i) * 0.1, f64::from(i) * 0.1 * (1.0 + 1e-15)))
            .collect();
        assert_eq!(Paired::of(&third).unwrap().p, 1.0);

        let twice = Paired::of(&[(7.0, 14.0); 10]).unwrap();
        assert!((twice.ratio - 2.0).abs() < 1e-12);
        assert_eq!(twice.p, 2.0 / 1024.0);
    }

    #[test]
    fn what_is_no_number_is_never_judged() {
        for bad in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for pair in [(bad, 1.0), (1.0, bad)] {
                let mut pairs = pairs(&[0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2]);
                pairs.push(pair);
                assert_eq!(Paired::of(&pairs), Err(Unjudged::NotANumber), "{pair:?}");
            }
        }
        let beyond = [(f64::MIN_POSITIVE, f64::MAX); 10];
        assert_eq!(Paired::of(&beyond), Err(Unjudged::NotANumber));
        let mut wild = beyond.map(|(low, high)| (high, low));
        wild[0] = (f64::MIN_POSITIVE, f64::MAX);
        assert_eq!(Paired::of(&wild), Err(Unjudged::NotANumber));
    }
}
