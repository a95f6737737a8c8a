//! The scenario engine on a live service: what runs when, what is judged, and what is cleaned up.

mod broken;
mod proxy;

use crate::support::{
    process::Server,
    stocktake::{Attempt, attempt, serve},
    write,
};
use proxy::Proxy;
use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};
use stocktake::verify::record::{CaseRecord, Outcome, RuleVerdict};

/// A scenario of the tests.
fn scenario(id: &str, head: &str, steps: &str) -> String {
    format!(
        "version: 1\nid: {id}\nname: {id}\neffects: writes\nservice: inventory.InventoryService\n{head}\nsteps:\n{steps}"
    )
}

/// The engine is what is judged here: one protocol will do.
const OVER: [&str; 2] = ["--protocol", "grpc"];

/// Runs one scenario against a fresh service.
fn judged(head: &str, steps: &str, more: &[&str]) -> Attempt {
    judged_by(&serve(&[]), head, steps, more)
}

fn judged_by(server: &Server, head: &str, steps: &str, more: &[&str]) -> Attempt {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one.yaml", &scenario("one", head, steps));
    let scenarios = folder.path().to_str().unwrap();
    attempt(
        &server.address,
        &[&["--scenarios", scenarios], &OVER[..], more].concat(),
    )
}

fn only(seen: &Attempt) -> &CaseRecord {
    let record = seen
        .record
        .as_ref()
        .unwrap_or_else(|| panic!("{}{}", seen.stdout, seen.stderr));
    assert_eq!(record.cases.len(), 1);
    &record.cases[0]
}

fn summaries(case: &CaseRecord) -> Vec<&str> {
    case.mismatches
        .iter()
        .map(|mismatch| mismatch.summary.as_str())
        .collect()
}

fn passes(head: &str, steps: &str) {
    let seen = judged(head, steps, &[]);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
}

fn create(id: &str, stock: i32, more: &str) -> String {
    format!(
        "  - id: {id}\n    call: CreateProduct\n    request: {{ name: {id}, sku: \"st-${{{{ run.id }}}}-{id}\", category: \"st-${{{{ run.id }}}}\", price: 1, stock_quantity: {stock} }}\n{more}"
    )
}

/// A clean-up step that sets the stock of `id` from one value to another, and fails when it is not that value.
fn clean(id: &str, change: i32, left: i32) -> String {
    format!(
        "    defer:\n      - call: UpdateStock\n        request: {{ id: \"${{{{ {id}.response.id }}}}\", quantity_change: {change}, reason: clean }}\n        expect: {{ response: {{ stock_quantity: {left} }} }}\n"
    )
}

/// A watch of the run's own category, ready by a probe of `p`.
fn watch(id: &str, more: &str) -> String {
    format!(
        "  - id: {id}\n    call: WatchStockChanges\n    background: true\n{more}    request: {{ category: \"st-${{{{ run.id }}}}\" }}\n    ready:\n      probe: {{ call: UpdateStock, request: {{ id: \"${{{{ p.response.id }}}}\", quantity_change: 1, reason: probe }} }}\n      until: message.new_quantity == probe.response.stock_quantity\n"
    )
}

fn update(id: &str, change: i32, reason: &str) -> String {
    format!(
        "  - id: {reason}\n    call: UpdateStock\n    request: {{ id: \"${{{{ p.response.id }}}}\", quantity_change: {change}, reason: {reason} }}\n"
    )
    .replace("p.response", &format!("{id}.response"))
}

const FAILS: &str = "  - call: GetProduct\n    request: { id: \"${{ p.response.id }}\" }\n    expect: { response: { name: another } }\n";

