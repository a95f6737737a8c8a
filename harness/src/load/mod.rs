//! The load engine: one logical workload over gRPC and REST, with latencies that count from the intended send.
//!
//! ```text
//! workload (YAML) --prepare--> exchanges, encoded before the clock starts
//! pacer + mix  --> wire (threads, own connections) --> samples --> recorder --> summary --> record
//! record --objective, compare--> verdict; reports show what these found
//! ```
//!
//! Virtual users (`journey`) take the place of pacer, mix and wire where a workload has them.
//!
//! What is made before the clock starts (`workload`, `prepare`), what says when and what is sent (`pacer`, `mix`), and what comes
//! after (`recorder`, `summary`, `hlog`, `objective`, `verdict`, `words`) is pure. `wire` is the load tier: the only place of this room that opens
//! connections, and the same one for every leg of a study.

pub mod clock;
pub mod decode;
pub mod distribution;
mod draw;
pub mod drive;
pub mod exchange;
pub mod hlog;
pub mod journey;
pub mod leg;
pub mod mix;
pub mod objective;
pub mod pacer;
pub mod prepare;
pub mod progress;
pub mod record;
pub mod recorder;
pub mod sample;
pub mod setup;
pub mod summary;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
pub mod usage;
pub mod verdict;
pub mod wire;
pub mod words;
pub mod workload;
