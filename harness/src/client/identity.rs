//! Who answers: the revision and the replica that each answer names in its headers.

use super::{Layer, Metadata, Observation};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The header that names the replica.
pub const REPLICA: &str = "x-stocktake-replica";

/// Counts the answers of one target by who gave them: every call of a client, those of reflection, probes and clean-up too.
#[derive(Debug)]
pub struct Identity {
    header: String,
    expected: Option<String>,
    seen: Mutex<Seen>,
}

/// Answers by who gave them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By `revision/replica`.
    pub by: BTreeMap<String, u64>,
    /// Those that do not name the expected revision, by what they name instead.
    pub strangers: BTreeMap<String, u64>,
}

impl Identity {
    /// `header` names the revision, in lower case; with `expected` every answer must name that one.
    pub fn new(header: &str, expected: Option<&str>) -> Arc<Identity> {
        Arc::new(Identity {
            header: header.to_ascii_lowercase(),
            expected: expected.map(str::to_owned),
            seen: Mutex::default(),
        })
    }

    /// What has been counted so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why an answer does not come from the expected revision, in words.
    pub fn objection(&self, observation: &Observation) -> Option<String> {
        let expected = self.expected.as_deref()?;
        if !answered(observation) {
            return None;
        }
        let named = self.named(&observation.headers, &observation.trailers);
        if named.as_ref().is_some_and(|(revision, _)| revision == expected) {
            return None;
        }
        let got = named.map_or("no revision".to_owned(), |(revision, _)| {
            format!("revision {revision:?}")
        });
        Some(format!("answered by {got}, expected {expected:?} in `{}`", self.header))
    }

    fn named(&self, headers: &Metadata, trailers: &Metadata) -> Option<(String, Option<String>)> {
        let find = |name: &str| {
            let mut all = headers.0.iter().chain(&trailers.0);
            all.find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.clone())
        };
        find(&self.header).map(|revision| (revision, find(REPLICA)))
    }

    fn count(&self, named: Option<(String, Option<String>)>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = named.as_ref().map(|(revision, _)| revision.clone());
        if let Some((revision, replica)) = named {
            let who = replica.map_or(revision.clone(), |replica| format!("{revision}/{replica}"));
            *seen.by.entry(who).or_default() += 1;
        }
        if self.expected.is_some() && revision != self.expected {
            let who = revision.unwrap_or_else(|| "no revision".to_owned());
            *seen.strangers.entry(who).or_default() += 1;
        }
    }
}

/// Whether there is an answer at all: from the service, or from something that speaks HTTP in its place.
fn answered(observation: &Observation) -> bool {
    matches!(observation.layer, Layer::Application | Layer::Proxy)
}

/// Counts one call: at its headers where they name a revision, else at its end; a call that is let go of in between too.
#[derive(Debug)]
pub(super) struct Watch {
    identity: Arc<Identity>,
    /// Headers have come, and named nobody.
    nameless: bool,
    done: bool,
}

impl Watch {
    pub fn new(identity: Arc<Identity>) -> Watch {
        Watch {
            identity,
            nameless: false,
            done: false,
        }
    }

    pub fn headers(&mut self, headers: &Metadata) {
        if self.done {
            return;
        }
        match self.identity.named(headers, &Metadata::default()) {
            Some(named) => {
                self.done = true;
                self.identity.count(Some(named));
            }
            None => self.nameless = true,
        }
    }

    pub fn end(&mut self, end: &Observation) {
        let named = self.identity.named(&end.headers, &end.trailers);
        if !self.done && (named.is_some() || self.nameless || answered(end)) {
            self.identity.count(named);
        }
        self.done = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.nameless && !self.done {
            self.identity.count(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(revision: &str) -> Metadata {
        Metadata(vec![("x-rev".into(), revision.into()), (REPLICA.into(), "a".into())])
    }

    #[test]
    fn every_call_is_counted_once_and_a_nameless_one_is_a_stranger() {
        let identity = Identity::new("X-Rev", Some("new"));
        for revision in ["new", "new", "old"] {
            let mut watch = Watch::new(identity.clone());
            watch.headers(&headers(revision));
            watch.headers(&headers(revision));
        }
        let mut nameless = Watch::new(identity.clone());
        nameless.headers(&Metadata::default());
        drop(nameless);
        // A call that was never answered is nobody's.
        drop(Watch::new(identity.clone()));
        let seen = identity.seen();
        assert_eq!(
            seen.by,
            BTreeMap::from([("new/a".to_owned(), 2), ("old/a".to_owned(), 1)])
        );
        assert_eq!(
            seen.strangers,
            BTreeMap::from([("no revision".to_owned(), 1), ("old".to_owned(), 1)])
        );
    }

    #[test]
    fn without_an_expectation_nobody_is_a_stranger() {
        let identity = Identity::new("x-rev", None);
        let mut watch = Watch::new(identity.clone());
        watch.headers(&Metadata::default());
        drop(watch);
        assert_eq!(identity.seen(), Seen::default());
    }
}
