//! What happened in a case, for the reader of its failure.

use super::record::TimelineEntry;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// More entries than this say no more; the ones in between are counted.
const MOST: usize = 120;
/// Longer texts are cut.
const WIDEST: usize = 600;

/// The entries of one case.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    entries: Mutex<(Vec<TimelineEntry>, usize)>,
}

impl Timeline {
    /// Empty, its clock at zero.
    pub fn new(began: Instant) -> Timeline {
        Timeline {
            began,
            entries: Mutex::default(),
        }
    }

    /// One entry, now.
    pub fn note(&self, step: &str, kind: &str, text: &str) {
        self.note_at(Instant::now(), step, kind, text);
    }

    /// One entry at an instant.
    pub fn note_at(&self, at: Instant, step: &str, kind: &str, text: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.0.len() >= MOST {
            entries.1 += 1;
            return;
        }
        entries.0.push(TimelineEntry {
            at_ms: (at.saturating_duration_since(self.began).as_secs_f64() * 1e6).round() / 1e3,
            step: step.to_owned(),
            kind: kind.to_owned(),
            text: cut(text),
        });
    }

    /// All entries by time.
    pub fn finish(&self) -> Vec<TimelineEntry> {
        let (mut entries, more) = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        entries.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        if more > 0 {
            let at_ms = entries.last().map_or(0.0, |entry| entry.at_ms);
            let text = format!("{more} more entries left out");
            entries.push(TimelineEntry {
                at_ms,
                step: String::new(),
                kind: "end".into(),
                text,
            });
        }
        entries
    }
}

/// A text of at most [`WIDEST`] characters.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
