//! What a run leaves on the target, counted before it starts and listed when it is over. The contract has no delete.

use crate::{
    client::{Layer, Observation},
    scenario::model::{Action, CallSpec, Requests, Scenario, Step, Template, TemplateNode},
    schema::{DynMsg, FieldValue, Method},
};
use std::time::Duration;

/// Calls to these leave something behind: writing methods that say so in their name.
pub fn creates(method: &str) -> bool {
    let name = method.rsplit(['/', '.']).next().unwrap_or(method);
    ["Create", "Add", "Insert", "Import", "BulkImport", "BatchCreate"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

/// The most that one scenario can leave on one protocol: its set-up once, its steps for each row. A repeat whose count
/// is computed counts as 100.
pub fn estimate(scenario: &Scenario) -> u64 {
    let setup = of_steps(&scenario.setup);
    let steps = of_steps(&scenario.steps);
    setup.saturating_add(steps.saturating_mul(scenario.rows.len().max(1) as u64))
}

fn of_steps(steps: &[Step]) -> u64 {
    let creating = |name: &str| {
        steps.iter().any(|step| {
            let named = step.id.as_ref().is_some_and(|id| id.value == name);
            named && matches!(&step.action, Action::Background(call) if creates(&call.spec.method.value))
        })
    };
    let of_step = |step: &Step| {
        let own = match &step.action {
            Action::Call(call) => {
                let tries = call.eventually.map_or(1, |limits| tries(limits.within, limits.every));
                let repeats = call.repeat.as_ref().map_or(1, |repeat| literal(&repeat.count));
                of_call(&call.spec).saturating_mul(repeats).saturating_mul(tries)
            }
            Action::Background(call) => {
                let repeats = call.repeat.as_ref().map_or(1, literal);
                let probes = call.ready.as_ref().map_or(0, |ready| {
                    of_call(&ready.probe).saturating_mul(tries(ready.within, ready.every))
                });
                of_call(&call.spec).saturating_mul(repeats).saturating_add(probes)
            }
            Action::Send { to, .. } => u64::from(creating(&to.value)),
            Action::Wait(_) | Action::Close { .. } | Action::Cancel { .. } => 0,
        };
        own.saturating_add(of_steps(&step.defer))
    };
    steps.iter().map(of_step).fold(0, u64::saturating_add)
}

fn of_call(spec: &CallSpec) -> u64 {
    if !creates(&spec.method.value) {
        return 0;
    }
    match &spec.requests {
        Requests::One(_) => 1,
        Requests::List(items) => items.len() as u64,
        Requests::Repeat { count, .. } => literal(count),
    }
}

/// How often something happens at a pace, the first time at once.
fn tries(within: Duration, every: Duration) -> u64 {
    u64::try_from(within.as_nanos() / every.as_nanos().max(1)).map_or(u64::MAX, |times| times.saturating_add(1))
}

fn literal(count: &Template) -> u64 {
    match &count.node {
        TemplateNode::Int(count) => u64::try_from(*count).unwrap_or(0),
        TemplateNode::Expr(expr) => expr.text.trim().parse().unwrap_or(100),
        _ => 100,
    }
}

/// The things that a case has created, as far as answers told of them.
#[derive(Clone, Debug, Default)]
pub struct Created {
    things: Vec<Thing>,
    bulk: Vec<String>,
}

#[derive(Clone, Debug)]
struct Thing {
    kind: String,
    id: String,
    label: String,
    stock: Option<i64>,
}

impl Created {
    /// Takes note of an answer.
    pub fn observe(&mut self, method: &Method, requests: &[DynMsg], observation: &Observation) {
        if method.server_streaming {
            return;
        }
        let ok = observation.status.code.0 == 0;
        let response = observation
            .messages
            .first()
            .map(|message| &message.value)
            .filter(|_| ok);
        let Some((response, id)) = response.and_then(|response| Some((response, text_field(response, "id")?))) else {
            self.untold(method, requests, observation, response);
            return;
        };
        let stock = match response
            .message_type()
            .field("stock_quantity")
            .map(|field| response.get(&field))
        {
            Some(FieldValue::Int(stock)) => Some(stock),
            _ => None,
        };
        if let Some(thing) = self.things.iter_mut().find(|thing| thing.id == id) {
            thing.stock = stock;
        } else if creates(&method.name) {
            let full = response.message_type().full_name().to_owned();
            let kind = full.rsplit('.').next().unwrap_or(&full).to_lowercase();
            let label = ["sku", "name"]
                .iter()
                .find_map(|name| text_field(response, name))
                .unwrap_or_else(|| id.clone());
            self.things.push(Thing { kind, id, label, stock });
        }
    }

    /// What an answer does not tell of: rows of an import, which stay whatever its status says, and a create whose
    /// answer never came.
    fn untold(&mut self, method: &Method, requests: &[DynMsg], observation: &Observation, response: Option<&DynMsg>) {
        if !creates(&method.name) || requests.is_empty() {
            return;
        }
        let code = observation.status.code;
        let told = response.and_then(kept);
        let count = match (method.client_streaming, told) {
            (true, Some(0)) => return,
            (true, Some(1)) => "1 thing".to_owned(),
            (true, Some(kept)) => format!("{kept} things"),
            (true, None) => format!("up to {} things", requests.len()),
            (false, _) if matches!(observation.layer, Layer::Transport | Layer::Client) => "perhaps 1 thing".to_owned(),
            (false, _) => return,
        };
        let ended = if code.0 == 0 {
            String::new()
        } else {
            format!(", which ended {code}")
        };
        let first = if method.client_streaming { ", the first " } else { ": " };
        self.bulk.push(format!(
            "{count} by {}{ended}{first}{}",
            method.name,
            first_label(requests)
        ));
    }

    /// One line for each thing.
    pub fn lines(&self) -> Vec<String> {
        let things = self.things.iter().map(|thing| match thing.stock {
            Some(stock) => format!("{} {} (stock {stock})", thing.kind, thing.label),
            None => format!("{} {}", thing.kind, thing.label),
        });
        things.chain(self.bulk.iter().cloned()).collect()
    }
}

/// How many rows an import says that it kept.
fn kept(response: &DynMsg) -> Option<u64> {
    let ty = response.message_type();
    let names = ["imported_count", "created_count", "inserted_count", "added_count"];
    match response.get(&names.iter().find_map(|name| ty.field(name))?) {
        FieldValue::Int(count) => u64::try_from(count).ok(),
        FieldValue::Uint(count) => Some(count),
        _ => None,
    }
}

fn text_field(message: &DynMsg, name: &str) -> Option<String> {
    match message.get(&message.message_type().field(name)?) {
        FieldValue::Str(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn first_label(requests: &[DynMsg]) -> String {
    requests
        .first()
        .and_then(|request| ["sku", "name", "id"].iter().find_map(|name| text_field(request, name)))
        .unwrap_or_else(|| "without a name".to_owned())
}
