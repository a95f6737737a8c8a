//! One case: its steps in order, its clean-up whatever happened.

use super::{
    answers::Notes,
    coverage,
    engine::Engine,
    fold::level_of,
    judge::{self, Seen},
    mismatch::Mismatch,
    pace::Pace,
    record::LevelName,
    residue::Created,
    stream::Stream,
    timeline::Timeline,
    values,
};
use crate::{
    client::Protocol,
    scenario::{
        expr::{Expr, Scope, Value},
        model::{Action, Expectation, Scenario, Step},
    },
    schema::Method,
};
use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// For all clean-up of a case: two calls that hang until the client gives them up fit in.
const CLEAN_UP_LIMIT: Duration = Duration::from_secs(30);
/// How long the step of an interrupted run may go on, so that it is known what it has created.
const LAST_STEP: Duration = Duration::from_secs(2);

/// Why the steps of a case ended before the last one.
#[derive(Debug)]
pub enum Stop {
    /// An expectation did not hold; the mismatches are in the run.
    Failed,
    /// The target is gone, or the run was interrupted: nothing can be judged.
    NotJudged(String),
}

/// A case (or a set-up) as it runs.
pub struct CaseRun<'a> {
    /// Shared by all cases.
    pub engine: &'a Arc<Engine>,
    /// Its scenario.
    pub scenario: &'a Scenario,
    /// Over which protocol it calls.
    pub protocol: Protocol,
    /// With whom it takes its steps.
    pace: Option<&'a Pace>,
    /// What expressions can read so far.
    pub scope: Scope,
    /// Open background calls by step; several under one id for a `repeat`.
    pub streams: HashMap<String, Vec<Stream>>,
    /// What happened.
    pub timeline: Timeline,
    /// With the name of their step.
    pub mismatches: Vec<(String, Mismatch)>,
    /// How many facts were compared.
    pub judged: u64,
    /// What it left on the target.
    pub created: Created,
    /// When each step with an id was answered.
    pub answered: Vec<(String, Instant)>,
    /// Clean-up that is due, in the order of its steps.
    pub deferred: Vec<&'a Step>,
    /// Whether a call of the current step was answered OK: then its clean-up is due, whatever else was wrong.
    pub acted: bool,
    /// Clean-up that failed, in words.
    pub unclean: Vec<String>,
    /// `id[row]`, the key of its snapshots.
    pub key: String,
    /// Whether all its steps have run.
    pub finished: bool,
    /// What it was answered, fit to be compared.
    pub notes: Notes,
    /// Answers that differ from approved ones: judged at its end, so that the rest of the case is seen too.
    pub unapproved: Vec<(String, Mismatch)>,
    /// Its clean-up runs: what is answered there is no answer of the case.
    pub cleaning: bool,
}

impl<'a> CaseRun<'a> {
    /// A case at its start, on top of what its set-up has left in the scope.
    pub fn new(
        engine: &'a Arc<Engine>,
        (scenario, protocol): (&'a Scenario, Protocol),
        (run_id, pace): (&'a str, Option<&'a Pace>),
        scope: Scope,
        key: String,
    ) -> CaseRun<'a> {
        CaseRun {
            engine,
            scenario,
            protocol,
            pace,
            scope,
            streams: HashMap::new(),
            timeline: Timeline::new(Instant::now()),
            mismatches: Vec::new(),
            judged: 0,
            created: Created::default(),
            answered: Vec::new(),
            deferred: Vec::new(),
            acted: false,
            unclean: Vec::new(),
            key,
            finished: false,
            notes: Notes::new(engine.options.keep_answers, run_id),
            unapproved: Vec::new(),
            cleaning: false,
        }
    }

    /// Evaluates `vars` in order. With `lenient`, a variable that cannot be evaluated yet (it reads `row`) is left out.
    pub fn define_vars(&mut self, lenient: bool) -> Result<(), Stop> {
        let mut vars: HashMap<String, Value> = HashMap::new();
        for (name, template) in &self.scenario.vars {
            match template.value(&self.scope) {
                Ok(value) => {
                    vars.insert(name.value.clone(), value);
                    self.scope.set("vars", Value::from(vars.clone()));
                }
                Err(_) if lenient => {}
                Err(error) => return Err(self.fail("vars", error)),
            }
        }
        Ok(())
    }

