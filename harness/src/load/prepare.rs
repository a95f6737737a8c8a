//! Requests of a workload, rendered and encoded before the clock starts. Pure.

use super::{
    exchange::{Answer, Enough, Exchange, MARK, MARK_PREFIX, Operation, Order, Prepared},
    leg::Leg,
    workload::{Cell, Feeder, OperationSpec, Values, Workload, link},
};
use crate::{
    client::{Protocol, frame::frame, request, rest::request as rest},
    scenario::{
        error::{Problem, ScenarioError},
        expr::{EvalError, Scope, Value},
        model::{CallSpec, Template},
        source::Span,
    },
    schema::{Method, Schema},
    verify::{
        calls::{self, evaluate},
        mismatch::Mismatch,
        values,
    },
};
use bytes::Bytes;
use http::{HeaderMap, header::TE};
use std::collections::HashMap;

/// Requests of one operation.
pub const MOST_EXCHANGES: usize = 100_000;
/// Bytes of all requests of a leg: bodies, paths and headers.
pub const MOST_BYTES: usize = 256 << 20;
/// Headers that a connection sets itself.
pub(super) const OF_HTTP: [&str; 6] = [
    "connection",
    "content-length",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// What every expression of a workload can read: `run` and `vars`; the set-up adds its results.
///
/// # Errors
/// The first variable that cannot be computed.
pub fn scope(workload: &Workload, run_id: &str) -> Result<Scope, ScenarioError> {
    let mut scope = Scope::default();
    scope.set("run", values::map([("id", values::text(run_id))]));
    let mut vars: HashMap<String, Value> = HashMap::new();
    scope.set("vars", Value::from(vars.clone()));
    for (name, template) in &workload.vars {
        let value = template.value(&scope).map_err(|error| of_eval(workload, &error))?;
        vars.insert(name.value.clone(), value);
        scope.set("vars", Value::from(vars.clone()));
    }
    Ok(scope)
}

/// Every request of a cell on a leg. `scope` holds `run`, `vars` and the results of the set-up; `metadata` goes with every
/// request (the value of a `-bin` key is raw bytes).
///
/// # Errors
/// The first request that cannot be made, at its place: an expression that fails, a value that does not fit its field, a
/// call that the leg cannot say, a mark that is not in the body, more requests or bytes than [`MOST_EXCHANGES`] and
/// [`MOST_BYTES`].
pub fn prepare(
    workload: &Workload,
    cell: &Cell,
    schema: &Schema,
    scope: &Scope,
    leg: Leg,
    metadata: &[(String, Vec<u8>)],
) -> Result<Prepared, ScenarioError> {
    let scope = scope.with("factor", cell.factor.clone());
    let mut preparing = Preparing {
        schema,
        workload,
        leg,
        metadata,
        bytes: 0,
        calls: Vec::new(),
    };
    let mut prepared = Prepared::default();
    for operation in &workload.operations {
        prepared.operations.push(preparing.operation(operation, &scope)?);
        preparing.calls.clear();
    }
    for (watch, count) in workload.watches.iter().zip(&cell.watches) {
        let method = preparing.method(&watch.spec)?;
        let answer = Answer::Stream { enough: Enough::ItsEnd };
        let mut exchange = preparing.exchange(&method, &watch.spec, &scope, answer, false)?;
        // It is open for as long as a round takes: a server that is told a deadline ends it then.
        exchange.headers.retain(|(name, _)| name != "grpc-timeout");
        prepared.watches.extend(std::iter::repeat_n(exchange, *count));
    }
    Ok(prepared)
}

/// The same requests as calls, for those who talk through `client`: by operation, each with what it says of itself. The calls
/// are as many as its exchanges, in their order.
///
/// # Errors
/// As [`prepare`].
pub fn calls(
    workload: &Workload,
    cell: &Cell,
    schema: &Schema,
    scope: &Scope,
    leg: Leg,
) -> Result<Vec<(Operation, Vec<calls::Prepared>)>, ScenarioError> {
    let scope = scope.with("factor", cell.factor.clone());
    let mut preparing = Preparing {
        schema,
        workload,
        leg,
        metadata: &[],
        bytes: 0,
        calls: Vec::new(),
    };
    let mut all = Vec::with_capacity(workload.operations.len());
    for operation in &workload.operations {
        let prepared = preparing.operation(operation, &scope)?;
        all.push((prepared, std::mem::take(&mut preparing.calls)));
    }
    Ok(all)
}

struct Preparing<'a> {
    workload: &'a Workload,
    schema: &'a Schema,
    leg: Leg,
    metadata: &'a [(String, Vec<u8>)],
    /// Of all requests so far.
    bytes: usize,
    /// Of the operation that is being prepared, as they were before they were encoded.
    calls: Vec<calls::Prepared>,
}

