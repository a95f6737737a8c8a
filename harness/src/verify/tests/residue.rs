use super::{
    super::residue::{Created, estimate},
    *,
};

#[test]
fn the_estimate_counts_whatever_calls_a_creating_method() {
    for (steps, most) in [
        ("  - call: UpdateStock", 0),
        (
            "  - id: g\n    call: GetProduct\n    defer:\n      - call: CreateProduct",
            1,
        ),
        (
            "  - id: w\n    call: WatchStockChanges\n    background: true\n    ready: { probe: { call: CreateProduct }, until: message.product_id == probe.response.id }",
            1,
        ),
        (
            "  - id: b\n    call: BulkImport\n    background: true\n    requests: []\n  - send: b\n    request: { sku: a }\n  - send: b\n    request: { sku: b }\n  - close: b\n  - wait: b",
            2,
        ),
        (
            "  - call: BulkImport\n    repeat: 1000000\n    requests: { repeat: 1000000, item: { sku: a } }",
            1_000_000_000_000,
        ),
    ] {
        assert_eq!(estimate(&scenario("", steps)), most, "{steps}");
    }
}

#[test]
fn what_was_created_is_listed_with_its_latest_stock() {
    let mut created = Created::default();
    let product = |stock: i32| {
        let map = format!("{{ id: p-1, sku: st-x-1, stock_quantity: {stock} }}");
        answer(Code::OK, vec![message("inventory.Product", &map)])
    };
    created.observe(&method("GetProduct"), &[], &product(3));
    assert_eq!(created.lines(), Vec::<String>::new(), "reading creates nothing");
    created.observe(&method("CreateProduct"), &[], &product(5));
    created.observe(&method("UpdateStock"), &[], &product(2));
    created.observe(&method("CreateProduct"), &[], &answer(Code::ALREADY_EXISTS, Vec::new()));
    assert_eq!(created.lines(), ["product st-x-1 (stock 2)"]);
}

#[test]
fn rows_of_an_import_stay_whatever_its_status_says() {
    let rows = [
        message("inventory.CreateProductRequest", "{ sku: a }"),
        message("inventory.CreateProductRequest", "{ sku: b }"),
    ];
    let import = |observation: Observation| {
        let mut created = Created::default();
        created.observe(&method("BulkImport"), &rows, &observation);
        created.lines()
    };
    let counted = |count| {
        let map = format!("{{ imported_count: {count} }}");
        answer(Code::OK, vec![message("inventory.BulkImportResponse", &map)])
    };
    assert_eq!(import(counted(0)), Vec::<String>::new());
    assert_eq!(import(counted(1)), ["1 thing by BulkImport, the first a"]);
    assert_eq!(import(counted(2)), ["2 things by BulkImport, the first a"]);
    assert_eq!(
        import(answer(Code::ALREADY_EXISTS, Vec::new())),
        ["up to 2 things by BulkImport, which ended ALREADY_EXISTS, the first a"]
    );
}

#[test]
fn a_create_without_an_answer_may_have_happened() {
    let mut created = Created::default();
    let mut dropped = answer(Code::UNAVAILABLE, Vec::new());
    dropped.layer = Layer::Transport;
    let request = message("inventory.CreateProductRequest", "{ sku: a }");
    created.observe(&method("CreateProduct"), &[request], &dropped);
    assert_eq!(
        created.lines(),
        ["perhaps 1 thing by CreateProduct, which ended UNAVAILABLE: a"]
    );
}
