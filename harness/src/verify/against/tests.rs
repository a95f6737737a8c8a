use super::*;
use crate::client::Protocol;
use serde_json::json;

fn case(name: &str, outcome: Outcome) -> CaseRecord {
    CaseRecord {
        scenario: name.into(),
        title: String::new(),
        row: None,
        protocol: Protocol::Grpc,
        file: "x.yaml".into(),
        line: 1,
        rules: Vec::new(),
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

fn skipped() -> Outcome {
    Outcome::Skipped {
        reason: "no REST".into(),
    }
}

fn lost() -> Outcome {
    Outcome::NotJudged { reason: "gone".into() }
}

fn known() -> Outcome {
    Outcome::KnownFailing { reason: "#1".into() }
}

/// Result, sentence and kinds of one case that ended so on the old target and so on the new one.
fn of(was: Option<Outcome>, is: Option<Outcome>) -> (CheckResult, String, Vec<String>) {
    let cases = |outcome: Option<Outcome>| {
        outcome
            .map(|outcome| case("a", outcome))
            .into_iter()
            .collect::<Vec<_>>()
    };
    let (old, new, none) = (cases(was), cases(is), BTreeMap::new());
    let side = |cases| Side {
        address: "there",
        cases,
        answers: &none,
    };
    let found = compare(side(&new), side(&old), LevelName::Must);
    let kinds = found.items.iter().map(|item| item.kind.clone()).collect();
    (found.result, found.sentence, kinds)
}

#[test]
fn each_pair_of_ends_means_one_thing() {
    use CheckResult::{Failed, NotJudged, Noted, Passed};
    let (passed, failed) = (|| Some(Outcome::Passed), || Some(Outcome::Failed));
    let told = [
        (passed(), passed(), Passed, "1 the same", None),
        (passed(), failed(), Failed, "1 regressed", Some("regression")),
        // What is not run any more, or not offered, worked before.
        (passed(), Some(skipped()), Failed, "1 regressed", Some("regression")),
        (passed(), None, Failed, "1 regressed", Some("regression")),
        (
            passed(),
            Some(known()),
            Noted,
            "1 known failing and passed before",
            Some("agreed"),
        ),
        (failed(), failed(), Passed, "1 failed before too", Some("failed before")),
        (failed(), passed(), Passed, "1 fixed", Some("fixed")),
        (
            Some(lost()),
            passed(),
            NotJudged,
            "1 could not be compared",
            Some("not compared"),
        ),
        // Nothing was compared at all: nothing passes.
        (Some(skipped()), passed(), NotJudged, "1 not run on the old one", None),
        (None, passed(), NotJudged, "1 not run on the old one", None),
    ];
    for (was, is, result, words, kind) in told {
        let found = of(was.clone(), is.clone());
        assert_eq!(found.0, result, "{was:?} -> {is:?}: {}", found.1);
        assert_eq!(found.1, format!("against there: {words}"), "{was:?} -> {is:?}");
        assert_eq!(found.2, kind.map(str::to_owned).into_iter().collect::<Vec<_>>());
    }
}

fn answered(stock: i64, status: &str) -> BTreeMap<String, Kept> {
    let answer = Answer {
        step: "p".into(),
        call: "GetProduct".into(),
        status: status.into(),
        message: None,
        response: Some(json!({ "id": "[id 1]", "stock": stock, "tags": ["a", "b"] })),
    };
    let kept = Kept {
        held: true,
        answers: vec![answer],
    };
    BTreeMap::from([("a (grpc)".to_owned(), kept)])
}

#[test]
fn other_answers_are_told_and_decide_at_level_should() {
    let cases = [case("a", Outcome::Passed)];
    let (old, new) = (answered(1, "OK"), answered(2, "OK"));
    let side = |answers| Side {
        address: "there",
        cases: &cases,
        answers,
    };
    let found = compare(side(&new), side(&old), LevelName::Must);
    assert_eq!(found.result, CheckResult::Noted);
    assert_eq!(found.sentence, "against there: 1 passed with other answers");
    assert_eq!(found.items, [item("differs", "a (grpc)", "p: response.stock 1 -> 2")]);
    let found = compare(side(&new), side(&old), LevelName::Should);
    assert_eq!(found.result, CheckResult::Failed);
    assert_eq!(
        compare(side(&new), side(&new), LevelName::Should).result,
        CheckResult::Passed
    );
}

#[test]
fn a_step_that_is_not_answered_any_more_is_a_difference() {
    let (old, mut new) = (answered(1, "OK"), answered(1, "OK"));
    if let Some(kept) = new.get_mut("a (grpc)") {
        kept.answers.clear();
    }
    assert_eq!(
        difference(old.get("a (grpc)"), new.get("a (grpc)")),
        ["p: was answered OK, is not any more"]
    );
}
