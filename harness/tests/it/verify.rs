//! `stocktake verify` end to end, through the real binary: verdicts, exit codes and what stands in the way of a vacuous pass.

use crate::support::{
    stocktake::{attempt, record, run, serve},
    write,
};
use stocktake::verify::record::{Outcome, RuleVerdict, VerdictResult};

/// A scenario of the tests: `steps` under a read-only head.
fn scenario(id: &str, head: &str, steps: &str) -> String {
    format!(
        "version: 1\nid: {id}\nname: {id}\neffects: writes\nservice: inventory.InventoryService\n{head}\nsteps:\n{steps}"
    )
}

const LIST: &str =
    "  - call: ListProducts\n    request: { page_size: 1 }\n    expect: { response: { page_size: 1 } }\n";
const WRONG: &str =
    "  - call: ListProducts\n    request: { page_size: 1 }\n    expect: { response: { page_size: 2 } }\n";

#[test]
fn check_starts_the_service_judges_it_and_writes_the_reports() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let seen = run(&["check", "--out", out.to_str().unwrap()]);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert!(
        seen.stdout.contains("PASSED: ") && seen.stdout.contains("index.html"),
        "{}",
        seen.stdout
    );
    let record = record(&out).unwrap();
    assert_eq!(record.verdict.result, VerdictResult::Passed);
    assert_eq!(record.rules.len(), inventory_contract::RULES.len());
    assert!(
        record.rules.iter().all(|rule| rule.verdict == RuleVerdict::Passed),
        "{:?}",
        record.rules
    );

    // The reports are renders of the record, byte for byte.
    let again = folder.path().join("again");
    let report = run(&["report", out.to_str().unwrap(), "--out", again.to_str().unwrap()]);
    assert_eq!(report.code, Some(0), "{}", report.stderr);
    for file in ["run.json", "index.html", "report.md", "junit.xml"] {
        assert_eq!(
            std::fs::read(out.join(file)).unwrap(),
            std::fs::read(again.join(file)).unwrap(),
            "{file}"
        );
    }
    // A folder with a run in it is not overwritten.
    let seen = run(&["check", "--out", out.to_str().unwrap()]);
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
}

#[test]
fn a_mismatch_shows_the_place_in_the_file_and_exits_1() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "wrong.yaml", &scenario("wrong", "", WRONG));
    let args = ["--scenarios", folder.path().to_str().unwrap(), "--protocol", "grpc"];
    let seen = attempt(&server.address, &args);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert!(seen.stdout.contains("wrong.yaml:10:38"), "{}", seen.stdout);
    assert!(seen.stdout.contains("page_size is 1, expected 2"), "{}", seen.stdout);
    let record = seen.record.unwrap();
    assert_eq!(record.verdict.counts.failed, 1);
    assert_eq!(
        (record.cases[0].mismatches[0].line, record.cases[0].mismatches[0].column),
        (10, 38)
    );
}

#[test]
fn only_must_decides_unless_asked() {
    let server = serve(&["--fault", "rpc-no-health"]);
    let should = ["--filter", "rpc_health*"];
    let seen = attempt(&server.address, &should);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stdout.contains("should"), "{}", seen.stdout);
    let seen = attempt(&server.address, &[&should[..], &["--level", "should"]].concat());
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
}

#[test]
fn known_failing_lines_must_match_and_must_fail() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "wrong.yaml", &scenario("wrong", "", WRONG));
    write(folder.path(), "right.yaml", &scenario("right", "", LIST));
    let known = |text: &str| {
        let file = write(folder.path(), "known.txt", text);
        let scenarios = folder.path().to_str().unwrap();
        let args = ["--scenarios", scenarios, "--protocol", "grpc", "--known-failing"];
        attempt(&server.address, &[&args[..], &[file.to_str().unwrap()]].concat())
    };
    let seen = known("# a comment\nwrong (grpc)  # page sizes are off\n");
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert_eq!(
        seen.record.unwrap().cases[1].outcome,
        Outcome::KnownFailing {
            reason: "page sizes are off".into()
        }
    );

    let seen = known("* # everything is broken\n");
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert_eq!(seen.record.unwrap().verdict.counts.unexpected_pass, 1);

    let seen = known("wrong*  # a reason\nnothing* # a reason\n");
    assert_eq!(seen.code, Some(2));
    assert!(
        seen.stderr.contains("known.txt:2: `nothing*` matches no case"),
        "{}",
        seen.stderr
    );

    let seen = known("wrong*\n");
    assert_eq!(seen.code, Some(2));
    assert!(
        seen.stderr.contains("known.txt:1: `wrong*` gives no reason"),
        "{}",
        seen.stderr
    );
}

