use super::*;
use crate::capacity::record::Phase;

fn objective() -> ObjectiveRecord {
    ObjectiveRecord {
        latency: vec![(0.99, 200_000_000)],
        errors: Some(0.001),
    }
}

/// Ten seconds at 100/s in which all is well.
pub fn stage() -> StageRecord {
    StageRecord {
        phase: Phase::Explore,
        rate: Some(100.0),
        calls: None,
        began_ms: 0,
        seconds: 10.0,
        scheduled: 1000,
        sent: 1000,
        succeeded: 1000,
        failed: 0,
        beyond: vec![3, 0],
        throughput: 100.0,
        p50: Some(20_000_000),
        p99: Some(60_000_000),
        service_s: Some(0.021),
        service_p99: Some(60_000_000),
        in_flight: 2.1,
        most_waiting: 1,
        slot_wait: 0.0,
        server_cpu_s: None,
        server_cpus: None,
        server_memory: None,
        server_s: None,
        database_s: None,
        generator_busy: 0.1,
        judged: StageJudged::Measured,
    }
}

fn slow() -> StageRecord {
    StageRecord {
        beyond: vec![300, 0],
        ..stage()
    }
}

fn signs() -> Signs {
    Signs {
        lateness: vec![80_000],
        service: vec![900_000_000],
        ..Signs::default()
    }
}

fn of(stage: &StageRecord, signs: &Signs) -> (&'static str, String) {
    at(&objective(), stage, signs)
}

fn at(objective: &ObjectiveRecord, stage: &StageRecord, signs: &Signs) -> (&'static str, String) {
    match judge(stage, objective, signs) {
        StageJudged::Passed => ("passed", String::new()),
        StageJudged::Failed { limit, .. } => ("failed", limit),
        StageJudged::Void { limit, .. } => ("void", limit),
        StageJudged::Measured => ("measured", String::new()),
    }
}

#[test]
fn a_stage_passes_where_every_limit_holds() {
    assert_eq!(of(&stage(), &signs()), ("passed", String::new()));
    // Exactly what is allowed.
    let full = StageRecord {
        beyond: vec![10, 0],
        ..stage()
    };
    assert_eq!(of(&full, &signs()).0, "passed");
    let more = StageRecord {
        beyond: vec![11, 0],
        ..stage()
    };
    assert_eq!(of(&more, &signs()), ("failed", "latency".to_owned()));
}

#[test]
fn errors_and_queues_fail_it() {
    let errors = StageRecord {
        succeeded: 990,
        failed: 10,
        ..stage()
    };
    assert_eq!(of(&errors, &signs()), ("failed", "errors".to_owned()));
    let tripped = Signs {
        tripped: true,
        void: Some("saturated".to_owned()),
        ..signs()
    };
    assert_eq!(of(&errors, &tripped), ("failed", "errors".to_owned()));
    let queue = StageRecord {
        throughput: 85.0,
        ..stage()
    };
    assert_eq!(of(&queue, &signs()), ("failed", "backlog".to_owned()));
    let nothing = StageRecord {
        succeeded: 0,
        ..stage()
    };
    assert_eq!(of(&nothing, &signs()), ("failed", "errors".to_owned()));
}

/// Whatever a saturated generator shows, it is never told as a failure of the target.
#[test]
fn what_the_generator_may_have_done_is_void() {
    assert_eq!(of(&slow(), &signs()), ("failed", "latency".to_owned()));
    let busy = StageRecord {
        generator_busy: 0.9,
        ..slow()
    };
    assert_eq!(of(&busy, &signs()), ("void", "generator".to_owned()));
    let late = Signs {
        lateness: vec![60_000_000],
        ..signs()
    };
    assert_eq!(of(&slow(), &late), ("void", "generator".to_owned()));
    let saturated = Signs {
        void: Some("the generator was saturated".to_owned()),
        ..signs()
    };
    assert_eq!(of(&slow(), &saturated), ("void", "generator".to_owned()));
    let waited = Signs {
        service: vec![150_000_000],
        ..signs()
    };
    assert_eq!(of(&slow(), &waited), ("void", "generator".to_owned()));
    let slots = StageRecord {
        slot_wait: 0.3,
        ..slow()
    };
    assert_eq!(of(&slots, &waited), ("void", "connections".to_owned()));
    let unsent = StageRecord { sent: 980, ..stage() };
    assert_eq!(of(&unsent, &signs()), ("void", "connections".to_owned()));
    let other = Signs {
        replicas: Some("replica b answers, which was not there at the begin".to_owned()),
        ..signs()
    };
    assert_eq!(of(&stage(), &other), ("void", "replicas".to_owned()));
}

