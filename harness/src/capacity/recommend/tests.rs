use super::*;
use crate::capacity::measured::Loss;

fn measured() -> Measured {
    Measured {
        passed: 100.0,
        failed: Some(110.0),
        limit: "cpu".into(),
        in_flight: 2.0,
        service_s: 0.02,
        cpu_s: Some(0.0045),
        memory: Some(100 << 20),
        cold_start_s: Some(8.0),
        drain_s: Some(2.0),
        skew: 1.0,
        from: vec!["runs/one".into()],
        ..Measured::default()
    }
}

fn ask() -> Ask {
    Ask {
        peak: 400.0,
        base: Some(20.0),
        size: Some(Size { cpu: 0.5, memory: 1.0 }),
        ..Ask::default()
    }
}

fn told(measured: &Measured, ask: &Ask) -> Recommendation {
    recommend(measured, ask, &Prices::embedded().unwrap()).unwrap()
}

fn number(recommendation: &Recommendation, subject: Subject) -> &Number {
    recommendation
        .numbers
        .iter()
        .find(|number| number.subject == subject)
        .unwrap()
}

/// A value with its range, and what binds it.
fn short(recommendation: &Recommendation, subject: Subject) -> (f64, (f64, f64), &str) {
    let number = number(recommendation, subject);
    (number.value, number.range, number.binding.as_str())
}

#[test]
fn every_number_follows_from_the_bracket() {
    let told = told(&measured(), &ask());
    // C is 0.65 x 100: ceil(400 / 65) = 7, and by the rate that failed ceil(400 / 71.5) = 6.
    assert_eq!(short(&told, Subject::MaxReplicas), (7.0, (6.0, 7.0), "the peak rate"));
    assert_eq!(number(&told, Subject::MaxReplicas).because, "ceil(1.00 x 400 / 65.0)");
    assert_eq!(short(&told, Subject::MinReplicas), (2.0, (2.0, 2.0), "redundancy"));
    assert_eq!(
        short(&told, Subject::ConcurrencyRate),
        (65.0, (65.0, 71.0), "what a replica sustains")
    );
    assert_eq!(short(&told, Subject::ConcurrencyInFlight).0, 1.0);
    // 0.0045 x 100 cores and 0.06 vCPU for the memory both fit into the 0.5 that were measured.
    assert_eq!(short(&told, Subject::Cpu), (0.5, (0.5, 0.5), "CPU time"));
    assert_eq!(short(&told, Subject::Memory).0, 1.0);
    let cents = |subject| crate::capacity::prices::money(number(&told, subject).value);
    assert_eq!(
        [Subject::CostLeast, Subject::CostIdle, Subject::CostMost].map(cents),
        ["77.76", "23.33", "272.16"]
    );
    // 0.000015 / 65 x 1e6 + 0.40.
    assert_eq!(cents(Subject::CostMillion), "0.63");
    assert_eq!(number(&told, Subject::CostMost).range, (6.0 * 38.88, 7.0 * 38.88));
    for number in &told.numbers {
        let (from, to) = number.range;
        assert!(from <= number.value && number.value <= to, "{number:?}");
        assert_eq!(number.from, ["runs/one"]);
        assert!(
            !number.binding.is_empty() && !number.because.is_empty() && !number.changes.is_empty(),
            "{number:?}"
        );
    }
    insta::assert_snapshot!(format!(
        "{}\n\n{}\n\n{}",
        told.az,
        told.bicep,
        told.calibration.steps.join("\n")
    ));
}

