//! The language: text with positions in, a checked model out. Pure: no async, no clock, no file.
//!
//! ```text
//! text --yaml--> spanned tree --de--> written --lower--> model
//! ```
//!
//! [`parse`] is the way in; the engine works with [`model`], [`expr`] and [`data`].

pub mod data;
pub(crate) mod de;
pub mod error;
pub mod expr;
pub(crate) mod field;
pub(crate) mod lower;
pub mod model;
mod render;
pub(crate) mod scalar;
mod scope;
pub mod source;
pub(crate) mod status;
pub mod suite;
mod traps;
pub(crate) mod tree;
pub mod written;
pub(crate) mod yaml;

use error::{Problem, ScenarioError};
use model::Scenario;
use source::Source;

/// A file with more mistakes shows the first ones.
const MOST_ERRORS: usize = 100;

/// Reads one scenario file. All its mistakes are reported, in the order of the file.
pub fn parse(source: Source) -> Result<Scenario, Vec<ScenarioError>> {
    let (tree, mut problems) = yaml::read(&source.text);
    let mut scenario = None;
    if let Some(tree) = tree {
        let mut noted = Vec::new();
        if let Some(written) = de::read::<written::Scenario>(&tree, &mut noted) {
            problems.append(&mut noted);
            let (lowered, mut noted) = lower::lower(&tree, &written, &source);
            problems.append(&mut noted);
            scenario = lowered;
        }
        problems.append(&mut noted);
    }
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => Err(in_order(&source, problems)),
    }
}

/// Problems with their file, in the order of the file.
pub(crate) fn in_order(source: &Source, mut problems: Vec<Problem>) -> Vec<ScenarioError> {
    problems.sort_by_key(|problem| problem.span.start);
    problems.dedup();
    problems.truncate(MOST_ERRORS);
    problems
        .into_iter()
        .map(|problem| ScenarioError::new(source, problem))
        .collect()
}

/// The JSON Schema of a scenario file, as it lies in `scenarios/schema.json`.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(written::Scenario);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
