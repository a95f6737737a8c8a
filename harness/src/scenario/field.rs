//! The values of keys as the written types hold them: missing, given, or bad and already reported. The deserializer of
//! `de.rs` knows these types by name.

use super::tree::NodeId;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt, marker::PhantomData};

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
pub const FIELD: &str = "$stocktake::Field";
pub const RAW: &str = "$stocktake::Raw";

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
