//! What stored runs of check, load and capacity say of one replica together. Pure.
//!
//! - A capacity run has a bracket: that counts. Of several with the same number of replicas the most cautious ends count; of several
//!   numbers of replicas the one where each carries least, and what they lose to each other goes with it.
//! - A load run has rates: where its open arrivals held the objective the rate passed, where they did not it failed.
//! - A check says nothing of rates, but whether the target keeps its contract: limits of a target that does not are worth little.

mod alike;

use std::collections::BTreeSet;

use super::{
    growth,
    measured::{Measured, Sharing},
    objective,
    record::CapacityRecord,
};
use crate::{
    load::{
        leg::Leg,
        objective::{self as judged, Outcome},
        record::{ArrivalsRecord, CellRecord, LoadRecord, ObjectiveRecord, SideRecord},
    },
    verify::record::{Caveat, RunRecord},
};

/// A stored run.
#[derive(Clone, Copy, Debug)]
pub enum Run<'a> {
    /// Of `verify` or `check`.
    Verify(&'a RunRecord),
    /// Of `load`.
    Load(&'a LoadRecord),
    /// Of `capacity`.
    Capacity(&'a CapacityRecord),
}

/// What they say.
#[derive(Clone, Debug)]
pub struct Gathered {
    /// About one replica, where a rate is known.
    pub measured: Option<Measured>,
    /// By which the rates were judged.
    pub objective: ObjectiveRecord,
    /// Brackets with both ends: replicas, low, high.
    pub brackets: Vec<(u32, f64, f64)>,
    /// Of the run that counts.
    pub replicas: u32,
    /// Doubts.
    pub caveats: Vec<Caveat>,
    /// What to run next.
    pub next: Vec<String>,
}

/// Puts runs together; `wanted`: the objective that load runs are judged by; `told`: replicas behind the target of the load runs,
/// which do not know it.
///
/// # Errors
/// Runs that cannot be put together, in words.
pub fn gather(
    runs: &[(&str, Run<'_>)],
    wanted: Option<&ObjectiveRecord>,
    told: Option<u32>,
) -> Result<Gathered, String> {
    let mut capacity = Vec::new();
    let mut loads = Vec::new();
    if told.is_some() && !runs.iter().any(|(_, run)| matches!(run, Run::Load(_))) {
        return Err(
            "--replicas says how many there were behind load runs, and there are none of those: leave it out"
                .to_owned(),
        );
    }
    let mut caveats = alike::alike(runs)?;
    let mut checked = false;
    let workload = runs.iter().find_map(|(_, run)| match run {
        Run::Load(record) => Some(&record.workload),
        Run::Capacity(record) => record.workload.as_ref(),
        Run::Verify(_) => None,
    });
    for (path, run) in runs {
        match run {
            Run::Capacity(record) => capacity.push((*path, *record)),
            Run::Load(record) => loads.push((*path, *record)),
            Run::Verify(record) => {
                checked = true;
                // What it sends beside its cases is its own workload, as a rule.
                let of_it = record.load.as_deref();
                let of_it = of_it.filter(|load| workload.is_none_or(|known| known.sha256 == load.workload.sha256));
                loads.extend(of_it.map(|load| (*path, load)));
                caveats.extend(contract(path, record));
            }
        }
    }
    let objective = objective_of(wanted, &capacity, &loads)?;
    let brackets: Vec<(u32, f64, f64)> = capacity
        .iter()
        // Without it something else than the replicas was the limit; and of how many replicas it is has to be known.
        .filter(|(_, record)| record.measured.is_some() && record.replicas > 0)
        .filter_map(|(_, record)| {
            let bracket = record.bracket.as_ref()?;
            Some((record.replicas, bracket.low, bracket.high?))
        })
        .collect();
    let counted = least(&capacity).map(|(replicas, _)| replicas);
    let replicas = counted.or(told).unwrap_or(1);
    let behind = f64::from(told.unwrap_or(replicas).max(1));
    let mut measured: Option<Measured> = None;
    for (path, record) in capacity.iter().filter(|(_, record)| record.replicas == replicas) {
        let Some(found) = &record.measured else { continue };
        let found = Measured {
            from: vec![(*path).to_owned()],
            ..found.clone()
        };
        measured = Some(match measured {
            None => found,
            Some(known) => cautious(known, found, &mut caveats),
        });
    }
    if let Some(measured) = &mut measured {
        // A run that put others together knows what they said, and has no bracket of its own.
        let stored = measured.sharing;
        let sharing = Sharing {
            at: replicas,
            most: brackets
                .iter()
                .map(|(n, ..)| *n)
                .chain(stored.map(|stored| stored.most))
                .max()
                .unwrap_or(replicas),
            loss: growth::loss(&brackets).or(stored.and_then(|stored| stored.loss)),
        };
        caveats.extend(shared(measured, &sharing, &brackets));
        measured.sharing = Some(sharing);
        if sharing.loss.is_some() {
            let others = capacity.iter().filter(|(_, record)| record.replicas != replicas);
            let used = others.filter(|(_, record)| record.measured.is_some());
            measured.from.extend(used.map(|(path, _)| (*path).to_owned()));
        }
    }
    let leg = capacity.iter().find_map(|(_, record)| record.leg);
    let rates = rates(&loads, &objective, leg)?;
    let mut unknown = false;
    let of_loads = rates.iter().map(|rate| rate.path.clone()).collect::<Vec<_>>();
    match &mut measured {
        Some(measured) => {
            // A replica's share of a load run is the mean, what passed is the busiest's.
            let mean = measured.mean(measured.passed);
            // Of several numbers of replicas nobody said which was behind the load run.
            let known = told.is_some() || brackets.iter().all(|(n, ..)| *n == replicas);
            let missed = |rate: &&Rated<'_>| known && !rate.held && rate.rate / behind < mean;
            for rate in rates.iter().filter(missed) {
                caveats.push(Caveat {
                    text: format!(
                        "the load run {} missed the objective at {:.0}/s, below what the capacity run says",
                        rate.path, rate.rate
                    ),
                    remedy: "were they the same target, workload and machine? measure the capacity again".to_owned(),
                });
            }
            measured.from.extend(of_loads);
        }
        None if told.is_none() && !rates.is_empty() => {
            unknown = true;
            caveats.push(Caveat {
                text: "load runs say what all replicas carry together, and not how many there were: nothing is said of one"
                    .to_owned(),
                remedy: "--replicas N, as many as were behind the target".to_owned(),
            });
        }
        None => {
            measured = of_rates(&rates, behind);
            if behind > 1.0 && measured.is_some() {
                caveats.push(Caveat {
                    text: format!("how evenly the load was spread over {behind} replicas is not known: taken for even"),
                    remedy: "`stocktake capacity TARGET` with --metrics-url once for each replica".to_owned(),
                });
            }
        }
    }
    if let (Some(measured), Some((path, limit, rate))) = (&mut measured, full(&capacity)) {
        measured.ceiling = Some(measured.ceiling.map_or(rate, |known| known.min(rate)));
        measured.from.push(path.to_owned());
        caveats.push(Caveat {
            text: format!("by {path} the {limit} takes {rate:.0}/s, however many replicas there are"),
            remedy: format!("more than that needs a larger {limit} first"),
        });
    }
    if let Some(measured) = &mut measured {
        let checks = runs.iter().filter(|(_, run)| matches!(run, Run::Verify(_)));
        measured.from.extend(checks.map(|(path, _)| (*path).to_owned()));
        let mut named = BTreeSet::new();
        measured.from.retain(|path| named.insert(path.clone()));
    }
    let mut next = Vec::new();
    match &measured {
        None if unknown => {
            next.push("the same with --replicas N: how many were behind the target of the load runs".to_owned())
        }
        None => next.push("`stocktake capacity TARGET`: a search for the rate of one replica".to_owned()),
        Some(measured) if measured.failed.is_none() => {
            next.push("`stocktake capacity TARGET`: these runs say what passed, not where it stops".to_owned());
        }
        Some(_) => {}
    }
    if !checked {
        next.push("`stocktake check TARGET`: whether the target keeps its contract at all".to_owned());
    }
    Ok(Gathered {
        measured,
        objective,
        brackets,
        replicas,
        caveats,
        next,
    })
}

/// The objective of all: what was asked for, else that of the capacity runs, which has to be one.
fn objective_of(
    wanted: Option<&ObjectiveRecord>,
    capacity: &[(&str, &CapacityRecord)],
    loads: &[(&str, &LoadRecord)],
) -> Result<ObjectiveRecord, String> {
    let same = |a: &ObjectiveRecord, b: &ObjectiveRecord| a.latency == b.latency && a.errors == b.errors;
    let mut found: Option<(&str, &ObjectiveRecord)> = None;
    for (path, record) in capacity {
        match found {
            Some((other, known)) if !same(known, &record.objective) => {
                return Err(format!(
                    "{other} and {path} have different objectives: their rates say nothing of each other"
                ));
            }
            _ => found = Some((path, &record.objective)),
        }
    }
    match (wanted, found) {
        (Some(wanted), Some((path, known))) if !same(wanted, known) => Err(format!(
            "{path} was measured with another objective: leave --objective out"
        )),
        (Some(wanted), _) => Ok(wanted.clone()),
        (None, Some((_, known))) => Ok(known.clone()),
        (None, None) => {
            let of_load = loads.iter().find_map(|(_, record)| record.workload.objective.clone());
            of_load.map_or_else(|| objective::parse(objective::USUAL), Ok)
        }
    }
}

/// The number of replicas of which each carries least, and how much that is.
fn least(capacity: &[(&str, &CapacityRecord)]) -> Option<(u32, f64)> {
    let each = capacity.iter().filter_map(|(_, record)| {
        let measured = record.measured.as_ref()?;
        Some((record.replicas, measured.mean(measured.passed)))
    });
    each.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// What was full beside the replicas: the run, what it was, and what it took.
fn full<'a>(capacity: &[(&'a str, &'a CapacityRecord)]) -> Option<(&'a str, &'a str, f64)> {
    let brackets = capacity.iter().filter_map(|(path, record)| {
        let bracket = record.bracket.as_ref()?;
        let beside = matches!(bracket.limit.as_str(), "edge" | "database");
        beside.then_some((*path, bracket.limit.as_str(), bracket.low))
    });
    brackets.min_by(|a, b| a.2.total_cmp(&b.2))
}

/// Replicas that lose something to each other.
fn shared(measured: &Measured, sharing: &Sharing, brackets: &[(u32, f64, f64)]) -> Option<Caveat> {
    let sigma = Some(sharing.sigma()).filter(|sigma| *sigma > 0.0)?;
    let remedy =
        "find what they share (a database, a lock, a cache, the edge): more of it helps where more replicas do not"
            .to_owned();
    let fewest = brackets.iter().min_by_key(|(n, ..)| *n);
    let most = brackets.iter().max_by_key(|(n, ..)| *n);
    if let Some((fewest, most)) = fewest.zip(most).filter(|(fewest, most)| most.2 < fewest.1) {
        let text = format!(
            "more replicas carry less: {} carry {:.0}/s at most, {} carry {:.0}/s at least",
            most.0, most.2, fewest.0, fewest.1
        );
        return Some(Caveat { text, remedy });
    }
    let each = measured.mean(measured.passed);
    let alone = each * sharing.share(1);
    Some(Caveat {
        text: format!(
            "replicas share something: one by itself carries about {alone:.0}/s, each of {} carries {each:.0}/s, and however many there \
             are, they carry no more than {:.0}/s",
            sharing.at,
            alone / sigma
        ),
        remedy,
    })
}

/// A target that breaks its contract.
fn contract(path: &str, record: &RunRecord) -> Option<Caveat> {
    (record.verdict.exit_code != 0).then(|| Caveat {
        text: format!("the check {path} did not pass: {}", record.verdict.sentence),
        remedy: "first right, then fast: limits of a target that breaks its contract are worth little".to_owned(),
    })
}

/// Of two runs of one number of replicas the one where each carries less, with the higher of the rates that failed. A rate is that of the
/// busiest replica, so the skew is taken off before they are compared.
fn cautious(known: Measured, found: Measured, caveats: &mut Vec<Caveat>) -> Measured {
    let passed = |of: &Measured| of.mean(of.passed);
    let apart = |a: &Measured, b: &Measured| a.failed.is_some_and(|failed| a.mean(failed) < passed(b));
    if apart(&known, &found) || apart(&found, &known) {
        caveats.push(Caveat {
            text: format!(
                "two runs of the same number of replicas do not agree: {:.0}/s and {:.0}/s passed",
                passed(&known),
                passed(&found)
            ),
            remedy: "the lower one counts here; find out what differs between them".to_owned(),
        });
    }
    let (mut low, high) = if passed(&found) < passed(&known) {
        (found, known)
    } else {
        (known, found)
    };
    low.failed = match (low.failed, high.failed) {
        (Some(a), Some(b)) => Some(a.max(high.mean(b) * low.skew.max(1.0))),
        _ => None,
    };
    low.ceiling = match (low.ceiling, high.ceiling) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if let Some(other) = high.sharing {
        low.sharing = Some(low.sharing.map_or(other, |known| known.cautious(&other)));
    }
    low.from.extend(high.from);
    low
}

/// A rate of a load run, and whether the objective held.
struct Rated<'a> {
    path: String,
    rate: f64,
    held: bool,
    side: &'a SideRecord,
}

/// Of one leg: that of the capacity runs, else the only one.
///
/// # Errors
/// Rates of several legs, and nothing says which counts.
fn rates<'a>(
    loads: &[(&str, &'a LoadRecord)],
    objective: &ObjectiveRecord,
    leg: Option<Leg>,
) -> Result<Vec<Rated<'a>>, String> {
    let mut rates = Vec::new();
    for (path, record) in loads {
        for cell in &record.cells {
            let Some(rate) = steady(cell) else { continue };
            for side in cell
                .sides
                .iter()
                .filter(|side| side.target == record.newest() && leg.is_none_or(|leg| leg == side.leg))
            {
                let judged = judged::judge(cell, objective);
                let mut of_side = judged
                    .iter()
                    .filter(|judged| judged.side.leg == side.leg && judged.side.target == side.target);
                let missed = of_side
                    .clone()
                    .any(|judged| matches!(judged.outcome, Outcome::Missed(_)));
                let held = of_side.all(|judged| matches!(judged.outcome, Outcome::Held(_)));
                if missed || held {
                    rates.push(Rated {
                        path: (*path).to_owned(),
                        rate,
                        held: !missed,
                        side,
                    });
                }
            }
        }
    }
    rates.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let mut legs: Vec<Leg> = rates.iter().map(|rate: &Rated<'_>| rate.side.leg).collect();
    legs.sort();
    legs.dedup();
    match legs.as_slice() {
        [one, other, ..] => Err(format!(
            "the load runs have rates of several protocol variants, such as {} and {}: give runs of one, by `stocktake load --legs {}`",
            one.name(),
            other.name(),
            one.name()
        )),
        _ => Ok(rates),
    }
}

/// The one rate of an open cell.
fn steady(cell: &CellRecord) -> Option<f64> {
    match &cell.arrivals {
        ArrivalsRecord::Constant { stages } | ArrivalsRecord::Poisson { stages } => match stages.as_slice() {
            [(from, to, _)] if from == to => Some(*from),
            _ => None,
        },
        ArrivalsRecord::InFlight { .. } | ArrivalsRecord::Users { .. } => None,
    }
}

/// From load runs alone: the highest rate below the lowest that failed, shared out evenly over so many replicas.
fn of_rates(rates: &[Rated<'_>], replicas: f64) -> Option<Measured> {
    let failed = rates.iter().find(|rate| !rate.held).map(|rate| rate.rate);
    let below = |rate: &&Rated<'_>| rate.held && failed.is_none_or(|failed| rate.rate < failed);
    let passed = rates.iter().rfind(below)?;
    let rounds: Vec<_> = passed.side.rounds.iter().filter(|round| round.void.is_none()).collect();
    let mean = |value: &dyn Fn(&crate::load::record::RoundRecord) -> Option<f64>| {
        let values: Vec<f64> = rounds.iter().filter_map(|round| value(round)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let service = passed.side.overall().and_then(|all| all.service.mean);
    let mut from: Vec<String> = rates.iter().map(|rate| rate.path.clone()).collect();
    from.dedup();
    Some(Measured {
        passed: passed.rate / replicas,
        failed: failed.map(|failed| failed / replicas),
        limit: if failed.is_some() { "latency" } else { "unknown" }.to_owned(),
        in_flight: mean(&|round| Some(round.in_flight)).unwrap_or_default() / replicas,
        service_s: service.unwrap_or_default() / 1e9,
        cpu_s: mean(&|round| round.server_cpu_us).map(|micros| micros / 1e6),
        skew: 1.0,
        sharing: Some(Sharing {
            at: replicas as u32,
            most: replicas as u32,
            loss: None,
        }),
        from,
        ..Measured::default()
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
