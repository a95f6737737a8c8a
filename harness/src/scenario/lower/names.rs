//! Which names an expression can read at its place in the file.

use super::{BUILT_IN, Lower, PROBE};
use crate::scenario::{
    error::{Problem, did_you_mean, short, suggest},
    expr::{Expr, SelectPath},
};

/// Where an expression stands.
#[derive(Clone, Copy, Default)]
pub struct Place<'p> {
    /// Built-in names that have a value here, `message` and `response` for example.
    pub extra: &'p [&'p str],
    /// In a repeated request.
    pub index: bool,
    /// In `setup`, which runs once for all rows.
    pub setup: bool,
    /// In `rows`, which come before everything else.
    pub in_row: bool,
    /// Nothing but `extra` has a value here; the text says what has.
    pub only: Option<&'p str>,
}

/// What differs between the kinds of files, as far as names are concerned.
pub struct Dialect {
    /// What a file is.
    pub what: &'static str,
    /// The fields of `run`.
    pub run: &'static [&'static str],
    /// What can be read everywhere.
    pub roots: &'static [&'static str],
    /// Names that have a value in some places only, and what to say in the others.
    pub elsewhere: &'static [(&'static str, &'static str)],
}

/// Scenarios.
pub const SCENARIO: Dialect = Dialect {
    what: "scenario",
    run: &["id", "protocol"],
    roots: &["vars", "run", "row"],
    elsewhere: &[],
};

/// A variable.
pub struct Var {
    pub name: String,
    /// Directly or through another one.
    pub reads_row: bool,
}

/// A step that has a name.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub background: bool,
    pub repeated: bool,
    /// It runs at the end.
    pub deferred: bool,
}

/// What can be read of an earlier step.
const RESULTS: [&str; 9] = [
    "response", "results", "messages", "status", "headers", "trailers", "http", "layer", "elapsed",
];

impl Lower<'_, '_> {
    /// Checks every name that an expression reads; the first mistake of each root is enough.
    pub fn check_names(&mut self, expr: &Expr, place: &Place<'_>) {
        let mut told: Vec<String> = Vec::new();
        for select in expr.selects() {
            self.read.insert((select.root.clone(), select.path.first().cloned()));
            if told.contains(&select.root) {
                continue;
            }
            if let Some(problem) = self.name(&select, place) {
                told.push(select.root.clone());
                self.problem(problem);
            }
        }
    }

    fn name(&self, select: &SelectPath, place: &Place<'_>) -> Option<Problem> {
        let root = select.root.as_str();
        let field = select.path.first().map(String::as_str);
        let known_elsewhere = self.dialect.elsewhere.iter().find(|(name, _)| *name == root);
        let no_value = || Problem::new(select.span, format!("`{}` has no value here", short(root)));
        match (place.only, known_elsewhere) {
            _ if place.extra.contains(&root) => return self.record(select, field),
            (Some(only), _) => return Some(no_value().help(only)),
            (None, Some((_, help))) => return Some(no_value().help(*help)),
            (None, None) => {}
        }
        match root {
            "run" => match field {
                Some(field) if !self.dialect.run.contains(&field) => {
                    let known = self.dialect.run.iter().copied();
                    let text = suggest(format!("unknown name `run.{}`", short(field)), field, known);
                    Some(Problem::new(select.span, text))
                }
                _ => None,
            },
            _ if place.in_row => {
                let text = format!("`{}` has no value in `rows`", short(root));
                Some(Problem::new(select.span, text).help("a row can read `run` only"))
            }
            "vars" => self.var(select, field, place),
            "row" => self.row(select, field, place),
            "index" if place.index => None,
            "index" => {
                let problem = Problem::new(select.span, "`index` has no value here");
                Some(problem.help("it counts the calls of `repeat` and the messages of `requests: { repeat, item }`"))
            }
            _ if BUILT_IN.contains(&root) || root == PROBE => {
                let help = match root {
                    "message" => "it is one message of a stream: read it in `until`, `each` and `never`",
                    PROBE => "it is the answer to a probe: read it in `ready.until`",
                    "results" => {
                        "it is read in the `assert` of a step with `repeat`; of an earlier step as `STEP.results`"
                    }
                    "response" => {
                        "it is read in a step's own `assert`, and not with `repeat` or `wait`; of an earlier step as `STEP.response`"
                    }
                    _ => "it is read in a step's own `assert`; of an earlier step as `STEP.status`, `STEP.messages`",
                };
                Some(Problem::new(select.span, format!("`{root}` has no value here")).help(help))
            }
            _ => self.step_result(select, field, place),
        }
    }

