//! What a run leaves on the target, counted before it starts and listed when it is over. The contract has no delete.

use crate::{
    client::Observation,
    scenario::model::{Action, Requests, Scenario, Step, Template, TemplateNode},
    schema::{DynMsg, FieldValue, Method},
};

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
    let setup: u64 = scenario.setup.iter().map(of_step).sum();
    let steps: u64 = scenario.steps.iter().map(of_step).sum();
    setup + steps * scenario.rows.len().max(1) as u64
}

fn of_step(step: &Step) -> u64 {
    match &step.action {
        Action::Call(call) if creates(&call.spec.method.value) => {
            let rows = match &call.spec.requests {
                Requests::One(_) => 1,
                Requests::List(items) => items.len() as u64,
                Requests::Repeat { count, .. } => literal(count),
            };
            rows * call.repeat.as_ref().map_or(1, |repeat| literal(&repeat.count))
        }
        _ => 0,
    }
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
        if observation.status.code.0 != 0 || method.server_streaming {
            return;
        }
        let Some(response) = observation.messages.first().map(|message| &message.value) else {
            return;
        };
        let Some(id) = text_field(response, "id") else {
            if creates(&method.name) && method.client_streaming && !requests.is_empty() {
                self.bulk.push(format!(
                    "up to {} things by {}, the first {}",
                    requests.len(),
                    method.name,
                    first_label(requests)
                ));
            }
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

    /// One line for each thing.
    pub fn lines(&self) -> Vec<String> {
        let things = self.things.iter().map(|thing| match thing.stock {
            Some(stock) => format!("{} {} (stock {stock})", thing.kind, thing.label),
            None => format!("{} {}", thing.kind, thing.label),
        });
        things.chain(self.bulk.iter().cloned()).collect()
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
