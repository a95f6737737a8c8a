//! The commands: the only wiring. They and `report/console` are all that prints.
#![expect(clippy::print_stderr, reason = "commands talk to people")]

mod begin;
mod capacity;
mod check;
mod child;
mod ci;
mod compare;
mod connect;
mod consent;
mod doctor;
mod listeners;
mod load;
mod load_suite;
mod offer;
mod report;
mod serve;
mod verify;

use std::io::{self, Write};
use stocktake::{
    cli::{Cli, Command},
    exit::Exit,
    report::escape::log_line,
};

/// A command that could not do its work: what to tell, and the exit code.
#[derive(Debug)]
pub struct Refusal {
    exit: Exit,
    text: String,
}

impl Refusal {
    /// Wrong input, exit 2.
    pub fn input(text: impl Into<String>) -> Refusal {
        Refusal {
            exit: Exit::Input,
            text: text.into(),
        }
    }

    /// Could not be judged, exit 3.
    pub fn not_judged(text: impl Into<String>) -> Refusal {
        Refusal {
            exit: Exit::NotJudged,
            text: text.into(),
        }
    }
}

impl Refusal {
    /// The exit code.
    pub fn code(&self) -> u8 {
        self.exit.code()
    }

    /// What to tell.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same with an exit code that is no better than that of what was done before.
    pub fn at_least(mut self, exit: Exit) -> Refusal {
        self.exit = self.exit.worst(exit);
        self
    }
}

/// Writes to standard output. A reader that has gone away, as `head` does, is an error and no panic.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Runs a command.
pub fn run(cli: Cli) -> Exit {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Command::Check(args) | Command::Verify(args) = &cli.command {
        // A job may make or read tens of MiB in one go. With a thread for each, none keeps the clocks of the others waiting.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        runtime.worker_threads(cores.max(args.jobs.into()));
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the system gives no threads: {error}");
            return Exit::NotJudged;
        }
    };
    let ci = ci::Ci::of_cli(&cli);
    let ended = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::serve(args).await,
            Command::Check(args) => verify::verify("check", args).await,
            Command::Verify(args) => verify::verify("verify", args).await,
            Command::Load(args) => load::load(args).await,
            Command::Doctor(args) => doctor::doctor(args).await,
            Command::Capacity(args) => capacity::capacity(*args).await,
            Command::Compare(args) => compare::compare(&args),
            Command::Report(args) => report::report(&args),
        }
    });
    // Whatever still runs has nothing more to say.
    runtime.shutdown_background();
    ended.unwrap_or_else(|refusal| {
        if let Some(ci) = ci {
            ci.refused(&refusal);
        }
        // What a target said may be in it, and a CI system may read it.
        for line in format!("error: {}", refusal.text.trim_end()).lines() {
            eprintln!("{}", log_line(line));
        }
        refusal.exit
    })
}
