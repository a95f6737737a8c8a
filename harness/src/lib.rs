//! stocktake: takes stock of a gRPC deployment.
//!
//! # Map
//!
//! ```text
//! cli, exit        what can be typed; how a command ends
//! commands/        (of the binary) serve, check, verify, compare, report: the only wiring
//! scenario/        THE LANGUAGE: text with positions in, a checked model out
//! schema/          descriptors of a target, messages made from them
//! client/          how we talk: targets, connections, gRPC on the wire
//! compare/         paired rounds and stored runs -> ratios with intervals, verdicts
//! verify/          matrix -> run -> events -> record, with link (before) and judge (after each step)
//! report/          console and log listen to the events; all else renders the record
//! ```
//!
//! Arrows point one way: cli -> commands -> {verify, load} -> {compare, scenario, schema, client}; schema reflects through client;
//! report reads records, and what compare makes of them. compare knows the words of `load::record` and nothing else.
//!
//! # Invariants (held by `tests/it/tidy.rs`)
//!
//! 1. `scenario`, `compare`, `verify::{matrix, judge, pattern, link, fold, record}` and every renderer are pure: no async, no
//!    clock, no file.
//! 2. Only `client` opens connections; only `report::console`, `main` and `commands` print.
//! 3. Only `commands/serve.rs` names the server crate. `check` and `verify` without a target start the server as a child
//!    process of the same executable; everything else knows an address.
//! 4. The JSON record is versioned; an unknown version is refused. HTML, Markdown and JUnit are renders, never read back.
//! 5. Every channel is bounded; every wait has a deadline. Environment, terminal and clock enter in `main` and `commands`.
//! 6. Nothing counts as passed that was not checked: zero cases, zero expectations, a filter or known-failing line that
//!    matches nothing, an `each` over nothing, everything skipped: none of them exits 0.

pub mod cli;
pub mod client;
pub mod compare;
pub mod exit;
pub mod load;
pub mod report;
pub mod scenario;
pub mod schema;
pub mod verify;
