//! Azure Pipelines: logging commands. Pure.
//!
//! The form is that of learn.microsoft.com, "Logging commands"; the escapes are those of azure-pipelines-task-lib,
//! `taskcommand.ts`: `%`, CR and LF in the message; `]` and `;` too in a property.

use super::{Issue, Severity, bounded, capped};
use crate::report::{escape::visible, text};

/// A command for each issue, as many as on GitHub; each is one line that ends in `\n`.
pub fn commands(issues: &[Issue]) -> String {
    capped(issues).iter().map(command).collect()
}

fn command(issue: &Issue) -> String {
    // There is no third kind: a notice is a line of the log.
    let kind = match issue.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => {
            let first = issue.message.lines().next().unwrap_or_default();
            let line = format!("{}: {}", visible(&issue.title), text::cap(first, 300));
            return format!("{}\n", crate::report::escape::log_line(&line));
        }
    };
    let place = match &issue.place {
        Some((file, line, column)) => {
            format!("sourcepath={};linenumber={line};columnnumber={column};", property(file))
        }
        None => String::new(),
    };
    let text = format!(
        "{}\n{}",
        visible(&text::cap(&issue.title, 200)),
        bounded(&issue.message)
    );
    format!("##vso[task.logissue type={kind};{place}]{}\n", data(&text))
}

/// The summary of the run, by the absolute path of its file.
pub fn summary(path: &str) -> String {
    format!("##vso[task.uploadsummary]{}\n", data(&visible(path)))
}

/// Variables for later steps of the job, `stocktake.NAME`.
pub fn outputs(outputs: &[(&'static str, String)]) -> String {
    let line = |(name, value): &(&'static str, String)| {
        format!(
            "##vso[task.setvariable variable=stocktake.{name};isOutput=true]{}\n",
            data(&visible(value))
        )
    };
    outputs.iter().map(line).collect()
}

/// The result of the task, where it is not a success.
pub fn failed(sentence: &str) -> String {
    format!(
        "##vso[task.complete result=Failed;]{}\n",
        data(&bounded(&visible(sentence)))
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%AZP25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(&visible(text)).replace(']', "%5D").replace(';', "%3B")
}
