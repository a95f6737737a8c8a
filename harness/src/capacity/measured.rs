//! What was found out about one replica: the ground on which limits are recommended. Pure.
use serde::{Deserialize, Serialize};
/// About one replica at the objective.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Highest rate that passed, requests a second. Of several replicas: what the busiest carried of it, its skew included.
    pub passed: f64,
    /// Lowest rate that failed, where one was found.
    pub failed: Option<f64>,
    /// What limits: `latency`, `errors`, `cpu`, `generator`, `edge`, `unknown`, …
    pub limit: String,
    /// Mean calls in flight at `passed`, likewise.
    pub in_flight: f64,
    /// Mean service time at `passed`, seconds.
    pub service_s: f64,
    /// Server CPU seconds of a request, where known.
    pub cpu_s: Option<f64>,
    /// Bytes of memory of the server at `passed`, where known.
    pub memory: Option<u64>,
    /// Streams that one replica held open at once, and bytes of memory of each, where measured.
    pub streams: Option<u64>,
    /// Streams that it is set to allow: a figure of its configuration, which nobody tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams_allowed: Option<u64>,
    /// Bytes of memory of each of them.
    pub stream_memory: Option<u64>,
    /// Seconds from start to the first answer, and to end on SIGTERM, where measured.
    pub cold_start_s: Option<f64>,
    /// From SIGTERM to the end.
    pub drain_s: Option<f64>,
    /// Largest share of a replica over the mean share; 1 where there is one replica.
    pub skew: f64,
    /// Runs that this comes from: folders or run ids.
    pub from: Vec<String>,
}
