//! Which rate to try next, and when there is an answer. Pure: judged stages in, rates out.
//!
//! 1. Explore: from the start rate on twice as many, until a point fails. One that fails at the start is doom: there is nothing
//!    to search for.
//! 2. Bisect, in ratios, until pass and fail are 2 % apart. A point is decided by 2 of 3 stages.
//! 3. Confirm: twelve long stages, half of them below and half above what was found, so far apart that the share beyond the limit
//!    differs by a factor of about e on each side. The answer comes from [`super::crossing`] over these and the shorter stages near
//!    them. Where the interval is wider than 10 %, or the centre was wrong, twelve more, twice at most.
//!
//! What stops it early: a stage that says nothing of the target, twice in a row at one rate.
//!
//! How often the bracket holds the truth, how wide it is, and how often there is none: see `calibration`.

use super::crossing::{Crossing, Line, Trial};

/// Pass and fail are close enough.
const CLOSE: f64 = 1.02;

/// Stages of a confirmation.
pub const CONFIRMATION: usize = 12;

/// Confirmations.
const CONFIRMATIONS: usize = 3;

/// An interval that is narrow enough (its width over the rate) ends the search; …
const NARROW: f64 = 0.10;

/// … and one that is wider than this in the end is no answer.
const WIDEST: f64 = 0.20;

/// How much the log-odds of being beyond the limit change from the centre to a confirming stage.
const SPAN: f64 = 1.0;

/// Bounds of the slope that the search itself shows: the confirming stages are 1 % to 20 % from the centre.
const SLOPE: (f64, f64) = (5.0, 100.0);

/// A stage is clear of a limit where its share beyond it is so many times less or more than what is allowed.
const CLEAR: f64 = 4.0;

/// Stages so many spans from the centre still count for the line.
const NEAR: f64 = 3.0;

/// A share has to be expected so many times before it is told from a smaller one: n (1 - q) >= 10.
const EVENTS: f64 = 10.0;

/// Requests that a stage needs to judge these shares.
pub fn least(allowed: &[f64]) -> f64 {
    EVENTS / allowed.iter().copied().fold(1.0, f64::min)
}

/// What a search goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The first rate.
    pub start: f64,
    /// The highest rate.
    pub most: f64,
    /// The share of requests that may be beyond each limit, above 0.
    pub allowed: Vec<f64>,
}

/// One stage, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Requests that were due.
    pub requests: f64,
    /// Those beyond each limit, in the order of [`Settings::allowed`].
    pub beyond: Vec<f64>,
    /// What it comes to.
    pub judged: Judged,
}

/// What a stage comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Every limit held.
    Passed,
    /// One did not, or the target did not keep up.
    Failed,
    /// It says nothing of the target.
    Void,
}

/// Why a rate is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// To find a rate that fails.
    Explore,
    /// Between a pass and a fail.
    Bisect,
    /// For the answer.
    Confirm,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Play a stage at this rate.
    Play(f64, Why),
    /// There is an end.
    End(End),
}

/// How a search ends.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The limit that stops, and between which rates it does.
    Found {
        /// Position in [`Settings::allowed`].
        limit: usize,
        /// Where.
        crossing: Crossing,
        /// Whether the ends are of a 95 % interval. Else pass and fail were so clear that no interval is needed: no stage below
        /// came near to the limit, none above was near it either.
        interval: bool,
    },
    /// The first rate fails already.
    Doomed,
    /// The first rate, this one, fails in stages with too few requests to say that it does.
    Short(f64),
    /// The highest rate passes.
    Ceiling(f64),
    /// Stages say nothing of the target: the highest rate that passed, and the one where it ended.
    Stopped(Option<f64>, f64),
    /// Something else than the replicas is the limit between these rates, each decided by 2 of 3: not confirmed.
    Elsewhere(f64, f64),
    /// The stages are too few for an answer: what is known is a rate that passed and one that failed, each by 2 of 3.
    TooFew(f64, f64),
}

