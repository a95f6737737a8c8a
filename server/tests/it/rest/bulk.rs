//! POST /v1/products:bulkImport.

use super::wire::{Answer, BOTH, Client, Wire};
use crate::{Running, healthy};
use bytes::Bytes;
use http::Method;
use http_body::Frame;
use http_body_util::StreamBody;
use serde_json::{Value, json};
use std::convert::Infallible;
use stocktake_server::{Config, Fault};

const IMPORT: &str = "/v1/products:bulkImport";

fn row(sku: &str) -> Value {
    json!({ "name": format!("name of {sku}"), "sku": sku, "category": "import", "price": 1.5 })
}

/// Sends a body in pieces of this size.
async fn import_by(client: &mut Client, text: &str, size: usize) -> Answer {
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(size)
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    let body = StreamBody::new(tokio_stream::iter(pieces));
    let ndjson = [("content-type", "application/x-ndjson")];
    client.send(client.streaming(Method::POST, IMPORT, &ndjson, body)).await
}

/// The SKUs of the category `import`, in order.
async fn imported(client: &mut Client) -> Vec<String> {
    let page = client.get("/v1/products?category=import&pageSize=100").await.json();
    let products = page["products"].as_array().cloned().unwrap_or_default();
    products
        .iter()
        .map(|product| product["sku"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn rows_come_as_lines_or_as_an_array_in_any_pieces() {
    let mut nameless = row("nameless");
    nameless["name"] = Value::Null;
    let rows = [row("a"), row("WDG-001"), nameless, row("a"), row("ü")];
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let pretty: Vec<String> = rows
        .iter()
        .map(|row| serde_json::to_string_pretty(row).unwrap())
        .collect();
    for text in [
        lines.join("\n"),
        pretty.join("\n\n"),
        format!("[{}]", lines.join(",")),
        serde_json::to_string_pretty(&rows).unwrap(),
    ] {
        for (wire, size) in BOTH.into_iter().zip([1, 700]) {
            let server = healthy().await;
            let mut client = Client::connect(wire, server.addr).await;
            let answer = import_by(&mut client, &text, size).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let answer = answer.json();
            assert_eq!(
                (&answer["importedCount"], &answer["failedCount"]),
                (&json!(2), &json!(3))
            );
            for (error, sku) in answer["errors"]
                .as_array()
                .unwrap()
                .iter()
                .zip(["WDG-001", "nameless", "a"])
            {
                assert!(error.as_str().unwrap().contains(sku), "{error}");
            }
            assert_eq!(imported(&mut client).await, ["a", "ü"]);
        }
    }
}

#[tokio::test]
async fn nothing_imports_nothing() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    for text in ["", " \n ", "[]"] {
        let answer = client.post(IMPORT, text).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
    }
}

#[tokio::test]
async fn a_row_that_is_no_row_ends_the_import_with_its_place_and_the_rows_before_it_stay() {
    for (wire, name) in [(Wire::H1, "h1"), (Wire::H2, "h2")] {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let good = |n: usize| row(&format!("{name}-{n}"));
        for (text, field, message) in [
            (
                format!("{}\n  {{\"sku\": 7}}\n{}", good(1), good(9)),
                "sku",
                "line 2 column 11, row 2: sku: invalid value",
            ),
            (
                format!("[{},\n{{\"amount\": 7}}]", good(2)),
                "amount",
                "line 2 column 9, row 2: amount: unknown field",
            ),
            (
                format!("{}\nnull", good(3)),
                "body",
                "line 2 column 1, row 2: body: expected a JSON object",
            ),
            (
                format!("[{}\n", good(4)),
                "body",
                "line 2 column 1, row 2: body: the text ends inside the array",
            ),
            (
                format!("{}\n{{\"name\": \"x", good(5)),
                "name",
                "row 2: name: EOF while parsing a string",
            ),
        ] {
            let answer = import_by(&mut client, &text, 5).await;
            assert_eq!(
                (answer.error(), answer.fields()),
                ((400, 3), vec![field.to_owned()]),
                "{text}"
            );
            let said = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(said.contains(message), "{said}");
        }
        // Nothing before it was judged: it is the first row, whatever it is.
        for (text, message) in [
            (
                "null",
                "line 1 column 1, row 1: body: expected a JSON object or an array",
            ),
            ("[1]", "line 1 column 2, row 1: body: expected a JSON object or `]`"),
            ("[null]", "line 1 column 2, row 1: body: expected a JSON object or `]`"),
            ("{\"sku\": 7}", "line 1 column 9, row 1: sku: invalid value"),
        ] {
            let answer = import_by(&mut client, text, 5).await;
            assert_eq!(answer.error(), (400, 3), "{text}");
            let said = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(said.contains(message), "{said}");
        }
        let stayed: Vec<String> = (1..=5).map(|n| format!("{name}-{n}")).collect();
        assert_eq!(imported(&mut client).await, stayed);
    }
}

#[tokio::test]
async fn an_import_has_no_length_limit_but_each_row_has() {
    let server = Running::start(Config {
        max_message: 1000,
        ..Config::default()
    })
    .await;
    for wire in BOTH {
        let mut client = Client::connect(wire, server.addr).await;
        // Only the SKUs of all rows together have the limit of a message.
        let many: Vec<String> = (0..300).map(|n| row(&n.to_string()).to_string()).collect();
        let answer = client.post(IMPORT, many.join("\n")).await.json();
        assert_eq!(
            answer["errors"].as_array().map_or(0, Vec::len) as u64 + answer["importedCount"].as_u64().unwrap_or(0),
            300
        );
        let mut long = row("long");
        long["description"] = json!("x".repeat(1000));
        assert_eq!(client.post(IMPORT, long.to_string()).await.error(), (429, 8));
        let mut client = Client::connect(wire, server.addr).await;
        assert_eq!(client.post("/v1/products", long.to_string()).await.error(), (429, 8));
    }
}

#[tokio::test]
async fn a_long_import_of_small_pieces_is_not_cut() {
    const ROWS: usize = 50_000;
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let line = Bytes::from("{\"sku\": \"bulk\"}\n");
        let lines = (0..ROWS).map(move |_| Ok::<_, Infallible>(Frame::data(line.clone())));
        let request = client.streaming(Method::POST, IMPORT, &[], StreamBody::new(tokio_stream::iter(lines)));
        assert_eq!(client.send(request).await.json()["failedCount"], ROWS);
    }
}

#[tokio::test]
async fn a_body_far_beyond_the_limit_is_answered_all_the_same() {
    for wire in BOTH {
        let server = Running::with_fault(Fault::Limit4MiB).await;
        let mut client = Client::connect(wire, server.addr).await;
        let body = format!("{{\"quantityChange\": 1, \"reason\": \"{}\"}}", "r".repeat(49 << 20));
        assert_eq!(
            client.post("/v1/products/none:updateStock", body).await.error(),
            (429, 8)
        );
    }
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    let body = format!("{{\"quantityChange\": 1, \"reason\": \"{}\"}}", "r".repeat(49 << 20));
    assert_eq!(
        client.post("/v1/products/none:updateStock", body).await.error(),
        (404, 5)
    );
}

#[tokio::test]
async fn an_import_that_stalls_ends_at_its_deadline() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let stalled = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let request = client.streaming(Method::POST, IMPORT, &[("grpc-timeout", "200m")], stalled);
        assert_eq!(client.send(request).await.error(), (504, 4));
    }
}
