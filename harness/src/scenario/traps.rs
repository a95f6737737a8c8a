//! YAML's own traps: what the text looks like where it does not mean what its author thinks, and what to write instead.

use super::{
    error::{Problem, short},
    source::{Lines, Span},
};

/// The largest scenario file.
pub const LARGEST: usize = 1 << 20;

/// What is wrong with the text before it is read as YAML.
pub fn in_text(lines: &Lines<'_>) -> Vec<Problem> {
    let text = lines.text();
    if text.len() > LARGEST {
        let sentence = format!("the file has {} bytes; a scenario has at most 1 MiB", text.len());
        let help = "compute large values, such as ${{ repeat(\"x\", 5000000) }}";
        return vec![Problem::new(lines.span(0..0), sentence).help(help)];
    }
    if text.starts_with('\u{feff}') {
        let problem = Problem::new(lines.span(0..3), "the file starts with a byte order mark");
        return vec![problem.help("save it as UTF-8 without one")];
    }
    let mut start = 0;
    let mut problems = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(problem) = in_line(lines, start, line) {
            problems.push(problem);
        }
        start += line.len();
    }
    problems
}

fn in_line(lines: &Lines<'_>, start: usize, line: &str) -> Option<Problem> {
    let content = line.strip_suffix('\n').unwrap_or(line);
    let content = content.strip_suffix('\r').unwrap_or(content);
    if let Some((at, c)) = content.char_indices().find(|(_, c)| c.is_control() && *c != '\t') {
        let span = lines.span(start + at..start + at + c.len_utf8());
        let problem = Problem::new(
            span,
            format!("a control character (U+{:04X}) in the text", u32::from(c)),
        );
        return Some(problem.help("write it as an escape in double quotes, such as \"\\u0000\""));
    }
    let blank = content.len() - content.trim_start().len();
    if blank < content.len()
        && let Some(at) = content.get(..blank).and_then(|blank| blank.find('\t'))
    {
        let problem = Problem::new(lines.span(start + at..start + at + 1), "a tab cannot indent YAML");
        return Some(problem.help("use spaces"));
    }
    if content.starts_with('%') {
        let span = lines.span(start..start + content.len());
        return Some(Problem::new(span, "YAML directives are not part of the language").help("drop the line"));
    }
    None
}

/// A tag: `!x`.
pub fn tag(lines: &Lines<'_>, place: Span) -> Problem {
    let text = lines.text();
    let line = lines.line(place.line);
    let rest = text.get(place.start..line.end.max(place.start)).unwrap_or_default();
    let span = lines.span(place.start..place.start + rest.find([' ', ',']).unwrap_or(rest.len()).max(1));
    let problem = Problem::new(
        span,
        format!("`{}` is a YAML tag, not a text", short(&text[span.start..span.end])),
    );
    problem.help("quote a text or an expression that starts with `!`")
}

/// An anchor: `&x`.
pub fn anchor(text: &str, place: Span) -> Problem {
    let name: String = text[place.start..].chars().take_while(|c| !c.is_whitespace()).collect();
    let span = Span {
        end: place.start + name.len().max(1),
        ..place
    };
    Problem::new(span, "YAML anchors (`&`) are not part of the language")
        .help("write the value where it is needed, or put it into `vars`; quote a text that starts with `&`")
}

/// An alias: `*x`.
pub fn alias(place: Span) -> Problem {
    Problem::new(place, "YAML aliases (`*`) are not part of the language")
        .help("write the value where it is needed, or put it into `vars`; quote a text that starts with `*`")
}

/// A plain scalar in which an expression starts and does not end.
pub fn cut_or_unquoted_expression(lines: &Lines<'_>, text: &str, place: Span) -> Option<Problem> {
    if !text.ends_with('$') && !text.contains("${{") {
        return None;
    }
    let after = lines.text().get(place.end..).unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default();
    if text.ends_with('$') && after.starts_with("{{") {
        let end = after.find("}}").map_or(after.len(), |at| at + 2);
        let span = lines.span(place.end - 1..place.end + end);
        let expression = short(&lines.text()[span.start..span.end]);
        let problem = Problem::new(
            span,
            "inside `{ }` and `[ ]` YAML takes the braces of an expression for its own",
        );
        return Some(problem.help(format!("quote it: {}", quoted(&expression))));
    }
    let opened = text.rfind("${{")?;
    if text[opened..].contains("}}") {
        return None;
    }
    let start = lines.text()[place.start..place.end]
        .rfind("${{")
        .map_or(place.start, |at| place.start + at);
    let trimmed = after.trim_start();
    if trimmed.len() < after.len() && trimmed.starts_with('#') {
        let problem = Problem::new(
            lines.span(start..place.end),
            "a comment cuts this expression: ` #` starts one",
        );
        return Some(problem.help("quote the whole value"));
    }
    None
}

