//! Approved answers: one JSON file, `{"version": 1, "snapshots": {"<case>/<name>": <response>}}`. What changes from run to
//! run is redacted before it is stored or compared.

use serde_json::{Map, Value, json};
use std::sync::{LazyLock, Mutex, PoisonError};

/// The version of the file.
const VERSION: u64 = 1;

/// The approved answers of a file, and those of this run.
#[derive(Debug)]
pub struct Snapshots {
    approved: Map<String, Value>,
    accept: bool,
    seen: Mutex<Map<String, Value>>,
}

impl Snapshots {
    /// From the text of the file; `None` when there is none yet. With `accept` nothing is compared.
    ///
    /// # Errors
    /// A sentence when the text is no such file.
    pub fn read(text: Option<&str>, accept: bool) -> Result<Snapshots, String> {
        let approved = match text {
            None => Map::new(),
            Some(text) => {
                let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
                if value.get("version").and_then(Value::as_u64) != Some(VERSION) {
                    return Err(format!("the version is not {VERSION}: write it anew with --accept"));
                }
                value
                    .get("snapshots")
                    .and_then(Value::as_object)
                    .cloned()
                    .ok_or("it has no `snapshots`")?
            }
        };
        Ok(Snapshots {
            approved,
            accept,
            seen: Mutex::default(),
        })
    }

    /// Compares an answer with the approved one; the lines that differ, or nothing.
    pub fn compare(&self, key: &str, response: &Value, run_id: &str) -> Vec<(String, String)> {
        let redacted = redact(response, run_id);
        let approved = self.approved.get(key).cloned();
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key.to_owned(), redacted.clone());
        if self.accept {
            return Vec::new();
        }
        match approved {
            Some(approved) if approved == redacted => Vec::new(),
            Some(approved) => vec![
                ("want".into(), approved.to_string()),
                ("got".into(), redacted.to_string()),
            ],
            None => vec![(
                "missing".into(),
                "no approved answer has this name; --accept writes it".into(),
            )],
        }
    }

    /// The file to write with `--accept`: the approved answers with those of this run over them.
    pub fn file(&self) -> String {
        let mut all = self.approved.clone();
        all.extend(self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone());
        all.sort_keys();
        format!("{:#}\n", json!({ "version": VERSION, "snapshots": all }))
    }

    /// Whether this run approves its answers.
    pub fn accepts(&self) -> bool {
        self.accept
    }
}

/// RFC 3339 instants become `[time]`, UUIDs `[uuid]`, the run's id `[run]`.
fn redact(value: &Value, run_id: &str) -> Value {
    static UUID: LazyLock<Option<regex::Regex>> =
        LazyLock::new(|| regex::Regex::new("(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").ok());
    match value {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => json!("[time]"),
        Value::String(text) => {
            let text = text.replace(run_id, "[run]");
            json!(
                UUID.as_ref()
                    .map_or(text.clone(), |uuid| uuid.replace_all(&text, "[uuid]").into_owned())
            )
        }
        Value::Array(items) => items.iter().map(|item| redact(item, run_id)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), redact(value, run_id)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_is_redacted() {
        let answer = json!({
            "id": "0e4b6a3e-6d5c-4b1e-9a3d-0123456789ab", "sku": "st-abc-1", "created_at": "2026-11-22T10:00:00Z", "n": 5
        });
        let accepting = Snapshots::read(None, true).unwrap();
        assert!(accepting.compare("case/name", &answer, "abc").is_empty());
        let file = accepting.file();
        assert!(
            file.contains(r#""sku": "st-[run]-1""#) && file.contains("[uuid]") && file.contains("[time]"),
            "{file}"
        );

        let comparing = Snapshots::read(Some(&file), false).unwrap();
        let again = json!({
            "id": "1e4b6a3e-6d5c-4b1e-9a3d-0123456789ab", "sku": "st-xyz-1", "created_at": "2027-01-01T10:00:00+01:00", "n": 5
        });
        assert!(comparing.compare("case/name", &again, "xyz").is_empty());
        assert_eq!(comparing.compare("case/name", &json!({ "n": 6 }), "xyz").len(), 2);
        assert_eq!(comparing.compare("case/other", &answer, "abc")[0].0, "missing");
    }

    #[test]
    fn another_version_is_refused() {
        let error = Snapshots::read(Some(r#"{"version": 2, "snapshots": {}}"#), false).unwrap_err();
        assert!(error.contains("version"), "{error}");
    }
}
