//! Run folders: `run.json` and its renders, written whole or not at all. The only place of the reports that touches
//! files, beside the log.

use super::{capacity, doctor, html, json, junit, load, markdown};
use crate::{
    capacity::record::CapacityRecord, doctor::record::DoctorRecord, load::record::LoadRecord, verify::record::RunRecord,
};
use std::{
    collections::BTreeSet,
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

/// The record.
pub const RECORD: &str = "run.json";
/// The log of a run, written by [`super::log::Log`].
pub const EVENTS: &str = "events.jsonl";
/// For people with a browser.
pub const HTML: &str = "index.html";
/// For a GitHub step summary.
pub const MARKDOWN: &str = "report.md";
/// For a CI system.
pub const JUNIT: &str = "junit.xml";

/// Folders of one name that are tried before giving up, see [`create_new`].
const ATTEMPTS: usize = 100;

/// Why a run folder could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A run lies there.
    #[error("{path} already holds a run ({file}): name another folder with --out, or remove this one", path = path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// What was found in it.
        file: &'static str,
    },
    /// The file system refused.
    #[error("cannot {action} {path}", path = path.display())]
    Io {
        /// Such as `write`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No run lies there.
    #[error("{path} holds no {RECORD}: give the folder of a run, such as one below reports/runs", path = path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// Its record is of another command.
    #[error("{path} is the record of a {found} run, not of a {wanted} run: give the folder of one", path = path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A file beside the record has a name that leads elsewhere.
    #[error("cannot write {name:?} into a run folder: a plain file name is needed")]
    Name {
        /// The name.
        name: String,
    },
    /// Its record cannot be read.
    #[error("{path}: {source}", path = path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        source: json::JsonError,
    },
}

/// Makes a folder for a run, with its parents; an existing one is taken if no run lies in it. Empty files do not count,
/// so a caller may reserve names.
pub fn create(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(|source| failed("create", folder, source))?;
    for file in [RECORD, EVENTS, HTML, MARKDOWN, JUNIT] {
        match fs::metadata(folder.join(file)) {
            Ok(found) if found.is_file() && found.len() == 0 => {}
            Ok(_) => {
                return Err(StoreError::Taken {
                    path: folder.to_owned(),
                    file,
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed("look at", &folder.join(file), source)),
        }
    }
    Ok(())
}

/// Makes a folder that did not exist, `name` below `parent` or, where two runs begin in one second, `name-2`, `name-3`, …
pub fn create_new(parent: &Path, name: &str) -> Result<PathBuf, StoreError> {
    fs::create_dir_all(parent).map_err(|source| failed("create", parent, source))?;
    let mut folder = parent.join(name);
    for n in 2..=ATTEMPTS {
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => folder = parent.join(format!("{name}-{n}")),
            made => {
                return made
                    .map(|()| folder.clone())
                    .map_err(|source| failed("create", &folder, source));
            }
        }
    }
    Err(failed("create", &folder, io::ErrorKind::AlreadyExists.into()))
}

/// What a run folder holds.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Of `verify` or `check`.
    Verify(Box<RunRecord>),
    /// Of `load`.
    Load(Box<LoadRecord>),
    /// Of `doctor`.
    Doctor(Box<DoctorRecord>),
    /// Of `capacity`.
    Capacity(Box<CapacityRecord>),
}

impl Stored {
    /// The sentence of its verdict.
    pub fn sentence(&self) -> &str {
        match self {
            Stored::Verify(record) => &record.verdict.sentence,
            Stored::Load(record) => &record.verdict.sentence,
            Stored::Doctor(record) => &record.verdict.sentence,
            Stored::Capacity(record) => &record.verdict.sentence,
        }
    }

    /// Writes it and its renders, see [`write`], [`write_load`] and [`write_doctor`].
    pub fn write(&self, folder: &Path) -> Result<(), StoreError> {
        match self {
            Stored::Verify(record) => write(folder, record),
            Stored::Load(record) => write_load(folder, record, &[]),
            Stored::Doctor(record) => write_doctor(folder, record),
            Stored::Capacity(record) => write_capacity(folder, record),
        }
    }
}

/// Writes the record and all its renders, the record first. Each file is there whole or as it was before.
pub fn write(folder: &Path, record: &RunRecord) -> Result<(), StoreError> {
    write_all(folder, &render_all(record))
}

/// Writes a load run: first the files that lie beside the record, such as its histograms (names without a path, and their
/// bytes), so that the record names none that is not there; then the record and its renders.
pub fn write_load(folder: &Path, record: &LoadRecord, beside: &[(String, Vec<u8>)]) -> Result<(), StoreError> {
    for (name, bytes) in beside {
        if !is_plain(name) {
            return Err(StoreError::Name { name: name.clone() });
        }
        write_file(folder, name, bytes)?;
    }
    write_all(folder, &render_load(record))
}

