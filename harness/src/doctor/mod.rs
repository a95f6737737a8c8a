//! Why a target does not answer, layer by layer, and what to change.
//!
//! [`probes`] asks, and is the part that opens connections. What it saw is [`evidence`]: plain data. [`symptoms`] makes diagnoses
//! of it and [`layers`] a line for each layer; both are pure, so that every row of the table can be tried without a network.
//!
//! The table itself is research on Azure Container Apps and Envoy: a symptom that a client sees, its cause, what to change. Its row
//! numbers stand in [`symptoms::TABLE`] and [`symptoms::OUTSIDE`], and in every [`symptoms::Diagnosis`]. Its strings were
//! produced with Envoy 1.40 and grpcio; `tests/it/doctor.rs` stages them again.

pub mod azure;
pub mod evidence;
pub mod layers;
pub mod probes;
pub mod record;
pub mod symptoms;
