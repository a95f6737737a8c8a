//! Operations: what is called, how the request is made, and when an answer is enough.

use super::{Pass, feeder::Known};
use crate::{
    client::Code,
    load::{
        exchange::Enough,
        workload::{model::OperationSpec, written},
    },
    scenario::{
        error::{Problem, short, suggest},
        field::{Field, Given},
        model::{CallSpec, Requests, Template, TemplateNode, TextPart},
        source::{Located, Span},
        status::CODES,
        written::Step as WrittenStep,
    },
    verify::engine::DEFAULT_DEADLINE,
};
use std::{collections::BTreeSet, time::Duration};

const MOST_WEIGHT: u64 = 1_000_000;
/// Names of operations become names of files, and `all` is all of them.
const TAKEN: &str = "all";
/// An operation as it is called where it is part of a journey.
pub(super) const STEP: &str = "step";

impl Pass<'_, '_> {
    pub fn operations(
        &mut self,
        operations: &Field<Vec<Field<written::Operation>>>,
        feeders: &[Known],
    ) -> Vec<OperationSpec> {
        let Some(given) = operations.given() else {
            return Vec::new();
        };
        if given.value.is_empty() {
            let span = self.lower.tree.span(given.key);
            self.problem(Problem::new(span, "`operations` is empty: nothing would be measured"));
        }
        let mut lowered: Vec<OperationSpec> = Vec::new();
        let mut names = BTreeSet::new();
        for operation in given.value.iter().filter_map(Field::given) {
            if let Some(id) = operation.value.id.given()
                && !names.insert(id.value.clone())
            {
                let text = format!("two operations are named `{}`", short(&id.value));
                self.problem(Problem::new(self.lower.tree.span(id.node), text));
            }
            lowered.extend(self.operation(operation, feeders, "operation"));
        }
        lowered
    }

    /// `what` it is in words; the step of a journey has no mark.
    pub fn operation(
        &mut self,
        operation: &Given<written::Operation>,
        feeders: &[Known],
        what: &str,
    ) -> Option<OperationSpec> {
        let written = &operation.value;
        let span = self.lower.tree.span(operation.node);
        for (is_written, key, help) in [
            (written.id.is_written() || what == STEP, "id", "reports name it"),
            (written.call.is_written(), "call", "name a method"),
        ] {
            if !is_written && !self.lower.is_misspelt(operation.node, key) {
                let span = Span {
                    end: span.start + 1,
                    ..span
                };
                self.problem(Problem::new(span, format!("this {what} has no `{key}`")).help(help));
            }
        }
        let both = written.request.given().and(written.requests.given());
        if let Some(requests) = both {
            let text = "`request` and `requests` do not go together";
            self.problem(Problem::new(self.lower.tree.span(requests.key), text));
        }
        let id = written.id.given().map(|id| self.operation_id(id, what));
        let feed = written.feed.given().and_then(|feed| self.feed(feed, feeders));
        let variants = match written.variants.given() {
            Some(variants) => {
                let (variants, keys) = self.maps("variants", variants, self.factor());
                self.lower.records.insert("variant".to_owned(), keys);
                variants
            }
            None => Vec::new(),
        };
        let mut extra = self.factor().to_vec();
        if what != STEP {
            extra.push("mark");
        }
        for (is_written, name) in [
            (written.feed.is_written(), "feed"),
            (written.variants.is_written(), "variant"),
        ] {
            if is_written {
                extra.push(name);
            }
        }
        self.lower.read.retain(|(root, _)| root != "feed" && root != "variant");
        let step = WrittenStep {
            call: written.call.clone(),
            request: written.request.clone(),
            requests: written.requests.clone(),
            metadata: written.metadata.clone(),
            deadline: written.timeout.clone(),
            ..WrittenStep::default()
        };
        let place = self.place(&extra);
        let before = self.lower.problems.len();
        let spec = self.lower.spec(&step, &place);
        let sends = written.variants.value().is_none_or(|variants| !variants.is_empty());
        if self.lower.problems.len() == before && sends {
            self.is_read(
                "feed",
                &written.feed,
                "the request does not read `feed`: all requests would be the same",
            );
            self.is_read(
                "variant",
                &written.variants,
                "the request does not read `variant`: all variants would be the same",
            );
        }
        self.lower.records.remove("feed");
        self.lower.records.remove("variant");
        let marked = spec.as_ref().is_some_and(|spec| self.mark(spec));
        let timeout = spec.as_ref().and_then(|spec| spec.deadline).unwrap_or(DEFAULT_DEADLINE);
        let until = written.until.given().and_then(|until| self.until(until, timeout));
        let weight = self.weight(&written.weight);
        let accepted = self.accepted(&written.accept);
        Some(OperationSpec {
            id: id?,
            weight,
            spec: spec?,
            feed,
            variants,
            accepted,
            timeout,
            until,
            marked,
        })
    }

