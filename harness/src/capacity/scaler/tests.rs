use super::*;
use crate::capacity::{
    measured::Measured,
    prices::{Prices, Size},
    recommend::{Ask, CALIBRATION_CONCURRENCY, recommend},
    traffic::{Profile, Spec},
};
use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// As the post deploys it: no rule, so a concurrency of 10.
const POST: Limits = Limits {
    min: 1,
    max: 5,
    concurrency: DEFAULT_CONCURRENCY,
    cooldown_s: COOLDOWN_S,
};

const REPLICA: Replica = Replica {
    rate: 100.0,
    sharing: None,
    ceiling: None,
    seconds: 0.02,
    start_s: 20.0,
    patience_s: 1000.0,
    grace_s: 30.0,
};

/// A look: its second, M, and what is expected of it: desired, next, why.
type Look = (f64, f64, u32, u32, Why);

/// Plays looks, each written out from the documentation's table by hand.
fn check(name: &str, limits: Limits, start: u32, looks: &[Look]) {
    let mut scaler = Scaler::new(limits, start);
    let mut before = start;
    for (at, metric, desired, next, why) in looks.iter().copied() {
        let expected = Step {
            at,
            metric,
            desired,
            before,
            next,
            why,
        };
        assert_eq!(scaler.look(at, metric), expected, "{name}");
        before = next;
    }
}

#[test]
fn follows_the_documented_scaler_step_by_step() {
    use Why::*;
    // Up at once, by the metric or by a step of max(4, 2 x current); never above max.
    check(
        "the post's deployment",
        POST,
        1,
        &[
            (15.0, 5.0, 1, 1, Metric),
            (30.0, 12.0, 2, 2, Metric),
            (45.0, 41.0, 5, 4, Step),
            (60.0, 41.0, 5, 5, Metric),
            (75.0, 50.0, 5, 5, Metric),
            (90.0, 51.0, 6, 5, Max),
            (105.0, 0.0, 0, 5, Window),
            // 300 s after the last look that wanted more, that look still counts; 15 s later all of 300 s wanted less.
            (390.0, 0.0, 0, 5, Window),
            (405.0, 0.0, 0, 1, Min),
            (420.0, 0.1, 1, 1, Metric),
        ],
    );
    // 1, 4, 8, 16, …
    let wide = Limits::new(0, 100, 10);
    check(
        "steps",
        wide,
        0,
        &[
            (15.0, 0.0, 0, 0, Metric),
            (30.0, 1000.0, 100, 1, Step),
            (45.0, 1000.0, 100, 4, Step),
            (60.0, 1000.0, 100, 8, Step),
            (75.0, 1000.0, 100, 16, Step),
            (90.0, 1000.0, 100, 32, Step),
            (105.0, 1000.0, 100, 64, Step),
            (120.0, 1000.0, 100, 100, Metric),
        ],
    );
    // Down: to the most that was wanted within 300 s, all at once.
    check(
        "scale-in",
        wide,
        20,
        &[
            (15.0, 195.0, 20, 20, Metric),
            (30.0, 60.0, 6, 20, Window),
            (45.0, 30.0, 3, 20, Window),
            (315.0, 30.0, 3, 20, Window),
            (330.0, 30.0, 3, 6, Window),
            (345.0, 30.0, 3, 3, Metric),
            // A rise within the window is served at once, and begins a new one.
            (360.0, 50.0, 5, 5, Metric),
            (375.0, 30.0, 3, 5, Window),
        ],
    );
    // The last one goes when nothing came for as long as the cooldown says.
    let patient = Limits {
        cooldown_s: 600,
        ..Limits::new(0, 5, 10)
    };
    for (limits, gone) in [(Limits::new(0, 5, 10), 330.0), (patient, 615.0)] {
        let mut scaler = Scaler::new(limits, 1);
        assert_eq!(scaler.look(15.0, 0.2).next, 1);
        let ended = (2..60)
            .map(|n| scaler.look(f64::from(n) * 15.0, 0.0))
            .find(|step| step.next == 0);
        assert_eq!(ended.map(|step| step.at), Some(gone), "{limits:?}");
    }
    // What is below min is brought up to it, whatever is asked for; a jump from there is a step of the rule.
    check(
        "min",
        Limits::new(6, 20, 10),
        1,
        &[
            (15.0, 0.0, 0, 6, Min),
            (30.0, 500.0, 50, 12, Step),
            (45.0, 500.0, 50, 20, Max),
        ],
    );
}

