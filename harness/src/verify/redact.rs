//! What differs from run to run and from target to target without meaning anything: taken out of an answer before it is
//! compared or stored. Pure.

use regex::Regex;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Longer lists and texts are told by their size.
const LONGEST_LIST: usize = 50;
/// See [`LONGEST_LIST`]; characters.
const LONGEST_TEXT: usize = 400;

static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").ok());
/// `google.protobuf.Duration` in JSON.
static DURATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^-?[0-9]+(\.[0-9]+)?s$").ok());
static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("[0-9]+").ok());

/// What one case has learned of its names.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    run_id: String,
    /// Ids that answers gave, in order.
    ids: Vec<String>,
}

impl Redactor {
    /// Knows the id in every name that the case writes.
    pub fn new(run_id: &str) -> Redactor {
        Redactor {
            run_id: run_id.to_owned(),
            ids: Vec::new(),
        }
    }

    /// Takes note of ids: what stands in a field `id`, `…_id` or `…Id`, lists aside.
    pub fn learn(&mut self, value: &Value) {
        let Value::Object(fields) = value else { return };
        for (key, value) in fields {
            match value {
                Value::String(id) if names_an_id(key) && id.len() > 1 && !self.ids.contains(id) => {
                    self.ids.push(id.clone());
                }
                Value::Object(_) => self.learn(value),
                _ => {}
            }
        }
    }

    /// Whether a text names something that this case made or was told of.
    pub fn is_own(&self, text: &str) -> bool {
        let named = |name: &String| !name.is_empty() && text.contains(name.as_str());
        named(&self.run_id) || self.ids.iter().any(named)
    }

    /// The value with `[run]`, `[id 1]`, `[uuid]`, `[time]` and `[duration]` in place of what they name; with `numbers` false
    /// numbers too, as `[n]`. The fields of an object are in the order of their names.
    pub fn value(&self, value: &Value, numbers: bool) -> Value {
        self.field("", value, numbers)
    }

    fn field(&self, key: &str, value: &Value, numbers: bool) -> Value {
        match value {
            Value::String(_) | Value::Number(_) if names_a_time(key) => json!("[time]"),
            Value::String(_) | Value::Number(_) if names_a_duration(key) => json!("[duration]"),
            Value::String(text) => {
                let number = !numbers && !text.is_empty() && text.parse::<f64>().is_ok();
                if number { json!("[n]") } else { json!(self.text(text)) }
            }
            Value::Number(_) if !numbers => json!("[n]"),
            Value::Array(items) if items.len() > LONGEST_LIST => json!(format!("[{} items]", items.len())),
            Value::Array(items) => items.iter().map(|item| self.field(key, item, numbers)).collect(),
            Value::Object(fields) => {
                let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                let redacted = |(key, value): (&String, &Value)| (key.clone(), self.field(key, value, numbers));
                Value::Object(sorted.into_iter().map(redacted).collect::<Map<_, _>>())
            }
            other => other.clone(),
        }
    }

    /// The same for a text.
    pub fn text(&self, text: &str) -> String {
        if chrono::DateTime::parse_from_rfc3339(text).is_ok() {
            return "[time]".to_owned();
        }
        if DURATION.as_ref().is_some_and(|form| form.is_match(text)) {
            return "[duration]".to_owned();
        }
        if let Some(at) = self.ids.iter().position(|id| id == text) {
            return format!("[id {}]", at + 1);
        }
        let mut shown = text.to_owned();
        // Short ids, such as `7`, stand in other texts by chance.
        for (at, id) in self.ids.iter().enumerate().filter(|(_, id)| id.len() >= 6) {
            shown = shown.replace(id.as_str(), &format!("[id {}]", at + 1));
        }
        if !self.run_id.is_empty() {
            shown = shown.replace(&self.run_id, "[run]");
        }
        if let Some(uuid) = UUID.as_ref() {
            shown = uuid.replace_all(&shown, "[uuid]").into_owned();
        }
        let length = shown.chars().count();
        if length > LONGEST_TEXT {
            return format!("[{length} characters]");
        }
        shown
    }

    /// A status message: numbers in it, such as a measured time, become `#`.
    pub fn message(&self, text: &str) -> String {
        let text = self.text(text);
        match DIGITS.as_ref() {
            Some(digits) => digits.replace_all(&text, "#").into_owned(),
            None => text,
        }
    }
}

/// What a value is, and not which: of an answer about things that others change too.
pub fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            let kinds = sorted.into_iter().map(|(key, value)| (key.clone(), json!(kind(value))));
            Value::Object(kinds.collect())
        }
        other => json!(kind(other)),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "[null]",
        Value::Bool(_) => "[bool]",
        Value::Number(_) => "[number]",
        Value::String(_) => "[text]",
        Value::Array(_) => "[list]",
        Value::Object(_) => "[message]",
    }
}

fn names_an_id(key: &str) -> bool {
    matches!(key, "id" | "uid" | "uuid") || key.ends_with("_id") || key.ends_with("Id")
}

fn names_a_time(key: &str) -> bool {
    key == "timestamp"
        || ["_at", "At", "_time", "Time", "_timestamp", "Timestamp"]
            .iter()
            .any(|end| key.ends_with(end))
}

fn names_a_duration(key: &str) -> bool {
    matches!(key, "elapsed" | "took" | "duration" | "latency")
        || ["_ms", "Ms", "_duration", "Duration", "_elapsed"]
            .iter()
            .any(|end| key.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_becomes_what_it_is() {
        let mut redactor = Redactor::new("abc");
        let answer = json!({
            "sku": "st-abc-1", "id": "p-1234567", "created_at": "2026-11-22T10:00:00Z", "n": 5, "big": "9007199254740993",
            "other": "0e4b6a3e-6d5c-4b1e-9a3d-0123456789ab", "ttl": "1.5s", "took_ms": 12, "note": "about p-1234567",
            "inner": { "z": "2026-11-22T10:00:00.5+01:00", "a": [1, "st-abc"] }
        });
        redactor.learn(&answer);
        assert_eq!(
            redactor.value(&answer, true).to_string(),
            r#"{"big":"9007199254740993","created_at":"[time]","id":"[id 1]","inner":{"a":[1,"st-[run]"],"z":"[time]"},"n":5,"note":"about [id 1]","other":"[uuid]","sku":"st-[run]-1","took_ms":"[duration]","ttl":"[duration]"}"#
        );
        let without = redactor.value(&answer, false);
        assert_eq!((&without["n"], &without["big"]), (&json!("[n]"), &json!("[n]")));
        assert!(redactor.is_own("get p-1234567") && redactor.is_own("st-abc") && !redactor.is_own("all"));
        assert_eq!(
            redactor.message("no p-1234567 after 101.3 ms"),
            "no [id #] after #.# ms"
        );
    }

    #[test]
    fn long_things_are_told_by_their_size() {
        let redactor = Redactor::new("abc");
        let long = json!({ "list": vec![1; 51], "text": "x".repeat(401) });
        assert_eq!(
            redactor.value(&long, true),
            json!({ "list": "[51 items]", "text": "[401 characters]" })
        );
    }

    #[test]
    fn a_shape_tells_kinds_alone() {
        let value = json!({ "total": 9, "products": [{ "id": "x" }], "next": "", "of": {}, "yes": true, "no": null });
        assert_eq!(
            shape(&value),
            json!({ "next": "[text]", "no": "[null]", "of": "[message]", "products": "[list]", "total": "[number]", "yes": "[bool]" })
        );
    }
}