impl Preparing<'_> {
    fn operation(&mut self, operation: &OperationSpec, scope: &Scope) -> Result<Operation, ScenarioError> {
        let method = self.method(&operation.spec)?;
        let feeder = operation.feed.and_then(|at| self.workload.feeders.get(at));
        let feeds = match feeder {
            Some(feeder) => self.feed(feeder, scope)?.into_iter().map(Some).collect(),
            None => vec![None],
        };
        let mut variants = Vec::with_capacity(operation.variants.len());
        for variant in &operation.variants {
            let value = variant.value(scope).map_err(|error| of_eval(self.workload, &error))?;
            variants.push(Some(value));
        }
        if variants.is_empty() {
            variants.push(None);
        }
        let count = feeds.len().saturating_mul(variants.len());
        if count > MOST_EXCHANGES {
            let text = format!(
                "`{}` has {count} different requests, at most {MOST_EXCHANGES} can be prepared",
                operation.id.value
            );
            let problem = Problem::new(operation.id.span, text).help("feed it with fewer values");
            return Err(self.error(problem));
        }
        let answer = match (method.server_streaming, &operation.until) {
            (false, _) => Answer::Message,
            (true, until) => Answer::Stream {
                enough: until.as_ref().map_or(Enough::ItsEnd, |until| until.value),
            },
        };
        let mut scope = scope.clone();
        scope.set("mark", values::text(&placeholder()));
        let mut exchanges = Vec::with_capacity(count);
        for feed in &feeds {
            for variant in &variants {
                for (name, value) in [("feed", feed), ("variant", variant)] {
                    if let Some(value) = value {
                        scope.set(name, value.clone());
                    }
                }
                exchanges.push(self.exchange(&method, &operation.spec, &scope, answer, operation.marked)?);
            }
        }
        Ok(Operation {
            id: operation.id.value.clone(),
            weight: operation.weight,
            exchanges,
            order: feeder.map_or(Order::Sequential, |feeder| feeder.order),
            accepted: operation.accepted.clone(),
            timeout: operation.timeout,
        })
    }

    fn method(&self, spec: &CallSpec) -> Result<Method, ScenarioError> {
        link::method(self.workload, self.schema, spec).ok_or_else(|| {
            let text = format!("the target describes no method `{}`", spec.method.value);
            self.error(Problem::new(spec.method.span, text))
        })
    }

    /// The values of a feeder.
    fn feed(&self, feeder: &Feeder, scope: &Scope) -> Result<Vec<Value>, ScenarioError> {
        let evaluate = |template: &Template| template.value(scope).map_err(|error| of_eval(self.workload, &error));
        let values = match &feeder.values {
            Values::Each(template) => match evaluate(template)? {
                Value::List(items) => items.to_vec(),
                other => {
                    let text = format!(
                        "expected a list of values, found {}",
                        crate::scenario::expr::display(&other)
                    );
                    return Err(self.error(Problem::new(template.span, text)));
                }
            },
            Values::Rows(rows) => rows.iter().map(evaluate).collect::<Result<_, _>>()?,
            Values::Texts(keys, rows) => {
                let row = |row: &Vec<String>| {
                    let fields = keys.iter().cloned().zip(row.iter().map(|text| values::text(text)));
                    Value::from(fields.collect::<HashMap<String, Value>>())
                };
                rows.iter().map(row).collect()
            }
        };
        match values.is_empty() {
            true => {
                let text = format!("the feeder `{}` has no value: nothing would be sent", feeder.name.value);
                Err(self.error(Problem::new(feeder.name.span, text)))
            }
            false => Ok(values),
        }
    }

    fn exchange(
        &mut self,
        method: &Method,
        spec: &CallSpec,
        scope: &Scope,
        answer: Answer,
        marked: bool,
    ) -> Result<Exchange, ScenarioError> {
        let made = evaluate(method.clone(), spec, scope, self.leg.protocol());
        let made = made.map_err(|mismatch| of_mismatch(self.workload, &mismatch))?;
        let parts = match self.leg.protocol() {
            Protocol::Grpc => over_grpc(&made, self.metadata),
            Protocol::Rest => over_rest(&made, self.metadata),
        };
        let refuse = |text: String| {
            let text = format!("it cannot be sent on {}: {text}", self.leg.name());
            self.error(Problem::new(spec.method.span, text))
        };
        let parts = parts.map_err(refuse)?;
        let mark = match marked {
            true => Some(position(&parts.body).map_err(refuse)?),
            false => None,
        };
        let of_headers: usize = parts.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.bytes += parts.body.len() + parts.path.len() + of_headers;
        if self.bytes > MOST_BYTES {
            let text = format!("the requests have more than {} MiB", MOST_BYTES >> 20);
            return Err(self.error(Problem::new(spec.method.span, text).help("feed them with fewer or shorter values")));
        }
        self.calls.push(made);
        Ok(Exchange {
            method: parts.verb,
            path: parts.path,
            headers: parts.headers,
            body: parts.body,
            answer,
            mark,
        })
    }

    fn error(&self, problem: Problem) -> ScenarioError {
        ScenarioError::new(&self.workload.source, problem)
    }
}

