//! Drives all cases of a matrix: what runs beside what, and in which order. One loop numbers the events.
//!
//! 1. Scenarios that guard the streams, alone. If one fails, cases with background streams run one at a time.
//! 2. All others, so many groups at once, within the budget of open streams.
//! 3. Exclusive scenarios, one at a time.

use super::{
    case::{CaseRun, Stop},
    engine::{Engine, split},
    event::EventKind,
    matrix::Case,
    mismatch::{Mismatch, weightiest},
    record::{CaseRecord, LevelName, Outcome, Residue},
};
use crate::client::Protocol;
use crate::scenario::{
    expr::Scope,
    model::{Action, Effects, Scenario, Step},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::Instant,
};

/// The cases of one scenario on one protocol: they share a set-up and run in order.
#[derive(Clone)]
struct Group {
    cases: Vec<Case>,
    streams: usize,
}

/// What a run has produced beside its events.
#[derive(Debug, Default)]
pub struct Produced {
    /// In the order of the matrix.
    pub cases: Vec<CaseRecord>,
    /// What stays behind.
    pub residue: Vec<Residue>,
}

/// Runs the matrix. Every event goes to `listen`, in order, from one loop.
pub async fn run(engine: &Arc<Engine>, matrix: &[Case], mut listen: impl FnMut(EventKind)) -> Produced {
    let (events, mut inbox) = mpsc::channel::<EventKind>(256);
    let groups = groups(matrix);
    let driver = tokio::spawn(drive(engine.clone(), groups, events));
    let mut produced = Produced::default();
    while let Some(event) = inbox.recv().await {
        match &event {
            EventKind::CaseFinished { case } => produced.cases.push((**case).clone()),
            EventKind::ResidueLeft { residue } => produced.residue.push(residue.clone()),
            _ => {}
        }
        listen(event);
    }
    // The driver has dropped its sender. Cases that never ended, interrupted or lost in a panic, are not judged.
    let _ = driver.await;
    let finished: HashSet<String> = produced.cases.iter().map(CaseRecord::name).collect();
    for case in matrix.iter().filter(|case| !finished.contains(&case.name())) {
        let reason = match engine.lost() {
            _ if engine.interrupted.is_cancelled() => "interrupted".to_owned(),
            Some(reason) => format!("the target is gone: {reason}"),
            None => "stocktake itself failed in this case: please report the panic above".to_owned(),
        };
        let record = blank(case, Outcome::NotJudged { reason });
        produced.cases.push(record.clone());
        listen(EventKind::CaseFinished { case: Box::new(record) });
    }
    let position: HashMap<String, usize> = matrix
        .iter()
        .enumerate()
        .map(|(index, case)| (case.name(), index))
        .collect();
    produced.cases.sort_by_key(|case| position.get(&case.name()).copied());
    produced
}

fn groups(matrix: &[Case]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for case in matrix {
        match groups.last_mut() {
            Some(group)
                if group.cases.last().is_some_and(|last| {
                    Arc::ptr_eq(&last.scenario, &case.scenario) && last.protocol == case.protocol
                }) =>
            {
                group.cases.push(case.clone());
            }
            _ => groups.push(Group {
                streams: open_streams(&case.scenario),
                cases: vec![case.clone()],
            }),
        }
    }
    groups
}

