//! Whether a new target is worse than the old one: from the comparisons of a run to a verdict in plain words.

use super::paired;
use crate::load::{
    leg::Leg,
    record::{ComparisonRecord, Finding, Measure},
};
use std::collections::BTreeSet;

/// How many of the harmed comparisons the sentence spells out.
const SHOWN: usize = 3;

/// How much worse the new side has to be, as a share: below it a difference is shown, but nothing fails. With enough rounds any
/// two builds differ by something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minimum {
    /// Of the median response time.
    pub p50: f64,
    /// Of the 99th percentile, which scatters most.
    pub p99: f64,
    /// Of the mean response time.
    pub mean: f64,
    /// Of the throughput: less of it.
    pub throughput: f64,
    /// Of server CPU per request; the system counts it in ticks of 10 ms.
    pub server_cpu: f64,
    /// Of bytes per request: a field more is no regression, a lost compression is.
    pub bytes: f64,
}

impl Default for Minimum {
    fn default() -> Minimum {
        Minimum {
            p50: 0.03,
            p99: 0.10,
            mean: 0.03,
            throughput: 0.03,
            server_cpu: 0.05,
            bytes: 0.10,
        }
    }
}

impl Minimum {
    /// That of a measure.
    pub fn of(&self, measure: Measure) -> f64 {
        match measure {
            Measure::P50 => self.p50,
            Measure::P99 => self.p99,
            Measure::Mean => self.mean,
            Measure::Throughput => self.throughput,
            Measure::ServerCpu => self.server_cpu,
            Measure::Bytes => self.bytes,
        }
    }

    /// What a finding means for those who use the service. `ratio` is new / old.
    pub fn effect(&self, measure: Measure, finding: Finding, ratio: Option<f64>) -> Effect {
        let is_more = match finding {
            Finding::More => true,
            Finding::Less => false,
            Finding::NoDifference | Finding::TooFew | Finding::Void => return Effect::None,
        };
        match ratio {
            Some(ratio) if (ratio - 1.0).abs() > self.of(measure) => match is_more == measure.more_is_better() {
                true => Effect::Better,
                false => Effect::Worse,
            },
            _ => Effect::None,
        }
    }
}

/// What a finding means for those who use the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The new side is worse by more than the minimum.
    Worse,
    /// It is better by more than that.
    Better,
    /// Nothing was found, or nothing that matters.
    None,
}

/// What the comparisons of an old and a new target come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing got worse, as far as the run could see.
    NoRegression,
    /// The new target is worse: exit 1.
    Regression,
    /// A side could not be compared by how fast it is: exit 4.
    Inconclusive,
}

/// A verdict in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In one word.
    pub verdict: Verdict,
    /// In one sentence.
    pub sentence: String,
    /// Positions of the comparisons that got worse, the smallest p-value first.
    pub worse: Vec<usize>,
}

/// Judges the comparisons of a run with two targets. It has failed only where Holm's p-value says that the sides differ, the
/// difference is larger than the minimum, and it does harm. Failed requests are no part of this: an objective judges them.
pub fn judge(comparisons: &[ComparisonRecord], minimum: &Minimum) -> Judged {
    let effect = |c: &ComparisonRecord| minimum.effect(c.measure, c.finding, c.ratio);
    let p_of = |i: &usize| comparisons[*i].p_adjusted.unwrap_or(0.0);
    let mut worse: Vec<usize> = (0..comparisons.len())
        .filter(|i| effect(&comparisons[*i]) == Effect::Worse)
        .collect();
    worse.sort_by(|a, b| p_of(a).total_cmp(&p_of(b)));
    let silent = unjudged_sides(comparisons);
    let (verdict, sentence) = if !worse.is_empty() {
        let harmed: Vec<&ComparisonRecord> = worse.iter().map(|i| &comparisons[*i]).collect();
        (Verdict::Regression, worse_in_words(&harmed))
    } else if comparisons.is_empty() {
        (Verdict::Inconclusive, "no leg was measured on both targets".to_owned())
    } else if !silent.is_empty() {
        (Verdict::Inconclusive, silent_in_words(&silent))
    } else {
        (Verdict::NoRegression, none_in_words(comparisons))
    };
    Judged {
        verdict,
        sentence,
        worse,
    }
}

