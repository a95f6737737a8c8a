//! What the tests stand on: the tools of this machine, child processes, and the binary under test.

pub mod browser;
pub mod process;
pub mod python;
pub mod random;
pub mod stocktake;
pub mod tools;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file or folder under `harness/tests`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// Writes a file of a test.
pub fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// A folder of the project holds exactly these files of a stored run; `STOCKTAKE_BLESS` writes them, `script` makes a new run.
pub fn renders_to(folder: &str, files: Vec<(&'static str, Vec<u8>)>, script: &str) {
    for (name, bytes) in files {
        let file = root().join(folder).join(name);
        if std::env::var_os("STOCKTAKE_BLESS").is_some() {
            std::fs::write(&file, &bytes).unwrap();
        }
        assert!(
            std::fs::read(&file).unwrap() == bytes,
            "{folder}/{name} is not what run.json gives: render it again with STOCKTAKE_BLESS=1 cargo test, or make a new run with {script}"
        );
    }
}

/// Polls for a state that another process reaches; fails after a minute.
pub fn until(mut state: impl FnMut() -> bool) {
    let began = Instant::now();
    while !state() {
        assert!(began.elapsed() < Duration::from_secs(60), "the state was never reached");
        std::thread::sleep(Duration::from_millis(5));
    }
}
