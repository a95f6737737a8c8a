//! A deployment under a traffic profile: the scaler and its replicas, second by second. Pure.

use super::{
    Limits, METRIC_S, Reading, Scaler, Step, desired,
    fleet::{Fleet, Flow, Replica},
};
use crate::capacity::{
    prices::{Prices, Size},
    traffic::Profile,
};
use serde::{Deserialize, Serialize};

/// Seconds of a step of the simulation.
const STEP_S: u32 = 1;

/// Steps between two looks of the scaler.
const LOOK: u32 = METRIC_S as u32 / STEP_S;

/// Points that an outcome keeps: enough for a picture, and few enough for a record.
const POINTS: usize = 200;

/// What is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// What is set.
    pub limits: Limits,
    /// What the metric counts.
    pub reading: Reading,
    /// What every replica is like.
    pub replica: Replica,
    /// What every replica costs by; without it nothing is said of cost.
    pub size: Option<Size>,
}

/// Some seconds of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Seconds from the begin to the start of these.
    pub at: f64,
    /// Seconds that it stands for.
    pub seconds: f64,
    /// Requests that arrived a second, mean.
    pub rate: f64,
    /// Replicas that the metric asks for, most.
    pub desired: u32,
    /// Replicas that are to run, at the end.
    pub running: u32,
    /// Replicas that serve, fewest.
    pub ready: u32,
    /// Requests that wait, most.
    pub waiting: f64,
    /// Longest wait, seconds.
    pub wait_s: f64,
    /// Requests that failed a second, mean.
    pub failed: f64,
    /// Cost from the begin to the end of these, where known.
    pub cost: Option<f64>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// What was simulated.
    pub deployment: Deployment,
    /// Seconds.
    pub seconds: f64,
    /// Requests that arrived.
    pub requests: f64,
    /// Requests that were given up or lost, of these.
    pub failed: f64,
    /// Seconds in which more arrived than the replicas that serve sustain, or requests still waited.
    pub over_s: f64,
    /// Seconds in which the metric asked for more than `max`.
    pub capped_s: f64,
    /// Longest wait of a request, in seconds, and the wait that 99 % of the answered ones stay below.
    pub wait_max_s: f64,
    /// The second of these.
    pub wait_p99_s: f64,
    /// Mean wait of the answered ones, seconds.
    pub wait_mean_s: f64,
    /// Most replicas that served.
    pub most: u32,
    /// Seconds from the first second that was over until as many replicas serve as `max` or the metric allow, where that was.
    pub catch_up_s: Option<f64>,
    /// Replica seconds that are paid for.
    pub replica_s: f64,
    /// Of compute and requests, before any free grant, in the currency of the prices; where the size is known.
    pub cost: Option<f64>,
    /// Looks of the scaler that changed the number of replicas.
    pub steps: Vec<Step>,
    /// Over time, merged to at most 200: the worst of each.
    pub points: Vec<Point>,
}

/// Plays a profile. It begins as if the first rate had been there for long: with the replicas that it asks for.
pub fn simulate(profile: &Profile, deployment: &Deployment, prices: &Prices) -> Outcome {
    let mut run = Run::new(profile, deployment, prices);
    let steps = (profile.seconds() / f64::from(STEP_S)).ceil() as u32;
    for n in 0..steps {
        run.step(n);
    }
    run.outcome(f64::from(steps) * f64::from(STEP_S))
}

struct Run<'a> {
    profile: &'a Profile,
    deployment: &'a Deployment,
    prices: &'a Prices,
    fleet: Fleet,
    scaler: Scaler,
    /// Of the metric: arrivals, and calls in flight times seconds, since the last look.
    counted: (f64, f64),
    /// What the last look asked for.
    desired: u32,
    total: Flow,
    over: Vec<f64>,
    caught_up: Option<f64>,
    capped_s: f64,
    most: u32,
    replica_s: f64,
    cost: Option<f64>,
    looks: Vec<Step>,
    points: Vec<Point>,
}

