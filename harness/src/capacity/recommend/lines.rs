//! What to type: the Azure CLI, Bicep, and the run that tells what the platform counts. Pure.

use super::GRACE_S;
use crate::capacity::{
    measured::Measured,
    prices::Size,
    scaler::{Limits, Reading, desired},
};
use serde::{Deserialize, Serialize};

/// The concurrency of the calibration: the default of the platform, so that little load does.
pub const CALIBRATION_CONCURRENCY: u32 = 10;

/// What the calibration sends: reading alone, so that it asks for no leave to write, leaves nothing behind, and holds while replicas come
/// that keep products of their own.
const WORKLOAD: &str = "deploy/azure/read.yaml";

/// Connections of the calibration, and calls at once on each: together more than twice the calls in flight that it plans with, so that
/// the generator holds none back.
const CONNECTIONS: u32 = 8;

/// As above.
const STREAMS: u32 = 8;

/// The longest grace period that can be set.
const LONGEST_GRACE_S: f64 = 600.0;

/// Two runs with the same calls in flight and different rates: what the replicas follow is what the platform counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What to do, step by step.
    pub steps: Vec<String>,
    /// The two runs, in order.
    pub runs: Vec<CalibrationRun>,
}

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationRun {
    /// Requests a second.
    pub rate: f64,
    /// Milliseconds by which the server delays each answer.
    pub delay_ms: u64,
    /// Replicas to see where the platform counts requests a second.
    pub by_rate: u32,
    /// Replicas to see where it counts calls in flight.
    pub by_in_flight: u32,
}

/// Rates and calls in flight lie in the middle between two numbers of replicas, so that a few percent change nothing.
pub(super) fn calibration() -> Calibration {
    let concurrency = CALIBRATION_CONCURRENCY;
    let in_flight = 2.5 * f64::from(concurrency);
    let run = |times: f64| {
        let rate = times * f64::from(concurrency);
        CalibrationRun {
            rate,
            delay_ms: (in_flight / rate * 1000.0).round() as u64,
            by_rate: desired(rate, concurrency),
            by_in_flight: desired(in_flight, concurrency),
        }
    };
    // Rising, so that no scale-in of 300 s lies between them.
    let runs = vec![run(1.5), run(4.5)];
    let mut steps = vec![format!(
        "deploy the reference service as a revision of its own: az containerapp update -n $APP -g $RG --min-replicas 1 --max-replicas 8 --scale-rule-name http --scale-rule-type http --scale-rule-http-concurrency {concurrency}"
    )];
    for run in &runs {
        steps.push(format!(
            "let it answer late, by serve --simulate delay={}ms, and run in a checkout of stocktake: {}",
            run.delay_ms,
            load(run),
        ));
        steps.push(format!(
            "after 2 minutes of that read the metric Replicas: {} where the platform counts {}, {} where it counts {}; that its objective is missed is meant, since the answers are late",
            run.by_rate,
            Reading::Rate.words(),
            run.by_in_flight,
            Reading::InFlight.words(),
        ));
    }
    Calibration { steps, runs }
}

/// The load of one of the two runs: one round, with room for all the calls in flight.
fn load(run: &CalibrationRun) -> String {
    format!(
        "stocktake load https://$FQDN --workload {WORKLOAD} --legs grpc --rate {} --duration 3m --rounds 1 --connections {CONNECTIONS} --streams-per-connection {STREAMS}",
        run.rate
    )
}

/// One command. `$APP` and `$RG` are the reader's.
pub(super) fn az(limits: Limits, size: Option<Size>, measured: &Measured) -> String {
    let mut lines = vec![
        "az containerapp update -n $APP -g $RG".to_owned(),
        format!("--min-replicas {} --max-replicas {}", limits.min, limits.max),
        format!(
            "--scale-rule-name http --scale-rule-type http --scale-rule-http-concurrency {}",
            limits.concurrency
        ),
    ];
    if let Some(size) = size {
        lines.push(format!("--cpu {} --memory {}", size.cpu, gibibytes(size)));
    }
    if let Some(grace) = grace(measured) {
        lines.push(format!("--termination-grace-period {grace}"));
    }
    lines.join(" \\\n  ")
}

/// Seconds to set for the end of a replica, where 30 are too few: half as long again as it took.
pub(super) fn grace(measured: &Measured) -> Option<u32> {
    let drain = measured.drain_s.filter(|drain| drain.is_finite())?;
    (drain > GRACE_S * 0.8).then(|| (drain * 1.5).ceil().min(LONGEST_GRACE_S) as u32)
}

/// Assignments of a `.bicepparam` file.
pub(super) fn bicep(limits: Limits, size: Option<Size>, measured: &Measured) -> String {
    let mut lines = vec![
        format!("param minReplicas = {}", limits.min),
        format!("param maxReplicas = {}", limits.max),
        format!("param httpConcurrency = {}", limits.concurrency),
    ];
    if let Some(size) = size {
        lines.push(format!("param cpu = '{}'", size.cpu));
        lines.push(format!("param memory = '{}'", gibibytes(size)));
    }
    if let Some(grace) = grace(measured) {
        lines.push(format!("param gracePeriod = {grace}"));
    }
    lines.join("\n")
}

/// `1.0Gi`.
fn gibibytes(size: Size) -> String {
    format!("{:?}Gi", size.memory)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;
    use std::time::Duration;

    /// What is printed is typed as it stands: it has to be a command line, and one that keeps the calls in flight.
    #[test]
    fn the_calibration_that_is_printed_can_be_typed_and_holds_its_calls_in_flight() {
        let calibration = calibration();
        assert_eq!(calibration.runs.len(), 2);
        for (run, step) in calibration.runs.iter().zip(calibration.steps[1..].chunks(2)) {
            let line = load(run);
            assert!(step[0].ends_with(&format!(": {line}")), "{step:?}");
            let Command::Load(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!((args.rate, args.rounds), (Some(run.rate), Some(1)));
            assert_eq!(args.duration, Some(Duration::from_secs(180)));
            assert_eq!(args.legs, ["grpc"]);
            let slots = args.connections.unwrap() * args.streams_per_connection.unwrap();
            let in_flight = run.rate * run.delay_ms as f64 / 1000.0;
            assert!(slots as f64 >= 2.0 * in_flight, "{slots} slots, {in_flight} in flight");
            // Without --allow-writes a workload that writes is refused.
            let read_only = include_str!("../../../../deploy/azure/read.yaml");
            assert!(WORKLOAD == args.workload && !args.allow_writes);
            assert!(read_only.lines().any(|line| line == "effects: read-only"));
        }
    }
}
