//! `stocktake capacity`.

use super::{ConnectionArgs, OutputArgs, count, pause, rate, time_limit};
use clap::Args;
use std::{path::PathBuf, time::Duration};

/// `stocktake capacity`.
#[derive(Args, Debug)]
pub struct CapacityArgs {
    /// https://host, http://host:port, or host:port (plaintext, loopback only). Left out: the built-in service, and with --from
    /// no target at all.
    #[arg(env = "STOCKTAKE_TARGET", value_name = "TARGET")]
    pub target: Option<String>,
    /// A workload file, or the name of a built-in one; one with virtual users is refused.
    #[arg(long, env = "STOCKTAKE_WORKLOAD", default_value = "mixed", value_name = "FILE|NAME")]
    pub workload: String,
    /// What has to hold, such as `p99=200ms,errors=0.1%`; left out: the objective of the workload, else `p99=200ms,errors=1%`.
    #[arg(long, env = "STOCKTAKE_OBJECTIVE", value_name = "LIMIT,…")]
    pub objective: Option<String>,
    /// The protocol variant to drive: grpc, rest-h1, rest-h2 or rest-h1-close.
    #[arg(long, env = "STOCKTAKE_LEG", default_value = "grpc", value_name = "LEG")]
    pub leg: String,
    /// The first rate, requests a second; it is doubled until one fails.
    #[arg(long, env = "STOCKTAKE_START_RATE", default_value = "50", value_name = "N", value_parser = rate)]
    pub start_rate: f64,
    /// The highest rate to try.
    #[arg(long, env = "STOCKTAKE_MAX_RATE", default_value = "200000", value_name = "N", value_parser = rate)]
    pub max_rate: f64,
    /// How long a stage of the search counts; up to four times as long where its requests would be too few to judge. A fifth as
    /// much before it does not.
    #[arg(long, env = "STOCKTAKE_STAGE", default_value = "10s", value_name = "DURATION", value_parser = time_limit)]
    pub stage: Duration,
    /// How long a confirming stage counts; there are 12 to 36 of them.
    #[arg(long, env = "STOCKTAKE_CONFIRM", default_value = "30s", value_name = "DURATION", value_parser = time_limit)]
    pub confirm: Duration,
    /// Calls in flight of the closed-loop steps behind the scalability law; fewer than six different ones leave
    /// kappa open, and `none` leaves it out.
    #[arg(
        long,
        env = "STOCKTAKE_STEPS",
        default_value = "1,2,4,8,16,32",
        value_name = "N,…|none"
    )]
    pub steps: String,
    /// Connections; a balancer has to see several of them for each replica.
    #[arg(long, env = "STOCKTAKE_CONNECTIONS", default_value_t = 8, value_name = "N", value_parser = count)]
    pub connections: usize,
    /// Calls at once on each of them; REST over HTTP/1.1 has a connection for each instead.
    #[arg(long, env = "STOCKTAKE_STREAMS_PER_CONNECTION", default_value_t = 100, value_name = "N", value_parser = count)]
    pub streams_per_connection: usize,
    /// Threads that send.
    #[arg(long, env = "STOCKTAKE_THREADS", default_value_t = 1, value_name = "N", value_parser = count)]
    pub threads: usize,
    /// Seed of schedule and mix, in place of the workload's.
    #[arg(long, env = "STOCKTAKE_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// Agree to drive a target that is not on loopback beyond what it can take.
    #[arg(long, env = "STOCKTAKE_ALLOW_OVERLOAD")]
    pub allow_overload: bool,
    /// Agree to writes on a target that is not on loopback.
    #[arg(long, env = "STOCKTAKE_ALLOW_WRITES")]
    pub allow_writes: bool,
    /// Replicas behind the target; left out: as many as answer with a name of their own, or have metrics; 1 for the built-in
    /// service or with --server-pid, else it is not known and nothing is recommended.
    #[arg(long, env = "STOCKTAKE_REPLICAS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub replicas: Option<u32>,
    /// The response header that names the replica.
    #[arg(
        long,
        env = "STOCKTAKE_REPLICA_HEADER",
        default_value = "x-stocktake-replica",
        value_name = "NAME"
    )]
    pub replica_header: String,
    /// Metrics of a replica (Prometheus text over plain HTTP), for its CPU, memory and own times. Repeatable, one for each.
    #[arg(long, env = "STOCKTAKE_METRICS_URL", value_name = "URL", value_delimiter = ',')]
    pub metrics_url: Vec<String>,
    /// Process id of a target on this machine, whose CPU time is then read; known for the built-in service.
    #[arg(long, env = "STOCKTAKE_SERVER_PID", value_name = "PID", requires = "target")]
    pub server_pid: Option<u32>,
    /// Processors that a replica may use, such as 0.5: a figure of the deployment.
    #[arg(long, env = "STOCKTAKE_CPU", value_name = "N", value_parser = rate)]
    pub cpu: Option<f64>,
    /// Streams to hold open for a while, to measure the memory of one; the built-in contract alone.
    #[arg(long, env = "STOCKTAKE_STREAMS", value_name = "N", value_parser = count)]
    pub streams: Option<usize>,
    /// Takes a stored run (of check, load or capacity) instead of driving a target. Repeatable.
    #[arg(long, env = "STOCKTAKE_FROM", value_name = "RUN", value_delimiter = ',', conflicts_with_all = ["target", "allow_overload", "server_pid"])]
    pub from: Vec<PathBuf>,
    /// Predict what so many replicas carry, from runs with fewer.
    #[arg(long, env = "STOCKTAKE_PREDICT", value_name = "N", requires = "from", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub predict: Option<u32>,
    /// Between two stages.
    #[arg(long, env = "STOCKTAKE_PAUSE", default_value = "200ms", value_name = "DURATION", value_parser = pause)]
    pub pause: Duration,
    /// The id in every name written on the target, `[a-z0-9]{1,20}`; a new one each run when left out.
    #[arg(long, env = "STOCKTAKE_RUN_ID", value_name = "ID")]
    pub run_id: Option<String>,
    /// What the deployment has to bear.
    #[command(flatten)]
    pub question: QuestionArgs,
    /// How to reach the target and learn its descriptors.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What a deployment has to bear, and what bounds it: for a recommendation.
