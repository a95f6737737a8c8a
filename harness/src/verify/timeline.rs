//! What happened in a case, for the reader of its failure.

use super::record::TimelineEntry;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};
use tokio::time::Instant;

/// So many entries from the beginning and so many up to the end are kept; the ones in between are counted.
const KEPT: usize = 60;
/// Longer texts are cut.
const WIDEST: usize = 600;

/// The entries of one case.
#[derive(Debug)]
pub struct Timeline {
    began: Instant,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    first: Vec<TimelineEntry>,
    last: VecDeque<TimelineEntry>,
    left_out: usize,
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
        let entry = TimelineEntry {
            at_ms: (at.saturating_duration_since(self.began).as_secs_f64() * 1e6).round() / 1e3,
            step: step.to_owned(),
            kind: kind.to_owned(),
            text: cut(text),
        };
        if entries.first.len() < KEPT {
            entries.first.push(entry);
            return;
        }
        if entries.last.len() == KEPT {
            entries.last.pop_front();
            entries.left_out += 1;
        }
        entries.last.push_back(entry);
    }

    /// All entries by time.
    pub fn finish(&self) -> Vec<TimelineEntry> {
        let Entries {
            mut first,
            last,
            left_out,
        } = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        if left_out > 0 {
            first.push(TimelineEntry {
                at_ms: first.last().map_or(0.0, |entry| entry.at_ms),
                step: String::new(),
                kind: "end".into(),
                text: format!("{left_out} more entries left out"),
            });
        }
        first.extend(last);
        first.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
        first
    }
}

/// A text of at most [`WIDEST`] characters.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(WIDEST) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}
