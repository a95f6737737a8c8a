use super::*;
use crate::{
    compare::sample::{open, steady},
    load::{
        leg::Leg,
        record::{ArrivalsRecord, GeneratorRecord, LOAD_VERSION, LoadResult, LoadTarget, LoadVerdict, WorkloadRecord},
    },
    verify::record::HostRecord,
};

/// A run with one leg of such a mean time, in milliseconds.
fn run(id: &str, time: f64) -> LoadRecord {
    LoadRecord {
        load_version: LOAD_VERSION,
        command: "load".to_owned(),
        run_id: id.to_owned(),
        started: "2026-11-27T02:00:00Z".to_owned(),
        elapsed_ms: 120_000,
        targets: vec![LoadTarget {
            name: "target".to_owned(),
            address: format!("built-in service http://127.0.0.1:4{}", id.len()),
            descriptors: "reflection v1".to_owned(),
            loopback: true,
            cold_start_ms: None,
        }],
        workload: WorkloadRecord {
            id: "reads".to_owned(),
            name: "reads".to_owned(),
            file: "embedded".to_owned(),
            sha256: "ab".repeat(32),
            seed: 1,
            operations: Vec::new(),
            claim: None,
            objective: None,
        },
        host: HostRecord {
            stocktake: "0.1.0".to_owned(),
            system: "linux x86_64".to_owned(),
            cpus: 2,
        },
        generator: GeneratorRecord {
            threads: 1,
            processor: None,
            kernel: None,
            bare_wait_p99: None,
        },
        options: vec![("rounds".to_owned(), "12".to_owned())],
        cells: vec![open("c1", vec![steady(Leg::Grpc, 0, time * 1e6, 12)])],
        comparisons: Vec::new(),
        residue: Vec::new(),
        caveats: Vec::new(),
        verdict: LoadVerdict {
            result: LoadResult::Measured,
            exit_code: 0,
            sentence: "measured".to_owned(),
            complete: true,
        },
    }
}

/// Six runs that differ by a few percent.
fn base() -> Vec<LoadRecord> {
    let times = [1.0, 1.02, 0.99, 1.01, 0.985, 1.03];
    let named = times.iter().enumerate();
    named.map(|(i, time)| run(&format!("base{i}"), *time)).collect()
}

fn judged(base: &[LoadRecord], new: &LoadRecord) -> StoredComparison {
    let names: Vec<String> = (0..base.len()).map(|i| format!("runs/{i}")).collect();
    let base: Vec<StoredRun> = base
        .iter()
        .zip(&names)
        .map(|(record, name)| StoredRun { name, record })
        .collect();
    let new = StoredRun {
        name: "runs/new",
        record: new,
    };
    compare(&base, new, &Minimum::default())
}

#[test]
fn a_run_like_the_others_is_no_regression_and_a_slow_one_is() {
    let same = judged(&base(), &run("new", 1.015));
    assert_eq!(
        (same.verdict, same.used.len(), same.rows.len()),
        (Verdict::NoRegression, 6, 5)
    );
    assert!(
        same.sentence
            .starts_with("no regression found beside 6 BASE runs; it would have been at least 4 times in 5 with "),
        "{}",
        same.sentence
    );

    let slow = judged(&base(), &run("new", 1.5));
    assert_eq!(slow.verdict, Verdict::Regression);
    assert!(
        slow.sentence
            .starts_with("the new run is worse: median response time of grpc in c1: 49 % more where "),
        "{}",
        slow.sentence
    );

    let fast = judged(&base(), &run("new", 0.6));
    assert_eq!(fast.verdict, Verdict::NoRegression);
    assert!(
        fast.sentence
            .contains("; better: median response time of grpc in c1: 40 % less"),
        "{}",
        fast.sentence
    );
}