#[test]
fn nothing_passes_because_nobody_looked() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    let scenarios = folder.path().to_str().unwrap().to_owned();
    let with = |args: &[&str]| attempt(&server.address, &[&["--scenarios", &scenarios], args].concat());

    let empty = with(&[]);
    assert_eq!(empty.code, Some(2));
    assert!(empty.stderr.contains("holds no .yaml file"), "{}", empty.stderr);

    write(folder.path(), "right.yaml", &scenario("right", "tags: [paging]", LIST));
    for (args, text) in [
        (["--filter", "wrong"], "the filter `wrong` matches no case"),
        (
            ["--tag", "stream"],
            "no scenario has the tag `stream`; there are: paging",
        ),
    ] {
        let seen = with(&args);
        assert_eq!(seen.code, Some(2), "{}", seen.stdout);
        assert!(seen.stderr.contains(text), "{}", seen.stderr);
    }
    // Everything skipped is not a pass.
    let skipped = with(&["--read-only"]);
    assert_eq!(skipped.code, Some(3), "{}", skipped.stdout);

    write(
        folder.path(),
        "right.yaml",
        &scenario("right", "requires: [grpc.health.v1.Health/NoSuchMethod]", LIST),
    );
    assert_eq!(with(&[]).code, Some(3));

    // A law over no message proves nothing.
    let nothing = "  - id: w\n    call: WatchStockChanges\n    background: true\n    deadline: 300ms\n    request: { category: none }\n  \
                   - wait: w\n    within: 3s\n    expect: { messages: { each: [\"message.new_quantity >= 0\"] } }\n";
    write(folder.path(), "right.yaml", &scenario("right", "", nothing));
    let each = with(&[]);
    assert_eq!(each.code, Some(1), "{}{}", each.stdout, each.stderr);
    assert!(each.stdout.contains("`each` over nothing"), "{}", each.stdout);
}

