//! The command line: what can be typed. Every option has an environment twin, `STOCKTAKE_<OPTION>`.

mod doctor;

pub use doctor::DoctorArgs;
mod capacity;

pub use capacity::{CapacityArgs, QuestionArgs};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// Takes stock of a gRPC deployment: serves the reference inventory service, verifies any endpoint.
#[derive(Debug, Parser)]
#[command(name = "stocktake", version, max_term_width = 110)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 as expected; 1 judged and failed; 2 wrong input; 3 could not be judged; \
4 inconclusive; 130/143 interrupted (what was judged so far is written).";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the reference inventory service.
    Serve(ServeArgs),
    /// Judge a target by all that stocktake has; without TARGET the built-in service.
    Check(VerifyArgs),
    /// Run scenarios against a target; without TARGET the built-in service.
    Verify(VerifyArgs),
    /// Drive one workload over gRPC and REST and compare them; without TARGET the built-in service.
    Load(LoadArgs),
    /// Find out why a target does not answer, layer by layer, and what to change.
    Doctor(DoctorArgs),
    /// Search for the rate that a target sustains at an objective, and say what limits it; without TARGET the built-in service.
    Capacity(Box<CapacityArgs>),
    /// Judge a stored load run beside at least five older ones of the same host, workload and options.
    Compare(CompareArgs),
    /// Render the reports of a stored run again.
    Report(ReportArgs),
}

/// `stocktake serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one.
    #[arg(
        long,
        env = "STOCKTAKE_LISTEN",
        default_value = "127.0.0.1:50051",
        value_name = "ADDRESS"
    )]
    pub listen: SocketAddr,
    /// Where products are kept: `memory`, or `file:PATH` to find them again after a restart, a crash or a power loss.
    #[arg(
        long,
        env = "STOCKTAKE_STORE",
        default_value = "memory",
        value_name = "memory|file:PATH"
    )]
    pub store: String,
    /// Start with the four sample products; a store file that exists gets none.
    #[arg(long, env = "STOCKTAKE_SAMPLE_DATA", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub sample_data: bool,
    /// Break one rule on purpose; `list` names all faults.
    #[arg(long, env = "STOCKTAKE_FAULT", value_name = "NAME")]
    pub fault: Option<String>,
    /// Behave like a deployment under difficulties: `delay=300ms` adds that to each answer, as distance does; `slow=2ms` to the
    /// handling of each unary call; with `stall=1s/10s` nothing is handled for 1s every 10s; `capacity=workers:4,service:20ms`
    /// serves four unary calls at once, 20ms each, and others wait in line. Several: commas between them.
    #[arg(long, env = "STOCKTAKE_SIMULATE", value_name = "KEY=VALUE,…")]
    pub simulate: Option<String>,
    /// Sent as `x-stocktake-revision` with every answer; left out: CONTAINER_APP_REVISION, else the version.
    #[arg(long, env = "STOCKTAKE_REVISION", value_name = "NAME")]
    pub revision: Option<String>,
    /// Sent as `x-stocktake-replica` with every answer; left out: CONTAINER_APP_REPLICA_NAME, else a random one.
    #[arg(long, env = "STOCKTAKE_REPLICA", value_name = "NAME")]
    pub replica: Option<String>,
    /// Which log lines to write to standard error: `warn`, `info`, `debug`, or directives as of tracing's EnvFilter.
    #[arg(long, env = "STOCKTAKE_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
    /// How log lines are written.
    #[arg(long, env = "STOCKTAKE_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// Second address, for /livez, /readyz and /metrics: plain HTTP without a token.
    #[arg(long, env = "STOCKTAKE_PROBE_LISTEN", value_name = "ADDRESS")]
    pub probe_listen: Option<SocketAddr>,
    /// PEM file with the certificate chain; TLS instead of plaintext. Read again when it changes.
    #[arg(long, env = "STOCKTAKE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the private key of the certificate.
    #[arg(long, env = "STOCKTAKE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// File of `read-only TOKEN` and `read-write TOKEN` lines; without one of them no method answers. Read again when it
    /// changes.
    #[arg(long, env = "STOCKTAKE_TOKENS", value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// What the service takes on.
    #[command(flatten)]
    pub limits: LimitArgs,
}

