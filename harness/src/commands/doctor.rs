//! `stocktake doctor`, and the doctor that `verify`, `load` and `check` ask.

use super::{Refusal, begin, connect};
use std::{
    env,
    io::IsTerminal,
    path::Path,
    time::{Duration, Instant},
};
use stocktake::{
    cli::{DoctorArgs, Format, OutputArgs},
    client::{Client, Protocol, Target},
    doctor::{
        evidence::{Call, Evidence, TcpEnd},
        layers::{State, layers},
        probes::{Order, examine},
        record::{DOCTOR_VERSION, DoctorRecord, DoctorResult, DoctorVerdict},
        symptoms::{Diagnosis, Layer, Weight, diagnose, notes},
    },
    exit::Exit,
    report::{
        doctor as render,
        escape::{log_line, visible},
        failure::Layout,
        json, store,
    },
    verify::record::Caveat,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// For a doctor beside another command: what it has seen until then is what it judges.
const SHORT: Duration = Duration::from_secs(5);

/// For one of its steps.
const SHORT_STEP: Duration = Duration::from_millis(1500);

/// Between two attempts of `--wait`.
const PAUSE: Duration = Duration::from_millis(250);

/// Examines a target and writes the run's folder.
pub async fn doctor(args: DoctorArgs) -> Result<Exit, Refusal> {
    let began = Instant::now();
    let now = chrono::Utc::now();
    let target = Target::parse(&args.target).map_err(|error| Refusal::input(error.to_string()))?;
    let client = connect::client(&target, &args.connection)?;
    let schema = connect::given(&args.connection)?;
    let may_write = args.allow_writes || target.is_loopback();
    let order = Order {
        client,
        schema,
        step: args.connection.connect_timeout,
        cold_start: cold_start(&args),
        idle: args.idle,
        pairs: if may_write { args.pairs.into() } else { 0 },
        run_id: begin::run_id(None)?,
    };
    let folder = begin::folder(&args.output, &now, "doctor")?;
    let interrupts = signal(SignalKind::interrupt()).and_then(|int| Ok((int, signal(SignalKind::terminate())?)));
    let (int, term) = interrupts.map_err(|error| Refusal::not_judged(format!("signals cannot be heard: {error}")))?;
    let (evidence, cut) = waited(&order, args.connection.wait, told(int, term)).await;
    // Half of the evidence makes no diagnosis.
    let diagnoses = if cut.is_none() { diagnose(&evidence) } else { Vec::new() };
    let record = DoctorRecord {
        doctor_version: DOCTOR_VERSION,
        command: "doctor".to_owned(),
        started: now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        elapsed_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        host: begin::host(),
        options: options(&args),
        notes: notes(&evidence),
        verdict: verdict(&evidence, &diagnoses, cut),
        evidence,
        diagnoses,
    };
    finish(&record, &folder, &args.output)?;
    Ok(Exit::of_code(record.verdict.exit_code))
}

/// Examines the target, again while nothing is reached and `--wait` is not over.
async fn waited(order: &Order, wait: Option<Duration>, told: impl Future<Output = Exit>) -> (Evidence, Option<Exit>) {
    let until = wait.map(|wait| Instant::now() + wait);
    let mut told = std::pin::pin!(told);
    loop {
        let (evidence, cut) = examine(order, &mut told).await;
        let blocked = diagnose(&evidence).iter().any(|found| found.weight == Weight::Blocks);
        match until {
            Some(until) if cut.is_none() && blocked && Instant::now() < until => tokio::time::sleep(PAUSE).await,
            _ => return (evidence, cut),
        }
    }
}

async fn told(mut int: Signal, mut term: Signal) -> Exit {
    tokio::select! {
        _ = int.recv() => Exit::Interrupted,
        _ = term.recv() => Exit::Terminated,
    }
}

fn verdict(evidence: &Evidence, diagnoses: &[Diagnosis], cut: Option<Exit>) -> DoctorVerdict {
    let target = &evidence.target;
    let blocks = diagnoses.iter().find(|found| found.weight == Weight::Blocks);
    let (result, exit, sentence) = match (cut, blocks, diagnoses.first()) {
        (Some(exit), ..) => (
            DoctorResult::Interrupted,
            exit,
            format!("{target} was not examined to the end"),
        ),
        (None, Some(cause), _) => (
            DoctorResult::Unreachable,
            Exit::NotJudged,
            format!("{target} does not answer as gRPC should: {}", cause.sentence),
        ),
        (None, None, Some(cause)) => (
            DoctorResult::Change,
            Exit::Failed,
            format!("{target} answers, and needs a change: {}", cause.sentence),
        ),
        (None, None, None) => (
            DoctorResult::Healthy,
            Exit::Passed,
            format!("{target} answers, and shows no symptom in what was asked"),
        ),
    };
    DoctorVerdict {
        result,
        exit_code: exit.code().into(),
        sentence,
        complete: cut.is_none(),
    }
}

/// The options that bear on what was asked.
fn options(args: &DoctorArgs) -> Vec<(String, String)> {
    let mut options = vec![
        ("pairs".to_owned(), args.pairs.to_string()),
        (
            "cold-start".to_owned(),
            humantime::format_duration(cold_start(args)).to_string(),
        ),
    ];
    let idle = args.idle.map(|idle| humantime::format_duration(idle).to_string());
    options.extend(idle.map(|idle| ("idle".to_owned(), idle)));
    if args.allow_writes {
        options.push(("allow-writes".to_owned(), "yes".to_owned()));
    }
    options
}

fn finish(record: &DoctorRecord, folder: &Path, output: &OutputArgs) -> Result<(), Refusal> {
    let exit = Exit::of_code(record.verdict.exit_code);
    let stored = store::write_doctor(folder, record);
    let page = folder.join(store::HTML).display().to_string();
    let page = stored.is_ok().then_some(page.as_str());
    let text = match output.format {
        Format::Json => json::render(record),
        Format::Text => {
            let (layout, color) = screen(std::io::stdout().is_terminal());
            render::render(record, page, layout, color, output.quiet)
        }
    };
    let shown = super::print(&text);
    stored.map_err(|error| Refusal::not_judged(error.to_string()).at_least(exit))?;
    shown.map_err(|error| Refusal::not_judged(format!("no output: {error}")).at_least(exit))?;
    Ok(())
}

/// How wide a screen is, and whether it has colours.
fn screen(tty: bool) -> (Layout, bool) {
    let width = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let layout = Layout {
        width: width.unwrap_or(110).max(40),
        wrap: tty,
    };
    let color = tty && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    (layout, color)
}

/// What the doctor says of a target that another command did not reach.
pub struct Advice {
    /// Below the message of the command.
    pub text: String,
    /// For its report.
    pub caveat: Caveat,
}

/// Asks the doctor in short. `None` where it has nothing to say: no symptom, or none that bears on the protocol.
pub async fn advice(client: &Client, protocol: Protocol) -> Option<Advice> {
    let evidence = in_short(client).await;
    let mut first = diagnose(&evidence).into_iter().next()?;
    if of_time_alone(&first, &evidence) {
        first.sentence += &format!(", within {} s", SHORT_STEP.as_secs_f64());
    }
    let first = &first;
    // Above TLS it asks about gRPC, which REST does not need.
    let bears = matches!(first.layer, Layer::Name | Layer::Tcp | Layer::Tls) && first.id != "no-alpn";
    if protocol == Protocol::Rest && !bears {
        return None;
    }
    let (layout, color) = screen(std::io::stderr().is_terminal());
    Some(Advice {
        text: render::below(first, layout, color),
        caveat: caveat(first),
    })
}

/// The refusal of a command that did not reach its target, with what the doctor says of it.
pub async fn refusal(text: String, client: &Client, protocol: Protocol) -> Refusal {
    match advice(client, protocol).await {
        Some(advice) => Refusal::not_judged(format!("{text}\n\n{}", advice.text)),
        None => Refusal::not_judged(text),
    }
}

/// What `check` begins with: a line for the screen, and a caveat for each diagnosis.
pub async fn first_look(client: &Client) -> (String, Vec<Caveat>) {
    let evidence = in_short(client).await;
    let (late, diagnoses): (Vec<_>, Vec<_>) = diagnose(&evidence)
        .into_iter()
        .partition(|found| of_time_alone(found, &evidence));
    let said = match diagnoses.first() {
        Some(first) => first.sentence.clone(),
        // It has answered before: it is slower than this look, and nothing is known to be wrong with it.
        None if !late.is_empty() => format!(
            "not every answer came within {} s, which is no fault: stocktake doctor waits longer",
            SHORT_STEP.as_secs_f64()
        ),
        None => {
            let names: Vec<&str> = layers(&evidence)
                .iter()
                .filter(|layer| layer.state == State::Good)
                .map(|layer| layer.name)
                .collect();
            format!("no symptom in {}", names.join(", "))
        }
    };
    (line(&said), diagnoses.iter().map(caveat).collect())
}

/// What a target said may be in it, and a CI system may read it.
fn line(said: &str) -> String {
    log_line(&format!("doctor: {}", visible(said))).into_owned()
}

/// Whether a diagnosis says no more than that an answer did not come in the short time that was left for it.
fn of_time_alone(found: &Diagnosis, evidence: &Evidence) -> bool {
    let late = |call: Option<&Call>| call.is_some_and(|call| call.status == "DEADLINE_EXCEEDED");
    match found.id.as_str() {
        "silent" | "no-answer" => true,
        "no-route" => evidence.tcp.iter().any(|tcp| tcp.end == TcpEnd::NoAnswer),
        "cold-start" => late(evidence.first.as_ref()),
        "service-fails" => late(evidence.real.as_ref()),
        "unexplained" => [&evidence.first, &evidence.health, &evidence.real]
            .into_iter()
            .any(|call| late(call.as_ref())),
        _ => false,
    }
}

/// A doctor beside another command: bounded, and nothing is written.
async fn in_short(client: &Client) -> Evidence {
    let order = Order {
        client: client.clone(),
        schema: None,
        step: SHORT_STEP,
        cold_start: SHORT_STEP,
        idle: None,
        pairs: 0,
        run_id: String::new(),
    };
    examine(&order, tokio::time::sleep(SHORT)).await.0
}

/// A diagnosis as a caveat: what is wrong, and what to do first.
fn caveat(diagnosis: &Diagnosis) -> Caveat {
    let remedy = diagnosis.fix.first().map(|fix| match &fix.az {
        Some(az) => format!("{}: {az}", fix.text),
        None => fix.text.clone(),
    });
    Caveat {
        text: match diagnosis.evidence.first() {
            Some(seen) => format!("doctor: {} ({seen})", diagnosis.sentence),
            None => format!("doctor: {}", diagnosis.sentence),
        },
        remedy: remedy.unwrap_or_else(|| "run stocktake doctor".to_owned()),
    }
}

/// How long the first answer may take: a service that is scaled to zero needs some 20 s.
fn cold_start(args: &DoctorArgs) -> Duration {
    args.connection.cold_start.unwrap_or(Duration::from_secs(30))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stocktake::doctor::evidence::{Connection, ConnectionEnd};

    #[test]
    fn what_a_target_says_is_no_command_of_a_ci_system() {
        let said =
            "what answers speaks HTTP and no gRPC: 200 with text/##vso[task.complete result=Succeeded;]\n::error::x";
        let line = line(said);
        assert!(!line.contains("##vso[") && line.lines().count() == 1, "{line}");
        assert!(line.starts_with("doctor: what answers"), "{line}");
    }

    #[test]
    fn what_came_late_is_told_from_what_failed() {
        let call = |status: &str| {
            Some(Call {
                method: "grpc.health.v1.Health/Check".to_owned(),
                status: status.to_owned(),
                layer: "application".to_owned(),
                ..Call::default()
            })
        };
        let with = |first: &str, health: &str, real: Option<&str>| {
            let evidence = Evidence {
                connection: Some(Connection {
                    end: ConnectionEnd::Http2,
                    text: String::new(),
                    took_ms: 1.0,
                }),
                first: call(first),
                health: call(health),
                real: real.and_then(call),
                ..Evidence::default()
            };
            let found = diagnose(&evidence);
            let first = found
                .first()
                .map(|first| (first.id.clone(), of_time_alone(first, &evidence)));
            first.unwrap_or_default()
        };
        let late = "DEADLINE_EXCEEDED";
        assert_eq!(with(late, late, None), ("no-answer".to_owned(), true));
        assert_eq!(with(late, "OK", None), ("cold-start".to_owned(), true));
        assert_eq!(with("OK", "OK", Some(late)), ("service-fails".to_owned(), true));
        assert_eq!(with("OK", "OK", Some("INTERNAL")), ("service-fails".to_owned(), false));
    }
}
