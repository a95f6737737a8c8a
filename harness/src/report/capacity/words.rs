//! What a capacity run comes to, in words. Pure; whatever is foreign is fit to show.

use crate::{
    capacity::{
        prices::money,
        recommend::{Advice, Number, Recommendation, Subject},
        record::{Bracket, CapacityRecord, CapacityResult, Phase, StageJudged, StageRecord},
        scaler::{Outcome, Reading, Saturation},
    },
    report::{
        load::{sides, words},
        text,
    },
};

/// What is not there.
pub const NONE: &str = "–";

/// In one word or three.
pub fn result(result: CapacityResult) -> &'static str {
    match result {
        CapacityResult::Found => "found",
        CapacityResult::Failed => "the objective does not hold",
        CapacityResult::NotJudged => "not judged",
        CapacityResult::Inconclusive => "inconclusive",
        CapacityResult::Interrupted => "interrupted",
    }
}

/// Why a stage was played.
pub fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Explore => "explore",
        Phase::Bisect => "bisect",
        Phase::Confirm => "confirm",
        Phase::Steps => "closed loop",
    }
}

/// `142 requests a second`.
pub fn per_second(rate: f64) -> String {
    format!("{} requests a second", text::rate(rate))
}

/// `142 to 151 requests a second (95 % interval)`, or `at least 142 requests a second`.
pub fn bracket(bracket: &Bracket) -> String {
    match bracket.high {
        Some(high) => {
            let kind = match bracket.confidence {
                0.0 => "between two rates that were tried".to_owned(),
                share => format!("{:.0} % interval", share * 100.0),
            };
            format!("{} to {} ({kind})", text::rate(bracket.low), per_second(high))
        }
        None => format!("at least {}", per_second(bracket.low)),
    }
}

/// What had to hold, each limit by itself.
pub fn objective(record: &CapacityRecord) -> Vec<String> {
    let latency = record.objective.latency.iter().map(|(percentile, at_most)| {
        format!(
            "{} of the response time at most {}",
            text::percentile(*percentile),
            text::latency(*at_most)
        )
    });
    let errors = record
        .objective
        .errors
        .map(|at_most| format!("at most {} of the requests fail", text::percent(at_most)));
    latency.chain(errors).collect()
}

/// Seconds as a latency: `12.4 ms`, `3.20 s`; or that there are none.
pub fn seconds(seconds: Option<f64>) -> String {
    match seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
        Some(seconds) => text::latency((seconds * 1e9) as u64),
        None => NONE.to_owned(),
    }
}

/// The columns of [`stage`].
pub const STAGE: [&str; 12] = [
    "phase",
    "asked for",
    "seconds",
    "due",
    "accepted/s",
    "failed",
    "p50",
    "p99",
    "in flight",
    "server CPU/req",
    "generator busy",
    "result",
];

/// A stage in a row. Of one that is void nothing is said but why.
pub fn stage(stage: &StageRecord) -> Vec<String> {
    let asked = match (stage.rate, stage.calls) {
        (Some(rate), _) => format!("{} req/s", text::rate(rate)),
        (None, Some(calls)) => text::plural(calls as u64, "call", "calls"),
        (None, None) => NONE.to_owned(),
    };
    let seconds_of = text::tick((stage.seconds * 10.0).round() / 10.0);
    let mut row = vec![phase(stage.phase).to_owned(), asked, seconds_of];
    if matches!(stage.judged, StageJudged::Void { .. }) {
        row.extend(vec![NONE.to_owned(); STAGE.len() - row.len() - 1]);
    } else {
        row.extend([
            text::count(stage.scheduled),
            text::rate(stage.throughput),
            text::count(stage.failed),
            sides::latency(stage.p50).text().to_owned(),
            sides::latency(stage.p99).text().to_owned(),
            text::rate(stage.in_flight),
            seconds(stage.server_cpu_s),
            text::percent(stage.generator_busy),
        ]);
    }
    row.push(judged(stage));
    row
}

/// What a stage comes to.
pub fn judged(stage: &StageRecord) -> String {
    match &stage.judged {
        StageJudged::Passed => "passed".to_owned(),
        StageJudged::Failed { why, .. } => format!("failed: {}", words::reason(why)),
        StageJudged::Void { why, .. } => format!("void: {}", words::reason(why)),
        StageJudged::Measured => "measured".to_owned(),
    }
}

/// A recommended number: `7`, `0.5`, `USD 38.88`.
pub fn value(number: &Number, currency: &str) -> String {
    amount(number.subject, number.value, currency)
}

