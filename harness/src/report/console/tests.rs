use super::*;
use crate::{report::sample, verify::record::Verdict};
use std::sync::{Arc, Mutex, PoisonError};

/// What was written.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A pipe whose reader is gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const PLAIN: Style = Style {
    tty: false,
    color: false,
    width: 120,
    quiet: false,
};

fn events(record: &RunRecord) -> Vec<Event> {
    let run = Box::new(RunRecord {
        cases: Vec::new(),
        ..record.clone()
    });
    let mut kinds = vec![EventKind::RunStarted {
        run,
        cases: record.cases.len(),
    }];
    for case in &record.cases {
        kinds.push(EventKind::CaseStarted { case: case.name() });
        kinds.push(EventKind::CaseFinished {
            case: Box::new(case.clone()),
        });
    }
    if !record.verdict.complete {
        let reason = "connection refused".into();
        kinds.push(EventKind::TargetLost { reason });
    }
    kinds.push(EventKind::RunFinished {
        verdict: Verdict {
            ..record.verdict.clone()
        },
    });
    kinds
        .into_iter()
        .enumerate()
        .map(|(i, kind)| Event {
            seq: i as u64,
            elapsed_ms: i as u64,
            kind,
        })
        .collect()
}

fn shown(record: &RunRecord, style: Style) -> String {
    let written = Written::default();
    let mut console = Console::new(Box::new(written.clone()), style);
    for event in events(record) {
        console.on_event(&event);
    }
    assert!(
        console
            .finish(record, Some("reports/runs/20261122T190500Z-verify/index.html"))
            .is_ok()
    );
    written.text()
}

/// The screen after all that was written, as a terminal without width would have it: lines, carriage return, erase
/// line, cursor up and down.
fn screen(written: &str) -> String {
    let (mut rows, mut row, mut column) = (vec![Vec::<char>::new()], 0_usize, 0_usize);
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => (row, column) = (row + 1, 0),
            '\r' => column = 0,
            '\u{1b}' => {
                let sequence: String = chars.by_ref().take_while(|c| !c.is_ascii_alphabetic()).collect();
                let n = sequence.trim_start_matches('[').parse().unwrap_or(0);
                // `take_while` ate the letter; of those in use only `2K` has this number and `A` moves by more.
                if sequence == "[2" {
                    rows[row].clear()
                } else {
                    row = row.saturating_sub(n)
                }
            }
            c => {
                while rows.len() <= row {
                    rows.push(Vec::new());
                }
                while rows[row].len() <= column {
                    rows[row].push(' ');
                }
                rows[row][column] = c;
                column += 1;
            }
        }
        while rows.len() <= row {
            rows.push(Vec::new());
        }
    }
    let rows: Vec<String> = rows
        .iter()
        .map(|row| row.iter().collect::<String>().trim_end().to_owned())
        .collect();
    rows.join("\n")
}

#[test]
fn a_log_gets_a_line_for_each_case_and_failures_in_full() {
    insta::assert_snapshot!(shown(&sample::failing(), PLAIN));
}

#[test]
fn a_run_that_passes_is_short() {
    insta::assert_snapshot!(shown(&sample::passing(), PLAIN));
}

#[test]
fn quiet_shows_failures_and_the_verdict() {
    insta::assert_snapshot!(shown(&sample::failing(), Style { quiet: true, ..PLAIN }));
    assert_eq!(
        shown(&sample::passing(), Style { quiet: true, ..PLAIN }),
        "PASSED: every rule that was judged holds: 4 of 4 cases passed\n"
    );
}

#[test]
fn a_terminal_keeps_what_was_printed_above_the_progress_line() {
    let written = shown(
        &sample::failing(),
        Style {
            tty: true,
            width: 100,
            ..PLAIN
        },
    );
    assert!(written.contains("/12 "), "no progress line in {written:?}");
    insta::assert_snapshot!(screen(&written));
}

#[test]
fn a_check_says_what_grpc_against_rest_came_to_in_three_lines() {
    let text = shown(&sample::with_load(), PLAIN);
    let (_, end) = text.split_once("\ntarget   built-in").unwrap_or(("", &text));
    insta::assert_snapshot!(end);
}

#[test]
fn colours_come_only_when_asked_for() {
    assert!(!shown(&sample::failing(), PLAIN).contains('\u{1b}'));
    let colored = shown(&sample::failing(), Style { color: true, ..PLAIN });
    assert!(colored.contains("\u{1b}[1;31mFAIL\u{1b}[0m"));
    let mut plain = colored;
    for code in ["1", "2", "32", "33", "1;31", "0"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, shown(&sample::failing(), PLAIN));
}

#[test]
fn a_hostile_target_steers_neither_terminal_nor_runner() {
    let text = shown(&sample::hostile(), PLAIN);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
    assert!(!text.contains("##vso["), "{text}");
    assert!(!text.contains('\u{202e}'), "{text}");
}

#[test]
fn a_closed_pipe_is_told_at_the_end_and_ends_nothing() {
    let record = sample::failing();
    let mut console = Console::new(Box::new(Closed), PLAIN);
    for event in events(&record) {
        console.on_event(&event);
    }
    let told = console.finish(&record, None).map_err(|error| error.kind());
    assert_eq!(told, Err(io::ErrorKind::BrokenPipe));
}

#[test]
fn what_was_judged_beside_the_cases_is_told() {
    let text = shown(&sample::with_checks(), PLAIN);
    insta::assert_snapshot!(text);
    assert!(!text.contains("##vso["), "{text}");
}
