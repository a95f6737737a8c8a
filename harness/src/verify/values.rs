//! What came back, as the values that expressions read. Pure.

use crate::{
    client::{Message, Metadata, Observation},
    scenario::expr::Value,
    schema::{DynMsg, Method},
};
use std::{collections::HashMap, sync::Arc, time::Duration};

/// A map with text keys.
pub fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::from(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect::<HashMap<String, Value>>(),
    )
}

/// A text.
pub fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

/// A list.
pub fn list(items: Vec<Value>) -> Value {
    Value::List(Arc::new(items))
}

/// A duration.
pub fn duration(duration: Duration) -> Value {
    Value::Duration(chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::MAX))
}

/// The response of a call that has one message: present only when the status is OK.
pub fn response(method: &Method, observation: &Observation) -> Option<DynMsg> {
    let one = !method.server_streaming && observation.status.code.0 == 0;
    one.then(|| observation.messages.first().map(|message| message.value.clone()))
        .flatten()
}

/// Messages in order of arrival.
pub fn messages(messages: &[Message]) -> Value {
    list(messages.iter().map(|message| message.value.to_cel()).collect())
}

/// `status`: code name, message and rich details (each its fields and `type`).
pub fn status(observation: &Observation) -> Value {
    let details = observation.status.details.iter().map(|detail| {
        let mut fields: HashMap<String, Value> = match detail.value.as_ref().map(DynMsg::to_cel) {
            Some(Value::Map(known)) => known
                .map
                .iter()
                .map(|(key, value)| (key.to_string(), value.clone()))
                .collect(),
            _ => HashMap::new(),
        };
        fields.insert("type".to_owned(), text(&detail.type_name));
        Value::from(fields)
    });
    map([
        ("code", text(observation.status.code.name())),
        ("message", text(&observation.status.message)),
        ("details", list(details.collect())),
    ])
}

/// `headers` or `trailers`: the values of a repeated key are joined by commas (RFC 9110 section 5.3).
pub fn metadata(metadata: &Metadata) -> Value {
    let mut joined: HashMap<String, String> = HashMap::new();
    for (key, value) in &metadata.0 {
        joined
            .entry(key.clone())
            .and_modify(|all| *all = format!("{all},{value}"))
            .or_insert_with(|| value.clone());
    }
    Value::from(
        joined
            .into_iter()
            .map(|(key, value)| (key, text(&value)))
            .collect::<HashMap<String, Value>>(),
    )
}

/// The roots that an answer adds to a scope: response (when there is one), messages, status, headers, trailers, http,
/// layer, elapsed.
pub fn answer(method: &Method, observation: &Observation) -> Vec<(&'static str, Value)> {
    let http = map([
        ("status", Value::Int(observation.http.status.into())),
        (
            "content_type",
            text(observation.http.content_type.as_deref().unwrap_or_default()),
        ),
        ("trailers_only", Value::Bool(observation.http.trailers_only)),
        ("reset", text(observation.http.reset.as_deref().unwrap_or_default())),
    ]);
    let mut roots = vec![
        ("messages", messages(&observation.messages)),
        ("status", status(observation)),
        ("headers", metadata(&observation.headers)),
        ("trailers", metadata(&observation.trailers)),
        ("http", http),
        ("layer", text(layer(observation))),
        ("elapsed", duration(observation.elapsed)),
    ];
    if let Some(response) = response(method, observation) {
        roots.push(("response", response.to_cel()));
    }
    roots
}

/// The name of the layer that answered.
pub fn layer(observation: &Observation) -> &'static str {
    match observation.layer {
        crate::client::Layer::Application => "application",
        crate::client::Layer::Proxy => "proxy",
        crate::client::Layer::Transport => "transport",
        crate::client::Layer::Client => "client",
    }
}

/// What a step leaves behind under its id: the roots of its answer as one map.
pub fn step(roots: &[(&'static str, Value)]) -> Value {
    Value::from(
        roots
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect::<HashMap<String, Value>>(),
    )
}

/// `results`: one map for each call of a `repeat`, in send order.
pub fn results(method: &Method, observations: &[Observation]) -> Value {
    let result = |observation: &Observation| {
        let mut fields = HashMap::from([
            ("status".to_owned(), status(observation)),
            ("elapsed".to_owned(), duration(observation.elapsed)),
        ]);
        if let Some(response) = response(method, observation) {
            fields.insert("response".to_owned(), response.to_cel());
        }
        if method.server_streaming {
            fields.insert("messages".to_owned(), messages(&observation.messages));
        }
        Value::from(fields)
    };
    list(observations.iter().map(result).collect())
}
