use super::*;
use crate::capacity::{
    crossing::Crossing,
    judge::tests::stage,
    search::{Judged, Next, Search, Seen, Settings},
};

fn objective() -> ObjectiveRecord {
    ObjectiveRecord {
        latency: vec![(0.99, 200_000_000)],
        errors: Some(0.001),
    }
}

fn search() -> Search {
    Search::new(Settings {
        start: 50.0,
        most: 1e6,
        allowed: vec![0.01, 0.001],
    })
}

fn known() -> Known {
    Known {
        replicas: 1,
        confirm_s: 30.0,
        from: "reports/runs/x".to_owned(),
        ..Known::default()
    }
}

fn failing(rate: f64, cpus: Option<f64>, own: Option<f64>) -> StageRecord {
    StageRecord {
        rate: Some(rate),
        server_cpus: cpus,
        server_s: own,
        service_s: Some(0.3),
        judged: StageJudged::Failed {
            why: "slow".to_owned(),
            limit: "latency".to_owned(),
        },
        ..stage()
    }
}

const FOUND: End = End::Found {
    limit: 0,
    crossing: Crossing {
        best: 150.0,
        low: 145.0,
        high: 156.0,
    },
    interval: true,
};

fn of(end: &End, stages: &[StageRecord], known: &Known) -> Conclusion {
    conclude(&search(), Some(end), None, stages, &objective(), known)
}

/// The lowest rate, which passed: a call takes so long there, and so long by the server's own count.
fn passing(seen: f64, own: Option<f64>) -> StageRecord {
    StageRecord {
        rate: Some(50.0),
        server_s: own,
        service_s: Some(seen),
        judged: StageJudged::Passed,
        ..stage()
    }
}

#[test]
fn what_limits_follows_from_what_is_known_of_the_server() {
    let of_cpus = |cpus: f64, shared: bool| Known {
        cpus: Some(cpus),
        shared,
        ..known()
    };
    let (one, eight, machine) = (of_cpus(1.0, false), of_cpus(8.0, false), of_cpus(8.0, true));
    for (cpu, own, known, limit, exit) in [
        (None, None, known(), "unknown", 0),
        (Some(0.95), None, one.clone(), "cpu", 0),
        (Some(0.1), Some(0.29), one.clone(), "waiting", 0),
        (Some(0.7), Some(0.29), one.clone(), "latency", 0),
        // One full core of eight waits for nothing; neither is it told from an edge, as a single thread queues before its clock.
        (Some(1.0), Some(0.29), eight.clone(), "unknown", 0),
        (Some(0.98), Some(0.02), eight.clone(), "unknown", 0),
        (Some(2.5), Some(0.29), eight, "unknown", 0),
        // A machine that others use too.
        (Some(0.1), Some(0.29), machine.clone(), "unknown", 0),
        (Some(7.5), Some(0.29), machine, "cpu", 0),
        // Replicas that have nothing to do behind something that is full.
        (Some(0.1), Some(0.02), one, "edge", 4),
    ] {
        let made = of(&FOUND, &[passing(0.021, Some(0.02)), failing(160.0, cpu, own)], &known);
        let bracket = made.bracket.unwrap();
        assert_eq!(
            (bracket.limit.as_str(), made.verdict.exit_code),
            (limit, exit),
            "{bracket:?}"
        );
        // What the edge carries is no capacity of a replica.
        assert_eq!(made.measured.is_some(), exit == 0);
        let thread = cpu.is_some_and(|cpu: f64| (0.97..=1.0).contains(&cpu));
        assert_eq!(
            bracket.because.contains("a single thread?"),
            thread,
            "{}",
            bracket.because
        );
    }
}

