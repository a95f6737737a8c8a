//! What runs beside what, and in which order.
//!
//! 1. Scenarios that guard the streams, and beside them only what opens no stream and feeds none. If one fails, cases with
//!    background streams run one at a time.
//! 2. All others, those that wait longest first: so many groups at once, within the budget of open streams.
//! 3. Exclusive scenarios, one at a time.
//!
//! A guard runs on both protocols side by side, step by step: what one publishes never falls into a silence of the other.
//! Where one of them fails, nobody can tell whose stream did the harm: then each runs once more with no other stream
//! open, and only that counts.

use super::{
    engine::Engine,
    event::EventKind,
    group::{Group, Named, feeds, is_quiet},
    pace::Pace,
    run::{Manner, run_group},
};
use crate::scenario::model::Scenario;
use std::{cmp::Reverse, collections::HashSet, sync::Arc};
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::JoinSet,
};

/// Runs all groups.
pub async fn drive(engine: Arc<Engine>, groups: Vec<Group>, events: mpsc::Sender<EventKind>) {
    let is = |wanted: fn(&Scenario) -> bool| move |group: &Group| group.scenario().is_some_and(wanted);
    let (guards, others): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(is(|s| s.guards_streams));
    let (exclusive, normal): (Vec<Group>, Vec<Group>) = others.into_iter().partition(is(|s| s.exclusive));
    let fed: Option<HashSet<Named>> = guards
        .iter()
        .filter_map(Group::scenario)
        .map(feeds)
        .collect::<Option<Vec<_>>>()
        .map(|all| all.into_iter().flatten().collect());
    let (quiet, normal): (Vec<Group>, Vec<Group>) = normal.into_iter().partition(|group| {
        let scenario = group.scenario();
        scenario.is_some_and(|scenario| !streams(&engine, scenario) && is_quiet(scenario, fed.as_ref()))
    });

    let mut field = Field::new(&engine, &events);
    field.waiting = quiet;
    if !guards.is_empty() {
        field.beside(guards).await;
    }
    let (serial, parallel): (Vec<Group>, Vec<Group>) = normal
        .into_iter()
        .partition(|group| engine.closes_badly() && group.streams > 0);
    field.waiting.extend(parallel);
    field.empty().await;
    for group in serial.into_iter().chain(exclusive) {
        alone(&engine, group, Manner::default(), &events).await;
    }
    if let Some(reason) = engine.lost() {
        // Nobody listens any more only when the run is over.
        let _ = events
            .send(EventKind::TargetLost {
                reason: reason.to_owned(),
            })
            .await;
    }
}

/// Whether a scenario opens a stream, in the background or not.
fn streams(engine: &Engine, scenario: &Scenario) -> bool {
    scenario.calls().into_iter().any(|spec| {
        let method = engine.method(scenario, &spec.method.value, spec.undescribed);
        method.is_some_and(|method| method.server_streaming)
    })
}

/// Groups that run side by side, as many as there are jobs and streams for.
struct Field<'a> {
    engine: &'a Arc<Engine>,
    events: &'a mpsc::Sender<EventKind>,
    waiting: Vec<Group>,
    running: JoinSet<()>,
    jobs: Arc<Semaphore>,
    budget: Arc<Semaphore>,
    /// A job has become free.
    freed: Arc<Notify>,
}

impl<'a> Field<'a> {
    fn new(engine: &'a Arc<Engine>, events: &'a mpsc::Sender<EventKind>) -> Field<'a> {
        Field {
            engine,
            events,
            waiting: Vec::new(),
            running: JoinSet::new(),
            jobs: Arc::new(Semaphore::new(engine.options.jobs.max(1))),
            budget: Arc::new(Semaphore::new(engine.options.stream_budget.max(1))),
            freed: Arc::default(),
        }
    }

    /// Runs the guards, and what waits beside them.
    async fn beside(&mut self, guards: Vec<Group>) {
        let sets = by_scenario(guards);
        let at_once = sets.iter().map(Vec::len).max().unwrap_or_default();
        let at_once = u32::try_from(at_once.min(self.engine.options.jobs)).unwrap_or(1);
        // Nothing runs yet.
        let jobs = self.jobs.clone().try_acquire_many_owned(at_once.max(1));
        let mut guarding = tokio::spawn(guard(self.engine.clone(), sets, self.events.clone()));
        loop {
            self.start();
            tokio::select! {
                ended = &mut guarding => {
                    if ended.is_err() {
                        self.engine.note_closes_badly();
                    }
                    break;
                }
                () = self.changed() => {}
            }
        }
        drop(jobs);
    }

    /// Runs all that waits, to the end.
    async fn empty(&mut self) {
        loop {
            self.start();
            if self.running.is_empty() {
                return;
            }
            self.changed().await;
        }
    }

    /// Something has ended, or a job has become free.
    async fn changed(&mut self) {
        tokio::select! {
            () = self.freed.notified() => {}
            Some(_) = self.running.join_next() => {}
        }
    }

    /// Begins all that there is room for. What waits long comes first; streams weigh, for there are few of them.
    fn start(&mut self) {
        self.waiting.sort_by_key(|group| {
            Reverse(
                group
                    .waits
                    .saturating_mul(u32::try_from(group.streams.max(1)).unwrap_or(1)),
            )
        });
        let mut index = 0;
        while let Some(group) = self.waiting.get(index) {
            let Ok(job) = self.jobs.clone().try_acquire_owned() else {
                return;
            };
            let wanted = u32::try_from(group.streams.min(self.engine.options.stream_budget)).unwrap_or(1);
            // A group that cannot have its streams at once waits for them without holding a job.
            let Ok(streams) = self.budget.clone().try_acquire_many_owned(wanted) else {
                index += 1;
                continue;
            };
            let group = self.waiting.remove(index);
            let (engine, events, freed) = (self.engine.clone(), self.events.clone(), self.freed.clone());
            self.running.spawn(async move {
                run_group(&engine, group, Manner::default(), &events).await;
                drop(job);
                freed.notify_one();
                if wanted > 0 && !over(&engine) {
                    engine.drain(false).await;
                }
                drop(streams);
            });
        }
    }
}