/// How many background streams a case of the scenario has open at the most; a computed repeat counts as the budget.
pub fn open_streams(scenario: &Scenario) -> usize {
    let opened = |step: &Step| match &step.action {
        Action::Background(background) => match background.repeat.as_ref().map(|count| &count.node) {
            None => 1,
            Some(crate::scenario::model::TemplateNode::Int(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
            Some(_) => usize::MAX,
        },
        _ => 0,
    };
    scenario.steps.iter().map(opened).fold(0, usize::saturating_add)
}

async fn drive(engine: Arc<Engine>, groups: Vec<Group>, events: mpsc::Sender<EventKind>) {
    let of = |wanted: fn(&Scenario) -> bool| -> Vec<Group> {
        groups
            .iter()
            .filter(|group| group.cases.first().is_some_and(|case| wanted(&case.scenario)))
            .cloned()
            .collect()
    };
    for group in of(|s| s.guards_streams) {
        if alone(&engine, group, &events).await {
            engine.note_closes_badly();
        }
    }

    let normal = of(|s| !s.guards_streams && !s.exclusive);
    let (serial, parallel): (Vec<Group>, Vec<Group>) = normal
        .into_iter()
        .partition(|group| engine.closes_badly() && group.streams > 0);
    let jobs = Arc::new(Semaphore::new(engine.options.jobs.max(1)));
    let budget = Arc::new(Semaphore::new(engine.options.stream_budget.max(1)));
    let mut running = JoinSet::new();
    for group in parallel {
        let (engine, events, jobs, budget) = (engine.clone(), events.clone(), jobs.clone(), budget.clone());
        running.spawn(async move {
            // A group that cannot have its permits at once waits for them without holding a job.
            let wanted = u32::try_from(group.streams.min(engine.options.stream_budget)).unwrap_or(1);
            let Ok(streams) = budget.acquire_many_owned(wanted).await else {
                return;
            };
            let Ok(job) = jobs.acquire_owned().await else { return };
            let opened = wanted > 0;
            run_group(&engine, group, &events).await;
            drop(job);
            if opened && !over(&engine) {
                engine.drain(false).await;
            }
            drop(streams);
        });
    }
    while running.join_next().await.is_some() {}
    for group in serial {
        alone(&engine, group, &events).await;
    }
    for group in of(|s| !s.guards_streams && s.exclusive) {
        alone(&engine, group, &events).await;
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

/// Runs a group with the target to itself; answers whether a case failed.
async fn alone(engine: &Arc<Engine>, group: Group, events: &mpsc::Sender<EventKind>) -> bool {
    let streams = group.streams > 0;
    let (own, own_events) = (engine.clone(), events.clone());
    // In a task of its own: a panic costs this group and not those after it.
    let failed = tokio::spawn(async move { run_group(&own, group, &own_events).await }).await;
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

/// Why a scenario is not run at all.
fn skipped(engine: &Engine, scenario: &Scenario) -> Option<String> {
    let options = &engine.options;
    for wanted in &scenario.requires {
        let offered = split(scenario, &wanted.value)
            .is_some_and(|(service, method)| engine.schema.method(&service, &method).is_some());
        if !offered {
            return Some(format!("the target does not offer `{}`", wanted.value));
        }
    }
    if options.read_only && scenario.effects == Effects::Writes {
        return Some("it writes, and the run is --read-only".to_owned());
    }
    if scenario.exclusive && !options.loopback && !options.allow_disruption {
        return Some("it needs the target to itself: allow it with --allow-disruption".to_owned());
    }
    if scenario.odd_data && !options.loopback && !options.allow_odd_data {
        return Some("it may leave odd data on a wrong target: allow it with --allow-odd-data".to_owned());
    }
    None
}

/// Why a scenario is not run over REST.
fn without_rest(engine: &Engine, scenario: &Scenario) -> Option<Outcome> {
    if let Some(outcome) = &engine.options.no_rest {
        return Some(outcome.clone());
    }
    let unmapped = scenario.calls().into_iter().find_map(|spec| {
        let name = &spec.method.value;
        match engine.method(scenario, name, spec.undescribed) {
            _ if spec.undescribed => Some(format!("REST has no path for `{name}`, which no descriptor knows")),
            Some(method) => method.no_rest(),
            None => None,
        }
    });
    unmapped.map(|reason| Outcome::Skipped { reason })
}

async fn run_group(engine: &Arc<Engine>, group: Group, events: &mpsc::Sender<EventKind>) -> bool {
    let Some(first) = group.cases.first() else { return false };
    let scenario = first.scenario.clone();
    let mut send = Sender { events, failed: false };

    let withheld = match skipped(engine, &scenario) {
        Some(reason) => Some(Outcome::Skipped { reason }),
        None if first.protocol == Protocol::Rest => without_rest(engine, &scenario),
        None => None,
    };
    if let Some(outcome) = withheld {
        for case in &group.cases {
            send.finished(blank(case, outcome.clone())).await;
        }
        return false;
    }
    if engine.interrupted.is_cancelled() {
        return false;
    }
    if let Some(reason) = engine.lost() {
        for case in &group.cases {
            send.finished(blank(
                case,
                Outcome::NotJudged {
                    reason: format!("the target is gone: {reason}"),
                },
            ))
            .await;
        }
        return false;
    }

    let mut scope = Scope::default();
    scope.set(
        "run",
        super::values::map([
            ("id", super::values::text(&engine.run_id(first.protocol))),
            ("protocol", super::values::text(first.protocol.name())),
        ]),
    );
    let mut setup = CaseRun::new(engine, (&scenario, first.protocol), scope, scenario.id.value.clone());
    let mut began = Instant::now();
    let mut prepared = setup.define_vars(true);
    if prepared.is_ok() {
        prepared = setup.run(&scenario.setup).await;
    }
    match prepared {
        Ok(()) => {
            for case in &group.cases {
                send.started(case).await;
                began = Instant::now();
                let key = case
                    .row_name()
                    .map_or(scenario.id.value.clone(), |row| format!("{}[{row}]", scenario.id.value));
                let mut run = CaseRun::new(engine, (&scenario, first.protocol), setup.scope.clone(), key);
                let stop = one_case(&mut run, case).await;
                run.clean_up().await;
                send.left(&run).await;
                let record = record(case, &run, stop, began.elapsed());
                send.finished(record).await;
                if engine.interrupted.is_cancelled() {
                    break;
                }
            }
        }
        Err(stop) => {
            // The set-up failed once: one case shows it, the first that nobody expected to fail; the others could not be
            // judged, unless they are expected to fail.
            let shown = group
                .cases
                .iter()
                .position(|case| case.known_failing.is_none())
                .unwrap_or(0);
            let by = group.cases.get(shown).unwrap_or(first).name();
            let (failed, reason) = match &stop {
                Stop::Failed => (true, format!("its set-up failed, as `{by}` shows")),
                Stop::NotJudged(reason) => (false, reason.clone()),
            };
            let mut stop = Some(stop);
            for (index, case) in group.cases.iter().enumerate() {
                send.started(case).await;
                let record = match (stop.take_if(|_| index == shown), &case.known_failing) {
                    (Some(stop), _) => CaseRecord {
                        finished: false,
                        ..record(case, &setup, Err(stop), began.elapsed())
                    },
                    (None, Some(reason)) if failed => blank(case, Outcome::KnownFailing { reason: reason.clone() }),
                    (None, _) => blank(case, Outcome::NotJudged { reason: reason.clone() }),
                };
                send.finished(record).await;
            }
        }
    }
    setup.clean_up().await;
    send.left(&setup).await;
    send.failed
}

async fn one_case<'a>(run: &mut CaseRun<'a>, case: &Case) -> Result<(), Stop> {
    let scenario = run.scenario;
    if let Some(row) = case.row.and_then(|row| scenario.rows.get(row)) {
        match row.fields.value(&run.scope) {
            Ok(fields) => run.scope.set("row", fields),
            Err(error) => return Err(run.fail("row", error)),
        }
    }
    run.define_vars(false)?;
    run.run(&scenario.steps).await?;
    if run.judged == 0 {
        let place = scenario.id.span;
        return Err(run.fail("case", Mismatch::new(place, "the case judged nothing")));
    }
    Ok(())
}

struct Sender<'a> {
    events: &'a mpsc::Sender<EventKind>,
    failed: bool,
}

impl Sender<'_> {
    async fn send(&self, event: EventKind) {
        // The receiver outlives every group; without it nobody would read the event anyway.
        let _ = self.events.send(event).await;
    }

    async fn started(&self, case: &Case) {
        self.send(EventKind::CaseStarted { case: case.name() }).await;
    }

    async fn finished(&mut self, case: CaseRecord) {
        self.failed |= !case.mismatches.is_empty();
        self.send(EventKind::CaseFinished { case: Box::new(case) }).await;
    }

    async fn left(&self, run: &CaseRun<'_>) {
        let why = run.unclean.join("; ");
        let lines = run.created.lines();
        if lines.is_empty() && !why.is_empty() {
            let residue = Residue {
                what: format!("traces of {}", run.key),
                why: why.clone(),
            };
            self.send(EventKind::ResidueLeft { residue }).await;
        }
        for what in lines {
            self.send(EventKind::ResidueLeft {
                residue: Residue { what, why: why.clone() },
            })
            .await;
        }
    }
}

fn record(case: &Case, run: &CaseRun<'_>, stop: Result<(), Stop>, elapsed: Duration) -> CaseRecord {
    let outcome = match (&stop, &case.known_failing) {
        (Err(Stop::NotJudged(reason)), _) => Outcome::NotJudged { reason: reason.clone() },
        (Err(Stop::Failed), Some(reason)) => Outcome::KnownFailing { reason: reason.clone() },
        (Err(Stop::Failed), None) => Outcome::Failed,
        (Ok(()), Some(reason)) => Outcome::UnexpectedPass { reason: reason.clone() },
        (Ok(()), None) => Outcome::Passed,
    };
    let judged = !matches!(outcome, Outcome::NotJudged { .. });
    CaseRecord {
        elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        finished: judged && run.finished,
        judged: run.judged,
        mismatches: if judged {
            run.mismatches
                .iter()
                .map(|(step, mismatch)| mismatch.record(&case.scenario, step))
                .collect()
        } else {
            Vec::new()
        },
        timeline: if outcome == Outcome::Passed {
            Vec::new()
        } else {
            run.timeline.finish()
        },
        left: run.created.lines(),
        ..blank(case, outcome)
    }
}

fn blank(case: &Case, outcome: Outcome) -> CaseRecord {
    let scenario = &case.scenario;
    let row = case.row.and_then(|row| scenario.rows.get(row));
    let rules: Vec<String> = scenario.rules.iter().map(|rule| rule.value.clone()).collect();
    // The weightiest rule says how much the case weighs.
    let level = weightiest(&rules, LevelName::from(scenario.level));
    CaseRecord {
        scenario: scenario.id.value.clone(),
        title: scenario.name.clone(),
        row: row.map(|row| row.name.clone()),
        protocol: case.protocol,
        file: scenario.source.name.clone(),
        line: row.map_or(scenario.id.span.line, |row| row.span.line),
        rules,
        level,
        outcome,
        elapsed_ms: 0,
        finished: false,
        judged: 0,
        mismatches: Vec::new(),
        timeline: Vec::new(),
        left: Vec::new(),
    }
}
