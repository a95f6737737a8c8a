//! End to end: the harness against peers, servers and files.
#![allow(clippy::unwrap_used)]

mod client;
