//! A line of text in pieces, each with a tone: one source for plain text and for a coloured terminal. Pure.

use super::{escape, text};

/// What a piece is, not which colour it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Text.
    Plain,
    /// A name to find.
    Strong,
    /// Less than text: gutters, labels, places.
    Faint,
    /// Held.
    Good,
    /// Failed, and decides.
    Bad,
    /// Failed without deciding, known failing, not judged.
    Doubt,
}

impl Tone {
    /// The parameters of the SGR sequence (ECMA-48, 8.3.117). Only colours of the basic palette: those a user's theme
    /// makes readable.
    fn sgr(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Doubt => "33",
        }
    }
}

/// Pieces in order.
#[derive(Clone, Debug, Default)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line of one piece.
    pub fn of(tone: Tone, text: impl Into<String>) -> Line {
        Line::default().with(tone, text)
    }

    /// The line with one more piece.
    pub fn with(mut self, tone: Tone, text: impl Into<String>) -> Line {
        self.0.push((tone, text.into()));
        self
    }

    /// How wide it is on a terminal.
    pub fn columns(&self) -> usize {
        self.0.iter().map(|(_, piece)| text::columns(piece)).sum()
    }

    /// Without colour and without trailing space.
    pub fn plain(&self) -> String {
        let joined: String = self.0.iter().map(|(_, piece)| piece.as_str()).collect();
        joined.trim_end().to_owned()
    }

    /// For a stream that a CI runner may read, coloured or not.
    pub fn shown(&self, color: bool) -> String {
        if !color {
            return escape::log_line(&self.plain()).into_owned();
        }
        let mut shown = String::new();
        for (tone, piece) in &self.0 {
            match tone.sgr() {
                "" => shown.push_str(piece),
                sgr => shown.push_str(&format!("\u{1b}[{sgr}m{piece}\u{1b}[0m")),
            }
        }
        escape::log_line(shown.trim_end()).into_owned()
    }
}
