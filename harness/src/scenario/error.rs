//! What is wrong in a scenario file, with the line it is in and what to write instead.

use super::source::{Source, Span};
use std::fmt;
use unicode_width::UnicodeWidthChar;

/// A mistake at a place, before it is joined with its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Its place.
    pub span: Span,
    /// What is wrong: one lower-case sentence.
    pub text: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Problem {
    /// A problem without help.
    pub fn new(span: Span, text: impl Into<String>) -> Problem {
        Problem {
            span,
            text: text.into(),
            help: None,
        }
    }

    /// The same with help.
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}

/// A mistake in a scenario file.
#[derive(Clone, Debug)]
pub struct ScenarioError {
    /// The file.
    pub source: Source,
    /// The place in it.
    pub span: Span,
    /// What is wrong.
    pub text: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.source.name, self.span.line, self.span.column, self.text
        )
    }
}

impl std::error::Error for ScenarioError {}

impl ScenarioError {
    /// Joins a problem with its file.
    pub fn new(source: &Source, problem: Problem) -> ScenarioError {
        ScenarioError {
            source: source.clone(),
            span: problem.span,
            text: problem.text,
            help: problem.help,
        }
    }

    /// The message for people: the sentence, the line with carets under the mistake, and the help.
    pub fn render(&self) -> String {
        let ScenarioError {
            source,
            span,
            text,
            help,
        } = self;
        let number = span.line.to_string();
        let gutter = number.len();
        let (line, carets) = excerpt(&source.text, *span);
        let mut out = format!("error: {text}\n");
        out.push_str(&format!(
            "{:gutter$}--> {}:{}:{}\n",
            "", source.name, span.line, span.column
        ));
        out.push_str(format!("{number} | {line}").trim_end());
        out.push_str(&format!("\n{:gutter$} | {carets}\n", ""));
        if let Some(help) = help {
            out.push_str(&format!("{:gutter$} = help: {help}\n", ""));
        }
        out
    }
}

/// Longer lines are cut around the mistake; in columns of the terminal.
const WIDEST: usize = 160;

/// The line of a span's start as it can be printed, and the carets under the part of the span that is on it.
fn excerpt(text: &str, span: Span) -> (String, String) {
    let start = text.floor_char_boundary(span.start);
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let end = text.floor_char_boundary(span.end).clamp(start, line_end);

    let before: Vec<(String, usize)> = text[line_start..start].chars().map(printable).collect();
    let inside: Vec<(String, usize)> = text[start..end].trim_end().chars().map(printable).collect();
    let after: Vec<(String, usize)> = text[end.min(line_end)..line_end]
        .trim_end()
        .chars()
        .map(printable)
        .collect();

    let skip = first_shown(&before);
    let mut line = String::new();
    let mut indent = 0;
    if skip > 0 {
        line.push('…');
        indent = 1;
    }
    for (shown, width) in &before[skip..] {
        line.push_str(shown);
        indent += width;
    }
    let mut width = 0;
    let mut cut = false;
    for (shown, columns) in &inside {
        if indent + width + columns > WIDEST {
            cut = true;
            break;
        }
        line.push_str(shown);
        width += columns;
    }
    let mut total = indent + width;
    let gap = text[start..end].len() - text[start..end].trim_end().len();
    if !cut {
        line.push_str(&" ".repeat(gap.min(WIDEST.saturating_sub(total))));
        total += gap;
        for (shown, columns) in &after {
            if total + columns > WIDEST {
                cut = true;
                break;
            }
            line.push_str(shown);
            total += columns;
        }
    }
    if cut {
        line.push('…');
    }
    (line, format!("{}{}", " ".repeat(indent), "^".repeat(width.max(1))))
}

/// How many leading characters to leave out so that the mistake fits.
fn first_shown(before: &[(String, usize)]) -> usize {
    let mut room = WIDEST / 2;
    for (at, (_, width)) in before.iter().enumerate().rev() {
        if *width > room {
            return at + 1;
        }
        room -= width;
    }
    0
}

