//! The REST side, over HTTP/1.1 and h2c: it behaves as gRPC does, in proto3 JSON.

mod bulk;
mod described;
mod faults;
mod watch;
pub mod wire;

use crate::{get, healthy, within};
use http::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use wire::{Answer, BOTH, Client, Wire};

/// A product as REST shows it, by a POST.
async fn create(client: &mut Client, sku: &str, category: &str, stock: i32) -> Value {
    let draft = json!({ "name": format!("name of {sku}"), "sku": sku, "category": category, "stockQuantity": stock });
    let answer = client.post("/v1/products", draft.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn path_of(product: &Value) -> String {
    format!("/v1/products/{}", product["id"].as_str().unwrap())
}

async fn update(client: &mut Client, product: &Value, change: i32) -> Answer {
    let body = json!({ "quantityChange": change, "reason": "läuft" }).to_string();
    client.post(&format!("{}:updateStock", path_of(product)), body).await
}

#[tokio::test]
async fn a_product_is_created_read_updated_and_listed() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let draft = json!({
            "name": "Stühle \u{1f4ba}", "sku": "chair", "category": "c&d", "price": 0.1, "stock_quantity": 2147483647,
            "description": "a\nb",
        });
        let answer = client.post("/v1/products", draft.to_string()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-stocktake-revision"), env!("CARGO_PKG_VERSION"));
        assert_eq!(answer.header("x-stocktake-replica").len(), 8);
        let product = answer.json();
        assert_eq!(product["name"], "Stühle \u{1f4ba}");
        assert_eq!(product["price"], 0.1);
        assert_eq!(product["stockQuantity"], i32::MAX);
        assert_eq!(product["createdAt"], product["updatedAt"]);

        let read = client.get(&path_of(&product)).await;
        assert_eq!((read.status.as_u16(), read.json()), (200, product.clone()));
        // It is the product that gRPC shows.
        let grpc = get(&mut server.client().await, product["id"].as_str().unwrap())
            .await
            .unwrap();
        assert_eq!((grpc.sku.as_str(), grpc.price), ("chair", 0.1));

        let drained = update(&mut client, &product, -i32::MAX).await;
        assert_eq!(drained.status, 200);
        // A field with its default value is left out.
        assert_eq!(drained.json().get("stockQuantity"), None);

        let page = client
            .get("/v1/products?category=c%26d&page=0&page_size=101")
            .await
            .json();
        assert_eq!(page["products"], json!([drained.json()]));
        assert_eq!(
            (&page["totalCount"], &page["page"], &page["pageSize"]),
            (&json!(1), &json!(1), &json!(100))
        );
        let page = client.get("/v1/products?category=c%26d&inStockOnly=true").await.json();
        assert_eq!(page, json!({ "page": 1, "pageSize": 1 }));
    }
}

#[tokio::test]
async fn what_the_inventory_refuses_is_a_status_under_its_http_status() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let product = create(&mut client, "s", "c", 3).await;
        assert_eq!(client.get("/v1/products/none").await.error(), (404, 5));
        assert_eq!(update(&mut client, &product, -4).await.error(), (400, 9));
        assert_eq!(update(&mut client, &product, i32::MAX).await.error(), (400, 11));
        let again = client
            .post("/v1/products", json!({ "name": "n", "sku": "s" }).to_string())
            .await;
        assert_eq!(again.error(), (409, 6));
        let invalid = client
            .post("/v1/products", json!({ "sku": "a\0", "price": "NaN" }).to_string())
            .await;
        assert_eq!(invalid.error(), (400, 3));
        assert_eq!(invalid.fields(), ["sku", "name", "price"]);
        assert_eq!(invalid.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn an_id_travels_percent_encoded() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    for (path, id) in [
        ("/v1/products/a%2Fb%25%20%C3%BC", "a/b% ü"),
        ("/v1/products/a%3AupdateStock", "a:updateStock"),
        ("/v1/products/a:b", "a:b"),
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.error(), (404, 5));
        assert_eq!(answer.json()["message"], format!("no product has the id {id:?}"));
    }
    let change = json!({ "quantityChange": 1 }).to_string();
    let answer = client.post("/v1/products/x%3Ay%2F:updateStock", change).await;
    assert_eq!(answer.json()["message"], "no product has the id \"x:y/\"");
    for path in ["/v1/products/%FF", "/v1/products/%4", "/v1/products/%4x:updateStock"] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.error(), answer.fields()),
            ((400, 3), vec!["id".to_owned()]),
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_body_of_an_update_may_repeat_the_id_and_not_contradict_it() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    let product = create(&mut client, "s", "c", 3).await;
    let path = format!("{}:updateStock", path_of(&product));
    let same = json!({ "id": product["id"], "quantityChange": "1" }).to_string();
    assert_eq!(client.post(&path, same).await.json()["stockQuantity"], 4);
    let other = client
        .post(&path, json!({ "id": "other", "quantityChange": 1 }).to_string())
        .await;
    assert_eq!((other.error(), other.fields()), ((400, 3), vec!["id".to_owned()]));
}

