use super::{
    super::{
        coverage::{Coverage, Read, reads},
        record::{self, MethodCoverage},
    },
    *,
};
use crate::schema::Shape;
use std::collections::BTreeSet;

/// The fields of a method's response that `expect` judges, and those of earlier steps.
fn judged_fields(name: &str, expect: &str) -> (Vec<String>, Vec<String>) {
    let shape = Shape::of(&method(name).output);
    let earlier = "  - id: before\n    call: GetProduct\n  - id: rush\n    call: UpdateStock\n    repeat: 2\n";
    let scenario = scenario("", &format!("{earlier}  - call: {name}\n    expect: {expect}"));
    let Some(Action::Call(call)) = scenario.steps.last().map(|step| &step.action) else {
        panic!("no call")
    };
    let found = reads(&call.expect, None);
    let mut hit = vec![false; shape.paths().len()];
    for (_, read) in found.iter().filter(|(step, _)| step.is_none()) {
        read.mark(&shape, &mut hit);
    }
    let own = shape.paths().iter().zip(hit).filter(|(_, hit)| *hit);
    let others = found.iter().filter_map(|(step, read)| match (step, read) {
        (Some(step), Read::Path(path)) => Some(format!("{step}: {}", path.join(" "))),
        _ => None,
    });
    (own.map(|(path, _)| path.clone()).collect(), others.collect())
}

#[test]
fn the_fields_that_an_expectation_judges() {
    for (name, expect, fields) in [
        ("GetProduct", "{ status: OK }", &[][..]),
        (
            "GetProduct",
            "{ response: { id: x, stockQuantity: 3 } }",
            &["id", "stock_quantity"],
        ),
        ("GetProduct", "{ assert: [response.price > 1.0] }", &["price"]),
        (
            "ListProducts",
            "{ response: { products: [{ sku: a }, { name: b }] } }",
            &["products", "products[].name", "products[].sku"],
        ),
        (
            "ListProducts",
            "{ response: { products: { contains: { sku: a } } } }",
            &["products", "products[].sku"],
        ),
        (
            "ListProducts",
            "{ response: { products: { length: 2 } } }",
            &["products"],
        ),
        (
            "ListProducts",
            "{ assert: [response.products.size() == 1] }",
            &["products"],
        ),
        (
            "ListProducts",
            "{ assert: [\"response.products.all(p, p.price > 0.0)\"] }",
            &["products", "products[].price"],
        ),
        (
            "ListProducts",
            "{ assert: [\"response.products[0].id != ''\"] }",
            &["products", "products[].id"],
        ),
        (
            "BulkImport",
            "{ assert: [\"response.errors[0] == ''\", response.imported_count == 0] }",
            &["imported_count", "errors"],
        ),
    ] {
        assert_eq!(
            judged_fields(name, expect),
            (fields.iter().map(|f| (*f).to_owned()).collect(), vec![]),
            "{expect}"
        );
    }
    // All of it, where a response is compared whole.
    let (all, others) = judged_fields("GetProduct", "{ assert: [response == before.response] }");
    assert_eq!((all.len(), others), (9, vec!["before: ".to_owned()]));
    let (own, others) = judged_fields(
        "GetProduct",
        "{ assert: [\"rush.results.all(r, r.response.id == run.id)\"] }",
    );
    assert_eq!((own, others), (vec![], vec!["rush: id".to_owned()]));
}

fn of<'a>(coverage: &'a record::Coverage, name: &str, protocol: Protocol) -> &'a MethodCoverage {
    let name = format!("inventory.InventoryService/{name}");
    let all = coverage.methods.iter().chain(&coverage.by_the_way);
    all.clone()
        .find(|of| of.method == name && of.protocol == protocol)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn calls_are_counted_by_method_protocol_and_end() {
    use Protocol::{Grpc, Rest};
    let coverage = Coverage::new(Schema::built_in());
    let get = method("GetProduct");
    let request = || vec![message("inventory.GetProductRequest", "{ id: x }")];
    let product = || message("inventory.Product", "{ id: x, price: 0, stock_quantity: 2 }");
    let call = |protocol: Protocol, end: Option<Observation>| {
        coverage.opened(protocol, &get, &request());
        let messages = end.as_ref().map(|end| end.messages.clone()).unwrap_or_default();
        coverage.closed(protocol, &get, &messages, end.as_ref());
    };
    call(Grpc, Some(answer(Code::NOT_FOUND, vec![])));
    call(Grpc, Some(answer(Code::OK, vec![product()])));
    call(Grpc, Some(answer(Code::OK, vec![product()])));
    let lost = Observation {
        layer: Layer::Transport,
        ..answer(Code::UNAVAILABLE, vec![])
    };
    call(Rest, Some(lost));
    call(Rest, None);
    let unknown = Schema::built_in().undescribed("inventory.InventoryService", "NoSuchMethod");
    coverage.opened(Grpc, &unknown, &[]);
    coverage.closed(Grpc, &unknown, &[], Some(&answer(Code::UNIMPLEMENTED, vec![])));
    let whole = [Read::Path(vec!["id".to_owned()]), Read::Path(vec!["id".to_owned()])];
    coverage.judged(Grpc, &get, whole.iter());

    let about = BTreeSet::from(["inventory.InventoryService".to_owned()]);
    let record = coverage.record(&about, &[Grpc, Rest]);
    // Six methods on two protocols, in the order of the contract, called or not.
    let listed: Vec<_> = record
        .methods
        .iter()
        .map(|of| (of.method.rsplit('/').next().unwrap(), of.protocol))
        .collect();
    assert_eq!(listed.len(), 12);
    assert_eq!(
        listed[..3],
        [("GetProduct", Grpc), ("GetProduct", Rest), ("ListProducts", Grpc)]
    );

    let ends = |of: &MethodCoverage| of.ends.iter().map(|(end, n)| format!("{end} {n}")).collect::<Vec<_>>();
    let grpc = of(&record, "GetProduct", Grpc);
    assert_eq!(
        (grpc.calls, ends(grpc)),
        (3, vec!["OK 2".to_owned(), "NOT_FOUND 1".to_owned()])
    );
    assert_eq!((grpc.request[0].field.as_str(), grpc.request[0].set), ("id", 3));
    let response = |field: &str| grpc.response.iter().find(|of| of.field == field).unwrap();
    assert_eq!((response("id").set, response("id").judged), (2, 1));
    assert_eq!((response("price").set, response("stock_quantity").set), (0, 2));
    let rest = of(&record, "GetProduct", Rest);
    assert_eq!(
        (rest.calls, ends(rest)),
        (2, vec!["connection 1".to_owned(), "client 1".to_owned()])
    );
    assert_eq!(of(&record, "BulkImport", Rest).calls, 0);
    let by_the_way = of(&record, "NoSuchMethod", Grpc);
    assert_eq!(
        (by_the_way.described, ends(by_the_way)),
        (false, vec!["UNIMPLEMENTED 1".to_owned()])
    );

    // Of a service that no scenario is about, what was touched is listed and no more.
    let record = coverage.record(&BTreeSet::new(), &[Grpc, Rest]);
    assert!(record.methods.is_empty());
    let touched = of(&record, "GetProduct", Grpc);
    let fields: Vec<_> = touched.response.iter().map(|of| of.field.as_str()).collect();
    assert_eq!(fields, ["id", "stock_quantity"]);
}
