//! Shutdown, and conditions that are no fault.

use crate::{
    Running, get, healthy,
    raw::{call, framed},
    rest::wire::{BOTH, Client},
    until, watch, within,
};
use std::time::Duration;
use stocktake_server::{Config, Simulate, Stall};
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
        ..Simulate::default()
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
        simulate: Simulate {
            delay,
            ..Simulate::default()
        },
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    let start = Instant::now();
    let _ = get(&mut client, "none").await;
    assert!(start.elapsed() >= delay);
}

#[tokio::test]
async fn slow_unary_calls_take_their_time_beside_each_other_on_both_protocols() {
    let slow = Duration::from_millis(200);
    let simulate = Simulate {
        slow,
        ..Simulate::default()
    };
    let server = Running::start(Config {
        simulate,
        ..Config::default()
    })
    .await;
    let client = server.client().await;
    let start = Instant::now();
    let calls = (0..200).map(|_| {
        let mut client = client.clone();
        async move { get(&mut client, "none").await }
    });
    within(futures_util::future::join_all(calls)).await;
    let all = start.elapsed();
    assert!(all >= slow && all < 50 * slow, "{all:?}");
    for wire in BOTH {
        let mut client = Client::connect(wire, server.addr).await;
        let start = Instant::now();
        assert_eq!(client.get("/v1/products/none").await.error(), (404, 5));
        assert!(start.elapsed() >= slow);
    }
}

#[tokio::test]
async fn nothing_but_a_unary_call_is_slow_and_its_deadline_holds() {
    let simulate = Simulate {
        slow: Duration::from_secs(3600),
        ..Simulate::default()
    };
    let server = Running::start(Config {
        simulate,
        ..Config::default()
    })
    .await;
    let get = "/inventory.InventoryService/GetProduct";
    let answer = call(server.addr, get, framed(&[]), Some("100m")).await;
    assert_eq!(answer.code(), Some(Code::DeadlineExceeded));
    watch(&mut server.client().await, "", 0).await;
    for wire in BOTH {
        let mut client = Client::connect(wire, server.addr).await;
        assert_eq!(client.get("/openapi.json").await.status, 200);
        assert_eq!(client.post("/v1/products:bulkImport", "").await.status, 200);
    }
}

#[tokio::test]
async fn a_stall_holds_up_both_protocols() {
    let length = Duration::from_millis(300);
    let simulate = Simulate {
        stall: Some(Stall {
            length,
            every: 2 * length,
        }),
        ..Simulate::default()
    };
    let server = Running::start(Config {
        simulate,
        ..Config::default()
    })
    .await;
    let grpc = server.client().await;
    until(|| {
        let mut grpc = grpc.clone();
        async move {
            let start = Instant::now();
            let _ = get(&mut grpc, "none").await;
            start.elapsed() > length / 2
        }
    })
    .await;
    for wire in BOTH {
        let addr = server.addr;
        until(|| async move {
            let mut rest = Client::connect(wire, addr).await;
            let start = Instant::now();
            assert_eq!(rest.get("/v1/products/none").await.error(), (404, 5));
            start.elapsed() > length / 2
        })
        .await;
    }
}
