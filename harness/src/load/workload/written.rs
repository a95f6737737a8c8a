//! A workload as it is typed in YAML. Every key is optional here; which keys go together is checked by `lower`.
//!
//! The JSON Schema that editors complete with (`scenarios/load.schema.json`) is generated from these types; the comments on
//! the fields are its explanations.

use crate::scenario::{
    field::{Field, Raw},
    status::CODES,
    written::{Effects, count, duration, map_of_anything, message, requests},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// One workload file: the same requests over gRPC and over REST, and how they arrive.
///
/// `${{ … }}` holds a CEL expression anywhere in `vars`, requests and feeders, and, over `factor` alone, in the settings of
/// a run; a scalar that is nothing else keeps the type of its expression.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "stocktake workload", extend("required" = ["version", "id", "name", "effects"], "anyOf" = [
    { "required": ["operations", "arrivals"] },
    { "required": ["users"] },
]))]
pub struct Workload {
    /// The version of the language: 1.
    #[schemars(extend("const" = 1))]
    pub version: Field<u64>,
    /// Lower-case letters, digits and underscores.
    #[schemars(extend("pattern" = "^[a-z0-9_]+$"))]
    pub id: Field<String>,
    /// One line for people.
    pub name: Field<String>,
    /// The full name of the service that an unqualified `call` belongs to, such as `inventory.InventoryService`.
    pub service: Field<String>,
    /// Whether a call, set-up included, may change the target.
    pub effects: Field<Effects>,
    /// Of everything that is drawn: arrivals, the mix, random orders. 1 when left out.
    pub seed: Field<u64>,
    /// Values with a name, read as `${{ vars.NAME }}`, computed once, in order; a later one may read an earlier one.
    #[schemars(schema_with = "map_of_anything")]
    pub vars: Field<Raw>,
    /// Names and lists of values. Every combination is a cell, measured for itself; read as `${{ factor.NAME }}`.
    #[schemars(schema_with = "factors")]
    pub factors: Field<Raw>,
    /// Calls before the clock starts, in order, once for all cells. Their results are read as in scenarios.
    pub setup: Field<Vec<Field<SetupStep>>>,
    /// Names and where their values come from; an operation names one with `feed`.
    #[schemars(schema_with = "feeders")]
    pub feeders: Field<Raw>,
    /// Streams that stay open beside the measured calls.
    pub watches: Field<Vec<Field<Watch>>>,
    /// What is measured, at least one.
    pub operations: Field<Vec<Field<Operation>>>,
    /// How requests arrive: `{ constant: 500 }`, `{ poisson: 500 }` (a second, open loop) or `{ in_flight: 16 }` (closed loop).
    #[schemars(schema_with = "arrivals")]
    pub arrivals: Field<Raw>,
    /// In place of `operations` and `arrivals`: virtual users that play journeys, in a closed loop.
    pub users: Field<Users>,
    /// Where a rate is a share such as `50%`: how the rate at saturation is found.
    #[schemars(schema_with = "saturation")]
    pub saturation: Field<Raw>,
    /// Connections of a leg that shares them between calls: 4 when left out, in a closed loop no more than calls.
    #[schemars(schema_with = "count")]
    pub connections: Field<Raw>,
    /// Calls at once on each of them: 16 when left out, in a closed loop as many as its calls need. A leg that does not share
    /// has connections x this.
    #[schemars(schema_with = "count")]
    pub streams_per_connection: Field<Raw>,
    /// Threads that send: 1 when left out.
    #[schemars(schema_with = "count")]
    pub threads: Field<Raw>,
    /// How long each round runs before it counts: `1s` when left out.
    #[schemars(schema_with = "duration")]
    pub warm_up: Field<Raw>,
    /// How long each round counts: `3s` when left out; of stages the sum of theirs.
    #[schemars(schema_with = "duration")]
    pub duration: Field<Raw>,
    /// How often each leg is measured: 10 when left out.
    #[schemars(schema_with = "count")]
    pub rounds: Field<Raw>,
    /// The protocol variants that are compared: `[grpc, rest-h1, rest-h2]` when left out.
    #[schemars(schema_with = "legs")]
    pub legs: Field<Vec<Field<String>>>,
    /// What the client does with answers: `"off"` (the default, quoted), `sampled` or `full`.
    #[schemars(schema_with = "decoding")]
    pub decoding: Field<Raw>,
    /// What a run has to hold, such as `{ p99: 20ms, errors: 0.1% }`.
    #[schemars(schema_with = "objective")]
    pub objective: Field<Raw>,
    /// A claim that the workload puts to the test.
    pub claim: Field<Claim>,
}

