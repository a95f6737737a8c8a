use super::*;
use crate::{
    client::frame::{Deframer, Frame},
    load::workload::parse,
    scenario::source::SourceFile,
    schema::DynMsg,
};
use std::time::Duration;

const HEAD: &str =
    "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\narrivals: { constant: 1 }\n";

fn workload(text: &str) -> Workload {
    let source = SourceFile::new("x.yaml", format!("{HEAD}{text}"));
    parse(source, &|_| Err("no file".to_owned()))
        .map_err(|errors| errors[0].render())
        .unwrap()
}

fn made(text: &str, leg: Leg) -> Result<Prepared, String> {
    let workload = workload(text);
    let scope = scope(&workload, "run1").unwrap();
    let metadata = [("authorization".to_owned(), b"Bearer s".to_vec())];
    prepare(
        &workload,
        &workload.cells[0],
        &Schema::built_in(),
        &scope,
        leg,
        &metadata,
    )
    .map_err(|error| error.render())
}

/// The messages of a gRPC body.
fn of_grpc(schema: &Schema, method: &str, body: &[u8]) -> Vec<DynMsg> {
    let ty = schema.method(inventory_contract::SERVICE, method).unwrap().input;
    let mut deframer = Deframer::default();
    deframer.push(body);
    let mut messages = Vec::new();
    while let Some(Frame::Message(bytes)) = deframer.pop() {
        messages.push(DynMsg::decode(&ty, &bytes).unwrap());
    }
    assert_eq!(deframer.rest(), 0);
    messages
}

fn header<'e>(exchange: &'e Exchange, name: &str) -> Option<&'e str> {
    let mut found = exchange.headers.iter().filter(|(key, _)| key == name);
    let value = found.next().map(|(_, value)| std::str::from_utf8(value).unwrap());
    assert!(found.next().is_none(), "{name} stands once");
    value
}

const SELL: &str = "vars: { id: \"p ä\" }\noperations:\n  - id: sell\n    call: UpdateStock\n    timeout: 5s\n    \
                    metadata: { x-id: \"${{ run.id }}\", x-raw-bin: aGk= }\n    accept: [OK, ABORTED]\n    \
                    request: { id: \"${{ vars.id }}\", quantity_change: -3, reason: \"a \\\"b\\\"\" }\n";

#[test]
fn both_protocols_carry_the_same_message() {
    let schema = Schema::built_in();
    let grpc = made(SELL, Leg::Grpc).unwrap();
    let over_grpc = &grpc.operations[0].exchanges[0];
    let messages = of_grpc(&schema, "UpdateStock", &over_grpc.body);
    assert_eq!(messages.len(), 1);
    assert_eq!(
        messages[0].to_text(),
        r#"{id: "p ä", quantity_change: -3, reason: "a \"b\""}"#
    );
    assert_eq!(
        (over_grpc.method.as_str(), over_grpc.path.as_str()),
        ("POST", "/inventory.InventoryService/UpdateStock")
    );

    let rest = made(SELL, Leg::RestH1).unwrap();
    let over_rest = &rest.operations[0].exchanges[0];
    assert_eq!(
        (over_rest.method.as_str(), over_rest.path.as_str()),
        ("POST", "/v1/products/p%20%C3%A4:updateStock")
    );
    // What the path carries is not in the body.
    let body = std::str::from_utf8(&over_rest.body).unwrap();
    let ty = &schema.method(inventory_contract::SERVICE, "UpdateStock").unwrap().input;
    let (mut value, _) = (serde_json::from_str::<serde_json::Value>(body).unwrap(), ());
    value["id"] = "p ä".into();
    let (message, unknown) = DynMsg::from_proto_json(ty, &value.to_string()).unwrap();
    assert_eq!((message.to_text(), unknown), (messages[0].to_text(), None));

    for prepared in [&grpc, &rest] {
        let operation = &prepared.operations[0];
        assert_eq!(
            (operation.id.as_str(), operation.timeout),
            ("sell", Duration::from_secs(5))
        );
        assert_eq!(operation.accepted.len(), 2);
    }
}

#[test]
fn headers_are_those_of_the_protocol_and_of_the_call() {
    let grpc = made(SELL, Leg::Grpc).unwrap();
    let rest = made(SELL, Leg::RestH2).unwrap();
    for (prepared, content_type) in [(&grpc, "application/grpc"), (&rest, "application/json")] {
        let exchange = &prepared.operations[0].exchanges[0];
        assert_eq!(header(exchange, "content-type"), Some(content_type));
        assert_eq!(header(exchange, "grpc-timeout"), Some("5000000u"));
        assert_eq!(header(exchange, "authorization"), Some("Bearer s"));
        assert_eq!(header(exchange, "x-id"), Some("run1"));
        assert_eq!(header(exchange, "x-raw-bin"), Some("aGk"));
        assert!(header(exchange, "user-agent").unwrap().starts_with("stocktake/"));
        for name in OF_HTTP {
            assert_eq!(header(exchange, name), None);
        }
    }
    assert_eq!(
        header(&grpc.operations[0].exchanges[0], "grpc-accept-encoding"),
        Some("identity")
    );
    assert_eq!(
        header(&rest.operations[0].exchanges[0], "accept"),
        Some("application/json")
    );
    let error = made(&SELL.replace("x-id", "host"), Leg::Grpc).unwrap_err();
    assert!(
        error.starts_with("error: it cannot be sent on grpc: the metadata `host` belongs to HTTP\n"),
        "{error}"
    );
}

