//! From the end of a search to the answer: the bracket, what limits, what to run next, and the verdict. Pure.

mod cause;

pub use cause::is_elsewhere;

use super::{
    judge,
    measured::{Measured, Sharing},
    record::{Bracket, CapacityResult, CapacityVerdict, Phase, PointTried, StageJudged, StageRecord},
    search::{End, Search, least},
};
use crate::{exit::Exit, load::record::ObjectiveRecord, numbers};
use cause::{cause, elsewhere};

/// What else is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Behind the target; 0: not known.
    pub replicas: u32,
    /// Processors that each may use.
    pub cpus: Option<f64>,
    /// Largest share of a replica over the mean.
    pub skew: Option<f64>,
    /// The clocks of the replicas begin in their handlers: what is spent before them may be spent in a queue of their own.
    pub handler_clocks: bool,
    /// Whether those processors are all of the machine, of which others have their share too.
    pub shared: bool,
    /// Streams that were held open on all replicas together, and bytes of memory of each.
    pub streams: Option<u64>,
    /// Streams that a replica is set to allow: nobody tried them.
    pub streams_allowed: Option<u64>,
    /// As above.
    pub stream_memory: Option<u64>,
    /// Seconds from start to the first answer.
    pub cold_start_s: Option<f64>,
    /// From SIGTERM to the end.
    pub drain_s: Option<f64>,
    /// The folder of the run.
    pub from: String,
    /// How long a confirming stage was, seconds.
    pub confirm_s: f64,
}

/// What a search comes to.
#[derive(Clone, Debug)]
pub struct Conclusion {
    /// The answer, where there is one.
    pub bracket: Option<Bracket>,
    /// About one replica, where there is.
    pub measured: Option<Measured>,
    /// What to run next.
    pub next: Vec<String>,
    /// The verdict.
    pub verdict: CapacityVerdict,
}

/// What ended a search before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// A signal.
    Signal(Exit),
    /// The target was lost; in words.
    Lost(String),
}

