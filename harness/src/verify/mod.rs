//! The scenario engine: matrix, run, judge, record.

mod background;
pub(crate) mod calls;
mod case;
pub mod coverage;
pub mod engine;
pub mod event;
pub mod fold;
pub mod glob;
pub mod judge;
pub mod link;
pub mod matrix;
pub mod mismatch;
mod pairing;
pub mod pattern;
pub mod record;
pub mod residue;
pub mod run;
pub mod snapshot;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod timeline;
pub(crate) mod values;
