//! The fields of a message type as one flat list, nested messages included, and which of them a message sets.

use super::{Field, FieldKind, MessageType, dynamic::DynMsg};
use buffa_descriptor::Value;
use buffa_descriptor::reflect::{DynamicMessage, ReflectMessage};

/// Fields of one type that are listed; of a larger type the others are counted.
const MOST: usize = 250;

/// Messages inside each other that are looked into.
const DEEPEST: usize = 4;

/// The fields of a message type in the order of declaration, each before the fields inside of it: `products`,
/// `products[].id`. A list or a map of messages is written `[]`. A type inside of itself is not looked into again.
#[derive(Debug)]
pub struct Shape {
    paths: Vec<String>,
    /// Fields that are not in the list.
    left_out: usize,
    fields: Vec<Part>,
}

/// A field of a [`Shape`].
#[derive(Debug)]
pub struct Part {
    /// The field.
    pub field: Field,
    /// Its place in [`Shape::paths`].
    pub index: usize,
    /// The fields inside of it, where it holds messages that are looked into.
    pub inside: Vec<Part>,
}

impl Shape {
    /// Of a type.
    pub fn of(ty: &MessageType) -> Shape {
        let mut shape = Shape {
            paths: Vec::new(),
            left_out: 0,
            fields: Vec::new(),
        };
        shape.fields = shape.parts(ty, "", &mut Vec::new());
        shape
    }

    /// Every field, such as `products[].id`.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// How many fields of a very large type are not in the list.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The fields of the type itself.
    pub fn fields(&self) -> &[Part] {
        &self.fields
    }

    /// Marks the fields that a message sets; `hit` has a place for each of [`Shape::paths`].
    pub fn mark(&self, message: &DynMsg, hit: &mut [bool]) {
        mark(&self.fields, &message.0, hit);
    }

    fn parts(&mut self, ty: &MessageType, prefix: &str, above: &mut Vec<MessageType>) -> Vec<Part> {
        let mut parts = Vec::new();
        above.push(ty.clone());
        for field in ty.fields() {
            if self.paths.len() == MOST {
                self.left_out += 1;
                continue;
            }
            let index = self.paths.len();
            self.paths.push(format!("{prefix}{}", field.name));
            let (inner, mark) = match &field.kind {
                FieldKind::Message(inner) => (Some(inner), ""),
                FieldKind::List(element) | FieldKind::Map(_, element) => match element.as_ref() {
                    FieldKind::Message(inner) => (Some(inner), "[]"),
                    _ => (None, ""),
                },
                FieldKind::Scalar(_) | FieldKind::Enum(_) => (None, ""),
            };
            let inner = inner.filter(|inner| !inner.has_own_json() && above.len() < DEEPEST && !above.contains(inner));
            let inside = match inner.cloned() {
                Some(inner) => self.parts(&inner, &format!("{prefix}{}{mark}.", field.name), above),
                None => Vec::new(),
            };
            parts.push(Part { field, index, inside });
        }
        above.pop();
        parts
    }
}

fn mark(parts: &[Part], message: &DynamicMessage, hit: &mut [bool]) {
    for part in parts {
        let Some(descriptor) = message.message_descriptor().field(part.field.number) else {
            continue;
        };
        if !message.has(descriptor) {
            continue;
        }
        if let Some(hit) = hit.get_mut(part.index) {
            *hit = true;
        }
        if part.inside.is_empty() {
            continue;
        }
        let mut look = |value: &Value| {
            if let Value::Message(inner) = value {
                mark(&part.inside, inner, hit);
            }
        };
        match message.field_by_number(part.field.number) {
            Some(Value::List(items)) => items.iter().for_each(look),
            Some(Value::Map(entries)) => entries.iter().for_each(|(_, value)| look(value)),
            Some(single) => look(single),
            None => {}
        }
    }
}
