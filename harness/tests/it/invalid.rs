//! The fixture rooms of the language: `cases/parse` holds files that are right, `cases/invalid` files with mistakes, each
//! beside the text that is shown. `STOCKTAKE_BLESS=1` rewrites the texts.

use std::{
    fs,
    path::{Path, PathBuf},
};
use stocktake::scenario::{self, source::SourceFile};

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
    match scenario::parse(SourceFile::new(name, fs::read_to_string(path).unwrap())) {
        Ok(_) => String::new(),
        Err(errors) => errors.iter().map(|error| error.render()).collect::<Vec<_>>().join("\n"),
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

#[test]
fn every_mistake_is_shown_at_its_place() {
    let bless = std::env::var_os("STOCKTAKE_BLESS").is_some();
    let files = room("invalid");
    assert!(files.len() >= 45, "{} fixtures", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let shown = shown("invalid", &path);
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
fn no_expected_text_is_without_its_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/invalid");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("yaml").exists(), "{}", path.display());
    }
}