/// What the service takes on before it refuses.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Longest request message; beyond it OUT_OF_RANGE, over REST RESOURCE_EXHAUSTED.
    #[arg(long, env = "STOCKTAKE_MAX_MESSAGE_SIZE", default_value = "50MiB", value_name = "SIZE", value_parser = size)]
    pub max_message_size: usize,
    /// Rows of one import; beyond it RESOURCE_EXHAUSTED, and the rows before it stay.
    #[arg(long, env = "STOCKTAKE_MAX_IMPORT_ROWS", default_value_t = 1_000_000, value_name = "N", value_parser = count)]
    pub max_import_rows: usize,
    /// Bytes of requests that are arriving, of all callers together; beyond it RESOURCE_EXHAUSTED.
    #[arg(long, env = "STOCKTAKE_MAX_REQUEST_MEMORY", default_value = "1GiB", value_name = "SIZE", value_parser = size)]
    pub max_request_memory: usize,
    /// Longest head of a request; beyond it HTTP 431. HTTP/2 counts 32 bytes more for each field.
    #[arg(long, env = "STOCKTAKE_MAX_HEADER_SIZE", default_value = "16KiB", value_name = "SIZE", value_parser = size)]
    pub max_header_size: usize,
    /// Open connections; more are closed at once.
    #[arg(long, env = "STOCKTAKE_MAX_CONNECTIONS", default_value_t = 10_000, value_name = "N", value_parser = count)]
    pub max_connections: usize,
    /// Open calls of one connection; its client waits with more.
    #[arg(long, env = "STOCKTAKE_MAX_STREAMS", default_value_t = 1024, value_name = "N", value_parser = count)]
    pub max_streams: usize,
    /// Open watches; more are refused with RESOURCE_EXHAUSTED.
    #[arg(long, env = "STOCKTAKE_MAX_WATCHES", default_value_t = 20_000, value_name = "N", value_parser = count)]
    pub max_watches: usize,
    /// Updates that may wait for the reader of one watch, beside 4 MiB of texts; then it ends RESOURCE_EXHAUSTED.
    #[arg(long, env = "STOCKTAKE_WATCH_BUFFER", default_value_t = 1024, value_name = "N", value_parser = count)]
    pub watch_buffer: usize,
    /// Until an answer begins, whatever the deadline of the caller; then DEADLINE_EXCEEDED.
    #[arg(long, env = "STOCKTAKE_REQUEST_TIMEOUT", default_value = "120s", value_name = "DURATION", value_parser = time_limit)]
    pub request_timeout: Duration,
    /// Until the head of a request is there; then the connection is closed, an idle one of HTTP/1.1 too.
    #[arg(long, env = "STOCKTAKE_HEADER_TIMEOUT", default_value = "60s", value_name = "DURATION", value_parser = time_limit)]
    pub header_timeout: Duration,
    /// For calls under way to end once the service is told to stop.
    #[arg(long, env = "STOCKTAKE_DRAIN", default_value = "10s", value_name = "DURATION", value_parser = time_limit)]
    pub drain: Duration,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Which protocols a run covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProtocolChoice {
    /// gRPC, and REST where HTTP rules are known and the target offers it.
    Auto,
    /// gRPC alone.
    Grpc,
    /// REST alone.
    Rest,
    /// gRPC and REST; a target without one of them is not judged on it.
    Both,
}

/// Which levels decide the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LevelChoice {
    /// `must` alone.
    Must,
    /// `must` and `should`.
    Should,
}

/// What goes to standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// The record, as in run.json.
    Json,
}

/// Which CI system is told of the verdict, in its own commands and files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CiChoice {
    /// The one that GITHUB_ACTIONS or TF_BUILD names, else none.
    Auto,
    /// GitHub Actions: annotations, step summary, outputs.
    Github,
    /// Azure Pipelines: issues, summary, result of the task.
    Azure,
    /// None.
    None,
}

