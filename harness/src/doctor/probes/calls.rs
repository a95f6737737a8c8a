//! Calls: health, and one of the service that changes nothing.

use super::super::evidence::{Call as Seen, KEPT};
use super::ms;
use super::redact::Secrets;
use crate::client::{Call, Client, Layer, Observation, Protocol, collect};
use crate::schema::{DynMsg, FieldValue, Method, Schema};
use std::time::Duration;

/// Warm calls: the fastest of them is what a warm call takes.
const WARM: usize = 3;

/// A call of `Health/Check`, and what it said.
pub(super) struct Health {
    pub call: Seen,
    pub serving: Option<String>,
}

/// A call as the doctor makes it.
pub(super) fn call(method: &Method, deadline: Duration, fresh: bool) -> Call {
    Call {
        method: method.clone(),
        protocol: Protocol::Grpc,
        metadata: Vec::new(),
        deadline,
        fresh_connection: fresh,
        small_window: false,
    }
}

/// Sends one message and takes all that comes.
pub(super) async fn ask(client: &Client, call: &Call, message: DynMsg) -> Observation {
    let open = client.open(call).await;
    collect(open, [message]).await
}

/// `Health/Check` of the whole server.
pub(super) async fn health(client: &Client, secrets: &Secrets, deadline: Duration, fresh: bool) -> Health {
    let schema = Schema::built_in();
    let Some(method) = schema.method("grpc.health.v1.Health", "Check") else {
        // Well-known services are always there.
        return Health {
            call: Seen::default(),
            serving: None,
        };
    };
    let call = call(&method, deadline, fresh);
    let seen = ask(client, &call, method.input.new_message()).await;
    let status = method.output.field("status");
    let message = seen.messages.first().filter(|_| seen.status.code.name() == "OK");
    let value = message.zip(status).map(|(message, field)| message.value.get(&field));
    let serving = match value {
        Some(FieldValue::Enum(_, Some(name))) => Some(name),
        Some(FieldValue::Enum(number, None)) => Some(number.to_string()),
        _ => None,
    };
    Health {
        call: of(&call, &seen, secrets),
        serving,
    }
}

/// The fastest of some calls of `Health/Check` on the shared connection; the first where that one fails.
pub(super) async fn warm(client: &Client, secrets: &Secrets, deadline: Duration) -> Health {
    let mut best = health(client, secrets, deadline, false).await;
    for _ in 1..WARM {
        if best.call.layer != "application" {
            break;
        }
        let next = health(client, secrets, deadline, false).await;
        if next.call.status == best.call.status && next.call.took_ms < best.call.took_ms {
            best = next;
        }
    }
    best
}

/// One call of the service, with an empty request.
pub(super) async fn read(client: &Client, secrets: &Secrets, method: &Method, deadline: Duration) -> Seen {
    let call = call(method, deadline, false);
    let seen = ask(client, &call, method.input.new_message()).await;
    of(&call, &seen, secrets)
}

/// As evidence.
fn of(call: &Call, seen: &Observation, secrets: &Secrets) -> Seen {
    let value = |name: &str| seen.headers.get(name).or_else(|| seen.trailers.get(name));
    let mut headers: Vec<(String, String)> = KEPT
        .iter()
        .filter_map(|name| Some(secrets.header(name, value(name)?.as_bytes())))
        .collect();
    if let Some(kind) = &seen.http.content_type
        && !headers.iter().any(|(name, _)| name == "content-type")
    {
        headers.insert(0, secrets.header("content-type", kind.as_bytes()));
    }
    Seen {
        method: call.method.full_name(),
        status: seen.status.code.name().to_owned(),
        message: secrets.shown(&seen.status.message),
        layer: layer(seen.layer).to_owned(),
        http_status: seen.http.status,
        headers,
        reset: seen.http.reset.clone(),
        messages: seen.messages.len(),
        deadline_ms: ms(call.deadline),
        took_ms: ms(seen.elapsed),
    }
}

/// By name.
pub(super) fn layer(layer: Layer) -> &'static str {
    match layer {
        Layer::Application => "application",
        Layer::Proxy => "proxy",
        Layer::Transport => "transport",
        Layer::Client => "client",
    }
}