/// A point under way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Votes {
    passed: u32,
    failed: u32,
    void: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Point(f64, Why, Votes),
    Confirm(Confirm),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Confirm {
    centre: f64,
    /// From the centre to a stage, as a part of it.
    reach: f64,
    /// Stages of this confirmation.
    played: usize,
    /// Confirmations begun.
    begun: usize,
    /// Void stages in a row.
    void: u32,
}

/// A search.
#[derive(Clone, Debug)]
pub struct Search {
    settings: Settings,
    state: State,
    passed: Option<f64>,
    failed: Option<f64>,
    /// Every stage that counts, by limit.
    trials: Vec<Vec<Trial>>,
    /// Whether each passed.
    outcomes: Vec<(f64, bool)>,
    end: Option<End>,
}

impl Search {
    /// At its begin.
    pub fn new(settings: Settings) -> Search {
        let start = settings.start.min(settings.most);
        Search {
            trials: vec![Vec::new(); settings.allowed.len()],
            state: State::Point(start, Why::Explore, Votes::default()),
            settings,
            passed: None,
            failed: None,
            outcomes: Vec::new(),
            end: None,
        }
    }

    /// What to do.
    pub fn next(&self) -> Next {
        if let Some(end) = &self.end {
            return Next::End(end.clone());
        }
        match &self.state {
            State::Point(rate, why, _) => Next::Play(*rate, *why),
            State::Confirm(confirm) => Next::Play(confirm.rate(), Why::Confirm),
        }
    }

    /// The highest rate that passed by 2 of 3, and the lowest that failed.
    pub fn known(&self) -> (Option<f64>, Option<f64>) {
        (self.passed, self.failed)
    }

    /// Ends it before the confirmation: what limits is not what is searched for.
    pub fn leave(&mut self) {
        if let (Some(passed), Some(failed)) = self.known() {
            self.end = Some(End::Elsewhere(passed, failed));
        }
    }

    /// Takes what the stage showed that [`Search::next`] asked for.
    pub fn take(&mut self, seen: &Seen) {
        if self.end.is_some() {
            return;
        }
        let (rate, void) = match &self.state {
            State::Point(rate, ..) => (*rate, false),
            State::Confirm(confirm) => (confirm.rate(), confirm.void > 0),
        };
        if seen.judged != Judged::Void {
            for (trials, beyond) in self.trials.iter_mut().zip(&seen.beyond) {
                trials.push(Trial {
                    rate,
                    requests: seen.requests,
                    beyond: *beyond,
                });
            }
            self.outcomes.push((rate, seen.judged == Judged::Passed));
        }
        match self.state {
            State::Point(rate, why, votes) => self.vote(rate, why, votes, seen.judged),
            State::Confirm(confirm) if seen.judged == Judged::Void => {
                if void {
                    self.end = Some(End::Stopped(self.passed, rate));
                } else {
                    self.state = State::Confirm(Confirm { void: 1, ..confirm });
                }
            }
            State::Confirm(confirm) => {
                let confirm = Confirm {
                    played: confirm.played + 1,
                    void: 0,
                    ..confirm
                };
                self.state = State::Confirm(confirm);
                if confirm.played == CONFIRMATION {
                    self.conclude(confirm);
                }
            }
        }
    }

    fn vote(&mut self, rate: f64, why: Why, mut votes: Votes, judged: Judged) {
        match judged {
            Judged::Passed => votes.passed += 1,
            Judged::Failed => votes.failed += 1,
            Judged::Void => votes.void += 1,
        }
        self.state = State::Point(rate, why, votes);
        if votes.void >= 2 {
            self.end = Some(End::Stopped(self.passed, rate));
        } else if votes.passed >= 2 {
            self.passed = Some(rate);
            self.point();
        } else if votes.failed >= 2 {
            self.failed = Some(rate);
            self.point();
        }
    }

