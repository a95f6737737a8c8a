//! How numbers, times and lengths are written: the only formatting functions of the reports. Pure.

pub use crate::numbers::{bytes, count, latency, latency_tick, percent, percentile, plural, rate, ratio, ratios, tick};

use chrono::{DateTime, Utc};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A duration given in milliseconds, never rounded up: `12 ms`, `4.2 s`, `2 min 5 s`, `1 h 2 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0 => "<1 ms".to_owned(),
        1..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{seconds}.{} s", ms / 100 % 10),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", count(seconds / 3600), seconds / 60 % 60),
    }
}

/// An instant on a time line, in milliseconds since its start: `0.4 ms`, `12.3 ms`, `1.204 s`.
pub fn offset(ms: f64) -> String {
    if !ms.is_finite() {
        return "?".to_owned();
    }
    if ms < 1000.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{:.3} s", ms / 1000.0)
    }
}

/// An RFC 3339 instant as people read it, in UTC: `2026-11-22 19:05:00 UTC`; anything else as it is.
pub fn instant(rfc3339: &str) -> String {
    match DateTime::parse_from_rfc3339(rfc3339) {
        Ok(at) => at.with_timezone(&Utc).format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        Err(_) => rfc3339.to_owned(),
    }
}

/// How many columns a terminal gives to a text without control characters.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// At most so many columns; a text that is cut ends in `…`.
pub fn clip(text: &str, max: usize) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let (head, _) = split_columns(text, max.saturating_sub(1));
    format!("{head}…")
}

/// At most so many characters; a text that is cut says how many are missing.
pub fn cap(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => {
            let (head, rest) = text.split_at(end);
            let missing = u64::try_from(rest.chars().count()).unwrap_or(u64::MAX);
            format!("{head}… ({})", plural(missing, "more character", "more characters"))
        }
    }
}

/// Lines of at most `max` columns, broken at a space where there is one in the second half of the line.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(2);
    let mut lines = Vec::new();
    let mut rest = text;
    while columns(rest) > max {
        let (head, tail) = split_columns(rest, max);
        let space = head.rfind(' ').filter(|at| *at >= head.len() / 2);
        let (head, tail) = match space {
            Some(at) => rest.split_at(at),
            None => (head, tail),
        };
        lines.push(head.trim_end().to_owned());
        rest = tail.trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

/// The longest head of at most `max` columns, and what is left. Takes at least one character, so that a caller that
/// loops comes to an end.
fn split_columns(text: &str, max: usize) -> (&str, &str) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > max && at > 0 {
            return text.split_at(at);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_durations_without_rounding_up() {
        for (ms, expected) in [
            (0, "<1 ms"),
            (1, "1 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (4250, "4.2 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min 0 s"),
            (125_000, "2 min 5 s"),
            (3_599_999, "59 min 59 s"),
            (3_720_000, "1 h 2 min"),
            (u64::MAX, "5,124,095,576,030 h 25 min"),
        ] {
            assert_eq!(duration(ms), expected, "{ms} ms");
        }
    }

    #[test]
    fn writes_offsets_and_instants() {
        assert_eq!(offset(0.412), "0.4 ms");
        assert_eq!(offset(1204.5), "1.204 s");
        assert_eq!(offset(f64::NAN), "?");
        assert_eq!(instant("2026-11-22T20:05:00+01:00"), "2026-11-22 19:05:00 UTC");
        assert_eq!(instant("yesterday"), "yesterday");
    }

    #[test]
    fn clips_by_columns_not_by_bytes() {
        assert_eq!(clip("abcdef", 6), "abcdef");
        assert_eq!(clip("abcdef", 4), "abc…");
        assert_eq!(clip("日本語", 5), "日本…");
        assert_eq!(cap("añb", 2), "añ… (1 more character)");
        assert_eq!(cap("añb", 3), "añb");
    }

    #[test]
    fn wraps_at_spaces_and_inside_words_where_there_is_none() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本語", 1), ["日", "本", "語"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
