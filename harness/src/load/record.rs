//! The record of a load run, its `run.json`: every report of it is a render of this. Pure.
//!
//! Times are nanoseconds unless their name says otherwise. A value that was not measured, or for which there were too few
//! samples, is `None`, never 0.

use super::{exchange::Decoding, leg::Leg};
use crate::verify::record::{Caveat, HostRecord};
use serde::{Deserialize, Serialize};

/// The version of [`LoadRecord`]; another one is refused when a record is read.
pub const LOAD_VERSION: u32 = 1;

/// A whole run of `stocktake load`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadRecord {
    /// [`LOAD_VERSION`].
    pub load_version: u32,
    /// `load`, or `check` for its short comparison.
    pub command: String,
    /// The id in every name that the run wrote on the target.
    pub run_id: String,
    /// RFC 3339, UTC.
    pub started: String,
    /// Milliseconds.
    pub elapsed_ms: u64,
    /// Under load: one, or with `--against` the old one first and the new one second.
    pub targets: Vec<LoadTarget>,
    /// What was sent.
    pub workload: WorkloadRecord,
    /// From which machine.
    pub host: HostRecord,
    /// The generator.
    pub generator: GeneratorRecord,
    /// The options that bear on the numbers.
    pub options: Vec<(String, String)>,
    /// One for each combination of the workload's factors; one when it has none.
    pub cells: Vec<CellRecord>,
    /// Of sides that were measured in interleaved rounds.
    pub comparisons: Vec<ComparisonRecord>,
    /// What stays behind on the target, such as `product st-8q2m4x-1`.
    pub residue: Vec<String>,
    /// Doubts about the run, each with its remedy.
    pub caveats: Vec<Caveat>,
    /// The verdict.
    pub verdict: LoadVerdict,
}

impl LoadRecord {
    /// Position of the target that is judged: the only one, or the new one.
    pub fn newest(&self) -> usize {
        self.targets.len().saturating_sub(1)
    }
}

/// A target under load.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadTarget {
    /// `target`; with `--against`: `old` and `new`.
    pub name: String,
    /// As typed, without secrets; `built-in service` in front where the run started it.
    pub address: String,
    /// Where the descriptors came from, such as `reflection v1`.
    pub descriptors: String,
    /// Whether it is on this machine, and so shares its cores.
    pub loopback: bool,
    /// Milliseconds until the first answer, where it was waited for apart (`--cold-start`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start_ms: Option<u64>,
}

/// The workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRecord {
    /// Its id.
    pub id: String,
    /// What it says of itself.
    pub name: String,
    /// `embedded` or the file.
    pub file: String,
    /// SHA-256 of the text, hex.
    pub sha256: String,
    /// The seed of schedule and mix.
    pub seed: u64,
    /// Its operations, in order.
    pub operations: Vec<WorkloadOperation>,
    /// A claim that the workload puts to the test, in its words.
    pub claim: Option<ClaimRecord>,
    /// What the run has to hold.
    pub objective: Option<ObjectiveRecord>,
}

/// An operation of the workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadOperation {
    /// Its id.
    pub id: String,
    /// `pkg.Service/Method`.
    pub method: String,
    /// Its share of the requests, 0 to 1. Of a step of users: as if all journeys took as long.
    pub share: f64,
}

/// "A is 5 to 10 times faster than B".
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRecord {
    /// In its own words.
    pub text: String,
    /// The leg that is said to be faster.
    pub faster: Leg,
    /// The leg that is said to be slower.
    pub slower: Leg,
    /// The ratio that is claimed, from and to.
    pub ratio: (f64, f64),
}

/// What the run has to hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveRecord {
    /// Limits of the response time: percentile (0 to 1) and nanoseconds.
    pub latency: Vec<(f64, u64)>,
    /// The largest share of requests that may fail, 0 to 1.
    pub errors: Option<f64>,
}

/// The generator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneratorRecord {
    /// Threads that send.
    pub threads: usize,
    /// Model of the processor, where the system names it.
    pub processor: Option<String>,
    /// Kernel release, where the system names it.
    pub kernel: Option<String>,
    /// The error of the clock that paces, p99 of a bare timed wait on this machine beside the run.
    pub bare_wait_p99: Option<u64>,
}

