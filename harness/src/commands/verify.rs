//! `stocktake verify` and `stocktake check`.

mod approved;
mod options;
mod side;

use super::{
    Refusal, begin,
    check::{self, Reached},
    child::Service,
    ci, consent, doctor,
    listeners::{Listeners, on_signal},
    load_suite, offer,
};
use approved::Approved;
use side::Side;
use std::sync::Arc;
use stocktake::{
    cli::{Format, LevelChoice, VerifyArgs},
    client::{Protocol, Target},
    exit::Exit,
    verify::{
        against, checks,
        engine::{Engine, Options},
        fold,
        matrix::{self},
        record::{
            CaseRecord, Counts, LevelName, Outcome, Residue, RunRecord, SCHEMA_VERSION, SuiteRecord, TargetRecord,
            Verdict, VerdictResult,
        },
        run::{self, Produced},
        snapshot::Snapshots,
    },
};

/// Runs scenarios against a target and writes the run's folder.
pub async fn verify(command: &str, args: VerifyArgs) -> Result<Exit, Refusal> {
    let suite = load_suite::load(args.scenarios.as_deref())?;
    let selection = options::selection(&args)?;
    // Mistakes in it are told before anything is started.
    super::connect::http_rules(&args.connection)?;
    let matrix = matrix::expand(&suite.scenarios, &offer::protocols(args.protocol), &selection)
        .map_err(|errors| Refusal::input(errors.join("\nerror: ")))?;
    if args.list {
        return options::list(&matrix);
    }
    let run_id = begin::run_id(args.run_id.as_deref())?;
    let approved = Approved::of(&args)?;
    let snapshots = approved.as_ref().map(Approved::read).transpose()?;

    let service = match &args.target {
        Some(_) => None,
        None => Some(Service::start().await?),
    };
    let address = args
        .target
        .clone()
        .or(service.as_ref().map(|service| service.address.clone()))
        .unwrap_or_default();
    let parse = |address: &str| Target::parse(address).map_err(|error| Refusal::input(error.to_string()));
    let target = parse(&address)?;
    let old_target = args.against.as_deref().map(parse).transpose()?;
    for target in [Some(&target), old_target.as_ref()].into_iter().flatten() {
        consent::writes(target, &args)?;
    }
    let beside = if command == "check" { check::residue() } else { 0 };
    let expected = args.expect_revision.as_deref();
    let new = side::approach(&target, &args, &args.connection, matrix.clone(), expected, beside).await?;
    let old = match &old_target {
        Some(target) => {
            let mut connection = args.connection.clone();
            connection.authority = args.against_authority.clone().or(connection.authority);
            Some(side::approach(target, &args, &connection, matrix, None, 0).await?)
        }
        None => None,
    };

    let decides = match args.level {
        LevelChoice::Must => LevelName::Must,
        LevelChoice::Should => LevelName::Should,
    };
    let not_judged = new.not_judged();
    let snapshot_steps_unjudged = snapshots.is_none() && options::uses_snapshots(&new.matrix);
    // What one side alone may be asked would look like a regression: both get what the farther one allows.
    let loopback = [Some(&target), old_target.as_ref()];
    let loopback = loopback.into_iter().flatten().all(Target::is_loopback);
    let engine = engine(&new, loopback, &args, run_id.clone(), snapshots);
    let client = new.client.clone();
    let first = offer::protocols(args.protocol)
        .first()
        .copied()
        .unwrap_or(Protocol::Grpc);
    let old = old.zip(old_target).map(|(old, target)| {
        // Both may keep their things in one place: their names must not meet.
        let engine = self::engine(&old, loopback, &args, begin::another(&run_id), None);
        (old, target, engine)
    });
    let now = chrono::Utc::now();
    let folder = begin::folder(&args.output, &now, command)?;
    let Side {
        matrix,
        protocols,
        not_offered,
        notes,
        checks: known,
        ..
    } = new;
    let mut notes = notes;
    if command == "check" && first == Protocol::Grpc {
        let (line, found) = doctor::first_look(&client).await;
        notes.extend(found);
        if args.output.format == Format::Text && !args.output.quiet {
            // Whoever reads along has gone: the report is still written.
            let _ = super::print(&format!("{line}\n"));
        }
    }
    let mut record = RunRecord {
        schema_version: SCHEMA_VERSION,
        command: command.to_owned(),
        run_id,
        started: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        elapsed_ms: 0,
        target: TargetRecord {
            address: if service.is_some() {
                format!("built-in service at {target}")
            } else {
                target.to_string()
            },
            descriptors: engine.schema.origin().to_string(),
            protocols,
            not_offered,
            answered_by: Vec::new(),
        },
        suite: SuiteRecord {
            name: suite.name.clone(),
            files: suite.scenarios.len(),
            sha256: suite.sha256.clone(),
        },
        host: begin::host(),
        options: options::recorded_options(&args),
        cases: Vec::new(),
        rules: Vec::new(),
        coverage: Default::default(),
        load: None,
        checks: known,
        residue: Vec::new(),
        caveats: options::caveats(notes, snapshot_steps_unjudged, &matrix, &suite),
        verdict: Verdict {
            result: VerdictResult::NotJudged,
            exit_code: Exit::NotJudged.code().into(),
            sentence: "running".to_owned(),
            complete: false,
            counts: Counts {
                cases: matrix.len() as u64,
                ..Counts::default()
            },
        },
    };

    let mut listeners = Listeners::new(&args.output, &folder, record.clone(), matrix.len())?;
    let old_engine = old.as_ref().map(|(_, _, engine)| engine.clone());
    let signal = on_signal([Some(engine.clone()), old_engine].into_iter().flatten().collect());
    let produced = run::run(&engine, &matrix, |event| listeners.on_event(event)).await;
    let mut on_old = None;
    if let Some((old, target, engine)) = &old {
        if args.output.format == Format::Text && !args.output.quiet {
            // Whoever reads along has gone: the report is still written.
            let _ = super::print(&format!("\nthe same cases on {target} …\n"));
        }
        on_old = Some((run::run(engine, &old.matrix, |_| {}).await, target.to_string()));
    }
    record.elapsed_ms = listeners.elapsed_ms();
    if command == "check" && signal.interrupted().is_none() && engine.lost().is_none() {
        let reached = Reached {
            target: &target,
            service: service.as_ref(),
            run_id: &record.run_id,
            protocols: &record.target.protocols,
        };
        match check::in_short(&args, reached).await {
            Ok(load) => record.load = Some(Box::new(load)),
            Err(caveat) => record.caveats.push(caveat),
        }
    }
    let unreached = engine.lost().is_some() || nothing_passed(&produced.cases);
    if service.is_none() && unreached && signal.interrupted().is_none() {
        let advice = doctor::advice(&client, first).await;
        record.caveats.extend(advice.map(|advice| advice.caveat));
    }
    if let Some(service) = service {
        service.stop().await;
    }

    record.target.answered_by = engine.answered_by();
    record.cases = produced.cases;
    record.residue = produced.residue;
    record.rules = fold::rules(&record.cases);
    let about = matrix.iter().filter_map(|case| case.scenario.service.as_ref());
    let about = about.map(|service| service.value.clone()).collect();
    record.coverage = engine.coverage.record(&about, &record.target.protocols);
    let why = engine.lost().or(not_judged.as_deref());
    record.verdict = fold::verdict(
        &record.cases,
        &record.rules,
        matrix.len(),
        decides,
        why,
        signal.interrupted(),
    );
    if let Some(split) = checks::split_state(&record.cases, &record.target.answered_by) {
        record.verdict.sentence += &format!("; {split}");
    }
    if let Some(expected) = &args.expect_revision {
        record.checks.push(checks::identity(&engine.identity.seen(), expected));
    }
    if let (Some((produced, address)), Some((_, _, old_engine))) = (on_old, &old) {
        compared(&mut record, &engine, (produced, &address, old_engine), decides);
    }
    let write = approved
        .as_ref()
        .map(|approved| approved.conclude(&engine, &mut record, &args));
    record.verdict = checks::weigh(record.verdict, &record.checks);
    // The results come first, and whatever cannot be written after a run never makes its exit code better.
    let mut ended = listeners.finish(&record, &folder, &args.output);
    ci::verified(&args.output, &record, &folder);
    if let (Ok(()), Some(approved), Some(write)) = (&ended, &approved, write) {
        ended = approved.write(write);
    }
    let verdict = Exit::of_code(record.verdict.exit_code);
    match ended {
        Ok(()) => Ok(verdict),
        Err(refusal) => Err(refusal.at_least(verdict)),
    }
}

