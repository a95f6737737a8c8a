//! Numbers that may not be used are void, and doubtful ones come with what is doubted.

use super::honesty::{CONDITIONS, operation};
use crate::{
    client::Code,
    load::{
        leg::Leg,
        recorder::{Recorder, Window},
        sample::{Outcome, RoundEnd, Sample, Sink},
        summary::{Conditions, Place, Rounds},
    },
};
use std::time::Duration;

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;

/// A round of ten seconds at 500 a second, in which every request waits, is late and is served for so long, and every n-th
/// fails.
#[derive(Clone, Copy)]
struct Shape {
    waits: u64,
    late: u64,
    takes: u64,
    fails: Option<u64>,
}

const HEALTHY: Shape = Shape {
    waits: 0,
    late: 20 * MICROSECOND,
    takes: 3 * MILLISECOND,
    fails: None,
};

fn shaped(shape: Shape) -> (Recorder, RoundEnd) {
    let window = Window {
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(10),
    };
    let mut recorder = Recorder::new(&[operation("get", &[Code::OK])], window);
    let intended = |n: u64| n * 2 * MILLISECOND;
    recorder.expect((0..5_000).map(intended));
    let mut end = RoundEnd {
        scheduled: 5_000,
        sent: 5_000,
        done: 5_000,
        elapsed: Duration::from_secs(10),
        failures: vec!["UNAVAILABLE: too busy".to_owned()],
        ..RoundEnd::default()
    };
    for n in 0..5_000 {
        let able = intended(n) + shape.waits;
        let sent = able + shape.late;
        let done = sent + shape.takes;
        end.in_flight_integral += u128::from(shape.takes);
        let fails = shape.fails.is_some_and(|nth| n % nth == 0);
        recorder.sample(&Sample {
            operation: 0,
            intended: intended(n),
            able,
            sent,
            first: done,
            done,
            outcome: Outcome::Status(if fails { Code::UNAVAILABLE } else { Code::OK }),
            messages: 1,
        });
    }
    (recorder, end)
}

/// Why the round is void, and the caveats of its side.
fn judged(recorder: &Recorder, end: RoundEnd, conditions: Conditions) -> (Option<String>, Vec<String>) {
    let mut rounds = Rounds::new(Leg::RestH1, 0, conditions);
    let void = rounds.add(recorder, &[end], Place::default()).void.clone();
    assert_eq!(rounds.record(|_| None).void, void, "the only round is the side");
    (void, rounds.caveats().into_iter().map(|caveat| caveat.text).collect())
}

fn of(shape: Shape, conditions: Conditions) -> (Option<String>, Vec<String>) {
    let (recorder, end) = shaped(shape);
    judged(&recorder, end, conditions)
}

#[test]
fn a_healthy_round_raises_no_doubt() {
    assert_eq!(of(HEALTHY, CONDITIONS), (None, Vec::new()));
}

#[test]
fn errors_void_what_is_compared_and_are_said_where_it_is_not() {
    let some = Shape {
        fails: Some(100),
        ..HEALTHY
    };
    let (void, caveats) = of(some, CONDITIONS);
    assert_eq!(
        void.unwrap(),
        "50 of 5000 requests failed (1 %), and a fast failure is no speed"
    );
    assert!(caveats[0].starts_with("rest-h1: 1 of 1 rounds are void"), "{caveats:?}");
    let alone = Conditions {
        compared: false,
        ..CONDITIONS
    };
    let (void, caveats) = of(some, alone);
    assert_eq!(void, None);
    assert_eq!(
        caveats,
        ["rest-h1: get: 50 of 5000 requests failed, such as: UNAVAILABLE: too busy"]
    );
    // One of 5,000 cannot move a median.
    let one = Shape {
        fails: Some(5_000),
        ..HEALTHY
    };
    assert_eq!(of(one, CONDITIONS).0, None);
}

#[test]
fn a_late_generator_is_doubted_and_a_saturated_one_is_void() {
    let late = Shape {
        late: MILLISECOND,
        ..HEALTHY
    };
    let known = Conditions {
        bare_wait_p99: Some(80 * MICROSECOND),
        ..CONDITIONS
    };
    let (void, caveats) = of(late, known);
    assert_eq!(void, None);
    let text = "rest-h1: the generator sent 1 of 100 requests 1.0 ms late or later, where the median service time is 3.0 ms; \
                a bare timed wait on this machine is 80 µs late";
    assert_eq!(caveats, [text]);
    let saturated = Shape {
        late: 5 * MILLISECOND,
        ..HEALTHY
    };
    let (void, _) = of(saturated, CONDITIONS);
    let text = "the generator was saturated: it sent requests 5.0 ms late on average, 62 % of what they took";
    assert_eq!(void.as_deref(), Some(text));
    // 90 µs is much beside 50 µs of service, but no wait of this system is much better.
    let quick = Shape {
        late: 90 * MICROSECOND,
        takes: 50 * MICROSECOND,
        ..HEALTHY
    };
    assert_eq!(of(quick, CONDITIONS), (None, Vec::new()));
}

#[test]
fn waiting_for_a_slot_is_said() {
    let waiting = Shape {
        waits: 3 * MILLISECOND,
        ..HEALTHY
    };
    let (void, caveats) = of(waiting, CONDITIONS);
    assert_eq!(void, None);
    assert_eq!(
        caveats,
        ["rest-h1: 50 % of the response time is waiting for a free connection or stream"]
    );
}