/// A ratio as a change: `12 % more`, `3.4 % less`, `2.50 times as much`, `the same` below 0.05 %.
pub fn change(ratio: f64) -> String {
    let percent = (ratio - 1.0) * 100.0;
    let word = if percent < 0.0 { "less" } else { "more" };
    match percent.abs() {
        _ if ratio >= 2.0 => format!("{} times as much", times(ratio)),
        percent if percent < 0.05 => "the same".to_owned(),
        percent if percent >= 9.95 => format!("{percent:.0} % {word}"),
        percent => format!("{percent:.1} % {word}"),
    }
}

/// A ratio with three digits: `0.912`, `5.31`, `12.4`, `120`.
pub fn times(ratio: f64) -> String {
    match ratio {
        _ if ratio < 1.0 => format!("{ratio:.3}"),
        _ if ratio < 10.0 => format!("{ratio:.2}"),
        _ if ratio < 100.0 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}

/// Cells and legs without a finding by any measure of how fast they are. A run that did not see them must not call them good.
fn unjudged_sides(comparisons: &[ComparisonRecord]) -> Vec<(&str, Leg)> {
    let speed = |c: &&ComparisonRecord| matches!(c.measure, Measure::P50 | Measure::Mean | Measure::Throughput);
    let is_judged = |c: &&ComparisonRecord| !matches!(c.finding, Finding::TooFew | Finding::Void);
    let side = |c: &ComparisonRecord| (c.cell.clone(), c.other.leg);
    let judged: BTreeSet<_> = comparisons.iter().filter(speed).filter(is_judged).map(side).collect();
    let mut silent: Vec<(&str, Leg)> = Vec::new();
    for c in comparisons.iter().filter(|c| !judged.contains(&side(c))) {
        if !silent.contains(&(c.cell.as_str(), c.other.leg)) {
            silent.push((&c.cell, c.other.leg));
        }
    }
    silent
}

fn worse_in_words(worse: &[&ComparisonRecord]) -> String {
    let shown: Vec<String> = worse.iter().take(SHOWN).map(|c| one_in_words(c)).collect();
    let more = match worse.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    format!("the new target is worse: {}{more}", shown.join("; "))
}

fn one_in_words(c: &ComparisonRecord) -> String {
    let (leg, cell) = (c.other.leg.name(), &c.cell);
    let ratio = c.ratio.map_or_else(String::new, change);
    let interval = match c.interval {
        Some((low, high)) if paired::is_equal(low.ln() - high.ln()) => ", in every round".to_owned(),
        Some((low, high)) => format!(", 95 % interval {} to {}", change(low), change(high)),
        None => String::new(),
    };
    format!("{} of {leg} in {cell}: {ratio}{interval}", c.measure.title())
}

fn silent_in_words(silent: &[(&str, Leg)]) -> String {
    let shown: Vec<String> = silent
        .iter()
        .take(SHOWN)
        .map(|(cell, leg)| format!("{} in {cell}", leg.name()))
        .collect();
    let more = match silent.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!(
        "inconclusive: {}{more} could not be compared for want of {} pairs of good rounds; run more rounds (--rounds), or a lower rate",
        shown.join(", "),
        super::FEWEST_PAIRS
    )
}

fn none_in_words(comparisons: &[ComparisonRecord]) -> String {
    let seen = |measure: Measure| {
        let of_measure = comparisons.iter().filter(|c| c.measure == measure);
        of_measure.filter_map(|c| c.detectable).reduce(f64::max)
    };
    let seen: Vec<String> = [Measure::Throughput, Measure::P50, Measure::Mean, Measure::P99]
        .into_iter()
        .filter_map(|measure| Some((measure, seen(measure)?)))
        .map(|(measure, ratio)| {
            // A ratio of that size, whichever way round.
            let ratio = if measure.more_is_better() { 1.0 / ratio } else { ratio };
            format!("{} {}", change(ratio), measure.title())
        })
        .collect();
    let count = match comparisons.len() {
        1 => "1 comparison".to_owned(),
        n => format!("{n} comparisons"),
    };
    match seen.is_empty() {
        true => format!("no regression found in {count}"),
        false => format!(
            "no regression found in {count}; it would have been at least 4 times in 5 with {}",
            seen.join(", or ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::{
            sample::{closed, open, steady},
            sides::comparisons,
        },
        load::record::CellRecord,
    };

    fn run(old: f64, new: f64, rounds: usize) -> CellRecord {
        open(
            "c1",
            vec![steady(Leg::Grpc, 0, old, rounds), steady(Leg::Grpc, 1, new, rounds)],
        )
    }

    fn judged(cell: CellRecord) -> Judged {
        judge(&comparisons(&[cell]), &Minimum::default())
    }

    #[test]
    fn a_slower_target_fails_in_plain_words() {
        let judged = judged(run(1e6, 1.2e6, 12));
        assert_eq!(judged.verdict, Verdict::Regression);
        assert_eq!(judged.worse.len(), 4, "all but bytes");
        assert!(
            judged.sentence.starts_with("the new target is worse: ") && judged.sentence.ends_with("; and 1 more"),
            "{}",
            judged.sentence
        );
        assert!(
            judged
                .sentence
                .contains("median response time of grpc in c1: 20 % more, 95 % interval 1"),
            "{}",
            judged.sentence
        );
    }

    #[test]
    fn a_faster_target_does_not_fail() {
        assert_eq!(judged(run(1.2e6, 1e6, 12)).verdict, Verdict::NoRegression);
        let cell = closed(
            "c1",
            vec![steady(Leg::Grpc, 0, 1.2e6, 12), steady(Leg::Grpc, 1, 1e6, 12)],
        );
        assert_eq!(judged(cell).verdict, Verdict::NoRegression);
    }

    #[test]
    fn less_throughput_is_worse() {
        let cell = closed(
            "c1",
            vec![steady(Leg::Grpc, 0, 1e6, 12), steady(Leg::Grpc, 1, 1.5e6, 12)],
        );
        let told = judged(cell);
        assert_eq!(told.verdict, Verdict::Regression);
        assert!(
            told.sentence.contains("throughput of grpc in c1: 33 % less"),
            "{}",
            told.sentence
        );
    }

    #[test]
    fn a_difference_below_the_minimum_is_none() {
        let cell = run(1e6, 1.025e6, 40);
        let found = comparisons(std::slice::from_ref(&cell));
        assert_eq!(found[0].finding, Finding::More, "it is there: {found:?}");
        let told = judge(&found, &Minimum::default());
        assert_eq!(told.verdict, Verdict::NoRegression);
        assert!(
            told.sentence
                .starts_with("no regression found in 5 comparisons; it would have been at least 4 times in 5 with "),
            "{}",
            told.sentence
        );
        let strict = Minimum {
            p50: 0.01,
            ..Minimum::default()
        };
        assert_eq!(judge(&found, &strict).verdict, Verdict::Regression);
    }

    #[test]
    fn what_was_not_seen_is_not_called_good() {
        for cell in [run(1e6, 3e6, 9), {
            let mut void = run(1e6, 1e6, 12);
            void.sides[1].void = Some("no answer".to_owned());
            void
        }] {
            let told = judged(cell);
            assert_eq!(told.verdict, Verdict::Inconclusive);
            assert!(
                told.sentence.contains("grpc in c1 could not be compared"),
                "{}",
                told.sentence
            );
        }
        assert_eq!(judge(&[], &Minimum::default()).verdict, Verdict::Inconclusive);
        // One good leg does not speak for the other one.
        let mut two = run(1e6, 1e6, 12);
        two.sides.push(steady(Leg::RestH1, 0, 1e6, 5));
        two.sides.push(steady(Leg::RestH1, 1, 1e6, 5));
        assert_eq!(judged(two).verdict, Verdict::Inconclusive);
    }

    #[test]
    fn changes_read_as_people_say_them() {
        let told = [1.034, 1.12, 0.966, 0.5, 2.5, 12.34, 1.0].map(change);
        assert_eq!(
            told,
            [
                "3.4 % more",
                "12 % more",
                "3.4 % less",
                "50 % less",
                "2.50 times as much",
                "12.3 times as much",
                "the same"
            ]
        );
    }
}
