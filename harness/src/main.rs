//! The binary: command line in, exit code out.

mod commands;

use clap::Parser;
use std::process::ExitCode;
use stocktake::cli::Cli;

fn main() -> ExitCode {
    ExitCode::from(commands::run(Cli::parse()).code())
}
