//! Steps that call in the foreground.

use super::{
    case::{CaseRun, Stop},
    engine::DEFAULT_DEADLINE,
    judge::{self, Judgement, Seen},
    mismatch::Mismatch,
    timeline::cut,
    values,
};
use crate::{
    client::{Arrival, Call, Layer, Observation, OpenCall, Protocol, collect},
    scenario::{
        data::{Data, DataNode},
        expr::{Scope, Value},
        model::{CallSpec, CallStep, CancelAfter, Connection, Eventually, Repeat, Requests, Step, Template},
    },
    schema::{DynMsg, Method, build},
};
use base64::Engine as _;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until};

/// A call with everything evaluated.
pub struct Prepared {
    /// The call.
    pub call: Call,
    /// Its requests.
    pub requests: Vec<DynMsg>,
}

/// More calls or messages than this in one step are refused.
const MOST: i128 = 1_000_000;

impl<'a> CaseRun<'a> {
    /// A foreground call, repeated or not.
    pub async fn call_step(&mut self, step: &'a Step, call: &'a CallStep, name: &str) -> Result<(), Stop> {
        match (&call.repeat, call.eventually) {
            (Some(repeat), _) => self.repeated(step, call, repeat, name).await,
            (None, Some(eventually)) => self.eventually(step, call, eventually, name).await,
            (None, None) => {
                let (judgement, roots) = self.once(step, call, name).await?;
                self.remember(step, &roots);
                self.conclude(name, judgement)
            }
        }
    }

