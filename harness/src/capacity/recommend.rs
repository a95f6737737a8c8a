//! From what one replica sustains to the limits of a deployment, each with what binds it. Pure.
//!
//! With X = the highest rate that passed, k = the skew of the balancer, h = the headroom, R = X / k a replica at its limit and
//! C = h R what one is planned with:
//!
//! - max replicas = ceil(burst x peak / C), then no more than connections, cores, budget and 1000 allow; where replicas were seen to
//!   lose something to each other, the fewest n whose n C / (1 + sigma (n - 1)) is as much, see [`Sharing`];
//! - min replicas = the most of: redundancy, ceil(base / C), the streams, and the fewest whose backlog stays bearable until more
//!   replicas serve;
//! - the concurrency of the HTTP rule = floor(C) as documented, floor(h N / k) as the name reads, with N the calls in flight at X;
//! - vCPU and memory = the smallest step of 0.25 vCPU and 0.5 GiB that holds 1.3 times the memory and the CPU time that were measured.
//!
//! Ranges come from the bracket: the same numbers with the lowest rate that failed in place of X. What is recommended is the end
//! that was measured to hold.

mod ask;
mod lines;
mod replicas;
mod rule;
mod size;
mod traffic;
mod warnings;

pub use size::of_cpu;

pub use ask::{Ask, Bounds, Connections, Current};
pub use lines::{CALIBRATION_CONCURRENCY, Calibration, CalibrationRun};
pub use traffic::lost;

use super::{
    measured::{Measured, Sharing},
    prices::{Cost, Prices, Size},
    scaler::{Limits, Replica, Saturation},
    traffic::Profile,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Seconds that are taken for a cold start that nobody measured: third parties saw 19 to 22 s on Azure Container Apps.
pub const ASSUMED_START_S: f64 = 20.0;

/// Seconds from a rise of the rate until the scaler sees it (15 s of metric) and acts (15 s, inferred from the same cycle).
pub const REACT_S: f64 = 30.0;

/// Seconds that a replica has to end, where nothing is set.
pub const GRACE_S: f64 = 30.0;

/// A bracket wider than this decides nothing: a search that only doubled rates leaves twice the rate open.
const WIDEST: f64 = 1.5;

/// Why there is no recommendation.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RecommendError {
    /// The input is wrong: what, and what to do.
    #[error("{text}; {help}")]
    Wrong {
        /// What is wrong.
        text: String,
        /// What to do.
        help: String,
    },
    /// What was measured does not bear one.
    #[error("{why}; {next}")]
    TooLittle {
        /// What is missing.
        why: String,
        /// What to run next.
        next: String,
    },
}

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// `--min-replicas`.
    MinReplicas,
    /// `--max-replicas`.
    MaxReplicas,
    /// `--scale-rule-http-concurrency`, as documented: requests a second.
    ConcurrencyRate,
    /// The same, as the name reads: calls in flight.
    ConcurrencyInFlight,
    /// `--cpu`.
    Cpu,
    /// `--memory`, GiB.
    Memory,
    /// A month of the fewest replicas, active all of it.
    CostLeast,
    /// A month of the fewest replicas, idle all of it.
    CostIdle,
    /// A month of the most replicas.
    CostMost,
    /// A million requests at the rate that a replica is planned with.
    CostMillion,
}

impl Subject {
    /// In words.
    pub fn title(self) -> &'static str {
        match self {
            Subject::MinReplicas => "min replicas",
            Subject::MaxReplicas => "max replicas",
            Subject::ConcurrencyRate => "http concurrency, as documented (requests a second)",
            Subject::ConcurrencyInFlight => "http concurrency, as its name reads (calls in flight)",
            Subject::Cpu => "CPU of a replica (vCPU)",
            Subject::Memory => "memory of a replica (GiB)",
            Subject::CostLeast => "a month at min replicas, active",
            Subject::CostIdle => "a month at min replicas, idle",
            Subject::CostMost => "a month at max replicas",
            Subject::CostMillion => "a million requests at the planned rate",
        }
    }

    /// Whether it is an amount of money.
    pub fn is_cost(self) -> bool {
        matches!(
            self,
            Subject::CostLeast | Subject::CostIdle | Subject::CostMost | Subject::CostMillion
        )
    }
}

