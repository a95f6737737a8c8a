//! Expectations. What checks nothing is a mistake.

use super::{Lower, is_rule, names::Place};
use crate::scenario::{
    de,
    error::{Problem, short, suggest},
    expr::Expr,
    field::{Field, Given, Raw},
    model::{Expectation, Law, Messages, StatusExpectation, Template, TemplateNode},
    scalar::Scalar,
    source::Located,
    status::CODES,
    tree::{Kind, NodeId},
    written,
};

/// What a call's own `assert` reads; a repeated call has `results` alone.
const OF_CALL: [&str; 8] = [
    "response", "messages", "status", "headers", "trailers", "http", "layer", "elapsed",
];
const OF_REPEAT: [&str; 2] = ["results", "elapsed"];
const OF_WAIT: [&str; 8] = [
    "messages", "status", "headers", "trailers", "http", "layer", "elapsed", "ended",
];

/// Why `count` stands in the wrong place.
const NO_REPEAT: (&str, &str) = (
    "`count` needs `repeat`",
    "it says how many calls ended with which status",
);

/// The step that an expectation belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Call,
    Repeat,
    /// With `until`: the call may still be open.
    Wait,
    /// Without: the call has ended.
    End,
}

/// No field has these in its name: an expression that YAML reads as a map because of its `: `.
fn is_of_expression(c: char) -> bool {
    matches!(c, ' ' | '"' | '=' | '(' | '?')
}

impl Lower<'_, '_> {
    /// `expect` of a call; without one, that its status is OK.
    pub fn call_expectations(&mut self, step: &written::Step, place: &Place<'_>, repeated: bool) -> Vec<Expectation> {
        let of = if repeated { Of::Repeat } else { Of::Call };
        match step.expect.given() {
            Some(expect) => self.expectations(expect, place, of),
            None => {
                let span = step
                    .call
                    .given()
                    .map(|call| self.tree.span(call.node))
                    .unwrap_or_default();
                vec![Expectation {
                    span,
                    ..Expectation::default()
                }]
            }
        }
    }

    /// `expect` of a `wait`; without one, `until` is the expectation.
    pub fn wait_expectations(&mut self, step: &written::Step, place: &Place<'_>) -> Vec<Expectation> {
        let of = if step.until.is_written() { Of::Wait } else { Of::End };
        step.expect
            .given()
            .map(|expect| self.expectations(expect, place, of))
            .unwrap_or_default()
    }

    fn expectations(&mut self, expect: &Given<Raw>, place: &Place<'_>, of: Of) -> Vec<Expectation> {
        let tree = self.tree;
        match &tree.node(expect.node).kind {
            Kind::List(items) if self.is_too_long(expect.key, items.len()) => Vec::new(),
            Kind::List(items) if items.is_empty() => {
                self.problem(Problem::new(
                    tree.span(expect.key),
                    "`expect` is empty: it checks nothing",
                ));
                Vec::new()
            }
            Kind::List(items) => items
                .iter()
                .filter_map(|item| self.expectation(*item, *item, place, of))
                .collect(),
            Kind::Scalar {
                value: Scalar::Null, ..
            } => {
                self.problem(Problem::new(
                    tree.span(expect.key),
                    "`expect` is empty: it checks nothing",
                ));
                Vec::new()
            }
            Kind::Map(_) => self
                .expectation(expect.node, expect.key, place, of)
                .into_iter()
                .collect(),
            _ => {
                self.wrong(expect.node, "a map such as `{ status: OK }`, or a list of them");
                Vec::new()
            }
        }
    }

