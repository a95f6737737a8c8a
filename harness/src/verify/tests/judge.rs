use super::*;
use crate::client::Detail;

fn product(map: &str) -> Observation {
    answer(Code::OK, vec![message("inventory.Product", map)])
}

fn failed(code: Code) -> Observation {
    answer(code, Vec::new())
}

fn updates(reasons: &[&str]) -> Observation {
    let of = |reason: &&str| {
        message(
            "inventory.StockUpdate",
            &format!("{{ reason: {reason}, new_quantity: 1 }}"),
        )
    };
    answer(Code::OK, reasons.iter().map(of).collect())
}

fn shown(name: &str, expect: &str, observation: &Observation) -> Vec<String> {
    lines(&judged(name, expect, observation).mismatches)
}

#[test]
fn a_status_is_ok_unless_an_expectation_names_another() {
    let any = "{ assert: [elapsed < duration('9s')] }";
    assert_eq!(shown("GetProduct", any, &product("{ id: a }")), Vec::<String>::new());
    assert_eq!(
        shown("GetProduct", any, &failed(Code::NOT_FOUND)),
        ["status NOT_FOUND, expected OK", "got: NOT_FOUND: \"no\""]
    );
    for expect in [
        "{ status: NOT_FOUND }",
        "{ status: [OK, NOT_FOUND] }",
        "{ status: \"${{ 'NOT_FOUND' }}\" }",
        "{ status: { code: NOT_FOUND, message: { contains: o } } }",
    ] {
        let judgement = judged("GetProduct", expect, &failed(Code::NOT_FOUND));
        assert_eq!(lines(&judgement.mismatches), Vec::<String>::new(), "{expect}");
        assert_eq!((judgement.judged, judgement.status_missed), (1, false));
    }
    let judgement = judged("GetProduct", "{ status: [ABORTED, NOT_FOUND] }", &product("{ id: a }"));
    assert_eq!(
        judgement.mismatches[0].summary,
        "status OK, expected ABORTED or NOT_FOUND"
    );
    assert!(judgement.status_missed);
    assert_eq!(
        shown("GetProduct", "{ status: \"${{ 'NOPE' }}\" }", &product("{ id: a }")),
        ["\"NOPE\" is no status name, nor a list of them"]
    );
    assert_eq!(
        shown(
            "GetProduct",
            "{ status: { code: NOT_FOUND, message: gone } }",
            &failed(Code::NOT_FOUND)
        ),
        ["status.message is \"no\", expected \"gone\""]
    );
}

#[test]
fn who_answered_stands_beside_a_wrong_status() {
    let mut proxy = failed(Code::UNAVAILABLE);
    (proxy.layer, proxy.http.status, proxy.http.content_type) = (Layer::Proxy, 503, Some("text/html".to_owned()));
    let text = shown("GetProduct", "{ status: OK }", &proxy);
    assert_eq!(
        text[2],
        "http: HTTP 503, text/html: not the service but something in front of it answered"
    );
    let mut transport = failed(Code::UNAVAILABLE);
    (transport.layer, transport.http.reset) = (Layer::Transport, Some("REFUSED_STREAM".to_owned()));
    assert_eq!(
        shown("GetProduct", "{ status: OK }", &transport)[2],
        "wire: REFUSED_STREAM"
    );
    let mut client = failed(Code::DEADLINE_EXCEEDED);
    client.layer = Layer::Client;
    assert!(shown("GetProduct", "{ status: OK }", &client)[2].contains("the client did"));
}

#[test]
fn a_broken_protocol_is_a_mismatch_beside_ok_alone() {
    for (code, mismatches) in [(Code::OK, 1), (Code::NOT_FOUND, 0)] {
        let mut odd = answer(code, vec![message("inventory.Product", "{ id: a }")]);
        odd.violations.push("content-type `text/plain`".to_owned());
        let judgement = judged("GetProduct", "{ status: [OK, NOT_FOUND] }", &odd);
        assert_eq!(judgement.mismatches.len(), mismatches, "{:?}", judgement.mismatches);
    }
}

#[test]
fn details_are_looked_into_and_an_unknown_type_proves_nothing() {
    let mut answer = failed(Code::INVALID_ARGUMENT);
    let violation = "{ reason: name, product_id: x }";
    answer.status.details = vec![
        Detail {
            type_name: "inventory.StockUpdate".to_owned(),
            value: Some(message("inventory.StockUpdate", violation)),
        },
        Detail {
            type_name: "own.Secret".to_owned(),
            value: None,
        },
    ];
    for (detail, held) in [
        ("{ type: inventory.StockUpdate, reason: name }", true),
        ("{ type: inventory.StockUpdate, reason: sku }", false),
        ("{ type: inventory.Product }", false),
        ("{ type: own.Secret }", true),
        ("{ type: own.Secret, field: name }", false),
    ] {
        let expect = format!("{{ status: {{ code: INVALID_ARGUMENT, details: [{detail}] }} }}");
        let judgement = judged("GetProduct", &expect, &answer);
        assert_eq!(
            judgement.mismatches.is_empty(),
            held,
            "{detail}: {:?}",
            judgement.mismatches
        );
    }
    let none = shown(
        "GetProduct",
        "{ status: { code: NOT_FOUND, details: [{ type: a.B }] } }",
        &failed(Code::NOT_FOUND),
    );
    assert_eq!(none, ["no detail is {type: \"a.B\"}", "got: no details"]);
}

