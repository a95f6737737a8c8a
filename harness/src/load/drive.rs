//! Runs rounds: one side at a time, the sides in turns, each round on threads of its own.
//!
//! A block is one round of every side; the order turns round from block to block (A B C, C B A, …), so that what drifts slowly
//! cancels in the pairs of a block. All sides of a block are asked for the same, from the same seed.

use super::{
    decode::Decoder,
    exchange::{Decoding, Operation, Prepared},
    leg::Leg,
    mix::Mix,
    pacer::{Kind, Schedule, Share, Stage},
    recorder::{Recorder, Window},
    sample::{Moment, Outcome, RoundEnd, Sample, Sink},
    usage::Usage,
    wire::{Arrivals, Lane, Round},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// One leg on one target, connected.
pub struct Side {
    /// Which protocol variant.
    pub leg: Leg,
    /// Position of the target.
    pub target: usize,
    /// What it sends.
    pub prepared: Arc<Prepared>,
    /// One for each thread.
    pub lanes: Vec<Lane>,
    /// By operation.
    pub decoders: Arc<Vec<Decoder>>,
    /// The process of the target, where it runs on this machine and is known.
    pub process: Option<u32>,
}

/// How one round goes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// When requests are sent.
    pub pace: Pace,
    /// Which part of the round counts.
    pub window: Window,
    /// Of schedule and mix.
    pub seed: u64,
    /// What is done with answers.
    pub decoding: Decoding,
    /// The share of failures beyond which the round is ended, so that a target that fails is not driven on.
    pub most_errors: f64,
}

/// When requests are sent.
#[derive(Clone, Debug)]
pub enum Pace {
    /// By a timetable; the stages cover the measured time, their first rate the warm-up.
    Open(Kind, Vec<Stage>),
    /// So many calls are always in flight.
    Closed(usize),
}

/// What a round has shown.
pub struct Played {
    /// What all threads recorded.
    pub recorder: Recorder,
    /// What each thread says.
    pub ends: Vec<RoundEnd>,
    /// CPU time that the server took meanwhile.
    pub server_cpu: Option<Duration>,
    /// When it began.
    pub began: Instant,
    /// Whether it was ended because more requests failed than [`Plan::most_errors`] allows.
    pub tripped: bool,
    /// Threads that panicked: what they measured is lost.
    pub broken: usize,
}

/// Every how many answers one is decoded with [`Decoding::Sampled`].
const SAMPLED: u64 = 100;

/// The order of the sides in a block: forwards in even ones, backwards in odd ones.
pub fn order(sides: usize, block: usize) -> Vec<usize> {
    match block % 2 {
        0 => (0..sides).collect(),
        _ => (0..sides).rev().collect(),
    }
}