#[test]
fn requests_that_were_not_sent_are_said() {
    let (recorder, mut end) = shaped(HEALTHY);
    end.sent = 4_000;
    end.most_waiting = 1_000;
    let (_, caveats) = judged(&recorder, end, CONDITIONS);
    assert_eq!(
        caveats,
        ["rest-h1: 5000 requests were due and 4000 were sent; up to 1000 waited"]
    );
}

#[test]
fn answers_after_the_time_are_said() {
    // Each is answered two seconds after it was due: a fifth of them after the end.
    let behind = Shape {
        waits: 2_000 * MILLISECOND,
        ..HEALTHY
    };
    let (recorder, mut end) = shaped(behind);
    end.most_waiting = 1_000;
    let (_, caveats) = judged(&recorder, end, CONDITIONS);
    let text = "rest-h1: 1001 of 5000 requests were answered after the time that they were due in; up to 1000 waited";
    assert!(caveats.iter().any(|caveat| caveat == text), "{caveats:?}");
    // Slow answers without a queue are no overload.
    let slow = Shape {
        takes: 2_000 * MILLISECOND,
        ..HEALTHY
    };
    let (recorder, end) = shaped(slow);
    assert_eq!(judged(&recorder, end, CONDITIONS).1, Vec::<String>::new());
}

#[test]
fn littles_law_finds_a_service_time_that_is_wrong() {
    let (recorder, mut end) = shaped(HEALTHY);
    // 1.5 calls in flight by the service times; the counter says 5 % more.
    end.in_flight_integral = end.in_flight_integral * 21 / 20;
    let (_, caveats) = judged(&recorder, end.clone(), CONDITIONS);
    let text = "rest-h1: in round 0 the counter says that 1.57 calls were in flight, the service times say 1.50: a time was \
                measured wrong";
    assert_eq!(caveats, [text]);
    // With less than one in flight on average the check says nothing.
    end.elapsed = Duration::from_secs(100);
    assert_eq!(judged(&recorder, end, CONDITIONS).1, Vec::<String>::new());
}

#[test]
fn the_peers_limit_lost_connections_and_shared_processors_are_said() {
    let (recorder, mut end) = shaped(HEALTHY);
    end.peer_limit_reached = true;
    end.peer_streams = Some(100);
    end.lost = 2;
    let shared = Conditions {
        shared_cpus: Some(2),
        ..CONDITIONS
    };
    let (_, caveats) = judged(&recorder, end, shared);
    let wanted = [
        "rest-h1: the peer allows 100 streams on a connection, and calls waited for one",
        "rest-h1: 2 connections were lost and made again",
        "server and generator share the 2 processors of this machine",
    ];
    assert_eq!(caveats, wanted);
}

#[test]
fn nothing_sent_is_void_and_few_samples_are_said() {
    let window = Window {
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(1),
    };
    let mut recorder = Recorder::new(&[operation("get", &[Code::OK])], window);
    let (void, caveats) = judged(&recorder, RoundEnd::default(), CONDITIONS);
    assert_eq!(void.as_deref(), Some("no request was due in the measured time"));
    assert_eq!(
        caveats.last().unwrap(),
        "rest-h1: get: 0 answers are few: no percentile is shown"
    );
    recorder.expect([1, 2, 3].into_iter());
    let (void, _) = judged(&recorder, RoundEnd::default(), CONDITIONS);
    assert_eq!(void.as_deref(), Some("none of 3 requests came to an end"));
    assert_eq!(
        Rounds::new(Leg::Grpc, 0, CONDITIONS).record(|_| None).void.unwrap(),
        "no round was measured"
    );
}

#[test]
fn rounds_add_up_and_a_void_one_does_not_void_the_side() {
    let (recorder, end) = shaped(HEALTHY);
    let (bad, _) = shaped(Shape {
        fails: Some(2),
        ..HEALTHY
    });
    let mut rounds = Rounds::new(Leg::Grpc, 1, CONDITIONS);
    let place = |order| Place {
        order,
        block: order / 2,
        began_ms: 20_000,
        server_cpu: Some(Duration::from_secs(1)),
    };
    rounds.add(&bad, std::slice::from_ref(&end), place(0));
    rounds.add(&recorder, &[end.clone(), RoundEnd::default()], place(3));
    let record = rounds.record(|operation| Some(format!("{operation}.hlog")));
    assert_eq!((record.void, record.all.is_none()), (None, true));
    assert!(record.rounds[0].void.is_some() && record.rounds[1].void.is_none());
    assert_eq!(
        (
            record.rounds[1].order,
            record.rounds[1].block,
            record.rounds[1].began_ms
        ),
        (3, 1, 20_000)
    );
    // A second of CPU for 5,000 requests.
    assert_eq!(record.rounds[1].server_cpu_us, Some(200.0));
    let [get] = &record.operations[..] else {
        panic!("one operation")
    };
    assert_eq!((get.response.count, get.failures.count), (7_500, 2_500));
    assert_eq!(get.hlog.as_deref(), Some("get.hlog"));
    let seconds: Vec<u64> = record.series.iter().map(|point| point.second).collect();
    assert_eq!(seconds, (0..20).collect::<Vec<_>>());
    assert_eq!(
        (
            record.series[3].failed,
            record.series[13].failed,
            record.series[13].scheduled
        ),
        (250, 0, 500)
    );
}
