//! What measured numbers come to: whether two sides differ, by how much, and how small a difference would have gone unseen.
//! Pure: records in, findings out.
//!
//! ```text
//! student          quantiles and p-values of Student's t
//! paired           pairs of one measure -> ratio, interval, p, detectable ratio
//! holm             many p-values of one run -> adjusted ones
//! sides            cells of a run -> its comparisons
//! regression       comparisons of an old and a new target -> failed or not, in words
//! parts            what encoding, transport and connection reuse cost
//! claim            "A is 5 to 10 times faster than B": in how many cells that holds
//! stored           a new run against at least five stored ones
//! ```
//!
//! # Why the rounds are paired
//!
//! A machine drifts: it warms up, a neighbour wakes, a cache fills. Rounds of both sides lie beside each other in a block, in
//! turned order from block to block (A B, B A, A B, …), and a pair is formed inside a block. What moves slowly moves both
//! rounds of a block, and drops out of their ratio. What is left of a steady drift has the opposite sign in the next
//! block, so it cancels in the mean over two blocks and widens the interval a little meanwhile: an error to the safe side.
//! Noise that outlives a round does not drop out whole: with a correlation r between neighbouring rounds, the ratios of
//! neighbouring blocks correlate by r(1-r)/2, at most 1/8 (for an AR(1) process). The tests in `calibration` hold what that
//! comes to; over 20,000 made-up runs of 12 blocks with realistic noise a single test errs in 5.4 %, its interval holds the truth
//! in 94.6 %, and a difference of the detectable size is found in 77 to 78 %. Where all noise is shared and r is 0.5, the worst
//! case, a test errs in 7.0 %.
//!
//! The words come from [`crate::load::record`]; nothing else of `load` is known here.

pub mod claim;
pub mod holm;
pub mod paired;
pub mod parts;
pub mod regression;
pub mod sides;
pub mod stored;
pub mod student;

#[cfg(test)]
mod calibration;
#[cfg(test)]
mod sample;

/// How often a run without any difference may be told to have one: 5 %, over all comparisons of a run together.
pub const ALPHA: f64 = 0.05;

/// How often a difference of the size that is called detectable is found.
pub const POWER: f64 = 0.80;

/// Fewest pairs that a verdict stands on. The t interval of fewer is wide (t of 5 pairs is 2.78, of 10 pairs 2.26) and leans on
/// log-ratios being normal, which means over rounds are well enough from about ten on.
pub const FEWEST_PAIRS: usize = 10;
