//! What the text of `/metrics` says of a replica. Pure.
//!
//! The names are those of the Prometheus client libraries (`process_…`), of the reference service (`stocktake_…`), of the interceptors
//! of the gRPC ecosystem (`grpc_server_handling_seconds`), and of the OpenTelemetry semantic conventions for calls to a database
//! (`db.client.operation.duration`); what is not there is `None`. Format: Prometheus text exposition 0.0.4.

/// A replica at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Since its start, seconds.
    pub cpu_s: Option<f64>,
    /// Resident, bytes.
    pub memory: Option<u64>,
    /// Calls that ended since its start.
    pub calls: Option<f64>,
    /// What they took, added up, seconds.
    pub calls_s: Option<f64>,
    /// Whether that is counted from where its handlers begin, not from where it takes a call.
    pub handlers: bool,
    /// What its calls to a database took, added up, seconds.
    pub database_s: Option<f64>,
    /// Streams that it takes at once.
    pub streams: Option<u64>,
}

/// What several replicas did between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Between {
    /// CPU seconds of all.
    pub cpu_s: Option<f64>,
    /// The largest memory of one.
    pub memory: Option<u64>,
    /// Mean seconds of a call, as they count it themselves.
    pub call_s: Option<f64>,
    /// Seconds of it that were spent on a database, as they count them.
    pub database_s: Option<f64>,
    /// The largest share of one in the calls over the mean share.
    pub skew: Option<f64>,
}

/// Histograms of what calls took, and whether their clock begins in a handler; the first that is there counts.
const CALLS: [(&str, bool); 2] = [
    ("stocktake_request_duration_seconds", false),
    ("grpc_server_handling_seconds", true),
];

/// Reads a text. Lines that are none are skipped: others' metrics stand in between.
pub fn parse(text: &str) -> Metrics {
    let sum = |name: &str| {
        let values: Vec<f64> = text.lines().filter_map(|line| sample(line, name)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>())
    };
    let whole = |name: &str| sum(name).filter(|value| *value >= 0.0).map(|value| value as u64);
    let calls = CALLS.into_iter().find_map(|(name, handlers)| {
        let count = sum(&format!("{name}_count"))?;
        Some((count, sum(&format!("{name}_sum"))?, handlers))
    });
    Metrics {
        cpu_s: sum("process_cpu_seconds_total"),
        memory: whole("process_resident_memory_bytes"),
        calls: calls.map(|(count, ..)| count),
        calls_s: calls.map(|(_, spent, _)| spent),
        handlers: calls.is_some_and(|(.., handlers)| handlers),
        database_s: sum("db_client_operation_duration_seconds_sum"),
        streams: whole("stocktake_watches_limit"),
    }
}

/// What happened between; each replica in its place in both. A counter that went back belongs to another process: nothing is known.
pub fn between(before: &[Metrics], after: &[Metrics]) -> Between {
    let grown = |value: fn(&Metrics) -> Option<f64>| -> Option<Vec<f64>> {
        let pairs = before.iter().zip(after);
        let grown = pairs.map(|(before, after)| Some(value(after)? - value(before)?).filter(|grown| *grown >= 0.0));
        grown.collect::<Option<Vec<f64>>>().filter(|all| !all.is_empty())
    };
    let calls = grown(|metrics| metrics.calls);
    let all: Option<f64> = calls.as_ref().map(|calls| calls.iter().sum()).filter(|all| *all > 0.0);
    let spent = grown(|metrics| metrics.calls_s).map(|spent| spent.iter().sum::<f64>());
    let asked = grown(|metrics| metrics.database_s).map(|spent| spent.iter().sum::<f64>());
    let largest = calls.as_ref().map(|calls| calls.iter().copied().fold(0.0, f64::max));
    Between {
        cpu_s: grown(|metrics| metrics.cpu_s).map(|cpu| cpu.iter().sum()),
        memory: after.iter().filter_map(|metrics| metrics.memory).max(),
        call_s: spent.zip(all).map(|(spent, all)| spent / all),
        database_s: asked.zip(all).map(|(spent, all)| spent / all),
        skew: largest
            .zip(all)
            .map(|(largest, all)| largest * after.len() as f64 / all),
    }
}

