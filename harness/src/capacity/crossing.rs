//! Where the objective stops to hold: a logistic line through stages near that rate, and an interval for its crossing. Pure.
//!
//! A stage at a rate has n requests, k of which are beyond a limit (slower than it, or failed). "p99 is at most X" says: the share
//! beyond X is at most 1 %. Near the rate where that share is reached its log-odds are a straight line over the rate: for M/M/1 the
//! share is exp(-(mu - lambda) X) exactly, for other queues its logarithm is smooth, and the stages lie within a few percent.
//!
//! - The line is fitted by maximum likelihood of a binomial (iteratively reweighted, McCullagh and Nelder, Generalized Linear
//!   Models, 1989, 4.4). Requests of one burst are slow together, so the variance is that of a binomial times phi, and phi is
//!   estimated from what scatters between stages (Pearson's statistic over its degrees of freedom; 4.5 there). Whole stages are
//!   what is counted as independent.
//! - The interval is Fieller's (J. R. Stat. Soc. B 16, 1954): all rates at which a t test does not tell the line from the allowed
//!   share. Where the slope itself is not certain this set has no ends, and then there is no interval.
//!
//! Its claim is 95 %, and `calibration` holds it to it. It leans on two things: a stage is long beside the memory of the queue
//! (some ten times the time in which a backlog is forgotten), and the target is the same in all stages.

use crate::compare::student;

/// How often an interval may miss.
const ALPHA: f64 = 0.05;

/// Fewest stages for an interval.
const FEWEST: usize = 6;

/// One stage at a rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Requests a second that were asked for.
    pub rate: f64,
    /// Requests.
    pub requests: f64,
    /// Those beyond the limit.
    pub beyond: f64,
}

impl Trial {
    /// The share beyond over the share that is allowed.
    pub fn strain(&self, allowed: f64) -> f64 {
        if self.requests > 0.0 {
            self.beyond / self.requests / allowed
        } else {
            f64::INFINITY
        }
    }
}

/// A line through trials: log-odds of the share beyond a limit, over rate / centre - 1; 0 is the allowed share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    centre: f64,
    /// At the centre.
    pub level: f64,
    /// For each whole centre of rate.
    pub slope: f64,
    /// Variances and covariance of the two.
    level_variance: f64,
    covariance: f64,
    slope_variance: f64,
    degrees: usize,
}

/// The rate where a limit is crossed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crossing {
    /// The best guess.
    pub best: f64,
    /// The 95 % interval.
    pub low: f64,
    /// Its other end.
    pub high: f64,
}

/// Steps of the fit; it needs fewer than ten.
const STEPS: usize = 80;

impl Line {
    /// Through trials; `centre` is near the crossing, `allowed` the share that may be beyond. `None`: nothing or everything is
    /// beyond, or all trials are of one rate, or the two sides are apart so that any steep line would do.
    pub fn through(trials: &[Trial], centre: f64, allowed: f64) -> Option<Line> {
        let degrees = trials.len().checked_sub(2).filter(|degrees| *degrees > 0)?;
        let beyond: f64 = trials.iter().map(|trial| trial.beyond).sum();
        let requests: f64 = trials.iter().map(|trial| trial.requests).sum();
        let usable = allowed > 0.0 && allowed < 1.0 && centre > 0.0 && beyond > 0.0 && beyond < requests;
        if !usable {
            return None;
        }
        let points: Vec<(f64, f64, f64)> = trials
            .iter()
            .map(|trial| (trial.rate / centre - 1.0, trial.requests, trial.beyond))
            .collect();
        let (mut level, mut slope) = ((beyond / (requests - beyond)).ln(), 0.0_f64);
        for _ in 0..STEPS {
            let sums = Sums::of(&points, level, slope);
            let [up, turn] = sums.solve([sums.pull, sums.turn])?;
            // A step too far is cut, so that the weights do not vanish.
            let largest = up.abs().max(turn.abs() * 0.1);
            let part = if largest > 1.0 { 1.0 / largest } else { 1.0 };
            level += part * up;
            slope += part * turn;
            if largest < 1e-9 {
                break;
            }
        }
        let sums = Sums::of(&points, level, slope);
        let scatter = sums.pearson / degrees as f64;
        let [level_variance, covariance] = sums.solve([1.0, 0.0])?;
        let [_, slope_variance] = sums.solve([0.0, 1.0])?;
        let line = Line {
            centre,
            level: level - (allowed / (1.0 - allowed)).ln(),
            slope,
            level_variance: scatter * level_variance,
            covariance: scatter * covariance,
            slope_variance: scatter * slope_variance,
            degrees,
        };
        // Without scatter the trials say too little of how sure they are.
        let finite = [line.level, line.slope, line.slope_variance, line.level_variance];
        (finite.iter().all(|value| value.is_finite()) && scatter > 0.0).then_some(line)
    }

    /// Where it crosses the allowed share, if it rises.
    pub fn best(&self) -> Option<f64> {
        let best = self.centre * (1.0 - self.level / self.slope);
        (self.slope > 0.0 && best.is_finite() && best > 0.0).then_some(best)
    }

