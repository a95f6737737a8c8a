//! The rows of an import: JSON objects in an array, or one after the other with any white space between them.
//!
//! `Splitter` finds where a row begins and ends, whatever pieces the text comes in, and keeps no more than one row. What is
//! inside a row is the JSON reader's to judge.

use super::json::Malformed;
use bytes::{Buf, Bytes};

/// Cuts text into rows.
#[derive(Debug)]
pub struct Splitter {
    /// The longest row, in bytes.
    limit: usize,
    next: Next,
    /// Of the next byte.
    place: Place,
    /// How many rows were given away.
    rows: usize,
}

/// A line and a column, from 1; columns count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// What comes next.
#[derive(Debug)]
enum Next {
    /// The first row, or the array.
    Anything,
    /// Another row, outside an array.
    Row,
    /// The first row of an array, or its end.
    FirstElement,
    /// A row of an array, behind a comma.
    Element,
    /// A comma, or the end of the array.
    Comma,
    /// The rest of a row.
    Rest(Partial),
    /// Nothing but white space, behind the array.
    Nothing,
}

/// A row that has begun.
#[derive(Debug)]
struct Partial {
    begun: Place,
    /// What earlier pieces brought of it.
    text: Vec<u8>,
    /// Brackets and braces that are open.
    depth: usize,
    in_string: bool,
    escaped: bool,
    in_array: bool,
}

/// A whole row.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// From `{` to `}`.
    pub text: Bytes,
    number: usize,
    begun: Place,
}

/// Why there is no next row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRow {
    /// It is not JSON, or not what an import wants.
    Malformed {
        /// From 1: the rows before it were whole. What stands between two rows, or behind the last one, counts as the row that
        /// could have come there.
        number: usize,
        /// Where in the whole text, and why.
        malformed: Malformed,
    },
    /// It is longer than a message may be.
    TooLong,
}

impl Row {
    /// What the JSON reader says of this row, with its place in the whole text.
    pub fn wrong(&self, malformed: Malformed) -> BadRow {
        placed(self.number, self.begun, malformed)
    }
}

impl Splitter {
    /// Rows of at most this many bytes.
    pub fn new(limit: usize) -> Splitter {
        Splitter {
            limit,
            next: Next::Anything,
            place: Place { line: 1, column: 1 },
            rows: 0,
        }
    }

    /// The next whole row; none when the piece is used up.
    pub fn row(&mut self, piece: &mut Bytes) -> Result<Option<Row>, BadRow> {
        while !piece.is_empty() {
            if let Next::Rest(_) = self.next {
                match self.rest(piece)? {
                    Some(row) => return Ok(Some(row)),
                    None => continue,
                }
            }
            let byte = piece[0];
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'{' => match self.next {
                    Next::Anything | Next::Row => self.begin(false),
                    Next::FirstElement | Next::Element => self.begin(true),
                    _ => return Err(self.unexpected()),
                },
                b'[' if matches!(self.next, Next::Anything) => self.next = Next::FirstElement,
                b',' if matches!(self.next, Next::Comma) => self.next = Next::Element,
                b']' if matches!(self.next, Next::FirstElement | Next::Comma) => self.next = Next::Nothing,
                _ => return Err(self.unexpected()),
            }
            // A row takes its own first byte.
            if !matches!(self.next, Next::Rest(_)) {
                self.place.pass(byte);
                piece.advance(1);
            }
        }
        Ok(None)
    }

    /// Whether the text may end here.
    pub fn end(&mut self) -> Result<(), BadRow> {
        match &mut self.next {
            Next::Anything | Next::Row | Next::Nothing => Ok(()),
            Next::FirstElement | Next::Element | Next::Comma => {
                Err(self.malformed("the text ends inside the array".to_owned()))
            }
            Next::Rest(row) => {
                // The reader tells best what is missing; it cannot find a whole row here.
                let (begun, text) = (row.begun, std::mem::take(&mut row.text));
                match super::json::message::<inventory_contract::CreateProductRequest>(&text) {
                    Err(malformed) => Err(placed(self.rows + 1, begun, malformed)),
                    Ok(_) => Err(self.malformed("the text ends inside a row".to_owned())),
                }
            }
        }
    }

    fn begin(&mut self, in_array: bool) {
        self.next = Next::Rest(Partial {
            begun: self.place,
            text: Vec::new(),
            depth: 0,
            in_string: false,
            escaped: false,
            in_array,
        });
    }

    /// Goes on with a row.
    fn rest(&mut self, piece: &mut Bytes) -> Result<Option<Row>, BadRow> {
        let Next::Rest(row) = &mut self.next else {
            return Ok(None);
        };
        let end = piece.iter().position(|byte| {
            self.place.pass(*byte);
            row.closes(*byte)
        });
        let part = piece.split_to(end.map_or(piece.len(), |end| end + 1));
        if row.text.len() + part.len() > self.limit {
            return Err(BadRow::TooLong);
        }
        if end.is_none() {
            row.text.extend_from_slice(&part);
            return Ok(None);
        }
        let text = if row.text.is_empty() {
            part
        } else {
            row.text.extend_from_slice(&part);
            std::mem::take(&mut row.text).into()
        };
        self.rows += 1;
        let row = Row {
            text,
            number: self.rows,
            begun: row.begun,
        };
        self.next = match &self.next {
            Next::Rest(Partial { in_array: true, .. }) => Next::Comma,
            _ => Next::Row,
        };
        Ok(Some(row))
    }

    fn unexpected(&self) -> BadRow {
        let wanted = match self.next {
            Next::Anything => "expected a JSON object or an array of them",
            Next::Row | Next::Element => "expected a JSON object",
            Next::FirstElement => "expected a JSON object or `]`",
            Next::Comma => "expected `,` or `]`",
            Next::Rest(_) | Next::Nothing => "expected the end of the text behind the array",
        };
        self.malformed(wanted.to_owned())
    }

    fn malformed(&self, problem: String) -> BadRow {
        BadRow::Malformed {
            number: self.rows + 1,
            malformed: Malformed {
                field: None,
                problem,
                line: self.place.line,
                column: self.place.column,
            },
        }
    }
}

