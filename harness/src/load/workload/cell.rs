//! One combination of the factors with every setting as a number.

use crate::{
    load::{exchange::Decoding, record::ArrivalsRecord},
    scenario::expr::Value,
};
use std::time::Duration;

/// Calls at once over all connections: a leg that does not share connections opens one for each.
pub const MOST_SLOTS: usize = 10_000;
/// Connections of a leg that shares them.
pub const MOST_CONNECTIONS: usize = 1_000;
/// Virtual users: each has connections of its own.
pub const MOST_USERS: usize = 1_000;
/// Threads that send.
pub const MOST_THREADS: usize = 64;
/// Rounds of a leg.
pub const MOST_ROUNDS: usize = 1_000;
/// Requests of one round: what is due and waits takes memory, and so does a mistake in a rate.
pub const MOST_REQUESTS: f64 = 20_000_000.0;
/// Streams beside the calls.
pub const MOST_WATCHES: usize = 10_000;

/// One combination of the factors, ready to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// `c1`, `c2`, …
    pub id: String,
    /// Names and values in words, in the order of the file.
    pub factors: Vec<(String, String)>,
    /// What expressions read as `factor`: a map.
    pub factor: Value,
    /// How requests arrive.
    pub arrivals: Arrivals,
    /// Where a rate is a share: calls in flight in the closed loop that finds the rate at saturation.
    pub saturation: Option<usize>,
    /// Connections of a leg that shares them between calls.
    pub connections: usize,
    /// Calls at once on each of those.
    pub streams_per_connection: usize,
    /// Threads that send, no more than connections.
    pub threads: usize,
    /// What the client does with answers.
    pub decoding: Decoding,
    /// Before a round counts; may be 0.
    pub warm_up: Duration,
    /// How long a round counts.
    pub duration: Duration,
    /// How often each leg is measured.
    pub rounds: usize,
    /// How many streams of each watch of the workload.
    pub watches: Vec<usize>,
}

/// How requests arrive.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// Open loop, evenly spaced; the lengths of the stages add up to [`Cell::duration`].
    Constant(Vec<Stage>),
    /// Open loop, as from many callers that do not know of each other.
    Poisson(Vec<Stage>),
    /// Closed loop: so many calls are always in flight.
    InFlight(usize),
    /// Closed loop: virtual users with think times, who play the journeys of the workload.
    Users {
        /// How many.
        count: usize,
        /// The time over which they begin, evenly; it is part of [`Cell::warm_up`].
        start: Duration,
    },
}

/// A time in which the rate is one, or changes evenly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// At its begin.
    pub from: Rate,
    /// At its end.
    pub to: Rate,
    /// How long.
    pub length: Duration,
}

/// How many requests a second, more than 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// So many.
    PerSecond(f64),
    /// This share (0.5 for 50 %) of what the slowest leg reaches at saturation, in the same cell.
    OfSaturation(f64),
}

impl Rate {
    /// Requests a second; `saturation` is the rate of the slowest leg, where it was measured.
    pub fn per_second(self, saturation: Option<f64>) -> Option<f64> {
        match self {
            Rate::PerSecond(rate) => Some(rate),
            Rate::OfSaturation(share) => saturation.map(|rate| rate * share),
        }
    }
}

/// Settings that the command line puts in place of those of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Requests a second, the model of the arrivals kept.
    pub rate: Option<f64>,
    /// Calls always in flight: a closed loop, whatever the arrivals of the workload.
    pub in_flight: Option<usize>,
    /// Threads that send.
    pub threads: Option<usize>,
    /// How long a round counts.
    pub duration: Option<Duration>,
    /// Before a round counts.
    pub warm_up: Option<Duration>,
    /// How often each leg is measured.
    pub rounds: Option<usize>,
    /// Connections of a leg that shares them.
    pub connections: Option<usize>,
    /// Calls at once on each of those.
    pub streams_per_connection: Option<usize>,
}

