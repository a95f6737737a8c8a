//! Virtual users: each plays one journey of a workload, step by step and again, and thinks between the steps. A closed loop: a
//! slow answer keeps the next request from being sent, so the times say what a user waits, and nothing of what a target can
//! take.
//!
//! The users are those of the crate goose, behind the cargo feature of this name: it starts them, shares them out among the
//! journeys by weight, asks for step after step and ends them. Calls go through `client`, for both protocols alike, and are
//! timed here, from before the call is opened to its last byte, into the histograms that every load run has; goose is told the
//! same times. Its HTTP client, its waits, its log, its printing, its ports and its hold on SIGINT are not used.

#[cfg(feature = "goose")]
mod attack;
#[cfg(feature = "goose")]
mod call;
pub mod plan;
#[cfg(feature = "goose")]
mod round;
#[cfg(feature = "goose")]
mod seat;

pub use plan::{JourneyPlan, caveat};

use super::{recorder::Recorder, sample::RoundEnd, workload::Workload};
use crate::{
    client::Client,
    scenario::error::{Problem, ScenarioError},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

/// Within this all users have to be there.
const GATHER: Duration = Duration::from_secs(60);

/// Why users could not play.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JourneyError {
    /// See [`refusal`], which says it before anything is sent.
    #[error("virtual users cannot play: this executable was built without them")]
    NotBuilt,
    /// SIGINT belongs to somebody from whom goose would take it.
    #[error("virtual users cannot play: somebody else has taken SIGINT before they could keep goose from it")]
    Interrupts,
    /// goose refused.
    #[error("virtual users cannot play: {0}")]
    Goose(String),
    /// Not all users were there in time.
    #[error("virtual users cannot play: they were not all started within {} s", GATHER.as_secs())]
    Gather,
    /// A round that should have been over was not.
    #[error("virtual users did not end their round")]
    Endless,
}

/// What a round has shown.
pub struct Played {
    /// What all users recorded.
    pub recorder: Recorder,
    /// One for all users. Its CPU time is that of the whole process; bytes are not counted.
    pub ends: Vec<RoundEnd>,
    /// When it began: all users were there, the first one was let in.
    pub began: Instant,
    /// What goose counted in the measured time, by operation: the same calls.
    pub mirrored: BTreeMap<String, u64>,
}

/// Keeps SIGINT from goose, which takes it at each start and ends the process with the second one. Afterwards SIGINT ends a round,
/// and nothing else, until somebody listens to it: whoever does so with tokio gets every one, since tokio calls the handler
/// that it found.
///
/// Call it before the first listener of the process is made: one that listens already would be cut off, so it is left alone and
/// nobody can play. [`play`] calls it otherwise.
///
/// # Errors
/// SIGINT has a handler already.
pub fn keep_interrupts() -> Result<(), JourneyError> {
    #[cfg(feature = "goose")]
    return attack::keep_interrupts();
    #[cfg(not(feature = "goose"))]
    Err(JourneyError::NotBuilt)
}

/// Plays one round to its last answer; calls that are under way at its end are awaited. The seed is of think times and random
/// orders. `stop`, or SIGINT, ends it at once: what it gives then is no round. Must run on a runtime of tokio with several
/// threads. One round at a time: goose's switch is one of the process.
///
/// # Errors
/// See [`JourneyError`]; calls that fail are samples, no errors.
pub async fn play(
    plan: &Arc<JourneyPlan>,
    client: &Client,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Played, JourneyError> {
    #[cfg(feature = "goose")]
    return attack::play(plan, client, seed, stop).await;
    #[cfg(not(feature = "goose"))]
    {
        let _ = (plan, client, seed, stop);
        Err(JourneyError::NotBuilt)
    }
}

/// Why this executable cannot play the journeys of a workload, at their place. `None`: it can, or there are none.
pub fn refusal(workload: &Workload) -> Option<ScenarioError> {
    if cfg!(feature = "goose") {
        return None;
    }
    let users = workload.users.as_ref()?;
    let text = "this executable was built without virtual users";
    let problem = Problem::new(users.span, text);
    let help =
        "build it with `cargo build --release -p stocktake --features goose`, or write `operations` and `arrivals`";
    Some(ScenarioError::new(&workload.source, problem.help(help)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{load::workload, scenario::source::SourceFile};

    #[test]
    fn users_are_refused_where_they_were_not_built_in() {
        let of = |id: &str| {
            let (name, text) = workload::embedded(id).unwrap();
            let workload = workload::parse(SourceFile::new(name, text), &|_| Err("no file".to_owned()));
            refusal(&workload.unwrap_or_else(|errors| panic!("{}", errors[0].render())))
        };
        assert!(of(workload::DEFAULT).is_none());
        let refused = of("users").map(|error| error.render());
        match cfg!(feature = "goose") {
            true => assert_eq!(refused, None),
            false => {
                let text = refused.unwrap();
                assert!(
                    text.starts_with("error: this executable was built without virtual users\n"),
                    "{text}"
                );
                assert!(
                    text.contains("users.yaml:30:1") && text.contains("--features goose"),
                    "{text}"
                );
            }
        }
    }
}
