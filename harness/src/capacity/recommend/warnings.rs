//! What to know before the numbers are set. Pure.

use super::{ASSUMED_START_S, Current, GRACE_S, Ground, Today, Warning, lines, size};
use crate::{
    capacity::scaler::{Limits, METRIC_S, Reading, Scaler, saturation},
    numbers::{count, plural, rate},
};

/// Looks of the scaler after which a peak should be served.
const LOOKS: u32 = 3;

/// What is set now, at the measured capacity.
pub(super) fn today(ground: &Ground<'_>, current: Current) -> Today {
    let max = current.limits.max;
    let seconds = super::replica(ground.measured, ground.ask).seconds;
    let readings = Reading::ALL.into_iter();
    Today {
        current,
        sustains: ground.carried(max),
        saturates: readings
            .filter_map(|reading| saturation(current.limits, reading, seconds))
            .collect(),
    }
}

pub(super) fn warnings(
    ground: &Ground<'_>,
    limits: Limits,
    in_flight: Option<u32>,
    needed: u32,
    today: Option<&Today>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |text: String, remedy: &str| {
        warnings.push(Warning {
            text,
            remedy: remedy.to_owned(),
        });
    };
    let (ask, measured) = (ground.ask, ground.measured);
    if ask.in_memory {
        warn(
            "replicas keep their state in memory: a second one answers with other data, and a restart loses all of it"
                .to_owned(),
            "put the state into a store that replicas share before more than one runs",
        );
    }
    if limits.max < needed {
        let bear = ask.headroom * ground.carried(limits.max);
        let short = if bear < ask.burst * ask.peak {
            format!(
                ": with the headroom they bear {} requests a second, and the peak with its burst is {}",
                rate(bear),
                rate(ask.burst * ask.peak)
            )
        } else {
            String::new()
        };
        let text = format!(
            "{} are too few, {needed} are asked for{short}",
            plural(u64::from(limits.max), "replica", "replicas"),
        );
        warn(
            text,
            "lift what binds max replicas, or let callers be refused at the peak",
        );
    }
    match in_flight {
        None => warn(
            "calls in flight were not measured, so there is no concurrency by the other reading".to_owned(),
            "run `stocktake capacity` again and let it count them",
        ),
        Some(calls) if apart(limits.concurrency, calls) > 2.0 => warn(
            format!(
                "what the platform counts decides: the concurrency is {} if requests a second, {calls} if calls in flight",
                limits.concurrency
            ),
            "make the calibration run before you rely on either; until then the smaller one scales out too early and costs more, but never too late",
        ),
        Some(_) => {}
    }
    if measured.limit == "unknown" {
        warn(
            "what limits a replica is not known, so more CPU may change nothing".to_owned(),
            "give `stocktake capacity` the server's metrics or its process",
        );
    }
    if measured.cold_start_s.is_none() {
        warn(
            format!("the cold start was not measured; {ASSUMED_START_S} s are taken, which third parties saw"),
            "time the first answer of a service at rest (`stocktake doctor --cold-start 60s`) and give it as --replica-start",
        );
    }
    if ask.base.is_none() {
        warn(
            "the base rate is not known, so min replicas bears redundancy alone".to_owned(),
            "give the rate of quiet hours",
        );
    }
    if let Some(streams) = ask.streams {
        if measured.streams.is_none() {
            let allowed = measured.streams_allowed.map_or_else(String::new, |allowed| {
                format!(
                    "; it is set to allow {}, which says nothing of what it carries",
                    count(allowed)
                )
            });
            warn(
                format!("{streams} streams are to be open, and how many a replica carries was not measured{allowed}"),
                "run `stocktake capacity` with --streams N, as many as a replica shall hold; until then no number here accounts for them",
            );
        } else {
            warn(
                "the HTTP rule sees a stream when it begins, not while it is open".to_owned(),
                "keep min replicas at what the streams need, or give them an app of their own with a rule on CPU",
            );
        }
    }
    if let Some(beyond) = size::beyond(ground) {
        let text = format!(
            "memory and CPU time ask for {beyond} vCPU, and no replica has more than {}",
            size::LARGEST
        );
        warn(
            text,
            "measure again with the size that is recommended, and expect less of a replica",
        );
    }
    if ground.size.is_none() {
        warn(
            "neither the size of the measured replica nor its memory and CPU time are known: no size and no cost is named".to_owned(),
            "give the size, or let `stocktake capacity` read the server's metrics",
        );
    } else if ask.size.is_none() {
        warn(
            "the measured server had no limit of CPU and memory, so the size is computed, not tried".to_owned(),
            "measure again with a server of that size",
        );
    }
    if let Some((text, remedy)) = unmeasured(ground, limits.max) {
        warn(text, remedy);
    }
    let least = ground.planned(measured.passed) * ground.sharing().share(limits.max);
    if least < 1.0 {
        let text = format!(
            "a replica is planned with {} requests a second, and a rule counts no less than 1: the scaler asks for fewer replicas than it takes",
            rate(least)
        );
        warn(
            text,
            "set min replicas as high as max replicas, or scale by a rule of another kind",
        );
    }
    if ground.carried(limits.max) <= ask.burst * ask.peak && limits.max >= needed {
        warn(
            "a backlog at the peak never drains, since nothing is left over".to_owned(),
            "plan with less of what a replica sustains",
        );
    }
    let looks = ramp(limits, ask.burst * ask.peak);
    if looks > LOOKS {
        let text = format!(
            "from {} the scaler needs {looks} looks of {METRIC_S} s to reach what the peak asks for",
            plural(u64::from(limits.min), "replica", "replicas"),
        );
        warn(text, "raise min replicas, or before an event that is foreseen");
    }
    if let Some(grace) = lines::grace(measured) {
        let drain = measured.drain_s.unwrap_or(0.0);
        let text = format!(
            "a replica took {} s to end, and is killed after {GRACE_S} s",
            rate(drain)
        );
        warn(text, &format!("set a grace period of {grace} s"));
    }
    if let Some(today) = today {
        compared(ask.burst * ask.peak, today, &mut warn);
    }
    warnings
}