/// Writes the record of a doctor and its renders; it judges no cases, so there is no JUnit.
pub fn write_doctor(folder: &Path, record: &DoctorRecord) -> Result<(), StoreError> {
    write_all(folder, &render_doctor(record))
}

/// Writes the record of a capacity run and its renders, see [`write`].
pub fn write_capacity(folder: &Path, record: &CapacityRecord) -> Result<(), StoreError> {
    write_all(folder, &render_capacity(record))
}

/// Copies the histograms that the record of a load run names (`NAME.hlog`, and `NAME.hgrm` beside it) from its folder into
/// another one, and answers how many of them were not there. Names that lead elsewhere, links and folders are not followed.
pub fn copy_beside(run: &Path, record: &LoadRecord, folder: &Path) -> Result<usize, StoreError> {
    let from = if run.is_dir() { Some(run) } else { run.parent() };
    let mut missing = 0;
    for name in histograms(record) {
        let path = from.unwrap_or(Path::new("")).join(&name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => {
                let bytes = fs::read(&path).map_err(|source| failed("read", &path, source))?;
                write_file(folder, &name, &bytes)?;
            }
            _ => missing += 1,
        }
    }
    Ok(missing)
}

/// The files of a record's histograms, plain names alone, each once.
fn histograms(record: &LoadRecord) -> BTreeSet<String> {
    let sides = record.cells.iter().flat_map(|cell| &cell.sides);
    let operations = sides.flat_map(|side| side.operations.iter().chain(&side.all));
    let stems = operations.filter_map(|operation| operation.hlog.as_deref()?.strip_suffix(".hlog"));
    let names = stems.flat_map(|stem| [format!("{stem}.hlog"), format!("{stem}.hgrm")]);
    names.filter(|name| is_plain(name)).collect()
}

/// Whether a name stays in its folder, on every system, and is none of ours.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(plain)
        && ![RECORD, EVENTS, HTML, MARKDOWN, JUNIT].contains(&name)
}

fn write_all(folder: &Path, files: &[(&'static str, Vec<u8>)]) -> Result<(), StoreError> {
    files
        .iter()
        .try_for_each(|(name, bytes)| write_file(folder, name, bytes))
}

/// All that a record becomes, by file name; pure, so that `stocktake report RUN` gives the same bytes again.
pub fn render_all(record: &RunRecord) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (RECORD, json::render(record).into_bytes()),
        (JUNIT, junit::render(record).into_bytes()),
        (MARKDOWN, markdown::render(record).into_bytes()),
        (HTML, html::render(record).into_bytes()),
    ]
}

/// All that a load record becomes, by file name; pure, as [`render_all`].
pub fn render_load(record: &LoadRecord) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (RECORD, json::render(record).into_bytes()),
        (JUNIT, load::junit::render(record).into_bytes()),
        (MARKDOWN, load::markdown::render(record).into_bytes()),
        (HTML, load::html::render(record).into_bytes()),
    ]
}

/// All that the record of a doctor becomes, by file name; pure, as [`render_all`].
pub fn render_doctor(record: &DoctorRecord) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (RECORD, json::render(record).into_bytes()),
        (MARKDOWN, doctor::markdown::render(record).into_bytes()),
        (HTML, doctor::html::render(record).into_bytes()),
    ]
}

/// All that a capacity record becomes, by file name; pure, as [`render_all`].
pub fn render_capacity(record: &CapacityRecord) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (RECORD, json::render(record).into_bytes()),
        (MARKDOWN, capacity::markdown::render(record).into_bytes()),
        (HTML, capacity::html::render(record).into_bytes()),
    ]
}

/// Reads the record of a run folder, or a record file itself, whichever kind it is.
pub fn read_any(run: &Path) -> Result<Stored, StoreError> {
    let (path, text) = read_text(run)?;
    let stored = json::kind(&text).and_then(|kind| match kind {
        json::Kind::Verify => json::parse(&text).map(|record| Stored::Verify(Box::new(record))),
        json::Kind::Load => json::parse(&text).map(|record| Stored::Load(Box::new(record))),
        json::Kind::Doctor => json::parse(&text).map(|record| Stored::Doctor(Box::new(record))),
        json::Kind::Capacity => json::parse(&text).map(|record| Stored::Capacity(Box::new(record))),
    });
    stored.map_err(|source| StoreError::Record { path, source })
}

