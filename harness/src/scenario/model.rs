//! The lowered scenario: validated, expressions compiled, durations read. What runs.
//!
//! `written.rs` has the same things as they are typed in YAML; `lower.rs` turns one into the other.

use super::{
    expr::Expr,
    source::{Located, Source, Span},
};
use std::time::Duration;

pub use inventory_contract::Level;

/// One scenario file.
#[derive(Debug)]
pub struct Scenario {
    /// Its file.
    pub source: Source,
    /// Unique over the suite.
    pub id: Located<String>,
    /// One line for people.
    pub name: String,
    /// The rules that the file proves.
    pub rules: Vec<Located<String>>,
    /// The weight of its expectations; an expectation with a `rule` of another level keeps the rule's.
    pub level: Level,
    /// Whether it changes the target.
    pub effects: Effects,
    /// Free words for `--tag`.
    pub tags: Vec<Located<String>>,
    /// The service that unqualified `call`s belong to.
    pub service: Option<Located<String>>,
    /// For all steps of a case, clean-up not included.
    pub timeout: Duration,
    /// Evaluated once for each case, in order; a later one may read an earlier one.
    pub vars: Vec<(Located<String>, Template)>,
    /// Methods or features without which the file is skipped.
    pub requires: Vec<Located<String>>,
    /// Over which protocols it runs.
    pub over: Over,
    /// Needs the target to itself and may exceed the budget of open streams.
    pub exclusive: bool,
    /// Leaves odd data behind (over-long or invalid values that a wrong server would keep): off loopback opt-in.
    pub odd_data: bool,
    /// Runs before all others; when it fails, cases that open background streams run one at a time.
    pub guards_streams: bool,
    /// Once for all rows.
    pub setup: Vec<Step>,
    /// Empty: one case without a row.
    pub rows: Vec<Row>,
    /// In order.
    pub steps: Vec<Step>,
}

/// Over which protocols a scenario runs (`protocols`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// All that a run covers.
    Any,
    /// gRPC alone.
    Grpc,
    /// REST alone.
    Rest,
}

/// Whether a scenario changes the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effects {
    /// Calls reading methods only.
    ReadOnly,
    /// May call any method.
    Writes,
}

impl Scenario {
    /// Every call that it may make: of its steps, their probes and their clean-up.
    pub fn calls(&self) -> Vec<&CallSpec> {
        let mut found = Vec::new();
        calls_of(&self.setup, &mut found);
        calls_of(&self.steps, &mut found);
        found
    }
}

fn calls_of<'s>(steps: &'s [Step], found: &mut Vec<&'s CallSpec>) {
    for step in steps {
        match &step.action {
            Action::Call(call) => found.push(&call.spec),
            Action::Background(background) => {
                found.push(&background.spec);
                found.extend(background.ready.as_ref().map(|ready| &ready.probe));
            }
            Action::Wait(_) | Action::Send { .. } | Action::Close { .. } | Action::Cancel { .. } => {}
        }
        calls_of(&step.defer, found);
    }
}

/// One row of a table: a case of its own.
#[derive(Debug)]
pub struct Row {
    /// Its `name`, part of the case's id.
    pub name: String,
    /// Its fields, `name` included.
    pub fields: Template,
    /// Its place.
    pub span: Span,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// The name under which its results can be read.
    pub id: Option<Located<String>>,
    /// From the step's first key to its last character.
    pub span: Span,
    /// What it does.
    pub action: Action,
    /// Clean-up registered once the step has passed.
    pub defer: Vec<Step>,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// A call in the foreground, to its end.
    Call(Box<CallStep>),
    /// A call that stays open beside the next steps.
    Background(Box<Background>),
    /// Waits for a message of a background call and judges what it has received.
    Wait(Wait),
    /// Writes one more message on a background call.
    Send {
        /// The background step.
        to: Located<String>,
        /// The message.
        request: Template,
    },
    /// Half-closes the requests of a background call.
    Close {
        /// The background step.
        step: Located<String>,
    },
    /// Cancels background calls and waits until they are gone.
    Cancel {
        /// The background steps.
        steps: Vec<Located<String>>,
    },
}

/// The call itself, whatever is done with it.
#[derive(Debug)]
pub struct CallSpec {
    /// `Method` of the file's service, or `pkg.Service/Method`.
    pub method: Located<String>,
    /// What is sent.
    pub requests: Requests,
    /// Sent as metadata; keys are lower case; `-bin` values are base64 text.
    pub metadata: Vec<(Located<String>, Template)>,
    /// On which connection.
    pub connection: Connection,
    /// Sent as `grpc-timeout`.
    pub deadline: Option<Duration>,
    /// The method is not looked up in descriptors, and nothing is sent: for methods that do not exist.
    pub undescribed: bool,
}

/// What is sent.
#[derive(Debug)]
pub enum Requests {
    /// `request`, or nothing written: one message.
    One(Template),
    /// `requests: [..]`.
    List(Vec<Template>),
    /// `requests: { repeat, item }`; `index` counts from 0.
    Repeat {
        /// How many.
        count: Template,
        /// Each of them.
        item: Box<Template>,
    },
}

/// On which connection a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The one that all calls share.
    Shared,
    /// One of its own.
    Fresh,
}

