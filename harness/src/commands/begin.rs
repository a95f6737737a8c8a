//! How a run begins: its id, its folder, the machine that it runs on.

use super::Refusal;
use std::{
    env,
    path::{Path, PathBuf},
    thread,
};
use stocktake::{cli::OutputArgs, report::store, verify::record::HostRecord};

/// The id in every name that the run writes on the target.
pub fn run_id(given: Option<&str>) -> Result<String, Refusal> {
    match given {
        None => Ok(uuid::Uuid::new_v4().simple().to_string().chars().take(10).collect()),
        Some(id)
            if (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) =>
        {
            Ok(id.to_owned())
        }
        Some(id) => Err(Refusal::input(format!(
            "--run-id `{id}`: 1 to 20 characters of a-z and 0-9"
        ))),
    }
}

/// An id beside another one, of the same length, for what a run writes a second time: names as long are cut where those of the
/// first are cut.
pub fn another(run_id: &str) -> String {
    let mut letters: Vec<char> = run_id.chars().collect();
    if let Some(last) = letters.last_mut() {
        *last = match *last {
            'a'..='y' | '0'..='8' => char::from(*last as u8 + 1),
            'z' => '0',
            _ => 'a',
        };
    }
    letters.into_iter().collect()
}

/// The folder of the run: the one that was asked for, or a new one.
pub fn folder(output: &OutputArgs, now: &chrono::DateTime<chrono::Utc>, command: &str) -> Result<PathBuf, Refusal> {
    match &output.out {
        Some(folder) => store::create(folder).map(|()| folder.clone()),
        None => store::create_new(
            Path::new("reports/runs"),
            &format!("{}-{command}", now.format("%Y%m%dT%H%M%SZ")),
        ),
    }
    .map_err(|error| Refusal::input(error.to_string()))
}

/// This machine.
pub fn host() -> HostRecord {
    HostRecord {
        stocktake: env!("CARGO_PKG_VERSION").to_owned(),
        system: format!("{} {}", env::consts::OS, env::consts::ARCH),
        cpus: thread::available_parallelism().map_or(1, usize::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_id_is_another_one_as_long() {
        for id in ["a", "z", "9", "8q2m4x", "8q2m4z", "8q2m49"] {
            let other = another(id);
            assert_ne!(other, id);
            assert_eq!(other.len(), id.len());
            assert!(run_id(Some(&other)).is_ok(), "{other}");
        }
    }
}
