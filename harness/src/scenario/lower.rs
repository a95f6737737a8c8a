//! From what is written to what runs: the validation pass. Collects every mistake.

mod call;
mod expect;
mod names;
mod rows;
mod step;
mod template;

use super::{
    de,
    error::{Problem, did_you_mean, short},
    expr::{RESERVED, TYPES},
    field::{Field, Given, Raw},
    model::{Effects, Level, Over, Scenario, Step},
    scalar::Scalar,
    source::{Located, Source, Span},
    tree::{Kind, NodeId, Tree},
    written,
};
pub(crate) use names::{Dialect, Place};
use names::{Known, SCENARIO, Var};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Names that no step and no variable can have: expressions read something else under them.
pub const BUILT_IN: [&str; 15] = [
    "vars", "run", "row", "index", "response", "results", "message", "messages", "status", "headers", "trailers",
    "http", "layer", "elapsed", "ended",
];
/// Known in `ready.until` only, but no step's name either.
pub const PROBE: &str = "probe";

/// What a case may take when the file does not say.
const TIMEOUT: Duration = Duration::from_secs(20);
/// No duration of a scenario is longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The pass over one file.
pub struct Lower<'a, 't> {
    pub(crate) tree: &'a Tree<'t>,
    pub(crate) problems: Vec<Problem>,
    /// Which kind of file it is.
    dialect: &'static Dialect,
    /// What expressions have read so far: roots, with the field of them.
    pub(crate) read: BTreeSet<(String, Option<String>)>,
    /// The fields of roots that are maps with known keys.
    pub(crate) records: BTreeMap<String, BTreeSet<String>>,
    /// The variables so far.
    vars: Vec<Var>,
    /// The keys of the rows; `None`: there are no rows.
    row_keys: Option<BTreeSet<String>>,
    /// The steps so far that have a name.
    known: BTreeMap<String, Known>,
    /// All names of steps in the file, to tell "later" from "unknown".
    pub(crate) all_ids: BTreeSet<String>,
    /// `service` is written.
    has_service: bool,
    /// The name of the step that is being read.
    own: Option<String>,
}

/// Lowers a file. The scenario is complete only when there is no problem.
pub fn lower(tree: &Tree<'_>, written: &written::Scenario, source: &Source) -> (Option<Scenario>, Vec<Problem>) {
    let mut pass = Lower::new(tree, &SCENARIO, written.service.is_written());
    let scenario = pass.scenario(written, source);
    (scenario, pass.problems)
}

impl<'a, 't> Lower<'a, 't> {
    /// Nothing is known of the file yet but whether it names a service.
    pub(crate) fn new(tree: &'a Tree<'t>, dialect: &'static Dialect, has_service: bool) -> Lower<'a, 't> {
        Lower {
            tree,
            problems: Vec::new(),
            dialect,
            read: BTreeSet::new(),
            records: BTreeMap::new(),
            vars: Vec::new(),
            row_keys: None,
            known: BTreeMap::new(),
            all_ids: BTreeSet::new(),
            has_service,
            own: None,
        }
    }
}

impl Lower<'_, '_> {
    fn scenario(&mut self, written: &written::Scenario, source: &Source) -> Option<Scenario> {
        self.required(written);
        self.version(&written.version);
        for steps in [&written.setup, &written.steps] {
            self.collect_ids(steps.value().map_or(&[], Vec::as_slice));
        }
        let rows = self.rows(&written.rows);
        let vars = self.vars(&written.vars);
        let setup = self.steps(&written.setup, true);
        let steps = self.steps(&written.steps, false);
        let id = self.id(&written.id);
        let name = written
            .name
            .given()
            .map(|name| self.one_line("name", name))
            .unwrap_or_default();
        let rules = self.words(
            &written.rules,
            Some(is_rule),
            "a rule is named in lower case, such as `list.page-floor`",
        );
        let tags = self.words(&written.tags, None, "");
        let requires = self.words(&written.requires, None, "");
        let over = self.over(&written.protocols);
        let timeout = self.duration(&written.timeout, TIMEOUT);
        let effects = *written.effects.value()?;
        Some(Scenario {
            source: source.clone(),
            id: id?,
            name,
            rules,
            level: match written.level.value() {
                Some(written::Level::Should) => Level::Should,
                Some(written::Level::Must) | None => Level::Must,
            },
            effects: match effects {
                written::Effects::ReadOnly => Effects::ReadOnly,
                written::Effects::Writes => Effects::Writes,
            },
            tags,
            service: written.service.given().map(|service| self.service(service)),
            timeout,
            vars,
            requires,
            over,
            exclusive: written.exclusive.value().copied().unwrap_or(false),
            odd_data: written.odd_data.value().copied().unwrap_or(false),
            guards_streams: matches!(written.guards.value(), Some(written::Guards::Streams)),
            setup,
            rows,
            steps,
        })
    }

    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(crate) fn version(&mut self, version: &Field<u64>) {
        if let Field::Given(version) = version
            && version.value != 1
        {
            let text = format!("version {} of the language is not known", version.value);
            self.problem(Problem::new(self.tree.span(version.node), text).help("write `version: 1`"));
        }
    }

