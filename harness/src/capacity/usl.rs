//! The Universal Scalability Law through steps of a closed loop. Pure.
//!
//! X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)): sigma is what waits for one thing, kappa what each has to settle with
//! every other (Gunther, Guerrilla Capacity Planning, 2007, chapters 4 and 5).
//!
//! N / X is a straight line in (1 / lambda, sigma / lambda, kappa / lambda), so the fit is linear: least squares of relative errors, the
//! weights renewed from the line (a crate for nonlinear least squares would only be told so again). Negative sigma and kappa mean
//! nothing and are set to 0, the others fitted again.
//!
//! The intervals are 95 %, by a bootstrap of the relative residuals: they are widened by sqrt(n / (n - p)), because a fit takes part of
//! the scatter along, and by t over the normal quantile, because so few residuals say little of their own size. Held to what they
//! promise in `calibration`. Replicates may be negative; ends of an interval are cut at 0.

use super::record::UslRecord;
use crate::compare::student;

/// Fewest steps for kappa; with fewer it is 0 and sigma a range.
pub const FEWEST: usize = 6;

/// Fewest steps at all.
const LEAST: usize = 3;

/// Relative residuals of more than this (root of their mean square) mean that it is another law.
const POOR: f64 = 0.10;

/// Beyond so many times the largest step a value is extrapolated.
const REACH: f64 = 2.0;

/// Bootstrap replicates.
const REPLICATES: usize = 500;

/// The 97.5 % quantile of the normal distribution.
const NORMAL: f64 = 1.959_963_985;

