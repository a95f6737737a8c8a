//! What the users of one round share: the gate that they begin at, and where their samples go.

use super::{
    call::{Ended, perform},
    plan::JourneyPlan,
    seat::Seat,
};
use crate::{
    client::Client,
    load::{
        exchange::Answer,
        recorder::Recorder,
        sample::{Moment, Outcome, RoundEnd, Sample, Sink},
        workload::Think,
    },
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

/// Recorders of a round: enough that users seldom wait for one, few enough that their histograms stay small.
const SHARDS: usize = 16;
/// Failures in words.
const WORDS: usize = 3;

/// One round.
pub struct Round {
    /// What is played.
    pub plan: Arc<JourneyPlan>,
    /// The users stop sending; what is under way may end.
    pub over: CancellationToken,
    /// Everything ends now.
    pub stopped: CancellationToken,
    /// By user.
    clients: Vec<Client>,
    /// By user.
    seats: Vec<Mutex<Seat>>,
    shards: Vec<Mutex<Recorder>>,
    count: Mutex<Count>,
    arrived: AtomicUsize,
    began: watch::Sender<Option<Instant>>,
}

/// Calls in flight and their time integral, kept apart from the samples.
#[derive(Default)]
struct Count {
    in_flight: u128,
    changed: Option<Instant>,
    integral: u128,
    begun: u64,
    done: u64,
    failures: Vec<String>,
}

impl Count {
    fn change(&mut self, now: Instant) {
        if let Some(changed) = self.changed {
            self.integral += now.saturating_duration_since(changed).as_nanos() * self.in_flight;
        }
        self.changed = Some(now);
    }
}

/// A call as goose is told of it.
pub struct Told {
    /// From before it was opened to its last byte.
    pub time: Duration,
    /// Whether it ended as accepted.
    pub success: bool,
    /// The code of its status, where it had one.
    pub code: Option<u16>,
    /// Whether it lies in the measured part of the round.
    pub counts: bool,
}

impl Round {
    /// Before its begin. The seed is of think times and random orders.
    pub fn new(plan: Arc<JourneyPlan>, client: &Client, seed: u64) -> Round {
        let recorder = Recorder::new(&plan.operations, plan.window);
        let shards = plan.users.clamp(1, SHARDS);
        Round {
            over: CancellationToken::new(),
            stopped: CancellationToken::new(),
            clients: (0..plan.users).map(|_| client.apart()).collect(),
            seats: (0..plan.users)
                .map(|user| Mutex::new(Seat::new(&plan, seed, user)))
                .collect(),
            shards: (0..shards).map(|_| Mutex::new(recorder.clone())).collect(),
            count: Mutex::default(),
            arrived: AtomicUsize::new(0),
            began: watch::Sender::new(None),
            plan,
        }
    }

    /// When it began; `None` until all users are there.
    pub fn began(&self) -> Option<Instant> {
        *self.began.borrow()
    }

    /// Whether its time is over, or it was stopped.
    pub fn is_over(&self) -> bool {
        let length = self.plan.window.warm_up + self.plan.window.measured;
        self.over.is_cancelled() || self.stopped.is_cancelled() || self.began().is_some_and(|at| at.elapsed() >= length)
    }

    /// Waits until a user may begin; later at once. The round begins when the last user is there.
    pub async fn enter(&self, user: usize) {
        let Some(seat) = self.seats.get(user) else { return };
        if std::mem::replace(&mut locked(seat).begun, true) {
            return;
        }
        let mut began = self.began.subscribe();
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.plan.users {
            self.began.send_replace(Some(Instant::now()));
        }
        let begin = async {
            let at = began.wait_for(Option::is_some).await.ok().and_then(|at| *at);
            if let Some(at) = at {
                tokio::time::sleep_until((at + self.plan.begins(user)).into()).await;
            }
        };
        tokio::select! {
            () = begin => {}
            () = self.over.cancelled() => {}
            () = self.stopped.cancelled() => {}
        }
    }

    /// One call. `None`: there is nothing to tell, the round was stopped.
    pub async fn call(&self, user: usize, operation: usize) -> Option<Told> {
        let plan = &self.plan;
        let (client, seat) = (self.clients.get(user)?, self.seats.get(user)?);
        let request = locked(seat).request(plan, operation);
        let prepared = plan.calls.get(operation)?.get(request)?;
        let spec = plan.operations.get(operation)?;
        let answer = spec
            .exchanges
            .get(request)
            .map_or(Answer::Message, |exchange| exchange.answer);
        let began = self.began()?;
        let sent = self.opened();
        let ended = tokio::select! {
            biased;
            ended = perform(client, prepared, answer, spec.timeout) => Some(ended),
            () = self.stopped.cancelled() => None,
        };
        let success = |ended: &Ended| matches!(ended.outcome, Outcome::Status(code) if spec.accepted.contains(&code));
        let failure = ended.as_ref().filter(|ended| !success(ended));
        self.closed(ended.is_some(), failure.and_then(|ended| ended.text.clone()));
        let ended = ended?;
        let sent = sent.saturating_duration_since(began);
        let window = plan.window;
        self.record(user, operation, sent, answer, &ended);
        Some(Told {
            time: ended.done,
            success: success(&ended),
            code: match ended.outcome {
                Outcome::Status(code) => Some(code.0.into()),
                _ => None,
            },
            counts: sent >= window.warm_up && sent < window.warm_up + window.measured,
        })
    }

    /// Waits as long as the user thinks, or to the end of the round.
    pub async fn think(&self, user: usize, think: Think) {
        let Some(time) = self.seats.get(user).map(|seat| locked(seat).think(think)) else {
            return;
        };
        if time.is_zero() {
            return;
        }
        tokio::select! {
            () = sleep(time) => {}
            () = self.over.cancelled() => {}
            () = self.stopped.cancelled() => {}
        }
    }

    /// Everything that was recorded, and the end as a thread of the load tier would tell it. Connections count no bytes here.
    pub fn result(&self, cpu: Duration) -> (Recorder, RoundEnd) {
        let mut recorder = Recorder::new(&self.plan.operations, self.plan.window);
        for shard in &self.shards {
            recorder.merge(&locked(shard));
        }
        let count = locked(&self.count);
        let elapsed = match (self.began(), count.changed) {
            (Some(began), Some(changed)) => changed.saturating_duration_since(began),
            _ => Duration::ZERO,
        };
        let end = RoundEnd {
            scheduled: count.begun,
            sent: count.begun,
            done: count.done,
            in_flight_integral: count.integral,
            elapsed,
            cpu: (cpu, Duration::ZERO),
            opened: self.plan.users as u64,
            failures: count.failures.clone(),
            ..RoundEnd::default()
        };
        (recorder, end)
    }

    fn opened(&self) -> Instant {
        let mut count = locked(&self.count);
        let now = Instant::now();
        count.change(now);
        count.in_flight += 1;
        count.begun += 1;
        now
    }

    fn closed(&self, ended: bool, failure: Option<String>) {
        let mut count = locked(&self.count);
        count.change(Instant::now());
        count.in_flight -= 1;
        count.done += u64::from(ended);
        if count.failures.len() < WORDS {
            count.failures.extend(failure);
        }
    }

    fn record(&self, user: usize, operation: usize, sent: Duration, answer: Answer, ended: &Ended) {
        let at = |since: Duration| nanos(sent + since.min(ended.done));
        let (sent, done) = (nanos(sent), at(ended.done));
        let operation = u32::try_from(operation).unwrap_or(u32::MAX);
        let first = match (answer, ended.messages.first()) {
            (Answer::Stream { .. }, Some(first)) => at(*first),
            _ => done,
        };
        let Some(shard) = self.shards.get(user % self.shards.len().max(1)) else {
            return;
        };
        let mut recorder = locked(shard);
        if let Answer::Stream { .. } = answer {
            for pair in ended.messages.windows(2) {
                recorder.moment(Moment::Gap {
                    operation,
                    at: at(pair[1]),
                    gap: nanos(pair[1].saturating_sub(pair[0])),
                });
            }
        }
        recorder.sample(&Sample {
            operation,
            intended: sent,
            able: sent,
            sent,
            first,
            done,
            outcome: ended.outcome,
            messages: u32::try_from(ended.messages.len()).unwrap_or(u32::MAX),
        });
    }
}

/// A panic elsewhere leaves numbers that still add up.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