    /// Keys without which a file says nothing.
    fn required(&mut self, written: &written::Scenario) {
        self.required_keys(&[
            (written.version.is_written(), "version", "write `version: 1`"),
            (written.id.is_written(), "id", "write `id: a_name_of_its_own`"),
            (written.name.is_written(), "name", "say in one line what holds"),
            (
                written.effects.is_written(),
                "effects",
                "write `effects: read-only` or `effects: writes`",
            ),
            (written.steps.is_written(), "steps", "list what a case does"),
        ]);
        if let Field::Given(steps) = &written.steps
            && steps.value.is_empty()
        {
            let span = self.tree.span(steps.key);
            self.problem(Problem::new(span, "`steps` is empty: the scenario checks nothing"));
        }
    }

    /// Keys of the file, whether they are written, and what to write.
    pub(crate) fn required_keys(&mut self, keys: &[(bool, &str, &str)]) {
        let start = self.tree.span(Tree::ROOT);
        let start = Span {
            end: start.start,
            ..start
        };
        for (_, key, help) in keys.iter().filter(|(is_written, ..)| !is_written) {
            if self.is_misspelt(Tree::ROOT, key) {
                continue;
            }
            self.problem(Problem::new(start, format!("the key `{key}` is missing")).help(*help));
        }
    }

    /// Whether an unknown key of a map is probably meant to be this one: then it is reported already.
    pub(crate) fn is_misspelt(&self, map: NodeId, key: &str) -> bool {
        match &self.tree.node(map).kind {
            Kind::Map(entries) => entries
                .iter()
                .any(|entry| did_you_mean(&entry.name.value, [key]).is_some()),
            _ => false,
        }
    }

    pub(crate) fn id(&mut self, id: &Field<String>) -> Option<Located<String>> {
        let id = id.given()?;
        let span = self.tree.span(id.node);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if id.value.is_empty() || !id.value.chars().all(allowed) {
            let text = format!("`{}` cannot be the id of a {}", short(&id.value), self.dialect.what);
            self.problem(Problem::new(span, text).help("use lower-case letters, digits and underscores"));
        }
        Some(Located {
            value: id.value.clone(),
            span,
        })
    }

    fn over(&mut self, protocols: &Field<Vec<Field<written::Protocol>>>) -> Over {
        let Field::Given(list) = protocols else {
            return Over::Any;
        };
        if list.value.is_empty() {
            let problem = Problem::new(
                self.tree.span(list.key),
                "`protocols` is empty: the scenario runs nowhere",
            );
            self.problem(problem.help("write `[grpc]` or `[rest]`, or leave it out"));
        }
        let mut named = Vec::new();
        for protocol in list.value.iter().filter_map(Field::given) {
            if named.contains(&protocol.value) {
                self.problem(Problem::new(
                    self.tree.span(protocol.node),
                    "this protocol stands twice",
                ));
            }
            named.push(protocol.value);
        }
        match named.as_slice() {
            [written::Protocol::Grpc] => Over::Grpc,
            [written::Protocol::Rest] => Over::Rest,
            _ => Over::Any,
        }
    }

    pub(crate) fn service(&mut self, service: &Given<String>) -> Located<String> {
        let span = self.tree.span(service.node);
        if !is_full_name(&service.value) {
            let text = format!("`{}` is not the full name of a service", short(&service.value));
            self.problem(
                Problem::new(span, text).help("write it with its package, such as `inventory.InventoryService`"),
            );
        }
        Located {
            value: service.value.clone(),
            span,
        }
    }

    /// Text that stands in a line of a report.
    pub(crate) fn one_line(&mut self, key: &str, text: &Given<String>) -> String {
        let line = text.value.trim();
        if line.is_empty() || line.contains('\n') {
            let sentence = format!("`{key}` must be one line of text");
            self.problem(Problem::new(self.tree.span(text.node), sentence));
        }
        line.to_owned()
    }

    /// A list of words, each once.
    fn words(
        &mut self,
        list: &Field<Vec<Field<String>>>,
        valid: Option<fn(&str) -> bool>,
        help: &str,
    ) -> Vec<Located<String>> {
        let mut words: Vec<Located<String>> = Vec::new();
        for word in list.value().into_iter().flatten().filter_map(Field::given) {
            let span = self.tree.span(word.node);
            if word.value.trim().is_empty() {
                self.problem(Problem::new(span, "this text is empty"));
            } else if valid.is_some_and(|valid| !valid(&word.value)) {
                let text = format!("`{}` is not well formed", short(&word.value));
                self.problem(Problem::new(span, text).help(help));
            } else if words.iter().any(|known| known.value == word.value) {
                self.problem(Problem::new(
                    span,
                    format!("`{}` stands twice in the list", short(&word.value)),
                ));
            }
            words.push(Located {
                value: word.value.clone(),
                span,
            });
        }
        words
    }