impl Cell {
    /// Calls at once over all connections.
    pub fn slots(&self) -> usize {
        self.connections.saturating_mul(self.streams_per_connection)
    }

    /// Calls that a closed loop keeps in flight, that of saturation included.
    fn calls(&self) -> Option<usize> {
        match self.arrivals {
            Arrivals::InFlight(calls) => Some(calls),
            _ => self.saturation,
        }
    }

    /// Warm-up and measured time of one round.
    pub fn round(&self) -> Duration {
        self.warm_up + self.duration
    }

    /// Whether a rate is a share of the one at saturation.
    pub fn needs_saturation(&self) -> bool {
        let share = |rate: Rate| matches!(rate, Rate::OfSaturation(_));
        self.stages().iter().any(|stage| share(stage.from) || share(stage.to))
    }

    /// The stages of an open loop; none of a closed one.
    pub fn stages(&self) -> &[Stage] {
        match &self.arrivals {
            Arrivals::Constant(stages) | Arrivals::Poisson(stages) => stages,
            Arrivals::InFlight(_) | Arrivals::Users { .. } => &[],
        }
    }

    /// As it stands in the record. `None`: a rate is a share, and the rate at saturation is not known.
    pub fn arrivals_record(&self, saturation: Option<f64>) -> Option<ArrivalsRecord> {
        let stages = || -> Option<Vec<(f64, f64, f64)>> {
            let stage = |stage: &Stage| {
                let (from, to) = (stage.from.per_second(saturation)?, stage.to.per_second(saturation)?);
                Some((from, to, stage.length.as_secs_f64()))
            };
            self.stages().iter().map(stage).collect()
        };
        Some(match &self.arrivals {
            Arrivals::Constant(_) => ArrivalsRecord::Constant { stages: stages()? },
            Arrivals::Poisson(_) => ArrivalsRecord::Poisson { stages: stages()? },
            Arrivals::InFlight(calls) => ArrivalsRecord::InFlight { calls: *calls },
            Arrivals::Users { count, .. } => ArrivalsRecord::Users { users: *count },
        })
    }

    /// The same with other settings.
    ///
    /// # Errors
    /// Settings that do not fit the cell or each other, in words.
    pub fn with(&self, overrides: &Overrides) -> Result<Cell, String> {
        let mut cell = self.clone();
        cell.rounds = overrides.rounds.unwrap_or(cell.rounds);
        cell.connections = overrides.connections.unwrap_or(cell.connections);
        cell.streams_per_connection = overrides.streams_per_connection.unwrap_or(cell.streams_per_connection);
        cell.warm_up = match (overrides.warm_up, &cell.arrivals) {
            (None, _) => cell.warm_up,
            // The time in which users begin never counts.
            (Some(warm_up), Arrivals::Users { start, .. }) => warm_up + *start,
            (Some(warm_up), _) => warm_up,
        };
        let of_connections = overrides.connections.is_some()
            || overrides.streams_per_connection.is_some()
            || overrides.in_flight.is_some()
            || overrides.threads.is_some();
        if matches!(cell.arrivals, Arrivals::Users { .. }) && of_connections {
            return Err(format!("{}: each user has connections of its own", self.title()));
        }
        cell.threads = overrides.threads.unwrap_or(cell.threads.min(cell.connections.max(1)));
        if let Some(calls) = overrides.in_flight {
            (cell.arrivals, cell.saturation) = (Arrivals::InFlight(calls), None);
        }
        if let (Some(calls), None) = (overrides.in_flight, overrides.streams_per_connection) {
            cell.connections = cell.connections.min(calls.max(1));
            cell.streams_per_connection = calls.div_ceil(cell.connections.max(1));
        }
        if let (Some(connections), None) = (overrides.connections, overrides.streams_per_connection)
            && let Some(calls) = cell.calls()
        {
            // Fewer connections, the same calls.
            cell.streams_per_connection = cell.streams_per_connection.max(calls.div_ceil(connections.max(1)));
        }
        if overrides.rate.is_some() || overrides.duration.is_some() {
            cell.duration = overrides.duration.unwrap_or(cell.duration);
            let length = cell.duration;
            match &mut cell.arrivals {
                Arrivals::InFlight(_) | Arrivals::Users { .. } if overrides.rate.is_some() => {
                    return Err(format!("{}: a closed loop has no rate of its own", self.title()));
                }
                Arrivals::InFlight(_) | Arrivals::Users { .. } => {}
                Arrivals::Constant(stages) | Arrivals::Poisson(stages) => match stages.as_mut_slice() {
                    [stage] => {
                        stage.length = length;
                        if let Some(rate) = overrides.rate {
                            (stage.from, stage.to) = (Rate::PerSecond(rate), Rate::PerSecond(rate));
                        }
                    }
                    _ => return Err(format!("{}: its arrivals have stages of their own", self.title())),
                },
            }
        }
        match cell.wrong() {
            Some(reason) => Err(format!("{}: {reason}", self.title())),
            None => Ok(cell),
        }
    }

