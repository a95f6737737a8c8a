//! Messages as CEL values, as JSON and as text. Well-known types become the data they stand for.

use super::Scalar;
use super::dynamic::has_presence;
use super::wellknown::{self, Known};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use buffa_descriptor::reflect::{DynamicMessage, ReflectMessage};
use buffa_descriptor::{FieldDescriptor, FieldKind, MapKey, SingularKind, Value};
use cel::objects::{Key, Map};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// An `Any` in an `Any` starts its decoder's own limit anew, so that only this bounds the nesting.
const MAX_DEPTH: usize = 100;

/// Integers up to here are exact in every JSON reader.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// The fields of a message: declared ones in order, then set extensions under `[full.name]`.
fn each_field<'a>(message: &'a DynamicMessage, visit: &mut dyn FnMut(&str, &'a FieldDescriptor, Option<&'a Value>)) {
    let descriptor = message.message_descriptor();
    for field in descriptor.fields() {
        let value = message.field_by_number(field.number()).filter(|_| message.has(field));
        visit(field.name(), field, value);
    }
    for extension in message.pool().extensions_of(message.message_index()) {
        if let Some(value) = message.field_by_number(extension.field().number()) {
            visit(&format!("[{}]", extension.full_name()), extension.field(), Some(value));
        }
    }
}

pub(super) fn to_cel(message: &DynamicMessage, depth: usize) -> cel::Value {
    match wellknown::read(message) {
        Some(Known::Timestamp { seconds, nanos }) => {
            if let Some(instant) = chrono::DateTime::from_timestamp(seconds, nanos) {
                return cel::Value::Timestamp(instant.fixed_offset());
            }
        }
        Some(Known::Duration { seconds, nanos }) => {
            if let Some(duration) = wellknown::chrono_duration(seconds, nanos) {
                return cel::Value::Duration(duration);
            }
        }
        Some(Known::Wrapper(value)) => return cel_scalar(&value),
        Some(Known::Struct(fields)) => {
            return cel_map(
                fields
                    .into_iter()
                    .map(|(name, value)| (name.into(), to_cel(value, depth + 1))),
            );
        }
        Some(Known::List(items)) => {
            return cel::Value::List(Arc::new(
                items.into_iter().map(|item| to_cel(item, depth + 1)).collect(),
            ));
        }
        Some(Known::Null) => return cel::Value::Null,
        Some(Known::Value(value)) => {
            return match value {
                Value::Message(inner) => to_cel(inner, depth + 1),
                scalar => cel_scalar(scalar),
            };
        }
        Some(Known::Any { type_url, value }) => return cel_any(message, type_url, value, depth),
        Some(Known::FieldMask(_)) | None => {}
    }
    let mut fields = HashMap::new();
    each_field(message, &mut |name, field, value| {
        let rendered = match value {
            Some(value) => cel_value(message, field.kind(), value, depth),
            None if has_presence(field) => return,
            None => cel_default(message, field.kind()),
        };
        fields.insert(Key::from(name), rendered);
    });
    cel::Value::Map(Map { map: Arc::new(fields) })
}

fn cel_any(message: &DynamicMessage, type_url: &str, value: &[u8], depth: usize) -> cel::Value {
    let url = cel::Value::from(type_url);
    match unpack(message, depth).map(|(inner, nested)| (to_cel(&inner, depth + 1), nested)) {
        Some((cel::Value::Map(fields), false)) => {
            let mut all = HashMap::clone(&fields.map);
            all.insert(Key::from("type_url"), url);
            cel::Value::Map(Map { map: Arc::new(all) })
        }
        Some((data, _)) => cel_map([("type_url".into(), url), ("value".into(), data)]),
        None => cel_map([
            ("type_url".into(), url),
            ("value".into(), cel::Value::Bytes(Arc::new(value.to_vec()))),
        ]),
    }
}

/// The message in an `Any`, and whether it goes under `value` instead of beside the type, as proto JSON has it for
/// well-known types.
fn unpack(any: &DynamicMessage, depth: usize) -> Option<(DynamicMessage, bool)> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let inner = any.unpack_any().ok()?;
    let nested = wellknown::read(&inner).is_some();
    Some((inner, nested))
}

fn cel_map(entries: impl IntoIterator<Item = (Key, cel::Value)>) -> cel::Value {
    cel::Value::Map(Map {
        map: Arc::new(entries.into_iter().collect()),
    })
}