    /// The next point, or the confirmation.
    fn point(&mut self) {
        let (next, why) = match (self.passed, self.failed) {
            (None, _) => {
                let rate = self.settings.start.min(self.settings.most);
                self.end = Some(if self.evident() { End::Doomed } else { End::Short(rate) });
                return;
            }
            (Some(passed), None) if passed >= self.settings.most => {
                self.end = Some(End::Ceiling(passed));
                return;
            }
            (Some(passed), None) => ((2.0 * passed).min(self.settings.most), Why::Explore),
            (Some(passed), Some(failed)) if failed / passed > CLOSE => ((passed * failed).sqrt(), Why::Bisect),
            (Some(passed), Some(failed)) => {
                self.confirm((passed * failed).sqrt());
                return;
            }
        };
        self.state = State::Point(next, why, Votes::default());
    }

    /// Whether the stages so far, all of one rate, show by more than chance that it fails.
    fn evident(&self) -> bool {
        // Each of them within the limits of requests: its queue grew, which has a test of its own.
        let queue = self.outcomes.iter().enumerate().any(|(index, (_, passed))| {
            let mut limits = self.trials.iter().zip(&self.settings.allowed);
            !passed && limits.all(|(trials, allowed)| trials[index].strain(*allowed) <= 1.0)
        });
        let mut limits = self.trials.iter().zip(&self.settings.allowed);
        queue
            || limits.any(|(trials, allowed)| {
                let (beyond, requests) = trials.iter().fold((0.0, 0.0), |(beyond, requests), trial| {
                    (beyond + trial.beyond, requests + trial.requests)
                });
                let expected = allowed * requests;
                let many = expected >= EVENTS || (beyond >= EVENTS && beyond >= CLEAR * expected);
                beyond > expected && many
            })
    }

    fn confirm(&mut self, centre: f64) {
        let slope = |(trials, allowed): (&Vec<Trial>, &f64)| {
            let near = |trial: &&Trial| {
                trial.rate > 0.6 * centre && trial.rate < 1.5 * centre && trial.beyond < 0.5 * trial.requests
            };
            let near: Vec<Trial> = trials.iter().filter(near).copied().collect();
            Line::through(&near, centre, *allowed).map(|line| line.slope)
        };
        let slopes = self.trials.iter().zip(&self.settings.allowed).filter_map(slope);
        // The steepest limit is the one whose stages would leave the line first.
        let slope = slopes.fold(f64::NAN, f64::max);
        let slope = if slope.is_nan() {
            10.0
        } else {
            slope.clamp(SLOPE.0, SLOPE.1)
        };
        let reach = SPAN / slope;
        self.state = State::Confirm(Confirm {
            centre: self.bounded(centre, reach),
            reach,
            played: 0,
            begun: 1,
            void: 0,
        });
    }

    /// A centre whose upper stages are not above the highest rate.
    fn bounded(&self, centre: f64, reach: f64) -> f64 {
        centre.min(self.settings.most / (1.0 + reach))
    }

    /// After the last stage of a confirmation.
    fn conclude(&mut self, confirm: Confirm) {
        if let Some((limit, crossing)) = self.clear(&confirm) {
            self.end = Some(End::Found {
                limit,
                crossing,
                interval: false,
            });
            return;
        }
        let found = self.crossings(&confirm).ok().flatten();
        let last = confirm.begun == CONFIRMATIONS;
        if let Some((limit, crossing)) = found {
            let width = (crossing.high - crossing.low) / crossing.best;
            let centred = (crossing.best / confirm.centre - 1.0).abs() < 2.0 * confirm.reach;
            if (width < NARROW && centred) || (last && width < WIDEST) {
                self.end = Some(End::Found {
                    limit,
                    crossing,
                    interval: true,
                });
                return;
            }
        }
        if last {
            let passed = self.passed.unwrap_or_default();
            self.end = Some(End::TooFew(passed, self.failed.unwrap_or(passed)));
            return;
        }
        self.state = State::Confirm(Confirm {
            centre: self.centre(&confirm),
            played: 0,
            begun: confirm.begun + 1,
            ..confirm
        });
    }

    /// Trials that the line is drawn through.
    fn near(&self, limit: usize, confirm: &Confirm) -> Vec<Trial> {
        let near = |trial: &&Trial| (trial.rate / confirm.centre - 1.0).abs() < NEAR * confirm.reach;
        self.trials[limit].iter().filter(near).copied().collect()
    }

