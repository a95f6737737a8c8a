//! Records made by hand, for the tests of the renderers.

use crate::{client::Protocol, verify::record::*};

/// Everything held.
pub fn passing() -> RunRecord {
    let cases = vec![
        case(
            "get_stored",
            None,
            "what was created can be read",
            "get_stored",
            12,
            &["get.stored", "create.stored"],
        ),
        case(
            "list_bounds",
            Some("page 0"),
            "bounds of page and page size",
            "list_bounds",
            21,
            &["list.page-floor"],
        ),
        case(
            "list_bounds",
            Some("size 101"),
            "bounds of page and page size",
            "list_bounds",
            22,
            &["list.page-size-clamp"],
        ),
        case(
            "watch_category_filter",
            None,
            "a category watch delivers that category only",
            "watch_category_filter",
            3,
            &["watch.category"],
        ),
    ];
    let rules = vec![
        rule(
            "get.stored",
            LevelName::Must,
            "returns what was stored, current after every accepted update",
            1,
            0,
            0,
        ),
        rule(
            "list.page-floor",
            LevelName::Must,
            "page is 1-based, below 1 means 1",
            1,
            0,
            0,
        ),
        rule(
            "list.page-size-clamp",
            LevelName::Must,
            "page_size is clamped to 1..100; 0 means 1",
            1,
            0,
            0,
        ),
        rule(
            "create.stored",
            LevelName::Must,
            "every field comes back exactly: Unicode, full double precision, stock 0 and 2147483647",
            1,
            0,
            0,
        ),
        rule(
            "watch.category",
            LevelName::Must,
            "category filters as in ListProducts",
            1,
            0,
            0,
        ),
    ];
    let counts = Counts {
        cases: 4,
        passed: 4,
        ..Counts::default()
    };
    RunRecord {
        schema_version: SCHEMA_VERSION,
        command: "verify".into(),
        run_id: "8q2m4x".into(),
        started: "2026-11-22T19:05:00.125Z".into(),
        elapsed_ms: 2345,
        target: TargetRecord {
            address: "http://127.0.0.1:50051".into(),
            descriptors: "reflection v1".into(),
            protocols: vec![Protocol::Grpc],
            not_offered: vec![(Protocol::Rest, "GET /v1/products answered HTTP 404".into())],
            answered_by: vec![("rev-7/replica-a".into(), 211)],
        },
        suite: SuiteRecord {
            name: "embedded".into(),
            files: 3,
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        },
        host: HostRecord {
            stocktake: "0.1.0".into(),
            system: "linux x86_64".into(),
            cpus: 2,
        },
        options: vec![("level".into(), "must".into()), ("jobs".into(), "8".into())],
        cases,
        rules,
        coverage: Coverage::default(),
        load: None,
        checks: Vec::new(),
        residue: vec![residue("product st-8q2m4x-bounds", "")],
        caveats: vec![],
        verdict: Verdict {
            result: VerdictResult::Passed,
            exit_code: 0,
            sentence: "every rule that was judged holds: 4 of 4 cases passed".into(),
            complete: true,
            counts,
        },
    }
}

/// A run that failed by what was judged beside its cases: each check once, with texts that would steer whoever shows them.
pub fn with_checks() -> RunRecord {
    let check = |about, result, sentence: &str, items: &[(&str, &str, &str)]| CheckRecord {
        about,
        result,
        sentence: sentence.into(),
        items: items
            .iter()
            .map(|(kind, subject, text)| CheckItem {
                kind: (*kind).into(),
                subject: (*subject).into(),
                text: (*text).into(),
            })
            .collect(),
    };
    let mut record = passing();
    record.checks = vec![
        check(
            CheckName::ColdStart,
            CheckResult::Noted,
            "the first answer took 12s 300ms, of 1m allowed; no case waits for it",
            &[("first answer", "12300 ms", "")],
        ),
        check(
            CheckName::Contract,
            CheckResult::Failed,
            "1 breaking change against the built-in contract",
            &[("breaking", "inventory.Product.stock_quantity", "is sint32, was int32")],
        ),
        check(
            CheckName::Identity,
            CheckResult::Passed,
            "all 211 answers name \"rev-7\", of 1 replica",
            &[("answered", "rev-7/replica-a", "211 answers")],
        ),
        check(
            CheckName::Against,
            CheckResult::NotJudged,
            "against http://old: 1 could not be compared",
            &[(
                "not compared",
                "get_stored (grpc)",
                "on the old target not judged: ```\n::error::gone <b>",
            )],
        ),
        check(
            CheckName::Snapshot,
            CheckResult::Failed,
            "a.snap differs: 1 lines are gone and 1 are new",
            &[
                ("-", "  \"stock\": 5", ""),
                ("+", "  \"stock\": \"##vso[task.complete]\"", ""),
            ],
        ),
    ];
    record.verdict.result = VerdictResult::Failed;
    record.verdict.exit_code = 1;
    record.verdict.sentence = "1 breaking change against the built-in contract; 4 of 4 cases passed".into();
    record
}

