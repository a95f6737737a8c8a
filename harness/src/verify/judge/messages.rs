//! Expectations of the messages of a stream. Pure.

use super::{
    super::{
        mismatch::Mismatch,
        pairing,
        pattern::{self, text_of},
    },
    Seen, render,
};
use crate::{
    client::Message,
    scenario::{
        data::Data,
        expr::{Expr, Scope},
        model::{Law, Messages, Template},
        source::Span,
    },
};

pub(super) fn judge(expected: &Messages, seen: &Seen<'_>, judged: &mut u64, found: &mut Vec<Mismatch>) {
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
