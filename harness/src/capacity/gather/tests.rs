use super::*;
use crate::{
    capacity::record::Bracket,
    load::{
        leg::Leg,
        record::{CurveRecord, OperationRecord},
    },
    report::load::sample as load_sample,
};

fn objective() -> ObjectiveRecord {
    ObjectiveRecord {
        latency: vec![(0.99, 60_000_000)],
        errors: None,
    }
}

/// A capacity run of so many replicas, with its bracket.
pub(super) fn capacity(replicas: u32, low: f64, high: f64) -> CapacityRecord {
    let text = include_str!("record.json");
    let mut record: CapacityRecord = serde_json::from_str(text).unwrap();
    let each = f64::from(replicas);
    record.replicas = replicas;
    record.objective = objective();
    record.bracket = Some(Bracket {
        low,
        high: Some(high),
        best: (low * high).sqrt(),
        confidence: 0.95,
        stages: 12,
        binding: "p99".to_owned(),
        limit: "latency".to_owned(),
        because: String::new(),
    });
    record.measured = Some(Measured {
        passed: low / each,
        failed: Some(high / each),
        limit: "latency".to_owned(),
        skew: 1.0,
        ..Measured::default()
    });
    record
}

/// A load run at one open rate, with this p99.
pub(super) fn load(rate: f64, p99: u64) -> LoadRecord {
    let mut record = load_sample::measured();
    record.workload.objective = None;
    let mut cell = record.cells[0].clone();
    cell.void = None;
    cell.arrivals = ArrivalsRecord::Constant {
        stages: vec![(rate, rate, 5.0)],
    };
    cell.sides.truncate(1);
    let side = &mut cell.sides[0];
    (side.leg, side.target, side.void) = (Leg::Grpc, 0, None);
    let curve = CurveRecord {
        count: 5_000,
        mean: Some(20_000_000.0),
        percentiles: vec![(0.99, p99)],
        ..CurveRecord::default()
    };
    let all: OperationRecord = OperationRecord {
        response: curve.clone(),
        service: curve,
        ..side.operations[0].clone()
    };
    side.operations.truncate(1);
    side.operations[0] = all;
    side.all = None;
    for round in &mut side.rounds {
        (round.failed, round.void) = (0, None);
    }
    record.cells = vec![cell];
    record.targets.truncate(1);
    record
}

#[test]
fn a_capacity_run_counts_and_others_are_named_beside_it() {
    let (bracket, passed) = (capacity(1, 145.0, 156.0), load(100.0, 40_000_000));
    let runs = [("a", Run::Capacity(&bracket)), ("b", Run::Load(&passed))];
    let gathered = gather(&runs, None, None).unwrap();
    let measured = gathered.measured.unwrap();
    assert_eq!((measured.passed, measured.failed), (145.0, Some(156.0)));
    assert_eq!(measured.from, ["a", "b"]);
    assert!(gathered.caveats.is_empty());
    assert!(gathered.next[0].contains("stocktake check"), "{:?}", gathered.next);
}

#[test]
fn a_load_run_that_says_otherwise_is_told() {
    let (bracket, missed) = (capacity(1, 145.0, 156.0), load(100.0, 90_000_000));
    let runs = [("a", Run::Capacity(&bracket)), ("b", Run::Load(&missed))];
    let gathered = gather(&runs, None, None).unwrap();
    assert!(
        gathered.caveats[0].text.contains("missed the objective at 100/s"),
        "{:?}",
        gathered.caveats
    );
}

#[test]
fn load_runs_alone_bracket_too_and_say_what_is_missing() {
    let (low, high) = (load(100.0, 40_000_000), load(200.0, 90_000_000));
    let runs = [("a", Run::Load(&low)), ("b", Run::Load(&high))];
    let measured = gather(&runs, Some(&objective()), Some(1)).unwrap().measured.unwrap();
    assert_eq!((measured.passed, measured.failed), (100.0, Some(200.0)));
    assert!((measured.service_s - 0.02).abs() < 1e-9);

    let only = gather(&runs[..1], Some(&objective()), Some(1)).unwrap();
    assert_eq!(only.measured.unwrap().failed, None);
    assert!(only.next[0].contains("not where it stops"), "{:?}", only.next);

    let none = gather(&runs[1..], Some(&objective()), Some(1)).unwrap();
    assert!(none.measured.is_none() && none.next[0].contains("stocktake capacity"));
}

#[test]
fn runs_of_one_kind_of_deployment_give_the_cautious_ends() {
    let (a, b) = (capacity(1, 145.0, 156.0), capacity(1, 149.0, 160.0));
    let gathered = gather(&[("a", Run::Capacity(&a)), ("b", Run::Capacity(&b))], None, None).unwrap();
    let measured = gathered.measured.unwrap();
    assert_eq!((measured.passed, measured.failed), (145.0, Some(160.0)));
    assert!(gathered.caveats.is_empty());

    let far = capacity(1, 300.0, 310.0);
    let gathered = gather(&[("a", Run::Capacity(&a)), ("b", Run::Capacity(&far))], None, None).unwrap();
    assert!(gathered.caveats[0].text.contains("do not agree"));
}