/// Of {1, 1.02, 0.99, 1.01, 0.985, 1.03}, on the log scale: mean 0.005697, deviation 0.017323; t(5, 0.975) = 2.570582, so the
/// reach is 2.570582 * 0.017323 * sqrt(7/6) = 0.048098.
#[test]
fn the_interval_is_that_of_one_more_run() {
    let found = judged(&base(), &run("new", 1.0));
    let mean = found.rows.iter().find(|row| row.measure == Measure::Mean);
    let (low, high) = mean.and_then(|row| row.expected).unwrap_or_default();
    assert!(
        (high.ln() - 0.048_098).abs() < 2e-5 && (low * high - 1.0).abs() < 1e-12,
        "{low} {high}"
    );
}

#[test]
fn fewer_than_five_runs_say_nothing_and_say_what_to_run() {
    let few = judged(&base()[..4], &run("new", 9.0));
    assert_eq!((few.verdict, few.rows.len()), (Verdict::Inconclusive, 0));
    insta::assert_snapshot!(few.sentence, @"inconclusive: 4 of 4 BASE runs can be used, 5 are needed, because two runs differ by more than what changed between them; run `stocktake load --workload reads` on the old state once more on this host (linux x86_64, 2 cpus) with the same options; or judge both in one run, `stocktake load NEW --against OLD`");
    assert_eq!(judged(&base()[..1], &run("new", 9.0)).verdict, Verdict::Inconclusive);
    assert_eq!(judged(&base()[..5], &run("new", 9.0)).verdict, Verdict::Regression);
}

#[test]
fn runs_of_another_kind_are_set_aside_with_the_reason() {
    let mut odd: Vec<LoadRecord> = (0..10).map(|i| run(&format!("odd{i}"), 1.0)).collect();
    odd[0].workload.sha256 = "cd".repeat(32);
    odd[1].host.cpus = 8;
    odd[2].generator.processor = Some("another one".to_owned());
    odd[3].options[0].1 = "20".to_owned();
    odd[4].verdict.complete = false;
    odd[5].cells[0].connections = 16;
    odd[6].targets[0].loopback = false;
    odd[7].cells.clear();
    odd[8] = run("new", 1.0);
    odd[9] = base()[0].clone();
    let mut all = base();
    all.extend(odd);
    let found = judged(&all, &run("new", 1.0));
    assert_eq!(found.used.len(), 6);
    let told: Vec<String> = found
        .set_aside
        .iter()
        .map(|(name, why)| format!("{name} {why}"))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    runs/6 has another workload: reads (cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd), the new run has reads (abababababababababababababababababababababababababababababababab)
    runs/7 has another number of processors: 8, the new run has 2
    runs/8 has another processor: another one, the new run has one without a name
    runs/9 has another set of options: rounds = 20, the new run has rounds = 12
    runs/10 was interrupted
    runs/11 has other cells: arrivals, connections, seconds or factors differ
    runs/12 has another set of targets: target elsewhere, the new run has target on this machine
    runs/13 has no measured side
    runs/14 is the new run itself
    runs/15 is the same run as runs/0
    ");
}

#[test]
fn runs_at_shares_of_their_own_saturation_never_compare_and_say_why() {
    let at = |rate: f64, mut run: LoadRecord| {
        run.cells[0].arrivals = ArrivalsRecord::Poisson {
            stages: vec![(rate, rate, 5.0)],
        };
        run
    };
    let rates = [812.5, 790.25, 801.0, 799.75, 822.0, 805.5];
    let base: Vec<LoadRecord> = rates.iter().zip(base()).map(|(rate, run)| at(*rate, run)).collect();
    let found = judged(&base, &at(810.0, run("new", 1.0)));
    assert!(found.used.is_empty());
    insta::assert_snapshot!(found.set_aside[0].1, @"has other rates: those of its workload are shares of a saturation that each run measures anew, so stored runs of it never compare; give a fixed rate");
    insta::assert_snapshot!(found.sentence, @"inconclusive: 0 of 6 BASE runs can be used, 5 are needed, and runs of this workload never compare: its rates are shares of a saturation that each run measures anew; give it a fixed rate and run both states with that, or judge both in one run, `stocktake load NEW --against OLD`");
    // Other seconds are another cell.
    let mut longer = at(810.0, run("new", 1.0));
    longer.cells[0].measured_s += 1.0;
    let found = judged(&base, &longer);
    assert!(
        found.set_aside[0].1.starts_with("has other cells"),
        "{:?}",
        found.set_aside
    );
}

