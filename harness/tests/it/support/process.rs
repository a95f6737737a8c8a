//! Child processes: a clean environment, output that never blocks them, an end for every wait.

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How long a server may take to say where it listens.
const START: Duration = Duration::from_secs(60);

/// A process that has ended.
pub struct Ended {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// All it wrote there.
    pub stdout: String,
    /// All it wrote there.
    pub stderr: String,
}

impl Ended {
    /// Both outputs, for the message of a failed assertion.
    pub fn shown(&self) -> String {
        format!(
            "exit {:?}\n--- stdout\n{}--- stderr\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}

/// A server that runs until it is dropped.
pub struct Server {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Those that it names later.
    others: Mutex<Receiver<String>>,
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

impl Server {
    /// Starts it and waits for the first line on its stdout that names an address of 127.0.0.1.
    pub fn start(command: &mut Command) -> Server {
        let mut child = spawn(command);
        let stdout = child.stdout.take().unwrap();
        let stderr = read_all(child.stderr.take().unwrap());
        let (told, others) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(found) = address_in(&line) {
                    let _ = told.send(found);
                }
            }
        });
        let address = others.recv_timeout(START);
        let mut server = Server {
            address: String::new(),
            others: Mutex::new(others),
            child,
            stderr: Some(stderr),
        };
        match address {
            Ok(found) => server.address = found,
            Err(_) => panic!("{command:?} named no address:\n{}", server.kill()),
        }
        server
    }

    /// The next address that it names on its stdout.
    pub fn another(&self) -> String {
        self.others.lock().unwrap().recv_timeout(START).unwrap()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once; what it wrote on stderr.
    pub fn kill(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.stderr
            .take()
            .and_then(|reader| reader.join().ok())
            .unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end; kills it and fails when that takes longer than `within`.
pub fn run(command: &mut Command, within: Duration) -> Ended {
    let deadline = Instant::now() + within;
    let mut child = spawn(command);
    let stdout = read_told(child.stdout.take().unwrap());
    let stderr = read_told(child.stderr.take().unwrap());
    let left = |since: Instant| deadline.saturating_duration_since(since);
    let out = stdout.recv_timeout(left(Instant::now()));
    let err = stderr.recv_timeout(left(Instant::now()));
    let (Ok(stdout), Ok(stderr)) = (out, err) else {
        let _ = child.kill();
        let _ = child.wait();
        panic!("{command:?} took longer than {within:?}");
    };
    let code = child.wait().unwrap().code();
    Ended { code, stdout, stderr }
}

/// Starts it with its output in pipes and nothing of ours in its environment.
pub fn spawn(command: &mut Command) -> Child {
    // The CI system that runs the tests is not told of what they stage.
    let of_ci = |name: &str| matches!(name, "GITHUB_ACTIONS" | "TF_BUILD");
    let ours = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.starts_with("STOCKTAKE_") || of_ci(&name)
    };
    for (name, _) in env::vars_os().filter(|(name, _)| ours(name)) {
        if !command.get_envs().any(|(set, _)| set == name) {
            command.env_remove(name);
        }
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn read_told(from: impl Read + Send + 'static) -> Receiver<String> {
    let (told, text) = channel();
    std::thread::spawn(move || told.send(read_all(from).join().unwrap_or_default()));
    text
}

fn address_in(line: &str) -> Option<String> {
    let start = line.find("127.0.0.1:")?;
    let address: String = line[start..]
        .chars()
        .take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':'))
        .collect();
    (!address.ends_with(':')).then_some(address)
}
