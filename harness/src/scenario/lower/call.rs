//! Calls: methods, what is sent, how often, and how to know that a stream is subscribed.

use super::{Lower, PROBE, is_full_name, names::Place};
use crate::scenario::{
    de,
    error::{Problem, short},
    field::{Field, Given, Raw},
    model::{
        Background, CallSpec, CallStep, CancelAfter, Connection, Eventually, Ready, Repeat, Requests, Template,
        TemplateNode,
    },
    source::Located,
    tree::Kind as Shape,
    written,
};
use std::time::Duration;

/// `within` of `wait` and of `eventually`, when the file does not say.
pub const WAIT: Duration = Duration::from_secs(5);
/// `within` of `ready`.
const READY: Duration = Duration::from_secs(10);
/// `every` of `ready` and of `eventually`.
const EVERY: Duration = Duration::from_millis(250);
/// At once with `repeat`.
const MOST_AT_ONCE: u64 = 10_000;

impl Lower<'_, '_> {
    fn method(&mut self, method: &Given<String>) -> Located<String> {
        let span = self.tree.span(method.node);
        let text = method.value.as_str();
        let problem = match text.split_once('/') {
            Some(("", rest)) => Some((
                format!("`{}` starts with a slash", short(text)),
                format!("write `{}`", short(rest)),
            )),
            Some((service, method)) if is_full_name(service) && is_full_name(method) && !method.contains('.') => None,
            None if is_full_name(text) && !text.contains('.') => match self.has_service {
                true => None,
                false => Some((
                    format!("`{text}` is a method of no service"),
                    format!("write `service: pkg.Service` at the top, or `pkg.Service/{text}` here"),
                )),
            },
            None if is_full_name(text) => {
                let (service, method) = text.rsplit_once('.').unwrap_or((text, ""));
                let help = format!("did you mean `{service}/{method}`?");
                Some((format!("`{}` is not the name of a method", short(text)), help))
            }
            _ => Some((
                format!("`{}` is not the name of a method", short(text)),
                "write `Method` or `pkg.Service/Method`".to_owned(),
            )),
        };
        if let Some((text, help)) = problem {
            self.problem(Problem::new(span, text).help(help));
        }
        Located {
            value: method.value.clone(),
            span,
        }
    }

    fn connection(&self, connection: &Field<written::Connection>) -> Connection {
        match connection.value() {
            Some(written::Connection::Fresh) => Connection::Fresh,
            Some(written::Connection::Shared) | None => Connection::Shared,
        }
    }

    pub(crate) fn spec(&mut self, step: &written::Step, place: &Place<'_>) -> Option<CallSpec> {
        let method = step.call.given().map(|method| self.method(method));
        let requests = self.requests(step, place);
        let metadata = self.metadata(&step.metadata, place);
        let deadline = step.deadline.given().and_then(|deadline| self.time(deadline));
        Some(CallSpec {
            method: method?,
            requests,
            metadata,
            connection: self.connection(&step.connection),
            deadline,
            undescribed: step.undescribed.value().copied().unwrap_or(false),
        })
    }

    fn requests(&mut self, step: &written::Step, place: &Place<'_>) -> Requests {
        if let Some(request) = step.request.given() {
            return Requests::One(self.message(request, place, "a message: a map of its fields"));
        }
        let empty = |span| Template {
            node: TemplateNode::Map(Vec::new()),
            span,
        };
        let Some(requests) = step.requests.given() else {
            return Requests::One(empty(
                step.call
                    .given()
                    .map(|call| self.tree.span(call.node))
                    .unwrap_or_default(),
            ));
        };
        let tree = self.tree;
        match &tree.node(requests.node).kind {
            Shape::List(items) => {
                let mut messages = Vec::with_capacity(items.len());
                for item in items {
                    let given = Given {
                        key: *item,
                        node: *item,
                        value: Raw(*item),
                    };
                    messages.push(self.message(&given, place, "a message: a map of its fields"));
                }
                Requests::List(messages)
            }
            Shape::Map(_) => {
                let written: Option<written::RepeatedRequests> = de::read_node(tree, requests.node, &mut self.problems);
                let written = written.unwrap_or_default();
                for (field, key) in [(&written.repeat, "repeat"), (&written.item, "item")] {
                    if !field.is_written() && !self.is_misspelt(requests.node, key) {
                        let text = format!("`requests` has no `{key}`");
                        let problem = Problem::new(tree.span(requests.key), text);
                        self.problem(problem.help("write a list of messages, or `{ repeat: 1000, item: { … } }`"));
                    }
                }
                let count = written.repeat.given().and_then(|count| self.count(count, place, 0));
                let inside = Place { index: true, ..*place };
                let item = written
                    .item
                    .given()
                    .map(|item| self.message(item, &inside, "a message: a map of its fields"));
                let span = tree.span(requests.node);
                Requests::Repeat {
                    count: count.unwrap_or_else(|| empty(span)),
                    item: Box::new(item.unwrap_or_else(|| empty(span))),
                }
            }
            _ => {
                self.wrong(requests.node, "a list of messages, or `{ repeat, item }`");
                Requests::List(Vec::new())
            }
        }
    }