    fn expectation(&mut self, node: NodeId, key: NodeId, place: &Place<'_>, of: Of) -> Option<Expectation> {
        let tree = self.tree;
        let before = self.problems.len();
        let written: written::Expect = de::read_node(tree, node, &mut self.problems)?;
        let says_something = written.status.is_written()
            || written.response.is_written()
            || written.messages.is_written()
            || written.asserts.is_written()
            || written.count.is_written();
        if !says_something && self.problems.len() == before {
            let (text, help) = match written.rule.is_written() {
                true => (
                    "this expectation has a `rule` and checks nothing",
                    "write at least `status: OK`",
                ),
                false => (
                    "`expect` is empty: it checks nothing",
                    "write `status`, `response`, `messages`, `assert` or `count`",
                ),
            };
            self.problem(Problem::new(tree.span(key), text).help(help));
        }
        self.goes_with(&written, of);
        let rule = written.rule.given().map(|rule| {
            let span = tree.span(rule.node);
            if !is_rule(&rule.value) {
                let text = format!("`{}` is not well formed", short(&rule.value));
                self.problem(Problem::new(span, text).help("a rule is named in lower case, such as `list.page-floor`"));
            }
            Located {
                value: rule.value.clone(),
                span,
            }
        });
        let status = written.status.given().and_then(|status| self.status(status, place));
        let response = written
            .response
            .given()
            .and_then(|response| self.response(response, place));
        let messages = written.messages.given().map(|messages| self.messages(messages, place));
        let asserts = self.asserts(&written.asserts, place, of);
        let count = written
            .count
            .given()
            .map(|count| self.counts(count, place))
            .unwrap_or_default();
        Some(Expectation {
            span: tree.span(node),
            rule,
            status,
            response,
            messages,
            asserts,
            count,
        })
    }

    fn goes_with(&mut self, written: &written::Expect, of: Of) {
        let tree = self.tree;
        let mut refuse = |key: Option<NodeId>, text: &str, help: &str| {
            if let Some(key) = key {
                self.problems.push(Problem::new(tree.span(key), text).help(help));
            }
        };
        let response = written.response.given().map(|given| given.key);
        let messages = written.messages.given().map(|given| given.key);
        let count = written.count.given().map(|given| given.key);
        match of {
            Of::Repeat => {
                let help = "use `results` in `assert`, such as `results.all(r, r.response.id != \"\")`";
                refuse(response, "`response` does not go with `repeat`: there are many", help);
                let help = "use `results` in `assert`";
                refuse(
                    messages,
                    "`messages` does not go with `repeat`: there are many streams",
                    help,
                );
            }
            Of::Call | Of::End => refuse(count, NO_REPEAT.0, NO_REPEAT.1),
            Of::Wait => {
                refuse(count, NO_REPEAT.0, NO_REPEAT.1);
                let help = "an open stream has `messages`; a `wait` without `until` waits for the end of the call";
                refuse(response, "`response` does not go with `until`", help);
            }
        }
    }

    fn status(&mut self, status: &Given<Raw>, place: &Place<'_>) -> Option<StatusExpectation> {
        let tree = self.tree;
        let span = tree.span(status.node);
        if !matches!(tree.node(status.node).kind, Kind::Map(_)) {
            let code = Some(self.codes(status, place)?);
            return Some(StatusExpectation {
                span,
                code,
                message: None,
                details: None,
            });
        }
        let before = self.problems.len();
        let parts: written::StatusParts = de::read_node(tree, status.node, &mut self.problems)?;
        let is_empty = !parts.code.is_written() && !parts.message.is_written() && !parts.details.is_written();
        if is_empty && self.problems.len() == before {
            self.problem(Problem::new(
                tree.span(status.key),
                "`status` is empty: it checks nothing",
            ));
        }
        let code = parts.code.given().and_then(|code| self.codes(code, place));
        let mut part = |field: &Field<Raw>| {
            let given = field.given()?;
            self.not_empty(given).then(|| self.template(given.node, place))
        };
        let message = part(&parts.message);
        let details = part(&parts.details);
        Some(StatusExpectation {
            span,
            code,
            message,
            details,
        })
    }