/// What a leg sends.
struct Parts {
    verb: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
}

fn over_grpc(made: &calls::Prepared, common: &[(String, Vec<u8>)]) -> Result<Parts, String> {
    let call = &made.call;
    let headers = request::headers(call.deadline, common.iter().chain(&call.metadata))?;
    let body = match made.requests.as_slice() {
        [message] => frame(&message.encode()),
        messages => messages.iter().flat_map(|message| frame(&message.encode())).collect(),
    };
    Ok(Parts {
        verb: "POST".to_owned(),
        path: call.method.path(),
        headers: listed(headers)?,
        body,
    })
}

fn over_rest(made: &calls::Prepared, common: &[(String, Vec<u8>)]) -> Result<Parts, String> {
    let method = &made.call.method;
    if let Some(reason) = method.no_rest() {
        return Err(reason);
    }
    let (request, body) = match (method.client_streaming, made.requests.as_slice()) {
        (true, messages) => (method.http_stream()?, Some(rest::array(messages)?)),
        (false, [message]) => {
            let mut request = method.http_request(message)?;
            let body = request.body.take();
            (request, body)
        }
        (false, messages) => return Err(format!("{} requests, and {} takes one", messages.len(), method.name)),
    };
    let headers = rest::headers(&made.call, body.is_some(), common)?;
    Ok(Parts {
        verb: request.verb,
        path: request.path_and_query,
        headers: listed(headers)?,
        body: Bytes::from(body.unwrap_or_default()),
    })
}

/// Without what the connection adds itself.
fn listed(mut headers: HeaderMap) -> Result<Vec<(String, Vec<u8>)>, String> {
    headers.remove(TE);
    match OF_HTTP.iter().find(|name| headers.contains_key(**name)) {
        Some(name) => Err(format!("the metadata `{name}` belongs to HTTP")),
        None => Ok(headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect()),
    }
}

/// What stands in a body where each send writes its own mark.
fn placeholder() -> String {
    format!("{MARK_PREFIX}{:0width$}", 0, width = MARK - MARK_PREFIX.len())
}

/// Where the mark stands.
fn position(body: &[u8]) -> Result<usize, String> {
    let wanted = placeholder();
    let mut found = (0..body.len()).filter(|at| body[*at..].starts_with(wanted.as_bytes()));
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (None, _) => Err("the mark is not in the body: it stands in the path or the query".to_owned()),
        (Some(_), Some(_)) => Err("the mark stands several times in the body".to_owned()),
    }
}

fn of_eval(workload: &Workload, error: &EvalError) -> ScenarioError {
    at(workload, error.span, error.text.clone())
}

fn of_mismatch(workload: &Workload, mismatch: &Mismatch) -> ScenarioError {
    at(workload, mismatch.span, mismatch.summary.clone())
}

fn at(workload: &Workload, span: Span, text: String) -> ScenarioError {
    ScenarioError::new(&workload.source, Problem::new(span, text))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