/// The server's own clock and its calls to a database grow together: what it waits for is the database.
#[test]
fn a_full_database_is_told_before_anything_is_confirmed() {
    let known = Known {
        cpus: Some(1.0),
        ..known()
    };
    let with = |stage: StageRecord, database: f64| StageRecord {
        database_s: Some(database),
        ..stage
    };
    let low = with(passing(0.021, Some(0.02)), 0.015);
    let full = [low.clone(), with(failing(160.0, Some(0.1), Some(0.29)), 0.28)];
    assert!(is_elsewhere(&full, (150.0, 160.0), &known));
    let mut search = search();
    for (rate, judged) in [(50.0, Judged::Passed), (100.0, Judged::Failed)] {
        for _ in 0..2 {
            assert!(matches!(search.next(), Next::Play(at, _) if at == rate));
            search.take(&Seen {
                requests: 1000.0,
                beyond: vec![0.0, 0.0],
                judged,
            });
        }
    }
    search.leave();
    let Next::End(end) = search.next() else {
        panic!("{search:?}")
    };
    assert_eq!(end, End::Elsewhere(50.0, 100.0));
    for end in [End::Elsewhere(150.0, 160.0), FOUND] {
        let made = of(&end, &full, &known);
        assert_eq!((made.verdict.exit_code, made.measured), (4, None));
        assert!(
            made.verdict
                .sentence
                .starts_with("the database behind the replicas is the limit, not the replicas: "),
            "{}",
            made.verdict.sentence
        );
        assert!(made.next[0].contains("enlarge it"), "{:?}", made.next);
    }
    // Four calls at a time add up to more than the call; what it refuses at once is no time of an edge.
    let beside = [low.clone(), with(failing(160.0, Some(0.1), Some(0.29)), 1.1)];
    assert!(!is_elsewhere(&beside, (150.0, 160.0), &known));
    let sheds = StageRecord {
        judged: StageJudged::Failed {
            why: "5.00 % of the requests failed".to_owned(),
            limit: "errors".to_owned(),
        },
        ..failing(160.0, Some(0.1), Some(0.02))
    };
    assert!(!is_elsewhere(&[low.clone(), sheds], (150.0, 160.0), &known));
    // It answers as quickly as ever: the server waits for something of its own.
    let own = [low, with(failing(160.0, Some(0.1), Some(0.29)), 0.02)];
    assert!(!is_elsewhere(&own, (150.0, 160.0), &known));
    assert_eq!(of(&FOUND, &own, &known).bracket.unwrap().limit, "waiting");
}

/// A gateway that refuses the rest: its failures are beyond the latency, too.
#[test]
fn what_is_refused_is_no_wait() {
    let known = Known {
        cpus: Some(1.0),
        ..known()
    };
    let refused = StageRecord {
        judged: StageJudged::Failed {
            why: "5.00 % of the requests failed".to_owned(),
            limit: "errors".to_owned(),
        },
        ..failing(160.0, Some(0.2), Some(0.02))
    };
    let bracket = of(&FOUND, &[passing(0.021, Some(0.02)), refused], &known)
        .bracket
        .unwrap();
    assert_eq!(bracket.limit, "errors");
    assert!(bracket.binding.starts_with("errors of at most"), "{}", bracket.binding);
}

/// A pool of threads that is full, or a processor that is, keeps calls waiting before the clock of a handler: that is no edge.
#[test]
fn a_queue_before_the_handlers_may_be_the_servers_own() {
    let stages = [passing(0.021, Some(0.02)), failing(160.0, Some(0.1), Some(0.02))];
    let cpus = Some(1.0);
    let edge = Known { cpus, ..known() };
    assert!(is_elsewhere(&stages, (150.0, 160.0), &edge));
    let threads = Known {
        handler_clocks: true,
        ..edge
    };
    // The built-in service shares its processors with the generator, and there is no edge before it.
    let shared = Known {
        cpus: Some(2.0),
        shared: true,
        ..known()
    };
    for (known, words) in [
        (threads, "own queue before its handlers"),
        (known(), "--cpu would tell"),
        (shared, "--cpu would tell"),
    ] {
        let bracket = of(&FOUND, &stages, &known).bracket.unwrap();
        assert_eq!(bracket.limit, "unknown");
        assert!(bracket.because.contains(words), "{}", bracket.because);
    }
}