    /// A name that becomes the name of a file, or a part of one.
    pub fn operation_id(&mut self, id: &Given<String>, what: &str) -> Located<String> {
        let name = Located {
            value: id.value.clone(),
            span: self.lower.tree.span(id.node),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.value.is_empty() || name.value.len() > 64 || !name.value.chars().all(allowed) {
            let article = if what.starts_with('o') { "an" } else { "a" };
            let text = format!("`{}` cannot be the name of {article} {what}", short(&name.value));
            let problem = Problem::new(name.span, text);
            self.problem(problem.help("use letters, digits and `_`, 64 at most: it becomes the name of a file"));
        } else if name.value == TAKEN && what == "operation" {
            let text = "`all` cannot be the name of an operation: it stands for all of them";
            self.problem(Problem::new(name.span, text));
        }
        name
    }

    /// The position of the feeder, its keys made known.
    fn feed(&mut self, feed: &Given<String>, feeders: &[Known]) -> Option<usize> {
        let at = feeders.iter().position(|known| known.model.name.value == feed.value);
        match at.and_then(|at| feeders.get(at)) {
            Some(Known { keys: Some(keys), .. }) => {
                self.lower.records.insert("feed".to_owned(), keys.clone());
            }
            Some(_) => {}
            None => {
                let names = feeders.iter().map(|known| known.model.name.value.as_str());
                let text = suggest(
                    format!("no feeder is named `{}`", short(&feed.value)),
                    &feed.value,
                    names,
                );
                let problem = Problem::new(self.lower.tree.span(feed.node), text);
                self.problem(problem.help("a feeder is defined under `feeders`"));
            }
        }
        at
    }

    fn is_read<T>(&mut self, root: &str, field: &Field<T>, text: &str) {
        if let Some(given) = field.given()
            && !self.lower.read.iter().any(|(read, _)| read == root)
        {
            let span = self.lower.tree.span(given.key);
            self.problem(Problem::new(span, text));
        }
    }

    pub fn weight(&mut self, weight: &Field<u64>) -> u32 {
        let Some(given) = weight.given() else { return 1 };
        if !(1..=MOST_WEIGHT).contains(&given.value) {
            let text = format!("expected a number from 1 to {MOST_WEIGHT}, found {}", given.value);
            self.problem(Problem::new(self.lower.tree.span(given.node), text));
        }
        given.value.clamp(1, MOST_WEIGHT) as u32
    }

    fn accepted(&mut self, accept: &Field<Vec<Field<String>>>) -> Vec<Code> {
        let Some(given) = accept.given() else {
            return vec![Code::OK];
        };
        let mut codes: Vec<Code> = Vec::new();
        for word in given.value.iter().filter_map(Field::given) {
            let span = self.lower.tree.span(word.node);
            match Code::from_name(&word.value) {
                Some(code) if codes.contains(&code) => self.problem(Problem::new(span, "this status stands twice")),
                Some(code) => codes.push(code),
                None => {
                    let text = suggest(format!("unknown status `{}`", short(&word.value)), &word.value, CODES);
                    self.problem(Problem::new(span, text));
                }
            }
        }
        if given.value.is_empty() {
            let span = self.lower.tree.span(given.key);
            self.problem(Problem::new(span, "`accept` is empty: no request could succeed"));
        }
        codes
    }

    fn until(&mut self, until: &Given<written::Until>, timeout: Duration) -> Option<Located<Enough>> {
        let key = self.lower.tree.span(until.key);
        const HELP: &str = "write `{ messages: 10 }` or `{ time: 2s }`";
        let enough = match (&until.value.messages, &until.value.time) {
            (Field::Given(messages), Field::Missing) if messages.value > 0 => Enough::Messages(messages.value),
            (Field::Given(messages), Field::Missing) => {
                let span = self.lower.tree.span(messages.node);
                self.problem(Problem::new(span, "expected a number from 1, found 0"));
                return None;
            }
            (Field::Missing, Field::Given(time)) => {
                let length = self.lower.time(time)?;
                if length >= timeout {
                    let text = format!("the timeout of {} ends it before", humantime::format_duration(timeout));
                    let span = self.lower.tree.span(time.node);
                    self.problem(Problem::new(span, text).help("write a longer `timeout`"));
                    return None;
                }
                Enough::Time(length)
            }
            (Field::Missing, Field::Missing) => {
                let misspelt = ["messages", "time"]
                    .iter()
                    .any(|key| self.lower.is_misspelt(until.node, key));
                if !misspelt {
                    self.problem(Problem::new(key, "`until` says nothing").help(HELP));
                }
                return None;
            }
            (Field::Bad, _) | (_, Field::Bad) => return None,
            _ => {
                self.problem(Problem::new(key, "`until` is one of `messages` and `time`").help(HELP));
                return None;
            }
        };
        Some(Located {
            value: enough,
            span: key,
        })
    }

    /// Whether the request has a mark, which stands once and as a whole value.
    fn mark(&mut self, spec: &CallSpec) -> bool {
        let mut marks = Vec::new();
        match &spec.requests {
            Requests::One(template) => self.marks(template, &mut marks),
            Requests::List(templates) => templates.iter().for_each(|template| self.marks(template, &mut marks)),
            Requests::Repeat { item, .. } => {
                self.marks(item, &mut marks);
                if let Some(span) = marks.first() {
                    let text = "a mark stands once in a request, and this message is repeated";
                    self.problem(Problem::new(*span, text));
                }
            }
        }
        if let Some(second) = marks.get(1) {
            self.problem(Problem::new(*second, "a mark stands once in a request"));
        }
        let mut of_metadata = Vec::new();
        spec.metadata
            .iter()
            .for_each(|(_, template)| self.marks(template, &mut of_metadata));
        if let Some(span) = of_metadata.first() {
            self.problem(Problem::new(*span, "a mark stands in the request, not in metadata"));
        }
        !marks.is_empty()
    }

    fn marks(&mut self, template: &Template, found: &mut Vec<Span>) {
        let reads = |expr: &crate::scenario::expr::Expr| expr.references().iter().any(|root| root == "mark");
        let part = match &template.node {
            TemplateNode::Expr(expr) if expr.text == "mark" => {
                found.push(expr.span);
                None
            }
            TemplateNode::Expr(expr) => Some(expr).filter(|expr| reads(expr)),
            TemplateNode::Text(parts) => parts.iter().find_map(|part| match part {
                TextPart::Expr(expr) => Some(expr).filter(|expr| reads(expr)),
                TextPart::Literal(_) => None,
            }),
            TemplateNode::List(items) => {
                items.iter().for_each(|item| self.marks(item, found));
                None
            }
            TemplateNode::Map(fields) => {
                fields.iter().for_each(|(_, value)| self.marks(value, found));
                None
            }
            _ => None,
        };
        if let Some(expr) = part {
            let problem = Problem::new(
                expr.span,
                "a mark is a whole value, since it is overwritten at each send",
            );
            self.problem(problem.help("write \"${{ mark }}\" alone"));
        }
    }
}
