//! The reference inventory service.

pub mod fault;

pub use fault::{Fault, FaultInfo};
