//! The one line at the bottom of a terminal that says how far the run is.

use crate::report::text;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use std::{
    fmt,
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Where the console writes; the progress line writes there too.
#[derive(Clone)]
pub(super) struct Output(Arc<Mutex<Box<dyn Write + Send>>>);

impl Output {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Output {
        Output(Arc::new(Mutex::new(out)))
    }

    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        // A panic elsewhere while writing leaves half a line at worst: still the right place to write to.
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes())
    }

    pub(super) fn flush(&self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// The progress line. Everything else that goes to the same terminal is written through [`Progress::above`].
pub(super) struct Progress {
    bar: ProgressBar,
    running: Vec<String>,
    failed: u64,
}

impl Progress {
    /// Shows the line.
    pub(super) fn new(output: Output, columns: usize, cases: usize) -> Progress {
        let columns = u16::try_from(columns).unwrap_or(u16::MAX).max(20);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Screen { output, columns }), 10);
        let bar = ProgressBar::with_draw_target(Some(cases as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        // So that a target that takes its time is seen to be waited for.
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress {
            bar,
            running: Vec::new(),
            failed: 0,
        }
    }

    /// Shows a line of words alone.
    pub(super) fn line(output: Output, columns: usize) -> Progress {
        let progress = Progress::new(output, columns, 0);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            progress.bar.set_style(style);
        }
        progress
    }

    /// The words of a line that was made by [`Progress::line`].
    pub(super) fn says(&self, words: String) {
        self.bar.set_message(words);
    }

    /// A case begins.
    pub(super) fn started(&mut self, case: &str) {
        self.running.push(case.to_owned());
        self.show();
    }

    /// A case is over.
    pub(super) fn finished(&mut self, case: &str, failed: bool) {
        if let Some(at) = self.running.iter().position(|running| running == case) {
            self.running.remove(at);
        }
        self.failed += u64::from(failed);
        self.bar.inc(1);
        self.show();
    }

    /// Writes lines above the progress line.
    pub(super) fn above(&self, write: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        self.bar.suspend(write)
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self) {
        let failed = if self.failed == 0 {
            String::new()
        } else {
            format!("{} failed  ", text::count(self.failed))
        };
        self.bar.set_message(format!("{failed}{}", self.running.join(", ")));
    }
}

/// [`Output`] as indicatif wants a terminal: ECMA-48 sequences for what it does with the cursor.
struct Screen {
    output: Output,
    columns: u16,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

impl Screen {
    fn moved(&self, n: usize, direction: char) -> io::Result<()> {
        if n == 0 {
            Ok(())
        } else {
            self.output.write(&format!("\u{1b}[{n}{direction}"))
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.columns
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.output.write(&format!("{s}\n"))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.output.write(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.output.write("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        self.output.flush()
    }
}
