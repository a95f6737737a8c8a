//! A template with its expressions evaluated: plain data, each node with its place in the YAML.

use super::source::{Located, Span};

/// Plain data with places.
#[derive(Clone, Debug)]
pub struct Data {
    /// What it is.
    pub node: DataNode,
    /// Its place.
    pub span: Span,
    /// Whether the value was computed by an expression: messages then show the value, not the text.
    pub computed: bool,
}

/// See [`Data`].
#[derive(Clone, Debug)]
pub enum DataNode {
    /// Null.
    Null,
    /// A boolean.
    Bool(bool),
    /// Within i64 or u64.
    Int(i128),
    /// A double.
    Float(f64),
    /// Text.
    Str(String),
    /// Bytes, from an expression.
    Bytes(Vec<u8>),
    /// A duration, from an expression; nanoseconds.
    Duration(i64),
    /// An instant, from an expression; nanoseconds since 1970 UTC.
    Timestamp(i64),
    /// A list.
    List(Vec<Data>),
    /// A map, in order.
    Map(Vec<(Located<String>, Data)>),
}
