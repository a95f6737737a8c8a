//! What the command line asks for beside the search: traffic to bear, what bounds the deployment, prices.

use crate::commands::{Refusal, load::mistaken};
use std::{fs, path::Path};
use stocktake::{
    capacity::{
        advise::{self, Play},
        measured::Measured,
        prices::{Prices, Size},
        recommend::{Advice, Ask, Bounds, Connections, Current, RecommendError, of_cpu},
        scaler::{DEFAULT_CONCURRENCY, Limits},
        traffic::{Profile, Spec},
    },
    cli::{CapacityArgs, QuestionArgs},
    scenario::source::SourceFile,
};

/// The question, read and sound; there is none without a peak.
pub struct Question {
    ask: Option<Ask>,
    play: Play,
    prices: Prices,
    /// Figures of the deployment that stand above what was measured: start and end of a replica, seconds.
    start_s: Option<f64>,
    drain_s: Option<f64>,
}

impl Question {
    /// Reads files and options. Mistakes end here, before anything is sent.
    pub fn read(args: &CapacityArgs) -> Result<Question, Refusal> {
        let of = &args.question;
        let prices = prices(of.prices.as_deref())?;
        let traffic = of.traffic.as_deref().map(traffic).transpose()?;
        let peak = of.peak_rate.or(traffic.as_ref().map(Profile::peak));
        let size = size(args)?;
        let ask = match peak {
            None => {
                if let Some(option) = needless(of) {
                    return Err(Refusal::input(format!(
                        "{option} is for a recommendation, which needs the rate to expect: give --peak-rate or --traffic"
                    )));
                }
                None
            }
            Some(peak) => Some(Ask {
                peak,
                base: of.base_rate.or(traffic.as_ref().map(Profile::base)),
                burst: of.burst,
                headroom: of.headroom,
                patience_s: of.patience.as_secs_f64(),
                streams: of.peak_streams,
                at_least: of.at_least,
                in_memory: of.in_memory,
                revisions: of.revisions,
                size,
                bounds: Bounds {
                    connections: of.database.as_deref().map(connections).transpose()?,
                    cores: of.cores,
                    budget: of.budget,
                },
                current: of.current.as_deref().map(current).transpose()?,
            }),
        };
        if let Some(ask) = &ask {
            advise::sound(ask, &prices).map_err(Refusal::input)?;
        }
        let play = Play {
            traffic,
            maxes: of.compare_max.clone(),
        };
        let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
        Ok(Question {
            ask,
            play,
            prices,
            start_s: seconds(of.replica_start),
            drain_s: seconds(of.replica_drain),
        })
    }

    /// Figures of the deployment stand above what was measured.
    pub fn tell(&self, measured: &mut Measured) {
        measured.cold_start_s = self.start_s.or(measured.cold_start_s);
        measured.drain_s = self.drain_s.or(measured.drain_s);
    }

    /// Whether a recommendation is asked for.
    pub fn is_asked(&self) -> bool {
        self.ask.is_some()
    }

    /// The answer; `Ok(None)` where nothing was asked.
    ///
    /// # Errors
    /// Of [`advise::advise`].
    pub fn answer(&self, measured: &Measured) -> Result<Option<Advice>, RecommendError> {
        let Some(ask) = &self.ask else { return Ok(None) };
        advise::advise(measured, ask, &self.play, &self.prices).map(Some)
    }
}

fn prices(file: Option<&Path>) -> Result<Prices, Refusal> {
    let parsed = match file {
        None => Prices::embedded(),
        Some(path) => {
            let shown = path.display().to_string();
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| Refusal::input(format!("--prices: cannot read {shown}: {error}")))?;
            Prices::parse(SourceFile::new(shown, text))
        }
    };
    parsed.map_err(|errors| mistaken(&errors, "in the prices"))
}

fn traffic(text: &str) -> Result<Profile, Refusal> {
    let wrong = |error: String| Refusal::input(format!("--traffic: {error}"));
    match Spec::parse(text).map_err(|error| wrong(error.to_string()))? {
        Spec::Flash(profile) => Ok(profile),
        Spec::File(path) => {
            let read = fs::read_to_string(&path);
            let read = read.map_err(|error| wrong(format!("cannot read {path}: {error}")))?;
            Profile::csv(&path, &read).map_err(|error| wrong(error.to_string()))
        }
    }
}

fn size(args: &CapacityArgs) -> Result<Option<Size>, Refusal> {
    match (args.cpu, args.question.memory) {
        (Some(cpu), Some(memory)) => Ok(Some(Size { cpu, memory })),
        (None, Some(_)) => Err(Refusal::input(
            "--memory is the GiB of a replica: give its processors too, with --cpu",
        )),
        (Some(cpu), None) => Ok(of_cpu(cpu)),
        (None, None) => Ok(None),
    }
}

/// An option that says nothing without a peak.
fn needless(of: &QuestionArgs) -> Option<&'static str> {
    [
        (of.base_rate.is_some(), "--base-rate"),
        (of.peak_streams.is_some(), "--peak-streams"),
        (of.replica_start.is_some(), "--replica-start"),
        (of.replica_drain.is_some(), "--replica-drain"),
        (of.database.is_some(), "--database"),
        (of.cores.is_some(), "--cores"),
        (of.budget.is_some(), "--budget"),
        (of.current.is_some(), "--current"),
        (!of.compare_max.is_empty(), "--compare-max"),
    ]
    .into_iter()
    .find_map(|(given, name)| given.then_some(name))
}

/// `max_connections,reserved,pool`.
fn connections(text: &str) -> Result<Connections, Refusal> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([most, reserved, pool]) => Ok(Connections {
            most: *most,
            reserved: *reserved,
            pool: *pool,
        }),
        _ => Err(Refusal::input(format!(
            "--database `{text}`: write max_connections, those kept for others, and the pool of a replica, such as 100,10,10"
        ))),
    }
}

/// `min,max` or `min,max,concurrency`.
fn current(text: &str) -> Result<Current, Refusal> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    let limits = match numbers.as_deref() {
        Some([min, max]) => Some((*min, *max, DEFAULT_CONCURRENCY)),
        Some([min, max, concurrency]) => Some((*min, *max, *concurrency)),
        _ => None,
    };
    match limits.filter(|(min, max, concurrency)| min <= max && *max > 0 && *concurrency > 0) {
        Some((min, max, concurrency)) => Ok(Current {
            limits: Limits::new(min, max, concurrency),
            size: None,
        }),
        None => Err(Refusal::input(format!(
            "--current `{text}`: write min replicas, max replicas and the concurrency of the http rule, such as 1,5,10"
        ))),
    }
}
