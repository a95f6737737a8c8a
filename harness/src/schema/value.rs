//! Field values: compared, and printed in one line.

use super::FieldValue;
use base64::Engine;

impl FieldValue {
    /// Equal; a NaN is the same as a NaN.
    pub fn same(&self, other: &FieldValue) -> bool {
        match (self, other) {
            (FieldValue::Unset, FieldValue::Unset) => true,
            (FieldValue::Bool(a), FieldValue::Bool(b)) => a == b,
            (FieldValue::Int(a), FieldValue::Int(b)) => a == b,
            (FieldValue::Uint(a), FieldValue::Uint(b)) => a == b,
            (FieldValue::Float(a), FieldValue::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (FieldValue::Double(a), FieldValue::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
            (FieldValue::Str(a), FieldValue::Str(b)) => a == b,
            (FieldValue::Bytes(a), FieldValue::Bytes(b)) => a == b,
            (FieldValue::Enum(a, _), FieldValue::Enum(b, _)) => a == b,
            (FieldValue::Message(a), FieldValue::Message(b)) => a.to_json() == b.to_json(),
            (FieldValue::List(a), FieldValue::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (FieldValue::Map(a), FieldValue::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((ak, av), (bk, bv))| ak.same(bk) && av.same(bv))
            }
            _ => false,
        }
    }

    /// In one line, as [`super::DynMsg::to_text`] prints it.
    pub fn to_text(&self) -> String {
        match self {
            FieldValue::Unset => "absent".to_owned(),
            FieldValue::Bool(v) => v.to_string(),
            FieldValue::Int(v) => v.to_string(),
            FieldValue::Uint(v) => v.to_string(),
            FieldValue::Float(v) => v.to_string(),
            FieldValue::Double(v) => v.to_string(),
            FieldValue::Str(v) => format!("{v:?}"),
            FieldValue::Bytes(v) => format!("{:?}", base64::engine::general_purpose::STANDARD.encode(v)),
            FieldValue::Enum(number, name) => name.clone().unwrap_or_else(|| number.to_string()),
            FieldValue::Message(message) => message.to_text(),
            FieldValue::List(items) => {
                format!(
                    "[{}]",
                    items.iter().map(FieldValue::to_text).collect::<Vec<_>>().join(", ")
                )
            }
            FieldValue::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(k, v)| format!("{}: {}", k.to_text(), v.to_text()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}
