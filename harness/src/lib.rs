//! stocktake: the harness.

pub mod client;
pub mod report;
pub mod scenario;
pub mod schema;
pub mod verify;