#[test]
fn a_quotient_is_rounded_up_but_not_for_a_rounding_error() {
    let table = [
        (0.0, 0),
        (0.01, 1),
        (10.0, 1),
        (10.01, 2),
        (600.0 / 15.0, 4),
        (40.000_000_001, 4),
        (40.001, 5),
    ];
    for (metric, replicas) in table {
        assert_eq!(desired(metric, 10), replicas, "{metric}");
    }
    assert_eq!(desired(f64::MAX, 1), u32::MAX);
}

fn prices() -> Prices {
    Prices::embedded().unwrap()
}

fn steady(rate: f64, seconds: u32) -> Profile {
    Profile::csv("steady", &format!("seconds,rate\n0,{rate}\n{seconds},{rate}\n")).unwrap()
}

fn flash(words: &str) -> Profile {
    match Spec::parse(words).unwrap() {
        Spec::Flash(profile) => profile,
        Spec::File(file) => panic!("{file}"),
    }
}

fn deployment(limits: Limits, reading: Reading, replica: Replica) -> Deployment {
    Deployment {
        limits,
        reading,
        replica,
        size: Some(Size { cpu: 0.5, memory: 1.0 }),
    }
}

#[test]
fn the_posts_deployment_saturates_just_above_40_requests_a_second() {
    let rate = saturation(POST, Reading::Rate, 0.02).unwrap();
    assert_eq!((rate.reaches, rate.exceeds), (40.0, 50.0));
    let calls = saturation(POST, Reading::InFlight, 0.02).unwrap();
    assert_eq!((calls.reaches, calls.exceeds), (2000.0, 2500.0));
    assert_eq!(saturation(POST, Reading::InFlight, 0.0), None);
    // The same by playing it: replicas, and whether more than five are asked for, by both readings.
    let table = [
        (40.0, (4, false), (1, false)),
        (41.0, (5, false), (1, false)),
        (50.0, (5, false), (1, false)),
        (51.0, (5, true), (1, false)),
        (1999.0, (5, true), (4, false)),
        (2001.0, (5, true), (5, false)),
        (2501.0, (5, true), (5, true)),
    ];
    for (rate, by_rate, by_calls) in table {
        for (reading, expected) in [(Reading::Rate, by_rate), (Reading::InFlight, by_calls)] {
            let roomy = Replica {
                rate: 10_000.0,
                ..REPLICA
            };
            let outcome = simulate(&steady(rate, 300), &deployment(POST, reading, roomy), &prices());
            let found = (outcome.points.last().unwrap().running, outcome.capped_s > 0.0);
            assert_eq!(found, expected, "{rate} by {reading:?}");
        }
    }
}

/// Overloaded for a minute: the backlog is arithmetic.
#[test]
fn a_backlog_grows_and_drains_by_the_surplus() {
    let profile = Profile::csv("over", "seconds,rate\n0,150\n60,150\n60,50\n180,50\n").unwrap();
    let outcome = simulate(
        &profile,
        &deployment(Limits::new(1, 1, 10), Reading::Rate, REPLICA),
        &prices(),
    );
    let at = |second: usize| outcome.points[second].waiting;
    assert_eq!((at(29), at(59), at(89), at(119)), (1500.0, 3000.0, 1500.0, 0.0));
    assert_eq!(
        (outcome.requests, outcome.failed, outcome.wait_max_s),
        (15_000.0, 0.0, 30.0)
    );
    // The area below the backlog, 1/2 x 3000 x 120, is the sum of all waits.
    assert!(
        (outcome.wait_mean_s - 180_000.0 / 15_000.0).abs() < 1e-9,
        "{}",
        outcome.wait_mean_s
    );
    assert_eq!(outcome.over_s, 119.0);
}

