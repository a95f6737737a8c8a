//! The suite against every fault of the reference service: each must be noticed by a scenario that names its rule, over gRPC
//! and over REST, and no unrelated rule may be blamed. Faults that REST cannot show say so in the list of faults. Prints the
//! kill matrix.
//!
//! Over REST only the scenarios that name the fault's rule are run: all of them for each fault take twice the time.

use crate::support::stocktake::{attempt, run, serve};
use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};
use stocktake::{
    client::Protocol,
    scenario::suite::{EMBEDDED, Suite},
    verify::record::{CaseRecord, Outcome, RunRecord},
};

/// Runs at once: most of a run is waiting.
const AT_ONCE: usize = 4;

/// Not noticed over REST, and known: HTTP/1.1 has no window of its own, so what a slow reader leaves unread lies in the
/// buffers of TCP, and the service never learns of it.
const UNSEEN_OVER_REST: [&str; 2] = ["watch-slow-loses", "watch-slow-ok"];

#[derive(Debug)]
struct Fault {
    name: String,
    rule: String,
    also: BTreeSet<String>,
    /// It is about what REST does not have.
    grpc_only: bool,
}

/// `stocktake serve --fault list`: name, rule, text; behind the text `(gRPC only)` and `(also: a, b)` where it applies.
fn faults() -> Vec<Fault> {
    let listed = run(&["serve", "--fault", "list"]);
    assert_eq!(listed.code, Some(0), "{}", listed.shown());
    listed
        .stdout
        .lines()
        .map(|line| {
            let mut words = line.split_whitespace();
            let (name, rule) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
            let also = line.rsplit_once("(also: ").map(|(_, also)| also.trim_end_matches(')'));
            let also = also
                .into_iter()
                .flat_map(|also| also.split(", "))
                .map(str::to_owned)
                .collect();
            let grpc_only = line.contains("(gRPC only)");
            Fault {
                name,
                rule,
                also,
                grpc_only,
            }
        })
        .collect()
}

/// The cases that failed.
fn failed(record: &RunRecord) -> impl Iterator<Item = &CaseRecord> {
    record.cases.iter().filter(|case| case.outcome == Outcome::Failed)
}

/// The rules that they break.
fn broken(record: &RunRecord) -> BTreeSet<String> {
    let mismatches = failed(record).flat_map(|case| &case.mismatches);
    mismatches.flat_map(|mismatch| mismatch.rules.clone()).collect()
}

#[test]
fn every_fault_is_noticed_by_its_rule_and_blames_no_other() {
    let only = std::env::var("STOCKTAKE_TEST_FAULT").ok();
    let faults: Vec<Fault> = faults()
        .into_iter()
        .filter(|f| only.as_ref().is_none_or(|only| f.name.contains(only)))
        .collect();
    assert!(only.is_some() || faults.len() >= 70, "{} faults", faults.len());
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((index, fault)) = {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    faults.get(i).map(|f| (i, f))
                } {
                    let row = twice(fault);
                    rows.lock().unwrap().push((index, row));
                }
            });
        }
    });
    let mut rows = rows.into_inner().unwrap();
    rows.sort_by_key(|(index, _)| *index);
    let problems: Vec<&String> = rows.iter().flat_map(|(_, row)| &row.problems).collect();
    println!("kill matrix, over gRPC and over REST: {} faults", faults.len());
    for (_, row) in &rows {
        println!("{}", row.line);
    }
    assert!(
        problems.is_empty(),
        "{} problems:\n{}",
        problems.len(),
        problems.iter().map(|p| format!("  {p}\n")).collect::<String>()
    );
}

/// A race that a fault opens is not won in every run, and other tests keep the cores busy: what is not as expected is
/// looked at once more, and the matrix says so.
fn twice(fault: &Fault) -> Row {
    let first = judge(fault);
    if first.problems.is_empty() {
        return first;
    }
    let mut second = judge(fault);
    second.line += &format!("  (second run; the first: {})", first.problems.join("; "));
    second
}

struct Row {
    line: String,
    problems: Vec<String>,
}

fn judge(fault: &Fault) -> Row {
    let server = serve(&["--log", "error", "--fault", &fault.name]);
    let own: Vec<String> = scenarios_of(&fault.rule)
        .into_iter()
        .flat_map(|id| ["--filter".to_owned(), id])
        .collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let mut runs = vec![(Protocol::Grpc, Vec::new())];
    if !fault.grpc_only && !UNSEEN_OVER_REST.contains(&fault.name.as_str()) {
        runs.push((Protocol::Rest, own));
    }
    let (mut problems, mut marks, mut killers) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (protocol, restriction) in runs {
        let arguments = [&["--level", "should", "--protocol", protocol.name()], &restriction[..]].concat();
        let run = attempt(&server.address, &arguments);
        let Some(record) = &run.record else {
            problems.push(format!(
                "{}: no record, exit {:?}: {}",
                fault.name, run.code, run.stderr
            ));
            continue;
        };
        let broken = broken(record);
        let killed = broken.contains(&fault.rule);
        marks.push(if killed { "killed  " } else { "SURVIVED" });
        if !killed {
            problems.push(format!(
                "{}: not noticed by {} over {}; noticed: {broken:?}",
                fault.name,
                fault.rule,
                protocol.name()
            ));
        }
        problems.extend(blamed(fault, record, &broken));
        if run.code != Some(1) {
            problems.push(format!("{}: exit {:?} over {}", fault.name, run.code, protocol.name()));
        }
        let by = failed(record).filter(|case| case.mismatches.iter().any(|m| m.rules.contains(&fault.rule)));
        killers.extend(by.map(|case| case.scenario.clone()));
    }
    let line = format!(
        "{:<34} {:<17} {:<26} by {}",
        fault.name,
        marks.join(" "),
        fault.rule,
        killers.into_iter().collect::<Vec<_>>().join(", ")
    );
    Row { line, problems }
}

/// A sentence where rules are blamed that the fault leaves alone.
fn blamed(fault: &Fault, record: &RunRecord, broken: &BTreeSet<String>) -> Option<String> {
    let unrelated: Vec<&String> = broken
        .iter()
        .filter(|rule| **rule != fault.rule && !fault.also.contains(*rule))
        .collect();
    let why: Vec<String> = record
        .cases
        .iter()
        .flat_map(|case| case.mismatches.iter().map(move |m| (case, m)))
        .filter(|(_, m)| m.rules.iter().any(|rule| unrelated.contains(&rule)))
        .map(|(case, m)| format!("{}:{} {}: {} {:?}", case.name(), m.line, m.step, m.summary, m.details))
        .collect();
    (!unrelated.is_empty()).then(|| format!("{}: blames {unrelated:?}: {}", fault.name, why.join(" | ")))
}

/// The scenarios of the suite that name a rule.
fn scenarios_of(rule: &str) -> Vec<String> {
    let files: Vec<(String, String)> = EMBEDDED
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let suite = Suite::parse("embedded", &files).unwrap();
    let naming = suite
        .scenarios
        .iter()
        .filter(|s| s.rules.iter().any(|r| r.value == rule));
    naming.map(|scenario| scenario.id.value.clone()).collect()
}
