//! What a run leaves on the target, counted before it starts and listed when it is over. The contract has no delete.

use super::{pattern::text_of, values};
use crate::{
    client::{Layer, Observation},
    scenario::{
        data::DataNode,
        expr::{Scope, Value},
        model::{Action, CallSpec, Requests, Scenario, Step, Template},
        source::Located,
    },
    schema::{DynMsg, FieldValue, Method},
};
use std::collections::{HashMap, HashSet};

/// Calls to these leave something behind: writing methods that say so in their name.
pub fn creates(method: &str) -> bool {
    let name = method.rsplit(['/', '.']).next().unwrap_or(method);
    ["Create", "Add", "Insert", "Import", "BulkImport", "BatchCreate"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

/// How much a count that only the run can tell is taken for.
const UNKNOWN_COUNT: u64 = 100;
/// More requests than this in one step are not compared but counted.
const MOST_LOOKED_AT: u64 = 100_000;

/// The most that one scenario can leave on one protocol: its set-up once, its steps for each row. Equal requests make one
/// thing; a request that only the run can tell makes one of its own.
pub fn estimate(scenario: &Scenario) -> u64 {
    let mut scope = some_run();
    set_vars(&scenario.vars, &mut scope);
    let mut made = Made::default();
    made.steps(&scenario.setup, &scope);
    if scenario.rows.is_empty() {
        made.steps(&scenario.steps, &scope);
    }
    for row in &scenario.rows {
        let mut scope = scope.clone();
        if let Ok(fields) = row.fields.value(&scope) {
            scope.set("row", fields);
        }
        set_vars(&scenario.vars, &mut scope);
        made.steps(&scenario.steps, &scope);
    }
    made.unknown.saturating_add(made.known.len() as u64)
}

/// The same for steps that run once.
pub fn estimate_once(vars: &[(Located<String>, Template)], steps: &[Step]) -> u64 {
    let mut scope = some_run();
    set_vars(vars, &mut scope);
    let mut made = Made::default();
    made.steps(steps, &scope);
    made.unknown.saturating_add(made.known.len() as u64)
}

fn some_run() -> Scope {
    let mut scope = Scope::default();
    scope.set(
        "run",
        values::map([("id", values::text("estimate")), ("protocol", values::text("grpc"))]),
    );
    scope
}

fn set_vars(templates: &[(Located<String>, Template)], scope: &mut Scope) {
    let mut vars: HashMap<String, Value> = HashMap::new();
    for (name, template) in templates {
        if let Ok(value) = template.value(scope) {
            vars.insert(name.value.clone(), value);
            scope.set("vars", Value::from(vars.clone()));
        }
    }
}

#[derive(Default)]
struct Made {
    /// Requests as text.
    known: HashSet<String>,
    unknown: u64,
}

impl Made {
    fn steps(&mut self, steps: &[Step], scope: &Scope) {
        for step in steps {
            match &step.action {
                Action::Call(call) => {
                    let repeats = call.repeat.as_ref().map_or(1, |repeat| count(&repeat.count, scope));
                    self.call(&call.spec, repeats, scope);
                }
                Action::Background(call) => {
                    let repeats = call.repeat.as_ref().map_or(1, |repeat| count(repeat, scope));
                    self.call(&call.spec, repeats, scope);
                    if let Some(ready) = &call.ready {
                        self.call(&ready.probe, 1, scope);
                    }
                }
                Action::Send { to, request } if opens_creating(steps, &to.value) => self.request(request, scope),
                Action::Send { .. } | Action::Wait(_) | Action::Close { .. } | Action::Cancel { .. } => {}
            }
            self.steps(&step.defer, scope);
        }
    }

    fn call(&mut self, spec: &CallSpec, repeats: u64, scope: &Scope) {
        if !creates(&spec.method.value) {
            return;
        }
        let rows = match &spec.requests {
            Requests::One(_) => 1,
            Requests::List(items) => items.len() as u64,
            Requests::Repeat { count: rows, .. } => count(rows, scope),
        };
        if repeats.saturating_mul(rows) > MOST_LOOKED_AT {
            self.unknown = self.unknown.saturating_add(repeats.saturating_mul(rows));
            return;
        }
        for index in 0..repeats {
            let scope = scope.with("index", Value::Int(index as i64));
            match &spec.requests {
                Requests::One(item) => self.request(item, &scope),
                Requests::List(items) => items.iter().for_each(|item| self.request(item, &scope)),
                Requests::Repeat { item, .. } => {
                    for row in 0..rows {
                        self.request(item, &scope.with("index", Value::Int(row as i64)));
                    }
                }
            }
        }
    }

    fn request(&mut self, item: &Template, scope: &Scope) {
        match item.render(scope) {
            Ok(data) => {
                self.known.insert(text_of(&data));
            }
            Err(_) => self.unknown = self.unknown.saturating_add(1),
        }
    }
}

/// Whether a background step of this name creates by what is sent on it.
fn opens_creating(steps: &[Step], name: &str) -> bool {
    steps.iter().any(|step| {
        let named = step.id.as_ref().is_some_and(|id| id.value == name);
        named && matches!(&step.action, Action::Background(call) if creates(&call.spec.method.value))
    })
}

fn count(template: &Template, scope: &Scope) -> u64 {
    match template.render(scope).map(|data| data.node) {
        Ok(DataNode::Int(count)) => u64::try_from(count).unwrap_or(0).min(1_000_000),
        _ => UNKNOWN_COUNT,
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scenario::{
        parse,
        source::SourceFile,
        suite::{EMBEDDED, Suite},
    };

    fn estimated(body: &str) -> u64 {
        let head = "version: 1\nid: x\nname: x\neffects: writes\nservice: inventory.InventoryService\n";
        estimate(&parse(SourceFile::new("x.yaml", format!("{head}{body}"))).unwrap())
    }

    #[test]
    fn equal_requests_make_one_thing() {
        let once = "steps:\n  - call: CreateProduct\n    repeat: 16\n    request: { sku: \"st-${{ run.id }}\" }\n";
        assert_eq!(estimated(once), 1);
        let each = "steps:\n  - call: CreateProduct\n    repeat: 16\n    request: { sku: \"st-${{ run.id }}-${{ index }}\" }\n";
        assert_eq!(estimated(each), 16);
        let bulk =
            "steps:\n  - call: BulkImport\n    requests: { repeat: 1000, item: { sku: \"s-${{ index / 100 }}\" } }\n";
        assert_eq!(estimated(bulk), 10);
        let rows = "setup:\n  - call: CreateProduct\n    request: { sku: shared }\nrows:\n  - { name: one, n: 1 }\n  - { name: two, n: 2 }\n\
                    steps:\n  - call: CreateProduct\n    repeat: \"${{ row.n }}\"\n    request: { sku: \"${{ row.name }}-${{ index }}\" }\n";
        assert_eq!(estimated(rows), 4);
    }

    #[test]
    fn the_built_in_suite_fits_the_default_limit() {
        let files: Vec<_> = EMBEDDED
            .iter()
            .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
            .collect();
        let suite = Suite::parse("embedded", &files).unwrap();
        let most: u64 = suite.scenarios.iter().map(|scenario| estimate(scenario)).sum();
        assert!((100..=500).contains(&most), "{most}");
    }
}
