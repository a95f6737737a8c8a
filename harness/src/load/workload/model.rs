//! The lowered workload: validated, its cells computed. What a run works with.

use super::cell::Cell;
use crate::{
    client::Code,
    load::{
        exchange::{Enough, Order},
        leg::Leg,
        record::{ClaimRecord, ObjectiveRecord, WorkloadOperation, WorkloadRecord},
    },
    scenario::{
        model::{CallSpec, Effects, Step, Template},
        source::{Located, Source, Span},
    },
    verify::{engine::split_call, residue},
};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// One workload file.
#[derive(Debug)]
pub struct Workload {
    /// Its file.
    pub source: Source,
    /// Its id.
    pub id: Located<String>,
    /// One line for people.
    pub name: String,
    /// Whether it changes the target, set-up included.
    pub effects: Effects,
    /// The service that unqualified `call`s belong to.
    pub service: Option<Located<String>>,
    /// Of everything that is drawn.
    pub seed: u64,
    /// Evaluated once, in order; a later one may read an earlier one.
    pub vars: Vec<(Located<String>, Template)>,
    /// Calls before the clock starts, in order.
    pub setup: Vec<Step>,
    /// Where values come from.
    pub feeders: Vec<Feeder>,
    /// Streams beside the measured calls.
    pub watches: Vec<Watch>,
    /// What is measured, at least one. Of users: every step of every journey.
    pub operations: Vec<OperationSpec>,
    /// Virtual users, who play the operations as journeys; `None`: they are sent as the arrivals of a cell say.
    pub users: Option<Users>,
    /// What is compared, each once.
    pub legs: Vec<Leg>,
    /// Every combination of the factors; one when there are none.
    pub cells: Vec<Cell>,
    /// What a run has to hold.
    pub objective: Option<Objective>,
    /// What is put to the test.
    pub claim: Option<ClaimRecord>,
}

/// Virtual users in a closed loop; how many is for [`Cell::arrivals`] to say.
#[derive(Clone, Debug)]
pub struct Users {
    /// Where they stand in the file.
    pub span: Span,
    /// What they do, at least one.
    pub journeys: Vec<Journey>,
}

/// What a user does, again and again.
#[derive(Clone, Debug)]
pub struct Journey {
    /// Its name.
    pub id: Located<String>,
    /// Its share of the users, relative to the others.
    pub weight: u32,
    /// In order, at least one.
    pub steps: Vec<JourneyStep>,
}

/// One call of a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JourneyStep {
    /// Position of its operation in the workload.
    pub operation: usize,
    /// How long the user waits before the next step.
    pub think: Think,
}

/// A time that is drawn, each between both ends as likely as the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Think {
    /// The shortest.
    pub from: Duration,
    /// The longest, no shorter.
    pub to: Duration,
}

/// Where values come from.
#[derive(Debug)]
pub struct Feeder {
    /// Its name.
    pub name: Located<String>,
    /// Evaluated for each cell, after the set-up.
    pub values: Values,
    /// In which order requests with them are sent.
    pub order: Order,
}

/// The values of a feeder.
#[derive(Debug)]
pub enum Values {
    /// One expression that yields a list.
    Each(Template),
    /// Maps.
    Rows(Vec<Template>),
    /// Rows of a file: keys, and the texts of each row.
    Texts(Vec<String>, Vec<Vec<String>>),
}

/// A stream that stays open; how many is for [`Cell::watches`] to say.
#[derive(Debug)]
pub struct Watch {
    /// The call.
    pub spec: CallSpec,
}

/// One kind of request.
#[derive(Debug)]
pub struct OperationSpec {
    /// Its name in reports.
    pub id: Located<String>,
    /// Its share of the requests, relative to the others. Of a journey's step: the journey's share of the users.
    pub weight: u32,
    /// The call. Expressions read `vars`, `run`, set-up results, `factor`, `feed`, `variant` and `mark`.
    pub spec: CallSpec,
    /// Position of its feeder.
    pub feed: Option<usize>,
    /// One request for each; empty: one request for each value of the feeder.
    pub variants: Vec<Template>,
    /// The statuses that count as success.
    pub accepted: Vec<Code>,
    /// When the client gives up.
    pub timeout: Duration,
    /// Of a stream: when the client has seen enough, where that is written.
    pub until: Option<Located<Enough>>,
    /// Whether the request has a mark.
    pub marked: bool,
}

/// What a run has to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Percentiles (0 to 1) and limits.
    pub latency: Vec<(f64, Duration)>,
    /// The largest share of requests that may fail, 0 to 1.
    pub errors: Option<f64>,
}

impl Workload {
    /// `pkg.Service/Method` of a call; as written where no service is named.
    pub fn full_method(&self, call: &str) -> String {
        match split_call(self.service.as_ref().map(|service| service.value.as_str()), call) {
            Some((service, method)) => format!("{service}/{method}"),
            None => call.to_owned(),
        }
    }

    /// SHA-256 of the text, hex.
    pub fn sha256(&self) -> String {
        let hash = Sha256::digest(&self.source.text);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The most that the set-up leaves on the target.
    pub fn residue_of_setup(&self) -> u64 {
        residue::estimate_once(&self.vars, &self.setup)
    }

    /// Operations whose calls create something: how much, only the run can tell.
    pub fn creating(&self) -> Vec<&str> {
        let creates = |operation: &&OperationSpec| residue::creates(&operation.spec.method.value);
        self.operations
            .iter()
            .filter(creates)
            .map(|operation| operation.id.value.as_str())
            .collect()
    }

    /// As it stands in the record; `file` is `embedded` or the path.
    pub fn record(&self, file: &str) -> WorkloadRecord {
        let total: f64 = self
            .operations
            .iter()
            .map(|operation| f64::from(operation.weight))
            .sum();
        let operation = |operation: &OperationSpec| WorkloadOperation {
            id: operation.id.value.clone(),
            method: self.full_method(&operation.spec.method.value),
            share: f64::from(operation.weight) / total,
        };
        WorkloadRecord {
            id: self.id.value.clone(),
            name: self.name.clone(),
            file: file.to_owned(),
            sha256: self.sha256(),
            seed: self.seed,
            operations: self.operations.iter().map(operation).collect(),
            claim: self.claim.clone(),
            objective: self.objective.as_ref().map(Objective::record),
        }
    }
}

impl Objective {
    fn record(&self) -> ObjectiveRecord {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        ObjectiveRecord {
            latency: self.latency.iter().map(|(q, limit)| (*q, nanos(limit))).collect(),
            errors: self.errors,
        }
    }
}
