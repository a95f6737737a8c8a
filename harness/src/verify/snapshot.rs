//! Approved outcomes: one file in insta's form that holds how every case ended, what it was answered, and the answers of
//! `snapshot:` steps. Pure.
//!
//! ```text
//! ---
//! source: stocktake
//! expression: embedded
//! ---
//! {
//!   "version": 2,
//!   "snapshots": { "<id[row]>/<name>": <response> },
//!   "cases": { "<id[row] (protocol)>": { "outcome": "passed", "answers": [ … ] } }
//! }
//! ```
//!
//! The header is that of `insta::Snapshot` (MetaData, YAML between `---`), so that `cargo insta review` shows and accepts a
//! `.snap.new` beside it. Everything in it is sorted and redacted: the order in which cases ran does not matter.

use super::{
    answers::{Answer, Kept},
    checks::{bounded, item},
    record::{CaseRecord, CheckName, CheckRecord, CheckResult, Outcome},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// The version of the content.
const VERSION: u32 = 2;

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    version: u32,
    /// Answers of `snapshot:` steps, by `id[row]/name`: the same over every protocol.
    snapshots: BTreeMap<String, Value>,
    /// By the name of the case.
    cases: BTreeMap<String, CaseOutcome>,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseOutcome {
    outcome: String,
    /// Why it was not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The rules that it broke.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    broken: Vec<String>,
    /// The steps at which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    at: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer>,
}

impl Document {
    fn new() -> Document {
        Document {
            version: VERSION,
            snapshots: BTreeMap::new(),
            cases: BTreeMap::new(),
        }
    }

    /// From the text of a file.
    ///
    /// # Errors
    /// A sentence when the text is no such file.
    pub fn parse(text: &str) -> Result<Document, String> {
        const ANEW: &str = "remove it and write it anew with --accept";
        let content = text
            .strip_prefix("---\n")
            .and_then(|rest| rest.split_once("\n---\n"))
            .map(|(_, content)| content)
            .ok_or(format!(
                "it is no snapshot: it does not begin with a header between `---` lines; {ANEW}"
            ))?;
        let value: Value =
            serde_json::from_str(content).map_err(|error| format!("no JSON below its header: {error}"))?;
        if value.get("version").and_then(Value::as_u64) != Some(VERSION.into()) {
            return Err(format!("its version is not {VERSION}: {ANEW}"));
        }
        serde_json::from_value(value).map_err(|error| format!("{error}; {ANEW}"))
    }

    /// The text of a file; `suite` names the scenarios.
    pub fn render(&self, suite: &str) -> String {
        // A YAML scalar in double quotes takes the escapes of JSON.
        let suite = Value::String(suite.to_owned());
        format!("---\nsource: stocktake\nexpression: {suite}\n---\n{}\n", self.content())
    }

    fn content(&self) -> String {
        // Maps with text keys and values of JSON: nothing in them can fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

/// The approved outcome of a file, and what this run answers to `snapshot:` steps.
#[derive(Debug)]
pub struct Snapshots {
    approved: Option<Document>,
    accept: bool,
    seen: Mutex<BTreeMap<String, Value>>,
}

impl Snapshots {
    /// From the text of the file; `None` when there is none yet. With `accept` nothing is compared.
    ///
    /// # Errors
    /// A sentence when the text is no such file.
    pub fn read(text: Option<&str>, accept: bool) -> Result<Snapshots, String> {
        Ok(Snapshots {
            approved: text.map(Document::parse).transpose()?,
            accept,
            seen: Mutex::default(),
        })
    }

    /// Compares a redacted answer with the approved one; the lines that differ, or nothing.
    pub fn compare(&self, key: &str, redacted: Value) -> Vec<(String, String)> {
        let approved = self.approved.as_ref();
        let of_key = approved.and_then(|approved| approved.snapshots.get(key));
        let found = match of_key {
            _ if self.accept => Vec::new(),
            Some(approved) if *approved == redacted => Vec::new(),
            Some(approved) => vec![
                ("want".into(), approved.to_string()),
                ("got".into(), redacted.to_string()),
            ],
            // A file that is not there yet is one finding of the run, not one for each step.
            None if approved.is_none() => Vec::new(),
            None => vec![(
                "missing".into(),
                "no approved answer has this name; --accept writes it".into(),
            )],
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(key.to_owned(), redacted);
        found
    }

    /// Whether this run approves what it finds.
    pub fn accepts(&self) -> bool {
        self.accept
    }

    /// What the file should hold after this run, and what to say of it. `whole`: no filter left cases out.
    pub fn conclude(&self, run: Finished<'_>) -> Conclusion {
        let check = |result, sentence: String, items| CheckRecord {
            about: CheckName::Snapshot,
            result,
            sentence,
            items,
        };
        let file = run.file;
        if !run.complete {
            let sentence = format!("{file} was neither compared nor written: the run is not complete");
            // The verdict of the cases says what is missing.
            return Conclusion {
                check: check(CheckResult::Noted, sentence, Vec::new()),
                write: Write::Nothing,
            };
        }
        let document = self.document(&run);
        let text = document.render(run.suite);
        let old = self.approved.clone();
        if self.accept {
            let sentence = match old {
                Some(old) if old == document => format!("{file} is as it was"),
                Some(_) => format!("{file} was approved anew"),
                None => format!("{file} was approved for the first time"),
            };
            return Conclusion {
                check: check(CheckResult::Noted, sentence, Vec::new()),
                write: Write::Approved(text),
            };
        }
        let Some(old) = old else {
            let sentence = format!(
                "{file} does not exist yet, so nothing was compared: look at {file}.new and approve it with --accept"
            );
            return Conclusion {
                check: check(CheckResult::Failed, sentence, Vec::new()),
                write: Write::Pending(text),
            };
        };
        if old == document {
            let n = document.cases.len();
            return Conclusion {
                check: check(
                    CheckResult::Passed,
                    format!("{file} holds: {n} cases as approved"),
                    Vec::new(),
                ),
                write: Write::Clean,
            };
        }
        let (removed, added, lines) = diff(&old.content(), &document.content());
        let sentence = format!(
            "{file} differs: {removed} lines are gone and {added} are new; {file}.new has the outcome of this run, --accept approves it"
        );
        Conclusion {
            check: check(CheckResult::Failed, sentence, lines),
            write: Write::Pending(text),
        }
    }

    /// The outcome of a run; what was approved of cases that it left out stays.
    fn document(&self, run: &Finished<'_>) -> Document {
        let mut document = match (&self.approved, run.whole) {
            (Some(approved), false) => approved.clone(),
            _ => Document::new(),
        };
        for case in run.cases {
            let kept = run.answers.get(&case.name());
            let key = |snapshot: &str| snapshot.rsplit_once('/').map(|(key, _)| key.to_owned());
            let own = case
                .row
                .as_ref()
                .map_or(case.scenario.clone(), |row| format!("{}[{row}]", case.scenario));
            // What a step of this case had approved and does not answer any more goes.
            document.snapshots.retain(|name, _| key(name).as_deref() != Some(&own));
            document.cases.insert(case.name(), outcome(case, kept));
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        document.snapshots.extend(seen.clone());
        document
    }
}

/// A run at its end.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// The file, as typed.
    pub file: &'a str,
    /// The name of the suite.
    pub suite: &'a str,
    /// All cases were judged.
    pub complete: bool,
    /// No filter left cases out.
    pub whole: bool,
    /// The cases.
    pub cases: &'a [CaseRecord],
    /// What they were answered.
    pub answers: &'a BTreeMap<String, Kept>,
}

/// What a run means for its snapshot.
#[derive(Debug)]
pub struct Conclusion {
    /// For the record.
    pub check: CheckRecord,
    /// For the files.
    pub write: Write,
}

/// What to do to the files.
#[derive(Debug, PartialEq, Eq)]
pub enum Write {
    /// Leave them.
    Nothing,
    /// The approved file holds: what a run before left beside it to be reviewed goes.
    Clean,
    /// The approved file; nothing is left to be reviewed.
    Approved(String),
    /// The file beside it, to be reviewed.
    Pending(String),
}

fn outcome(case: &CaseRecord, kept: Option<&Kept>) -> CaseOutcome {
    // An answer that is not approved yet is seen in the answers, not in how the case ended.
    let held = kept.is_some_and(|kept| kept.held);
    let (word, reason) = match &case.outcome {
        Outcome::Passed => ("passed", None),
        Outcome::Failed if held => ("passed", None),
        Outcome::KnownFailing { .. } if held => ("unexpected pass", None),
        Outcome::Failed => ("failed", None),
        Outcome::KnownFailing { .. } => ("known failing", None),
        Outcome::UnexpectedPass { .. } => ("unexpected pass", None),
        Outcome::Skipped { reason } => ("skipped", Some(reason.clone())),
        Outcome::NotJudged { reason } => ("not judged", Some(reason.clone())),
    };
    let mismatches = if held { &[][..] } else { case.mismatches.as_slice() };
    let broken: BTreeSet<String> = mismatches.iter().flat_map(|m| m.rules.clone()).collect();
    let at: BTreeSet<String> = mismatches.iter().map(|m| m.step.clone()).collect();
    CaseOutcome {
        outcome: word.to_owned(),
        reason,
        broken: broken.into_iter().collect(),
        at: at.into_iter().collect(),
        answers: kept.map(|kept| kept.answers.clone()).unwrap_or_default(),
    }
}

/// Lines that are gone, lines that are new, and both with what stands around them.
fn diff(old: &str, new: &str) -> (usize, usize, Vec<super::record::CheckItem>) {
    const AROUND: usize = 4;
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    let (mut removed, mut added) = (0, 0);
    for group in diff.grouped_ops(AROUND) {
        if let Some(first) = group.first() {
            lines.push(item("@@", format!("line {}", first.old_range().start + 1), ""));
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => {
                    removed += 1;
                    "-"
                }
                ChangeTag::Insert => {
                    added += 1;
                    "+"
                }
                ChangeTag::Equal => " ",
            };
            lines.push(item(sign, change.value().trim_end_matches('\n'), ""));
        }
    }
    (removed, added, bounded(lines))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
