//! `stocktake verify` and `stocktake check`.

use super::{
    Refusal, begin,
    check::{self, Reached},
    child::Service,
    connect::{self, Wants},
    consent, doctor,
    listeners::{Listeners, on_signal},
    load_suite, offer,
};
use std::{fs, path::Path, sync::Arc};
use stocktake::{
    cli::{Format, LevelChoice, ProtocolChoice, VerifyArgs},
    client::{Protocol, Target},
    exit::Exit,
    scenario::{
        model::{Action, Scenario, Step},
        suite::Suite,
    },
    schema::Schema,
    verify::{
        engine::{Engine, Options},
        fold, link,
        matrix::{self, Case, Selection},
        record::{
            CaseRecord, Caveat, Counts, LevelName, Outcome, RunRecord, SCHEMA_VERSION, SuiteRecord, TargetRecord,
            Verdict, VerdictResult,
        },
        run,
        snapshot::Snapshots,
    },
};

/// Runs scenarios against a target and writes the run's folder.
pub async fn verify(command: &str, args: VerifyArgs) -> Result<Exit, Refusal> {
    let suite = load_suite::load(args.scenarios.as_deref())?;
    let selection = selection(&args)?;
    let rules = connect::http_rules(&args.connection)?;
    let protocols = offer::protocols(args.protocol);
    let mut matrix = matrix::expand(&suite.scenarios, &protocols, &selection)
        .map_err(|errors| Refusal::input(errors.join("\nerror: ")))?;
    if args.list {
        return list(&matrix);
    }
    let run_id = begin::run_id(args.run_id.as_deref())?;
    let snapshots = snapshots(&args)?;

    let service = match &args.target {
        Some(_) => None,
        None => Some(Service::start().await?),
    };
    let address = args
        .target
        .clone()
        .or(service.as_ref().map(|service| service.address.clone()))
        .unwrap_or_default();
    let target = Target::parse(&address).map_err(|error| Refusal::input(error.to_string()))?;
    consent::writes(&target, &args)?;
    let first = protocols.first().copied().unwrap_or(Protocol::Grpc);
    // Whether REST counts, `auto` must look first; what is too much without it need not even be sent a look.
    let sure = match args.protocol {
        ProtocolChoice::Auto => std::slice::from_ref(&first),
        ProtocolChoice::Grpc | ProtocolChoice::Rest | ProtocolChoice::Both => protocols.as_slice(),
    };
    let beside = if command == "check" { check::residue() } else { 0 };
    consent::residue(&target, &args, &matrix, sure, beside)?;
    let client = connect::client(&target, &args.connection)?;
    connect::reach(&client, first, &args.connection).await?;
    let wants = Wants {
        contract: wants_contract(&matrix),
        rest_alone: first == Protocol::Rest,
    };
    let (schema, mut notes) = connect::described(&client, &args.connection, rules, wants).await?;
    link_all(&matrix, &schema, args.stream_budget.into())?;
    let rest = offer::rest(&client, &schema, &matrix, args.protocol).await;
    let not_offered = rest
        .reason()
        .map(|reason| (Protocol::Rest, reason))
        .into_iter()
        .collect();
    notes.extend(rest.caveat);
    if rest.left_out {
        matrix.retain(|case| case.protocol != Protocol::Rest);
    }
    let judged = |protocol: &Protocol| {
        let withheld = *protocol == Protocol::Rest && rest.withheld.is_some();
        !withheld && matrix.iter().any(|case| case.protocol == *protocol)
    };
    let protocols: Vec<Protocol> = protocols.into_iter().filter(judged).collect();
    // Until here nothing was sent that could have written: connections, reflection and one GET.
    consent::residue(&target, &args, &matrix, &protocols, beside)?;

    let not_judged = match &rest.withheld {
        Some(Outcome::NotJudged { reason }) => Some(reason.clone()),
        _ => None,
    };
    let options = Options {
        run_id: run_id.clone(),
        jobs: args.jobs.into(),
        stream_budget: args.stream_budget.into(),
        loopback: target.is_loopback(),
        read_only: args.read_only,
        allow_disruption: args.allow_disruption,
        allow_odd_data: args.allow_odd_data,
        revision_header: args.revision_header.to_ascii_lowercase(),
        expect_revision: args.expect_revision.clone(),
        no_rest: rest.withheld,
    };
    if command == "check" && first == Protocol::Grpc {
        let (line, found) = doctor::first_look(&client).await;
        notes.extend(found);
        if args.output.format == Format::Text && !args.output.quiet {
            // Whoever reads along has gone: the report is still written.
            let _ = super::print(&format!("{line}\n"));
        }
    }
    let snapshot_steps_unjudged = snapshots.is_none() && uses_snapshots(&matrix);
    let engine = Engine::new(client.clone(), schema, options, snapshots);
    let now = chrono::Utc::now();
    let folder = begin::folder(&args.output, &now, command)?;
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
        options: recorded_options(&args),
        cases: Vec::new(),
        rules: Vec::new(),
        coverage: Default::default(),
        load: None,
        residue: Vec::new(),
        caveats: caveats(notes, snapshot_steps_unjudged, &matrix, &suite),
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
    let signal = on_signal(engine.clone());
    let produced = run::run(&engine, &matrix, |event| listeners.on_event(event)).await;
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
    let decides = match args.level {
        LevelChoice::Must => LevelName::Must,
        LevelChoice::Should => LevelName::Should,
    };
    let why = engine.lost().or(not_judged.as_deref());
    record.verdict = fold::verdict(
        &record.cases,
        &record.rules,
        matrix.len(),
        decides,
        why,
        signal.interrupted(),
    );
    // The results come first, and whatever cannot be written after a run never makes its exit code better.
    let mut ended = listeners.finish(&record, &folder, &args.output);
    if ended.is_ok() {
        ended = approve(&engine, args.snapshot.as_deref());
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

/// Writes the answers of this run as the approved ones, where that was asked for.
fn approve(engine: &Engine, file: Option<&Path>) -> Result<(), Refusal> {
    match (&engine.snapshots, file) {
        (Some(snapshots), Some(file)) if snapshots.accepts() => fs::write(file, snapshots.file())
            .map_err(|error| Refusal::input(format!("cannot write {}: {error}", file.display()))),
        _ => Ok(()),
    }
}

fn selection(args: &VerifyArgs) -> Result<Selection, Refusal> {
    let known_failing = match &args.known_failing {
        None => None,
        Some(file) => {
            let name = file.display().to_string();
            let text =
                fs::read_to_string(file).map_err(|error| Refusal::input(format!("cannot read {name}: {error}")))?;
            let lines = matrix::parse_known_failing(&name, &text).map_err(Refusal::input)?;
            Some((name, lines))
        }
    };
    Ok(Selection {
        filter: args.filter.clone(),
        tags: args.tag.clone(),
        known_failing,
    })
}

fn list(matrix: &[Case]) -> Result<Exit, Refusal> {
    let lines = matrix
        .iter()
        .map(|case| format!("{:<60} {}\n", case.name(), case.scenario.name));
    super::print(&lines.collect::<String>()).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    eprintln!("{} cases", matrix.len());
    Ok(Exit::Passed)
}

fn snapshots(args: &VerifyArgs) -> Result<Option<Snapshots>, Refusal> {
    let Some(file) = &args.snapshot else { return Ok(None) };
    let text = match fs::read_to_string(file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && args.accept => None,
        Err(error) => {
            let help = "write it with --accept";
            return Err(Refusal::input(format!(
                "cannot read {}: {error}; {help}",
                file.display()
            )));
        }
    };
    let read = Snapshots::read(text.as_deref(), args.accept);
    read.map(Some)
        .map_err(|error| Refusal::input(format!("{}: {error}", file.display())))
}

fn wants_contract(matrix: &[Case]) -> bool {
    let service = |case: &Case| case.scenario.service.as_ref().map(|service| service.value.clone());
    matrix
        .iter()
        .any(|case| service(case).as_deref() == Some(inventory_contract::SERVICE))
}

fn uses_snapshots(matrix: &[Case]) -> bool {
    let named = |step: &Step| matches!(&step.action, Action::Call(call) if call.snapshot.is_some());
    matrix
        .iter()
        .any(|case| case.scenario.steps.iter().chain(&case.scenario.setup).any(named))
}

/// Every scenario against the descriptors, before anything is sent.
fn link_all(matrix: &[Case], schema: &Schema, budget: usize) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    let mut last: Option<&Arc<Scenario>> = None;
    for case in matrix {
        if !last.is_some_and(|scenario| Arc::ptr_eq(scenario, &case.scenario)) {
            errors.extend(link::check(&case.scenario, schema, budget));
            last = Some(&case.scenario);
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let mut text: Vec<String> = errors.iter().take(20).map(|error| error.render()).collect();
    let mistakes = if errors.len() == 1 { "mistake" } else { "mistakes" };
    text.push(format!(
        "{} {mistakes} against the descriptors ({}); nothing was sent",
        errors.len(),
        schema.origin()
    ));
    Err(Refusal::input(text.join("\n").trim_start_matches("error: ")))
}

/// The options that bear on the verdict.
fn recorded_options(args: &VerifyArgs) -> Vec<(String, String)> {
    let mut options = vec![(
        "level".to_owned(),
        match args.level {
            LevelChoice::Must => "must".to_owned(),
            LevelChoice::Should => "should".to_owned(),
        },
    )];
    let protocol = match args.protocol {
        ProtocolChoice::Auto => None,
        ProtocolChoice::Grpc => Some("grpc"),
        ProtocolChoice::Rest => Some("rest"),
        ProtocolChoice::Both => Some("both"),
    };
    options.extend(protocol.map(|name| ("protocol".to_owned(), name.to_owned())));
    let mut flag = |name: &str, on: bool| {
        if on {
            options.push((name.to_owned(), "yes".to_owned()));
        }
    };
    flag("read-only", args.read_only);
    flag("allow-writes", args.allow_writes);
    flag("allow-disruption", args.allow_disruption);
    flag("allow-odd-data", args.allow_odd_data);
    let mut list = |name: &str, values: &[String]| {
        if !values.is_empty() {
            options.push((name.to_owned(), values.join(", ")));
        }
    };
    list("filter", &args.filter);
    list("tag", &args.tag);
    list(
        "known-failing",
        &args
            .known_failing
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>(),
    );
    list(
        "http-rules",
        &args
            .connection
            .http_rules
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>(),
    );
    list(
        "expect-revision",
        &args.expect_revision.iter().cloned().collect::<Vec<_>>(),
    );
    options
}

fn caveats(notes: Vec<Caveat>, snapshots_unjudged: bool, matrix: &[Case], suite: &Suite) -> Vec<Caveat> {
    let mut caveats = notes;
    if snapshots_unjudged {
        let text = "approved answers were not compared".to_owned();
        caveats.push(Caveat {
            text,
            remedy: "name their file with --snapshot".to_owned(),
        });
    }
    let run: std::collections::HashSet<&str> = matrix.iter().map(|case| case.scenario.id.value.as_str()).collect();
    let left_out = suite
        .scenarios
        .iter()
        .filter(|scenario| !run.contains(scenario.id.value.as_str()))
        .count();
    if left_out > 0 {
        let text = format!("{left_out} of {} scenarios were not selected", suite.scenarios.len());
        caveats.push(Caveat {
            text,
            remedy: "run without --filter, --tag and --protocol to judge all of them".to_owned(),
        });
    }
    caveats
}
