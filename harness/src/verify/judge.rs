//! Expectations against what came back: every mismatch, not the first. Pure.

use super::{
    mismatch::Mismatch,
    pairing,
    pattern::{self, text_of},
    values,
};
use crate::{
    client::{Code, Layer, Message, Observation},
    scenario::{
        data::{Data, DataNode},
        expr::{Expr, Scope},
        model::{Expectation, Law, Messages, StatusExpectation, Template},
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
        judge_messages(messages, seen, judged, found);
    }
    for assert in &expectation.asserts {
        *judged += 1;
        expression(assert, seen.scope, found);
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
    let mut mismatch = mismatch.detail("got", format!("{}: {:?}", status.code, status.message));
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

fn no_response(span: Span, seen: &Seen<'_>) -> Mismatch {
    match seen.observation {
        Some(observation) => got_status(Mismatch::new(span, "there is no response to compare"), observation),
        None => Mismatch::new(span, "there is no response to compare: the call is still open"),
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

fn expression(expr: &Expr, scope: &Scope, found: &mut Vec<Mismatch>) {
    match expr.holds(scope) {
        Ok(truth) if truth.held => {}
        Ok(truth) => found.push(Mismatch::new(expr.span, truth.explained)),
        Err(error) => found.push(error.into()),
    }
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

fn judge_messages(expected: &Messages, seen: &Seen<'_>, judged: &mut u64, found: &mut Vec<Mismatch>) {
    let after = seen.messages.get(seen.before_ready..).unwrap_or_default();
    if let Some(patterns) = &expected.exactly {
        *judged += 1;
        if let Some(wanted) = render_all(&patterns.value, seen.scope, found) {
            exactly(patterns.span, &wanted, after, seen, found);
        }
    }
    if let Some(patterns) = &expected.in_order {
        *judged += 1;
        if let Some(wanted) = render_all(&patterns.value, seen.scope, found) {
            let mut rest = after.iter();
            let first_missing = wanted
                .iter()
                .find(|pattern| !rest.any(|message| pattern::holds(pattern, &message.value)));
            if let Some(missing) = first_missing {
                found.push(listing(
                    Mismatch::new(missing.span, format!("no message in its place is {}", text_of(missing))),
                    after,
                ));
            }
        }
    }
    if let Some(patterns) = &expected.any_order {
        *judged += 1;
        if let Some(wanted) = render_all(&patterns.value, seen.scope, found) {
            let fits: Vec<Vec<usize>> = wanted
                .iter()
                .map(|p| {
                    after
                        .iter()
                        .enumerate()
                        .filter(|(_, m)| pattern::holds(p, &m.value))
                        .map(|(i, _)| i)
                        .collect()
                })
                .collect();
            let (_, missing) = pairing::pair(&fits, after.len());
            for pattern in missing.into_iter().filter_map(|i| wanted.get(i)) {
                found.push(listing(
                    Mismatch::new(pattern.span, format!("no message is {}", text_of(pattern))),
                    after,
                ));
            }
        }
    }
    for law in &expected.never {
        *judged += 1;
        let Some(ready) = ready(&law.value, seen.scope, found) else {
            continue;
        };
        for (index, message) in seen.messages.iter().enumerate() {
            let text = match law_fails(&ready, message, seen.scope) {
                Ok(Some(_)) => continue,
                Ok(None) => format!("message [{index}] of {} must not arrive", seen.messages.len()),
                Err(error) => format!("message [{index}]: {error}"),
            };
            found.push(when(
                Mismatch::new(law.span, text).detail("got", message.value.to_short_text()),
                message,
                seen,
            ));
            break;
        }
    }
    for law in &expected.each {
        *judged += 1;
        if seen.messages.is_empty() {
            found.push(Mismatch::new(
                law.span,
                "there is no message to judge: `each` over nothing proves nothing",
            ));
        }
        let Some(ready) = ready(&law.value, seen.scope, found) else {
            continue;
        };
        for (index, message) in seen.messages.iter().enumerate() {
            let text = match law_fails(&ready, message, seen.scope) {
                Ok(None) => continue,
                Ok(Some(text)) => format!("message [{index}]: {text}"),
                Err(error) => format!("message [{index}]: {error}"),
            };
            found.push(when(
                Mismatch::new(law.span, text).detail("got", message.value.to_short_text()),
                message,
                seen,
            ));
            break;
        }
    }
}

fn render_all(templates: &[Template], scope: &Scope, found: &mut Vec<Mismatch>) -> Option<Vec<Data>> {
    let data: Vec<Data> = templates
        .iter()
        .filter_map(|template| render(template, scope, found))
        .collect();
    (data.len() == templates.len()).then_some(data)
}

/// A law with its expressions evaluated, as far as they do not read the message.
enum Ready<'a> {
    Expr(&'a Expr),
    Pattern(Data),
}

fn ready<'a>(law: &'a Law, scope: &Scope, found: &mut Vec<Mismatch>) -> Option<Ready<'a>> {
    match law {
        Law::Expr(expr) => Some(Ready::Expr(expr)),
        Law::Pattern(template) => render(template, scope, found).map(Ready::Pattern),
    }
}

/// `Ok(None)`: it holds; `Ok(Some(text))`: it does not, and why; `Err`: it cannot be said.
fn law_fails(law: &Ready<'_>, message: &Message, scope: &Scope) -> Result<Option<String>, String> {
    match law {
        Ready::Expr(expr) => {
            let scope = scope.with("message", message.value.to_cel());
            let truth = expr.holds(&scope).map_err(|error| error.text)?;
            Ok((!truth.held).then_some(truth.explained))
        }
        Ready::Pattern(expected) => {
            let found = pattern::matches(expected, &message.value);
            match found.iter().find(|mismatch| mismatch.unusable) {
                Some(mismatch) => Err(mismatch.summary.clone()),
                None => Ok(found.into_iter().next().map(|mismatch| mismatch.summary)),
            }
        }
    }
}

fn exactly(span: Span, wanted: &[Data], after: &[Message], seen: &Seen<'_>, found: &mut Vec<Mismatch>) {
    let holds = |w: usize, m: usize| pattern::holds(&wanted[w], &after[m].value);
    if wanted.len() == after.len() && (0..wanted.len()).all(|i| holds(i, i)) {
        return;
    }
    let common = align(wanted.len(), after.len(), holds);
    let summary = if wanted.len() == after.len() {
        format!("{} messages, but not the expected ones", after.len())
    } else {
        format!(
            "{} {}, expected {}",
            after.len(),
            if after.len() == 1 { "message" } else { "messages" },
            wanted.len()
        )
    };
    let mut mismatch = Mismatch::new(span, summary);
    let mut first_extra = None;
    for (index, message) in after
        .iter()
        .enumerate()
        .filter(|(index, _)| !common.iter().any(|(_, m)| m == index))
    {
        mismatch = mismatch.detail("extra", format!("[{index}] {}", message.value.to_short_text()));
        first_extra = first_extra.or(Some(message));
    }
    for (index, pattern) in wanted
        .iter()
        .enumerate()
        .filter(|(index, _)| !common.iter().any(|(w, _)| w == index))
    {
        mismatch = mismatch.detail("missing", format!("[{index}] {}", text_of(pattern)));
    }
    found.push(match first_extra {
        Some(message) => when(mismatch, message, seen),
        None => mismatch,
    });
}

/// The longest common subsequence of patterns and messages, as pairs of indices. Beyond a million pairs: the common
/// prefix alone.
fn align(wanted: usize, got: usize, holds: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    if wanted.saturating_mul(got) > 1_000_000 {
        return (0..wanted.min(got))
            .take_while(|i| holds(*i, *i))
            .map(|i| (i, i))
            .collect();
    }
    let mut best = vec![vec![0usize; got + 1]; wanted + 1];
    for w in (0..wanted).rev() {
        for m in (0..got).rev() {
            best[w][m] = if holds(w, m) {
                best[w + 1][m + 1] + 1
            } else {
                best[w + 1][m].max(best[w][m + 1])
            };
        }
    }
    let (mut w, mut m, mut pairs) = (0, 0, Vec::new());
    while w < wanted && m < got {
        if holds(w, m) {
            pairs.push((w, m));
            (w, m) = (w + 1, m + 1);
        } else if best[w + 1][m] >= best[w][m + 1] {
            w += 1;
        } else {
            m += 1;
        }
    }
    pairs
}

fn listing(mismatch: Mismatch, messages: &[Message]) -> Mismatch {
    if messages.is_empty() {
        return mismatch.detail("got", "no message");
    }
    messages.iter().enumerate().fold(mismatch, |m, (i, message)| {
        m.detail("got", format!("[{i}] {}", message.value.to_short_text()))
    })
}

/// Between which answered steps a message came.
fn when(mismatch: Mismatch, message: &Message, seen: &Seen<'_>) -> Mismatch {
    let before = seen.answered.iter().rev().find(|(_, at)| *at <= message.at);
    let after = seen.answered.iter().find(|(_, at)| *at > message.at);
    let after_text =
        before.map(|(step, at)| format!("{} ms after `{step}` was answered", (message.at - *at).as_millis()));
    let before_text = after.map(|(step, at)| format!("{} ms before `{step}` was", (*at - message.at).as_millis()));
    let text: Vec<String> = after_text.into_iter().chain(before_text).collect();
    if text.is_empty() {
        mismatch
    } else {
        mismatch.detail("when", text.join(", "))
    }
}
