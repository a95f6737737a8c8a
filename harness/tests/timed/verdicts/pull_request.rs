//! What a pull request shows of four runs, on GitHub and on Azure Pipelines: `reports/sample/pull-request` keeps it, with what
//! differs from run to run taken out. `STOCKTAKE_BLESS=1` writes it anew.

use crate::support::{
    process::{self, Ended},
    root,
    stocktake::{binary, serve},
};
use regex::Regex;
use std::{fs, path::Path, process::Command, time::Duration};

const RUN: Duration = Duration::from_secs(300);

/// What a CI system was told.
struct Told {
    ended: Ended,
    summary: String,
    outputs: String,
}

fn on_github(arguments: &[&str]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let (summary, outputs) = (folder.path().join("summary.md"), folder.path().join("outputs"));
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .arg("--out")
        .arg(folder.path().join("run"))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs);
    let ended = process::run(&mut command, RUN);
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    Told {
        summary: read(&summary),
        outputs: read(&outputs),
        ended,
    }
}

fn on_azure(arguments: &[&str]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary());
    command
        .args(arguments)
        .arg("--out")
        .arg(folder.path().join("run"))
        .env("TF_BUILD", "True")
        .env("AGENT_TEMPDIRECTORY", folder.path());
    let ended = process::run(&mut command, RUN);
    let named = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("##vso[task.uploadsummary]"))
        .unwrap_or_else(|| panic!("no summary: {}", ended.shown()));
    assert!(Path::new(named).is_absolute(), "{named}");
    Told {
        summary: fs::read_to_string(named).unwrap(),
        outputs: String::new(),
        ended,
    }
}

