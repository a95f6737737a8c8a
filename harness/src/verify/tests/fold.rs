use super::{
    super::{
        fold,
        record::{CaseRecord, LevelName, MismatchRecord, Outcome, RuleVerdict, VerdictResult},
    },
    *,
};
use crate::exit::Exit;
use LevelName::{Must, Should};

fn case(row: &str, rules: &[&str], outcome: Outcome, broken: &[(&[&str], LevelName)]) -> CaseRecord {
    let owned = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
    let mismatch = |(rules, level): &(&[&str], LevelName)| MismatchRecord {
        rules: owned(rules),
        level: *level,
        step: "s".to_owned(),
        file: "one.yaml".to_owned(),
        line: 1,
        column: 1,
        before: Vec::new(),
        source: String::new(),
        after: Vec::new(),
        width: 1,
        summary: "no".to_owned(),
        details: Vec::new(),
    };
    CaseRecord {
        scenario: "one".to_owned(),
        title: "one".to_owned(),
        row: Some(row.to_owned()),
        protocol: Protocol::Grpc,
        file: "one.yaml".to_owned(),
        line: 1,
        rules: owned(rules),
        level: Must,
        outcome,
        elapsed_ms: 1,
        finished: false,
        judged: 1,
        mismatches: broken.iter().map(mismatch).collect(),
        timeline: Vec::new(),
        left: Vec::new(),
    }
}

fn reason() -> String {
    "why".to_owned()
}

fn verdict(
    cases: &[CaseRecord],
    total: usize,
    decides: LevelName,
    signal: Option<Exit>,
) -> (VerdictResult, i32, String) {
    let rules = fold::rules(cases);
    let verdict = fold::verdict(cases, &rules, total, decides, None, signal);
    (verdict.result, verdict.exit_code, verdict.sentence)
}

#[test]
fn what_decides_the_exit_code() {
    use Outcome::*;
    let passed = || case("p", &["get.stored"], Passed, &[]);
    let failed = || case("f", &["get.stored"], Failed, &[(&["get.stored"], Must)]);
    let light = || {
        case(
            "l",
            &["create.timestamps-equal"],
            Failed,
            &[(&["create.timestamps-equal"], Should)],
        )
    };
    let skipped = || case("s", &["get.stored"], Skipped { reason: reason() }, &[]);
    let lost = || case("n", &["get.stored"], NotJudged { reason: reason() }, &[]);
    let known = || {
        case(
            "k",
            &["get.stored"],
            KnownFailing { reason: reason() },
            &[(&["get.stored"], Must)],
        )
    };
    let unexpected = || case("u", &["get.stored"], UnexpectedPass { reason: reason() }, &[]);
    for (cases, decides, signal, code) in [
        (vec![passed()], Must, None, 0),
        (vec![passed(), failed()], Must, None, 1),
        (vec![passed(), light()], Must, None, 0),
        (vec![passed(), light()], Should, None, 1),
        (vec![passed(), skipped()], Must, None, 0),
        (vec![skipped()], Must, None, 3),
        (vec![passed(), lost()], Must, None, 3),
        (vec![failed(), lost()], Must, None, 1),
        (vec![known()], Must, None, 0),
        (vec![known(), unexpected()], Must, None, 1),
        (vec![failed()], Must, Some(Exit::Interrupted), 130),
        (vec![passed()], Must, Some(Exit::Terminated), 143),
    ] {
        let told = verdict(&cases, cases.len(), decides, signal);
        assert_eq!(told.1, code, "{told:?}");
    }
    // A case without a record was not judged.
    assert_eq!(verdict(&[passed()], 2, Must, None).1, 3);
    // A failure that shows no mismatch is a failure.
    assert_eq!(verdict(&[case("f", &[], Failed, &[])], 1, Must, None).1, 1);
}

#[test]
fn a_rule_that_decides_is_not_hidden_by_one_that_does_not() {
    let rules = ["update.overflow", "update.overflow-status"];
    let hidden = case("a", &rules, Outcome::Failed, &[(&["update.overflow-status"], Should)]);
    let (result, code, sentence) = verdict(std::slice::from_ref(&hidden), 1, Must, None);
    assert_eq!((result, code), (VerdictResult::NotJudged, 3));
    assert!(sentence.contains("nobody judged update.overflow:"), "{sentence}");
    let held = case("b", &rules, Outcome::Passed, &[]);
    assert_eq!(verdict(&[hidden.clone(), held], 2, Must, None).1, 0);
    // A case that went to its end has judged all its rules.
    let finished = CaseRecord {
        finished: true,
        ..hidden
    };
    assert_eq!(verdict(&[finished], 1, Must, None).1, 0);
}

