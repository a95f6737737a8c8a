//! One expectation that did not hold, before it becomes part of a record. Pure.

use super::{
    fold::level_of,
    record::{LevelName, MismatchRecord},
};
use crate::scenario::{expr::EvalError, model::Scenario, source::Span};

/// Lines kept above and below the one of a mismatch.
const CONTEXT: usize = 2;

/// What did not hold, and where it was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The expectation's place.
    pub span: Span,
    /// The rule of the expectation; `None`: all rules of the file.
    pub rule: Option<String>,
    /// In one line.
    pub summary: String,
    /// Labelled lines.
    pub details: Vec<(String, String)>,
    /// The expectation itself makes no sense for what came back, such as a text for a number: it neither holds nor does
    /// its opposite.
    pub unusable: bool,
}

impl Mismatch {
    /// Without details, against all rules of the file.
    pub fn new(span: Span, summary: impl Into<String>) -> Mismatch {
        Mismatch {
            span,
            rule: None,
            summary: summary.into(),
            details: Vec::new(),
            unusable: false,
        }
    }

    /// See [`Mismatch::unusable`].
    pub fn unusable(span: Span, summary: impl Into<String>) -> Mismatch {
        Mismatch {
            unusable: true,
            ..Mismatch::new(span, summary)
        }
    }

    /// With one more labelled line.
    pub fn detail(mut self, label: &str, text: impl Into<String>) -> Mismatch {
        self.details.push((label.to_owned(), text.into()));
        self
    }

    /// Against one rule.
    pub fn against(mut self, rule: Option<&str>) -> Mismatch {
        self.rule = rule.map(str::to_owned);
        self
    }

    /// As it stands in the record.
    pub fn record(&self, scenario: &Scenario, step: &str) -> MismatchRecord {
        let text = &scenario.source.text;
        let at = self.span.line.saturating_sub(1);
        let lines = |from: usize, to: usize| -> Vec<String> {
            let lines = text.lines().skip(from).take(to.saturating_sub(from));
            lines.map(str::to_owned).collect()
        };
        let covered = text.get(self.span.start..self.span.end).unwrap_or_default();
        let rules: Vec<String> = match &self.rule {
            Some(rule) => vec![rule.clone()],
            None => scenario.rules.iter().map(|rule| rule.value.clone()).collect(),
        };
        let level = weightiest(&rules, scenario.level.into());
        MismatchRecord {
            rules,
            level,
            step: step.to_owned(),
            file: scenario.source.name.clone(),
            line: self.span.line,
            column: self.span.column,
            before: lines(at.saturating_sub(CONTEXT), at),
            source: lines(at, at + 1).pop().unwrap_or_default(),
            after: lines(at + 1, at + 1 + CONTEXT),
            width: covered
                .lines()
                .next()
                .unwrap_or_default()
                .trim_end()
                .chars()
                .count()
                .max(1),
            summary: self.summary.clone(),
            details: self.details.clone(),
        }
    }
}

/// The weightiest level of some rules; `own` stands in for a rule that is not of the contract, and for no rule at all.
pub fn weightiest(rules: &[String], own: LevelName) -> LevelName {
    rules
        .iter()
        .map(|rule| level_of(rule).unwrap_or(own))
        .min()
        .unwrap_or(own)
}

impl From<EvalError> for Mismatch {
    fn from(error: EvalError) -> Mismatch {
        Mismatch::new(error.span, error.text)
    }
}
