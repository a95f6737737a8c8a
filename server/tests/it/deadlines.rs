//! Deadlines are decided by the server.

use crate::{
    healthy,
    raw::{call, framed},
};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use inventory_contract::WatchStockRequest;
use prost::Message;
use std::{convert::Infallible, time::Duration};
use stocktake_server::{Config, Simulate};
use tonic::Code;

#[tokio::test]
async fn a_silent_watch_is_ended_by_trailers_at_its_deadline() {
    let server = healthy().await;
    let request = framed(&WatchStockRequest::default().encode_to_vec());
    let answer = call(
        server.addr,
        "/inventory.InventoryService/WatchStockChanges",
        request,
        Some("200m"),
    )
    .await;
    assert_eq!(answer.code(), Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn a_unary_call_past_its_deadline_is_deadline_exceeded() {
    let simulate = Simulate {
        delay: Duration::from_secs(3600),
        ..Simulate::default()
    };
    let server = crate::Running::start(Config {
        simulate,
        ..Config::default()
    })
    .await;
    let answer = call(
        server.addr,
        "/inventory.InventoryService/GetProduct",
        framed(&[]),
        Some("100m"),
    )
    .await;
    assert_eq!(answer.code(), Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn a_client_stream_that_stalls_is_deadline_exceeded() {
    let server = healthy().await;
    let stalled = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let answer = call(
        server.addr,
        "/inventory.InventoryService/BulkImport",
        stalled,
        Some("200m"),
    )
    .await;
    assert_eq!(answer.code(), Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn a_timeout_that_is_none_is_invalid() {
    let server = healthy().await;
    for timeout in ["1", "123456789S", "soon", "-1S"] {
        let answer = call(
            server.addr,
            "/inventory.InventoryService/GetProduct",
            framed(&[]),
            Some(timeout),
        )
        .await;
        assert_eq!(answer.code(), Some(Code::InvalidArgument), "{timeout}");
    }
}