#[test]
fn clean_up_runs_last_in_first_out_after_a_failure_too() {
    // Each clean-up says what it must find: in another order they would not.
    let steps = create("p", 1, &clean("p", 20, 123))
        + &create(
            "q",
            0,
            "    defer:\n      - call: UpdateStock\n        request: { id: \"${{ p.response.id }}\", quantity_change: 102, reason: clean }\n        expect: { response: { stock_quantity: 103 } }\n",
        );
    for last in ["", FAILS] {
        let seen = judged("", &format!("{steps}{last}"), &[]);
        assert_eq!(seen.code, Some(i32::from(!last.is_empty())), "{}", seen.stdout);
        let residue = &seen.record.as_ref().unwrap().residue;
        assert_eq!(
            residue.iter().map(|residue| residue.why.as_str()).collect::<Vec<_>>(),
            ["", ""]
        );
        assert!(residue[0].what.ends_with("-p (stock 123)"), "{residue:?}");
    }
    // As it is: 1 + 102 = 103 first, then 103 + 20 = 123.
}

#[test]
fn clean_up_is_due_for_a_step_that_created_something_and_failed() {
    let wrong = format!(
        "    expect: {{ response: {{ stock_quantity: 8 }} }}\n{}",
        clean("p", -7, 0)
    );
    let seen = judged("", &create("p", 7, &wrong), &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    let residue = &seen.record.as_ref().unwrap().residue;
    assert!(residue[0].what.ends_with("-p (stock 0)"), "{residue:?}");
    assert_eq!(residue[0].why, "");
}

#[test]
fn clean_up_that_fails_is_residue_and_no_verdict() {
    let seen = judged("", &create("p", 7, &clean("p", -100, 0)), &[]);
    assert_eq!(seen.code, Some(0), "{}", seen.stdout);
    assert_eq!(only(&seen).outcome, Outcome::Passed);
    let residue = &seen.record.as_ref().unwrap().residue;
    assert!(residue[0].what.ends_with("-p (stock 7)"), "{residue:?}");
    assert!(
        residue[0]
            .why
            .contains("failed: status FAILED_PRECONDITION, expected OK"),
        "{residue:?}"
    );
}

#[test]
fn a_call_is_repeated_until_its_expectations_hold() {
    // A cancelled watch is seen by a later call: each try adds one, the third one is right.
    let adds = "  - call: UpdateStock\n    request: { id: \"${{ p.response.id }}\", quantity_change: 1, reason: again }\n    eventually: { within: WITHIN, every: 20ms }\n    expect: { response: { stock_quantity: COUNT } }\n";
    let steps = create("p", 0, "") + &adds.replace("COUNT", "3").replace("WITHIN", "20s");
    passes("timeout: 30s", &steps);
    let steps = create("p", 0, "") + &adds.replace("COUNT", "-1").replace("WITHIN", "100ms");
    let seen = judged("", &steps, &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert!(
        only(&seen).mismatches[0]
            .details
            .iter()
            .any(|(label, text)| label == "tries" && text.ends_with("within 100ms")),
        "{:?}",
        only(&seen).mismatches
    );
}

#[test]
fn many_calls_at_once_are_counted() {
    let rush = "  - id: rush\n    call: UpdateStock\n    repeat: 20\n    concurrency: 5\n    request: { id: \"${{ p.response.id }}\", quantity_change: -1, reason: \"rush ${{ index }}\" }\n    expect: { count: { OK: COUNT, FAILED_PRECONDITION: 13 } }\n";
    let check = "  - call: GetProduct\n    request: { id: \"${{ p.response.id }}\" }\n    expect: { assert: [\"rush.results.filter(r, r.status.code == 'OK').size() == 7 && response.stock_quantity == 0\"] }\n";
    passes("", &(create("p", 7, "") + &rush.replace("COUNT", "7") + check));
    let seen = judged("", &(create("p", 7, "") + &rush.replace("COUNT", "8")), &[]);
    assert_eq!(summaries(only(&seen)), ["7 calls ended OK, expected 8"]);
}

#[test]
fn the_client_ends_a_call_by_itself() {
    let watch = "  - call: WatchStockChanges\n    request: { category: none }\n    cancel_after: 50ms\n    expect: { status: CANCELLED, assert: [\"layer == 'client'\"] }\n";
    passes("", watch);
    let many = "  - call: WatchStockChanges\n    request: { category: none }\n    repeat: 10\n    concurrency: 10\n    cancel_after: 50ms\n";
    passes("", many);
    // What ends by itself was not cancelled: an error is one, also where nobody named a status.
    let refused = "  - call: GetProduct\n    request: { id: nobody }\n    cancel_after: 20s\n";
    let seen = judged("", refused, &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert_eq!(summaries(only(&seen)), ["status NOT_FOUND, expected OK"]);
    let short =
        "  - call: GetProduct\n    request: { id: \"${{ p.response.id }}\" }\n    cancel_after: { messages: 2 }\n";
    let seen = judged("", &(create("p", 1, "") + short), &[]);
    assert!(
        summaries(only(&seen))[0].contains("ended by itself after 1 messages"),
        "{:?}",
        summaries(only(&seen))
    );
}

#[test]
fn a_watch_is_waited_for_judged_and_cancelled() {
    let expect = "    expect:\n      messages:\n        exactly:\n          - { reason: sale, new_quantity: \"${{ sale.response.stock_quantity }}\" }\n          - { reason: fence }\n        each: [\"message.product_name == 'p'\"]\n";
    let wait = "  - wait: w\n    until: message.reason == \"fence\"\n    within: 20s\n    settle: 50ms\n";
    let steps = create("p", 10, "") + &watch("w", "") + &update("p", -3, "sale") + &update("p", 1, "fence") + wait;
    passes("", &format!("{steps}{expect}  - cancel: w\n"));
    let wrong = expect.replace("reason: sale", "reason: sold");
    let seen = judged("", &format!("{steps}{wrong}"), &[]);
    assert_eq!(summaries(only(&seen)), ["2 messages, but not the expected ones"]);
    let never = "  - wait: w\n    until: message.reason == \"nothing\"\n    within: 50ms\n";
    let seen = judged("", &format!("{steps}{never}"), &[]);
    assert_eq!(
        summaries(only(&seen)),
        ["no message within 50ms satisfied `message.reason == \"nothing\"`"]
    );
}

#[test]
fn a_held_watch_reads_nothing_until_it_is_waited_for() {
    let steps = create("p", 10, "")
        + &watch("w", "    hold: true\n")
        + &update("p", 1, "fence")
        + "  - wait: w\n    until: message.reason == \"fence\"\n    within: 20s\n    expect: { messages: { exactly: [{ reason: fence }] } }\n  - cancel: w\n";
    passes("", &steps);
}

#[test]
fn a_watch_without_ready_is_open_all_the_same() {
    // Until it is subscribed, updates go past it: so many follow that one is behind the subscription.
    let steps = create("p", 10, "")
        + "  - id: w\n    call: WatchStockChanges\n    background: true\n    request: { category: \"st-${{ run.id }}\" }\n"
        + "  - call: UpdateStock\n    repeat: 200\n    request: { id: \"${{ p.response.id }}\", quantity_change: 1, reason: any }\n"
        + "  - wait: w\n    until: message.reason == \"any\"\n    within: 20s\n  - cancel: w\n";
    passes("", &steps);
}

#[test]
fn the_end_of_a_call_is_waited_for() {
    let open = |deadline: &str| {
        format!(
            "  - id: w\n    call: WatchStockChanges\n    background: true\n    deadline: {deadline}\n    request: {{ category: none }}\n"
        )
    };
    let wait =
        "  - wait: w\n    within: WITHIN\n    expect: { status: DEADLINE_EXCEEDED, messages: { exactly: [] } }\n";
    let ends = open("200ms") + &wait.replace("WITHIN", "20s");
    passes("timeout: 30s", &ends);
    // The end was expected: to cancel the call after it is no surprise.
    passes("timeout: 30s", &format!("{ends}  - cancel: w\n"));
    let seen = judged("", &(open("15s") + &wait.replace("WITHIN", "50ms")), &[]);
    assert_eq!(summaries(only(&seen)), ["`w` did not end within 50ms"]);
    // Nobody has waited for that end.
    let early = open("50ms")
        + "  - call: WatchStockChanges\n    deadline: 400ms\n    request: { category: none }\n    expect: { status: DEADLINE_EXCEEDED }\n  - cancel: w\n";
    let seen = judged("", &early, &[]);
    assert_eq!(
        summaries(only(&seen)),
        ["the call had ended by itself before it was cancelled"]
    );
}

#[test]
fn each_of_many_watches_is_judged() {
    // Calls 0 and 1 watch a category with changes, call 2 one without.
    let watches = "  - id: w\n    call: WatchStockChanges\n    background: true\n    repeat: 3\n    deadline: 1s\n    request: { category: \"${{ index < 2 ? 'st-' + run.id : 'none' }}\" }\n";
    let steps = create("p", 10, "")
        + watches
        + "  - call: UpdateStock\n    repeat: 200\n    request: { id: \"${{ p.response.id }}\", quantity_change: 1, reason: any }\n"
        + "  - wait: w\n    until: message.reason == \"any\"\n    within: 10s\n";
    let seen = judged("timeout: 30s", &steps, &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert_eq!(
        summaries(only(&seen)),
        ["the call ended before a message satisfied `message.reason == \"any\"`"]
    );
    let details = &only(&seen).mismatches[0].details;
    assert!(
        details.iter().any(|(_, text)| text.starts_with("call 2 of 3")),
        "{details:?}"
    );
}

#[test]
fn a_set_up_that_fails_is_shown_once() {
    let head = "setup:\n  - call: GetProduct\n    request: { id: nobody }\nrows:\n  - { name: a }\n  - { name: b }\n  - { name: c }\n";
    let steps = "  - call: ListProducts\n";
    let seen = judged(head, steps, &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    let cases = seen.record.unwrap().cases;
    assert_eq!(cases[0].outcome, Outcome::Failed);
    for case in &cases[1..] {
        assert_eq!(
            case.outcome,
            Outcome::NotJudged {
                reason: "its set-up failed, as `one[a] (grpc)` shows".into()
            }
        );
    }
    // Cases that are known to fail have failed as expected, and nothing hides one that is not.
    let folder = tempfile::tempdir().unwrap();
    for (lines, code, failed) in [
        ("one # all of it\n", 0, None),
        ("one[a] # the first\none[c] # last\n", 1, Some(1)),
    ] {
        let known = write(folder.path(), "known.txt", lines);
        let seen = judged(head, steps, &["--known-failing", known.to_str().unwrap()]);
        assert_eq!(seen.code, Some(code), "{lines}: {}", seen.stdout);
        let cases = seen.record.unwrap().cases;
        assert_eq!(cases.iter().position(|case| case.outcome == Outcome::Failed), failed);
    }
}

#[test]
fn a_filter_on_one_row_still_runs_the_set_up() {
    let head = format!(
        "setup:\n{}rows:\n  - {{ name: a }}\n  - {{ name: b }}\n",
        create("p", 5, "")
    );
    let steps = "  - call: GetProduct\n    request: { id: \"${{ p.response.id }}\" }\n    expect: { response: { stock_quantity: 5 } }\n";
    let seen = judged(&head, steps, &["--filter", "one[b]"]);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert_eq!(only(&seen).row.as_deref(), Some("b"));
    assert_eq!(seen.record.as_ref().unwrap().residue.len(), 1);
}

#[test]
fn rows_share_what_the_set_up_left_and_nothing_else() {
    let head = format!(
        "setup:\n{}rows:\n  - {{ name: a, change: 2, left: 7 }}\n  - {{ name: b, change: -7, left: 0 }}\nvars:\n  double: ${{{{ row.change * 2 }}}}\n",
        create("p", 5, "")
    );
    let steps = "  - call: UpdateStock\n    request: { id: \"${{ p.response.id }}\", quantity_change: \"${{ row.change }}\", reason: row }\n    expect: { response: { stock_quantity: \"${{ row.left }}\" }, assert: [vars.double == row.change * 2] }\n";
    let seen = judged(&head, steps, &[]);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    assert_eq!(seen.record.unwrap().residue.len(), 1);
}

#[test]
fn a_case_over_its_timeout_fails_and_is_cleaned_up() {
    let steps = create("p", 7, &clean("p", -7, 0))
        + "  - call: WatchStockChanges\n    deadline: 15s\n    request: { category: none }\n    expect: { status: DEADLINE_EXCEEDED }\n";
    let seen = judged("timeout: 1s", &steps, &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert_eq!(summaries(only(&seen)), ["the case took longer than its timeout of 1s"]);
    let residue = &seen.record.as_ref().unwrap().residue;
    assert!(residue[0].what.ends_with("-p (stock 0)"), "{residue:?}");
}

#[test]
fn a_fresh_connection_reads_what_the_shared_one_wrote() {
    let steps = create("p", 7, "")
        + "  - call: GetProduct\n    connection: fresh\n    request: { id: \"${{ p.response.id }}\" }\n    expect: { response: { stock_quantity: 7 } }\n";
    let server = serve(&[]);
    let through = Proxy::start(&server.address);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one.yaml", &scenario("one", "", &steps));
    let args = [&["--scenarios", folder.path().to_str().unwrap()], &OVER[..]].concat();
    let seen = attempt(&through.address, &args);
    assert_eq!(seen.code, Some(0), "{}{}", seen.stdout, seen.stderr);
    let with_fresh = through.connections.load(Ordering::SeqCst);
    write(
        folder.path(),
        "one.yaml",
        &scenario("one", "", &steps.replace("connection: fresh", "connection: shared")),
    );
    assert_eq!(attempt(&through.address, &args).code, Some(0));
    let without = through.connections.load(Ordering::SeqCst) - with_fresh;
    assert_eq!(with_fresh, without + 1);
}

#[test]
fn should_rules_do_not_hide_must_rules_behind_them() {
    let head = "rules: [create.timestamps, create.timestamps-equal]";
    let light = "    expect:\n      - { rule: create.timestamps-equal, assert: [\"response.stock_quantity == 2\"] }\n";
    let heavy = "  - call: ListProducts\n    request: { page_size: 1 }\n    expect: [{ rule: create.timestamps, response: { page_size: SIZE } }]\n";
    let steps = create("p", 1, light);
    let seen = judged(head, &format!("{steps}{}", heavy.replace("SIZE", "2")), &[]);
    assert_eq!(seen.code, Some(1), "{}", seen.stdout);
    assert_eq!(only(&seen).mismatches.len(), 2);
    let seen = judged(head, &format!("{steps}{}", heavy.replace("SIZE", "1")), &[]);
    assert_eq!(seen.code, Some(0), "{}", seen.stdout);
    let rule = |id: &str| {
        seen.record
            .as_ref()
            .unwrap()
            .rules
            .iter()
            .find(|rule| rule.id == id)
            .unwrap()
            .verdict
    };
    assert_eq!(rule("create.timestamps"), RuleVerdict::Passed);
    assert_eq!(rule("create.timestamps-equal"), RuleVerdict::Failed);
}

#[test]
fn a_watch_that_is_never_ready_says_what_came() {
    let began = Instant::now();
    let steps = create("p", 10, "")
        + &watch("w", "").replace(
            "message.new_quantity == probe.response.stock_quantity",
            "message.new_quantity < 0 && probe.response.stock_quantity > 0\n      within: 300ms\n      every: 50ms",
        );
    let seen = judged("", &steps, &[]);
    assert_eq!(seen.code, Some(1), "{}{}", seen.stdout, seen.stderr);
    assert!(
        summaries(only(&seen))[0].starts_with("no message within 300ms satisfied"),
        "{:?}",
        summaries(only(&seen))
    );
    assert!(began.elapsed() < Duration::from_secs(60));
}
