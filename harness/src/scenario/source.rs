//! A scenario file as text: where things are in it.

use std::{ops::Range, sync::Arc};

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

impl Span {
    /// From the start of this one to the end of another that follows it.
    pub fn to(self, last: Span) -> Span {
        Span {
            end: last.end.max(self.end),
            ..self
        }
    }
}

/// A place between two characters of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Byte offset.
    pub byte: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
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

impl SourceFile {
    /// A file whose text is already in memory.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Arc::new(SourceFile {
            name: name.into(),
            text: text.into(),
        })
    }
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

/// Turns byte offsets into lines and columns.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    /// Byte offset of the start of each line.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    /// Finds the lines of a text.
    pub fn new(text: &'t str) -> Lines<'t> {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Lines {
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// The whole text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The span of a range of bytes; offsets beyond the text or inside a character move to the left.
    pub fn span(&self, range: Range<usize>) -> Span {
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end).max(start);
        let line = self.starts.partition_point(|at| *at <= start).max(1);
        let line_start = self.starts.get(line - 1).copied().unwrap_or(0);
        let column = self
            .text
            .get(line_start..start)
            .map_or(0, |before| before.chars().count())
            + 1;
        Span {
            start,
            end,
            line,
            column,
        }
    }

    /// The positions of offsets that do not decrease.
    pub fn positions(&self, offsets: &[usize]) -> Vec<Position> {
        let Some(first) = offsets.first() else {
            return Vec::new();
        };
        let start = self.span(*first..*first);
        let mut position = Position {
            byte: start.start,
            line: start.line,
            column: start.column,
        };
        let mut positions = Vec::with_capacity(offsets.len());
        for offset in offsets {
            let passed = self
                .text
                .get(position.byte..(*offset).max(position.byte))
                .unwrap_or_default();
            for c in passed.chars() {
                position.byte += c.len_utf8();
                position.column += 1;
                if c == '\n' {
                    position.line += 1;
                    position.column = 1;
                }
            }
            positions.push(position);
        }
        positions
    }

    /// The bytes of a line, counted from 1, without its line break.
    pub fn line(&self, line: usize) -> Range<usize> {
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(self.text.len());
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let end = end.max(start);
        let carriage_return = self.text.get(start..end).is_some_and(|line| line.ends_with('\r'));
        start..end - usize::from(carriage_return)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_span_counts_lines_from_one_and_columns_in_characters() {
        let lines = Lines::new("ab\nçd: é\r\n\nx");
        let at = lines.span(8..10);
        assert_eq!((at.line, at.column), (2, 5));
        assert_eq!(lines.span(0..0).column, 1);
        assert_eq!((lines.span(13..14).line, lines.span(13..14).column), (4, 1));
    }

    #[test]
    fn an_offset_beyond_the_text_is_its_end() {
        let lines = Lines::new("ab\n");
        assert_eq!(
            lines.span(9..99),
            Span {
                start: 3,
                end: 3,
                line: 2,
                column: 1
            }
        );
        assert_eq!(lines.line(9), 3..3);
    }

    #[test]
    fn a_line_ends_before_its_break() {
        let lines = Lines::new("ab\r\ncd\n");
        assert_eq!(lines.line(1), 0..2);
        assert_eq!(lines.line(2), 4..6);
    }
}
