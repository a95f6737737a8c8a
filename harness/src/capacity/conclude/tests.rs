use super::*;
use crate::capacity::{
    crossing::Crossing,
    judge::tests::stage,
    search::{Search, Settings},
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

#[test]
fn what_limits_follows_from_what_is_known_of_the_server() {
    let cpus = Known {
        cpus: Some(1.0),
        ..known()
    };
    for (cpu, own, known, limit, exit) in [
        (None, None, known(), "unknown", 0),
        (Some(0.95), None, cpus.clone(), "cpu", 0),
        (Some(0.1), Some(0.29), cpus.clone(), "waiting", 0),
        (Some(0.7), Some(0.29), cpus.clone(), "latency", 0),
        // Replicas that have nothing to do behind something that is full.
        (Some(0.1), Some(0.02), cpus, "edge", 4),
    ] {
        let made = of(&FOUND, &[failing(160.0, cpu, own)], &known);
        let bracket = made.bracket.unwrap();
        assert_eq!(
            (bracket.limit.as_str(), made.verdict.exit_code),
            (limit, exit),
            "{bracket:?}"
        );
        // What the edge carries is no capacity of a replica.
        assert_eq!(made.measured.is_some(), exit == 0);
    }
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
