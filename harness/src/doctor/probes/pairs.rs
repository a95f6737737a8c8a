//! Writes and reads, each on a connection of its own: whether replicas share their state.

use super::super::evidence::Pairs;
use super::redact::Secrets;
use super::{Order, calls};
use crate::client::{Code, Observation};
use crate::schema::{DynMsg, FieldValue, Method, Schema};
use std::collections::BTreeSet;

/// Failures in a row after which the rest is not tried.
const ENOUGH: usize = 3;

/// Reads of each thing. With one, a balancer that takes replicas in turn could bring each read to the replica of its write.
const READS: usize = 2;

/// Creates so many products, and gets each of them on two other connections.
pub(super) async fn pairs(order: &Order, secrets: &Secrets, count: usize) -> Pairs {
    let mut seen = Pairs::default();
    let mut replicas = BTreeSet::new();
    let schema = Schema::built_in();
    let method = |name: &str| schema.method(inventory_contract::SERVICE, name);
    let (Some(create), Some(get)) = (method("CreateProduct"), method("GetProduct")) else {
        return seen;
    };
    let mut failures = 0;
    for n in 1..=count {
        if failures >= ENOUGH {
            break;
        }
        let sku = format!("st-{}-doctor-{n}", order.run_id);
        let product = serde_json::json!({
            "name": sku, "sku": sku, "category": format!("st-{}-doctor", order.run_id), "price": 1.0, "stock_quantity": 1,
        });
        let made = fresh(order, &create, &product).await;
        note(&made, secrets, &mut replicas);
        let Some(id) = id(&create, &made) else {
            failures += 1;
            fail(&mut seen, &made, secrets);
            continue;
        };
        seen.written += 1;
        seen.residue.push(sku);
        failures = 0;
        let mut lost = false;
        let mut ended = 0;
        for _ in 0..READS {
            let read = fresh(order, &get, &serde_json::json!({ "id": id })).await;
            note(&read, secrets, &mut replicas);
            match read.status.code {
                Code::OK => ended += 1,
                Code::NOT_FOUND => (ended, lost) = (ended + 1, true),
                _ => {
                    failures = 1;
                    fail(&mut seen, &read, secrets);
                }
            }
        }
        match (lost, ended) {
            (true, _) => seen.missed += 1,
            (false, READS) => seen.found += 1,
            // What half of the reads say is not enough to call it found.
            (false, _) => {}
        }
    }
    seen.replicas = replicas.into_iter().collect();
    seen
}

async fn fresh(order: &Order, method: &Method, request: &serde_json::Value) -> Observation {
    let call = calls::call(method, order.step, true);
    let message = DynMsg::from_proto_json(&method.input, &request.to_string()).map(|(message, _)| message);
    // The requests above are of the contract, whose types are built in.
    let message = message.unwrap_or_else(|_| method.input.new_message());
    calls::ask(&order.client, &call, message).await
}

fn id(create: &Method, made: &Observation) -> Option<String> {
    if made.status.code != Code::OK {
        return None;
    }
    let field = create.output.field("id")?;
    match made.messages.first()?.value.get(&field) {
        FieldValue::Str(id) if !id.is_empty() => Some(id),
        _ => None,
    }
}

fn note(seen: &Observation, secrets: &Secrets, replicas: &mut BTreeSet<String>) {
    const NAME: &str = "x-stocktake-replica";
    let replica = seen.headers.get(NAME).or_else(|| seen.trailers.get(NAME));
    replicas.extend(replica.map(|name| secrets.shown(name)));
}

/// Notes an end, each once.
fn fail(pairs: &mut Pairs, seen: &Observation, secrets: &Secrets) {
    let text = match seen.status.code {
        Code::OK => "CreateProduct answered OK without an id".to_owned(),
        code => format!("{code}: {}", secrets.shown(&seen.status.message)),
    };
    if !pairs.failed.contains(&text) {
        pairs.failed.push(text);
    }
}
