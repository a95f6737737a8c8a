//! Expectations against what came back: every mismatch, not the first. Pure.

mod messages;

use super::{
    mismatch::Mismatch,
    pattern::{self, text_of},
    values,
};
use crate::{
    client::{Code, Layer, Message, Observation},
    scenario::{
        data::{Data, DataNode},
        expr::Scope,
        model::{Expectation, StatusExpectation, Template},
        source::{Located, Span},
    },
    schema::{DynMsg, Method},
};
use std::collections::BTreeMap;

/// What a step has seen.
pub struct Seen<'a> {
    /// The method called.
    pub method: &'a Method,
    /// The scope that expectations read: the case's, with the roots of the answer.
    pub scope: &'a Scope,
    /// How the call ended; `None` for a stream that is still open.
    pub observation: Option<&'a Observation>,
    /// The answers of a `repeat`.
    pub results: Option<&'a [Observation]>,
    /// Everything since the stream opened.
    pub messages: &'a [Message],
    /// How many of them came before the stream was ready.
    pub before_ready: usize,
    /// Whether a step without `status` expects OK: not so for a `wait`.
    pub status_defaults_to_ok: bool,
    /// Whether the client ends the call by itself: that is no failure then.
    pub cancels: bool,
    /// The place of the step, for what no expectation of its own states.
    pub step: Span,
    /// When the answered steps were answered, on the clock of the messages: for `when` lines.
    pub answered: &'a [(String, std::time::Duration)],
}

/// The verdict on one step.
#[derive(Debug, Default)]
pub struct Judgement {
    /// How many facts were compared.
    pub judged: u64,
    /// Those that did not hold.
    pub mismatches: Vec<Mismatch>,
    /// Whether a status was among them: what follows may build on an answer that never came.
    pub status_missed: bool,
}

/// Judges all expectations of a step.
pub fn judge(expectations: &[Expectation], seen: &Seen<'_>) -> Judgement {
    let mut judgement = Judgement::default();
    let names_a_status = expectations.iter().any(|e| e.status.is_some() || !e.count.is_empty());
    if seen.status_defaults_to_ok && !names_a_status {
        judgement.judged += 1;
        let missed = default_status(seen);
        judgement.status_missed |= missed.is_some();
        judgement.mismatches.extend(missed);
    }
    if let Some(observation) = seen.observation
        && observation.status.code.0 == 0
    {
        for violation in &observation.violations {
            judgement.mismatches.push(Mismatch::new(
                seen.step,
                format!("the answer breaks the protocol: {violation}"),
            ));
        }
    }
    for expectation in expectations {
        let mut found = Vec::new();
        if let Some(status) = &expectation.status {
            expected_status(status, seen, &mut judgement.judged, &mut found);
            judgement.status_missed |= !found.is_empty();
        }
        one(expectation, seen, &mut judgement.judged, &mut found);
        let rule = expectation.rule.as_ref().map(|rule| rule.value.as_str());
        judgement
            .mismatches
            .extend(found.into_iter().map(|mismatch| mismatch.against(rule)));
    }
    judgement
}

fn expected_status(expected: &StatusExpectation, seen: &Seen<'_>, judged: &mut u64, found: &mut Vec<Mismatch>) {
    match (seen.results, seen.observation) {
        (Some(results), _) => {
            *judged += 1;
            // One line for the whole repeat: how many calls ended otherwise, and the first of them.
            let wrong: Vec<(usize, Vec<Mismatch>)> = results
                .iter()
                .enumerate()
                .map(|(index, result)| (index, status(expected, result, seen.scope)))
                .filter(|(_, mismatches)| !mismatches.is_empty())
                .collect();
            if let Some((index, first)) = wrong.first() {
                let mut first = first.clone();
                if let Some(first) = first.first_mut() {
                    first.details.push((
                        "calls".into(),
                        format!("{} of {} calls, the first is call {index}", wrong.len(), results.len()),
                    ));
                }
                found.extend(first);
            }
        }
        (None, Some(observation)) => {
            *judged += 1;
            found.extend(status(expected, observation, seen.scope));
        }
        // A stream that is still open has no status yet: `status` speaks of its end, should it come first.
        (None, None) => {}
    }
}

