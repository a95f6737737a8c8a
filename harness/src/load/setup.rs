//! The calls before the clock starts.

use super::workload::{Workload, link};
use crate::{
    client::{Client, Layer, Observation, Protocol, collect},
    scenario::{
        error::{Problem, ScenarioError},
        expr::{Scope, Value},
        model::{Action, CallSpec, CallStep, Step},
    },
    schema::{Method, Schema},
    verify::{
        calls::{self, evaluate},
        mismatch::Mismatch,
        residue::Created,
        values,
    },
};
use futures_util::{StreamExt, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::time::Instant;

/// Why the set-up could not be done.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A call did not end OK.
    #[error("set-up `{step}`: {text}")]
    Call {
        /// The step's id, or its method.
        step: String,
        /// Which call, how it ended.
        text: String,
        /// Whether the target answered at all, or somebody else, or nobody.
        layer: Layer,
    },
    /// A request could not be made of what came back before.
    #[error("{}", .0.render().trim_start_matches("error: ").trim_end())]
    Request(Box<ScenarioError>),
}

/// Runs the set-up over a protocol. `scope` holds `run` and `vars`, and then the results; `created` is filled on the way, so
/// that it is right when this is dropped or fails.
///
/// # Errors
/// The first call that does not end OK, or cannot be made.
pub async fn setup(
    workload: &Workload,
    client: &Client,
    schema: &Schema,
    protocol: Protocol,
    scope: &mut Scope,
    created: &mut Created,
) -> Result<(), SetupError> {
    let run = Run {
        workload,
        client,
        schema,
        protocol,
    };
    for step in &workload.setup {
        if let Action::Call(call) = &step.action {
            let result = run.step(step, call, scope, created).await?;
            if let Some(id) = &step.id {
                scope.set(&id.value, result);
            }
        }
    }
    Ok(())
}

/// The protocol of the set-up: gRPC where one of the legs speaks it, else REST.
pub fn protocol(legs: &[super::leg::Leg]) -> Protocol {
    match legs.is_empty() || legs.iter().any(|leg| leg.protocol() == Protocol::Grpc) {
        true => Protocol::Grpc,
        false => Protocol::Rest,
    }
}

struct Run<'a> {
    workload: &'a Workload,
    client: &'a Client,
    schema: &'a Schema,
    protocol: Protocol,
}

impl Run<'_> {
    /// One step, repeated or not; what later expressions read of it.
    async fn step(
        &self,
        step: &Step,
        call: &CallStep,
        scope: &Scope,
        created: &mut Created,
    ) -> Result<Value, SetupError> {
        let spec = &call.spec;
        let method = link::method(self.workload, self.schema, spec).ok_or_else(|| {
            let text = format!("the target describes no method `{}`", spec.method.value);
            self.refuse(&Mismatch::new(spec.method.span, text))
        })?;
        let name = step.id.as_ref().map_or(method.name.as_str(), |id| id.value.as_str());
        let Some(repeat) = &call.repeat else {
            let all = self.calls(name, &method, spec, vec![scope.clone()], 1, created).await?;
            let roots = all.first().map(|answer| values::answer(&method, answer));
            return Ok(values::step(&roots.unwrap_or_default()));
        };
        let count = calls::count(&repeat.count, scope).map_err(|mismatch| self.refuse(&mismatch))?;
        if count == 0 {
            return Err(self.refuse(&Mismatch::new(
                repeat.count.span,
                "no call would be made: the count is 0",
            )));
        }
        let scopes = (0..count)
            .map(|index| scope.with("index", Value::Int(index as i64)))
            .collect();
        let began = Instant::now();
        let all = self
            .calls(name, &method, spec, scopes, repeat.concurrency, created)
            .await?;
        Ok(values::step(&[
            ("results", values::results(&method, &all)),
            ("elapsed", values::duration(began.elapsed())),
        ]))
    }

    /// One call for each scope, so many at once; in their order. No call begins after one has failed.
    async fn calls(
        &self,
        name: &str,
        method: &Method,
        spec: &CallSpec,
        scopes: Vec<Scope>,
        at_once: usize,
        created: &mut Created,
    ) -> Result<Vec<Observation>, SetupError> {
        let mut prepared = Vec::with_capacity(scopes.len());
        for scope in &scopes {
            let made = evaluate(method.clone(), spec, scope, self.protocol);
            prepared.push(made.map_err(|mismatch| self.refuse(&mismatch))?);
        }
        let failed = AtomicBool::new(false);
        let stop = &failed;
        // Collected first: a stream of futures that borrow confuses the compiler's check for `Send`.
        let calls: Vec<_> = prepared
            .iter()
            .enumerate()
            .map(|(index, made)| async move {
                if stop.load(Ordering::Relaxed) {
                    return None;
                }
                let open = self.client.open(&made.call).await;
                let observation = collect(open, made.requests.clone()).await;
                if observation.status.code.0 != 0 {
                    stop.store(true, Ordering::Relaxed);
                }
                Some((index, observation))
            })
            .collect();
        let mut answers: Vec<(usize, Observation)> = Vec::with_capacity(calls.len());
        let mut running = stream::iter(calls).buffer_unordered(at_once.max(1));
        while let Some(answer) = running.next().await {
            let Some((index, observation)) = answer else { continue };
            if let Some(made) = prepared.get(index) {
                created.observe(method, &made.requests, &observation);
            }
            answers.push((index, observation));
        }
        answers.sort_by_key(|(index, _)| *index);
        match answers.iter().find(|(_, answer)| answer.status.code.0 != 0) {
            Some((index, answer)) => Err(SetupError::Call {
                step: name.to_owned(),
                text: ended(method, answer, *index, prepared.len()),
                layer: answer.layer,
            }),
            None => Ok(answers.into_iter().map(|(_, answer)| answer).collect()),
        }
    }

    fn refuse(&self, mismatch: &Mismatch) -> SetupError {
        let problem = Problem::new(mismatch.span, mismatch.summary.clone());
        SetupError::Request(Box::new(ScenarioError::new(&self.workload.source, problem)))
    }
}

/// "CreateProduct, call 17 of 100, ended UNAVAILABLE: connection refused".
fn ended(method: &Method, answer: &Observation, index: usize, of: usize) -> String {
    let which = match of {
        1 => String::new(),
        _ => format!(", call {} of {of},", index + 1),
    };
    let status = &answer.status;
    let message = match status.message.is_empty() {
        true => String::new(),
        false => format!(": {}", status.message),
    };
    format!("{}{which} ended {}{message}", method.name, status.code)
}
