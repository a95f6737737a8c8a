//! serde over a spanned tree: reads a node into a plain struct and collects every mistake with its place.
//!
//! An unknown key or a value of a wrong type is noted and skipped, so that one read finds all mistakes; see
//! [`super::field`].

use super::{
    error::{Problem, short, suggest},
    field::{FIELD, RAW},
    scalar::Scalar,
    source::Span,
    tree::{Entry, Kind, NodeId, Tree},
};
use serde::{
    Deserializer,
    de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor, value::U64Deserializer},
};
use std::{cell::RefCell, fmt};

/// Elements of a list of steps, rows, words or expectations. Messages to send are not counted.
pub const MOST_ELEMENTS: usize = 1000;

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

    /// No scenario has numbers with a point in its settings; a price file does.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.scalar() {
            Some((Scalar::Float(value), _)) => visitor.visit_f64(*value),
            Some((Scalar::Int(value), _)) => visitor.visit_f64(*value as f64),
            _ => Err(self.wrong("a number")),
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
            Kind::List(items) if items.len() > MOST_ELEMENTS => {
                let text = format!(
                    "this list has {} elements, at most {MOST_ELEMENTS} can be read",
                    items.len()
                );
                Err(Failure::New(text, Some(self.tree.span(self.key)), None))
            }
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
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf option unit unit_struct tuple map
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scenario::{field::Field, yaml};
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        word: Field<Word>,
        number: Field<u64>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Word {
        FirstWord,
        Second,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        text: Field<String>,
        list: Field<Vec<Field<Inner>>>,
        yes: Field<bool>,
    }

    fn check(text: &str) -> (Outer, Vec<String>) {
        let (tree, problems) = yaml::read(text);
        assert!(problems.is_empty());
        let mut problems = Vec::new();
        let outer = read(&tree.unwrap(), &mut problems).unwrap();
        let shown = problems
            .into_iter()
            .map(|problem| format!("{}:{} {}", problem.span.line, problem.span.column, problem.text));
        (outer, shown.collect())
    }

    #[test]
    fn what_is_right_is_given_with_its_place() {
        let (outer, problems) = check("text: a\nlist: [{ word: second, number: 3 }]\n");
        assert!(problems.is_empty());
        assert_eq!(outer.text.value().unwrap(), "a");
        assert!(matches!(outer.yes, Field::Missing));
        let list = outer.list.value().unwrap();
        let inner = list[0].value().unwrap();
        assert!(matches!(inner.word.value(), Some(Word::Second)) && inner.number.value() == Some(&3));
    }

    #[test]
    fn every_mistake_is_noted_and_the_rest_is_read() {
        let (outer, problems) = check(
            "txt: a\ntext: 5\nyes: maybe\nlist:\n  - { word: frst-word, number: -1 }\n  - nothing\n  - { word: first-word, numbr: 2 }\n",
        );
        assert_eq!(
            problems,
            [
                "1:1 unknown key `txt`, did you mean `text`?",
                "2:7 expected text, found the number 5",
                "3:6 expected `true` or `false`, found the text `maybe`",
                "5:13 unknown value `frst-word`, did you mean `first-word`?",
                "5:32 expected a whole number, found the number -1",
                "6:5 expected a map, found the text `nothing`",
                "7:25 unknown key `numbr`, did you mean `number`?",
            ]
        );
        assert!(matches!(outer.text, Field::Bad) && outer.text.is_written());
        let list = outer.list.value().unwrap();
        assert!(matches!(list[1], Field::Bad));
        assert!(matches!(list[2].value().unwrap().word.value(), Some(Word::FirstWord)));
    }
}
