//! `stocktake verify` and `stocktake check`.

use super::{Refusal, child::Service, connect, load_suite};
use std::{
    env, fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};
use stocktake::{
    cli::{Format, LevelChoice, OutputArgs, ProtocolChoice, VerifyArgs},
    client::{Protocol, Target},
    exit::Exit,
    report::{
        console::{Console, Style},
        log::Log,
        store,
    },
    scenario::suite::Suite,
    schema::Schema,
    verify::{
        engine::{Engine, Options},
        event::{Event, EventKind},
        fold, link,
        matrix::{self, Case, Selection},
        record::{
            Caveat, Counts, HostRecord, LevelName, RunRecord, SCHEMA_VERSION, SuiteRecord, TargetRecord, Verdict,
            VerdictResult,
        },
        residue, run,
        snapshot::Snapshots,
    },
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// Runs scenarios against a target and writes the run's folder.
pub async fn verify(command: &str, args: VerifyArgs) -> Result<Exit, Refusal> {
    let suite = load_suite::load(args.scenarios.as_deref())?;
    let selection = selection(&args)?;
    let protocols = match args.protocol {
        ProtocolChoice::Auto | ProtocolChoice::Grpc => vec![Protocol::Grpc],
    };
    let matrix = matrix::expand(&suite.scenarios, &protocols, &selection)
        .map_err(|errors| Refusal::input(errors.join("\nerror: ")))?;
    if args.list {
        return list(&matrix);
    }
    let run_id = run_id(args.run_id.as_deref())?;
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
    consent(&target, &args, &matrix)?;
    let client = connect::client(&target, &args.connection)?;
    connect::reach(&client, &args.connection).await?;
    let (schema, note) = connect::schema(&client, &args.connection, wants_contract(&matrix)).await?;
    link_all(&matrix, &schema, args.stream_budget.into())?;

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
    };
    let snapshot_steps_unjudged = snapshots.is_none() && uses_snapshots(&matrix);
    let engine = Engine::new(client, schema, options, snapshots);
    let now = chrono::Utc::now();
    let folder = folder(&args.output, &now, command)?;
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
            answered_by: Vec::new(),
        },
        suite: SuiteRecord {
            name: suite.name.clone(),
            files: suite.scenarios.len(),
            sha256: suite.sha256.clone(),
        },
        host: host(),
        options: recorded_options(&args),
        cases: Vec::new(),
        rules: Vec::new(),
        residue: Vec::new(),
        caveats: caveats(note, snapshot_steps_unjudged, &matrix, &suite),
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
    if let Some(service) = service {
        service.stop().await;
    }

    record.elapsed_ms = listeners.elapsed_ms();
    record.target.answered_by = engine.answered_by();
    record.cases = produced.cases;
    record.residue = produced.residue;
    record.rules = fold::rules(&record.cases);
    let decides = match args.level {
        LevelChoice::Must => LevelName::Must,
        LevelChoice::Should => LevelName::Should,
    };
    let (lost, interrupted) = (engine.lost(), signal.interrupted());
    record.verdict = fold::verdict(&record.cases, &record.rules, matrix.len(), decides, lost, interrupted);
    // The results come first, and whatever cannot be written after a run never makes its exit code better.
    let mut ended = listeners.finish(&record, &folder, &args.output);
    if ended.is_ok() {
        ended = approve(&engine, args.snapshot.as_deref());
    }
    let verdict = exit(record.verdict.exit_code);
    match ended {
        Ok(()) => Ok(verdict),
        Err(refusal) => Err(refusal.at_least(verdict)),
    }
}

/// Writes the answers of this run as the approved ones, where that was asked for.
fn approve(engine: &Engine, file: Option<&Path>) -> Result<(), Refusal> {
    match (&engine.snapshots, file) {
        (Some(snapshots), Some(file)) if snapshots.accepts() => fs::write(file, snapshots.file())
            .map_err(|error| Refusal::input(format!("cannot write {}: {error}", file.display()))),
        _ => Ok(()),
    }
}