fn one(expectation: &Expectation, seen: &Seen<'_>, judged: &mut u64, found: &mut Vec<Mismatch>) {
    if let Some(pattern) = &expectation.response {
        *judged += 1;
        let response = seen
            .observation
            .and_then(|observation| values::response(seen.method, observation));
        match (render(pattern, seen.scope, found), response) {
            (Some(expected), Some(response)) => {
                found.extend(with_got(pattern::matches(&expected, &response), &response))
            }
            (Some(_), None) => found.push(no_response(pattern.span, seen)),
            (None, _) => {}
        }
    }
    if let Some(messages) = &expectation.messages {
        messages::judge(messages, seen, judged, found);
    }
    for assert in &expectation.asserts {
        *judged += 1;
        match assert.holds(seen.scope) {
            Ok(truth) if truth.held => {}
            Ok(truth) => found.push(Mismatch::new(assert.span, truth.explained)),
            // Nothing to read, since the call was refused: said once, with the answer.
            Err(_) if response_is_absent(seen) && assert.references().iter().any(|root| root == "response") => {
                if !found.iter().any(|mismatch| mismatch.summary.starts_with(NO_RESPONSE)) {
                    found.push(no_response(assert.span, seen));
                }
            }
            Err(error) => found.push(error.into()),
        }
    }
    if !expectation.count.is_empty() {
        *judged += 1;
        count(&expectation.count, seen, found);
    }
}

/// Whether the client has ended the call because the scenario said so.
pub fn cancelled_by_us(observation: &Observation) -> bool {
    observation.layer == Layer::Client && observation.status.code == Code::CANCELLED
}

fn default_status(seen: &Seen<'_>) -> Option<Mismatch> {
    let failed = |o: &Observation| o.status.code.0 != 0 && !(seen.cancels && cancelled_by_us(o));
    if let Some(results) = seen.results {
        let wrong: Vec<&Observation> = results.iter().filter(|r| failed(r)).collect();
        let first = wrong.first()?;
        let summary = format!("{} of {} calls did not end OK", wrong.len(), results.len());
        return Some(got_status(Mismatch::new(seen.step, summary), first));
    }
    let observation = seen.observation?;
    failed(observation).then(|| {
        got_status(
            Mismatch::new(seen.step, format!("status {}, expected OK", observation.status.code)),
            observation,
        )
    })
}

/// The lines that tell what the answer was, and who gave it.
fn got_status(mismatch: Mismatch, observation: &Observation) -> Mismatch {
    let status = &observation.status;
    let got = match observation.messages.first() {
        Some(message) if status.code.0 == 0 => format!("{} {}", status.code, message.value.to_short_text()),
        _ => format!("{}: {:?}", status.code, status.message),
    };
    let mut mismatch = mismatch.detail("got", got);
    match observation.layer {
        Layer::Application => {}
        Layer::Proxy => {
            let content = observation.http.content_type.as_deref().unwrap_or("no content type");
            let text = format!(
                "HTTP {}, {content}: not the service but something in front of it answered",
                observation.http.status
            );
            mismatch = mismatch.detail("http", text);
        }
        Layer::Transport => {
            mismatch = mismatch.detail(
                "wire",
                observation
                    .http
                    .reset
                    .clone()
                    .unwrap_or_else(|| "the connection ended the call".into()),
            )
        }
        Layer::Client => mismatch = mismatch.detail("wire", "the target did not end the call; the client did"),
    }
    for violation in &observation.violations {
        mismatch = mismatch.detail("wire", violation.clone());
    }
    mismatch
}

/// Whether an expression that reads `response` can only fail: the call did not end OK.
fn response_is_absent(seen: &Seen<'_>) -> bool {
    seen.observation
        .is_some_and(|end| end.status.code.0 != 0 || end.messages.is_empty())
        && !seen.method.server_streaming
}

const NO_RESPONSE: &str = "there is no response to compare";

fn no_response(span: Span, seen: &Seen<'_>) -> Mismatch {
    match seen.observation {
        Some(observation) => got_status(Mismatch::new(span, NO_RESPONSE), observation),
        None => Mismatch::new(span, format!("{NO_RESPONSE}: the call is still open")),
    }
}

fn with_got(mismatches: Vec<Mismatch>, got: &DynMsg) -> Vec<Mismatch> {
    let last = mismatches.len().saturating_sub(1);
    let add = |(i, m): (usize, Mismatch)| {
        if i == last {
            m.detail("got", got.to_short_text())
        } else {
            m
        }
    };
    mismatches.into_iter().enumerate().map(add).collect()
}

fn render(template: &Template, scope: &Scope, found: &mut Vec<Mismatch>) -> Option<Data> {
    template.render(scope).map_err(|error| found.push(error.into())).ok()
}