/// One combination of factors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRecord {
    /// Its number as text, the base of file names: `c1`, `c2`, …
    pub id: String,
    /// Names and values, such as `products` = `10`; empty when the workload has no factors.
    pub factors: Vec<(String, String)>,
    /// How requests arrive.
    pub arrivals: ArrivalsRecord,
    /// What the client does with answers.
    pub decoding: Decoding,
    /// Connections of each leg that shares them between calls.
    pub connections: usize,
    /// Calls at once on each of those; a leg that does not share has connections x this.
    pub streams_per_connection: usize,
    /// Seconds of a round that count.
    pub measured_s: f64,
    /// Seconds before that do not.
    pub warm_up_s: f64,
    /// One for each leg and target, in the order of the targets, then of the legs.
    pub sides: Vec<SideRecord>,
    /// Why nothing of the cell may be used.
    pub void: Option<String>,
}

/// How requests arrive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "model")]
pub enum ArrivalsRecord {
    /// Open loop, evenly spaced: requests a second, as stages from rate to rate for seconds.
    Constant {
        /// From, to, seconds.
        stages: Vec<(f64, f64, f64)>,
    },
    /// Open loop, as from many callers that do not know of each other.
    Poisson {
        /// From, to, seconds.
        stages: Vec<(f64, f64, f64)>,
    },
    /// Closed loop: so many calls are always in flight.
    InFlight {
        /// How many.
        calls: usize,
    },
    /// Closed loop of virtual users with think times.
    Users {
        /// How many.
        users: usize,
    },
}

impl ArrivalsRecord {
    /// Whether the next request waits for an answer, so that throughput says something about the target.
    pub fn is_closed(&self) -> bool {
        match self {
            ArrivalsRecord::Constant { .. } | ArrivalsRecord::Poisson { .. } => false,
            ArrivalsRecord::InFlight { .. } | ArrivalsRecord::Users { .. } => true,
        }
    }
}

/// One leg on one target, all its rounds together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideRecord {
    /// Which protocol variant.
    pub leg: Leg,
    /// Position in [`LoadRecord::targets`].
    pub target: usize,
    /// In the order in which they ran.
    pub rounds: Vec<RoundRecord>,
    /// In the order of the workload.
    pub operations: Vec<OperationRecord>,
    /// All operations together; `None` where there is but one.
    pub all: Option<OperationRecord>,
    /// By second of measured time, all rounds one after the other. Seconds of void rounds have no times.
    pub series: Vec<PointRecord>,
    /// Why nothing of the side may be used.
    pub void: Option<String>,
}

impl SideRecord {
    /// Its name within the record.
    pub fn name(&self) -> SideName {
        SideName {
            leg: self.leg,
            target: self.target,
        }
    }

    /// All operations together.
    pub fn overall(&self) -> Option<&OperationRecord> {
        self.all.as_ref().or(match self.operations.as_slice() {
            [only] => Some(only),
            _ => None,
        })
    }
}

/// One round of one side. Warm-up is left out of everything.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundRecord {
    /// Place in the order of all rounds of the cell, from 0.
    pub order: usize,
    /// The block (A B, or B A) that it belongs to, from 0.
    pub block: usize,
    /// Since the run began.
    pub began_ms: u64,
    /// Seconds that were measured.
    pub seconds: f64,
    /// Requests that the schedule wanted in this time.
    pub scheduled: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that ended as accepted.
    pub succeeded: u64,
    /// All others.
    pub failed: u64,
    /// Accepted ends a second.
    pub throughput: f64,
    /// Mean response time of the accepted.
    pub mean: Option<f64>,
    /// Median of the response time of the accepted.
    pub p50: Option<u64>,
    /// 99th percentile, where there were 1,000 samples.
    pub p99: Option<u64>,
    /// CPU time of the server for each request that was sent, microseconds.
    pub server_cpu_us: Option<f64>,
    /// CPU time of the generator for each request that was sent, microseconds.
    pub client_cpu_us: f64,
    /// Bytes for each request that was sent: sent, received.
    pub bytes: (f64, f64),
    /// Mean in flight from the counter's time integral.
    pub in_flight: f64,
    /// Mean in flight by Little's law: the sum of service times over the time.
    pub littles: f64,
    /// The most requests that were due and waited.
    pub most_waiting: u64,
    /// Why the round may not be used.
    pub void: Option<String>,
}