/// One of everything: failures that decide and that do not, known ones, skips, a lost target.
pub fn failing() -> RunRecord {
    let mut record = passing();
    if let Some(watch) = record.cases.last_mut() {
        watch.outcome = Outcome::Failed;
        watch.elapsed_ms = 1873;
        watch.mismatches = watch_mismatches();
        watch.timeline = timeline();
        watch.left = vec![
            "product st-8q2m4x-watched (stock 15)".into(),
            "product st-8q2m4x-other (stock 10)".into(),
        ];
    }
    let mut nan = case(
        "create_invalid",
        Some("NaN price"),
        "invalid products are refused",
        "create_invalid",
        30,
        &["create.invalid-price"],
    );
    nan.outcome = Outcome::Failed;
    nan.level = LevelName::Should;
    nan.mismatches = vec![MismatchRecord {
        rules: vec!["create.invalid-price".into()],
        level: LevelName::Should,
        step: "step 1".into(),
        file: nan.file.clone(),
        line: 41,
        column: 17,
        before: vec![],
        after: vec![],
        source: "    expect: { status: INVALID_ARGUMENT }".into(),
        width: 24,
        summary: "status is OK, expected INVALID_ARGUMENT".into(),
        details: vec![("got".into(), r#"{id: "p-91", name: "st-8q2m4x", price: nan}"#.into())],
    }];
    let mut known = case(
        "bulk_duplicates",
        None,
        "a duplicate fails its row only",
        "bulk_duplicates",
        4,
        &["bulk.status-ok"],
    );
    known.outcome = Outcome::KnownFailing {
        reason: "INV-212, fixed in the next release".into(),
    };
    known.mismatches = vec![MismatchRecord {
        rules: vec!["bulk.status-ok".into()],
        level: LevelName::Must,
        step: "import".into(),
        file: known.file.clone(),
        line: 33,
        column: 7,
        before: vec![],
        after: vec![],
        source: "      status: OK".into(),
        width: 10,
        summary: "status is ALREADY_EXISTS, expected OK".into(),
        details: vec![
            ("message".into(), "SKU st-8q2m4x-1 exists".into()),
            ("http".into(), "200, trailers-only".into()),
        ],
    }];
    let mut surprise = case(
        "get_unknown",
        None,
        "an unknown id is NOT_FOUND",
        "get_unknown",
        3,
        &["get.unknown"],
    );
    surprise.outcome = Outcome::UnexpectedPass {
        reason: "INV-190".into(),
    };
    let mut skipped = case(
        "rpc_health",
        None,
        "the health service answers SERVING",
        "rpc_health",
        3,
        &["rpc.health"],
    );
    skipped.outcome = Outcome::Skipped {
        reason: "the target describes no grpc.health.v1.Health".into(),
    };
    skipped.elapsed_ms = 0;
    skipped.judged = 0;
    record.cases.extend([nan, known, surprise, skipped]);
    for row in ["32 watches", "100 watches"] {
        let mut lost = case(
            "watch_starvation",
            Some(row),
            "open watches starve no unary call",
            "watch_starvation",
            9,
            &["watch.no-starvation"],
        );
        lost.outcome = Outcome::NotJudged {
            reason: "the target has stopped answering: connection refused".into(),
        };
        lost.judged = 0;
        record.cases.push(lost);
    }
    if let Some(watch) = record.rules.last_mut() {
        *watch = rule(
            "watch.category",
            LevelName::Must,
            "category filters as in ListProducts",
            0,
            1,
            0,
        );
        watch.failed_cases = vec!["watch_category_filter (grpc)".into()];
    }
    let mut bulk = rule(
        "bulk.status-ok",
        LevelName::Must,
        "the status is OK, whatever the rows were",
        2,
        1,
        0,
    );
    bulk.verdict = RuleVerdict::KnownFailing;
    bulk.protocols
        .iter_mut()
        .for_each(|tally| tally.verdict = RuleVerdict::KnownFailing);
    bulk.failed_cases = vec!["bulk_duplicates (grpc)".into()];
    let mut price = rule(
        "create.invalid-price",
        LevelName::Should,
        "a price that is negative, NaN or infinite is INVALID_ARGUMENT",
        2,
        1,
        0,
    );
    price.failed_cases = vec!["create_invalid[NaN price] (grpc)".into()];
    record.rules.extend([
        price,
        bulk,
        rule(
            "rpc.health",
            LevelName::Should,
            "the standard health service answers SERVING",
            0,
            0,
            1,
        ),
        rule(
            "watch.no-starvation",
            LevelName::Must,
            "with 32 watches open (or refused with RESOURCE_EXHAUSTED) a unary call answers in 2 s",
            0,
            0,
            2,
        ),
    ]);
    for rule in record.rules.iter_mut().filter(|rule| rule.id == "rpc.health") {
        rule.protocols.iter_mut().for_each(|tally| tally.skipped = 1);
    }
    record
        .residue
        .push(residue("product st-8q2m4x-watched", "clean-up answered UNAVAILABLE"));
    record.caveats.push(Caveat {
        text: "two revisions answered in one run: rev-7 (180 calls), rev-8 (31 calls)".into(),
        remedy: "wait for the rollout to end, or name one with --expect-revision rev-8".into(),
    });
    record.target.answered_by = vec![("rev-7/replica-a".into(), 180), ("rev-8/replica-b".into(), 31)];
    record.elapsed_ms = 74_310;
    record.coverage = coverage();
    on_rest_too(&mut record);
    record.verdict = Verdict {
        result: VerdictResult::Failed,
        exit_code: 1,
        sentence: "1 rule that the contract promises does not hold: watch.category; the target stopped answering before 2 cases were judged".into(),
        complete: false,
        counts: Counts {
            cases: record.cases.len() as u64,
            passed: 4,
            failed: 1,
            failed_should: 1,
            known_failing: 1,
            unexpected_pass: 1,
            skipped: 2,
            not_judged: 2,
        },
    };
    record
}

/// One rule that holds there, and one that is skipped.
fn on_rest_too(record: &mut RunRecord) {
    record.target.protocols.push(Protocol::Rest);
    record.target.not_offered.clear();
    let rest = |record: &RunRecord, scenario: &str| {
        let case = record.cases.iter().find(|case| case.scenario == scenario).cloned();
        case.map(|case| CaseRecord {
            protocol: Protocol::Rest,
            mismatches: vec![],
            timeline: vec![],
            left: vec![],
            ..case
        })
    };
    let watch = rest(record, "watch_category_filter").map(|case| CaseRecord {
        outcome: Outcome::Passed,
        ..case
    });
    let health = rest(record, "rpc_health");
    record.cases.extend(watch.into_iter().chain(health));
    for rule in &mut record.rules {
        let (passed, not_judged, verdict) = match rule.id.as_str() {
            "watch.category" => (1, 0, RuleVerdict::Passed),
            "rpc.health" => (0, 1, RuleVerdict::NotJudged),
            _ => continue,
        };
        rule.passed += passed;
        rule.not_judged += not_judged;
        let protocol = Protocol::Rest;
        rule.protocols.push(ProtocolTally {
            protocol,
            passed,
            failed: 0,
            not_judged,
            skipped: not_judged,
            verdict,
        });
    }
}

/// A check: everything held, and gRPC was compared with REST.
pub fn with_load() -> RunRecord {
    let mut record = passing();
    record.command = "check".into();
    record.load = Some(Box::new(crate::report::load::sample::measured()));
    record
}

/// What a hostile target and a hostile scenario would like to smuggle into a report.
pub const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J</pre></details><script>alert(1)</script><img src=http://evil.example/x>|`````|\n::error::x\r##vso[task.setvariable]]]>&\u{0}\u{ffff}\u{202e}![i](http://evil.example/i) @everyone";

/// A failure of such a target, with that text wherever text can stand.
pub fn hostile() -> RunRecord {
    let mut record = failing();
    record.cases.rotate_left(3);
    let bad = || HOSTILE.to_owned();
    for case in &mut record.cases {
        case.title = bad();
        case.left = vec![bad()];
        if case.row.is_some() {
            case.row = Some(bad());
        }
        if let Outcome::Skipped { reason } | Outcome::NotJudged { reason } | Outcome::KnownFailing { reason } =
            &mut case.outcome
        {
            *reason = bad();
        }
        for mismatch in &mut case.mismatches {
            mismatch.summary = bad();
            mismatch.details = vec![("got".into(), bad()), (bad(), "label".into())];
            mismatch.source = format!("      # {HOSTILE}");
            mismatch.before = vec![bad()];
            mismatch.after = vec![bad()];
            mismatch.rules.push(bad());
        }
        for entry in &mut case.timeline {
            entry.text = bad();
            entry.step = format!("{} {HOSTILE}", entry.step);
        }
    }
    for rule in &mut record.rules {
        rule.text = bad();
    }
    record.residue.push(Residue {
        what: bad(),
        why: bad(),
    });
    record.caveats.push(Caveat {
        text: bad(),
        remedy: bad(),
    });
    for method in &mut record.coverage.methods {
        method.method = format!("{HOSTILE}/{HOSTILE}");
        method.ends.push((bad(), 1));
        method.request.iter_mut().for_each(|field| field.field = bad());
        method.response.iter_mut().for_each(|field| field.field = bad());
    }
    record.coverage.services_not_called.push(bad());
    record.target.not_offered.push((Protocol::Rest, bad()));
    record.load = Some(Box::new(crate::report::load::sample::hostile()));
    record.target.address = bad();
    record.target.answered_by.push((bad(), 1));
    record.suite.name = bad();
    record.options.push((bad(), bad()));
    record.verdict.sentence = bad();
    record
}

fn case(id: &str, row: Option<&str>, title: &str, file: &str, line: usize, rules: &[&str]) -> CaseRecord {
    CaseRecord {
        scenario: id.into(),
        title: title.into(),
        row: row.map(str::to_owned),
        protocol: Protocol::Grpc,
        file: format!("scenarios/verify/{file}.yaml"),
        line,
        rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
        level: LevelName::Must,
        outcome: Outcome::Passed,
        elapsed_ms: 12,
        finished: true,
        judged: 5,
        mismatches: vec![],
        timeline: vec![],
        left: vec![],
    }
}

fn rule(id: &str, level: LevelName, text: &str, passed: u64, failed: u64, not_judged: u64) -> RuleRecord {
    let verdict = match (failed, passed) {
        (1.., _) => RuleVerdict::Failed,
        (0, 1..) => RuleVerdict::Passed,
        (0, 0) => RuleVerdict::NotJudged,
    };
    RuleRecord {
        id: id.into(),
        level,
        text: text.into(),
        passed,
        failed,
        not_judged,
        failed_cases: vec![],
        verdict,
        protocols: vec![ProtocolTally {
            protocol: Protocol::Grpc,
            passed,
            failed,
            not_judged,
            skipped: 0,
            verdict,
        }],
    }
}

fn method(
    name: &str,
    protocol: Protocol,
    ends: &[(&str, u64)],
    request: &[(&str, u64)],
    response: &[(&str, u64, u64)],
) -> MethodCoverage {
    let request = request.iter().map(|(field, set)| RequestField {
        field: (*field).into(),
        set: *set,
    });
    let response = response.iter().map(|(field, set, judged)| ResponseField {
        field: (*field).into(),
        set: *set,
        judged: *judged,
    });
    MethodCoverage {
        method: name.into(),
        protocol,
        described: !name.contains("NoSuch"),
        calls: ends.iter().map(|(_, n)| n).sum(),
        ends: ends.iter().map(|(end, n)| ((*end).to_owned(), *n)).collect(),
        request: request.collect(),
        response: response.collect(),
        fields_left_out: 0,
    }
}

fn coverage() -> Coverage {
    use Protocol::{Grpc, Rest};
    let (get, watch) = (
        "inventory.InventoryService/GetProduct",
        "inventory.InventoryService/WatchStockChanges",
    );
    Coverage {
        methods: vec![
            method(
                get,
                Grpc,
                &[("OK", 1204), ("NOT_FOUND", 3)],
                &[("id", 1206)],
                &[("id", 1204, 9), ("description", 0, 2)],
            ),
            method(get, Rest, &[], &[("id", 0)], &[("id", 0, 0), ("description", 0, 0)]),
            method(
                watch,
                Grpc,
                &[("DEADLINE_EXCEEDED", 1), ("connection", 1), ("client", 12)],
                &[("category", 14), ("threshold", 0)],
                &[("product_id", 40, 4), ("timestamp", 40, 0)],
            ),
            method(
                watch,
                Rest,
                &[("OK", 2)],
                &[("category", 2), ("threshold", 0)],
                &[("product_id", 4, 1), ("timestamp", 4, 1)],
            ),
        ],
        by_the_way: vec![method(
            "inventory.InventoryService/NoSuchMethod",
            Grpc,
            &[("UNIMPLEMENTED", 1)],
            &[],
            &[],
        )],
        services_not_called: vec!["inventory.Admin".into()],
    }
}

fn residue(what: &str, why: &str) -> Residue {
    Residue {
        what: what.into(),
        why: why.into(),
    }
}

fn watch_mismatches() -> Vec<MismatchRecord> {
    let file = "scenarios/verify/watch_category_filter.yaml".to_owned();
    vec![
        MismatchRecord {
            rules: vec!["watch.category".into()],
            level: LevelName::Must,
            step: "watch".into(),
            file: file.clone(),
            line: 72,
            column: 9,
            before: vec!["    expect:".into(), "      messages:".into()],
            source: "        exactly:".into(),
            after: vec!["          - { product_id: \"${{ watched.response.id }}\", reason: sale }".into()],
            width: 7,
            summary: "3 messages, expected 2".into(),
            details: vec![
                (
                    "extra".into(),
                    r#"[1] {product_id: "p-7f3c", old_quantity: 11, new_quantity: 10, reason: "noise"}"#.into(),
                ),
                (
                    "when".into(),
                    "41 ms after `noise` was answered, 18 ms before `fence`".into(),
                ),
            ],
        },
        MismatchRecord {
            rules: vec!["watch.category".into()],
            level: LevelName::Must,
            step: "watch".into(),
            file,
            line: 105,
            column: 9,
            before: vec![],
            after: vec![],
            source: "        each:".into(),
            width: 4,
            summary: r#"message [1]: message.product_name == "watched" is false: "other" == "watched""#.into(),
            details: vec![],
        },
    ]
}

fn timeline() -> Vec<TimelineEntry> {
    let entry = |at_ms: f64, step: &str, kind: &str, text: &str| TimelineEntry {
        at_ms,
        step: step.into(),
        kind: kind.into(),
        text: text.into(),
    };
    vec![
        entry(
            0.412,
            "watched",
            "call",
            r#"CreateProduct {name: "watched", sku: "st-8q2m4x-watched", price: 9.99, stock_quantity: 10}"#,
        ),
        entry(3.207, "watched", "answer", r#"OK {id: "p-7f3b", stock_quantity: 10}"#),
        entry(
            8.5,
            "watch",
            "call",
            r#"WatchStockChanges {category: "st-8q2m4x-watched"}"#,
        ),
        entry(
            261.004,
            "watch",
            "probe",
            r#"UpdateStock {id: "p-7f3b", quantity_change: 1, reason: "probe"}"#,
        ),
        entry(
            263.25,
            "watch",
            "ready",
            r#"{product_id: "p-7f3b", new_quantity: 11, reason: "probe"}"#,
        ),
        entry(
            270.1,
            "noise",
            "call",
            r#"UpdateStock {id: "p-7f3c", quantity_change: -1, reason: "noise"}"#,
        ),
        entry(272.333, "noise", "answer", "OK {stock_quantity: 10}"),
        entry(
            313.333,
            "watch",
            "message",
            r#"{product_id: "p-7f3c", old_quantity: 11, new_quantity: 10, reason: "noise"}"#,
        ),
        entry(1840.75, "watch", "cancel", "after 3 messages"),
    ]
}
