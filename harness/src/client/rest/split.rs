//! JSON values in a stream of bytes: one a line (or with any white space between), or the elements of one array.

use crate::client::frame::MAX_MESSAGE;
use bytes::{Buf, Bytes, BytesMut};

/// Puts values together from bytes as they arrive, wherever they are cut.
#[derive(Default)]
pub(crate) struct Splitter {
    buffer: BytesMut,
    /// How much of the buffer has been looked at: it ends within the value that begins the buffer.
    looked: usize,
    form: Form,
    value: Value,
}

/// How the values stand beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Nothing but white space so far.
    #[default]
    Unknown,
    /// One after the other.
    Lines,
    /// After `[` or a comma; `first`: the array may end here.
    Element { first: bool },
    /// After an element.
    AfterElement,
    /// After `]`.
    Closed,
}

/// The value that begins the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Value {
    #[default]
    None,
    /// An object or an array: open brackets, and whether a text is open in it.
    Composite { depth: usize, text: bool, escaped: bool },
    /// A text.
    Text { escaped: bool },
    /// A number, `true`, `false` or `null`: ends where something else begins.
    Bare,
}

/// What the buffer holds next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// The text of a whole value.
    Value(Bytes),
    /// No JSON, or too much of it.
    Wrong(String),
}

impl Splitter {
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// All bytes that wait, as they are.
    pub fn take(&mut self) -> Bytes {
        self.looked = 0;
        self.buffer.split().freeze()
    }

    /// The next value; `ended`: no more bytes come.
    pub fn pop(&mut self, ended: bool) -> Option<Piece> {
        if self.value == Value::None && !self.begin() {
            return self.buffer.first().copied().map(|byte| self.wrong(byte));
        }
        while let Some(byte) = self.buffer.get(self.looked).copied() {
            match self.step(byte) {
                Step::Goes => self.looked += 1,
                Step::EndsWith => {
                    self.looked += 1;
                    return Some(self.cut());
                }
                Step::EndsBefore => return Some(self.cut()),
            }
        }
        if ended && self.value == Value::Bare && self.form == Form::Lines {
            return Some(self.cut());
        }
        if self.buffer.len() > MAX_MESSAGE {
            let length = self.take().len();
            return Some(Piece::Wrong(format!(
                "a value of {length} bytes and more; the client takes at most {MAX_MESSAGE}"
            )));
        }
        None
    }

    /// What is not whole at the end of the stream.
    pub fn unfinished(&self) -> Option<String> {
        match (self.value, self.form) {
            (Value::None, Form::Unknown | Form::Lines | Form::Closed) => None,
            (Value::None, _) => Some("the stream ended within its array, before `]`".to_owned()),
            _ => Some(format!(
                "the stream ended within a message, after {} of its bytes",
                self.buffer.len()
            )),
        }
    }

    /// Goes to the first byte of a value, past what stands between values. `false`: there is none; a byte that is left
    /// belongs to nothing.
    fn begin(&mut self) -> bool {
        while let Some(byte) = self.buffer.first().copied() {
            let form = match (self.form, byte) {
                // RFC 7464 puts 0x1e in front of each text.
                (form, b' ' | b'\t' | b'\r' | b'\n' | 0x1e) => form,
                (Form::Unknown, b'[') => Form::Element { first: true },
                (Form::Element { first: true } | Form::AfterElement, b']') => Form::Closed,
                (Form::AfterElement, b',') => Form::Element { first: false },
                (Form::Unknown | Form::Lines, _) | (Form::Element { .. }, _) => {
                    let Some(value) = Value::of(byte) else { return false };
                    if self.form == Form::Unknown {
                        self.form = Form::Lines;
                    }
                    (self.value, self.looked) = (value, 1);
                    return true;
                }
                (Form::AfterElement | Form::Closed, _) => return false,
            };
            self.form = form;
            self.buffer.advance(1);
        }
        false
    }