    /// One call, judged. The roots of its answer are for `remember`.
    async fn once(
        &mut self,
        step: &'a Step,
        call: &'a CallStep,
        name: &str,
    ) -> Result<(Judgement, Vec<(&'static str, Value)>), Stop> {
        let prepared = match prepare(self, &call.spec, &self.scope) {
            Ok(prepared) => prepared,
            Err(mismatch) => return Err(self.fail(name, mismatch)),
        };
        let method = prepared.call.method.clone();
        let observation = self.perform(&prepared, call.cancel_after, name).await;
        self.acted |= observation.status.code.0 == 0;
        self.created.observe(&method, &prepared.requests, &observation);
        let cancels = call.cancel_after.is_some();
        let ours = cancels && judge::cancelled_by_us(&observation);
        if !ours && !self.engine.still_there(&observation).await {
            return Err(self.not_judged());
        }
        let roots = values::answer(&method, &observation);
        let mut scope = self.scope.clone();
        for (root, value) in &roots {
            scope.set(root, value.clone());
        }
        let answered = has_response(&method, &observation);
        self.count_judged(&method, &call.expect, None, answered);
        let mut judgement = judge::judge(
            &call.expect,
            &Seen {
                method: &method,
                scope: &scope,
                observation: Some(&observation),
                results: None,
                messages: &observation.messages,
                before_ready: 0,
                status_defaults_to_ok: true,
                cancels,
                step: step.span,
                answered: &[],
            },
        );
        judgement.mismatches.extend(ended_early(call, &observation, step));
        if !self.cleaning {
            judgement.mismatches.extend(self.engine.revision(&observation, step));
            self.notes.called(name, &method, &prepared.requests, &observation);
        }
        if judgement.mismatches.is_empty()
            && let Some(unapproved) = self.snapshot(call, &method, &observation, name)
        {
            self.unapproved.retain(|(step, _)| step != name);
            self.unapproved.push((name.to_owned(), unapproved));
        }
        Ok((judgement, roots))
    }

    /// Compares an answer that holds with the approved one.
    fn snapshot(
        &mut self,
        call: &CallStep,
        method: &Method,
        observation: &Observation,
        name: &str,
    ) -> Option<Mismatch> {
        let engine = self.engine.clone();
        let (snapshots, wanted) = (engine.snapshots.as_ref()?, call.snapshot.as_ref()?);
        let Some(response) = values::response(method, observation) else {
            return Some(Mismatch::new(
                wanted.span,
                "there is no response to compare with the approved one",
            ));
        };
        let key = format!("{}/{}", self.key, wanted.value);
        let differences = snapshots.compare(&key, self.notes.approvable(&response.to_json()));
        if differences.is_empty() {
            return None;
        }
        self.timeline.note(
            name,
            "answer",
            &format!("differs from the approved answer `{}`", wanted.value),
        );
        let mismatch = Mismatch::new(wanted.span, format!("the response differs from the approved `{key}`"));
        Some(
            differences
                .into_iter()
                .fold(mismatch, |mismatch, (label, text)| mismatch.detail(&label, cut(&text))),
        )
    }

    /// Sends and reads to the end, or to where the client cancels.
    pub async fn perform(&self, prepared: &Prepared, cancel_after: Option<CancelAfter>, name: &str) -> Observation {
        let Prepared { call, requests } = prepared;
        let text = match requests.as_slice() {
            [request] => request.to_short_text(),
            requests => format!("{} messages", requests.len()),
        };
        self.timeline
            .note(name, "call", &format!("{} {}", call.method.name, cut(&text)));
        let coverage = &self.engine.coverage;
        coverage.opened(self.protocol, &call.method, requests);
        let open = self.engine.client.open(call).await;
        let observation = match cancel_after {
            None => collect(open, requests.as_slice()).await,
            Some(limit) => cancelled(open, requests, limit).await,
        };
        coverage.closed(self.protocol, &call.method, &observation.messages, Some(&observation));
        self.timeline
            .note(name, "answer", &answer_text(&call.method, &observation));
        observation
    }

    /// Again until the expectations hold.
    async fn eventually(
        &mut self,
        step: &'a Step,
        call: &'a CallStep,
        limits: Eventually,
        name: &str,
    ) -> Result<(), Stop> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut judgement, roots) = self.once(step, call, name).await?;
            if judgement.mismatches.is_empty() || began.elapsed() + limits.every > limits.within {
                if let Some(last) = judgement.mismatches.last_mut() {
                    let text = format!("{tries} within {}", humantime::format_duration(limits.within));
                    last.details.push(("tries".to_owned(), text));
                }
                self.remember(step, &roots);
                return self.conclude(name, judgement);
            }
            sleep(limits.every).await;
        }
    }

    /// The same call many times, so many at once.
    async fn repeated(
        &mut self,
        step: &'a Step,
        call: &'a CallStep,
        repeat: &'a Repeat,
        name: &str,
    ) -> Result<(), Stop> {
        let count = match count(&repeat.count, &self.scope) {
            Ok(count) => count,
            Err(mismatch) => return Err(self.fail(name, mismatch)),
        };
        let mut prepared = Vec::with_capacity(count);
        for index in 0..count {
            let scope = self.scope.with("index", Value::Int(index as i64));
            match prepare(self, &call.spec, &scope) {
                Ok(ready) => prepared.push(ready),
                Err(mismatch) => return Err(self.fail(name, mismatch)),
            }
        }
        let began = Instant::now();
        let this = &*self;
        // Collected first: a stream of futures that borrow confuses the compiler's check for `Send`.
        let calls: Vec<_> = prepared
            .iter()
            .enumerate()
            .map(|(index, prepared)| async move { (index, this.perform(prepared, call.cancel_after, name).await) })
            .collect();
        let mut answers: Vec<(usize, Observation)> = stream::iter(calls)
            .buffer_unordered(repeat.concurrency.max(1))
            .collect()
            .await;
        answers.sort_by_key(|(index, _)| *index);
        let results: Vec<Observation> = answers.into_iter().map(|(_, observation)| observation).collect();
        let cancels = call.cancel_after.is_some();
        for (observation, prepared) in results.iter().zip(&prepared) {
            self.acted |= observation.status.code.0 == 0;
            self.created
                .observe(&prepared.call.method, &prepared.requests, observation);
        }
        // One attempt for all of them: a thousand answers that never came must not take a thousand attempts.
        let dropped = results.iter().find(|observation| {
            matches!(observation.layer, Layer::Transport | Layer::Client)
                && !(cancels && judge::cancelled_by_us(observation))
        });
        let there = match dropped {
            Some(dropped) => self.engine.still_there(dropped).await,
            None => self.engine.lost().is_none(),
        };
        if !there {
            return Err(self.not_judged());
        }
        let Some(method) = prepared.first().map(|prepared| prepared.call.method.clone()) else {
            return Err(self.fail(
                name,
                Mismatch::new(repeat.count.span, "no call was made: the count is 0"),
            ));
        };
        let roots = vec![
            ("results", values::results(&method, &results)),
            ("elapsed", values::duration(began.elapsed())),
        ];
        let mut scope = self.scope.clone();
        for (root, value) in &roots {
            scope.set(root, value.clone());
        }
        let answered = results.iter().any(|result| has_response(&method, result));
        self.count_judged(&method, &call.expect, None, answered);
        let mut judgement = judge::judge(
            &call.expect,
            &Seen {
                method: &method,
                scope: &scope,
                observation: None,
                results: Some(&results),
                messages: &[],
                before_ready: 0,
                status_defaults_to_ok: true,
                cancels,
                step: step.span,
                answered: &[],
            },
        );
        let early = results.iter().find_map(|result| ended_early(call, result, step));
        judgement.mismatches.extend(early);
        let broken = results
            .iter()
            .filter(|r| r.status.code.0 == 0)
            .find_map(|r| r.violations.first());
        judgement
            .mismatches
            .extend(broken.map(|v| Mismatch::new(step.span, format!("an answer breaks the protocol: {v}"))));
        // All are counted, one is shown.
        if !self.cleaning {
            let mut strangers = results
                .iter()
                .filter_map(|observation| self.engine.revision(observation, step));
            judgement.mismatches.extend(strangers.next());
            self.notes.repeated(name, &method, &results, repeat.concurrency > 1);
        }
        self.remember(step, &roots);
        self.conclude(name, judgement)
    }
}

