//! What a case was answered, fit to be compared: with the same case on another target, with an approved run. Pure.
//!
//! Kept of a call in the foreground: its status, and of the response what does not change from run to run ([`redact`]).
//! An answer to a request that names something of this run is kept with its values; one about everything that the target
//! has is kept by its shape, because other cases and other people change that; `snapshot:` in a step keeps values whatever
//! the request names. Calls made many times are kept as counts by status. Where calls at once were not all answered alike,
//! who came first differs from run to run: kept are which statuses there were, and from there on shapes. How many readiness probes a stream
//! needed differs from run to run, so numbers behind one are not kept. Streams are judged by their scenario; here is only
//! how they ended. Headers, elapsed times and clean-up are left out.

use super::redact::{Redactor, shape};
use crate::{
    client::{Layer, Observation},
    schema::{DynMsg, Method},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The step's id, or `step 3`.
    pub step: String,
    /// The method.
    pub call: String,
    /// The code, such as `NOT_FOUND`; `8 × OK` of a call made many times.
    pub status: String,
    /// What the status says, where it is not OK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The response, redacted; a list of a stream that was read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Value>,
}

/// What one case has been answered so far.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    on: bool,
    redactor: Redactor,
    probed: bool,
    raced: bool,
    answers: Vec<Answer>,
}

impl Notes {
    /// Nothing yet. Where nobody asks for them (`on` is false) none are kept.
    pub fn new(on: bool, run_id: &str) -> Notes {
        Notes {
            on,
            redactor: Redactor::new(run_id),
            ..Notes::default()
        }
    }

    /// A stream has been probed.
    pub fn probed(&mut self) {
        self.probed = true;
    }

    /// Takes a call in; one that is made again replaces what it was answered before.
    pub fn called(&mut self, step: &str, method: &Method, requests: &[DynMsg], observation: &Observation) {
        if !self.on {
            return;
        }
        let of_case = requests
            .first()
            .is_some_and(|request| self.redactor.is_own(&request.to_json().to_string()));
        let ok = observation.status.code.0 == 0;
        let messages = observation.messages.iter().map(|message| message.value.to_json());
        let response = match (ok, method.server_streaming) {
            (false, _) => None,
            (true, false) => messages.take(1).next().map(|value| {
                self.redactor.learn(&value);
                self.kept(&value, of_case)
            }),
            (true, true) if of_case && !self.raced => Some(messages.map(|value| self.kept(&value, true)).collect()),
            (true, true) => None,
        };
        let told = !ok && observation.layer == Layer::Application && !observation.status.message.is_empty();
        self.push(Answer {
            step: step.to_owned(),
            call: method.name.clone(),
            status: observation.status.code.name().to_owned(),
            message: told.then(|| self.redactor.message(&observation.status.message)),
            response,
        });
    }

    /// Takes a call in that was made many times, some of them at once where `concurrent`.
    pub fn repeated(&mut self, step: &str, method: &Method, results: &[Observation], concurrent: bool) {
        if !self.on {
            return;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for result in results {
            *counts.entry(result.status.code.name()).or_default() += 1;
        }
        let raced = concurrent && counts.len() > 1;
        self.raced |= raced;
        let counts: Vec<String> = counts
            .into_iter()
            .map(|(name, n)| {
                if raced {
                    name.to_owned()
                } else {
                    format!("{n} × {name}")
                }
            })
            .collect();
        self.push(Answer {
            step: step.to_owned(),
            call: method.name.clone(),
            status: counts.join(", "),
            message: None,
            response: None,
        });
    }

    /// Takes in how a stream ended by itself.
    pub fn ended(&mut self, step: &str, method: &Method, end: &Observation) {
        if !self.on {
            return;
        }
        self.push(Answer {
            step: step.to_owned(),
            call: method.name.clone(),
            status: end.status.code.name().to_owned(),
            message: None,
            response: None,
        });
    }

    /// A response as an approved one is stored, whatever its request names.
    pub fn approvable(&mut self, response: &Value) -> Value {
        self.redactor.learn(response);
        self.redactor.value(response, true)
    }

    fn kept(&self, value: &Value, of_case: bool) -> Value {
        if of_case && !self.raced {
            self.redactor.value(value, !self.probed)
        } else {
            shape(value)
        }
    }

    fn push(&mut self, answer: Answer) {
        match self.answers.last_mut() {
            Some(last) if last.step == answer.step => *last = answer,
            _ => self.answers.push(answer),
        }
    }
}

/// What a case came to, before approved answers are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Whether everything held that it judged.
    pub held: bool,
    /// In order.
    pub answers: Vec<Answer>,
}

/// The answers of all cases of a run, by the name of the case.
#[derive(Debug, Default)]
pub struct Answers(Mutex<BTreeMap<String, Kept>>);

impl Answers {
    /// Takes in what a case was answered, in place of an earlier attempt at it.
    pub fn put(&self, case: String, notes: &Notes, held: bool) {
        if notes.on {
            let answers = notes.answers.clone();
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(case, Kept { held, answers });
        }
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<String, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
