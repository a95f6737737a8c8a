//! `run.json`: the record as text. The only render that is read back. Pure.

use crate::verify::record::{RunRecord, SCHEMA_VERSION};
use serde::Deserialize;
use serde_json::Value;

/// Why a text is not a record.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or without a version.
    #[error("this is not the record of a run: {0}")]
    NotARecord(String),
    /// Of another stocktake.
    #[error(
        "the record has schema version {found}, this stocktake reads version {SCHEMA_VERSION}; use the stocktake that wrote it (`host.stocktake` in the file names its version)"
    )]
    Version {
        /// What the file says.
        found: u64,
    },
    /// A field that is missing, of another type or unknown.
    #[error("the record does not have the form of schema version {SCHEMA_VERSION}: {0}")]
    Form(String),
}

/// Pretty, with a final newline; the same record gives the same bytes.
pub fn render(record: &RunRecord) -> String {
    // A record is structs, lists and numbers: serde_json has no reason to fail on it. If that ever changes, the text
    // is one that `parse` refuses, and the test below fails.
    serde_json::to_string_pretty(record).unwrap_or_else(|error| format!("{{ \"error\": \"{error}\" }}")) + "\n"
}

/// The record in a text. Nothing is guessed: another version or a field that is not known is refused.
pub fn parse(text: &str) -> Result<RunRecord, JsonError> {
    #[derive(Deserialize)]
    struct Versioned {
        schema_version: u64,
    }
    let versioned: Versioned = serde_json::from_str(text).map_err(|error| JsonError::NotARecord(error.to_string()))?;
    if versioned.schema_version != u64::from(SCHEMA_VERSION) {
        return Err(JsonError::Version {
            found: versioned.schema_version,
        });
    }
    let form = |error: serde_json::Error| JsonError::Form(error.to_string());
    let record: RunRecord = serde_json::from_str(text).map_err(form)?;
    // serde looks away from unknown fields beside a unit variant, and an optional field may be left out. What would
    // be lost on the way back is refused here.
    let written: Value = serde_json::from_str(text).map_err(form)?;
    let understood = serde_json::to_value(&record).map_err(form)?;
    match difference(&written, &understood) {
        Some(path) => Err(JsonError::Form(format!("`{path}` is not known here, or missing"))),
        None => Ok(record),
    }
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
    use crate::report::sample;

    #[test]
    fn reads_back_what_it_wrote_byte_for_byte() {
        for record in [sample::passing(), sample::failing(), sample::hostile()] {
            let text = render(&record);
            assert_eq!(render(&parse(&text).unwrap()), text);
        }
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
            text.replacen("\"schema_version\": 2", "\"schema_version\": 1", 1),
            text.replacen("\"run_id\"", "\"runid\"", 1),
            unknown_case_field,
            beside_a_unit_variant,
            without_row,
            text.replacen("\"elapsed_ms\": 2345", "\"elapsed_ms\": -1", 1),
        ]
        .iter()
        .map(|text| parse(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
