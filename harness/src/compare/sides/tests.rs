use super::*;
use crate::{
    compare::sample::{Values, closed, open, side, steady},
    load::leg::Leg,
};

const GRPC: SideName = SideName {
    leg: Leg::Grpc,
    target: 0,
};

fn findings(cells: &[CellRecord]) -> Vec<(Measure, Finding)> {
    comparisons(cells).iter().map(|c| (c.measure, c.finding)).collect()
}

#[test]
fn every_leg_stands_against_grpc_and_above_one_it_is_slower() {
    let sides = vec![
        steady(Leg::RestH1, 0, 3e6, 12),
        steady(Leg::Grpc, 0, 1e6, 12),
        steady(Leg::RestH2, 0, 2e6, 12),
    ];
    let found = comparisons(&[open("c1", sides)]);
    let median: Vec<_> = found.iter().filter(|c| c.measure == Measure::P50).collect();
    assert_eq!(found.len(), 10);
    assert!(found.iter().all(|c| c.base == GRPC && c.pairs == 12 && c.cell == "c1"));
    assert_eq!(
        median.iter().map(|c| c.other.leg).collect::<Vec<_>>(),
        [Leg::RestH1, Leg::RestH2]
    );
    for (comparison, expected) in median.iter().zip([3.0, 2.0]) {
        let (low, high) = comparison.interval.unwrap_or_default();
        assert!(low < expected && expected < high && high - low < 0.1, "{comparison:?}");
        assert_eq!(comparison.finding, Finding::More);
    }
}

#[test]
fn a_closed_loop_is_compared_by_throughput_and_not_by_percentiles() {
    let cell = closed(
        "c1",
        vec![steady(Leg::Grpc, 0, 1e6, 10), steady(Leg::RestH1, 0, 2e6, 10)],
    );
    assert_eq!(
        findings(&[cell]),
        [
            (Measure::Throughput, Finding::Less),
            (Measure::Mean, Finding::More),
            (Measure::ServerCpu, Finding::More),
            (Measure::Bytes, Finding::NoDifference)
        ]
    );
}

#[test]
fn with_two_targets_the_new_one_stands_against_the_old_one_on_each_leg() {
    let sides = vec![
        steady(Leg::Grpc, 0, 1e6, 12),
        steady(Leg::RestH1, 0, 3e6, 12),
        steady(Leg::Grpc, 1, 1e6, 12),
        steady(Leg::RestH1, 1, 4e6, 12),
    ];
    let found = comparisons(&[open("c1", sides)]);
    let names: Vec<_> = found.iter().map(|c| (c.base, c.other)).collect();
    let expected = [Leg::Grpc, Leg::RestH1].map(|leg| (SideName { leg, target: 0 }, SideName { leg, target: 1 }));
    assert_eq!(names[..5], [expected[0]; 5]);
    assert_eq!(names[5..], [expected[1]; 5]);
    assert_eq!(found[0].finding, Finding::NoDifference, "{found:?}");
    assert_eq!(found[5].finding, Finding::More, "{found:?}");
}

#[test]
fn rounds_are_paired_by_their_block_and_a_void_one_takes_its_pair_along() {
    let times = |factor: f64| (1..=12).map(move |block| Values::of_time(f64::from(block) * factor));
    let mut base = side(Leg::Grpc, 0, times(1e6));
    let mut other = side(Leg::RestH1, 0, times(2e6));
    other.rounds.reverse();
    other.rounds[0].void = Some("the generator was late".to_owned());
    base.rounds[3].mean = None;
    base.rounds[4].mean = Some(f64::NAN);
    base.rounds.remove(0);
    let found = pairs(&base, &other, Measure::Mean);
    assert_eq!((found.void, found.missing, found.values.len()), (2, 2, 8));
    for (base, other) in &found.values {
        assert!((other / base - 2.0).abs() < 1e-9);
    }
}