/// A recommended number, and all that there is to say of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Number {
    /// What it is.
    pub subject: Subject,
    /// Its value.
    pub value: f64,
    /// What it may be by the bracket: the lowest and the highest, `value` one of them or between.
    pub range: (f64, f64),
    /// What binds it, in a few words.
    pub binding: String,
    /// How it was computed, with its numbers.
    pub because: String,
    /// The runs that it comes from.
    pub from: Vec<String>,
    /// What would change it.
    pub changes: String,
}

/// Something to know, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// What.
    pub text: String,
    /// What to do.
    pub remedy: String,
}

/// Prices behind the costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Priced {
    /// The file, with its date and source.
    pub prices: Prices,
    /// A month of the fewest replicas, active and idle, and of the most.
    pub least: Cost,
    /// As above.
    pub idle: Cost,
    /// As above.
    pub most: Cost,
}

/// What is set now, beside what is recommended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Today {
    /// What is set.
    pub current: Current,
    /// Requests a second that its `max` sustains at the objective.
    pub sustains: f64,
    /// Where its scaler has no more replicas to add, by each reading that can be told.
    pub saturates: Vec<Saturation>,
}

/// What to set, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recommendation {
    /// What was asked for.
    pub ask: Ask,
    /// What it comes from.
    pub measured: Measured,
    /// What to set; the concurrency is the documented reading's.
    pub limits: Limits,
    /// The concurrency of the other reading, where calls in flight were measured.
    pub concurrency_in_flight: Option<u32>,
    /// Of a replica, where it is known.
    pub size: Option<Size>,
    /// Requests a second that a replica is planned with.
    pub planned: f64,
    /// Every number, with its grounds.
    pub numbers: Vec<Number>,
    /// What it costs, where the size is known.
    pub priced: Option<Priced>,
    /// What is set now.
    pub today: Option<Today>,
    /// Doubts, and what to do about them.
    pub warnings: Vec<Warning>,
    /// The run that tells what the platform counts.
    pub calibration: Calibration,
    /// A command for the Azure CLI.
    pub az: String,
    /// The same as parameters of a Bicep file.
    pub bicep: String,
}

/// What follows from one measurement: everything that a report shows behind the bracket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// What to set.
    pub recommendation: Recommendation,
    /// The traffic that was played, where one was named.
    pub traffic: Option<Profile>,
    /// What came of it: each `max` by each reading.
    pub outcomes: Vec<super::scaler::Outcome>,
}

/// Replicas of which nobody knows what they lose to each other.
const UNSHARED: Sharing = Sharing {
    at: 1,
    most: 1,
    loss: None,
};

/// What all parts compute with.
struct Ground<'a> {
    measured: &'a Measured,
    ask: &'a Ask,
    prices: &'a Prices,
    size: Option<Size>,
}

impl Ground<'_> {
    /// What a replica at its limit serves, the skew taken off.
    fn limit_of(&self, rate: f64) -> f64 {
        self.measured.mean(rate)
    }

    /// What a replica is planned with.
    fn planned(&self, rate: f64) -> f64 {
        self.ask.headroom * self.limit_of(rate)
    }

    /// Rates between which the truth is.
    fn rates(&self) -> (f64, f64) {
        (
            self.measured.passed,
            self.measured.failed.unwrap_or(self.measured.passed),
        )
    }

    /// What replicas lose to each other; nothing where that is not known.
    fn sharing(&self) -> Sharing {
        self.measured.sharing.unwrap_or(UNSHARED)
    }

    /// What so many replicas at their limit serve together.
    fn carried(&self, replicas: u32) -> f64 {
        let all = f64::from(replicas) * self.limit_of(self.measured.passed) * self.sharing().share(replicas);
        all.min(self.measured.ceiling.unwrap_or(f64::INFINITY))
    }

    /// In words, behind a quotient that asks for so many replicas.
    fn loss(&self) -> String {
        match self.sharing().sigma() {
            sigma if sigma > 0.0 => {
                let at = self.sharing().at;
                format!(
                    ", and more since replicas share something: each of n carries (1 + {0} x {1}) / (1 + {0} (n - 1)) as much",
                    crate::numbers::rate(sigma),
                    at.saturating_sub(1)
                )
            }
            _ => String::new(),
        }
    }

    fn start_s(&self) -> f64 {
        self.measured.cold_start_s.unwrap_or(ASSUMED_START_S)
    }

    fn number(&self, subject: Subject, value: f64, range: (f64, f64), words: [String; 3]) -> Number {
        let [binding, because, changes] = words;
        Number {
            subject,
            value,
            range: (range.0.min(range.1).min(value), range.0.max(range.1).max(value)),
            binding,
            because,
            from: self.measured.from.clone(),
            changes,
        }
    }
}