/// The seed of a block: another for each, the same for all its sides.
pub fn seed_of_block(seed: u64, block: usize) -> u64 {
    // An odd factor: no two blocks of a run share a seed.
    seed.wrapping_add((block as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// From the order to begin to the begin, so that the threads are there by then.
const LEAD: Duration = Duration::from_millis(20);

/// Ends that are looked at before too many of them are said to be failures.
const ENDS: u64 = 100;

/// Runs one round of a side, to its last answer. `stop` ends it early, and is set where the round trips.
pub fn play(side: &mut Side, plan: &Plan, stop: &AtomicBool) -> Played {
    let (prepared, decoders) = (side.prepared.clone(), side.decoders.clone());
    let threads = side.lanes.len();
    let mut recorder = Recorder::new(&prepared.operations, plan.window);
    let schedules: Vec<Option<Schedule>> = (0..threads)
        .map(|index| plan.schedule(Share { index, of: threads }))
        .collect();
    for schedule in schedules.iter().flatten() {
        recorder.expect(schedule.clone());
    }
    // Lost connections are made again and the streams beside the calls opened before the clock starts.
    thread::scope(|scope| {
        for lane in &mut side.lanes {
            scope.spawn(|| lane.ready());
        }
    });
    let guard = Guard::new(plan.most_errors, stop);
    let before = side.process.and_then(Usage::of);
    let began = Instant::now() + LEAD;
    let results: Vec<Option<(Recorder, RoundEnd)>> = thread::scope(|scope| {
        let started: Vec<_> = side
            .lanes
            .iter_mut()
            .zip(schedules)
            .enumerate()
            .map(|(index, (lane, schedule))| {
                let part = Part {
                    operations: &prepared.operations,
                    decoders: &decoders,
                    plan,
                    share: Share { index, of: threads },
                    began,
                    guard: &guard,
                };
                scope.spawn(move || part.play(lane, schedule))
            })
            .collect();
        started.into_iter().map(|thread| thread.join().ok()).collect()
    });
    let after = side.process.and_then(Usage::of);
    let broken = results.iter().filter(|result| result.is_none()).count();
    let mut ends = Vec::with_capacity(threads);
    for (part, end) in results.into_iter().flatten() {
        recorder.merge(&part);
        ends.push(end);
    }
    Played {
        recorder,
        ends,
        server_cpu: before.zip(after).and_then(|(before, after)| after.since(&before)),
        began,
        tripped: guard.tripped.load(Ordering::Relaxed),
        broken,
    }
}

impl Plan {
    /// The timetable of a thread; `None` in a closed loop.
    fn schedule(&self, share: Share) -> Option<Schedule> {
        match &self.pace {
            Pace::Open(kind, stages) => Some(timetable(*kind, stages, self, share)),
            Pace::Closed(_) => None,
        }
    }
}

/// Ends a round in which too much fails.
struct Guard<'a> {
    most: f64,
    stop: &'a AtomicBool,
    ended: AtomicU64,
    failed: AtomicU64,
    tripped: AtomicBool,
}

impl<'a> Guard<'a> {
    fn new(most: f64, stop: &'a AtomicBool) -> Guard<'a> {
        Guard {
            most,
            stop,
            ended: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            tripped: AtomicBool::new(false),
        }
    }

    fn end(&self, accepted: bool) {
        let ended = self.ended.fetch_add(1, Ordering::Relaxed) + 1;
        if accepted {
            return;
        }
        let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
        if ended >= ENDS && failed as f64 > self.most * ended as f64 {
            self.tripped.store(true, Ordering::Relaxed);
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// What a thread measures, watched by the guard.
struct Watched<'a> {
    recorder: &'a mut Recorder,
    operations: &'a [Operation],
    guard: &'a Guard<'a>,
}

impl Sink for Watched<'_> {
    fn sample(&mut self, sample: &Sample) {
        let operation = self.operations.get(sample.operation as usize);
        let accepted = match sample.outcome {
            Outcome::Status(code) => operation.is_some_and(|operation| operation.accepted.contains(&code)),
            _ => false,
        };
        self.guard.end(accepted);
        self.recorder.sample(sample);
    }

    fn moment(&mut self, moment: Moment) {
        self.recorder.moment(moment);
    }
}

/// One thread's part of a round.
struct Part<'a> {
    operations: &'a [Operation],
    decoders: &'a [Decoder],
    plan: &'a Plan,
    share: Share,
    began: Instant,
    guard: &'a Guard<'a>,
}

impl Part<'_> {
    fn play(self, lane: &mut Lane, schedule: Option<Schedule>) -> (Recorder, RoundEnd) {
        let plan = self.plan;
        let mut recorder = Recorder::new(self.operations, plan.window);
        let Some(mut mix) = Mix::new(self.operations, plan.seed, self.share) else {
            return (recorder, RoundEnd::default());
        };
        let mut choose = || {
            let choice = mix.choose();
            (choice.operation, choice.exchange)
        };
        let mut seen = 0u64;
        let mut decode = |operation: usize, message: &[u8]| {
            seen += 1;
            if plan.decoding == Decoding::Sampled && seen % SAMPLED != 1 {
                return true;
            }
            let decoder = self.decoders.get(operation);
            decoder.is_none_or(|decoder| decoder.decode(message))
        };
        let mut schedule = schedule;
        let arrivals = match (&mut schedule, &plan.pace) {
            (Some(schedule), _) => Arrivals::Open(schedule),
            (None, Pace::Closed(calls)) => Arrivals::Closed {
                in_flight: part(*calls, self.share),
            },
            (None, Pace::Open(..)) => return (recorder, RoundEnd::default()),
        };
        let round = Round {
            began: self.began,
            arrivals,
            until: plan.window.warm_up + plan.window.measured,
            mix: &mut choose,
            decode: (plan.decoding != Decoding::Off).then_some(&mut decode as &mut dyn FnMut(usize, &[u8]) -> bool),
            stop: self.guard.stop,
        };
        let mut sink = Watched {
            recorder: &mut recorder,
            operations: self.operations,
            guard: self.guard,
        };
        let end = lane.run(round, &mut sink);
        (recorder, end)
    }
}

/// The timetable of a thread: the warm-up at the first rate, then the stages.
fn timetable(kind: Kind, stages: &[Stage], plan: &Plan, share: Share) -> Schedule {
    let first = stages.first().map_or(0.0, |stage| stage.from);
    let warm_up = Stage {
        from: first,
        to: first,
        duration: plan.window.warm_up,
    };
    let all: Vec<Stage> = std::iter::once(warm_up).chain(stages.iter().copied()).collect();
    Schedule::new(kind, &all, plan.seed, share)
}

/// A thread's part of what all have together: as even as it can be.
pub fn part(all: usize, share: Share) -> usize {
    let threads = share.of.max(1);
    all / threads + usize::from(share.index < all % threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_turn_round() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_ne!(seed_of_block(7, 0), seed_of_block(7, 1));
    }

    #[test]
    fn parts_add_up() {
        for (all, of) in [(16, 1), (16, 3), (2, 4), (0, 2)] {
            let parts: Vec<usize> = (0..of).map(|index| part(all, Share { index, of })).collect();
            assert_eq!(parts.iter().sum::<usize>(), all, "{parts:?}");
            assert!(
                parts.iter().max().unwrap_or(&0) - parts.iter().min().unwrap_or(&0) <= 1,
                "{parts:?}"
            );
        }
    }
}
