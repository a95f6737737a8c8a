//! A scenario against the descriptors of the target: methods, fields and types, before anything is sent. Pure.

mod fields;
mod paths;

use super::{
    engine::{split, split_call},
    group::open_streams,
    residue,
};
use crate::{
    scenario::{
        error::{Problem, ScenarioError, suggest},
        expr::Expr,
        model::{
            Action, CallSpec, Effects, Expectation, Law, Requests, Scenario, Step, Template, TemplateNode, TextPart,
        },
        source::Located,
    },
    schema::{Method, Schema},
};
use inventory_contract::RULES;
use paths::{Kind, Known};

/// Everything that does not fit. A file whose `requires` the target does not offer is not checked: it will be skipped.
pub fn check(scenario: &Scenario, schema: &Schema, budget: usize) -> Vec<ScenarioError> {
    let offered = scenario.requires.iter().all(|wanted| {
        split(scenario, &wanted.value).is_some_and(|(service, method)| schema.method(&service, &method).is_some())
    });
    if !offered {
        return Vec::new();
    }
    let mut link = Link::new(
        Subject {
            service: scenario.service.as_ref(),
            effects: scenario.effects,
            rules: &scenario.rules,
        },
        schema,
    );
    link.rules();
    for (_, template) in &scenario.vars {
        link.expressions(template, None);
    }
    link.steps(&scenario.setup);
    link.steps(&scenario.steps);
    for row in &scenario.rows {
        link.expressions(&row.fields, None);
    }
    let streams = open_streams(scenario);
    if streams > budget && !scenario.exclusive {
        let text = format!("it opens {streams} streams at once, more than the budget of {budget}");
        link.problems.push(
            Problem::new(scenario.id.span, text).help("mark the file `exclusive: true`, or raise --stream-budget"),
        );
    }
    link.problems
        .into_iter()
        .map(|problem| ScenarioError::new(&scenario.source, problem))
        .collect()
}

/// What of a file bears on its calls.
pub(crate) struct Subject<'a> {
    /// The service of calls that name none.
    pub service: Option<&'a Located<String>>,
    /// Whether calls may write.
    pub effects: Effects,
    /// The rules that the file proves.
    pub rules: &'a [Located<String>],
}

/// The check of one file.
pub(crate) struct Link<'a> {
    subject: Subject<'a>,
    schema: &'a Schema,
    known: Known,
    /// What does not fit.
    pub problems: Vec<Problem>,
}

impl<'a> Link<'a> {
    /// Nothing is checked yet.
    pub fn new(subject: Subject<'a>, schema: &'a Schema) -> Link<'a> {
        Link {
            subject,
            schema,
            known: Known::default(),
            problems: Vec::new(),
        }
    }
}

