//! Faults act on REST as on gRPC: both go through the same code. A handful, one for each place where a fault acts.

use super::{
    create, path_of, update,
    wire::{Client, Lines, Wire},
};
use crate::Running;
use http::Method;
use serde_json::{Value, json};
use stocktake_server::Fault;

async fn broken(fault: Fault) -> (Running, Client) {
    let server = Running::with_fault(fault).await;
    let client = Client::connect(Wire::H1, server.addr).await;
    (server, client)
}

#[tokio::test]
async fn the_store_and_its_errors_are_those_of_grpc() {
    let (_server, mut client) = broken(Fault::GetUnknownInvalid).await;
    assert_eq!(client.get("/v1/products/none").await.error(), (400, 3));

    let (_server, mut client) = broken(Fault::UpdateOverflowUnknown).await;
    let product = create(&mut client, "s", "c", 1).await;
    assert_eq!(update(&mut client, &product, i32::MAX).await.error(), (500, 2));

    let (_server, mut client) = broken(Fault::CreatePriceNan).await;
    let draft = json!({ "name": "n", "sku": "s", "price": "NaN" }).to_string();
    assert_eq!(client.post("/v1/products", draft).await.json()["price"], "NaN");

    let (_server, mut client) = broken(Fault::BulkErrorsFirst).await;
    let answer = client.post("/v1/products:bulkImport", "{}{}").await.json();
    assert_eq!(
        (&answer["failedCount"], answer["errors"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
}

#[tokio::test]
async fn what_leaves_is_altered_as_in_grpc() {
    let (_server, mut client) = broken(Fault::CreateTimestampsNaive).await;
    let product = create(&mut client, "s", "c", 1).await;
    assert!(!product["createdAt"].as_str().unwrap().ends_with('Z'));

    let (_server, mut client) = broken(Fault::ListPastEndTwice).await;
    let page = r#"{"totalCount":4,"page":9,"pageSize":1}"#;
    assert_eq!(client.get("/v1/products?page=9").await.body, page.repeat(2));

    for (fault, fields) in [
        (Fault::NoDetails, vec![]),
        (Fault::DetailsWrongField, vec!["id"]),
        (Fault::DetailsNoField, vec![""]),
    ] {
        let (_server, mut client) = broken(fault).await;
        for answer in [
            client.get("/v1/products?page=x").await,
            client.post("/v1/products", "{\"price\": \"x\"}").await,
            client.post("/v1/products", "{\"name\": \"n\"}").await,
        ] {
            assert_eq!(
                (answer.error(), answer.fields()),
                ((400, 3), fields.iter().map(|f| (*f).to_owned()).collect())
            );
        }
    }
}

#[tokio::test]
async fn connections_are_told_apart() {
    let (server, mut writer) = broken(Fault::FreshConnectionStale).await;
    let product = create(&mut writer, "s", "c", 3).await;
    update(&mut writer, &product, 1).await;
    let mut reader = Client::connect(Wire::H1, server.addr).await;
    assert_eq!(writer.get(&path_of(&product)).await.json()["stockQuantity"], 4);
    assert_eq!(reader.get(&path_of(&product)).await.json()["stockQuantity"], 3);
}

/// The lines of a watch with a deadline.
async fn silent(client: Client) -> Vec<Value> {
    let mut client = client;
    let request = client.request(Method::GET, "/v1/stock:watch", &[("grpc-timeout", "100m")], "");
    let response = client.open(request).await;
    let mut lines = Lines::new(client, response);
    let mut seen = Vec::new();
    while let Some(line) = lines.next().await {
        seen.push(line);
    }
    seen
}

#[tokio::test]
async fn deadlines_are_missed_as_in_grpc() {
    let (_server, client) = broken(Fault::DeadlineCancelled).await;
    assert_eq!(silent(client).await[0]["error"]["code"], 1);

    let (_server, client) = broken(Fault::DeadlineOk).await;
    assert_eq!(silent(client).await, Vec::<Value>::new());

    let (_server, client) = broken(Fault::DeadlineLate).await;
    let start = tokio::time::Instant::now();
    assert_eq!(silent(client).await[0]["error"]["code"], 4);
    assert!(start.elapsed().as_millis() >= 1500);
}

#[tokio::test]
async fn a_watch_is_altered_as_in_grpc() {
    let (server, mut client) = broken(Fault::WatchFifthTwice).await;
    let product = create(&mut client, "s", "c", 0).await;
    let mut watcher = Client::connect(Wire::H2, server.addr).await;
    let response = watcher
        .open(watcher.request(Method::GET, "/v1/stock:watch", &[], ""))
        .await;
    let mut lines = Lines::new(watcher, response);
    for _ in 0..6 {
        update(&mut client, &product, 1).await;
    }
    for stock in [1, 2, 3, 4, 5, 5, 6] {
        assert_eq!(lines.next().await.unwrap()["newQuantity"], stock);
    }
}