#[tokio::test]
async fn parameters_that_are_none_are_refused_by_name() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    for (path, field) in [
        ("/v1/products?limit=3", "limit"),
        ("/v1/products?page=1&page=1", "page"),
        ("/v1/products?pageSize=many", "page_size"),
        ("/v1/products?inStockOnly=1", "in_stock_only"),
        ("/v1/products?category=%FF", "category"),
        ("/v1/products/x?view=full", "view"),
    ] {
        let answer = client.get(path).await;
        assert_eq!(
            (answer.error(), answer.fields()),
            ((400, 3), vec![field.to_owned()]),
            "{path}"
        );
    }
    let answer = client.post("/v1/products?dryRun=true", "{}").await;
    assert_eq!((answer.error(), answer.fields()), ((400, 3), vec!["dryRun".to_owned()]));
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_with_its_place() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H2, server.addr).await;
    for (body, field, message) in [
        ("", "body", "line 1 column 0: body: EOF while parsing a value"),
        (
            "{\n  \"name\": \"x\",\n  oops\n}",
            "body",
            "line 3 column 3: body: key must be a string",
        ),
        (
            "{\"name\":\"x\"",
            "body",
            "line 1 column 11: body: EOF while parsing an object",
        ),
        (
            "[]",
            "body",
            "line 1 column 0: body: invalid type: sequence, expected a JSON object",
        ),
        ("{} {}", "body", "line 1 column 4: body: trailing characters"),
        (
            "{\"size\": 1}",
            "size",
            "line 1 column 7: size: unknown field `size`, expected one of name, sku, ",
        ),
        (
            "{\"name\": \"a\",\n \"name\": \"b\"}",
            "name",
            "line 2 column 7: name: the field `name` is there twice",
        ),
        (
            "{\"stockQuantity\": 1.5}",
            "stock_quantity",
            "column 21: stock_quantity: invalid value: floating point `1.5`",
        ),
        (
            "{\"price\": true}",
            "price",
            "price: invalid type: boolean `true`, expected a number, \"NaN\"",
        ),
        (
            "{\"sku\": {\"a\": 1}}",
            "sku",
            "sku: invalid type: map, expected a string",
        ),
        ("{\"sku\": \"\\ud800\"}", "sku", "unexpected end of hex escape"),
    ] {
        let answer = client.post("/v1/products", body).await;
        assert_eq!(
            (answer.error(), answer.fields()),
            ((400, 3), vec![field.to_owned()]),
            "{body}"
        );
        let said = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(
            said.starts_with("invalid JSON at line ") && said.contains(message),
            "{body}: {said}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_not_json_by_its_type_is_415() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    for (name, value, status) in [
        ("content-type", "application/x-www-form-urlencoded", 415),
        ("content-type", "application/json; charset=latin1", 415),
        ("content-encoding", "gzip", 415),
        ("content-type", "Application/JSON; charset=utf-8", 400),
        ("accept", "*/*", 400),
    ] {
        let request = client.request(Method::POST, "/v1/products", &[(name, value)], "{}");
        let answer = client.send(request).await;
        assert_eq!(answer.error(), (status, 3), "{name}: {value}");
        assert_eq!(answer.fields().contains(&"content-type".to_owned()), status == 415);
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_404_and_405() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        for path in [
            "/v1",
            "/v1/products/",
            "/v1/products/a/b",
            "/v1/stock",
            "/v1/products/:updateStock",
            "/favicon.ico",
        ] {
            assert_eq!(client.get(path).await.error(), (404, 5), "{path}");
        }
        for (method, path, allow) in [
            (Method::DELETE, "/v1/products", "GET, HEAD, POST"),
            (Method::POST, "/v1/products/x", "GET, HEAD"),
            (Method::GET, "/v1/products/x:updateStock", "POST"),
            (Method::GET, "/v1/products:bulkImport", "POST"),
            (Method::POST, "/v1/stock:watch", "GET, HEAD"),
            (Method::OPTIONS, "/openapi.json", "GET, HEAD"),
        ] {
            let answer = client.send(client.request(method, path, &[], "")).await;
            assert_eq!((answer.error(), answer.header("allow")), ((405, 12), allow), "{path}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        for path in ["/v1/products?pageSize=100", "/v1/products/none", "/v1/products?no=1"] {
            let get = client.get(path).await;
            let head = client.send(client.request(Method::HEAD, path, &[], "")).await;
            assert_eq!(head.status, get.status);
            assert!(head.body.is_empty());
            assert_eq!(head.header("content-length"), get.body.len().to_string());
            assert_eq!(head.header("content-type"), get.header("content-type"));
        }
        let head = client
            .send(client.request(Method::HEAD, "/v1/products/x:updateStock", &[], ""))
            .await;
        assert_eq!((head.status.as_u16(), head.header("allow")), (405, "POST"));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_400() {
    let server = healthy().await;
    for body in [
        "transfer-encoding: chunked\r\n\r\nzz\r\n",
        "content-length: 10\r\n\r\n{}",
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let request = format!("POST /v1/products HTTP/1.1\r\nhost: localhost\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("BROKEN_BODY"),
            "{answer}"
        );
    }
}