fn cel_value(message: &DynamicMessage, kind: FieldKind, value: &Value, depth: usize) -> cel::Value {
    let element = match kind {
        FieldKind::Singular(kind) | FieldKind::List(kind) | FieldKind::Map { value: kind, .. } => kind,
    };
    match value {
        Value::List(items) => {
            let items = items
                .iter()
                .map(|item| cel_element(message, element, item, depth))
                .collect();
            cel::Value::List(Arc::new(items))
        }
        Value::Map(entries) => cel_map(
            entries
                .iter()
                .map(|(key, item)| (cel_key(key), cel_element(message, element, item, depth))),
        ),
        single => cel_element(message, element, single, depth),
    }
}

fn cel_element(message: &DynamicMessage, kind: SingularKind, value: &Value, depth: usize) -> cel::Value {
    match value {
        Value::Message(inner) => to_cel(inner, depth + 1),
        Value::EnumNumber(number) => match enum_name(message, kind, *number) {
            Some(name) => cel::Value::from(name),
            None => cel::Value::Int((*number).into()),
        },
        scalar => cel_scalar(scalar),
    }
}

fn cel_scalar(value: &Value) -> cel::Value {
    match value {
        Value::Bool(v) => cel::Value::Bool(*v),
        Value::I32(v) | Value::EnumNumber(v) => cel::Value::Int((*v).into()),
        Value::I64(v) => cel::Value::Int(*v),
        Value::U32(v) => cel::Value::UInt((*v).into()),
        Value::U64(v) => cel::Value::UInt(*v),
        Value::F32(v) => cel::Value::Float(widen(*v)),
        Value::F64(v) => cel::Value::Float(*v),
        Value::String(v) => cel::Value::from(v.as_str()),
        Value::Bytes(v) => cel::Value::Bytes(Arc::new(v.clone())),
        Value::Message(_) | Value::List(_) | Value::Map(_) => cel::Value::Null,
    }
}

fn cel_key(key: &MapKey) -> Key {
    match key {
        MapKey::Bool(v) => Key::Bool(*v),
        MapKey::I32(v) => Key::Int((*v).into()),
        MapKey::I64(v) => Key::Int(*v),
        MapKey::U32(v) => Key::Uint((*v).into()),
        MapKey::U64(v) => Key::Uint(*v),
        MapKey::String(v) => Key::from(v.as_str()),
    }
}

fn cel_default(message: &DynamicMessage, kind: FieldKind) -> cel::Value {
    match kind {
        FieldKind::List(_) => cel::Value::List(Arc::default()),
        FieldKind::Map { .. } => cel_map([]),
        FieldKind::Singular(SingularKind::Scalar(scalar)) => match Scalar::of(scalar) {
            Scalar::Bool => cel::Value::Bool(false),
            Scalar::Int32 | Scalar::Int64 => cel::Value::Int(0),
            Scalar::Uint32 | Scalar::Uint64 => cel::Value::UInt(0),
            Scalar::Float | Scalar::Double => cel::Value::Float(0.0),
            Scalar::String => cel::Value::from(""),
            Scalar::Bytes => cel::Value::Bytes(Arc::default()),
        },
        FieldKind::Singular(kind @ SingularKind::Enum(_)) => match enum_name(message, kind, 0) {
            Some(name) => cel::Value::from(name),
            None => cel::Value::Int(0),
        },
        FieldKind::Singular(SingularKind::Message(_)) => cel::Value::Null,
    }
}

/// As JSON; longer texts than `most` characters are cut.
pub(super) fn to_json(message: &DynamicMessage, most: usize, depth: usize) -> Json {
    match wellknown::read(message) {
        Some(Known::Timestamp { seconds, nanos }) => {
            if let Some(text) = wellknown::timestamp_text(seconds, nanos) {
                return Json::String(text);
            }
        }
        Some(Known::Duration { seconds, nanos }) => {
            if let Some(text) = wellknown::duration_text(seconds, nanos) {
                return Json::String(text);
            }
        }
        Some(Known::Wrapper(value)) => return json_scalar(&value, most),
        Some(Known::Struct(fields)) => {
            let fields = fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), to_json(value, most, depth + 1)));
            return Json::Object(fields.collect());
        }
        Some(Known::List(items)) => return items.into_iter().map(|item| to_json(item, most, depth + 1)).collect(),
        Some(Known::Null) => return Json::Null,
        Some(Known::Value(value)) => {
            return match value {
                Value::Message(inner) => to_json(inner, most, depth + 1),
                scalar => json_scalar(scalar, most),
            };
        }
        Some(Known::Any { type_url, value }) => return json_any(message, type_url, value, most, depth),
        Some(Known::FieldMask(paths)) => return shown(paths.join(",").into(), most),
        None => {}
    }
    let mut fields = serde_json::Map::new();
    each_field(message, &mut |name, field, value| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), json_value(message, field.kind(), value, most, depth));
        }
    });
    Json::Object(fields)
}

