//! The stages of a run, one after the other: the search, then the closed-loop steps.

use super::{
    Show,
    drive::{self, Asked, Driver},
    told::warm_up,
    watch::Watch,
};
use crate::commands::Refusal;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use stocktake::{
    capacity::{
        conclude::{self, Cut, Known},
        judge,
        record::{Phase, ScalabilityRecord, StageJudged, StageRecord},
        search::{End, Judged, Next, Search, Seen, Why, least},
        usl,
    },
    cli::CapacityArgs,
    client::{Client, Protocol},
    exit::Exit,
    load::{record::ObjectiveRecord, workload::MOST_REQUESTS},
    report::console::capacity as console,
};

/// For finding out whether a target that answers nothing is still there.
const THERE: Duration = Duration::from_secs(5);

/// The shortest step of a closed loop.
const STEP: Duration = Duration::from_secs(1);

/// A stage that has to be longer than was asked for, to have enough requests, is so many times as long at most.
const LONGER: u32 = 4;

/// As long as it takes for ten requests beyond each limit to be allowed at this rate, within bounds.
fn long_enough(asked: Duration, allowed: &[f64], rate: f64) -> Duration {
    let longest = (asked * LONGER).min(seconds(MOST_REQUESTS / (rate * 1.2)));
    asked.max(seconds(least(allowed) / rate).min(longest))
}

/// What does not count before a stage: a fifth of it, and twice what a call usually takes (no more than the stage), so that as many
/// are in flight at its begin as at its end.
fn long_before(length: Duration, asked: Asked, usual: Option<f64>) -> Duration {
    let calls = usual.map_or(Duration::ZERO, |usual| seconds(2.0 * usual)).min(length);
    let room = match asked {
        Asked::Rate(rate) => seconds(MOST_REQUESTS / rate).saturating_sub(length),
        Asked::Calls(_) => Duration::MAX,
    };
    warm_up(length).max(calls.min(room))
}

fn seconds(length: f64) -> Duration {
    Duration::try_from_secs_f64(length).unwrap_or(Duration::MAX)
}

/// A run under way.
pub struct Run<'a> {
    pub args: &'a CapacityArgs,
    pub objective: &'a ObjectiveRecord,
    pub watch: Watch,
    pub stop: Arc<AtomicBool>,
    pub signalled: tokio::sync::watch::Receiver<Option<Exit>>,
    pub show: &'a mut Show,
    pub stages: Vec<StageRecord>,
    /// Of the target, before it is measured.
    pub known: Known,
    pub cut: Option<Cut>,
    /// Away while a stage is played.
    pub driver: Option<Driver>,
    pub client: Client,
    pub protocol: Protocol,
    pub address: String,
}