    /// Requests that one round wants, warm-up included; `None` where that depends on the target.
    pub fn wanted(&self) -> Option<f64> {
        let rate = |rate: Rate| match rate {
            Rate::PerSecond(rate) => Some(rate),
            Rate::OfSaturation(_) => None,
        };
        let first = rate(self.stages().first()?.from)?;
        let mut sum = first * self.warm_up.as_secs_f64();
        for stage in self.stages() {
            sum += (rate(stage.from)? + rate(stage.to)?) / 2.0 * stage.length.as_secs_f64();
        }
        Some(sum)
    }

    /// Its id and factors, in words.
    pub fn title(&self) -> String {
        match self.factors.is_empty() {
            true => format!("cell {}", self.id),
            false => {
                let factors: Vec<String> = self
                    .factors
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("cell {} ({})", self.id, factors.join(", "))
            }
        }
    }

    /// What of the settings does not fit together, in words.
    pub fn wrong(&self) -> Option<String> {
        let outside = |what: &str, value: usize, most: usize| {
            (!(1..=most).contains(&value)).then(|| format!("{what} can be 1 to {most}, not {value}"))
        };
        let rates = |stage: &Stage| [stage.from, stage.to];
        let bad_rate = self.stages().iter().flat_map(rates).find(|rate| {
            let (Rate::PerSecond(value) | Rate::OfSaturation(value)) = rate;
            !(value.is_finite() && *value > 0.0)
        });
        let slots = self.slots();
        outside("connections", self.connections, MOST_CONNECTIONS)
            .or_else(|| outside("streams per connection", self.streams_per_connection, MOST_SLOTS))
            .or_else(|| outside("connections x streams", slots, MOST_SLOTS))
            .or_else(|| outside("threads", self.threads, MOST_THREADS))
            .or_else(|| outside("rounds", self.rounds, MOST_ROUNDS))
            .or_else(|| {
                let text = format!(
                    "{} threads need as many connections, not {}",
                    self.threads, self.connections
                );
                (self.threads > self.connections).then_some(text)
            })
            .or_else(|| {
                let calls = self.calls().filter(|calls| *calls > slots)?;
                Some(format!(
                    "{calls} calls in flight do not fit into {} connections x {} streams",
                    self.connections, self.streams_per_connection
                ))
            })
            .or_else(|| bad_rate.map(|_| "a rate must be more than 0".to_owned()))
            .or_else(|| {
                self.duration
                    .is_zero()
                    .then(|| "a round must be longer than 0".to_owned())
            })
            .or_else(|| {
                let text = "a rate is a share of saturation, and `saturation` does not say how to find it";
                (self.needs_saturation() && self.saturation.is_none()).then(|| text.to_owned())
            })
    }
}