/// Throughput by the law.
pub fn law(lambda: f64, sigma: f64, kappa: f64, n: f64) -> f64 {
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// Throughput of a fit at N, and whether that is extrapolated.
pub fn at(fit: &UslRecord, n: f64) -> (f64, bool) {
    let value = law(fit.lambda, fit.sigma, fit.kappa, n);
    (value, n > REACH * fit.measured_to)
}

/// The same in words: `1,882/s`, and `, extrapolated` where N lies past twice the largest step.
pub fn words(fit: &UslRecord, n: f64) -> String {
    let (value, extrapolated) = at(fit, n);
    let doubt = if extrapolated { ", extrapolated" } else { "" };
    format!("{value:.0}/s{doubt}")
}

/// Through steps (N, throughput); `seed` of the bootstrap.
///
/// # Errors
/// Why there is no fit, in words.
pub fn fit(steps: &[(f64, f64)], seed: u64) -> Result<UslRecord, String> {
    let usable = |(n, x): &(f64, f64)| n.is_finite() && *n >= 1.0 && x.is_finite() && *x > 0.0;
    if let Some((n, x)) = steps.iter().find(|step| !usable(step)) {
        return Err(format!("{x:.1}/s at N = {n} is no throughput to fit"));
    }
    let mut different: Vec<u64> = steps.iter().map(|(n, _)| n.to_bits()).collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < LEAST {
        return Err(format!(
            "{} steps are too few for the law: measure at least {FEWEST} different ones",
            different.len()
        ));
    }
    let full = different.len() >= FEWEST;
    let parameters = if full { 3 } else { 2 };
    let whole = Parameters::through(steps, [true, true, full]).ok_or("the steps leave the law open")?;
    let chosen = constrained(steps, whole, full).ok_or("the law does not fit: throughput falls with the first step")?;
    let residuals: Vec<f64> = steps
        .iter()
        .map(|(n, x)| x / law(chosen.lambda, chosen.sigma, chosen.kappa, *n) - 1.0)
        .collect();
    let count = steps.len() as f64;
    let off = (residuals.iter().map(|r| r * r).sum::<f64>() / count).sqrt();
    if off > POOR {
        return Err(format!(
            "the steps are {:.0} % off the law (root mean square), more than {:.0} %: it is not the law of this target; \
             more and longer steps may show another one",
            off * 100.0,
            POOR * 100.0
        ));
    }
    let replicates = bootstrap(steps, whole, [true, true, full], parameters, seed);
    let of = |value: fn(&Parameters) -> f64| interval(replicates.iter().map(value).collect());
    let mean = steps.iter().map(|(_, x)| x).sum::<f64>() / count;
    let (left, all) = steps
        .iter()
        .zip(&residuals)
        .fold((0.0, 0.0), |(left, all), ((_, x), residual)| {
            // residual = x / law - 1
            let by_law = x / (1.0 + residual);
            (left + (x - by_law).powi(2), all + (x - mean).powi(2))
        });
    let measured_to = steps.iter().map(|(n, _)| *n).fold(0.0, f64::max);
    let peak = (chosen.kappa > 0.0 && chosen.sigma < 1.0)
        .then(|| ((1.0 - chosen.sigma) / chosen.kappa).sqrt())
        .filter(|peak| *peak <= REACH * measured_to);
    Ok(UslRecord {
        lambda: chosen.lambda,
        lambda_interval: of(|fit| fit.lambda),
        sigma: chosen.sigma,
        sigma_interval: at_least_0(of(|fit| fit.sigma)),
        kappa: chosen.kappa,
        kappa_interval: full.then(|| at_least_0(of(|fit| fit.kappa))),
        r_squared: if all > 0.0 { 1.0 - left / all } else { 0.0 },
        residuals,
        peak,
        peak_throughput: peak.map(|peak| law(chosen.lambda, chosen.sigma, chosen.kappa, peak)),
        measured_to,
    })
}

/// What to know of a fit, in words.
pub fn note(fit: &UslRecord) -> Option<String> {
    match fit.kappa_interval {
        None => Some(format!(
            "kappa was set to 0: fewer than {FEWEST} steps cannot tell it; sigma is a range, not a number"
        )),
        Some((low, _)) if low <= 0.0 => Some(
            "kappa cannot be told from 0: the throughput may level off, or fall beyond what was measured".to_owned(),
        ),
        Some(_) if fit.peak.is_none() => Some(format!(
            "the highest throughput lies past twice the largest step (N = {}): extrapolated, so it is not told",
            fit.measured_to
        )),
        Some(_) => None,
    }
}

#[derive(Clone, Copy, Debug)]
struct Parameters {
    lambda: f64,
    sigma: f64,
    kappa: f64,
}

impl Parameters {
    /// Least squares of relative errors over those that are free; the first one always is.
    fn through(steps: &[(f64, f64)], free: [bool; 3]) -> Option<Parameters> {
        let mut line: Option<[f64; 3]> = None;
        // The weights follow the line; it stands still after a few turns.
        for _ in 0..8 {
            let mut normal = [[0.0; 4]; 3];
            for (n, x) in steps {
                let cost = n / x;
                let terms = [1.0, n - 1.0, n * (n - 1.0)];
                let by_line = line.map_or(cost, |line| dot(line, terms));
                let weight = 1.0 / by_line.max(cost * 0.1).powi(2);
                for row in 0..3 {
                    for column in 0..3 {
                        normal[row][column] += weight * terms[row] * terms[column];
                    }
                    normal[row][3] += weight * terms[row] * cost;
                }
            }
            for (index, free) in free.into_iter().enumerate() {
                if !free {
                    normal[index] = [0.0; 4];
                    normal[index][index] = 1.0;
                }
            }
            line = Some(solved(normal)?);
        }
        let [level, sigma, kappa] = line?;
        (level > 0.0).then_some(Parameters {
            lambda: 1.0 / level,
            sigma: sigma / level,
            kappa: kappa / level,
        })
    }

    fn squares(&self, steps: &[(f64, f64)]) -> f64 {
        let off = |(n, x): &(f64, f64)| (x / law(self.lambda, self.sigma, self.kappa, *n) - 1.0).powi(2);
        steps.iter().map(off).sum()
    }
}

/// The best with sigma and kappa not below 0.
fn constrained(steps: &[(f64, f64)], whole: Parameters, full: bool) -> Option<Parameters> {
    if whole.sigma >= 0.0 && whole.kappa >= 0.0 {
        return Some(whole);
    }
    let mut others = vec![[true, true, false], [true, false, false]];
    if full {
        others.push([true, false, true]);
    }
    let fits = others.into_iter().filter_map(|free| Parameters::through(steps, free));
    let fits = fits.filter(|fit| fit.sigma >= 0.0 && fit.kappa >= 0.0);
    fits.min_by(|a, b| a.squares(steps).total_cmp(&b.squares(steps)))
}

/// Fits of steps that were made up from the fit and its residuals.
fn bootstrap(steps: &[(f64, f64)], fit: Parameters, free: [bool; 3], parameters: usize, seed: u64) -> Vec<Parameters> {
    let by_law = |n: f64| law(fit.lambda, fit.sigma, fit.kappa, n);
    let count = steps.len();
    let degrees = count.saturating_sub(parameters).max(1);
    let t = student::quantile(degrees, 0.975).unwrap_or(NORMAL);
    let wider = (count as f64 / degrees as f64).sqrt() * t / NORMAL;
    let residuals: Vec<f64> = steps.iter().map(|(n, x)| (x / by_law(*n)).ln()).collect();
    let middle = residuals.iter().sum::<f64>() / count as f64;
    let residuals: Vec<f64> = residuals.iter().map(|r| (r - middle) * wider).collect();
    let mut state = seed;
    let made = (0..REPLICATES).filter_map(|_| {
        let steps: Vec<(f64, f64)> = steps
            .iter()
            .map(|(n, _)| (*n, by_law(*n) * residuals[below(&mut state, count)].exp()))
            .collect();
        Parameters::through(&steps, free)
    });
    made.collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014), one of 0 to n - 1.
fn below(state: &mut u64, n: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((u128::from(z ^ (z >> 31)) * n as u128) >> 64) as usize
}

/// Between the 2.5 and the 97.5 % quantile.
fn interval(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1) as f64;
        values.get((share * last).round() as usize).copied().unwrap_or_default()
    };
    (at(0.025), at(0.975))
}

