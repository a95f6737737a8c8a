//! Plain data with places into a message: strict, and helpful where it refuses.

use super::scalar::{self, describe};
use super::wellknown;
use super::{DynMsg, MessageType};
use crate::scenario::data::{Data, DataNode};
use crate::scenario::source::{Located, Span};
use buffa_descriptor::reflect::{DynamicMessage, ReflectMessageMut};
use buffa_descriptor::{FieldDescriptor, FieldKind, MapKey, MapValue, MessageDescriptor, SingularKind, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Deeper messages are refused by most decoders.
const MAX_DEPTH: usize = 100;

/// How many fields an error lists.
const NAMES: usize = 12;

/// Why a piece of data does not fit the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError {
    /// The key or the value to look at.
    pub span: Span,
    /// What is wrong and what to write instead.
    pub text: String,
}

/// A message of the type from data; null leaves a field unset. Collects every error.
pub fn build(ty: &MessageType, data: &Data) -> Result<DynMsg, Vec<BuildError>> {
    let mut builder = Builder { errors: Vec::new() };
    let message = builder.message(ty, data, 0);
    match message {
        Some(message) if builder.errors.is_empty() => Ok(DynMsg(message)),
        _ => Err(builder.errors),
    }
}

struct Builder {
    errors: Vec<BuildError>,
}

impl Builder {
    fn refuse<T>(&mut self, span: Span, text: String) -> Option<T> {
        self.errors.push(BuildError { span, text });
        None
    }