/// `stocktake verify` and `stocktake check`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// https://host, http://host:port, or host:port (plaintext, loopback only). Left out: the built-in service.
    #[arg(env = "STOCKTAKE_TARGET", value_name = "TARGET")]
    pub target: Option<String>,
    /// A second target, the old one, where the same cases run too. What passed there and does not on TARGET is a regression
    /// and fails the run, whatever its level; what fails on both is told and decides as it does without OLD; what passes on
    /// both with other answers (ids, times and names of the run aside) is told, and fails the run with --level should.
    #[arg(long, env = "STOCKTAKE_AGAINST", value_name = "OLD", requires = "target")]
    pub against: Option<String>,
    /// `:authority` to send to OLD, and the name that its certificate must have; left out: --authority.
    #[arg(
        long,
        env = "STOCKTAKE_AGAINST_AUTHORITY",
        value_name = "HOST[:PORT]",
        requires = "against"
    )]
    pub against_authority: Option<String>,
    /// Folder (or file) of scenarios; left out: the built-in suite.
    #[arg(long, env = "STOCKTAKE_SCENARIOS", value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Protocols to judge.
    #[arg(long, env = "STOCKTAKE_PROTOCOL", value_enum, default_value = "auto")]
    pub protocol: ProtocolChoice,
    /// Levels that decide the exit code; both are always judged and shown.
    #[arg(long, env = "STOCKTAKE_LEVEL", value_enum, default_value = "must")]
    pub level: LevelChoice,
    /// Run read-only scenarios alone: nothing is written to the target.
    #[arg(long, env = "STOCKTAKE_READ_ONLY", conflicts_with = "allow_writes")]
    pub read_only: bool,
    /// Agree to writes on a target that is not on loopback.
    #[arg(long, env = "STOCKTAKE_ALLOW_WRITES")]
    pub allow_writes: bool,
    /// Agree to scenarios that need a target that is not on loopback to themselves.
    #[arg(long, env = "STOCKTAKE_ALLOW_DISRUPTION")]
    pub allow_disruption: bool,
    /// Agree to probes that leave odd data on a target that is not on loopback, should it be wrong.
    #[arg(long, env = "STOCKTAKE_ALLOW_ODD_DATA")]
    pub allow_odd_data: bool,
    /// Refuse, before anything is written, when more things than this could stay behind on a target that is not on loopback, all
    /// protocols together: the built-in suite leaves up to 400 on each. With --protocol auto the target is reached, and
    /// asked by one GET whether REST counts; else nothing is sent.
    #[arg(long, env = "STOCKTAKE_MAX_RESIDUE", default_value_t = 1000, value_name = "N")]
    pub max_residue: u64,
    /// Run cases whose `id[row] (protocol)`, `id[row]` or `id` matches; `*` and `?` are wildcards. Repeatable.
    #[arg(long, env = "STOCKTAKE_FILTER", value_name = "GLOB", value_delimiter = ',')]
    pub filter: Vec<String>,
    /// Run scenarios with one of these tags. Repeatable.
    #[arg(long, env = "STOCKTAKE_TAG", value_name = "TAG", value_delimiter = ',')]
    pub tag: Vec<String>,
    /// List the cases and stop; nothing is sent.
    #[arg(long, env = "STOCKTAKE_LIST")]
    pub list: bool,
    /// Groups of cases run at once.
    #[arg(long, env = "STOCKTAKE_JOBS", default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub jobs: u16,
    /// Streams open at once, exclusive scenarios aside.
    #[arg(long, env = "STOCKTAKE_STREAM_BUDGET", default_value_t = 4, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub stream_budget: u16,
    /// File of cases that are expected to fail: a glob a line, the reason after `#`. A pass is then a failure.
    #[arg(long, env = "STOCKTAKE_KNOWN_FAILING", value_name = "FILE")]
    pub known_failing: Option<PathBuf>,
    /// Fail unless every answer names this revision: those of streams, errors, REST, reflection, probes and clean-up too.
    #[arg(long, env = "STOCKTAKE_EXPECT_REVISION", value_name = "VALUE")]
    pub expect_revision: Option<String>,
    /// The response header that names the revision.
    #[arg(
        long,
        env = "STOCKTAKE_REVISION_HEADER",
        default_value = "x-stocktake-revision",
        value_name = "NAME"
    )]
    pub revision_header: String,
    /// The id in every name written on the target, `[a-z0-9]{1,20}`; a new one each run when left out.
    #[arg(long, env = "STOCKTAKE_RUN_ID", value_name = "ID")]
    pub run_id: Option<String>,
    /// Approved outcome in insta's file format, NAME.snap: how each case ended and what it was answered, redacted, and the
    /// answers of `snapshot:` steps. A difference, or a file that is not there yet, fails the run and leaves NAME.snap.new.
    #[arg(long, env = "STOCKTAKE_SNAPSHOT", value_name = "NAME.snap")]
    pub snapshot: Option<PathBuf>,
    /// Write the outcome of this run as the approved one. Cases that fail still fail the run.
    #[arg(long, env = "STOCKTAKE_ACCEPT", requires = "snapshot")]
    pub accept: bool,
    /// How to reach the target and learn its descriptors.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `stocktake load`.