impl Place {
    fn pass(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }
}

impl Partial {
    /// Whether this byte ends the row.
    fn closes(&mut self, byte: u8) -> bool {
        if self.escaped {
            self.escaped = false;
            return false;
        }
        match byte {
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            _ if self.in_string => {}
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }
}

/// A place in a row as a place in the whole text.
fn placed(number: usize, begun: Place, mut malformed: Malformed) -> BadRow {
    if malformed.line == 1 {
        malformed.column += begun.column - 1;
    }
    malformed.line += begun.line - 1;
    BadRow::Malformed { number, malformed }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The rows of a text that comes in pieces of this size, and how it ends.
    fn split(text: &str, size: usize, limit: usize) -> (Vec<String>, Result<(), BadRow>) {
        let mut splitter = Splitter::new(limit);
        let mut rows = Vec::new();
        for piece in text.as_bytes().chunks(size) {
            let mut piece = Bytes::copy_from_slice(piece);
            loop {
                match splitter.row(&mut piece) {
                    Ok(Some(row)) => rows.push(String::from_utf8(row.text.to_vec()).unwrap()),
                    Ok(None) => break,
                    Err(bad) => return (rows, Err(bad)),
                }
            }
        }
        let end = splitter.end();
        (rows, end)
    }

    #[test]
    fn rows_are_found_wherever_the_pieces_end() {
        let tricky = "{\"name\": \"a } ] \\\" \\\\\", \"b\": [1, {\"c\": \"{\"}], \"ü\": \"\u{1f4ba}\"}";
        let pretty = "{\n  \"name\": \"x\"\n}";
        for text in [
            format!("{tricky}\n{pretty}\r\n\n{{}}"),
            format!(" {tricky}{pretty}\t{{}}\n"),
            format!("[{tricky},{pretty},{{}}]"),
            format!("\n[\n  {tricky} ,\n{pretty}\n, {{}}\n]\n "),
        ] {
            for size in 1..=text.len() {
                let (rows, end) = split(&text, size, 1000);
                assert_eq!(
                    (rows, end),
                    (vec![tricky.into(), pretty.into(), "{}".into()], Ok(())),
                    "{text} by {size}"
                );
            }
        }
        for text in ["", " \n", "[]", "[ ]\n"] {
            assert_eq!(split(text, 1, 1000), (vec![], Ok(())), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_row_is_placed_in_the_whole_text() {
        for (text, rows, number, line, column, problem) in [
            ("{}\n  oops", 1, 2, 2, 3, "expected a JSON object"),
            ("{},{}", 1, 2, 1, 3, "expected a JSON object"),
            ("7", 0, 1, 1, 1, "expected a JSON object or an array of them"),
            ("[7]", 0, 1, 1, 2, "expected a JSON object or `]`"),
            ("[{},]", 1, 2, 1, 5, "expected a JSON object"),
            ("[{} {}]", 1, 2, 1, 5, "expected `,` or `]`"),
            ("[[{}]]", 0, 1, 1, 2, "expected a JSON object or `]`"),
            ("[{}]\n[", 1, 2, 2, 1, "expected the end of the text behind the array"),
            ("[{}]{", 1, 2, 1, 5, "expected the end of the text behind the array"),
            ("[{},\n", 1, 2, 2, 1, "the text ends inside the array"),
            ("null", 0, 1, 1, 1, "expected a JSON object or an array of them"),
            ("[", 0, 1, 1, 2, "the text ends inside the array"),
            ("[]{", 0, 1, 1, 3, "expected the end of the text behind the array"),
            (
                "{\"name\": 1",
                0,
                1,
                1,
                10,
                "invalid value: integer `1`, expected a string",
            ),
            ("{}\n{}\n{}\nnull", 3, 4, 4, 1, "expected a JSON object"),
            ("[{},{}, 1]", 2, 3, 1, 9, "expected a JSON object"),
            (
                "{}\n {\"name\":\n 1",
                1,
                2,
                3,
                2,
                "invalid value: integer `1`, expected a string",
            ),
            ("{}\n {\"name\": \"x\"", 1, 2, 2, 13, "EOF while parsing an object"),
        ] {
            for size in [1, 3, text.len()] {
                let (found, end) = split(text, size, 1000);
                let Err(BadRow::Malformed { number: n, malformed }) = end else {
                    panic!("{text:?} by {size}: {end:?}");
                };
                assert_eq!(found.len(), rows, "{text:?}");
                assert_eq!(
                    (n, malformed.line, malformed.column),
                    (number, line, column),
                    "{text:?} {malformed:?}"
                );
                assert_eq!(malformed.problem, problem, "{text:?}");
            }
        }
    }

    #[test]
    fn a_row_beyond_the_limit_is_not_kept() {
        let long = format!("{{}}\n{{\"name\": \"{}", "x".repeat(100));
        for size in [1, 7, 1000] {
            let (rows, end) = split(&long, size, 50);
            assert_eq!((rows.len(), end), (1, Err(BadRow::TooLong)));
        }
        let just = format!("{{\"name\": \"{}\"}}", "x".repeat(38));
        assert_eq!(just.len(), 50);
        assert_eq!(split(&just, 7, 50), (vec![just], Ok(())));
    }
}