#[test]
fn brackets_of_several_numbers_of_replicas_are_kept_apart() {
    let (one, two) = (capacity(1, 145.0, 156.0), capacity(2, 300.0, 312.0));
    let gathered = gather(&[("2", Run::Capacity(&two)), ("1", Run::Capacity(&one))], None, None).unwrap();
    assert_eq!(gathered.brackets, [(2, 300.0, 312.0), (1, 145.0, 156.0)]);
    assert_eq!((gathered.replicas, gathered.measured.unwrap().passed), (1, 145.0));
}

/// Two that carry what one does share what limits: the rate of one says nothing of eight.
#[test]
fn where_replicas_share_something_each_of_more_counts() {
    let (one, two) = (capacity(1, 145.0, 156.0), capacity(2, 178.0, 186.0));
    let gathered = gather(&[("1", Run::Capacity(&one)), ("2", Run::Capacity(&two))], None, None).unwrap();
    let measured = gathered.measured.unwrap();
    assert_eq!((gathered.replicas, measured.passed), (2, 89.0));
    assert_eq!(measured.from, ["2", "1"]);
    let sharing = measured.sharing.unwrap();
    assert_eq!((sharing.at, sharing.most), (2, 2));
    // 2 x 150.4 / 182.0 - 1.
    assert!((sharing.sigma() - 0.653).abs() < 0.01, "{sharing:?}");
    assert!(
        gathered.caveats[0].text.starts_with("replicas share something"),
        "{:?}",
        gathered.caveats
    );

    // Read again as a run of its own, it knows that still.
    let mut again = one.clone();
    (again.replicas, again.bracket) = (2, None);
    again.measured = gather(&[("1", Run::Capacity(&one)), ("2", Run::Capacity(&two))], None, None)
        .unwrap()
        .measured;
    let read = gather(&[("3", Run::Capacity(&again))], None, None).unwrap();
    assert_eq!(read.measured.unwrap().sharing, Some(sharing));
    assert!(
        read.caveats[0].text.starts_with("replicas share something"),
        "{:?}",
        read.caveats
    );

    // What is not evident is not told.
    let two = capacity(2, 285.0, 300.0);
    let gathered = gather(&[("1", Run::Capacity(&one)), ("2", Run::Capacity(&two))], None, None).unwrap();
    let loss = gathered.measured.unwrap().sharing.unwrap().loss.unwrap();
    assert!(loss.sigma == 0.0 && loss.most > 0.09, "{loss:?}");
    assert!(gathered.caveats.is_empty(), "{:?}", gathered.caveats);
    // Of one number of replicas nothing is known.
    let gathered = gather(&[("1", Run::Capacity(&one))], None, None).unwrap();
    assert_eq!(gathered.measured.unwrap().sharing.unwrap().loss, None);
    // Two that carry less than one.
    let two = capacity(2, 100.0, 110.0);
    let gathered = gather(&[("1", Run::Capacity(&one)), ("2", Run::Capacity(&two))], None, None).unwrap();
    assert!(
        gathered.caveats[0]
            .text
            .starts_with("more replicas carry less: 2 carry 110/s"),
        "{:?}",
        gathered.caveats
    );
    // A load run on nobody knows how many of them is not held against them; on two of them it is.
    let missed = load(70.0, 90_000_000);
    let runs = [
        ("1", Run::Capacity(&one)),
        ("2", Run::Capacity(&two)),
        ("l", Run::Load(&missed)),
    ];
    assert_eq!(gather(&runs, None, None).unwrap().caveats.len(), 1);
    assert_eq!(gather(&runs, None, Some(2)).unwrap().caveats.len(), 2);
}

/// What a database takes bounds them all, however many there are.
#[test]
fn what_was_full_beside_the_replicas_is_a_ceiling() {
    let (one, mut two) = (capacity(1, 145.0, 156.0), capacity(2, 200.0, 204.0));
    two.measured = None;
    let bracket = two.bracket.as_mut().unwrap();
    bracket.limit = "database".to_owned();
    let gathered = gather(&[("1", Run::Capacity(&one)), ("2", Run::Capacity(&two))], None, None).unwrap();
    let measured = gathered.measured.unwrap();
    assert_eq!((measured.passed, measured.ceiling), (145.0, Some(200.0)));
    assert!(measured.from.contains(&"2".to_owned()));
    // A load run says nothing of it.
    let (low, high) = (load(100.0, 40_000_000), load(120.0, 90_000_000));
    let runs = [
        ("2", Run::Capacity(&two)),
        ("a", Run::Load(&low)),
        ("b", Run::Load(&high)),
    ];
    let loaded = gather(&runs, None, Some(2)).unwrap().measured.unwrap();
    assert_eq!((loaded.passed, loaded.ceiling), (50.0, Some(200.0)));
    assert_eq!(loaded.from, ["a", "b", "2"]);
    assert!(
        gathered.caveats[0].text.contains("by 2 the database takes 200/s"),
        "{:?}",
        gathered.caveats
    );
}

