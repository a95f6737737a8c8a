//! stocktake: takes stock of a gRPC deployment.
//!
//! # Map
//!
//! ```text
//! cli, exit        what can be typed; how a command ends
//! commands/        (of the binary) serve, check, verify, load, capacity, doctor, compare, report: the only wiring
//! scenario/        THE LANGUAGE: text with positions in, a checked model out
//! schema/          descriptors of a target, messages made from them
//! client/          how we talk: targets, connections, gRPC on the wire
//! load/            workload -> exchanges -> rounds -> record -> verdict; `wire` is its tier of connections, with an event loop of
//!                  its own
//! capacity/        what one replica sustains: search, bracket, what limits it, limits to set, the scaler simulated
//! doctor/          why a target does not answer: probes -> evidence -> diagnoses
//! compare/         paired rounds and stored runs -> ratios with intervals, verdicts
//! verify/          matrix -> run -> events -> record, with link (before) and judge (after each step)
//! report/          console and log listen to the events; all else renders the record
//! numbers          how counts, latencies, shares and ratios are written, wherever they are
//! ```
//!
//! Arrows point one way: cli -> commands -> {verify, load, capacity} -> {compare, scenario, schema, client}; schema reflects through client;
//! load uses `link`, `calls` and `residue` of verify, and the words of its record; verify knows of load only that a check has its
//! record. report reads records and judges nothing: objectives are judged by `load::objective`, claims and regressions by compare.
//! capacity judges by records alone, of verify and load too. compare knows the words of `load::record` and `load::leg`, and nothing
//! else of load. doctor stands beside verify and load: it asks
//! through client and schema, and judges its own evidence.
//!
//! # Invariants (held by `tests/it/tidy.rs`)
//!
//! 1. `capacity`, `scenario`, `compare`, `numbers`, `doctor` but for its `probes`, `schema::drift`, `verify::{matrix, judge, pattern, link, fold,
//!    record, redact, answers, checks, against, snapshot}`, `load::{workload, prepare, pacer, mix, recorder, summary, decode, hlog,
//!    record, objective, words, verdict}` and every renderer are pure: no async, no clock, no file.
//! 2. Only `client`, `load::wire` and `doctor::probes` open connections; only `report::console`, `main` and `commands` print.
//! 3. Only `commands/serve.rs` names the server crate. `check`, `verify` and `load` without a target start the server as a child
//!    process of the same executable; everything else knows an address.
//! 4. The JSON record is versioned; an unknown version is refused. HTML, Markdown and JUnit are renders, never read back.
//! 5. Every channel is bounded; every wait has a deadline. Environment, terminal and clock enter in `main` and `commands`.
//! 6. Nothing counts as passed that was not checked: zero cases, zero expectations, a filter or known-failing line that
//!    matches nothing, an `each` over nothing, everything skipped, a limit on what is void: none of them exits 0.

pub mod capacity;
pub mod cli;
pub mod client;
pub mod compare;
pub mod doctor;
pub mod exit;
pub mod load;
pub mod numbers;
pub mod report;
pub mod scenario;
pub mod schema;
pub mod verify;
