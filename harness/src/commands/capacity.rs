//! `stocktake capacity`: the rate that a target sustains at an objective, what limits it, and what follows.

mod ask;
mod drive;
mod measure;
mod stored;
mod streams;
mod told;
mod watch;

use super::{
    Refusal, begin,
    child::Service,
    load::{
        self, Order,
        targets::{Address, Under},
    },
};
use ask::Question;
use drive::Driver;
use measure::Run;
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant, SystemTime},
};
use stocktake::{
    capacity::{
        conclude::{self, Cut, Known},
        judge,
        recommend::RecommendError,
        record::{CAPACITY_VERSION, CapacityRecord, CapacityResult, CapacityVerdict},
        search::{Search, Settings},
    },
    cli::{CapacityArgs, Format, OutputArgs},
    exit::Exit,
    load::verdict,
    report::{
        console::capacity as console,
        escape::{log_line, visible},
        json, store,
    },
    verify::record::Caveat,
};
use told::Told;
use watch::Watch;

/// The longest that the built-in service may take to end.
const DRAIN: Duration = Duration::from_secs(30);

/// Searches and writes the run's folder; or reads stored runs.
pub async fn capacity(args: CapacityArgs) -> Result<Exit, Refusal> {
    let question = Question::read(&args)?;
    if !args.from.is_empty() {
        return stored::stored(&args, &question);
    }
    let told = told::told(&args)?;
    let began = Instant::now();
    let mut service = match &args.target {
        Some(_) => None,
        None => Some(Service::start_with_metrics().await?),
    };
    let address = told::address(&args, service.as_ref())?;
    told::consent(&args, &address, &told)?;
    let folder = begin::folder(&args.output, &chrono::Utc::now(), "capacity")?;
    let mut show = Show::new(&args.output);
    let made = run(
        &args,
        told,
        &address,
        service.as_mut().map(|service| (service, began)),
        &folder,
        &mut show,
    )
    .await;
    if let Some(service) = service {
        service.stop().await;
    }
    let mut record = made?;
    answer(&mut record, &question);
    finish(&record, &folder, &mut show)
}

/// Puts the recommendation into the record; where what was measured does not bear one, why, and what to run next.
fn answer(record: &mut CapacityRecord, question: &Question) {
    let answer = match &mut record.measured {
        Some(measured) => {
            question.tell(measured);
            question.answer(measured)
        }
        None if record.replicas == 0 && record.verdict.result == CapacityResult::Found && question.is_asked() => {
            Err(RecommendError::TooLittle {
                why: "how many replicas are behind the target is not known, so what one of them carries is not either"
                    .to_owned(),
                next: REPLICAS.to_owned(),
            })
        }
        None => return,
    };
    match answer {
        Ok(Some(advice)) => record.advice = Some(advice),
        Ok(None) => {
            let text = "--from this run and --peak-rate N: what to set for so many requests a second";
            record.next.push(text.to_owned());
        }
        Err(error) => {
            let (why, next) = match error {
                RecommendError::TooLittle { why, next } => (why, next),
                RecommendError::Wrong { text, help } => (text, help),
            };
            record.next.insert(0, next);
            record.next.dedup();
            if record.verdict.exit_code == 0 {
                record.verdict.result = CapacityResult::Inconclusive;
                record.verdict.exit_code = Exit::Inconclusive.code().into();
            }
            record.verdict.sentence = format!("{}; nothing is recommended: {why}", record.verdict.sentence);
        }
    }
}

/// What to do where the number of replicas is not known.
const REPLICAS: &str = "give --replicas, and hold that number while it is measured: min replicas = max replicas";

/// Writes the folder and shows the answer.
fn finish(record: &CapacityRecord, folder: &Path, show: &mut Show) -> Result<Exit, Refusal> {
    let exit = Exit::of_code(record.verdict.exit_code);
    let worst = |text: String| Refusal::not_judged(text).at_least(exit);
    let written = store::write_capacity(folder, record).map_err(|error| worst(error.to_string()));
    let shown = show.finish(record, folder);
    written?;
    shown.map_err(|error| worst(format!("the results could not be written: {error}")))?;
    Ok(exit)
}

