//! Messages whose type is known at run time only.

use super::{Field, FieldKind, MessageType, Scalar, render};
use buffa::editions::FieldPresence;
use buffa_descriptor::reflect::{DynamicMessage, ReflectMessage};
use buffa_descriptor::{FieldDescriptor, MapKey, Value};
use std::fmt;
use std::sync::Arc;

/// A message with its type. Unknown fields survive. Equal are messages of the same schema with the same fields.
#[derive(Clone, PartialEq)]
pub struct DynMsg(pub(super) DynamicMessage);

/// Bytes that are no message of the type.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct DecodeError {
    /// Why, as the decoder says it.
    pub reason: String,
}

/// The value of a field.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// An unset message.
    Unset,
    /// A boolean.
    Bool(bool),
    /// int32, int64 and their kin.
    Int(i64),
    /// uint32, uint64 and their kin.
    Uint(u64),
    /// A float.
    Float(f32),
    /// A double.
    Double(f64),
    /// Text.
    Str(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An enum: its number, and its name where the number is declared.
    Enum(i32, Option<String>),
    /// A message.
    Message(DynMsg),
    /// A repeated field.
    List(Vec<FieldValue>),
    /// A map, ordered by key.
    Map(Vec<(FieldValue, FieldValue)>),
}

impl DynMsg {
    pub(super) fn empty(ty: &MessageType) -> Self {
        Self(DynamicMessage::new(Arc::clone(&ty.pool), ty.index))
    }

    /// Its type.
    pub fn message_type(&self) -> MessageType {
        MessageType::at(self.0.pool(), self.0.message_index())
    }

    /// From protobuf bytes.
    pub fn decode(ty: &MessageType, bytes: &[u8]) -> Result<Self, DecodeError> {
        // The transport bounds the size; the library's own budget of 32 MiB for elements would refuse a large, legal answer.
        let options = buffa::DecodeOptions::new().with_element_memory_limit(1 << 30);
        DynamicMessage::decode_with_options(Arc::clone(&ty.pool), ty.index, bytes, &options)
            .map(Self)
            .map_err(|e| DecodeError { reason: e.to_string() })
    }

    /// As protobuf bytes: known fields by number, then unknown ones.
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Whether a field is set. A field without presence is set when it differs from its default.
    pub fn has(&self, field: &Field) -> bool {
        self.descriptor(field).is_some_and(|f| self.0.has(f))
    }

    /// The value of a field; an unset scalar reads as its default.
    pub fn get(&self, field: &Field) -> FieldValue {
        let Some(descriptor) = self.descriptor(field) else {
            return FieldValue::Unset;
        };
        match self.0.field_by_number(descriptor.number()) {
            Some(value) => field_value(&field.kind, value),
            None => declared_default(&self.0, field).unwrap_or_else(|| default_of(&field.kind)),
        }
    }

    fn descriptor(&self, field: &Field) -> Option<&FieldDescriptor> {
        let declared = self.0.message_descriptor().field(field.number);
        let extension = || self.0.pool().extension_for(self.0.message_index(), field.number);
        match field.name.starts_with('[') {
            true => extension().map(|extension| extension.field()),
            false => declared.filter(|f| f.name() == field.name),
        }
    }

    /// As a CEL map of all fields by proto name: scalars filled with their defaults, unset fields with presence left out,
    /// enums as names, int32 and int64 as int, uint32 and uint64 as uint; well-known types as the data they stand for.
    pub fn to_cel(&self) -> cel::Value {
        render::to_cel(&self.0, 0)
    }

    /// As proto JSON of the set fields, with proto field names; a 64-bit integer beyond 2^53 is a string.
    pub fn to_json(&self) -> serde_json::Value {
        render::to_json(&self.0, usize::MAX, 0)
    }

    /// In one line, set fields only: `{product_id: "p-7f3c", old_quantity: 11}`.
    pub fn to_text(&self) -> String {
        render::to_text(&self.to_json())
    }

    /// The same with every text cut after 80 characters: for logs, whatever a message holds.
    pub fn to_short_text(&self) -> String {
        render::to_text(&render::to_json(&self.0, 80, 0))
    }
}

impl fmt::Debug for DynMsg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.message_descriptor().full_name(), self.to_text())
    }
}

pub(super) fn has_presence(field: &FieldDescriptor) -> bool {
    match field.kind() {
        buffa_descriptor::FieldKind::Singular(buffa_descriptor::SingularKind::Message(_)) => true,
        buffa_descriptor::FieldKind::Singular(_) => {
            field.presence() != FieldPresence::Implicit || field.oneof_index().is_some()
        }
        _ => false,
    }
}