/// The answer of a search and its stages.
pub fn conclude(
    search: &Search,
    end: Option<&End>,
    cut: Option<&Cut>,
    stages: &[StageRecord],
    objective: &ObjectiveRecord,
    known: &Known,
) -> Conclusion {
    let nothing = |result, exit: Exit, sentence: String, next: Vec<String>| Conclusion {
        bracket: None,
        measured: None,
        next,
        verdict: verdict(result, exit, sentence, cut.is_none()),
    };
    if let (Some(cut), Some(End::Found { .. })) = (cut, end) {
        // It came after the answer, in the steps behind it.
        let mut made = conclude(search, end, None, stages, objective, known);
        let (result, exit, why) = match cut {
            Cut::Signal(exit) => (CapacityResult::Interrupted, *exit, "interrupted after that"),
            Cut::Lost(why) => (CapacityResult::NotJudged, Exit::NotJudged, why.as_str()),
        };
        made.verdict = verdict(result, exit, format!("{}; {why}", made.verdict.sentence), false);
        return made;
    }
    match cut {
        Some(Cut::Signal(exit)) => {
            let (passed, failed) = search.known();
            let sentence = format!("interrupted: {}", so_far(passed, failed));
            return nothing(CapacityResult::Interrupted, *exit, sentence, Vec::new());
        }
        Some(Cut::Lost(why)) => {
            return nothing(CapacityResult::NotJudged, Exit::NotJudged, why.clone(), Vec::new());
        }
        None => {}
    }
    let limits = judge::limits(objective);
    match end {
        Some(End::Found {
            limit,
            crossing,
            interval,
        }) => {
            let errors = *limit >= objective.latency.len();
            let (cause, because) = cause(stages, crossing.best, errors, known);
            let near = |stage: &&StageRecord| {
                let rate = stage.rate.unwrap_or_default();
                stage.phase == Phase::Confirm && rate > 0.0
            };
            // One that failed is beyond each latency too: what is refused is told as such.
            let limit = match objective.errors {
                Some(_) if cause == "errors" => objective.latency.len(),
                _ => *limit,
            };
            let bracket = Bracket {
                low: crossing.low,
                high: Some(crossing.high),
                best: crossing.best,
                confidence: if *interval { 0.95 } else { 0.0 },
                stages: stages.iter().filter(near).count(),
                binding: limits.get(limit).cloned().unwrap_or_default(),
                limit: cause,
                because,
            };
            found(bracket, stages, known)
        }
        Some(End::Elsewhere(passed, failed)) => {
            let best = (passed * failed).sqrt();
            let (cause, because) = cause(stages, best, false, known);
            let because = format!("{because} (by 2 of 3 stages each, not confirmed)");
            let at = |stage: &&StageRecord| stage.rate == Some(*passed) || stage.rate == Some(*failed);
            let bracket = Bracket {
                low: *passed,
                high: Some(*failed),
                best,
                confidence: 0.0,
                stages: stages.iter().filter(at).count(),
                binding: limits.join(", "),
                limit: cause,
                because,
            };
            found(bracket, stages, known)
        }
        Some(End::Doomed) => {
            let rate = stages.iter().find_map(|stage| stage.rate).unwrap_or_default();
            let why = stages.iter().find_map(|stage| match &stage.judged {
                StageJudged::Failed { why, .. } => Some(why.clone()),
                _ => None,
            });
            let sentence = format!(
                "the objective does not hold at {} already: {}",
                numbers::per_second(rate),
                why.unwrap_or_default()
            );
            let next = vec![
                format!("a lower --start-rate, such as {}", numbers::rate(rate / 10.0)),
                "`stocktake load` at a rate of 1 a second: whether a single request can hold it".to_owned(),
            ];
            nothing(CapacityResult::Failed, Exit::Failed, sentence, next)
        }
        Some(End::Short(rate)) => {
            let seconds = least(&judge::allowed(objective)) / rate;
            let sentence = format!(
                "too little data: at {}, the first rate, stages failed by too few requests to say that the objective does not hold",
                numbers::per_second(*rate)
            );
            let next = vec![format!(
                "--stage {:.0}s: so long that ten requests may be beyond each limit; or a higher --start-rate",
                seconds.ceil()
            )];
            nothing(CapacityResult::Inconclusive, Exit::Inconclusive, sentence, next)
        }
        Some(End::Ceiling(rate)) => {
            let bracket = at_least(
                *rate,
                stages,
                &limits,
                "unknown",
                "no rate that was tried is beyond the target",
            );
            Conclusion {
                measured: None,
                verdict: verdict(
                    CapacityResult::Inconclusive,
                    Exit::Inconclusive,
                    format!(
                        "at least {}: the highest rate that was tried holds the objective, and where it stops is not known",
                        numbers::per_second(*rate)
                    ),
                    true,
                ),
                next: vec![format!(
                    "--max-rate {:.0}, and --start-rate {:.0}",
                    rate * 8.0,
                    rate / 2.0
                )],
                bracket: Some(bracket),
            }
        }
        Some(End::Stopped(passed, at)) => stopped(*passed, *at, stages, &limits),
        Some(End::TooFew(passed, failed)) => {
            let sentence = format!(
                "too little data: {} passed and {} failed by 2 of 3, and the stages scatter too much to say where between or beside \
                 them the objective stops to hold",
                numbers::per_second(*passed),
                numbers::per_second(*failed)
            );
            let next = vec![format!(
                "--confirm {:.0}s --stage {:.0}s --start-rate {:.0}: stages that are long beside the time in which a backlog is \
                 forgotten",
                known.confirm_s * 4.0,
                known.confirm_s,
                passed / 2.0
            )];
            nothing(CapacityResult::Inconclusive, Exit::Inconclusive, sentence, next)
        }
        None => nothing(
            CapacityResult::NotJudged,
            Exit::NotJudged,
            "nothing was measured".to_owned(),
            Vec::new(),
        ),
    }
}

fn verdict(result: CapacityResult, exit: Exit, sentence: String, complete: bool) -> CapacityVerdict {
    CapacityVerdict {
        result,
        exit_code: exit.code().into(),
        sentence,
        complete,
    }
}

