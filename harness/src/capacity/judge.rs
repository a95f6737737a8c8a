//! What a stage comes to: passed, failed, or nothing that could be said of the target. Pure.
//!
//! A stage passes when every limit of the objective holds, 99 % of what was due was sent, and no queue grew. One that fails is void
//! where the generator may have been what failed: neither its own delay nor its want of connections may be told as the capacity of
//! a target. What the target does to requests that were sent is the target's: one that it refuses or lets time out is an error.

use super::record::{StageJudged, StageRecord};
use crate::{load::record::ObjectiveRecord, numbers};

/// The share of what was due that has to be sent.
const SENT: f64 = 0.99;

/// A queue grew where more than this share of what was due (and three standard deviations of a Poisson count) was not answered in
/// the time.
const GROWN: f64 = 0.01;

/// A generator whose threads were busy for more than this share of the time reads answers late.
pub const BUSY: f64 = 0.85;

/// The generator's own delay may make up so much of a limit: with more of it the target is not what was measured.
const DELAY: f64 = 0.25;

/// Requests waited for a connection or stream where that makes up this share of all times.
const WAITED: f64 = 0.05;

/// Where a call takes so many times as long as at the lowest rate, nine tenths of its time are a wait within the target, and more
/// slots carry hardly more: a closed network of M equal stations with N calls in it has R / R0 = (N + M - 1) / M and
/// X / Xmax = N / (N + M - 1) (mean value analysis, Reiser and Lavenberg 1980), so X is more than 90 % of its maximum.
const STRAINED: f64 = 10.0;

/// What the rounds of the load tier say beside the record of a stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signs {
    /// For each latency of the objective: its percentile of the generator's own delay, nanoseconds.
    pub lateness: Vec<u64>,
    /// For each latency: its percentile of the service time, which has no delay of the generator in it.
    pub service: Vec<u64>,
    /// Why the round may not be used, as [`crate::load::summary`] says.
    pub void: Option<String>,
    /// It was ended because half of the requests failed.
    pub tripped: bool,
    /// Requests whose connection failed or could not be made, sent or not.
    pub lost: u64,
    /// Other replicas answer than at the begin.
    pub replicas: Option<String>,
    /// Seconds that were played before the stage counted.
    pub warm_up_s: f64,
    /// First percentile of the service time, seconds: what a call takes that waits for no other.
    pub least_s: f64,
    /// Mean service time at the lowest rate that passed, seconds; `None`: none has.
    pub usual_s: Option<f64>,
}

impl Signs {
    /// Calls wait within the target.
    fn strained(&self, stage: &StageRecord) -> bool {
        let longer = stage.service_s.zip(self.usual_s);
        longer.is_some_and(|(now, usual)| now > STRAINED * usual)
    }
}

/// The shares of requests that may be beyond each limit, latencies first.
pub fn allowed(objective: &ObjectiveRecord) -> Vec<f64> {
    let latency = objective.latency.iter().map(|(percentile, _)| 1.0 - percentile);
    latency.chain(objective.errors).collect()
}

/// The limits in words, in the same order.
pub fn limits(objective: &ObjectiveRecord) -> Vec<String> {
    let latency = objective.latency.iter().map(|(percentile, at_most)| {
        let name = numbers::percentile(*percentile);
        format!("{name} of at most {}", numbers::latency(*at_most))
    });
    let errors = objective
        .errors
        .map(|share| format!("errors of at most {}", numbers::percent(share)));
    latency.chain(errors).collect()
}

/// Mean service time at the lowest rate that passed, seconds.
pub fn usual(stages: &[StageRecord]) -> Option<f64> {
    let passed = stages.iter().filter(|stage| stage.judged == StageJudged::Passed);
    let times = passed.filter_map(|stage| stage.rate.zip(stage.service_s));
    times.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, service)| service)
}

