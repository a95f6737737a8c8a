//! The OpenAPI document and the page.

use super::{
    create,
    wire::{Answer, BOTH, Client, Wire},
};
use crate::healthy;
use http::Method;
use inventory_contract::ROUTES;
use serde_json::{Value, json};

/// Every `$ref` below a value.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn openapi_describes_every_route_and_points_nowhere_else() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let answer = client.get("/openapi.json").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "application/json")
        );
        let document = answer.json();
        assert_eq!(document["openapi"], "3.1.0");
        let operations = document["paths"].as_object().unwrap().values();
        assert_eq!(
            operations.map(|path| path.as_object().unwrap().len()).sum::<usize>(),
            ROUTES.len()
        );
        for route in ROUTES {
            let operation = &document["paths"][route.path][route.verb.to_lowercase()];
            assert_eq!(operation["operationId"], route.rpc);
            assert!(!operation["summary"].as_str().unwrap().is_empty());
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}

#[tokio::test]
async fn openapi_says_what_is_accepted_and_what_comes_back() {
    let server = healthy().await;
    let document = Client::connect(Wire::H1, server.addr)
        .await
        .get("/openapi.json")
        .await
        .json();
    let schemas = &document["components"]["schemas"];
    let created = &schemas["CreateProductRequest"];
    assert_eq!(created["required"], json!(["name", "sku"]));
    assert_eq!(created["additionalProperties"], false);
    let stock = &created["properties"]["stockQuantity"];
    assert_eq!(
        (&stock["anyOf"][0]["minimum"], &stock["anyOf"][0]["maximum"]),
        (&json!(0), &json!(i32::MAX))
    );
    assert_eq!(stock["description"], "Not negative.");
    assert_eq!(created["properties"]["price"]["anyOf"][0]["minimum"], 0);
    assert_eq!(created["properties"]["sku"]["minLength"], 1);

    let product = &schemas["Product"];
    assert_eq!(
        product["required"],
        json!(["id", "name", "sku", "createdAt", "updatedAt"])
    );
    let stock = &product["properties"]["stockQuantity"];
    assert_eq!(
        (&stock["minimum"], &stock["maximum"], &stock["default"]),
        (&json!(0), &json!(i32::MAX), &json!(0))
    );
    let price = &product["properties"]["price"];
    assert_eq!((&price["type"], &price["minimum"]), (&json!("number"), &json!(0)));
    let page = &schemas["ListProductsResponse"];
    assert_eq!(page["required"], json!(["page", "pageSize"]));
    assert_eq!(page["properties"]["pageSize"]["maximum"], 100);
    assert_eq!(page["properties"]["products"]["default"], json!([]));
    assert_eq!(schemas["StockUpdate"]["required"], json!(["timestamp"]));
    assert_eq!(schemas["BulkImportResponse"]["properties"]["failedCount"]["minimum"], 0);
    let change = &schemas["UpdateStockRequest"]["properties"];
    assert_eq!(change["quantityChange"]["anyOf"][0]["minimum"], i32::MIN);
    assert_eq!(change.get("id"), None, "the path binds it");
    let list = document["paths"]["/v1/products"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let names: Vec<&Value> = list.iter().filter_map(|parameter| parameter.get("name")).collect();
    assert_eq!(names, ["category", "page", "pageSize", "inStockOnly"]);
}

#[tokio::test]
async fn what_openapi_requires_of_an_answer_is_in_the_barest_one() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    let schemas = client.get("/openapi.json").await.json()["components"]["schemas"].clone();
    let created = client
        .post("/v1/products", r#"{"name": "n", "sku": "bare", "category": "bare"}"#)
        .await
        .json();
    let empty = client.get("/v1/products?category=none&page=-5&pageSize=0").await.json();
    let imported = client.post("/v1/products:bulkImport", "").await.json();
    for (name, answer) in [
        ("Product", created),
        ("ListProductsResponse", empty),
        ("BulkImportResponse", imported),
    ] {
        let answer = answer.as_object().unwrap();
        let schema = &schemas[name];
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (field, of_field) in schema["properties"].as_object().unwrap() {
            let always = required.iter().any(|required| required == field);
            assert!(!always || answer.contains_key(field), "{name}.{field}: {answer:?}");
            assert_eq!(of_field.get("default").is_some(), !always, "{name}.{field}");
        }
    }
}

#[tokio::test]
async fn every_answer_is_one_that_openapi_describes() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    let document = client.get("/openapi.json").await.json();
    let described = |path: &str, verb: &str, answer: &Answer| {
        let status = answer.status.as_str();
        let mut response = &document["paths"][path][verb]["responses"][status];
        if let Some(reference) = response.get("$ref") {
            response = document.pointer(&reference.as_str().unwrap()[1..]).unwrap();
        }
        let content = response["content"]
            .as_object()
            .unwrap_or_else(|| panic!("{verb} {path}: {answer:?}"));
        assert!(
            content.contains_key(answer.header("content-type")),
            "{verb} {path}: {answer:?}"
        );
    };
    let product = create(&mut client, "s", "c", 1).await;
    let real = super::path_of(&product);
    let soon = [("grpc-timeout", "0n")];
    for (path, target) in [
        ("/v1/products/{id}", &*real),
        ("/v1/products/{id}", "/v1/products/none"),
        ("/v1/products/{id}", "/v1/products/%FF"),
        ("/v1/products", "/v1/products"),
        ("/v1/products", "/v1/products?page=x"),
        ("/v1/stock:watch", "/v1/stock:watch?threshold=x"),
    ] {
        described(path, "get", &client.get(target).await);
        described(
            path,
            "get",
            &client.send(client.request(Method::GET, target, &soon, "")).await,
        );
    }
    let update = format!("{real}:updateStock");
    for (path, target, body) in [
        ("/v1/products", "/v1/products", r#"{"name": "n", "sku": "new"}"#),
        ("/v1/products", "/v1/products", r#"{"name": "n", "sku": "s"}"#),
        ("/v1/products", "/v1/products", "{}"),
        ("/v1/products/{id}:updateStock", &update, "{}"),
        ("/v1/products/{id}:updateStock", &update, r#"{"quantityChange": -2}"#),
        ("/v1/products/{id}:updateStock", "/v1/products/none:updateStock", "{}"),
        ("/v1/products:bulkImport", "/v1/products:bulkImport", "[{}]"),
        ("/v1/products:bulkImport", "/v1/products:bulkImport", "["),
    ] {
        described(path, "post", &client.post(target, body).await);
        for headers in [&soon, &[("content-type", "text/plain")]] {
            described(
                path,
                "post",
                &client.send(client.request(Method::POST, target, headers, body)).await,
            );
        }
    }
}

#[tokio::test]
async fn the_page_shows_every_route_and_needs_nothing_from_elsewhere() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    let page = client.get("/").await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    for route in ROUTES {
        let verb = if route.verb == "GET" { "verb" } else { "verb write" };
        let heading = format!(
            "<span class=\"{verb}\">{}</span> <code>{}</code>",
            route.verb, route.path
        );
        assert!(text.contains(&heading), "{heading}");
    }
    assert!(text.contains("href=\"/openapi.json\""));
    for elsewhere in ["https://", "src=", "@import", "url("] {
        assert!(!text.contains(elsewhere), "{elsewhere}");
    }
    let head = client.send(client.request(Method::HEAD, "/", &[], "")).await;
    assert_eq!(head.header("content-length"), page.body.len().to_string());
}
