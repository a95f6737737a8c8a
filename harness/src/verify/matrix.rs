//! What will be run: scenarios x rows x protocols, filtered. Known before anything is sent. Pure.

use super::{glob, record::case_name};
use crate::{
    client::Protocol,
    scenario::model::{Over, Scenario},
};
use std::sync::Arc;

/// One case of the matrix.
#[derive(Clone, Debug)]
pub struct Case {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// An index into its rows.
    pub row: Option<usize>,
    /// Over which protocol.
    pub protocol: Protocol,
    /// The reason in the known-failing line that names it.
    pub known_failing: Option<String>,
}

impl Case {
    /// `id[row] (protocol)`.
    pub fn name(&self) -> String {
        case_name(&self.scenario.id.value, self.row_name(), self.protocol)
    }

    /// The name of its row.
    pub fn row_name(&self) -> Option<&str> {
        self.row
            .and_then(|row| self.scenario.rows.get(row))
            .map(|row| row.name.as_str())
    }

    /// Whether a pattern of `--filter` or of a known-failing file names it.
    fn matches(&self, pattern: &str) -> bool {
        let name = self.name();
        let without_protocol = name.rsplit_once(" (").map_or(name.as_str(), |(name, _)| name);
        [name.as_str(), without_protocol, &self.scenario.id.value]
            .iter()
            .any(|name| glob::matches(pattern, name))
    }
}

/// A line of a known-failing file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFailing {
    /// A pattern over case names.
    pub pattern: String,
    /// The text after `#`.
    pub reason: String,
    /// From 1.
    pub line: usize,
}

/// Reads a known-failing file: a pattern a line, the reason after `#`; blank lines and comment lines are skipped.
///
/// # Errors
/// A line without a reason, with its number.
pub fn parse_known_failing(name: &str, text: &str) -> Result<Vec<KnownFailing>, String> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (line, number) = (line.trim(), index + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match split_reason(line) {
            Some((pattern, reason)) if !pattern.is_empty() && !reason.is_empty() => {
                lines.push(KnownFailing {
                    pattern: pattern.to_owned(),
                    reason: reason.to_owned(),
                    line: number,
                });
            }
            _ => {
                return Err(format!(
                    "{name}:{number}: `{line}` gives no reason: write `{}  # why it fails`",
                    line.trim_end_matches('#').trim()
                ));
            }
        }
    }
    Ok(lines)
}

/// Pattern and reason: the `#` between them is the first one that is not in brackets, where the name of a row stands.
fn split_reason(line: &str) -> Option<(&str, &str)> {
    let mut in_row = false;
    let outside = line.char_indices().find(|(_, c)| {
        match c {
            '[' => in_row = true,
            ']' => in_row = false,
            _ => {}
        }
        *c == '#' && !in_row
    });
    let at = outside.map(|(at, _)| at).or_else(|| line.find('#'))?;
    let (pattern, reason) = line.split_at(at);
    Some((pattern.trim(), reason.trim_start_matches('#').trim()))
}

/// What restricts the matrix.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Patterns; empty: all.
    pub filter: Vec<String>,
    /// Tags; empty: all.
    pub tags: Vec<String>,
    /// Lines of the known-failing file, and its name for messages.
    pub known_failing: Option<(String, Vec<KnownFailing>)>,
}

/// All cases in order: by scenario, then protocol, then row.
///
/// # Errors
/// A sentence for every filter, tag or known-failing line that matches nothing, and for an empty matrix: nothing may
/// pass because nobody looked.
pub fn expand(
    scenarios: &[Arc<Scenario>],
    protocols: &[Protocol],
    selection: &Selection,
) -> Result<Vec<Case>, Vec<String>> {
    let mut all = Vec::new();
    for scenario in scenarios {
        for protocol in protocols.iter().filter(|protocol| runs_over(scenario, **protocol)) {
            let rows: Vec<Option<usize>> = if scenario.rows.is_empty() {
                vec![None]
            } else {
                (0..scenario.rows.len()).map(Some).collect()
            };
            all.extend(rows.into_iter().map(|row| Case {
                scenario: scenario.clone(),
                row,
                protocol: *protocol,
                known_failing: None,
            }));
        }
    }
    let mut errors = Vec::new();
    if all.is_empty() {
        let names: Vec<&str> = protocols.iter().map(|protocol| protocol.name()).collect();
        return Err(vec![match scenarios {
            [] => "there is no scenario to run".to_owned(),
            _ => format!(
                "no scenario runs over {}: their `protocols` name others",
                names.join(" or ")
            ),
        }]);
    }
    if let Some((file, lines)) = &selection.known_failing {
        for line in lines {
            let mut hit = false;
            for case in all.iter_mut().filter(|case| case.matches(&line.pattern)) {
                case.known_failing = Some(line.reason.clone());
                hit = true;
            }
            if !hit {
                errors.push(format!(
                    "{file}:{}: `{}` matches no case; `--list` shows their names",
                    line.line, line.pattern
                ));
            }
        }
    }
    for tag in &selection.tags {
        if !all.iter().any(|case| has_tag(case, tag)) {
            errors.push(format!(
                "no scenario has the tag `{tag}`; there are: {}",
                tags_of(&all).join(", ")
            ));
        }
    }
    for pattern in &selection.filter {
        if !all.iter().any(|case| case.matches(pattern)) {
            errors.push(format!(
                "the filter `{pattern}` matches no case; `--list` shows their names"
            ));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    all.retain(|case| {
        (selection.tags.is_empty() || selection.tags.iter().any(|tag| has_tag(case, tag)))
            && (selection.filter.is_empty() || selection.filter.iter().any(|pattern| case.matches(pattern)))
    });
    if all.is_empty() {
        return Err(vec![
            "no case has both one of the tags and one of the filters".to_owned(),
        ]);
    }
    Ok(all)
}

/// Whether a scenario has cases on a protocol.
fn runs_over(scenario: &Scenario, protocol: Protocol) -> bool {
    match scenario.over {
        Over::Any => true,
        Over::Grpc => protocol == Protocol::Grpc,
        Over::Rest => protocol == Protocol::Rest,
    }
}

fn has_tag(case: &Case, tag: &str) -> bool {
    case.scenario.tags.iter().any(|t| t.value == tag)
}

fn tags_of(cases: &[Case]) -> Vec<&str> {
    let mut tags: Vec<&str> = cases
        .iter()
        .flat_map(|c| c.scenario.tags.iter().map(|t| t.value.as_str()))
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}
