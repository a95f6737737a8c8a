//! End to end, where a rate, a time or an objective is part of what is judged: a program of its own, so that cargo runs it with nothing
//! heavy beside it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod capacity;
mod deploy;
mod load;
#[allow(dead_code, reason = "each program of tests uses its part")]
#[path = "../it/support/mod.rs"]
mod support;
mod verdicts;