#[test]
fn values_that_are_missing_often_are_no_chance() {
    let mut base = steady(Leg::Grpc, 0, 1e6, 40);
    let other = steady(Leg::RestH1, 0, 1e6, 40);
    for missing in [4, 5] {
        for round in &mut base.rounds[..missing] {
            round.p99 = None;
        }
        let judged = pairs(&base, &other, Measure::P99).judge();
        assert_eq!(judged.is_ok(), missing == 4, "{judged:?}");
    }
}

#[test]
fn a_block_with_two_rounds_of_a_side_counts_once() {
    let mut base = steady(Leg::Grpc, 0, 1e6, 10);
    let twin = crate::compare::sample::round(0, Values::of_time(4e6));
    base.rounds[0].mean = Some(1e6);
    base.rounds.push(twin);
    let found = pairs(&base, &steady(Leg::RestH1, 0, 1e6, 10), Measure::Mean);
    assert_eq!(found.values.len(), 10);
    assert!(
        (found.values[0].0 - 2e6).abs() < 1e-3,
        "the geometric mean of 1 and 4 ms"
    );
}

#[test]
fn what_was_not_measured_is_not_compared_and_few_pairs_or_a_void_side_give_no_finding() {
    let mut few = open("c1", vec![steady(Leg::Grpc, 0, 1e6, 9), steady(Leg::RestH1, 0, 9e6, 9)]);
    for side in &mut few.sides {
        for round in &mut side.rounds {
            round.p99 = None;
            round.server_cpu_us = None;
        }
    }
    let expected = [Measure::P50, Measure::Mean, Measure::Bytes];
    assert_eq!(
        findings(std::slice::from_ref(&few)),
        expected.map(|m| (m, Finding::TooFew))
    );

    let mut void = open(
        "c2",
        vec![steady(Leg::Grpc, 0, 1e6, 12), steady(Leg::RestH1, 0, 9e6, 12)],
    );
    void.sides[1].void = Some("no answer".to_owned());
    let found = comparisons(&[few.clone(), void]);
    let of_void: Vec<_> = found.iter().filter(|c| c.cell == "c2").collect();
    assert!(
        of_void.len() == 5
            && of_void
                .iter()
                .all(|c| c.finding == Finding::Void && c.pairs == 0 && c.ratio.is_none())
    );

    few.void = Some("saturated".to_owned());
    assert!(comparisons(&[few]).iter().all(|c| c.finding == Finding::Void));
    assert!(comparisons(&[]).is_empty() && comparisons(&[open("c1", Vec::new())]).is_empty());
    assert!(comparisons(&[open("c1", vec![steady(Leg::Grpc, 0, 1e6, 12)])]).is_empty());
}

#[test]
fn bytes_that_stand_still_are_a_fact_and_no_test() {
    let mut cell = open(
        "c1",
        vec![steady(Leg::Grpc, 0, 1e6, 10), steady(Leg::RestH1, 0, 1e6, 10)],
    );
    for round in &mut cell.sides[1].rounds {
        round.bytes = (250.0, 500.0);
    }
    let found = comparisons(&[cell]);
    let bytes = found.iter().find(|c| c.measure == Measure::Bytes);
    let told = bytes.map(|c| (c.finding, c.p_adjusted, c.ratio.map(|r| (r * 1000.0).round())));
    assert_eq!(told, Some((Finding::More, None, Some(1500.0))));
    assert_eq!(found.iter().filter(|c| c.p_adjusted.is_some()).count(), 4);
}

#[test]
fn more_comparisons_ask_for_more() {
    let cell = |id: &str| open(id, vec![steady(Leg::Grpc, 0, 1e6, 10), steady(Leg::RestH1, 0, 1e6, 10)]);
    let detectable = |cells: &[CellRecord]| comparisons(cells)[0].detectable;
    let (one, many) = (
        detectable(&[cell("c1")]),
        detectable(&[cell("c1"), cell("c2"), cell("c3")]),
    );
    assert!(one > Some(1.0) && many > one, "{one:?} {many:?}");
}
