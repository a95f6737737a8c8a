//! What all cases of a run share: the client, the schema, the options, and what is counted over all of them.

use super::{answers::Answers, coverage::Coverage, mismatch::Mismatch, record::Outcome, snapshot::Snapshots};
use crate::{
    client::{Client, Identity, Layer, Observation, Protocol},
    scenario::model::{Scenario, Step},
    schema::{Method, Schema},
};
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// For a call without a `deadline`.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);
/// After cancelled streams, before the next ones open: the time a target needs to see that they are gone.
const DRAIN_LOOPBACK: Duration = Duration::from_millis(20);
/// See [`DRAIN_LOOPBACK`].
const DRAIN: Duration = Duration::from_millis(500);
/// The same on a target that has shown that it handles closed streams badly.
const DRAIN_BADLY: Duration = Duration::from_millis(1_200);
/// How long a target may take to show that it is still there.
const RECONNECT: Duration = Duration::from_secs(5);

/// What bears on how cases run.
#[derive(Clone, Debug)]
pub struct Options {
    /// In every name written on the target.
    pub run_id: String,
    /// Groups of cases at once.
    pub jobs: usize,
    /// Streams open at once.
    pub stream_budget: usize,
    /// Whether the target is this machine, and where two are compared, the other one as well: both are to be asked the same.
    pub loopback: bool,
    /// Run read-only scenarios alone.
    pub read_only: bool,
    /// Exclusive scenarios may run off loopback.
    pub allow_disruption: bool,
    /// Scenarios with odd data may run off loopback.
    pub allow_odd_data: bool,
    /// Keep what cases are answered, to compare it.
    pub keep_answers: bool,
    /// How each case over REST ends where the target offers no REST.
    pub no_rest: Option<Outcome>,
}

/// Shared by all cases of a run.
pub struct Engine {
    /// How the target is called.
    pub client: Client,
    /// What it describes.
    pub schema: Schema,
    /// How cases run.
    pub options: Options,
    /// Who answers.
    pub identity: Arc<Identity>,
    /// Approved answers.
    pub snapshots: Option<Snapshots>,
    /// What the cases were answered, where that is kept.
    pub answers: Answers,
    /// What the run exercises.
    pub coverage: Coverage,
    /// Ends the run early.
    pub interrupted: CancellationToken,
    lost: OnceLock<String>,
    closes_badly: AtomicBool,
}

impl Engine {
    /// For one run; `identity` counts who answers, through the same client.
    pub fn new(
        (client, identity): (Client, Arc<Identity>),
        schema: Schema,
        options: Options,
        snapshots: Option<Snapshots>,
    ) -> Arc<Engine> {
        Arc::new(Engine {
            client,
            identity,
            answers: Answers::default(),
            coverage: Coverage::new(schema.clone()),
            schema,
            options,
            snapshots,
            interrupted: CancellationToken::new(),
            lost: OnceLock::new(),
            closes_badly: AtomicBool::new(false),
        })
    }

    /// The method that a step of a scenario calls.
    pub fn method(&self, scenario: &Scenario, call: &str, undescribed: bool) -> Option<Method> {
        let (service, name) = split(scenario, call)?;
        if undescribed {
            Some(self.schema.undescribed(&service, &name))
        } else {
            self.schema.method(&service, &name)
        }
    }

    /// `run.id` of cases over a protocol: what both write lies under the id of the run, and never meets.
    pub fn run_id(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Grpc => self.options.run_id.clone(),
            Protocol::Rest => format!("{}-rest", self.options.run_id),
        }
    }

    /// Takes note that closing one stream harms others on this target.
    pub fn note_closes_badly(&self) {
        self.closes_badly.store(true, Ordering::Relaxed);
    }

    /// Whether closing one stream has been seen to harm others.
    pub fn closes_badly(&self) -> bool {
        self.closes_badly.load(Ordering::Relaxed)
    }

    /// Gives the target time to see that cancelled streams are gone, before the next ones open; more of it after a case
    /// that failed.
    pub async fn drain(&self, failed: bool) {
        let pause = match (failed || self.closes_badly(), self.options.loopback) {
            (true, _) => DRAIN_BADLY,
            (false, true) => DRAIN_LOOPBACK,
            (false, false) => DRAIN,
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = self.interrupted.cancelled() => {}
        }
    }

    /// Why the target is gone, once it is.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// After an answer that the target did not give: one attempt to reach it. Without success the target is lost, and
    /// nothing more is judged.
    pub async fn still_there(&self, observation: &Observation) -> bool {
        if !matches!(observation.layer, Layer::Transport | Layer::Client) {
            return self.lost().is_none();
        }
        self.reachable(observation.protocol).await
    }

    /// After something that did not come: one attempt to reach the target, which is lost without success.
    pub async fn reachable(&self, protocol: Protocol) -> bool {
        if self.lost().is_some() {
            return false;
        }
        match self.client.probe(protocol, RECONNECT).await {
            Ok(()) => true,
            Err(error) => {
                // The first reason stays.
                let _ = self.lost.set(error.to_string());
                false
            }
        }
    }

    /// Holds an answer against the expected revision.
    pub fn revision(&self, observation: &Observation, step: &Step) -> Option<Mismatch> {
        let objection = self.identity.objection(observation)?;
        Some(Mismatch::new(step.span, objection))
    }

    /// Answers by `revision/replica`.
    pub fn answered_by(&self) -> Vec<(String, u64)> {
        self.identity.seen().by.into_iter().collect()
    }
}

/// `pkg.Service/Method`, or a method of the file's service, as service and method.
pub fn split(scenario: &Scenario, call: &str) -> Option<(String, String)> {
    split_call(scenario.service.as_ref().map(|service| service.value.as_str()), call)
}

/// The same with the service of whatever file it is.
pub fn split_call(service: Option<&str>, call: &str) -> Option<(String, String)> {
    match call.rsplit_once('/') {
        Some((service, method)) => Some((service.to_owned(), method.to_owned())),
        None => service.map(|service| (service.to_owned(), call.to_owned())),
    }
}
