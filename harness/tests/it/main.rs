//! End to end, through the real binary and on made-up peers.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod capacity_page;
mod client;
mod compare;
mod contract;
mod crash;
mod doctor;
mod editions;
mod engine;
mod faults;
mod foreign;
mod fuzz;
mod healthy;
mod histograms;
mod hostile;
mod invalid;
#[cfg(feature = "goose")]
mod journeys;
mod load_page;
mod offer;
mod openapi;
mod page;
mod residue;
mod schema;
mod secure;
mod simulate;
mod store;
#[allow(dead_code, reason = "each program of tests uses its part")]
mod support;
mod targets;
mod tidy;
mod transcoder;
mod verify;
mod wire;
mod workload;
