//! What foreign text must lose before it is shown. A target's answers, a scenario's texts and an option's value may hold
//! anything; each way of showing them has its own characters that mean something else there. Pure.

use std::{borrow::Cow, fmt::Write};

/// The text with every character that does not show as itself written out, as Rust would write it: `\n`, `\u{1b}`.
///
/// That is: control characters (a terminal obeys them, XML forbids most), line separators, directional marks that
/// reorder what is read (Unicode TR 36), invisible spaces, tags and noncharacters (XML forbids U+FFFE and U+FFFF).
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", c as u32);
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(c: char) -> bool {
    let noncharacter = (c as u32) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c);
    c.is_control()
        || noncharacter
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A line for a log that a CI runner reads: no runner takes it for a command.
///
/// GitHub obeys a line that starts with `::` and `##[` anywhere in it (actions/runner, `ActionCommand.cs`), Azure
/// Pipelines `##vso[` and `##[`, TeamCity `##teamcity[`.
pub fn log_line(line: &str) -> Cow<'_, str> {
    let mut safe = Cow::Borrowed(line);
    let start = line.len() - line.trim_start().len();
    if line.get(start..).is_some_and(|rest| rest.starts_with("::")) {
        safe.to_mut().replace_range(start..=start, "\\u{3a}");
    }
    while let Some(bracket) = logging_command(&safe) {
        safe.to_mut().replace_range(bracket..=bracket, "\\u{5b}");
    }
    safe
}

/// Where the `[` of `##word[` stands.
fn logging_command(line: &str) -> Option<usize> {
    line.match_indices("##").find_map(|(at, _)| {
        let word = line.get(at + 2..)?;
        let end = word.find(|c: char| !c.is_ascii_alphanumeric())?;
        word.get(end..)?.starts_with('[').then_some(at + 2 + end)
    })
}

/// Inline Markdown that shows the text as it is: no emphasis, link, image, HTML, table cell end or formula, and nobody
/// is mentioned.
pub fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // GitHub looks for mentions after Markdown's own escapes are gone; an empty comment parts `@` from the name.
            '@' => escaped.push_str("@<!-- -->"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' | '#' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A Markdown code span. In a table `|` needs its backslash all the same (GitHub Flavored Markdown 4.10).
pub fn code_span(text: &str) -> String {
    let text = visible(text);
    let ticks = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// The fence for a code block with this content: longer than any run of backticks in it (CommonMark 4.5).
pub fn fence(content: &str) -> String {
    "`".repeat((longest_run(content, '`') + 1).max(3))
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_out_what_would_not_show_as_itself() {
        assert_eq!(visible("Größe 日本 🦀"), "Größe 日本 🦀");
        assert_eq!(visible("a\u{1b}[31mb\r\n\tc"), "a\\u{1b}[31mb\\r\\n\\tc");
        assert_eq!(
            visible("\u{9b}1m \u{202e}abc \u{feff}\u{ffff}\u{0}"),
            "\\u{9b}1m \\u{202e}abc \\u{feff}\\u{ffff}\\u{0}"
        );
    }

    #[test]
    fn gives_no_runner_a_command() {
        assert_eq!(log_line("plain :: text # [x]"), "plain :: text # [x]");
        assert_eq!(log_line("  ::set-output name=x::y"), "  \\u{3a}:set-output name=x::y");
        assert_eq!(
            log_line("x ##vso[task.x]1 ##[error]2"),
            "x ##vso\\u{5b}task.x]1 ##\\u{5b}error]2"
        );
        assert_eq!(log_line("####[group]"), "####\\u{5b}group]");
    }

    #[test]
    fn markdown_shows_the_text_as_it_is() {
        assert_eq!(
            markdown("a|b <img src=x> [l](u) @you"),
            "a\\|b &lt;img src=x&gt; \\[l\\](u) @<!-- -->you"
        );
        assert_eq!(code_span("a|b"), "`a|b`");
        assert_eq!(code_span("a``b`"), "``` a``b` ```");
        assert_eq!(fence("no ticks"), "```");
        assert_eq!(fence("a\n`````\nb"), "``````");
    }
}
