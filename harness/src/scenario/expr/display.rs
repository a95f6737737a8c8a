//! Values as text: `display` for messages to people, `print` for texts with `${{ }}` in them.

use cel::{Value, objects::Key};

/// Characters of a displayed value; a longer one is cut.
const WIDEST: usize = 200;

/// A value for people: short, on one line, texts in quotes, maps in the order of their keys.
pub fn display(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    match out.char_indices().nth(WIDEST) {
        Some((at, _)) => format!("{}…", &out[..at]),
        None => out,
    }
}

fn write(value: &Value, out: &mut String) {
    if out.len() > 4 * WIDEST {
        return;
    }
    match value {
        Value::String(text) => quote(text, out),
        Value::Bytes(bytes) => out.push_str(&format!("{} bytes", bytes.len())),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate().take(WIDEST) {
                if at > 0 {
                    out.push_str(", ");
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries: Vec<(&Key, &Value)> = map.map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate().take(WIDEST) {
                if at > 0 {
                    out.push_str(", ");
                }
                out.push_str(&name(key));
                out.push_str(": ");
                write(value, out);
            }
            out.push('}');
        }
        Value::Null => out.push_str("null"),
        Value::Function(name, _) => out.push_str(name),
        Value::Opaque(_) | Value::Struct(_) => out.push_str("an opaque value"),
        other => out.push_str(&print(other).unwrap_or_default()),
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars().take(WIDEST) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn name(key: &Key) -> String {
    match key {
        Key::String(text) => text.to_string(),
        Key::Int(value) => value.to_string(),
        Key::Uint(value) => value.to_string(),
        Key::Bool(value) => value.to_string(),
    }
}

/// A value inside a text: texts as they are, numbers, booleans, durations as `1.5s`, timestamps as RFC 3339. A double that
/// is integral is printed without its `.0`. `None`: null, bytes, a list or a map have no place in a text.
pub fn print(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::UInt(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Duration(value) => Some(seconds(value)),
        Value::Timestamp(value) => Some(value.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        Value::Null | Value::Bytes(_) | Value::List(_) | Value::Map(_) => None,
        Value::Function(..) | Value::Opaque(_) | Value::Struct(_) => None,
    }
}

/// `1.5s`, exact to the nanosecond.
fn seconds(duration: &chrono::Duration) -> String {
    let sign = if *duration < chrono::Duration::zero() { "-" } else { "" };
    let (whole, nanos) = (
        duration.num_seconds().unsigned_abs(),
        duration.subsec_nanos().unsigned_abs(),
    );
    let fraction = format!("{nanos:09}");
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}s"),
        fraction => format!("{sign}{whole}.{fraction}s"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{collections::HashMap, sync::Arc};

    #[test]
    fn values_are_displayed_on_one_line() {
        let map: Value = HashMap::from([("b", 1i64), ("a", 2)]).into();
        assert_eq!(display(&map), "{a: 2, b: 1}");
        assert_eq!(display(&Value::from("a\"b\nc")), r#""a\"b\nc""#);
        assert_eq!(
            display(&Value::List(Arc::new(vec![Value::Null, Value::Float(1.0)]))),
            "[null, 1]"
        );
        assert_eq!(display(&Value::Bytes(Arc::new(vec![0; 3]))), "3 bytes");
        assert_eq!(display(&Value::from("x".repeat(1000))).chars().count(), WIDEST + 1);
    }

    #[test]
    fn values_inside_a_text_are_printed_plainly() {
        for (value, text) in [
            (Value::from("a b"), "a b"),
            (Value::Int(-3), "-3"),
            (Value::Float(10.0), "10"),
            (Value::Float(0.5), "0.5"),
            (Value::Bool(true), "true"),
            (Value::Duration(chrono::Duration::milliseconds(-1500)), "-1.5s"),
            (Value::Duration(chrono::Duration::seconds(2)), "2s"),
        ] {
            assert_eq!(print(&value).unwrap(), text);
        }
        assert_eq!(print(&Value::Null), None);
    }
}