/// 250 ms to another continent are no edge that is full.
#[test]
fn a_long_way_is_not_told_as_a_full_edge() {
    let known = Known {
        cpus: Some(1.0),
        ..known()
    };
    // It answers in 20 ms, then in 50 ms; the way takes 250 ms both times.
    let far = [passing(0.27, Some(0.02)), failing(160.0, Some(0.6), Some(0.05))];
    assert_eq!(of(&FOUND, &far, &known).bracket.unwrap().limit, "latency");
    // The way grows, and the server's own time does not.
    let full = [passing(0.07, Some(0.05)), failing(160.0, Some(0.6), Some(0.05))];
    let made = of(&FOUND, &full, &known);
    assert_eq!(
        (made.verdict.exit_code, made.bracket.unwrap().limit.as_str()),
        (4, "edge")
    );
    // With nothing to compare with nothing is said of an edge.
    for alone in [
        vec![failing(160.0, Some(0.6), Some(0.05))],
        vec![passing(0.07, None), failing(160.0, Some(0.6), Some(0.05))],
    ] {
        assert_eq!(of(&FOUND, &alone, &known).bracket.unwrap().limit, "latency");
    }
}

/// 60 of 100 calls went to one of two that carries 150/s: together they hold 250/s, and are planned with as many.
#[test]
fn skew_is_taken_off_once() {
    let known = Known {
        replicas: 2,
        skew: Some(1.2),
        ..known()
    };
    let end = End::Found {
        limit: 0,
        crossing: Crossing {
            best: 255.0,
            low: 250.0,
            high: 260.0,
        },
        interval: true,
    };
    let low = StageRecord {
        rate: Some(250.0),
        in_flight: 5.0,
        ..stage()
    };
    let measured = of(&end, &[low], &known).measured.unwrap();
    assert!((measured.passed - 150.0).abs() < 1e-9, "{measured:?}");
    assert!((measured.failed.unwrap() - 156.0).abs() < 1e-9 && (measured.in_flight - 3.0).abs() < 1e-9);
    let ask = crate::capacity::recommend::Ask {
        peak: 200.0,
        headroom: 1.0,
        at_least: 1,
        current: Some(crate::capacity::recommend::Current {
            limits: crate::capacity::scaler::Limits::new(1, 2, 10),
            size: None,
        }),
        ..Default::default()
    };
    let prices = crate::capacity::prices::Prices::embedded().unwrap();
    let told = crate::capacity::recommend::recommend(&measured, &ask, &prices).unwrap();
    assert!((told.planned - 125.0).abs() < 1e-9, "{}", told.planned);
    assert!((told.today.unwrap().sustains - 250.0).abs() < 1e-9);
}

/// A configured ceiling is no measurement, and what replicas held together is not what one held.
#[test]
fn streams_that_are_allowed_are_not_streams_that_were_held() {
    let allowed = Known {
        streams_allowed: Some(20_000),
        ..known()
    };
    let measured = of(&FOUND, &[passing(0.02, None)], &allowed).measured.unwrap();
    assert_eq!((measured.streams, measured.streams_allowed), (None, Some(20_000)));
    let held = Known {
        replicas: 2,
        streams: Some(501),
        ..allowed
    };
    let measured = of(&FOUND, &[passing(0.02, None)], &held).measured.unwrap();
    assert_eq!((measured.streams, measured.streams_allowed), (Some(250), Some(20_000)));
}

#[test]
fn several_replicas_share_what_was_found() {
    let two = Known { replicas: 2, ..known() };
    let stages = [StageRecord {
        rate: Some(145.0),
        in_flight: 4.0,
        ..stage()
    }];
    let measured = of(&FOUND, &stages, &two).measured.unwrap();
    assert_eq!((measured.passed, measured.failed), (72.5, Some(78.0)));
    assert_eq!(measured.in_flight, 2.0);
}