    fn keep<T>(&mut self, span: Span, result: Result<T, String>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(text) => self.refuse(span, text),
        }
    }

    fn message(&mut self, ty: &MessageType, data: &Data, depth: usize) -> Option<DynamicMessage> {
        if depth > MAX_DEPTH {
            return self.refuse(data.span, format!("nested deeper than {MAX_DEPTH} messages"));
        }
        if let Some(name) = ty.full_name().strip_prefix("google.protobuf.") {
            match (name, &data.node) {
                ("Timestamp" | "Duration", DataNode::Map(_)) => {}
                ("Timestamp", _) => {
                    let parts = scalar::timestamp(data);
                    return self.seconds_and_nanos(ty, data.span, parts);
                }
                ("Duration", _) => {
                    let parts = scalar::duration(data);
                    return self.seconds_and_nanos(ty, data.span, parts);
                }
                ("Value", _) => return self.any_value(ty, data, depth),
                ("Struct", DataNode::Map(entries)) => return self.structure(ty, entries, depth),
                ("ListValue", DataNode::List(items)) => return self.list_value(ty, items, depth),
                ("ListValue", _) => {
                    return self.refuse(data.span, format!("{} is no list: write [ … ]", describe(data)));
                }
                ("FieldMask", DataNode::Str(paths)) => return self.field_mask(ty, data.span, paths),
                ("Any", DataNode::Map(entries)) => return self.any(ty, data.span, entries, depth),
                (name, node) if is_wrapper(name) && !matches!(node, DataNode::Map(_)) => {
                    return self.wrapper(ty, data, depth);
                }
                _ => {}
            }
        }
        match &data.node {
            DataNode::Map(entries) => self.fields(ty, entries.iter(), depth),
            _ => self.refuse(
                data.span,
                format!(
                    "{} is no message: {} wants fields, {{ … }}",
                    describe(data),
                    ty.full_name()
                ),
            ),
        }
    }

    fn fields<'a>(
        &mut self,
        ty: &MessageType,
        entries: impl Iterator<Item = &'a (Located<String>, Data)>,
        depth: usize,
    ) -> Option<DynamicMessage> {
        let before = self.errors.len();
        let mut message = DynamicMessage::new(Arc::clone(&ty.pool), ty.index);
        let mut written: HashMap<u32, &str> = HashMap::new();
        let mut oneofs: HashMap<u16, &str> = HashMap::new();
        for (key, data) in entries {
            let Some(field) = ty.lookup(&key.value) else {
                self.errors.push(BuildError {
                    span: key.span,
                    text: unknown_field(ty.descriptor(), &key.value),
                });
                continue;
            };
            if let Some(other) = written.insert(field.number(), &key.value) {
                let text = match other == key.value {
                    true => format!("`{other}` is written twice"),
                    false => format!("`{}` and `{other}` are the same field: write one of them", key.value),
                };
                self.errors.push(BuildError { span: key.span, text });
                continue;
            }
            if matches!(data.node, DataNode::Null) && !accepts_null(ty, field) {
                continue;
            }
            if let Some(index) = field.oneof_index()
                && let Some(other) = oneofs.insert(index, &key.value)
            {
                let name = ty
                    .descriptor()
                    .oneofs()
                    .get(usize::from(index))
                    .map_or("", |oneof| oneof.name());
                let text = format!(
                    "`{}` and `{other}` are both members of the oneof `{name}`: write one of them",
                    key.value
                );
                self.errors.push(BuildError { span: key.span, text });
                continue;
            }
            if let Some(value) = self.field(ty, field, data, depth)
                && let Err(error) = message.try_set(field, value)
            {
                self.errors.push(BuildError {
                    span: data.span,
                    text: error.to_string(),
                });
            }
        }
        (self.errors.len() == before).then_some(message)
    }

    fn field(&mut self, ty: &MessageType, field: &FieldDescriptor, data: &Data, depth: usize) -> Option<Value> {
        match (field.kind(), &data.node) {
            (FieldKind::Singular(kind), _) => self.single(ty, field, kind, data, depth),
            (FieldKind::List(kind), DataNode::List(items)) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    if matches!(item.node, DataNode::Null) && !is_value(ty, kind) {
                        self.errors.push(BuildError {
                            span: item.span,
                            text: format!("null in the list `{}`: leave it out", field.name()),
                        });
                    } else if let Some(value) = self.single(ty, field, kind, item, depth) {
                        values.push(value);
                    }
                }
                Some(Value::List(values))
            }
            (FieldKind::List(_), _) => self.refuse(
                data.span,
                format!("`{}` is a list, {} is not: write [ … ]", field.name(), describe(data)),
            ),
            (FieldKind::Map { key, value }, DataNode::Map(entries)) => {
                let mut map: Vec<(MapKey, Value)> = Vec::with_capacity(entries.len());
                for (name, item) in entries {
                    let map_key = self.keep(name.span, scalar::map_key(key, &name.value));
                    if matches!(item.node, DataNode::Null) && !is_value(ty, value) {
                        self.errors.push(BuildError {
                            span: item.span,
                            text: format!("null in the map `{}`: leave the key out", field.name()),
                        });
                        continue;
                    }
                    if let (Some(map_key), Some(item)) = (map_key, self.single(ty, field, value, item, depth)) {
                        map.push((map_key, item));
                    }
                }
                Some(Value::Map(MapValue::from_entries(map)))
            }
            (FieldKind::Map { .. }, _) => self.refuse(
                data.span,
                format!(
                    "`{}` is a map, {} is not: write {{ key: value }}",
                    field.name(),
                    describe(data)
                ),
            ),
        }
    }

    fn single(
        &mut self,
        ty: &MessageType,
        field: &FieldDescriptor,
        kind: SingularKind,
        data: &Data,
        depth: usize,
    ) -> Option<Value> {
        match kind {
            SingularKind::Scalar(kind) => self.keep(data.span, scalar::scalar(field.name(), kind, data)),
            SingularKind::Enum(index) => {
                let value = scalar::enumeration(field.name(), ty.pool.enumeration(index), field.enum_type(), data);
                self.keep(data.span, value)
            }
            SingularKind::Message(index) => {
                let inner = MessageType::at(&ty.pool, index);
                self.message(&inner, data, depth + 1).map(Value::Message)
            }
        }
    }

    fn seconds_and_nanos(
        &mut self,
        ty: &MessageType,
        span: Span,
        parts: Result<(i64, i32), String>,
    ) -> Option<DynamicMessage> {
        let (seconds, nanos) = self.keep(span, parts)?;
        self.filled(ty, span, [(1, Value::I64(seconds)), (2, Value::I32(nanos))])
    }

    /// A well-known message from its field numbers.
    fn filled(
        &mut self,
        ty: &MessageType,
        span: Span,
        fields: impl IntoIterator<Item = (u32, Value)>,
    ) -> Option<DynamicMessage> {
        let mut message = DynamicMessage::new(Arc::clone(&ty.pool), ty.index);
        for (number, value) in fields {
            let set = match ty.descriptor().field(number) {
                Some(field) => message.try_set(field, value).map_err(|error| error.to_string()),
                None => Err(unlike(ty)),
            };
            self.keep(span, set)?;
        }
        Some(message)
    }

    fn wrapper(&mut self, ty: &MessageType, data: &Data, depth: usize) -> Option<DynamicMessage> {
        let Some(field) = ty.descriptor().field(1) else {
            return self.refuse(data.span, unlike(ty));
        };
        let value = self.field(ty, field, data, depth)?;
        self.filled(ty, data.span, [(1, value)])
    }

    fn field_mask(&mut self, ty: &MessageType, span: Span, paths: &str) -> Option<DynamicMessage> {
        let paths = paths.split(',').map(str::trim).filter(|path| !path.is_empty());
        let paths = paths.map(|path| Value::String(path.to_owned())).collect();
        self.filled(ty, span, [(1, Value::List(paths))])
    }

    /// `google.protobuf.Value`: any data.
    fn any_value(&mut self, ty: &MessageType, data: &Data, depth: usize) -> Option<DynamicMessage> {
        let inner = |number: u32| match ty.descriptor().field(number).map(FieldDescriptor::kind) {
            Some(FieldKind::Singular(SingularKind::Message(index))) => Some(MessageType::at(&ty.pool, index)),
            _ => None,
        };
        let (number, value) = match &data.node {
            DataNode::Null => (1, Value::EnumNumber(0)),
            DataNode::Float(number) => (2, Value::F64(*number)),
            DataNode::Int(_) => (
                2,
                self.keep(
                    data.span,
                    scalar::scalar("number", buffa_descriptor::ScalarType::Double, data),
                )?,
            ),
            DataNode::Str(text) => (3, Value::String(text.clone())),
            DataNode::Bool(value) => (4, Value::Bool(*value)),
            DataNode::Map(entries) => {
                let Some(structure) = inner(5) else {
                    return self.refuse(data.span, unlike(ty));
                };
                if depth > MAX_DEPTH {
                    return self.refuse(data.span, format!("nested deeper than {MAX_DEPTH} messages"));
                }
                (5, Value::Message(self.structure(&structure, entries, depth + 1)?))
            }
            DataNode::List(items) => {
                let Some(list) = inner(6) else {
                    return self.refuse(data.span, unlike(ty));
                };
                if depth > MAX_DEPTH {
                    return self.refuse(data.span, format!("nested deeper than {MAX_DEPTH} messages"));
                }
                (6, Value::Message(self.list_value(&list, items, depth + 1)?))
            }
            DataNode::Bytes(_) | DataNode::Duration(_) | DataNode::Timestamp(_) => {
                let text = format!(
                    "{} does not fit google.protobuf.Value: make a text of it",
                    describe(data)
                );
                return self.refuse(data.span, text);
            }
        };
        self.filled(ty, data.span, [(number, value)])
    }

    fn structure(
        &mut self,
        ty: &MessageType,
        entries: &[(Located<String>, Data)],
        depth: usize,
    ) -> Option<DynamicMessage> {
        let span = entries.first().map_or_else(Span::default, |(key, _)| key.span);
        let value = ty.sibling("google.protobuf.Value");
        let mut map = Vec::with_capacity(entries.len());
        for (key, item) in entries {
            let Some(value) = &value else {
                return self.refuse(span, "google.protobuf.Value is not described".into());
            };
            map.push((
                MapKey::String(key.value.clone()),
                Value::Message(self.any_value(value, item, depth + 1)?),
            ));
        }
        self.filled(ty, span, [(1, Value::Map(MapValue::from_entries(map)))])
    }

    fn list_value(&mut self, ty: &MessageType, items: &[Data], depth: usize) -> Option<DynamicMessage> {
        let span = items.first().map_or_else(Span::default, |item| item.span);
        let value = ty.sibling("google.protobuf.Value");
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let Some(value) = &value else {
                return self.refuse(span, "google.protobuf.Value is not described".into());
            };
            values.push(Value::Message(self.any_value(value, item, depth + 1)?));
        }
        self.filled(ty, span, [(1, Value::List(values))])
    }

    /// `{ "@type": …, fields }` or `{ type_url: …, fields }`; the raw form `{ type_url: …, value: <base64> }` where the type
    /// is not known.
    fn any(
        &mut self,
        ty: &MessageType,
        span: Span,
        entries: &[(Located<String>, Data)],
        depth: usize,
    ) -> Option<DynamicMessage> {
        let is_type = |key: &str| matches!(key, "@type" | "type_url" | "typeUrl");
        let Some((_, url)) = entries.iter().find(|(key, _)| is_type(&key.value)) else {
            if entries.is_empty() {
                return self.filled(ty, span, []);
            }
            return self.refuse(
                span,
                "google.protobuf.Any wants its type: write \"@type\": pkg.Message".to_owned(),
            );
        };
        let DataNode::Str(text) = &url.node else {
            return self.refuse(url.span, format!("{} is no type: write pkg.Message", describe(url)));
        };
        let name = text.rsplit('/').next().unwrap_or(text);
        let type_url = if text.contains('/') {
            text.clone()
        } else {
            format!("type.googleapis.com/{text}")
        };
        let rest: Vec<&(Located<String>, Data)> = entries.iter().filter(|(key, _)| !is_type(&key.value)).collect();
        let lone_value = match rest.as_slice() {
            [(key, value)] if key.value == "value" => Some(value),
            _ => None,
        };
        let Some(inner) = ty.sibling(name) else {
            let value = match (lone_value, rest.is_empty()) {
                (Some(value), _) => value.clone(),
                (None, true) => Data {
                    node: DataNode::Bytes(Vec::new()),
                    span,
                    computed: false,
                },
                (None, false) => {
                    let text = format!("no message `{name}` is described; its encoded `value` in base64 would do");
                    return self.refuse(url.span, text);
                }
            };
            let bytes = self.keep(
                value.span,
                scalar::scalar("value", buffa_descriptor::ScalarType::Bytes, &value),
            )?;
            return self.filled(ty, span, [(1, Value::String(type_url)), (2, bytes)]);
        };
        let message = match lone_value {
            Some(value) if inner.lookup("value").is_none() || is_plain(&inner) => {
                self.message(&inner, value, depth + 1)?
            }
            _ => self.fields(&inner, rest.into_iter(), depth + 1)?,
        };
        self.filled(
            ty,
            span,
            [(1, Value::String(type_url)), (2, Value::Bytes(message.encode_to_vec()))],
        )
    }
}

