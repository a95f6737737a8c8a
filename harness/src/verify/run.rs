//! Runs a matrix: one loop numbers the events of all groups, and each group runs its cases here. `drive` says what runs
//! beside what.

use super::{
    case::{CaseRun, Stop},
    drive::drive,
    engine::{Engine, split},
    event::EventKind,
    group::{Group, groups},
    matrix::Case,
    mismatch::{Mismatch, weightiest},
    pace::Pace,
    record::{CaseRecord, LevelName, Outcome, Residue},
};
use crate::client::Protocol;
use crate::scenario::{
    expr::Scope,
    model::{Effects, Scenario},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::Instant};

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

/// How a group runs.
#[derive(Debug, Default)]
pub struct Manner {
    /// It has run before, and must not meet what it left then.
    pub again: bool,
    /// With whom it takes its steps.
    pub pace: Option<Pace>,
}

/// Runs the cases of a group; answers whether one failed.
pub async fn run_group(engine: &Arc<Engine>, group: Group, manner: Manner, events: &mpsc::Sender<EventKind>) -> bool {
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

    let run_id = match manner.again {
        true => format!("{}-again", engine.run_id(first.protocol)),
        false => engine.run_id(first.protocol),
    };
    let manner = (run_id.as_str(), manner.pace.as_ref());
    let mut scope = Scope::default();
    scope.set(
        "run",
        super::values::map([
            ("id", super::values::text(&run_id)),
            ("protocol", super::values::text(first.protocol.name())),
        ]),
    );
    let mut setup = CaseRun::new(
        engine,
        (&scenario, first.protocol),
        manner,
        scope,
        scenario.id.value.clone(),
    );
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
                let mut run = CaseRun::new(engine, (&scenario, first.protocol), manner, setup.scope.clone(), key);
                run.notes = setup.notes.clone();
                run.unapproved = setup.unapproved.clone();
                let stop = one_case(&mut run, case).await;
                engine.answers.put(case.name(), &run.notes, stop.is_ok());
                let stop = stop.and_then(|()| approved(&mut run));
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

/// What differs from approved answers fails the case in the end.
fn approved(run: &mut CaseRun<'_>) -> Result<(), Stop> {
    let unapproved = std::mem::take(&mut run.unapproved);
    match unapproved.is_empty() {
        true => Ok(()),
        false => {
            run.mismatches.extend(unapproved);
            Err(Stop::Failed)
        }
    }
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
