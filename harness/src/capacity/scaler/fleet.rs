//! Replicas with their queues, as fluids: what arrives is shared out evenly, what waits stays where it is. Pure.
//!
//! Replicas that were started together are alike, so they are one [`Cohort`]. A cohort of n replicas, each serving c requests a
//! second, with b requests waiting, answers a request that arrives now after b / (n c) seconds: first come, first served. A
//! request whose caller gives up before that is counted as failed when it arrives, and takes no service. Below c nothing waits:
//! what waits by chance at or below c is inside the objective for which c was measured.

use crate::capacity::measured::Sharing;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Less than a thousandth of a request is nothing.
const NOTHING: f64 = 1e-3;

/// What is known of every replica.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replica {
    /// Requests that it serves a second, the skew of the balancer taken off, with as many beside it as were measured.
    pub rate: f64,
    /// What replicas lose to each other, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// Requests a second that all of them together serve at most, where something else was full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<f64>,
    /// Seconds that a request is in flight where none waits.
    pub seconds: f64,
    /// Seconds from its start until it serves.
    pub start_s: f64,
    /// Seconds after which a caller gives up.
    pub patience_s: f64,
    /// Seconds that it has to end what it began.
    pub grace_s: f64,
}

impl Replica {
    /// What each of so many that serve does.
    pub fn rate_among(&self, serving: u32) -> f64 {
        let each = self.rate * self.sharing.map_or(1.0, |sharing| sharing.share(serving));
        each.min(self.ceiling.unwrap_or(f64::INFINITY) / f64::from(serving.max(1)))
    }
}

#[derive(Clone, Debug)]
struct Cohort {
    replicas: u32,
    ready: f64,
    /// When it is killed, where it was told to end.
    ends: Option<f64>,
    /// Requests that wait at all its replicas.
    waiting: f64,
}

/// What became of the requests of a step.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// Those that arrived.
    pub arrived: f64,
    /// Requests that were given up, or lost with their replica.
    pub failed: f64,
    /// Seconds that requests wait, and how many: those that arrived and will be served.
    pub waits: Vec<(f64, f64)>,
    /// The longest wait of one that arrives at the end of the step.
    pub wait: f64,
    /// Requests that were served.
    pub served: f64,
}

/// All replicas of a revision.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    replica: Replica,
    /// In the order in which they were started.
    cohorts: Vec<Cohort>,
    /// Requests that wait at the edge since no replica is ready: when they came, and how many.
    held: VecDeque<(f64, f64)>,
    /// Requests that wait in vain: when they came, and how many.
    vain: VecDeque<(f64, f64)>,
}

impl Fleet {
    /// Replicas that are ready at 0 s.
    pub fn new(replica: Replica, replicas: u32) -> Fleet {
        let mut fleet = Fleet {
            replica,
            cohorts: Vec::new(),
            held: VecDeque::new(),
            vain: VecDeque::new(),
        };
        fleet.add(0.0, replicas);
        fleet
    }

    /// So many are to run from now on. The youngest go first.
    pub fn resize(&mut self, at: f64, replicas: u32) {
        let now = self.running();
        if replicas > now {
            self.add(at + self.replica.start_s, replicas - now);
        }
        let mut gone = now.saturating_sub(replicas);
        let mut leaving = Vec::new();
        for cohort in self.cohorts.iter_mut().rev().filter(|cohort| cohort.ends.is_none()) {
            let go = gone.min(cohort.replicas);
            if go == 0 {
                break;
            }
            let waiting = cohort.waiting * f64::from(go) / f64::from(cohort.replicas);
            cohort.waiting -= waiting;
            cohort.replicas -= go;
            gone -= go;
            leaving.push(Cohort {
                replicas: go,
                ready: cohort.ready,
                ends: Some(at + self.replica.grace_s),
                waiting,
            });
        }
        self.cohorts.append(&mut leaving);
        self.cohorts.retain(|cohort| cohort.replicas > 0);
    }

    /// Replicas that are to run, ready or not.
    pub fn running(&self) -> u32 {
        let staying = self.cohorts.iter().filter(|cohort| cohort.ends.is_none());
        staying.map(|cohort| cohort.replicas).sum()
    }

    /// Replicas that are paid for: those that end, too.
    pub fn paid(&self) -> u32 {
        self.cohorts.iter().map(|cohort| cohort.replicas).sum()
    }

    /// Replicas that take requests.
    pub fn ready(&self, at: f64) -> u32 {
        let ready = self.cohorts.iter().filter(|cohort| cohort.takes(at));
        ready.map(|cohort| cohort.replicas).sum()
    }

