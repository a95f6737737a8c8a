//! `stocktake load`: one workload over gRPC and REST, and how they compare.

mod cells;
pub mod players;
pub mod screen;
pub mod targets;

use super::{Refusal, begin, child::Service, ci};
use cells::{Measured, measure};
use screen::Screen;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use stocktake::{
    cli::{ConnectionArgs, LoadArgs, OutputArgs},
    compare::{claim, regression, sides},
    exit::Exit,
    load::{
        clock, journey,
        leg::Leg,
        pacer::{Kind, Schedule, Share, Stage},
        record::{GeneratorRecord, LOAD_VERSION, LoadRecord, LoadResult, LoadVerdict},
        usage,
        verdict::{Cut, Known, verdict},
        workload::{self, Arrivals, Cell, Overrides, Workload},
    },
    report::store,
    scenario::{error::ScenarioError, model::Effects, source::SourceFile},
    verify::record::Caveat,
};
use targets::{Address, Under};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// What a load run is to do, wherever that was said.
pub struct Order<'a> {
    /// `load` or `check`.
    pub command: &'a str,
    /// Whom: one, or the old one and the new one.
    pub addresses: Vec<Address>,
    /// What.
    pub workload: Workload,
    /// `embedded` or the file.
    pub file: String,
    /// The legs that were asked for; `None`: those of the workload that the targets offer.
    pub legs: Option<Vec<Leg>>,
    /// In place of the workload's.
    pub cells: Vec<Cell>,
    /// The share of failures that ends the run.
    pub max_errors: f64,
    /// The id in every name on the target.
    pub run_id: String,
    /// As recorded.
    pub options: Vec<(String, String)>,
    /// How to reach the targets.
    pub connection: &'a ConnectionArgs,
}

