//! What a run has to hold and whether it did: objectives, the old target against the new one, and a claim. Pure.

use super::{comparison, sides, words};
use crate::{
    load::record::{CellRecord, ClaimRecord, ComparisonRecord, Finding, LoadRecord, Measure, SideRecord},
    report::text,
};

/// One limit for one side of one cell.
#[derive(Clone, Debug)]
pub struct Objective {
    /// The cell, in words.
    pub cell: String,
    /// The side, in words.
    pub side: String,
    /// `p99 of the response time at most 5.00 ms`.
    pub says: String,
    /// What was measured, or why it was not.
    pub measured: String,
    /// Whether it holds; `None` where that cannot be said.
    pub held: Option<bool>,
}

/// Why a latency is not judged where the next request waits for an answer.
const CLOSED: &str = "a closed loop hides the wait in line; give arrivals by rate";

/// Every limit, for every side of every cell; those that do not hold first, then those that could not be judged.
pub fn objectives(record: &LoadRecord) -> Vec<Objective> {
    let mut all: Vec<Objective> = record.cells.iter().flat_map(|cell| of_cell(record, cell)).collect();
    all.sort_by_key(|of| match of.held {
        Some(false) => 0,
        None => 1,
        Some(true) => 2,
    });
    all
}

/// Every limit, for every side of one cell.
pub fn of_cell(record: &LoadRecord, cell: &CellRecord) -> Vec<Objective> {
    cell.sides.iter().flat_map(|side| of_side(record, cell, side)).collect()
}

fn of_side(record: &LoadRecord, cell: &CellRecord, side: &SideRecord) -> Vec<Objective> {
    let Some(objective) = &record.workload.objective else {
        return Vec::new();
    };
    let void = words::void(cell, side).map(|why| format!("void: {why}"));
    let judged = |says: String, measured: Option<(String, bool)>, missing: &str| {
        let (measured, held) = match measured {
            Some((measured, held)) => (measured, Some(held)),
            None => (missing.to_owned(), None),
        };
        Objective {
            cell: words::cell(record, cell),
            side: words::side(record, words::name_of(side)),
            says,
            measured,
            held,
        }
    };
    let latencies = objective.latency.iter().map(|(q, limit)| {
        let found = sides::overall(side).and_then(|all| all.response.at(*q));
        let missing = match &void {
            Some(void) => void,
            None if words::is_closed(&cell.arrivals) => CLOSED,
            None => sides::TOO_FEW,
        };
        let usable = void.is_none() && !words::is_closed(&cell.arrivals);
        judged(
            format!(
                "{} of the response time at most {}",
                text::percentile(*q),
                text::latency(*limit)
            ),
            found
                .filter(|_| usable)
                .map(|found| (text::latency(found), found <= *limit)),
            missing,
        )
    });
    let errors = objective.errors.iter().map(|limit| {
        // Failures may be what made a side void: they count all the same.
        let found = sides::error_share_of(&side.rounds);
        judged(
            format!("at most {} of the requests fail", text::percent(*limit)),
            found.map(|found| (text::percent(found), found <= *limit)),
            "no request ended",
        )
    });
    latencies.chain(errors).collect()
}

/// `6 of 18 held, 4 not held, 8 not judged`.
pub fn held(objectives: &[Objective]) -> String {
    let n = |held| {
        let found = objectives.iter().filter(|of| of.held == held);
        text::count(found.count() as u64)
    };
    let (held, failed, open) = (n(Some(true)), n(Some(false)), n(None));
    let all = text::count(objectives.len() as u64);
    format!("{held} of {all} held, {failed} not held, {open} not judged")
}

/// Comparisons of the old target with the new one.
pub fn regressions(record: &LoadRecord) -> impl Iterator<Item = &ComparisonRecord> {
    record
        .comparisons
        .iter()
        .filter(|comparison| comparison.base.target != comparison.other.target)
}

/// Whether the other side is found to be worse than the base.
pub fn is_worse(of: &ComparisonRecord) -> bool {
    matches!(
        (of.finding, of.measure.more_is_better()),
        (Finding::More, false) | (Finding::Less, true)
    )
}

