//! What ends how.

use super::*;
use crate::load::{exchange::Decoding, leg::Leg, record::*};

fn round(succeeded: u64, failed: u64) -> RoundRecord {
    RoundRecord {
        order: 0,
        block: 0,
        began_ms: 0,
        seconds: 1.0,
        scheduled: succeeded + failed,
        sent: succeeded + failed,
        succeeded,
        failed,
        throughput: succeeded as f64,
        mean: Some(1e6),
        p50: Some(1_000_000),
        p99: Some(5_000_000),
        server_cpu_us: None,
        client_cpu_us: 10.0,
        bytes: (100.0, 200.0),
        in_flight: 1.0,
        littles: 1.0,
        most_waiting: 0,
        void: None,
    }
}

fn side(leg: Leg, p99: Option<u64>, failed: u64) -> SideRecord {
    let response = CurveRecord {
        count: 1000,
        percentiles: p99.map(|value| (0.99, value)).into_iter().collect(),
        ..CurveRecord::default()
    };
    let empty = CurveRecord::default;
    SideRecord {
        leg,
        target: 0,
        rounds: vec![round(1000 - failed, failed)],
        operations: vec![OperationRecord {
            id: "get".to_owned(),
            outcomes: Vec::new(),
            response,
            service: empty(),
            lateness: empty(),
            slot_wait: empty(),
            failures: empty(),
            first_message: None,
            gaps: None,
            delivery: None,
            hlog: None,
        }],
        all: None,
        series: Vec::new(),
        void: None,
    }
}

fn cell(sides: Vec<SideRecord>) -> CellRecord {
    CellRecord {
        id: "c1".to_owned(),
        factors: Vec::new(),
        arrivals: ArrivalsRecord::Constant {
            stages: vec![(1000.0, 1000.0, 1.0)],
        },
        decoding: Decoding::Off,
        connections: 1,
        streams_per_connection: 1,
        measured_s: 1.0,
        warm_up_s: 0.0,
        sides,
        void: None,
    }
}

fn comparison(finding: Finding) -> ComparisonRecord {
    let side = |leg| SideName { leg, target: 0 };
    ComparisonRecord {
        cell: "c1".to_owned(),
        measure: Measure::ServerCpu,
        base: side(Leg::Grpc),
        other: side(Leg::RestH1),
        pairs: 10,
        ratio: Some(1.321),
        interval: Some((1.284, 1.357)),
        p_adjusted: Some(0.001),
        detectable: Some(1.05),
        finding,
    }
}

const OBJECTIVE: fn() -> ObjectiveRecord = || ObjectiveRecord {
    latency: vec![(0.99, 20_000_000)],
    errors: Some(0.001),
};

fn judge(cells: &[CellRecord], objective: Option<&ObjectiveRecord>) -> (i32, String) {
    let known = Known {
        objective,
        against: None,
        claim: None,
        cut: None,
    };
    let verdict = verdict(cells, &[comparison(Finding::More)], &known);
    (verdict.exit_code, verdict.sentence)
}

#[test]
fn without_an_objective_the_comparison_speaks() {
    let (exit, sentence) = judge(&[cell(vec![side(Leg::Grpc, Some(1), 0)])], None);
    assert_eq!(exit, 0);
    assert_eq!(
        sentence,
        "REST, HTTP/1.1 takes 1.32x (1.28 to 1.36) of gRPC's server CPU per request"
    );
}

