//! End to end, through the real binary and on made-up peers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod client;
mod contract;
mod crash;
mod editions;
mod engine;
mod faults;
mod foreign;
mod fuzz;
mod healthy;
mod hostile;
mod invalid;
mod openapi;
mod page;
mod schema;
mod secure;
mod store;
mod support;
mod targets;
mod tidy;
mod transcoder;
mod verify;
mod workload;
