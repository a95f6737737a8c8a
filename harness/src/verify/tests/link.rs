use super::{super::link, *};

fn problems(head: &str, steps: &str) -> Vec<String> {
    let text =
        format!("version: 1\nid: one\nname: one\nservice: inventory.InventoryService\n{head}\nsteps:\n{steps}\n");
    let errors = link::check(&parsed(&text), &Schema::built_in(), 4);
    errors.iter().map(|error| error.to_string()).collect()
}

fn refused(head: &str, steps: &str, part: &str) {
    let problems = problems(head, steps);
    assert_eq!(problems.len(), 1, "{steps}: {problems:?}");
    assert!(problems[0].contains(part), "{part:?} is not in {}", problems[0]);
}

#[test]
fn a_read_only_file_writes_nowhere() {
    let head = "effects: read-only";
    assert_eq!(
        problems(
            head,
            "  - call: ListProducts\n  - call: WatchStockChanges\n    deadline: 1s"
        ),
        Vec::<String>::new()
    );
    assert_eq!(
        problems(head, "  - call: grpc.health.v1.Health/Check"),
        Vec::<String>::new()
    );
    let writes = "`UpdateStock` writes, and the file says `effects: read-only`";
    refused(head, "  - call: UpdateStock", writes);
    refused(head, "  - call: inventory.InventoryService/UpdateStock", writes);
    let deferred = "  - id: p\n    call: GetProduct\n    defer:\n      - call: UpdateStock";
    refused(head, deferred, writes);
    let probe = "  - id: w\n    call: WatchStockChanges\n    background: true\n    ready: { probe: { call: UpdateStock }, until: message.new_quantity == probe.response.stock_quantity }";
    refused(head, probe, writes);
    // A method that exists writes, whatever the file says of it.
    refused(head, "  - call: UpdateStock\n    undescribed: true", writes);
    assert_eq!(
        problems(
            head,
            "  - call: NoSuchMethod\n    undescribed: true\n    expect: { status: UNIMPLEMENTED }"
        ),
        Vec::<String>::new()
    );
}

#[test]
fn unknown_names_are_found_before_anything_is_sent() {
    let head = "effects: writes\nrules: [get.stored]";
    for (steps, part) in [
        ("  - call: GetProdukt", "has no method `GetProdukt`"),
        ("  - call: a.B/C", "the target describes no service `a.B`"),
        ("  - call: GetProduct\n    request: { ids: x }", "no field `ids`"),
        ("  - call: GetProduct\n    request: { id: [x] }", "id"),
        (
            "  - call: UpdateStock\n    request: { quantity_change: 2147483648 }",
            "2147483648",
        ),
        (
            "  - call: GetProduct\n    expect: { response: { pric: 1 } }",
            "no field `pric`",
        ),
        (
            "  - call: GetProduct\n    expect: { response: { price: { aprox: 1 } } }",
            "`aprox` is no matcher",
        ),
        (
            "  - call: GetProduct\n    expect: { response: { sku: { matches: \"(\" } } }",
            "no regular expression",
        ),
        (
            "  - call: ListProducts\n    expect: { response: { products: {} } }",
            "an empty map expects nothing",
        ),
        (
            "  - call: ListProducts\n    expect: { response: { products: [{ skus: a }] } }",
            "no field `skus`",
        ),
        (
            "  - call: GetProduct\n    expect: { assert: [response.pric > 1.0] }",
            "no field `pric`",
        ),
        (
            "  - id: p\n    call: GetProduct\n  - call: GetProduct\n    request: { id: \"${{ p.response.ids }}\" }",
            "no field `ids`",
        ),
        (
            "  - call: GetProduct\n    background: true\n    id: w",
            "only streams can stay open",
        ),
        (
            "  - call: WatchStockChanges\n    expect: { response: { reason: x } }",
            "answers with a stream",
        ),
        ("  - call: GetProduct\n    requests: [{ id: x }]", "takes one request"),
        (
            "  - call: GetProduct\n    expect: { rule: get.unknown, status: OK }",
            "`get.unknown` is not among the `rules`",
        ),
    ] {
        refused(head, steps, part);
    }
    refused(
        "effects: writes\nrules: [get.storred]",
        "  - call: GetProduct",
        "the contract has no rule `get.storred`",
    );
    assert_eq!(
        problems(
            "effects: writes\nrequires: [grpc.health.v1.Health/NoSuchMethod]",
            "  - call: Nothing"
        ),
        Vec::<String>::new(),
        "a file that will be skipped"
    );
}

#[test]
fn streams_stay_within_the_budget() {
    let watches =
        |count: &str| format!("  - id: w\n    call: WatchStockChanges\n    background: true\n    repeat: {count}");
    assert_eq!(problems("effects: writes", &watches("4")), Vec::<String>::new());
    refused("effects: writes", &watches("5"), "more than the budget of 4");
    refused("effects: writes", &watches("${{ 2 }}"), "more than the budget of 4");
    assert_eq!(
        problems("effects: writes\nexclusive: true", &watches("100")),
        Vec::<String>::new()
    );
}

#[test]
fn the_keys_of_a_well_known_type_are_no_fields() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.proto");
    let proto = "syntax = \"proto3\"; package t; import \"google/protobuf/any.proto\"; \
        import \"google/protobuf/struct.proto\"; \
        message All { google.protobuf.Any any = 1; google.protobuf.Struct free = 2; } \
        service Things { rpc Put (All) returns (All); }";
    std::fs::write(&file, proto).unwrap();
    let schema = Schema::from_proto(&[file], &[]).unwrap();
    let text = "version: 1\nid: one\nname: one\nservice: t.Things\neffects: writes\nsteps:\n  - call: Put\n    \
        request: { any: { \"@type\": t.All, free: \"${{ {} }}\" }, free: { run: \"${{ run.id }}\" } }\n";
    let errors: Vec<String> = link::check(&parsed(text), &schema, 4)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors, Vec::<String>::new());
}