/// The exit that a verdict names.
fn exit(code: i32) -> Exit {
    let all = [
        Exit::Passed,
        Exit::Failed,
        Exit::NotJudged,
        Exit::Interrupted,
        Exit::Terminated,
    ];
    all.into_iter()
        .find(|exit| i32::from(exit.code()) == code)
        .unwrap_or(Exit::NotJudged)
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

fn run_id(given: Option<&str>) -> Result<String, Refusal> {
    match given {
        None => Ok(uuid::Uuid::new_v4().simple().to_string().chars().take(10).collect()),
        Some(id)
            if (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) =>
        {
            Ok(id.to_owned())
        }
        Some(id) => Err(Refusal::input(format!(
            "--run-id `{id}`: 1 to 20 characters of a-z and 0-9"
        ))),
    }
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
    use stocktake::scenario::model::Action;
    let named =
        |step: &stocktake::scenario::model::Step| matches!(&step.action, Action::Call(call) if call.snapshot.is_some());
    matrix
        .iter()
        .any(|case| case.scenario.steps.iter().chain(&case.scenario.setup).any(named))
}

/// Nothing is written to a target that is not this machine unless somebody agreed, and never more than agreed.
fn consent(target: &Target, args: &VerifyArgs, matrix: &[Case]) -> Result<(), Refusal> {
    if target.is_loopback() || args.read_only {
        return Ok(());
    }
    if !args.allow_writes {
        return Err(Refusal::input(format!(
            "{target} is not on this machine and scenarios write: agree with --allow-writes, or judge with --read-only"
        )));
    }
    let mut seen: Vec<(*const stocktake::scenario::model::Scenario, Protocol)> = Vec::new();
    let mut most = 0u64;
    for case in matrix {
        let key = (Arc::as_ptr(&case.scenario), case.protocol);
        if !seen.contains(&key) {
            seen.push(key);
            most = most.saturating_add(residue::estimate(&case.scenario));
        }
    }
    if most > args.max_residue {
        return Err(Refusal::input(format!(
            "up to {most} things could stay behind on {target}, more than --max-residue {}: raise it, or run less with --filter or --tag",
            args.max_residue
        )));
    }
    Ok(())
}

/// Every scenario against the descriptors, before anything is sent.
fn link_all(matrix: &[Case], schema: &Schema, budget: usize) -> Result<(), Refusal> {
    let mut errors = Vec::new();
    let mut last: Option<&Arc<stocktake::scenario::model::Scenario>> = None;
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

fn folder(output: &OutputArgs, now: &chrono::DateTime<chrono::Utc>, command: &str) -> Result<PathBuf, Refusal> {
    match &output.out {
        Some(folder) => store::create(folder).map(|()| folder.clone()),
        None => store::create_new(
            Path::new("reports/runs"),
            &format!("{}-{command}", now.format("%Y%m%dT%H%M%SZ")),
        ),
    }
    .map_err(|error| Refusal::input(error.to_string()))
}

fn host() -> HostRecord {
    HostRecord {
        stocktake: env!("CARGO_PKG_VERSION").to_owned(),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        cpus: thread::available_parallelism().map_or(1, usize::from),
    }
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
        "expect-revision",
        &args.expect_revision.iter().cloned().collect::<Vec<_>>(),
    );
    options
}

fn caveats(note: Option<String>, snapshots_unjudged: bool, matrix: &[Case], suite: &Suite) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    if let Some(text) = note {
        let remedy = "turn on reflection, or give --proto or --descriptor-set".to_owned();
        caveats.push(Caveat { text, remedy });
    }
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
            remedy: "run without --filter and --tag to judge all of them".to_owned(),
        });
    }
    caveats
}

/// The screen and the log, and the clock of the events.
struct Listeners {
    began: Instant,
    seq: u64,
    console: Console,
    log: Log,
}

impl Listeners {
    fn new(output: &OutputArgs, folder: &Path, run: RunRecord, cases: usize) -> Result<Listeners, Refusal> {
        let to_stderr = output.format == Format::Json;
        let tty = if to_stderr {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        let color = tty && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let out: Box<dyn Write + Send> = if to_stderr {
            Box::new(std::io::stderr())
        } else {
            Box::new(std::io::stdout())
        };
        let github = env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        let width = env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok())
            .unwrap_or(110);
        let console = Console::new(
            out,
            Style {
                tty,
                color,
                width,
                quiet: output.quiet,
                github,
            },
        );
        let path = folder.join(store::EVENTS);
        let log =
            Log::create(&path).map_err(|error| Refusal::input(format!("cannot write {}: {error}", path.display())))?;
        let mut listeners = Listeners {
            began: Instant::now(),
            seq: 0,
            console,
            log,
        };
        listeners.on_event(EventKind::RunStarted {
            run: Box::new(run),
            cases,
        });
        Ok(listeners)
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn on_event(&mut self, kind: EventKind) {
        let event = Event {
            seq: self.seq,
            elapsed_ms: self.elapsed_ms(),
            kind,
        };
        self.seq += 1;
        self.console.on_event(&event);
        self.log.on_event(&event);
    }

    fn finish(mut self, record: &RunRecord, folder: &Path, output: &OutputArgs) -> Result<(), Refusal> {
        self.on_event(EventKind::RunFinished {
            verdict: record.verdict.clone(),
        });
        let broken = |error: std::io::Error| Refusal::not_judged(format!("the results could not be written: {error}"));
        let stored = store::write(folder, record).map_err(|error| Refusal::not_judged(error.to_string()));
        let report = folder.join(store::HTML).display().to_string();
        let shown = self.console.finish(record, stored.is_ok().then_some(report.as_str()));
        let logged = self.log.finish();
        let printed = match output.format {
            Format::Json => super::print(&stocktake::report::json::render(record)),
            Format::Text => Ok(()),
        };
        stored?;
        shown.and(logged).and(printed).map_err(broken)
    }
}

/// The first SIGINT or SIGTERM ends the run with what was judged; a second one ends the process.
struct Interruption {
    got: std::sync::Mutex<oneshot::Receiver<Exit>>,
}

impl Interruption {
    fn interrupted(&self) -> Option<Exit> {
        self.got.lock().ok()?.try_recv().ok()
    }
}

fn on_signal(engine: Arc<Engine>) -> Interruption {
    let (send, got) = oneshot::channel();
    tokio::spawn(async move {
        let (Ok(mut int), Ok(mut term)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            return;
        };
        let mut next = async || {
            tokio::select! {
                _ = int.recv() => Exit::Interrupted,
                _ = term.recv() => Exit::Terminated,
            }
        };
        let first = next().await;
        // The receiver lives as long as the run.
        let _ = send.send(first);
        engine.interrupted.cancel();
        let second = next().await;
        std::process::exit(second.code().into());
    });
    Interruption {
        got: std::sync::Mutex::new(got),
    }
}