fn unlike(ty: &MessageType) -> String {
    format!(
        "the target describes a {} of its own, unlike the known one: write its fields",
        ty.full_name()
    )
}

fn unknown_field(ty: &MessageDescriptor, name: &str) -> String {
    let fields = ty.fields().iter().map(FieldDescriptor::name);
    match scalar::nearest(name, fields.clone()) {
        Some(near) => format!("no field `{name}` in {}; did you mean `{near}`?", ty.full_name()),
        None => match fields.map(|f| format!("`{f}`")).collect::<Vec<_>>() {
            fields if fields.is_empty() => format!("no field `{name}` in {}: it has none", ty.full_name()),
            fields => {
                let more = if fields.len() > NAMES { ", …" } else { "" };
                let shown = fields.get(..NAMES).unwrap_or(&fields).join(", ");
                format!("no field `{name}` in {}: it has {shown}{more}", ty.full_name())
            }
        },
    }
}

/// Null is data for `google.protobuf.Value` alone.
fn accepts_null(ty: &MessageType, field: &FieldDescriptor) -> bool {
    matches!(field.kind(), FieldKind::Singular(kind) if is_value(ty, kind))
}

fn is_value(ty: &MessageType, kind: SingularKind) -> bool {
    matches!(kind, SingularKind::Message(index) if ty.pool.message(index).full_name() == "google.protobuf.Value")
}

fn is_wrapper(name: &str) -> bool {
    wellknown::WRAPPERS.contains(&name)
}

/// Types with a JSON form of their own, so that an `Any` holds them under `value`.
fn is_plain(ty: &MessageType) -> bool {
    let Some(name) = ty.full_name().strip_prefix("google.protobuf.") else {
        return false;
    };
    is_wrapper(name)
        || matches!(
            name,
            "Any" | "Timestamp" | "Duration" | "Struct" | "Value" | "ListValue" | "FieldMask"
        )
}