/// What it may be, or nothing where that is one value.
pub fn range(number: &Number, currency: &str) -> Option<String> {
    let (from, to) = number.range;
    let of = |value| amount(number.subject, value, currency);
    (of(from) != of(to)).then(|| format!("{} to {}", of(from), of(to)))
}

fn amount(subject: Subject, value: f64, currency: &str) -> String {
    if subject.is_cost() {
        format!("{} {}", words::fit(currency), money(value))
    } else {
        text::tick(value)
    }
}

/// Of the prices; empty where there are none, and so no cost.
pub fn currency(recommendation: &Recommendation) -> &str {
    let priced = recommendation.priced.as_ref();
    priced.map_or("", |priced| priced.prices.currency.as_str())
}

/// What the recommendation is for.
pub fn planned(told: &Recommendation) -> String {
    let ask = &told.ask;
    let base = ask
        .base
        .map_or_else(String::new, |base| format!(", {} in quiet hours", text::rate(base)));
    let burst = match ask.burst {
        ..=1.0 => String::new(),
        burst => format!(", jumps to {} times as many", text::tick(burst)),
    };
    let among = match told.measured.sharing.map_or(0.0, |sharing| sharing.sigma()) {
        ..=0.0 => String::new(),
        _ => format!(" of {}", told.limits.max),
    };
    format!(
        "For {} at the peak{base}{burst}, with {} of what a replica sustains: {} each{among}.",
        per_second(ask.peak),
        text::percent(ask.headroom),
        text::rate(told.planned)
    )
}

/// How many are behind the target: `3`, or that nobody knows.
pub fn replicas(record: &CapacityRecord) -> String {
    match record.replicas {
        0 => "not known".to_owned(),
        known => known.to_string(),
    }
}

/// What one replica was found to sustain, and what limits it; of several what they carry together, and each.
pub fn replica(record: &CapacityRecord) -> String {
    let among = |found: &Bracket| match (record.replicas, found.high) {
        (1, _) => String::new(),
        (0, _) => " by all replicas, however many there are".to_owned(),
        (several, Some(high)) => format!(
            " by {several} replicas together, {} to {} by each",
            text::rate(found.low / f64::from(several)),
            text::rate(high / f64::from(several))
        ),
        (several, None) => format!(
            " by {several} replicas together, {} by each",
            text::rate(found.low / f64::from(several))
        ),
    };
    match &record.bracket {
        Some(found) => format!(
            "{}{}, limited by {}: {}",
            bracket(found),
            among(found),
            words::fit(&found.limit),
            words::reason(&found.because)
        ),
        None => match &record.measured {
            Some(found) => {
                // What the busiest carried, its skew taken off.
                let mean = |rate: f64| text::rate(found.mean(rate));
                let to = found
                    .failed
                    .map_or_else(String::new, |failed| format!(" to {}", mean(failed)));
                let among = match found.sharing.map_or(1, |sharing| sharing.at) {
                    0 | 1 => String::new(),
                    several => format!(" by each of {several}"),
                };
                format!(
                    "{}{to} requests a second{among}, limited by {}",
                    mean(found.passed),
                    words::fit(&found.limit)
                )
            }
            None => "No bracket was found.".to_owned(),
        },
    }
}

/// Where prices come from.
pub fn prices(recommendation: &Recommendation) -> Option<String> {
    let prices = &recommendation.priced.as_ref()?.prices;
    Some(format!(
        "Prices of {}, {} ({}); check them before you decide by them.",
        prices.date,
        words::fit(&prices.file),
        words::fit(&prices.source)
    ))
}

/// What a month comes to after the free grant.
pub fn net(recommendation: &Recommendation) -> Option<String> {
    let priced = recommendation.priced.as_ref()?;
    Some(format!(
        "After the free grant of a subscription, if nothing else uses it: {} at min replicas, {} at max.",
        priced.prices.money(priced.least.net),
        priced.prices.money(priced.most.net)
    ))
}

/// Where the runs lie that a number comes from.
pub fn from(runs: &[String]) -> String {
    if runs.is_empty() {
        return "this run".to_owned();
    }
    let named: Vec<String> = runs.iter().take(5).map(|run| words::fit(run)).collect();
    match runs.len() {
        ..=5 => named.join(", "),
        all => format!("{} and {} more", named.join(", "), all - 5),
    }
}

/// Where an app has no more replicas to add.
pub fn saturation(of: &Saturation) -> String {
    format!(
        "if the platform counts {}: all replicas run above {}, more are asked for above {}",
        of.reading.words(),
        per_second(of.reaches),
        text::rate(of.exceeds)
    )
}