/// 400/s at a headroom of 0.65 of 100/s each: n / (1 + 0.1 (n - 1)) >= 6.15, so 15 replicas and not 7.
#[test]
fn replicas_that_share_something_have_to_be_more_or_are_never_enough() {
    let of = |sigma: f64| Measured {
        sharing: Some(Sharing {
            at: 1,
            most: 2,
            loss: Some(Loss {
                sigma,
                most: sigma + 0.01,
            }),
        }),
        ..measured()
    };
    let told = told(&of(0.1), &ask());
    let max = number(&told, Subject::MaxReplicas);
    assert_eq!((max.value, max.binding.as_str()), (15.0, "the peak rate"));
    assert!(max.because.contains("replicas share something"), "{}", max.because);
    // 15 x 65 / 2.4 >= 400 > 14 x 65 / 2.3; each is planned with 65 / 2.4.
    assert_eq!(told.limits.concurrency, 27);
    assert!((told.planned - 65.0 / 2.4).abs() < 1e-9);
    // n / (1 + 0.11 (n - 1)) >= 6.15 from 17 on; 15 replicas of 100 carry 625, or 591.
    assert_eq!(max.range.1, 17.0);
    let warned = |told: &Recommendation, words: &str| told.warnings.iter().any(|one| one.text.contains(words));
    let words =
        "that 15 carry 625 requests a second is computed, extrapolated, and by the brackets it may be as little as 591";
    assert!(warned(&told, words), "{:?}", told.warnings);
    assert!((replica(&of(0.1), &ask()).rate_among(15) - 100.0 / 2.4).abs() < 1e-9);

    let never = recommend(&of(0.5), &ask(), &Prices::embedded().unwrap()).unwrap_err();
    let RecommendError::TooLittle { why, next } = never else {
        panic!("{never:?}")
    };
    assert!(
        why.contains("however many there are, they carry no more than 130 requests a second"),
        "{why}"
    );
    let RecommendError::TooLittle { why, .. } = recommend(&of(1.0), &ask(), &Prices::embedded().unwrap()).unwrap_err()
    else {
        panic!("more carry no more")
    };
    assert!(
        why.contains("1 and more of them carry no more than 65.0 requests a second"),
        "{why}"
    );
    assert!(next.contains("what replicas share"), "{next}");

    let alone = self::told(&measured(), &ask());
    let words = "one replica was measured, and 7 are taken to carry as much each, extrapolated";
    assert!(warned(&alone, words), "{:?}", alone.warnings);
}

/// What a database takes is no more with more replicas.
#[test]
fn a_peak_above_what_was_full_beside_the_replicas_has_no_answer() {
    let bounded = Measured {
        ceiling: Some(390.0),
        ..measured()
    };
    let told = recommend(&bounded, &ask(), &Prices::embedded().unwrap()).unwrap_err();
    assert!(
        matches!(&told, RecommendError::TooLittle { why, .. } if why.contains("takes 254 requests a second with the headroom")),
        "{told:?}"
    );
}

/// Half a request a second: no rule of requests a second adds replicas in time.
#[test]
fn a_replica_below_the_smallest_concurrency_is_told() {
    let slow = Measured {
        passed: 0.8,
        failed: Some(0.85),
        in_flight: 1.2,
        ..measured()
    };
    let ask = Ask {
        peak: 10.0,
        base: None,
        ..ask()
    };
    let told = told(&slow, &ask);
    assert_eq!(told.limits.concurrency, 1);
    assert!(
        told.warnings
            .iter()
            .any(|one| one.text.contains("a rule counts no less than 1")),
        "{:?}",
        told.warnings
    );
}

#[test]
fn what_binds_the_fewest_replicas() {
    let of = |ask: Ask, measured: &Measured| {
        let told = told(measured, &ask);
        (told.limits.min, short(&told, Subject::MinReplicas).2.to_owned())
    };
    let base = ask();
    assert_eq!(
        of(
            Ask {
                at_least: 1,
                ..base.clone()
            },
            &measured()
        ),
        (1, "one replica".to_owned()).to_owned()
    );
    assert_eq!(
        of(
            Ask {
                at_least: 3,
                ..base.clone()
            },
            &measured()
        ),
        (3, "redundancy".to_owned())
    );
    // ceil(200 / 65).
    let busy = Ask {
        base: Some(200.0),
        ..base.clone()
    };
    assert_eq!(of(busy.clone(), &measured()), (4, "the base rate".to_owned()));
    // 200 x 3 x 38 / (100 x 39) = 5.85: six replicas leave a backlog that is served within a second.
    assert_eq!(
        of(
            Ask {
                burst: 3.0,
                ..busy.clone()
            },
            &measured()
        ),
        (6, "a burst, until more replicas serve".to_owned())
    );
    let streams = Measured {
        streams: Some(1000),
        ..measured()
    };
    assert_eq!(
        of(
            Ask {
                streams: Some(8001),
                ..base.clone()
            },
            &streams
        ),
        (9, "open streams".to_owned())
    );
    // With skew a replica is planned with less: 65 / 1.25 = 52.
    let skewed = Measured {
        skew: 1.25,
        ..measured()
    };
    assert_eq!(told(&skewed, &base).limits, Limits::new(2, 8, 52));
}

