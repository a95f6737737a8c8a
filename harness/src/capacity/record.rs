//! The record of a capacity run, its `run.json`: every report of it is a render of this. Pure.
//!
//! Rates are requests a second, times seconds, unless a name says otherwise. What was not measured is `None`, never 0.

use super::{measured::Measured, recommend::Advice};
use crate::{
    load::{
        leg::Leg,
        record::{GeneratorRecord, LoadTarget, ObjectiveRecord, WorkloadRecord},
    },
    verify::record::{Caveat, HostRecord},
};
use serde::{Deserialize, Serialize};

/// The version of [`CapacityRecord`]; another one is refused when a record is read.
pub const CAPACITY_VERSION: u32 = 1;

/// A whole run of `stocktake capacity`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityRecord {
    /// [`CAPACITY_VERSION`].
    pub capacity_version: u32,
    /// The id in every name that the run wrote on the target.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// Under load; `None` where the run only read stored ones.
    pub target: Option<LoadTarget>,
    /// What was sent.
    pub workload: Option<WorkloadRecord>,
    /// Over which protocol variant.
    pub leg: Option<Leg>,
    /// Replicas behind the target, as told or as counted; 0: not known.
    pub replicas: u32,
    /// From which machine.
    pub host: HostRecord,
    /// The generator.
    pub generator: Option<GeneratorRecord>,
    /// The options that bear on the numbers.
    pub options: Vec<(String, String)>,
    /// What had to hold.
    pub objective: ObjectiveRecord,
    /// Everything that was played, in order.
    pub stages: Vec<StageRecord>,
    /// Rates that were judged, from low to high; those of the confirmation too.
    pub points: Vec<PointTried>,
    /// The answer.
    pub bracket: Option<Bracket>,
    /// Throughput of a closed loop over the calls in flight, and the law through it.
    pub scalability: Option<ScalabilityRecord>,
    /// What several runs say of more replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionRecord>,
    /// About one replica, for what follows.
    pub measured: Option<Measured>,
    /// What follows: limits to set, and what they do under traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    /// What stays behind on the target.
    pub residue: Vec<String>,
    /// Doubts about the run, each with its remedy.
    pub caveats: Vec<Caveat>,
    /// What to run next, as a command or in words, the most useful first.
    pub next: Vec<String>,
    /// The verdict.
    pub verdict: CapacityVerdict,
}

/// Why a stage was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Twice the rate of before, until it fails.
    Explore,
    /// Between the highest pass and the lowest fail.
    Bisect,
    /// Long, around the rate that was found: the answer comes from these alone.
    Confirm,
    /// Closed loop, with so many calls in flight.
    Steps,
}

/// One stage: a rate, or calls in flight, for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecord {
    /// Why.
    pub phase: Phase,
    /// The rate that was asked for, Poisson; `None` in a closed loop.
    pub rate: Option<f64>,
    /// Calls that a closed loop kept in flight; `None` in an open one.
    pub calls: Option<usize>,
    /// Since the run began, milliseconds.
    pub began_ms: u64,
    /// Seconds that were measured, warm-up left out.
    pub seconds: f64,
    /// Requests that were due in them.
    pub scheduled: u64,
    /// Those of them that were sent.
    pub sent: u64,
    /// Those that ended as accepted.
    pub succeeded: u64,
    /// Those that did not.
    pub failed: u64,
    /// Requests beyond each limit of the objective, in its order: slower than a latency or failed; last, failed ones where
    /// errors are limited.
    pub beyond: Vec<u64>,
    /// Accepted ends a second.
    pub throughput: f64,
    /// Median and 99th percentile of the response time, nanoseconds.
    pub p50: Option<u64>,
    /// As above.
    pub p99: Option<u64>,
    /// Mean time from the actual send to the end, seconds.
    pub service_s: Option<f64>,
    /// 99th percentile of it, nanoseconds: without what the generator added.
    pub service_p99: Option<u64>,
    /// Mean calls in flight.
    pub in_flight: f64,
    /// The most requests that were due and waited.
    pub most_waiting: u64,
    /// The share of all times that waiting for a free connection or stream made up.
    pub slot_wait: f64,
    /// CPU seconds of the server for each request, where known.
    pub server_cpu_s: Option<f64>,
    /// Processors' worth of CPU that the server took, where known.
    pub server_cpus: Option<f64>,
    /// Resident memory of the server at its end, bytes, where known.
    pub server_memory: Option<u64>,
    /// Mean time that the server itself counted for a call, seconds, where its metrics are known.
    pub server_s: Option<f64>,
    /// Mean time of it that the server spent on a database, seconds, where its metrics count that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_s: Option<f64>,
    /// The share of its threads' time that the generator was busy.
    pub generator_busy: f64,
    /// What it comes to.
    pub judged: StageJudged,
}