    /// Reports a key without a value, and an empty pattern.
    fn not_empty(&mut self, given: &Given<Raw>) -> bool {
        let tree = self.tree;
        let is_empty = match &tree.node(given.node).kind {
            Kind::Scalar {
                value: Scalar::Null, ..
            } => true,
            Kind::Map(entries) => entries.is_empty(),
            _ => false,
        };
        if is_empty {
            self.problem(Problem::new(
                tree.span(given.key),
                "this pattern is empty: it checks nothing",
            ));
        }
        !is_empty
    }

    /// A code name, a list of them, or expressions.
    fn codes(&mut self, given: &Given<Raw>, place: &Place<'_>) -> Option<Template> {
        let tree = self.tree;
        let template = self.template(given.node, place);
        let sound = match (&tree.node(given.node).kind, &template.node) {
            (Kind::List(nodes), _) if self.is_too_long(given.key, nodes.len()) => false,
            (Kind::List(nodes), _) if nodes.is_empty() => {
                self.problem(Problem::new(
                    tree.span(given.key),
                    "the list of codes is empty: nothing can match",
                ));
                false
            }
            (Kind::List(nodes), TemplateNode::List(codes)) => {
                let mut seen: Vec<&str> = Vec::new();
                let mut sound = true;
                for (node, code) in nodes.iter().zip(codes) {
                    sound &= self.code(*node, *node, code);
                    if let TemplateNode::Str(name) = &code.node {
                        if seen.contains(&name.as_str()) {
                            self.problem(Problem::new(
                                code.span,
                                format!("`{}` stands twice in the list", short(name)),
                            ));
                        }
                        seen.push(name);
                    }
                }
                sound
            }
            _ => self.code(given.node, given.key, &template),
        };
        sound.then_some(template)
    }

    fn code(&mut self, node: NodeId, key: NodeId, code: &Template) -> bool {
        let tree = self.tree;
        let problem = match &code.node {
            TemplateNode::Str(name) => {
                return self.code_name(&Located {
                    value: name.clone(),
                    span: code.span,
                });
            }
            TemplateNode::Expr(_) => return true,
            TemplateNode::Int(number) => {
                let name = usize::try_from(*number).ok().and_then(|number| CODES.get(number));
                let help = name.map_or_else(
                    || format!("the codes are {}", CODES.join(", ")),
                    |name| format!("write {name}"),
                );
                Problem::new(code.span, format!("a status is written by its name, not as {number}")).help(help)
            }
            TemplateNode::Null => match &tree.node(node).kind {
                Kind::Scalar {
                    value: Scalar::Null, ..
                } => Problem::new(tree.span(key), "this key has no value, expected the name of a code"),
                // Already reported.
                _ => return false,
            },
            _ => Problem::new(code.span, "expected the name of a code, or one expression")
                .help("write OK, a list such as [OK, ABORTED], or { code, message, details }"),
        };
        self.problem(problem);
        false
    }

    fn code_name(&mut self, name: &Located<String>) -> bool {
        let known = CODES.contains(&name.value.as_str());
        if !known {
            let text = suggest(
                format!("unknown status code `{}`", short(&name.value)),
                &name.value,
                CODES,
            );
            let problem = Problem::new(name.span, text);
            self.problem(match problem.text.contains("did you mean") {
                true => problem,
                false => problem.help(format!("the codes are {}", CODES.join(", "))),
            });
        }
        known
    }

    fn response(&mut self, response: &Given<Raw>, place: &Place<'_>) -> Option<Template> {
        if !self.not_empty(response) {
            return None;
        }
        Some(self.message(response, place, "a map of fields"))
    }