#[test]
fn what_binds_the_most_replicas() {
    let of = |ask: Ask| {
        let told = told(&measured(), &ask);
        let warned = told
            .warnings
            .iter()
            .any(|warning| warning.text.contains("are too few") || warning.text.contains("is too few"));
        (told.limits.max, short(&told, Subject::MaxReplicas).2.to_owned(), warned)
    };
    let bounded = |bounds| Ask { bounds, ..ask() };
    let connections = |most| {
        Some(Connections {
            most,
            reserved: 10,
            pool: 20,
        })
    };
    assert_eq!(of(ask()), (7, "the peak rate".to_owned(), false));
    let few = Bounds {
        connections: connections(100),
        ..Bounds::default()
    };
    assert_eq!(of(bounded(few)), (4, "connections of the database".to_owned(), true));
    let many = Bounds {
        connections: connections(1000),
        ..Bounds::default()
    };
    assert_eq!(of(bounded(many)).0, 7);
    assert_eq!(
        of(Ask {
            revisions: 2,
            ..bounded(few)
        })
        .0,
        2
    );
    let quota = Bounds {
        cores: Some(3.0),
        ..Bounds::default()
    };
    assert_eq!(of(bounded(quota)), (6, "the core quota".to_owned(), true));
    let budget = Bounds {
        budget: Some(200.0),
        ..Bounds::default()
    };
    assert_eq!(of(bounded(budget)), (5, "the budget".to_owned(), true));
    // 90 of the 100 that a replica sustains: one for the peak, one for when one is away.
    let small = Ask { peak: 60.0, ..ask() };
    assert_eq!(of(small), (2, "the peak rate with a replica away".to_owned(), false));
    assert_eq!(
        of(Ask {
            in_memory: true,
            ..ask()
        }),
        (1, "state in memory".to_owned(), true)
    );
    let none = bounded(Bounds {
        connections: connections(20),
        ..Bounds::default()
    });
    let error = recommend(&measured(), &none, &Prices::embedded().unwrap()).unwrap_err();
    assert!(
        matches!(&error, RecommendError::Wrong { text, .. } if text.contains("no room")),
        "{error}"
    );
}

#[test]
fn state_in_memory_is_one_replica_and_a_warning() {
    let told = told(
        &measured(),
        &Ask {
            in_memory: true,
            ..ask()
        },
    );
    assert_eq!((told.limits.min, told.limits.max), (1, 1));
    assert!(
        told.warnings[0].text.contains("keep their state in memory"),
        "{:?}",
        told.warnings
    );
}

#[test]
fn sizes_are_steps_of_a_quarter() {
    let of = |measured: Measured, size: Option<Size>| {
        let told = told(&measured, &Ask { size, ..ask() });
        (
            told.size.map(|size| (size.cpu, size.memory)),
            told.numbers
                .iter()
                .find(|one| one.subject == Subject::Cpu)
                .map(|one| one.binding.clone()),
        )
    };
    let small = Some(Size { cpu: 0.25, memory: 0.5 });
    let memory = |mib: u64| Measured {
        memory: Some(mib << 20),
        ..measured()
    };
    // 0.45 cores are more than 0.25.
    assert_eq!(of(measured(), small), (Some((0.5, 1.0)), Some("CPU time".into())));
    assert_eq!(of(measured(), None), (Some((0.5, 1.0)), Some("CPU time".into())));
    // 1.3 x 1000 MiB are 1.27 GiB: 0.75 vCPU.
    assert_eq!(of(memory(1000), small), (Some((0.75, 1.5)), Some("memory".into())));
    let large = Some(Size { cpu: 2.0, memory: 4.0 });
    assert_eq!(
        of(measured(), large),
        (Some((2.0, 4.0)), Some("what was measured".into()))
    );
    let bare = Measured {
        memory: None,
        cpu_s: None,
        ..measured()
    };
    assert_eq!(of(bare.clone(), None), (None, None));
    let unknown = told(&bare, &Ask { size: None, ..ask() });
    assert!(unknown.priced.is_none() && !unknown.az.contains("--cpu"));
    assert!(
        unknown
            .warnings
            .iter()
            .any(|warning| warning.text.contains("no size and no cost"))
    );
    let huge = told(&memory(10 << 10), &ask());
    assert_eq!(huge.size.map(|size| size.cpu), Some(4.0));
    assert!(
        huge.warnings
            .iter()
            .any(|warning| warning.text.contains("ask for 6.5 vCPU")),
        "{:?}",
        huge.warnings
    );
    // Streams need memory, too: 4000 on each of two, of 100 kB.
    let streams = Measured {
        streams: Some(5000),
        stream_memory: Some(100_000),
        ..measured()
    };
    let with = recommend(
        &streams,
        &Ask {
            streams: Some(8000),
            ..ask()
        },
        &Prices::embedded().unwrap(),
    )
    .unwrap();
    assert_eq!(with.size.map(|size| size.memory), Some(1.0));
    assert!(number(&with, Subject::Cpu).binding == "CPU time");
}