    pub fn call(&mut self, step: &written::Step, place: &Place<'_>) -> Option<CallStep> {
        let spec = self.spec(step, place);
        let outside = Place { index: false, ..*place };
        let repeat = step.repeat.given().and_then(|repeat| {
            let concurrency = self.concurrency(&step.concurrency);
            Some(Repeat {
                count: self.count(repeat, &outside, 1)?,
                concurrency,
            })
        });
        let eventually = step.eventually.value().map(|eventually| Eventually {
            within: self.duration(&eventually.within, WAIT),
            every: self.duration(&eventually.every, EVERY),
        });
        let cancel_after = step.cancel_after.given().and_then(|after| self.cancel_after(after));
        let repeated = step.repeat.is_written();
        let expect = self.call_expectations(step, &outside, repeated);
        let snapshot = step.snapshot.given().map(|name| {
            let span = self.tree.span(name.node);
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.value.is_empty() || !name.value.chars().all(allowed) {
                let text = format!("`{}` cannot be the name of a snapshot", short(&name.value));
                self.problem(
                    Problem::new(span, text).help("use letters, digits, `_` and `-`: it becomes the name of a file"),
                );
            }
            Located {
                value: name.value.clone(),
                span,
            }
        });
        Some(CallStep {
            spec: spec?,
            repeat,
            eventually,
            cancel_after,
            expect,
            snapshot,
        })
    }

    fn concurrency(&mut self, concurrency: &Field<u64>) -> usize {
        let Some(concurrency) = concurrency.given() else {
            return 1;
        };
        if !(1..=MOST_AT_ONCE).contains(&concurrency.value) {
            let text = format!(
                "expected a number from 1 to {MOST_AT_ONCE}, found {}",
                concurrency.value
            );
            self.problem(Problem::new(self.tree.span(concurrency.node), text));
        }
        concurrency.value.clamp(1, MOST_AT_ONCE) as usize
    }

    fn cancel_after(&mut self, after: &Given<Raw>) -> Option<CancelAfter> {
        let tree = self.tree;
        if !matches!(tree.node(after.node).kind, Shape::Map(_)) {
            return self.time(after).map(CancelAfter::Elapsed);
        }
        let written: written::AfterMessages = de::read_node(tree, after.node, &mut self.problems)?;
        match &written.messages {
            Field::Given(messages) if messages.value > 0 => Some(CancelAfter::Messages(messages.value as usize)),
            Field::Given(messages) => {
                let problem = Problem::new(tree.span(messages.node), "expected a number from 1, found 0");
                self.problem(problem);
                None
            }
            Field::Bad => None,
            Field::Missing if self.is_misspelt(after.node, "messages") => None,
            Field::Missing => {
                let problem = Problem::new(tree.span(after.key), "`cancel_after` has no `messages`");
                self.problem(problem.help("write `{ messages: 1 }`, or a time such as `500ms`"));
                None
            }
        }
    }

    pub fn background(&mut self, step: &written::Step, place: &Place<'_>) -> Option<Background> {
        let spec = self.spec(step, place);
        let ready = step.ready.given().and_then(|ready| self.ready(ready, place));
        if step.repeat.is_written() {
            let help = "readiness is proven for one stream: drop `repeat`, or judge by what follows";
            self.at_key(&step.ready, "`ready` does not go with `repeat`", help);
        }
        Some(Background {
            spec: spec?,
            ready,
            repeat: step.repeat.given().and_then(|count| self.count(count, place, 1)),
            hold: step.hold.value().copied().unwrap_or(false),
        })
    }

    fn ready(&mut self, ready: &Given<written::Ready>, place: &Place<'_>) -> Option<Ready> {
        let written = &ready.value;
        let key = self.tree.span(ready.key);
        for (is_written, name) in [
            (written.probe.is_written(), "probe"),
            (written.until.is_written(), "until"),
        ] {
            if !is_written && !self.is_misspelt(ready.node, name) {
                let problem = Problem::new(key, format!("`ready` has no `{name}`"));
                self.problem(
                    problem.help("write `probe: { call: …, request: … }` and `until:` over `message` and `probe`"),
                );
            }
        }
        let probe = written.probe.given().and_then(|probe| self.probe(probe, place));
        let extra = [place.extra, &["message", PROBE]].concat();
        let inside = Place {
            extra: &extra,
            ..*place
        };
        let until = written
            .until
            .given()
            .and_then(|until| self.expression(until, &inside, Some("message")));
        Some(Ready {
            probe: probe?,
            until: until?,
            every: self.duration(&written.every, EVERY),
            within: self.duration(&written.within, READY),
            span: key,
        })
    }

    fn probe(&mut self, probe: &Given<written::Probe>, place: &Place<'_>) -> Option<CallSpec> {
        let written = &probe.value;
        if !written.call.is_written() {
            let problem = Problem::new(self.tree.span(probe.key), "the probe has no `call`");
            self.problem(problem.help("call a method whose effect comes back on the stream"));
        }
        let method = written.call.given().map(|method| self.method(method));
        let request = match written.request.given() {
            Some(request) => self.message(request, place, "a message: a map of its fields"),
            None => Template {
                node: TemplateNode::Map(Vec::new()),
                span: self.tree.span(probe.node),
            },
        };
        let metadata = self.metadata(&written.metadata, place);
        let deadline = written.deadline.given().and_then(|deadline| self.time(deadline));
        Some(CallSpec {
            method: method?,
            requests: Requests::One(request),
            metadata,
            connection: self.connection(&written.connection),
            deadline,
            undescribed: false,
        })
    }
}
