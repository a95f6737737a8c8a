//! What is shown of a load run: on standard output, or on standard error where the record goes to standard output.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::Path,
};
use stocktake::{
    cli::{Format, OutputArgs},
    load::{progress::Progress, record::LoadRecord},
    report::{
        console::{Style, load::LoadConsole},
        json, store,
    },
};

/// Where a run is shown; that of `check` is part of another report.
pub struct Screen {
    console: Option<LoadConsole>,
}

impl Screen {
    /// For `stocktake load`.
    pub fn new(output: &OutputArgs) -> Screen {
        let to_stderr = output.format == Format::Json;
        let tty = if to_stderr {
            io::stderr().is_terminal()
        } else {
            io::stdout().is_terminal()
        };
        let out: Box<dyn Write + Send> = if to_stderr {
            Box::new(io::stderr())
        } else {
            Box::new(io::stdout())
        };
        let width = env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .unwrap_or(110);
        let style = Style {
            tty,
            color: tty && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            width,
            quiet: output.quiet,
        };
        Screen {
            console: Some(LoadConsole::new(out, style)),
        }
    }

    /// Shows nothing: the numbers are part of another report.
    pub fn dark() -> Screen {
        Screen { console: None }
    }

    /// The begin of a run.
    pub fn started(&mut self, record: &LoadRecord, cells: usize) {
        if let Some(console) = &mut self.console {
            console.started(record, cells);
        }
    }

    /// How far it is.
    pub fn on_progress(&mut self, progress: &Progress) {
        if let Some(console) = &mut self.console {
            console.on_progress(progress);
        }
    }

    /// The summary, and the record where it was asked for.
    pub fn finish(&mut self, record: &LoadRecord, folder: Option<&Path>, format: Format) -> io::Result<()> {
        let Some(console) = &mut self.console else {
            return Ok(());
        };
        let page = folder.map(|folder| folder.join(store::HTML).display().to_string());
        let shown = console.finish(record, page.as_deref());
        let printed = match format {
            Format::Json => crate::commands::print(&json::render(record)),
            Format::Text => Ok(()),
        };
        shown.and(printed)
    }
}