#[derive(Args, Debug)]
pub struct LoadArgs {
    /// https://host, http://host:port, or host:port (plaintext, loopback only). Left out: the built-in service.
    #[arg(env = "STOCKTAKE_TARGET", value_name = "TARGET")]
    pub target: Option<String>,
    /// A workload file, or the name of a built-in one: `mixed`, `grpc-vs-rest`, `users`.
    #[arg(long, env = "STOCKTAKE_WORKLOAD", default_value = "mixed", value_name = "FILE|NAME")]
    pub workload: String,
    /// Protocol variants to drive, of grpc, rest-h1, rest-h2, rest-h1-close; left out: those of the workload that the target
    /// offers.
    #[arg(long, env = "STOCKTAKE_LEGS", value_name = "LEG", value_delimiter = ',')]
    pub legs: Vec<String>,
    /// A second target, the old one: its rounds lie between those of TARGET, and TARGET fails when it is slower.
    #[arg(long, env = "STOCKTAKE_AGAINST", value_name = "OLD", requires = "target")]
    pub against: Option<String>,
    /// Requests a second, in place of the workload's rates.
    #[arg(long, env = "STOCKTAKE_RATE", value_name = "N", value_parser = rate, conflicts_with = "in_flight")]
    pub rate: Option<f64>,
    /// Calls always in flight, a closed loop, in place of the workload's arrivals.
    #[arg(long, env = "STOCKTAKE_IN_FLIGHT", value_name = "N", value_parser = count)]
    pub in_flight: Option<usize>,
    /// What counts of a round, in place of the workload's.
    #[arg(long, env = "STOCKTAKE_DURATION", value_name = "DURATION", value_parser = time_limit)]
    pub duration: Option<Duration>,
    /// What is left out at the begin of a round, in place of the workload's.
    #[arg(long, env = "STOCKTAKE_WARM_UP", value_name = "DURATION", value_parser = pause)]
    pub warm_up: Option<Duration>,
    /// Rounds of each leg; a comparison needs ten.
    #[arg(long, env = "STOCKTAKE_ROUNDS", value_name = "N", value_parser = count)]
    pub rounds: Option<usize>,
    /// Connections of a leg that shares them between calls.
    #[arg(long, env = "STOCKTAKE_CONNECTIONS", value_name = "N", value_parser = count)]
    pub connections: Option<usize>,
    /// Calls at once on each of them; REST over HTTP/1.1 has a connection for each instead.
    #[arg(long, env = "STOCKTAKE_STREAMS_PER_CONNECTION", value_name = "N", value_parser = count)]
    pub streams_per_connection: Option<usize>,
    /// Threads that send.
    #[arg(long, env = "STOCKTAKE_THREADS", value_name = "N", value_parser = count)]
    pub threads: Option<usize>,
    /// Seed of schedule and mix, in place of the workload's: the same seed sends the same.
    #[arg(long, env = "STOCKTAKE_SEED", value_name = "N")]
    pub seed: Option<u64>,
    /// Stop when more than this share of a round's requests fail.
    #[arg(long, env = "STOCKTAKE_MAX_ERRORS", default_value = "50%", value_name = "PERCENT", value_parser = percent)]
    pub max_errors: f64,
    /// Refuse to start when more things than this could stay behind on targets that are not on loopback, all together.
    #[arg(long, env = "STOCKTAKE_MAX_RESIDUE", default_value_t = 1000, value_name = "N")]
    pub max_residue: u64,
    /// Process id of a target on this machine, whose CPU time is then read; known for the built-in service.
    #[arg(long, env = "STOCKTAKE_SERVER_PID", value_name = "PID", requires = "target")]
    pub server_pid: Option<u32>,
    /// Agree to writes on a target that is not on loopback.
    #[arg(long, env = "STOCKTAKE_ALLOW_WRITES")]
    pub allow_writes: bool,
    /// The id in every name written on the target, `[a-z0-9]{1,20}`; a new one each run when left out.
    #[arg(long, env = "STOCKTAKE_RUN_ID", value_name = "ID")]
    pub run_id: Option<String>,
    /// How to reach the target and learn its descriptors.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How to reach a target and learn its descriptors.
#[derive(Args, Clone, Debug)]
pub struct ConnectionArgs {
    /// Metadata for every call, reflection included. Repeatable. Not for secrets: see --token-env.
    #[arg(long, env = "STOCKTAKE_HEADER", value_name = "KEY: VALUE")]
    pub header: Vec<String>,
    /// Name of an environment variable whose value is sent as `authorization: Bearer …`.
    #[arg(long, env = "STOCKTAKE_TOKEN_ENV", value_name = "NAME")]
    pub token_env: Option<String>,
    /// File whose content is sent as `authorization: Bearer …`.
    #[arg(
        long,
        env = "STOCKTAKE_TOKEN_FILE",
        value_name = "FILE",
        conflicts_with = "token_env"
    )]
    pub token_file: Option<PathBuf>,
    /// File of `key: value` lines sent as metadata.
    #[arg(long, env = "STOCKTAKE_HEADER_FILE", value_name = "FILE")]
    pub header_file: Option<PathBuf>,
    /// PEM file of certificates to trust beside the system's.
    #[arg(long, env = "STOCKTAKE_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// `:authority` to send, and the name that the certificate must have.
    #[arg(long, env = "STOCKTAKE_AUTHORITY", value_name = "HOST[:PORT]")]
    pub authority: Option<String>,
    /// Keep trying to reach the target for so long before the run.
    #[arg(long, env = "STOCKTAKE_WAIT", value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Before the run, wait so long for the first answer: one call, not tried again, timed and told apart. Without it the
    /// first case waits as for any other answer; the doctor waits 30s.
    #[arg(long, env = "STOCKTAKE_COLD_START", value_name = "DURATION", value_parser = time_limit, conflicts_with = "wait")]
    pub cold_start: Option<Duration>,
    /// For one connection attempt.
    #[arg(long, env = "STOCKTAKE_CONNECT_TIMEOUT", default_value = "5s", value_name = "DURATION", value_parser = duration)]
    pub connect_timeout: Duration,
    /// .proto file with the service; repeatable. Its folder and --proto-path are searched for imports.
    #[arg(
        long,
        env = "STOCKTAKE_PROTO",
        value_name = "FILE",
        conflicts_with = "descriptor_set"
    )]
    pub proto: Vec<PathBuf>,
    /// Folder to search for imports of --proto. Repeatable.
    #[arg(long, env = "STOCKTAKE_PROTO_PATH", value_name = "DIR", requires = "proto")]
    pub proto_path: Vec<PathBuf>,
    /// Encoded google.protobuf.FileDescriptorSet with the service, imports included.
    #[arg(long, env = "STOCKTAKE_DESCRIPTOR_SET", value_name = "FILE")]
    pub descriptor_set: Option<PathBuf>,
    /// YAML file of google.api.http rules (`http.rules` of a google.api.Service) that say how methods are called over REST;
    /// left out: the google.api.http options in the descriptors, and the built-in mapping of the inventory service.
    #[arg(long, env = "STOCKTAKE_HTTP_RULES", value_name = "FILE")]
    pub http_rules: Option<PathBuf>,
}

