//! What a verify run reports as it happens: the one vocabulary between running and showing. `events.jsonl` is this, a
//! line each.

use super::record::{CaseRecord, Residue, RunRecord};
use serde::{Deserialize, Serialize};

/// An event, numbered by the one loop that owns the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// From 0, without gaps.
    pub seq: u64,
    /// Milliseconds since the run began.
    pub elapsed_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// See [`Event`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The matrix is known and the target has answered. `run` has no cases yet.
    RunStarted {
        /// Identity and options.
        run: Box<RunRecord>,
        /// How many cases there are.
        cases: usize,
    },
    /// A case begins.
    CaseStarted {
        /// Its display name, `id[row] (protocol)`.
        case: String,
    },
    /// A case is over: passed, failed, skipped or not judged.
    CaseFinished {
        /// All about it.
        case: Box<CaseRecord>,
    },
    /// Something stays behind on the target.
    ResidueLeft {
        /// What.
        residue: Residue,
    },
    /// The target has stopped answering; the rest is not judged.
    TargetLost {
        /// Why, in a sentence.
        reason: String,
    },
    /// The run is over. Counts, rules and verdict are those of `run.json`.
    RunFinished {
        /// The verdict.
        verdict: super::record::Verdict,
    },
}
