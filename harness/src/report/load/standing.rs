//! What a run has to hold and whether it did: objectives, the old target against the new one, and a claim. Pure.

use super::words;
use crate::{
    compare::{
        claim::{self, InCell, Support},
        regression::{Effect, Minimum},
    },
    load::{
        objective::{self, Judged, Outcome},
        record::{CellRecord, ComparisonRecord, LoadRecord},
    },
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

/// Every limit, for every side of one cell, as [`objective::judge`] finds.
pub fn of_cell(record: &LoadRecord, cell: &CellRecord) -> Vec<Objective> {
    let Some(objective) = &record.workload.objective else {
        return Vec::new();
    };
    let shown = |of: Judged<'_>| {
        let (measured, held) = match of.outcome {
            Outcome::Held(found) => (found.words(), Some(true)),
            Outcome::Missed(found) => (found.words(), Some(false)),
            Outcome::Open(open) => (words::reason(&open.words()), None),
        };
        Objective {
            cell: words::cell(record, of.cell),
            side: words::side(record, of.side.name()),
            says: of.limit.says(),
            measured,
            held,
        }
    };
    objective::judge(cell, objective).into_iter().map(shown).collect()
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

/// What a comparison of the old target with the new one means, by the smallest difference that the verdict counts too.
pub fn effect(of: &ComparisonRecord) -> Effect {
    Minimum::default().effect(of.measure, of.finding, of.ratio)
}

/// The claim of the workload in each cell that both legs were driven in, as [`claim::judge`] finds.
pub fn claim(record: &LoadRecord) -> Vec<InCell> {
    let Some(claim) = &record.workload.claim else {
        return Vec::new();
    };
    let has = |cell: &CellRecord, leg| cell.sides.iter().any(|side| side.leg == leg);
    let driven = |cell: &CellRecord| has(cell, claim.faster) && has(cell, claim.slower);
    let judged = claim::judge(&record.cells, claim, record.newest(), None).cells;
    let rows = record.cells.iter().zip(judged);
    rows.filter(|(cell, _)| driven(cell)).map(|(_, row)| row).collect()
}

/// `6 not supported, 2 undecided`.
pub fn claimed(rows: &[InCell]) -> String {
    let counts = Support::ALL.into_iter().filter_map(|support| {
        let n = rows.iter().filter(|row| row.support == support).count() as u64;
        (n > 0).then(|| format!("{} {}", text::count(n), support.words()))
    });
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        load::{
            record::{ArrivalsRecord, Finding, Measure},
            verdict::{Known, verdict},
        },
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
    fn the_verdict_counts_what_is_shown() {
        let record = sample::failing();
        let known = Known {
            objective: record.workload.objective.as_ref(),
            against: None,
            claim: None,
            cut: None,
        };
        let told = verdict(&record.cells, &record.comparisons, &known);
        assert_eq!(told.exit_code, record.verdict.exit_code);
        assert_eq!(told.sentence, record.verdict.sentence);
        let missed = objectives(&record).iter().filter(|of| of.held == Some(false)).count();
        assert!(told.sentence.ends_with(&format!("; {} more", missed - 1)), "{missed}");
    }

    #[test]
    fn a_claim_has_one_row_for_each_cell_with_both_legs() {
        let measures = |record: &LoadRecord| claim(record).iter().map(|row| row.measure).collect::<Vec<_>>();
        let mut record = sample::failing();
        assert_eq!(measures(&record), [Measure::P50; 2]);
        record.cells[1].arrivals = ArrivalsRecord::Users { users: 3 };
        assert_eq!(measures(&record), [Measure::P50, Measure::Throughput]);
        record.cells[1].sides.truncate(1);
        assert_eq!(measures(&record), [Measure::P50]);
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
    fn worse_depends_on_the_measure_and_counts_from_the_minimum_on() {
        let record = sample::against();
        let mut of = record.comparisons[0].clone();
        (of.measure, of.finding, of.ratio) = (Measure::P50, Finding::More, Some(1.2));
        assert_eq!(effect(&of), Effect::Worse);
        of.measure = Measure::Throughput;
        assert_eq!(effect(&of), Effect::Better);
        of.ratio = Some(1.01);
        assert_eq!(effect(&of), Effect::None);
    }
}