/// Judges an open stage. Whatever fails where the generator had not a moment to spare is void: answers that it read late, time-outs
/// among them, look the same.
pub fn judge(stage: &StageRecord, objective: &ObjectiveRecord, signs: &Signs) -> StageJudged {
    let judged = judged(stage, objective, signs);
    let generator = match &judged {
        StageJudged::Failed { .. } => true,
        StageJudged::Void { limit, .. } => limit == "connections",
        StageJudged::Passed | StageJudged::Measured => false,
    };
    if generator && stage.generator_busy > BUSY {
        return StageJudged::Void {
            why: format!(
                "the generator's threads were busy {} of the time, so it may have read answers late",
                numbers::percent(stage.generator_busy)
            ),
            limit: "generator".to_owned(),
        };
    }
    judged
}

fn judged(stage: &StageRecord, objective: &ObjectiveRecord, signs: &Signs) -> StageJudged {
    let void = |why: String, limit: &str| StageJudged::Void {
        why,
        limit: limit.to_owned(),
    };
    let failed = |why: String, limit: &str| StageJudged::Failed {
        why,
        limit: limit.to_owned(),
    };
    if let Some(why) = &signs.replicas {
        return void(why.clone(), "replicas");
    }
    let ended = stage.succeeded + stage.failed;
    if stage.scheduled == 0 {
        return void(
            "no request was due: the rate is too low for so short a stage".to_owned(),
            "generator",
        );
    }
    let refused = refused(stage, objective, signs);
    let connections = short_of_connections(stage, objective, signs).filter(|_| refused.is_none());
    if signs.tripped
        && let Some(text) = connections
    {
        return void(text, "connections");
    }
    if signs.tripped || ended == 0 {
        let text = format!("{} of {} requests failed", stage.failed, ended.max(stage.scheduled));
        return failed(text, "errors");
    }
    if let Some(why) = &signs.void {
        return void(why.clone(), "generator");
    }
    let slow = objective.latency.iter().enumerate().find(|(index, (percentile, _))| {
        let beyond = stage.beyond.get(*index).copied().unwrap_or_default();
        beyond as f64 > (1.0 - percentile) * stage.scheduled as f64 * (1.0 + 1e-9)
    });
    if let Some(text) = refused {
        return failed(text, "errors");
    }
    let errors = objective
        .errors
        .filter(|most| stage.failed as f64 > most * ended as f64 * (1.0 + 1e-9));
    let unsent = format!("{} of {} requests were sent", stage.sent, stage.scheduled);
    let unplaced = format!("{unsent}, the others found no free connection or stream");
    if let Some((index, (percentile, at_most))) = slow {
        let late = signs.lateness.get(index).copied().unwrap_or_default();
        if late as f64 > DELAY * *at_most as f64 {
            let text = format!(
                "{} of the generator's own delay is {}",
                numbers::percentile(*percentile),
                numbers::latency(late)
            );
            return void(text, "generator");
        }
        let service = signs.service.get(index).copied().unwrap_or(u64::MAX);
        if service <= *at_most && errors.is_some() && !signs.strained(stage) {
            return void(unplaced, "connections");
        }
        if service <= *at_most && stage.slot_wait < WAITED {
            let text = format!(
                "from their send on {} is {}, and what came before it is the generator's own",
                numbers::percentile(*percentile),
                numbers::latency(service)
            );
            return void(text, "generator");
        }
        if service <= *at_most && !signs.strained(stage) {
            let text = format!(
                "requests waited for a free connection or stream; from their send on {} is {}",
                numbers::percentile(*percentile),
                numbers::latency(service)
            );
            return void(text, "connections");
        }
        let beyond = stage.beyond.get(index).copied().unwrap_or_default();
        let share = numbers::percent(beyond as f64 / stage.scheduled as f64);
        let text = format!(
            "{share} of the requests took longer than {}",
            numbers::latency(*at_most)
        );
        return failed(text, "latency");
    }
    // Those that were sent are not the ones: every slot was taken, however quick the answers were.
    if errors.is_some() || (stage.sent as f64) < SENT * stage.scheduled as f64 {
        if signs.strained(stage) {
            let text = format!("{unsent}, the others waited behind those that wait in the target: a queue grows");
            return failed(text, "backlog");
        }
        return void(unplaced, "connections");
    }
    let due = stage.scheduled as f64;
    let left = due - stage.throughput * stage.seconds - stage.failed as f64 - filling(stage, signs);
    if left > GROWN * due + 3.0 * due.sqrt() {
        if let Some(text) = connections {
            return void(text, "connections");
        }
        let text = format!(
            "{left:.0} of {} requests were not answered in the time: a queue grows",
            stage.scheduled
        );
        return failed(text, "backlog");
    }
    StageJudged::Passed
}

