//! A scenario file as text: where things are in it.

use std::sync::Arc;

/// A piece of a source: byte offsets, end exclusive, and the position of its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
    /// Line of the start, from 1.
    pub line: usize,
    /// Column of the start in characters, from 1.
    pub column: usize,
}

/// The text of one file under the name that messages show.
#[derive(Debug)]
pub struct SourceFile {
    /// The path as the user would type it, or as it lies in the repository for an embedded file.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

/// Sources are shared by every span holder.
pub type Source = Arc<SourceFile>;