fn status(expected: &StatusExpectation, observation: &Observation, scope: &Scope) -> Vec<Mismatch> {
    let mut found = Vec::new();
    if let Some(code) = expected.code.as_ref().and_then(|code| render(code, scope, &mut found)) {
        let names = match &code.node {
            DataNode::List(names) => names.iter().map(code_name).collect::<Option<Vec<_>>>(),
            _ => code_name(&code).map(|name| vec![name]),
        };
        match names {
            Some(names) if names.iter().any(|name| *name == observation.status.code.name()) => {}
            Some(names) => {
                let summary = format!("status {}, expected {}", observation.status.code, names.join(" or "));
                found.push(got_status(Mismatch::new(expected.span, summary), observation));
            }
            None => found.push(Mismatch::new(
                code.span,
                format!("{} is no status name, nor a list of them", text_of(&code)),
            )),
        }
    }
    if let Some(message) = expected
        .message
        .as_ref()
        .and_then(|message| render(message, scope, &mut found))
    {
        found.extend(pattern::matches_text(
            &message,
            &observation.status.message,
            "status.message",
        ));
    }
    if let Some(details) = expected
        .details
        .as_ref()
        .and_then(|details| render(details, scope, &mut found))
    {
        found.extend(self::details(&details, observation));
    }
    found
}

fn code_name(data: &Data) -> Option<&str> {
    match &data.node {
        DataNode::Str(name) => crate::client::Code::from_name(name).map(|_| name.as_str()),
        _ => None,
    }
}

/// Each expected detail must be among the actual ones: `type` by name, its other keys as a pattern.
fn details(expected: &Data, observation: &Observation) -> Vec<Mismatch> {
    let DataNode::List(wanted) = &expected.node else {
        return vec![Mismatch::new(
            expected.span,
            "`details` takes a list, each with a `type`",
        )];
    };
    let got: Vec<String> = observation
        .status
        .details
        .iter()
        .map(|d| {
            format!(
                "{} {}",
                d.type_name,
                d.value.as_ref().map_or("(unknown type)".into(), |v| v.to_text())
            )
        })
        .collect();
    let mut found = Vec::new();
    for detail in wanted {
        let DataNode::Map(entries) = &detail.node else {
            found.push(Mismatch::new(detail.span, "a detail is a map with a `type`"));
            continue;
        };
        let type_name = entries
            .iter()
            .find(|(key, _)| key.value == "type")
            .map(|(_, value)| &value.node);
        let Some(DataNode::Str(type_name)) = type_name else {
            found.push(Mismatch::new(
                detail.span,
                "a detail needs a `type`, such as google.rpc.BadRequest",
            ));
            continue;
        };
        let rest = entries.iter().filter(|(key, _)| key.value != "type").cloned().collect();
        let pattern = Data {
            node: DataNode::Map(rest),
            ..detail.clone()
        };
        let held = observation.status.details.iter().any(|actual| {
            actual.type_name == *type_name
                && match &actual.value {
                    Some(value) => pattern::holds(&pattern, value),
                    // Nobody can look into a detail of an unknown type.
                    None => matches!(&pattern.node, DataNode::Map(fields) if fields.is_empty()),
                }
        });
        if !held {
            let mut mismatch = Mismatch::new(detail.span, format!("no detail is {}", text_of(detail)));
            mismatch = if got.is_empty() {
                mismatch.detail("got", "no details")
            } else {
                mismatch
            };
            for text in &got {
                mismatch = mismatch.detail("got", text.clone());
            }
            found.push(mismatch);
        }
    }
    found
}

fn count(expected: &[(Located<String>, Template)], seen: &Seen<'_>, found: &mut Vec<Mismatch>) {
    let mut counts: BTreeMap<&str, i128> = BTreeMap::new();
    for result in seen.results.unwrap_or_default() {
        *counts.entry(result.status.code.name()).or_default() += 1;
    }
    let all = || {
        counts
            .iter()
            .map(|(name, n)| format!("{name}: {n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (code, wanted) in expected {
        let Some(data) = render(wanted, seen.scope, found) else {
            continue;
        };
        let actual = counts.get(code.value.as_str()).copied().unwrap_or(0);
        match data.node {
            DataNode::Int(wanted) if wanted == actual => {}
            DataNode::Int(wanted) => {
                found.push(
                    Mismatch::new(
                        data.span,
                        format!("{actual} calls ended {}, expected {wanted}", code.value),
                    )
                    .detail("got", all()),
                );
            }
            _ => found.push(Mismatch::new(
                data.span,
                format!("{} is no number of calls", text_of(&data)),
            )),
        }
    }
}
