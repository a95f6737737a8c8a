//! YAML text to a tree with places. What YAML allows and scenarios do not (tags, anchors, duplicate keys, several
//! documents, …) is refused here; what a plain scalar means is in `scalar.rs`, the look at the raw text in `traps.rs`.

use super::{
    error::Problem,
    scalar::{self, Scalar},
    source::{Lines, Located, Span},
    traps,
    tree::{Entry, Kind, Node, NodeId, Tree},
};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Lists and maps inside each other.
pub const DEEPEST: usize = 64;

/// Reads one document. `None`: it cannot be read any further than its problems.
pub fn read(text: &str) -> (Option<Tree<'_>>, Vec<Problem>) {
    let lines = Lines::new(text);
    let problems = traps::in_text(&lines);
    if !problems.is_empty() {
        return (None, problems);
    }
    // The parser is fuzzed and has not been seen to panic; a wrong file must not end the process in any case.
    match catch_unwind(AssertUnwindSafe(|| Builder::new(lines).run())) {
        Ok(result) => result,
        Err(_) => {
            let span = Lines::new(text).span(0..0);
            (
                None,
                vec![Problem::new(
                    span,
                    "the YAML parser gave up on this file; write it in a simpler form",
                )],
            )
        }
    }
}

struct Builder<'t> {
    lines: Lines<'t>,
    /// Byte offset of each character, and of the end; empty for ASCII, where both are the same.
    offsets: Vec<usize>,
    nodes: Vec<Node>,
    /// Open lists and maps.
    open: Vec<Open>,
    /// Byte offset of the end of the last event that is visible in the text.
    last_end: usize,
    problems: Vec<Problem>,
    documents: usize,
}

struct Open {
    node: NodeId,
    children: Children,
}

enum Children {
    List(Vec<NodeId>),
    Map {
        entries: Vec<Entry>,
        key: Option<(NodeId, Located<String>)>,
        lines: HashMap<String, usize>,
    },
}

/// Reading stops here; the problem is already noted.
struct Stop;