    /// Runs steps in order, within the scenario's timeout.
    pub async fn run(&mut self, steps: &'a [Step]) -> Result<(), Stop> {
        let engine = self.engine.clone();
        let (limit, deadline) = (self.scenario.timeout, Instant::now() + self.scenario.timeout);
        for (index, step) in steps.iter().enumerate() {
            let name = step_name(step, index);
            if let Some(pace) = self.pace {
                pace.step().await;
            }
            if engine.interrupted.is_cancelled() {
                return Err(interrupted());
            }
            self.acted = false;
            let left = deadline.saturating_duration_since(Instant::now());
            let ended = {
                let mut running = pin!(timeout(left, self.step(step, &name)));
                tokio::select! {
                    biased;
                    ended = &mut running => Some(ended),
                    () = engine.interrupted.cancelled() => {
                        // What it finds is not judged any more; what it creates is cleaned up.
                        let _ = timeout(LAST_STEP, running).await;
                        None
                    }
                }
            };
            if !step.defer.is_empty() && (self.acted || matches!(ended, Some(Ok(Ok(()))))) {
                self.deferred.push(step);
            }
            match ended {
                Some(Ok(ended)) => ended?,
                Some(Err(_)) if !self.engine.reachable(self.protocol).await => return Err(self.not_judged()),
                Some(Err(_)) => {
                    let text = format!(
                        "the case took longer than its timeout of {}",
                        humantime::format_duration(limit)
                    );
                    return Err(self.fail(&name, Mismatch::new(step.span, text)));
                }
                None => return Err(interrupted()),
            }
        }
        self.finished = true;
        if self.mismatches.is_empty() {
            Ok(())
        } else {
            Err(Stop::Failed)
        }
    }

    async fn step(&mut self, step: &'a Step, name: &str) -> Result<(), Stop> {
        match &step.action {
            Action::Call(call) => self.call_step(step, call, name).await,
            Action::Background(background) => self.background_step(step, background, name).await,
            Action::Wait(wait) => self.wait_step(step, wait, name).await,
            Action::Send { to, request } => self.send_step(to, request, name).await,
            Action::Close { step: of } => {
                for stream in self.streams.get(&of.value).into_iter().flatten() {
                    stream.close().await;
                }
                Ok(())
            }
            Action::Cancel { steps } => {
                self.cancel_step(steps, name).await?;
                if self.engine.closes_badly() {
                    // One defect is reported once: the next stream of this case shall not suffer from it.
                    self.engine.drain(true).await;
                }
                Ok(())
            }
        }
    }

    /// Cancels what is still open and runs the clean-up, last in, first out. Failures become residue.
    pub async fn clean_up(&mut self) {
        self.cleaning = true;
        for (_, streams) in std::mem::take(&mut self.streams) {
            for mut stream in streams {
                self.cancel(&mut stream).await;
            }
        }
        let deferred = std::mem::take(&mut self.deferred);
        if deferred.is_empty() || self.engine.lost().is_some() {
            if !deferred.is_empty() {
                self.unclean.push("clean-up did not run: the target is gone".to_owned());
            }
            return;
        }
        let found = self.mismatches.len();
        let deadline = Instant::now() + CLEAN_UP_LIMIT;
        for step in deferred.into_iter().rev() {
            if self.engine.lost().is_some() {
                self.unclean.push("clean-up did not run: the target is gone".to_owned());
                break;
            }
            for (index, clean) in step.defer.iter().enumerate() {
                let name = format!("{} / clean-up", step_name(clean, index));
                let ended = timeout_at(deadline, self.step(clean, &name)).await;
                let problem = match ended {
                    Ok(Ok(())) => continue,
                    Ok(Err(Stop::NotJudged(reason))) => reason,
                    Ok(Err(Stop::Failed)) => self
                        .mismatches
                        .drain(found..)
                        .map(|(_, m)| m.summary)
                        .collect::<Vec<_>>()
                        .join("; "),
                    Err(_) => format!(
                        "all clean-up took longer than {}",
                        humantime::format_duration(CLEAN_UP_LIMIT)
                    ),
                };
                self.unclean
                    .push(format!("clean-up at line {} failed: {problem}", clean.span.line));
                break;
            }
        }
        self.mismatches.truncate(found);
    }

    /// Adds what a step has found; stops the case when something did not hold. What breaks `should` rules alone does not
    /// stop it: the `must` rules behind it would go unjudged.
    pub fn conclude(&mut self, name: &str, judgement: judge::Judgement) -> Result<(), Stop> {
        self.judged += judgement.judged;
        if judgement.mismatches.is_empty() {
            return Ok(());
        }
        let rules_of = |level: LevelName| move |rule: &str| level_of(rule) == Some(level);
        let light = !judgement.status_missed
            && judgement
                .mismatches
                .iter()
                .all(|mismatch| mismatch.rule.as_deref().is_some_and(rules_of(LevelName::Should)))
            && self
                .scenario
                .rules
                .iter()
                .map(|rule| rule.value.as_str())
                .any(rules_of(LevelName::Must));
        self.mismatches.extend(
            judgement
                .mismatches
                .into_iter()
                .map(|mismatch| (name.to_owned(), mismatch)),
        );
        if light { Ok(()) } else { Err(Stop::Failed) }
    }

