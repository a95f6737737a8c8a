//! End to end, through the real binary.
#![allow(clippy::unwrap_used)]

mod foreign;
mod support;
