//! From a request message to the HTTP request that a rule makes of it: path, query and body.

use super::{Binding, Body, encode};
use crate::schema::{DynMsg, Field, FieldKind, FieldValue, Method, Scalar, json};

/// An HTTP request without what all requests have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The HTTP method.
    pub verb: String,
    /// Percent-encoded.
    pub path_and_query: String,
    /// JSON; the empty text of a client stream, whose messages are written as they come.
    pub body: Option<String>,
    /// The field of the response that the answer's body holds.
    pub response_body: Option<String>,
}

impl Method {
    /// The request for a message, by the first rule that can say it.
    ///
    /// # Errors
    /// What no rule can say, in the words of the first.
    pub fn http_request(&self, message: &DynMsg) -> Result<HttpRequest, String> {
        let mut refusal = None;
        for binding in self.http.iter().filter(|binding| binding.path.can_be_filled()) {
            match binding.request(message) {
                Ok(request) => return Ok(request),
                Err(reason) => refusal = refusal.or(Some(reason)),
            }
        }
        Err(refusal.unwrap_or_else(|| format!("no HTTP rule maps {}", self.full_name())))
    }

    /// The request of a client stream, whose messages are the elements of a JSON array.
    ///
    /// # Errors
    /// No rule maps the method.
    pub fn http_stream(&self) -> Result<HttpRequest, String> {
        let binding = self.http.iter().find(|binding| binding.path.can_be_filled());
        let binding = binding.ok_or_else(|| format!("no HTTP rule maps {}", self.full_name()))?;
        Ok(HttpRequest {
            verb: binding.verb.clone(),
            path_and_query: binding
                .path
                .fill(|_| Err("a client stream has no path of its own".to_owned()))?,
            body: Some(String::new()),
            response_body: binding.response_body.clone(),
        })
    }
}

/// What stands for a text in a path that is asked for to see whether anybody answers.
const NOBODY: &str = "stocktake-probe";

impl Method {
    /// A request that reads and has one answer, and whether its path is the same for everybody. `None` where the first rule
    /// is no GET, or the answer is a stream.
    pub fn reading_probe(&self) -> Option<(DynMsg, bool)> {
        let binding = self.http.first().filter(|binding| binding.verb == "GET")?;
        if self.client_streaming || self.server_streaming || self.no_rest().is_some() {
            return None;
        }
        let mut json = serde_json::json!({});
        for variable in binding.path.variables() {
            let (last, parents) = variable.field.split_last()?;
            let (mut place, mut ty) = (&mut json, self.input.clone());
            for parent in parents {
                let FieldKind::Message(inner) = ty.field(parent)?.kind else {
                    return None;
                };
                (place, ty) = (&mut place[parent.as_str()], inner);
            }
            if matches!(ty.field(last)?.kind, FieldKind::Scalar(Scalar::String)) {
                place[last.as_str()] = variable.sample(NOBODY).into();
            }
        }
        let request = DynMsg::from_proto_json(&self.input, &json.to_string()).ok()?.0;
        self.http_request(&request).ok()?;
        Some((request, binding.path.variables().next().is_none()))
    }
}

impl Binding {
    fn request(&self, message: &DynMsg) -> Result<HttpRequest, String> {
        let mut path = self.path.fill(|variable| in_path(message, &variable.field))?;
        let bound: Vec<&[String]> = self.path.variables().map(|v| v.field.as_slice()).collect();
        let rest = message.without(&bound);
        let mut query = Vec::new();
        let body = match &self.body {
            Body::Whole => Some(rest.to_proto_json()?),
            Body::None => {
                flatten(&rest, "", &mut query)?;
                None
            }
            Body::Field(name) => {
                let of_body = std::slice::from_ref(name);
                flatten(&rest.without(&[of_body]), "", &mut query)?;
                rest.field_to_proto_json(name)?
            }
        };
        for (at, (name, value)) in query.iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            encode(name, b"-_.~", &mut path);
            path.push('=');
            encode(value, b"-_.~", &mut path);
        }
        Ok(HttpRequest {
            verb: self.verb.clone(),
            path_and_query: path,
            body,
            response_body: self.response_body.clone(),
        })
    }
}

/// The text of a field for the path; that of an unset one is its default's.
fn in_path(message: &DynMsg, path: &[String]) -> Result<String, String> {
    let name = path.join(".");
    let mut message = message.clone();
    let Some((last, parents)) = path.split_last() else {
        return Err("a variable names a field".to_owned());
    };
    for parent in parents {
        let field = message.message_type().field(parent);
        message = match field.map(|field| message.get(&field)) {
            Some(FieldValue::Message(inner)) => inner,
            _ => return Err(format!("`{name}` is not set, and the path needs it")),
        };
    }
    let field = message.message_type().field(last);
    let value = field.map(|field| message.get(&field));
    value
        .and_then(|value| json::scalar_text(&value))
        .ok_or_else(|| format!("`{name}` cannot stand in a path"))
}

/// Set fields as parameters `a.b=c`, by JSON names; a repeated one comes several times.
fn flatten(message: &DynMsg, prefix: &str, out: &mut Vec<(String, String)>) -> Result<(), String> {
    for field in message.message_type().fields() {
        if message.has(&field) {
            let name = format!("{prefix}{}", field.json_name);
            parameter(message, &field, name, out)?;
        }
    }
    Ok(())
}

fn parameter(message: &DynMsg, field: &Field, name: String, out: &mut Vec<(String, String)>) -> Result<(), String> {
    let value = message.get(field);
    match (&field.kind, value) {
        (FieldKind::Message(ty), FieldValue::Message(inner)) if ty.has_own_json() => {
            // A timestamp or a wrapper is a text or a number in JSON; a struct is not.
            match serde_json::from_str(&inner.to_proto_json()?) {
                Ok(serde_json::Value::String(text)) => out.push((name, text)),
                Ok(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
                    out.push((name, value.to_string()));
                }
                _ => return Err(format!("`{name}` is a {}, which no query can say", ty.full_name())),
            }
        }
        (FieldKind::Message(_), FieldValue::Message(inner)) => {
            let before = out.len();
            flatten(&inner, &format!("{name}."), out)?;
            if out.len() == before {
                return Err(format!("`{name}` is an empty message, which no query can say"));
            }
        }
        (FieldKind::List(_), FieldValue::List(items)) => {
            for item in items {
                let text = json::scalar_text(&item);
                let text = text.ok_or_else(|| format!("`{name}` is a list of messages, which no query can say"))?;
                out.push((name.clone(), text));
            }
        }
        (FieldKind::Map(..), _) => return Err(format!("`{name}` is a map, which no query can say")),
        (_, value) => {
            let text = json::scalar_text(&value).ok_or_else(|| format!("no query can say `{name}`"))?;
            out.push((name, text));
        }
    }
    Ok(())
}
