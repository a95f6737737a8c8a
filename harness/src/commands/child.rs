//! The built-in service as a child process of the same executable: from there on it is an address like any other.

use super::Refusal;
use std::{env, process::Stdio, time::Duration};
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
    child: Child,
}

impl Service {
    /// Starts the service on a free port of loopback. It inherits no `STOCKTAKE_*` variable.
    pub async fn start() -> Result<Service, Refusal> {
        let failed = |text: String| Refusal::not_judged(format!("the built-in service did not start: {text}"));
        let executable = env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(executable);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"]);
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
        let line = timeout(START_LIMIT, lines.next_line()).await;
        match line {
            Ok(Ok(Some(line))) => match line.rsplit_once(' ') {
                Some((_, address)) => Ok(Service {
                    address: address.to_owned(),
                    child,
                }),
                None => Err(failed(format!("it said {line:?}"))),
            },
            Ok(Ok(None)) => Err(failed("it ended at once".to_owned())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!(
                "no address within {}",
                humantime::format_duration(START_LIMIT)
            ))),
        }
    }

    /// Its process id; `None` once it has ended.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it.
    pub async fn stop(mut self) {
        // One that has ended by itself needs no end.
        let _ = self.child.kill().await;
    }
}
