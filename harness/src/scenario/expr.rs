//! CEL expressions: compiled once, evaluated over a scope.
//!
//! Bounded: an expression has at most [`LONGEST`] bytes, [`DEEPEST`] brackets inside each other, [`MOST_OPERATORS`]
//! operators and [`MOST_LOOPS`] loops inside each other, so that neither parsing nor evaluation can exhaust the stack or
//! run for ever.

mod display;
mod environment;
mod explain;
mod failure;
mod syntax;
mod walk;

use super::{
    error::Problem,
    source::{Position, Span},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// What expressions work with.
pub use cel::Value;
pub use display::{display, print};
pub use environment::{RESERVED, TYPES};
pub use explain::Truth;
pub use syntax::{DEEPEST, LONGEST, MOST_LOOPS, MOST_OPERATORS};

/// A compiled expression and where it stands.
#[derive(Clone)]
pub struct Expr {
    /// Its text without the `${{ }}`.
    pub text: String,
    /// Its place, without the `${{ }}`.
    pub span: Span,
    /// Compiled.
    pub program: Arc<cel::Program>,
    /// Where each byte of the text stands in the file, and its end.
    places: Arc<[Position]>,
    /// What it reads of each root.
    needs: Arc<BTreeMap<String, walk::Needs>>,
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

/// A chain of field selections, such as `response.products[0].name`.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectPath {
    /// The identifier that it starts with; never a variable of a comprehension.
    pub root: String,
    /// The selected fields; an element of a list, or the value of an index, is `[]`.
    pub path: Vec<String>,
    /// The chain's place.
    pub span: Span,
}

impl Expr {
    /// Compiles a text that stands in one piece at `span`.
    pub fn compile(text: &str, span: Span) -> Result<Expr, Problem> {
        let mut position = Position {
            byte: span.start,
            line: span.line,
            column: span.column,
        };
        let mut places = Vec::with_capacity(text.len() + 1);
        for c in text.chars() {
            places.extend(std::iter::repeat_n(position, c.len_utf8()));
            position.byte += c.len_utf8();
            position.column += 1;
            if c == '\n' {
                position.line += 1;
                position.column = 1;
            }
        }
        places.push(position);
        Expr::compile_at(text, places)
    }

    /// Compiles a text whose bytes stand at `places`; one more place is that of its end.
    pub(super) fn compile_at(text: &str, places: Vec<Position>) -> Result<Expr, Problem> {
        // The parser is fuzzed and has not been seen to panic; a wrong file must not end the process in any case.
        let compiled = catch_unwind(AssertUnwindSafe(|| syntax::compile(text)));
        let compiled = compiled.unwrap_or_else(|_| Err(syntax::Mistake::whole(text, syntax::GAVE_UP)));
        let program = match compiled {
            Ok(program) => program,
            Err(mistake) => {
                let span = span_of(&places, mistake.range.start, mistake.range.end);
                return Err(Problem {
                    span,
                    text: mistake.text,
                    help: mistake.help,
                });
            }
        };
        let needs = walk::needs(program.expression());
        let span = span_of(&places, 0, text.len());
        let places = places.into();
        Ok(Expr {
            text: text.to_owned(),
            span,
            program: Arc::new(program),
            places,
            needs: Arc::new(needs),
        })
    }

    /// The value.
    pub fn eval(&self, scope: &Scope) -> Result<Value, EvalError> {
        self.guarded(|| {
            let context = self.context(scope)?;
            self.program
                .execute(&context)
                .map_err(|error| failure::describe(self, scope, &context, &error))
        })
    }

    /// Whether a condition holds, with the reason in values.
    pub fn holds(&self, scope: &Scope) -> Result<Truth, EvalError> {
        self.guarded(|| {
            let context = self.context(scope)?;
            match self.program.execute(&context) {
                Ok(Value::Bool(held)) => Ok(explain::explain(self, &context, held)),
                Ok(other) => Err(EvalError {
                    text: format!("`{}` is {}, neither true nor false", self.text, display(&other)),
                    span: self.span,
                }),
                Err(error) => Err(failure::describe(self, scope, &context, &error)),
            }
        })
    }

    /// The roots that it reads, each once, in alphabetical order.
    pub fn references(&self) -> Vec<String> {
        let roots: BTreeSet<String> = self.selects().into_iter().map(|select| select.root).collect();
        roots.into_iter().collect()
    }

    /// Every maximal chain of selections that starts with an identifier outside of the expression. The variable of a
    /// comprehension over such a chain stands for its elements: `messages.all(m, m.reason != "")` has `messages` and
    /// `messages[].reason`.
    pub fn selects(&self) -> Vec<SelectPath> {
        walk::selects(&self.program, &self.text)
            .into_iter()
            .map(|select| SelectPath {
                span: span_of(&self.places, select.range.start, select.range.end),
                root: select.root,
                path: select.path,
            })
            .collect()
    }

    /// The place of a part of the text.
    fn place(&self, range: std::ops::Range<usize>) -> Span {
        span_of(&self.places, range.start, range.end)
    }

    /// The variables that the expression reads, and of them only the fields that it reads: a step may have received
    /// megabytes.
    fn context(&self, scope: &Scope) -> Result<cel::Context<'static, 'static>, EvalError> {
        let mut context = cel::Context::with_env(environment::shared());
        for (root, needs) in self.needs.iter() {
            let Some(value) = scope.values.get(root) else { continue };
            let value = walk::project(value, needs);
            match Box::<dyn cel::common::value::Val>::try_from(value) {
                Ok(value) => context.add_variable_as_val(root.clone(), value),
                Err(_) => {
                    let text = format!("the value of `{root}` cannot be read in an expression");
                    return Err(EvalError { text, span: self.span });
                }
            }
        }
        Ok(context)
    }

    fn guarded<T>(&self, evaluate: impl FnOnce() -> Result<T, EvalError>) -> Result<T, EvalError> {
        // As for `compile_at`.
        catch_unwind(AssertUnwindSafe(evaluate)).unwrap_or_else(|_| {
            let text = format!("`{}` {}", self.text, syntax::GAVE_UP);
            Err(EvalError { text, span: self.span })
        })
    }
}

/// The span between two bytes of a text.
fn span_of(places: &[Position], start: usize, end: usize) -> Span {
    let last = places.len().saturating_sub(1);
    let from = places.get(start.min(last)).copied().unwrap_or_default();
    let to = places.get(end.clamp(start, last.max(start))).copied().unwrap_or(from);
    Span {
        start: from.byte,
        end: to.byte.max(from.byte),
        line: from.line,
        column: from.column,
    }
}