/// Whether cases failed and none passed: perhaps the service was never reached, and somebody answered in its place.
fn nothing_passed(cases: &[CaseRecord]) -> bool {
    let any = |wanted: Outcome| cases.iter().any(|case| case.outcome == wanted);
    any(Outcome::Failed) && !any(Outcome::Passed)
}

fn engine(side: &Side, loopback: bool, args: &VerifyArgs, run_id: String, snapshots: Option<Snapshots>) -> Arc<Engine> {
    let options = Options {
        run_id,
        jobs: args.jobs.into(),
        stream_budget: args.stream_budget.into(),
        loopback,
        read_only: args.read_only,
        allow_disruption: args.allow_disruption,
        allow_odd_data: args.allow_odd_data,
        keep_answers: args.snapshot.is_some() || args.against.is_some(),
        no_rest: side.no_rest.clone(),
    };
    let calls = (side.client.clone(), side.identity.clone());
    Engine::new(calls, side.schema.clone(), options, snapshots)
}

/// Adds what the same cases came to on the old target.
fn compared(
    record: &mut RunRecord,
    engine: &Engine,
    (old, address, old_engine): (Produced, &str, &Engine),
    decides: LevelName,
) {
    let (new_answers, old_answers) = (engine.answers.all(), old_engine.answers.all());
    let new = against::Side {
        address: &record.target.address,
        cases: &record.cases,
        answers: &new_answers,
    };
    let before = against::Side {
        address,
        cases: &old.cases,
        answers: &old_answers,
    };
    let check = against::compare(new, before, decides);
    record.checks.push(check);
    record.residue.extend(old.residue.into_iter().map(|left| Residue {
        what: format!("{} on {address}", left.what),
        ..left
    }));
}
