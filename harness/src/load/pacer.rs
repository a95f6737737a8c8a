//! The timetable of an open loop: when each request is meant to be sent, decided before any answer is known. Pure.
//!
//! A timetable is made of stages. Over a stage the rate goes from one value to another in a straight line; the requests wanted
//! until an instant are the area below. An instant is found by inverting that area in closed form, so no error adds up over a
//! long run and a ramp costs no more than a level.

use super::draw::{Draw, Purpose};
use std::time::Duration;

/// How requests arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Evenly spaced: each request stands in the middle of its part of the area.
    Constant,
    /// As from many callers that do not know of each other: the gaps are exponential.
    Poisson,
}

/// Part of a timetable. Rates are requests a second; one that is negative or not a number counts as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// The rate at its begin.
    pub from: f64,
    /// The rate at its end.
    pub to: f64,
    /// How long it takes.
    pub duration: Duration,
}

impl Stage {
    /// The same rate all along.
    pub fn level(rate: f64, duration: Duration) -> Stage {
        Stage {
            from: rate,
            to: rate,
            duration,
        }
    }
}

/// Requests that the stages want, on average where they are drawn.
pub fn wanted(stages: &[Stage]) -> f64 {
    pieces(stages).last().map_or(0.0, |piece| piece.before + piece.count)
}

/// Which part of the requests a thread sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The thread, from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Share {
    /// A thread that sends everything.
    pub const WHOLE: Share = Share { index: 0, of: 1 };
}

/// The intended sends of one thread: nanoseconds since the round began, never decreasing, all before the end of the stages.
///
/// Constant: thread i of n takes the requests i, i + n, i + 2n, …, so that all threads together are evenly spaced. Poisson: each
/// thread draws for itself at an n-th of the rate; together they are Poisson at the whole rate.
#[derive(Clone, Debug)]
pub struct Schedule {
    pieces: Vec<Piece>,
    /// The piece of the last instant.
    at: usize,
    next: Next,
    last: u64,
}

/// What the next request is measured by, in requests of all threads since the begin.
#[derive(Clone, Debug)]
enum Next {
    Counted { request: u64, step: u64 },
    Drawn { area: f64, threads: f64, draw: Draw },
}

impl Schedule {
    /// The sends of one share. The same arguments give the same instants.
    pub fn new(kind: Kind, stages: &[Stage], seed: u64, share: Share) -> Schedule {
        let threads = share.of.max(1);
        let next = match kind {
            Kind::Constant => Next::Counted {
                request: share.index as u64,
                step: threads as u64,
            },
            Kind::Poisson => Next::Drawn {
                area: 0.0,
                threads: threads as f64,
                draw: Draw::new(seed, Purpose::Arrivals, share.index),
            },
        };
        Schedule {
            pieces: pieces(stages),
            at: 0,
            next,
            last: 0,
        }
    }
}

impl Iterator for Schedule {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.pieces.get(self.at)?;
        let area = match &mut self.next {
            Next::Counted { request, step } => {
                let area = *request as f64 + 0.5;
                *request += *step;
                area
            }
            Next::Drawn { area, threads, draw } => {
                // Time rescaling: unit exponentials on the axis of the area are arrivals of the rate on the axis of time.
                *area += draw.exponential() * *threads;
                *area
            }
        };
        loop {
            let piece = self.pieces.get(self.at)?;
            if area < piece.before + piece.count {
                self.last = self.last.max(piece.instant(area - piece.before));
                return Some(self.last);
            }
            self.at += 1;
        }
    }
}

/// A stage in its place.
#[derive(Clone, Debug)]
struct Piece {
    /// Nanoseconds since the begin of all stages.
    begin: u64,
    end: u64,
    /// Requests a second, at the begin.
    from: f64,
    /// Requests a second, gained each second.
    slope: f64,
    /// Requests before it.
    before: f64,
    /// Requests in it.
    count: f64,
}

fn pieces(stages: &[Stage]) -> Vec<Piece> {
    let (mut begin, mut before) = (0u64, 0.0);
    let mut pieces = Vec::new();
    for stage in stages {
        let seconds = stage.duration.as_secs_f64();
        let (from, to) = (rate(stage.from), rate(stage.to));
        let nanoseconds = u64::try_from(stage.duration.as_nanos()).unwrap_or(u64::MAX);
        let end = begin.saturating_add(nanoseconds);
        let count = (from + to) / 2.0 * seconds;
        // A stage without requests, or without time, has no instants; the ones around it keep their places.
        if count > 0.0 {
            pieces.push(Piece {
                begin,
                end,
                from,
                slope: (to - from) / seconds,
                before,
                count,
            });
        }
        begin = end;
        before += count;
    }
    pieces
}

fn rate(written: f64) -> f64 {
    if written.is_finite() { written.max(0.0) } else { 0.0 }
}

impl Piece {
    /// When so many requests of the piece were wanted: the t of `from t + slope t² / 2 = area`. Written with the root below the
    /// line, it holds for a slope of 0 and does not cancel for a small one.
    fn instant(&self, area: f64) -> u64 {
        let root = (self.from * self.from + 2.0 * self.slope * area).max(0.0).sqrt();
        let seconds = if area > 0.0 {
            2.0 * area / (self.from + root)
        } else {
            0.0
        };
        let instant = self.begin.saturating_add((seconds * 1e9).round() as u64);
        instant.min(self.end - 1)
    }
}
