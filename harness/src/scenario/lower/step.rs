//! Steps: which keys go together, which steps a step can name, and what a step becomes.

use super::{
    BUILT_IN, Known, Lower, PROBE, is_full_name, is_taken,
    names::{DEFERRED, Place},
    unknown_step,
};
use crate::scenario::{
    de::{self, Field, Given, Raw, one_of},
    error::{Problem, short},
    model::{
        Action, Background, CallSpec, CallStep, CancelAfter, Connection, Eventually, Ready, Repeat, Requests, Step,
        Template, TemplateNode, Wait,
    },
    scalar::Scalar,
    source::{Located, Span},
    written,
    yaml::{Kind as Shape, NodeId},
};
use std::time::Duration;

/// `within` of `wait` and of `eventually`, when the file does not say.
const WAIT: Duration = Duration::from_secs(5);
/// `within` of `ready`.
const READY: Duration = Duration::from_secs(10);
/// `every` of `ready` and of `eventually`.
const EVERY: Duration = Duration::from_millis(250);
/// At once with `repeat`.
const MOST_AT_ONCE: u64 = 10_000;

/// What a step does, as far as its keys are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Call,
    Background,
    Wait,
    Send,
    Close,
    Cancel,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Call => "call",
            Kind::Background => "background: true",
            Kind::Wait => "wait",
            Kind::Send => "send",
            Kind::Close => "close",
            Kind::Cancel => "cancel",
        }
    }
}

use Kind::{Background as B, Call as C, Wait as W};

/// Which keys go with which steps.
const GOES_WITH: [(&str, &[Kind]); 24] = [
    ("id", &[C, B]),
    ("request", &[C, B, Kind::Send]),
    ("requests", &[C, B]),
    ("metadata", &[C, B]),
    ("connection", &[C, B]),
    ("deadline", &[C, B]),
    ("undescribed", &[C, B]),
    ("repeat", &[C]),
    ("concurrency", &[C]),
    ("eventually", &[C]),
    ("cancel_after", &[C]),
    ("expect", &[C, W]),
    ("snapshot", &[C]),
    ("background", &[C, B]),
    ("ready", &[B]),
    ("hold", &[B]),
    ("until", &[W]),
    ("within", &[W]),
    ("settle", &[W]),
    ("defer", &[C, B]),
    ("call", &[C, B]),
    ("wait", &[W]),
    ("send", &[Kind::Send]),
    ("close", &[Kind::Close]),
];