    fn step(&mut self, byte: u8) -> Step {
        match &mut self.value {
            Value::None => Step::EndsBefore,
            Value::Bare => match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}' | 0x1e => Step::EndsBefore,
                _ => Step::Goes,
            },
            Value::Text { escaped }
            | Value::Composite {
                text: true, escaped, ..
            } if *escaped => {
                *escaped = false;
                Step::Goes
            }
            Value::Text { escaped } => match byte {
                b'\\' => {
                    *escaped = true;
                    Step::Goes
                }
                b'"' => Step::EndsWith,
                _ => Step::Goes,
            },
            Value::Composite { depth, text, escaped } => {
                match (byte, *text) {
                    (b'\\', true) => *escaped = true,
                    (b'"', _) => *text = !*text,
                    (b'{' | b'[', false) => *depth += 1,
                    (b'}' | b']', false) => *depth -= 1,
                    _ => {}
                }
                if *depth == 0 { Step::EndsWith } else { Step::Goes }
            }
        }
    }

    fn cut(&mut self) -> Piece {
        let value = self.buffer.split_to(self.looked).freeze();
        (self.looked, self.value) = (0, Value::None);
        if let Form::Element { .. } = self.form {
            self.form = Form::AfterElement;
        }
        Piece::Value(value)
    }

    fn wrong(&mut self, byte: u8) -> Piece {
        let shown = char::from(byte).escape_default();
        Piece::Wrong(match self.form {
            Form::Closed => format!("`{shown}` after the end of the array"),
            Form::AfterElement => format!("`{shown}` where `,` or `]` should be"),
            _ => format!("`{shown}` where JSON should begin"),
        })
    }
}

/// What a byte is to the value that it comes after.
enum Step {
    /// It belongs to it.
    Goes,
    /// Its last one.
    EndsWith,
    /// The value has ended before.
    EndsBefore,
}

impl Value {
    fn of(byte: u8) -> Option<Value> {
        Some(match byte {
            b'{' | b'[' => Value::Composite {
                depth: 1,
                text: false,
                escaped: false,
            },
            b'"' => Value::Text { escaped: false },
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Value::Bare,
            _ => return None,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// All pieces of a text that comes in chunks of so many bytes, and what is not whole in the end.
    fn pieces(text: &str, chunk: usize) -> (Vec<String>, Option<String>) {
        let (mut splitter, mut out) = (Splitter::default(), Vec::new());
        let mut take = |splitter: &mut Splitter, ended: bool| {
            while let Some(piece) = splitter.pop(ended) {
                match piece {
                    Piece::Value(text) => out.push(String::from_utf8(text.to_vec()).unwrap()),
                    Piece::Wrong(text) => {
                        out.push(format!("!{text}"));
                        return false;
                    }
                }
            }
            true
        };
        for part in text.as_bytes().chunks(chunk) {
            splitter.push(part);
            if !take(&mut splitter, false) {
                return (out, None);
            }
        }
        take(&mut splitter, true);
        (out, splitter.unfinished())
    }

    #[test]
    fn values_are_found_wherever_the_bytes_are_cut() {
        for (text, expected) in [
            ("", &[][..]),
            ("\n \n", &[]),
            ("[]", &[]),
            ("{}\n{\"a\":1}\n", &["{}", "{\"a\":1}"]),
            ("{}{}", &["{}", "{}"]),
            ("\u{1e}{}\n\u{1e}{}\n", &["{}", "{}"]),
            (
                "[{\"a\":[1,{}]} , {\"b\":\"]},{\"}\n]\n",
                &["{\"a\":[1,{}]}", "{\"b\":\"]},{\"}"],
            ),
            ("{\"a\":\"\\\"}\\\\\"}\n1", &["{\"a\":\"\\\"}\\\\\"}", "1"]),
            ("\"a\\\"b\" 12 null\ntrue", &["\"a\\\"b\"", "12", "null", "true"]),
            ("[1,\"x\",-2.5e3]", &["1", "\"x\"", "-2.5e3"]),
            ("{\"ü\":\"日本\"}\r\n{}", &["{\"ü\":\"日本\"}", "{}"]),
        ] {
            for chunk in [1, 2, 3, 7, 1000] {
                let (found, rest) = pieces(text, chunk);
                assert_eq!(
                    (found.as_slice(), rest),
                    (
                        expected.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>().as_slice(),
                        None
                    ),
                    "{text} by {chunk}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_json_and_what_is_cut_off_is_told() {
        for (text, expected) in [
            ("<html>", "!`<` where JSON should begin"),
            ("{} ,{}", "!`,` where JSON should begin"),
            ("[{} {}]", "!`{` where `,` or `]` should be"),
            ("[{},]", "!`]` where JSON should begin"),
            ("[] {}", "!`{` after the end of the array"),
            ("}", "!`}` where JSON should begin"),
        ] {
            assert_eq!(pieces(text, 1).0.last().map(String::as_str), Some(expected), "{text}");
        }
        for (text, part) in [
            ("{\"a\":", "after 5 of its bytes"),
            ("[{}", "within its array"),
            ("[", "within its array"),
            ("[{},", "within its array"),
            ("[1", "after 1 of its bytes"),
            ("\"abc", "after 4 of its bytes"),
        ] {
            let rest = pieces(text, 2).1.unwrap();
            assert!(rest.contains(part), "{text}: {rest}");
        }
    }
}
