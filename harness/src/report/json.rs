//! `run.json`: a record as text. The only render that is read back. Pure.

use crate::{
    capacity::record::{CAPACITY_VERSION, CapacityRecord},
    doctor::record::{DOCTOR_VERSION, DoctorRecord},
    load::record::{LOAD_VERSION, LoadRecord},
    verify::record::{RunRecord, SCHEMA_VERSION},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A version in a record.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Where it stands, as a JSON pointer (RFC 6901).
    pub pointer: &'static str,
    /// Its name in an error.
    pub name: &'static str,
    /// The only one that is read.
    pub number: u32,
}

/// What a `run.json` can hold.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that every such record has.
    const OWN: Version;
    /// Versions of records inside it, looked at where they are.
    const INSIDE: &'static [Version];
}

const VERIFY: Version = Version {
    pointer: "/schema_version",
    name: "schema version",
    number: SCHEMA_VERSION,
};

const LOAD: Version = Version {
    pointer: "/load_version",
    name: "load version",
    number: LOAD_VERSION,
};

const DOCTOR: Version = Version {
    pointer: "/doctor_version",
    name: "doctor version",
    number: DOCTOR_VERSION,
};

const CAPACITY: Version = Version {
    pointer: "/capacity_version",
    name: "capacity version",
    number: CAPACITY_VERSION,
};

impl Record for CapacityRecord {
    const OWN: Version = CAPACITY;
    const INSIDE: &'static [Version] = &[];
}

impl Record for RunRecord {
    const OWN: Version = VERIFY;
    const INSIDE: &'static [Version] = &[Version {
        pointer: "/load/load_version",
        ..LOAD
    }];
}

impl Record for LoadRecord {
    const OWN: Version = LOAD;
    const INSIDE: &'static [Version] = &[];
}

impl Record for DoctorRecord {
    const OWN: Version = DOCTOR;
    const INSIDE: &'static [Version] = &[];
}

/// Which record a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`RunRecord`], of `verify` and `check`.
    Verify,
    /// [`LoadRecord`], of `load`.
    Load,
    /// [`DoctorRecord`], of `doctor`.
    Doctor,
    /// [`CapacityRecord`], of `capacity`.
    Capacity,
}

impl Kind {
    /// The command, as an error names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Verify => "verify",
            Kind::Load => "load",
            Kind::Doctor => "doctor",
            Kind::Capacity => "capacity",
        }
    }
}

/// Why a text is not a record.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or without a version.
    #[error("this is not the record of a run: {0}")]
    NotARecord(String),
    /// Of another stocktake.
    #[error(
        "the record has {name} {found}, this stocktake reads version {reads}; use the stocktake that wrote it (`host.stocktake` in the file names its version)"
    )]
    Version {
        /// Which version.
        name: &'static str,
        /// What the file says.
        found: u64,
        /// What is read here.
        reads: u32,
    },
    /// A field that is missing, of another type or unknown.
    #[error("the record does not have the form of {name} {reads}: {why}")]
    Form {
        /// Which version.
        name: &'static str,
        /// Its number.
        reads: u32,
        /// What and where.
        why: String,
    },
}

/// Pretty, with a final newline; the same record gives the same bytes.
pub fn render<R: Record>(record: &R) -> String {
    // A record is structs, lists and numbers: serde_json has no reason to fail on it. If that ever changes, the text
    // is one that `parse` refuses, and the test below fails.
    let text = serde_json::to_string_pretty(record).unwrap_or_else(|error| format!("{{ \"error\": \"{error}\" }}"));
    // It may be printed in a log that a CI runner reads. In JSON `##` stands in texts alone, where an escape means the same.
    text.replace("##", "#\\u0023") + "\n"
}

/// Which record a text holds, by the version that it names.
pub fn kind(text: &str) -> Result<Kind, JsonError> {
    let value = value(text)?;
    let named = [
        (LOAD, Kind::Load),
        (VERIFY, Kind::Verify),
        (DOCTOR, Kind::Doctor),
        (CAPACITY, Kind::Capacity),
    ];
    let mut named = named
        .into_iter()
        .filter(|(version, _)| value.pointer(version.pointer).is_some());
    match (named.next(), named.next()) {
        (Some((_, kind)), None) => Ok(kind),
        _ => Err(JsonError::NotARecord(
            "it does not name one of `schema_version`, `load_version`, `doctor_version` and `capacity_version`"
                .to_owned(),
        )),
    }
}

