//! Capacity: what one replica sustains at an objective, what limits it, and which limits to set. Pure: what was measured in, what
//! follows out; `commands/capacity` plays the stages.
//!
//! ```text
//! objective `p99=200ms,errors=0.1%`, as typed
//! search    judged stages -> the next rate to try, until there is a bracket
//! crossing  stages around the limit -> the rate where the objective stops to hold, with an interval
//! judge     what a stage showed -> passed, failed, or nothing of the target
//! conclude  the end of a search -> bracket, what limits, what to run next, verdict
//! gather    stored runs of check, load and capacity -> what they say together
//! growth    brackets of one and two replicas -> what three will carry
//! metrics   the text of /metrics -> CPU, memory, requests, the server's own times
//! usl       closed-loop steps -> the Universal Scalability Law, with intervals
//! record    all of it
//! advise    what one replica sustains, and a question -> limits, and what they do under traffic
//! recommend what one replica sustains, and the traffic to expect -> limits to set, each with what binds it
//! scaler    the platform's HTTP scaler, simulated over a profile of traffic
//! prices    a dated file of prices -> what a month costs
//! ```

pub mod advise;
#[cfg(test)]
mod calibration;
pub mod conclude;
pub mod crossing;
pub mod gather;
pub mod growth;
pub mod judge;
pub mod measured;
pub mod metrics;
pub mod objective;
pub mod prices;
pub mod recommend;
pub mod record;
pub mod scaler;
pub mod search;
pub mod traffic;
pub mod usl;
