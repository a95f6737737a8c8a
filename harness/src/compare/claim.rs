//! "A is 5 to 10 times faster than B", put to the test: in how many cells it holds, and what is true in the others.

use super::{
    regression::times,
    sides::{headline, judged},
};
use crate::load::record::{CellRecord, ClaimRecord, Measure, SideName};

/// How many supported cells the sentence spells out.
const SHOWN: usize = 3;

/// What a cell says of the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// The whole interval lies at or above the smallest ratio that is claimed.
    Supported,
    /// The whole interval lies below it.
    NotSupported,
    /// The smallest ratio that is claimed lies inside the interval.
    Undecided,
    /// The cell or a side is void, not there, or has too few pairs.
    NotMeasured,
}

impl Support {
    /// All of them, the best first.
    pub const ALL: [Support; 4] = [
        Support::Supported,
        Support::NotSupported,
        Support::Undecided,
        Support::NotMeasured,
    ];

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Support::Supported => "supported",
            Support::NotSupported => "not supported",
            Support::Undecided => "undecided",
            Support::NotMeasured => "not measured",
        }
    }
}

/// The claim in one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct InCell {
    /// [`CellRecord::id`].
    pub cell: String,
    /// By what.
    pub measure: Measure,
    /// How many times faster: slower / faster by a time or by CPU, faster / slower by throughput. Above 1 the leg that is said
    /// to be faster is.
    pub advantage: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// What it says.
    pub support: Support,
}

/// The claim in all cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// In the order of the cells.
    pub cells: Vec<InCell>,
    /// All of it in one sentence.
    pub sentence: String,
}

/// Judges a claim in every cell on a target, by a measure or, left out, by the cell's headline: the median response time, in a
/// closed loop the throughput. A ratio above the largest that is claimed supports it too: the number is shown.
pub fn judge(cells: &[CellRecord], claim: &ClaimRecord, target: usize, measure: Option<Measure>) -> Judged {
    let found: Vec<InCell> = cells
        .iter()
        .map(|cell| in_cell(cell, claim, target, measure.unwrap_or_else(|| headline(cell))))
        .collect();
    let sentence = sentence(claim, cells, &found);
    Judged { cells: found, sentence }
}

fn in_cell(cell: &CellRecord, claim: &ClaimRecord, target: usize, measure: Measure) -> InCell {
    let name = |leg| SideName { leg, target };
    let (below, above) = match measure.more_is_better() {
        true => (claim.slower, claim.faster),
        false => (claim.faster, claim.slower),
    };
    let paired = judged(cell, name(below), name(above), measure).and_then(Result::ok);
    let interval = paired.map(|paired| paired.interval);
    InCell {
        cell: cell.id.clone(),
        measure,
        advantage: paired.map(|paired| paired.ratio),
        interval,
        support: support(interval, claim.ratio.0),
    }
}

fn support(interval: Option<(f64, f64)>, claimed: f64) -> Support {
    match interval {
        None => Support::NotMeasured,
        Some((low, _)) if low >= claimed => Support::Supported,
        Some((_, high)) if high < claimed => Support::NotSupported,
        Some(_) => Support::Undecided,
    }
}

fn sentence(claim: &ClaimRecord, cells: &[CellRecord], found: &[InCell]) -> String {
    let with = |support: Support| -> Vec<usize> { (0..found.len()).filter(|i| found[*i].support == support).collect() };
    let not_measured = with(Support::NotMeasured).len();
    if not_measured == found.len() {
        return format!(
            "\"{}\": could not be judged, no cell has enough good rounds of both legs",
            claim.text
        );
    }
    let supported = with(Support::Supported);
    let mut parts = vec![format!(
        "{} in {} of {}{}",
        Support::Supported.words(),
        supported.len(),
        cells_in_words(found.len()),
        listed(&supported, cells, found)
    )];
    for support in [Support::NotSupported, Support::Undecided] {
        let those = with(support);
        if let Some((low, high)) = reach(&those, found) {
            let (low, high) = (times(low), times(high));
            let words = support.words();
            parts.push(format!("{words} in {}, between {low} and {high} times", those.len()));
        }
    }
    if not_measured > 0 {
        parts.push(format!("{} in {not_measured}", Support::NotMeasured.words()));
    }
    format!("\"{}\": {}", claim.text, parts.join("; "))
}

fn cells_in_words(n: usize) -> String {
    if n == 1 {
        "1 cell".to_owned()
    } else {
        format!("{n} cells")
    }
}

/// `: c1 (products = 100) 5.61 times, …`; nothing for none.
fn listed(which: &[usize], cells: &[CellRecord], found: &[InCell]) -> String {
    if which.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = which
        .iter()
        .take(SHOWN)
        .map(|i| {
            let (low, high) = found[*i].interval.unwrap_or_default();
            format!("{} between {} and {} times", label(&cells[*i]), times(low), times(high))
        })
        .collect();
    let more = match which.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!(": {}{more}", shown.join(", "))
}

