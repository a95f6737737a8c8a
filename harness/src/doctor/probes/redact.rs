//! What was sent as a secret leaves the evidence, should a target have said it back.

use super::super::evidence::Evidence;
use serde_json::Value;

/// Shorter values are no secrets, and would take words out of every text.
const SHORTEST: usize = 6;

/// Puts `[hidden]` in the place of every value of the metadata, and of a token behind `Bearer`.
pub(super) fn redact(evidence: &mut Evidence, metadata: &[(String, Vec<u8>)]) {
    let mut secrets: Vec<String> = metadata
        .iter()
        .filter_map(|(_, value)| String::from_utf8(value.clone()).ok())
        .flat_map(|value| {
            let token = value.split_once(' ').map(|(_, token)| token.to_owned());
            token.into_iter().chain([value])
        })
        .filter(|secret| secret.len() >= SHORTEST)
        .collect();
    // The longest first, so that nothing of it is left beside a shorter one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    if secrets.is_empty() {
        return;
    }
    let Ok(mut value) = serde_json::to_value(&*evidence) else {
        return;
    };
    hide(&mut value, &secrets);
    if let Ok(clean) = serde_json::from_value(value) {
        *evidence = clean;
    }
}

fn hide(value: &mut Value, secrets: &[String]) {
    match value {
        Value::String(text) => {
            for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), "[hidden]");
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide(field, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::evidence::{Call, Exchange};
    use super::*;

    #[test]
    fn what_was_sent_is_not_said_back() {
        let mut evidence = Evidence {
            first: Some(Call {
                message: "no such token: hunter2-token".to_owned(),
                ..Call::default()
            }),
            http1: Some(Exchange {
                body: "got Bearer hunter2-token and k: v".to_owned(),
                ..Exchange::default()
            }),
            ..Evidence::default()
        };
        let metadata = [
            ("authorization".to_owned(), b"Bearer hunter2-token".to_vec()),
            ("k".to_owned(), b"v".to_vec()),
        ];
        redact(&mut evidence, &metadata);
        assert_eq!(
            evidence.first.map(|call| call.message).unwrap_or_default(),
            "no such token: [hidden]"
        );
        assert_eq!(
            evidence.http1.map(|get| get.body).unwrap_or_default(),
            "got [hidden] and k: v"
        );
    }
}
