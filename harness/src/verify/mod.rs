//! The scenario engine: matrix, run, judge, record.

pub mod event;
pub mod record;
