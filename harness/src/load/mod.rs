//! The load engine: one logical workload over gRPC and REST, with latencies that count from the intended send.
//!
//! ```text
//! workload (YAML) --prepare--> exchanges, encoded before the clock starts
//! pacer + mix  --> wire (threads, own connections) --> samples --> recorder --> summary --> record
//! ```
//!
//! Virtual users (`journey`) take the place of pacer, mix and wire where a workload has them.
//!
//! `pacer`, `mix`, `recorder`, `summary` and `hlog` are pure. `wire` is the load tier: the only place of this room that opens
//! connections, and the same one for every leg of a study.

pub mod clock;
pub mod decode;
pub mod distribution;
mod draw;
pub mod exchange;
pub mod hlog;
pub mod journey;
pub mod leg;
pub mod mix;
pub mod pacer;
pub mod prepare;
pub mod record;
pub mod recorder;
pub mod sample;
pub mod setup;
pub mod summary;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
pub mod usage;
pub mod workload;