/// One call before the clock starts: unary or a client stream, which must end OK.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["call"]))]
pub struct SetupStep {
    /// The name under which the results are read: `NAME.response`, with `repeat` `NAME.results`.
    #[schemars(extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub id: Field<String>,
    /// A method of `service`, or `pkg.Service/Method`.
    pub call: Field<String>,
    /// One message.
    #[schemars(schema_with = "message")]
    pub request: Field<Raw>,
    /// A client stream: a list of messages, or `{ repeat: 1000, item: { … ${{ index }} … } }`.
    #[schemars(schema_with = "requests")]
    pub requests: Field<Raw>,
    /// Sent with the call; keys that end in `-bin` have base64 values.
    #[schemars(schema_with = "map_of_anything")]
    pub metadata: Field<Raw>,
    /// The same call so many times; `index` counts from 0.
    #[schemars(schema_with = "count")]
    pub repeat: Field<Raw>,
    /// How many of the repeated calls at once; 1 when left out.
    #[schemars(range(min = 1))]
    pub concurrency: Field<u64>,
    /// For each call: `10s` when left out.
    #[schemars(schema_with = "duration")]
    pub timeout: Field<Raw>,
}

/// Where the values of an operation come from: exactly one of `each`, `rows` and `csv`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Feeder {
    /// An expression that yields a list: each element is one value, read as `${{ feed }}`.
    #[schemars(schema_with = "expression_scalar")]
    pub each: Field<Raw>,
    /// A list of maps with the same keys, read as `${{ feed.KEY }}`.
    #[schemars(schema_with = "rows")]
    pub rows: Field<Vec<Field<Raw>>>,
    /// A file beside the workload: a header with the keys, then rows of texts, read as `${{ feed.KEY }}`.
    pub csv: Field<String>,
    /// `sequential` (the default) or `random`.
    pub order: Field<Order>,
}

/// In which order requests are sent.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// One after the other, from the start again at the end.
    Sequential,
    /// Drawn, each as likely as the others.
    Random,
}

/// A stream that stays open beside the measured calls.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["call"]))]
pub struct Watch {
    /// A method that answers with a stream.
    pub call: Field<String>,
    /// One message.
    #[schemars(schema_with = "message")]
    pub request: Field<Raw>,
    /// Sent with the call.
    #[schemars(schema_with = "map_of_anything")]
    pub metadata: Field<Raw>,
    /// How many of them; 1 when left out.
    #[schemars(schema_with = "count")]
    pub count: Field<Raw>,
}

/// One kind of request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "call"]))]
pub struct Operation {
    /// Its name in reports: letters, digits and underscores.
    #[schemars(extend("pattern" = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub id: Field<String>,
    /// Its share of the requests, relative to the others; 1 when left out.
    #[schemars(range(min = 1))]
    pub weight: Field<u64>,
    /// A method of `service`, or `pkg.Service/Method`.
    pub call: Field<String>,
    /// The feeder whose values the request reads as `${{ feed }}`: one request for each value.
    pub feed: Field<String>,
    /// Maps with the same keys, read as `${{ variant.KEY }}`: one request for each, and with `feed` one for each value and
    /// each variant, in turn.
    #[schemars(schema_with = "rows")]
    pub variants: Field<Vec<Field<Raw>>>,
    /// One message. `${{ mark }}` as a whole value is a text that is new at each send.
    #[schemars(schema_with = "message")]
    pub request: Field<Raw>,
    /// A client stream: a list of messages, or `{ repeat: 1000, item: { … ${{ index }} … } }`.
    #[schemars(schema_with = "requests")]
    pub requests: Field<Raw>,
    /// Sent with the call; keys that end in `-bin` have base64 values.
    #[schemars(schema_with = "map_of_anything")]
    pub metadata: Field<Raw>,
    /// The statuses that count as success; `[OK]` when left out.
    #[schemars(schema_with = "codes")]
    pub accept: Field<Vec<Field<String>>>,
    /// When the client gives up, sent as `grpc-timeout` too: `10s` when left out.
    #[schemars(schema_with = "duration")]
    pub timeout: Field<Raw>,
    /// When the client has seen enough of a stream; left out: its end.
    pub until: Field<Until>,
}