#[test]
fn a_response_beside_another_status_counts_as_absent() {
    let mut odd = product("{ id: a }");
    odd.status.code = Code::NOT_FOUND;
    assert_eq!(
        shown("GetProduct", "{ status: NOT_FOUND, response: { id: a } }", &odd)[0],
        "there is no response to compare"
    );
}

#[test]
fn a_mismatch_names_the_rule_of_its_expectation() {
    let expect = "[{ rule: create.timestamps-equal, response: { id: b } }, { response: { id: c } }]";
    let judgement = judged("GetProduct", expect, &product("{ id: a }"));
    let rules: Vec<_> = judgement.mismatches.iter().map(|m| m.rule.as_deref()).collect();
    assert_eq!(rules, [Some("create.timestamps-equal"), None]);
    assert_eq!(judgement.mismatches[0].summary, "id is \"a\", expected \"b\"");
}

#[test]
fn assertions_show_their_values_and_fail_when_they_cannot_be_evaluated() {
    let text = shown(
        "GetProduct",
        "{ assert: [response.stock_quantity > 3] }",
        &product("{ stock_quantity: 2 }"),
    );
    assert_eq!(text, ["response.stock_quantity > 3 is false: 2 > 3"]);
    let text = shown(
        "GetProduct",
        "{ assert: [10 / response.stock_quantity > 3] }",
        &product("{ id: a }"),
    );
    assert_eq!(text.len(), 1, "{text:?}");
}

#[test]
fn a_repeat_counts_its_statuses() {
    let results = [product("{ id: a }"), failed(Code::ABORTED), product("{ id: b }")];
    let shown = |expect: &str| lines(&judged_repeat(expect, &results).mismatches);
    assert_eq!(
        shown("{ count: { OK: 2, ABORTED: 1, NOT_FOUND: 0 } }"),
        Vec::<String>::new()
    );
    assert_eq!(
        shown("{ count: { OK: 3 } }"),
        ["2 calls ended OK, expected 3", "got: ABORTED: 1, OK: 2"]
    );
    assert_eq!(shown("{ status: [OK, ABORTED] }"), Vec::<String>::new());
    assert_eq!(
        shown("{ status: OK }"),
        [
            "status ABORTED, expected OK",
            "got: ABORTED: \"no\"",
            "calls: 1 of 3 calls, the first is call 1"
        ]
    );
    assert_eq!(
        shown("{ assert: [\"results.size() == 3\"] }"),
        ["1 of 3 calls did not end OK", "got: ABORTED: \"no\""]
    );
    assert_eq!(
        shown("{ status: [OK, ABORTED], assert: [\"results[1].response.id == 'a'\"] }").len(),
        1
    );
}

#[test]
fn a_call_that_the_client_cancels_may_end_so_and_not_otherwise() {
    let mut ours = failed(Code::CANCELLED);
    ours.layer = Layer::Client;
    for (observation, mismatches) in [(ours, 0), (failed(Code::CANCELLED), 1), (failed(Code::INTERNAL), 1)] {
        let method = method("WatchStockChanges");
        let judgement = super::super::judge::judge(
            &[Expectation::default()],
            &Seen {
                method: &method,
                scope: &Scope::default(),
                observation: Some(&observation),
                results: None,
                messages: &[],
                before_ready: 0,
                status_defaults_to_ok: true,
                cancels: true,
                step: Span::default(),
                answered: &[],
            },
        );
        assert_eq!(judgement.mismatches.len(), mismatches, "{observation:?}");
    }
}

