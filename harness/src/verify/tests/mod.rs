//! The judgement on observations made by hand, driven by small scenarios.

mod coverage;
mod fold;
mod judge;
mod link;
mod matrix;
mod pattern;
mod residue;
mod timeline;

use super::{
    judge::{Judgement, Seen},
    mismatch::Mismatch,
    values,
};
use crate::{
    client::{Code, HttpFacts, Layer, Message, Metadata, Observation, Protocol, Status},
    scenario::{
        self,
        data::Data,
        expr::Scope,
        model::{Action, CallStep, Expectation, Requests, Scenario},
        source::{SourceFile, Span},
    },
    schema::{DynMsg, Method, Schema, build},
};
use std::{sync::Arc, time::Duration};

/// A scenario of the inventory: `head` between its head and its steps.
pub fn scenario(head: &str, steps: &str) -> Arc<Scenario> {
    let text = format!(
        "version: 1\nid: one\nname: one\neffects: writes\nservice: inventory.InventoryService\n{head}\nsteps:\n{steps}\n"
    );
    Arc::new(parsed(&text))
}

pub fn parsed(text: &str) -> Scenario {
    scenario::parse(SourceFile::new("one.yaml", text))
        .unwrap_or_else(|errors| panic!("{}", errors.iter().map(|error| error.render()).collect::<String>()))
}

/// A YAML map as data: `{ id: x }`.
pub fn data(map: &str) -> Data {
    let scenario = scenario("", &format!("  - call: GetProduct\n    request: {map}"));
    let Action::Call(call) = &scenario.steps[0].action else {
        panic!("no call")
    };
    let Requests::One(template) = &call.spec.requests else {
        panic!("no request")
    };
    template.render(&Scope::default()).unwrap()
}

/// A message of the contract from a YAML map.
pub fn message(ty: &str, map: &str) -> DynMsg {
    build(&Schema::built_in().message_type(ty).unwrap(), &data(map)).unwrap()
}

pub fn method(name: &str) -> Method {
    Schema::built_in().method("inventory.InventoryService", name).unwrap()
}

/// An answer of the service with these messages, 10 ms apart.
pub fn answer(code: Code, messages: Vec<DynMsg>) -> Observation {
    let at = |index: usize| Duration::from_millis(10 * (index as u64 + 1));
    Observation {
        protocol: Protocol::Grpc,
        status: Status {
            code,
            message: if code == Code::OK {
                String::new()
            } else {
                "no".to_owned()
            },
            details: Vec::new(),
        },
        headers: Metadata::default(),
        trailers: Metadata::default(),
        messages: messages
            .into_iter()
            .enumerate()
            .map(|(index, value)| Message { value, at: at(index) })
            .collect(),
        http: HttpFacts {
            status: 200,
            ..HttpFacts::default()
        },
        layer: Layer::Application,
        violations: Vec::new(),
        elapsed: Duration::from_millis(100),
    }
}

/// The call step of a scenario whose `expect` is this.
pub fn with_call<T>(call: &str, look: impl FnOnce(&CallStep) -> T) -> T {
    let scenario = scenario("rules: [get.stored, create.timestamps-equal]", call);
    match &scenario.steps[0].action {
        Action::Call(call) => look(call),
        _ => panic!("no call"),
    }
}

/// `expect` of a unary call against an answer.
pub fn judged(name: &str, expect: &str, observation: &Observation) -> Judgement {
    let method = method(name);
    let mut scope = Scope::default();
    for (root, value) in values::answer(&method, observation) {
        scope.set(root, value);
    }
    with_call(&format!("  - call: {name}\n    expect: {expect}"), |call| {
        super::judge::judge(
            &call.expect,
            &Seen {
                method: &method,
                scope: &scope,
                observation: Some(observation),
                results: None,
                messages: &observation.messages,
                before_ready: 0,
                status_defaults_to_ok: true,
                cancels: false,
                step: Span::default(),
                answered: &[],
            },
        )
    })
}

/// `expect` of a repeated call against its answers.
pub fn judged_repeat(expect: &str, results: &[Observation]) -> Judgement {
    let method = method("GetProduct");
    let mut scope = Scope::default();
    scope.set("results", values::results(&method, results));
    let call = format!("  - call: GetProduct\n    repeat: 2\n    expect: {expect}");
    with_call(&call, |call| {
        super::judge::judge(
            &call.expect,
            &Seen {
                method: &method,
                scope: &scope,
                observation: None,
                results: Some(results),
                messages: &[],
                before_ready: 0,
                status_defaults_to_ok: true,
                cancels: false,
                step: Span::default(),
                answered: &[],
            },
        )
    })
}

/// `expect` of a `wait` against what has come on a stream, the first `before_ready` messages before it was ready.
pub fn judged_stream(expect: &str, stream: &Observation, ended: bool, before_ready: usize) -> Judgement {
    let method = method("WatchStockChanges");
    let mut scope = Scope::default();
    let after = stream.messages.get(before_ready..).unwrap();
    scope.set("messages", values::messages(after));
    let steps = format!(
        "  - id: w\n    call: WatchStockChanges\n    background: true\n  - wait: w\n    until: message.reason == \"x\"\n    expect: {expect}"
    );
    let scenario = scenario("rules: [watch.order]", &steps);
    let Action::Wait(wait) = &scenario.steps[1].action else {
        panic!("no wait")
    };
    let expectations: &[Expectation] = &wait.expect;
    super::judge::judge(
        expectations,
        &Seen {
            method: &method,
            scope: &scope,
            observation: ended.then_some(stream),
            results: None,
            messages: &stream.messages,
            before_ready,
            status_defaults_to_ok: false,
            cancels: false,
            step: Span::default(),
            answered: &[
                ("sale".to_owned(), Duration::from_millis(5)),
                ("fence".to_owned(), Duration::from_millis(25)),
            ],
        },
    )
}

/// `summary` with its details, a line each.
pub fn lines(mismatches: &[Mismatch]) -> Vec<String> {
    mismatches
        .iter()
        .flat_map(|mismatch| {
            let details = mismatch.details.iter().map(|(label, text)| format!("{label}: {text}"));
            std::iter::once(mismatch.summary.clone())
                .chain(details)
                .collect::<Vec<_>>()
        })
        .collect()
}
