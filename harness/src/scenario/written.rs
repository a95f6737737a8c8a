//! A scenario as it is typed in YAML. Every key is optional here; which keys go together is checked by `lower`.
//!
//! The JSON Schema that editors complete with (`scenarios/schema.json`) is generated from these types; the comments on
//! the fields are its explanations.

use super::field::{Field, Raw};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// One scenario file: what a gRPC service must do, in steps.
///
/// `${{ … }}` holds a CEL expression anywhere in `vars`, `rows`, requests and expectations; a scalar that is nothing else
/// keeps the type of its expression.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "stocktake scenario", extend("required" = ["version", "id", "name", "effects", "steps"]))]
pub struct Scenario {
    /// The version of the language: 1.
    #[schemars(extend("const" = 1))]
    pub version: Field<u64>,
    /// Unique over the suite: lower-case letters, digits and underscores.
    #[schemars(extend("pattern" = "^[a-z0-9_]+$"))]
    pub id: Field<String>,
    /// One line that says what holds, for people.
    pub name: Field<String>,
    /// The rules that the file proves. An expectation without a `rule` of its own counts against all of them.
    pub rules: Field<Vec<Field<String>>>,
    /// `must` (the default) decides the exit code, `should` is shown.
    pub level: Field<Level>,
    /// Whether a step may change the target.
    pub effects: Field<Effects>,
    /// Free words for `--tag`.
    pub tags: Field<Vec<Field<String>>>,
    /// The full name of the service that an unqualified `call` belongs to, such as `inventory.InventoryService`.
    pub service: Field<String>,
    /// For all steps of a case, clean-up not included: `20s` when left out.
    #[schemars(schema_with = "duration")]
    pub timeout: Field<Raw>,
    /// Values with a name, read as `${{ vars.NAME }}`. Each case computes them once, in order; a later one may read an
    /// earlier one.
    #[schemars(schema_with = "map_of_anything")]
    pub vars: Field<Raw>,
    /// Methods or features without which the file is skipped, with the reason, and counted.
    pub requires: Field<Vec<Field<String>>>,
    /// The protocols that the file is about: `grpc`, `rest`. Left out: all. Elsewhere there is no case.
    pub protocols: Field<Vec<Field<Protocol>>>,
    /// Needs the target to itself (starvation, leaks) and may exceed the budget of open streams.
    pub exclusive: Field<bool>,
    /// `streams`: runs before all others; when it fails, cases with background streams run one at a time.
    pub guards: Field<Guards>,
    /// Leaves odd data on a wrong server (over-long or invalid values): opt-in off loopback.
    pub odd_data: Field<bool>,
    /// Once for all rows.
    pub setup: Field<Vec<Field<Step>>>,
    /// One case for each row, named `id[row name]`, its fields read as `${{ row.KEY }}`. All rows have the same keys.
    #[schemars(schema_with = "rows")]
    pub rows: Field<Vec<Field<Raw>>>,
    /// What a case does, in order.
    pub steps: Field<Vec<Field<Step>>>,
}

/// How much a rule weighs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Decides the exit code.
    Must,
    /// Shown; decides with `--level should`.
    Should,
}

/// Whether a step may change the target.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Effects {
    /// Calls reading methods only.
    ReadOnly,
    /// May call any method.
    Writes,
}

/// A protocol over which cases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// JSON over HTTP.
    Rest,
}

/// What the scenario guards.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Guards {
    /// Background streams beside each other.
    Streams,
}