/// More replicas than were ever measured together: what is taken for granted, and what to run.
fn unmeasured(ground: &Ground<'_>, max: u32) -> Option<(String, &'static str)> {
    let sharing = ground.sharing();
    if max <= sharing.most {
        return None;
    }
    let far = if max > 2 * sharing.most { ", extrapolated" } else { "" };
    match sharing.loss {
        None => Some((
            format!(
                "{} measured, and {max} are taken to carry as much each{far}: where they share a database, a lock or an edge they do not",
                match sharing.most {
                    1 => "one replica was".to_owned(),
                    most => format!("{most} replicas were"),
                }
            ),
            "`stocktake capacity` with another number of replicas, then both by --from RUN1,RUN2 with the same question",
        )),
        Some(loss) if loss.most > 0.0 || !far.is_empty() => {
            let carried = ground.carried(max);
            let worst = f64::from(max) * ground.limit_of(ground.measured.passed) * sharing.at_worst().share(max);
            let least = if worst < carried {
                format!(", and by the brackets it may be as little as {}", rate(worst))
            } else {
                String::new()
            };
            Some((
                format!(
                    "no more than {} replicas were measured: that {max} carry {} requests a second is computed{far}{least}",
                    sharing.most,
                    rate(carried)
                ),
                "`stocktake capacity` with more replicas, and longer by --confirm, then all runs by --from with the same question",
            ))
        }
        Some(_) => None,
    }
}

/// What is set now, and does not fit.
fn compared(peak: f64, today: &Today, warn: &mut impl FnMut(String, &str)) {
    let max = today.current.limits.max;
    if today.sustains < peak {
        let text = format!(
            "what is set now, max {max}, sustains {} requests a second, less than the peak with its burst, {}",
            rate(today.sustains),
            rate(peak)
        );
        warn(text, "set the recommended max replicas");
    }
    let early = |one: &&crate::capacity::scaler::Saturation| one.exceeds < today.sustains * 0.5;
    if let Some(one) = today.saturates.iter().find(early) {
        let text = format!(
            "what is set now runs all {max} replicas just above {} requests a second and asks for more above {}, if the platform counts {}; they sustain {}",
            rate(one.reaches),
            rate(one.exceeds),
            one.reading.words(),
            rate(today.sustains)
        );
        warn(
            text,
            "set the recommended concurrency: replicas then come when they are needed",
        );
    }
}

/// How many times the larger is the smaller.
fn apart(a: u32, b: u32) -> f64 {
    let (a, b) = (f64::from(a.max(1)), f64::from(b.max(1)));
    (a / b).max(b / a)
}

/// Looks until the replicas are there that a steady metric asks for.
fn ramp(limits: Limits, metric: f64) -> u32 {
    let mut scaler = Scaler::new(limits, limits.min);
    let mut looks = 0;
    loop {
        looks += 1;
        let step = scaler.look(f64::from(looks) * METRIC_S, metric);
        if step.next >= step.desired.min(limits.max) || step.next == step.before {
            return looks;
        }
    }
}
