//! The load engine: one logical workload over gRPC and REST, with latencies that count from the intended send.
//!
//! ```text
//! workload (YAML) --prepare--> exchanges, encoded before the clock starts
//! pacer + mix  --> wire (threads, own connections) --> samples --> recorder --> summary --> record
//! ```
//!
//! `pacer`, `mix` and `summary` are pure. `wire` is the load tier: the only place of this room that opens connections, and
//! the same one for every leg of a study.

pub mod decode;
pub mod exchange;
pub mod leg;
pub mod prepare;
pub mod record;
pub mod sample;
pub mod setup;
pub mod workload;
