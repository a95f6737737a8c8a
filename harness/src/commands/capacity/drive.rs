//! One stage: plays it and says what it showed.

use crate::commands::{
    Refusal,
    load::{
        Order,
        players::{Player, Wanted},
        targets::Under,
    },
};
use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};
use stocktake::{
    capacity::{
        judge::Signs,
        record::{Phase, StageJudged, StageRecord},
    },
    load::{
        distribution::LONGEST,
        drive::{Pace, Plan, seed_of_block},
        exchange::Decoding,
        leg::Leg,
        pacer::{Kind, Stage},
        record::ObjectiveRecord,
        recorder::Window,
        sample::{Outcome, RoundEnd},
        summary::{self, Conditions, Place, Rounds},
        workload::Cell,
    },
    verify::record::Caveat,
};

/// The share of failures that ends a stage.
const MOST_ERRORS: f64 = 0.5;

/// What is asked of a stage.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    /// Poisson arrivals, requests a second.
    Rate(f64),
    /// So many calls always in flight.
    Calls(usize),
}

/// The connected generator.
pub struct Driver {
    player: Player,
    conditions: Conditions,
    decoding: Decoding,
    seed: u64,
    played: usize,
    began: Instant,
    latency: Vec<(f64, u64)>,
    errors: bool,
    /// Connections that were lost.
    lost: u64,
    /// What the peer allows on a connection, where calls waited for it.
    peer_streams: Option<u32>,
}

impl Driver {
    /// Encodes the requests and opens the connections.
    pub async fn connect(
        order: &Order<'_>,
        cell: &Cell,
        under: &Under<'_>,
        leg: Leg,
        objective: &ObjectiveRecord,
        bare_wait_p99: Option<u64>,
        began: Instant,
    ) -> Result<Driver, Refusal> {
        let endpoint = under.client.endpoint().await;
        let endpoint = endpoint.map_err(|error| Refusal::not_judged(error.to_string()))?;
        let wanted = Wanted::new(order, cell, under, 0, leg, &endpoint).map_err(Refusal::not_judged)?;
        let of_cell = cell.clone();
        let connected = tokio::task::spawn_blocking(move || wanted.connect(&of_cell)).await;
        let connected = connected.map_err(|error| Refusal::not_judged(format!("stocktake itself failed: {error}")))?;
        let (player, loopback) = connected.map_err(Refusal::not_judged)?;
        Ok(Driver {
            player,
            conditions: Conditions {
                compared: false,
                open: true,
                bare_wait_p99,
                shared_cpus: loopback.then(|| std::thread::available_parallelism().map_or(1, usize::from)),
            },
            decoding: cell.decoding,
            seed: order.workload.seed,
            played: 0,
            began,
            latency: objective.latency.clone(),
            errors: objective.errors.is_some(),
            lost: 0,
            peer_streams: None,
        })
    }