    /// A name that expressions can read.
    pub(crate) fn identifier(&mut self, name: &Located<String>, what: &str) {
        let text = &name.value;
        let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
        let well_formed = text.starts_with(starts) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !well_formed {
            let sentence = format!(
                "`{}` cannot be the name of a {what}: expressions could not read it",
                short(text)
            );
            let problem = Problem::new(name.span, sentence);
            self.problem(problem.help("use letters, digits and underscores, and no digit first"));
        } else if RESERVED.contains(&text.as_str()) {
            let sentence = format!("`{text}` cannot be the name of a {what}: it is a reserved word of CEL");
            self.problem(Problem::new(name.span, sentence));
        }
    }

    fn collect_ids(&mut self, steps: &[Field<written::Step>]) {
        for step in steps.iter().filter_map(Field::value) {
            self.all_ids.extend(step.id.value().cloned());
            self.collect_ids(step.defer.value().map_or(&[], Vec::as_slice));
        }
    }

    fn steps(&mut self, steps: &Field<Vec<Field<written::Step>>>, setup: bool) -> Vec<Step> {
        let steps = steps.value().map_or(&[][..], Vec::as_slice);
        steps
            .iter()
            .filter_map(Field::given)
            .filter_map(|step| self.step(step, setup, false))
            .collect()
    }

    /// Reports a list or a map that is longer than any that a person writes.
    pub(crate) fn is_too_long(&mut self, key: NodeId, length: usize) -> bool {
        let too_long = length > de::MOST_ELEMENTS;
        if too_long {
            let text = format!("{} elements here, at most {} can be read", length, de::MOST_ELEMENTS);
            self.problem(Problem::new(self.tree.span(key), text));
        }
        too_long
    }

    /// "expected a list, found the text `x`".
    pub(crate) fn wrong(&mut self, node: NodeId, expected: &str) {
        let node = self.tree.node(node);
        if let Some(found) = de::describe(&node.kind) {
            self.problem(Problem::new(node.span, format!("expected {expected}, found {found}")));
        }
    }

    fn duration(&mut self, field: &Field<Raw>, default: Duration) -> Duration {
        field.given().and_then(|given| self.time(given)).unwrap_or(default)
    }

    /// A time with its unit.
    pub(crate) fn time(&mut self, given: &Given<Raw>) -> Option<Duration> {
        let node = self.tree.node(given.node);
        let span = node.span;
        match &node.kind {
            Kind::Scalar {
                value: Scalar::Int(_) | Scalar::Float(_),
                text,
                ..
            } => {
                let problem = Problem::new(span, format!("`{text}` is a time without a unit"));
                self.problem(problem.help("write `500ms`, `2s` or `1m`"));
            }
            Kind::Scalar {
                value: Scalar::Str,
                text,
                ..
            } => match read_time(text, span) {
                Ok(time) if time.is_zero() => self.problem(Problem::new(span, "a time must be longer than 0")),
                Ok(time) => return Some(time),
                Err(problem) => self.problem(problem),
            },
            Kind::Scalar {
                value: Scalar::Null, ..
            } => {
                let problem = Problem::new(self.tree.span(given.key), "this key has no value, expected a time");
                self.problem(problem.help("write `500ms`, `2s` or `1m`"));
            }
            _ => self.wrong(given.node, "a time such as `500ms`"),
        }
        None
    }
}

/// A time with its unit, at most [`LONGEST`]; it may be 0.
pub(crate) fn read_time(text: &str, span: Span) -> Result<Duration, Problem> {
    match humantime::parse_duration(text) {
        Ok(time) if time > LONGEST => Err(Problem::new(span, "a time can be 24 hours at most")),
        Ok(time) => Ok(time),
        Err(_) => {
            let problem = Problem::new(span, format!("`{}` is not a time", short(text)));
            Err(problem.help("write `500ms`, `2s` or `1m`"))
        }
    }
}

/// `a.b.C`.
fn is_full_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    !name.is_empty() && name.split('.').all(part)
}

fn is_rule(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_'))
}

/// Names of types cannot name a step: `type(x) == int` would change its meaning.
fn is_taken(name: &str) -> bool {
    BUILT_IN.contains(&name)
        || name == PROBE
        || TYPES.contains(&name)
        || matches!(name, "math" | "lists" | "strings" | "base64" | "optional")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