/// Lines of the log that are commands.
fn commands(told: &Told) -> String {
    let is = |line: &&str| line.starts_with("::") || line.starts_with("##vso[");
    told.ended
        .stdout
        .lines()
        .filter(is)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Without addresses, ids, paths and numbers that were measured.
fn redacted(text: &str) -> String {
    let rules = [
        (r"127\.0\.0\.1:[0-9]+", "127.0.0.1:PORT"),
        (r#"/[^\s`"]*/run/"#, "RUN/"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
        (r"20[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z| UTC)?", "TIME"),
        (r"(st-)[0-9a-z]{10}", "${1}RUNID"),
        (r"(Run `)[0-9a-z]{10}", "${1}RUNID"),
        (r"(sha256 `)[0-9a-f]+", "${1}SHA"),
        (
            r"stocktake [0-9.]+ on [a-z0-9_ ]+ with [0-9]+ processors?",
            "stocktake on a machine",
        ),
        (r"[0-9][0-9,.]* ?(ns|µs|ms|s|min|req/s)\b", "N $1"),
    ];
    let mut text = text.to_owned();
    for (pattern, with) in rules {
        text = Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

/// Measured numbers differ from run to run in all of their places.
fn numberless(text: &str) -> String {
    Regex::new(r"[0-9]+([.,][0-9]+)*")
        .unwrap()
        .replace_all(text, "N")
        .into_owned()
}

/// A summary without what the suite, and not the pull request, brings: what was left on the target, coverage and the like.
fn head(summary: &str) -> &str {
    summary
        .split("<details><summary>Left on the target")
        .next()
        .unwrap_or_default()
}

fn keep(name: &str, told: &Told, shown: impl Fn(&str) -> String) {
    let folder = root().join("reports/sample/pull-request").join(name);
    let files = [
        ("summary.md", shown(head(&told.summary))),
        ("annotations.txt", shown(&commands(told))),
        ("outputs.txt", shown(&told.outputs)),
        ("exit-code.txt", format!("{}\n", told.ended.code.unwrap())),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        if std::env::var_os("STOCKTAKE_BLESS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, kept, "{}: STOCKTAKE_BLESS=1 writes it anew", path.display());
    }
}

const FEW: [&str; 4] = [
    "--filter",
    "get_stored*,get_unknown*,list_past_end*",
    "--protocol",
    "grpc",
];

fn verify<'a>(target: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["verify", target].iter().chain(&FEW).chain(more).copied().collect()
}

#[test]
fn a_pull_request_that_passes() {
    let (old, new) = (
        serve(&["--revision", "old"]),
        serve(&["--revision", "new", "--replica", "a"]),
    );
    let arguments = verify(&new.address, &["--expect-revision", "new", "--against", &old.address]);
    let told = on_github(&arguments);
    assert_eq!(told.ended.code, Some(0), "{}", told.ended.shown());
    assert_eq!(
        commands(&told)
            .lines()
            .filter(|line| line.starts_with("::error"))
            .count(),
        0
    );
    assert!(
        told.outputs
            .starts_with("verdict=passed\nfailed=0\nchecks_failed=0\nreport="),
        "{}",
        told.outputs
    );
    keep("pass", &told, redacted);
    let told = on_azure(&arguments);
    assert!(!told.ended.stdout.contains("task.complete"), "{}", told.ended.shown());
}

#[test]
fn a_pull_request_with_a_functional_regression() {
    let (old, new) = (
        serve(&["--revision", "old"]),
        serve(&["--revision", "new", "--replica", "a", "--fault", "get-stale"]),
    );
    let arguments = verify(&new.address, &["--expect-revision", "new", "--against", &old.address]);
    let told = on_github(&arguments);
    assert_eq!(told.ended.code, Some(1), "{}", told.ended.shown());
    let lines = commands(&told);
    assert!(
        lines.contains("::error file=scenarios/verify/get_stored.yaml,line="),
        "{lines}"
    );
    assert!(lines.contains("against the old target"), "{lines}");
    assert!(told.summary.contains("regression get_stored"), "{}", told.summary);
    assert!(told.outputs.starts_with("verdict=failed\n"), "{}", told.outputs);
    keep("functional-regression", &told, redacted);
    let told = on_azure(&arguments);
    let lines = commands(&told);
    for words in [
        "##vso[task.logissue type=error;sourcepath=scenarios/verify/get_stored.yaml;linenumber=",
        "##vso[task.complete result=Failed;]",
        "##vso[task.setvariable variable=stocktake.verdict;isOutput=true]failed",
    ] {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    assert!(told.summary.contains("regression get_stored"), "{}", told.summary);
}

#[test]
fn a_pull_request_with_a_performance_regression() {
    let (old, new) = (serve(&[]), serve(&["--simulate", "slow=10ms"]));
    // A closed loop, and more rounds than a comparison needs: on a busy machine some may be void.
    let arguments = [
        "load",
        &new.address,
        "--against",
        &old.address,
        "--workload",
        "mixed",
        "--legs",
        "grpc",
        "--in-flight",
        "4",
        "--duration",
        "400ms",
        "--warm-up",
        "100ms",
        "--rounds",
        "14",
    ];
    let told = on_github(&arguments);
    assert_eq!(told.ended.code, Some(1), "{}", told.ended.shown());
    let lines = commands(&told);
    assert!(
        lines.contains("::error title=stocktake load::the new target is worse"),
        "{lines}"
    );
    assert!(told.summary.contains("stocktake load"), "{}", told.summary);
    assert!(
        told.outputs.starts_with("verdict=failed\n") && told.outputs.contains("p99_ms="),
        "{}",
        told.outputs
    );
    // What was measured, and how many doubts the machine gave, differ from run to run: the form is kept.
    let head = Told {
        summary: told.summary.split("\n\n").take(2).collect::<Vec<_>>().join("\n\n") + "\n",
        outputs: told.outputs,
        ended: Ended {
            stdout: lines.lines().take(1).map(|line| format!("{line}\n")).collect(),
            ..told.ended
        },
    };
    keep("performance-regression", &head, |text| {
        form(&numberless(&redacted(text)))
    });
}

/// A sentence about the gravest measure, whichever it was.
fn form(text: &str) -> String {
    let worse = Regex::new(r"(the new target is worse): [^\n*]*").unwrap();
    worse.replace_all(text, "$1: MEASURES").into_owned()
}

#[test]
fn a_pull_request_whose_target_is_not_there() {
    let arguments = verify("127.0.0.1:1", &["--connect-timeout", "1s"]);
    let told = on_github(&arguments);
    assert_eq!(told.ended.code, Some(3), "{}", told.ended.shown());
    assert!(
        commands(&told).starts_with("::error title=stocktake verify::cannot reach"),
        "{}",
        commands(&told)
    );
    assert!(told.outputs.starts_with("verdict=not_judged\n"), "{}", told.outputs);
    assert!(
        told.summary.contains("not judged") && told.summary.contains("cannot reach"),
        "{}",
        told.summary
    );
    // A refusal takes more or less than a millisecond.
    let unit = Regex::new("after N (ns|µs|ms|s)").unwrap();
    keep("unreachable", &told, |text| {
        unit.replace_all(&redacted(text), "after N ms").into_owned()
    });
    let told = on_azure(&arguments);
    assert!(
        commands(&told).contains("##vso[task.complete result=Failed;]cannot reach"),
        "{}",
        commands(&told)
    );
}

#[test]
fn a_failed_run_stays_failed_where_its_results_cannot_be_shown() {
    let server = serve(&["--fault", "get-stale"]);
    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("outputs");
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(binary());
    command
        .args(verify(&server.address, &["--out"]))
        .arg(folder.path().join("run"))
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", &outputs)
        .stdout(full())
        .stderr(std::process::Stdio::null());
    assert_eq!(command.status().unwrap().code(), Some(1));
    let told = fs::read_to_string(&outputs).unwrap();
    // The last one of a name counts.
    let last = |name: &str| told.lines().filter_map(|line| line.strip_prefix(name)).next_back();
    assert_eq!(last("verdict="), Some("failed"), "{told}");
    assert!(last("failed=").is_some_and(|count| count != "0"), "{told}");
}

#[test]
fn azure_is_told_of_a_load_run_too() {
    let server = serve(&[]);
    let short = [
        "load",
        &server.address,
        "--legs",
        "grpc",
        "--rate",
        "200",
        "--duration",
        "300ms",
        "--warm-up",
        "0s",
        "--rounds",
        "1",
    ];
    let told = on_azure(&short);
    assert_eq!(told.ended.code, Some(0), "{}", told.ended.shown());
    let lines = commands(&told);
    assert!(
        lines.contains("variable=stocktake.verdict;isOutput=true]passed"),
        "{lines}"
    );
    assert!(
        !lines.contains("task.complete") && !lines.contains("type=error"),
        "{lines}"
    );
    assert!(told.summary.contains("stocktake load"), "{}", told.summary);
    let told = on_azure(&["load", "127.0.0.1:1", "--legs", "grpc", "--connect-timeout", "1s"]);
    assert_eq!(told.ended.code, Some(3), "{}", told.ended.shown());
    assert!(
        commands(&told).contains("##vso[task.complete result=Failed;]cannot reach"),
        "{}",
        commands(&told)
    );
}

#[test]
fn the_ci_system_can_be_named_and_switched_off() {
    let arguments = verify("127.0.0.1:1", &["--connect-timeout", "1s", "--ci", "none"]);
    let told = on_github(&arguments);
    assert_eq!(
        (commands(&told), told.summary.as_str(), told.outputs.as_str()),
        (String::new(), "", "")
    );
    let mut command = Command::new(binary());
    command.args(verify("127.0.0.1:1", &["--connect-timeout", "1s", "--ci", "github"]));
    let seen = process::run(&mut command, RUN);
    assert!(seen.stdout.starts_with("::error "), "{}", seen.shown());
}