/// What is shown, and where: on standard error where the record goes to standard output.
struct Show {
    format: Format,
    quiet: bool,
}

impl Show {
    fn new(output: &OutputArgs) -> Show {
        Show {
            format: output.format,
            quiet: output.quiet,
        }
    }

    /// A line of progress. One that cannot be written is no reason to stop measuring.
    fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        match self.format {
            Format::Json => eprint!("{text}"),
            Format::Text => drop(super::print(text)),
        }
    }

    fn finish(&mut self, record: &CapacityRecord, folder: &Path) -> std::io::Result<()> {
        let text = if self.quiet {
            format!("{}\n", log_line(&visible(&record.verdict.sentence)))
        } else {
            console::summary(record, &folder.display().to_string())
        };
        match self.format {
            Format::Json => {
                eprint!("{text}");
                super::print(&json::render(record))
            }
            Format::Text => super::print(&text),
        }
    }
}

/// The options that bear on the numbers.
fn options(args: &CapacityArgs) -> Vec<(String, String)> {
    let time = |time: Duration| humantime::format_duration(time).to_string();
    let mut options = vec![
        ("start-rate".to_owned(), args.start_rate.to_string()),
        ("max-rate".to_owned(), args.max_rate.to_string()),
        ("stage".to_owned(), time(args.stage)),
        ("confirm".to_owned(), time(args.confirm)),
        ("steps".to_owned(), args.steps.clone()),
        ("connections".to_owned(), args.connections.to_string()),
        (
            "streams-per-connection".to_owned(),
            args.streams_per_connection.to_string(),
        ),
        ("threads".to_owned(), args.threads.to_string()),
    ];
    options.extend(args.seed.map(|seed| ("seed".to_owned(), seed.to_string())));
    options.extend(args.cpu.map(|cpu| ("cpu".to_owned(), cpu.to_string())));
    options.extend(args.replicas.map(|n| ("replicas".to_owned(), n.to_string())));
    options
}

