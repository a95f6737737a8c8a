//! The histogram files of a load run in the hands of another implementation: PyPI's `hdrhistogram`.

use crate::support::{python, tools};
use ::stocktake::load::{distribution::Distribution, hlog::Log, recorder::Tally};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

/// Percentiles that both sides are asked for.
const PERCENTILES: [f64; 9] = [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// What one thread measured in one round: 40,000 times from 1 µs to minutes, other ones for each.
fn tally(part: u64) -> Tally {
    let mut tally = Tally {
        id: "get".to_owned(),
        ..Tally::default()
    };
    for n in 0..40_000 {
        let scattered = (n + part * 40_000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        tally.response.record(1_000 + (scattered % 4_000).pow(3));
        tally.service.record(1_000 + scattered % 2_000_000);
        tally.lateness.record(scattered % 100);
    }
    tally.failures.record(u64::MAX);
    tally
}

fn write(path: &Path, rounds: &[&Tally]) {
    let mut log = Log::new(
        "get over gRPC",
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000),
    );
    for (round, tally) in (0..).zip(rounds) {
        log.add(Duration::from_secs(30 * round), Duration::from_secs(10), tally);
    }
    fs::write(path, log.text()).unwrap();
}

/// What Python finds in logs, by tag.
fn read(python: &Path, logs: &[&Path]) -> BTreeMap<String, Value> {
    let arguments: Vec<&str> = logs.iter().map(|path| path.to_str().unwrap()).collect();
    let ended = python::run(python, "hlog_read.py", &arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.shown());
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn another_implementation_reads_the_logs_to_the_same_numbers() {
    let Some(python) = tools::python("another_implementation_reads_the_logs_to_the_same_numbers") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let parts: Vec<Tally> = (0..4).map(tally).collect();
    let mut whole = parts[0].clone();
    parts[1..].iter().for_each(|part| whole.merge(part));

    // Two logs of two rounds, and one log of all at once: the merge of the parts is the whole, to the last count.
    let [first, second, all] = [path("first.hlog"), path("second.hlog"), path("all.hlog")];
    write(&first, &[&parts[0], &parts[1]]);
    write(&second, &[&parts[2], &parts[3]]);
    write(&all, &[&whole]);
    let merged = read(&python, &[&first, &second]);
    assert_eq!(merged, read(&python, &[&all]));

    let tags: Vec<&str> = merged.keys().map(String::as_str).collect();
    assert_eq!(tags, ["", "failures", "lateness", "service"]);
    let same = |tag: &str, times: &Distribution| {
        let found = &merged[tag];
        let histogram = times.histogram().unwrap();
        assert_eq!(found["count"], histogram.len(), "{tag}");
        assert_eq!(found["max"], histogram.max(), "{tag}");
        assert_eq!(found["min"], histogram.min(), "{tag}");
        let values: Vec<u64> = PERCENTILES
            .iter()
            .map(|quantile| histogram.value_at_quantile(*quantile))
            .collect();
        assert_eq!(found["percentiles"], Value::from(values), "{tag}");
        let steps: Vec<Value> = histogram
            .iter_recorded()
            .map(|step| Value::from(vec![step.value_iterated_to(), step.count_at_value()]))
            .collect();
        assert_eq!(found["steps"], Value::from(steps), "{tag}");
    };
    same("", &whole.response);
    same("service", &whole.service);
    same("lateness", &whole.lateness);
    same("failures", &whole.failures);
    // Two rounds of 40,000 samples in three distributions are small enough to keep with a run.
    let bytes = fs::metadata(&first).unwrap().len();
    assert!(bytes < 60_000, "{bytes}");
}
