//! The verdict of a stored comparison in a sentence.

use super::{FEWEST_RUNS, Row, StoredComparison, Verdict, is_silent_speed};
use crate::{
    compare::regression::{Effect, change},
    load::record::{LoadRecord, Measure},
};

/// How many rows a sentence spells out.
const SHOWN: usize = 3;

/// What is missing and what to run. `rates`: runs are set aside because their rates are measured anew each time.
pub(super) fn too_few(given: usize, used: usize, rates: bool, new: &LoadRecord) -> String {
    let missing = FEWEST_RUNS - used;
    let runs = |n: usize, word: &str| {
        if n == 1 {
            format!("1 {word}run")
        } else {
            format!("{n} {word}runs")
        }
    };
    if rates {
        return format!(
            "inconclusive: {used} of {} can be used, {FEWEST_RUNS} are needed, and runs of this workload never compare: its rates \
             are shares of a saturation that each run measures anew; give it a fixed rate and run both states with that, or judge \
             both in one run, `stocktake load NEW --against OLD`",
            runs(given, "BASE ")
        );
    }
    let file = match new.workload.file.as_str() {
        "embedded" => &new.workload.id,
        file => file,
    };
    format!(
        "inconclusive: {} of {} can be used, {FEWEST_RUNS} are needed, because two runs differ by more than what changed between \
         them; run `stocktake load --workload {file}` on the old state {} on this host ({}, {} cpus) with the same options; or judge \
         both in one run, `stocktake load NEW --against OLD`",
        used,
        runs(given, "BASE "),
        match missing {
            1 => "once more".to_owned(),
            n => format!("{n} more times"),
        },
        new.host.system,
        new.host.cpus
    )
}

/// What the rows come to.
pub(super) fn judged(comparison: &StoredComparison) -> String {
    let rows = &comparison.rows;
    match comparison.verdict {
        Verdict::Regression => {
            let worse = rows.iter().filter(|row| row.effect == Effect::Worse);
            format!("the new run is worse: {}", list(worse, "; ", worse_in_words))
        }
        Verdict::Inconclusive if rows.is_empty() => "inconclusive: the new run has nothing to compare".to_owned(),
        Verdict::Inconclusive => {
            let silent = rows.iter().filter(|row| is_silent_speed(row));
            let place = |row: &Row| format!("{} of {}", row.measure.title(), side(row));
            format!(
                "inconclusive: {} could not be compared, as a round or side of it is void or too few runs have it",
                list(silent, ", ", place)
            )
        }
        Verdict::NoRegression => none_in_words(comparison),
    }
}

/// `grpc in c1`, with two targets `grpc (new) in c1`.
pub(super) fn side(row: &Row) -> String {
    match row.target.as_str() {
        "" | "target" => format!("{} in {}", row.side.leg.name(), row.cell),
        target => format!("{} ({target}) in {}", row.side.leg.name(), row.cell),
    }
}

fn worse_in_words(row: &Row) -> String {
    let expected = match row.expected {
        Some((low, high)) => format!(" where {} to {} is to be expected", change(low), change(high)),
        None => String::new(),
    };
    let by = row.ratio.map_or_else(String::new, change);
    format!("{} of {}: {by}{expected}", row.measure.title(), side(row))
}

fn none_in_words(comparison: &StoredComparison) -> String {
    let rows = &comparison.rows;
    let better = rows.iter().filter(|row| row.effect == Effect::Better);
    let better = match better.clone().count() {
        0 => String::new(),
        _ => {
            let words = |row: &Row| {
                format!(
                    "{} of {}: {}",
                    row.measure.title(),
                    side(row),
                    row.ratio.map_or_else(String::new, change)
                )
            };
            format!("; better: {}", list(better, "; ", words))
        }
    };
    let seen = |measure: Measure| {
        let of_measure = rows.iter().filter(|row| row.measure == measure);
        of_measure.filter_map(|row| row.detectable).reduce(f64::max)
    };
    let seen: Vec<String> = [Measure::Throughput, Measure::P50, Measure::Mean, Measure::P99]
        .into_iter()
        .filter_map(|measure| Some((measure, seen(measure)?)))
        .map(|(measure, ratio)| {
            let ratio = if measure.more_is_better() { 1.0 / ratio } else { ratio };
            format!("{} {}", change(ratio), measure.title())
        })
        .collect();
    let would = match seen.is_empty() {
        true => String::new(),
        false => format!("; it would have been at least 4 times in 5 with {}", seen.join(", or ")),
    };
    format!(
        "no regression found beside {} BASE runs{would}{better}",
        comparison.used.len()
    )
}

fn list<'a>(rows: impl Iterator<Item = &'a Row> + Clone, between: &str, words: impl Fn(&Row) -> String) -> String {
    let shown: Vec<String> = rows.clone().take(SHOWN).map(words).collect();
    let more = match rows.count().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!("{between}and {n} more"),
    };
    format!("{}{more}", shown.join(between))
}
