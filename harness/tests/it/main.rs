//! The harness from outside.

#![allow(clippy::unwrap_used)]

mod fuzz;
mod invalid;
mod schema;