/// Reads a verify run.
pub fn read(run: &Path) -> Result<RunRecord, StoreError> {
    read_kind(run, json::Kind::Verify)
}

/// Reads a load run.
pub fn read_load(run: &Path) -> Result<LoadRecord, StoreError> {
    read_kind(run, json::Kind::Load)
}

/// Reads the run of a doctor.
pub fn read_doctor(run: &Path) -> Result<DoctorRecord, StoreError> {
    read_kind(run, json::Kind::Doctor)
}

/// Reads a capacity run.
pub fn read_capacity(run: &Path) -> Result<CapacityRecord, StoreError> {
    read_kind(run, json::Kind::Capacity)
}

/// One of another kind is told so before its version is looked at.
fn read_kind<R: json::Record>(run: &Path, kind: json::Kind) -> Result<R, StoreError> {
    let (path, text) = read_text(run)?;
    match json::kind(&text) {
        Ok(found) if found != kind => Err(StoreError::Kind {
            path: run.to_owned(),
            found: found.name(),
            wanted: kind.name(),
        }),
        Ok(_) => json::parse(&text).map_err(|source| StoreError::Record { path, source }),
        Err(source) => Err(StoreError::Record { path, source }),
    }
}

fn read_text(run: &Path) -> Result<(PathBuf, String), StoreError> {
    let path = if run.is_dir() { run.join(RECORD) } else { run.to_owned() };
    match fs::read_to_string(&path) {
        Ok(text) => Ok((path, text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(StoreError::NoRun { path: run.to_owned() }),
        Err(source) => Err(failed("read", &path, source)),
    }
}

/// Beside its place first, then renamed over it: rename is atomic within a folder (POSIX rename, Windows MoveFileEx).
fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = folder.join(name);
    let unfinished = folder.join(format!(".{name}.unfinished"));
    let written = fs::File::create(&unfinished)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            // Without this a crash of the machine may leave the new name with no bytes behind it.
            file.sync_all()
        })
        .and_then(|()| fs::rename(&unfinished, &path));
    written.map_err(|source| {
        // Best effort: the error that is told is the one that came first.
        let _ = fs::remove_file(&unfinished);
        failed("write", &path, source)
    })
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::sample;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_run_that_is_read_back_renders_byte_for_byte() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        create(&folder).unwrap();
        write(&folder, &sample::failing()).unwrap();
        assert_eq!(names(&folder), ["index.html", "junit.xml", "report.md", "run.json"]);

        let again = read(&folder).unwrap();
        for (name, bytes) in render_all(&again) {
            assert_eq!(fs::read(folder.join(name)).unwrap(), bytes, "{name}");
        }
        assert_eq!(read(&folder.join("run.json")).unwrap().run_id, again.run_id);
        write(&folder, &again).unwrap();
    }

    #[test]
    fn a_load_run_keeps_its_files_and_renders_byte_for_byte() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let beside = vec![("c1-grpc-get.hlog".to_owned(), b"#[Histogram log".to_vec())];
        write_load(folder, &load::sample::failing(), &beside).unwrap();
        let files = ["c1-grpc-get.hlog", "index.html", "junit.xml", "report.md", "run.json"];
        assert_eq!(names(folder), files);

        let again = read_any(folder).unwrap();
        let Stored::Load(record) = &again else {
            panic!("a load run is read as {again:?}")
        };
        for (name, bytes) in render_load(record) {
            assert_eq!(fs::read(folder.join(name)).unwrap(), bytes, "{name}");
        }
        again.write(folder).unwrap();
        assert_eq!(names(folder), files);
        assert_eq!(read_load(folder).unwrap().run_id, record.run_id);
        let told = read(folder).unwrap_err().to_string();
        assert!(
            told.ends_with("is the record of a load run, not of a verify run: give the folder of one"),
            "{told}"
        );
    }

    #[test]
    fn a_file_beside_the_record_stays_in_the_folder() {
        let root = tempfile::tempdir().unwrap();
        for name in ["../x", "/tmp/x", "a/b", "a\\b", "", ".", "..", "run.json", "c:x", "x\0"] {
            let told = write_load(root.path(), &load::sample::measured(), &[(name.to_owned(), vec![])]);
            assert!(matches!(told, Err(StoreError::Name { .. })), "{name}");
        }
        assert_eq!(names(root.path()), Vec::<String>::new());
    }

    #[test]
    fn histograms_follow_their_record_and_lead_nowhere_else() {
        let root = tempfile::tempdir().unwrap();
        let (run, out) = (root.path().join("run"), root.path().join("out"));
        fs::create_dir_all(&run).unwrap();
        create(&out).unwrap();
        let mut record = load::sample::measured();
        record.cells[0].sides[0].operations[0].hlog = Some("../secret.hlog".to_owned());
        record.cells[0].sides[0].operations[1].hlog = Some("run.json".to_owned());
        record.cells[0].sides[1].operations.truncate(1);
        record.cells[0].sides[0].all = None;
        record.cells[0].sides[1].all = None;
        fs::write(root.path().join("secret.hlog"), "x").unwrap();
        fs::write(run.join("c1-rest-h1-get.hlog"), "log").unwrap();
        assert_eq!(copy_beside(&run, &record, &out).unwrap(), 1, "the .hgrm is not there");
        fs::write(run.join("c1-rest-h1-get.hgrm"), "table").unwrap();
        assert_eq!(copy_beside(&run.join("run.json"), &record, &out).unwrap(), 0);
        assert_eq!(names(&out), ["c1-rest-h1-get.hgrm", "c1-rest-h1-get.hlog"]);
        assert_eq!(fs::read(out.join("c1-rest-h1-get.hlog")).unwrap(), b"log");
    }

    #[test]
    fn a_folder_with_a_run_is_not_taken_again() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("README"), "not ours").unwrap();
        fs::write(root.path().join("run.json"), "").unwrap();
        create(root.path()).unwrap();
        write(root.path(), &sample::passing()).unwrap();
        let told = create(root.path()).unwrap_err().to_string();
        assert!(
            told.ends_with("already holds a run (run.json): name another folder with --out, or remove this one"),
            "{told}"
        );
    }

    #[test]
    fn two_runs_of_one_second_get_two_folders() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("reports/runs");
        let made: Vec<PathBuf> = (0..3).map(|_| create_new(&parent, "t-verify").unwrap()).collect();
        let expected = ["t-verify", "t-verify-2", "t-verify-3"].map(|name| parent.join(name));
        assert_eq!(made, expected);
    }

    #[test]
    fn says_what_is_wrong_with_a_folder() {
        let root = tempfile::tempdir().unwrap();
        let told = read(root.path()).unwrap_err().to_string();
        assert!(
            told.ends_with("holds no run.json: give the folder of a run, such as one below reports/runs"),
            "{told}"
        );
        fs::write(root.path().join("run.json"), "{\"schema_version\": 99}").unwrap();
        let told = read(root.path()).unwrap_err().to_string();
        assert!(
            told.contains("run.json: the record has schema version 99, this stocktake reads version 3"),
            "{told}"
        );
    }

    #[test]
    fn a_write_that_fails_leaves_no_half_of_a_file() {
        let root = tempfile::tempdir().unwrap();
        // A folder in the way: the rename fails after the bytes were written.
        fs::create_dir(root.path().join("run.json")).unwrap();
        assert!(write(root.path(), &sample::passing()).is_err());
        assert_eq!(names(root.path()), ["run.json"]);
    }

    #[test]
    fn numbers_of_any_size_are_rendered() {
        use serde_json::Value;
        fn set(value: &mut Value, integer: u64, float: f64) {
            match value {
                Value::Number(number) if number.is_f64() => *value = float.into(),
                Value::Number(_) => *value = integer.into(),
                Value::Array(items) => items.iter_mut().for_each(|item| set(item, integer, float)),
                Value::Object(fields) => fields
                    .iter_mut()
                    .filter(|(name, _)| !["load_version", "exit_code", "target"].contains(&name.as_str()))
                    .for_each(|(_, field)| set(field, integer, float)),
                _ => {}
            }
        }
        for (integer, float) in [(u64::MAX, 1e308), (0, 0.0), (1, -1e308), (u64::MAX, 1e-320)] {
            for record in [load::sample::failing(), load::sample::against()] {
                let mut value = serde_json::to_value(&record).unwrap();
                set(&mut value, integer, float);
                let record: LoadRecord = serde_json::from_value(value).unwrap();
                for (name, bytes) in render_load(&record) {
                    let text = String::from_utf8(bytes).unwrap();
                    assert!(!text.contains("NaN") && !text.contains("cannot be shown"), "{name}");
                }
            }
        }
    }

    /// The tests with a browser are another crate: they read the sample from a file.
    #[test]
    fn the_record_of_the_browser_tests_is_the_sample() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/load/run.json");
        let text = json::render(&load::sample::failing());
        if std::env::var_os("STOCKTAKE_BLESS").is_some() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &text).unwrap();
        }
        let help = "write it again with STOCKTAKE_BLESS=1 cargo test -p stocktake --lib browser_tests";
        assert!(fs::read_to_string(&file).unwrap() == text, "{}: {help}", file.display());
    }
}
