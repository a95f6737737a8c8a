//! The fixture rooms of the language: `cases/parse` holds files that are right, `cases/invalid` scenarios with mistakes and
//! `cases/invalid-load` workloads with mistakes, each beside the text that is shown. `STOCKTAKE_BLESS=1` rewrites the texts.

use std::{
    fs,
    path::{Path, PathBuf},
};
use stocktake::{
    load::workload::{self, link},
    scenario::{self, error::ScenarioError, source::SourceFile},
    schema::Schema,
};

fn room(name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    files
}

/// What is shown for a file, under the name that it has in its room; nothing when the file is right.
fn shown(room: &str, path: &Path) -> String {
    let name = format!("{room}/{}", path.file_name().unwrap().to_str().unwrap());
    let source = SourceFile::new(name, fs::read_to_string(path).unwrap());
    let errors = match room {
        "invalid-load" => mistakes_of_workload(source, path.parent().unwrap()),
        _ => scenario::parse(source).err().unwrap_or_default(),
    };
    errors.iter().map(|error| error.render()).collect::<Vec<_>>().join("\n")
}

/// Of the file itself, and where it has none, of the file against the contract.
fn mistakes_of_workload(source: scenario::source::Source, folder: &Path) -> Vec<ScenarioError> {
    let beside = |name: &str| match fs::read_to_string(folder.join(name)) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("there is no such file".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    match workload::parse(source, &beside) {
        Ok(workload) => link::check(&workload, &Schema::built_in(), &workload.legs),
        Err(errors) => errors,
    }
}

#[test]
fn right_files_are_read() {
    let files = room("parse");
    assert!(files.len() >= 2, "the room is there");
    for path in files {
        assert_eq!(shown("parse", &path), "", "{}", path.display());
    }
}

/// Holds every file of a room against its text.
fn every_mistake_is_shown(room_name: &str, least: usize) {
    let bless = std::env::var_os("STOCKTAKE_BLESS").is_some();
    let files = room(room_name);
    assert!(files.len() >= least, "{} fixtures", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let shown = shown(room_name, &path);
        assert!(!shown.is_empty(), "{} has no mistake", path.display());
        let expected = path.with_extension("out");
        if bless {
            fs::write(&expected, &shown).unwrap();
        }
        if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_mistake_is_shown_at_its_place() {
    every_mistake_is_shown("invalid", 45);
}

#[test]
fn every_mistake_of_a_workload_is_shown_at_its_place() {
    every_mistake_is_shown("invalid-load", 90);
}

#[test]
fn no_expected_text_is_without_its_file() {
    for room in ["invalid", "invalid-load"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(room);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_text = path.extension().is_some_and(|extension| extension == "out");
            assert!(!is_text || path.with_extension("yaml").exists(), "{}", path.display());
        }
    }
}