    /// Cancels a stream, and counts what it was answered.
    pub async fn cancel(&self, stream: &mut Stream) {
        stream.cancel().await;
        let received = stream.received();
        self.engine
            .coverage
            .closed(self.protocol, &stream.method, &received.messages, received.end.as_ref());
    }

    /// Counts the fields that expectations were held against; those of the step's own answer only where there was one.
    pub fn count_judged(&self, method: &Method, expectations: &[Expectation], until: Option<&Expr>, answered: bool) {
        let mut reads = coverage::reads(expectations, until);
        reads.retain(|(step, _)| answered || step.is_some());
        let mut of: Vec<&Option<String>> = reads.iter().map(|(step, _)| step).collect();
        of.sort();
        of.dedup();
        for step in of {
            let method = match step {
                None => Some(method.clone()),
                Some(id) => self.method_of(id),
            };
            if let Some(method) = method {
                let reads = reads.iter().filter(|(of, _)| of == step).map(|(_, read)| read);
                self.engine.coverage.judged(self.protocol, &method, reads);
            }
        }
    }

    /// What a step of the file calls.
    fn method_of(&self, id: &str) -> Option<Method> {
        let steps = self.scenario.setup.iter().chain(&self.scenario.steps);
        let mut all = steps.flat_map(|step| std::iter::once(step).chain(&step.defer));
        let step = all.find(|step| step.id.as_ref().is_some_and(|own| own.value == id))?;
        let spec = match &step.action {
            Action::Call(call) => &call.spec,
            Action::Background(background) => &background.spec,
            _ => return None,
        };
        self.engine.method(self.scenario, &spec.method.value, spec.undescribed)
    }

    /// Stops the case at one mismatch.
    pub fn fail(&mut self, name: &str, mismatch: impl Into<Mismatch>) -> Stop {
        self.judged += 1;
        self.mismatches.push((name.to_owned(), mismatch.into()));
        Stop::Failed
    }

    /// Why nothing more can be judged.
    pub fn not_judged(&self) -> Stop {
        Stop::NotJudged(match self.engine.lost() {
            Some(reason) => format!("the target is gone: {reason}"),
            None => "interrupted".to_owned(),
        })
    }

    /// Makes an answer readable as `<step>.…`, and notes when it came.
    pub fn remember(&mut self, step: &Step, roots: &[(&'static str, Value)]) {
        if let Some(id) = &step.id {
            self.scope.set(&id.value, values::step(roots));
            self.answered.push((id.value.clone(), Instant::now()));
        }
    }

    /// The answered steps on the clock that began at `zero`.
    pub fn answered_since(&self, zero: Instant) -> Vec<(String, Duration)> {
        self.answered
            .iter()
            .map(|(step, at)| (step.clone(), at.saturating_duration_since(zero)))
            .collect()
    }

    /// Judges a stream at this moment.
    pub fn judge_stream(&self, expectations: &[Expectation], stream: &Stream, step: &Step) -> judge::Judgement {
        let (messages, end) = {
            let received = stream.received();
            (received.messages.clone(), received.end.clone())
        };
        let mut scope = self.scope.clone();
        scope.set(
            "messages",
            values::messages(messages.get(stream.before_ready..).unwrap_or_default()),
        );
        scope.set("ended", Value::Bool(end.is_some()));
        if let Some(end) = &end {
            for (root, value) in values::answer(&stream.method, end) {
                if root != "messages" {
                    scope.set(root, value);
                }
            }
        }
        judge::judge(
            expectations,
            &Seen {
                method: &stream.method,
                scope: &scope,
                observation: end.as_ref(),
                results: None,
                messages: &messages,
                before_ready: stream.before_ready,
                status_defaults_to_ok: false,
                cancels: false,
                step: step.span,
                answered: &self.answered_since(stream.opened),
            },
        )
    }
}

fn interrupted() -> Stop {
    Stop::NotJudged("interrupted".to_owned())
}

/// The id of a step, or its number from 1.
pub fn step_name(step: &Step, index: usize) -> String {
    step.id
        .as_ref()
        .map_or_else(|| format!("step {}", index + 1), |id| id.value.clone())
}