/// The groups of each scenario.
fn by_scenario(groups: Vec<Group>) -> Vec<Vec<Group>> {
    let mut sets: Vec<Vec<Group>> = Vec::new();
    for group in groups {
        let id = group.scenario().map(|scenario| &scenario.id.value);
        let same =
            |set: &&mut Vec<Group>| set.first().and_then(Group::scenario).map(|scenario| &scenario.id.value) == id;
        match sets.iter_mut().find(same) {
            Some(set) => set.push(group),
            None => sets.push(vec![group]),
        }
    }
    sets
}

/// Runs the scenarios that guard streams, one after the other, and takes note of what they find.
async fn guard(engine: Arc<Engine>, sets: Vec<Vec<Group>>, events: mpsc::Sender<EventKind>) {
    for set in sets {
        let tried = set.len() > 1 && may_go_together(&engine, &set);
        if tried && together(&engine, &set, &events).await {
            continue;
        }
        for group in set {
            let manner = Manner {
                again: tried,
                pace: None,
            };
            if alone(&engine, group, manner, &events).await {
                engine.note_closes_badly();
            }
        }
    }
}

/// Whether the groups have enough jobs and streams for all of them at once. As for exclusive scenarios, the budget does not bind
/// where the target may be disturbed.
fn may_go_together(engine: &Engine, set: &[Group]) -> bool {
    let options = &engine.options;
    let streams = set.iter().fold(0usize, |sum, group| sum.saturating_add(group.streams));
    let enough = streams <= options.stream_budget || options.loopback || options.allow_disruption;
    enough && set.len() <= options.jobs
}

/// Runs guards side by side, step by step. `false`: one has failed, and what was found of cases is forgotten.
async fn together(engine: &Arc<Engine>, set: &[Group], events: &mpsc::Sender<EventKind>) -> bool {
    let (found, mut inbox) = mpsc::channel(64);
    let mut running = JoinSet::new();
    for (group, pace) in set.iter().cloned().zip(Pace::of(set.len())) {
        let (engine, found) = (engine.clone(), found.clone());
        let manner = Manner {
            again: false,
            pace: Some(pace),
        };
        running.spawn(async move { run_group(&engine, group, manner, &found).await });
    }
    drop(found);
    let mut kept = Vec::new();
    while let Some(event) = inbox.recv().await {
        match event {
            EventKind::CaseFinished { .. } => kept.push(event),
            // Nobody listens any more only when the run is over.
            other => drop(events.send(other).await),
        }
    }
    let mut failed = false;
    while let Some(ended) = running.join_next().await {
        failed |= ended.unwrap_or(true);
    }
    if over(engine) {
        failed = false;
    } else {
        engine.drain(failed).await;
    }
    if !failed {
        for event in kept {
            // See above.
            let _ = events.send(event).await;
        }
    }
    !failed
}

/// Runs a group with no other stream beside it; answers whether a case failed.
async fn alone(engine: &Arc<Engine>, group: Group, manner: Manner, events: &mpsc::Sender<EventKind>) -> bool {
    let streams = group.streams > 0;
    let (own, own_events) = (engine.clone(), events.clone());
    // In a task of its own: a panic costs this group and not those after it.
    let failed = tokio::spawn(async move { run_group(&own, group, manner, &own_events).await }).await;
    let failed = failed.unwrap_or(true);
    if streams && !over(engine) {
        engine.drain(failed).await;
    }
    failed
}

/// Nothing more will be opened: there is nothing to drain for.
fn over(engine: &Engine) -> bool {
    engine.interrupted.is_cancelled() || engine.lost().is_some()
}