/// A sentence for a place at which the text stops being YAML. `last_end` is the end of what could be read.
pub fn in_syntax(lines: &Lines<'_>, at: usize, last_end: usize, info: &str) -> Problem {
    let text = lines.text();
    let here = text.get(at..).and_then(|rest| rest.chars().next());
    let span = lines.span(at..at + here.map_or(0, char::len_utf8));
    let line = lines.line(span.line);
    let before = text.get(line.start..at).unwrap_or_default();
    if info.contains("unknown anchor") {
        let name = text[at..]
            .find(|c: char| c.is_whitespace() || c == ',')
            .unwrap_or(text.len() - at);
        return alias(lines.span(at..at + name.max(1)));
    }
    let is_quoted = |opened: usize| {
        ['"', '\'']
            .iter()
            .any(|quote| before[..opened].matches(*quote).count() % 2 == 1)
    };
    let opened = before
        .rfind("${{")
        .filter(|opened| !before[*opened..].contains("}}") && !is_quoted(*opened));
    if let Some(opened) = opened {
        let line_text = &text[line.start..line.end];
        let end = line_text[opened..]
            .find("}}")
            .map_or(line_text.len(), |end| opened + end + 2);
        let span = lines.span(line.start + opened..line.start + end);
        let expression = short(&line_text[opened..end]);
        let sentence = match here {
            Some(':') => "YAML takes the `: ` in this expression for the end of a key",
            _ => "YAML takes a part of this expression for its own syntax",
        };
        return Problem::new(span, sentence).help(format!("quote it: {}", quoted(&expression)));
    }
    let asked = before.find(" ? ");
    if let Some(asked) = asked.filter(|asked| here == Some(':') || before[*asked..].contains(": ")) {
        let indent = before.len() - before.trim_start_matches([' ', '-']).len();
        let start = before[..asked].rfind(": ").map_or(indent, |colon| colon + 2);
        let span = lines.span(line.start + start..line.end);
        return Problem::new(span, "YAML takes the `: ` of `a ? b : c` for the end of a key").help(format!(
            "quote the whole expression: {}",
            quoted(&short(&text[span.start..span.end]))
        ));
    }
    if info.contains("mapping values are not allowed") || (here == Some(':') && info.contains("flow")) {
        return Problem::new(span, "`: ` ends a key, and no key can stand here")
            .help("quote a text that contains `: `; check the indentation");
    }
    if info.contains("invalid trailing content after") {
        return Problem::new(span, "there is more text after the closing quote")
            .help("quote the whole value: with single quotes around double ones, or the other way round");
    }
    if info.contains("unexpected character") || info.contains("cannot start any token") {
        let shown = here.map_or_else(String::new, |c| c.to_string());
        return Problem::new(span, format!("no plain text can start with `{shown}`")).help("quote the text");
    }
    if info.contains("simple key expect") || info.contains("could not find expected ':'") {
        return last_line(lines, at, last_end);
    }
    if info.contains("quoted scalar") {
        return Problem::new(span, "this quote is not closed")
            .help("close it; in single quotes write `''` for a quote");
    }
    if info.contains("block collection") || info.contains("block mapping") {
        let problem = Problem::new(
            span,
            "this line is indented differently from the list or map that it should belong to",
        );
        return problem.help("align it with the lines above");
    }
    if at >= text.trim_end().len() {
        let end = last_end.min(text.len());
        let span = lines.span(end.saturating_sub(1)..end);
        let problem = Problem::new(
            span,
            format!("the file ends in the middle of a value: {}", sentence(info)),
        );
        return problem.help("close every quote, `[` and `{`");
    }
    let problem = Problem::new(span, format!("this is not YAML: {}", sentence(info)));
    problem.help("check quotes, brackets and indentation")
}

/// A line that is neither `key: value` nor `- value`: the last line with text before the place.
fn last_line(lines: &Lines<'_>, at: usize, last_end: usize) -> Problem {
    let text = lines.text();
    let before = text.get(last_end.min(at)..at).unwrap_or_default();
    let content = before.trim_end();
    let end = at - (before.len() - content.len());
    let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
    let indent = text[start..end].len() - text[start..end].trim_start().len();
    Problem::new(
        lines.span(start + indent..end),
        "this line is neither `key: value` nor `- value`",
    )
    .help("write a space after the colon; quote a text that goes over several lines")
}

fn sentence(info: &str) -> String {
    info.replace("while parsing ", "in ").replace(['<', '>'], "`")
}

fn quoted(text: &str) -> String {
    if text.contains('"') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}