#[test]
fn a_new_run_that_is_not_whole_or_has_a_void_side_is_not_called_good() {
    let mut new = run("new", 1.0);
    new.verdict.complete = false;
    let found = judged(&base(), &new);
    assert_eq!(
        (found.verdict, found.sentence.as_str()),
        (Verdict::Inconclusive, "inconclusive: the new run was interrupted")
    );

    let mut new = run("new", 1.0);
    new.cells[0].sides[0].void = Some("no answer".to_owned());
    assert_eq!(judged(&base(), &new).verdict, Verdict::Inconclusive);

    let mut new = run("new", 1.0);
    for round in &mut new.cells[0].sides[0].rounds[..6] {
        round.void = Some("late".to_owned());
    }
    assert_eq!(judged(&base(), &new).verdict, Verdict::Inconclusive);

    // A side that BASE does not have.
    let mut new = run("new", 1.0);
    new.cells[0].sides.push(steady(Leg::RestH1, 0, 1e6, 12));
    let found = judged(&base(), &new);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(
        found.sentence.contains("median response time of rest-h1 in c1"),
        "{}",
        found.sentence
    );
}

#[test]
fn base_runs_that_do_not_scatter_prove_nothing_by_time_and_much_by_bytes() {
    let still: Vec<LoadRecord> = (0..6).map(|i| run(&format!("base{i}"), 1.0)).collect();
    let slow = judged(&still, &run("new", 1.5));
    assert_eq!(slow.verdict, Verdict::Inconclusive, "{slow:?}");
    assert_eq!(judged(&still, &run("new", 1.0)).verdict, Verdict::NoRegression);

    let mut fat = run("new", 1.0);
    for round in &mut fat.cells[0].sides[0].rounds {
        round.bytes = (500.0, 500.0);
    }
    let found = judged(&still, &fat);
    assert_eq!(found.verdict, Verdict::Regression);
    assert!(
        found
            .sentence
            .contains("bytes per request of grpc in c1: 2.00 times as much"),
        "{}",
        found.sentence
    );
}

#[test]
fn records_with_odd_numbers_are_no_panic_and_no_verdict() {
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut new = run("new", 1.0);
        for round in &mut new.cells[0].sides[0].rounds {
            (round.mean, round.throughput, round.server_cpu_us) = (Some(bad), bad, Some(bad));
        }
        assert_eq!(judged(&base(), &new).verdict, Verdict::Inconclusive, "{bad}");
        assert_eq!(
            judged(&vec![new; 6], &run("other", 1.0)).verdict,
            Verdict::Inconclusive,
            "{bad}"
        );
    }
}

/// One more run of six others is called worse in at most 5 of 100 cases, and not never.
#[test]
fn a_run_without_a_change_is_called_another_about_as_often_as_promised() {
    let scatter = |seed: u64| {
        // The sum of twelve uniform numbers is as good as normal here.
        let mut state = seed;
        let sum: f64 = (0..12)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f64 / (1u64 << 24) as f64
            })
            .sum();
        (0.03 * (sum - 6.0)).exp()
    };
    let mut wrong = 0;
    for seed in 0..300u64 {
        let at = |i: u64| scatter((seed * 7 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let base: Vec<LoadRecord> = (0..6).map(|i| run(&format!("base{i}"), at(i))).collect();
        let found = judged(&base, &run("new", at(6)));
        wrong += usize::from(found.rows.iter().any(|row| row.finding != Finding::NoDifference));
    }
    // Four measures that move together are adjusted for four, so it is rather 2 % than 5 %.
    assert!((1..=15).contains(&wrong), "{wrong} of 300");
}
