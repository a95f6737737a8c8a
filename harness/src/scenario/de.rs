//! serde over a spanned tree: reads a node into a plain struct and collects every mistake with its place.
//!
//! An unknown key or a value of a wrong type is noted and skipped, so that one read finds all mistakes: keys are held in
//! [`Field`], which is missing, given, or bad and already reported.

use super::{
    error::{Problem, short, suggest},
    scalar::Scalar,
    source::Span,
    yaml::{Entry, Kind, NodeId, Tree},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor, value::U64Deserializer},
};
use std::{borrow::Cow, cell::RefCell, fmt, marker::PhantomData};

/// Reads the root of a tree. Mistakes go into `problems`; with any, the value has [`Field::Bad`] in their places.
pub fn read<T: de::DeserializeOwned>(tree: &Tree<'_>, problems: &mut Vec<Problem>) -> Option<T> {
    read_node(tree, Tree::ROOT, problems)
}

/// Reads one node.
pub fn read_node<T: de::DeserializeOwned>(tree: &Tree<'_>, node: NodeId, problems: &mut Vec<Problem>) -> Option<T> {
    let noted = RefCell::new(Vec::new());
    let place = Place {
        tree,
        key: node,
        node,
        noted: &noted,
    };
    let result = T::deserialize(place).map_err(|failure| place.note(failure)).ok();
    problems.append(&mut noted.borrow_mut());
    result
}

/// The value of a key that may be missing.
#[derive(Clone, Debug, Default)]
pub enum Field<T> {
    /// The key is not there.
    #[default]
    Missing,
    /// Its mistake is already reported.
    Bad,
    /// There, and of the right type.
    Given(Given<T>),
}

/// A value that was written in the file.
#[derive(Clone, Debug)]
pub struct Given<T> {
    /// The key's node; for an element of a list the element itself.
    pub key: NodeId,
    /// The value's node.
    pub node: NodeId,
    /// The value.
    pub value: T,
}

impl<T> Field<T> {
    /// The value, if there is one.
    pub fn given(&self) -> Option<&Given<T>> {
        match self {
            Field::Given(given) => Some(given),
            Field::Missing | Field::Bad => None,
        }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        self.given().map(|given| &given.value)
    }

    /// Whether the key is there, right or wrong.
    pub fn is_written(&self) -> bool {
        !matches!(self, Field::Missing)
    }
}

/// A node that is lowered by hand: a template, or one of several shapes.
#[derive(Clone, Copy, Debug)]
pub struct Raw(pub NodeId);

/// Names that the deserializer recognizes; no struct of the language is called so.
const FIELD: &str = "$stocktake::Field";
const RAW: &str = "$stocktake::Raw";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Field<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a scenario")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let (Some(key), Some(node)) = (parts.next_element::<u64>()?, parts.next_element::<u64>()?) else {
                    return Ok(Field::Bad);
                };
                // A failure is noted by the access itself.
                Ok(match parts.next_element::<T>() {
                    Ok(Some(value)) => Field::Given(Given {
                        key: key as NodeId,
                        node: node as NodeId,
                        value,
                    }),
                    Ok(None) | Err(_) => Field::Bad,
                })
            }
        }
        deserializer.deserialize_tuple_struct(FIELD, 3, Parts(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a scenario")
            }

            fn visit_u64<E: de::Error>(self, id: u64) -> Result<Raw, E> {
                Ok(Raw(id as NodeId))
            }
        }
        deserializer.deserialize_newtype_struct(RAW, Id)
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl JsonSchema for Raw {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

/// What serde passes upwards when a value cannot be read.
#[derive(Debug)]
enum Failure {
    /// Not yet in the list: the sentence, the place once it is known, and the help.
    New(String, Option<Span>, Option<String>),
    /// Already in the list.
    Noted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::New(text, ..) => f.write_str(text),
            Failure::Noted => f.write_str("already reported"),
        }
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Failure::New(text.to_string(), None, None)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let text = suggest(
            format!("unknown value `{}`", short(variant)),
            variant,
            expected.iter().copied(),
        );
        let help = format!("write {}", one_of(expected));
        Failure::New(text, None, Some(help))
    }
}

/// "`a`, `b` or `c`".
pub fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// A node, the key it belongs to, and where mistakes are noted.
#[derive(Clone, Copy)]
struct Place<'a, 't> {
    tree: &'a Tree<'t>,
    key: NodeId,
    node: NodeId,
    noted: &'a RefCell<Vec<Problem>>,
}

impl Place<'_, '_> {
    fn note(&self, failure: Failure) {
        if let Failure::New(text, span, help) = failure {
            let span = span.unwrap_or(self.tree.span(self.node));
            self.noted.borrow_mut().push(Problem { span, text, help });
        }
    }

    /// "expected a list, found the text `x`".
    fn wrong(&self, expected: &str) -> Failure {
        let node = self.tree.node(self.node);
        let mut help = None;
        if let Kind::Scalar { value, text, .. } = &node.kind
            && expected == "text"
            && !matches!(value, Scalar::Null | Scalar::Str)
        {
            help = Some(format!("quote it: \"{text}\""));
        }
        if let Kind::Scalar {
            value: Scalar::Null, ..
        } = &node.kind
        {
            let span = self.tree.span(self.key);
            return Failure::New(format!("this key has no value, expected {expected}"), Some(span), None);
        }
        if expected == "a list" {
            help = match &node.kind {
                Kind::Map(_) => Some("start each element with `- `".to_owned()),
                Kind::Scalar { text, .. } => Some(format!("write [{}]", short(text))),
                _ => None,
            };
        }
        match describe(&node.kind) {
            Some(found) => Failure::New(format!("expected {expected}, found {found}"), Some(node.span), help),
            None => Failure::Noted,
        }
    }