/// The node of each written key.
fn keys(step: &written::Step) -> Vec<(&'static str, Option<NodeId>)> {
    fn key<T>(name: &'static str, field: &Field<T>) -> Option<(&'static str, Option<NodeId>)> {
        field.is_written().then(|| (name, field.given().map(|given| given.key)))
    }
    [
        key("id", &step.id),
        key("call", &step.call),
        key("request", &step.request),
        key("requests", &step.requests),
        key("metadata", &step.metadata),
        key("connection", &step.connection),
        key("deadline", &step.deadline),
        key("undescribed", &step.undescribed),
        key("repeat", &step.repeat),
        key("concurrency", &step.concurrency),
        key("eventually", &step.eventually),
        key("cancel_after", &step.cancel_after),
        key("expect", &step.expect),
        key("snapshot", &step.snapshot),
        key("background", &step.background),
        key("ready", &step.ready),
        key("hold", &step.hold),
        key("wait", &step.wait),
        key("until", &step.until),
        key("within", &step.within),
        key("settle", &step.settle),
        key("send", &step.send),
        key("close", &step.close),
        key("cancel", &step.cancel),
        key("defer", &step.defer),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Lower<'_, '_> {
    /// Lowers one step and makes its name known. `None`: it does nothing that can be told.
    pub fn step(&mut self, step: &Given<written::Step>, setup: bool, deferred: bool) -> Option<Step> {
        let span = self.tree.span(step.node);
        let step = &step.value;
        let kind = self.kind(step, span)?;
        self.keys_go_together(step, kind, deferred);
        if setup && kind == B {
            self.at_key(
                &step.background,
                "`setup` runs once for all rows and cannot hold a stream open",
                "move it to `steps`",
            );
        }
        let id = self.step_id(&step.id, kind);
        let deferred_names: &[&str] = if deferred { &[DEFERRED] } else { &[] };
        let place = Place {
            extra: deferred_names,
            setup,
            index: step.repeat.is_written(),
            ..Place::default()
        };
        let action = match kind {
            Kind::Call => self.call(step, &place).map(Action::Call),
            Kind::Background => self.background(step, &place).map(Action::Background),
            Kind::Wait => self.wait(step, &place).map(Action::Wait),
            Kind::Send => self.send(step, &place),
            Kind::Close => step.close.given().map(|name| Action::Close {
                step: self.open_step(name.node, &name.value),
            }),
            Kind::Cancel => self.cancel(step),
        };
        if let Some(id) = &id {
            let name = id.value.clone();
            self.known.push(Known {
                name,
                background: kind == B,
                repeated: step.repeat.is_written(),
                deferred,
            });
        }
        let defer = self.defer(&step.defer, setup);
        Some(Step {
            id,
            span,
            action: action?,
            defer,
        })
    }

    fn kind(&mut self, step: &written::Step, span: Span) -> Option<Kind> {
        let keys: Vec<_> = keys(step)
            .into_iter()
            .filter(|(name, _)| matches!(*name, "call" | "wait" | "send" | "close" | "cancel"))
            .collect();
        let [(first, _), others @ ..] = keys.as_slice() else {
            let span = Span {
                end: span.start + 1,
                ..span
            };
            let problem = Problem::new(span, "this step does nothing");
            self.problem(problem.help(format!(
                "a step has {}",
                one_of(&["call", "wait", "send", "close", "cancel"])
            )));
            return None;
        };
        if let Some((second, key)) = others.first() {
            if let Some(key) = key {
                let text = format!("a step does one thing: `{first}` and `{second}` do not go together");
                self.problem(Problem::new(self.tree.span(*key), text).help("make it two steps"));
            }
            return None;
        }
        Some(match *first {
            "call" if step.background.value() == Some(&true) => Kind::Background,
            "call" => Kind::Call,
            "wait" => Kind::Wait,
            "send" => Kind::Send,
            "close" => Kind::Close,
            _ => Kind::Cancel,
        })
    }

    fn keys_go_together(&mut self, step: &written::Step, kind: Kind, deferred: bool) {
        for (name, key) in keys(step) {
            let Some((_, kinds)) = GOES_WITH.iter().find(|(known, _)| *known == name) else {
                continue;
            };
            let Some(key) = key.filter(|_| !kinds.contains(&kind)) else {
                continue;
            };
            let text = format!("`{name}` does not go with `{}`", kind.name());
            let help = match (name, kind) {
                ("expect", B) => "write it under the `wait` that names this step".to_owned(),
                ("repeat", B) => "a background step is one call: write one step for each stream".to_owned(),
                ("id", _) => "the results of a stream are read under the name of its own step".to_owned(),
                _ => format!(
                    "it goes with {}",
                    one_of(&kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>())
                ),
            };
            self.problem(Problem::new(self.tree.span(key), text).help(help));
        }
        if kind == B && !step.id.is_written() {
            self.at_key(
                &step.background,
                "a background step needs an `id`",
                "`wait`, `cancel`, `send` and `close` name it",
            );
        }
        if !step.repeat.is_written() {
            self.at_key(
                &step.concurrency,
                "`concurrency` needs `repeat`",
                "write how many calls, such as `repeat: 20`",
            );
        }
        if step.repeat.is_written() {
            self.at_key(
                &step.eventually,
                "`eventually` does not go with `repeat`",
                "repeat, or try again: not both",
            );
            self.at_key(
                &step.snapshot,
                "`snapshot` does not go with `repeat`",
                "a snapshot is taken of one response",
            );
        }
        if step.request.is_written() {
            self.at_key(
                &step.requests,
                "`request` and `requests` do not go together",
                "write one of them",
            );
        }
        if step.undescribed.value() == Some(&true) {
            let help = "a message can be encoded only with its descriptor";
            self.at_key(&step.request, "`request` does not go with `undescribed`", help);
            self.at_key(&step.requests, "`requests` does not go with `undescribed`", help);
        }
        if !step.until.is_written() {
            let help = "it keeps listening after `until` has held";
            self.at_key(&step.settle, "`settle` needs `until`", help);
        }
        if deferred {
            let text = "clean-up consists of plain calls";
            self.at_key(&step.background, text, "drop it");
            self.at_key(&step.wait, text, "drop it");
            self.at_key(&step.send, text, "drop it");
            self.at_key(&step.close, text, "drop it");
            self.at_key(&step.cancel, text, "drop it");
            self.at_key(
                &step.defer,
                "clean-up cannot have clean-up of its own",
                "list the calls one after the other",
            );
        }
    }

    /// A problem at a key, when it is written.
    fn at_key<T>(&mut self, field: &Field<T>, text: &str, help: &str) {
        if let Some(given) = field.given() {
            self.problem(Problem::new(self.tree.span(given.key), text).help(help));
        }
    }

    fn step_id(&mut self, id: &Field<String>, kind: Kind) -> Option<Located<String>> {
        let id = id.given().filter(|_| matches!(kind, C | B))?;
        let name = Located {
            value: id.value.clone(),
            span: self.tree.span(id.node),
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if is_taken(&name.value) {
            let text = format!(
                "`{}` cannot be the name of a step: expressions read something else under it",
                name.value
            );
            self.problem(Problem::new(name.span, text).help(format!(
                "taken are {}, {PROBE} and the names of types",
                BUILT_IN.join(", ")
            )));
        } else if name.value.contains('-') && name.value.chars().all(|c| is_word(c) || c == '-') {
            let text = format!(
                "`{}` cannot be the name of a step: in an expression it is a subtraction",
                name.value
            );
            self.problem(Problem::new(name.span, text).help(format!("write `{}`", name.value.replace('-', "_"))));
        } else {
            self.identifier(&name, "step");
        }
        if self.known.iter().any(|step| step.name == name.value) {
            self.problem(Problem::new(
                name.span,
                format!("two steps are named `{}`", short(&name.value)),
            ));
        }
        Some(name)
    }

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

    fn spec(&mut self, step: &written::Step, place: &Place<'_>) -> Option<CallSpec> {
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
                    if !field.is_written() {
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

    fn call(&mut self, step: &written::Step, place: &Place<'_>) -> Option<CallStep> {
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
            Field::Missing => {
                let problem = Problem::new(tree.span(after.key), "`cancel_after` has no `messages`");
                self.problem(problem.help("write `{ messages: 1 }`, or a time such as `500ms`"));
                None
            }
        }
    }

    fn background(&mut self, step: &written::Step, place: &Place<'_>) -> Option<Background> {
        let spec = self.spec(step, place);
        let ready = step.ready.given().and_then(|ready| self.ready(ready, place));
        Some(Background {
            spec: spec?,
            ready,
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
            if !is_written {
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

    fn wait(&mut self, step: &written::Step, place: &Place<'_>) -> Option<Wait> {
        let on = step.wait.given().map(|name| self.open_step(name.node, &name.value));
        let extra = [place.extra, &["message"]].concat();
        let inside = Place {
            extra: &extra,
            ..*place
        };
        let until = step
            .until
            .given()
            .and_then(|until| self.expression(until, &inside, Some("message")));
        let within = self.duration(&step.within, WAIT);
        let settle = self.duration(&step.settle, Duration::ZERO);
        let expect = self.wait_expectations(step, place);
        Some(Wait {
            on: on?,
            until,
            within,
            settle,
            expect,
        })
    }

    fn send(&mut self, step: &written::Step, place: &Place<'_>) -> Option<Action> {
        let name = step.send.given()?;
        let to = self.open_step(name.node, &name.value);
        let Some(request) = step.request.given() else {
            if !step.request.is_written() {
                let problem = Problem::new(self.tree.span(name.key), "`send` needs a `request`");
                self.problem(problem.help("write the message to send"));
            }
            return None;
        };
        Some(Action::Send {
            to,
            request: self.message(request, place, "a message: a map of its fields"),
        })
    }

    fn cancel(&mut self, step: &written::Step) -> Option<Action> {
        let cancel = step.cancel.given()?;
        let tree = self.tree;
        let nodes = match &tree.node(cancel.node).kind {
            Shape::List(items) if items.is_empty() => {
                self.problem(Problem::new(
                    tree.span(cancel.key),
                    "`cancel` is empty: it does nothing",
                ));
                return None;
            }
            Shape::List(items) => items.clone(),
            _ => vec![cancel.node],
        };
        let mut steps: Vec<Located<String>> = Vec::new();
        for node in nodes {
            match &tree.node(node).kind {
                Shape::Scalar {
                    value: Scalar::Str,
                    text,
                    ..
                } => {
                    if steps.iter().any(|step| step.value == *text) {
                        self.problem(Problem::new(
                            tree.span(node),
                            format!("`{}` stands twice in the list", short(text)),
                        ));
                    }
                    steps.push(self.open_step(node, text));
                }
                _ => self.wrong(node, "the name of a background step, or a list of them"),
            }
        }
        Some(Action::Cancel { steps })
    }

    /// The name of an earlier background step.
    fn open_step(&mut self, node: NodeId, name: &str) -> Located<String> {
        let span = self.tree.span(node);
        match self.known.iter().find(|step| step.name == name) {
            Some(step) if step.background => {}
            Some(_) => {
                let text = format!("`{}` does not run in the background", short(name));
                self.problem(Problem::new(span, text).help("name a step with `background: true`"));
            }
            None if self.all_ids.contains(name) => {
                self.problem(
                    Problem::new(span, format!("`{}` starts later", short(name))).help("name an earlier step"),
                );
            }
            None => {
                let open: Vec<Known> = self.known.iter().filter(|step| step.background).cloned().collect();
                self.problem(Problem::new(span, unknown_step(name, &open)));
            }
        }
        Located {
            value: name.to_owned(),
            span,
        }
    }

    /// Clean-up sees the step itself and the clean-up before it; nothing else sees the clean-up.
    fn defer(&mut self, defer: &Field<Vec<Field<written::Step>>>, setup: bool) -> Vec<Step> {
        let Some(given) = defer.given() else { return Vec::new() };
        if given.value.is_empty() {
            self.problem(Problem::new(
                self.tree.span(given.key),
                "`defer` is empty: it does nothing",
            ));
        }
        given
            .value
            .iter()
            .filter_map(Field::given)
            .filter_map(|step| self.step(step, setup, true))
            .collect()
    }
}