/// A queue that no caller waits for longer than 5 s loses what is too much, from the moment at which the wait is 5 s.
#[test]
fn callers_give_up_when_the_wait_is_as_long_as_their_patience() {
    let impatient = Replica {
        patience_s: 5.0,
        ..REPLICA
    };
    let outcome = simulate(
        &steady(150.0, 60),
        &deployment(Limits::new(1, 1, 10), Reading::Rate, impatient),
        &prices(),
    );
    // The wait grows by half a second a second: 5 s after 10 s, then 50 a second are lost.
    assert_eq!(outcome.failed, 50.0 * 50.0);
    assert_eq!(outcome.wait_max_s, 5.0);
    let first = outcome.points.iter().find(|point| point.failed > 0.0).unwrap();
    assert_eq!((first.at, first.failed), (10.0, 50.0));
}

/// New replicas do not take what waits at old ones; they only come after a look and a cold start.
#[test]
fn a_jump_waits_for_the_look_and_the_cold_start() {
    let profile = Profile::csv("jump", "seconds,rate\n0,10\n60,10\n60,80\n400,80\n").unwrap();
    let replica = Replica { rate: 50.0, ..REPLICA };
    let outcome = simulate(
        &profile,
        &deployment(Limits::new(1, 5, 50), Reading::Rate, replica),
        &prices(),
    );
    assert_eq!(outcome.steps.len(), 1);
    assert_eq!((outcome.steps[0].at, outcome.steps[0].next), (75.0, 2));
    let point = |at: usize| outcome.points.iter().find(|point| point.at >= at as f64).unwrap();
    assert_eq!((point(94).ready, point(96).ready), (1, 2));
    // (80 - 50) x 35 s; then the old one has 40 a second of the 80, and drains by 10 a second for 105 s.
    let most = outcome.points.iter().map(|point| point.waiting).fold(0.0, f64::max);
    assert_eq!(most, 1050.0);
    assert_eq!(outcome.over_s, 35.0 + 104.0);
    assert_eq!(outcome.catch_up_s, Some(35.0));
}

/// From none: the first requests wait at the edge for the look and the cold start.
#[test]
fn the_first_request_of_none_waits_for_a_replica() {
    let profile = Profile::csv("none", "seconds,rate\n0,0\n30,0\n30,5\n120,5\n900,5\n900,0\n1500,0\n").unwrap();
    let outcome = simulate(
        &profile,
        &deployment(Limits::new(0, 5, 10), Reading::Rate, REPLICA),
        &prices(),
    );
    assert_eq!(
        outcome
            .steps
            .iter()
            .map(|step| (step.at, step.next))
            .collect::<Vec<_>>(),
        [(45.0, 1), (1215.0, 0)]
    );
    // From second 30 to 65.
    assert_eq!((outcome.wait_max_s.round(), outcome.failed), (35.0, 0.0));
    let hurried = Replica {
        patience_s: 10.0,
        ..REPLICA
    };
    let outcome = simulate(
        &profile,
        &deployment(Limits::new(0, 5, 10), Reading::Rate, hurried),
        &prices(),
    );
    assert!((outcome.failed - 5.0 * 25.0).abs() <= 5.0, "{}", outcome.failed);
}