fn label(cell: &CellRecord) -> String {
    let factors: Vec<String> = cell
        .factors
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    match factors.is_empty() {
        true => cell.id.clone(),
        false => format!("{} ({})", cell.id, factors.join(", ")),
    }
}

/// From the lowest to the highest end of their intervals: what is not known is not claimed.
fn reach(which: &[usize], found: &[InCell]) -> Option<(f64, f64)> {
    let intervals = which.iter().filter_map(|i| found[*i].interval);
    intervals.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        compare::sample::{closed, open, steady},
        load::leg::Leg,
    };

    fn claim() -> ClaimRecord {
        ClaimRecord {
            text: "gRPC is typically 5-10x faster than REST".to_owned(),
            faster: Leg::Grpc,
            slower: Leg::RestH1,
            ratio: (5.0, 10.0),
        }
    }

    fn cell(id: &str, slower: f64) -> CellRecord {
        let mut cell = open(
            id,
            vec![steady(Leg::Grpc, 0, 1e6, 12), steady(Leg::RestH1, 0, slower, 12)],
        );
        cell.factors = vec![("products".to_owned(), id[1..].to_owned())];
        cell
    }

    fn supports(cells: &[CellRecord]) -> Vec<Support> {
        judge(cells, &claim(), 0, None)
            .cells
            .iter()
            .map(|c| c.support)
            .collect()
    }

    #[test]
    fn a_cell_supports_it_when_its_whole_interval_does() {
        let mut void = cell("c6", 9e6);
        void.void = Some("saturated".to_owned());
        let mut few = cell("c7", 9e6);
        few.sides[0].rounds.truncate(4);
        let cells = [
            cell("c1", 5.4e6),
            cell("c2", 1.5e6),
            cell("c3", 5e6),
            cell("c4", 0.8e6),
            cell("c5", 30e6),
            void,
            few,
        ];
        use Support::{NotMeasured, NotSupported, Supported, Undecided};
        assert_eq!(
            supports(&cells),
            [
                Supported,
                NotSupported,
                Undecided,
                NotSupported,
                Supported,
                NotMeasured,
                NotMeasured
            ]
        );
        assert_eq!(supports(&cells[..0]), []);
    }

    #[test]
    fn throughput_counts_the_other_way_round() {
        let cell = closed(
            "c1",
            vec![steady(Leg::Grpc, 0, 1e6, 12), steady(Leg::RestH1, 0, 6e6, 12)],
        );
        let found = judge(std::slice::from_ref(&cell), &claim(), 0, None);
        assert_eq!(found.cells[0].measure, Measure::Throughput);
        assert!(
            found.cells[0]
                .advantage
                .is_some_and(|advantage| (advantage - 6.0).abs() < 0.1)
        );
        assert_eq!(found.cells[0].support, Support::Supported);
        let by_cpu = judge(&[cell], &claim(), 0, Some(Measure::ServerCpu));
        assert_eq!(by_cpu.cells[0].support, Support::Supported);
    }

    #[test]
    fn all_cells_are_told_in_one_sentence_that_claims_no_more_than_it_knows() {
        let mut void = cell("c5", 9e6);
        void.void = Some("saturated".to_owned());
        let cells = [
            cell("c1", 5.4e6),
            cell("c2", 1.5e6),
            cell("c3", 5e6),
            cell("c4", 0.8e6),
            void,
        ];
        insta::assert_snapshot!(
            [
                judge(&cells, &claim(), 0, None).sentence,
                judge(&cells[..1], &claim(), 0, None).sentence,
                judge(&cells[1..2], &claim(), 0, None).sentence,
                judge(&cells[4..], &claim(), 0, None).sentence,
                judge(&[], &claim(), 0, None).sentence,
            ]
            .join("\n"),
            @r#"
        "gRPC is typically 5-10x faster than REST": supported in 1 of 5 cells: c1 (products = 1) between 5.35 and 5.45 times; not supported in 2, between 0.792 and 1.51 times; undecided in 1, between 4.95 and 5.05 times; not measured in 1
        "gRPC is typically 5-10x faster than REST": supported in 1 of 1 cell: c1 (products = 1) between 5.35 and 5.45 times
        "gRPC is typically 5-10x faster than REST": supported in 0 of 1 cell; not supported in 1, between 1.49 and 1.51 times
        "gRPC is typically 5-10x faster than REST": could not be judged, no cell has enough good rounds of both legs
        "gRPC is typically 5-10x faster than REST": could not be judged, no cell has enough good rounds of both legs
        "#
        );
    }

    #[test]
    fn a_claim_that_is_no_number_is_undecided() {
        let mut odd = claim();
        odd.ratio = (f64::NAN, f64::NAN);
        assert_eq!(
            judge(&[cell("c1", 5e6)], &odd, 0, None).cells[0].support,
            Support::Undecided
        );
    }
}
