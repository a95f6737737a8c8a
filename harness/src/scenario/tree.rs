//! A YAML document as a tree with places.

use super::{
    scalar::Scalar,
    source::{Lines, Located, Span},
};
use saphyr_parser::ScalarStyle;

/// An index into [`Tree::nodes`].
pub type NodeId = usize;

/// A YAML document.
#[derive(Debug)]
pub struct Tree<'t> {
    /// Its text.
    pub lines: Lines<'t>,
    /// All nodes; children come after their parents.
    pub nodes: Vec<Node>,
}

/// A value of the document, or a key.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// From its first to its last character, quotes and brackets included.
    pub span: Span,
}

/// See [`Node`].
#[derive(Debug)]
pub enum Kind {
    /// Anything but a list or a map.
    Scalar {
        /// What it means.
        value: Scalar,
        /// Its text without quotes, escapes and folds.
        text: String,
        /// How it is written.
        style: ScalarStyle,
    },
    /// A sequence.
    List(Vec<NodeId>),
    /// A mapping, in order.
    Map(Vec<Entry>),
    /// Something whose mistake is already reported: no further complaint about it.
    Bad,
}

/// A key and its value.
#[derive(Debug)]
pub struct Entry {
    /// The key as a node of its own.
    pub key: NodeId,
    /// Its text and place.
    pub name: Located<String>,
    /// The value.
    pub value: NodeId,
}

/// What an absent node looks like; a tree always has a root, so this is never shown.
const NO_NODE: Node = Node {
    kind: Kind::Bad,
    span: Span {
        start: 0,
        end: 0,
        line: 1,
        column: 1,
    },
};

impl Tree<'_> {
    /// The outermost value.
    pub const ROOT: NodeId = 0;

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id).unwrap_or(&NO_NODE)
    }

    /// A node's place.
    pub fn span(&self, id: NodeId) -> Span {
        self.node(id).span
    }
}
