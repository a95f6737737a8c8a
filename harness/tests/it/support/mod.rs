//! What the tests stand on: the tools of this machine, child processes, and the binary under test.

pub mod process;
pub mod python;
pub mod stocktake;
pub mod tools;

use std::path::{Path, PathBuf};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file or folder under `harness/tests`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}
