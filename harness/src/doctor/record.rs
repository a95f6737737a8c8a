//! The record of a doctor: what `run.json` of `stocktake doctor` holds. Pure.

use super::{
    evidence::Evidence,
    symptoms::{Diagnosis, Note},
};
use crate::verify::record::HostRecord;
use serde::{Deserialize, Serialize};

/// The form of [`DoctorRecord`]; another one is refused.
pub const DOCTOR_VERSION: u32 = 1;

/// All of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoctorRecord {
    /// See [`DOCTOR_VERSION`].
    pub doctor_version: u32,
    /// `doctor`.
    pub command: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took.
    pub elapsed_ms: u64,
    /// The machine that asked.
    pub host: HostRecord,
    /// What was asked for beside the target: name and value.
    pub options: Vec<(String, String)>,
    /// What was seen.
    pub evidence: Evidence,
    /// What it means, the cause first; empty for a healthy target.
    pub diagnoses: Vec<Diagnosis>,
    /// What is worth knowing and no cause of anything.
    pub notes: Vec<Note>,
    /// The end.
    pub verdict: DoctorVerdict,
}

/// The end of a doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoctorVerdict {
    /// How it ended.
    pub result: DoctorResult,
    /// 0, 1 or 3; 130 or 143 where a signal cut it short.
    pub exit_code: i32,
    /// In a sentence.
    pub sentence: String,
    /// Whether everything was asked.
    pub complete: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoctorResult {
    /// It answers, and nothing that was asked needs a change.
    Healthy,
    /// It answers, and something needs a change.
    Change,
    /// It does not answer as gRPC should.
    Unreachable,
    /// A signal cut it short.
    Interrupted,
}