#[test]
fn mistakes_in_scenarios_end_before_any_call() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (
            "  - call: ListProduct\n",
            "has no method `ListProduct`, did you mean `ListProducts`?",
            "8:11",
        ),
        (
            "  - call: ListProducts\n    request: { pag: 1 }\n",
            "no field `pag` in inventory.ListProductsRequest; did you mean `page`?",
            "9:16",
        ),
        (
            "  - call: ListProducts\n    expect: { response: { products: 3 } }\n",
            "`products` is a list",
            "9:37",
        ),
        (
            "  - call: GetProduct\n    expect: { assert: [\"response.pric > 1.0\"] }\n",
            "no field `pric` in inventory.Product, did you mean `price`?",
            "9:25",
        ),
        (
            "  - call: ListProducts\n    requests: [{ page: 1 }]\n",
            "write `request:`, not `requests:`",
            "8:11",
        ),
        (
            "  - call: nothing.Service/Method\n",
            "the target describes no service `nothing.Service`",
            "8:11",
        ),
    ];
    for (steps, text, place) in cases {
        write(folder.path(), "wrong.yaml", &scenario("wrong", "", steps));
        let seen = attempt(&server.address, &["--scenarios", folder.path().to_str().unwrap()]);
        assert_eq!(seen.code, Some(2), "{}{}", seen.stdout, seen.stderr);
        assert!(
            seen.stderr.contains(text) && seen.stderr.contains(&format!("wrong.yaml:{place}")),
            "{}",
            seen.stderr
        );
        assert!(seen.stderr.contains("nothing was sent"), "{}", seen.stderr);
    }
    let text = "version: 1\nid: wrong\nname: w\neffects: read-only\nservice: inventory.InventoryService\nsteps:\n  - call: UpdateStock\n    request: { id: x }\n    expect: { status: NOT_FOUND }\n";
    write(folder.path(), "wrong.yaml", text);
    let seen = attempt(
        &server.address,
        &["--scenarios", folder.path().to_str().unwrap(), "--read-only"],
    );
    assert_eq!(seen.code, Some(2), "{}", seen.stdout);
    assert!(
        seen.stderr
            .contains("`UpdateStock` writes, and the file says `effects: read-only`"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_read_only_run_writes_nothing_and_judges_something() {
    let server = serve(&[]);
    let total = || {
        let seen = attempt(&server.address, &["--read-only"]);
        assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
        let record = seen.record.unwrap();
        assert!(
            record.verdict.counts.passed >= 5 && record.verdict.counts.skipped > 0,
            "{:?}",
            record.verdict.counts
        );
        assert_eq!(record.residue, vec![]);
    };
    total();
    // The four sample products and nothing else.
    let folder = tempfile::tempdir().unwrap();
    let steps =
        "  - call: ListProducts\n    request: { page_size: 100 }\n    expect: { response: { total_count: 4 } }\n";
    write(folder.path(), "count.yaml", &scenario("count", "", steps));
    let seen = attempt(&server.address, &["--scenarios", folder.path().to_str().unwrap()]);
    assert_eq!(seen.code, Some(0), "{}", seen.stdout);
}

#[test]
fn off_loopback_somebody_must_agree_to_writes() {
    let seen = run(&["verify", "http://192.0.2.1:50051", "--connect-timeout", "1s"]);
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
    assert!(
        seen.stderr.contains("--allow-writes") && seen.stderr.contains("--read-only"),
        "{}",
        seen.stderr
    );
    let args = [
        "verify",
        "http://192.0.2.1:50051",
        "--allow-writes",
        "--max-residue",
        "1",
        "--connect-timeout",
        "1s",
    ];
    let seen = run(&args);
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
    assert!(seen.stderr.contains("more than --max-residue 1"), "{}", seen.stderr);
    let seen = run(&["verify", "example.test:50051"]);
    assert_eq!(seen.code, Some(2), "{}", seen.stderr);
    assert!(
        seen.stderr.contains("http://") && seen.stderr.contains("https://"),
        "{}",
        seen.stderr
    );
}

#[test]
fn every_answer_must_name_the_expected_revision() {
    let server = serve(&["--revision", "inv--k2x9", "--replica", "r1"]);
    let filter = ["--filter", "get_unknown*"];
    let seen = attempt(
        &server.address,
        &[&filter[..], &["--expect-revision", "inv--k2x9"]].concat(),
    );
    assert_eq!(seen.code, Some(0), "{}", seen.stdout);
    assert!(
        seen.record
            .unwrap()
            .target
            .answered_by
            .iter()
            .any(|(name, count)| name == "inv--k2x9/r1" && *count > 0)
    );
    let seen = attempt(
        &server.address,
        &[&filter[..], &["--expect-revision", "inv--new"]].concat(),
    );
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert!(
        seen.stdout
            .contains("answered by revision \"inv--k2x9\", expected \"inv--new\""),
        "{}",
        seen.stdout
    );
}

#[test]
fn approved_answers_are_written_compared_and_missed() {
    let server = serve(&[]);
    let folder = tempfile::tempdir().unwrap();
    let scenarios = tempfile::tempdir().unwrap();
    let steps = "  - call: CreateProduct\n    request: { name: nut, sku: \"st-${{ run.id }}-s\", price: PRICE, stock_quantity: 1 }\n    snapshot: created\n";
    write(
        scenarios.path(),
        "snap.yaml",
        &scenario("snap", "", &steps.replace("PRICE", "1.5")),
    );
    let file = folder.path().join("answers.snap");
    let with = |more: &[&str]| {
        let args = [
            "--scenarios",
            scenarios.path().to_str().unwrap(),
            "--snapshot",
            file.to_str().unwrap(),
        ];
        attempt(&server.address, &[&args[..], more].concat())
    };
    assert_eq!(with(&[]).code, Some(1), "a file that is not there");
    assert_eq!(with(&["--accept"]).code, Some(0));
    assert_eq!(with(&[]).code, Some(0));
    write(
        scenarios.path(),
        "snap.yaml",
        &scenario("snap", "", &steps.replace("PRICE", "2.5")),
    );
    let changed = with(&[]);
    assert_eq!(changed.code, Some(1));
    assert!(
        changed.stdout.contains("differs from the approved `snap/created`"),
        "{}",
        changed.stdout
    );
}

#[test]
fn list_shows_the_cases_and_sends_nothing() {
    let seen = run(&["verify", "http://192.0.2.1:1", "--list", "--filter", "get_*"]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(
        seen.stdout
            .lines()
            .all(|line| line.starts_with("get_") && (line.contains("(grpc)") || line.contains("(rest)"))),
        "{}",
        seen.stdout
    );
}
