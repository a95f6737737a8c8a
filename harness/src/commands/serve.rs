//! `stocktake serve`: the only file that names the server crate.

use super::Refusal;
use std::{error::Error, time::Duration};
use stocktake::{cli::ServeArgs, exit::Exit};
use stocktake_server::{Capacity, Config, Fault, ServeError, Server, Simulate, Stall, Storage, TlsFiles};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt};

/// The longest time that can be simulated.
const LONGEST: Duration = Duration::from_secs(60);

/// What can be simulated.
const SIMULATE: &str = "write delay=DURATION, slow=DURATION, stall=LENGTH/EVERY, capacity=workers:N,service:DURATION or several \
    with commas between them, such as delay=300ms,slow=2ms or stall=1s/10s";

/// The most calls that a simulated service serves at once.
const MOST_WORKERS: usize = 10_000;

/// Runs the reference service until SIGINT or SIGTERM, then drains.
pub async fn serve(args: ServeArgs) -> Result<Exit, Refusal> {
    if args.fault.as_deref() == Some("list") {
        return list_faults();
    }
    let store = storage(&args.store)?;
    let fault = args.fault.as_deref().map(fault).transpose()?;
    let simulate = args.simulate.as_deref().map(simulate).transpose()?.unwrap_or_default();
    log(&args)?;
    let bound = Server::bind(config(args, store, fault, simulate))
        .await
        .map_err(refused)?;
    // Whoever waits for the line reads it through a pipe.
    let mut lines = format!("listening on {}\n", bound.addr());
    if let Some(address) = bound.probe_addr() {
        lines += &format!("probes on {address}\n");
    }
    super::print(&lines).map_err(|error| Refusal::not_judged(error.to_string()))?;
    let failed = |error: std::io::Error| Refusal::not_judged(format!("the system gives no signals: {error}"));
    let (mut int, mut term) = (
        signal(SignalKind::interrupt()).map_err(failed)?,
        signal(SignalKind::terminate()).map_err(failed)?,
    );
    let shutdown = async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
    };
    bound.run(shutdown).await.map_err(refused)?;
    Ok(Exit::Passed)
}

fn config(args: ServeArgs, store: Storage, fault: Option<Fault>, simulate: Simulate) -> Config {
    let tls = args.tls_cert.zip(args.tls_key);
    let limits = args.limits;
    Config {
        listen: args.listen,
        store,
        sample_data: args.sample_data,
        fault,
        simulate,
        // Azure Container Apps names them in the environment of a replica.
        revision: args.revision.or_else(|| named("CONTAINER_APP_REVISION")),
        replica: args.replica.or_else(|| named("CONTAINER_APP_REPLICA_NAME")),
        probe_listen: args.probe_listen,
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        tokens: args.tokens,
        max_message: limits.max_message_size,
        max_import_rows: limits.max_import_rows,
        max_request_memory: limits.max_request_memory,
        max_header: limits.max_header_size,
        max_connections: limits.max_connections,
        max_streams: u32::try_from(limits.max_streams).unwrap_or(u32::MAX),
        max_watches: limits.max_watches,
        watch_buffer: limits.watch_buffer,
        request_timeout: limits.request_timeout,
        header_timeout: limits.header_timeout,
        drain: limits.drain,
        ..Config::default()
    }
}

/// The error with its cause.
fn refused(error: ServeError) -> Refusal {
    let text = match error.source() {
        Some(cause) => format!("{error}\n  {cause}"),
        None => error.to_string(),
    };
    if error.is_wrong_input() {
        Refusal::input(text)
    } else {
        Refusal::not_judged(text)
    }
}

/// `memory` or `file:PATH`.
fn storage(text: &str) -> Result<Storage, Refusal> {
    match text.strip_prefix("file:") {
        _ if text == "memory" => Ok(Storage::Memory),
        Some(path) if !path.is_empty() => Ok(Storage::File(path.into())),
        _ => Err(Refusal::input(format!(
            "--store `{text}`: write memory or file:PATH, such as file:stocktake.redb"
        ))),
    }
}

fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}

