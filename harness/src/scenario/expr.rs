//! CEL expressions: compiled once, evaluated over a scope.
//!
//! Bounded: an expression has at most [`LONGEST`] bytes, [`DEEPEST`] brackets inside each other, [`MOST_OPERATORS`]
//! operators, [`MOST_LEVELS`] operations and [`MOST_LOOPS`] loops inside each other, so that neither parsing nor evaluation
//! can exhaust the stack or run for ever.

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
pub use syntax::{DEEPEST, LONGEST, MOST_LEVELS, MOST_LOOPS, MOST_OPERATORS};

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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn at_start() -> Span {
        Span {
            start: 0,
            end: 0,
            line: 1,
            column: 1,
        }
    }

    fn compiled(text: &str) -> Expr {
        Expr::compile(text, at_start()).unwrap()
    }

    fn record(fields: &[(&str, Value)]) -> Value {
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<HashMap<_, _>>()
            .into()
    }

    fn scope() -> Scope {
        let result = |code: &str| record(&[("status", record(&[("code", code.into())]))]);
        let response = record(&[
            ("name", "other".into()),
            ("total_count", Value::Int(2)),
            ("big", Value::UInt(5)),
            ("price", Value::Float(9.5)),
            ("nothing", Value::Null),
        ]);
        let results = Value::List(vec![result("OK"), result("ABORTED")].into());
        Scope {
            values: [("response".to_owned(), response), ("results".to_owned(), results)].into(),
        }
    }

    fn explained(text: &str) -> String {
        let truth = compiled(text).holds(&scope()).unwrap();
        assert!(!truth.held, "{text}");
        truth.explained
    }

    #[test]
    fn a_false_comparison_names_its_operands() {
        assert_eq!(
            explained("response.name == \"watched\""),
            "response.name == \"watched\" is false: \"other\" == \"watched\""
        );
        assert_eq!(
            explained("response.total_count >= 3"),
            "response.total_count >= 3 is false: 2 >= 3"
        );
        assert_eq!(
            explained("response.name in ['a', 'b']"),
            "response.name in ['a', 'b'] is false: \"other\" in [\"a\", \"b\"]"
        );
    }

    #[test]
    fn of_a_conjunction_the_false_part_is_explained() {
        assert_eq!(
            explained("response.total_count == 2 && response.name == \"a\" && response.price > 1.0"),
            "response.name == \"a\" is false: \"other\" == \"a\""
        );
        assert_eq!(
            explained("response.name == 'a' || response.total_count > 2"),
            "response.name == 'a' is false: \"other\" == \"a\", and response.total_count > 2 is false: 2 > 2"
        );
        assert_eq!(
            explained("!(response.total_count == 2)"),
            "(response.total_count == 2) is true: 2 == 2".replace(['(', ')'], "")
        );
    }

    #[test]
    fn of_a_loop_the_false_element_is_explained() {
        assert_eq!(
            explained("results.all(r, r.status.code == \"OK\")"),
            "results.all(r, r.status.code == \"OK\") is false for [1]: r.status.code == \"OK\" is false: \"ABORTED\" == \"OK\""
        );
        assert_eq!(
            explained("results.exists(r, r.status.code == 'LOST')"),
            "results.exists(r, r.status.code == 'LOST') is false for all 2 elements"
        );
        assert_eq!(
            explained("results.filter(r, r.status.code == 'OK').size() == 2"),
            "results.filter(r, r.status.code == 'OK').size() == 2 is false: 1 == 2"
        );
    }

    #[test]
    fn a_condition_that_holds_says_so_with_its_values() {
        let truth = compiled("response.name == \"other\"").holds(&scope()).unwrap();
        assert_eq!(
            (truth.held, truth.explained.as_str()),
            (true, "response.name == \"other\" is true: \"other\" == \"other\"")
        );
        assert_eq!(
            explained("response.name.startsWith(\"x\")"),
            "response.name.startsWith(\"x\") is false: response.name is \"other\""
        );
    }

    #[test]
    fn numbers_of_different_types_compare() {
        for text in [
            "response.total_count == 2.0",
            "response.big == 5",
            "response.big > response.total_count",
            "response.price > 9",
            "response.total_count in [1.0, 2.0]",
            "response.total_count * 2 == 4",
        ] {
            assert!(compiled(text).holds(&scope()).unwrap().held, "{text}");
        }
    }

    #[test]
    fn a_failure_is_a_sentence() {
        for (text, sentence) in [
            (
                "response.nam == 1",
                "no field `nam` in `response`, did you mean `name`?, in `response.nam == 1`",
            ),
            (
                "results[0].state.code == 1",
                "no field `state` in `results[0]`, in `results[0].state.code == 1`",
            ),
            (
                "results.map(r, r.code).size() == 1",
                "no field `code` in `r`, in `results.map(r, r.code).size() == 1`",
            ),
            (
                "response.nothing.x == 1",
                "`response.nothing` is null and has no field `x`, in `response.nothing.x == 1`",
            ),
            (
                "response.name > 1",
                "`>` does not work on string and int, in `response.name > 1`",
            ),
            (
                "response.name + 1 == 'a'",
                "`+` does not work on string and int: \"other\" + 1, in `response.name + 1 == 'a'`",
            ),
            (
                "response.total_count / 0 == 1",
                "division by zero, in `response.total_count / 0 == 1`",
            ),
            ("results[7] == 1", "there is no element [7], in `results[7] == 1`"),
            ("elapsed > 1", "`elapsed` has no value here, in `elapsed > 1`"),
            (
                "response.name.startsWith(1)",
                "`startsWith` does not work on string with (int), in `response.name.startsWith(1)`",
            ),
            (
                "repeat('ab', 999999999) == ''",
                "`repeat`: the result would be longer than 64 MiB, in `repeat('ab', 999999999) == ''`",
            ),
            ("response.name", "`response.name` is \"other\", neither true nor false"),
        ] {
            assert_eq!(compiled(text).holds(&scope()).unwrap_err().text, sentence);
        }
        let error = compiled("1 == 1 && response.nam == 1").eval(&scope()).unwrap_err();
        assert_eq!((error.span.start, error.span.end, error.span.column), (10, 22, 11));
    }

    #[test]
    fn the_place_of_a_mistake_is_that_of_its_character() {
        let span = Span {
            start: 100,
            end: 0,
            line: 7,
            column: 20,
        };
        let problem = Expr::compile("'é' == a b", span).unwrap_err();
        assert_eq!(
            (problem.span.start, problem.span.line, problem.span.column),
            (110, 7, 29)
        );
        let problem = Expr::compile("a ==\n  b c", span).unwrap_err();
        assert_eq!((problem.span.line, problem.span.column), (8, 5));
    }

    #[test]
    fn an_expression_at_the_bounds_fits_on_a_small_stack() {
        let sum = "1+".repeat(MOST_LEVELS - 1) + "1";
        let chain = "response".to_owned() + &".name".repeat(MOST_OPERATORS);
        let brackets = "(".repeat(DEEPEST) + "1" + &")".repeat(DEEPEST);
        let ternary = "true?1:".repeat(MOST_LEVELS - 1) + "1";
        let and = "true && ".repeat(MOST_OPERATORS / 2) + "true";
        let index = "response".to_owned() + &"[0]".repeat(MOST_LEVELS - 2);
        let negation = "!(".repeat(DEEPEST) + "true" + &")".repeat(DEEPEST);
        let loops = "[1].all(x, [1].all(y, [1].all(z, ".to_owned() + &"1+".repeat(12) + "1 > 0)))";
        let run = move || {
            for text in [sum, chain, brackets, ternary, and, index, negation, loops] {
                let expr = Expr::compile(&text, at_start())
                    .map_err(|problem| format!("{text}: {}", problem.text))
                    .unwrap();
                let _ = (expr.eval(&scope()), expr.holds(&scope()), expr.selects());
            }
        };
        std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(run)
            .unwrap()
            .join()
            .unwrap();
        for text in [
            "\"".to_owned() + &"(".repeat(200),
            "\"".to_owned() + &"1+".repeat(2000),
            "a?".repeat(90),
            "a?b:".repeat(90) + "c",
            "1+".repeat(MOST_LEVELS) + "1",
            "1+".repeat(5 * MOST_OPERATORS) + "1",
            "(".repeat(500),
            "x".repeat(LONGEST + 1),
        ] {
            assert!(Expr::compile(&text, at_start()).is_err());
        }
    }

    #[test]
    fn every_listed_function_exists_and_every_other_is_refused() {
        for name in environment::FUNCTIONS.iter().filter(|name| **name != "has") {
            let calls = [
                format!("{name}()"),
                format!("{name}(1)"),
                format!("{name}(1, 2)"),
                format!("{name}('a')"),
            ];
            let exists = calls
                .iter()
                .filter_map(|call| Expr::compile(call, at_start()).ok())
                .any(|expr| {
                    expr.eval(&Scope::default())
                        .map_or_else(|error| !error.text.contains("has no value"), |_| true)
                });
            assert!(exists, "{name}");
        }
        for name in environment::METHODS {
            let targets = [
                "'a'",
                "[1]",
                "['a']",
                "timestamp('2024-01-01T00:00:00Z')",
                "duration('1s')",
                "optional.of(1)",
                "math",
            ];
            let arguments = ["", "1", "0, 1", "'a'", "'a', 'b'", "x, true", "x, x", "optional.of(1)"];
            let mut calls = targets
                .iter()
                .flat_map(|target| arguments.map(|argument| format!("{target}.{name}({argument})")));
            let exists = calls
                .any(|call| Expr::compile(&call, at_start()).is_ok_and(|expr| expr.eval(&Scope::default()).is_ok()));
            assert!(exists || name == "format", "{name}");
        }
        assert!(Expr::compile("'%s'.format(['a'])", at_start()).is_ok());
        assert!(Expr::compile("nope(1)", at_start()).is_err());
    }

    #[test]
    fn programs_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Expr>();
        crosses::<Scope>();
        crosses::<crate::scenario::model::Scenario>();
    }
}