impl<'t> Builder<'t> {
    fn new(lines: Lines<'t>) -> Builder<'t> {
        let text = lines.text();
        let offsets = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).chain([text.len()]).collect(),
        };
        Builder {
            lines,
            offsets,
            nodes: Vec::new(),
            open: Vec::new(),
            last_end: 0,
            problems: Vec::new(),
            documents: 0,
        }
    }

    fn run(mut self) -> (Option<Tree<'t>>, Vec<Problem>) {
        let mut parser = Parser::new_from_str(self.lines.text());
        loop {
            let outcome = match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => break,
                Some(Ok((event, span))) => self.event(event, span),
                Some(Err(error)) => {
                    let problem = self.scan_error(&error);
                    self.problems.push(problem);
                    Err(Stop)
                }
            };
            if outcome.is_err() {
                return (None, self.problems);
            }
        }
        if self.nodes.is_empty() {
            let end = self.lines.text().len();
            let problem = Problem::new(self.lines.span(0..end.min(1)), "the file is empty")
                .help("a file starts with `version: 1`");
            return (None, vec![problem]);
        }
        (
            Some(Tree {
                lines: self.lines,
                nodes: self.nodes,
            }),
            self.problems,
        )
    }

    fn scan_error(&self, error: &ScanError) -> Problem {
        let at = self.byte(error.marker().index());
        traps::in_syntax(&self.lines, at, self.last_end, error.info())
    }

    fn event(&mut self, event: Event<'_>, span: saphyr_parser::Span) -> Result<(), Stop> {
        let range = self.byte(span.start.index())..self.byte(span.end.index());
        let start = span.start;
        let place = Span {
            start: range.start,
            end: range.end,
            line: start.line(),
            column: start.col() + 1,
        };
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let text = "a second document starts here";
                    self.problems
                        .push(Problem::new(place, text).help("a file is one document: drop the `---`"));
                    return Err(Stop);
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.last_end = self.last_end.max(range.end);
                let bad = self.refuse_decoration(place, anchor, tag.is_some());
                self.scalar(text.into_owned(), style, place, bad)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_decoration(place, anchor, tag.is_some());
                self.start(place, Children::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_decoration(place, anchor, tag.is_some());
                self.start(
                    place,
                    Children::Map {
                        entries: Vec::new(),
                        key: None,
                        lines: HashMap::new(),
                    },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => {
                // A flow collection ends with its bracket (blanks after it are counted in); a block collection with its
                // last child.
                let bracket = self
                    .lines
                    .text()
                    .get(range.clone())
                    .unwrap_or_default()
                    .trim_end()
                    .len();
                if bracket > 0 {
                    self.last_end = self.last_end.max(range.start + bracket);
                }
                self.end()
            }
            Event::Alias(_) => {
                self.problems.push(traps::alias(place));
                let id = self.push(Kind::Bad, place);
                self.attach(id)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn byte(&self, index: usize) -> usize {
        let text = self.lines.text();
        if self.offsets.is_empty() {
            index.min(text.len())
        } else {
            self.offsets.get(index).copied().unwrap_or(text.len())
        }
    }

    fn push(&mut self, kind: Kind, span: Span) -> NodeId {
        self.nodes.push(Node { kind, span });
        self.nodes.len() - 1
    }

    /// Tags and anchors.
    fn refuse_decoration(&mut self, place: Span, anchor: usize, tag: bool) -> bool {
        let text = self.lines.text();
        if tag {
            self.problems.push(traps::tag(&self.lines, place));
        } else if anchor > 0 {
            self.problems.push(traps::anchor(text, place));
        }
        tag || anchor > 0
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, place: Span, bad: bool) -> Result<(), Stop> {
        if bad {
            let id = self.push(Kind::Bad, place);
            return self.attach_scalar(id, text, false);
        }
        let is_key = matches!(
            self.open.last(),
            Some(Open {
                children: Children::Map { key: None, .. },
                ..
            })
        );
        let plain = style == ScalarStyle::Plain;
        if plain && let Some(problem) = traps::cut_or_unquoted_expression(&self.lines, &text, place) {
            self.problems.push(problem);
            // What follows would be read in a wrong way.
            return Err(Stop);
        }
        let value = if !plain {
            Ok(Scalar::Str)
        } else if is_key {
            scalar::key(&text)
        } else {
            scalar::plain(&text)
        };
        let id = match value {
            Ok(value) => self.push(
                Kind::Scalar {
                    value,
                    text: text.clone(),
                    style,
                },
                place,
            ),
            Err((sentence, help)) => {
                self.problems.push(Problem::new(place, sentence).help(help));
                self.push(Kind::Bad, place)
            }
        };
        self.attach_scalar(id, text, plain)
    }

    fn start(&mut self, place: Span, children: Children) -> Result<(), Stop> {
        if self.open.len() >= DEEPEST {
            let text = format!("lists and maps are nested deeper than {DEEPEST}");
            self.problems.push(Problem::new(place, text));
            return Err(Stop);
        }
        if matches!(
            self.open.last(),
            Some(Open {
                children: Children::Map { key: None, .. },
                ..
            })
        ) {
            let problem = Problem::new(place, "a key must be text, not a list or a map");
            self.problems
                .push(problem.help("quote a text that starts with `[` or `{`"));
            return Err(Stop);
        }
        let kind = match children {
            Children::List(_) => Kind::List(Vec::new()),
            Children::Map { .. } => Kind::Map(Vec::new()),
        };
        let node = self.push(kind, place);
        self.open.push(Open { node, children });
        self.last_end = self.last_end.max(place.end);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Stop> {
        let Some(Open { node, children }) = self.open.pop() else {
            return Ok(());
        };
        let end = self.last_end;
        if let Some(node) = self.nodes.get_mut(node) {
            node.span.end = end.max(node.span.start);
            node.kind = match children {
                Children::List(items) => Kind::List(items),
                Children::Map { entries, .. } => Kind::Map(entries),
            };
        }
        self.attach(node)
    }

    /// Hands a finished scalar to the list or map it belongs to.
    fn attach_scalar(&mut self, id: NodeId, text: String, plain: bool) -> Result<(), Stop> {
        let span = self.nodes.get(id).map(|node| node.span).unwrap_or_default();
        if let Some(Open {
            children: Children::Map {
                key: key @ None, lines, ..
            },
            ..
        }) = self.open.last_mut()
        {
            if plain && text == "<<" {
                let text = "merge keys (`<<`) are not part of the language";
                self.problems
                    .push(Problem::new(span, text).help("write the fields out"));
            } else if let Some(line) = lines.insert(text.clone(), span.line) {
                let sentence = format!("the key `{}` stands twice in one map", super::error::short(&text));
                self.problems
                    .push(Problem::new(span, sentence).help(format!("the first one is on line {line}")));
            }
            *key = Some((id, Located { value: text, span }));
            return Ok(());
        }
        self.attach(id)
    }

    fn attach(&mut self, id: NodeId) -> Result<(), Stop> {
        let span = self.nodes.get(id).map(|node| node.span).unwrap_or_default();
        match self.open.last_mut() {
            None => {}
            Some(Open {
                children: Children::List(items),
                ..
            }) => items.push(id),
            Some(Open {
                children: Children::Map { entries, key, .. },
                ..
            }) => match key.take() {
                Some((key, name)) => entries.push(Entry { key, name, value: id }),
                None => {
                    self.problems.push(Problem::new(span, "a key must be text"));
                    return Err(Stop);
                }
            },
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Each node with its text.
    fn nodes(text: &str) -> Vec<String> {
        let (tree, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        tree.unwrap()
            .nodes
            .iter()
            .map(|node| text[node.span.start..node.span.end].to_owned())
            .collect()
    }

    #[test]
    fn a_span_goes_from_the_first_to_the_last_character() {
        let text = "a: { b: [1, 'x y'] }\nc:\n  - d: é\n    e: z # comment\n\n";
        let list = "- d: é\n    e: z";
        let root = text.trim_end().trim_end_matches(" # comment");
        let expected = [
            root,
            "a",
            "{ b: [1, 'x y'] }",
            "b",
            "[1, 'x y']",
            "1",
            "'x y'",
            "c",
            list,
            &list[2..],
            "d",
            "é",
            "e",
            "z",
        ];
        assert_eq!(nodes(text), expected);
    }

    #[test]
    fn lines_may_end_as_on_windows() {
        let (tree, problems) = read("a: b\r\nc: |\r\n  x\r\n  y\r\n");
        assert!(problems.is_empty());
        let tree = tree.unwrap();
        let Kind::Map(entries) = &tree.node(Tree::ROOT).kind else {
            panic!("a map")
        };
        assert_eq!((entries[1].name.span.line, entries[1].name.span.column), (2, 1));
        let Kind::Scalar { text, .. } = &tree.node(entries[1].value).kind else {
            panic!("a scalar")
        };
        assert_eq!(text, "x\ny\n");
    }

    #[test]
    fn nesting_and_size_are_bounded() {
        for opened in ["[", "{a: ", "- ", "? "] {
            let text = opened.repeat(DEEPEST + 1);
            let (tree, problems) = read(&text);
            assert!(tree.is_none() && !problems.is_empty(), "{opened}");
        }
        assert!(
            read(&("a: ".to_owned() + &"[".repeat(DEEPEST - 1) + &"]".repeat(DEEPEST - 1)))
                .0
                .is_some()
        );
        let text = "# x\n".repeat(traps::LARGEST / 4 + 1);
        let (tree, problems) = read(&text);
        assert!(tree.is_none() && problems[0].text.contains("1 MiB"));
    }

    #[test]
    fn a_large_file_on_one_line_is_read_in_one_go() {
        let text = format!("[{}]", vec!["x"; 200_000].join(", "));
        assert_eq!(read(&text).0.unwrap().nodes.len(), 200_001);
    }
}
