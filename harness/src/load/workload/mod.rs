//! Workloads: what `load` sends, as a YAML file in the language of scenarios. Pure.
//!
//! ```text
//! text --yaml--> spanned tree --de--> written --lower--> model, with its cells
//! ```
//!
//! [`parse`] is the way in; [`link::check`] holds a workload against the descriptors of a target, before anything is sent.

pub mod cell;
pub mod link;
mod lower;
pub mod model;
pub mod written;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use cell::{Arrivals, Cell, MOST_REQUESTS, Overrides, Rate, Stage};
pub use lower::Beside;
pub use model::{Feeder, Journey, JourneyStep, Objective, OperationSpec, Think, Users, Values, Watch, Workload};

use crate::scenario::{de, error::ScenarioError, in_order, source::Source, yaml};

/// Names and texts of the built-in workloads, in the order of their names.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/workloads.rs"));

/// The built-in workload that is run where none is named.
pub const DEFAULT: &str = "mixed";

/// Name and text of a built-in workload, by its id.
pub fn embedded(id: &str) -> Option<(&'static str, &'static str)> {
    let stem = |name: &str| {
        name.rsplit('/')
            .next()
            .and_then(|file| file.strip_suffix(".yaml"))
            .map(|stem| stem.replace('-', "_"))
    };
    EMBEDDED
        .iter()
        .copied()
        .find(|(name, _)| stem(name).as_deref() == Some(id))
}

/// Reads one workload file; `beside` reads a file that lies beside it, by its name. All mistakes are reported, in the order of
/// the file.
pub fn parse(source: Source, beside: Beside<'_>) -> Result<Workload, Vec<ScenarioError>> {
    let (tree, mut problems) = yaml::read(&source.text);
    let mut workload = None;
    if let Some(tree) = tree {
        let mut noted = Vec::new();
        if let Some(written) = de::read::<written::Workload>(&tree, &mut noted) {
            let (lowered, mut found) = lower::lower(
                &tree,
                &written,
                &source,
                beside,
                problems.is_empty() && noted.is_empty(),
            );
            problems.append(&mut found);
            workload = lowered;
        }
        problems.append(&mut noted);
    }
    match workload {
        Some(workload) if problems.is_empty() => Ok(workload),
        _ => Err(in_order(&source, problems)),
    }
}

/// The JSON Schema of a workload file, as it lies in `scenarios/load.schema.json`.
pub fn json_schema() -> String {
    let schema = schemars::schema_for!(written::Workload);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
