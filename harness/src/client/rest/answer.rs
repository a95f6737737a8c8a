//! What JSON over REST means: a message, or the status of a call in one of the forms in which servers tell it.
//!
//! - `google.rpc.Status` itself, `{"code": 5, "message": …, "details": […]}`: the gateways (grpc-gateway, Envoy with
//!   `convert_grpc_status`) and this project's own service.
//! - `{"error": {"code": 404, "status": "NOT_FOUND", …}}`: Google's APIs (https://google.aip.dev/193#http11json-representation).
//! - `{"error": <google.rpc.Status>}` as the last element of a stream, and `{"result": <message>}` around the others:
//!   grpc-gateway.

use crate::client::outcome::plain;
use crate::client::{Code, Detail, Status};
use crate::schema::{DynMsg, MessageType};
use serde_json::{Map, Value};
use std::error::Error;

/// More is no error that a service tells.
pub(crate) const LONGEST_ERROR: usize = 1 << 20;

/// What one element of a stream is.
pub(crate) enum Meaning {
    /// A message, and what of it the type does not know.
    Message(DynMsg, Option<String>),
    /// The status that ends the call.
    Status(Status),
}

/// `application/json`, `application/x-ndjson`, `application/problem+json` and their kin.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.to_ascii_lowercase().contains("json")
}

/// A message, from the JSON of all of it or of one field.
pub(crate) fn decode(
    text: &[u8],
    ty: &MessageType,
    response_body: Option<&str>,
) -> Result<(DynMsg, Option<String>), String> {
    let text = std::str::from_utf8(text).map_err(|error| format!("it is no UTF-8: {error}"))?;
    let decoded = match response_body.and_then(|name| ty.field(name)) {
        Some(field) => DynMsg::from_proto_json(ty, &format!("{{\"{}\":{text}}}", field.json_name)),
        None => DynMsg::from_proto_json(ty, text),
    };
    decoded.map_err(|error| error.reason)
}

/// An element of a stream.
pub(crate) fn of_stream(text: &[u8], ty: &MessageType, response_body: Option<&str>) -> Result<Meaning, String> {
    let wrapped = |key: &str| {
        let is_field = response_body.is_none() && ty.field(key).is_some();
        (!is_field && first_key(text) == Some(key.as_bytes()))
            .then(|| only_value(text, key))
            .flatten()
    };
    if let Some(Value::Object(error)) = wrapped("error")
        && let Some(status) = status(&error, ty)
    {
        return Ok(Meaning::Status(status));
    }
    let (message, unknown) = match wrapped("result") {
        Some(result) => decode(result.to_string().as_bytes(), ty, response_body)?,
        None => decode(text, ty, response_body)?,
    };
    Ok(Meaning::Message(message, unknown))
}

/// The first key of an object, to look for a wrapper at no cost.
fn first_key(text: &[u8]) -> Option<&[u8]> {
    let inside = text
        .trim_ascii()
        .strip_prefix(b"{")?
        .trim_ascii_start()
        .strip_prefix(b"\"")?;
    let end = inside.iter().position(|byte| *byte == b'"')?;
    inside.get(..end)
}

/// The value of an object whose one key this is.
fn only_value(text: &[u8], key: &str) -> Option<Value> {
    match serde_json::from_slice(text).ok()? {
        Value::Object(mut object) if object.len() == 1 => object.remove(key),
        _ => None,
    }
}

/// The status in the body of an error; `types` for its details.
pub(super) fn of_error(body: &[u8], types: &MessageType) -> Option<Status> {
    status(&told(body)?, types)
}

/// The code alone of the status in the body of an error.
pub(crate) fn code_of_error(body: &[u8]) -> Option<Code> {
    code(&told(body)?)
}

/// The code of the status with which a stream ends, where this element of it is one.
pub(crate) fn code_in_stream(text: &[u8]) -> Option<Code> {
    if first_key(text) != Some(b"error") {
        return None;
    }
    match only_value(text, "error")? {
        Value::Object(error) => code(&error),
        _ => None,
    }
}

/// The object that tells a status, in any of its forms.
fn told(body: &[u8]) -> Option<Map<String, Value>> {
    let Value::Object(mut object) = serde_json::from_slice(body).ok()? else {
        return None;
    };
    match object.get_mut("error") {
        Some(Value::Object(error)) => Some(std::mem::take(error)),
        // grpc-gateway v1 repeats the message under `error`.
        _ => Some(object),
    }
}

fn code(object: &Map<String, Value>) -> Option<Code> {
    let by_name = || Code::from_name(object.get("status")?.as_str()?);
    let by_number = || {
        let number = u8::try_from(object.get("code")?.as_u64()?).ok()?;
        (1..=16).contains(&number).then_some(Code(number))
    };
    by_name().or_else(by_number)
}

fn status(object: &Map<String, Value>, types: &MessageType) -> Option<Status> {
    let code = code(object)?;
    let message = object.get("message").and_then(Value::as_str).unwrap_or_default();
    let details = object.get("details").and_then(Value::as_array);
    Some(Status {
        details: details
            .into_iter()
            .flatten()
            .filter_map(|any| detail(any, types))
            .collect(),
        ..plain(code, message.to_owned())
    })
}

/// An `Any` in JSON: the fields of its message beside `@type`.
fn detail(any: &Value, types: &MessageType) -> Option<Detail> {
    let mut fields = any.as_object()?.clone();
    let url = fields.shift_remove("@type")?;
    let type_name = url.as_str()?.rsplit('/').next()?.to_owned();
    let value = types.sibling(&type_name).and_then(|ty| {
        let json = match ty.has_own_json() {
            true => fields.shift_remove("value")?,
            false => Value::Object(fields),
        };
        DynMsg::from_proto_json(&ty, &json.to_string()).ok()
    });
    Some(Detail {
        type_name,
        value: value.map(|(value, _)| value),
    })
}

/// An HTTP status that does not go with a code
/// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
pub(super) fn wrong_http_status(http: u16, code: Code) -> Option<String> {
    let expected = match code {
        Code::INVALID_ARGUMENT | Code::FAILED_PRECONDITION | Code::OUT_OF_RANGE => 400,
        Code::UNAUTHENTICATED => 401,
        Code::PERMISSION_DENIED => 403,
        Code::NOT_FOUND => 404,
        Code::ALREADY_EXISTS | Code::ABORTED => 409,
        Code::RESOURCE_EXHAUSTED => 429,
        Code::CANCELLED => 499,
        Code::UNIMPLEMENTED => 501,
        Code::UNAVAILABLE => 503,
        Code::DEADLINE_EXCEEDED => 504,
        _ => 500,
    };
    (http != expected).then(|| format!("HTTP {http} for {code}, which is {expected}"))
}

/// The error of HTTP/2 behind one of hyper, where the peer or a rule of HTTP/2 ended the stream.
pub(super) fn reset(error: &hyper::Error) -> Option<&h2::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<h2::Error>() {
            return (error.is_reset() || error.is_go_away()).then_some(error);
        }
        source = cause.source();
    }
    None
}