/// Requests by which more are in flight at the end of a stage than at its begin, and no queue grows: where each call takes longer than
/// the warm-up, those that were due before it do not make up yet for those that outlast the end.
///
/// What a call takes is known from the lowest rate that passed. Before there is one, from the shortest calls of this stage: in a queue
/// that grows from the begin on they get longer too, at f times what the target can do f - 1 warm-ups, while 1 - 1 / f of what is due
/// is left. With a warm-up of a fifth of the stage, and no more than half of what is due, this stays below that for every f.
fn filling(stage: &StageRecord, signs: &Signs) -> f64 {
    let due = stage.scheduled as f64;
    let share = (signs.usual_s.unwrap_or(signs.least_s) - signs.warm_up_s) / stage.seconds;
    if share > 0.0 { due * share.min(0.5) } else { 0.0 }
}

/// Too many of the requests that were sent failed; in words. Without a limit of errors those of the latencies hold for them, since
/// one that failed is beyond each latency.
fn refused(stage: &StageRecord, objective: &ObjectiveRecord, signs: &Signs) -> Option<String> {
    let ended = stage.succeeded + stage.failed;
    // What was never sent has failed too where the time ran out before its turn.
    let unsent = stage.scheduled.saturating_sub(stage.sent);
    let refused = stage.failed.saturating_sub(unsent).max(signs.lost) as f64;
    let over = |share: f64, of: u64| refused > share * of as f64 * (1.0 + 1e-9);
    let share = |of: u64| numbers::percent(refused / of.max(1) as f64);
    let sent = stage.sent.min(ended).max(signs.lost);
    if let Some(most) = objective.errors.filter(|most| over(*most, sent)) {
        let most = numbers::percent(most);
        return Some(format!("{} of the requests failed, more than {most}", share(sent)));
    }
    let latency = objective.latency.iter();
    let broken = latency.map(|(percentile, _)| *percentile);
    let broken = broken.filter(|percentile| over(1.0 - percentile, stage.scheduled));
    let percentile = broken.reduce(f64::max)?;
    Some(format!(
        "{} of the requests failed, more than {} leaves room for",
        share(stage.scheduled),
        numbers::percentile(percentile)
    ))
}

/// Requests waited for a place, or found none, while the target answered what it got within every limit; in words. More of them
/// may go through with more connections, so what did not hold is not the target's.
fn short_of_connections(stage: &StageRecord, objective: &ObjectiveRecord, signs: &Signs) -> Option<String> {
    let unsent = (stage.sent as f64) < SENT * stage.scheduled as f64;
    let within = |(index, (_, at_most)): (usize, &(f64, u64))| {
        let service = signs.service.get(index);
        service.is_some_and(|service| service <= at_most)
    };
    // Without an answer nothing is known of the time that one takes.
    let quick = stage.succeeded > 0 && objective.latency.iter().enumerate().all(within);
    let quick = quick && !signs.strained(stage);
    (quick && (unsent || stage.slot_wait >= WAITED)).then(|| {
        format!(
            "requests waited for a free connection or stream, {} of all time, and {} of {} were sent",
            numbers::percent(stage.slot_wait),
            stage.sent,
            stage.scheduled
        )
    })
}

#[cfg(test)]
pub(super) mod tests;
