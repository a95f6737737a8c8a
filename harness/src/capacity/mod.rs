//! Capacity: what one replica sustains at an objective, what limits it, and which limits to set. Pure: what was measured in, what
//! follows out; `commands/capacity` plays the stages.
//!
//! ```text
//! search    judged stages -> the next rate to try, until there is a bracket
//! crossing  stages around the limit -> the rate where the objective stops to hold, with an interval
//! usl       closed-loop steps -> the Universal Scalability Law, with intervals
//! scaler    the autoscaler of the platform, and a deployment under traffic
//! recommend what one replica sustains -> limits to set, each with its grounds
//! record    all of it
//! ```

#[cfg(test)]
mod calibration;
pub mod crossing;
pub mod measured;
pub mod prices;
pub mod recommend;
pub mod record;
pub mod scaler;
pub mod search;
pub mod traffic;
pub mod usl;
