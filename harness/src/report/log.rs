//! `events.jsonl`: the second of the two listeners of a run. An event is a line, on disk before the next one happens, so
//! that a run that dies has lost nothing that was judged.

use crate::verify::event::Event;
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

/// The listener.
pub struct Log {
    out: Box<dyn Write + Send>,
    /// The first write that failed. A full disk must not end a run; [`Log::finish`] tells of it.
    broken: Option<io::Error>,
}

impl Log {
    /// Begins an empty file.
    pub fn create(path: &Path) -> io::Result<Log> {
        Ok(Log::new(Box::new(File::create(path)?)))
    }

    /// Writes to `out`, unbuffered.
    pub fn new(out: Box<dyn Write + Send>) -> Log {
        Log { out, broken: None }
    }

    /// Writes one line, in one write.
    pub fn on_event(&mut self, event: &Event) {
        if self.broken.is_some() {
            // A gap in the middle would be worse than an end that is told of.
            return;
        }
        let written = serde_json::to_vec(event).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.out.write_all(&line)?;
            self.out.flush()
        });
        self.broken = written.err();
    }

    /// Returns the first write that failed.
    pub fn finish(self) -> io::Result<()> {
        self.broken.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{report::sample, verify::event::EventKind};

    #[test]
    fn an_event_is_a_line_that_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut log = Log::create(&path).unwrap();
        let record = sample::hostile();
        for (i, case) in record.cases.iter().enumerate() {
            let kind = EventKind::CaseFinished {
                case: Box::new(case.clone()),
            };
            log.on_event(&Event {
                seq: i as u64,
                elapsed_ms: 7,
                kind,
            });
            // On disk at once, not at the end.
            assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), i + 1);
        }
        log.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let first: Event = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first.seq, 0);
        assert!(matches!(first.kind, EventKind::CaseFinished { case } if case.title == sample::HOSTILE));
    }

    #[test]
    fn a_full_disk_is_told_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut log = Log::new(Box::new(Full));
        log.on_event(&Event {
            seq: 0,
            elapsed_ms: 0,
            kind: EventKind::TargetLost { reason: "gone".into() },
        });
        assert_eq!(
            log.finish().map_err(|error| error.kind()),
            Err(io::ErrorKind::StorageFull)
        );
    }
}
