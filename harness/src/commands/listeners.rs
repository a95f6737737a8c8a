//! Who listens to a run: the screen, the log, and the signals that end it early.

use super::Refusal;
use std::{
    env,
    io::{IsTerminal, Write},
    path::Path,
    sync::{Arc, OnceLock},
    time::Instant,
};
use stocktake::{
    cli::{Format, OutputArgs},
    exit::Exit,
    report::{
        console::{Console, Style},
        log::Log,
        store,
    },
    verify::{
        engine::Engine,
        event::{Event, EventKind},
        record::RunRecord,
    },
};
use tokio::signal::unix::{SignalKind, signal};

/// The screen and the log, and the clock of the events.
pub struct Listeners {
    began: Instant,
    seq: u64,
    console: Console,
    log: Log,
}

impl Listeners {
    /// Shows the beginning of the run.
    pub fn new(output: &OutputArgs, folder: &Path, run: RunRecord, cases: usize) -> Result<Listeners, Refusal> {
        let to_stderr = output.format == Format::Json;
        let tty = if to_stderr {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        let color = tty && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let out: Box<dyn Write + Send> = if to_stderr {
            Box::new(std::io::stderr())
        } else {
            Box::new(std::io::stdout())
        };
        let width = env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .unwrap_or(110);
        let console = Console::new(
            out,
            Style {
                tty,
                color,
                width,
                quiet: output.quiet,
            },
        );
        let path = folder.join(store::EVENTS);
        let log =
            Log::create(&path).map_err(|error| Refusal::input(format!("cannot write {}: {error}", path.display())))?;
        let mut listeners = Listeners {
            began: Instant::now(),
            seq: 0,
            console,
            log,
        };
        listeners.on_event(EventKind::RunStarted {
            run: Box::new(run),
            cases,
        });
        Ok(listeners)
    }

    /// Since the run began.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Numbers an event and tells everybody.
    pub fn on_event(&mut self, kind: EventKind) {
        let event = Event {
            seq: self.seq,
            elapsed_ms: self.elapsed_ms(),
            kind,
        };
        self.seq += 1;
        self.console.on_event(&event);
        self.log.on_event(&event);
    }

    /// Writes the run's folder and shows the summary.
    pub fn finish(mut self, record: &RunRecord, folder: &Path, output: &OutputArgs) -> Result<(), Refusal> {
        self.on_event(EventKind::RunFinished {
            verdict: record.verdict.clone(),
        });
        let broken = |error: std::io::Error| Refusal::not_judged(format!("the results could not be written: {error}"));
        let stored = store::write(folder, record).map_err(|error| Refusal::not_judged(error.to_string()));
        let report = folder.join(store::HTML).display().to_string();
        let shown = self.console.finish(record, stored.is_ok().then_some(report.as_str()));
        let logged = self.log.finish();
        let printed = match output.format {
            Format::Json => super::print(&stocktake::report::json::render(record)),
            Format::Text => Ok(()),
        };
        stored?;
        shown.and(logged).and(printed).map_err(broken)
    }
}

/// The first SIGINT or SIGTERM ends the run with what was judged; a second one ends the process.
pub struct Interruption {
    got: Arc<OnceLock<Exit>>,
}

impl Interruption {
    /// The exit of an interrupted run, however often it is asked.
    pub fn interrupted(&self) -> Option<Exit> {
        self.got.get().copied()
    }
}

/// Listens from now on.
pub fn on_signal(engines: Vec<Arc<Engine>>) -> Interruption {
    let got = Arc::new(OnceLock::new());
    let first = Arc::clone(&got);
    tokio::spawn(async move {
        let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            return;
        };
        let mut next = async || {
            tokio::select! {
                _ = int.recv() => Exit::Interrupted,
                _ = term.recv() => Exit::Terminated,
            }
        };
        // Nobody else sets it.
        let _ = first.set(next().await);
        for engine in &engines {
            engine.interrupted.cancel();
        }
        let second = next().await;
        std::process::exit(second.code().into());
    });
    Interruption { got }
}
