use super::*;
use crate::{client::Protocol, verify::record::LevelName};
use serde_json::json;

fn case(name: &str, outcome: Outcome) -> CaseRecord {
    CaseRecord {
        scenario: name.into(),
        title: String::new(),
        row: None,
        protocol: Protocol::Grpc,
        file: "x.yaml".into(),
        line: 1,
        rules: vec!["get.stored".into()],
        level: LevelName::Must,
        outcome,
        elapsed_ms: 1,
        finished: true,
        judged: 1,
        mismatches: Vec::new(),
        timeline: Vec::new(),
        left: Vec::new(),
    }
}

fn answers(of: &[(&str, i64)]) -> BTreeMap<String, Kept> {
    let kept = |price: i64| Kept {
        held: true,
        answers: vec![Answer {
            step: "p".into(),
            call: "Get".into(),
            status: "OK".into(),
            message: None,
            response: Some(json!({ "price": price })),
        }],
    };
    of.iter()
        .map(|(name, price)| (format!("{name} (grpc)"), kept(*price)))
        .collect()
}

fn finished<'a>(cases: &'a [CaseRecord], answers: &'a BTreeMap<String, Kept>) -> Finished<'a> {
    Finished {
        file: "a.snap",
        suite: "embedded",
        complete: true,
        whole: true,
        cases,
        answers,
    }
}

fn pending(conclusion: Conclusion) -> (CheckRecord, String) {
    match conclusion.write {
        Write::Pending(text) | Write::Approved(text) => (conclusion.check, text),
        other => panic!("{other:?}: {:?}", conclusion.check),
    }
}

#[test]
fn a_first_run_fails_and_what_it_leaves_is_approved_whole() {
    let (cases, seen) = (
        [case("a", Outcome::Passed), case("b", Outcome::Passed)],
        answers(&[("a", 1), ("b", 2)]),
    );
    let first = Snapshots::read(None, false).unwrap();
    assert!(first.compare("a/one", json!({ "n": 1 })).is_empty());
    let (check, text) = pending(first.conclude(finished(&cases, &seen)));
    assert_eq!(check.result, CheckResult::Failed);
    assert!(
        check.sentence.contains("does not exist yet") && check.sentence.contains("--accept"),
        "{}",
        check.sentence
    );

    // The order of the cases does not matter.
    let again = Snapshots::read(Some(&text), false).unwrap();
    assert!(again.compare("a/one", json!({ "n": 1 })).is_empty());
    let turned = [cases[1].clone(), cases[0].clone()];
    let holds = again.conclude(finished(&turned, &seen));
    assert_eq!((holds.check.result, holds.write), (CheckResult::Passed, Write::Clean));
}

#[test]
fn a_difference_fails_and_shows_its_lines() {
    let cases = [case("a", Outcome::Passed)];
    let (_, text) = pending(
        Snapshots::read(None, true)
            .unwrap()
            .conclude(finished(&cases, &answers(&[("a", 1)]))),
    );
    let other = Snapshots::read(Some(&text), false).unwrap();
    assert_eq!(other.compare("a/one", json!(1))[0].0, "missing");
    let (check, new) = pending(
        Snapshots::read(Some(&text), false)
            .unwrap()
            .conclude(finished(&cases, &answers(&[("a", 2)]))),
    );
    assert_eq!(check.result, CheckResult::Failed);
    let shown: Vec<String> = check
        .items
        .iter()
        .map(|item| format!("{}{}", item.kind, item.subject))
        .collect();
    assert!(
        shown
            .iter()
            .any(|line| line.starts_with('-') && line.contains("\"price\": 1")),
        "{shown:?}"
    );
    assert!(
        shown
            .iter()
            .any(|line| line.starts_with('+') && line.contains("\"price\": 2")),
        "{shown:?}"
    );
    assert!(
        check.sentence.contains("1 lines are gone and 1 are new"),
        "{}",
        check.sentence
    );
    // What was left to be reviewed is what --accept writes.
    let (_, accepted) = pending(
        Snapshots::read(Some(&text), true)
            .unwrap()
            .conclude(finished(&cases, &answers(&[("a", 2)]))),
    );
    assert_eq!(accepted, new);
}

#[test]
fn a_filter_leaves_the_other_cases_as_they_were() {
    let (cases, seen) = (
        [case("a", Outcome::Passed), case("b", Outcome::Passed)],
        answers(&[("a", 1), ("b", 2)]),
    );
    let (_, text) = pending(Snapshots::read(None, true).unwrap().conclude(finished(&cases, &seen)));
    let part = |whole| Finished {
        whole,
        ..finished(&cases[..1], &seen)
    };
    let read = || Snapshots::read(Some(&text), false).unwrap();
    assert_eq!(read().conclude(part(false)).check.result, CheckResult::Passed);
    assert_eq!(
        read().conclude(part(true)).check.result,
        CheckResult::Failed,
        "a case that is gone"
    );
}

#[test]
fn an_incomplete_run_is_neither_compared_nor_approved() {
    let (cases, seen) = ([case("a", Outcome::Passed)], answers(&[("a", 1)]));
    let broken = Finished {
        complete: false,
        ..finished(&cases, &seen)
    };
    let conclusion = Snapshots::read(None, true).unwrap().conclude(broken);
    assert_eq!(conclusion.write, Write::Nothing);
}

#[test]
fn insta_reads_the_file() {
    let (cases, seen) = ([case("a", Outcome::Passed)], answers(&[("a", 1)]));
    let (_, text) = pending(Snapshots::read(None, true).unwrap().conclude(Finished {
        suite: "a \"strange\" #name: yes",
        ..finished(&cases, &seen)
    }));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.snap");
    std::fs::write(&file, &text).unwrap();
    // insta reads it and finds in it what the document holds; had it found something else, it would fail or write anew.
    let content = Document::parse(&text).unwrap().content();
    insta::with_settings!({ snapshot_path => folder.path(), prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("a", content);
    });
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn what_is_no_snapshot_is_refused() {
    for (text, why) in [
        (r#"{"version": 1, "snapshots": {}}"#, "no snapshot"),
        ("---\nsource: x\n---\nnothing", "no JSON"),
        ("---\nsource: x\n---\n{\"version\": 3}", "its version is not 2"),
        ("---\nsource: x\n---\n{\"version\": 2, \"more\": 1}", "unknown field"),
    ] {
        let error = Snapshots::read(Some(text), false).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
