//! Servers and clients in Python.

use super::{
    fixture,
    process::{self, Ended, Server},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// Longer than any script takes on a busy machine.
const SCRIPT: Duration = Duration::from_secs(120);

/// A server among `tests/python`, on a free port.
pub fn serve(python: &Path, script: &str, arguments: &[&str]) -> Server {
    Server::start(command(python, script).args(arguments))
}

/// A script among `tests/python`, to its end.
pub fn run(python: &Path, script: &str, arguments: &[&str]) -> Ended {
    process::run(command(python, script).args(arguments), SCRIPT)
}

fn command(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command
        .arg(fixture("python").join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// The published post's own programs, taken apart into a folder.
pub struct Seed {
    folder: TempDir,
}

impl Seed {
    /// See `seed_extract.py`.
    pub fn extract(python: &Path, post: &Path) -> Seed {
        let folder = TempDir::new().unwrap();
        let arguments = [post.to_str().unwrap(), folder.path().to_str().unwrap()];
        let ended = run(python, "seed_extract.py", &arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.shown());
        Seed { folder }
    }

    /// The folder of its `inventory.proto`.
    pub fn protos(&self) -> PathBuf {
        self.folder.path().join("protos")
    }

    /// Its server, on a free port.
    pub fn serve(&self, python: &Path) -> Server {
        Server::start(&mut self.program(Command::new(python), "server.py"))
    }

    /// Makes `command` run one of its programs: appends the program, sets where its imports are found.
    pub fn program(&self, mut command: Command, name: &str) -> Command {
        let folder = self.folder.path();
        let places = [folder.to_owned(), folder.join("generated")];
        command
            .arg(folder.join(name))
            .env("PYTHONPATH", std::env::join_paths(places).unwrap())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