#[test]
fn too_little_data_says_what_to_run_next() {
    let limited = |limit: &str| Measured {
        limit: limit.into(),
        ..measured()
    };
    let cases = [
        limited("generator"),
        limited("connections"),
        limited("edge"),
        limited("database"),
        limited("replicas"),
        Measured {
            passed: 0.0,
            ..measured()
        },
        Measured {
            failed: None,
            ..measured()
        },
        Measured {
            failed: Some(90.0),
            ..measured()
        },
        Measured {
            failed: Some(200.0),
            ..measured()
        },
    ];
    let mut said = Vec::new();
    for case in cases {
        match recommend(&case, &ask(), &Prices::embedded().unwrap()) {
            Err(error @ RecommendError::TooLittle { .. }) => said.push(error.to_string()),
            other => panic!("{case:?}: {other:?}"),
        }
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn wrong_input_is_refused() {
    let cases = [
        Ask { peak: 0.0, ..ask() },
        Ask {
            base: Some(500.0),
            ..ask()
        },
        Ask { burst: 0.5, ..ask() },
        Ask { headroom: 1.5, ..ask() },
        Ask {
            patience_s: 0.0,
            ..ask()
        },
        Ask { at_least: 0, ..ask() },
        Ask {
            size: Some(Size { cpu: 0.0, memory: 1.0 }),
            ..ask()
        },
    ];
    for case in cases {
        let error = recommend(&measured(), &case, &Prices::embedded().unwrap()).unwrap_err();
        assert!(matches!(error, RecommendError::Wrong { .. }), "{case:?}: {error}");
    }
}

/// The deployment of the post, beside what one replica was found to sustain.
#[test]
fn the_posts_deployment_is_told_where_it_saturates() {
    let current = Current {
        limits: Limits::new(1, 5, super::super::scaler::DEFAULT_CONCURRENCY),
        size: Some(Size { cpu: 0.5, memory: 1.0 }),
    };
    let told = told(
        &measured(),
        &Ask {
            current: Some(current),
            streams: Some(100),
            ..ask()
        },
    );
    let today = told.today.as_ref().unwrap();
    let readings: Vec<_> = today.saturates.iter().map(|one| (one.reaches, one.exceeds)).collect();
    assert_eq!(
        (today.sustains, readings),
        (500.0, vec![(40.0, 50.0), (2000.0, 2500.0)])
    );
    let said: Vec<String> = told
        .warnings
        .iter()
        .map(|warning| format!("{}\n  -> {}", warning.text, warning.remedy))
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_long_drain_asks_for_a_longer_grace() {
    let slow = Measured {
        drain_s: Some(40.0),
        ..measured()
    };
    let told = told(&slow, &ask());
    assert!(told.az.ends_with("--termination-grace-period 60"), "{}", told.az);
    assert!(told.bicep.ends_with("param gracePeriod = 60"), "{}", told.bicep);
}

/// A crowd comes faster than replicas do.
#[test]
fn limits_that_lose_requests_under_traffic_say_so() {
    let crowd = |base: u32| {
        let text = format!("seconds,rate\n0,{base}\n60,{base}\n61,400\n300,400\n");
        Profile::csv("crowd", &text).unwrap()
    };
    let prices = Prices::embedded().unwrap();
    let recommended = told(&measured(), &ask());
    let warning = lost(&recommended, &crowd(20), &prices).unwrap();
    // Four replicas of 100 a second bear 400 without a wait.
    assert_eq!(
        warning.remedy,
        "raise min replicas to 4 before such traffic: then none is lost"
    );
    // From 200 a second on four replicas run already.
    assert_eq!(lost(&recommended, &crowd(200), &prices), None);
    let few = Bounds {
        cores: Some(1.5),
        ..Bounds::default()
    };
    let bound = told(&measured(), &Ask { bounds: few, ..ask() });
    let warning = lost(&bound, &crowd(20), &prices).unwrap();
    assert!(
        warning.remedy.starts_with("even 3 replicas from the start lose "),
        "{}",
        warning.remedy
    );
}

#[test]
fn streams_that_are_allowed_and_not_tried_count_for_nothing() {
    let allowed = Measured {
        streams_allowed: Some(20_000),
        ..measured()
    };
    let with = told(
        &allowed,
        &Ask {
            streams: Some(80_000),
            ..ask()
        },
    );
    assert_eq!(short(&with, Subject::MinReplicas).2, "redundancy");
    let warned = with
        .warnings
        .iter()
        .find(|one| one.text.contains("was not measured; it is set to allow 20,000"));
    assert!(
        warned.is_some_and(|one| one.remedy.contains("--streams N")),
        "{:?}",
        with.warnings
    );
}
