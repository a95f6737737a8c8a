//! What the server refuses rather than take on, and how it says so.

use crate::{
    Running, code, create, draft, get,
    raw::{call, call_over, framed, http1, send},
    rest::wire::{BOTH, Client},
    until, update, watch, within,
};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use inventory_contract::UpdateStockRequest;
use prost::Message;
use std::{convert::Infallible, time::Duration};
use stocktake_server::{Config, Simulate};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::Code;

const UPDATE: &str = "/inventory.InventoryService/UpdateStock";
const IMPORT: &str = "/inventory.InventoryService/BulkImport";

/// A server with what a test changes.
async fn limited(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::default();
    change(&mut config);
    Running::start(config).await
}

/// A body that stays open for as long as its sender.
fn open_body() -> (
    mpsc::Sender<Bytes>,
    StreamBody<impl tokio_stream::Stream<Item = Result<Frame<Bytes>, Infallible>> + Unpin>,
) {
    let (sender, pieces) = mpsc::channel(8);
    let frames = ReceiverStream::new(pieces).map(|piece| Ok(Frame::data(piece)));
    (sender, StreamBody::new(frames))
}

/// An update of no product whose message has this many bytes or a few more.
fn large(bytes: usize) -> Full<Bytes> {
    let request = UpdateStockRequest {
        reason: "r".repeat(bytes),
        ..UpdateStockRequest::default()
    };
    framed(&request.encode_to_vec())
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_out_of_range() {
    let server = limited(|config| config.max_message = 1000).await;
    assert_eq!(
        call(server.addr, UPDATE, large(900), None).await.code(),
        Some(Code::NotFound)
    );
    assert_eq!(
        call(server.addr, UPDATE, large(1000), None).await.code(),
        Some(Code::OutOfRange)
    );
    let watch = "/inventory.InventoryService/WatchStockChanges";
    let wanted = inventory_contract::WatchStockRequest {
        category: "c".repeat(1000),
        threshold: 0,
    };
    let answer = call(server.addr, watch, framed(&wanted.encode_to_vec()), Some("5S")).await;
    assert_eq!(answer.code(), Some(Code::OutOfRange));
}

#[tokio::test]
async fn rest_has_the_same_limits() {
    let server = limited(|config| {
        config.max_message = 1000;
        config.max_request_memory = 800;
        config.max_watches = 1;
        config.request_timeout = Duration::from_millis(200);
    })
    .await;
    for wire in BOTH {
        let path = "/v1/products/none:updateStock";
        let change = |bytes: usize| format!(r#"{{"reason":"{}"}}"#, "r".repeat(bytes));
        let mut client = Client::connect(wire, server.addr).await;
        assert_eq!(client.post(path, change(500)).await.error(), (404, 5), "{wire:?}");
        assert_eq!(client.post(path, change(2000)).await.error(), (429, 8), "{wire:?}");
        let mut client = Client::connect(wire, server.addr).await;
        let refused = client.post(path, change(900)).await;
        assert_eq!(refused.error(), (429, 8), "{wire:?}");
        assert!(
            refused.json()["message"].as_str().unwrap().contains("memory"),
            "{refused:?}"
        );

        let (sender, body) = open_body();
        let mut client = Client::connect(wire, server.addr).await;
        let json = [("content-type", "application/json")];
        let request = client.streaming(http::Method::POST, path, &json, body);
        assert_eq!(client.send(request).await.error(), (504, 4), "{wire:?}");
        drop(sender);

        let mut first = Client::connect(wire, server.addr).await;
        let request = first.request(http::Method::GET, "/v1/stock:watch", &[], "");
        let open = first.open(request).await;
        let mut second = Client::connect(wire, server.addr).await;
        assert_eq!(second.get("/v1/stock:watch").await.error(), (429, 8), "{wire:?}");
        drop((open, first));
        until(|| async {
            let mut next = Client::connect(wire, server.addr).await;
            let request = next.request(http::Method::GET, "/v1/stock:watch", &[("grpc-timeout", "1m")], "");
            next.send(request).await.status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn requests_that_fill_the_memory_together_are_refused_until_there_is_room() {
    let server = limited(|config| config.max_request_memory = 100_000).await;
    let (sender, body) = open_body();
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let stalled = tokio::spawn(async move { call_over(stream, IMPORT, body, &[]).await });
    // The beginning of a message whose rest does not come.
    let mut piece = vec![0];
    piece.extend(90_000_u32.to_be_bytes());
    piece.resize(80_000, b' ');
    sender.send(piece.into()).await.unwrap();
    until(|| async { call(server.addr, UPDATE, large(50_000), None).await.code() == Some(Code::ResourceExhausted) })
        .await;
    assert_eq!(
        call(server.addr, UPDATE, large(1000), None).await.code(),
        Some(Code::NotFound)
    );
    stalled.abort();
    drop(sender);
    until(|| async { call(server.addr, UPDATE, large(50_000), None).await.code() == Some(Code::NotFound) }).await;
}

#[tokio::test]
async fn an_import_of_too_many_rows_ends_and_what_came_before_stays() {
    let server = limited(|config| config.max_import_rows = 2).await;
    let mut client = server.client().await;
    let rows = |from: usize| (from..from + 3).map(|number| draft(&format!("row-{number}"), "w", 1));
    let ended = client.bulk_import(tokio_stream::iter(rows(0))).await;
    assert_eq!(code(ended), Code::ResourceExhausted);
    let again = client.bulk_import(tokio_stream::iter(rows(0).take(2))).await.unwrap();
    assert_eq!(again.into_inner().failed_count, 2, "the first two stayed");
    for wire in BOTH {
        let mut client = Client::connect(wire, server.addr).await;
        let rows = "{}\n{}\n{}\n";
        assert_eq!(
            client.post("/v1/products:bulkImport", rows).await.error(),
            (429, 8),
            "{wire:?}"
        );
        assert_eq!(
            client.post("/v1/products:bulkImport", "{}\n{}\n").await.error(),
            (200, 0),
            "{wire:?}"
        );
    }
}

#[tokio::test]
async fn an_import_whose_skus_are_too_long_together_ends() {
    let server = limited(|config| config.max_message = 1000).await;
    let mut client = server.client().await;
    let rows = |count: usize| (0..count).map(|number| draft(&format!("{number}{}", "s".repeat(299)), "w", 1));
    let ended = client.bulk_import(tokio_stream::iter(rows(4))).await;
    assert_eq!(code(ended), Code::ResourceExhausted);
    let again = client.bulk_import(tokio_stream::iter(rows(3))).await.unwrap();
    assert_eq!(again.into_inner().failed_count, 3);
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_431_in_both_protocols() {
    let server = limited(|config| config.max_header = 2000).await;
    let get = |padding: usize| {
        let padding = "p".repeat(padding);
        format!("GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-padding: {padding}\r\n\r\n")
    };
    let stream = || TcpStream::connect(server.addr);
    let answer = http1(stream().await.unwrap(), &get(1000)).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let answer = http1(stream().await.unwrap(), &get(2000)).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    for (padding, status) in [(1000, 200), (2000, 431)] {
        let padding = "p".repeat(padding);
        let answer = send(stream().await.unwrap(), UPDATE, framed(&[]), &[("x-padding", &padding)]).await;
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_the_others_go_on() {
    let server = limited(|config| config.max_connections = 2).await;
    let mut first = server.client().await;
    let second = server.client().await;
    let mut third = TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(within(third.read(&mut [0])).await.unwrap_or(0), 0);
    assert_eq!(code(get(&mut first, "none").await), Code::NotFound);
    drop(second);
    until(|| async {
        let mut next = TcpStream::connect(server.addr).await.unwrap();
        let sent = next
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            .await;
        sent.is_ok() && next.read(&mut [0]).await.is_ok_and(|read| read > 0)
    })
    .await;
}

#[tokio::test]
async fn a_call_too_many_on_a_connection_waits_for_its_turn() {
    let server = limited(|config| config.max_streams = 1).await;
    let mut client = server.client().await;
    let open = watch(&mut client, "", 0).await;
    let mut same = client.clone();
    let waiting = tokio::spawn(async move { get(&mut same, "none").await });
    // Another connection has calls of its own.
    assert_eq!(code(get(&mut server.client().await, "none").await), Code::NotFound);
    assert!(!waiting.is_finished());
    drop(open);
    assert_eq!(code(within(waiting).await.unwrap()), Code::NotFound);
}

#[tokio::test]
async fn a_watch_too_many_is_resource_exhausted() {
    let server = limited(|config| config.max_watches = 2).await;
    let mut client = server.client().await;
    let first = watch(&mut client, "", 0).await;
    let _second = watch(&mut client, "w", 0).await;
    let request = inventory_contract::WatchStockRequest::default();
    let refused = within(client.watch_stock_changes(request.clone())).await;
    assert_eq!(code(refused), Code::ResourceExhausted);
    drop(first);
    until(|| {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.watch_stock_changes(request).await.is_ok() }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_deadline_exceeded_without_a_deadline_of_the_caller() {
    let server = limited(|config| {
        config.request_timeout = Duration::from_millis(100);
        config.simulate = Simulate {
            delay: Duration::from_secs(3600),
            ..Simulate::default()
        };
    })
    .await;
    for timeout in [None, Some("1H")] {
        let answer = call(server.addr, UPDATE, framed(&[]), timeout).await;
        assert_eq!(answer.code(), Some(Code::DeadlineExceeded), "{timeout:?}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_end_is_deadline_exceeded() {
    let server = limited(|config| config.request_timeout = Duration::from_millis(100)).await;
    for path in [UPDATE, IMPORT, "/inventory.InventoryService/WatchStockChanges"] {
        let (_sender, body) = open_body();
        assert_eq!(
            call(server.addr, path, body, None).await.code(),
            Some(Code::DeadlineExceeded),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_stream_outlives_the_limit_on_answers() {
    let server = limited(|config| config.request_timeout = Duration::from_millis(50)).await;
    let mut client = server.client().await;
    let product = create(&mut client, "s", "w", 1).await;
    let mut open = watch(&mut client, "w", 0).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    update(&mut client, &product.id, 1, "late").await.unwrap();
    assert_eq!(within(open.message()).await.unwrap().unwrap().reason, "late");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_however_it_dawdles() {
    let server = limited(|config| config.header_timeout = Duration::from_millis(100)).await;
    for beginning in [
        "",
        "PRI * HTTP",
        "GET / HT",
        "GET / HTTP/1.1\r\nhost: localhost\r\nx-slow: ",
    ] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        within(stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer, b"", "{beginning:?}");
    }
    // Who has asked is not hurried.
    let mut client = server.client().await;
    let _ = get(&mut client, "none").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(code(get(&mut client, "none").await), Code::NotFound);
}

#[tokio::test]
async fn calls_that_do_not_end_are_cut_when_the_drain_is_over() {
    let mut server = limited(|config| config.drain = Duration::from_millis(100)).await;
    let (_sender, body) = open_body();
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let stalled = tokio::spawn(async move { send(stream, IMPORT, body, &[]).await });
    until(|| async { code(get(&mut server.client().await, "none").await) == Code::NotFound }).await;
    server.shut_down();
    server.stopped().await;
    assert!(within(stalled).await.is_err());
}