/// The columns of [`outcome`].
pub const OUTCOME: [&str; 11] = [
    "counted",
    "min to max",
    "concurrency",
    "most serving",
    "requests",
    "failed",
    "wait p99",
    "longest wait",
    "over capacity",
    "capped by max",
    "cost",
];

/// What came of a simulation, in a row.
pub fn outcome(outcome: &Outcome, currency: &str) -> Vec<String> {
    let limits = outcome.deployment.limits;
    let failed = if outcome.requests > 0.0 {
        outcome.failed / outcome.requests
    } else {
        0.0
    };
    vec![
        outcome.deployment.reading.words().to_owned(),
        format!("{} to {}", limits.min, limits.max),
        limits.concurrency.to_string(),
        outcome.most.to_string(),
        text::count(outcome.requests.round() as u64),
        text::percent(failed),
        wait(outcome.wait_p99_s),
        wait(outcome.wait_max_s),
        clock(outcome.over_s),
        clock(outcome.capped_s),
        outcome.cost.map_or_else(
            || NONE.to_owned(),
            |cost| format!("{} {}", words::fit(currency), money(cost)),
        ),
    ]
}

/// A wait of the simulation, whose steps are seconds: `none`, `<1 s`, `12 s`.
pub fn wait(seconds: f64) -> String {
    match seconds {
        ..=0.0 => "none".to_owned(),
        ..1.0 => "<1 s".to_owned(),
        _ => clock(seconds),
    }
}

/// A time in whole seconds: `45 s`, `2 min 5 s`.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", text::count(whole / 3600), whole / 60 % 60),
    }
}

/// How a simulation has to be read.
const SIMULATED: &str = "Simulated, not measured: the documented scaler, each replica with the rate that passed, requests shared out evenly and served first come, first served. A replica that starts takes none of what waits elsewhere. How many replicas the platform truly runs is not promised by it.";

/// The same, with what the simulation takes for given.
pub fn simulated(advice: &Advice) -> String {
    let replica = advice.outcomes.first().map(|outcome| outcome.deployment.replica);
    let given = replica.map_or_else(String::new, |replica| {
        format!(
            " A replica serves {}{} and starts in {}; a caller gives up after {}.",
            per_second(replica.rate),
            match replica.sharing.filter(|sharing| sharing.sigma() > 0.0) {
                Some(sharing) => format!(
                    " where there are {}, more where they are fewer and less where they are more,",
                    sharing.at
                ),
                None => String::new(),
            },
            seconds(Some(replica.start_s)),
            seconds(Some(replica.patience_s))
        )
    });
    format!("{SIMULATED}{given}")
}

/// Readings that were simulated.
pub fn readings(advice: &Advice) -> Vec<Reading> {
    let has = |reading: &Reading| advice.outcomes.iter().any(|one| one.deployment.reading == *reading);
    Reading::ALL.into_iter().filter(has).collect()
}

/// What was measured of one replica, beside the bracket: names and values.
pub fn measured(record: &CapacityRecord) -> Vec<(&'static str, String)> {
    let Some(measured) = &record.measured else {
        return Vec::new();
    };
    let bytes = |of: Option<u64>| of.map_or_else(|| NONE.to_owned(), |of| text::bytes(of as f64));
    vec![
        ("Calls in flight", text::rate(measured.in_flight)),
        ("Service time, mean", seconds(Some(measured.service_s))),
        ("Server CPU for a request", seconds(measured.cpu_s)),
        ("Memory of the server", bytes(measured.memory)),
        (
            "Streams held by a replica",
            measured.streams.map_or_else(|| NONE.to_owned(), text::count),
        ),
        (
            "Streams that it allows, untried",
            measured.streams_allowed.map_or_else(|| NONE.to_owned(), text::count),
        ),
        ("Memory of a stream", bytes(measured.stream_memory)),
        ("Cold start", seconds(measured.cold_start_s)),
        ("Drain after SIGTERM", seconds(measured.drain_s)),
        ("Largest share of a replica over the mean", text::ratio(measured.skew)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_simulation_are_whole_seconds() {
        assert_eq!([0.0, 0.4, 1.0, 75.2].map(wait), ["none", "<1 s", "1 s", "1 min 15 s"]);
        assert_eq!([-1.0, 59.6, 7260.0].map(clock), ["0 s", "1 min 0 s", "2 h 1 min"]);
        assert_eq!([None, Some(f64::NAN), Some(0.0124)].map(seconds), ["–", "–", "12.4 ms"]);
    }
}
