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
    model::{Effects, Level, Scenario, Step},
    scalar::Scalar,
    source::{Located, Source, Span},
    tree::{Kind, NodeId, Tree},
    written,
};
use names::{Known, Place, Var};
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
    tree: &'a Tree<'t>,
    problems: Vec<Problem>,
    /// The variables so far.
    vars: Vec<Var>,
    /// The keys of the rows; `None`: there are no rows.
    row_keys: Option<BTreeSet<String>>,
    /// The steps so far that have a name.
    known: BTreeMap<String, Known>,
    /// All names of steps in the file, to tell "later" from "unknown".
    all_ids: BTreeSet<String>,
    /// `service` is written.
    has_service: bool,
    /// The name of the step that is being read.
    own: Option<String>,
}

/// Lowers a file. The scenario is complete only when there is no problem.
pub fn lower(tree: &Tree<'_>, written: &written::Scenario, source: &Source) -> (Option<Scenario>, Vec<Problem>) {
    let mut pass = Lower {
        tree,
        problems: Vec::new(),
        vars: Vec::new(),
        row_keys: None,
        known: BTreeMap::new(),
        all_ids: BTreeSet::new(),
        has_service: written.service.is_written(),
        own: None,
    };
    let scenario = pass.scenario(written, source);
    (scenario, pass.problems)
}

