//! One piece of data into one scalar, or the sentence that says why not.

use super::{Scalar, wellknown};
use crate::scenario::data::{Data, DataNode};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use buffa::editions::EnumType;
use buffa_descriptor::{EnumDescriptor, MapKey, ScalarType, Value};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The value of a field called `name`.
pub(super) fn scalar(name: &str, ty: ScalarType, data: &Data) -> Result<Value, String> {
    let kind = Scalar::of(ty);
    match kind {
        Scalar::Bool => boolean(name, data).map(Value::Bool),
        Scalar::Int32 => integer(name, kind, data, i32::MIN.into(), i32::MAX.into()).map(|v| Value::I32(v as i32)),
        Scalar::Int64 => integer(name, kind, data, i64::MIN.into(), i64::MAX.into()).map(|v| Value::I64(v as i64)),
        Scalar::Uint32 => integer(name, kind, data, 0, u32::MAX.into()).map(|v| Value::U32(v as u32)),
        Scalar::Uint64 => integer(name, kind, data, 0, u64::MAX.into()).map(|v| Value::U64(v as u64)),
        Scalar::Float => {
            let value = double(name, kind, data)?;
            let float = value as f32;
            if float.is_infinite() && value.is_finite() {
                return Err(format!("{value} is out of range for `{name}`, a float"));
            }
            Ok(Value::F32(float))
        }
        Scalar::Double => double(name, kind, data).map(Value::F64),
        Scalar::String => text(name, data).map(Value::String),
        Scalar::Bytes => bytes(name, data).map(Value::Bytes),
    }
}

/// An enum by name or number.
pub(super) fn enumeration(
    name: &str,
    ty: &EnumDescriptor,
    openness: Option<EnumType>,
    data: &Data,
) -> Result<Value, String> {
    let closed = openness.unwrap_or_else(|| ty.enum_type()) == EnumType::Closed;
    match &data.node {
        DataNode::Str(text) => match ty.value_by_name(text) {
            Some(value) => Ok(Value::EnumNumber(value.number())),
            None if is_number(text) => Err(remove_quotes(name, ty.full_name(), text, data)),
            None => {
                let names = ty.values().iter().map(|value| value.name());
                Err(match nearest(text, names.clone()) {
                    Some(near) => format!("no value `{text}` in {}; did you mean `{near}`?", ty.full_name()),
                    None => {
                        let names: Vec<String> = names.take(12).map(|n| format!("`{n}`")).collect();
                        format!("no value `{text}` in {}: it has {}", ty.full_name(), names.join(", "))
                    }
                })
            }
        },
        DataNode::Int(number) => {
            let number = i32::try_from(*number)
                .map_err(|_| format!("{number} is out of range for `{name}`, the enum {}", ty.full_name()))?;
            if closed && ty.value(number).is_none() {
                return Err(format!("no value {number} in {}, a closed enum", ty.full_name()));
            }
            Ok(Value::EnumNumber(number))
        }
        _ => Err(format!(
            "`{name}` is the enum {}, {} is not: write one of its names",
            ty.full_name(),
            describe(data)
        )),
    }
}

/// A map key; YAML has them as text.
pub(super) fn map_key(ty: ScalarType, text: &str) -> Result<MapKey, String> {
    let kind = Scalar::of(ty);
    let key = match kind {
        Scalar::String => Some(MapKey::String(text.to_owned())),
        Scalar::Bool => text.parse().ok().map(MapKey::Bool),
        Scalar::Int32 => text.parse().ok().map(MapKey::I32),
        Scalar::Int64 => text.parse().ok().map(MapKey::I64),
        Scalar::Uint32 => text.parse().ok().map(MapKey::U32),
        Scalar::Uint64 => text.parse().ok().map(MapKey::U64),
        Scalar::Float | Scalar::Double | Scalar::Bytes => None,
    };
    key.ok_or_else(|| format!("the key `{text}` is no {}", kind.name()))
}

/// Seconds and nanoseconds of an instant.
pub(super) fn timestamp(data: &Data) -> Result<(i64, i32), String> {
    match &data.node {
        DataNode::Timestamp(nanos) => Ok((
            nanos.div_euclid(1_000_000_000),
            i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
        )),
        DataNode::Str(text) => wellknown::parse_timestamp(text)
            .ok_or_else(|| format!("{text:?} is no RFC 3339 time, such as \"2026-11-22T09:30:00Z\"")),
        _ => Err(format!(
            "{} is no time: write RFC 3339, such as \"2026-11-22T09:30:00Z\"",
            describe(data)
        )),
    }
}

/// Seconds and nanoseconds of a duration.
pub(super) fn duration(data: &Data) -> Result<(i64, i32), String> {
    match &data.node {
        DataNode::Duration(nanos) => Ok((nanos / 1_000_000_000, i32::try_from(nanos % 1_000_000_000).unwrap_or(0))),
        DataNode::Str(text) => wellknown::parse_duration(text)
            .ok_or_else(|| format!("{text:?} is no duration in seconds, such as \"1.5s\"")),
        _ => Err(format!(
            "{} is no duration: write seconds, such as \"1.5s\"",
            describe(data)
        )),
    }
}

