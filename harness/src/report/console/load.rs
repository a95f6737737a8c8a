//! The screen of a load run: a live line on a terminal, a plain line for each block of rounds elsewhere, and the summary at
//! its end. What the terminal is, is told by the caller.

mod summary;

use super::{
    Style,
    progress::{Output, Progress as Bar},
};
use crate::{
    load::{progress::Progress, record::LoadRecord},
    report::{
        escape::visible,
        line::{Line, Tone},
        load::{sides, words},
        text,
    },
};
use std::io::{self, Write};

/// The listener of a load run.
pub struct LoadConsole {
    output: Output,
    style: Style,
    bar: Option<Bar>,
    /// The last moment of each side in the present block.
    block: Vec<Progress>,
    /// The first write that failed; [`LoadConsole::finish`] tells of it.
    broken: Option<io::Error>,
}

impl LoadConsole {
    /// Writes nothing yet.
    pub fn new(out: Box<dyn Write + Send>, style: Style) -> LoadConsole {
        LoadConsole {
            output: Output::new(out),
            style,
            bar: None,
            block: Vec::new(),
            broken: None,
        }
    }

    /// Who is under load, by what, and for how long; on a terminal the live line begins. `record` need not have results yet.
    pub fn started(&mut self, record: &LoadRecord, cells: usize) {
        if self.style.quiet {
            return;
        }
        let mut lines = summary::head(record);
        let seed = record.workload.seed;
        lines.push(Line::of(Tone::Faint, "run      ").with(
            Tone::Plain,
            format!(
                "{}, seed {seed}, run id {}",
                text::plural(cells as u64, "cell", "cells"),
                visible(&record.run_id)
            ),
        ));
        lines.push(Line::default());
        self.print(&lines);
        if self.style.tty {
            self.bar = Some(Bar::line(self.output.clone(), self.style.width));
        }
    }

    /// Shows how far it is. Elsewhere than on a terminal a block is told when it is over.
    pub fn on_progress(&mut self, progress: &Progress) {
        if self.style.quiet {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.says(live(progress));
            return;
        }
        let before = self.block.last();
        if before.is_some_and(|before| (before.cell, before.round) != (progress.cell, progress.round)) {
            self.end_block();
        }
        let same = |other: &&mut Progress| other.leg == progress.leg && other.target == progress.target;
        match self.block.iter_mut().find(same) {
            Some(known) => known.clone_from(progress),
            None => self.block.push(progress.clone()),
        }
    }

    /// A word in between, such as that a cell is left out.
    pub fn note(&mut self, words: &str) {
        if !self.style.quiet {
            let words = text::cap(&visible(words), 1000);
            self.print(&[Line::of(Tone::Doubt, "note     ").with(Tone::Plain, words)]);
        }
    }

    /// Writes the summary; with `quiet` the verdict alone. `report` is the path of `index.html`. Returns the first write of the
    /// whole run that failed.
    pub fn finish(&mut self, record: &LoadRecord, report: Option<&str>) -> io::Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.clear();
        }
        self.end_block();
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

    fn end_block(&mut self) {
        let block = std::mem::take(&mut self.block);
        if let Some(first) = block.first() {
            let mut line = Line::of(Tone::Faint, format!("{}  ", place(first)));
            for (at, side) in block.iter().enumerate() {
                let apart = if at == 0 { "" } else { "  |  " };
                line = line
                    .with(Tone::Faint, apart)
                    .with(Tone::Strong, side_of(side))
                    .with(Tone::Plain, format!("  {}", numbers(side)));
            }
            self.print(&[line]);
        }
    }

    fn print(&mut self, lines: &[Line]) {
        let text: String = lines.iter().map(|line| line.shown(self.style.color) + "\n").collect();
        let write = || self.output.write(&text).and_then(|()| self.output.flush());
        let written = match &self.bar {
            Some(bar) => bar.above(write),
            None => write(),
        };
        if let Err(error) = written {
            self.broken.get_or_insert(error);
        }
    }
}

/// `1 min 20 s left  cell 1/2 round 3/10  gRPC  500 req/s  p50 1.24 ms  p99 3.12 ms  0 errors`.
fn live(progress: &Progress) -> String {
    let milliseconds = u64::try_from(progress.left.as_millis()).unwrap_or(u64::MAX);
    // Tenths of a second that change with every line tell nobody anything.
    let left = text::duration(milliseconds).replace(".0 s", " s");
    let side = side_of(progress);
    let numbers = if progress.warming {
        "warming up".to_owned()
    } else {
        numbers(progress)
    };
    format!("{left} left  {}  {side}  {numbers}", place(progress))
}

fn place(progress: &Progress) -> String {
    let round = format!("round {}/{}", progress.round, progress.rounds);
    if progress.cells > 1 {
        format!("cell {}/{} {round}", progress.cell, progress.cells)
    } else {
        round
    }
}

fn side_of(progress: &Progress) -> String {
    match &progress.target {
        Some(target) => format!("{} on {}", progress.leg.title(), words::fit(target)),
        None => progress.leg.title().to_owned(),
    }
}

fn numbers(progress: &Progress) -> String {
    let rate = progress.rate.map_or_else(|| "–".to_owned(), text::rate);
    format!(
        "{rate} req/s  p50 {}  p99 {}  {}",
        sides::latency(progress.p50).text(),
        sides::latency(progress.p99).text(),
        text::plural(progress.errors, "error", "errors")
    )
}

#[cfg(test)]
mod tests;
