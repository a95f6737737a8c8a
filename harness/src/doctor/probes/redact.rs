//! What was sent as a secret leaves the evidence, should a target have said it back. It goes before a text is cut: of a secret
//! that is longer than what is kept, nothing would be known again.

use super::super::evidence::Evidence;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::Value;
use std::sync::Arc;

/// Shorter values are no secrets, and would take words out of every text.
const SHORTEST: usize = 6;

/// What stands in their place.
const HIDDEN: &str = "[hidden]";

/// Characters of a foreign text that are kept.
const SHOWN: usize = 200;

/// Values of the metadata that must not be seen, the longest first. Cheap to clone, and not to be printed.
#[derive(Clone, Default)]
pub(super) struct Secrets(Arc<[String]>);

impl Secrets {
    /// Every value of the metadata, and the token behind a scheme such as `Bearer`; those of `-bin` keys in base64, too, with and
    /// without padding.
    pub fn of(metadata: &[(String, Vec<u8>)]) -> Secrets {
        let mut secrets = Vec::new();
        for (key, value) in metadata {
            if let Ok(text) = str::from_utf8(value) {
                secrets.extend(text.split_once(' ').map(|(_, token)| token.trim().to_owned()));
                secrets.push(text.trim().to_owned());
            }
            if key.ends_with("-bin") {
                secrets.extend([STANDARD.encode(value), STANDARD_NO_PAD.encode(value)]);
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST);
        // The longest first, so that nothing of it is left beside a shorter one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        Secrets(secrets.into())
    }

    /// The text without them. Its end may have been cut off: there, the beginning of one is hidden as well.
    pub fn hide(&self, text: &str) -> String {
        let mut text = self.whole(text);
        let tail = |secret: &String| {
            let begins = (beginning(secret)..secret.len()).rev();
            let mut begins = begins.filter_map(|end| secret.get(..end));
            begins.find(|begin| text.ends_with(begin)).map(str::len)
        };
        if let Some(tail) = self.0.iter().filter_map(tail).max() {
            text.truncate(text.len() - tail);
            text.push_str(HIDDEN);
        }
        text
    }

    fn whole(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.0.iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        text
    }

    /// A foreign text in one line, without secrets and control characters, cut.
    pub fn shown(&self, text: &str) -> String {
        self.cut(text, SHOWN)
    }

    /// The same, cut after so many characters.
    pub fn cut(&self, text: &str, most: usize) -> String {
        // As it came, and again once nothing stands between its parts.
        let hidden = self.hide(text);
        let words: Vec<&str> = hidden.split_whitespace().collect();
        let line: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
        let line = self.hide(&line);
        let mut shown: String = line.chars().take(most).collect();
        if line.chars().count() > most {
            shown.push('…');
        }
        shown
    }

    /// A header value as it is kept: without what follows `?` in an address, which may be a secret of a login.
    pub fn header(&self, name: &str, value: &[u8]) -> (String, String) {
        let text = self.hide(&String::from_utf8_lossy(value));
        let text = match text.split_once('?') {
            Some((address, _)) if name == "location" => format!("{address}?…"),
            _ => text,
        };
        (name.to_owned(), self.shown(&text))
    }

    /// Puts `[hidden]` in their place wherever one still stands in full.
    pub fn redact(&self, evidence: &mut Evidence) {
        if self.0.is_empty() {
            return;
        }
        let Ok(mut value) = serde_json::to_value(&*evidence) else {
            return;
        };
        self.everywhere(&mut value);
        if let Ok(clean) = serde_json::from_value(value) {
            *evidence = clean;
        }
    }

    fn everywhere(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.whole(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.everywhere(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.everywhere(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Bytes of a secret that tell that it begins. The word before a space is no secret of its own: it may be `Bearer`.
fn beginning(secret: &str) -> usize {
    let scheme = secret.find(' ').map_or(0, |space| space + 2);
    scheme.max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::super::super::evidence::{Call, Exchange};
    use super::*;

    fn secrets(metadata: &[(&str, &[u8])]) -> Secrets {
        let owned = |(key, value): &(&str, &[u8])| ((*key).to_owned(), value.to_vec());
        Secrets::of(&metadata.iter().map(owned).collect::<Vec<_>>())
    }

    /// As long as one of Entra, and no piece of it twice.
    fn long() -> String {
        (0..250).map(|n| format!("{n:03}.")).collect()
    }

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
        secrets(&[("authorization", b"Bearer hunter2-token"), ("k", b"v")]).redact(&mut evidence);
        assert_eq!(
            evidence.first.map(|call| call.message).unwrap_or_default(),
            "no such token: [hidden]"
        );
        assert_eq!(
            evidence.http1.map(|get| get.body).unwrap_or_default(),
            "got [hidden] and k: v"
        );
    }

    #[test]
    fn of_a_token_that_is_longer_than_what_is_kept_nothing_is_shown() {
        let token = long();
        assert_eq!(token.len(), 1_000);
        let secrets = secrets(&[("authorization", format!("Bearer {token}").as_bytes())]);
        let bearer = format!("authorization: Bearer {token} was not taken");
        assert_eq!(secrets.shown(&bearer), "authorization: [hidden] was not taken");
        assert_eq!(secrets.shown(&format!("token\n{token}\nx")), "token [hidden] x");
        // What was read ends within it.
        for end in [23, 28, 60, 200, 512, 1_000] {
            let excerpt = bearer.get(..end).unwrap_or_default();
            assert_eq!(secrets.shown(excerpt), "authorization: [hidden]", "{end}");
            assert_eq!(secrets.cut(excerpt, 20), "authorization: [hidd…", "{end}");
        }
        let alone = token.get(..60).unwrap_or_default();
        assert_eq!(secrets.shown(&format!("token={alone}")), "token=[hidden]");
        let (_, location) = secrets.header("location", format!("https://login.example/{token}?x=y").as_bytes());
        assert_eq!(location, "https://login.example/[hidden]?…");
        // What says only which scheme is wanted stays.
        assert_eq!(secrets.header("www-authenticate", b"Bearer").1, "Bearer");
    }

    #[test]
    fn a_value_in_bytes_is_hidden_as_it_goes_over_the_wire() {
        let secrets = secrets(&[("key-bin", &[0xfb, 0xff, 0x00, 0x10, 0x83, 0x10, 0x51])]);
        for sent in ["got +/8AEIMQUQ.", "got +/8AEIMQUQ==."] {
            assert!(
                secrets.shown(sent).starts_with("got [hidden]"),
                "{}",
                secrets.shown(sent)
            );
        }
        assert_eq!(secrets.shown("got +/8AEIM"), "got [hidden]");
    }
}
