use super::*;

fn settings() -> Settings {
    Settings {
        start: 50.0,
        most: 1_000_000.0,
        allowed: vec![0.01],
    }
}

/// The share beyond a limit, at a rate.
type Share<'a> = &'a dyn Fn(f64) -> f64;

fn seen(share: f64, requests: f64) -> Seen {
    Seen {
        requests,
        beyond: vec![(share * requests).round()],
        judged: if share <= 0.01 { Judged::Passed } else { Judged::Failed },
    }
}

/// Plays to the end; what was tried, and the end.
fn played(settings: Settings, share: Share<'_>) -> (Vec<(f64, Why)>, End) {
    let mut search = Search::new(settings);
    let mut tried = Vec::new();
    loop {
        match search.next() {
            Next::End(end) => return (tried, end),
            Next::Play(rate, why) => {
                assert!(tried.len() < 200, "{tried:?}");
                tried.push((rate, why));
                // A little scatter, which no real stage is without.
                let wobble = if tried.len() % 2 == 0 { 1.03 } else { 0.97 };
                search.take(&seen(share(rate) * wobble, 10_000.0));
            }
        }
    }
}

#[test]
fn it_doubles_bisects_and_confirms_with_two_of_three_at_each_point() {
    let (tried, end) = played(settings(), &|rate| 0.01 * ((rate - 730.0) / 50.0).exp().min(99.0));
    let explored: Vec<f64> = tried
        .iter()
        .filter(|(_, why)| *why == Why::Explore)
        .map(|(rate, _)| *rate)
        .collect();
    assert_eq!(
        explored,
        [50.0, 50.0, 100.0, 100.0, 200.0, 200.0, 400.0, 400.0, 800.0, 800.0]
    );
    let bisected = tried.iter().filter(|(_, why)| *why == Why::Bisect);
    assert!(bisected.clone().all(|(rate, _)| *rate > 400.0 && *rate < 800.0));
    assert!((10..=20).contains(&bisected.count()));
    let confirmed: Vec<f64> = tried
        .iter()
        .filter(|(_, why)| *why == Why::Confirm)
        .map(|(rate, _)| *rate)
        .collect();
    assert_eq!(confirmed.len(), CONFIRMATION);
    let below = confirmed.iter().filter(|rate| **rate < 730.0).count();
    assert_eq!(below, CONFIRMATION / 2);
    let End::Found {
        limit: 0,
        crossing,
        interval: true,
    } = end
    else {
        panic!("{end:?}")
    };
    assert!(crossing.low <= 731.0 && crossing.high >= 729.0, "{crossing:?}");
}

#[test]
fn the_first_rate_that_fails_is_doom() {
    let (tried, end) = played(settings(), &|_| 0.5);
    assert_eq!((tried.len(), end), (2, End::Doomed));
}

/// At 50/s for half a second 25 requests are due: one slow one among them is more than 1 %, and says nothing.
#[test]
fn a_first_rate_that_fails_by_a_few_requests_is_no_doom() {
    let of = |requests: f64, beyond: f64, judged: Judged| {
        let mut search = Search::new(settings());
        for _ in 0..2 {
            search.take(&Seen {
                requests,
                beyond: vec![beyond],
                judged,
            });
        }
        search.next()
    };
    assert_eq!(of(25.0, 1.0, Judged::Failed), Next::End(End::Short(50.0)));
    assert_eq!(of(499.0, 6.0, Judged::Failed), Next::End(End::Short(50.0)));
    assert_eq!(of(500.0, 6.0, Judged::Failed), Next::End(End::Doomed));
    // So many of so few are no chance, and a queue that grows has a test of its own.
    assert_eq!(of(25.0, 20.0, Judged::Failed), Next::End(End::Doomed));
    assert_eq!(of(25.0, 0.0, Judged::Failed), Next::End(End::Doomed));
    assert!((least(&[0.01, 0.001]) - 10_000.0).abs() < 1e-6);
}

/// Whatever noise there is, and wherever just below the highest rate the target stops.
#[test]
fn no_stage_is_above_the_highest_rate() {
    for (most, stops) in [(300.0, 299.0), (300.0, 285.0), (400.0, 396.0), (1000.0, 800.0)] {
        let settings = Settings { most, ..settings() };
        for width in [3.0, 30.0, 60.0] {
            let share = |rate: f64| 0.01 * ((rate - stops) / width).exp().min(90.0);
            let (tried, end) = played(settings.clone(), &share);
            let confirmed = tried.iter().filter(|(_, why)| *why == Why::Confirm);
            assert!(
                confirmed.count() >= CONFIRMATION || end == End::Ceiling(most),
                "{end:?}"
            );
            let highest = tried.iter().map(|(rate, _)| *rate).fold(0.0, f64::max);
            assert!(highest <= most * (1.0 + 1e-12), "{most} {stops} {width}: {highest}");
        }
    }
}

