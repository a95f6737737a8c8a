//! JSON Schemas of messages, from their descriptors; those of requests say what is accepted, not only what is canonical.

use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    field_descriptor_proto::{Label, Type},
};
use serde_json::{Map, Value, json};

/// Text without U+0000 (rule create.invalid-text).
const NO_NUL: &str = "^[^\\u0000]*$";

/// A file with its comments.
pub struct File(pub FileDescriptorProto);

impl File {
    /// The message of this name, nested ones with their outer name as in `BadRequest.FieldViolation`, and its comment.
    pub fn message(&self, name: &str) -> Option<(&DescriptorProto, String)> {
        let (outer, inner) = match name.split_once('.') {
            Some((outer, inner)) => (outer, Some(inner)),
            None => (name, None),
        };
        let (index, message) = position(&self.0.message_type, |message| message.name() == outer)?;
        match inner {
            None => Some((message, self.comment(&[4, index]))),
            Some(inner) => {
                let (nested, message) = position(&message.nested_type, |message| message.name() == inner)?;
                Some((message, self.comment(&[4, index, 3, nested])))
            }
        }
    }

    /// The comment above a declaration: its path is that of `SourceCodeInfo` in google/protobuf/descriptor.proto.
    pub fn comment(&self, path: &[i32]) -> String {
        let locations = self.0.source_code_info.iter().flat_map(|info| &info.location);
        let found = locations.into_iter().find(|location| location.path == path);
        let text = found.map(|location| location.leading_comments()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        lines.join("\n").trim().to_owned()
    }

    /// The comment of a field of a message that is not nested.
    fn field_comment(&self, message: &str, field: &FieldDescriptorProto) -> String {
        let found = position(&self.0.message_type, |found| found.name() == message).and_then(|(index, message)| {
            let (field, _) = position(&message.field, |found| found.number == field.number)?;
            Some([4, index, 2, field])
        });
        found.map(|path| self.comment(&path)).unwrap_or_default()
    }
}

/// The first element that fits, with its index as descriptors count.
pub fn position<T>(list: &[T], fits: impl Fn(&T) -> bool) -> Option<(i32, &T)> {
    (0..).zip(list).find(|(_, found)| fits(found))
}

/// A message that is answered: a field is there unless it has its default value, none is unknown.
pub fn reply(file: &File, name: &str) -> Option<Value> {
    let (message, comment) = file.message(name)?;
    let always = always(name);
    let fields = message.field.iter().map(|field| {
        let mut schema = answered(name, field.name()).unwrap_or_else(|| of_field(message, field));
        if !always.contains(&field.json_name())
            && let Some(default) = default(&schema)
        {
            schema["default"] = default;
        }
        let schema = described(schema, file.field_comment(name, field));
        (field.json_name().to_owned(), schema)
    });
    Some(described(object(fields.collect(), always), comment))
}

/// The fields that an answer has always, for their default value cannot be theirs (rules create.invalid-name,
/// create.invalid-sku, create.id, create.timestamps, list.echo, watch.fields). Of a `StockUpdate` a heartbeat has no product,
/// and others may have no reason.
fn always(message: &str) -> &'static [&'static str] {
    match message {
        "Product" => &["id", "name", "sku", "createdAt", "updatedAt"],
        "ListProductsResponse" => &["page", "pageSize"],
        "StockUpdate" => &["timestamp"],
        _ => &[],
    }
}

/// What the rules leave of the type of a field that is answered.
fn answered(message: &str, field: &str) -> Option<Value> {
    Some(match (message, field) {
        ("Product", "id" | "name" | "sku") => json!({ "type": "string", "minLength": 1 }),
        ("Product", "created_at" | "updated_at") | ("StockUpdate", "timestamp") => {
            json!({ "type": "string", "format": "date-time" })
        }
        ("Product", "price") => price(),
        ("Product", "stock_quantity")
        | ("StockUpdate", "old_quantity" | "new_quantity")
        | ("ListProductsResponse", "total_count")
        | ("BulkImportResponse", "imported_count" | "failed_count") => int32(0),
        ("ListProductsResponse", "page") => int32(1),
        ("ListProductsResponse", "page_size") => {
            json!({ "type": "integer", "format": "int32", "minimum": 1, "maximum": 100 })
        }
        _ => return None,
    })
}

/// What a field of this schema has when it is left out.
fn default(schema: &Value) -> Option<Value> {
    Some(match schema.get("type")?.as_str()? {
        "string" if schema.get("format").is_some_and(|format| format == "int64") => json!("0"),
        "string" => json!(""),
        "integer" | "number" => json!(0),
        "boolean" => json!(false),
        "array" => json!([]),
        "object" => json!({}),
        _ => return None,
    })
}