/// What a load run has made.
pub struct Made {
    /// The record, with its verdict.
    pub record: LoadRecord,
    /// Histograms: names and bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Runs a workload and writes the run's folder.
pub async fn load(args: LoadArgs) -> Result<Exit, Refusal> {
    let (file, mut workload) = read(&args.workload)?;
    if let Some(error) = journey::refusal(&workload) {
        return Err(mistaken(&[error], "in the workload"));
    }
    workload.seed = args.seed.unwrap_or(workload.seed);
    let legs = legs(&args.legs)?;
    let cells = overridden(&workload, &args)?;
    let run_id = begin::run_id(args.run_id.as_deref())?;
    let service = match &args.target {
        Some(_) => None,
        None => Some(Service::start().await?),
    };
    let addresses = Address::of(&args, service.as_ref())?;
    for address in &addresses {
        consent(address, &workload, args.allow_writes)?;
    }
    let away = addresses.iter().filter(|address| !address.target.is_loopback()).count();
    residue(&workload, &cells, away, args.max_residue)?;
    let order = Order {
        command: "load",
        addresses,
        workload,
        file,
        legs,
        cells,
        max_errors: args.max_errors,
        run_id,
        options: options(&args),
        connection: &args.connection,
    };
    let mut screen = Screen::new(&args.output);
    let folder = begin::folder(&args.output, &chrono::Utc::now(), "load")?;
    let made = run(order, &mut screen).await;
    if let Some(service) = service {
        service.stop().await;
    }
    let made = made?;
    let exit = Exit::of_code(made.record.verdict.exit_code);
    let finished = finish(&made, &mut screen, &folder, &args.output).map_err(|refusal| refusal.at_least(exit));
    ci::measured(&args.output, &made.record, &folder);
    finished?;
    Ok(exit)
}

fn finish(made: &Made, screen: &mut Screen, folder: &Path, output: &OutputArgs) -> Result<(), Refusal> {
    let stored = store::write_load(folder, &made.record, &made.files);
    let stored = stored.map_err(|error| Refusal::not_judged(error.to_string()));
    let shown = screen.finish(&made.record, stored.is_ok().then_some(folder), output.format);
    stored?;
    shown.map_err(|error| Refusal::not_judged(format!("the results could not be written: {error}")))
}

/// The measured part: reaches the targets, sets up, measures cell by cell, and judges.
pub async fn run(order: Order<'_>, screen: &mut Screen) -> Result<Made, Refusal> {
    let began = (Instant::now(), SystemTime::now());
    let started = chrono::DateTime::<chrono::Utc>::from(began.1);
    let mut caveats = Vec::new();
    let mut under = Vec::new();
    for address in &order.addresses {
        under.push(Under::reach(address, &order, &mut caveats).await?);
    }
    let legs = common_legs(&order, &under)?;
    if order.workload.users.is_some() {
        // Before anybody listens to it.
        journey::keep_interrupts().map_err(|error| Refusal::not_judged(error.to_string()))?;
        caveats.push(journey::caveat());
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut signalled = on_signal(stop.clone());
    let mut record = LoadRecord {
        load_version: LOAD_VERSION,
        command: order.command.to_owned(),
        run_id: order.run_id.clone(),
        started: started.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        elapsed_ms: 0,
        targets: under.iter().map(Under::record).collect(),
        workload: order.workload.record(&order.file),
        host: begin::host(),
        generator: generator(&order.cells),
        options: order.options.clone(),
        cells: Vec::new(),
        comparisons: Vec::new(),
        residue: Vec::new(),
        caveats: Vec::new(),
        verdict: LoadVerdict {
            result: LoadResult::NotJudged,
            exit_code: Exit::NotJudged.code().into(),
            sentence: "running".to_owned(),
            complete: false,
        },
    };
    screen.started(&record, order.cells.len());
    let mut cut = None;
    for target in &mut under {
        if cut.is_none() {
            cut = tokio::select! {
                done = target.set_up(&order, &legs) => done.err(),
                exit = interrupted(&mut signalled) => Some(Cut::Signal(exit)),
            };
            if let Some(Cut::Target(_)) = &cut {
                caveats.extend(target.advice(&legs).await);
            }
        }
    }
    let mut files = Vec::new();
    if cut.is_none() {
        let measured = measure(&order, &under, &legs, &record.generator, began, &stop, screen).await?;
        let Measured {
            cells,
            files: logs,
            caveats: doubts,
            cut: ended,
        } = measured;
        (record.cells, files) = (cells, logs);
        caveats.extend(doubts);
        if let Some(Cut::Target(_)) = &ended {
            for target in &under {
                caveats.extend(target.advice(&legs).await);
            }
        }
        cut = ended;
    }
    record.elapsed_ms = u64::try_from(began.0.elapsed().as_millis()).unwrap_or(u64::MAX);
    record.residue = under.iter().flat_map(Under::residue).collect();
    record.caveats = once(caveats);
    record.comparisons = sides::comparisons(&record.cells);
    if let Some(exit) = *signalled.borrow() {
        cut = Some(Cut::Signal(exit));
    }
    record.verdict = judged(&record, cut.as_ref());
    Ok(Made { record, files })
}

fn judged(record: &LoadRecord, cut: Option<&Cut>) -> LoadVerdict {
    let against =
        (record.targets.len() > 1).then(|| regression::judge(&record.comparisons, &regression::Minimum::default()));
    let claim = record.workload.claim.as_ref();
    let claim = claim.map(|claim| claim::judge(&record.cells, claim, record.newest(), None));
    let known = Known {
        objective: record.workload.objective.as_ref(),
        against: against.as_ref(),
        claim: claim.as_ref(),
        cut,
    };
    verdict(&record.cells, &record.comparisons, &known)
}

/// Each doubt once, in the order in which they came up; one that several legs share names all of them.
fn once(caveats: Vec<Caveat>) -> Vec<Caveat> {
    let mut seen: Vec<(Vec<String>, Caveat)> = Vec::new();
    for caveat in caveats {
        // `grpc: why`, also behind the name of a cell.
        let legs = Leg::ALL.map(Leg::name);
        let (leg, text) = match caveat.text.split_once(": ") {
            Some((leg, rest)) if legs.contains(&leg) => (Some(leg.to_owned()), rest.to_owned()),
            _ => (None, caveat.text),
        };
        match seen.iter_mut().find(|(_, known)| known.text == text) {
            Some((legs, _)) => legs.extend(leg.filter(|leg| !legs.contains(leg))),
            None => seen.push((leg.into_iter().collect(), Caveat { text, ..caveat })),
        }
    }
    let named = |(legs, caveat): (Vec<String>, Caveat)| match legs.is_empty() {
        true => caveat,
        false => Caveat {
            text: format!("{}: {}", legs.join(", "), caveat.text),
            ..caveat
        },
    };
    seen.into_iter().map(named).collect()
}

/// The workload: a built-in one by its name, or a file.
pub fn read(named: &str) -> Result<(String, Workload), Refusal> {
    let (name, text, folder, shown) = match workload::embedded(&named.replace('-', "_")) {
        Some((name, text)) => (name.to_owned(), text.to_owned(), None, "embedded".to_owned()),
        None => {
            let path = PathBuf::from(named);
            let text = fs::read_to_string(&path).map_err(|error| {
                Refusal::input(format!(
                    "cannot read the workload {named}: {error}; give a file, or one of {}",
                    names()
                ))
            })?;
            let folder = path.parent().map(Path::to_path_buf);
            (named.to_owned(), text, folder, named.to_owned())
        }
    };
    let beside = |file: &str| {
        let folder = folder.as_deref().unwrap_or(Path::new("."));
        fs::read_to_string(folder.join(file)).map_err(|error| error.to_string())
    };
    let parsed = workload::parse(SourceFile::new(name, text), &beside);
    parsed
        .map(|workload| (shown, workload))
        .map_err(|errors| mistaken(&errors, "in the workload"))
}

fn names() -> String {
    let stem = |(name, _): &(&str, &str)| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.trim_end_matches(".yaml").to_owned()
    };
    workload::EMBEDDED.iter().map(stem).collect::<Vec<_>>().join(", ")
}

/// All mistakes of a file, in its order.
pub fn mistaken(errors: &[ScenarioError], place: &str) -> Refusal {
    let mut text: Vec<String> = errors.iter().take(20).map(ScenarioError::render).collect();
    let mistakes = if errors.len() == 1 { "mistake" } else { "mistakes" };
    text.push(format!("{} {mistakes} {place}; nothing was sent", errors.len()));
    Refusal::input(text.join("\n").trim_start_matches("error: "))
}

fn legs(named: &[String]) -> Result<Option<Vec<Leg>>, Refusal> {
    let mut legs = Vec::new();
    for name in named {
        let known = || Leg::ALL.map(Leg::name).join(", ");
        let leg = Leg::of_name(name.trim())
            .ok_or_else(|| Refusal::input(format!("--legs: `{name}` is no leg: write some of {}", known())))?;
        if !legs.contains(&leg) {
            legs.push(leg);
        }
    }
    legs.sort();
    Ok((!legs.is_empty()).then_some(legs))
}

/// The cells with what the command line says in place of the workload.
fn overridden(workload: &Workload, args: &LoadArgs) -> Result<Vec<Cell>, Refusal> {
    let overrides = Overrides {
        rate: args.rate,
        in_flight: args.in_flight,
        duration: args.duration,
        warm_up: args.warm_up,
        rounds: args.rounds,
        connections: args.connections,
        streams_per_connection: args.streams_per_connection,
        threads: args.threads,
    };
    let cells = workload.cells.iter().map(|cell| cell.with(&overrides));
    cells.collect::<Result<_, _>>().map_err(Refusal::input)
}

/// Nothing is written to a target that is not this machine unless somebody agreed.
pub fn consent(address: &Address, workload: &Workload, allowed: bool) -> Result<(), Refusal> {
    if address.target.is_loopback() || allowed || workload.effects == Effects::ReadOnly {
        return Ok(());
    }
    Err(Refusal::input(format!(
        "{} is not on this machine and the workload writes: agree with --allow-writes, or give one that says `effects: read-only`",
        address.target
    )))
}

/// Nothing is written where more could stay behind than somebody agreed to, on all targets that are not this machine together.
fn residue(workload: &Workload, cells: &[Cell], away: usize, most: u64) -> Result<(), Refusal> {
    if away == 0 || workload.effects == Effects::ReadOnly {
        return Ok(());
    }
    let total: f64 = workload
        .operations
        .iter()
        .map(|operation| f64::from(operation.weight))
        .sum();
    let creating = workload.creating();
    let weight = |id: &&str| workload.operations.iter().find(|operation| operation.id.value == **id);
    let share: f64 = creating
        .iter()
        .filter_map(weight)
        .map(|operation| f64::from(operation.weight))
        .sum::<f64>()
        / total;
    let mut made = workload.residue_of_setup() as f64;
    if !creating.is_empty() {
        // Each leg sends as much.
        let sides = workload.legs.len() as f64;
        for cell in cells {
            let wanted = cell.wanted().ok_or_else(|| {
                Refusal::input(format!(
                    "`{}` creates something with each request, and how many there will be is not known before: give arrivals by rate, \
                     or drive this workload on loopback",
                    creating.join("`, `")
                ))
            })?;
            made += wanted * share * cell.rounds as f64 * sides;
        }
    }
    let made = made * away as f64;
    if made > most as f64 {
        return Err(Refusal::input(format!(
            "up to {made:.0} things could stay behind, more than --max-residue {most}: raise it, or make the workload smaller"
        )));
    }
    Ok(())
}

/// The legs that all targets offer.
fn common_legs(order: &Order<'_>, under: &[Under]) -> Result<Vec<Leg>, Refusal> {
    let wanted = order.legs.as_ref().unwrap_or(&order.workload.legs);
    let offered = |leg: &Leg| under.iter().all(|target| target.offers(*leg));
    let legs: Vec<Leg> = wanted.iter().copied().filter(offered).collect();
    if legs.is_empty() {
        return Err(Refusal::not_judged(
            "the target offers none of the legs of this workload",
        ));
    }
    Ok(legs)
}

/// The generator and its machine. The error of a bare timed wait is measured where requests go out by a timetable, on one of that
/// kind.
pub fn generator(cells: &[Cell]) -> GeneratorRecord {
    let kind = cells.iter().find_map(|cell| match cell.arrivals {
        Arrivals::Constant(_) => Some(Kind::Constant),
        Arrivals::Poisson(_) => Some(Kind::Poisson),
        _ => None,
    });
    let stage = Stage::level(2000.0, Duration::from_millis(600));
    GeneratorRecord {
        threads: cells.iter().map(|cell| cell.threads).max().unwrap_or(1),
        processor: usage::processor(),
        kernel: usage::kernel(),
        bare_wait_p99: kind.and_then(|kind| clock::bare_wait_p99(Schedule::new(kind, &[stage], 1, Share::WHOLE))),
    }
}

/// The first SIGINT or SIGTERM ends the run with what was measured; a second one ends the process.
pub fn on_signal(stop: Arc<AtomicBool>) -> watch::Receiver<Option<Exit>> {
    let (tell, told) = watch::channel(None);
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
        tell.send_replace(Some(next().await));
        stop.store(true, Ordering::Relaxed);
        let second = next().await;
        std::process::exit(second.code().into());
    });
    told
}