/// One step: a call, or something done with a call that runs in the background. Has exactly one of `call`, `wait`, `send`,
/// `close` and `cancel`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// The name under which later steps read the results: `NAME.response`, `.results`, `.messages`, `.status`. A CEL
    /// identifier. With `call` only.
    #[schemars(extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub id: Field<String>,
    /// Calls a method of `service`, or `pkg.Service/Method` of any service that the target describes.
    pub call: Field<String>,
    /// One message. With `call` or `send`.
    #[schemars(schema_with = "message")]
    pub request: Field<Raw>,
    /// A client stream: a list of messages, or `{ repeat: 1000, item: { … ${{ index }} … } }`.
    #[schemars(schema_with = "requests")]
    pub requests: Field<Raw>,
    /// Sent with the call; keys that end in `-bin` have base64 values.
    #[schemars(schema_with = "map_of_anything")]
    pub metadata: Field<Raw>,
    /// `shared` (the default) or `fresh`: a connection of its own.
    pub connection: Field<Connection>,
    /// Sent as `grpc-timeout`; the client gives up 2 s later, so that the server's own end is seen.
    #[schemars(schema_with = "duration")]
    pub deadline: Field<Raw>,
    /// The method is not looked up in the target's descriptors, and no message is sent: for methods that do not exist.
    pub undescribed: Field<bool>,
    /// The same call so many times: `results`, in send order, each `{ status, response, elapsed }`; `index` counts from 0.
    #[schemars(schema_with = "count")]
    pub repeat: Field<Raw>,
    /// How many of the repeated calls at once; 1 when left out.
    #[schemars(range(min = 1))]
    pub concurrency: Field<u64>,
    /// Repeats the call until the step's own `expect` holds.
    pub eventually: Field<Eventually>,
    /// The client cancels the call: after `{ messages: 1 }`, or after a duration.
    #[schemars(schema_with = "cancel_after")]
    pub cancel_after: Field<Raw>,
    /// What must hold: one map, or a list of maps, each with its own `rule`. Without it: status OK.
    #[schemars(schema_with = "expect")]
    pub expect: Field<Raw>,
    /// The response, redacted, must equal the approved file of this name.
    pub snapshot: Field<String>,
    /// The call stays open beside the following steps; needs an `id`.
    pub background: Field<bool>,
    /// How to know that a background stream is subscribed: the next step starts once it holds.
    pub ready: Field<Ready>,
    /// Once ready, nothing is read from the connection until a `wait` names the step: a slow consumer.
    pub hold: Field<bool>,
    /// Waits for a message of a background step, or, without `until`, for the end of its call.
    pub wait: Field<String>,
    /// CEL over `message`: the wait is over once it holds for a message that came after `ready`. With `wait`.
    #[schemars(schema_with = "expression")]
    pub until: Field<Raw>,
    /// How long to wait: `5s` when left out. With `wait`.
    #[schemars(schema_with = "duration")]
    pub within: Field<Raw>,
    /// Keeps listening so long after `until` has held: what must not come would come now. With `wait`.
    #[schemars(schema_with = "duration")]
    pub settle: Field<Raw>,
    /// Shortens `settle` to this, where each open stream of the case told of its probe this soon after the probe was answered:
    /// then the target does not look for changes from time to time. With `settle`.
    #[schemars(schema_with = "duration")]
    pub prompt: Field<Raw>,
    /// Writes one more `request` on a background step.
    pub send: Field<String>,
    /// Half-closes the requests of a background step.
    pub close: Field<String>,
    /// Cancels background steps: one name or a list.
    #[schemars(schema_with = "names")]
    pub cancel: Field<Raw>,
    /// Clean-up for what this call created: runs at the end whatever happened, last in, first out; its failure is
    /// residue, not a verdict.
    pub defer: Field<Vec<Field<Step>>>,
}

/// On which connection a call goes.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connection {
    /// The one that all calls share.
    Shared,
    /// One of its own.
    Fresh,
}

/// `eventually`: the call is repeated until its `expect` holds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Eventually {
    /// Gives up after: `5s` when left out.
    #[schemars(schema_with = "duration")]
    pub within: Field<Raw>,
    /// The pause between two calls: `250ms` when left out.
    #[schemars(schema_with = "duration")]
    pub every: Field<Raw>,
}

/// `ready`: probes are sent until the stream shows the effect of one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["probe", "until"]))]
pub struct Ready {
    /// The call whose effect comes back on the stream.
    pub probe: Field<Probe>,
    /// CEL over `message` and `probe`.
    #[schemars(schema_with = "expression")]
    pub until: Field<Raw>,
    /// The pause between two probes: `250ms` when left out.
    #[schemars(schema_with = "duration")]
    pub every: Field<Raw>,
    /// Gives up after: `10s` when left out.
    #[schemars(schema_with = "duration")]
    pub within: Field<Raw>,
}

/// The call of `ready`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["call"]))]
pub struct Probe {
    /// As in a step.
    pub call: Field<String>,
    /// As in a step.
    #[schemars(schema_with = "message")]
    pub request: Field<Raw>,
    /// As in a step.
    #[schemars(schema_with = "map_of_anything")]
    pub metadata: Field<Raw>,
    /// As in a step.
    pub connection: Field<Connection>,
    /// As in a step.
    #[schemars(schema_with = "duration")]
    pub deadline: Field<Raw>,
}