#[test]
fn exactly_is_ordered_and_complete_after_ready() {
    let stream = updates(&["probe", "sale", "noise", "fence"]);
    let shown = |expect: &str| lines(&judged_stream(expect, &stream, false, 1).mismatches);
    let exactly = |list: &str| shown(&format!("{{ messages: {{ exactly: {list} }} }}"));
    assert_eq!(
        exactly("[{ reason: sale }, { reason: noise }, { reason: fence }]"),
        Vec::<String>::new()
    );
    assert_eq!(
        exactly("[{ reason: sale }, { reason: fence }]"),
        [
            "3 messages, expected 2",
            "extra: [1] {new_quantity: 1, reason: \"noise\"}",
            "when: 5 ms after `fence` was answered"
        ]
    );
    assert_eq!(
        exactly("[{ reason: noise }, { reason: sale }, { reason: fence }]"),
        [
            "3 messages, but not the expected ones",
            "extra: [1] {new_quantity: 1, reason: \"noise\"}",
            "missing: [0] {reason: \"noise\"}",
            "when: 5 ms after `fence` was answered"
        ]
    );
    assert_eq!(exactly("[]")[0], "3 messages, expected 0");
    let longer = "[{ reason: sale }, { reason: noise }, { reason: fence }, { reason: late }]";
    assert_eq!(
        exactly(longer),
        ["3 messages, expected 4", "missing: [3] {reason: \"late\"}"]
    );
}

#[test]
fn in_order_and_any_order_allow_others_between() {
    let stream = updates(&["a", "b", "c"]);
    let shown = |expect: &str| lines(&judged_stream(expect, &stream, false, 0).mismatches);
    assert_eq!(
        shown("{ messages: { in_order: [{ reason: a }, { reason: c }] } }"),
        Vec::<String>::new()
    );
    assert_eq!(
        shown("{ messages: { in_order: [{ reason: c }, { reason: a }] } }")[0],
        "no message in its place is {reason: \"a\"}"
    );
    assert_eq!(
        shown("{ messages: { any_order: [{ reason: c }, { reason: a }] } }"),
        Vec::<String>::new()
    );
    // One message is not enough for two patterns.
    assert_eq!(
        shown("{ messages: { any_order: [{ reason: a }, { reason: a }] } }")[0],
        "no message is {reason: \"a\"}"
    );
}

#[test]
fn never_and_each_judge_everything_since_the_stream_opened() {
    let stream = updates(&["early", "late"]);
    let shown = |law: &str, stream: &Observation| {
        lines(&judged_stream(&format!("{{ messages: {law} }}"), stream, false, 1).mismatches)
    };
    assert_eq!(
        shown("{ never: [{ reason: early }] }", &stream)[0],
        "message [0] of 2 must not arrive"
    );
    assert_eq!(
        shown("{ never: [\"message.reason == 'early'\"] }", &stream)[0],
        "message [0] of 2 must not arrive"
    );
    assert_eq!(shown("{ never: [{ reason: other }] }", &stream), Vec::<String>::new());
    assert_eq!(
        shown("{ each: [{ reason: late }] }", &stream)[0],
        "message [0]: reason is \"early\", expected \"late\""
    );
    assert_eq!(
        shown("{ each: [\"message.new_quantity == 1\"] }", &stream),
        Vec::<String>::new()
    );
    let nothing = updates(&["probe"]);
    assert_eq!(shown("{ never: [{ reason: other }] }", &nothing), Vec::<String>::new());
    let none = answer(Code::OK, Vec::new());
    let each = judged_stream(
        "{ messages: { each: [\"message.new_quantity == 1\"] } }",
        &none,
        false,
        0,
    );
    assert_eq!(
        lines(&each.mismatches),
        ["there is no message to judge: `each` over nothing proves nothing"]
    );
}

#[test]
fn a_law_that_cannot_be_evaluated_holds_for_nothing() {
    let stream = updates(&["a"]);
    for law in [
        "{ never: [\"1 / message.old_quantity == 1\"] }",
        "{ each: [\"1 / message.old_quantity == 1\"] }",
        // A text can never be a quantity: that is no reason to say that it did not come.
        "{ never: [{ new_quantity: \"${{ 'many' }}\" }] }",
        "{ never: [{ new_quantity: \"${{ 1 / 0 }}\" }] }",
    ] {
        let judgement = judged_stream(&format!("{{ messages: {law} }}"), &stream, false, 0);
        assert_eq!(judgement.mismatches.len(), 1, "{law}: {:?}", judgement.mismatches);
    }
    // Nothing has come, and still the law is wrong.
    let law = "{ messages: { never: [{ new_quantity: \"${{ 1 / 0 }}\" }] } }";
    let none = answer(Code::OK, Vec::new());
    assert_eq!(judged_stream(law, &none, false, 0).mismatches.len(), 1);
}

#[test]
fn the_status_of_an_open_stream_is_not_judged() {
    let stream = updates(&["a"]);
    let expect = "{ status: UNAVAILABLE }";
    let open = judged_stream(expect, &stream, false, 0);
    assert_eq!((open.judged, open.mismatches.len()), (0, 0));
    let ended = judged_stream(expect, &stream, true, 0);
    assert_eq!(lines(&ended.mismatches)[0], "status OK, expected UNAVAILABLE");
}