/// What to set.
pub fn recommend(measured: &Measured, ask: &Ask, prices: &Prices) -> Result<Recommendation, RecommendError> {
    ask::sound(ask)?;
    enough(measured)?;
    let mut ground = Ground {
        measured,
        ask,
        prices,
        size: None,
    };
    let (size, mut sizes) = size::size(&ground);
    ground.size = size;
    let replicas = replicas::replicas(&ground)?;
    let rule = rule::rule(&ground, replicas.max);
    let mut numbers = replicas.numbers;
    numbers.extend(rule.numbers);
    numbers.append(&mut sizes);
    let limits = Limits::new(replicas.min, replicas.max, rule.rate);
    let (priced, mut costs) = size::priced(&ground, limits, &numbers);
    numbers.append(&mut costs);
    let today = ask.current.map(|current| warnings::today(&ground, current));
    let warnings = warnings::warnings(&ground, limits, rule.in_flight, replicas.needed, today.as_ref());
    Ok(Recommendation {
        ask: ask.clone(),
        measured: measured.clone(),
        limits,
        concurrency_in_flight: rule.in_flight,
        size,
        planned: ground.planned(measured.passed) * ground.sharing().share(limits.max),
        numbers,
        priced,
        today,
        warnings,
        calibration: lines::calibration(),
        az: lines::az(limits, size, measured),
        bicep: lines::bicep(limits, size, measured),
    })
}

/// A replica as it was measured, for a simulation.
pub fn replica(measured: &Measured, ask: &Ask) -> Replica {
    let seconds = measured.in_flight / measured.passed;
    Replica {
        rate: measured.mean(measured.passed),
        sharing: measured.sharing,
        ceiling: measured.ceiling,
        seconds: if seconds.is_finite() && seconds > 0.0 {
            seconds
        } else {
            measured.service_s
        },
        start_s: measured.cold_start_s.unwrap_or(ASSUMED_START_S),
        patience_s: ask.patience_s,
        grace_s: GRACE_S,
    }
}

/// Whether what was measured is about the target, and narrow enough.
fn enough(measured: &Measured) -> Result<(), RecommendError> {
    let too_little = |why: String, next: &str| {
        Err(RecommendError::TooLittle {
            why,
            next: next.to_owned(),
        })
    };
    let known = |value: f64| value.is_finite() && value > 0.0;
    match measured.limit.as_str() {
        "generator" | "connections" | "lost" => {
            return too_little(
                "the generator was the limit, so what a replica sustains is not known".to_owned(),
                "run `stocktake capacity` with more --connections, with more threads, or from a larger machine",
            );
        }
        "edge" => {
            return too_little(
                "the edge was the limit, so what a replica sustains is not known".to_owned(),
                "run `stocktake capacity` from inside the environment, against the replica itself",
            );
        }
        "database" => {
            return too_little(
                "the database was the limit, so more replicas serve no more".to_owned(),
                "find what the database sustains and enlarge it, then run `stocktake capacity` again",
            );
        }
        "replicas" => {
            return too_little(
                "the replicas behind the target changed while it was measured".to_owned(),
                "set --min-replicas and --max-replicas to 1, wait until one is left, then run `stocktake capacity` again",
            );
        }
        _ => {}
    }
    if !known(measured.passed) {
        return too_little(
            "no rate held the objective".to_owned(),
            "run `stocktake capacity` with a lower first rate, or with an objective that the target can hold",
        );
    }
    let Some(failed) = measured.failed.filter(|failed| failed.is_finite()) else {
        return too_little(
            "no rate was found that breaks the objective, so a replica may sustain any more".to_owned(),
            "run `stocktake capacity` up to a higher rate",
        );
    };
    if failed <= measured.passed {
        return too_little(
            "the lowest rate that failed is not above the highest that passed".to_owned(),
            "run `stocktake capacity` again, on a quieter machine or with longer stages",
        );
    }
    if failed / measured.passed > WIDEST {
        let why = format!(
            "between {} and {} requests a second nothing is known, and that is too wide to plan with",
            crate::numbers::rate(measured.passed),
            crate::numbers::rate(failed)
        );
        return too_little(
            why,
            "let `stocktake capacity` search longer, until the bracket is narrow",
        );
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