/// Ends with the first signal; never where none can come.
async fn interrupted(signalled: &mut watch::Receiver<Option<Exit>>) -> Exit {
    match signalled.wait_for(Option::is_some).await.map(|exit| *exit) {
        Ok(Some(exit)) => exit,
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

/// The options that bear on the numbers.
fn options(args: &LoadArgs) -> Vec<(String, String)> {
    let mut options = vec![("max-errors".to_owned(), format!("{}%", args.max_errors * 100.0))];
    let mut add = |name: &str, value: Option<String>| options.extend(value.map(|value| (name.to_owned(), value)));
    add("legs", (!args.legs.is_empty()).then(|| args.legs.join(", ")));
    add("rate", args.rate.map(|rate| rate.to_string()));
    add("in-flight", args.in_flight.map(|n| n.to_string()));
    add(
        "duration",
        args.duration.map(|time| humantime::format_duration(time).to_string()),
    );
    add(
        "warm-up",
        args.warm_up.map(|time| humantime::format_duration(time).to_string()),
    );
    add("rounds", args.rounds.map(|n| n.to_string()));
    add("connections", args.connections.map(|n| n.to_string()));
    add(
        "streams-per-connection",
        args.streams_per_connection.map(|n| n.to_string()),
    );
    add("threads", args.threads.map(|n| n.to_string()));
    add("seed", args.seed.map(|n| n.to_string()));
    options
}