fn so_far(passed: Option<f64>, failed: Option<f64>) -> String {
    match (passed, failed) {
        (None, None) => "no rate was decided until then".to_owned(),
        (Some(passed), None) => format!("{} passed until then", numbers::per_second(passed)),
        (None, Some(failed)) => format!("{} failed until then", numbers::per_second(failed)),
        (Some(passed), Some(failed)) => format!(
            "{} passed and {} failed until then, without a confirmation",
            numbers::per_second(passed),
            numbers::per_second(failed)
        ),
    }
}

fn found(bracket: Bracket, stages: &[StageRecord], known: &Known) -> Conclusion {
    let high = bracket.high.unwrap_or(bracket.low);
    let replicas = known.replicas;
    let who = match replicas {
        0 => "the target, of replicas that are not known, sustains".to_owned(),
        1 => "one replica sustains".to_owned(),
        several => format!("{several} replicas sustain"),
    };
    let each = match replicas {
        0 | 1 => String::new(),
        several => format!(
            ", {} to {} each",
            numbers::per_second(bracket.low / f64::from(several)),
            numbers::per_second(high / f64::from(several))
        ),
    };
    let sentence = format!(
        "{who} {} to {} at {}{each}; {}",
        numbers::per_second(bracket.low),
        numbers::per_second(high),
        bracket.binding,
        bracket.because
    );
    if let Some((what, next)) = elsewhere(&bracket.limit) {
        return Conclusion {
            measured: None,
            next: vec![next.to_owned()],
            verdict: verdict(
                CapacityResult::Inconclusive,
                Exit::Inconclusive,
                format!(
                    "{what} is the limit, not the replicas: it takes {} to {} at {}; {}",
                    numbers::per_second(bracket.low),
                    numbers::per_second(high),
                    bracket.binding,
                    bracket.because
                ),
                true,
            ),
            bracket: Some(bracket),
        };
    }
    let mut next = Vec::new();
    if replicas == 1 && matches!(bracket.limit.as_str(), "waiting" | "unknown" | "latency") {
        next.push(
            "the same with two replicas, then `stocktake capacity --from RUN1,RUN2 --predict 3`: whether they share what limits".to_owned(),
        );
    }
    Conclusion {
        // Of one replica nothing is known where there may be any number of them.
        measured: (replicas > 0).then(|| measured(&bracket, stages, known)),
        next,
        verdict: verdict(CapacityResult::Found, Exit::Passed, sentence, true),
        bracket: Some(bracket),
    }
}

