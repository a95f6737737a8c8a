//! Where a difference between gRPC and REST comes from: what each step from one leg to the next costs by itself.
//!
//! `grpc -> rest-h2 -> rest-h1 -> rest-h1-close`: each step changes one thing. The ratios of the three multiply to that of the whole
//! way. They are shown with intervals; they are no tests and belong to no family.

use super::sides::{judged, measures, usable};
use crate::load::{
    leg::Leg,
    record::{CellRecord, Measure, SideName},
};

/// One step of the way from gRPC to REST with a connection for each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Protobuf and gRPC's framing against JSON and plain HTTP/2, on connections that are shared alike.
    Encoding,
    /// HTTP/2 against HTTP/1.1, both with JSON: one call at a time on each connection.
    Transport,
    /// Connections that are kept against one for each request.
    Reuse,
}

impl Step {
    /// All of them, on the way.
    pub const ALL: [Step; 3] = [Step::Encoding, Step::Transport, Step::Reuse];

    /// Before and after it: the ratio is after / before.
    pub fn legs(self) -> (Leg, Leg) {
        match self {
            Step::Encoding => (Leg::Grpc, Leg::RestH2),
            Step::Transport => (Leg::RestH2, Leg::RestH1),
            Step::Reuse => (Leg::RestH1, Leg::RestH1Close),
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Step::Encoding => "encoding and framing",
            Step::Transport => "transport",
            Step::Reuse => "connection reuse",
        }
    }
}

/// What one step costs by one measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Which step.
    pub step: Step,
    /// By what.
    pub measure: Measure,
    /// Pairs of rounds that it stands on.
    pub pairs: usize,
    /// Geometric mean of after / before.
    pub ratio: f64,
    /// Its 95 % interval.
    pub interval: (f64, f64),
}

/// The steps of a cell whose two legs were measured on a target, by each measure that has enough pairs.
pub fn parts(cell: &CellRecord, target: usize) -> Vec<Part> {
    let mut parts = Vec::new();
    for step in Step::ALL {
        let (before, after) = step.legs();
        let name = |leg| SideName { leg, target };
        if usable(cell, name(before)).is_none() || usable(cell, name(after)).is_none() {
            continue;
        }
        for measure in measures(cell) {
            if let Some(Ok(paired)) = judged(cell, name(before), name(after), *measure) {
                parts.push(Part {
                    step,
                    measure: *measure,
                    pairs: paired.pairs,
                    ratio: paired.ratio,
                    interval: paired.interval,
                });
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::sample::{open, steady};

    fn cell(legs: &[(Leg, f64)]) -> CellRecord {
        open(
            "c1",
            legs.iter().map(|(leg, time)| steady(*leg, 0, *time, 12)).collect(),
        )
    }

    fn means(cell: &CellRecord) -> Vec<(Step, f64)> {
        let of_mean = parts(cell, 0).into_iter().filter(|part| part.measure == Measure::Mean);
        of_mean.map(|part| (part.step, part.ratio)).collect()
    }

    #[test]
    fn the_steps_multiply_to_the_whole_way() {
        let times = [
            (Leg::Grpc, 1e6),
            (Leg::RestH1, 2.4e6),
            (Leg::RestH2, 2e6),
            (Leg::RestH1Close, 6e6),
        ];
        let cell = cell(&times);
        let found = means(&cell);
        assert_eq!(found.iter().map(|(step, _)| *step).collect::<Vec<_>>(), Step::ALL);
        for ((step, ratio), expected) in found.iter().zip([2.0, 1.2, 2.5]) {
            assert!((ratio / expected - 1.0).abs() < 0.02, "{step:?} {ratio}");
        }
        let name = |leg| SideName { leg, target: 0 };
        let whole = judged(&cell, name(Leg::Grpc), name(Leg::RestH1Close), Measure::Mean);
        let product: f64 = found.iter().map(|(_, ratio)| ratio).product();
        assert!(whole.is_some_and(|whole| whole.is_ok_and(|whole| (whole.ratio / product - 1.0).abs() < 1e-9)));
    }

    #[test]
    fn a_step_without_its_legs_or_with_few_pairs_is_left_out() {
        let mut some = cell(&[(Leg::Grpc, 1e6), (Leg::RestH2, 2e6), (Leg::RestH1Close, 6e6)]);
        assert_eq!(means(&some).len(), 1);
        assert_eq!(parts(&some, 1), Vec::new(), "no such target");
        some.sides[1].rounds.truncate(9);
        assert_eq!(parts(&some, 0), Vec::new());
        some.void = Some("saturated".to_owned());
        assert_eq!(parts(&some, 0), Vec::new());
    }
}
