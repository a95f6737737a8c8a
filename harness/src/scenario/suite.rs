//! Sets of scenario files: the embedded suite, and what is true of files only together. Pure.

use super::{
    error::{Problem, ScenarioError},
    model::Scenario,
    parse,
    source::SourceFile,
};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, sync::Arc};

/// Names and texts of the built-in suite, in the order of their names.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/suite.rs"));

/// Parsed files and their identity.
#[derive(Debug)]
pub struct Suite {
    /// `embedded`, or the folder.
    pub name: String,
    /// In the order of the files.
    pub scenarios: Vec<Arc<Scenario>>,
    /// SHA-256 over names and texts, hex.
    pub sha256: String,
}

impl Suite {
    /// Parses files of name and text.
    ///
    /// # Errors
    /// Everything that is wrong, in all of the files; two scenarios with one id are.
    pub fn parse(name: &str, files: &[(String, String)]) -> Result<Suite, Vec<ScenarioError>> {
        let (mut scenarios, mut errors) = (Vec::new(), Vec::new());
        let mut hash = Sha256::new();
        for (name, text) in files {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
            match parse(SourceFile::new(name.clone(), text.clone())) {
                Ok(scenario) => scenarios.push(Arc::new(scenario)),
                Err(found) => errors.extend(found),
            }
        }
        let mut seen: HashMap<&str, &Scenario> = HashMap::new();
        for scenario in &scenarios {
            if let Some(other) = seen.insert(&scenario.id.value, scenario) {
                let text = format!("the id `{}` is taken by {}", scenario.id.value, other.source.name);
                errors.push(ScenarioError::new(
                    &scenario.source,
                    Problem::new(scenario.id.span, text),
                ));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Suite {
            name: name.to_owned(),
            scenarios,
            sha256,
        })
    }
}