    /// Plays a stage, to its last answer. Blocks.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn play(
        &mut self,
        phase: Phase,
        asked: Asked,
        length: Duration,
        warm_up: Duration,
        stop: &AtomicBool,
    ) -> Result<(StageRecord, Signs), String> {
        let plan = Plan {
            pace: match asked {
                Asked::Rate(rate) => Pace::Open(
                    Kind::Poisson,
                    vec![Stage {
                        from: rate,
                        to: rate,
                        duration: length,
                    }],
                ),
                Asked::Calls(calls) => Pace::Closed(calls),
            },
            window: Window {
                warm_up,
                measured: length,
            },
            // Each stage has arrivals of its own: they are independent.
            seed: seed_of_block(self.seed, self.played),
            decoding: self.decoding,
            most_errors: MOST_ERRORS,
        };
        let played = self.player.play(&plan, stop)?;
        if played.broken > 0 {
            return Err(
                "stocktake itself failed while it measured: a thread that sends has panicked; please report it"
                    .to_owned(),
            );
        }
        let conditions = Conditions {
            open: matches!(asked, Asked::Rate(_)),
            ..self.conditions
        };
        let mut rounds = Rounds::new(self.player.leg(), 0, conditions);
        let place = Place {
            order: self.played,
            block: self.played,
            began_ms: millis(played.began.saturating_duration_since(self.began)),
            server_cpu: played.server_cpu,
        };
        let round = rounds.add(&played.recorder, &played.ends, place).clone();
        self.played += 1;
        for end in &played.ends {
            self.lost += end.lost;
            if end.peer_limit_reached {
                self.peer_streams = end.peer_streams;
            }
        }
        let all = summary::all(played.recorder.tallies());
        let unanswered = round.scheduled.saturating_sub(round.succeeded);
        let slower = |limit: u64| {
            let from = limit.saturating_add(1).min(LONGEST);
            let histogram = all.response.histogram();
            histogram.map_or(0, |histogram| histogram.count_between(from, LONGEST))
        };
        let mut beyond: Vec<u64> = self
            .latency
            .iter()
            .map(|(_, limit)| slower(*limit) + unanswered)
            .collect();
        if self.errors {
            beyond.push(round.failed);
        }
        let at = |percentile: f64| all.service.at(&[percentile]).first().copied();
        let felt = all.response.sum() + all.failures.sum();
        let elapsed = longest(&played.ends);
        let stage = StageRecord {
            phase,
            rate: match asked {
                Asked::Rate(rate) => Some(rate),
                Asked::Calls(_) => None,
            },
            calls: match asked {
                Asked::Rate(_) => None,
                Asked::Calls(calls) => Some(calls),
            },
            began_ms: round.began_ms,
            seconds: round.seconds,
            scheduled: round.scheduled,
            sent: round.sent,
            succeeded: round.succeeded,
            failed: round.failed,
            beyond,
            throughput: round.throughput,
            p50: round.p50,
            p99: round.p99,
            service_s: all.service.mean().map(|mean| mean / 1e9),
            service_p99: at(0.99),
            in_flight: round.in_flight,
            most_waiting: round.most_waiting,
            slot_wait: if felt > 0 {
                all.slot_wait.sum() as f64 / felt as f64
            } else {
                0.0
            },
            server_cpu_s: round.server_cpu_us.map(|micros| micros / 1e6),
            server_cpus: played
                .server_cpu
                .filter(|_| elapsed > 0.0)
                .map(|cpu| cpu.as_secs_f64() / elapsed),
            server_memory: None,
            server_s: None,
            database_s: None,
            generator_busy: busy(&played.ends),
            judged: StageJudged::Measured,
        };
        let signs = Signs {
            lateness: self.percentiles(&all.lateness),
            service: self.percentiles(&all.service),
            void: round.void.filter(|_| round.succeeded + round.failed > 0),
            tripped: played.tripped,
            lost: all.outcomes.get(&Outcome::Lost).copied().unwrap_or_default(),
            replicas: None,
            warm_up_s: warm_up.as_secs_f64(),
            least_s: at(0.01).unwrap_or_default() as f64 / 1e9,
            usual_s: None,
        };
        Ok((stage, signs))
    }

    fn percentiles(&self, times: &stocktake::load::distribution::Distribution) -> Vec<u64> {
        let at = |(percentile, _): &(f64, u64)| times.at(&[*percentile]).first().copied().unwrap_or_default();
        self.latency.iter().map(at).collect()
    }

    /// Closes its connections; what it has to say of them.
    pub fn close(self) -> Vec<Caveat> {
        self.player.close();
        let mut caveats = Vec::new();
        if self.lost > 0 {
            caveats.push(Caveat {
                text: format!("{} connections were lost and made again", self.lost),
                remedy: "look for restarts of the target, and for a proxy that limits a connection's age".to_owned(),
            });
        }
        if let Some(streams) = self.peer_streams {
            caveats.push(Caveat {
                text: format!("the peer allows {streams} streams on a connection, and calls waited for one"),
                remedy: "more --connections, or no more --streams-per-connection than the peer allows".to_owned(),
            });
        }
        caveats
    }
}

/// A driver that is at work on another thread.
pub async fn play(
    mut driver: Driver,
    phase: Phase,
    asked: Asked,
    (length, warm_up): (Duration, Duration),
    stop: Arc<AtomicBool>,
) -> Result<(Driver, Result<(StageRecord, Signs), String>), Refusal> {
    let played = tokio::task::spawn_blocking(move || {
        let shown = driver.play(phase, asked, length, warm_up, &stop);
        (driver, shown)
    });
    played
        .await
        .map_err(|error| Refusal::not_judged(format!("stocktake itself failed while it measured: {error}")))
}

/// The share of its threads' time that the generator was busy.
fn busy(ends: &[RoundEnd]) -> f64 {
    let spent: Duration = ends.iter().map(|end| end.cpu.0 + end.cpu.1).sum();
    let all: Duration = ends.iter().map(|end| end.elapsed).sum();
    match all.is_zero() {
        true => 0.0,
        false => spent.as_secs_f64() / all.as_secs_f64(),
    }
}

fn longest(ends: &[RoundEnd]) -> f64 {
    ends.iter().map(|end| end.elapsed.as_secs_f64()).fold(0.0, f64::max)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
