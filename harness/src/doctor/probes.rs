//! Asks a target, layer by layer. Every wait has a deadline; nothing is written without being asked for.
//!
//! The order is that of the layers, with one exception: the first call comes before the plain GETs, because any request wakes a
//! service that is scaled to zero, and its start is to be seen on the call.

mod calls;
mod http;
mod idle;
mod pairs;
mod reach;
mod redact;
mod tap;
mod tls;

use super::evidence::{Call as CallSeen, Connection, ConnectionEnd, Evidence, Reflection};
use crate::client::{Client, ConnectError, Protocol};
use crate::schema::{Method, ReflectionError, Schema, reflect};
use redact::Secrets;
use std::time::{Duration, Instant};

/// What to ask.
pub struct Order {
    /// Whom, and how it is reached.
    pub client: Client,
    /// The descriptors that were given; `None`: those of the built-in contract.
    pub schema: Option<Schema>,
    /// For each step but the first call.
    pub step: Duration,
    /// For the first call.
    pub cold_start: Duration,
    /// How long a stream is to be silent; `None`: it is not asked.
    pub idle: Option<Duration>,
    /// How many things are written and read; 0: none.
    pub pairs: usize,
    /// The id in every name on the target.
    pub run_id: String,
}

/// Services that are named; more are left out.
const SERVICES: usize = 50;

/// Asks until everything was asked, or until `until` comes about: then its value is the second one, and the evidence what was
/// seen so far.
pub async fn examine<T>(order: &Order, until: impl Future<Output = T>) -> (Evidence, Option<T>) {
    let mut evidence = Evidence::default();
    let secrets = Secrets::of(&order.client.manner().metadata);
    let cut = tokio::select! {
        biased;
        () = walk(order, &secrets, &mut evidence) => None,
        why = until => Some(why),
    };
    secrets.redact(&mut evidence);
    (evidence, cut)
}

async fn walk(order: &Order, secrets: &Secrets, evidence: &mut Evidence) {
    let client = &order.client;
    let target = client.target();
    let manner = client.manner();
    evidence.target = target.to_string();
    evidence.host = target.host().to_owned();
    evidence.port = target.port();
    evidence.tls = target.is_tls();
    evidence.authority = manner.authority.clone();
    let (_, wanted) = wanted(order);
    evidence.wanted = wanted;

    let addresses = reach::name(evidence, target.host(), target.port(), order.step).await;
    let Some(address) = reach::tcp(evidence, &addresses, order.step).await else {
        return;
    };
    if let Some(secure) = &manner.secure {
        evidence.secure = Some(tls::handshake(address, secure, order.step).await);
    }
    let began = Instant::now();
    let probed = client.probe(Protocol::Grpc, order.step).await;
    evidence.connection = Some(Connection {
        end: probed.as_ref().err().map_or(ConnectionEnd::Http2, end_of),
        text: probed.as_ref().err().map(ConnectError::to_string).unwrap_or_default(),
        took_ms: ms(began.elapsed()),
    });
    let trusted = evidence.secure.as_ref().is_none_or(|secure| secure.error.is_none());
    let route = http::Route {
        address,
        manner: &manner,
        secrets,
        within: order.step,
    };
    if let Err(error) = probed {
        if trusted {
            evidence.http1 = Some(http::over_http1(&route).await);
        }
        // A peer of TLS tells of it by an alert, which is lost where it closes before it has read everything.
        let closed = matches!(error, ConnectError::Closed { .. } | ConnectError::SpeaksTls { .. });
        if closed && !target.is_tls() {
            evidence.tls_behind = tls::behind(address, target.host(), order.step).await;
        }
        return;
    }
    let first = calls::health(client, secrets, order.cold_start, true).await;
    evidence.serving = first.serving;
    evidence.first = Some(first.call);
    let (http2, http1, warm) = tokio::join!(
        http::over_http2(&route),
        http::over_http1(&route),
        calls::warm(client, secrets, order.step)
    );
    evidence.http2 = Some(http2);
    evidence.http1 = Some(http1);
    evidence.serving = warm.serving.or(evidence.serving.take());
    let silent = warm.call.status == "DEADLINE_EXCEEDED";
    evidence.health = Some(warm.call);
    if silent {
        evidence
            .left_out
            .push("reflection and a call of the service were not tried: no call is answered".to_owned());
        return;
    }
    evidence.reflection = Some(reflection(client, secrets, order.step).await);
    service(order, secrets, evidence).await;
}

