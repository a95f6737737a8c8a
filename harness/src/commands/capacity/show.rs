//! A capacity run on the terminal: a line for each stage, and the answer. Pure: text out.

use std::fmt::Write;
use stocktake::{
    capacity::record::{CapacityRecord, Phase, StageJudged, StageRecord},
    load::record::LoadTarget,
    numbers,
    report::escape::visible,
};

/// Before the first stage.
pub fn begin(target: &LoadTarget, workload: &str, limits: &[String]) -> String {
    format!(
        "capacity of {}: {}\nobjective: {}\n",
        visible(&target.address),
        visible(workload),
        limits.join(", ")
    )
}

/// One stage.
pub fn stage(stage: &StageRecord) -> String {
    let phase = match stage.phase {
        Phase::Explore => "explore",
        Phase::Bisect => "bisect",
        Phase::Confirm => "confirm",
        Phase::Steps => "steps",
    };
    let asked = match (stage.rate, stage.calls) {
        (Some(rate), _) => numbers::per_second(rate),
        (None, Some(calls)) => format!("{calls} in flight"),
        (None, None) => String::new(),
    };
    let p99 = stage.p99.map_or("-".to_owned(), numbers::latency);
    let judged = match &stage.judged {
        StageJudged::Passed => "passed".to_owned(),
        StageJudged::Failed { why, .. } => format!("failed: {}", visible(why)),
        StageJudged::Void { why, .. } => format!("void: {}", visible(why)),
        StageJudged::Measured => numbers::per_second(stage.throughput),
    };
    format!("  {phase:<8} {asked:>14}  p99 {p99:>9}  {judged}\n")
}

/// The answer.
pub fn summary(record: &CapacityRecord, folder: &str) -> String {
    let mut text = String::from("\n");
    // Writing to a String does not fail; so below.
    let _ = writeln!(text, "{}", visible(&record.verdict.sentence));
    if let Some(bracket) = &record.bracket {
        let high = bracket.high.map_or("not found".to_owned(), numbers::per_second);
        let sure = if bracket.confidence > 0.0 {
            format!(
                " ({} of such brackets hold the limit)",
                numbers::percent(bracket.confidence)
            )
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "  holds at    {}\n  fails at    {high}{sure}\n  limited by  {}",
            numbers::per_second(bracket.low),
            visible(&bracket.limit)
        );
    }
    if let Some(measured) = &record.measured {
        let optional = |value: Option<String>| value.unwrap_or_else(|| "not measured".to_owned());
        let seconds = |value: f64| numbers::latency((value * 1e9) as u64);
        let _ = writeln!(
            text,
            "one replica   {:.1} calls in flight, {} a call\n  CPU         {} a request\n  memory      {}, {} a stream\n  \
             streams     {}\n  cold start  {}, drain {}",
            measured.in_flight,
            seconds(measured.service_s),
            optional(measured.cpu_s.map(seconds)),
            optional(measured.memory.map(|bytes| numbers::bytes(bytes as f64))),
            optional(measured.stream_memory.map(|bytes| numbers::bytes(bytes as f64))),
            optional(measured.streams.map(numbers::count)),
            optional(measured.cold_start_s.map(seconds)),
            optional(measured.drain_s.map(seconds)),
        );
    }
    if let Some(scalability) = &record.scalability {
        scaling(&mut text, scalability);
    }
    if let Some(advice) = &record.advice {
        let told = &advice.recommendation;
        for number in &told.numbers {
            let _ = writeln!(
                text,
                "{}: {} ({})\n       {}",
                number.subject.title(),
                numbers::rate(number.value),
                visible(&number.binding),
                visible(&number.because)
            );
        }
        let _ = writeln!(text, "{}", told.az);
    }
    if let Some(prediction) = &record.prediction {
        let _ = writeln!(text, "prediction    {}", visible(&prediction.sentence));
    }
    for caveat in &record.caveats {
        let _ = writeln!(
            text,
            "doubt: {}\n       {}",
            visible(&caveat.text),
            visible(&caveat.remedy)
        );
    }
    for next in &record.next {
        let _ = writeln!(text, "next:  {}", visible(next));
    }
    let _ = writeln!(text, "record: {}/run.json", visible(folder));
    text
}

fn scaling(text: &mut String, scalability: &stocktake::capacity::record::ScalabilityRecord) {
    let steps: Vec<String> = scalability
        .steps
        .iter()
        .map(|(n, rate)| format!("{n} {}", numbers::per_second(*rate)))
        .collect();
    let _ = writeln!(text, "closed loop   {}: {}", scalability.of, steps.join(", "));
    if let Some(fit) = &scalability.fit {
        let kappa = fit
            .kappa_interval
            .map_or(String::new(), |(low, high)| format!(" ({low:.6} to {high:.6})"));
        let _ = writeln!(
            text,
            "  law         lambda {:.1} ({:.1} to {:.1}), sigma {:.4} ({:.4} to {:.4}), kappa {:.6}{kappa}",
            fit.lambda,
            fit.lambda_interval.0,
            fit.lambda_interval.1,
            fit.sigma,
            fit.sigma_interval.0,
            fit.sigma_interval.1,
            fit.kappa
        );
    }
    if let Some(note) = &scalability.note {
        let _ = writeln!(text, "  note        {}", visible(note));
    }
}