/// Evaluates everything of a call.
pub fn prepare(run: &CaseRun<'_>, spec: &CallSpec, scope: &Scope) -> Result<Prepared, Mismatch> {
    let method = run.engine.method(run.scenario, &spec.method.value, spec.undescribed);
    let method = method.ok_or_else(|| Mismatch::new(spec.method.span, format!("no method `{}`", spec.method.value)))?;
    evaluate(method, spec, scope, run.protocol)
}

/// The same for a method that is known already.
pub fn evaluate(method: Method, spec: &CallSpec, scope: &Scope, protocol: Protocol) -> Result<Prepared, Mismatch> {
    let requests = match &spec.requests {
        Requests::One(template) => vec![message(&method, template, scope)?],
        Requests::List(templates) => templates
            .iter()
            .map(|t| message(&method, t, scope))
            .collect::<Result<_, _>>()?,
        Requests::Repeat { count: of, item } => {
            let indices = 0..count(of, scope)?;
            indices
                .map(|index| message(&method, item, &scope.with("index", Value::Int(index as i64))))
                .collect::<Result<_, _>>()?
        }
    };
    let mut metadata = Vec::new();
    for (key, template) in &spec.metadata {
        let text = match template.render(scope)?.node {
            DataNode::Str(text) => text,
            DataNode::Int(number) => number.to_string(),
            DataNode::Bool(flag) => flag.to_string(),
            _ => {
                return Err(Mismatch::new(
                    template.span,
                    format!("the metadata `{}` is no text", key.value),
                ));
            }
        };
        let bytes = if key.value.ends_with("-bin") {
            let decoded = base64::engine::general_purpose::STANDARD.decode(&text);
            decoded.map_err(|_| Mismatch::new(template.span, format!("the metadata `{}` is no base64", key.value)))?
        } else {
            text.into_bytes()
        };
        metadata.push((key.value.clone(), bytes));
    }
    let deadline = spec.deadline.unwrap_or(DEFAULT_DEADLINE);
    let fresh_connection = spec.connection == Connection::Fresh;
    Ok(Prepared {
        call: Call {
            method,
            protocol,
            metadata,
            deadline,
            fresh_connection,
            small_window: false,
        },
        requests,
    })
}