#[derive(Args, Debug)]
#[command(next_help_heading = "Recommendation")]
pub struct QuestionArgs {
    /// The highest rate to expect, requests a second: turns what was measured into limits to set.
    #[arg(long, env = "STOCKTAKE_PEAK_RATE", value_name = "N", value_parser = rate)]
    pub peak_rate: Option<f64>,
    /// The rate of quiet hours.
    #[arg(long, env = "STOCKTAKE_BASE_RATE", value_name = "N", value_parser = rate)]
    pub base_rate: Option<f64>,
    /// How many times those two a rate may jump to.
    #[arg(long, env = "STOCKTAKE_BURST", default_value = "1", value_name = "FACTOR", value_parser = rate)]
    pub burst: f64,
    /// The share of what a replica sustains that is planned with.
    #[arg(long, env = "STOCKTAKE_HEADROOM", default_value = "0.65", value_name = "SHARE", value_parser = rate)]
    pub headroom: f64,
    /// How long a caller waits in a burst, at most.
    #[arg(long, env = "STOCKTAKE_PATIENCE", default_value = "1s", value_name = "DURATION", value_parser = time_limit)]
    pub patience: Duration,
    /// Streams open at once, at most.
    #[arg(long, env = "STOCKTAKE_PEAK_STREAMS", value_name = "N")]
    pub peak_streams: Option<u64>,
    /// Replicas without which nothing is redundant: 1, 2, or 3 for three zones.
    #[arg(long, env = "STOCKTAKE_AT_LEAST", default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub at_least: u32,
    /// A replica keeps in memory what another one would have to know.
    #[arg(long, env = "STOCKTAKE_IN_MEMORY")]
    pub in_memory: bool,
    /// Revisions that run beside each other while traffic moves.
    #[arg(long, env = "STOCKTAKE_REVISIONS", default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2))]
    pub revisions: u32,
    /// GiB of memory that a replica may use, with --cpu; left out: 2 for each processor.
    #[arg(long, env = "STOCKTAKE_MEMORY", value_name = "GIB", value_parser = rate)]
    pub memory: Option<f64>,
    /// From the start of a replica to its first answer, as `stocktake doctor --cold-start 60s` times it on a service at rest.
    #[arg(long, env = "STOCKTAKE_REPLICA_START", value_name = "DURATION", value_parser = time_limit)]
    pub replica_start: Option<Duration>,
    /// What a replica takes to end once it is told to.
    #[arg(long, env = "STOCKTAKE_REPLICA_DRAIN", value_name = "DURATION", value_parser = time_limit)]
    pub replica_drain: Option<Duration>,
    /// The database: max_connections, those kept for others, and the pool of a replica, such as `100,10,10`.
    #[arg(long, env = "STOCKTAKE_DATABASE", value_name = "N,N,N")]
    pub database: Option<String>,
    /// vCPU of the quota that are left.
    #[arg(long, env = "STOCKTAKE_CORES", value_name = "N", value_parser = rate)]
    pub cores: Option<f64>,
    /// What a month at the most replicas may cost, in the currency of the prices.
    #[arg(long, env = "STOCKTAKE_BUDGET", value_name = "AMOUNT", value_parser = rate)]
    pub budget: Option<f64>,
    /// What is set now: min replicas, max replicas and the concurrency of the http rule, such as `1,5,10`.
    #[arg(long, env = "STOCKTAKE_CURRENT", value_name = "MIN,MAX[,N]")]
    pub current: Option<String>,
    /// Traffic to play the scaler over: a CSV of `seconds,rate`, or `flash:base=20,peak=400,ramp=30s,hold=5m`.
    #[arg(long, env = "STOCKTAKE_TRAFFIC", value_name = "FILE|flash:…")]
    pub traffic: Option<String>,
    /// Numbers of most replicas to set side by side under that traffic, such as `5,8,12`.
    #[arg(long, env = "STOCKTAKE_COMPARE_MAX", value_name = "N", value_delimiter = ',', requires = "traffic", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub compare_max: Vec<u32>,
    /// A dated price file; left out: the built-in one.
    #[arg(long, env = "STOCKTAKE_PRICES", value_name = "FILE")]
    pub prices: Option<PathBuf>,
}
