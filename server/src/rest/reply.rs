//! What goes out: messages and errors as JSON.

use super::json::{Field, Json, Reply};
use crate::error;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetail, StatusExt};

/// The type of a message.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The type of the documentation.
pub const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The type of a stream: one JSON value on each line.
pub const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// A request that is not answered with what it asked for.
#[derive(Debug)]
pub struct Refusal {
    /// As gRPC would say it.
    pub status: Status,
    /// Where HTTP has a status of its own for this.
    pub http: Option<StatusCode>,
    /// The methods that the path has, where the request used another one.
    pub allow: Option<&'static str>,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Refusal {
        Refusal {
            status,
            http: None,
            allow: None,
        }
    }
}

impl Refusal {
    /// The answer.
    pub fn into_response(self) -> Response<Body> {
        let mut response = refused(&self.status);
        if let Some(http) = self.http {
            *response.status_mut() = http;
        }
        if let Some(allow) = self.allow {
            let headers = response.headers_mut();
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// A status as the whole answer: `google.rpc.Status` under the HTTP status of its code.
pub fn refused(status: &Status) -> Response<Body> {
    let mut response = respond(text(&Error(status)).into(), JSON);
    let http = StatusCode::from_u16(error::http(status.code()));
    *response.status_mut() = http.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // For the log, which has no header to read it from.
    response.extensions_mut().insert(status.code());
    if status.code() == Code::Unauthenticated {
        // RFC 9110 section 11.6.1 wants a challenge.
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    }
    response
}

/// A message as the whole answer.
pub fn message<T: Field>(message: &T) -> Response<Body> {
    respond(text(&Json(message)).into(), JSON)
}

/// A message as the whole answer, as often as a fault wants it.
pub fn repeated<T: Field>(message: &T, times: usize) -> Response<Body> {
    let text = text(&Json(message));
    let text = if times == 1 { text } else { text.repeat(times) };
    respond(text.into(), JSON)
}

/// A whole answer of this type. No cache may keep it: a read shows every update accepted before it.
pub fn respond(body: Bytes, content_type: HeaderValue) -> Response<Body> {
    with_type(Body::new(Full::from(body)), content_type)
}

/// A stream of lines, each to be passed on when it comes: nginx would else collect them.
pub fn stream(body: Body) -> Response<Body> {
    let mut response = with_type(body, LINES);
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    response
        .headers_mut()
        .insert(unbuffered, HeaderValue::from_static("no"));
    response
}

fn with_type(body: Body, content_type: HeaderValue) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A message as a line of a stream.
pub fn line<T: Field>(message: &T) -> Bytes {
    let mut text = text(&Json(message));
    text.push(b'\n');
    text.into()
}

/// The line that says why a stream ended: `{"error": …}`.
pub fn last_line(status: &Status) -> Bytes {
    let mut text = text(&Ended { error: Error(status) });
    text.push(b'\n');
    text.into()
}

#[derive(Serialize)]
struct Ended<'a> {
    error: Error<'a>,
}

/// JSON text on one line.
pub fn text(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    // A vector takes all that is written, and every name here is a string.
    if serde_json::to_writer(&mut text, value).is_err() {
        text.clear();
    }
    text
}

/// A status as `google.rpc.Status`.
pub struct Error<'a>(pub &'a Status);

impl Serialize for Error<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", &i32::from(self.0.code()))?;
        map.serialize_entry("message", self.0.message())?;
        let details = self.0.get_error_details_vec();
        if !details.is_empty() {
            map.serialize_entry("details", &Details(details))?;
        }
        map.end()
    }
}

struct Details(Vec<ErrorDetail>);

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for detail in &self.0 {
            match detail {
                ErrorDetail::ErrorInfo(info) => list.serialize_element(&Any("ErrorInfo", info))?,
                ErrorDetail::BadRequest(bad) => list.serialize_element(&Any("BadRequest", bad))?,
                ErrorDetail::PreconditionFailure(failure) => {
                    list.serialize_element(&Any("PreconditionFailure", failure))?;
                }
                ErrorDetail::QuotaFailure(failure) => list.serialize_element(&Any("QuotaFailure", failure))?,
                ErrorDetail::ResourceInfo(info) => list.serialize_element(&Any("ResourceInfo", info))?,
                // `error.rs` makes no other; a test goes through all that it makes.
                _ => {}
            }
        }
        list.end()
    }
}

