//! The built-in service as a child process of the same executable: from there on it is an address like any other.

use super::Refusal;
use std::{
    env,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// From start to the line with the address.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running service; it is killed when dropped.
pub struct Service {
    /// `127.0.0.1:port`.
    pub address: String,
    /// Where its metrics are, if they were asked for.
    pub probes: Option<String>,
    child: Child,
}

impl Service {
    /// Starts the service on a free port of loopback. It inherits no `STOCKTAKE_*` variable.
    pub async fn start() -> Result<Service, Refusal> {
        Service::begin(&[]).await
    }

    /// The same with a second address for its metrics.
    pub async fn start_with_metrics() -> Result<Service, Refusal> {
        Service::begin(&["--probe-listen", "127.0.0.1:0"]).await
    }

    async fn begin(more: &[&str]) -> Result<Service, Refusal> {
        let failed = |text: String| Refusal::not_judged(format!("the built-in service did not start: {text}"));
        let executable = env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(executable);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
        command.args(more);
        for (key, _) in env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("STOCKTAKE_")) {
            command.env_remove(key);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| failed("it has no output".to_owned()))?;
        let mut lines = BufReader::new(stdout).lines();
        let mut addresses = Vec::new();
        for _ in 0..=more.len() / 2 {
            let line = timeout(START_LIMIT, lines.next_line()).await;
            match line {
                Ok(Ok(Some(line))) => match line.rsplit_once(' ') {
                    Some((_, address)) => addresses.push(address.to_owned()),
                    None => return Err(failed(format!("it said {line:?}"))),
                },
                Ok(Ok(None)) => return Err(failed("it ended at once".to_owned())),
                Ok(Err(error)) => return Err(failed(error.to_string())),
                Err(_) => {
                    let limit = humantime::format_duration(START_LIMIT);
                    return Err(failed(format!("no address within {limit}")));
                }
            }
        }
        let mut addresses = addresses.into_iter();
        Ok(Service {
            address: addresses.next().unwrap_or_default(),
            probes: addresses.next(),
            child,
        })
    }

    /// Its process id; `None` once it has ended.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Tells it to end and waits until it has: how long that took. `None` where it could not be told, or did not end in time.
    pub async fn drain(&mut self, within: Duration) -> Option<Duration> {
        let asked = Instant::now();
        terminate(self.child.id()?)?;
        timeout(within, self.child.wait()).await.ok()?.ok()?;
        Some(asked.elapsed())
    }

    /// Ends it.
    pub async fn stop(mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill().await;
    }
}

/// Sends SIGTERM.
#[cfg(target_os = "linux")]
fn terminate(process: u32) -> Option<()> {
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    kill(Pid::from_raw(i32::try_from(process).ok()?), Signal::SIGTERM).ok()
}

/// Not told here.
#[cfg(not(target_os = "linux"))]
fn terminate(_: u32) -> Option<()> {
    None
}
