//! A stream on which nothing is said.

use super::super::evidence::{Evidence, Idle};
use super::redact::Secrets;
use super::{Order, calls, ms};
use crate::client::Arrival;
use crate::schema::{DynMsg, Schema};
use std::time::{Duration, Instant};
use tokio::time::{Instant as Moment, timeout_at};

/// How much longer than the silence its call may take.
const ROOM: Duration = Duration::from_secs(10);

/// Opens a stream and waits for so long. With the contract it is a watch of a category that nobody has, else that of health.
pub(super) async fn watch(
    order: &Order,
    secrets: &Secrets,
    (asked, contract): (Duration, bool),
    evidence: &mut Evidence,
) {
    let (service, name, request) = match contract {
        true => {
            let category = format!("st-{}-silent", order.run_id);
            let text = serde_json::json!({ "category": category }).to_string();
            (inventory_contract::SERVICE, "WatchStockChanges", text)
        }
        false => ("grpc.health.v1.Health", "Watch", "{}".to_owned()),
    };
    let schema = Schema::built_in();
    let Some(method) = schema.method(service, name) else {
        return;
    };
    let Ok((message, _)) = DynMsg::from_proto_json(&method.input, &request) else {
        return;
    };
    let call = calls::call(&method, asked + ROOM, true);
    let mut open = order.client.open(&call).await;
    // Where the peer is gone already, the end below says so.
    let _ = open.send(&message).await;
    open.close();
    let (until, mut last) = (Moment::now() + asked, Instant::now());
    let mut seen = Idle {
        method: method.full_name(),
        asked_ms: ms(asked),
        ..Idle::default()
    };
    while let Ok(arrival) = timeout_at(until, open.next()).await {
        match arrival {
            Arrival::Headers(_) | Arrival::Message(_) => last = Instant::now(),
            Arrival::End(end) => {
                seen.cut_after_ms = Some(ms(last.elapsed()));
                seen.status = end.status.code.name().to_owned();
                seen.message = secrets.shown(&end.status.message);
                seen.layer = calls::layer(end.layer).to_owned();
                seen.reset = end.http.reset.clone();
                break;
            }
        }
    }
    if seen.cut_after_ms.is_some() && seen.layer == "application" && !seen.message.contains("stream timeout") {
        evidence.left_out.push(format!(
            "a silent stream could not be tried: the service ended {} itself with {}",
            seen.method, seen.status
        ));
    }
    evidence.idle = Some(seen);
}
