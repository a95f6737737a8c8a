use super::*;
use crate::scenario::{
    model::{Action, CancelAfter, Connection, Law, Requests, TemplateNode},
    parse,
    source::SourceFile,
};

fn lowered(text: &str) -> Scenario {
    let header = "version: 1\nid: x\nname: x\neffects: writes\nservice: a.B\n";
    let shown = |errors: Vec<crate::scenario::error::ScenarioError>| {
        errors.iter().map(|error| error.render()).collect::<String>()
    };
    parse(SourceFile::new("x.yaml", format!("{header}{text}")))
        .map_err(shown)
        .unwrap()
}

#[test]
fn what_is_left_out_has_its_default() {
    let scenario = lowered(
        "steps:\n  - { id: w, call: W, background: true, ready: { probe: { call: P }, until: message.a == 1 } }\n  - { wait: w, until: message.a == 2 }\n  - { call: C, eventually: {} }\n",
    );
    assert_eq!(
        (scenario.level, scenario.timeout),
        (Level::Must, Duration::from_secs(20))
    );
    assert!(!scenario.exclusive && !scenario.odd_data && !scenario.guards_streams && scenario.rows.is_empty());
    assert_eq!(scenario.over, Over::Any);
    let [watch, wait, call] = scenario.steps.as_slice() else {
        panic!("three steps")
    };
    let Action::Background(background) = &watch.action else {
        panic!("a stream")
    };
    let ready = background.ready.as_ref().unwrap();
    assert_eq!(
        (ready.every, ready.within),
        (Duration::from_millis(250), Duration::from_secs(10))
    );
    assert!(!background.hold && !background.spec.undescribed && background.spec.connection == Connection::Shared);
    let Action::Wait(wait) = &wait.action else {
        panic!("a wait")
    };
    assert_eq!(
        (wait.within, wait.settle, wait.expect.len()),
        (Duration::from_secs(5), Duration::ZERO, 0)
    );
    let Action::Call(call) = &call.action else {
        panic!("a call")
    };
    let eventually = call.eventually.unwrap();
    assert_eq!(
        (eventually.within, eventually.every),
        (Duration::from_secs(5), Duration::from_millis(250))
    );
    assert!(
        call.expect.len() == 1 && call.expect[0].status.is_none(),
        "the status must be OK"
    );
    assert!(
        matches!(&call.spec.requests, Requests::One(message) if matches!(&message.node, TemplateNode::Map(fields) if fields.is_empty()))
    );
}

#[test]
fn every_key_of_a_call_arrives() {
    let scenario = lowered(
        "exclusive: true\nodd_data: true\nguards: streams\nlevel: should\nprotocols: [rest]\nsteps:\n  - id: c\n    call: pkg.S/M\n    undescribed: true\n    connection: fresh\n    deadline: 1m\n    metadata: { a-bin: AA== }\n    repeat: 3\n    concurrency: 2\n    cancel_after: { messages: 1 }\n    expect:\n      - { rule: get.stored, status: [OK, CANCELLED] }\n      - { count: { OK: \"${{ 1 + 1 }}\" }, assert: [results.size() == 3] }\n  - call: M\n    requests: { repeat: 5, item: { a: \"${{ index }}\" } }\n    cancel_after: 1s\n    snapshot: name\n",
    );
    assert!(scenario.exclusive && scenario.odd_data && scenario.guards_streams && scenario.level == Level::Should);
    assert_eq!(scenario.over, Over::Rest);
    let Action::Call(call) = &scenario.steps[0].action else {
        panic!("a call")
    };
    let spec = &call.spec;
    assert!(spec.undescribed && spec.connection == Connection::Fresh && spec.deadline == Some(Duration::from_secs(60)));
    assert_eq!(
        (spec.method.value.as_str(), spec.metadata[0].0.value.as_str()),
        ("pkg.S/M", "a-bin")
    );
    let repeat = call.repeat.as_ref().unwrap();
    assert!(matches!(repeat.count.node, TemplateNode::Int(3)) && repeat.concurrency == 2);
    assert!(matches!(call.cancel_after, Some(CancelAfter::Messages(1))));
    assert_eq!(call.expect[0].rule.as_ref().unwrap().value, "get.stored");
    assert_eq!(
        (call.expect[1].count[0].0.value.as_str(), call.expect[1].asserts.len()),
        ("OK", 1)
    );
    let Action::Call(call) = &scenario.steps[1].action else {
        panic!("a call")
    };
    assert!(matches!(call.spec.requests, Requests::Repeat { .. }) && call.snapshot.is_some());
    assert!(matches!(call.cancel_after, Some(CancelAfter::Elapsed(after)) if after == Duration::from_secs(1)));
}

#[test]
fn a_stream_is_judged_where_it_is_waited_for() {
    let scenario = lowered(
        "steps:\n  - { id: w, call: W, background: true, hold: true }\n  - { send: w, request: { a: 1 } }\n  - { close: w }\n  - wait: w\n    expect:\n      response: { n: 1 }\n      messages: { exactly: [], never: [message.a == 1, { b: 2 }], each: [{ c: 3 }] }\n  - { cancel: w }\n",
    );
    let Action::Background(background) = &scenario.steps[0].action else {
        panic!("a stream")
    };
    assert!(background.hold);
    assert!(matches!(&scenario.steps[1].action, Action::Send { to, .. } if to.value == "w"));
    assert!(matches!(&scenario.steps[2].action, Action::Close { step } if step.value == "w"));
    assert!(matches!(&scenario.steps[4].action, Action::Cancel { steps } if steps.len() == 1));
    let Action::Wait(wait) = &scenario.steps[3].action else {
        panic!("a wait")
    };
    assert!(wait.until.is_none() && wait.expect[0].response.is_some());
    let messages = wait.expect[0].messages.as_ref().unwrap();
    assert!(messages.exactly.as_ref().unwrap().value.is_empty() && messages.in_order.is_none());
    assert!(matches!(
        messages.never.iter().map(|law| &law.value).collect::<Vec<_>>()[..],
        [Law::Expr(_), Law::Pattern(_)]
    ));
    assert_eq!(messages.each.len(), 1);
}

#[test]
fn clean_up_reads_its_step_and_the_clean_up_before_it() {
    let scenario = lowered(
        "setup:\n  - id: p\n    call: C\n    defer:\n      - { id: now, call: G, request: { id: \"${{ p.response.id }}\" } }\n      - { call: U, request: { n: \"${{ -now.response.n }}\" } }\nsteps:\n  - call: G\n    request: { id: \"${{ p.response.id }}\" }\n",
    );
    assert_eq!(scenario.setup[0].defer.len(), 2);
}

#[test]
fn the_span_of_a_step_is_its_text() {
    let scenario = lowered("steps:\n  - id: p\n    call: C # comment\n  - { call: D }\n");
    let text = |at: usize| &scenario.source.text[scenario.steps[at].span.start..scenario.steps[at].span.end];
    assert_eq!((text(0), text(1)), ("id: p\n    call: C", "{ call: D }"));
}
