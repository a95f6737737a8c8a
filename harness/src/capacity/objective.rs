//! An objective as typed: `p99=200ms,errors=0.1%`. Pure.

use crate::{load::record::ObjectiveRecord, numbers};
use std::time::Duration;

/// The objective where neither the command line nor the workload has one.
pub const USUAL: &str = "p99=200ms,errors=1%";

/// Reads it.
///
/// # Errors
/// What is wrong, and what to write.
pub fn parse(text: &str) -> Result<ObjectiveRecord, String> {
    let mut objective = ObjectiveRecord {
        latency: Vec::new(),
        errors: None,
    };
    for part in text.split(',') {
        let example = "write limits such as p99=200ms,errors=0.1%";
        let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}`: {example}"))?;
        let (key, value) = (key.trim(), value.trim());
        match key.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()) {
            Some(percent) if percent > 0.0 && percent < 100.0 => {
                let time = humantime::parse_duration(value)
                    .ok()
                    .filter(|time| !time.is_zero() && *time <= Duration::from_secs(3600))
                    .ok_or_else(|| format!("`{part}`: the time is more than 0s and at most 1h; {example}"))?;
                let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
                // 99 of `p99` becomes 0.99 as the workload's does: two digits more than were typed are rounding.
                let quantile = (percent * 1e8).round() / 1e10;
                if objective.latency.iter().any(|(known, _)| *known == quantile) {
                    return Err(format!("`{part}`: write {key} once"));
                }
                objective.latency.push((quantile, nanoseconds));
            }
            None if key == "errors" => {
                let share = value
                    .strip_suffix('%')
                    .and_then(|number| number.trim().parse::<f64>().ok());
                let share = share.filter(|share| (0.0..100.0).contains(share));
                let share = share.ok_or_else(|| format!("`{part}`: {example}"))?;
                if objective.errors.replace(share / 100.0).is_some() {
                    return Err(format!("`{part}`: write errors once"));
                }
            }
            _ => {
                return Err(format!(
                    "`{part}`: the keys are percentiles such as p50, p99 and p99.9, and errors; {example}"
                ));
            }
        }
    }
    usable(&objective)?;
    Ok(objective)
}

/// Whether a search can go by it.
///
/// # Errors
/// Why not, in words.
pub fn usable(objective: &ObjectiveRecord) -> Result<(), String> {
    if objective.latency.is_empty() && objective.errors.is_none() {
        return Err("it has no limit; write one such as p99=200ms".to_owned());
    }
    if objective.errors.is_some_and(|share| share <= 0.0) {
        return Err(
            "errors=0% cannot be shown by any number of requests; write a share such as errors=0.01%".to_owned(),
        );
    }
    if let Some((percentile, _)) = objective.latency.iter().find(|(percentile, _)| *percentile < 0.5) {
        let name = numbers::percentile(*percentile);
        return Err(format!(
            "{name} is below the median, which no backlog reaches first; write p50 or more"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_in_their_order() {
        let read = parse("p99=200ms, errors=0.1%,p99.9=1s").unwrap();
        assert_eq!(read.latency, [(0.99, 200_000_000), (0.999, 1_000_000_000)]);
        assert!((read.errors.unwrap() - 0.001).abs() < 1e-12);
        assert!(parse(USUAL).is_ok());
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (text, words) in [
            ("", "write limits such as"),
            ("p99", "write limits such as"),
            ("p99=fast", "more than 0s"),
            ("p99=0s", "more than 0s"),
            ("p0=1s", "the keys are"),
            ("p100=1s", "the keys are"),
            ("q=1s", "the keys are"),
            ("p99=1s,p99=2s", "write p99 once"),
            ("errors=1%,errors=2%", "write errors once"),
            ("errors=0%", "cannot be shown"),
            ("errors=0.1", "write limits such as"),
            ("p25=1s", "below the median"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(words), "{text}: {told}");
        }
    }
}
