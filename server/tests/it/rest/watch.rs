//! GET /v1/stock:watch.

use super::{
    create, update,
    wire::{BOTH, Client, Lines, Wire},
};
use crate::{Running, healthy, within};
use http::Method;
use serde_json::json;
use std::time::Duration;
use stocktake_server::{Config, Fault, Simulate};

const WATCH: &str = "/v1/stock:watch";

/// A watch over a connection of its own.
async fn watch(server: &Running, wire: Wire, query: &str, headers: &[(&str, &str)]) -> Lines {
    let mut client = Client::connect(wire, server.addr).await;
    let response = client
        .open(client.request(Method::GET, &format!("{WATCH}{query}"), headers, ""))
        .await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    Lines::new(client, response)
}

#[tokio::test]
async fn updates_arrive_as_lines_when_they_happen_and_by_their_filter() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let product = create(&mut client, "s", "w", 10).await;
        let near = create(&mut client, "near", "wx", 10).await;
        // The headers come before any update, and say that the watch is subscribed.
        let mut all = watch(&server, wire, "", &[]).await;
        let mut low = watch(&server, wire, "?category=w&threshold=5", &[]).await;
        update(&mut client, &near, -9).await;
        for change in [-5, -1, -4] {
            update(&mut client, &product, change).await;
        }
        assert_eq!(all.next().await.unwrap()["productId"], near["id"]);
        for (old, new) in [(10, 5), (5, 4), (4, 0)] {
            let mut expected = json!({
                "productId": product["id"], "productName": "name of s", "oldQuantity": old, "newQuantity": new,
                "reason": "läuft",
            });
            if new == 0 {
                expected.as_object_mut().unwrap().remove("newQuantity");
            }
            let mut seen = vec![all.next().await.unwrap()];
            if new < 5 {
                seen.push(low.next().await.unwrap());
            }
            for mut line in seen {
                assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
                line.as_object_mut().unwrap().remove("timestamp");
                assert_eq!(line, expected);
            }
        }
    }
}

#[tokio::test]
async fn a_watch_that_cannot_start_is_refused_as_a_whole() {
    let server = healthy().await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    for (query, headers, field) in [
        ("?threshold=low", &[][..], "threshold"),
        ("?since=0", &[], "since"),
        ("", &[("x-stocktake-heartbeat", "1")], "x-stocktake-heartbeat"),
        ("", &[("grpc-timeout", "soon")], "grpc-timeout"),
    ] {
        let answer = client
            .send(client.request(Method::GET, &format!("{WATCH}{query}"), headers, ""))
            .await;
        assert_eq!((answer.error(), answer.fields()), ((400, 3), vec![field.to_owned()]));
    }
}

#[tokio::test]
async fn a_silent_watch_beats_where_it_was_asked_to() {
    for wire in BOTH {
        let server = healthy().await;
        let mut lines = watch(&server, wire, "", &[("x-stocktake-heartbeat", "100ms")]).await;
        for _ in 0..2 {
            let beat = lines.next().await.unwrap();
            assert_eq!((&beat["reason"], beat.get("productId")), (&json!("heartbeat"), None));
        }
    }
}

#[tokio::test]
async fn a_deadline_ends_a_watch_by_a_last_line() {
    for wire in BOTH {
        let server = healthy().await;
        let mut lines = watch(&server, wire, "", &[("grpc-timeout", "200m")]).await;
        let last = lines.next().await.unwrap();
        assert_eq!(last["error"]["code"], 4);
        assert_eq!(lines.next().await, None);
    }
}

#[tokio::test]
async fn a_drain_ends_every_watch_by_a_last_line() {
    for wire in BOTH {
        let mut server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let product = create(&mut client, "s", "w", 10).await;
        let mut lines = watch(&server, wire, "", &[]).await;
        update(&mut client, &product, 1).await;
        server.shut_down();
        assert_eq!(lines.next().await.unwrap()["newQuantity"], 11);
        let last = lines.next().await.unwrap();
        assert_eq!(last["error"]["code"], 14);
        assert_eq!(last["error"]["details"][0]["reason"], "SHUTTING_DOWN");
        assert_eq!(lines.next().await, None);
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_so() {
    for wire in BOTH {
        let server = Running::start(Config {
            watch_buffer: 4,
            ..Config::default()
        })
        .await;
        let mut client = Client::connect(wire, server.addr).await;
        let product = create(&mut client, "s", "w", 0).await;
        let mut slow = watch(&server, wire, "", &[]).await;
        let path = format!("{}:updateStock", super::path_of(&product));
        let body = json!({ "quantityChange": 1, "reason": "r".repeat(1 << 20) }).to_string();
        // More than sockets and windows hold.
        for _ in 0..60 {
            assert_eq!(client.post(&path, body.clone()).await.status, 200);
        }
        let mut seen = 0;
        let end = loop {
            let line = slow.next().await.unwrap();
            match line.get("error") {
                Some(error) => break error["code"].clone(),
                None => seen += 1,
            }
        };
        assert!(seen < 60, "{seen}");
        assert_eq!(end, 8);
        assert_eq!(slow.next().await, None);
    }
}

#[tokio::test]
async fn a_closed_watch_is_off_the_feed() {
    for wire in BOTH {
        // Calls wait while more than eight watches are open: an answer proves that one was noticed to be gone.
        let server = Running::with_fault(Fault::WatchEightStarve).await;
        let mut open = Vec::new();
        for _ in 0..9 {
            open.push(watch(&server, wire, "", &[]).await);
        }
        open.pop();
        let mut client = Client::connect(wire, server.addr).await;
        assert_eq!(client.get("/v1/products/none").await.error(), (404, 5));
    }
}

#[tokio::test]
async fn head_of_a_watch_is_answered_and_watches_nothing() {
    for wire in BOTH {
        let server = healthy().await;
        let mut client = Client::connect(wire, server.addr).await;
        let answer = client.send(client.request(Method::HEAD, WATCH, &[], "")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "application/x-ndjson")
        );
        assert_eq!(answer.headers.get("content-length"), None);
        assert_eq!(client.get("/v1/products/none").await.error(), (404, 5));
    }
}

#[tokio::test]
async fn a_simulated_distance_delays_answers_and_lines() {
    let delay = Duration::from_millis(200);
    let server = Running::start(Config {
        simulate: Simulate {
            delay,
            ..Simulate::default()
        },
        ..Config::default()
    })
    .await;
    let mut client = Client::connect(Wire::H1, server.addr).await;
    let start = tokio::time::Instant::now();
    let product = create(&mut client, "s", "w", 10).await;
    assert!(start.elapsed() >= delay);
    let mut lines = watch(&server, Wire::H1, "", &[]).await;
    let start = tokio::time::Instant::now();
    tokio::spawn(async move { update(&mut client, &product, 1).await });
    assert_eq!(within(lines.next()).await.unwrap()["newQuantity"], 11);
    assert!(start.elapsed() >= delay);
}
