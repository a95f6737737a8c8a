//! GitHub Actions: workflow commands. Pure.
//!
//! The form and its escapes are those of actions/toolkit, `packages/core/src/command.ts`: `%`, CR and LF in the message;
//! `:` and `,` too in a property.

use super::{Issue, Severity, bounded, capped};
use crate::report::{escape::visible, text};

/// A step summary holds so much (docs.github.com, "Adding a job summary": 1 MiB a step).
pub const SUMMARY: usize = 1 << 20;

/// A command for each issue, within GitHub's caps; each is one line that ends in `\n`.
pub fn commands(issues: &[Issue]) -> String {
    capped(issues).iter().map(command).collect()
}

fn command(issue: &Issue) -> String {
    let name = match issue.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    };
    let place = match &issue.place {
        Some((file, line, column)) => format!("file={},line={line},col={column},", property(file)),
        None => String::new(),
    };
    format!(
        "::{name} {place}title={}::{}\n",
        property(&text::cap(&issue.title, 200)),
        data(&bounded(&issue.message)),
    )
}

/// The lines of `$GITHUB_OUTPUT`. Values are of one line: [`visible`] leaves no line break in them.
pub fn outputs(outputs: &[(&'static str, String)]) -> String {
    let line = |(name, value): &(&'static str, String)| format!("{name}={}\n", visible(value));
    outputs.iter().map(line).collect()
}

/// What of a summary still fits into a file that has so many bytes; where the whole does not, its head of two paragraphs.
pub fn summary(markdown: &str, already: usize) -> String {
    let room = SUMMARY.saturating_sub(already);
    if markdown.len() < room {
        return format!("{markdown}\n");
    }
    let head: Vec<&str> = markdown.splitn(3, "\n\n").take(2).collect();
    let head = format!(
        "{}\n\nThe rest is left out, because GitHub takes 1 MiB for each step: `report.md` has it.\n\n",
        head.join("\n\n")
    );
    if head.len() < room { head } else { String::new() }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&visible(text)).replace(':', "%3A").replace(',', "%2C")
}
