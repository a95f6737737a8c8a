//! Student's t distribution: statrs does the mathematics, this file keeps its edges away.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The value that a t variable stays below with a probability. `None` without degrees of freedom or where `probability` is
/// not inside 0 to 1.
pub fn quantile(degrees: usize, probability: f64) -> Option<f64> {
    let inside = probability > 0.0 && probability < 1.0;
    let value = distribution(degrees).filter(|_| inside)?.inverse_cdf(probability);
    value.is_finite().then_some(value)
}

/// The probability of a t variable at least this far from 0, on either side. `None` without degrees of freedom or where `t` is
/// not a number.
pub fn two_sided(degrees: usize, t: f64) -> Option<f64> {
    let distribution = distribution(degrees).filter(|_| !t.is_nan())?;
    Some((2.0 * distribution.sf(t.abs().min(f64::MAX.sqrt()))).clamp(0.0, 1.0))
}

fn distribution(degrees: usize) -> Option<StudentsT> {
    // So near to the normal distribution that more of them change nothing in five digits.
    let degrees = u32::try_from(degrees.min(100_000)).ok()?;
    StudentsT::new(0.0, 1.0, f64::from(degrees)).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// From the tables of Fisher and Yates (also NIST/SEMATECH e-Handbook, 1.3.6.7.2), six digits by R's `qt`.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        let table = [
            (1, 0.975, 12.706_205),
            (4, 0.975, 2.776_445),
            (9, 0.975, 2.262_157),
            (11, 0.8, 0.875_530),
            (29, 0.975, 2.045_230),
            (4, 0.995, 4.604_095),
            (9, 0.999, 4.296_806),
            (9, 0.025, -2.262_157),
        ];
        for (degrees, probability, expected) in table {
            let found = quantile(degrees, probability).unwrap();
            assert!((found - expected).abs() < 2e-6, "{degrees} {probability}: {found}");
        }
        assert!((quantile(1_000_000_000, 0.975).unwrap() - 1.959_964).abs() < 2e-5);
    }

    #[test]
    fn p_values_are_the_way_back() {
        for degrees in [1, 4, 9, 40] {
            for alpha in [0.5, 0.05, 0.001] {
                let t = quantile(degrees, 1.0 - alpha / 2.0).unwrap();
                assert!(
                    (two_sided(degrees, t).unwrap() - alpha).abs() < 1e-9,
                    "{degrees} {alpha}"
                );
                assert_eq!(two_sided(degrees, -t), two_sided(degrees, t));
            }
        }
        assert_eq!(two_sided(9, 0.0), Some(1.0));
    }

    #[test]
    fn the_edges_are_none_and_never_a_panic() {
        for probability in [0.0, 1.0, -1.0, 2.0, f64::NAN, f64::INFINITY] {
            assert_eq!(quantile(9, probability), None, "{probability}");
        }
        assert_eq!(quantile(0, 0.5), None);
        assert_eq!(two_sided(0, 1.0), None);
        assert_eq!(two_sided(9, f64::NAN), None);
        assert!(two_sided(9, f64::INFINITY).unwrap() < 1e-100);
        assert!(two_sided(9, f64::MAX).unwrap() < 1e-100);
    }
}