/// A message that is sent as a body; the path binds the fields in `bound`.
pub fn request(file: &File, name: &str, bound: &[&str]) -> Option<Value> {
    let (message, comment) = file.message(name)?;
    let fields = message
        .field
        .iter()
        .filter(|field| !bound.contains(&field.name()))
        .map(|field| {
            let schema = limited(name, field.name()).unwrap_or_else(|| accepted(field));
            let schema = described(schema, file.field_comment(name, field));
            (field.json_name().to_owned(), schema)
        });
    let required: &[&str] = if name == "CreateProductRequest" {
        &["name", "sku"]
    } else {
        &[]
    };
    Some(described(object(fields.collect(), required), comment))
}

/// The value of a query parameter.
pub fn parameter(file: &File, message: &str, field: &FieldDescriptorProto) -> Value {
    described(scalar(field), file.field_comment(message, field))
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn described(mut schema: Value, text: String) -> Value {
    if !text.is_empty() {
        schema["description"] = json!(text);
    }
    schema
}

/// A field as it is answered.
fn of_field(message: &DescriptorProto, field: &FieldDescriptorProto) -> Value {
    let entry = message.nested_type.iter().find(|nested| {
        let is_entry = nested.options.as_ref().is_some_and(|options| options.map_entry());
        is_entry && field.type_name().ends_with(&format!(".{}", nested.name()))
    });
    if let Some(value) = entry.and_then(|entry| entry.field.get(1)) {
        return json!({ "type": "object", "additionalProperties": scalar(value) });
    }
    if field.label() == Label::Repeated {
        return json!({ "type": "array", "items": scalar(field) });
    }
    scalar(field)
}

fn scalar(field: &FieldDescriptorProto) -> Value {
    match field.r#type() {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Int32 => int32(i32::MIN),
        Type::Int64 => json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$" }),
        Type::Double => json!({ "anyOf": [{ "type": "number", "format": "double" }, not_finite()] }),
        Type::Message => json!({ "$ref": format!("#/components/schemas/{}", component(field.type_name())) }),
        _ => json!({ "type": "string" }),
    }
}

/// A field as it is accepted: `null` for its default, and numbers in quotes (those of up to nine digits are told here).
fn accepted(field: &FieldDescriptorProto) -> Value {
    match field.r#type() {
        Type::Int32 => accepted_int32(i32::MIN),
        Type::Double => {
            json!({ "anyOf": [{ "type": "number", "format": "double" }, not_finite(), { "type": "null" }] })
        }
        _ => json!({ "type": ["string", "null"] }),
    }
}

/// What the rules create.invalid-* leave of a type.
fn limited(message: &str, field: &str) -> Option<Value> {
    Some(match (message, field) {
        ("CreateProductRequest", "name" | "sku") => json!({ "type": "string", "minLength": 1, "pattern": NO_NUL }),
        ("CreateProductRequest", "category" | "description") => {
            json!({ "type": ["string", "null"], "pattern": NO_NUL })
        }
        ("CreateProductRequest", "stock_quantity") => accepted_int32(0),
        ("CreateProductRequest", "price") => json!({ "anyOf": [
            price(),
            { "type": "string", "pattern": "^(0|[1-9][0-9]{0,8})([.][0-9]{1,9})?$" },
            { "type": "null" },
        ] }),
        _ => return None,
    })
}

/// Finite and not negative (rule create.invalid-price).
fn price() -> Value {
    json!({ "type": "number", "format": "double", "minimum": 0, "maximum": f64::MAX })
}

fn int32(minimum: i32) -> Value {
    json!({ "type": "integer", "format": "int32", "minimum": minimum, "maximum": i32::MAX })
}

fn accepted_int32(minimum: i32) -> Value {
    let sign = if minimum < 0 { "-?" } else { "" };
    let quoted = format!("^(0|{sign}[1-9][0-9]{{0,8}})$");
    json!({ "anyOf": [int32(minimum), { "type": "string", "pattern": quoted }, { "type": "null" }] })
}

fn not_finite() -> Value {
    json!({ "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] })
}

/// The name of a message among the components: without its package.
fn component(type_name: &str) -> String {
    let parts = type_name
        .split('.')
        .filter(|part| part.starts_with(|c: char| c.is_ascii_uppercase()));
    parts.collect::<Vec<_>>().join(".")
}
