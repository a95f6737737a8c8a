//! What is written is what was measured. That another implementation reads it is tested end to end.

use crate::load::{
    distribution::Distribution,
    hlog::{Log, hgrm},
    recorder::Tally,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{
    Histogram,
    serialization::{
        Deserializer,
        interval_log::{IntervalLogIterator, LogEntry},
    },
};
use std::time::{Duration, SystemTime};

fn times(count: u64, step: u64) -> Distribution {
    let mut times = Distribution::default();
    (1..=count).for_each(|n| times.record(n * step));
    times
}

#[test]
fn a_log_holds_each_round_under_its_tag() {
    let begin = SystemTime::UNIX_EPOCH + Duration::from_millis(1_790_000_000_250);
    let mut log = Log::new("get over gRPC", begin);
    let round = |count| Tally {
        id: "get".to_owned(),
        response: times(count, 1_000),
        slot_wait: times(count, 10),
        ..Tally::default()
    };
    log.add(Duration::from_secs(5), Duration::from_secs(10), &round(500));
    log.add(Duration::from_secs(35), Duration::from_secs(10), &round(700));
    let entries: Vec<LogEntry<'_>> = IntervalLogIterator::new(log.text()).map(Result::unwrap).collect();
    let mut found = Vec::new();
    let mut merged = Distribution::default();
    for entry in &entries[2..] {
        let LogEntry::Interval(interval) = entry else {
            panic!("{entry:?}")
        };
        let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
        let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        if interval.tag().is_none() {
            histogram
                .iter_recorded()
                .for_each(|step| (0..step.count_at_value()).for_each(|_| merged.record(step.value_iterated_to())));
        }
        let tag = interval.tag().map(|tag| tag.as_str());
        found.push((
            tag,
            interval.start_timestamp().as_secs(),
            interval.duration().as_secs(),
            histogram.len(),
        ));
    }
    let wanted = [
        (None, 5, 10, 500),
        (Some("slot_wait"), 5, 10, 500),
        (None, 35, 10, 700),
        (Some("slot_wait"), 35, 10, 700),
    ];
    assert_eq!(found, wanted);
    let base = Duration::from_millis(1_790_000_000_250);
    assert_eq!(entries[..2], [LogEntry::StartTime(base), LogEntry::BaseTime(base)]);
    // The rounds of a tag together are the run.
    let mut whole = times(500, 1_000);
    whole.merge(&times(700, 1_000));
    assert_eq!(merged.histogram(), whole.histogram());
}

#[test]
fn a_title_is_one_line_whatever_a_factor_has_in_it() {
    let mut log = Log::new("get, c1 [text a\nTag=x,0,0,0,b\r\"c\"]", SystemTime::UNIX_EPOCH);
    log.add(
        Duration::ZERO,
        Duration::from_secs(1),
        &Tally {
            response: times(20, 1_000),
            ..Tally::default()
        },
    );
    let text = String::from_utf8(log.text().to_vec()).unwrap();
    assert!(text.contains("#get, c1 [text a Tag=x,0,0,0,b \"c\"]\n"), "{text}");
    let intervals = IntervalLogIterator::new(log.text()).filter(|entry| matches!(entry, Ok(LogEntry::Interval(_))));
    assert_eq!(intervals.count(), 1);
}

#[test]
fn a_table_has_the_columns_and_the_unit_that_plotters_expect() {
    let text = hgrm(&times(1_000, 1_000_000));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
    assert_eq!(lines[1], "");
    assert_eq!(lines[2], "    1.000447 0.000000000000          1           1.00");
    // Milliseconds: the median of 1 to 1,000 ms.
    assert!(
        lines.contains(&"  500.170751 0.500000000000        500           2.00"),
        "{text}"
    );
    // p99 is the last that 1,000 samples may show; then comes the maximum.
    let rows: Vec<Vec<f64>> = lines[2..lines.len() - 3]
        .iter()
        .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
        .collect();
    let [.., before, last] = &rows[..] else {
        panic!("{text}")
    };
    assert!(before[1] <= 0.99 && before[1] > 0.98 && before.len() == 4, "{before:?}");
    assert_eq!(last[1..], [1.0, 1_000.0]);
    assert!(rows.is_sorted_by(|a, b| a[0] <= b[0] && a[2] <= b[2]));
    assert_eq!(
        lines[lines.len() - 2],
        "#[Max     =  1000.341503, Total count    =         1000]"
    );
    assert_eq!(
        lines[lines.len() - 1],
        "#[Buckets =           32, SubBuckets     =         2048]"
    );
    assert!(hgrm(&Distribution::default()).ends_with("Total count    =            0]\n"));
}
