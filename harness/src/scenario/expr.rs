//! CEL expressions: compiled once, evaluated over a scope.

use super::source::Span;
use std::{collections::BTreeMap, sync::Arc};

/// What expressions work with.
pub use cel::Value;

/// A compiled expression and where it stands.
#[derive(Clone)]
pub struct Expr {
    /// Its text without the `${{ }}`.
    pub text: String,
    /// Its place, without the `${{ }}`.
    pub span: Span,
    /// Compiled.
    pub program: Arc<cel::Program>,
}

impl std::fmt::Debug for Expr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Expr({:?})", self.text)
    }
}

/// The variables that an expression can read, by root name: `vars`, `run`, `row`, `index`, `response`, step ids, …
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// By root name.
    pub values: BTreeMap<String, Value>,
}

/// An expression that failed on what came back.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct EvalError {
    /// What went wrong, for people.
    pub text: String,
    /// The expression's place.
    pub span: Span,
}

// H3 (scenario language) implements:
//   impl Expr { pub fn compile(text: &str, span: Span) -> Result<Expr, ScenarioError>
//               pub fn eval(&self, scope: &Scope) -> Result<Value, EvalError>
//               pub fn holds(&self, scope: &Scope) -> Result<Truth, EvalError>   // Truth { held: bool, explained: String }
//               pub fn references(&self) -> Vec<String>  (root names) }
//   impl Template { pub fn render(&self, scope: &Scope) -> Result<Data, EvalError> }