/// Whether the other side is found to be better than the base.
pub fn is_better(of: &ComparisonRecord) -> bool {
    matches!(
        (of.finding, of.measure.more_is_better()),
        (Finding::Less, false) | (Finding::More, true)
    )
}

/// How a measured ratio stands to a claim of "from … to … times".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The whole interval lies at or above the smallest ratio that is claimed.
    Holds,
    /// The whole interval lies above the largest: it holds, and more.
    More,
    /// The whole interval lies below the smallest.
    Less,
    /// The smallest lies inside the interval.
    Open,
    /// There is no interval.
    NotMeasured,
}

impl Claimed {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Claimed::Holds => "as claimed",
            Claimed::Less => "less than claimed",
            Claimed::More => "more than claimed",
            Claimed::Open => "cannot be told",
            Claimed::NotMeasured => "not measured",
        }
    }
}

/// The claim in one cell by one measure.
#[derive(Clone, Debug)]
pub struct ClaimRow {
    /// The cell, in words.
    pub cell: String,
    /// By what.
    pub measure: Measure,
    /// How many times faster the faster leg is.
    pub ratio: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// How that stands to the claim.
    pub claimed: Claimed,
}

/// The claim of the workload in each cell, by what a cell is about: the median response time or, where the next request waits
/// for an answer, the throughput. An open loop sends as much to a slow target as to a fast one.
pub fn claim(record: &LoadRecord) -> Vec<ClaimRow> {
    let Some(claim) = &record.workload.claim else {
        return Vec::new();
    };
    let places = comparison::places(record);
    let cell = |of: &ComparisonRecord| record.cells.get(*places.get(of.cell.as_str())?);
    let headline = |of: &&ComparisonRecord| {
        let closed = cell(of).is_some_and(|cell| words::is_closed(&cell.arrivals));
        of.measure == if closed { Measure::Throughput } else { Measure::P50 }
    };
    let mut found: Vec<&ComparisonRecord> = record.comparisons.iter().filter(headline).collect();
    found.sort_by_key(|of| places.get(of.cell.as_str()));
    found
        .into_iter()
        .filter_map(|of| claim_row(record, claim, of))
        .collect()
}

/// `6 less than claimed, 2 cannot be told`.
pub fn claimed(rows: &[ClaimRow]) -> String {
    let all = [
        Claimed::Holds,
        Claimed::Less,
        Claimed::More,
        Claimed::Open,
        Claimed::NotMeasured,
    ];
    let counts = all.into_iter().filter_map(|claimed| {
        let n = rows.iter().filter(|row| row.claimed == claimed).count() as u64;
        (n > 0).then(|| format!("{} {}", text::count(n), claimed.words()))
    });
    counts.collect::<Vec<_>>().join(", ")
}