    /// A field of a map whose keys are known.
    fn record(&self, select: &SelectPath, field: Option<&str>) -> Option<Problem> {
        let keys = self.records.get(&select.root)?;
        let field = field.filter(|field| *field != "[]" && !keys.contains(*field))?;
        let known = || keys.iter().map(String::as_str);
        let text = suggest(format!("`{}` has no `{}`", select.root, short(field)), field, known());
        let help = format!(
            "it has {}",
            known().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
        );
        let problem = Problem::new(select.span, text);
        Some(match problem.text.contains("did you mean") || keys.is_empty() {
            true => problem,
            false => problem.help(help),
        })
    }

    fn var(&self, select: &SelectPath, field: Option<&str>, place: &Place<'_>) -> Option<Problem> {
        let field = field?;
        match self.vars.iter().find(|var| var.name == field) {
            Some(var) if var.reads_row && place.setup => {
                let text = format!("`vars.{field}` reads `row`, and `setup` runs once for all rows");
                Some(Problem::new(select.span, text).help("move the step to `steps`"))
            }
            Some(_) => None,
            None => {
                let known = self.vars.iter().map(|var| var.name.as_str());
                let text = match did_you_mean(field, known) {
                    Some(close) => format!("unknown variable `vars.{}`, did you mean `vars.{close}`?", short(field)),
                    None => format!("unknown variable `vars.{}`", short(field)),
                };
                Some(
                    Problem::new(select.span, text)
                        .help("a variable is defined under `vars`, before others that read it"),
                )
            }
        }
    }

    fn row(&self, select: &SelectPath, field: Option<&str>, place: &Place<'_>) -> Option<Problem> {
        let Some(keys) = &self.row_keys else {
            return Some(Problem::new(
                select.span,
                "`row` has no value here: the file has no `rows`",
            ));
        };
        if place.setup {
            let problem = Problem::new(select.span, "`row` has no value here: `setup` runs once for all rows");
            return Some(problem.help("move the step to `steps`"));
        }
        let field = field.filter(|field| !keys.contains(*field))?;
        let text = suggest(
            format!("the rows have no `{}`", short(field)),
            field,
            keys.iter().map(String::as_str),
        );
        Some(Problem::new(select.span, text))
    }

    fn step_result(&self, select: &SelectPath, field: Option<&str>, place: &Place<'_>) -> Option<Problem> {
        let root = select.root.as_str();
        let Some(step) = self.known.get(root) else {
            return Some(self.unknown(select, place));
        };
        if step.deferred && !place.extra.contains(&DEFERRED) {
            let text = format!("`{root}` is clean-up and runs after this");
            return Some(Problem::new(select.span, text));
        }
        match field {
            Some("results") if !step.repeated => {
                let problem = Problem::new(select.span, format!("`{root}` has no `results`: it is not repeated"));
                Some(problem.help(format!("read `{root}.response`")))
            }
            Some(field @ ("response" | "messages" | "status")) if step.repeated => {
                let text = format!("`{root}` is repeated and has no single `{field}`");
                Some(Problem::new(select.span, text).help(format!("read `{root}.results`")))
            }
            Some(field) if !RESULTS.contains(&field) => {
                let text = suggest(format!("a step has no `{}`", short(field)), field, RESULTS);
                Some(Problem::new(select.span, text).help(format!(
                    "read {}",
                    RESULTS.map(|name| format!("`{root}.{name}`")).join(", ")
                )))
            }
            _ => None,
        }
    }

    fn unknown(&self, select: &SelectPath, place: &Place<'_>) -> Problem {
        let root = select.root.as_str();
        if self.own.as_deref() == Some(root) {
            let problem = Problem::new(select.span, format!("`{root}` is this step itself"));
            return problem.help("its own `assert` reads `response`, `results`, `messages` and `status` directly");
        }
        if self.all_ids.contains(root) {
            return Problem::new(
                select.span,
                format!("`{root}` runs later: only an earlier step can be read"),
            );
        }
        if self.vars.iter().any(|var| var.name == root) {
            return Problem::new(
                select.span,
                format!("unknown name `{root}`, did you mean `vars.{root}`?"),
            );
        }
        if self.row_keys.as_ref().is_some_and(|keys| keys.contains(root)) {
            return Problem::new(
                select.span,
                format!("unknown name `{root}`, did you mean `row.{root}`?"),
            );
        }
        let steps = self.known.keys().map(String::as_str);
        let names = place
            .extra
            .iter()
            .copied()
            .chain(self.dialect.roots.iter().copied())
            .chain(steps)
            .filter(|name| *name != DEFERRED);
        let problem = Problem::new(
            select.span,
            suggest(format!("unknown name `{}`", short(root)), root, names),
        );
        match problem.text.contains("did you mean") {
            true => problem,
            false => problem.help("quote a text inside an expression"),
        }
    }
}

/// Marks a place that may read clean-up steps; no name in an expression.
pub const DEFERRED: &str = " deferred";
