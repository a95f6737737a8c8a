//! Latency counts from the intended send: a server that stalls cannot hide it.

use crate::{
    client::Code,
    load::{
        exchange::{Answer, Exchange, Operation, Order},
        leg::Leg,
        pacer::{Kind, Schedule, Share, Stage},
        record::SideRecord,
        recorder::{Recorder, Window},
        sample::{Outcome, RoundEnd, Sample, Sink},
        summary::{Conditions, Place, Rounds},
    },
};
use std::time::Duration;

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MILLISECOND;

pub fn operation(id: &str, accepted: &[Code]) -> Operation {
    Operation {
        id: id.to_owned(),
        weight: 1,
        exchanges: vec![Exchange {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: Vec::new(),
            body: Default::default(),
            answer: Answer::Message,
            mark: None,
        }],
        order: Order::Sequential,
        accepted: accepted.to_vec(),
        timeout: Duration::from_secs(30),
    }
}

pub const CONDITIONS: Conditions = Conditions {
    compared: true,
    open: true,
    bare_wait_p99: None,
    shared_cpus: None,
};

/// When the model server has answered what reaches it at an instant: it takes this long, and stands still for the last second
/// of every ten.
fn answered(sent: u64, takes: u64) -> u64 {
    let in_period = sent % (10 * SECOND);
    if in_period + takes <= 9 * SECOND {
        sent + takes
    } else if in_period < 9 * SECOND {
        // Caught in the middle: it goes on where it stood.
        sent + takes + SECOND
    } else {
        sent - in_period + 10 * SECOND + takes
    }
}

/// A lane with one slot in simulated time: the real timetable, one call at a time, the real recorder.
fn run(rate: f64, length: Duration, takes: u64) -> SideRecord {
    let stages = [Stage::level(rate, length)];
    let operations = [operation("get", &[Code::OK])];
    let window = Window {
        warm_up: Duration::ZERO,
        measured: length,
    };
    let mut recorder = Recorder::new(&operations, window);
    recorder.expect(Schedule::new(Kind::Constant, &stages, 1, Share::WHOLE));
    let mut end = RoundEnd::default();
    let mut free = 0;
    for intended in Schedule::new(Kind::Constant, &stages, 1, Share::WHOLE) {
        let sent = intended.max(free);
        let done = answered(sent, takes);
        free = done;
        end.in_flight_integral += u128::from(done - sent);
        end.elapsed = Duration::from_nanos(done);
        recorder.sample(&Sample {
            operation: 0,
            intended,
            able: sent,
            sent,
            first: done,
            done,
            outcome: Outcome::Status(Code::OK),
            messages: 1,
        });
        end.scheduled += 1;
        end.sent += 1;
        end.done += 1;
    }
    let mut rounds = Rounds::new(Leg::Grpc, 0, CONDITIONS);
    rounds.add(&recorder, &[end], Place::default());
    rounds.record(|_| None)
}

fn within(found: Option<u64>, wanted: f64, share: f64) {
    let found = found.unwrap() as f64;
    assert!(
        (found / wanted - 1.0).abs() <= share,
        "{found} is not {wanted} within {share}"
    );
}

