//! The command line: what can be typed. Every option has an environment twin, `STOCKTAKE_<OPTION>`.

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
    /// Start with the four sample products.
    #[arg(long, env = "STOCKTAKE_SAMPLE_DATA", default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub sample_data: bool,
    /// Break one rule on purpose; `list` names all faults.
    #[arg(long, env = "STOCKTAKE_FAULT", value_name = "NAME")]
    pub fault: Option<String>,
    /// Behave like a slower deployment: `delay=300ms` adds that to each answer.
    #[arg(long, env = "STOCKTAKE_SIMULATE", value_name = "KEY=VALUE")]
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
    /// All that the target offers.
    Auto,
    /// gRPC.
    Grpc,
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

/// `stocktake verify` and `stocktake check`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// https://host, http://host:port, or host:port (plaintext, loopback only). Left out: the built-in service.
    #[arg(env = "STOCKTAKE_TARGET", value_name = "TARGET")]
    pub target: Option<String>,
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
    /// Refuse to start when more things than this could stay behind on a target that is not on loopback.
    #[arg(long, env = "STOCKTAKE_MAX_RESIDUE", default_value_t = 500, value_name = "N")]
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
    /// Fail unless every answer names this revision.
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
    /// File of approved answers for `snapshot:` steps.
    #[arg(long, env = "STOCKTAKE_SNAPSHOT", value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Write the answers of this run as the approved ones.
    #[arg(long, env = "STOCKTAKE_ACCEPT", requires = "snapshot")]
    pub accept: bool,
    /// How to reach the target and learn its descriptors.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How to reach a target and learn its descriptors.
#[derive(Args, Debug)]
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
    /// Print failures and the verdict alone.
    #[arg(long, short, env = "STOCKTAKE_QUIET")]
    pub quiet: bool,
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
