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

/// Polls for a state that another process reaches; fails after a minute.
pub fn until(mut state: impl FnMut() -> bool) {
    let began = Instant::now();
    while !state() {
        assert!(began.elapsed() < Duration::from_secs(60), "the state was never reached");
        std::thread::sleep(Duration::from_millis(5));
    }
}