/// One operation of one side. Ends and failures are of all rounds, the other times of those that are not void.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRecord {
    /// Its id; `all` for all of them together.
    pub id: String,
    /// Ends by their name (`OK`, `NOT_FOUND`, `timeout`, `connection lost`, `not readable`) and how many.
    pub outcomes: Vec<(String, u64)>,
    /// From the intended send to the end, accepted ones.
    pub response: CurveRecord,
    /// From the actual send to the end, accepted ones.
    pub service: CurveRecord,
    /// From when it could be sent to when it was: the generator's own delay, all requests.
    pub lateness: CurveRecord,
    /// From the intended send to when a slot was free, all requests.
    pub slot_wait: CurveRecord,
    /// Response time of those that failed; a timeout counts with its limit.
    pub failures: CurveRecord,
    /// From the intended send to the first message of a stream.
    pub first_message: Option<CurveRecord>,
    /// Between two messages of a stream.
    pub gaps: Option<CurveRecord>,
    /// From the intended send of a marked request to its delivery by a watch.
    pub delivery: Option<CurveRecord>,
    /// The file with its histograms (HdrHistogram V2 log), beside the record.
    pub hlog: Option<String>,
}

/// A distribution, as far as it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveRecord {
    /// Samples.
    pub count: u64,
    /// The smallest.
    pub min: Option<u64>,
    /// The mean.
    pub mean: Option<f64>,
    /// The largest.
    pub max: Option<u64>,
    /// Percentiles (0 to 1) and their values: those that have ten samples beyond them (n(1-q) >= 10), and points between for
    /// the curve.
    pub percentiles: Vec<(f64, u64)>,
}

impl CurveRecord {
    /// The value of a percentile that is on the curve.
    pub fn at(&self, percentile: f64) -> Option<u64> {
        let near = |q: f64| (q - percentile).abs() < 1e-9;
        self.percentiles.iter().find(|(q, _)| near(*q)).map(|(_, value)| *value)
    }
}

/// One second of a side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointRecord {
    /// Second of measured time, from 0.
    pub second: u64,
    /// Requests that the schedule wanted in it.
    pub scheduled: u64,
    /// Requests intended in it that ended as accepted.
    pub succeeded: u64,
    /// Requests intended in it that did not.
    pub failed: u64,
    /// Median of the response time, of those intended in it.
    pub p50: Option<u64>,
    /// 99th percentile, where there were 1,000.
    pub p99: Option<u64>,
    /// The largest.
    pub max: Option<u64>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Median response time.
    P50,
    /// 99th percentile of the response time.
    P99,
    /// Mean response time.
    Mean,
    /// Accepted ends a second.
    Throughput,
    /// CPU time of the server for each request.
    ServerCpu,
    /// Bytes on the wire for each request, both ways.
    Bytes,
}

impl Measure {
    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Measure::P50 => "median response time",
            Measure::P99 => "p99 response time",
            Measure::Mean => "mean response time",
            Measure::Throughput => "throughput",
            Measure::ServerCpu => "server CPU per request",
            Measure::Bytes => "bytes per request",
        }
    }

    /// Whether more of it is better.
    pub fn more_is_better(self) -> bool {
        self == Measure::Throughput
    }
}

/// One side, in words that a record can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SideName {
    /// Which protocol variant.
    pub leg: Leg,
    /// Position in [`LoadRecord::targets`].
    pub target: usize,
}

/// Two sides of one cell by one measure. Method: paired log-ratios of the rounds of each block, a two-sided 95 % t interval on
/// their mean, p-values after Holm over all comparisons of the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonRecord {
    /// [`CellRecord::id`].
    pub cell: String,
    /// By what.
    pub measure: Measure,
    /// What is below the line of the ratio.
    pub base: SideName,
    /// What is above it.
    pub other: SideName,
    /// Pairs of rounds that could be used.
    pub pairs: usize,
    /// Geometric mean of other / base.
    pub ratio: Option<f64>,
    /// The 95 % interval of the ratio.
    pub interval: Option<(f64, f64)>,
    /// Two-sided, of "the ratio is 1", adjusted by Holm.
    pub p_adjusted: Option<f64>,
    /// The smallest ratio above 1 that this many pairs with this scatter would find with 80 % power.
    pub detectable: Option<f64>,
    /// What it comes to.
    pub finding: Finding,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The other side has more of it.
    More,
    /// The other side has less of it.
    Less,
    /// No difference was found; a smaller one than `detectable` may be there.
    NoDifference,
    /// Too few pairs to say.
    TooFew,
    /// The cell or a side is void.
    Void,
}

/// How a load run ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadVerdict {
    /// In one word.
    pub result: LoadResult,
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
pub enum LoadResult {
    /// Measured, and any objective held.
    Measured,
    /// An objective did not hold, or the new target is slower than the old one.
    Failed,
    /// Nothing could be measured.
    NotJudged,
    /// Measured, but nothing is left to judge.
    Inconclusive,
    /// Ended early.
    Interrupted,
}