impl Lower<'_, '_> {
    fn scenario(&mut self, written: &written::Scenario, source: &Source) -> Option<Scenario> {
        self.required(written);
        if let Field::Given(version) = &written.version
            && version.value != 1
        {
            let text = format!("version {} of the language is not known", version.value);
            self.problem(Problem::new(self.tree.span(version.node), text).help("write `version: 1`"));
        }
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
            exclusive: written.exclusive.value().copied().unwrap_or(false),
            odd_data: written.odd_data.value().copied().unwrap_or(false),
            guards_streams: matches!(written.guards.value(), Some(written::Guards::Streams)),
            setup,
            rows,
            steps,
        })
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Keys without which a file says nothing.
    fn required(&mut self, written: &written::Scenario) {
        let start = self.tree.span(Tree::ROOT);
        let start = Span {
            end: start.start,
            ..start
        };
        let keys = [
            (written.version.is_written(), "version", "write `version: 1`"),
            (written.id.is_written(), "id", "write `id: a_name_of_its_own`"),
            (written.name.is_written(), "name", "say in one line what holds"),
            (
                written.effects.is_written(),
                "effects",
                "write `effects: read-only` or `effects: writes`",
            ),
            (written.steps.is_written(), "steps", "list what a case does"),
        ];
        for (_, key, help) in keys.iter().filter(|(is_written, ..)| !is_written) {
            if self.is_misspelt(Tree::ROOT, key) {
                continue;
            }
            self.problem(Problem::new(start, format!("the key `{key}` is missing")).help(*help));
        }
        if let Field::Given(steps) = &written.steps
            && steps.value.is_empty()
        {
            let span = self.tree.span(steps.key);
            self.problem(Problem::new(span, "`steps` is empty: the scenario checks nothing"));
        }
    }

    /// Whether an unknown key of a map is probably meant to be this one: then it is reported already.
    fn is_misspelt(&self, map: NodeId, key: &str) -> bool {
        match &self.tree.node(map).kind {
            Kind::Map(entries) => entries
                .iter()
                .any(|entry| did_you_mean(&entry.name.value, [key]).is_some()),
            _ => false,
        }
    }

    fn id(&mut self, id: &Field<String>) -> Option<Located<String>> {
        let id = id.given()?;
        let span = self.tree.span(id.node);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if id.value.is_empty() || !id.value.chars().all(allowed) {
            let text = format!("`{}` cannot be the id of a scenario", short(&id.value));
            self.problem(Problem::new(span, text).help("use lower-case letters, digits and underscores"));
        }
        Some(Located {
            value: id.value.clone(),
            span,
        })
    }

    fn service(&mut self, service: &Given<String>) -> Located<String> {
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
    fn one_line(&mut self, key: &str, text: &Given<String>) -> String {
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
    fn identifier(&mut self, name: &Located<String>, what: &str) {
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
    fn is_too_long(&mut self, key: NodeId, length: usize) -> bool {
        let too_long = length > de::MOST_ELEMENTS;
        if too_long {
            let text = format!("{} elements here, at most {} can be read", length, de::MOST_ELEMENTS);
            self.problem(Problem::new(self.tree.span(key), text));
        }
        too_long
    }

    /// "expected a list, found the text `x`".
    fn wrong(&mut self, node: NodeId, expected: &str) {
        let node = self.tree.node(node);
        if let Some(found) = de::describe(&node.kind) {
            self.problem(Problem::new(node.span, format!("expected {expected}, found {found}")));
        }
    }

    fn duration(&mut self, field: &Field<Raw>, default: Duration) -> Duration {
        field.given().and_then(|given| self.time(given)).unwrap_or(default)
    }

    /// A time with its unit.
    fn time(&mut self, given: &Given<Raw>) -> Option<Duration> {
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
            } => match humantime::parse_duration(text) {
                Ok(time) if time.is_zero() => self.problem(Problem::new(span, "a time must be longer than 0")),
                Ok(time) if time > LONGEST => self.problem(Problem::new(span, "a time can be 24 hours at most")),
                Ok(time) => return Some(time),
                Err(_) => {
                    let problem = Problem::new(span, format!("`{}` is not a time", short(text)));
                    self.problem(problem.help("write `500ms`, `2s` or `1m`"));
                }
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
mod tests {
    use super::*;
    use crate::scenario::{
        model::{Action, CancelAfter, Connection, Law, Requests, TemplateNode},
        parse,
        source::SourceFile,
    };

    fn lowered(text: &str) -> Scenario {
        let header = "version: 1\nid: x\nname: x\neffects: writes\nservice: a.B\n";
        let shown = |errors: Vec<crate::scenario::error::ScenarioError>| {
            errors.iter().map(|error| error.render()).collect::<String>()
        };
        parse(SourceFile::new("x.yaml", format!("{header}{text}")))
            .map_err(shown)
            .unwrap()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let scenario = lowered(
            "steps:\n  - { id: w, call: W, background: true, ready: { probe: { call: P }, until: message.a == 1 } }\n  - { wait: w, until: message.a == 2 }\n  - { call: C, eventually: {} }\n",
        );
        assert_eq!(
            (scenario.level, scenario.timeout),
            (Level::Must, Duration::from_secs(20))
        );
        assert!(!scenario.exclusive && !scenario.odd_data && !scenario.guards_streams && scenario.rows.is_empty());
        let [watch, wait, call] = scenario.steps.as_slice() else {
            panic!("three steps")
        };
        let Action::Background(background) = &watch.action else {
            panic!("a stream")
        };
        let ready = background.ready.as_ref().unwrap();
        assert_eq!(
            (ready.every, ready.within),
            (Duration::from_millis(250), Duration::from_secs(10))
        );
        assert!(!background.hold && !background.spec.undescribed && background.spec.connection == Connection::Shared);
        let Action::Wait(wait) = &wait.action else {
            panic!("a wait")
        };
        assert_eq!(
            (wait.within, wait.settle, wait.expect.len()),
            (Duration::from_secs(5), Duration::ZERO, 0)
        );
        let Action::Call(call) = &call.action else {
            panic!("a call")
        };
        let eventually = call.eventually.unwrap();
        assert_eq!(
            (eventually.within, eventually.every),
            (Duration::from_secs(5), Duration::from_millis(250))
        );
        assert!(
            call.expect.len() == 1 && call.expect[0].status.is_none(),
            "the status must be OK"
        );
        assert!(
            matches!(&call.spec.requests, Requests::One(message) if matches!(&message.node, TemplateNode::Map(fields) if fields.is_empty()))
        );
    }

    #[test]
    fn every_key_of_a_call_arrives() {
        let scenario = lowered(
            "exclusive: true\nodd_data: true\nguards: streams\nlevel: should\nsteps:\n  - id: c\n    call: pkg.S/M\n    undescribed: true\n    connection: fresh\n    deadline: 1m\n    metadata: { a-bin: AA== }\n    repeat: 3\n    concurrency: 2\n    cancel_after: { messages: 1 }\n    expect:\n      - { rule: get.stored, status: [OK, CANCELLED] }\n      - { count: { OK: \"${{ 1 + 1 }}\" }, assert: [results.size() == 3] }\n  - call: M\n    requests: { repeat: 5, item: { a: \"${{ index }}\" } }\n    cancel_after: 1s\n    snapshot: name\n",
        );
        assert!(scenario.exclusive && scenario.odd_data && scenario.guards_streams && scenario.level == Level::Should);
        let Action::Call(call) = &scenario.steps[0].action else {
            panic!("a call")
        };
        let spec = &call.spec;
        assert!(
            spec.undescribed && spec.connection == Connection::Fresh && spec.deadline == Some(Duration::from_secs(60))
        );
        assert_eq!(
            (spec.method.value.as_str(), spec.metadata[0].0.value.as_str()),
            ("pkg.S/M", "a-bin")
        );
        let repeat = call.repeat.as_ref().unwrap();
        assert!(matches!(repeat.count.node, TemplateNode::Int(3)) && repeat.concurrency == 2);
        assert!(matches!(call.cancel_after, Some(CancelAfter::Messages(1))));
        assert_eq!(call.expect[0].rule.as_ref().unwrap().value, "get.stored");
        assert_eq!(
            (call.expect[1].count[0].0.value.as_str(), call.expect[1].asserts.len()),
            ("OK", 1)
        );
        let Action::Call(call) = &scenario.steps[1].action else {
            panic!("a call")
        };
        assert!(matches!(call.spec.requests, Requests::Repeat { .. }) && call.snapshot.is_some());
        assert!(matches!(call.cancel_after, Some(CancelAfter::Elapsed(after)) if after == Duration::from_secs(1)));
    }

    #[test]
    fn a_stream_is_judged_where_it_is_waited_for() {
        let scenario = lowered(
            "steps:\n  - { id: w, call: W, background: true, hold: true }\n  - { send: w, request: { a: 1 } }\n  - { close: w }\n  - wait: w\n    expect:\n      response: { n: 1 }\n      messages: { exactly: [], never: [message.a == 1, { b: 2 }], each: [{ c: 3 }] }\n  - { cancel: w }\n",
        );
        let Action::Background(background) = &scenario.steps[0].action else {
            panic!("a stream")
        };
        assert!(background.hold);
        assert!(matches!(&scenario.steps[1].action, Action::Send { to, .. } if to.value == "w"));
        assert!(matches!(&scenario.steps[2].action, Action::Close { step } if step.value == "w"));
        assert!(matches!(&scenario.steps[4].action, Action::Cancel { steps } if steps.len() == 1));
        let Action::Wait(wait) = &scenario.steps[3].action else {
            panic!("a wait")
        };
        assert!(wait.until.is_none() && wait.expect[0].response.is_some());
        let messages = wait.expect[0].messages.as_ref().unwrap();
        assert!(messages.exactly.as_ref().unwrap().value.is_empty() && messages.in_order.is_none());
        assert!(matches!(
            messages.never.iter().map(|law| &law.value).collect::<Vec<_>>()[..],
            [Law::Expr(_), Law::Pattern(_)]
        ));
        assert_eq!(messages.each.len(), 1);
    }

    #[test]
    fn clean_up_reads_its_step_and_the_clean_up_before_it() {
        let scenario = lowered(
            "setup:\n  - id: p\n    call: C\n    defer:\n      - { id: now, call: G, request: { id: \"${{ p.response.id }}\" } }\n      - { call: U, request: { n: \"${{ -now.response.n }}\" } }\nsteps:\n  - call: G\n    request: { id: \"${{ p.response.id }}\" }\n",
        );
        assert_eq!(scenario.setup[0].defer.len(), 2);
    }

    #[test]
    fn the_span_of_a_step_is_its_text() {
        let scenario = lowered("steps:\n  - id: p\n    call: C # comment\n  - { call: D }\n");
        let text = |at: usize| &scenario.source.text[scenario.steps[at].span.start..scenario.steps[at].span.end];
        assert_eq!((text(0), text(1)), ("id: p\n    call: C", "{ call: D }"));
    }
}