    fn messages(&mut self, messages: &Given<written::Messages>, place: &Place<'_>) -> Messages {
        let written = &messages.value;
        let is_empty = !written.exactly.is_written()
            && !written.in_order.is_written()
            && !written.any_order.is_written()
            && !written.never.is_written()
            && !written.each.is_written();
        let has_entries = matches!(&self.tree.node(messages.node).kind, Kind::Map(entries) if !entries.is_empty());
        if is_empty && !has_entries {
            let problem = Problem::new(self.tree.span(messages.key), "`messages` is empty: it checks nothing");
            self.problem(problem.help("write `exactly`, `in_order`, `any_order`, `never` or `each`"));
        }
        Messages {
            exactly: self.patterns(&written.exactly, place, true),
            in_order: self.patterns(&written.in_order, place, false),
            any_order: self.patterns(&written.any_order, place, false),
            never: self.laws(&written.never, place),
            each: self.laws(&written.each, place),
        }
    }

    /// `span` is that of the key: a mismatch points there.
    fn patterns(
        &mut self,
        field: &Field<Vec<Field<Raw>>>,
        place: &Place<'_>,
        may_be_empty: bool,
    ) -> Option<Located<Vec<Template>>> {
        let given = field.given()?;
        let span = self.tree.span(given.key);
        if given.value.is_empty() && !may_be_empty {
            let problem = Problem::new(span, "this list is empty: it checks nothing");
            self.problem(problem.help("`exactly: []` says that nothing may come"));
        }
        let patterns = given.value.iter().filter_map(Field::given);
        let value = patterns
            .map(|pattern| self.message(pattern, place, "a message: a map of its fields"))
            .collect();
        Some(Located { value, span })
    }

    fn laws(&mut self, field: &Field<Vec<Field<Raw>>>, place: &Place<'_>) -> Vec<Located<Law>> {
        let Some(given) = field.given() else { return Vec::new() };
        if given.value.is_empty() {
            let span = self.tree.span(given.key);
            self.problem(Problem::new(span, "this list is empty: it checks nothing"));
        }
        let extra = [place.extra, &["message"]].concat();
        let inside = Place {
            extra: &extra,
            ..*place
        };
        let mut laws = Vec::new();
        for law in given.value.iter().filter_map(Field::given) {
            let span = self.tree.span(law.node);
            let value = match &self.tree.node(law.node).kind {
                Kind::Map(entries) if !entries.iter().any(|entry| entry.name.value.contains(is_of_expression)) => self
                    .not_empty(law)
                    .then(|| Law::Pattern(self.template(law.node, place))),
                _ => self.expression(law, &inside, Some("message")).map(Law::Expr),
            };
            laws.extend(value.map(|value| Located { value, span }));
        }
        laws
    }

    fn asserts(&mut self, field: &Field<Vec<Field<Raw>>>, place: &Place<'_>, of: Of) -> Vec<Expr> {
        let Some(given) = field.given() else { return Vec::new() };
        if given.value.is_empty() {
            let span = self.tree.span(given.key);
            self.problem(Problem::new(span, "`assert` is empty: it checks nothing"));
        }
        let own: &[&str] = match of {
            Of::Call | Of::End => &OF_CALL,
            Of::Repeat => &OF_REPEAT,
            Of::Wait => &OF_WAIT,
        };
        let extra = [place.extra, own].concat();
        let inside = Place {
            extra: &extra,
            ..*place
        };
        given
            .value
            .iter()
            .filter_map(Field::given)
            .filter_map(|text| self.expression(text, &inside, None))
            .collect()
    }

    fn counts(&mut self, count: &Given<Raw>, place: &Place<'_>) -> Vec<(Located<String>, Template)> {
        let tree = self.tree;
        let Kind::Map(entries) = &tree.node(count.node).kind else {
            self.wrong(count.node, "a map such as `{ OK: 20 }`");
            return Vec::new();
        };
        if entries.is_empty() {
            self.problem(Problem::new(
                tree.span(count.key),
                "`count` is empty: it checks nothing",
            ));
        }
        let mut counts = Vec::new();
        for entry in entries {
            self.code_name(&entry.name);
            let given = Given {
                key: entry.key,
                node: entry.value,
                value: Raw(entry.value),
            };
            counts.extend(self.count(&given, place, 0).map(|count| (entry.name.clone(), count)));
        }
        counts
    }
}