/// Where results go.
#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Folder of the run; left out: reports/runs/<UTC time>-<command>.
    #[arg(long, env = "STOCKTAKE_OUT", value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// What goes to standard output.
    #[arg(long, env = "STOCKTAKE_FORMAT", value_enum, default_value = "text")]
    pub format: Format,
    /// CI system to tell of the verdict; `auto` looks at GITHUB_ACTIONS and TF_BUILD.
    #[arg(long, env = "STOCKTAKE_CI", value_enum, default_value = "auto")]
    pub ci: CiChoice,
    /// Print failures and the verdict alone.
    #[arg(long, short, env = "STOCKTAKE_QUIET")]
    pub quiet: bool,
}

/// `stocktake compare`.
#[derive(Args, Debug)]
pub struct CompareArgs {
    /// Folders of the runs to compare with: five or more.
    #[arg(value_name = "BASE", required = true)]
    pub base: Vec<PathBuf>,
    /// Folder of the run to judge.
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
}

/// `stocktake report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Folder of a run.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Write the reports there; left out: into the run's folder.
    #[arg(long, env = "STOCKTAKE_OUT", value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A duration with its unit, such as `500ms` or `60s`.
fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is no duration: write a number with a unit, such as 500ms or 60s"))
}

/// A duration that can be a limit: above zero, a day at most.
pub(crate) fn time_limit(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let limit = duration(text)?;
    if limit.is_zero() || limit > DAY {
        return Err(format!("`{text}` is no limit: write more than 0s and at most 1day"));
    }
    Ok(limit)
}

