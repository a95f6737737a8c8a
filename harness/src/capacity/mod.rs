//! Capacity: what one replica sustains at an objective, what limits it, and which limits to set. Pure: what was measured in, what
//! follows out; `commands/capacity` plays the stages.
//!
//! ```text
//! search    judged stages -> the next rate to try, until there is a bracket
//! crossing  stages around the limit -> the rate where the objective stops to hold, with an interval
//! usl       closed-loop steps -> the Universal Scalability Law, with intervals
//! record    all of it
//! ```

#[cfg(test)]
mod calibration;
pub mod crossing;
pub mod measured;
pub mod record;
pub mod search;
pub mod usl;