impl<'a> Run<'a> {
    fn new(profile: &'a Profile, deployment: &'a Deployment, prices: &'a Prices) -> Run<'a> {
        let rate = profile.rate(0.0);
        let metric = match deployment.reading {
            Reading::Rate => rate,
            Reading::InFlight => rate * deployment.replica.seconds,
        };
        let first = desired(metric, deployment.limits.concurrency);
        let start = deployment.limits.clamp(first);
        Run {
            profile,
            deployment,
            prices,
            fleet: Fleet::new(deployment.replica, start),
            scaler: Scaler::new(deployment.limits, start),
            counted: (0.0, 0.0),
            desired: first,
            total: Flow::default(),
            over: Vec::new(),
            caught_up: None,
            capped_s: 0.0,
            most: 0,
            replica_s: 0.0,
            cost: deployment.size.map(|_| 0.0),
            looks: Vec::new(),
            points: Vec::new(),
        }
    }

    fn step(&mut self, n: u32) {
        let seconds = f64::from(STEP_S);
        let at = f64::from(n) * seconds;
        let arrived = self.profile.requests(at, at + seconds);
        let (ready, paid) = (self.fleet.ready(at), self.fleet.paid());
        let flow = self.fleet.flow(at, seconds, arrived);
        let waiting = self.fleet.waiting();
        self.spend(arrived, paid, seconds);
        self.watch(at, ready, arrived / seconds, waiting);
        self.counted.0 += arrived;
        self.counted.1 += waiting * seconds + flow.served * self.deployment.replica.seconds;
        self.most = self.most.max(ready);
        self.points.push(Point {
            at,
            seconds,
            rate: arrived / seconds,
            desired: self.desired,
            running: self.fleet.running(),
            ready,
            waiting,
            wait_s: flow.wait,
            failed: flow.failed / seconds,
            cost: self.cost,
        });
        self.total.arrived += flow.arrived;
        self.total.failed += flow.failed;
        self.total.wait = self.total.wait.max(flow.wait);
        self.total.waits.extend(flow.waits);
        if (n + 1).is_multiple_of(LOOK) {
            self.look(at + seconds);
        }
    }

    fn look(&mut self, at: f64) {
        let (arrived, in_flight) = std::mem::take(&mut self.counted);
        let metric = match self.deployment.reading {
            Reading::Rate => arrived / METRIC_S,
            Reading::InFlight => in_flight / METRIC_S,
        };
        let step = self.scaler.look(at, metric);
        self.desired = step.desired;
        if step.next != step.before {
            self.fleet.resize(at, step.next);
            self.looks.push(step);
        }
    }

    /// Replicas at their least number that nobody calls are idle; all else is active.
    fn spend(&mut self, arrived: f64, paid: u32, seconds: f64) {
        self.replica_s += f64::from(paid) * seconds;
        let (Some(cost), Some(size)) = (&mut self.cost, self.deployment.size) else {
            return;
        };
        let idle = arrived <= 0.0 && paid == self.deployment.limits.min;
        let second = if idle {
            self.prices.idle.of(size)
        } else {
            self.prices.active.of(size)
        };
        *cost += second * f64::from(paid) * seconds + self.prices.of_requests(arrived);
    }

    fn watch(&mut self, at: f64, ready: u32, rate: f64, waiting: f64) {
        let sustained = f64::from(ready) * self.deployment.replica.rate_among(ready);
        if rate > sustained * (1.0 + 1e-9) || waiting > 0.5 {
            self.over.push(at);
        }
        if self.desired > self.deployment.limits.max {
            self.capped_s += f64::from(STEP_S);
        }
        let settled = ready == self.fleet.running() && ready >= self.desired.min(self.deployment.limits.max);
        let enough = rate <= sustained * (1.0 + 1e-9) || self.desired > self.deployment.limits.max;
        if self.caught_up.is_none() && !self.over.is_empty() && settled && enough {
            self.caught_up = Some(at);
        }
    }

    fn outcome(mut self, seconds: f64) -> Outcome {
        let answered: f64 = self.total.waits.iter().map(|(_, amount)| amount).sum();
        let waited: f64 = self.total.waits.iter().map(|(wait, amount)| wait * amount).sum();
        Outcome {
            deployment: *self.deployment,
            seconds,
            requests: self.total.arrived,
            failed: self.total.failed,
            over_s: self.over.len() as f64 * f64::from(STEP_S),
            capped_s: self.capped_s,
            wait_max_s: self.total.wait,
            wait_p99_s: quantile(&mut self.total.waits, answered * 0.99),
            wait_mean_s: if answered > 0.0 { waited / answered } else { 0.0 },
            most: self.most,
            catch_up_s: self.over.first().zip(self.caught_up).map(|(from, to)| to - from),
            replica_s: self.replica_s,
            cost: self.cost,
            steps: self.looks,
            points: merged(&self.points),
        }
    }
}

/// The wait that so many requests stay below.
fn quantile(waits: &mut [(f64, f64)], below: f64) -> f64 {
    waits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut passed = 0.0;
    for (wait, amount) in waits.iter() {
        passed += amount;
        if passed >= below {
            return *wait;
        }
    }
    waits.last().map_or(0.0, |(wait, _)| *wait)
}

/// At most [`POINTS`]: means of rates, the worst of all else.
fn merged(points: &[Point]) -> Vec<Point> {
    let group = points.len().div_ceil(POINTS).max(1);
    let merge = |group: &[Point]| -> Option<Point> {
        let mut merged = *group.first()?;
        for point in group.iter().skip(1) {
            let seconds = merged.seconds + point.seconds;
            let mean = |a: f64, b: f64| (a * merged.seconds + b * point.seconds) / seconds;
            merged = Point {
                at: merged.at,
                rate: mean(merged.rate, point.rate),
                failed: mean(merged.failed, point.failed),
                desired: merged.desired.max(point.desired),
                running: point.running,
                ready: merged.ready.min(point.ready),
                waiting: merged.waiting.max(point.waiting),
                wait_s: merged.wait_s.max(point.wait_s),
                cost: point.cost,
                seconds,
            };
        }
        Some(merged)
    };
    points.chunks(group).filter_map(merge).collect()
}