/// 100/s for 10 s, a timeout of 10 s, and one slot of a target that answers everything after 50 ms.
#[test]
fn slots_that_run_out_are_not_the_capacity_of_the_target() {
    let quick = Signs {
        service: vec![51_000_000],
        ..signs()
    };
    let one = StageRecord {
        sent: 400,
        succeeded: 400,
        failed: 600,
        beyond: vec![990, 600],
        throughput: 20.0,
        slot_wait: 0.99,
        ..stage()
    };
    let errors = ObjectiveRecord {
        latency: Vec::new(),
        errors: Some(0.01),
    };
    let loose = ObjectiveRecord {
        latency: vec![(0.99, 30_000_000_000)],
        errors: Some(0.01),
    };
    for tripped in [false, true] {
        let signs = Signs {
            tripped,
            ..quick.clone()
        };
        for objective in [objective(), errors.clone(), loose.clone()] {
            let made = at(&objective, &one, &signs);
            assert_eq!(made, ("void", "connections".to_owned()), "{tripped} {objective:?}");
        }
    }
    // Everything was sent in the end, late: with 800 slots and 2 s each no more than 400/s go through.
    let late = StageRecord {
        beyond: vec![0, 0],
        throughput: 80.0,
        slot_wait: 0.4,
        ..stage()
    };
    for objective in [&errors, &loose] {
        assert_eq!(at(objective, &late, &quick), ("void", "connections".to_owned()));
        // A queue that no slot had a part in is the target's.
        let own = StageRecord {
            slot_wait: 0.0,
            ..late.clone()
        };
        assert_eq!(at(objective, &own, &quick), ("failed", "backlog".to_owned()));
        // What waited a little and was in time has passed.
        let fine = StageRecord {
            throughput: 100.0,
            ..late.clone()
        };
        assert_eq!(at(objective, &fine, &quick).0, "passed");
    }
}

/// 400/s on four workers of 20 ms: 800 slots fill up with calls that wait in the target.
#[test]
fn a_queue_that_fills_every_slot_is_the_target() {
    let errors = ObjectiveRecord {
        latency: Vec::new(),
        errors: Some(0.01),
    };
    let loose = ObjectiveRecord {
        latency: vec![(0.99, 30_000_000_000)],
        errors: Some(0.01),
    };
    let strained = Signs {
        service: vec![4_100_000_000],
        usual_s: Some(0.021),
        warm_up_s: 2.0,
        ..signs()
    };
    let full = StageRecord {
        scheduled: 4000,
        sent: 2900,
        succeeded: 2900,
        failed: 1100,
        beyond: vec![0, 0],
        throughput: 200.0,
        service_s: Some(3.9),
        slot_wait: 0.4,
        ..stage()
    };
    let late = StageRecord {
        sent: 4000,
        succeeded: 4000,
        failed: 0,
        ..full.clone()
    };
    for objective in [&errors, &loose] {
        for stage in [&full, &late] {
            assert_eq!(at(objective, stage, &strained), ("failed", "backlog".to_owned()));
            // A generator without a moment to spare reads answers late: the longer calls may be its own doing.
            let busy = StageRecord {
                generator_busy: 0.9,
                ..stage.clone()
            };
            assert_eq!(at(objective, &busy, &strained).0, "void", "{objective:?}");
            // As long as ever: slots are what is missing.
            let far = Signs {
                usual_s: Some(3.8),
                ..strained.clone()
            };
            assert_eq!(at(objective, stage, &far), ("void", "connections".to_owned()));
        }
    }
    // What waited for a slot while the target was full is not in its service time, and no more slots would have helped.
    let slow = Signs {
        service: vec![150_000_000],
        usual_s: Some(0.01),
        ..signs()
    };
    let waited = |service: f64| StageRecord {
        slot_wait: 0.3,
        service_s: Some(service),
        ..self::slow()
    };
    assert_eq!(of(&waited(0.11), &slow), ("failed", "latency".to_owned()));
    // Five times as long: more slots might carry a fifth more.
    assert_eq!(of(&waited(0.05), &slow), ("void", "connections".to_owned()));
}

