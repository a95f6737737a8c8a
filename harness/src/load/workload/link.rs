//! A workload against the descriptors of the target: methods, fields and types, and whether each leg can say each call;
//! before anything is sent.

use super::model::Workload;
use crate::{
    client::Protocol,
    load::leg::Leg,
    scenario::{
        error::{Problem, ScenarioError},
        model::{Action, CallSpec},
    },
    schema::{Method, Schema},
    verify::{
        engine::split_call,
        link::{Link, Subject},
    },
};

/// The methods of the operations, in their order; those that the target does not describe are left out.
pub fn methods(workload: &Workload, schema: &Schema) -> Vec<Method> {
    let specs = workload.operations.iter().map(|operation| &operation.spec);
    specs.filter_map(|spec| method(workload, schema, spec)).collect()
}

/// Everything that does not fit. `legs` are those that will run.
pub fn check(workload: &Workload, schema: &Schema, legs: &[Leg]) -> Vec<ScenarioError> {
    let mut link = Link::new(
        Subject {
            service: workload.service.as_ref(),
            effects: workload.effects,
            rules: &[],
        },
        schema,
    );
    for (_, template) in &workload.vars {
        link.expressions(template, None);
    }
    link.steps(&workload.setup);
    for step in &workload.setup {
        if let Action::Call(call) = &step.action
            && let Some(method) = method(workload, schema, &call.spec)
            && method.server_streaming
        {
            let text = format!("`{}` answers with a stream: set-up calls have one answer", method.name);
            link.problems.push(Problem::new(call.spec.method.span, text));
        }
    }
    for feeder in &workload.feeders {
        match &feeder.values {
            super::Values::Each(template) => link.expressions(template, None),
            super::Values::Rows(rows) => rows.iter().for_each(|row| link.expressions(row, None)),
            super::Values::Texts(..) => {}
        }
    }
    for watch in &workload.watches {
        let Some(method) = link.spec(&watch.spec) else { continue };
        if !method.server_streaming {
            let text = format!("`{}` answers with one message: only streams can stay open", method.name);
            link.problems.push(Problem::new(watch.spec.method.span, text));
        }
        if method.client_streaming {
            let text = format!("`{}` takes a stream of requests, and a watch sends one", method.name);
            link.problems.push(Problem::new(watch.spec.method.span, text));
        }
        link.problems.extend(unsayable(&method, &watch.spec, legs));
    }
    for operation in &workload.operations {
        for variant in &operation.variants {
            link.expressions(variant, None);
        }
        let Some(method) = link.spec(&operation.spec) else {
            continue;
        };
        if let Some(until) = &operation.until
            && !method.server_streaming
        {
            let text = format!("`{}` answers with one message: `until` is for streams", method.name);
            link.problems.push(Problem::new(until.span, text));
        }
        link.problems.extend(unsayable(&method, &operation.spec, legs));
    }
    let errors = link.problems.into_iter();
    errors
        .map(|problem| ScenarioError::new(&workload.source, problem))
        .collect()
}

/// The method of a call.
pub(crate) fn method(workload: &Workload, schema: &Schema, spec: &CallSpec) -> Option<Method> {
    let service = workload.service.as_ref().map(|service| service.value.as_str());
    let (service, name) = split_call(service, &spec.method.value)?;
    schema.method(&service, &name)
}

/// What keeps a call from the legs over REST.
fn unsayable(method: &Method, spec: &CallSpec, legs: &[Leg]) -> Option<Problem> {
    let over_rest: Vec<&str> = legs
        .iter()
        .filter(|leg| leg.protocol() == Protocol::Rest)
        .map(|leg| leg.name())
        .collect();
    if over_rest.is_empty() {
        return None;
    }
    let reason = method.no_rest()?;
    let text = format!("it cannot run on {}: {reason}", over_rest.join(", "));
    let help = "write `legs: [grpc]` or run with `--legs grpc`, or map the method with `--http-rules`";
    Some(Problem::new(spec.method.span, text).help(help))
}
