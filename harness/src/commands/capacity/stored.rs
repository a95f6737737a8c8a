//! `--from`: what stored runs of check, load and capacity say together. Nothing is sent.

use super::{Show, answer, ask::Question, finish, none};
use crate::commands::{Refusal, begin};
use std::time::{Instant, SystemTime};
use stocktake::{
    capacity::{
        gather::{self, Gathered},
        growth, objective,
        record::{CAPACITY_VERSION, CapacityRecord, CapacityResult, CapacityVerdict},
    },
    cli::CapacityArgs,
    exit::Exit,
    numbers,
    report::store::{self, Stored},
};

/// Reads them, and writes what they say as a run of its own.
pub fn stored(args: &CapacityArgs, question: &Question) -> Result<Exit, Refusal> {
    let began = (Instant::now(), SystemTime::now());
    let mut runs = Vec::new();
    for path in &args.from {
        let run = store::read_any(path).map_err(|error| Refusal::input(format!("--from: {error}")))?;
        runs.push((path.display().to_string(), run));
    }
    let of_runs: Vec<(&str, gather::Run<'_>)> = runs
        .iter()
        .map(|(path, run)| {
            let run = match run {
                Stored::Verify(record) => gather::Run::Verify(record),
                Stored::Load(record) => gather::Run::Load(record),
                Stored::Capacity(record) => gather::Run::Capacity(record),
                Stored::Doctor(_) => {
                    let text = format!("--from: {path} is a run of doctor, which measures nothing: leave it out");
                    return Err(Refusal::input(text));
                }
            };
            Ok((path.as_str(), run))
        })
        .collect::<Result<_, Refusal>>()?;
    let wanted = match &args.objective {
        Some(text) => Some(objective::parse(text).map_err(|text| Refusal::input(format!("--objective: {text}")))?),
        None => None,
    };
    let gathered = gather::gather(&of_runs, wanted.as_ref(), args.replicas);
    let gathered = gathered.map_err(|text| Refusal::input(format!("--from: {text}")))?;
    let Gathered {
        measured,
        objective,
        brackets,
        caveats,
        next,
        replicas,
    } = gathered;
    let ceiling = measured.as_ref().and_then(|measured| measured.ceiling);
    let prediction = args
        .predict
        .map(|replicas| growth::predict(&brackets, replicas, ceiling));
    let verdict = match (&measured, &prediction) {
        (_, Some(prediction)) if prediction.rate.is_none() => CapacityVerdict {
            result: CapacityResult::Inconclusive,
            exit_code: Exit::Inconclusive.code().into(),
            ..none(&prediction.sentence)
        },
        (_, Some(prediction)) => CapacityVerdict {
            result: CapacityResult::Found,
            exit_code: Exit::Passed.code().into(),
            ..none(&prediction.sentence)
        },
        (Some(measured), None) => CapacityVerdict {
            result: CapacityResult::Found,
            exit_code: Exit::Passed.code().into(),
            ..none(&format!(
                "{} {}{}, from {} stored {}",
                match measured.sharing.map_or(1, |sharing| sharing.at) {
                    1 => "one replica sustains".to_owned(),
                    several => format!("each of {several} replicas sustains"),
                },
                // What the busiest carried, its skew taken off.
                numbers::per_second(measured.mean(measured.passed)),
                measured
                    .failed
                    .map(|failed| format!(" to {}", numbers::per_second(measured.mean(failed))))
                    .unwrap_or_default(),
                measured.from.len(),
                if measured.from.len() == 1 { "run" } else { "runs" }
            ))
        },
        (None, None) => CapacityVerdict {
            result: CapacityResult::Inconclusive,
            exit_code: Exit::Inconclusive.code().into(),
            ..none("too little data: none of these runs says what a replica sustains")
        },
    };
    let mut options: Vec<(String, String)> = args
        .from
        .iter()
        .map(|path| ("from".to_owned(), path.display().to_string()))
        .collect();
    options.extend(args.replicas.map(|n| ("replicas".to_owned(), n.to_string())));
    let now = chrono::DateTime::<chrono::Utc>::from(began.1);
    let folder = begin::folder(&args.output, &now, "capacity")?;
    let mut record = CapacityRecord {
        capacity_version: CAPACITY_VERSION,
        run_id: begin::run_id(args.run_id.as_deref())?,
        started: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        elapsed_ms: u64::try_from(began.0.elapsed().as_millis()).unwrap_or(u64::MAX),
        target: None,
        workload: None,
        leg: None,
        replicas,
        host: begin::host(),
        generator: None,
        options,
        objective,
        stages: Vec::new(),
        points: Vec::new(),
        bracket: None,
        scalability: None,
        prediction,
        measured,
        advice: None,
        residue: Vec::new(),
        caveats,
        next,
        verdict,
    };
    answer(&mut record, question);
    finish(&record, &folder, &mut Show::new(&args.output))
}