/// A character as it can be printed and its width in columns of the terminal: tabs as four spaces, no control characters.
fn printable(c: char) -> (String, usize) {
    match c {
        '\t' => ("    ".to_owned(), 4),
        '\r' => (String::new(), 0),
        // Invisible characters and those that turn the direction of the text.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            ("\u{fffd}".to_owned(), 1)
        }
        c => match c.width() {
            Some(width) => (c.to_string(), width),
            None => ("\u{fffd}".to_owned(), 1),
        },
    }
}

/// No more words are compared with a wrong one.
const MOST_WORDS: usize = 500;

/// The closest of the known words, when one is close: a few letters differ, or one word starts with the other.
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let folded = fold(word);
    let close = |candidate: &'w str| {
        let other = fold(candidate);
        let shorter = folded.chars().count().min(other.chars().count());
        let distance = strsim::damerau_levenshtein(&folded, &other);
        let begins = shorter >= 4 && (other.starts_with(&folded) || folded.starts_with(&other));
        ((distance <= (shorter / 4).max(1) && distance < shorter) || begins).then_some((distance, candidate))
    };
    known
        .into_iter()
        .take(MOST_WORDS)
        .filter_map(close)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The words compare without case, dashes and underscores, and only their first 64 characters.
fn fold(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .take(64)
        .flat_map(char::to_lowercase)
        .collect()
}

/// `text`, and `, did you mean …?` when a known word is close.
pub fn suggest<'w>(text: String, word: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    match did_you_mean(word, known) {
        Some(close) => format!("{text}, did you mean `{close}`?"),
        None => text,
    }
}

/// Quoted text of the file for a message: at most 40 characters, on one line.
pub fn short(text: &str) -> String {
    let flat: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(41)
        .collect();
    match flat.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &flat[..at]),
        None => flat,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scenario::source::{Lines, SourceFile};

    fn error(text: &str, range: std::ops::Range<usize>, help: Option<&str>) -> String {
        let source = SourceFile::new("x.yaml", text);
        let span = Lines::new(text).span(range);
        let problem = Problem {
            span,
            text: "wrong".to_owned(),
            help: help.map(str::to_owned),
        };
        ScenarioError::new(&source, problem).render()
    }

    #[test]
    fn carets_stand_under_the_mistake() {
        let text = "a: b\n".repeat(11) + "    expct: 1\n";
        assert_eq!(
            error(&text, 59..64, Some("write it right")),
            "error: wrong\n  --> x.yaml:12:5\n12 |     expct: 1\n   |     ^^^^^\n   = help: write it right\n"
        );
    }

    #[test]
    fn wide_characters_and_tabs_move_the_carets() {
        assert_eq!(
            error("日本: xx\n", 8..10, None),
            "error: wrong\n --> x.yaml:1:5\n1 | 日本: xx\n  |       ^^\n"
        );
        assert_eq!(
            error("\txx\n", 1..3, None),
            "error: wrong\n --> x.yaml:1:2\n1 |     xx\n  |     ^^\n"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_mistake() {
        let text = format!("{}bad{}", "a".repeat(500), "c".repeat(500));
        let shown = error(&text, 500..503, None);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[2].starts_with("1 | …aaa") && lines[2].ends_with("ccc…"),
            "{shown}"
        );
        assert_eq!(
            lines[2].chars().position(|c| c == 'b').unwrap(),
            lines[3].chars().position(|c| c == '^').unwrap()
        );
    }

    #[test]
    fn an_empty_span_and_one_over_lines_get_a_caret() {
        assert_eq!(error("", 0..0, None), "error: wrong\n --> x.yaml:1:1\n1 |\n  | ^\n");
        assert_eq!(
            error("ab  \ncd", 1..7, None),
            "error: wrong\n --> x.yaml:1:2\n1 | ab\n  |  ^\n"
        );
    }

    #[test]
    fn the_closest_word_is_meant() {
        let known = ["expect", "effects", "eventually"];
        assert_eq!(did_you_mean("expct", known), Some("expect"));
        assert_eq!(did_you_mean("Effects", known), Some("effects"));
        assert_eq!(did_you_mean("event", known), Some("eventually"));
        assert_eq!(did_you_mean("zzz", known), None);
        assert_eq!(did_you_mean("a", ["b"]), None);
    }
}