/// What a stage comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "result")]
pub enum StageJudged {
    /// Every limit held.
    Passed,
    /// A limit did not hold.
    Failed {
        /// Which, in words.
        why: String,
        /// What limits: `latency`, `errors`, `backlog`.
        limit: String,
    },
    /// It says nothing of the target.
    Void {
        /// Why, in words.
        why: String,
        /// What it was: `generator`, `connections`, `replicas`, `lost`.
        limit: String,
    },
    /// Nothing was judged: a step of a closed loop.
    Measured,
}

/// A rate and how its stages ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointTried {
    /// Requests a second.
    pub rate: f64,
    /// Stages that passed.
    pub passed: u32,
    /// Stages that failed.
    pub failed: u32,
    /// 2 of 3: whether the point passed; `None` where it was left before that, and in the confirmation.
    pub verdict: Option<bool>,
    /// The largest share of requests beyond a limit over the share that is allowed, all stages together: above 1 it fails.
    pub strain: f64,
}

/// Between which rates the objective stops to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bracket {
    /// The objective holds at it.
    pub low: f64,
    /// It does not hold at it; `None`: no rate that was tried is beyond the target.
    pub high: Option<f64>,
    /// The best single guess between.
    pub best: f64,
    /// How often such a bracket holds the truth: 0.95. 0 where there is no interval: pass and fail are so clear that the ends are two
    /// rates that were tried, or one end is missing.
    pub confidence: f64,
    /// Stages that it comes from.
    pub stages: usize,
    /// The limit that stops: `p99 <= 200ms`, …
    pub binding: String,
    /// What limits: `latency`, `errors`, `cpu`, `waiting`, `generator`, `connections`, `edge`, `database`, `unknown`.
    pub limit: String,
    /// How that is known, in a sentence.
    pub because: String,
}

/// Closed-loop steps and the Universal Scalability Law through them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScalabilityRecord {
    /// What N is: `calls in flight`, or `replicas`.
    pub of: String,
    /// N and throughput.
    pub steps: Vec<(f64, f64)>,
    /// The law; `None`: it was refused.
    pub fit: Option<UslRecord>,
    /// Why there is none, or what to know of it.
    pub note: Option<String>,
}

/// X(N) = lambda N / (1 + sigma (N - 1) + kappa N (N - 1)). Neil Gunther, Guerrilla Capacity Planning, 2007.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UslRecord {
    /// Throughput of N = 1.
    pub lambda: f64,
    /// Its 95 % interval.
    pub lambda_interval: (f64, f64),
    /// Contention.
    pub sigma: f64,
    /// Its 95 % interval.
    pub sigma_interval: (f64, f64),
    /// Crosstalk; 0 where the steps are too few to tell it from 0.
    pub kappa: f64,
    /// Its 95 % interval; `None` where it was set to 0.
    pub kappa_interval: Option<(f64, f64)>,
    /// 1 - residual variance / variance.
    pub r_squared: f64,
    /// Measured / law - 1 of each step.
    pub residuals: Vec<f64>,
    /// N of the highest throughput; `None` where kappa is 0, or beyond twice the largest step.
    pub peak: Option<f64>,
    /// Throughput there.
    pub peak_throughput: Option<f64>,
    /// The largest N that was measured: beyond twice this every value is extrapolated.
    pub measured_to: f64,
}

/// What more replicas would carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionRecord {
    /// Replicas, and the bracket that each number was measured with.
    pub known: Vec<(u32, f64, f64)>,
    /// For how many replicas.
    pub replicas: u32,
    /// Rate, low, high (95 %); `None`: that cannot be told.
    pub rate: Option<(f64, f64, f64)>,
    /// In a sentence.
    pub sentence: String,
}

/// How a capacity run ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityVerdict {
    /// In one word.
    pub result: CapacityResult,
    /// The exit code.
    pub exit_code: i32,
    /// In one sentence.
    pub sentence: String,
    /// Whether the run came to its end.
    pub complete: bool,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacityResult {
    /// There is a bracket.
    Found,
    /// The objective does not hold at the lowest rate.
    Failed,
    /// The target could not be driven.
    NotJudged,
    /// Too little data, or something else than the target was the limit.
    Inconclusive,
    /// Ended early.
    Interrupted,
}