fn fault(name: &str) -> Result<Fault, Refusal> {
    Fault::from_name(name).ok_or_else(|| {
        let best = Fault::all()
            .iter()
            .map(|info| (strsim::jaro_winkler(name, info.name), info.name))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = best
            .filter(|(score, _)| *score > 0.75)
            .map(|(_, best)| format!(", did you mean `{best}`?"))
            .unwrap_or_default();
        Refusal::input(format!(
            "there is no fault `{name}`{hint}; `stocktake serve --fault list` names all"
        ))
    })
}

fn list_faults() -> Result<Exit, Refusal> {
    let all = Fault::all();
    let mut text = String::new();
    for info in all {
        let also = if info.also.is_empty() {
            String::new()
        } else {
            format!(" (also: {})", info.also.join(", "))
        };
        let only = if info.fault.is_grpc_only() { " (gRPC only)" } else { "" };
        text += &format!("{:<34} {:<26} {}{only}{also}\n", info.name, info.rule, info.text);
    }
    super::print(&text).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    eprintln!("{} faults", all.len());
    Ok(Exit::Passed)
}

/// `delay=300ms`, `slow=2ms`, `stall=1s/10s` and `capacity=workers:4,service:20ms`, each once, in any order, with commas between
/// them.
fn simulate(text: &str) -> Result<Simulate, Refusal> {
    let refuse = |problem: &str| Refusal::input(format!("--simulate `{text}`: {problem}"));
    let duration = |value: &str| match humantime::parse_duration(value) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err(refuse("at most 60s")),
        Err(_) => Err(refuse(SIMULATE)),
    };
    let mut simulate = Simulate::default();
    let mut seen = Vec::new();
    // The service time of a capacity stands behind a comma of its own.
    let text = text.replace(",service:", "/service:");
    for part in text.split(',') {
        let (key, value) = part.split_once('=').ok_or_else(|| refuse(SIMULATE))?;
        if seen.contains(&key) {
            return Err(refuse(&format!("write {key} once")));
        }
        seen.push(key);
        match key {
            "delay" => simulate.delay = duration(value)?,
            "slow" => simulate.slow = duration(value)?,
            "stall" => {
                let (length, every) = value.split_once('/').ok_or_else(|| refuse(SIMULATE))?;
                let (length, every) = (duration(length)?, duration(every)?);
                if length.is_zero() || length >= every {
                    return Err(refuse(
                        "a stall is longer than 0s and shorter than the time from one to the next",
                    ));
                }
                simulate.stall = Some(Stall { length, every });
            }
            "capacity" => simulate.capacity = Some(capacity(value, &refuse)?),
            _ => return Err(refuse(SIMULATE)),
        }
    }
    Ok(simulate)
}

/// `workers:4/service:20ms`, as [`simulate`] makes it of what was typed.
fn capacity(value: &str, refuse: &dyn Fn(&str) -> Refusal) -> Result<Capacity, Refusal> {
    let parts = value.split_once('/').and_then(|(workers, service)| {
        let workers: usize = workers.strip_prefix("workers:")?.parse().ok()?;
        let service = humantime::parse_duration(service.strip_prefix("service:")?).ok()?;
        Some((workers, service))
    });
    let (workers, service) = parts
        .ok_or_else(|| refuse("write capacity=workers:N,service:DURATION, such as capacity=workers:4,service:20ms"))?;
    if !(1..=MOST_WORKERS).contains(&workers) {
        return Err(refuse(&format!("workers are 1 to {MOST_WORKERS}")));
    }
    if service.is_zero() || service > LONGEST {
        return Err(refuse("a service time is longer than 0s, and at most 60s"));
    }
    Ok(Capacity { workers, service })
}

fn log(args: &ServeArgs) -> Result<(), Refusal> {
    let filter =
        EnvFilter::try_new(&args.log).map_err(|error| Refusal::input(format!("--log `{}`: {error}", args.log)))?;
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let set = match args.log_format {
        stocktake::cli::LogFormat::Text => builder.try_init(),
        stocktake::cli::LogFormat::Json => builder.json().try_init(),
    };
    set.map_err(|error| Refusal::not_judged(error.to_string()))
}
