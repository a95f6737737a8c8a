//! Reads the record of a load run from its folder.

use super::store::RECORD;
use crate::load::record::{LOAD_VERSION, LoadRecord};
use serde::Deserialize;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Why a load run could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadStoreError {
    /// No run lies there.
    #[error("{path} holds no {RECORD}: give the folder of a load run, such as one below reports/runs", path = path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot read {path}", path = path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A run of another kind.
    #[error("{path} is the record of a verify run: give the folder of a run of `stocktake load`", path = path.display())]
    OfVerify {
        /// The file.
        path: PathBuf,
    },
    /// Of another stocktake.
    #[error(
        "{path} has load version {found}, this stocktake reads version {LOAD_VERSION}; use the stocktake that wrote it (`host.stocktake` in the file names its version)",
        path = path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
    /// Not JSON, without a version, or with a field that is missing, of another type or unknown.
    #[error("{path} is not the record of a load run: {reason}", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Reads the record of a run folder, or a record file itself. Another version is refused, never guessed.
pub fn read_load(run: &Path) -> Result<LoadRecord, LoadStoreError> {
    let path = if run.is_dir() { run.join(RECORD) } else { run.to_owned() };
    match fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LoadStoreError::NoRun { path: run.to_owned() }),
        Err(source) => Err(LoadStoreError::Io { path, source }),
    }
}

fn parse(path: &Path, text: &str) -> Result<LoadRecord, LoadStoreError> {
    #[derive(Deserialize)]
    struct Versioned {
        load_version: Option<u64>,
        schema_version: Option<u64>,
    }
    let form = |error: serde_json::Error| LoadStoreError::Form {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let versioned: Versioned = serde_json::from_str(text).map_err(form)?;
    match (versioned.load_version, versioned.schema_version) {
        (Some(found), _) if found != u64::from(LOAD_VERSION) => Err(LoadStoreError::Version {
            path: path.to_owned(),
            found,
        }),
        (None, Some(_)) => Err(LoadStoreError::OfVerify { path: path.to_owned() }),
        (None, None) => Err(LoadStoreError::Form {
            path: path.to_owned(),
            reason: "it has no `load_version`".to_owned(),
        }),
        (Some(_), _) => serde_json::from_str(text).map_err(form),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn says_what_a_file_is_when_it_is_no_load_run() {
        let root = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            fs::write(root.path().join(RECORD), text).unwrap();
            read_load(root.path()).unwrap_err().to_string()
        };
        let table = [
            (
                "{\"schema_version\": 2}",
                "run.json is the record of a verify run: give the folder of a run of `stocktake load`",
            ),
            (
                "{\"load_version\": 99}",
                "run.json has load version 99, this stocktake reads version 1; use the stocktake that wrote it",
            ),
            (
                "{}",
                "run.json is not the record of a load run: it has no `load_version`",
            ),
            (
                "{\"load_version\": 1}",
                "run.json is not the record of a load run: missing field",
            ),
            (
                "{\"load_version\": -1}",
                "run.json is not the record of a load run: invalid value",
            ),
            ("no", "run.json is not the record of a load run: expected"),
        ];
        for (text, expected) in table {
            assert!(told(text).contains(expected), "{text}: {}", told(text));
        }
        let empty = tempfile::tempdir().unwrap();
        let told = read_load(empty.path()).unwrap_err().to_string();
        assert!(told.contains("holds no run.json"), "{told}");
        let told = read_load(&empty.path().join("nowhere")).unwrap_err().to_string();
        assert!(told.contains("nowhere holds no run.json"), "{told}");
    }
}
