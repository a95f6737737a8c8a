//! Files that are read at the start and again when their content changes: a certificate is renewed and a token withdrawn
//! without a restart.

use sha2::{Digest, Sha256};
use std::{
    error::Error,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::time::MissedTickBehavior;

/// Why a file cannot be used. It names no content: what stands there may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What stands in it is not what is expected.
    #[error("{}{}: {problem}", path.display(), Line(*line))]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Counted from 1, where it is one line that is wrong.
        line: Option<usize>,
        /// What is wrong and what to do.
        problem: String,
    },
}

struct Line(Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Far more than certificates and tokens need; a device or a wrong file is refused before it fills the memory.
const LONGEST: u64 = 4 << 20;

/// A file as it was read.
pub struct File {
    /// As configured.
    pub path: PathBuf,
    /// All of it.
    pub content: Vec<u8>,
}

impl File {
    fn read(path: &Path) -> Result<File, FileError> {
        let unreadable = |source| FileError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() || metadata.len() > LONGEST {
            return Err(FileError::Wrong {
                path: path.to_owned(),
                line: None,
                problem: "not a regular file of at most 4 MiB".to_owned(),
            });
        }
        let content = fs::read(path).map_err(unreadable)?;
        let path = path.to_owned();
        Ok(File { path, content })
    }

    /// That this is wrong with it.
    pub fn wrong(&self, line: impl Into<Option<usize>>, problem: impl Into<String>) -> FileError {
        FileError::Wrong {
            path: self.path.clone(),
            line: line.into(),
            problem: problem.into(),
        }
    }
}

/// A file that was read, or why it could not be.
pub type Read = Result<File, FileError>;

/// What `N` files say, as of the last time that they could be used.
pub struct Source<T, const N: usize> {
    paths: [PathBuf; N],
    understand: fn([Read; N]) -> Result<T, FileError>,
    current: RwLock<Arc<T>>,
    /// Of the files when they were first read.
    first: Fingerprint,
}

type Fingerprint = [u8; 32];

impl<T: Send + Sync + 'static, const N: usize> Source<T, N> {
    /// What these files say now, by `understand`, which gets them in this order.
    pub fn open(
        paths: [PathBuf; N],
        understand: fn([Read; N]) -> Result<T, FileError>,
    ) -> Result<Source<T, N>, FileError> {
        let files = read(&paths);
        Ok(Source {
            first: fingerprint(&files),
            current: RwLock::new(Arc::new(understand(files)?)),
            paths,
            understand,
        })
    }

    /// What they said when they last could be used.
    pub fn current(&self) -> Arc<T> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files at this pace, for ever.
    pub async fn follow(self: Arc<Self>, pace: Duration) {
        let mut seen = self.first;
        let mut ticks = tokio::time::interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let source = self.clone();
            // A file system may be slow, such as one over a network.
            match tokio::task::spawn_blocking(move || source.look(seen)).await {
                Ok(now) => seen = now,
                Err(_) => return,
            }
        }
    }

    /// Takes what the files say if they are not as they were `seen`; how they are. Their content decides, not their times:
    /// mounted secrets are links whose times say little. Files that cannot be used, or are gone, are logged once and
    /// change nothing.
    fn look(&self, seen: Fingerprint) -> Fingerprint {
        let files = read(&self.paths);
        let now = fingerprint(&files);
        if now == seen {
            return now;
        }
        match (self.understand)(files) {
            Ok(value) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                tracing::info!(files = ?self.paths, "changed files are in effect");
            }
            Err(error) => {
                let cause = error.source().map(ToString::to_string);
                tracing::warn!(%error, cause, "changed files cannot be used: what they said before stays in effect");
            }
        }
        now
    }
}

fn read<const N: usize>(paths: &[PathBuf; N]) -> [Read; N] {
    paths.each_ref().map(|path| File::read(path))
}

/// The same for the same contents, and for the same reasons why there are none.
fn fingerprint(files: &[Read]) -> Fingerprint {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(match file {
            Ok(file) => Sha256::digest(&file.content),
            Err(error) => Sha256::digest(error.to_string()),
        });
    }
    hash.finalize().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A number, from its decimal digits.
    fn number([file]: [Read; 1]) -> Result<u32, FileError> {
        let file = file?;
        let text = String::from_utf8_lossy(&file.content).into_owned();
        text.parse().map_err(|_| file.wrong(1, "no number"))
    }

    #[test]
    fn what_can_be_used_replaces_what_was_and_all_else_does_not() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "1").unwrap();
        let source = Source::open([path.clone()], number).unwrap();
        let mut seen = source.first;
        let mut look = || {
            seen = source.look(seen);
            *source.current()
        };
        assert_eq!(look(), 1);
        fs::write(&path, "two").unwrap();
        assert_eq!(look(), 1);
        fs::remove_file(&path).unwrap();
        assert_eq!(look(), 1);
        fs::write(&path, "3").unwrap();
        assert_eq!(look(), 3);
    }

    #[test]
    fn a_file_that_cannot_be_used_is_an_error_with_its_place() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "one").unwrap();
        let error = Source::open([path.clone()], number).err().unwrap();
        assert_eq!(error.to_string(), format!("{}:1: no number", path.display()));
        fs::File::create(&path).unwrap().set_len(LONGEST + 1).unwrap();
        let error = Source::open([path.clone()], number).err().unwrap();
        assert!(
            error.to_string().ends_with("not a regular file of at most 4 MiB"),
            "{error}"
        );
    }
}