/// The record in a text. Nothing is guessed: another version or a field that is not known is refused.
pub fn parse<R: Record>(text: &str) -> Result<R, JsonError> {
    let written = value(text)?;
    let own = R::OWN;
    if written.pointer(own.pointer).is_none() {
        let field = own.pointer.trim_start_matches('/');
        return Err(JsonError::NotARecord(format!("missing field `{field}`")));
    }
    for version in [own].iter().chain(R::INSIDE) {
        let found = written.pointer(version.pointer);
        let number = found.map(|found| found.as_u64());
        match number {
            None => {}
            Some(Some(found)) if found == u64::from(version.number) => {}
            Some(Some(found)) => {
                return Err(JsonError::Version {
                    name: version.name,
                    found,
                    reads: version.number,
                });
            }
            Some(None) => return Err(JsonError::NotARecord(format!("its {} is no number", version.name))),
        }
    }
    let form = |why: String| JsonError::Form {
        name: own.name,
        reads: own.number,
        why,
    };
    // From the text, so that an error has its line and column.
    let record: R = serde_json::from_str(text).map_err(|error| form(error.to_string()))?;
    // serde looks away from unknown fields beside a unit variant, and an optional field may be left out. What would
    // be lost on the way back is refused here.
    let understood = serde_json::to_value(&record).map_err(|error| form(error.to_string()))?;
    match difference(&written, &understood) {
        Some(path) => Err(form(format!("`{path}` is not known here, or missing"))),
        None => Ok(record),
    }
}

fn value(text: &str) -> Result<Value, JsonError> {
    serde_json::from_str(text).map_err(|error| JsonError::NotARecord(error.to_string()))
}

/// The path of the first place where two values differ.
fn difference(a: &Value, b: &Value) -> Option<String> {
    let below = |step: String, a: Option<&Value>, b: Option<&Value>| match (a, b) {
        (Some(a), Some(b)) => difference(a, b).map(|rest| format!("{step}{rest}")),
        _ => Some(step),
    };
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => a
            .keys()
            .chain(b.keys())
            .find_map(|key| below(format!(".{key}"), a.get(key), b.get(key))),
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|i| below(format!("[{i}]"), a.get(i), b.get(i)))
        }
        _ => (a != b).then(String::new),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::report::{load, sample};

    #[test]
    fn reads_back_what_it_wrote_byte_for_byte() {
        for record in [
            sample::passing(),
            sample::failing(),
            sample::hostile(),
            sample::with_load(),
            sample::with_checks(),
        ] {
            let text = render(&record);
            assert_eq!(render(&parse::<RunRecord>(&text).unwrap()), text);
            assert_eq!(kind(&text).unwrap(), Kind::Verify);
        }
        for record in [
            load::sample::measured(),
            load::sample::failing(),
            load::sample::hostile(),
        ] {
            let text = render(&record);
            assert_eq!(render(&parse::<LoadRecord>(&text).unwrap()), text);
            assert_eq!(kind(&text).unwrap(), Kind::Load);
        }
    }

    #[test]
    fn a_ci_runner_takes_nothing_in_it_for_a_command() {
        let text = render(&sample::with_checks());
        assert!(
            text.contains("#\\u0023vso[task.complete]") && !text.contains("##"),
            "{text}"
        );
    }

    #[test]
    fn the_form_of_the_file_does_not_change_by_accident() {
        insta::assert_snapshot!(render(&sample::failing()));
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        let text = render(&sample::passing());
        let unknown_case_field = text.replacen("\"title\"", "\"colour\": 1,\n\"title\"", 1);
        let beside_a_unit_variant = text.replacen(
            "\"outcome\": \"passed\"",
            "\"outcome\": \"passed\", \"reason\": \"x\"",
            1,
        );
        let without_row = text.replacen("\"row\": null,", "", 1);
        let told: Vec<String> = [
            "".to_owned(),
            "[]".to_owned(),
            "{\"run_id\": 1}".to_owned(),
            text.replacen("\"schema_version\": 3", "\"schema_version\": 2", 1),
            text.replacen("\"schema_version\": 3", "\"schema_version\": \"3\"", 1),
            text.replacen("\"run_id\"", "\"runid\"", 1),
            unknown_case_field,
            beside_a_unit_variant,
            without_row,
            text.replacen("\"elapsed_ms\": 2345", "\"elapsed_ms\": -1", 1),
        ]
        .iter()
        .map(|text| parse::<RunRecord>(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn a_load_record_is_read_as_strictly() {
        let text = render(&load::sample::measured());
        let inside = render(&sample::with_load()).replacen("\"load_version\": 1", "\"load_version\": 2", 1);
        let mut told: Vec<String> = [
            text.replacen("\"load_version\": 1", "\"load_version\": 2", 1),
            text.replacen("\"seed\"", "\"colour\": 1,\n\"seed\"", 1),
            text.replacen("\"bare_wait_p99\"", "\"bare_wait\"", 1),
            render(&sample::passing()),
        ]
        .iter()
        .map(|text| parse::<LoadRecord>(text).unwrap_err().to_string())
        .collect();
        told.push(parse::<RunRecord>(&inside).unwrap_err().to_string());
        told.push(kind("{}").unwrap_err().to_string());
        insta::assert_snapshot!(told.join("\n"));
    }
}
