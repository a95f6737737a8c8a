//! How counts, latencies, shares and ratios are written, wherever they are: in a verdict, a report, a doubt. Pure.

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

/// Requests a second: `148/s`.
pub fn per_second(value: f64) -> String {
    format!("{}/s", rate(value))
}

/// A ratio: `0.98x`, `1.32x`, `12.3x`; close to 1 with one more digit: `0.997x`.
pub fn ratio(value: f64) -> String {
    match value {
        value if !value.is_finite() => "?".to_owned(),
        0.0..0.1 | 0.9905..1.0095 => format!("{value:.3}x"),
        _ => format!("{}x", digits(value)),
    }
}

/// The ends of an interval of ratios: `1.28 to 1.36`.
pub fn ratios((from, to): (f64, f64)) -> String {
    let number = |value| ratio(value).trim_end_matches('x').to_owned();
    format!("{} to {}", number(from), number(to))
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
}