/// 500 requests a second, one in flight at most, 0.5 ms each, and a stall of 1 s in every 10 s.
///
/// Let u be when a request is meant to be sent, in seconds since the begin of a stall, and s = 0.0005 s its service. Before it,
/// 500 u requests of the same stall wait; all of them are served one after the other from 1 on. So it is over at
/// `1 + (500 u + 1) s`, and its response time is
///
/// ```text
/// R(u) = 1 - u + (500 u + 1) s = 1 - 0.75 u + s,    while that is more than s: for u < 4/3 (the queue is empty again at 4/3)
/// ```
///
/// It falls in a straight line, so of every 10 s the requests of the first x seconds of a stall are the slowest:
///
/// - p99: the slowest 1 % are x = 0.1 s of 10 s: R(0.1) = 0.925 + s;
/// - p99.9: x = 0.01 s: R(0.01) = 0.9925 + s;
/// - max: R(0) = 1 + s;
/// - p90: x = 1 s: R(1) = 0.25 + s, while the median request meets no queue: s.
///
/// Service times know nothing of it: of 5,000 requests in 10 s, one is in flight or sent in the stall. So p99 and p99.9 of the
/// service time are s, although one second of ten nothing was answered. Only the maximum shows the stall.
#[test]
fn a_stall_is_in_the_response_times_and_not_in_the_service_times() {
    let record = run(500.0, Duration::from_secs(200), MILLISECOND / 2);
    let curves = &record.operations[0];
    assert_eq!(curves.response.count, 100_000);
    let s = 0.0005;
    let nanoseconds = |seconds: f64| seconds * 1e9;
    within(curves.response.at(0.5), nanoseconds(s), 0.01);
    within(curves.response.at(0.9), nanoseconds(0.25 + s), 0.05);
    within(curves.response.at(0.99), nanoseconds(0.925 + s), 0.05);
    within(curves.response.at(0.999), nanoseconds(0.9925 + s), 0.05);
    within(curves.response.max, nanoseconds(1.0 + s), 0.05);

    within(curves.service.at(0.99), nanoseconds(s), 0.01);
    within(curves.service.at(0.999), nanoseconds(s), 0.01);
    within(curves.service.max, nanoseconds(1.0 + s), 0.05);
    assert!(curves.response.at(0.99) > curves.service.at(0.99).map(|time| 1_000 * time));

    // The wait is told apart from the generator's own delay, of which a simulation has none.
    assert_eq!(curves.lateness.max, Some(0));
    within(curves.slot_wait.at(0.99), nanoseconds(0.925), 0.05);
    let round = &record.rounds[0];
    assert_eq!(
        (round.scheduled, round.sent, round.succeeded),
        (100_000, 100_000, 100_000)
    );
    // Utilisation: 500 x 0.5 ms, and a tenth of the time a call stands still.
    assert!((round.in_flight - 0.35).abs() < 0.01 && (round.littles - round.in_flight).abs() < 1e-6);

    // By second: the first of a stall is full of it, the one before knows nothing.
    let [before, stall] = [&record.series[8], &record.series[9]];
    assert_eq!((before.scheduled, stall.scheduled), (500, 500));
    within(before.max, nanoseconds(s), 0.01);
    within(stall.p50, nanoseconds(1.0 - 0.75 * 0.5), 0.02);
}

#[test]
fn a_generator_that_waits_for_answers_would_not_see_it() {
    // The same server under a closed loop, where a call is meant to be sent when the one before is over: its p99.9 is s. This
    // is what the test above has to tell from.
    let mut recorder = Recorder::new(
        &[operation("get", &[Code::OK])],
        Window {
            warm_up: Duration::ZERO,
            measured: Duration::from_secs(200),
        },
    );
    let mut now = 0;
    while now < 200 * SECOND {
        let done = answered(now, 2 * MILLISECOND);
        recorder.sample(&Sample {
            operation: 0,
            intended: now,
            able: now,
            sent: now,
            first: done,
            done,
            outcome: Outcome::Status(Code::OK),
            messages: 1,
        });
        now = done;
    }
    let at = recorder.tallies()[0].response.at(&[0.999]);
    within(at.first().copied(), 2e6, 0.01);
}

#[test]
fn what_cannot_be_served_in_time_is_no_throughput() {
    // 4 ms each under 500 a second: half of what is due. All is answered in the end, but not in the measured time.
    let record = run(500.0, Duration::from_secs(10), 4 * MILLISECOND);
    let round = &record.rounds[0];
    assert_eq!((round.scheduled, round.succeeded), (5_000, 5_000));
    // 9 s of 10 at 250 a second.
    assert!((round.throughput - 225.0).abs() < 1.0, "{}", round.throughput);
}
