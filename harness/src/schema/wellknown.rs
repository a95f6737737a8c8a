//! The types of `google.protobuf` that stand for plain data: what they hold, and their texts in proto JSON.

use buffa_descriptor::reflect::{DynamicMessage, ReflectMessage};
use buffa_descriptor::{MapKey, Value};

/// The wrappers, without their package.
pub(super) const WRAPPERS: [&str; 9] = [
    "BoolValue",
    "Int32Value",
    "Int64Value",
    "UInt32Value",
    "UInt64Value",
    "FloatValue",
    "DoubleValue",
    "StringValue",
    "BytesValue",
];

/// A well-known message, read.
pub(super) enum Known<'a> {
    Timestamp { seconds: i64, nanos: u32 },
    Duration { seconds: i64, nanos: i32 },
    Wrapper(Value),
    Struct(Vec<(&'a str, &'a DynamicMessage)>),
    List(Vec<&'a DynamicMessage>),
    Null,
    Value(&'a Value),
    Any { type_url: &'a str, value: &'a [u8] },
    FieldMask(Vec<&'a str>),
}

/// What a message of a well-known type holds. `None` for every other type, and where its fields do not fit the name
/// (anyone may describe a `google.protobuf.Timestamp` of their own).
pub(super) fn read(message: &DynamicMessage) -> Option<Known<'_>> {
    let name = message
        .message_descriptor()
        .full_name()
        .strip_prefix("google.protobuf.")?;
    let known = match name {
        "Timestamp" => Known::Timestamp {
            seconds: int64(message, 1)?,
            nanos: u32::try_from(int32(message, 2)?).ok()?,
        },
        "Duration" => Known::Duration {
            seconds: int64(message, 1)?,
            nanos: int32(message, 2)?,
        },
        "BoolValue" => wrapper(message, Value::Bool(false)),
        "Int32Value" => wrapper(message, Value::I32(0)),
        "Int64Value" => wrapper(message, Value::I64(0)),
        "UInt32Value" => wrapper(message, Value::U32(0)),
        "UInt64Value" => wrapper(message, Value::U64(0)),
        "FloatValue" => wrapper(message, Value::F32(0.0)),
        "DoubleValue" => wrapper(message, Value::F64(0.0)),
        "StringValue" => wrapper(message, Value::String(String::new())),
        "BytesValue" => wrapper(message, Value::Bytes(Vec::new())),
        "Struct" => {
            let entries = match message.field_by_number(1) {
                Some(Value::Map(entries)) => entries.entries(),
                _ => &[],
            };
            let fields = entries.iter().filter_map(|(key, value)| match (key, value) {
                (MapKey::String(key), Value::Message(value)) => Some((key.as_str(), value)),
                _ => None,
            });
            Known::Struct(fields.collect())
        }
        "ListValue" => {
            let items = match message.field_by_number(1) {
                Some(Value::List(items)) => items.as_slice(),
                _ => &[],
            };
            Known::List(items.iter().filter_map(as_message).collect())
        }
        "Value" => match (2..=6).find_map(|number| message.field_by_number(number)) {
            Some(value) => Known::Value(value),
            None => Known::Null,
        },
        "Any" => Known::Any {
            type_url: match message.field_by_number(1) {
                Some(Value::String(url)) => url,
                _ => "",
            },
            value: match message.field_by_number(2) {
                Some(Value::Bytes(bytes)) => bytes,
                _ => &[],
            },
        },
        "FieldMask" => {
            let paths = match message.field_by_number(1) {
                Some(Value::List(paths)) => paths.as_slice(),
                _ => &[],
            };
            Known::FieldMask(paths.iter().filter_map(as_text).collect())
        }
        _ => return None,
    };
    Some(known)
}

fn wrapper<'a>(message: &DynamicMessage, default: Value) -> Known<'a> {
    Known::Wrapper(message.field_by_number(1).cloned().unwrap_or(default))
}

fn as_message(value: &Value) -> Option<&DynamicMessage> {
    match value {
        Value::Message(message) => Some(message),
        _ => None,
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn int64(message: &DynamicMessage, number: u32) -> Option<i64> {
    match message.field_by_number(number) {
        None => Some(0),
        Some(Value::I64(value)) => Some(*value),
        Some(_) => None,
    }
}

fn int32(message: &DynamicMessage, number: u32) -> Option<i32> {
    match message.field_by_number(number) {
        None => Some(0),
        Some(Value::I32(value)) => Some(*value),
        Some(_) => None,
    }
}

/// `None` outside of what chrono holds, or for a fraction of a second of the other sign.
pub(super) fn chrono_duration(seconds: i64, nanos: i32) -> Option<chrono::Duration> {
    chrono::Duration::try_seconds(seconds)?.checked_add(&chrono::Duration::nanoseconds(nanos.into()))
}

/// RFC 3339 in UTC with 0, 3, 6 or 9 digits, for the years 1 to 9999.
pub(super) fn timestamp_text(seconds: i64, nanos: u32) -> Option<String> {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    if !(FIRST..=LAST).contains(&seconds) || nanos > 999_999_999 {
        return None;
    }
    let instant = chrono::DateTime::from_timestamp(seconds, nanos)?;
    Some(format!("{}{}Z", instant.format("%Y-%m-%dT%H:%M:%S"), fraction(nanos)))
}

/// Seconds with 0, 3, 6 or 9 digits and `s`, within 10,000 years.
pub(super) fn duration_text(seconds: i64, nanos: i32) -> Option<String> {
    const LAST: u64 = 315_576_000_000;
    let signs_agree = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0);
    if seconds.unsigned_abs() > LAST || nanos.unsigned_abs() > 999_999_999 || !signs_agree {
        return None;
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    Some(format!(
        "{sign}{}{}s",
        seconds.unsigned_abs(),
        fraction(nanos.unsigned_abs())
    ))
}

fn fraction(nanos: u32) -> String {
    match nanos {
        0 => String::new(),
        n if n % 1_000_000 == 0 => format!(".{:03}", n / 1_000_000),
        n if n % 1_000 == 0 => format!(".{:06}", n / 1_000),
        n => format!(".{n:09}"),
    }
}

/// Seconds and nanoseconds of an RFC 3339 text.
pub(super) fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let instant = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some((
        instant.timestamp(),
        i32::try_from(instant.timestamp_subsec_nanos()).ok()?,
    ))
}

/// Seconds and nanoseconds of `1.5s`, both with the sign of the whole.
pub(super) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let number = text.strip_suffix('s')?;
    let (negative, digits) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let nanos: i32 = format!("{fraction:0<9}").parse().ok()?;
    Some(if negative { (-seconds, -nanos) } else { (seconds, nanos) })
}