fn claim_row(record: &LoadRecord, claim: &ClaimRecord, of: &ComparisonRecord) -> Option<ClaimRow> {
    let slower_above = match (of.base.leg, of.other.leg) {
        _ if of.base.target != of.other.target => return None,
        (base, other) if (base, other) == (claim.faster, claim.slower) => true,
        (base, other) if (base, other) == (claim.slower, claim.faster) => false,
        _ => return None,
    };
    // "Times faster" is the slower one's time over the faster one's, or the faster one's throughput over the slower one's.
    let turn = slower_above == of.measure.more_is_better();
    let usable = !matches!(of.finding, Finding::Void | Finding::TooFew);
    let ratio = of.ratio.filter(|_| usable);
    let interval = of.interval.filter(|_| usable);
    let (ratio, interval) = if turn {
        (
            ratio.map(|ratio| 1.0 / ratio),
            interval.map(|(from, to)| (1.0 / to, 1.0 / from)),
        )
    } else {
        (ratio, interval)
    };
    let (least, most) = claim.ratio;
    let claimed = match interval {
        None => Claimed::NotMeasured,
        Some((_, to)) if to < least => Claimed::Less,
        Some((from, _)) if from < least => Claimed::Open,
        Some((from, _)) if from > most => Claimed::More,
        Some(_) => Claimed::Holds,
    };
    Some(ClaimRow {
        cell: words::cell_of(record, &of.cell),
        measure: of.measure,
        ratio,
        interval,
        claimed,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::{
        load::{leg::Leg, record::ArrivalsRecord},
        report::load::sample,
    };

    #[test]
    fn an_objective_holds_fails_or_cannot_be_judged() {
        let told: Vec<String> = objectives(&sample::failing())
            .iter()
            .map(|of| {
                format!(
                    "{:?} {} | {} | {} | {}",
                    of.held, of.cell, of.side, of.says, of.measured
                )
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
        assert!(objectives(&sample::measured()).is_empty());
    }

    #[test]
    fn a_claim_is_turned_so_that_it_reads_times_faster() {
        let mut record = sample::measured();
        record.workload.claim = Some(ClaimRecord {
            text: "gRPC is 5 to 10 times faster than REST".into(),
            faster: Leg::Grpc,
            slower: Leg::RestH1,
            ratio: (5.0, 10.0),
        });
        let mut stands = |ratio: f64, interval, measure, swap: bool| {
            let mut of = record.comparisons[0].clone();
            of.measure = measure;
            (of.ratio, of.interval, of.finding) = (Some(ratio), Some(interval), Finding::More);
            (of.base.leg, of.other.leg) = if swap {
                (Leg::RestH1, Leg::Grpc)
            } else {
                (Leg::Grpc, Leg::RestH1)
            };
            record.comparisons = vec![of];
            record.cells[0].arrivals = match measure {
                Measure::Throughput => ArrivalsRecord::InFlight { calls: 8 },
                _ => ArrivalsRecord::Poisson { stages: vec![] },
            };
            let row = claim(&record).pop().unwrap();
            (row.claimed, (row.ratio.unwrap() * 100.0).round())
        };
        assert_eq!(stands(6.0, (5.5, 6.5), Measure::P50, false), (Claimed::Holds, 600.0));
        assert_eq!(stands(0.125, (0.12, 0.13), Measure::P50, true), (Claimed::Holds, 800.0));
        assert_eq!(stands(1.3, (1.2, 1.4), Measure::P50, false), (Claimed::Less, 130.0));
        assert_eq!(stands(12.0, (11.0, 13.0), Measure::P50, false), (Claimed::More, 1200.0));
        assert_eq!(stands(5.0, (4.0, 6.0), Measure::P50, false), (Claimed::Open, 500.0));
        assert_eq!(stands(9.0, (8.0, 11.0), Measure::P50, false), (Claimed::Holds, 900.0));
        // REST reaches a fifth of gRPC's throughput.
        assert_eq!(
            stands(0.16, (0.15, 0.18), Measure::Throughput, false),
            (Claimed::Holds, 625.0)
        );
    }

    #[test]
    fn a_claim_has_one_row_for_each_cell() {
        let measures = |record: &LoadRecord| claim(record).iter().map(|row| row.measure).collect::<Vec<_>>();
        let mut record = sample::failing();
        assert_eq!(measures(&record), [Measure::P50; 2]);
        record.cells[1].arrivals = ArrivalsRecord::Users { users: 3 };
        assert_eq!(measures(&record), [Measure::P50, Measure::Throughput]);
    }

    #[test]
    fn a_closed_loop_has_no_latency_to_hold_and_errors_count_in_what_is_void() {
        let mut record = sample::failing();
        record.cells[1].arrivals = ArrivalsRecord::InFlight { calls: 8 };
        record.cells[1].sides[1].void = Some("too many failures".into());
        let of: Vec<Objective> = of_cell(&record, &record.cells[1]);
        let held = |of: &Objective| of.held;
        let limits = 3;
        assert_eq!(
            of[..limits].iter().map(held).collect::<Vec<_>>(),
            [None, None, Some(true)]
        );
        assert!(of[0].measured.contains("closed loop"), "{}", of[0].measured);
        assert_eq!(of[limits + 2].held, Some(false));
    }

    #[test]
    fn worse_depends_on_the_measure() {
        let record = sample::against();
        let mut of = record.comparisons[0].clone();
        (of.measure, of.finding) = (Measure::P50, Finding::More);
        assert!(is_worse(&of) && !is_better(&of));
        of.measure = Measure::Throughput;
        assert!(is_better(&of) && !is_worse(&of));
        of.finding = Finding::NoDifference;
        assert!(!is_better(&of) && !is_worse(&of));
    }
}