    /// Requests that wait, those that will be given up with them.
    pub fn waiting(&self) -> f64 {
        let queues: f64 = self.cohorts.iter().map(|cohort| cohort.waiting).sum();
        queues + amount(&self.held) + amount(&self.vain)
    }

    /// Lets requests arrive, evenly over `seconds`, and serves.
    pub fn flow(&mut self, at: f64, seconds: f64, arrived: f64) -> Flow {
        let mut flow = Flow {
            arrived,
            ..Flow::default()
        };
        while self
            .vain
            .front()
            .is_some_and(|(then, _)| at - then >= self.replica.patience_s)
        {
            self.vain.pop_front();
        }
        let ready = self.ready(at);
        if ready == 0 {
            self.hold(at, arrived, &mut flow);
        } else {
            self.release(at, ready, &mut flow);
        }
        let share = if ready > 0 { arrived / f64::from(ready) } else { 0.0 };
        let serving = self.cohorts.iter().filter(|cohort| cohort.ready <= at);
        let each = self.replica.rate_among(serving.map(|cohort| cohort.replicas).sum());
        for cohort in &mut self.cohorts {
            let rate = f64::from(cohort.replicas) * each;
            let arriving = if cohort.takes(at) {
                share * f64::from(cohort.replicas)
            } else {
                0.0
            };
            if cohort.ready <= at {
                let failed = cohort.flow(seconds, arriving, rate, self.replica.patience_s, &mut flow);
                if failed > 0.0 {
                    self.vain.push_back((at, failed));
                }
            }
        }
        self.bury(at + seconds, &mut flow);
        flow
    }

    fn add(&mut self, ready: f64, replicas: u32) {
        if replicas > 0 {
            self.cohorts.push(Cohort {
                replicas,
                ready,
                ends: None,
                waiting: 0.0,
            });
        }
    }

    /// Nobody is there: what arrives waits at the edge until its callers give up.
    fn hold(&mut self, at: f64, arrived: f64, flow: &mut Flow) {
        if arrived > 0.0 {
            self.held.push_back((at, arrived));
        }
        while let Some((then, amount)) = self.held.front().copied() {
            flow.wait = flow.wait.max(at - then);
            if at - then < self.replica.patience_s {
                break;
            }
            flow.failed += amount;
            self.held.pop_front();
        }
    }

    /// Somebody is there: what waited at the edge is shared out, as far as its callers still wait.
    fn release(&mut self, at: f64, ready: u32, flow: &mut Flow) {
        let rate = f64::from(ready) * self.replica.rate_among(ready);
        let mut before = 0.0;
        for (then, amount) in std::mem::take(&mut self.held) {
            let wait = at - then + before / rate;
            if wait > self.replica.patience_s {
                flow.failed += amount;
                continue;
            }
            before += amount;
            flow.wait = flow.wait.max(wait);
            flow.waits.push((wait, amount));
        }
        for cohort in self.cohorts.iter_mut().filter(|cohort| cohort.takes(at)) {
            cohort.waiting += before * f64::from(cohort.replicas) / f64::from(ready);
        }
    }

    /// Ends those whose time is over, or that have nothing left to do.
    fn bury(&mut self, at: f64, flow: &mut Flow) {
        self.cohorts.retain(|cohort| match cohort.ends {
            None => true,
            Some(_) if cohort.waiting < NOTHING => false,
            Some(ends) if ends <= at => {
                flow.failed += cohort.waiting;
                false
            }
            Some(_) => true,
        });
    }
}

impl Cohort {
    fn takes(&self, at: f64) -> bool {
        self.ends.is_none() && self.ready <= at
    }

    /// One step; says how many that arrive will give up.
    fn flow(&mut self, seconds: f64, arriving: f64, rate: f64, patience: f64, flow: &mut Flow) -> f64 {
        let before = self.waiting;
        let after = (before + arriving - rate * seconds).max(0.0);
        // Nobody joins a queue that is longer than they wait: it does not grow beyond that.
        let failed = (after - (rate * patience).max(before)).max(0.0).min(arriving);
        self.waiting = after - failed;
        flow.served += before + arriving - failed - self.waiting;
        flow.failed += failed;
        if rate > 0.0 {
            flow.wait = flow.wait.max(self.waiting / rate);
            if arriving > failed {
                flow.waits
                    .push(((before + self.waiting) / 2.0 / rate, arriving - failed));
            }
        }
        failed
    }
}

fn amount(queue: &VecDeque<(f64, f64)>) -> f64 {
    queue.iter().map(|(_, amount)| amount).sum()
}