/// Queues of single requests, drawn: Poisson arrivals, each to a replica at random, a fixed service time, first come first served.
#[test]
fn the_fluid_is_the_mean_of_drawn_queues() {
    let (replicas, rate, service) = (2usize, 130.0, 1.0 / 50.0);
    let (mut waits, mut requests, seeds) = (0.0, 0.0, 40);
    for seed in 0..seeds {
        let mut random = Pcg64::seed_from_u64(seed);
        let mut unit = || ((random.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let mut free = vec![0.0f64; replicas];
        let mut at = 0.0;
        loop {
            at -= unit().ln() / rate;
            if at >= 120.0 {
                break;
            }
            let replica = &mut free[(unit() * replicas as f64) as usize];
            let start = replica.max(at);
            waits += start - at;
            requests += 1.0;
            *replica = start + service;
        }
    }
    let replica = Replica {
        rate: 1.0 / service,
        ..REPLICA
    };
    let outcome = simulate(
        &steady(rate, 120),
        &deployment(Limits::new(2, 2, 10), Reading::Rate, replica),
        &prices(),
    );
    let drawn = waits / requests;
    // (130 - 100) x 120 / 2 / 100 = 18 s.
    assert!((outcome.wait_mean_s - 18.0).abs() < 1e-9, "{}", outcome.wait_mean_s);
    assert!(
        (outcome.wait_mean_s / drawn - 1.0).abs() < 0.05,
        "{drawn} drawn, {} fluid",
        outcome.wait_mean_s
    );
}

#[test]
fn replicas_and_requests_are_paid_for_by_the_second() {
    let one = deployment(Limits::new(1, 1, 10), Reading::Rate, REPLICA);
    let busy = simulate(&steady(10.0, 3600), &one, &prices());
    // 3600 x (0.5 x 0.000024 + 0.000003), and 36,000 requests.
    assert!((busy.cost.unwrap() - (0.054 + 0.0144)).abs() < 1e-9, "{:?}", busy.cost);
    assert_eq!((busy.replica_s, busy.points.len()), (3600.0, 200));
    assert_eq!(busy.points.last().unwrap().cost, busy.cost);
    let quiet = simulate(&steady(0.0, 3600), &one, &prices());
    assert!((quiet.cost.unwrap() - 0.0162).abs() < 1e-9, "{:?}", quiet.cost);
    let unknown = Deployment { size: None, ..one };
    assert_eq!(simulate(&steady(10.0, 60), &unknown, &prices()).cost, None);
}

#[test]
fn max_5_8_and_12_side_by_side() {
    let profile = flash("flash:base=20,peak=400,ramp=30s,hold=5m");
    let replica = Replica {
        rate: 40.0,
        patience_s: 2.0,
        ..REPLICA
    };
    let outcome = |max| {
        simulate(
            &profile,
            &deployment(Limits::new(1, max, 26), Reading::Rate, replica),
            &prices(),
        )
    };
    let [five, eight, twelve] = [5, 8, 12].map(outcome);
    assert_eq!([five.most, eight.most, twelve.most], [5, 8, 12]);
    assert!(
        five.failed > eight.failed && eight.failed > twelve.failed,
        "{} {} {}",
        five.failed,
        eight.failed,
        twelve.failed
    );
    assert!(five.cost < eight.cost && eight.cost < twelve.cost);
    // At the end of the hold all that serve are full: what is lost is the surplus.
    let lost = |outcome: &Outcome| outcome.points.iter().find(|point| point.at >= 370.0).unwrap().failed;
    let table = [(lost(&five), 200.0), (lost(&eight), 80.0), (lost(&twelve), 0.0)];
    for (found, expected) in table {
        assert!((found - expected).abs() < 1e-6, "{table:?}");
    }
    assert!(twelve.capped_s > 0.0, "ceil(400 / 26) is 16");
}

/// What the calibration says to look for is what the scaler does, by either reading.
#[test]
fn the_calibration_tells_the_readings_apart() {
    let measured = Measured {
        passed: 100.0,
        failed: Some(110.0),
        limit: "latency".into(),
        in_flight: 2.0,
        skew: 1.0,
        ..Measured::default()
    };
    let ask = Ask {
        peak: 100.0,
        ..Ask::default()
    };
    let calibration = recommend(&measured, &ask, &prices()).unwrap().calibration;
    let expected: Vec<_> = calibration
        .runs
        .iter()
        .map(|run| (run.rate, run.delay_ms, run.by_rate, run.by_in_flight))
        .collect();
    assert_eq!(expected, [(15.0, 1667, 2, 3), (45.0, 556, 5, 3)]);
    for run in calibration.runs {
        for (reading, replicas) in [(Reading::Rate, run.by_rate), (Reading::InFlight, run.by_in_flight)] {
            let replica = Replica {
                rate: 1000.0,
                seconds: run.delay_ms as f64 / 1e3,
                ..REPLICA
            };
            let limits = Limits::new(1, 8, CALIBRATION_CONCURRENCY);
            let outcome = simulate(&steady(run.rate, 180), &deployment(limits, reading, replica), &prices());
            let after = outcome.points.iter().find(|point| point.at >= 120.0).unwrap();
            assert_eq!(after.ready, replicas, "{run:?} {reading:?}");
        }
    }
}