#[test]
fn the_highest_rate_is_tried_and_ends_the_search() {
    let most = Settings {
        most: 300.0,
        ..settings()
    };
    let (tried, end) = played(most, &|_| 0.0);
    assert_eq!(end, End::Ceiling(300.0));
    assert!(tried.iter().all(|(rate, _)| *rate <= 300.0));
}

#[test]
fn the_third_stage_decides() {
    let mut search = Search::new(settings());
    for (share, passed) in [(0.02, None), (0.0, None), (0.0, Some(50.0))] {
        search.take(&seen(share, 1000.0));
        assert_eq!(search.known(), (passed, None));
    }
    assert_eq!(search.next(), Next::Play(100.0, Why::Explore));
    for share in [0.0, 0.5, 0.5] {
        search.take(&seen(share, 1000.0));
    }
    assert_eq!(search.known(), (Some(50.0), Some(100.0)));
}

#[test]
fn two_stages_that_say_nothing_stop_it_with_what_passed_before() {
    let void = Seen {
        judged: Judged::Void,
        ..seen(0.5, 1000.0)
    };
    let mut search = Search::new(settings());
    search.take(&seen(0.0, 1000.0));
    search.take(&void);
    assert_eq!(search.next(), Next::Play(50.0, Why::Explore));
    search.take(&seen(0.0, 1000.0));
    search.take(&void);
    search.take(&void);
    assert_eq!(search.next(), Next::End(End::Stopped(Some(50.0), 100.0)));
    // Nothing changes an end.
    search.take(&seen(0.0, 1000.0));
    assert_eq!(search.next(), Next::End(End::Stopped(Some(50.0), 100.0)));
}

#[test]
fn void_stages_never_make_an_answer() {
    // A generator that gives out at 300: whatever is beyond is its own doing, and no capacity.
    let mut search = Search::new(settings());
    let end = loop {
        match search.next() {
            Next::End(end) => break end,
            Next::Play(rate, _) if rate > 300.0 => search.take(&Seen {
                judged: Judged::Void,
                ..seen(0.9, 1000.0)
            }),
            Next::Play(..) => search.take(&seen(0.0, 1000.0)),
        }
    };
    assert_eq!(end, End::Stopped(Some(200.0), 400.0));
}

#[test]
fn a_cliff_needs_no_interval() {
    let (_, end) = played(settings(), &|rate| if rate < 333.0 { 0.0 } else { 0.6 });
    let End::Found {
        crossing,
        interval: false,
        ..
    } = end
    else {
        panic!("{end:?}")
    };
    assert!(
        crossing.low < 333.0 && crossing.high >= 333.0 && crossing.high / crossing.low < 1.5,
        "{crossing:?}"
    );
}

#[test]
fn noise_alone_is_no_answer() {
    let mut search = Search::new(settings());
    let mut stages = 0u32;
    let end = loop {
        match search.next() {
            Next::End(end) => break end,
            Next::Play(rate, why) => {
                stages += 1;
                assert!(stages < 200);
                // The same around the limit at every rate of the confirmation.
                let share = match why {
                    Why::Confirm => [0.004, 0.02, 0.007, 0.015, 0.012][stages as usize % 5],
                    _ if rate < 500.0 => 0.001,
                    _ => 0.03,
                };
                search.take(&seen(share, 5_000.0));
            }
        }
    };
    assert!(matches!(end, End::TooFew(..)), "{end:?}");
}

#[test]
fn the_limit_that_is_crossed_first_is_named() {
    let two = Settings {
        allowed: vec![0.01, 0.001],
        ..settings()
    };
    let mut search = Search::new(two);
    let mut odd = false;
    let end = loop {
        match search.next() {
            Next::End(end) => break end,
            Next::Play(rate, _) => {
                odd = !odd;
                let wobble = if odd { 1.04 } else { 0.96 };
                let slow = 0.01 * ((rate - 900.0) / 60.0).exp().min(50.0) * wobble;
                let failed = 0.001 * ((rate - 600.0) / 40.0).exp().min(500.0) * wobble;
                search.take(&Seen {
                    requests: 20_000.0,
                    beyond: vec![slow * 20_000.0, failed * 20_000.0],
                    judged: if slow <= 0.01 && failed <= 0.001 {
                        Judged::Passed
                    } else {
                        Judged::Failed
                    },
                });
            }
        }
    };
    let End::Found { limit: 1, crossing, .. } = end else {
        panic!("{end:?}")
    };
    assert!(crossing.low < 601.0 && crossing.high > 599.0, "{crossing:?}");
}
