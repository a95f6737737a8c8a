//! End to end, through the real binary and on made-up peers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod client;
mod engine;
mod faults;
mod foreign;
mod fuzz;
mod healthy;
mod invalid;
mod schema;
mod support;
mod targets;
mod tidy;
mod verify;