    fn scalar(&self) -> Option<(&Scalar, &str)> {
        match &self.tree.node(self.node).kind {
            Kind::Scalar { value, text, .. } => Some((value, text)),
            _ => None,
        }
    }

    fn text(&self) -> Result<&str, Failure> {
        match self.scalar() {
            Some((Scalar::Str, text)) => Ok(text),
            _ => Err(self.wrong("text")),
        }
    }

    fn located(self, result: Failure) -> Failure {
        match result {
            Failure::New(text, None, help) => Failure::New(text, Some(self.tree.span(self.node)), help),
            other => other,
        }
    }
}

/// What a node is, for people. `None`: it is bad.
pub fn describe(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::Scalar {
            value: Scalar::Null, ..
        } => "nothing".to_owned(),
        Kind::Scalar {
            value: Scalar::Bool(value),
            ..
        } => format!("`{value}`"),
        Kind::Scalar {
            value: Scalar::Int(_) | Scalar::Float(_),
            text,
            ..
        } => format!("the number {text}"),
        Kind::Scalar {
            value: Scalar::Str,
            text,
            ..
        } => format!("the text `{}`", short(text)),
        Kind::List(_) => "a list".to_owned(),
        Kind::Map(_) => "a map".to_owned(),
        Kind::Bad => return None,
    })
}

impl<'de> Deserializer<'de> for Place<'_, '_> {
    type Error = Failure;

    /// Nothing in the language asks for a value without saying of which type.
    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Failure> {
        Err(self.wrong("another value"))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.scalar() {
            Some((Scalar::Bool(value), _)) => visitor.visit_bool(*value),
            _ => Err(self.wrong("`true` or `false`")),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.scalar() {
            Some((Scalar::Int(value), _)) if u64::try_from(*value).is_ok() => visitor.visit_u64(*value as u64),
            _ => Err(self.wrong("a whole number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_str(self.text()?).map_err(|failure| self.located(failure))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.tree.node(self.node).kind {
            Kind::List(items) => visitor.visit_seq(Items {
                place: self,
                items: items.iter(),
            }),
            _ => Err(self.wrong("a list")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match &self.tree.node(self.node).kind {
            Kind::Map(entries) => visitor.visit_map(Entries {
                place: self,
                entries: entries.iter(),
                known: fields,
                seen: Vec::new(),
                value: None,
            }),
            _ => Err(self.wrong("a map")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_enum(Word(self)).map_err(|failure| self.located(failure))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Failure> {
        match name {
            RAW => visitor.visit_u64(self.node as u64),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match name {
            FIELD => visitor.visit_seq(Parts { place: self, next: 0 }),
            _ => self.deserialize_seq(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char bytes byte_buf option unit unit_struct tuple map
    }
}

/// The three parts of a [`Field`]: key, node, value.
struct Parts<'a, 't> {
    place: Place<'a, 't>,
    next: u8,
}

impl<'de> SeqAccess<'de> for Parts<'_, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(U64Deserializer::new(self.place.key as u64)).map(Some),
            2 => seed.deserialize(U64Deserializer::new(self.place.node as u64)).map(Some),
            _ => match seed.deserialize(self.place) {
                Ok(value) => Ok(Some(value)),
                Err(failure) => {
                    self.place.note(failure);
                    Err(Failure::Noted)
                }
            },
        }
    }
}

struct Items<'a, 't> {
    place: Place<'a, 't>,
    items: std::slice::Iter<'a, NodeId>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        self.items
            .next()
            .map(|node| {
                seed.deserialize(Place {
                    key: *node,
                    node: *node,
                    ..self.place
                })
            })
            .transpose()
    }
}

struct Entries<'a, 't> {
    place: Place<'a, 't>,
    entries: std::slice::Iter<'a, Entry>,
    /// The keys of the struct; others are noted and skipped.
    known: &'static [&'static str],
    seen: Vec<&'static str>,
    value: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Failure> {
        for entry in self.entries.by_ref() {
            let name = entry.name.value.as_str();
            match self.known.iter().find(|known| **known == name) {
                // A key that stands twice is already reported by the tree; serde must see it once.
                Some(known) if self.seen.contains(known) => continue,
                Some(known) => self.seen.push(known),
                None => {
                    let text = suggest(
                        format!("unknown key `{}`", short(name)),
                        name,
                        self.known.iter().copied(),
                    );
                    let help = match text.contains("did you mean") {
                        true => None,
                        false => Some(format!("the keys here are {}", self.known.join(", "))),
                    };
                    self.place.note(Failure::New(text, Some(entry.name.span), help));
                    continue;
                }
            }
            self.value = Some(entry);
            let key = Place {
                key: entry.key,
                node: entry.key,
                ..self.place
            };
            return seed.deserialize(key).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        match self.value.take() {
            Some(entry) => seed.deserialize(Place {
                key: entry.key,
                node: entry.value,
                ..self.place
            }),
            None => Err(Failure::Noted),
        }
    }
}

/// A word of a closed list.
struct Word<'a, 't>(Place<'a, 't>);

impl<'de> EnumAccess<'de> for Word<'_, '_> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Failure> {
        Ok((seed.deserialize(self.0)?, self))
    }
}

impl<'de> VariantAccess<'de> for Word<'_, '_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Failure> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Failure> {
        self.0.deserialize_struct("", fields, visitor)
    }
}
