//! Shutdown, and conditions that are no fault.

use crate::{Running, get, healthy, watch, within};
use std::time::Duration;
use stocktake_server::{Config, Simulate};
use tokio::time::Instant;
use tonic::Code;

#[tokio::test]
async fn a_drain_ends_watches_with_unavailable_and_the_server_stops() {
    let mut server = healthy().await;
    let mut client = server.client().await;
    let mut open = watch(&mut client, "Widgets", 0).await;
    server.shut_down();
    let end = within(open.message()).await.unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    server.stopped().await;
}

#[tokio::test]
async fn a_drain_lets_calls_under_way_end() {
    let simulate = Simulate {
        delay: Duration::from_millis(500),
    };
    let mut server = Running::start(Config {
        simulate,
        ..Config::default()
    })
    .await;
    // A watch that is open proves that calls sent before it on this connection have arrived.
    let mut client = server.client().await;
    let mut other = client.clone();
    let call = tokio::spawn(async move { get(&mut other, "none").await });
    watch(&mut client, "", 0).await;
    let mut late = client.clone();
    let under_way = tokio::spawn(async move { get(&mut late, "none").await });
    tokio::task::yield_now().await;
    assert_eq!(within(call).await.unwrap().unwrap_err().code(), Code::NotFound);
    server.shut_down();
    let end = within(under_way).await.unwrap().unwrap_err().code();
    assert_eq!(end, Code::NotFound);
    server.stopped().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_does_not_hold_up_the_drain() {
    let mut server = healthy().await;
    let _silent = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let mut client = server.client().await;
    let _ = get(&mut client, "none").await;
    server.shut_down();
    server.stopped().await;
}

#[tokio::test]
async fn a_simulated_delay_comes_on_top_of_each_answer() {
    let delay = Duration::from_millis(200);
    let server = Running::start(Config {
        simulate: Simulate { delay },
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    let start = Instant::now();
    let _ = get(&mut client, "none").await;
    assert!(start.elapsed() >= delay);
}