    /// The limit that is crossed first. `Ok(None)`: no limit is anywhere near. `Err`: one is, and where cannot be told.
    fn crossings(&self, confirm: &Confirm) -> Result<Option<(usize, Crossing)>, ()> {
        let mut first: Option<(usize, Crossing)> = None;
        for (limit, allowed) in self.settings.allowed.iter().enumerate() {
            let near = self.near(limit, confirm);
            let crossing = Line::through(&near, confirm.centre, *allowed).and_then(|line| line.crossing());
            let Some(crossing) = crossing else {
                let (beyond, requests) = near.iter().fold((0.0, 0.0), |(beyond, requests), trial| {
                    (beyond + trial.beyond, requests + trial.requests)
                });
                // Far from being reached.
                if beyond < 0.5 * allowed * requests {
                    continue;
                }
                return Err(());
            };
            first = Some(match first {
                None => (limit, crossing),
                // The target holds all limits up to the first of the crossings: its ends are the lowest ones.
                Some((other, known)) => (
                    if crossing.best < known.best { limit } else { other },
                    Crossing {
                        best: known.best.min(crossing.best),
                        low: known.low.min(crossing.low),
                        high: known.high.min(crossing.high),
                    },
                ),
            });
        }
        Ok(first)
    }

    /// Pass and fail without anything between: below no stage comes to a quarter of what is allowed, above each has four times
    /// as much or its queue grew. A line through such stages would be as steep as one likes.
    fn clear(&self, confirm: &Confirm) -> Option<(usize, Crossing)> {
        let near = |rate: f64| (rate / confirm.centre - 1.0).abs() < NEAR * confirm.reach;
        let mut low: Option<f64> = None;
        let mut high: Option<f64> = None;
        let mut binding = 0;
        let mut counts = (0, 0);
        for (index, (rate, passed)) in self.outcomes.iter().enumerate() {
            if !near(*rate) {
                continue;
            }
            let strains: Vec<f64> = self
                .trials
                .iter()
                .zip(&self.settings.allowed)
                .map(|(trials, allowed)| trials[index].strain(*allowed))
                .collect();
            let largest = strains.iter().copied().fold(0.0, f64::max);
            if *passed && largest < 1.0 / CLEAR {
                low = Some(low.map_or(*rate, |low| low.max(*rate)));
                counts.0 += 1;
            } else if !*passed && !(1.0..=CLEAR).contains(&largest) {
                // Below 1 it failed for its queue.
                if high.is_none_or(|high| *rate < high) {
                    high = Some(*rate);
                    binding = strains.iter().position(|strain| *strain >= largest).unwrap_or(0);
                }
                counts.1 += 1;
            } else {
                return None;
            }
        }
        let (low, high) = (low?, high?);
        let best = (low * high).sqrt();
        (low < high && counts.0 >= 3 && counts.1 >= 3).then_some((binding, Crossing { best, low, high }))
    }

    /// Where the next confirmation lies: at the best guess, at most three steps away.
    fn centre(&self, confirm: &Confirm) -> f64 {
        let steps = self.settings.allowed.iter().enumerate().filter_map(|(limit, allowed)| {
            let line = Line::through(&self.near(limit, confirm), confirm.centre, *allowed)?;
            let bound = NEAR * confirm.reach;
            Some(match line.best() {
                Some(best) => (best / confirm.centre - 1.0).clamp(-bound, bound),
                // It does not rise: away from where it is.
                None if line.level > 0.0 => -confirm.reach,
                None => confirm.reach,
            })
        });
        let step = steps.fold(f64::NAN, f64::min);
        let centre = match step.abs() >= confirm.reach {
            true => confirm.centre * (1.0 + step),
            false => confirm.centre,
        };
        self.bounded(centre, confirm.reach)
    }
}

impl Confirm {
    /// Below, above, above, below: what drifts evenly cancels.
    fn rate(&self) -> f64 {
        match self.played % 4 {
            1 | 2 => self.centre * (1.0 + self.reach),
            _ => self.centre * (1.0 - self.reach),
        }
    }
}

#[cfg(test)]
mod tests;
