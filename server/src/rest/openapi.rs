//! The description of the REST side as OpenAPI 3.1, from the contract: its descriptors, their comments and
//! `inventory.http.yaml`. The text of the errors is the only thing that stands here.

mod schema;

use crate::error;
use inventory_contract::{HEARTBEAT_KEY, ROUTES, Route};
use prost::Message;
use prost_types::{FileDescriptorSet, MethodDescriptorProto};
use schema::{File, position};
use serde_json::{Map, Value, json};
use tonic::Code;

/// The details that errors carry (google/rpc/error_details.proto).
const DETAILS: [&str; 5] = [
    "ErrorInfo",
    "BadRequest",
    "PreconditionFailure",
    "QuotaFailure",
    "ResourceInfo",
];

/// Messages inside details.
const NESTED: [&str; 4] = [
    "BadRequest.FieldViolation",
    "PreconditionFailure.Violation",
    "QuotaFailure.Violation",
    "LocalizedMessage",
];

/// Every answer that is not 200: its component, HTTP status and text.
const ERRORS: [(&str, u16, &str); 10] = [
    (
        "Invalid",
        400,
        "INVALID_ARGUMENT: a parameter, header or body that is wrong; `BadRequest` names the field.",
    ),
    (
        "Refused",
        400,
        "INVALID_ARGUMENT: a parameter, header or body that is wrong; `BadRequest` names the field. FAILED_PRECONDITION: the \
         stock would fall below 0. OUT_OF_RANGE: the stock would exceed 2147483647.",
    ),
    (
        "Unauthenticated",
        401,
        "UNAUTHENTICATED: the server asks for a bearer token, and this is none of its own.",
    ),
    ("Forbidden", 403, "PERMISSION_DENIED: the token may read only."),
    ("NotFound", 404, "NOT_FOUND: no product has this id."),
    ("Exists", 409, "ALREADY_EXISTS: a product with this SKU exists."),
    (
        "NotJson",
        415,
        "INVALID_ARGUMENT: the body is not JSON by its content type.",
    ),
    (
        "Exhausted",
        429,
        "RESOURCE_EXHAUSTED: a message beyond the limit, or more than the service takes at once.",
    ),
    ("Failed", 500, "INTERNAL: the service failed."),
    (
        "Unavailable",
        503,
        "UNAVAILABLE: the service is shutting down or cannot be reached: try again.",
    ),
];

/// The deadline of a call has a text of its own.
const DEADLINE: (&str, u16, &str) = (
    "TooLate",
    504,
    "DEADLINE_EXCEEDED: the time in `grpc-timeout` has passed.",
);

const ABOUT: &str = "The inventory service over REST: the same methods as gRPC (`inventory.InventoryService`), in proto3 \
    JSON.\n\nNames go out in lowerCamelCase and may come in as the contract writes them, too. A field with its default value \
    (0, an empty text, an empty list) is left out of an answer: `required` there names the fields that never have it, so that \
    an empty page is `{\"page\":1,\"pageSize\":1}` and a product without `stockQuantity` is sold out. In a request, `required` \
    names the fields without which it is refused. Numbers may come in quotes, `null` is a default, a field that is unknown is refused. An error is a \
    `google.rpc.Status`, under the HTTP status of its code.";

const LINES: &str = "One `StockUpdate` as JSON on each line, as it happens; the headers come at once. A stream that ends \
    otherwise than by its client has a last line `{\"error\": Status}`: DEADLINE_EXCEEDED at the deadline, UNAVAILABLE when the \
    service shuts down, RESOURCE_EXHAUSTED for a reader that fell behind.";

const ROWS: &str = "One JSON object after the other, with any white space between them. A row that cannot be read ends the \
    import with 400; the rows before it were judged and the good ones stay. The import may have any length, a row that of a \
    message.";

/// The document, as JSON text.
pub fn document() -> Result<Vec<u8>, prost::DecodeError> {
    let contract = FileDescriptorSet::decode(inventory_contract::DESCRIPTORS)?;
    let google = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET)?;
    let contract: Vec<File> = contract.file.into_iter().map(File).collect();
    let google: Vec<File> = google.file.into_iter().map(File).collect();
    let mut text = serde_json::to_vec_pretty(&describe(&contract, &google)).unwrap_or_default();
    text.push(b'\n');
    Ok(text)
}

