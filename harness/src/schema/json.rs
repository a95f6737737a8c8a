//! proto3 JSON, both ways (https://protobuf.dev/programming-guides/json/), as REST carries it.

use super::dynamic::DecodeError;
use super::{DynMsg, FieldValue, MessageType};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use buffa_descriptor::Value;
use buffa_descriptor::reflect::{DynamicMessage, ReflectMessageMut};
use std::sync::Arc;

impl DynMsg {
    /// Canonical: JSON names, set fields only, 64-bit integers as texts.
    ///
    /// # Errors
    /// Nested too deep, or an `Any` of a type that the schema does not know.
    pub fn to_proto_json(&self) -> Result<String, String> {
        self.0.to_json().map_err(|error| error.to_string())
    }

    /// The JSON of one field; `None` when it is not set.
    ///
    /// # Errors
    /// As for the whole message.
    pub fn field_to_proto_json(&self, name: &str) -> Result<Option<String>, String> {
        let ty = self.message_type();
        let mut only = ty.new_message();
        let descriptor = only.0.pool().message(only.0.message_index()).field_by_name(name);
        let Some((number, json_name)) = descriptor.map(|field| (field.number(), field.json_name().to_owned())) else {
            return Err(format!("{} has no field `{name}`", ty.full_name()));
        };
        let Some(value) = self.0.field_by_number(number) else {
            return Ok(None);
        };
        let pool = Arc::clone(only.0.pool());
        if let Some(field) = pool.message(only.0.message_index()).field(number) {
            only.0.set(field, value.clone());
        }
        let whole: serde_json::Value = serde_json::from_str(&only.to_proto_json()?).map_err(|e| e.to_string())?;
        Ok(whole.get(&json_name).map(serde_json::Value::to_string))
    }

    /// From proto3 JSON. What is unknown to the type is left out and told beside the message.
    ///
    /// # Errors
    /// No JSON, or JSON that does not fit the type.
    pub fn from_proto_json(ty: &MessageType, text: &str) -> Result<(DynMsg, Option<String>), DecodeError> {
        let strict = DynamicMessage::from_json(Arc::clone(&ty.pool), ty.index, text);
        let error = match strict {
            Ok(message) => return Ok((DynMsg(message), None)),
            Err(error) => error.to_string(),
        };
        // Only unknown fields are forgiven: whatever else is wrong fails again.
        match DynamicMessage::from_json_ignoring_unknown(Arc::clone(&ty.pool), ty.index, text) {
            Ok(message) => Ok((DynMsg(message), Some(error))),
            Err(_) => Err(DecodeError { reason: error }),
        }
    }

    /// The same without the fields at these paths.
    pub fn without(&self, paths: &[&[String]]) -> DynMsg {
        let mut message = self.0.clone();
        for path in paths {
            clear(&mut message, path);
        }
        DynMsg(message)
    }
}

fn clear(message: &mut DynamicMessage, path: &[String]) {
    let Some((name, rest)) = path.split_first() else { return };
    let pool = Arc::clone(message.pool());
    let Some(field) = pool.message(message.message_index()).field_by_name(name) else {
        return;
    };
    if rest.is_empty() {
        message.clear(field);
    } else if message.field_by_number(field.number()).is_some()
        && let Some(Value::Message(inner)) = message.field_by_number_mut(field.number())
    {
        clear(inner, rest);
        // A message that only the path filled is nothing that the rest has to say.
        if inner.encode_to_vec().is_empty() {
            message.clear(field);
        }
    }
}

/// A scalar or an enum as the text that stands for it in a path or a query: as in JSON, without quotes.
pub(super) fn scalar_text(value: &FieldValue) -> Option<String> {
    Some(match value {
        FieldValue::Bool(value) => value.to_string(),
        FieldValue::Int(value) => value.to_string(),
        FieldValue::Uint(value) => value.to_string(),
        FieldValue::Float(value) => float_text(f64::from(*value), value.to_string()),
        FieldValue::Double(value) => float_text(*value, value.to_string()),
        FieldValue::Str(value) => value.clone(),
        FieldValue::Bytes(value) => BASE64.encode(value),
        FieldValue::Enum(number, None) => number.to_string(),
        FieldValue::Enum(_, Some(name)) => name.clone(),
        FieldValue::Unset | FieldValue::Message(_) | FieldValue::List(_) | FieldValue::Map(_) => return None,
    })
}

fn float_text(value: f64, finite: String) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        _ => finite,
    }
}