/// The measured part. `service`: the built-in one, and when its start began.
async fn run(
    args: &CapacityArgs,
    told: Told,
    address: &Address,
    mut service: Option<(&mut Service, Instant)>,
    folder: &Path,
    show: &mut Show,
) -> Result<CapacityRecord, Refusal> {
    let began = (Instant::now(), SystemTime::now());
    let started = chrono::DateTime::<chrono::Utc>::from(began.1);
    let mut caveats = Vec::new();
    let Told {
        workload,
        file,
        objective,
        leg,
        cell,
        steps,
        run_id,
    } = told;
    let order = Order {
        command: "capacity",
        addresses: Vec::new(),
        workload,
        file,
        legs: Some(vec![leg]),
        cells: vec![cell.clone()],
        max_errors: 0.5,
        run_id: run_id.clone(),
        options: Vec::new(),
        connection: &args.connection,
    };
    let mut under = Under::reach(address, &order, &mut caveats).await?;
    let cold_start_s = service.as_ref().map(|(_, begun)| begun.elapsed().as_secs_f64());
    let urls = match service.as_ref().and_then(|(service, _)| service.probes.as_ref()) {
        Some(probes) => vec![format!("http://{probes}/metrics")],
        None => args.metrics_url.clone(),
    };
    let watch = Watch::new(&under, &args.replica_header, urls, leg.protocol()).await?;
    // One process is one replica; of an address that names nobody it is not known.
    let one = service.is_some() || args.server_pid.is_some();
    let replicas = args
        .replicas
        .or(watch.replicas())
        .or(one.then_some(1))
        .unwrap_or_default();
    let stop = Arc::new(AtomicBool::new(false));
    let signalled = load::on_signal(stop.clone());
    under.set_up(&order, &[leg]).await.map_err(refused)?;
    let generator = load::generator(&order.cells);
    let driver = Driver::connect(&order, &cell, &under, leg, &objective, generator.bare_wait_p99, began.0).await?;
    let known = Known {
        replicas,
        cpus: args.cpu.or_else(|| {
            let here = address.process.is_some();
            here.then(|| std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64))
        }),
        shared: args.cpu.is_none(),
        handler_clocks: watch.handler_clocks(),
        streams_allowed: watch.streams(),
        from: folder.display().to_string(),
        confirm_s: args.confirm.as_secs_f64(),
        ..Default::default()
    };
    show.line(&console::begin(
        &under.record(),
        &order.workload.name,
        &judge::limits(&objective),
    ));
    let mut run = Run {
        args,
        objective: &objective,
        watch,
        stop,
        signalled,
        show,
        stages: Vec::new(),
        known,
        cut: None,
        driver: Some(driver),
        client: under.client.clone(),
        protocol: leg.protocol(),
        address: address.target.to_string(),
    };
    let mut search = Search::new(Settings {
        start: args.start_rate,
        most: args.max_rate,
        allowed: judge::allowed(&objective),
    });
    let end = run.search(&mut search).await?;
    let scalability = run.steps(&steps, order.workload.seed).await?;
    if let Some(count) = wanted(args.streams, run.cut.as_ref()) {
        match streams::measure(&under, &run.watch, count).await {
            Ok(bytes) => (run.known.streams, run.known.stream_memory) = (Some(count as u64), Some(bytes)),
            Err(why) => caveats.push(Caveat {
                text: format!("the memory of a stream was not measured: {why}"),
                remedy: "--streams is for the inventory service, with its metrics known".to_owned(),
            }),
        }
    }
    let skew = run.watch.skew();
    let Run {
        stages,
        mut known,
        cut,
        driver,
        ..
    } = run;
    known.skew = skew;
    caveats.extend(driver.map(Driver::close).unwrap_or_default());
    if let Some((service, _)) = &mut service {
        let drained = service.drain(DRAIN).await.map(|time| time.as_secs_f64());
        (known.cold_start_s, known.drain_s) = (cold_start_s, drained);
    }
    caveats.extend(doubts(args, address, replicas, &known));
    let concluded = conclude::conclude(&search, end.as_ref(), cut.as_ref(), &stages, &objective, &known);
    Ok(CapacityRecord {
        capacity_version: CAPACITY_VERSION,
        run_id,
        started: started.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        elapsed_ms: u64::try_from(began.0.elapsed().as_millis()).unwrap_or(u64::MAX),
        target: Some(under.record()),
        workload: Some(order.workload.record(&order.file)),
        leg: Some(leg),
        replicas,
        host: begin::host(),
        generator: Some(generator),
        options: options(args),
        points: conclude::points(&stages, &judge::allowed(&objective)),
        objective,
        stages,
        bracket: concluded.bracket,
        scalability,
        prediction: None,
        measured: concluded.measured,
        advice: None,
        residue: under.residue(),
        caveats,
        next: concluded.next,
        verdict: concluded.verdict,
    })
}

/// Streams to open: none once the run is cut short.
fn wanted(streams: Option<usize>, cut: Option<&Cut>) -> Option<usize> {
    streams.filter(|_| cut.is_none())
}

