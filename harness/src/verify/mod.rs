//! The scenario engine: matrix, run, judge, record.

pub mod against;
pub mod answers;
mod background;
pub(crate) mod calls;
mod case;
pub mod checks;
pub mod coverage;
mod drive;
pub mod engine;
pub mod event;
pub mod fold;
pub mod glob;
mod group;
pub mod judge;
pub mod link;
pub mod matrix;
pub mod mismatch;
mod pace;
mod pairing;
pub mod pattern;
pub mod record;
pub mod redact;
pub mod residue;
pub mod run;
pub mod snapshot;
mod stream;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod timeline;
pub(crate) mod values;
