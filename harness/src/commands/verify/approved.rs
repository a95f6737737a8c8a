//! The files of `--snapshot`: the approved outcome, and beside it the one to be reviewed.

use crate::commands::Refusal;
use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};
use stocktake::{
    cli::{ProtocolChoice, VerifyArgs},
    verify::{
        engine::Engine,
        record::RunRecord,
        snapshot::{Finished, Snapshots, Write},
    },
};

/// Where the approved outcome is.
pub struct Approved {
    file: PathBuf,
    accept: bool,
}

impl Approved {
    /// As the options say.
    pub fn of(args: &VerifyArgs) -> Result<Option<Approved>, Refusal> {
        let Some(file) = &args.snapshot else { return Ok(None) };
        if file.extension().is_none_or(|extension| extension != "snap") {
            return Err(Refusal::input(format!(
                "--snapshot {}: the name must end in .snap, so that cargo insta review finds what is to be reviewed",
                file.display()
            )));
        }
        Ok(Some(Approved {
            file: file.clone(),
            accept: args.accept,
        }))
    }

    /// What it holds.
    pub fn read(&self) -> Result<Snapshots, Refusal> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Refusal::input(format!("cannot read {}: {error}", self.file.display()))),
        };
        let read = Snapshots::read(text.as_deref(), self.accept);
        read.map_err(|error| Refusal::input(format!("{}: {error}", self.file.display())))
    }

    /// Compares the outcome of a run, adds what came of it to the record, and answers what to write.
    pub fn conclude(&self, engine: &Engine, record: &mut RunRecord, args: &VerifyArgs) -> Write {
        let Some(snapshots) = &engine.snapshots else {
            return Write::Nothing;
        };
        let both = matches!(args.protocol, ProtocolChoice::Auto | ProtocolChoice::Both);
        let conclusion = snapshots.conclude(Finished {
            file: &self.file.display().to_string(),
            suite: &record.suite.name,
            complete: record.verdict.complete,
            whole: args.filter.is_empty() && args.tag.is_empty() && both,
            cases: &record.cases,
            answers: &engine.answers.all(),
        });
        record.checks.push(conclusion.check);
        conclusion.write
    }

    /// Writes it.
    pub fn write(&self, write: Write) -> Result<(), Refusal> {
        let mut pending = self.file.clone().into_os_string();
        pending.push(".new");
        let pending = PathBuf::from(pending);
        match write {
            Write::Nothing => Ok(()),
            Write::Clean => remove(&pending),
            Write::Approved(text) => write_file(&self.file, &text).and_then(|()| remove(&pending)),
            Write::Pending(text) => write_file(&pending, &text),
        }
    }
}

fn write_file(file: &Path, text: &str) -> Result<(), Refusal> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    let made = folder.map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::write(file, text))
        .map_err(|error| Refusal::input(format!("cannot write {}: {error}", file.display())))
}

fn remove(file: &Path) -> Result<(), Refusal> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Refusal::input(format!("cannot remove {}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}