fn boolean(name: &str, data: &Data) -> Result<bool, String> {
    match &data.node {
        DataNode::Bool(value) => Ok(*value),
        DataNode::Str(text) if matches!(text.as_str(), "true" | "false") => {
            Err(remove_quotes(name, "bool", text, data))
        }
        _ => Err(format!(
            "`{name}` is bool, {} is not: write true or false",
            describe(data)
        )),
    }
}

fn integer(name: &str, kind: Scalar, data: &Data, min: i128, max: i128) -> Result<i128, String> {
    let value = match &data.node {
        DataNode::Int(value) => *value,
        // CEL computes in doubles where one side is a double; a literal must be written as it is meant.
        DataNode::Float(value) if data.computed && value.fract() == 0.0 && value.abs() < 2f64.powi(63) => {
            *value as i128
        }
        DataNode::Float(value) => {
            let whole = value.fract() == 0.0 && value.abs() < 2f64.powi(63);
            let hint = if whole {
                format!(": write {}", *value as i128)
            } else {
                String::new()
            };
            return Err(format!("`{name}` is {}, {} is not{hint}", kind.name(), describe(data)));
        }
        DataNode::Str(text) if is_number(text) => return Err(remove_quotes(name, kind.name(), text, data)),
        _ => {
            return Err(format!(
                "`{name}` is {}, {} is not: write a whole number",
                kind.name(),
                describe(data)
            ));
        }
    };
    match (min..=max).contains(&value) {
        true => Ok(value),
        false => Err(format!(
            "{value} is out of range for `{name}`, {} ({min} to {max})",
            kind.name()
        )),
    }
}

fn double(name: &str, kind: Scalar, data: &Data) -> Result<f64, String> {
    match &data.node {
        DataNode::Float(value) => Ok(*value),
        DataNode::Int(value) if value.unsigned_abs() <= 1 << 53 || (*value as f64) as i128 == *value => {
            Ok(*value as f64)
        }
        DataNode::Int(value) => Err(format!(
            "{value} has no exact {} for `{name}`: write it with a dot",
            kind.name()
        )),
        DataNode::Str(text) => match text.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            text if text.parse::<f64>().is_ok() => Err(remove_quotes(name, kind.name(), text, data)),
            _ => Err(format!(
                "`{name}` is {}, {} is not: write a number",
                kind.name(),
                describe(data)
            )),
        },
        _ => Err(format!(
            "`{name}` is {}, {} is not: write a number",
            kind.name(),
            describe(data)
        )),
    }
}

fn text(name: &str, data: &Data) -> Result<String, String> {
    match &data.node {
        DataNode::Str(text) => Ok(text.clone()),
        _ if data.computed => Err(format!(
            "`{name}` is string, {} is not: wrap it in string(…)",
            describe(data)
        )),
        DataNode::Int(_) | DataNode::Float(_) | DataNode::Bool(_) => {
            Err(format!("`{name}` is string, {} is not: quote this", describe(data)))
        }
        _ => Err(format!("`{name}` is string, {} is not", describe(data))),
    }
}

fn bytes(name: &str, data: &Data) -> Result<Vec<u8>, String> {
    match &data.node {
        DataNode::Bytes(bytes) => Ok(bytes.clone()),
        DataNode::Str(text) => STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text))
            .map_err(|e| format!("`{name}` is bytes, written in base64; {text:?} is none: {e}")),
        _ => Err(format!("`{name}` is bytes, {} is not: write base64", describe(data))),
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<i128>().is_ok() || text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn remove_quotes(name: &str, kind: &str, text: &str, data: &Data) -> String {
    match data.computed {
        true => format!("`{name}` is {kind}, the text {text:?} is not: convert it, as in int(…)"),
        false => format!("`{name}` is {kind}, {text:?} is a text: remove the quotes"),
    }
}

/// Data in a few words, for a sentence.
pub(crate) fn describe(data: &Data) -> String {
    match &data.node {
        DataNode::Null => "null".to_owned(),
        DataNode::Bool(value) => value.to_string(),
        DataNode::Int(value) => format!("the number {value}"),
        DataNode::Float(value) => format!("the number {value:?}"),
        DataNode::Str(text) if text.chars().count() > 40 => {
            format!("the text {:?}", text.chars().take(39).chain(['…']).collect::<String>())
        }
        DataNode::Str(text) => format!("the text {text:?}"),
        DataNode::Bytes(bytes) => format!("a value of {} bytes", bytes.len()),
        DataNode::Duration(_) => "a duration".to_owned(),
        DataNode::Timestamp(_) => "a time".to_owned(),
        DataNode::List(_) => "a list".to_owned(),
        DataNode::Map(_) => "a map".to_owned(),
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    names
        .map(|candidate| {
            (
                strsim::osa_distance(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
