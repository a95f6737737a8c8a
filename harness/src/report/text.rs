//! How numbers, times and lengths are written: the only formatting functions of the reports. Pure.

use chrono::{DateTime, Utc};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A count with thousands separated: `1,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 case`, `2 cases`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

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

/// A latency given in nanoseconds, in three digits: `812 ns`, `1.24 ms`, `12.4 s`.
pub fn latency(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        ..999.5 => format!("{ns:.0} ns"),
        ..999.5e3 => format!("{} µs", digits(ns / 1e3)),
        ..999.5e6 => format!("{} ms", digits(ns / 1e6)),
        _ => format!("{} s", digits(ns / 1e9)),
    }
}

/// A latency at a tick of an axis: `0`, `500 µs`, `1.5 ms`, `2 s`.
pub fn latency_tick(ns: f64) -> String {
    let (value, unit) = match ns {
        ..0.5 => return "0".to_owned(),
        ..1e3 => (ns, "ns"),
        ..1e6 => (ns / 1e3, "µs"),
        ..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", trimmed(value))
}

/// A number at a tick of an axis: `0.5`, `1`, `2,000`.
pub fn tick(value: f64) -> String {
    if value >= 1000.0 {
        count(value.round() as u64)
    } else {
        trimmed(value)
    }
}

/// A rate: `0.42`, `12.3`, `1,234`.
pub fn rate(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "?".to_owned();
    }
    if value == 0.0 { "0".to_owned() } else { digits(value) }
}

/// A ratio: `0.98x`, `1.32x`, `12.3x`; close to 1 with one more digit: `0.997x`.
pub fn ratio(value: f64) -> String {
    match value {
        value if !value.is_finite() => "?".to_owned(),
        0.0..0.1 | 0.9905..1.0095 => format!("{value:.3}x"),
        _ => format!("{}x", digits(value)),
    }
}

/// Bytes: `312 B`, `1.24 kB`.
pub fn bytes(value: f64) -> String {
    match value {
        value if !value.is_finite() || value < 0.0 => "?".to_owned(),
        ..999.5 => format!("{value:.0} B"),
        ..999.5e3 => format!("{} kB", digits(value / 1e3)),
        _ => format!("{} MB", digits(value / 1e6)),
    }
}

/// A share in percent, one that is not 0 never shown as 0: `0 %`, `<0.01 %`, `0.12 %`, `12.5 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        percent if !percent.is_finite() => "?".to_owned(),
        ..=0.0 => "0 %".to_owned(),
        ..0.01 => "<0.01 %".to_owned(),
        ..10.0 => format!("{percent:.2} %"),
        _ => format!("{percent:.1} %"),
    }
}

/// A percentile, 0 to 1: `p50`, `p99.9`.
pub fn percentile(q: f64) -> String {
    format!("p{}", trimmed(q * 100.0))
}

/// Three digits, or all before the point: `1.23`, `12.3`, `123`, `1,234`.
fn digits(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => count(value.round() as u64),
    }
}

/// At most five digits behind the point, and none of them a last 0.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
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
    fn writes_counts_with_separators() {
        let written: Vec<String> = [0, 7, 999, 1000, 12_345, 1_000_000].into_iter().map(count).collect();
        assert_eq!(written, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
        assert_eq!(plural(1, "case", "cases"), "1 case");
        assert_eq!(plural(0, "case", "cases"), "0 cases");
        assert_eq!(plural(1500, "case", "cases"), "1,500 cases");
    }

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
    fn writes_latencies_in_three_digits() {
        for (ns, expected) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (812_345, "812 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (9_994_000, "9.99 ms"),
            (9_996_000, "10.0 ms"),
            (1_240_000_000, "1.24 s"),
            (125_000_000_000, "125 s"),
        ] {
            assert_eq!(latency(ns), expected, "{ns} ns");
        }
        let ticks: Vec<String> = [0.0, 500.0, 2e5, 1e6, 1.5e6, 2e9]
            .into_iter()
            .map(latency_tick)
            .collect();
        assert_eq!(ticks, ["0", "500 ns", "200 µs", "1 ms", "1.5 ms", "2 s"]);
    }

    #[test]
    fn writes_rates_ratios_shares_and_sizes() {
        assert_eq!([0.0, 0.424, 12.34, 1234.4].map(rate), ["0", "0.42", "12.3", "1,234"]);
        assert_eq!([f64::NAN, -1.0].map(rate), ["?", "?"]);
        let ratios = [0.012, 0.98, 0.9971, 1.0, 1.324, 12.34].map(ratio);
        assert_eq!(ratios, ["0.012x", "0.98x", "0.997x", "1.000x", "1.32x", "12.3x"]);
        assert_eq!([312.4, 1240.0, 5.2e6].map(bytes), ["312 B", "1.24 kB", "5.20 MB"]);
        let shares = [0.0, 0.00001, 0.0012, 0.125, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "<0.01 %", "0.12 %", "12.5 %", "100.0 %"]);
        assert_eq!(
            [0.5, 0.99, 0.999, 0.99999].map(percentile),
            ["p50", "p99", "p99.9", "p99.999"]
        );
        assert_eq!([0.5, 1.0, 2000.0].map(tick), ["0.5", "1", "2,000"]);
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
