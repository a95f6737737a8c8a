use super::*;
use crate::schema::Schema;
use inventory_contract as contract;

fn product() -> Product {
    Product {
        id: "p-1".to_owned(),
        name: "Schraube \"M4\" ä".to_owned(),
        sku: "s-1".to_owned(),
        category: "c".to_owned(),
        price: 0.1 + 0.2,
        stock_quantity: i32::MAX,
        description: "a\nb".to_owned(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        updated_at: "2026-01-01T00:00:01Z".to_owned(),
    }
}

/// Canonical JSON of a message, by the schema and not by the types under test.
fn canonical<M: Message>(full_name: &str, message: &M) -> String {
    let ty = Schema::built_in().message_type(full_name).unwrap();
    DynMsg::decode(&ty, &message.encode_to_vec())
        .unwrap()
        .to_proto_json()
        .unwrap()
}

fn read<J: serde::de::DeserializeOwned + Into<M>, M>(text: &str) -> M {
    serde_json::from_str::<J>(text).unwrap().into()
}

#[test]
fn json_becomes_what_protobuf_becomes() {
    let text = canonical("inventory.Product", &product());
    assert_eq!(read::<json::Product, Product>(&text), product());

    let list = ListProductsResponse {
        products: vec![product(), Product::default()],
        total_count: 2,
        page: 1,
        page_size: 100,
    };
    let text = canonical("inventory.ListProductsResponse", &list);
    assert_eq!(read::<json::ListProductsResponse, ListProductsResponse>(&text), list);

    let bulk = BulkImportResponse {
        imported_count: 3,
        failed_count: 1,
        errors: vec!["s-1: taken".to_owned()],
    };
    let text = canonical("inventory.BulkImportResponse", &bulk);
    assert_eq!(read::<json::BulkImportResponse, BulkImportResponse>(&text), bulk);

    let update = StockUpdate {
        product_id: "p-1".to_owned(),
        product_name: "n".to_owned(),
        old_quantity: 5,
        new_quantity: 0,
        reason: "sale".to_owned(),
        timestamp: "2026-01-01T00:00:00Z".to_owned(),
    };
    let text = canonical("inventory.StockUpdate", &update);
    assert_eq!(read::<json::StockUpdate, StockUpdate>(&text), update);
}

#[test]
fn json_may_be_written_in_every_way_that_proto3_allows() {
    let text = r#"{"id": "p-1", "stock_quantity": "7", "price": "Infinity", "name": null, "created_at": "t", "newField": [1]}"#;
    let read = read::<json::Product, contract::Product>(text);
    assert_eq!(
        (read.id.as_str(), read.stock_quantity, read.price),
        ("p-1", 7, f64::INFINITY)
    );
    assert_eq!((read.name.as_str(), read.created_at.as_str()), ("", "t"));
    for (text, stock) in [
        ("{}", 0),
        (r#"{"stockQuantity": 7.0}"#, 7),
        (r#"{"stockQuantity": null}"#, 0),
        (r#"{"stockQuantity": "1e2"}"#, 100),
    ] {
        assert_eq!(
            self::read::<json::Product, Product>(text).stock_quantity,
            stock,
            "{text}"
        );
    }
    for wrong in [
        r#"{"stockQuantity": 7.5}"#,
        r#"{"stockQuantity": 2147483648}"#,
        r#"{"stockQuantity": "many"}"#,
        r#"{"price": "much"}"#,
        r#"{"id": 5}"#,
        "[]",
        "",
        "{",
    ] {
        assert!(!json::message::<json::Product, Product>(wrong.as_bytes()), "{wrong}");
    }
}

fn decoder(service: &str, method: &str, protocol: Protocol) -> Decoder {
    Decoder::new(&Schema::built_in().method(service, method).unwrap(), protocol)
}

#[test]
fn methods_of_the_contract_have_their_types_on_both_sides() {
    let answers = [
        ("GetProduct", "inventory.Product"),
        ("ListProducts", "inventory.ListProductsResponse"),
        ("CreateProduct", "inventory.Product"),
        ("UpdateStock", "inventory.Product"),
        ("WatchStockChanges", "inventory.StockUpdate"),
        ("BulkImport", "inventory.BulkImportResponse"),
    ];
    for (method, output) in answers {
        let grpc = decoder(SERVICE, method, Protocol::Grpc);
        let rest = decoder(SERVICE, method, Protocol::Rest);
        assert!(grpc.is_typed() && rest.is_typed(), "{method}");
        // A message of its type, in both forms.
        let bytes = product().encode_to_vec();
        let json = canonical("inventory.Product", &product());
        if output == "inventory.Product" {
            assert!(grpc.decode(&bytes) && rest.decode(json.as_bytes()), "{method}");
        }
        assert!(grpc.decode(b"") && rest.decode(b"{}"), "{method}: nothing set");
        assert!(!grpc.decode(b"\xff\xff") && !rest.decode(b"not JSON"), "{method}");
    }
}

#[test]
fn other_methods_are_decoded_by_the_schema() {
    let grpc = decoder("grpc.health.v1.Health", "Check", Protocol::Grpc);
    let rest = decoder("grpc.health.v1.Health", "Check", Protocol::Rest);
    assert!(!grpc.is_typed() && !rest.is_typed());
    assert!(grpc.decode(&[8, 1]) && !grpc.decode(&[8]));
    assert!(rest.decode(br#"{"status": "SERVING"}"#) && !rest.decode(br#"{"status": []}"#));
}

#[test]
fn a_line_of_a_stream_may_be_wrapped() {
    let rest = decoder(SERVICE, "WatchStockChanges", Protocol::Rest);
    assert!(rest.decode(br#"{"productId": "p", "newQuantity": 3}"#));
    assert!(rest.decode(br#"{"result":{"productId": "p"}}"#));
    assert!(!rest.decode(br#"{"result":5}"#));
    assert!(!rest.decode(br#"{"error":{"code": 14}}"#));
}