fn at_least_0((low, high): (f64, f64)) -> (f64, f64) {
    (low.max(0.0), high.max(0.0))
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Three equations, by elimination with the largest pivot; the right side is the last column.
fn solved(mut rows: [[f64; 4]; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot = (column..3).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        rows.swap(column, pivot);
        let head = rows[column];
        if head[column].is_nan() || head[column].abs() < 1e-300 {
            return None;
        }
        for (row, values) in rows.iter_mut().enumerate() {
            if row == column {
                continue;
            }
            let factor = values[column] / head[column];
            for (value, above) in values.iter_mut().zip(head) {
                *value -= factor * above;
            }
        }
    }
    let answer = [0, 1, 2].map(|row| rows[row][3] / rows[row][row]);
    answer.iter().all(|value| value.is_finite()).then_some(answer)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn planted(lambda: f64, sigma: f64, kappa: f64, steps: &[f64]) -> Vec<(f64, f64)> {
        steps.iter().map(|n| (*n, law(lambda, sigma, kappa, *n))).collect()
    }

    const STEPS: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

    /// The example of Baron Schwartz that the usl tools share: sigma 0.028168, kappa 0.000104, lambda 90.69, 1,882/s at N = 96.
    #[test]
    fn a_law_is_found_again() {
        let fit = fit(&planted(90.69, 0.028_168, 0.000_104, &STEPS), 1).unwrap();
        assert!((fit.lambda - 90.69).abs() < 1e-6 && (fit.sigma - 0.028_168).abs() < 1e-9);
        assert!((fit.kappa - 0.000_104).abs() < 1e-9 && fit.r_squared > 0.999_999);
        let peak = fit.peak.unwrap();
        assert!((peak - 96.7).abs() < 0.1, "{peak}");
        assert!((fit.peak_throughput.unwrap() - 1882.0).abs() < 5.0, "{fit:?}");
        assert!(fit.residuals.iter().all(|r| r.abs() < 1e-9));
    }

    #[test]
    fn few_steps_set_kappa_to_0_and_fewer_say_nothing() {
        let few = fit(&planted(100.0, 0.1, 0.0, &STEPS[..5]), 1).unwrap();
        assert_eq!((few.kappa, few.kappa_interval), (0.0, None));
        assert!(note(&few).unwrap().contains("kappa was set to 0"));
        let told = fit(&planted(100.0, 0.1, 0.0, &STEPS[..2]), 1).unwrap_err();
        assert!(told.contains("2 steps are too few"), "{told}");
        // The same step again and again is one.
        assert!(fit(&[(4.0, 100.0); 9], 1).is_err());
    }

    #[test]
    fn what_is_another_law_is_refused() {
        let odd: Vec<(f64, f64)> = STEPS
            .iter()
            .zip([10.0, 90.0, 12.0, 80.0, 11.0, 95.0, 10.0])
            .map(|(n, x)| (*n, x))
            .collect();
        let told = fit(&odd, 1).unwrap_err();
        assert!(told.contains("off the law") || told.contains("does not fit"), "{told}");
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let told = fit(&[(1.0, 10.0), (2.0, bad), (4.0, 30.0)], 1).unwrap_err();
            assert!(told.contains("no throughput"), "{told}");
        }
    }

    #[test]
    fn sigma_and_kappa_are_never_negative() {
        // More than twice with twice as many.
        let steps: Vec<(f64, f64)> = STEPS.iter().map(|n| (*n, 100.0 * n.powf(1.02))).collect();
        let fit = fit(&steps, 1).unwrap();
        assert!(fit.sigma >= 0.0 && fit.kappa >= 0.0, "{fit:?}");
        assert!(fit.sigma_interval.0 >= 0.0);
    }

    #[test]
    fn past_twice_the_largest_step_it_is_extrapolated() {
        let fit = fit(&planted(100.0, 0.02, 0.0, &STEPS), 1).unwrap();
        assert!(!words(&fit, 128.0).contains("extrapolated"));
        assert!(words(&fit, 129.0).ends_with(", extrapolated"));
        // A peak out there is not told.
        let far = super::fit(&planted(100.0, 0.02, 1e-6, &STEPS), 1).unwrap();
        assert_eq!(far.peak, None);
    }
}