#[test]
fn an_objective_holds_fails_or_is_not_judged() {
    let objective = OBJECTIVE();
    let of = |side| judge(&[cell(vec![side])], Some(&objective));
    assert_eq!(of(side(Leg::Grpc, Some(20_000_000), 1)).0, 0);
    let (exit, sentence) = of(side(Leg::Grpc, Some(20_000_001), 0));
    assert_eq!(
        (exit, sentence.as_str()),
        (1, "p99 over gRPC is 20.0 ms, the objective is at most 20.0 ms")
    );
    let (exit, sentence) = of(side(Leg::RestH1, Some(1), 2));
    assert_eq!(
        (exit, sentence.as_str()),
        (
            1,
            "0.20 % of the requests over REST, HTTP/1.1 failed (2 of 1000), the objective is at most 0.10 %"
        )
    );
    let (exit, sentence) = of(side(Leg::Grpc, None, 0));
    assert_eq!(exit, 4);
    assert!(
        sentence.starts_with("p99 was not judged on gRPC: too few samples"),
        "{sentence}"
    );
}

#[test]
fn a_closed_loop_proves_no_latency() {
    let mut closed = cell(vec![side(Leg::Grpc, Some(1), 0)]);
    closed.arrivals = ArrivalsRecord::InFlight { calls: 4 };
    let (exit, sentence) = judge(&[closed], Some(&OBJECTIVE()));
    assert_eq!(exit, 4, "{sentence}");
}

#[test]
fn a_void_side_never_passes_an_objective() {
    let mut void = side(Leg::Grpc, Some(1), 0);
    void.void = Some("the generator was late".to_owned());
    let (exit, sentence) = judge(
        &[cell(vec![void.clone(), side(Leg::RestH1, Some(1), 0)])],
        Some(&OBJECTIVE()),
    );
    assert_eq!(exit, 4, "{sentence}");
    let (exit, sentence) = judge(&[cell(vec![void])], None);
    assert_eq!(
        (exit, sentence.as_str()),
        (4, "nothing is left to judge: the generator was late")
    );
}

fn compared(verdict: Verdict, sentence: &str) -> Compared {
    Compared {
        verdict,
        sentence: sentence.to_owned(),
        worse: Vec::new(),
    }
}

#[test]
fn a_regression_fails_and_an_interruption_tells_itself() {
    let cells = [cell(vec![side(Leg::Grpc, Some(1), 0)])];
    let against = |compared: &Compared| {
        let known = Known {
            objective: None,
            against: Some(compared),
            claim: None,
            cut: None,
        };
        let verdict = verdict(&cells, &[], &known);
        (verdict.exit_code, verdict.sentence)
    };
    assert_eq!(
        against(&compared(Verdict::Regression, "slower")),
        (1, "slower".to_owned())
    );
    assert_eq!(
        against(&compared(Verdict::Inconclusive, "too few")),
        (4, "too few".to_owned())
    );
    assert_eq!(
        against(&compared(Verdict::NoRegression, "none")),
        (0, "none".to_owned())
    );

    let cut = Cut::Signal(Exit::Terminated);
    let mut known = Known {
        objective: None,
        against: None,
        claim: None,
        cut: Some(&cut),
    };
    let ended = verdict(&cells, &[], &known);
    assert_eq!((ended.exit_code, ended.complete), (143, false));
    let mistake = Cut::Workload("w.yaml:3:4: there is no such field".to_owned());
    known.cut = Some(&mistake);
    let ended = verdict(&[], &[], &known);
    assert_eq!((ended.exit_code, ended.complete), (2, false));
    known.cut = None;
    assert_eq!(verdict(&[], &[], &known).exit_code, 3);
}

#[test]
fn a_new_target_that_fails_more_often_fails_though_nothing_can_be_compared() {
    let mut new = side(Leg::Grpc, Some(1), 20);
    new.target = 1;
    new.void = Some("20 of 1000 requests failed".to_owned());
    let cells = [cell(vec![side(Leg::Grpc, Some(1), 0), new])];
    let void = compared(Verdict::Inconclusive, "void");
    let known = Known {
        objective: None,
        against: Some(&void),
        claim: None,
        cut: None,
    };
    let ended = verdict(&cells, &[], &known);
    assert_eq!(
        (ended.exit_code, ended.sentence.as_str()),
        (
            1,
            "2.00 % of the requests over gRPC on new failed (20 of 1000), on the old target 0 %"
        )
    );
}

