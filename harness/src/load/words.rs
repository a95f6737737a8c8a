//! A comparison in words, for the verdict and for every report of it. Pure.

use super::record::{ComparisonRecord, Finding, Measure};
use crate::numbers;

/// Two sides as they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// What is above the line of the ratio.
    pub other: String,
    /// What is below it.
    pub base: String,
    /// What both have in common, as a beginning of the sentence: `over gRPC, `, or nothing.
    pub over: String,
}

/// `REST, HTTP/1.1 takes 1.32x (1.28 to 1.36) of gRPC's server CPU per request`; what is not known is said, not guessed.
/// `why_void` is read where the finding is that.
pub fn sentence(of: &ComparisonRecord, names: &Names, why_void: &str) -> String {
    let Names { other, base, over } = names;
    let title = of.measure.title();
    match (of.finding, ratio(of)) {
        (Finding::Void, _) => format!("{over}{other} and {base} are not compared: {why_void}"),
        (Finding::TooFew, _) | (_, None) => format!(
            "{over}{other} and {base} are not compared: {} of rounds are too few to say anything",
            numbers::plural(of.pairs as u64, "pair", "pairs")
        ),
        (Finding::NoDifference, Some(ratio)) => {
            format!(
                "no difference found: {over}{other} {} {ratio} of {base}'s {title}",
                verb(of.measure)
            )
        }
        (Finding::More | Finding::Less, Some(ratio)) => {
            format!("{over}{other} {} {ratio} of {base}'s {title}", verb(of.measure))
        }
    }
}

/// `1.32x (1.28 to 1.36)`.
pub fn ratio(of: &ComparisonRecord) -> Option<String> {
    let ratio = numbers::ratio(of.ratio?);
    Some(match of.interval {
        Some(interval) => format!("{ratio} ({})", numbers::ratios(interval)),
        None => format!("{ratio} (no interval)"),
    })
}

fn verb(measure: Measure) -> &'static str {
    match measure {
        Measure::P50 | Measure::P99 | Measure::Mean | Measure::ServerCpu => "takes",
        Measure::Throughput => "reaches",
        Measure::Bytes => "needs",
    }
}