/// A request from its template.
pub fn message(method: &Method, template: &Template, scope: &Scope) -> Result<DynMsg, Mismatch> {
    let data: Data = template.render(scope)?;
    build(&method.input, &data).map_err(|errors| {
        let text = errors
            .iter()
            .map(|error| error.text.clone())
            .collect::<Vec<_>>()
            .join("; ");
        Mismatch::new(errors.first().map_or(template.span, |error| error.span), text)
    })
}

/// A count from its template.
pub fn count(template: &Template, scope: &Scope) -> Result<usize, Mismatch> {
    let data = template.render(scope)?;
    match data.node {
        DataNode::Int(count) if (0..=MOST).contains(&count) => Ok(count as usize),
        _ => Err(Mismatch::new(data.span, format!("expected a count from 0 to {MOST}"))),
    }
}

/// A stream that was to be cancelled after so many messages, and ended OK before.
fn ended_early(call: &CallStep, observation: &Observation, step: &Step) -> Option<Mismatch> {
    let Some(CancelAfter::Messages(limit)) = call.cancel_after else {
        return None;
    };
    let names_a_status = call.expect.iter().any(|e| e.status.is_some() || !e.count.is_empty());
    (observation.status.code.0 == 0 && !names_a_status).then(|| {
        let text = format!(
            "the call ended by itself after {} messages, before the client could cancel it after {limit}",
            observation.messages.len()
        );
        Mismatch::new(step.span, text)
    })
}

/// A call that the client ends by itself.
async fn cancelled(mut call: OpenCall, requests: &[DynMsg], limit: CancelAfter) -> Observation {
    let until = match limit {
        CancelAfter::Elapsed(limit) => Some(Instant::now() + limit),
        CancelAfter::Messages(_) => None,
    };
    let mut over = std::pin::pin!(async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    });
    for request in requests {
        // A target that reads nothing does not keep the client from giving up.
        let sent = tokio::select! {
            sent = call.send(request) => Some(sent),
            () = &mut over => None,
        };
        match sent {
            Some(Ok(())) => {}
            Some(Err(_)) => break,
            None => return call.cancel(),
        }
    }
    call.close();
    let mut messages = 0;
    loop {
        let arrival = tokio::select! {
            arrival = call.next() => Some(arrival),
            () = &mut over => None,
        };
        let Some(arrival) = arrival else { return call.cancel() };
        match arrival {
            Arrival::Headers(_) => {}
            Arrival::Message(_) => {
                messages += 1;
                if matches!(limit, CancelAfter::Messages(limit) if messages >= limit) {
                    return call.cancel();
                }
            }
            Arrival::End(observation) => return *observation,
        }
    }
}

/// Whether there is a message that expectations can be held against: beside a failure, only one of a stream.
fn has_response(method: &Method, observation: &Observation) -> bool {
    !observation.messages.is_empty() && (method.server_streaming || observation.status.code.0 == 0)
}

/// An answer in one line.
pub fn answer_text(method: &Method, observation: &Observation) -> String {
    let took = observation.elapsed.as_secs_f64() * 1e3;
    let status = observation.status.code;
    if observation.status.code.0 != 0 {
        return format!("{status} {:?} after {took:.1} ms", cut(&observation.status.message));
    }
    match (method.server_streaming, observation.messages.as_slice()) {
        (false, [message]) => format!("{status} {} after {took:.1} ms", cut(&message.value.to_short_text())),
        (_, messages) => format!("{status}, {} messages, after {took:.1} ms", messages.len()),
    }
}