/// A replica whose counters went back: another process answers at its address now. The position of the first.
pub fn restarted(before: &[Metrics], after: &[Metrics]) -> Option<usize> {
    let back =
        |before: Option<f64>, after: Option<f64>| before.zip(after).is_some_and(|(before, after)| after < before);
    let mut pairs = before.iter().zip(after);
    pairs.position(|(before, after)| back(before.calls, after.calls) || back(before.cpu_s, after.cpu_s))
}

/// The value of a line of this name, whatever its labels.
fn sample(line: &str, name: &str) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let rest = match rest.chars().next()? {
        '{' => rest.rsplit_once('}')?.1,
        ' ' | '\t' => rest,
        _ => return None,
    };
    rest.split_whitespace()
        .next()?
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP process_cpu_seconds_total x\n# TYPE process_cpu_seconds_total counter\n\
        process_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 1048576\n\
        stocktake_request_duration_seconds_sum{protocol=\"grpc\",method=\"Get}Product\"} 3.5\n\
        stocktake_request_duration_seconds_sum{protocol=\"rest\"} 0.5 1700000000\n\
        stocktake_request_duration_seconds_count{a=\"b\"} 200\nstocktake_request_duration_seconds_counts 7\n\
        stocktake_watches_limit 20000\ngarbage\n";

    #[test]
    fn what_is_there_is_read_and_added_up() {
        let read = parse(TEXT);
        assert_eq!(
            (read.cpu_s, read.memory, read.streams),
            (Some(12.5), Some(1 << 20), Some(20_000))
        );
        assert_eq!((read.calls, read.calls_s), (Some(200.0), Some(4.0)));
        let other = parse(
            "grpc_server_handling_seconds_count{grpc_type=\"unary\"} 10\ngrpc_server_handling_seconds_sum{grpc_type=\"unary\"} 2\n\
             db_client_operation_duration_seconds_sum{db_system_name=\"postgresql\"} 1.5\n",
        );
        assert_eq!(
            (other.calls, other.calls_s, other.database_s),
            (Some(10.0), Some(2.0), Some(1.5))
        );
        assert!(other.handlers && !read.handlers);
        assert_eq!(parse("\u{0}{ NaN\nprocess_cpu_seconds_total NaN\n"), Metrics::default());
    }

    #[test]
    fn replicas_are_added_up_and_compared() {
        let at = |calls: f64, cpu: f64| Metrics {
            calls: Some(calls),
            calls_s: Some(calls * 0.02),
            database_s: Some(calls * 0.015),
            handlers: false,
            cpu_s: Some(cpu),
            memory: Some(100),
            streams: None,
        };
        let between = between(&[at(0.0, 1.0), at(50.0, 1.0)], &[at(300.0, 2.0), at(150.0, 1.5)]);
        assert_eq!(between.cpu_s, Some(1.5));
        assert!((between.call_s.unwrap() - 0.02).abs() < 1e-12);
        assert!((between.database_s.unwrap() - 0.015).abs() < 1e-12);
        assert!(
            (between.skew.unwrap() - 1.5).abs() < 1e-12,
            "300 of 400 calls, where 200 were its share"
        );
        assert_eq!(super::between(&[at(5.0, 5.0)], &[at(1.0, 1.0)]).cpu_s, None);
        assert_eq!(super::between(&[], &[]), Between::default());
        assert_eq!(
            restarted(&[at(5.0, 5.0), at(5.0, 5.0)], &[at(9.0, 6.0), at(1.0, 1.0)]),
            Some(1)
        );
        assert_eq!(restarted(&[at(5.0, 5.0)], &[at(5.0, 5.0)]), None);
        assert_eq!(restarted(&[at(5.0, 5.0)], &[Metrics::default()]), None);
    }
}