fn describe(contract: &[File], google: &[File]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas: Map<String, Value> = Map::new();
    for route in ROUTES {
        let Some((file, method, comment)) = contract.iter().find_map(|file| rpc(file, route.rpc)) else {
            continue;
        };
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.verb.to_lowercase()] = operation(file, route, method, &comment);
        let (request, reply) = (short(method.input_type()), short(method.output_type()));
        if route.body {
            schemas.extend(schema::request(file, request, &bound(route)).map(|schema| (request.to_owned(), schema)));
        }
        schemas.extend(schema::reply(file, reply).map(|schema| (reply.to_owned(), schema)));
    }
    for name in DETAILS.iter().chain(&NESTED) {
        let schema = google.iter().find_map(|file| schema::reply(file, name));
        schemas.extend(schema.map(|schema| ((*name).to_owned(), schema)));
    }
    for name in DETAILS {
        let of_type = json!({ "type": "string", "const": format!("type.googleapis.com/google.rpc.{name}") });
        if let Some(detail) = schemas.get_mut(name) {
            detail["properties"]["@type"] = of_type;
            detail["required"] = json!(["@type"]);
        }
    }
    schemas.insert("Status".to_owned(), status());

    let errors = ERRORS.iter().chain([&DEADLINE]).map(|(name, _, text)| {
        let content = json!({ "application/json": { "schema": reference("schemas", "Status") } });
        (
            (*name).to_owned(),
            json!({ "description": text, "headers": identity(), "content": content }),
        )
    });
    let errors: Map<String, Value> = errors.collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Inventory", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": "/" }],
        "security": [{}, { "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": errors,
            "parameters": {
                "Deadline": {
                    "name": "grpc-timeout",
                    "in": "header",
                    "description": "The time the call may take, as gRPC writes it: up to eight digits and a unit (H, M, S, m \
                        for milliseconds, u, n).",
                    "schema": { "type": "string", "pattern": "^[0-9]{1,8}[HMSmun]$" },
                    "example": "10S",
                },
                "Heartbeat": {
                    "name": HEARTBEAT_KEY,
                    "in": "header",
                    "description": "A pace of at least 100ms (units ms, s, m, h) at which a `StockUpdate` without a product \
                        and with the reason `heartbeat` is sent, so that no proxy takes the stream for idle.",
                    "schema": { "type": "string", "pattern": "^([1-9][0-9]{2,7}ms|[1-9][0-9]{0,4}[smh])$" },
                    "example": "60s",
                },
            },
            "headers": {
                "Revision": { "description": "The revision of the service that answered.", "schema": { "type": "string" } },
                "Replica": { "description": "The replica that answered.", "schema": { "type": "string" } },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "Where the server was started with tokens." },
            },
        },
    })
}

/// A method with its comment.
fn rpc<'a>(file: &'a File, name: &str) -> Option<(&'a File, &'a MethodDescriptorProto, String)> {
    let (service, methods) = position(&file.0.service, |service| {
        service.method.iter().any(|method| method.name() == name)
    })?;
    let (index, method) = position(&methods.method, |method| method.name() == name)?;
    Some((file, method, file.comment(&[6, service, 2, index])))
}

/// The fields that the path binds.
fn bound(route: &Route) -> Vec<&str> {
    let braces = route.path.split('{').skip(1);
    braces.filter_map(|part| part.split('}').next()).collect()
}

