//! Comparisons in words. The ratio is always the other side over the base. Pure.

use super::words;
use crate::{
    load::{
        record::{ComparisonRecord, Finding, LoadRecord, Measure, SideName},
        words::Names,
    },
    report::text,
};

use std::collections::{BTreeMap, BTreeSet};

/// In the order in which they are shown: what is least disturbed by a small shared machine comes first.
pub const MEASURES: [Measure; 6] = [
    Measure::ServerCpu,
    Measure::P50,
    Measure::P99,
    Measure::Mean,
    Measure::Throughput,
    Measure::Bytes,
];

/// Lines of [`short`].
const SHORT: usize = 3;

/// The comparisons by one measure, in the order of the cells.
pub fn by(record: &LoadRecord, measure: Measure) -> Vec<&ComparisonRecord> {
    let places = places(record);
    let all = record.comparisons.iter();
    let mut found: Vec<&ComparisonRecord> = all.filter(|comparison| comparison.measure == measure).collect();
    found.sort_by_key(|comparison| places.get(comparison.cell.as_str()));
    found
}

/// Where each cell stands, by its id.
pub fn places(record: &LoadRecord) -> BTreeMap<&str, usize> {
    // Of two with one id the first is meant, as everywhere.
    let cells = record.cells.iter().enumerate().rev();
    cells.map(|(place, cell)| (cell.id.as_str(), place)).collect()
}

/// All comparisons by their measures, and of two sides that cannot be compared in a cell only the first.
pub fn listed(record: &LoadRecord) -> Vec<&ComparisonRecord> {
    let mut void = BTreeSet::new();
    let all = MEASURES.into_iter().flat_map(|measure| by(record, measure));
    let side = |name: SideName| (name.leg, name.target);
    all.filter(|of| of.finding != Finding::Void || void.insert((of.cell.as_str(), side(of.base), side(of.other))))
        .collect()
}

/// `REST, HTTP/1.1 takes 1.32x (1.28 to 1.36) of gRPC's server CPU per request`, see [`load::words`](crate::load::words).
pub fn sentence(record: &LoadRecord, of: &ComparisonRecord) -> String {
    let why_void = match of.finding {
        Finding::Void => why_void(record, of),
        _ => String::new(),
    };
    crate::load::words::sentence(of, &names(record, of), &why_void)
}

/// What could have been found, and from how much: `10 pairs of rounds; p < 0.001; a difference of 1.03x would be found`.
pub fn grounds(of: &ComparisonRecord) -> String {
    let mut parts = vec![text::plural(of.pairs as u64, "pair of rounds", "pairs of rounds")];
    if let Some(p) = of.p_adjusted {
        parts.push(probability(p));
    }
    parts.push(match of.detectable {
        Some(ratio) => format!("a difference of {} would be found", text::ratio(ratio)),
        None => "what would be found is not known".to_owned(),
    });
    parts.join("; ")
}

/// The finding in few words.
pub fn finding(finding: Finding) -> &'static str {
    match finding {
        Finding::More => "more",
        Finding::Less => "less",
        Finding::NoDifference => "no difference found",
        Finding::TooFew => "too few pairs",
        Finding::Void => "void",
    }
}

/// The two sides by the names of their legs and targets.
pub fn names(record: &LoadRecord, of: &ComparisonRecord) -> Names {
    if of.base.target != of.other.target && of.base.leg == of.other.leg {
        return Names {
            other: words::target(record, of.other.target),
            base: words::target(record, of.base.target),
            over: format!("over {}, ", of.base.leg.title()),
        };
    }
    Names {
        other: words::side(record, of.other),
        base: words::side(record, of.base),
        over: String::new(),
    }
}

/// The lines that say most: of the first cell that has something to say, by the first measures.
pub fn short(record: &LoadRecord) -> Vec<String> {
    let says = |of: &ComparisonRecord| !matches!(of.finding, Finding::Void | Finding::TooFew);
    let cell = record
        .cells
        .iter()
        .find(|cell| record.comparisons.iter().any(|of| of.cell == cell.id && says(of)));
    let Some(cell) = cell else {
        return vec![format!(
            "nothing could be compared: {}",
            words::fit(&record.verdict.sentence)
        )];
    };
    let of_cell = |measure| {
        let found = by(record, measure).into_iter();
        found
            .filter(|of| of.cell == cell.id && says(of))
            .map(|of| sentence(record, of))
    };
    MEASURES.into_iter().flat_map(of_cell).take(SHORT).collect()
}

fn probability(p: f64) -> String {
    if p < 0.001 {
        "p < 0.001".to_owned()
    } else {
        format!("p = {p:.3}")
    }
}

fn why_void(record: &LoadRecord, of: &ComparisonRecord) -> String {
    let cell = record.cells.iter().find(|cell| cell.id == of.cell);
    let reason = cell.and_then(|cell| {
        let compared = cell.sides.iter().filter(|side| {
            let name = side.name();
            name == of.base || name == of.other
        });
        compared.filter_map(|side| words::void(cell, side)).next()
    });
    reason.unwrap_or_else(|| "nothing of them may be used".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::load::sample;

    #[test]
    fn what_is_void_is_listed_once_for_its_sides() {
        let record = sample::failing();
        let void = |all: Vec<&ComparisonRecord>| all.iter().filter(|of| of.finding == Finding::Void).count();
        assert_eq!(void(record.comparisons.iter().collect()), MEASURES.len());
        assert_eq!(void(listed(&record)), 1);
        assert_eq!(listed(&record).len(), record.comparisons.len() - (MEASURES.len() - 1));
    }

    #[test]
    fn sentences_say_what_was_found_and_what_was_not() {
        let told: Vec<String> = [sample::measured(), sample::failing(), sample::against()]
            .iter()
            .flat_map(|record| {
                let found = MEASURES.into_iter().flat_map(|measure| by(record, measure));
                found
                    .map(|of| format!("{}\n  {}", sentence(record, of), grounds(of)))
                    .collect::<Vec<_>>()
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn short_is_at_most_three_lines_of_what_was_measured() {
        insta::assert_snapshot!(short(&sample::failing()).join("\n"));
        let mut void = sample::measured();
        void.comparisons.iter_mut().for_each(|of| of.finding = Finding::Void);
        assert_eq!(short(&void).len(), 1);
    }
}