#[test]
fn a_generator_that_gave_out_is_never_told_as_the_capacity_of_the_target() {
    for limit in ["generator", "connections", "replicas"] {
        let void = StageRecord {
            rate: Some(400.0),
            judged: StageJudged::Void {
                why: "why".to_owned(),
                limit: limit.to_owned(),
            },
            ..stage()
        };
        let made = of(&End::Stopped(Some(200.0), 400.0), &[void], &known());
        assert_eq!(made.verdict.exit_code, 4);
        assert!(made.measured.is_none() && !made.next.is_empty());
        let bracket = made.bracket.unwrap();
        assert_eq!(
            (bracket.low, bracket.high, bracket.limit.as_str()),
            (200.0, None, limit)
        );
        assert!(made.verdict.sentence.contains("at least"), "{}", made.verdict.sentence);
    }
}

#[test]
fn every_end_has_its_exit_and_says_what_to_run_next() {
    for (end, exit) in [
        (End::Doomed, 1),
        (End::Ceiling(1e6), 4),
        (End::TooFew(140.0, 160.0), 4),
        (End::Stopped(None, 50.0), 4),
    ] {
        let made = of(&end, &[failing(50.0, None, None)], &known());
        assert_eq!(made.verdict.exit_code, exit, "{end:?}");
        assert!(!made.next.is_empty() && made.measured.is_none(), "{end:?}");
    }
    let cut = Cut::Signal(Exit::Interrupted);
    let made = conclude(&search(), None, Some(&cut), &[], &objective(), &known());
    assert_eq!((made.verdict.exit_code, made.verdict.complete), (130, false));
    // What was found before it stays.
    let made = conclude(&search(), Some(&FOUND), Some(&cut), &[], &objective(), &known());
    assert_eq!((made.verdict.exit_code, made.verdict.complete), (130, false));
    assert!(made.bracket.is_some() && made.verdict.sentence.ends_with("; interrupted after that"));
    let lost = Cut::Lost("gone".to_owned());
    let made = conclude(&search(), None, Some(&lost), &[], &objective(), &known());
    assert_eq!(made.verdict.exit_code, 3);
}

#[test]
fn points_add_up_their_stages() {
    let passed = StageRecord {
        judged: StageJudged::Passed,
        beyond: vec![5, 0],
        ..stage()
    };
    let stages = [
        passed.clone(),
        passed.clone(),
        StageRecord {
            judged: StageJudged::Failed {
                why: String::new(),
                limit: String::new(),
            },
            beyond: vec![30, 0],
            ..passed.clone()
        },
        StageRecord {
            rate: Some(50.0),
            ..passed
        },
    ];
    let points = points(&stages, &[0.01, 0.001]);
    assert_eq!(points.len(), 2);
    assert_eq!((points[0].rate, points[0].verdict), (50.0, None));
    assert_eq!(
        (points[1].passed, points[1].failed, points[1].verdict),
        (2, 1, Some(true))
    );
    assert!((points[1].strain - 40.0 / 3000.0 / 0.01).abs() < 1e-9);
}

#[test]
fn too_few_requests_at_the_first_rate_are_no_failure_of_the_target() {
    let made = of(&End::Short(50.0), &[], &known());
    assert_eq!(made.verdict.exit_code, 4);
    assert!(made.bracket.is_none() && made.measured.is_none());
    // 10 / (0.001 x 50/s).
    assert!(made.next[0].starts_with("--stage 200s"), "{:?}", made.next);
}

#[test]
fn of_replicas_that_nobody_counted_nothing_is_said_of_one() {
    let unknown = Known { replicas: 0, ..known() };
    let made = of(&FOUND, &[failing(160.0, None, None)], &unknown);
    assert!(made.measured.is_none());
    assert!(
        !made.verdict.sentence.contains("one replica"),
        "{}",
        made.verdict.sentence
    );
    assert!(made.bracket.is_some() && made.verdict.exit_code == 0);
}