/// The service's own calls.
async fn service(order: &Order, secrets: &Secrets, evidence: &mut Evidence) {
    let (method, wanted) = wanted(order);
    let listed = evidence
        .reflection
        .as_ref()
        .map(|found| found.services.as_slice())
        .unwrap_or_default();
    let known = listed.contains(&wanted);
    match method {
        // Another service describes itself: nothing is known of its methods that would be safe to call.
        _ if !listed.is_empty() && !known => {}
        None => evidence.left_out.push(format!(
            "`{wanted}` has no unary method that is known to change nothing: none of its calls was tried"
        )),
        Some(method) => evidence.real = Some(calls::read(&order.client, secrets, &method, order.step).await),
    }
    let contract = order.schema.is_none() && evidence.real.as_ref().is_some_and(CallSeen::is_ok);
    if let Some(asked) = order.idle {
        idle::watch(order, secrets, (asked, contract), evidence).await;
    }
    match (order.pairs, contract) {
        (0, _) => {}
        (_, false) => {
            let why = match &evidence.real {
                Some(_) if order.schema.is_none() => "a plain read did not succeed".to_owned(),
                _ => format!("they are those of `{}`", inventory_contract::SERVICE),
            };
            evidence
                .left_out
                .push(format!("writes and reads were not tried: {why}"));
        }
        (pairs, true) => evidence.pairs = Some(pairs::pairs(order, secrets, pairs).await),
    }
}

/// A method that changes nothing, and its service.
fn wanted(order: &Order) -> (Option<Method>, String) {
    let Some(schema) = &order.schema else {
        let service = inventory_contract::SERVICE.to_owned();
        return (Schema::built_in().method(&service, "ListProducts"), service);
    };
    let services = schema.services();
    let unary = |method: &Method| method.reads() && !method.client_streaming && !method.server_streaming;
    let found = services
        .iter()
        .find_map(|service| schema.service_methods(service).into_iter().find(unary));
    let service = found.as_ref().map(|method| method.service.clone());
    (found, service.or(services.into_iter().next()).unwrap_or_default())
}

async fn reflection(client: &Client, secrets: &Secrets, within: Duration) -> Reflection {
    let mut seen = Reflection::default();
    match reflect(client, within).await {
        Ok(schema) => {
            seen.services = schema.services();
            seen.services.truncate(SERVICES);
        }
        Err(ReflectionError::NotOffered { reason }) => seen.not_offered = Some(secrets.shown(&reason)),
        Err(error) => seen.error = Some(secrets.shown(&error.to_string())),
    }
    seen
}

fn end_of(error: &ConnectError) -> ConnectionEnd {
    match error {
        ConnectError::Name { .. } => ConnectionEnd::Name,
        ConnectError::Refused { .. } => ConnectionEnd::Refused,
        ConnectError::Unreachable { .. } => ConnectionEnd::Unreachable,
        ConnectError::NoTcp { .. } => ConnectionEnd::NoTcp,
        ConnectError::Silent { .. } => ConnectionEnd::Silent,
        ConnectError::Closed { .. } => ConnectionEnd::Closed,
        ConnectError::Http1 { .. } => ConnectionEnd::Http1,
        ConnectError::SpeaksTls { .. } => ConnectionEnd::SpeaksTls,
        ConnectError::SpeaksPlaintext { .. } => ConnectionEnd::SpeaksPlaintext,
        ConnectError::Foreign { .. } => ConnectionEnd::Foreign,
        ConnectError::UnknownIssuer { .. } => ConnectionEnd::UnknownIssuer,
        ConnectError::ClientCertificate { .. } => ConnectionEnd::ClientCertificate,
        ConnectError::WrongName { .. } => ConnectionEnd::WrongName,
        ConnectError::Expired { .. } => ConnectionEnd::Expired,
        ConnectError::Certificate { .. } => ConnectionEnd::Certificate,
        ConnectError::NoAlpn { .. } => ConnectionEnd::NoAlpn,
        ConnectError::Tls { .. } => ConnectionEnd::Tls,
        ConnectError::Http2 { .. } => ConnectionEnd::Http2Failed,
        ConnectError::Ca { .. }
        | ConnectError::Authority { .. }
        | ConnectError::OnlyHttp2 { .. }
        | ConnectError::NotHttp1 { .. }
        | ConnectError::NoAnswer { .. }
        | ConnectError::Http { .. } => ConnectionEnd::Other,
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