/// A generator without a moment to spare reads answers after their time-out: that is no failure of the target.
#[test]
fn time_outs_of_a_busy_generator_are_void() {
    let out = StageRecord {
        succeeded: 900,
        failed: 100,
        beyond: vec![100, 100],
        generator_busy: 0.97,
        ..stage()
    };
    for tripped in [false, true] {
        let signs = Signs { tripped, ..signs() };
        assert_eq!(of(&out, &signs), ("void", "generator".to_owned()));
    }
    // What holds, holds.
    let held = StageRecord {
        generator_busy: 0.97,
        ..stage()
    };
    assert_eq!(of(&held, &signs()).0, "passed");
}

/// At the first rate: calls are too slow, whatever was not sent.
#[test]
fn a_slow_target_is_slow_where_slots_run_out_too() {
    let slow = StageRecord {
        sent: 950,
        succeeded: 950,
        failed: 50,
        beyond: vec![900, 50],
        slot_wait: 0.3,
        ..stage()
    };
    assert_eq!(of(&slow, &signs()), ("failed", "latency".to_owned()));
}

/// A call of 4 s, a warm-up of 2 s, 100/s for 10 s: 800 are answered in the time, and no queue grows.
#[test]
fn calls_longer_than_the_warm_up_are_no_queue() {
    let objective = ObjectiveRecord {
        latency: vec![(0.99, 6_000_000_000)],
        errors: None,
    };
    let signs = Signs {
        service: vec![4_200_000_000],
        warm_up_s: 2.0,
        least_s: 3.95,
        ..signs()
    };
    let long = StageRecord {
        beyond: vec![0],
        throughput: 80.0,
        service_s: Some(4.0),
        ..stage()
    };
    assert_eq!(at(&objective, &long, &signs).0, "passed");
    // A queue that grows from the first moment on, at so many times what the target can do: what waits makes calls longer, and is told
    // all the same.
    for over in [1.2, 2.0, 3.0, 4.0, 6.0, 8.0, 20.0] {
        let grows = StageRecord {
            throughput: 100.0 / over,
            service_s: Some((over - 1.0) * 7.0),
            ..long.clone()
        };
        let signs = Signs {
            least_s: (over - 1.0) * 2.0,
            ..signs.clone()
        };
        let loose = ObjectiveRecord {
            latency: Vec::new(),
            errors: Some(0.01),
        };
        assert_eq!(
            at(&loose, &grows, &signs),
            ("failed", "backlog".to_owned()),
            "{over} times"
        );
    }
}

/// A target that sheds load answers the rest quickly.
#[test]
fn what_the_target_refuses_is_its_own_failure() {
    let objective = ObjectiveRecord {
        latency: vec![(0.99, 60_000_000)],
        errors: None,
    };
    let quick = Signs {
        service: vec![20_000_000],
        ..signs()
    };
    let sheds = StageRecord {
        succeeded: 950,
        failed: 50,
        beyond: vec![50],
        throughput: 95.0,
        ..stage()
    };
    assert_eq!(at(&objective, &sheds, &quick), ("failed", "errors".to_owned()));
    // Slots that wait beside it excuse nothing.
    for tripped in [false, true] {
        let waiting = StageRecord {
            slot_wait: 0.3,
            ..sheds.clone()
        };
        let signs = Signs {
            tripped,
            ..quick.clone()
        };
        assert_eq!(at(&objective, &waiting, &signs), ("failed", "errors".to_owned()));
    }
    // As many as the percentile leaves room for.
    let few = StageRecord {
        succeeded: 990,
        failed: 10,
        beyond: vec![10],
        throughput: 99.0,
        ..stage()
    };
    assert_eq!(at(&objective, &few, &quick).0, "passed");
    // A target that takes no connection: nothing of it was sent.
    let away = StageRecord {
        sent: 300,
        succeeded: 300,
        failed: 700,
        beyond: vec![700],
        throughput: 30.0,
        slot_wait: 0.3,
        ..stage()
    };
    let lost = Signs {
        lost: 700,
        tripped: true,
        ..quick
    };
    assert_eq!(at(&objective, &away, &lost), ("failed", "errors".to_owned()));
}

#[test]
fn limits_are_told_in_the_order_of_the_counts() {
    let allowed = allowed(&objective());
    assert!((allowed[0] - 0.01).abs() < 1e-12 && allowed[1] == 0.001);
    assert_eq!(limits(&objective()).len(), 2);
    assert!(limits(&objective())[0].starts_with("p99"), "{:?}", limits(&objective()));
}