#[test]
fn the_tally_of_a_rule() {
    use Outcome::*;
    let broken: &[(&[&str], LevelName)] = &[(&["get.stored"], Must)];
    for (outcome, broken, verdict, tally) in [
        (Passed, &[][..], RuleVerdict::Passed, (1, 0, 0)),
        (UnexpectedPass { reason: reason() }, &[], RuleVerdict::Passed, (1, 0, 0)),
        (Failed, broken, RuleVerdict::Failed, (0, 1, 0)),
        // Failed for another rule: this one was not reached.
        (
            Failed,
            &[(&["get.unknown"][..], Must)],
            RuleVerdict::NotJudged,
            (0, 0, 1),
        ),
        (
            KnownFailing { reason: reason() },
            broken,
            RuleVerdict::KnownFailing,
            (0, 0, 0),
        ),
        (Skipped { reason: reason() }, &[], RuleVerdict::NotJudged, (0, 0, 1)),
        (NotJudged { reason: reason() }, &[], RuleVerdict::NotJudged, (0, 0, 1)),
    ] {
        let rules = fold::rules(&[case("a", &["get.stored"], outcome.clone(), broken)]);
        let rule = rules.iter().find(|rule| rule.id == "get.stored").unwrap();
        assert_eq!(rule.verdict, verdict, "{outcome:?}");
        assert_eq!((rule.passed, rule.failed, rule.not_judged), tally, "{outcome:?}");
    }
    let both = [
        case("a", &["get.stored"], KnownFailing { reason: reason() }, broken),
        case("b", &["get.stored"], Failed, broken),
        case("c", &["own.rule"], Passed, &[]),
    ];
    let rules = fold::rules(&both);
    let ids: Vec<_> = rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["get.stored", "own.rule"]);
    assert_eq!(rules[0].failed_cases, ["one[b] (grpc)"]);
}

#[test]
fn protocols_are_tallied_apart() {
    let on_rest = |case: CaseRecord| CaseRecord {
        protocol: Protocol::Rest,
        ..case
    };
    let broken: &[(&[&str], LevelName)] = &[(&["get.stored"], Must)];
    let cases = [
        case("a", &["get.stored", "rpc.unknown-method"], Outcome::Passed, &[]),
        on_rest(case("a", &["get.stored"], Outcome::Failed, broken)),
        on_rest(case("b", &["get.stored"], Outcome::Passed, &[])),
    ];
    let rules = fold::rules(&cases);
    let tallies = |id: &str| -> Vec<(Protocol, u64, u64, RuleVerdict)> {
        let rule = rules.iter().find(|rule| rule.id == id).unwrap();
        let tallies = rule.protocols.iter();
        tallies
            .map(|of| (of.protocol, of.passed, of.failed, of.verdict))
            .collect()
    };
    assert_eq!(
        tallies("get.stored"),
        [
            (Protocol::Grpc, 1, 0, RuleVerdict::Passed),
            (Protocol::Rest, 1, 1, RuleVerdict::Failed)
        ]
    );
    assert_eq!(
        tallies("rpc.unknown-method"),
        [(Protocol::Grpc, 1, 0, RuleVerdict::Passed)]
    );
    let whole = rules.iter().find(|rule| rule.id == "get.stored").unwrap();
    assert_eq!((whole.passed, whole.failed, whole.verdict), (2, 1, RuleVerdict::Failed));
    assert_eq!(whole.failed_cases, ["one[a] (rest)"]);
}

#[test]
fn a_mismatch_weighs_as_its_weightiest_rule() {
    for (rules, own, level, expected) in [
        ("create.timestamps, create.timestamps-equal", None, "must", Must),
        ("create.timestamps-equal", None, "must", Should),
        ("create.timestamps", None, "should", Must),
        (
            "create.timestamps, create.timestamps-equal",
            Some("create.timestamps-equal"),
            "must",
            Should,
        ),
    ] {
        let scenario = scenario(&format!("rules: [{rules}]\nlevel: {level}"), "  - call: ListProducts");
        let record = Mismatch::new(Span::default(), "no").against(own).record(&scenario, "s");
        assert_eq!(record.level, expected, "{rules} {own:?} {level}");
    }
    for (level, expected) in [("must", Must), ("should", Should)] {
        let scenario = scenario(&format!("level: {level}"), "  - call: ListProducts");
        assert_eq!(
            Mismatch::new(Span::default(), "no").record(&scenario, "s").level,
            expected
        );
    }
}

#[test]
fn a_mismatch_carries_the_lines_around_it() {
    let scenario = scenario("", "  - call: ListProducts");
    let record = |line: usize| {
        let span = Span {
            line,
            ..Span::default()
        };
        let record = Mismatch::new(span, "no").record(&scenario, "s");
        (record.before, record.source, record.after)
    };
    let lines = |from: usize, to: usize| -> Vec<String> {
        let lines = scenario.source.text.lines().skip(from).take(to - from);
        lines.map(str::to_owned).collect()
    };
    assert_eq!(record(1), (vec![], "version: 1".to_owned(), lines(1, 3)));
    assert_eq!(record(4), (lines(1, 3), "effects: writes".to_owned(), lines(4, 6)));
    let last = scenario.source.text.lines().count();
    assert_eq!(record(last).2, Vec::<String>::new());
    assert_eq!(record(last + 9), (vec![], String::new(), vec![]));
}