fn json_any(message: &DynamicMessage, type_url: &str, value: &[u8], most: usize, depth: usize) -> Json {
    let mut all = serde_json::Map::new();
    all.insert("@type".to_owned(), Json::from(type_url));
    match unpack(message, depth).map(|(inner, nested)| (to_json(&inner, most, depth + 1), nested)) {
        Some((Json::Object(fields), false)) => all.extend(fields),
        Some((data, _)) => {
            all.insert("value".to_owned(), data);
        }
        None => {
            all.insert("value".to_owned(), shown(BASE64.encode(value).into(), most));
        }
    }
    Json::Object(all)
}

fn json_value(message: &DynamicMessage, kind: FieldKind, value: &Value, most: usize, depth: usize) -> Json {
    let element = match kind {
        FieldKind::Singular(kind) | FieldKind::List(kind) | FieldKind::Map { value: kind, .. } => kind,
    };
    match value {
        Value::List(items) => items
            .iter()
            .map(|item| json_element(message, element, item, most, depth))
            .collect(),
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, item)| (key_text(key), json_element(message, element, item, most, depth)));
            Json::Object(entries.collect())
        }
        single => json_element(message, element, single, most, depth),
    }
}

fn json_element(message: &DynamicMessage, kind: SingularKind, value: &Value, most: usize, depth: usize) -> Json {
    match value {
        Value::Message(inner) => to_json(inner, most, depth + 1),
        Value::EnumNumber(number) => match enum_name(message, kind, *number) {
            Some(name) => Json::from(name),
            None => Json::from(*number),
        },
        scalar => json_scalar(scalar, most),
    }
}

fn json_scalar(value: &Value, most: usize) -> Json {
    match value {
        Value::Bool(v) => Json::Bool(*v),
        Value::I32(v) | Value::EnumNumber(v) => Json::from(*v),
        Value::I64(v) if v.unsigned_abs() <= MAX_SAFE_INTEGER => Json::from(*v),
        Value::I64(v) => Json::String(v.to_string()),
        Value::U32(v) => Json::from(*v),
        Value::U64(v) if *v <= MAX_SAFE_INTEGER => Json::from(*v),
        Value::U64(v) => Json::String(v.to_string()),
        Value::F32(v) => json_double(widen(*v)),
        Value::F64(v) => json_double(*v),
        Value::String(v) => shown(v.as_str().into(), most),
        Value::Bytes(v) => shown(BASE64.encode(v).into(), most),
        Value::Message(_) | Value::List(_) | Value::Map(_) => Json::Null,
    }
}

/// Whole doubles as whole numbers, `10` and not `10.0`, as the canonical JSON writers do.
fn json_double(value: f64) -> Json {
    if value.is_nan() {
        return Json::from("NaN");
    }
    if value.is_infinite() {
        return Json::from(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let negative_zero = value == 0.0 && value.is_sign_negative();
    if value.fract() == 0.0 && value.abs() <= MAX_SAFE_INTEGER as f64 && !negative_zero {
        return Json::from(value as i64);
    }
    Json::from(value)
}

/// A float as the double that reads the same: 0.1 stays 0.1.
fn widen(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

fn key_text(key: &MapKey) -> String {
    match key {
        MapKey::Bool(v) => v.to_string(),
        MapKey::I32(v) => v.to_string(),
        MapKey::I64(v) => v.to_string(),
        MapKey::U32(v) => v.to_string(),
        MapKey::U64(v) => v.to_string(),
        MapKey::String(v) => v.clone(),
    }
}

fn enum_name(message: &DynamicMessage, kind: SingularKind, number: i32) -> Option<&str> {
    let SingularKind::Enum(index) = kind else { return None };
    message
        .pool()
        .enumeration(index)
        .value(number)
        .map(|value| value.name())
}

/// A text; of a long one its first `most` characters and its size.
fn shown(text: Cow<'_, str>, most: usize) -> Json {
    // A text of so many bytes has no more characters.
    let cut = (text.len() > most).then(|| text.char_indices().nth(most)).flatten();
    Json::String(match cut {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.into_owned(),
    })
}

/// JSON in one line, as scenarios write it: keys without quotes where they need none.
pub(super) fn to_text(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(to_text).collect::<Vec<_>>().join(", ")),
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| {
                let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                let key = if plain {
                    name.clone()
                } else {
                    Json::String(name.clone()).to_string()
                };
                format!("{key}: {}", to_text(value))
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}
