//! `option (google.api.http)` of a method, read from the bytes of its options: so it does not matter whether the target
//! describes annotations.proto too.

use super::{Binding, Body, Template};
use crate::schema::{Method, Schema};
use prost::Message;
use std::sync::Arc;

/// `google.protobuf.MethodOptions`, as far as it is of interest.
#[derive(Clone, PartialEq, Message)]
struct MethodOptions {
    /// The extension `google.api.http` (google/api/annotations.proto).
    #[prost(message, optional, tag = "72295728")]
    http: Option<HttpRule>,
}

/// `google.api.HttpRule` (google/api/http.proto).
#[derive(Clone, PartialEq, Message)]
struct HttpRule {
    #[prost(oneof = "Pattern", tags = "2, 3, 4, 5, 6, 8")]
    pattern: Option<Pattern>,
    #[prost(string, tag = "7")]
    body: String,
    #[prost(message, repeated, tag = "11")]
    additional_bindings: Vec<HttpRule>,
    #[prost(string, tag = "12")]
    response_body: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Pattern {
    #[prost(string, tag = "2")]
    Get(String),
    #[prost(string, tag = "3")]
    Put(String),
    #[prost(string, tag = "4")]
    Post(String),
    #[prost(string, tag = "5")]
    Delete(String),
    #[prost(string, tag = "6")]
    Patch(String),
    #[prost(message, tag = "8")]
    Custom(Custom),
}

/// `google.api.CustomHttpPattern`.
#[derive(Clone, PartialEq, Message)]
struct Custom {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    path: String,
}

/// The bindings of a method; `None` where it has no such option. An error says what cannot be used.
pub(super) fn read(schema: &Schema, method: &Method) -> Result<Option<Arc<[Binding]>>, String> {
    let bytes = schema.options_of(method);
    let options = MethodOptions::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
    let Some(rule) = options.http else { return Ok(None) };
    let all = std::iter::once(&rule).chain(&rule.additional_bindings);
    let bindings = all.map(binding).collect::<Result<Vec<_>, String>>()?;
    for binding in &bindings {
        if let Some((_, text)) = binding.check(method).into_iter().next() {
            return Err(text);
        }
    }
    Ok(Some(bindings.into()))
}

fn binding(rule: &HttpRule) -> Result<Binding, String> {
    let (verb, path) = match &rule.pattern {
        Some(Pattern::Get(path)) => ("GET", path),
        Some(Pattern::Put(path)) => ("PUT", path),
        Some(Pattern::Post(path)) => ("POST", path),
        Some(Pattern::Delete(path)) => ("DELETE", path),
        Some(Pattern::Patch(path)) => ("PATCH", path),
        // Any method will do for a server; a client has to choose one.
        Some(Pattern::Custom(custom)) if custom.kind == "*" => ("POST", &custom.path),
        Some(Pattern::Custom(custom)) => (custom.kind.as_str(), &custom.path),
        None => return Err("it has no path".to_owned()),
    };
    Ok(Binding {
        verb: verb.to_owned(),
        path: Template::parse(path)?,
        body: match rule.body.as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            field => Body::Field(field.to_owned()),
        },
        response_body: Some(rule.response_body.clone()).filter(|field| !field.is_empty()),
    })
}