/// The rate that passed is the busiest replica's: of one that had half more than its share it says less.
#[test]
fn runs_are_compared_by_what_each_replica_carries() {
    let (mut skewed, even) = (capacity(1, 150.0, 165.0), capacity(1, 120.0, 125.0));
    skewed.measured.as_mut().unwrap().skew = 1.5;
    let gathered = gather(
        &[("a", Run::Capacity(&even)), ("b", Run::Capacity(&skewed))],
        None,
        None,
    )
    .unwrap();
    let measured = gathered.measured.unwrap();
    assert_eq!((measured.passed, measured.skew), (150.0, 1.5));
    assert!((measured.failed.unwrap() - 187.5).abs() < 1e-9);
}

#[test]
fn other_objectives_are_not_mixed() {
    let (a, mut b) = (capacity(1, 145.0, 156.0), capacity(2, 300.0, 312.0));
    b.objective.latency[0].1 = 1;
    let told = gather(&[("a", Run::Capacity(&a)), ("b", Run::Capacity(&b))], None, None).unwrap_err();
    assert!(told.contains("different objectives"), "{told}");
    let wanted = b.objective.clone();
    assert!(gather(&[("a", Run::Capacity(&a))], Some(&wanted), None).is_err());
}

/// What ten replicas carry together is no capacity of one.
#[test]
fn load_runs_alone_are_shared_out_over_the_replicas_that_are_told() {
    let (low, high) = (load(100.0, 40_000_000), load(120.0, 90_000_000));
    let runs = [("a", Run::Load(&low)), ("b", Run::Load(&high))];
    let two = gather(&runs, Some(&objective()), Some(2)).unwrap();
    let one = gather(&runs, Some(&objective()), Some(1)).unwrap().measured.unwrap();
    let measured = two.measured.unwrap();
    assert_eq!((measured.passed, measured.failed), (50.0, Some(60.0)));
    assert!(one.in_flight > 0.0 && (measured.in_flight - one.in_flight / 2.0).abs() < 1e-9);
    assert_eq!(two.replicas, 2);
    assert!(two.caveats[0].text.contains("taken for even"), "{:?}", two.caveats);

    let untold = gather(&runs, Some(&objective()), None).unwrap();
    assert!(untold.measured.is_none());
    assert!(
        untold.caveats[0].remedy.contains("--replicas N"),
        "{:?}",
        untold.caveats
    );
    assert!(untold.next[0].contains("--replicas N"), "{:?}", untold.next);
}

#[test]
fn replicas_are_told_of_load_runs_alone() {
    let (bracket, missed) = (capacity(2, 290.0, 300.0), load(200.0, 90_000_000));
    let error = gather(&[("a", Run::Capacity(&bracket))], None, Some(2)).unwrap_err();
    assert!(error.contains("--replicas"), "{error}");
    // 200/s on two replicas are less than the 145 that each sustains; on one they are not.
    let runs = [("a", Run::Capacity(&bracket)), ("b", Run::Load(&missed))];
    assert_eq!(gather(&runs, None, Some(2)).unwrap().caveats.len(), 1);
    assert_eq!(gather(&runs, None, Some(1)).unwrap().caveats.len(), 0);
}

/// The bracket of a full edge would tell of the edge.
#[test]
fn a_bracket_of_something_else_than_the_replicas_predicts_nothing() {
    let (one, two) = (capacity(1, 145.0, 156.0), capacity(2, 300.0, 312.0));
    let edge = CapacityRecord { measured: None, ..two };
    let gathered = gather(&[("1", Run::Capacity(&one)), ("2", Run::Capacity(&edge))], None, None).unwrap();
    assert_eq!(gathered.brackets, [(1, 145.0, 156.0)]);
}

#[test]
fn rates_of_two_legs_are_not_put_together() {
    let mut both = load(100.0, 40_000_000);
    let mut rest = both.cells[0].sides[0].clone();
    rest.leg = Leg::RestH1;
    both.cells[0].sides.push(rest);
    let error = gather(&[("a", Run::Load(&both))], Some(&objective()), Some(1)).unwrap_err();
    assert!(error.contains("several protocol variants"), "{error}");
    // Beside a capacity run its leg counts.
    let bracket = capacity(1, 145.0, 156.0);
    let runs = [("a", Run::Capacity(&bracket)), ("b", Run::Load(&both))];
    assert_eq!(gather(&runs, None, None).unwrap().measured.unwrap().from, ["a", "b"]);
}