/// A foreground call.
#[derive(Debug)]
pub struct CallStep {
    /// The call.
    pub spec: CallSpec,
    /// The same call many times.
    pub repeat: Option<Repeat>,
    /// Again until the expectations hold.
    pub eventually: Option<Eventually>,
    /// The client ends the call by itself.
    pub cancel_after: Option<CancelAfter>,
    /// Never empty: without `expect` in the file it holds "status OK".
    pub expect: Vec<Expectation>,
    /// The name of an approved answer.
    pub snapshot: Option<Located<String>>,
}

/// `repeat` and `concurrency`.
#[derive(Debug)]
pub struct Repeat {
    /// How many calls.
    pub count: Template,
    /// How many at once, at least 1.
    pub concurrency: usize,
}

/// `eventually`.
#[derive(Clone, Copy, Debug)]
pub struct Eventually {
    /// Gives up after.
    pub within: Duration,
    /// Pause between two calls.
    pub every: Duration,
}

/// `cancel_after`.
#[derive(Clone, Copy, Debug)]
pub enum CancelAfter {
    /// So many messages.
    Messages(usize),
    /// So long.
    Elapsed(Duration),
}

/// A background call.
#[derive(Debug)]
pub struct Background {
    /// The call.
    pub spec: CallSpec,
    /// How to know that it is subscribed.
    pub ready: Option<Ready>,
    /// So many calls under one id, without `ready`.
    pub repeat: Option<Template>,
    /// Once ready, nothing is read from the connection until a `wait` names the step: a slow consumer.
    pub hold: bool,
}

/// `ready`.
#[derive(Debug)]
pub struct Ready {
    /// The call whose effect comes back on the stream.
    pub probe: CallSpec,
    /// Over `message` and `probe`.
    pub until: Expr,
    /// Pause between two probes.
    pub every: Duration,
    /// Gives up after.
    pub within: Duration,
    /// Its place.
    pub span: Span,
}

/// `wait`.
#[derive(Debug)]
pub struct Wait {
    /// The background step.
    pub on: Located<String>,
    /// Over `message`; without it the wait is for the end of the call.
    pub until: Option<Expr>,
    /// Gives up after.
    pub within: Duration,
    /// Keeps listening after `until` has held.
    pub settle: Duration,
    /// As long as this and no longer, where every open stream was ready this soon after its probe was answered. Zero: never.
    pub prompt: Duration,
    /// May be empty: then `until` is the expectation.
    pub expect: Vec<Expectation>,
}

/// One expectation: everything in it must hold.
#[derive(Debug, Default)]
pub struct Expectation {
    /// Its place.
    pub span: Span,
    /// The rule that fails with it; `None`: all rules of the file.
    pub rule: Option<Located<String>>,
    /// `status`; `None`: OK, unless another expectation of the step names one, or the step is a `wait`.
    pub status: Option<StatusExpectation>,
    /// `response`, a subset pattern.
    pub response: Option<Template>,
    /// `messages`.
    pub messages: Option<Messages>,
    /// `assert`.
    pub asserts: Vec<Expr>,
    /// `count`: for `repeat`, how many calls ended with which status.
    pub count: Vec<(Located<String>, Template)>,
}

/// `expect.status`.
#[derive(Debug)]
pub struct StatusExpectation {
    /// Its place.
    pub span: Span,
    /// A code name, a list of them, or an expression that yields one or the other.
    pub code: Option<Template>,
    /// A pattern over the status message.
    pub message: Option<Template>,
    /// A pattern over the list of rich details.
    pub details: Option<Template>,
}

/// `expect.messages`.
#[derive(Debug, Default)]
pub struct Messages {
    /// Ordered and complete, of what came after `ready`.
    pub exactly: Option<Located<Vec<Template>>>,
    /// Ordered, others may come between.
    pub in_order: Option<Located<Vec<Template>>>,
    /// All of them, in any order, others may come too.
    pub any_order: Option<Located<Vec<Template>>>,
    /// None may match, of everything since the stream opened: expressions over `message`, or patterns.
    pub never: Vec<Located<Law>>,
    /// Every message must hold, of everything since the stream opened.
    pub each: Vec<Located<Law>>,
}

/// An element of `never` or `each`.
#[derive(Debug)]
pub enum Law {
    /// Over `message`.
    Expr(Expr),
    /// A subset pattern of the message.
    Pattern(Template),
}

/// A YAML value with its expressions in it, each node with its place.
#[derive(Clone, Debug)]
pub struct Template {
    /// What it is.
    pub node: TemplateNode,
    /// Its place.
    pub span: Span,
}

/// See [`Template`].
#[derive(Clone, Debug)]
pub enum TemplateNode {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A plain integer, in the range of i64 or u64.
    Int(i128),
    /// A plain number with a point or an exponent, `.nan`, `.inf`.
    Float(f64),
    /// Any other scalar, quoted or not, without `${{`.
    Str(String),
    /// A scalar that is one `${{ }}` and nothing else: keeps the type of the expression.
    Expr(Expr),
    /// Text with `${{ }}` in it.
    Text(Vec<TextPart>),
    /// A sequence.
    List(Vec<Template>),
    /// A mapping, in order.
    Map(Vec<(Located<String>, Template)>),
}

/// A part of a text with expressions.
#[derive(Clone, Debug)]
pub enum TextPart {
    /// As written.
    Literal(String),
    /// Evaluated and printed.
    Expr(Expr),
}
