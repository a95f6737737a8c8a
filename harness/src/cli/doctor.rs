//! What can be typed behind `stocktake doctor`.

use super::{ConnectionArgs, OutputArgs, time_limit};
use clap::Args;
use std::time::Duration;

const EXIT_CODES: &str = "Exit codes: 0 it answers, and nothing that was asked needs a change; 1 it answers, and something needs a \
change (split state, a silent stream that is cut, a slow first call); 2 wrong input; 3 it does not answer as gRPC should; \
130/143 interrupted.";

/// `stocktake doctor`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct DoctorArgs {
    /// https://host, http://host:port, or host:port (plaintext, loopback only).
    #[arg(env = "STOCKTAKE_TARGET", value_name = "TARGET")]
    pub target: String,
    /// Keep a stream open for so long without a message, to see whether something cuts it: 250s finds the limit of Azure Container
    /// Apps.
    #[arg(long, env = "STOCKTAKE_IDLE", value_name = "DURATION", value_parser = time_limit)]
    pub idle: Option<Duration>,
    /// Agree to writes on a target that is not on loopback: products that are written on one connection and read on another.
    #[arg(long, env = "STOCKTAKE_ALLOW_WRITES")]
    pub allow_writes: bool,
    /// How many of them; they stay on the target. 0: none. Each is read on two connections: state that n replicas split stays
    /// hidden with a chance of n^-2N.
    #[arg(long, env = "STOCKTAKE_PAIRS", default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=100))]
    pub pairs: u16,
    /// How to reach the target and learn its descriptors.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// Where results go.
    #[command(flatten)]
    pub output: OutputArgs,
}
