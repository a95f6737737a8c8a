//! A capacity run on the screen: a line for each stage, and the summary at its end. Pure: text out.

mod summary;

use crate::{
    capacity::record::{CapacityRecord, StageJudged, StageRecord},
    load::record::LoadTarget,
    report::{
        capacity::words,
        escape::{log_line, visible},
        failure::Layout,
        line::{Line, Tone},
        load::sides,
        text,
    },
};

/// What is written to is not asked how wide it is: as wide as most.
const LAYOUT: Layout = Layout { width: 120, wrap: true };

/// Before the first stage.
pub fn begin(target: &LoadTarget, workload: &str, limits: &[String]) -> String {
    let head = format!("capacity of {}: {}", visible(&target.address), visible(workload));
    format!("{}\nobjective: {}\n", log_line(&head), limits.join(", "))
}

/// One stage.
pub fn stage(stage: &StageRecord) -> String {
    line(stage).shown(false) + "\n"
}

/// The answer; `folder` is the run's.
pub fn summary(record: &CapacityRecord, folder: &str) -> String {
    let lines = summary::lines(record, Some(folder), LAYOUT);
    lines.iter().map(|line| line.shown(false) + "\n").collect()
}

/// `bisect       141 req/s       141/s  p50 31.0 ms  p99 188 ms  passed`.
fn line(stage: &StageRecord) -> Line {
    let (tone, shown) = match stage.judged {
        StageJudged::Passed => (Tone::Good, true),
        StageJudged::Failed { .. } => (Tone::Bad, true),
        StageJudged::Void { .. } => (Tone::Doubt, false),
        StageJudged::Measured => (Tone::Plain, true),
    };
    let asked = match (stage.rate, stage.calls) {
        (Some(rate), _) => format!("{} req/s", text::rate(rate)),
        (None, Some(calls)) => text::plural(calls as u64, "call", "calls"),
        (None, None) => words::NONE.to_owned(),
    };
    let numbers = if shown {
        let latency = |ns| sides::latency(ns).text().to_owned();
        format!(
            "{:>8}/s  p50 {:<8}  p99 {:<8}  ",
            text::rate(stage.throughput),
            latency(stage.p50),
            latency(stage.p99)
        )
    } else {
        String::new()
    };
    Line::of(Tone::Faint, format!("{:<12} ", words::phase(stage.phase)))
        .with(Tone::Strong, format!("{asked:<14} "))
        .with(Tone::Plain, numbers)
        .with(tone, words::judged(stage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::capacity::sample;

    #[test]
    fn a_stage_is_a_line_and_a_void_one_shows_no_number() {
        let lines: String = sample::found().stages.iter().map(stage).collect();
        insta::assert_snapshot!(lines);
    }

    #[test]
    fn a_hostile_record_does_not_steer_the_terminal() {
        let mut record = sample::hostile();
        record.verdict.sentence.push('\u{1b}');
        let text = summary(&record, "reports/runs/\u{1b}[2J") + &record.stages.iter().map(stage).collect::<String>();
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
    }

    /// A runner takes such lines for commands.
    #[test]
    fn a_hostile_record_does_not_command_the_runner() {
        let mut record = sample::found();
        record.verdict.sentence = "##vso[task.complete result=Succeeded]".to_owned();
        record.caveats[0].text = "##[error]x".to_owned();
        let mut target = record.target.clone().expect("the sample has one");
        target.address = "##vso[task.setvariable]x".to_owned();
        let text = begin(&target, "##[section]", &[]) + &summary(&record, "x");
        assert!(!text.contains("##vso[") && !text.contains("##["), "{text}");
    }
}