/// What bears on the numbers beside the stages.
fn doubts(args: &CapacityArgs, address: &Address, replicas: u32, known: &Known) -> Vec<Caveat> {
    let mut caveats = Vec::new();
    let mut add = |text: String, remedy: &str| {
        caveats.push(Caveat {
            text,
            remedy: remedy.to_owned(),
        });
    };
    if address.target.is_loopback() {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        add(
            format!("server and generator share the {cpus} processors of this machine"),
            "for what the server can do by itself, run the generator on another machine",
        );
    }
    if replicas == 0 {
        add(
            "how many replicas are behind the target is not known: none names itself, and no metrics are given"
                .to_owned(),
            REPLICAS,
        );
    }
    if replicas > 1 && known.skew.is_none() {
        add(
            format!("how evenly the load was spread over {replicas} replicas is not known: taken for even"),
            "give --metrics-url once for each replica",
        );
    }
    // With a recommendation a start that is not known has a warning of its own.
    let start = known
        .cold_start_s
        .or(args.question.replica_start.map(|time| time.as_secs_f64()));
    let drain = known
        .drain_s
        .or(args.question.replica_drain.map(|time| time.as_secs_f64()));
    let advised = args.question.peak_rate.is_some() || args.question.traffic.is_some();
    let missing = match (start.is_none() && !advised, drain.is_none()) {
        (true, true) => "cold start and drain were",
        (true, false) => "the cold start was",
        (false, true) => "the drain was",
        (false, false) => return caveats,
    };
    add(
        format!("{missing} not measured: this run did not start the target"),
        "time the first answer of a service at rest (`stocktake doctor --cold-start 60s`), read the platform's log for the end of a \
         replica, and give them as --replica-start and --replica-drain",
    );
    caveats
}

/// An empty verdict, for a record that has none yet.
fn none(sentence: &str) -> CapacityVerdict {
    CapacityVerdict {
        result: CapacityResult::NotJudged,
        exit_code: Exit::NotJudged.code().into(),
        sentence: sentence.to_owned(),
        complete: true,
    }
}

/// Why nothing can be measured.
fn refused(cut: verdict::Cut) -> Refusal {
    match cut {
        verdict::Cut::Target(text) => Refusal::not_judged(text),
        verdict::Cut::Workload(text) => Refusal::input(text),
        verdict::Cut::Signal(exit) => Refusal::not_judged(format!("interrupted: exit {}", exit.code())),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    /// How a search that found a rate ends, where so many replicas are known and a recommendation is asked for.
    fn answered(replicas: u32, asked: bool) -> CapacityRecord {
        let mut record: CapacityRecord = serde_json::from_str(include_str!("../capacity/gather/record.json")).unwrap();
        record.replicas = replicas;
        record.measured = None;
        record.verdict = CapacityVerdict {
            result: CapacityResult::Found,
            exit_code: 0,
            ..none("the target sustains 145/s")
        };
        let command = CapacityArgs::augment_args(clap::Command::new("capacity"));
        let words: &[&str] = if asked {
            &["capacity", "--peak-rate", "100"]
        } else {
            &["capacity"]
        };
        let matches = command.try_get_matches_from(words).unwrap();
        let args = CapacityArgs::from_arg_matches(&matches).unwrap();
        answer(
            &mut record,
            &Question::read(&args).unwrap_or_else(|_| panic!("{words:?}")),
        );
        record
    }

    #[test]
    fn nothing_is_recommended_for_replicas_that_nobody_counted() {
        let record = answered(0, true);
        assert_eq!(record.verdict.exit_code, 4);
        assert!(
            record.advice.is_none() && record.next[0].contains("--replicas"),
            "{:?}",
            record.next
        );
        assert!(
            record.verdict.sentence.contains("nothing is recommended"),
            "{}",
            record.verdict.sentence
        );
        // Nobody asked: what the target sustains stands.
        assert_eq!(answered(0, false).verdict.exit_code, 0);
    }

    #[test]
    fn no_stream_is_opened_once_a_run_is_cut_short() {
        assert_eq!(wanted(Some(100), None), Some(100));
        assert_eq!(wanted(None, None), None);
        let lost = Cut::Lost("the target was lost".to_owned());
        for cut in [Cut::Signal(Exit::NotJudged), lost] {
            assert_eq!(wanted(Some(100), Some(&cut)), None, "{cut:?}");
        }
    }
}