impl Link<'_> {
    /// An expectation's rule stands in the file's list; a rule that looks like one of the contract is one.
    fn rules(&mut self) {
        for rule in self.subject.rules {
            let ours = self
                .subject
                .service
                .is_some_and(|service| service.value == inventory_contract::SERVICE);
            if ours && !RULES.iter().any(|known| known.id == rule.value) {
                let text = format!("the contract has no rule `{}`", rule.value);
                self.problems.push(Problem::new(
                    rule.span,
                    suggest(text, &rule.value, RULES.iter().map(|r| r.id)),
                ));
            }
        }
    }

    fn expectation_rule(&mut self, rule: &Located<String>) {
        if !self.subject.rules.iter().any(|known| known.value == rule.value) {
            let known = self.subject.rules.iter().map(|rule| rule.value.as_str());
            let text = suggest(
                format!("`{}` is not among the `rules` of the file", rule.value),
                &rule.value,
                known,
            );
            self.problems.push(Problem::new(rule.span, text));
        }
    }

    /// Steps in order; what they answer can be read by the later ones.
    pub fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
            self.steps(&step.defer);
        }
    }

    fn step(&mut self, step: &Step) {
        match &step.action {
            Action::Call(call) => {
                let Some(method) = self.spec(&call.spec) else { return };
                if let Some(repeat) = &call.repeat {
                    self.expressions(&repeat.count, None);
                }
                let kind = if call.repeat.is_some() {
                    Kind::Repeated
                } else {
                    Kind::Single
                };
                for expectation in &call.expect {
                    self.expectation(expectation, &method, kind);
                }
                self.define(step, method, kind);
            }
            Action::Background(background) => {
                let Some(method) = self.spec(&background.spec) else {
                    return;
                };
                if !method.server_streaming && !method.client_streaming {
                    let text = format!(
                        "`{}` is unary: only streams can stay open in the background",
                        method.name
                    );
                    self.problems.push(Problem::new(background.spec.method.span, text));
                }
                if let Some(count) = &background.repeat {
                    self.expressions(count, None);
                }
                if let Some(ready) = &background.ready
                    && let Some(probe) = self.spec(&ready.probe)
                {
                    self.known.probe = Some(probe);
                    self.expression(&ready.until, Some((&method, Kind::Stream)));
                    self.known.probe = None;
                }
                self.define(step, method, Kind::Stream);
            }
            Action::Wait(wait) => {
                let Some((method, _)) = self.known.steps.get(&wait.on.value).cloned() else {
                    return;
                };
                if let Some(until) = &wait.until {
                    self.expression(until, Some((&method, Kind::Stream)));
                }
                for expectation in &wait.expect {
                    self.expectation(expectation, &method, Kind::Stream);
                }
            }
            Action::Send { to, request } => {
                let Some((method, _)) = self.known.steps.get(&to.value).cloned() else {
                    return;
                };
                if !method.client_streaming {
                    let text = format!("`{}` takes one request, which was sent when it was opened", method.name);
                    self.problems.push(Problem::new(to.span, text));
                }
                self.request(request, &method);
            }
            Action::Close { .. } | Action::Cancel { .. } => {}
        }
    }

    fn define(&mut self, step: &Step, method: Method, kind: Kind) {
        if let Some(id) = &step.id {
            self.known.steps.insert(id.value.clone(), (method, kind));
        }
    }

    /// The method of a call, its requests and metadata checked.
    pub fn spec(&mut self, spec: &CallSpec) -> Option<Method> {
        let method = self.method(spec)?;
        for (_, template) in &spec.metadata {
            self.expressions(template, None);
        }
        // A method that the file calls undescribed writes like any other when the target has it after all.
        let described = self.schema.method(&method.service, &method.name);
        let writes = described
            .is_some_and(|method| !method.reads() || (!method.no_side_effects && residue::creates(&method.name)));
        if self.subject.effects == Effects::ReadOnly && writes {
            let text = format!("`{}` writes, and the file says `effects: read-only`", method.name);
            let help = "reading methods are those that inventory.http.yaml maps to GET, or the descriptor marks NO_SIDE_EFFECTS";
            self.problems.push(Problem::new(spec.method.span, text).help(help));
        }
        match &spec.requests {
            Requests::One(template) => self.request(template, &method),
            Requests::List(templates) => {
                self.stream_of(spec, &method);
                templates.iter().for_each(|template| self.request(template, &method));
            }
            Requests::Repeat { count, item } => {
                self.stream_of(spec, &method);
                self.expressions(count, None);
                self.request(item, &method);
            }
        }
        Some(method)
    }

    fn stream_of(&mut self, spec: &CallSpec, method: &Method) {
        if !method.client_streaming {
            let text = format!("`{}` takes one request: write `request:`, not `requests:`", method.name);
            self.problems.push(Problem::new(spec.method.span, text));
        }
    }

    fn method(&mut self, spec: &CallSpec) -> Option<Method> {
        let Located { value: call, span } = &spec.method;
        let Some((service, name)) = split_call(self.subject.service.map(|service| service.value.as_str()), call) else {
            let text = format!("`{call}` names no service, and the file has no `service`");
            self.problems
                .push(Problem::new(*span, text).help("write `service:` at the top, or pkg.Service/Method here"));
            return None;
        };
        if spec.undescribed {
            return Some(self.schema.undescribed(&service, &name));
        }
        if let Some(method) = self.schema.method(&service, &name) {
            return Some(method);
        }
        let methods = self.schema.service_methods(&service);
        let problem = if methods.is_empty() {
            let services = self.schema.services();
            let text = suggest(
                format!("the target describes no service `{service}`"),
                &service,
                services.iter().map(String::as_str),
            );
            Problem::new(*span, text).help(format!("it describes: {}", services.join(", ")))
        } else {
            let names = methods.iter().map(|method| method.name.as_str());
            let text = suggest(format!("{service} has no method `{name}`"), &name, names.clone());
            Problem::new(*span, text).help(format!("it has: {}", names.collect::<Vec<_>>().join(", ")))
        };
        self.problems.push(problem);
        None
    }

    fn request(&mut self, template: &Template, method: &Method) {
        fields::request(template, &method.input, &mut self.problems);
        self.expressions(template, None);
    }

    fn expectation(&mut self, expectation: &Expectation, method: &Method, kind: Kind) {
        let seen = Some((method, kind));
        if let Some(rule) = &expectation.rule {
            self.expectation_rule(rule);
        }
        if let Some(status) = &expectation.status {
            for template in [&status.code, &status.message, &status.details].into_iter().flatten() {
                self.expressions(template, None);
            }
        }
        if let Some(pattern) = &expectation.response {
            if method.server_streaming {
                let text = format!("`{}` answers with a stream: judge it with `messages`", method.name);
                self.problems.push(Problem::new(pattern.span, text));
            } else {
                fields::pattern(pattern, &method.output, &mut self.problems);
            }
            self.expressions(pattern, None);
        }
        if let Some(messages) = &expectation.messages {
            let lists = [&messages.exactly, &messages.in_order, &messages.any_order];
            for template in lists.into_iter().flatten().flat_map(|list| &list.value) {
                fields::pattern(template, &method.output, &mut self.problems);
                self.expressions(template, None);
            }
            for law in messages.never.iter().chain(&messages.each) {
                match &law.value {
                    Law::Expr(expr) => self.expression(expr, seen),
                    Law::Pattern(template) => {
                        fields::pattern(template, &method.output, &mut self.problems);
                        self.expressions(template, None);
                    }
                }
            }
        }
        for assert in &expectation.asserts {
            self.expression(assert, seen);
        }
        for (_, count) in &expectation.count {
            self.expressions(count, None);
        }
    }

    /// Every expression of a template, read after the steps so far.
    pub fn expressions(&mut self, template: &Template, seen: Option<(&Method, Kind)>) {
        match &template.node {
            TemplateNode::Expr(expr) => self.expression(expr, seen),
            TemplateNode::Text(parts) => {
                for part in parts {
                    if let TextPart::Expr(expr) = part {
                        self.expression(expr, seen);
                    }
                }
            }
            TemplateNode::List(items) => items.iter().for_each(|item| self.expressions(item, seen)),
            TemplateNode::Map(entries) => entries.iter().for_each(|(_, value)| self.expressions(value, seen)),
            _ => {}
        }
    }

    fn expression(&mut self, expr: &Expr, seen: Option<(&Method, Kind)>) {
        for select in expr.selects() {
            if let Err(text) = self.known.check(&select, seen) {
                self.problems.push(Problem::new(select.span, text));
            }
        }
    }
}
