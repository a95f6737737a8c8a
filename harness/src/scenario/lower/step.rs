//! Steps: which keys go together, which steps a step can name, and what a step becomes.

use super::{
    BUILT_IN, Known, Lower, PROBE, call, is_taken,
    names::{DEFERRED, Place},
};
use crate::scenario::{
    de::one_of,
    error::{Problem, short, suggest},
    field::{Field, Given},
    model::{Action, Step, Wait},
    scalar::Scalar,
    source::{Located, Span},
    tree::{Kind as Shape, NodeId},
    written,
};
use std::time::Duration;

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
const GOES_WITH: [(&str, &[Kind]); 25] = [
    ("id", &[C, B]),
    ("request", &[C, B, Kind::Send]),
    ("requests", &[C, B]),
    ("metadata", &[C, B]),
    ("connection", &[C, B]),
    ("deadline", &[C, B]),
    ("undescribed", &[C, B]),
    ("repeat", &[C, B]),
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
    ("prompt", &[W]),
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
        key("prompt", &step.prompt),
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
        self.own = id.as_ref().map(|id| id.value.clone());
        let deferred_names: &[&str] = if deferred { &[DEFERRED] } else { &[] };
        let place = Place {
            extra: deferred_names,
            setup,
            index: step.repeat.is_written(),
            ..Place::default()
        };
        let action = match kind {
            Kind::Call => self.call(step, &place).map(|call| Action::Call(Box::new(call))),
            Kind::Background => self
                .background(step, &place)
                .map(|background| Action::Background(Box::new(background))),
            Kind::Wait => self.wait(step, &place).map(Action::Wait),
            Kind::Send => self.send(step, &place),
            Kind::Close => step.close.given().map(|name| Action::Close {
                step: self.open_step(name.node, &name.value),
            }),
            Kind::Cancel => self.cancel(step),
        };
        if let Some(id) = &id {
            let name = id.value.clone();
            self.known.insert(
                name,
                Known {
                    background: kind == B,
                    repeated: kind == C && step.repeat.is_written(),
                    deferred,
                },
            );
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
        if kind == W && !step.until.is_written() {
            let help = "it keeps listening after `until` has held";
            self.at_key(&step.settle, "`settle` needs `until`", help);
        }
        if kind == W && !step.settle.is_written() {
            let help = "it shortens `settle` where streams tell of changes at once";
            self.at_key(&step.prompt, "`prompt` needs `settle`", help);
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
    pub(super) fn at_key<T>(&mut self, field: &Field<T>, text: &str, help: &str) {
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
        if self.known.contains_key(&name.value) {
            self.problem(Problem::new(
                name.span,
                format!("two steps are named `{}`", short(&name.value)),
            ));
        }
        Some(name)
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
        let within = self.duration(&step.within, call::WAIT);
        let settle = self.duration(&step.settle, Duration::ZERO);
        let prompt = self.duration(&step.prompt, Duration::ZERO);
        let expect = self.wait_expectations(step, place);
        Some(Wait {
            on: on?,
            until,
            within,
            settle,
            prompt,
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
            Shape::List(items) if self.is_too_long(cancel.key, items.len()) => return None,
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
        match self.known.get(name) {
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
                let open = self
                    .known
                    .iter()
                    .filter(|(_, step)| step.background)
                    .map(|(name, _)| name.as_str());
                let text = suggest(format!("no earlier step is named `{}`", short(name)), name, open);
                self.problem(Problem::new(span, text));
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