/// Virtual users: each plays one journey, step by step, again and again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["count", "journeys"]))]
pub struct Users {
    /// How many.
    #[schemars(schema_with = "count")]
    pub count: Field<Raw>,
    /// The time over which they begin, one after the other. It comes before `warm_up` and does not count. All at once when
    /// left out.
    #[schemars(schema_with = "duration")]
    pub start: Field<Raw>,
    /// What they do, at least one.
    pub journeys: Field<Vec<Field<Journey>>>,
}

/// What a user does.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "steps"]))]
pub struct Journey {
    /// Its name: letters, digits and underscores.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_]+$"))]
    pub id: Field<String>,
    /// Its share of the users, relative to the others; 1 when left out.
    #[schemars(range(min = 1))]
    pub weight: Field<u64>,
    /// In order, then again; at least one.
    pub steps: Field<Vec<Field<JourneyStep>>>,
}

/// One call of a journey, and the time that the user takes before the next.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["call"]))]
pub struct JourneyStep {
    /// Its name; the method when left out. Reports show it as `JOURNEY_STEP`.
    #[schemars(extend("pattern" = "^[A-Za-z0-9_]+$"))]
    pub id: Field<String>,
    /// A method of `service`, or `pkg.Service/Method`.
    pub call: Field<String>,
    /// The feeder whose values the request reads as `${{ feed }}`. Each user begins at another value.
    pub feed: Field<String>,
    /// Maps with the same keys, read as `${{ variant.KEY }}`: one request for each, and with `feed` one for each value and
    /// each variant, in turn.
    #[schemars(schema_with = "rows")]
    pub variants: Field<Vec<Field<Raw>>>,
    /// One message.
    #[schemars(schema_with = "message")]
    pub request: Field<Raw>,
    /// A client stream: a list of messages, or `{ repeat: 1000, item: { … ${{ index }} … } }`.
    #[schemars(schema_with = "requests")]
    pub requests: Field<Raw>,
    /// Sent with the call; keys that end in `-bin` have base64 values.
    #[schemars(schema_with = "map_of_anything")]
    pub metadata: Field<Raw>,
    /// The statuses that count as success; `[OK]` when left out.
    #[schemars(schema_with = "codes")]
    pub accept: Field<Vec<Field<String>>>,
    /// When the client gives up, sent as `grpc-timeout` too: `10s` when left out.
    #[schemars(schema_with = "duration")]
    pub timeout: Field<Raw>,
    /// When the client has seen enough of a stream; left out: its end.
    pub until: Field<Until>,
    /// How long the user waits before the next step: a time, or `{ from, to }` for one that is drawn. None when left out.
    #[schemars(schema_with = "think")]
    pub think: Field<Raw>,
}

/// When the client has seen enough of a stream: one of both.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Until {
    /// So many messages.
    #[schemars(range(min = 1))]
    pub messages: Field<u64>,
    /// So long after it was opened.
    #[schemars(schema_with = "duration")]
    pub time: Field<Raw>,
}

/// "One leg is so many times faster than another."
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["text", "faster", "slower", "ratio"]))]
pub struct Claim {
    /// In its own words.
    pub text: Field<String>,
    /// The leg that is said to be faster.
    #[schemars(schema_with = "leg")]
    pub faster: Field<String>,
    /// The leg that is said to be slower.
    #[schemars(schema_with = "leg")]
    pub slower: Field<String>,
    /// How many times: from, to.
    #[schemars(schema_with = "ratio")]
    pub ratio: Field<Raw>,
}