/// A duration that may be nothing, a day at most.
fn pause(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Ok(Duration::ZERO),
        _ => time_limit(text),
    }
}

/// A number of bytes with its unit, such as `50MiB`; up to 4 GiB, which is more than a gRPC message can have.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits
        .parse::<u64>()
        .ok()
        .zip(unit)
        .and_then(|(n, unit)| n.checked_mul(unit));
    match bytes.and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) if (1..=4 << 30).contains(&bytes) => Ok(bytes),
        _ => Err(format!(
            "`{text}` is no size: write a number with B, KiB, MiB or GiB, such as 50MiB; at least 1B, at most 4GiB"
        )),
    }
}

/// Requests a second.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 10_000_000.0 => Ok(rate),
        _ => Err(format!(
            "`{text}` is no rate: write requests a second, such as 500 or 0.5; at most 10000000"
        )),
    }
}

/// A share such as `5%`, as 0.05.
fn percent(text: &str) -> Result<f64, String> {
    match text
        .strip_suffix('%')
        .and_then(|number| number.trim().parse::<f64>().ok())
    {
        Some(share) if (0.0..=100.0).contains(&share) => Ok(share / 100.0),
        _ => Err(format!("`{text}` is no share: write 0% to 100%, such as 5%")),
    }
}

/// How many of something there may be: one at least, and no more than any machine has.
fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=10_000_000).contains(&count) => Ok(count),
        _ => Err(format!("`{text}` is no limit: write a whole number from 1 to 10000000")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_option_is_there_twice() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn sizes_have_a_whole_number_and_a_unit() {
        for (text, bytes) in [("1B", 1), ("16KiB", 16 << 10), ("50MiB", 50 << 20), ("4GiB", 4 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "50",
            "MiB",
            "1.5MiB",
            "-1B",
            "0B",
            "50MB",
            "50 MiB",
            "50mib",
            "5GiB",
            "99999999999999999999B",
        ] {
            assert!(size(text).unwrap_err().contains("50MiB"), "{text}");
        }
    }

    #[test]
    fn limits_are_above_nothing() {
        assert_eq!(time_limit("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(
            (pause("0s"), pause("2s")),
            (Ok(Duration::ZERO), Ok(Duration::from_secs(2)))
        );
        assert!(pause("2days").is_err());
        assert!(time_limit("0s").is_err() && time_limit("2days").is_err() && time_limit("5").is_err());
        assert_eq!(count("1"), Ok(1));
        assert!(count("0").is_err() && count("-1").is_err() && count("10000001").is_err());
    }
}
