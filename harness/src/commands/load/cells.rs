//! Cell by cell, block by block: connects the sides of a cell, lets them take turns, and sums up.

use super::{
    Order,
    players::{Player, Wanted},
    screen::Screen,
    targets::Under,
};
use crate::commands::Refusal;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use stocktake::{
    load::{
        drive::{self, Pace, Plan, Played},
        hlog::{self, Log},
        leg::Leg,
        pacer::{self, Kind},
        progress::Progress,
        record::{CellRecord, GeneratorRecord},
        recorder::Window,
        summary::{Conditions, Place, Rounds},
        verdict::Cut,
        workload::{Arrivals, Cell},
    },
    verify::record::Caveat,
};

/// Warm-up and measured time of a round that finds the rate at saturation.
const SATURATION: (Duration, Duration) = (Duration::from_millis(300), Duration::from_millis(1000));

/// What all cells have shown.
#[derive(Default)]
pub struct Measured {
    /// In the order of the workload.
    pub cells: Vec<CellRecord>,
    /// Histograms: names and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// Doubts.
    pub caveats: Vec<Caveat>,
    /// Why the run ended early, where it did.
    pub cut: Option<Cut>,
}

/// Measures all cells. What was measured before `stop`, or before a target was lost, is kept. All requests of all cells are made
/// once before the first is sent, so that a mistake in a late cell costs no measured time.
pub async fn measure(
    order: &Order<'_>,
    under: &[Under<'_>],
    legs: &[Leg],
    generator: &GeneratorRecord,
    began: (Instant, SystemTime),
    stop: &Arc<AtomicBool>,
    screen: &mut Screen,
) -> Result<Measured, Refusal> {
    let mut measured = Measured::default();
    let mut endpoints = Vec::new();
    for target in under {
        let endpoint = target.client.endpoint().await;
        endpoints.push(endpoint.map_err(|error| Refusal::not_judged(error.to_string()))?);
    }
    let sides = |cell: &Cell| -> Result<Vec<Wanted>, String> {
        // The targets of a leg lie beside each other, so that what drifts is the same for both.
        let pairs = legs
            .iter()
            .flat_map(|leg| (0..under.len()).map(move |target| (*leg, target)));
        pairs
            .map(|(leg, target)| Wanted::new(order, cell, &under[target], target, leg, &endpoints[target]))
            .collect()
    };
    if let Some(text) = order.cells.iter().find_map(|cell| sides(cell).err()) {
        measured.cut = Some(Cut::Workload(text));
        return Ok(measured);
    }
    for (index, cell) in order.cells.iter().enumerate() {
        if stop.load(Ordering::Relaxed) || measured.cut.is_some() {
            break;
        }
        let wanted = match sides(cell) {
            Ok(wanted) => wanted,
            Err(text) => {
                measured.cut = Some(Cut::Workload(text));
                break;
            }
        };
        let run = CellRun {
            cell: cell.clone(),
            number: index + 1,
            of: order.cells.len(),
            seed: order.workload.seed,
            began,
            bare_wait_p99: generator.bare_wait_p99,
            max_errors: order.max_errors,
            percentiles: percentiles(order),
            names: under.iter().map(|target| target.address.name).collect(),
            later: order.cells[index + 1..]
                .iter()
                .map(|cell| times(cell.round(), cell.rounds * wanted.len()))
                .fold(Duration::ZERO, Duration::saturating_add),
            stop: stop.clone(),
        };
        let (tell, mut told) = tokio::sync::mpsc::channel(16);
        // The rounds block their thread; what they tell comes here.
        let rounds = tokio::task::spawn_blocking(move || {
            let mut sides = Vec::new();
            for wanted in wanted {
                match wanted.connect(&run.cell) {
                    Ok(side) => sides.push(side),
                    Err(text) => return Err(text),
                }
            }
            // Nobody listens any more only when the run is over.
            Ok(run.run(sides, &|progress| drop(tell.blocking_send(progress))))
        });
        while let Some(progress) = told.recv().await {
            screen.on_progress(&progress);
        }
        match rounds.await {
            Ok(Ok(done)) => {
                measured.cells.push(done.cell);
                measured.files.extend(done.files);
                measured.caveats.extend(done.caveats);
                measured.cut = done.lost.map(Cut::Target);
            }
            Ok(Err(text)) => measured.cut = Some(Cut::Target(text)),
            Err(error) => {
                let text = format!("stocktake itself failed while it measured: {error}");
                measured.cut = Some(Cut::Target(text));
            }
        }
    }
    Ok(measured)
}

/// One cell, from its first block to its last.
struct CellRun {
    cell: Cell,
    number: usize,
    of: usize,
    seed: u64,
    began: (Instant, SystemTime),
    bare_wait_p99: Option<u64>,
    max_errors: f64,
    /// Those that the objective limits.
    percentiles: Vec<f64>,
    names: Vec<&'static str>,
    /// How long the cells after it take, by their schedules.
    later: Duration,
    stop: Arc<AtomicBool>,
}

struct Done {
    cell: CellRecord,
    files: Vec<(String, Vec<u8>)>,
    caveats: Vec<Caveat>,
    lost: Option<String>,
}

/// A side with what it has shown so far.
struct Taking {
    player: Player,
    sum: Rounds,
    /// By operation.
    logs: Vec<Log>,
}

impl CellRun {
    fn run(&self, connected: Vec<(Player, bool)>, tell: &dyn Fn(Progress)) -> Done {
        let mut done = Done {
            cell: self.record(None),
            files: Vec::new(),
            caveats: Vec::new(),
            lost: None,
        };
        let compared = connected.len() > 1;
        let mut sides: Vec<Taking> = connected.into_iter().map(|side| self.taking(side, compared)).collect();
        let mut saturation = None;
        if let Some(calls) = self.cell.saturation.filter(|_| self.cell.needs_saturation()) {
            match self.saturation(&mut sides, calls) {
                Ok(rate) => saturation = Some(rate),
                Err(_) if self.is_stopped() => return done,
                Err(words) => {
                    done.cell.void = Some(format!("no rate at saturation was found: {words}"));
                    return done;
                }
            }
        }
        done.cell = self.record(saturation);
        let Some(pace) = pace(&self.cell, saturation) else {
            done.cell.void = Some("its rates are not known".to_owned());
            return done;
        };
        let (mut order, all) = (0, sides.len());
        'blocks: for block in 0..self.cell.rounds {
            let plan = self.plan(&pace, block);
            for index in drive::order(all, block) {
                let taking = &mut sides[index];
                let played = match taking.player.play(&plan, &self.stop) {
                    Ok(played) => played,
                    Err(text) => {
                        done.lost = Some(text);
                        break 'blocks;
                    }
                };
                if self.is_stopped() && !played.tripped {
                    // A round that was cut short is no round.
                    break 'blocks;
                }
                let failed = self.take(
                    taking,
                    &played,
                    Place {
                        order,
                        block,
                        began_ms: millis(played.began.duration_since(self.began.0)),
                        server_cpu: played.server_cpu,
                    },
                );
                order += 1;
                tell(self.progress(taking, block, order, all));
                if let Some(text) = failed {
                    done.lost = Some(text);
                    break 'blocks;
                }
            }
        }
        sides.sort_by_key(|taking| (taking.player.target(), taking.player.leg()));
        for taking in sides {
            self.conclude(taking, &mut done);
        }
        done
    }

    fn taking(&self, (player, loopback): (Player, bool), compared: bool) -> Taking {
        let conditions = Conditions {
            compared,
            open: matches!(self.cell.arrivals, Arrivals::Constant(_) | Arrivals::Poisson(_)),
            bare_wait_p99: self.bare_wait_p99,
            shared_cpus: loopback.then(|| std::thread::available_parallelism().map_or(1, usize::from)),
        };
        let title = |id: &str| {
            let target = if self.names.len() > 1 {
                format!(" on the {} target", self.names[player.target()])
            } else {
                String::new()
            };
            format!(
                "stocktake: {id} over {}{target}, {}",
                player.leg().title(),
                self.cell.title()
            )
        };
        let logs = player
            .operations()
            .iter()
            .map(|operation| Log::new(&title(&operation.id), self.began.1));
        Taking {
            sum: Rounds::new(player.leg(), player.target(), conditions)
                .with_percentiles(self.percentiles.iter().copied()),
            logs: logs.collect(),
            player,
        }
    }

    fn window(&self) -> Window {
        Window {
            warm_up: self.cell.warm_up,
            measured: self.cell.duration,
        }
    }

    fn plan(&self, pace: &Pace, block: usize) -> Plan {
        Plan {
            pace: pace.clone(),
            window: self.window(),
            seed: drive::seed_of_block(self.seed, block),
            decoding: self.cell.decoding,
            most_errors: self.max_errors,
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The rate of the slowest side in a closed loop.
    ///
    /// # Errors
    /// Which side answered nothing, in words.
    fn saturation(&self, sides: &mut [Taking], calls: usize) -> Result<f64, String> {
        let plan = Plan {
            window: Window {
                warm_up: SATURATION.0,
                measured: SATURATION.1,
            },
            ..self.plan(&Pace::Closed(calls), 0)
        };
        let mut slowest = f64::INFINITY;
        for taking in sides {
            let played = taking.player.play(&plan, &self.stop)?;
            let rate = played.recorder.completed() as f64 / SATURATION.1.as_secs_f64();
            if rate <= 0.0 || played.tripped {
                return Err(format!(
                    "{} in a closed loop{}",
                    taking.player.leg().title(),
                    words(&played)
                ));
            }
            slowest = slowest.min(rate);
        }
        match slowest.is_finite() {
            true => Ok(slowest),
            false => Err("there is no side".to_owned()),
        }
    }

    /// Adds a round to its side; answers why the run should end, where it should.
    fn take(&self, taking: &mut Taking, played: &Played, place: Place) -> Option<String> {
        if played.broken > 0 {
            let text = "stocktake itself failed while it measured: a thread that sends has panicked; please report it";
            return Some(text.to_owned());
        }
        let round = taking.sum.add(&played.recorder, &played.ends, place);
        let (failed, ended) = (round.failed, round.succeeded + round.failed);
        let over = ended > 0 && failed as f64 > self.max_errors * ended as f64;
        let start = played.began.duration_since(self.began.0) + self.cell.warm_up;
        for (log, tally) in taking.logs.iter_mut().zip(played.recorder.tallies()) {
            log.add(start, self.cell.duration, tally);
        }
        (over || played.tripped).then(|| {
            format!(
                "stopped: {failed} of {ended} requests of a round over {} failed, more than --max-errors {}%{}",
                taking.player.leg().title(),
                self.max_errors * 100.0,
                words(played)
            )
        })
    }

    fn progress(&self, taking: &Taking, block: usize, played: usize, sides: usize) -> Progress {
        let round = taking.sum.rounds().last();
        let left = (self.cell.rounds * sides).saturating_sub(played);
        Progress {
            cell: self.number,
            cells: self.of,
            leg: taking.player.leg(),
            target: (self.names.len() > 1).then(|| self.names[taking.player.target()].to_owned()),
            round: block + 1,
            rounds: self.cell.rounds,
            warming: false,
            elapsed: self.began.0.elapsed(),
            left: times(self.cell.round(), left).saturating_add(self.later),
            rate: round.map(|round| round.throughput),
            p50: round.and_then(|round| round.p50),
            p99: round.and_then(|round| round.p99),
            errors: round.map_or(0, |round| round.failed),
        }
    }

    /// The record of a side, its files and its doubts.
    fn conclude(&self, taking: Taking, done: &mut Done) {
        let Taking { player, sum, logs } = taking;
        let leg = player.leg();
        let target = if self.names.len() > 1 {
            format!("-{}", self.names[player.target()])
        } else {
            String::new()
        };
        let name = |id: &str| format!("{}-{id}-{}{target}", self.cell.id, leg.name());
        let record = sum.record(|id| Some(format!("{}.hlog", name(id))));
        done.cell.sides.push(record);
        done.caveats
            .extend(sum.caveats().into_iter().map(|caveat| self.placed(caveat, leg)));
        for (log, tally) in logs.iter().zip(sum.tallies()) {
            done.files
                .push((format!("{}.hlog", name(&tally.id)), log.text().to_vec()));
            done.files.push((
                format!("{}.hgrm", name(&tally.id)),
                hlog::hgrm(&tally.response).into_bytes(),
            ));
        }
        player.close();
    }

    /// A doubt about a leg says in which cell; one about the machine holds in all of them.
    fn placed(&self, caveat: Caveat, leg: Leg) -> Caveat {
        match self.of > 1 && caveat.text.starts_with(leg.name()) {
            false => caveat,
            true => Caveat {
                text: format!("{}, {}", self.cell.title(), caveat.text),
                ..caveat
            },
        }
    }

    fn record(&self, saturation: Option<f64>) -> CellRecord {
        let cell = &self.cell;
        let fallback = stocktake::load::record::ArrivalsRecord::Constant { stages: Vec::new() };
        CellRecord {
            id: cell.id.clone(),
            factors: cell.factors.clone(),
            arrivals: cell.arrivals_record(saturation).unwrap_or(fallback),
            decoding: cell.decoding,
            connections: cell.connections,
            streams_per_connection: cell.streams_per_connection,
            measured_s: cell.duration.as_secs_f64(),
            warm_up_s: cell.warm_up.as_secs_f64(),
            sides: Vec::new(),
            void: None,
        }
    }
}

/// The percentiles that the objective limits.
fn percentiles(order: &Order<'_>) -> Vec<f64> {
    let objective = order.workload.objective.iter();
    objective
        .flat_map(|objective| objective.latency.iter().map(|(percentile, _)| *percentile))
        .collect()
}

/// The first failure of a round, to be put behind a sentence.
fn words(played: &Played) -> String {
    let first = played.ends.iter().flat_map(|end| end.failures.first()).next();
    first.map(|words| format!(", the first: {words}")).unwrap_or_default()
}

/// When requests are sent; `None` where a rate is a share of one that is not known.
fn pace(cell: &Cell, saturation: Option<f64>) -> Option<Pace> {
    let stages = || {
        let stage = |stage: &stocktake::load::workload::Stage| {
            Some(pacer::Stage {
                from: stage.from.per_second(saturation)?,
                to: stage.to.per_second(saturation)?,
                duration: stage.length,
            })
        };
        cell.stages().iter().map(stage).collect::<Option<Vec<_>>>()
    };
    Some(match &cell.arrivals {
        Arrivals::Constant(_) => Pace::Open(Kind::Constant, stages()?),
        Arrivals::Poisson(_) => Pace::Open(Kind::Poisson, stages()?),
        Arrivals::InFlight(calls) => Pace::Closed(*calls),
        // They pace themselves.
        Arrivals::Users { count, .. } => Pace::Closed(*count),
    })
}

fn times(time: Duration, count: usize) -> Duration {
    time.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
