//! `stocktake serve`: the only file that names the server crate.

use super::Refusal;
use std::time::Duration;
use stocktake::{cli::ServeArgs, exit::Exit};
use stocktake_server::{Config, Fault, Server, Simulate};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, fmt};

/// Runs the reference service until SIGINT or SIGTERM, then drains.
pub async fn serve(args: ServeArgs) -> Result<Exit, Refusal> {
    if args.fault.as_deref() == Some("list") {
        return list_faults();
    }
    let fault = args.fault.as_deref().map(fault).transpose()?;
    let simulate = args.simulate.as_deref().map(simulate).transpose()?.unwrap_or_default();
    log(&args)?;
    let mut config = Config {
        listen: args.listen,
        sample_data: args.sample_data,
        fault,
        simulate,
        ..Config::default()
    };
    // Azure Container Apps names them in the environment of a replica.
    config.revision = args
        .revision
        .or_else(|| named("CONTAINER_APP_REVISION"))
        .or(config.revision);
    config.replica = args
        .replica
        .or_else(|| named("CONTAINER_APP_REPLICA_NAME"))
        .or(config.replica);
    let bound = Server::bind(config)
        .await
        .map_err(|error| Refusal::not_judged(error.to_string()))?;
    // Whoever waits for the line reads it through a pipe.
    super::print(&format!("listening on {}\n", bound.addr()))
        .map_err(|error| Refusal::not_judged(error.to_string()))?;
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
    bound
        .run(shutdown)
        .await
        .map_err(|error| Refusal::not_judged(error.to_string()))?;
    Ok(Exit::Passed)
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
        text += &format!("{:<34} {:<26} {}{also}\n", info.name, info.rule, info.text);
    }
    super::print(&text).map_err(|error| Refusal::not_judged(format!("no output: {error}")))?;
    eprintln!("{} faults", all.len());
    Ok(Exit::Passed)
}

/// `delay=300ms`.
fn simulate(text: &str) -> Result<Simulate, Refusal> {
    let usage = || {
        Refusal::input(format!(
            "--simulate `{text}`: write delay=DURATION, such as delay=300ms"
        ))
    };
    let delay = text
        .strip_prefix("delay=")
        .and_then(|value| humantime::parse_duration(value).ok())
        .ok_or_else(usage)?;
    if delay > Duration::from_secs(60) {
        return Err(Refusal::input(format!("--simulate `{text}`: at most 60s")));
    }
    Ok(Simulate { delay })
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