fn field_value(kind: &FieldKind, value: &Value) -> FieldValue {
    match value {
        Value::Bool(v) => FieldValue::Bool(*v),
        Value::I32(v) => FieldValue::Int((*v).into()),
        Value::I64(v) => FieldValue::Int(*v),
        Value::U32(v) => FieldValue::Uint((*v).into()),
        Value::U64(v) => FieldValue::Uint(*v),
        Value::F32(v) => FieldValue::Float(*v),
        Value::F64(v) => FieldValue::Double(*v),
        Value::String(v) => FieldValue::Str(v.clone()),
        Value::Bytes(v) => FieldValue::Bytes(v.clone()),
        Value::EnumNumber(number) => {
            let name = match kind {
                FieldKind::Enum(ty) => ty.name_of(*number).map(str::to_owned),
                _ => None,
            };
            FieldValue::Enum(*number, name)
        }
        Value::Message(v) => FieldValue::Message(DynMsg(v.clone())),
        Value::List(items) => {
            let element = match kind {
                FieldKind::List(element) => element,
                other => other,
            };
            FieldValue::List(items.iter().map(|item| field_value(element, item)).collect())
        }
        Value::Map(entries) => {
            let element = match kind {
                FieldKind::Map(_, element) => element,
                other => other,
            };
            FieldValue::Map(
                entries
                    .iter()
                    .map(|(k, v)| (key_value(k), field_value(element, v)))
                    .collect(),
            )
        }
    }
}

fn key_value(key: &MapKey) -> FieldValue {
    match key {
        MapKey::Bool(v) => FieldValue::Bool(*v),
        MapKey::I32(v) => FieldValue::Int((*v).into()),
        MapKey::I64(v) => FieldValue::Int(*v),
        MapKey::U32(v) => FieldValue::Uint((*v).into()),
        MapKey::U64(v) => FieldValue::Uint(*v),
        MapKey::String(v) => FieldValue::Str(v.clone()),
    }
}

fn default_of(kind: &FieldKind) -> FieldValue {
    match kind {
        FieldKind::Scalar(Scalar::Bool) => FieldValue::Bool(false),
        FieldKind::Scalar(Scalar::Int32 | Scalar::Int64) => FieldValue::Int(0),
        FieldKind::Scalar(Scalar::Uint32 | Scalar::Uint64) => FieldValue::Uint(0),
        FieldKind::Scalar(Scalar::Float) => FieldValue::Float(0.0),
        FieldKind::Scalar(Scalar::Double) => FieldValue::Double(0.0),
        FieldKind::Scalar(Scalar::String) => FieldValue::Str(String::new()),
        FieldKind::Scalar(Scalar::Bytes) => FieldValue::Bytes(Vec::new()),
        FieldKind::Enum(ty) => {
            // The first declared value is the default, 0 in an open enum.
            let number = ty.values().first().map_or(0, |(_, number)| *number);
            FieldValue::Enum(number, ty.name_of(number).map(str::to_owned))
        }
        FieldKind::Message(_) => FieldValue::Unset,
        FieldKind::List(_) => FieldValue::List(Vec::new()),
        FieldKind::Map(..) => FieldValue::Map(Vec::new()),
    }
}

/// `[default = …]` of proto2 and editions. The linked descriptors do not carry it, the file does.
fn declared_default(message: &DynamicMessage, field: &Field) -> Option<FieldValue> {
    let full_name = message.message_descriptor().full_name();
    let file = message.pool().file_containing_symbol(full_name)?;
    let package = file.package.as_deref().unwrap_or_default();
    let path = full_name.strip_prefix(package)?.trim_start_matches('.');
    let mut scope = &file.message_type;
    let mut found = None;
    for name in path.split('.') {
        found = scope.iter().find(|m| m.name.as_deref() == Some(name));
        scope = &found?.nested_type;
    }
    let number = i32::try_from(field.number).ok()?;
    let text = found?
        .field
        .iter()
        .find(|f| f.number == Some(number))?
        .default_value
        .as_deref()?;
    Some(match &field.kind {
        FieldKind::Scalar(Scalar::Bool) => FieldValue::Bool(text == "true"),
        FieldKind::Scalar(Scalar::Int32 | Scalar::Int64) => FieldValue::Int(text.parse().ok()?),
        FieldKind::Scalar(Scalar::Uint32 | Scalar::Uint64) => FieldValue::Uint(text.parse().ok()?),
        FieldKind::Scalar(Scalar::Float) => FieldValue::Float(text.parse().ok()?),
        FieldKind::Scalar(Scalar::Double) => FieldValue::Double(text.parse().ok()?),
        FieldKind::Scalar(Scalar::String) => FieldValue::Str(text.to_owned()),
        FieldKind::Enum(ty) => FieldValue::Enum(ty.number_of(text)?, Some(text.to_owned())),
        // Bytes stand there C-escaped; no reader of ours needs them.
        _ => return None,
    })
}
