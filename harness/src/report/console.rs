//! The screen: the first of the two listeners of a run, and the summary at its end.
//!
//! On a terminal a progress line and, at once, every failure; elsewhere a plain line for each case. What the terminal
//! is, whether it has colours and whether GitHub is listening is told by the caller: nothing here looks around.

pub mod capacity;
pub mod load;
mod progress;
mod summary;

use super::{
    escape::visible,
    failure::{self, Layout},
    line::{Line, Tone},
    standing::{self, Standing},
    text,
};
use crate::verify::{
    event::{Event, EventKind},
    record::{CaseRecord, LevelName, RunRecord},
};
pub use load::LoadConsole;
use progress::{Output, Progress};
use std::io::{self, Write};

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The output is a terminal: a progress line, wrapped texts.
    pub tty: bool,
    /// With colours.
    pub color: bool,
    /// Columns; at least 40 are used.
    pub width: usize,
    /// Failures and the verdict only.
    pub quiet: bool,
}

impl Style {
    fn layout(self) -> Layout {
        Layout {
            width: self.width.max(40),
            wrap: self.tty,
        }
    }
}

/// The listener.
pub struct Console {
    output: Output,
    style: Style,
    progress: Option<Progress>,
    deciding: LevelName,
    /// The first write that failed. A closed pipe must not end a run; [`Console::finish`] tells of it.
    broken: Option<io::Error>,
}

impl Console {
    /// Writes nothing yet.
    pub fn new(out: Box<dyn Write + Send>, style: Style) -> Console {
        Console {
            output: Output::new(out),
            style,
            progress: None,
            deciding: LevelName::Must,
            broken: None,
        }
    }

    /// Shows an event. After `RunFinished` the progress line is gone; the summary is [`Console::finish`].
    pub fn on_event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { run, cases } => self.started(run, *cases),
            EventKind::CaseStarted { case } => {
                if let Some(progress) = &mut self.progress {
                    progress.started(&visible(case));
                }
            }
            EventKind::CaseFinished { case } => self.finished(case),
            EventKind::ResidueLeft { .. } => {}
            EventKind::TargetLost { reason } => {
                let head = Line::of(Tone::Bad, "LOST ").with(Tone::Strong, "the target has stopped answering: ");
                self.print(&[head.with(Tone::Plain, text::cap(&visible(reason), 1000))]);
            }
            EventKind::RunFinished { .. } => self.end_progress(),
        }
    }

    /// Writes the summary; with `quiet` the verdict alone. `report` is where the reader finds more, such as the path of
    /// `index.html`. Returns the first write of the whole run that failed.
    pub fn finish(&mut self, record: &RunRecord, report: Option<&str>) -> io::Result<()> {
        self.end_progress();
        let layout = self.style.layout();
        let lines = if self.style.quiet {
            summary::verdict(record, layout)
        } else {
            summary::lines(record, report, layout)
        };
        self.print(&lines);
        match self.broken.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn started(&mut self, run: &RunRecord, cases: usize) {
        self.deciding = standing::deciding_level(&run.options);
        if self.style.quiet {
            return;
        }
        let first = Line::of(Tone::Faint, "target   ")
            .with(Tone::Strong, visible(&run.target.address))
            .with(
                Tone::Faint,
                format!(
                    "  {}, descriptors: {}",
                    standing::protocols_in_words(run),
                    visible(&run.target.descriptors)
                ),
            );
        let second = Line::of(Tone::Faint, "suite    ").with(
            Tone::Plain,
            format!(
                "{} from {} ({}), run id {}",
                text::plural(cases as u64, "case", "cases"),
                text::plural(run.suite.files as u64, "scenario file", "scenario files"),
                visible(&run.suite.name),
                visible(&run.run_id)
            ),
        );
        let mut lines = vec![first, second];
        // What is known before any case: breaking changes of the contract, how long the first answer took.
        summary::checks(&run.checks, self.style.layout(), &mut lines);
        lines.push(Line::default());
        self.print(&lines);
        if self.style.tty {
            self.progress = Some(Progress::new(self.output.clone(), self.style.width, cases));
        }
    }

    fn finished(&mut self, case: &CaseRecord) {
        let standing = standing::of_case(case, self.deciding);
        if let Some(progress) = &mut self.progress {
            progress.finished(&visible(&case.name()), standing.decides());
        }
        if standing.is_failure() {
            self.print(&failure::lines(case, standing, self.style.layout()));
        } else if !self.style.tty && !self.style.quiet {
            self.print(&[case_line(case, standing)]);
        }
    }

    fn end_progress(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.clear();
        }
    }

    fn print(&mut self, lines: &[Line]) {
        let text: String = lines.iter().map(|line| line.shown(self.style.color) + "\n").collect();
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        let write = || self.output.write(text).and_then(|()| self.output.flush());
        let written = match &self.progress {
            Some(progress) => progress.above(write),
            None => write(),
        };
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }
}

/// One line for a case that needs no more.
fn case_line(case: &CaseRecord, standing: Standing) -> Line {
    let line = failure::label(standing).with(Tone::Plain, visible(&case.name()));
    match standing {
        Standing::Passed => line.with(Tone::Faint, format!("  {}", text::duration(case.elapsed_ms))),
        _ => {
            let reason = standing::reason(case).unwrap_or_default();
            line.with(
                Tone::Faint,
                format!("  {}: {}", standing.words(), text::cap(&visible(reason), 1000)),
            )
        }
    }
}

#[cfg(test)]
mod tests;
