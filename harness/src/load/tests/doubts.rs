//! Numbers that may not be used are void, and doubtful ones come with what is doubted.

use super::honesty::{CONDITIONS, operation};
use crate::{
    client::Code,
    load::{
        leg::Leg,
        objective,
        record::{ObjectiveRecord, PointRecord},
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
fn a_watch_that_ended_voids_its_round() {
    let (recorder, end) = shaped(HEALTHY);
    let words = "a watch ended: DEADLINE_EXCEEDED".to_owned();
    let ended = RoundEnd {
        watches_ended: 1,
        failures: vec!["UNAVAILABLE: too busy".to_owned(), words],
        ..end.clone()
    };
    let (void, _) = judged(&recorder, ended.clone(), CONDITIONS);
    assert_eq!(
        void.unwrap(),
        "a stream that was to stay open beside the calls ended: a watch ended: DEADLINE_EXCEEDED"
    );
    let mut rounds = Rounds::new(Leg::RestH1, 0, CONDITIONS);
    let round = rounds.add(&recorder, &[ended.clone(), end, ended], Place::default());
    let void = round.void.clone().unwrap();
    assert!(void.starts_with("2 streams that were to stay open"), "{void}");
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

/// A healthy round in which every n-th request ends like this.
fn with_ends(outcome: Outcome, every: usize) -> (Recorder, RoundEnd) {
    let (_, end) = shaped(HEALTHY);
    let window = Window {
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(10),
    };
    let mut recorder = Recorder::new(&[operation("get", &[Code::OK])], window);
    recorder.expect((0..5_000).map(|n| n * 2 * MILLISECOND));
    for n in 0..5_000 {
        let intended = n as u64 * 2 * MILLISECOND;
        recorder.sample(&Sample {
            operation: 0,
            intended,
            able: intended,
            sent: intended,
            first: intended + 3 * MILLISECOND,
            done: intended + 3 * MILLISECOND,
            outcome: if n % every == 0 {
                outcome
            } else {
                Outcome::Status(Code::OK)
            },
            messages: 1,
        });
    }
    (recorder, end)
}

#[test]
fn a_single_timeout_or_lost_connection_voids_what_is_compared() {
    let alone = Conditions {
        compared: false,
        ..CONDITIONS
    };
    for (outcome, text) in [
        (
            Outcome::Timeout,
            "of 5000 requests 1 timed out, and no answer must not make a side look faster",
        ),
        (
            Outcome::Lost,
            "of 5000 requests 1 lost their connection, and no answer must not make a side look faster",
        ),
    ] {
        let (recorder, end) = with_ends(outcome, 5_000);
        assert_eq!(judged(&recorder, end.clone(), CONDITIONS).0.as_deref(), Some(text));
        assert_eq!(judged(&recorder, end, alone).0, None);
    }
    let (recorder, end) = with_ends(Outcome::Status(Code::UNAVAILABLE), 5_000);
    assert_eq!(judged(&recorder, end, CONDITIONS).0, None);
}

#[test]
fn requests_without_a_sample_void_any_round() {
    let (mut recorder, end) = shaped(HEALTHY);
    recorder.expect([1, 2, 3].into_iter());
    let alone = Conditions {
        compared: false,
        ..CONDITIONS
    };
    for conditions in [CONDITIONS, alone] {
        assert_eq!(
            judged(&recorder, end.clone(), conditions).0.unwrap(),
            "3 of 5003 requests have no sample: stocktake itself lost them; please report it"
        );
    }
}

#[test]
fn a_generator_that_is_late_beside_a_fast_target_voids_what_is_compared() {
    let quick = |late: u64| Shape {
        late: late * MICROSECOND,
        takes: 80 * MICROSECOND,
        ..HEALTHY
    };
    let alone = Conditions {
        compared: false,
        ..CONDITIONS
    };
    let (void, _) = of(quick(150), CONDITIONS);
    let text = "the generator was saturated: it sent requests 150 µs late on average, 65 % of what they took";
    assert_eq!(void.as_deref(), Some(text));
    assert_eq!(of(quick(150), alone).0, None);
    // Where a bare wait is 60 µs late, 150 µs are no saturation, and 200 µs are.
    let machine = Conditions {
        bare_wait_p99: Some(60 * MICROSECOND),
        ..CONDITIONS
    };
    assert_eq!(of(quick(150), machine).0, None);
    assert!(of(quick(200), machine).0.is_some());
}

#[test]
fn what_a_request_costs_is_of_those_that_were_sent() {
    let (recorder, mut end) = shaped(HEALTHY);
    end.sent = 4_000;
    end.bytes = (400_000, 1_200_000);
    end.cpu = (Duration::from_millis(30), Duration::from_millis(10));
    let place = Place {
        server_cpu: Some(Duration::from_millis(80)),
        ..Place::default()
    };
    let mut rounds = Rounds::new(Leg::Grpc, 0, CONDITIONS);
    let round = rounds.add(&recorder, &[end], place);
    assert_eq!(
        (round.bytes, round.client_cpu_us, round.server_cpu_us),
        ((100.0, 300.0), 10.0, Some(20.0))
    );
}

#[test]
fn the_percentiles_of_an_objective_are_recorded() {
    let (recorder, end) = shaped(HEALTHY);
    let mut rounds = Rounds::new(Leg::Grpc, 0, CONDITIONS).with_percentiles([0.98, 0.9975, 0.9999]);
    rounds.add(&recorder, &[end], Place::default());
    let record = rounds.record(|_| None);
    let response = &record.operations[0].response;
    assert!(response.at(0.98).is_some() && response.at(0.9975).is_some());
    // Half a request lies beyond it.
    assert_eq!(response.at(0.9999), None);
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
    let alone = Conditions {
        compared: false,
        ..CONDITIONS
    };
    let (void, caveats) = judged(&recorder, end.clone(), alone);
    assert_eq!(void, None, "an objective is judged on it");
    assert_eq!(
        caveats,
        ["rest-h1: 5000 requests were due and 4000 were sent; up to 1000 waited"]
    );
    // Its times are those of a longer or shorter run, not of the target.
    let (void, caveats) = judged(&recorder, end.clone(), CONDITIONS);
    let text = "the target did not keep up with the rate, so its times depend on how long the round was: 5000 requests were due \
                and 4000 were sent; up to 1000 waited";
    assert_eq!(void.as_deref(), Some(text));
    assert_eq!(caveats.len(), 2, "{caveats:?}");
    // A closed loop has no rate to keep up with.
    let closed = Conditions {
        open: false,
        ..CONDITIONS
    };
    assert_eq!(judged(&recorder, end, closed).0, None);
}

#[test]
fn a_target_that_does_not_keep_up_misses_an_objective_beside_other_legs_too() {
    let behind = Shape {
        waits: 2_000 * MILLISECOND,
        ..HEALTHY
    };
    let (recorder, mut end) = shaped(behind);
    end.most_waiting = 1_000;
    let mut rounds = Rounds::new(Leg::RestH1, 0, CONDITIONS);
    assert!(rounds.add(&recorder, &[end], Place::default()).void.is_some());
    let mut cell = crate::report::load::sample::measured().cells.remove(0);
    cell.sides = vec![rounds.record(|_| None)];
    let outcome = |at_most| {
        let objective = ObjectiveRecord {
            latency: vec![(0.99, at_most)],
            errors: None,
        };
        let judged = objective::judge(&cell, &objective);
        format!("{:?}", judged[0].outcome)
    };
    assert!(
        outcome(1_000 * MILLISECOND).starts_with("Missed(Latency(2"),
        "{}",
        outcome(1_000 * MILLISECOND)
    );
    // Longer rounds would have been slower.
    assert!(
        outcome(3_000 * MILLISECOND).starts_with("Open(Void("),
        "{}",
        outcome(3_000 * MILLISECOND)
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
    let (void, caveats) = judged(&recorder, end, CONDITIONS);
    assert!(void.unwrap().contains("1001 of 5000 requests were answered after"));
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
    assert_eq!(caveats.len(), 1, "{caveats:?}");
    recorder.expect([1, 2, 3].into_iter());
    let (void, _) = judged(&recorder, RoundEnd::default(), CONDITIONS);
    assert_eq!(void.as_deref(), Some("none of 3 requests came to an end"));
    assert_eq!(
        Rounds::new(Leg::Grpc, 0, CONDITIONS).record(|_| None).void.unwrap(),
        "no round was measured"
    );
    let done = 2 * MILLISECOND;
    let mut few = Recorder::new(&[operation("get", &[Code::OK])], window);
    few.expect([0].into_iter());
    few.sample(&Sample {
        operation: 0,
        intended: 0,
        able: 0,
        sent: 0,
        first: done,
        done,
        outcome: Outcome::Status(Code::OK),
        messages: 1,
    });
    let (void, caveats) = judged(&few, RoundEnd::default(), CONDITIONS);
    assert_eq!(void, None);
    assert_eq!(caveats, ["rest-h1: get: 1 answers are few: no percentile is shown"]);
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
    // How requests ended counts in a void round too, how long they took does not.
    assert_eq!(
        get.outcomes,
        [("OK".to_owned(), 7_500), ("UNAVAILABLE".to_owned(), 2_500)]
    );
    assert_eq!((get.failures.count, get.response.count), (2_500, 5_000));
    let times = [&get.service, &get.lateness, &get.slot_wait];
    assert!(times.iter().all(|times| times.count == 5_000));
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
    let times = |point: &PointRecord| (point.p50.is_some(), point.max.is_some());
    assert_eq!(
        (times(&record.series[3]), times(&record.series[13])),
        ((false, false), (true, true))
    );
}