/// A detail as `google.protobuf.Any` in JSON.
struct Any<'a, T>(&'static str, &'a T);

impl<T: Reply> Serialize for Any<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("@type", &format_args!("type.googleapis.com/google.rpc.{}", self.0))?;
        self.1.write(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        fault::Active,
        inventory::{InventoryError, Problem, Violation},
    };
    use serde_json::{Value, json};

    fn shown(error: &InventoryError) -> Value {
        serde_json::from_slice(&text(&Error(&error::status(error, Active::default())))).unwrap()
    }

    #[test]
    fn an_error_is_a_google_rpc_status_with_all_its_details() {
        let id = String::from("p");
        let info = |reason: &str| json!({ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "inventory" });
        let precondition = |text: &str| {
            let violation = json!({ "type": "STOCK", "subject": "product/p", "description": text });
            json!({ "@type": "type.googleapis.com/google.rpc.PreconditionFailure", "violations": [violation] })
        };
        let resource = |name: &str, text: &str| {
            json!({
                "@type": "type.googleapis.com/google.rpc.ResourceInfo",
                "resourceType": "inventory.Product",
                "resourceName": name,
                "description": text,
            })
        };
        let below = "a stock of 1 cannot change by -2: the result would be below 0";
        let above = "a stock of 1 cannot change by 2147483647: the result would be above 2147483647";
        let slow = "the reader of this watch is more than 4 updates or 4 MiB behind: watch again and read faster";
        let many = "all 4 watches that this replica allows are open: try again later or elsewhere";
        for (error, code, details) in [
            (
                InventoryError::Invalid(vec![Violation::new("sku", Problem::Empty)]),
                3,
                vec![
                    info("INVALID_FIELD"),
                    json!({
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        "fieldViolations": [{ "field": "sku", "description": "must not be empty" }],
                    }),
                ],
            ),
            (
                InventoryError::UnknownProduct { id: id.clone() },
                5,
                vec![info("PRODUCT_NOT_FOUND"), resource("p", "no product has this id")],
            ),
            (
                InventoryError::DuplicateSku { sku: "s".into() },
                6,
                vec![info("SKU_EXISTS"), resource("s", "a product with this SKU exists")],
            ),
            (
                InventoryError::Insufficient {
                    id: id.clone(),
                    stock: 1,
                    change: -2,
                },
                9,
                vec![info("INSUFFICIENT_STOCK"), precondition(below)],
            ),
            (
                InventoryError::Overflow {
                    id,
                    stock: 1,
                    change: i32::MAX,
                },
                11,
                vec![info("STOCK_OVERFLOW"), precondition(above)],
            ),
            (
                InventoryError::TooSlow { buffer: 4 },
                8,
                vec![
                    info("WATCH_TOO_SLOW"),
                    json!({
                        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                        "violations": [{ "subject": "watch", "description": slow }],
                    }),
                ],
            ),
            (
                InventoryError::TooManyWatches { most: 4 },
                8,
                vec![
                    info("TOO_MANY_WATCHES"),
                    json!({
                        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                        "violations": [{ "subject": "watch", "description": many }],
                    }),
                ],
            ),
            (InventoryError::ShuttingDown, 14, vec![info("SHUTTING_DOWN")]),
            (InventoryError::Store, 13, vec![info("STORE_FAILED")]),
        ] {
            let shown = shown(&error);
            assert_eq!(shown["code"], code);
            assert_eq!(shown["message"], error.to_string());
            let mut found = shown["details"].as_array().unwrap().clone();
            let by_type = |detail: &Value| detail["@type"].to_string();
            found.sort_by_key(by_type);
            let mut expected = details;
            expected.sort_by_key(by_type);
            assert_eq!(found, expected, "{error}");
        }
    }

    #[test]
    fn who_is_not_known_is_challenged() {
        let response = refused(&Status::unauthenticated("who are you?"));
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
    }
}
