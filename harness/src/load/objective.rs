//! Whether the limits of an objective hold. Pure, and the only place that decides it: the verdict counts what is judged here,
//! the reports show it.

use super::record::{CellRecord, ObjectiveRecord, RoundRecord, SideRecord};
use crate::numbers;

/// How much of itself a share may lie above its limit: 0.7 % is no number that a double holds.
const ROUNDING: f64 = 1e-9;

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// Of the response time.
    Latency {
        /// 0 to 1.
        percentile: f64,
        /// Nanoseconds.
        at_most: u64,
    },
    /// Of the requests that fail.
    Errors {
        /// Their share, 0 to 1.
        at_most: f64,
    },
}

impl Limit {
    /// `p99`, or `the share of failures`.
    pub fn name(self) -> String {
        match self {
            Limit::Latency { percentile, .. } => numbers::percentile(percentile),
            Limit::Errors { .. } => "the share of failures".to_owned(),
        }
    }

    /// `5.00 ms`, or `1.00 %`.
    pub fn most(self) -> String {
        match self {
            Limit::Latency { at_most, .. } => numbers::latency(at_most),
            Limit::Errors { at_most } => numbers::percent(at_most),
        }
    }

    /// `p99 of the response time at most 5.00 ms`.
    pub fn says(self) -> String {
        match self {
            Limit::Latency { .. } => format!("{} of the response time at most {}", self.name(), self.most()),
            Limit::Errors { .. } => format!("at most {} of the requests fail", self.most()),
        }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// The percentile, nanoseconds.
    Latency(u64),
    /// Of all rounds.
    Errors {
        /// Requests that failed.
        failed: u64,
        /// Requests that ended.
        all: u64,
    },
}

impl Measured {
    /// `5.21 ms`, or `0.20 % of the requests failed`.
    pub fn words(self) -> String {
        match self {
            Measured::Latency(found) => numbers::latency(found),
            Measured::Errors { failed, all } => {
                format!("{} of the requests failed", numbers::percent(share(failed, all)))
            }
        }
    }
}

/// Why a limit cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open<'a> {
    /// The side or its cell is void, and why.
    Void(&'a str),
    /// A closed loop waits for the target: what a caller would feel is not in it.
    Closed,
    /// The percentile has too few samples.
    TooFew,
    /// No request came to an end.
    NothingEnded,
}

impl Open<'_> {
    /// For people; the reason of a void side is what its record says.
    pub fn words(self) -> String {
        match self {
            Open::Void(why) => format!("void: {why}"),
            Open::Closed => "a closed loop hides the wait in line; give arrivals by rate".to_owned(),
            Open::TooFew => "too few samples; measure longer or at a higher rate".to_owned(),
            Open::NothingEnded => "no request ended".to_owned(),
        }
    }
}

/// What a limit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It holds.
    Held(Measured),
    /// It does not.
    Missed(Measured),
    /// That cannot be said.
    Open(Open<'a>),
}

/// One limit for one side of one cell.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Where.
    pub cell: &'a CellRecord,
    /// Whose.
    pub side: &'a SideRecord,
    /// What is wanted.
    pub limit: Limit,
    /// What was found.
    pub outcome: Outcome<'a>,
}

/// Every limit for every side of a cell, in their order; latencies first.
pub fn judge<'a>(cell: &'a CellRecord, objective: &ObjectiveRecord) -> Vec<Judged<'a>> {
    let latency = objective.latency.iter().map(|(percentile, at_most)| Limit::Latency {
        percentile: *percentile,
        at_most: *at_most,
    });
    let errors = objective.errors.map(|at_most| Limit::Errors { at_most });
    let limits: Vec<Limit> = latency.chain(errors).collect();
    let of_side = |side: &'a SideRecord| {
        let judged = limits.iter().map(move |limit| Judged {
            cell,
            side,
            limit: *limit,
            outcome: outcome(cell, side, *limit),
        });
        judged.collect::<Vec<_>>()
    };
    cell.sides.iter().flat_map(of_side).collect()
}

/// What is void holds nothing. But failures may be what made it void: too many of them count all the same. So do the times of a
/// target that did not keep up, which are the only ones that a void side has: what is too slow already would be slower still in a
/// longer round, and what is not yet is open.
fn outcome<'a>(cell: &'a CellRecord, side: &'a SideRecord, limit: Limit) -> Outcome<'a> {
    let void = cell.void.as_deref().or(side.void.as_deref()).map(Open::Void);
    let held = match limit {
        // A request that failed is beyond any limit: where more fail than lie beyond the percentile, no accepted ones help.
        Limit::Latency { percentile, .. } if too_many_failed(side, percentile) => {
            let (failed, all) = ends(&side.rounds);
            Ok((Measured::Errors { failed, all }, false))
        }
        Limit::Latency { percentile, at_most } => {
            let closed = cell.arrivals.is_closed().then_some(Open::Closed);
            let found = side.overall().and_then(|all| all.response.at(percentile));
            match (found, void.or(closed)) {
                (Some(found), None) => Ok((Measured::Latency(found), found <= at_most)),
                (Some(found), Some(Open::Void(_))) if found > at_most => Ok((Measured::Latency(found), false)),
                (_, Some(open)) => Err(open),
                (None, None) => Err(Open::TooFew),
            }
        }
        Limit::Errors { at_most } => match (ends(&side.rounds), void) {
            ((_, 0), void) => Err(void.unwrap_or(Open::NothingEnded)),
            ((failed, all), void) => {
                let held = share(failed, all) <= at_most * (1.0 + ROUNDING);
                match void.filter(|_| held) {
                    Some(void) => Err(void),
                    None => Ok((Measured::Errors { failed, all }, held)),
                }
            }
        },
    };
    match held {
        Ok((measured, true)) => Outcome::Held(measured),
        Ok((measured, false)) => Outcome::Missed(measured),
        Err(open) => Outcome::Open(open),
    }
}

fn too_many_failed(side: &SideRecord, percentile: f64) -> bool {
    let (failed, all) = ends(&side.rounds);
    share(failed, all) > (1.0 - percentile) * (1.0 + ROUNDING)
}

/// Requests of these rounds that failed, and all that ended.
pub fn ends<'a>(rounds: impl IntoIterator<Item = &'a RoundRecord>) -> (u64, u64) {
    rounds.into_iter().fold((0, 0), |(failed, all): (u64, u64), round| {
        (
            failed.saturating_add(round.failed),
            all.saturating_add(round.failed).saturating_add(round.succeeded),
        )
    })
}

/// The share of failures; 0 where nothing ended.
pub fn share(failed: u64, all: u64) -> f64 {
    if all > 0 { failed as f64 / all as f64 } else { 0.0 }
}