    /// With its interval; `None` where that has no ends, or there are fewer than six trials.
    pub fn crossing(&self) -> Option<Crossing> {
        if self.degrees + 2 < FEWEST {
            return None;
        }
        let best = self.best()?;
        let t = student::quantile(self.degrees, 1.0 - ALPHA / 2.0)?;
        // (level + slope x)^2 <= t^2 (its variance): a quadratic in x.
        let square = self.slope.powi(2) - t * t * self.slope_variance;
        let half = self.level * self.slope - t * t * self.covariance;
        let constant = self.level.powi(2) - t * t * self.level_variance;
        if square <= 0.0 {
            return None;
        }
        let root = (half * half - square * constant).max(0.0).sqrt();
        let at = |x: f64| self.centre * (1.0 + x);
        let (low, high) = (at((-half - root) / square), at((-half + root) / square));
        (low > 0.0 && high.is_finite()).then_some(Crossing { best, low, high })
    }
}

/// What a step of the fit needs: the information matrix, and the score.
struct Sums {
    weight: f64,
    moment: f64,
    inertia: f64,
    pull: f64,
    turn: f64,
    pearson: f64,
}

impl Sums {
    fn of(points: &[(f64, f64, f64)], level: f64, slope: f64) -> Sums {
        let mut sums = Sums {
            weight: 0.0,
            moment: 0.0,
            inertia: 0.0,
            pull: 0.0,
            turn: 0.0,
            pearson: 0.0,
        };
        for &(x, requests, beyond) in points {
            let share = 1.0 / (1.0 + (-(level + slope * x)).exp());
            let weight = requests * share * (1.0 - share);
            let off = beyond - requests * share;
            sums.weight += weight;
            sums.moment += weight * x;
            sums.inertia += weight * x * x;
            sums.pull += off;
            sums.turn += off * x;
            sums.pearson += if weight > 0.0 { off * off / weight } else { 0.0 };
        }
        sums
    }

    /// Information times the answer is `right`.
    fn solve(&self, right: [f64; 2]) -> Option<[f64; 2]> {
        let determinant = self.weight * self.inertia - self.moment * self.moment;
        if determinant.is_nan() || determinant <= 1e-12 * self.weight * self.inertia {
            return None;
        }
        Some([
            (self.inertia * right[0] - self.moment * right[1]) / determinant,
            (self.weight * right[1] - self.moment * right[0]) / determinant,
        ])
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn trial(rate: f64, beyond: f64) -> Trial {
        Trial {
            rate,
            requests: 10_000.0,
            beyond,
        }
    }

    /// Shares that lie on a line exactly, with a little scatter that cancels.
    fn on_a_line() -> Vec<Trial> {
        let share = |rate: f64| 1.0 / (1.0 + ((0.99_f64 / 0.01).ln() - 20.0 * (rate / 500.0 - 1.0)).exp());
        [450.0, 475.0, 500.0, 525.0, 550.0]
            .into_iter()
            .flat_map(|rate| [1.1, 0.9].map(|factor| trial(rate, 10_000.0 * share(rate) * factor)))
            .collect()
    }

    #[test]
    fn a_line_is_found_again_wherever_its_centre_is() {
        for centre in [450.0, 500.0, 560.0] {
            let line = Line::through(&on_a_line(), centre, 0.01).unwrap();
            let crossing = line.crossing().unwrap();
            assert!((crossing.best - 500.0).abs() < 0.05, "{crossing:?}");
            assert!(
                crossing.low < 500.0 && crossing.high > 500.0 && crossing.high - crossing.low < 20.0,
                "{crossing:?}"
            );
        }
    }

    #[test]
    fn what_says_nothing_has_no_line() {
        let of = |trials: &[Trial]| Line::through(trials, 500.0, 0.01);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[trial(450.0, 0.0), trial(500.0, 0.0), trial(550.0, 0.0)]), None);
        assert_eq!(of(&[trial(500.0, 5.0), trial(500.0, 7.0), trial(500.0, 6.0)]), None);
        let all = [trial(450.0, 10_000.0), trial(500.0, 10_000.0), trial(550.0, 10_000.0)];
        assert_eq!(of(&all), None);
        assert_eq!(Line::through(&on_a_line(), f64::NAN, 0.01), None);
        assert_eq!(Line::through(&on_a_line(), 500.0, 0.0), None);
    }

    #[test]
    fn a_slope_that_is_not_certain_has_no_interval() {
        // Noise alone.
        let noise = [90.0, 130.0, 60.0, 150.0, 80.0, 120.0, 100.0, 70.0];
        let trials: Vec<Trial> = noise
            .iter()
            .zip([480.0, 490.0, 500.0, 510.0, 520.0, 485.0, 515.0, 505.0])
            .map(|(beyond, rate)| trial(rate, *beyond))
            .collect();
        assert_eq!(
            Line::through(&trials, 500.0, 0.01).and_then(|line| line.crossing()),
            None
        );
        // Falling: no crossing at all.
        let mut falling = on_a_line();
        falling.iter_mut().for_each(|trial| trial.rate = 1000.0 - trial.rate);
        let line = Line::through(&falling, 500.0, 0.01).unwrap();
        assert_eq!((line.best(), line.crossing()), (None, None));
    }

    #[test]
    fn few_trials_have_no_interval() {
        let line = Line::through(&on_a_line()[..5], 500.0, 0.01).unwrap();
        assert!(line.best().is_some());
        assert_eq!(line.crossing(), None);
    }
}