#[test]
fn a_get_has_its_request_in_the_query_and_no_body() {
    let text = "operations:\n  - { id: list, call: ListProducts, request: { category: \"a b\", page_size: 10 } }\n";
    let rest = made(text, Leg::RestH1).unwrap();
    let exchange = &rest.operations[0].exchanges[0];
    assert_eq!(
        (exchange.method.as_str(), exchange.path.as_str()),
        ("GET", "/v1/products?category=a%20b&pageSize=10")
    );
    assert!(exchange.body.is_empty());
    assert_eq!(
        (header(exchange, "content-type"), exchange.answer),
        (None, Answer::Message)
    );
}

#[test]
fn a_client_stream_is_frames_or_an_array() {
    let text =
        "operations:\n  - { id: bulk, call: BulkImport, requests: { repeat: 3, item: { sku: \"s-${{ index }}\" } } }\n";
    let grpc = made(text, Leg::Grpc).unwrap();
    let messages = of_grpc(&Schema::built_in(), "BulkImport", &grpc.operations[0].exchanges[0].body);
    let skus: Vec<String> = messages.iter().map(DynMsg::to_text).collect();
    assert_eq!(skus, [r#"{sku: "s-0"}"#, r#"{sku: "s-1"}"#, r#"{sku: "s-2"}"#]);
    let rest = made(text, Leg::RestH1).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&rest.operations[0].exchanges[0].body).unwrap();
    assert_eq!(
        body,
        serde_json::json!([{"sku": "s-0"}, {"sku": "s-1"}, {"sku": "s-2"}])
    );
}

#[test]
fn values_and_variants_come_in_turn() {
    let text = "feeders:\n  ids: { rows: [ { id: a }, { id: b } ], order: random }\noperations:\n  - id: sell\n    call: UpdateStock\n    feed: ids\n    \
                variants: [ { change: -1 }, { change: 1 } ]\n    request: { id: \"${{ feed.id }}\", quantity_change: \"${{ variant.change }}\" }\n";
    let prepared = made(text, Leg::Grpc).unwrap();
    let operation = &prepared.operations[0];
    let shown: Vec<String> = operation
        .exchanges
        .iter()
        .map(|exchange| of_grpc(&Schema::built_in(), "UpdateStock", &exchange.body)[0].to_text())
        .collect();
    assert_eq!(
        shown,
        [
            r#"{id: "a", quantity_change: -1}"#,
            r#"{id: "a", quantity_change: 1}"#,
            r#"{id: "b", quantity_change: -1}"#,
            r#"{id: "b", quantity_change: 1}"#,
        ]
    );
    assert_eq!(operation.order, Order::Random);
}

#[test]
fn a_mark_is_found_where_it_stands() {
    let text = "operations:\n  - { id: sell, call: UpdateStock, request: { id: a, quantity_change: 1, reason: \"${{ mark }}\" } }\n";
    for leg in Leg::ALL {
        let prepared = made(text, leg).unwrap();
        let exchange = &prepared.operations[0].exchanges[0];
        let at = exchange.mark.unwrap();
        assert_eq!(&exchange.body[at..at + MARK], b"st-mark-0000000000000000");
    }
    let in_path =
        "operations:\n  - { id: sell, call: UpdateStock, request: { id: \"${{ mark }}\", quantity_change: 1 } }\n";
    assert!(made(in_path, Leg::Grpc).is_ok());
    let error = made(in_path, Leg::RestH1).unwrap_err();
    assert!(
        error.contains("it cannot be sent on rest-h1: the mark is not in the body"),
        "{error}"
    );
}

#[test]
fn streams_say_when_they_are_enough_and_watches_are_counted() {
    let text = "watches:\n  - { call: WatchStockChanges, request: { category: c }, count: 3 }\noperations:\n  \
                - { id: look, call: WatchStockChanges, until: { messages: 10 } }\n  - { id: all, call: WatchStockChanges, until: { time: 2s } }\n"
        .replace("id: all", "id: brief");
    let prepared = made(&text, Leg::RestH2).unwrap();
    assert_eq!(prepared.watches.len(), 3);
    let ends = Answer::Stream { enough: Enough::ItsEnd };
    assert_eq!(
        (prepared.watches[0].answer, prepared.watches[0].path.as_str()),
        (ends, "/v1/stock:watch?category=c")
    );
    let answers: Vec<Answer> = prepared.operations.iter().map(|o| o.exchanges[0].answer).collect();
    let enough = [Enough::Messages(10), Enough::Time(Duration::from_secs(2))];
    assert_eq!(answers, enough.map(|enough| Answer::Stream { enough }));
    assert_eq!(
        header(&prepared.watches[0], "accept"),
        Some("application/x-ndjson, application/json")
    );
    for leg in Leg::ALL {
        let prepared = made(&text, leg).unwrap();
        let of_call = header(&prepared.operations[0].exchanges[0], "grpc-timeout");
        assert!(of_call.is_some(), "{}", leg.name());
        // A server that is told a deadline ends the stream then.
        assert_eq!(header(&prepared.watches[0], "grpc-timeout"), None, "{}", leg.name());
    }
}

#[test]
fn what_cannot_be_made_is_told_at_its_place() {
    let many = "feeders: { ns: { each: \"${{ lists.range(60000) }}\" } }\noperations:\n  - { id: list, call: ListProducts, feed: ns, variants: [ { a: 1 }, { a: 2 } ], \
                request: { page: \"${{ feed }}\", page_size: \"${{ variant.a }}\" } }\n";
    let error = made(many, Leg::Grpc).unwrap_err();
    assert!(
        error.contains("`list` has 120000 different requests, at most 100000 can be prepared"),
        "{error}"
    );

    let none = "feeders: { ns: { each: \"${{ [1].filter(x, x > 1) }}\" } }\noperations:\n  - { id: list, call: ListProducts, feed: ns, request: { page: \"${{ feed }}\" } }\n";
    let error = made(none, Leg::Grpc).unwrap_err();
    assert!(
        error.contains("the feeder `ns` has no value: nothing would be sent"),
        "{error}"
    );

    let text = none.replace("[1].filter(x, x > 1)", "'abc'");
    let error = made(&text, Leg::Grpc).unwrap_err();
    assert!(error.contains("expected a list of values, found \"abc\""), "{error}");

    let wrong = "feeders: { ns: { rows: [ { page: first } ] } }\noperations:\n  - { id: list, call: ListProducts, feed: ns, request: { page: \"${{ feed.page }}\" } }\n";
    let error = made(wrong, Leg::Grpc).unwrap_err();
    assert!(error.contains("`page` is int32, the text \"first\" is not"), "{error}");

    let large = "vars: { text: \"${{ repeat('x', 1000000) }}\" }\nfeeders: { ns: { each: \"${{ lists.range(300) }}\" } }\noperations:\n  \
                 - { id: list, call: ListProducts, feed: ns, request: { page: \"${{ feed }}\", category: \"${{ vars.text }}\" } }\n";
    let error = made(large, Leg::Grpc).unwrap_err();
    assert!(error.contains("the requests have more than 256 MiB"), "{error}");

    let health = "legs: [grpc]\noperations:\n  - { id: health, call: grpc.health.v1.Health/Check }\n";
    assert!(made(health, Leg::Grpc).is_ok());
    let error = made(health, Leg::RestH1).unwrap_err();
    assert!(
        error.contains("it cannot be sent on rest-h1: no HTTP rule maps grpc.health.v1.Health/Check"),
        "{error}"
    );
}

#[test]
fn factors_reach_feeders_and_requests() {
    let text = "factors: { size: [1, 10] }\noperations:\n  - { id: list, call: ListProducts, request: { page_size: \"${{ factor.size }}\" } }\n";
    let workload = workload(text);
    let scope = scope(&workload, "run1").unwrap();
    let paths: Vec<String> = workload
        .cells
        .iter()
        .map(|cell| {
            let prepared = prepare(&workload, cell, &Schema::built_in(), &scope, Leg::RestH1, &[]).unwrap();
            prepared.operations[0].exchanges[0].path.clone()
        })
        .collect();
    assert_eq!(paths, ["/v1/products?pageSize=1", "/v1/products?pageSize=10"]);
}

#[test]
fn a_bidirectional_stream_runs_over_grpc_alone() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/kinds.proto");
    let schema = Schema::from_proto(&[file], &[]).unwrap();
    let method = "kinds.v1.Kinds/Chat";
    let text = format!(
        "version: 1\nid: x\nname: x\neffects: writes\narrivals: {{ constant: 1 }}\noperations:\n  - id: chat\n    call: {method}\n    requests: [ {{}}, {{}} ]\n    until: {{ messages: 2 }}\n"
    );
    let workload = parse(SourceFile::new("x.yaml", text), &|_| Err("no file".to_owned())).unwrap();
    let errors = link::check(&workload, &schema, &[Leg::RestH1, Leg::Grpc, Leg::RestH2]);
    assert_eq!(errors.len(), 1);
    let text = format!("it cannot run on rest-h1, rest-h2: {method} streams both ways, which REST cannot");
    assert_eq!((errors[0].text.as_str(), errors[0].span.line), (text.as_str(), 8));
    assert!(link::check(&workload, &schema, &[Leg::Grpc]).is_empty());
    let scope = scope(&workload, "run1").unwrap();
    let prepared = prepare(&workload, &workload.cells[0], &schema, &scope, Leg::Grpc, &[]).unwrap();
    let exchange = &prepared.operations[0].exchanges[0];
    assert_eq!(exchange.body.as_ref(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        exchange.answer,
        Answer::Stream {
            enough: Enough::Messages(2)
        }
    );
}