/// What must hold.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Expect {
    /// The rule that fails with this expectation, instead of all rules of the file.
    pub rule: Field<String>,
    /// A code name, a list of them, an expression that yields one or the other, or `{ code, message, details }`. OK when
    /// left out.
    #[schemars(schema_with = "status")]
    pub status: Field<Raw>,
    /// A subset of the response, also inside lists. For a scalar a value, an expression or one matcher: `matches`,
    /// `contains`, `approx`, `one_of`; for a list also `unordered`, `length`; `absent: true`.
    #[schemars(schema_with = "message")]
    pub response: Field<Raw>,
    /// What a stream delivered.
    pub messages: Field<Messages>,
    /// CEL over `response`, `results`, `messages`, `status` (`code`, `message`, `details`), `headers`, `trailers`, `http`,
    /// `elapsed`, `vars`, `run`, `row` and earlier steps.
    #[serde(rename = "assert")]
    #[schemars(schema_with = "expressions")]
    pub asserts: Field<Vec<Field<Raw>>>,
    /// With `repeat`: how many calls ended with which status, such as `{ OK: 20 }`.
    #[schemars(schema_with = "counts")]
    pub count: Field<Raw>,
}

/// What a stream delivered. `exactly`, `in_order` and `any_order` judge what came after `ready`; `never` and `each`
/// everything since the stream opened.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Messages {
    /// Ordered and complete; an empty list: nothing may come.
    #[schemars(schema_with = "patterns")]
    pub exactly: Field<Vec<Field<Raw>>>,
    /// Ordered; others may come between.
    #[schemars(schema_with = "patterns")]
    pub in_order: Field<Vec<Field<Raw>>>,
    /// All of them, in any order; others may come too.
    #[schemars(schema_with = "patterns")]
    pub any_order: Field<Vec<Field<Raw>>>,
    /// None may match: CEL over `message`, or patterns.
    #[schemars(schema_with = "laws")]
    pub never: Field<Vec<Field<Raw>>>,
    /// Every message must hold: CEL over `message`, or patterns.
    #[schemars(schema_with = "laws")]
    pub each: Field<Vec<Field<Raw>>>,
}

/// `{ repeat, item }` of `requests`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["repeat", "item"]))]
pub struct RepeatedRequests {
    /// How many.
    #[schemars(schema_with = "count")]
    pub repeat: Field<Raw>,
    /// Each of them; `index` counts from 0.
    #[schemars(schema_with = "message")]
    pub item: Field<Raw>,
}

/// `{ code, message, details }` of `expect.status`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StatusParts {
    /// A code name, a list of them, or an expression that yields one or the other. OK when left out.
    #[schemars(schema_with = "codes")]
    pub code: Field<Raw>,
    /// A text, an expression or a matcher over the status message.
    #[schemars(schema_with = "anything")]
    pub message: Field<Raw>,
    /// A pattern over the list of rich details.
    #[schemars(schema_with = "anything")]
    pub details: Field<Raw>,
}

/// `{ messages }` of `cancel_after`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["messages"]))]
pub struct AfterMessages {
    /// So many messages.
    #[schemars(range(min = 1))]
    pub messages: Field<u64>,
}

// The shapes that one type cannot say.

fn anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!(true)
}

pub(crate) fn map_of_anything(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

/// A message is a map, or one expression that yields a map.
pub(crate) fn message(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["object", "string"] })
}

pub(crate) fn requests(generator: &mut SchemaGenerator) -> Schema {
    let repeated = generator.subschema_for::<RepeatedRequests>();
    json_schema!({ "anyOf": [{ "type": "array", "items": { "type": ["object", "string"] } }, repeated] })
}

fn rows(_: &mut SchemaGenerator) -> Schema {
    let row = json_schema!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] });
    json_schema!({ "type": "array", "items": row, "minItems": 1 })
}

pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "examples": ["500ms", "2s", "1m"] })
}

pub(crate) fn expression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "description": "A CEL expression, without `${{ }}`." })
}

fn expressions(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": expression(generator), "minItems": 1 })
}

fn patterns(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": ["object", "string"] } })
}

fn laws(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": ["object", "string"] }, "minItems": 1 })
}

/// A number from 1, or an expression.
pub(crate) fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": "\\$\\{\\{" }] })
}

fn names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
}

fn cancel_after(generator: &mut SchemaGenerator) -> Schema {
    let messages = generator.subschema_for::<AfterMessages>();
    json_schema!({ "anyOf": [duration(generator), messages] })
}

fn expect(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<Expect>();
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

/// One of the 17 codes, or an expression.
pub(crate) fn code() -> Schema {
    json_schema!({ "anyOf": [{ "enum": super::status::CODES }, { "type": "string", "pattern": "\\$\\{\\{" }] })
}

fn codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [code(), { "type": "array", "items": code(), "minItems": 1 }] })
}

fn status(generator: &mut SchemaGenerator) -> Schema {
    let parts = generator.subschema_for::<StatusParts>();
    json_schema!({ "anyOf": [code(), { "type": "array", "items": code(), "minItems": 1 }, parts] })
}

fn counts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "propertyNames": { "enum": super::status::CODES }, "minProperties": 1 })
}