fn operation(file: &File, route: &Route, method: &MethodDescriptorProto, comment: &str) -> Value {
    let (request, reply) = (short(method.input_type()), short(method.output_type()));
    let (summary, description) = texts(comment);
    let mut operation = json!({ "operationId": route.rpc, "summary": summary });
    if !description.is_empty() {
        operation["description"] = json!(description);
    }
    operation["parameters"] = json!(parameters(file, route, method, request));
    let row = reference("schemas", request);
    if method.client_streaming() {
        let array = json!({ "type": "array", "items": row });
        let text = json!({ "schema": { "type": "string", "description": ROWS }, "x-item-schema": row });
        let content = json!({ "application/json": { "schema": array }, "application/x-ndjson": text });
        operation["requestBody"] = json!({ "required": false, "content": content });
    } else if route.body {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": row } } });
    }
    let answer = reference("schemas", reply);
    let (text, content) = if method.server_streaming() {
        let text = json!({ "schema": { "type": "string" }, "x-item-schema": answer });
        (LINES, json!({ "application/x-ndjson": text }))
    } else {
        ("As asked.", json!({ "application/json": { "schema": answer } }))
    };
    let mut responses = Map::new();
    responses.insert(
        "200".to_owned(),
        json!({ "description": text, "headers": identity(), "content": content }),
    );
    for (name, http, _) in ERRORS
        .iter()
        .chain([&DEADLINE])
        .filter(|(name, ..)| occurs(name, route))
    {
        responses.insert(http.to_string(), reference("responses", name));
    }
    operation["responses"] = Value::Object(responses);
    operation
}

fn parameters(file: &File, route: &Route, method: &MethodDescriptorProto, request: &str) -> Vec<Value> {
    let bound = bound(route);
    let mut parameters: Vec<Value> = bound
        .iter()
        .map(|name| {
            let schema = json!({ "type": "string", "minLength": 1 });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    if let Some((message, _)) = file.message(request)
        && !route.body
    {
        let query = message.field.iter().filter(|field| !bound.contains(&field.name()));
        parameters.extend(query.map(|field| {
            let schema = schema::parameter(file, request, field);
            json!({ "name": field.json_name(), "in": "query", "schema": schema })
        }));
    }
    parameters.push(reference("parameters", "Deadline"));
    if method.server_streaming() {
        parameters.push(reference("parameters", "Heartbeat"));
    }
    parameters
}

/// Whether an error can be the answer on this route.
fn occurs(error: &str, route: &Route) -> bool {
    let one = route.path.contains("{id}");
    match error {
        "Invalid" => !(one && route.body),
        "Refused" => one && route.body,
        "NotFound" => one,
        "Exists" => route.rpc == "CreateProduct",
        "NotJson" | "Forbidden" => route.body,
        _ => true,
    }
}

/// `google.rpc.Status` in JSON.
fn status() -> Value {
    let details: Vec<Value> = DETAILS.iter().map(|name| reference("schemas", name)).collect();
    let names: Vec<String> = (0..17)
        .map(Code::from_i32)
        .map(|code| format!("{} ({code:?}) is HTTP {}", i32::from(code), error::http(code)))
        .collect();
    json!({
        "type": "object",
        "description": "An error (google/rpc/status.proto).",
        "properties": {
            "code": {
                "type": "integer",
                "minimum": 1,
                "maximum": 16,
                "description": format!("The gRPC code: {}.", names[1..].join(", ")),
            },
            "message": { "type": "string", "description": "For people." },
            "details": { "type": "array", "items": { "anyOf": details }, "description": "For programs." },
        },
        "required": ["code", "message"],
        "additionalProperties": false,
    })
}

/// The headers of every answer.
fn identity() -> Value {
    json!({
        "x-stocktake-revision": reference("headers", "Revision"),
        "x-stocktake-replica": reference("headers", "Replica"),
    })
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn short(type_name: &str) -> &str {
    type_name.rsplit('.').next().unwrap_or(type_name)
}

/// The first sentence of a comment, and the rest, its rules as a list.
fn texts(comment: &str) -> (String, String) {
    let rule = |line: &&str| line.starts_with('[');
    let prose: Vec<&str> = comment.lines().filter(|line| !rule(line)).collect();
    let prose = prose.join("\n");
    let (summary, rest) = prose
        .split_once(". ")
        .or_else(|| prose.split_once(".\n"))
        .unwrap_or((&prose, ""));
    let mut description = rest.trim().to_owned();
    let rules: Vec<String> = comment
        .lines()
        .filter(rule)
        .filter_map(|line| line.strip_prefix('[')?.split_once("] "))
        .map(|(id, text)| format!("- `{id}` {text}"))
        .collect();
    if !rules.is_empty() {
        description.push_str("\n\n");
        description.push_str(&rules.join("\n"));
    }
    (
        summary.trim().trim_end_matches('.').replace('\n', " "),
        description.trim().to_owned(),
    )
}