#[test]
fn a_run_against_an_old_target_ends_with_what_that_came_to() {
    let none = compared(Verdict::NoRegression, "no regression found");
    let known = Known {
        objective: None,
        against: Some(&none),
        claim: Some(&claim::Judged {
            cells: Vec::new(),
            sentence: "supported in 1 of 1 cell".to_owned(),
        }),
        cut: None,
    };
    let cells = [cell(vec![side(Leg::Grpc, Some(1), 0)])];
    assert_eq!(verdict(&cells, &[], &known).sentence, "no regression found");
}

#[test]
fn failures_are_beyond_any_limit() {
    let objective = ObjectiveRecord {
        latency: vec![(0.99, 20_000_000)],
        errors: None,
    };
    let of = |failed| judge(&[cell(vec![side(Leg::Grpc, Some(1), failed)])], Some(&objective));
    assert_eq!(of(10).0, 0);
    let (exit, sentence) = of(11);
    assert_eq!(exit, 1, "{sentence}");
    assert!(sentence.contains("p99 cannot be at most 20.0 ms"), "{sentence}");
}

#[test]
fn a_cell_without_sides_is_not_passed_over() {
    let mut empty = cell(Vec::new());
    empty.void = Some("no rate at saturation was found".to_owned());
    let (exit, sentence) = judge(&[cell(vec![side(Leg::Grpc, Some(1), 0)]), empty], Some(&OBJECTIVE()));
    assert_eq!(
        (exit, sentence.as_str()),
        (4, "c1 was not judged: no rate at saturation was found")
    );
}

#[test]
fn two_sides_that_could_not_be_compared_are_inconclusive() {
    let cells = [cell(vec![side(Leg::Grpc, Some(1), 0), side(Leg::RestH1, Some(1), 0)])];
    let known = Known {
        objective: None,
        against: None,
        claim: None,
        cut: None,
    };
    assert_eq!(verdict(&cells, &[comparison(Finding::TooFew)], &known).exit_code, 4);
    assert_eq!(
        verdict(&cells, &[comparison(Finding::NoDifference)], &known).exit_code,
        0
    );
}

#[test]
fn what_failed_before_the_run_was_stopped_has_failed() {
    let stopped = Cut::Target("stopped: 600 of 1000 failed".to_owned());
    let objective = OBJECTIVE();
    let mut known = Known {
        objective: Some(&objective),
        against: None,
        claim: None,
        cut: Some(&stopped),
    };
    let cells = [cell(vec![side(Leg::Grpc, Some(1), 600)])];
    let ended = verdict(&cells, &[], &known);
    assert_eq!((ended.exit_code, ended.complete), (1, false));
    known.objective = None;
    assert_eq!(verdict(&cells, &[], &known).exit_code, 3);
}

#[test]
fn a_limit_in_percent_is_held_by_exactly_as_many() {
    let objective = ObjectiveRecord {
        latency: Vec::new(),
        // 0.006999999999999999
        errors: Some(0.7 / 100.0),
    };
    let of = |failed| judge(&[cell(vec![side(Leg::Grpc, None, failed)])], Some(&objective)).0;
    assert_eq!((of(7), of(8)), (0, 1));
}

#[test]
fn too_many_errors_fail_what_they_made_void_and_few_do_not_pass_it() {
    let of = |failed| {
        let mut void = side(Leg::Grpc, Some(1), failed);
        void.void = Some("the generator was late".to_owned());
        judge(&[cell(vec![void, side(Leg::RestH1, Some(1), 0)])], Some(&OBJECTIVE()))
    };
    assert_eq!(of(20).0, 1);
    let (exit, sentence) = of(1);
    assert_eq!(exit, 4);
    assert_eq!(
        sentence,
        "p99 was not judged on gRPC: void: the generator was late; 1 more"
    );
}
