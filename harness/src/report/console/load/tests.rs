use super::*;
use crate::{
    load::leg::Leg,
    report::{console::Style, load::sample},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

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

const PLAIN: Style = Style {
    tty: false,
    color: false,
    width: 120,
    quiet: false,
};

fn moment(cell: usize, round: usize, leg: Leg) -> Progress {
    Progress {
        cell,
        cells: 2,
        leg,
        target: None,
        round,
        rounds: 2,
        warming: false,
        elapsed: Duration::from_secs(12),
        left: Duration::from_secs(80),
        rate: Some(499.6),
        p50: Some(1_240_000),
        p99: None,
        errors: 1,
    }
}

fn shown(record: &LoadRecord, style: Style) -> String {
    let written = Written::default();
    let mut console = LoadConsole::new(Box::new(written.clone()), style);
    console.started(record, record.cells.len());
    for cell in 1..=2 {
        for round in 1..=2 {
            for leg in [Leg::Grpc, Leg::RestH1] {
                let mut warming = moment(cell, round, leg);
                (warming.warming, warming.rate) = (true, None);
                console.on_progress(&warming);
                console.on_progress(&moment(cell, round, leg));
            }
        }
    }
    assert!(
        console
            .finish(record, Some("reports/runs/20261122T190500Z-load/index.html"))
            .is_ok()
    );
    written.text()
}

#[test]
fn a_log_gets_a_line_for_each_block_and_the_whole_summary() {
    insta::assert_snapshot!(shown(&sample::measured(), PLAIN));
}

#[test]
fn void_sides_and_failed_objectives_are_told() {
    insta::assert_snapshot!(shown(&sample::failing(), PLAIN));
}

#[test]
fn an_old_target_against_a_new_one() {
    insta::assert_snapshot!(shown(&sample::against(), PLAIN));
}

#[test]
fn quiet_shows_the_verdict_alone() {
    let text = shown(&sample::failing(), Style { quiet: true, ..PLAIN });
    assert_eq!(text.lines().count(), 1);
    assert!(text.starts_with("FAILED: p99 over gRPC with products = 100"), "{text}");
}

#[test]
fn a_terminal_has_a_live_line_that_goes_away() {
    let text = shown(
        &sample::measured(),
        Style {
            tty: true,
            width: 140,
            ..PLAIN
        },
    );
    assert!(text.contains("warming up"), "{text:?}");
    let line = "1 min 20 s left  cell 1/2 round 1/2  gRPC  500 req/s  p50 1.24 ms  p99 –  1 error";
    assert_eq!(live(&moment(1, 1, Leg::Grpc)), line);
    // No block line, and every line of the summary stands alone on its line.
    assert!(!text.contains("  |  "), "{text:?}");
    assert!(text.contains("\nMEASURED: "), "{text:?}");
}

#[test]
fn a_narrow_terminal_gets_wrapped_sentences() {
    let layout = Style {
        tty: true,
        width: 60,
        ..PLAIN
    }
    .layout();
    let lines = summary::lines(&sample::measured(), None, layout);
    let sentences = lines.iter().skip_while(|line| !line.plain().starts_with("Compared"));
    let sentences = sentences.take_while(|line| !line.plain().starts_with("target"));
    for line in sentences {
        assert!(line.columns() <= 60, "{:?}", line.plain());
    }
}

#[test]
fn a_hostile_record_steers_neither_terminal_nor_runner() {
    let text = shown(&sample::hostile(), PLAIN);
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
    assert!(!text.contains("##vso[") && !text.contains('\u{202e}'), "{text}");
}
