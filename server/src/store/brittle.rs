//! A disk for tests: it keeps what was synced, forgets what was not when the power goes, and fails on request.

use redb::{Builder, Database, StorageBackend};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard},
};

/// A disk; its clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct Brittle {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What is there when the power goes.
    synced: Vec<u8>,
    /// What is read, as in the cache of the system.
    seen: Vec<u8>,
    /// What the difference is made of, oldest first.
    unsynced: Vec<Step>,
    fails: Fails,
    /// How many writes and syncs still work before the power goes.
    left: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

/// What does not work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fails {
    /// Nothing.
    #[default]
    Nothing,
    /// Writing, as on a full disk.
    Writes,
    /// Syncing: what was written can be read and may be lost.
    Syncs,
}

impl Step {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Step::Length(length) => bytes.resize(length, 0),
            Step::Bytes(start, new) => {
                let end = start + new.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[start..end].copy_from_slice(&new);
            }
        }
    }
}

impl Brittle {
    /// From now on this does not work.
    pub fn set(&self, fails: Fails) {
        self.state().fails = fails;
    }

    /// After so many writes and syncs nothing works any more.
    pub fn set_left(&self, left: usize) {
        self.state().left = Some(left);
    }

    /// The power goes and comes back. Of what was not synced, `keeps` chooses what reached the disk all the same, sector
    /// by sector.
    pub fn cut(&self, mut keeps: impl FnMut() -> bool) {
        const SECTOR: usize = 512;
        let mut state = self.state();
        let mut bytes = std::mem::take(&mut state.synced);
        for step in std::mem::take(&mut state.unsynced) {
            match step {
                Step::Length(length) if keeps() => Step::Length(length).apply(&mut bytes),
                Step::Length(_) => {}
                Step::Bytes(start, new) => {
                    for (index, sector) in new.chunks(SECTOR).enumerate() {
                        if keeps() {
                            Step::Bytes(start + index * SECTOR, sector.to_vec()).apply(&mut bytes);
                        }
                    }
                }
            }
        }
        *state = State {
            seen: bytes.clone(),
            synced: bytes,
            ..State::default()
        };
    }

    /// The database on this disk; a new one when the disk is empty.
    pub fn open(&self) -> Result<Database, redb::Error> {
        let mut builder = Builder::new();
        Ok(builder
            .set_check_integrity_on_open(true)
            .create_with_backend(self.clone())?)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn step(&self, step: Step) -> io::Result<()> {
        let mut state = self.state();
        state.spend(Fails::Writes)?;
        step.clone().apply(&mut state.seen);
        state.unsynced.push(step);
        Ok(())
    }
}

impl State {
    fn spend(&mut self, what: Fails) -> io::Result<()> {
        let works = self.fails != what && self.left != Some(0);
        if !works {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.left = self.left.map(|left| left - 1);
        Ok(())
    }
}

impl StorageBackend for Brittle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap();
        let state = self.state();
        let bytes = state.seen.get(start..start + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(Step::Length(usize::try_from(len).unwrap()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step(Step::Bytes(usize::try_from(offset).unwrap(), data.to_vec()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        state.spend(Fails::Syncs)?;
        state.synced = state.seen.clone();
        state.unsynced.clear();
        Ok(())
    }
}