impl Run<'_> {
    /// Plays what the search asks for, until there is an end or something cuts it short. Where something else than the replicas is
    /// the limit there is nothing to confirm.
    pub async fn search(&mut self, search: &mut Search) -> Result<Option<End>, Refusal> {
        let allowed = judge::allowed(self.objective);
        let mut looked = false;
        loop {
            let (rate, why) = match search.next() {
                Next::End(end) => return Ok(Some(end)),
                Next::Play(rate, why) => (rate, why),
            };
            if let (Why::Confirm, false, (Some(passed), Some(failed))) = (why, looked, search.known()) {
                looked = true;
                if conclude::is_elsewhere(&self.stages, (passed, failed), &self.known) {
                    search.leave();
                    continue;
                }
            }
            let (phase, length) = match why {
                Why::Explore => (Phase::Explore, long_enough(self.args.stage, &allowed, rate)),
                Why::Bisect => (Phase::Bisect, long_enough(self.args.stage, &allowed, rate)),
                Why::Confirm => (Phase::Confirm, self.args.confirm),
            };
            let Some(stage) = self.stage(phase, Asked::Rate(rate), length).await? else {
                return Ok(None);
            };
            search.take(&Seen {
                requests: stage.scheduled as f64,
                beyond: stage.beyond.iter().map(|count| *count as f64).collect(),
                judged: match stage.judged {
                    StageJudged::Passed => Judged::Passed,
                    StageJudged::Failed { .. } => Judged::Failed,
                    StageJudged::Void { .. } | StageJudged::Measured => Judged::Void,
                },
            });
        }
    }

    /// One stage, judged, recorded and shown. `None`: the run is cut short.
    async fn stage(&mut self, phase: Phase, asked: Asked, length: Duration) -> Result<Option<&StageRecord>, Refusal> {
        let Some(driver) = self.driver.take() else {
            return Ok(None);
        };
        tokio::time::sleep(self.args.pause).await;
        let before = Instant::now();
        self.watch.since().await;
        let warm_up = long_before(length, asked, judge::usual(&self.stages));
        let (driver, played) = drive::play(driver, phase, asked, (length, warm_up), self.stop.clone()).await?;
        self.driver = Some(driver);
        let between = self.watch.since().await;
        let seconds = before.elapsed().as_secs_f64();
        if let Some(exit) = *self.signalled.borrow() {
            self.cut = Some(Cut::Signal(exit));
            return Ok(None);
        }
        let (mut stage, mut signs) = match played {
            Ok(played) => played,
            Err(why) => {
                self.cut = Some(Cut::Lost(why));
                return Ok(None);
            }
        };
        // A stage that tripped has ended itself; the next one begins anew.
        self.stop.store(false, Ordering::Relaxed);
        stage.server_memory = between.memory;
        stage.server_s = between.call_s;
        stage.database_s = between.database_s;
        if let Some(cpu) = between.cpu_s
            && stage.server_cpu_s.is_none()
        {
            // Requests of the warm-up cost as much, and are not counted: the part of the time is that of the requests.
            let part = (length.as_secs_f64() / seconds).min(1.0);
            stage.server_cpu_s = (stage.sent > 0).then(|| cpu * part / stage.sent as f64);
            stage.server_cpus = (seconds > 0.0).then(|| cpu / seconds);
        }
        if stage.succeeded == 0
            && let Err(error) = self.client.probe(self.protocol, THERE).await
        {
            self.cut = Some(Cut::Lost(format!("{} was lost under load: {error}", self.address)));
            self.stages.push(stage);
            return Ok(None);
        }
        if let Asked::Rate(_) = asked {
            signs.replicas = self.watch.changed().await;
            signs.usual_s = judge::usual(&self.stages);
            stage.judged = judge::judge(&stage, self.objective, &signs);
        } else if stage.generator_busy > judge::BUSY {
            stage.judged = StageJudged::Void {
                why: "the generator's threads had no more to give".to_owned(),
                limit: "generator".to_owned(),
            };
        }
        self.show.line(&console::stage(&stage));
        self.stages.push(stage);
        Ok(self.stages.last())
    }

    /// Closed-loop steps, and the law through them.
    pub async fn steps(&mut self, steps: &[usize], seed: u64) -> Result<Option<ScalabilityRecord>, Refusal> {
        let length = (self.args.stage / 2).max(STEP);
        let mut points = Vec::new();
        let mut busy = None;
        for calls in steps {
            if self.cut.is_some() {
                break;
            }
            let Some(stage) = self.stage(Phase::Steps, Asked::Calls(*calls), length).await? else {
                break;
            };
            match stage.judged {
                StageJudged::Void { .. } => {
                    busy = Some(*calls);
                    break;
                }
                _ if stage.throughput > 0.0 && stage.failed * 100 <= stage.succeeded => {
                    points.push((*calls as f64, stage.throughput));
                }
                _ => {}
            }
        }
        if steps.is_empty() || points.is_empty() {
            return Ok(None);
        }
        let (fit, note) = match usl::fit(&points, seed) {
            Ok(fit) => {
                let note = usl::note(&fit);
                (Some(fit), note)
            }
            Err(why) => (None, Some(why)),
        };
        let gave_out = busy.map(|calls| format!("from {calls} calls in flight on the generator had no more to give"));
        let notes: Vec<String> = note.into_iter().chain(gave_out).collect();
        Ok(Some(ScalabilityRecord {
            of: "calls in flight".to_owned(),
            steps: points,
            fit,
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_long_enough_for_ten_requests_beyond_a_limit() {
        let asked = Duration::from_secs(10);
        // 10 / (0.01 x 50/s); 10 / (0.01 x 100/s); far above it; far below it.
        for (allowed, rate, length) in [
            (0.01, 50.0, 20),
            (0.01, 100.0, 10),
            (0.01, 5000.0, 10),
            (0.001, 50.0, 40),
        ] {
            let made = long_enough(asked, &[allowed, 0.5], rate);
            assert_eq!(made.as_secs_f64().round() as u64, length, "{allowed} {rate}");
        }
        // No more requests than a stage may have, and no shorter than asked for.
        let many = long_enough(asked, &[1e-9], 1e6);
        assert!(many.as_secs_f64() * 1e6 * 1.2 <= MOST_REQUESTS * 1.001, "{many:?}");
        assert_eq!(long_enough(asked, &[1e-9], 1e7), asked);
    }

    #[test]
    fn what_does_not_count_is_longer_than_a_call() {
        let ten = Duration::from_secs(10);
        let of = |usual, asked| long_before(ten, asked, usual).as_secs_f64();
        let rate = Asked::Rate(100.0);
        assert_eq!(
            [None, Some(0.02), Some(1.5), Some(7.0)].map(|usual| of(usual, rate)),
            [2.0, 2.0, 3.0, 10.0]
        );
        assert_eq!(of(Some(1.5), Asked::Calls(1)), 3.0);
        // So many requests that there is room for nothing but the fifth.
        assert_eq!(of(Some(1.5), Asked::Rate(MOST_REQUESTS / 12.0)), 2.0);
    }
}