/// About one replica at the low end: the busiest, which carried its share of the whole times the skew.
fn measured(bracket: &Bracket, stages: &[StageRecord], known: &Known) -> Measured {
    let replicas = f64::from(known.replicas.max(1));
    let skew = known.skew.filter(|skew| skew.is_finite()).unwrap_or(1.0).max(1.0);
    let carried = |all: f64| all / replicas * skew;
    let distance = |stage: &StageRecord| (stage.rate.unwrap_or(f64::INFINITY) / bracket.low - 1.0).abs();
    let near = |passed: bool| {
        let of = |stage: &&StageRecord| {
            stage.rate.is_some() && stage.succeeded > 0 && (!passed || stage.judged == StageJudged::Passed)
        };
        let of: Vec<&StageRecord> = stages.iter().filter(of).collect();
        let nearest = of.iter().map(|stage| distance(stage)).fold(f64::INFINITY, f64::min);
        of.into_iter()
            .filter(|stage| distance(stage) <= nearest + 0.02)
            .collect::<Vec<_>>()
    };
    // Beyond what it sustains calls queue: those that passed say what it is like at its limit.
    let near = match near(true) {
        none if none.is_empty() => near(false),
        passed => passed,
    };
    let mean = |value: &dyn Fn(&StageRecord) -> Option<f64>| {
        let values: Vec<f64> = near.iter().filter_map(|stage| value(stage)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Measured {
        passed: carried(bracket.low),
        failed: bracket.high.map(carried),
        limit: bracket.limit.clone(),
        in_flight: carried(mean(&|stage| Some(stage.in_flight)).unwrap_or_default()),
        service_s: mean(&|stage| stage.service_s).unwrap_or_default(),
        cpu_s: mean(&|stage| stage.server_cpu_s),
        memory: near.iter().filter_map(|stage| stage.server_memory).max(),
        // However they were spread: one of the replicas held as many at least.
        streams: known.streams.map(|all| all / u64::from(known.replicas.max(1))),
        streams_allowed: known.streams_allowed,
        stream_memory: known.stream_memory,
        cold_start_s: known.cold_start_s,
        drain_s: known.drain_s,
        skew,
        sharing: Some(Sharing {
            at: known.replicas,
            most: known.replicas,
            loss: None,
        }),
        ceiling: None,
        from: vec![known.from.clone()],
    }
}

fn at_least(low: f64, stages: &[StageRecord], limits: &[String], limit: &str, because: &str) -> Bracket {
    Bracket {
        low,
        high: None,
        best: low,
        confidence: 0.0,
        stages: stages.iter().filter(|stage| stage.rate == Some(low)).count(),
        binding: limits.join(", "),
        limit: limit.to_owned(),
        because: because.to_owned(),
    }
}

/// Something else than the target gave out.
fn stopped(passed: Option<f64>, at: f64, stages: &[StageRecord], limits: &[String]) -> Conclusion {
    let last = stages.iter().rev().find_map(|stage| match &stage.judged {
        StageJudged::Void { why, limit } if stage.rate == Some(at) => Some((why.as_str(), limit.as_str())),
        _ => None,
    });
    let (why, limit) = last.unwrap_or(("its stages say nothing", "generator"));
    let (what, remedy) = match limit {
        "connections" => (
            "the generator's connections are the limit, not the target",
            "more --connections, or more --streams-per-connection where the target allows them".to_owned(),
        ),
        "replicas" => (
            "other replicas answer than at the begin, so stages cannot be compared",
            "the same with the number of replicas held: --min-replicas equal to --max-replicas".to_owned(),
        ),
        _ => (
            "the generator is the limit, not the target",
            "more --threads, on a machine of its own; `stocktake load` there says how much it can send".to_owned(),
        ),
    };
    let known = match passed {
        Some(passed) => format!(
            "the target holds the objective at {} at least",
            numbers::per_second(passed)
        ),
        None => "nothing is known of the target".to_owned(),
    };
    let sentence = format!("{what}: at {} {why}; {known}", numbers::per_second(at));
    Conclusion {
        bracket: passed.map(|passed| at_least(passed, stages, limits, limit, why)),
        measured: None,
        next: vec![remedy],
        verdict: verdict(CapacityResult::Inconclusive, Exit::Inconclusive, sentence, true),
    }
}

/// The rates that were judged, from low to high.
pub fn points(stages: &[StageRecord], allowed: &[f64]) -> Vec<PointTried> {
    let mut points: Vec<(PointTried, f64, Vec<f64>)> = Vec::new();
    for stage in stages {
        let Some(rate) = stage.rate else { continue };
        let passed = match stage.judged {
            StageJudged::Passed => true,
            StageJudged::Failed { .. } => false,
            StageJudged::Void { .. } | StageJudged::Measured => continue,
        };
        let at = points.iter().position(|(point, ..)| point.rate == rate);
        let at = at.unwrap_or_else(|| {
            let point = PointTried {
                rate,
                passed: 0,
                failed: 0,
                verdict: None,
                strain: 0.0,
            };
            points.push((point, 0.0, vec![0.0; allowed.len()]));
            points.len() - 1
        });
        let (point, requests, beyond) = &mut points[at];
        if passed {
            point.passed += 1;
        } else {
            point.failed += 1;
        }
        if stage.phase != Phase::Confirm {
            point.verdict = match (point.passed, point.failed) {
                (2.., _) => Some(true),
                (_, 2..) => Some(false),
                _ => None,
            };
        }
        *requests += stage.scheduled as f64;
        for (sum, count) in beyond.iter_mut().zip(&stage.beyond) {
            *sum += *count as f64;
        }
        let shares = beyond
            .iter()
            .zip(allowed)
            .map(|(beyond, allowed)| beyond / *requests / allowed);
        point.strain = shares.filter(|share| share.is_finite()).fold(0.0, f64::max);
    }
    let mut points: Vec<PointTried> = points.into_iter().map(|(point, ..)| point).collect();
    points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    points
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