/// How requests arrive: one of these. A rate is a number of requests a second, or a share such as `50%` of what the slowest
/// leg reaches at `saturation`. Stages: a list of `{ rate, for }` and `{ from, to, for }`.
#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "read by hand, since an expression may stand in its place; this is its schema"
)]
struct Arrivals {
    /// Open loop, evenly spaced.
    #[schemars(schema_with = "rate_or_stages")]
    constant: Field<Raw>,
    /// Open loop, as from many callers that do not know of each other.
    #[schemars(schema_with = "rate_or_stages")]
    poisson: Field<Raw>,
    /// Closed loop: so many calls are always in flight.
    #[schemars(schema_with = "count")]
    in_flight: Field<Raw>,
}

/// A time with one rate, or with a rate that changes evenly.
#[derive(JsonSchema)]
#[schemars(extend("required" = ["for"]))]
#[expect(dead_code, reason = "read by hand; this is its schema")]
struct Stage {
    /// The same rate all the time.
    #[schemars(schema_with = "rate")]
    rate: Field<Raw>,
    /// The rate at its begin.
    #[schemars(schema_with = "rate")]
    from: Field<Raw>,
    /// The rate at its end.
    #[schemars(schema_with = "rate")]
    to: Field<Raw>,
    /// How long.
    #[serde(rename = "for")]
    #[schemars(schema_with = "duration")]
    length: Field<Raw>,
}

/// How the rate at saturation is found.
#[derive(JsonSchema)]
#[schemars(extend("required" = ["in_flight"]))]
#[expect(dead_code, reason = "read by hand; this is its schema")]
struct Saturation {
    /// Calls in flight in a closed loop.
    #[schemars(schema_with = "count")]
    in_flight: Field<Raw>,
}

fn expression_scalar(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "\\$\\{\\{" })
}

fn or_expression(schema: Schema) -> Schema {
    json_schema!({ "anyOf": [schema, { "type": "string", "pattern": "\\$\\{\\{" }] })
}

fn arrivals(generator: &mut SchemaGenerator) -> Schema {
    or_expression(generator.subschema_for::<Arrivals>())
}

fn saturation(generator: &mut SchemaGenerator) -> Schema {
    or_expression(generator.subschema_for::<Saturation>())
}

fn feeders(generator: &mut SchemaGenerator) -> Schema {
    let feeder = generator.subschema_for::<Feeder>();
    json_schema!({ "type": "object", "additionalProperties": feeder })
}

fn factors(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "array", "minItems": 1 } })
}

fn rows(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "object" }, "minItems": 1 })
}

fn rate(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string" }] })
}

fn rate_or_stages(generator: &mut SchemaGenerator) -> Schema {
    let stage = generator.subschema_for::<Stage>();
    let rate = rate(generator);
    json_schema!({ "anyOf": [rate, { "type": "array", "items": stage, "minItems": 1 }] })
}

fn leg_names() -> Vec<&'static str> {
    crate::load::leg::Leg::ALL.into_iter().map(|leg| leg.name()).collect()
}

fn leg(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": leg_names() })
}

fn legs(generator: &mut SchemaGenerator) -> Schema {
    let leg = leg(generator);
    json_schema!({ "type": "array", "items": leg, "minItems": 1 })
}

fn decoding(_: &mut SchemaGenerator) -> Schema {
    or_expression(json_schema!({ "enum": ["off", "sampled", "full"] }))
}

fn think(generator: &mut SchemaGenerator) -> Schema {
    let time = duration(generator);
    json_schema!({ "anyOf": [time, {
        "type": "object",
        "properties": { "from": time, "to": time },
        "required": ["from", "to"],
        "additionalProperties": false
    }] })
}

fn codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": CODES }, "minItems": 1 })
}

fn objective(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": { "pattern": "^(errors|p[0-9]+(\\.[0-9]+)?)$" },
        "additionalProperties": { "type": "string" },
        "minProperties": 1
    })
}

fn ratio(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "number", "exclusiveMinimum": 0 }, "minItems": 2, "maxItems": 2 })
}
