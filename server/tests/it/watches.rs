//! WatchStockChanges by the rules of the contract.

use super::healthy;
use crate::{code, create, get, update, watch, within};
use inventory_contract::{HEARTBEAT_KEY, StockUpdate, WatchStockRequest};
use stocktake_server::Config;
use tonic::{Code, Request, Streaming};

async fn next(watch: &mut Streaming<StockUpdate>) -> StockUpdate {
    within(watch.message()).await.unwrap().expect("the watch ended")
}

#[tokio::test]
async fn a_watch_gets_every_change_that_matches_in_order_and_no_refused_one() {
    let server = healthy().await;
    let mut client = server.client().await;
    let product = create(&mut client, "watched", "w", 10).await;
    let near = create(&mut client, "near", "wx", 10).await;
    update(&mut client, &product.id, 1, "history").await.unwrap();

    // The headers say that the watch is subscribed; no probe is needed.
    let mut all = watch(&mut client, "", 0).await;
    let mut category = watch(&mut client, "w", 0).await;
    let mut low = watch(&mut client, "w", 5).await;
    // Writes over another connection arrive all the same.
    let mut writer = server.client().await;
    update(&mut writer, &near.id, -1, "near").await.unwrap();
    for change in [-6, -1, 0, -4] {
        update(&mut writer, &product.id, change, "läuft").await.unwrap();
        assert_eq!(
            code(update(&mut writer, &product.id, -100, "refused").await),
            Code::FailedPrecondition
        );
    }

    assert_eq!(next(&mut all).await.reason, "near");
    for (old, new) in [(11, 5), (5, 4), (4, 4), (4, 0)] {
        for watch in [&mut all, &mut category] {
            let change = next(watch).await;
            assert_eq!((change.old_quantity, change.new_quantity), (old, new));
            assert_eq!(
                (change.product_id.as_str(), change.product_name.as_str()),
                (&*product.id, "name of watched")
            );
            assert_eq!(change.reason, "läuft");
            assert!(change.timestamp.ends_with('Z'));
        }
        if new < 5 {
            assert_eq!(next(&mut low).await.new_quantity, new);
        }
    }
}

#[tokio::test]
async fn a_change_of_0_is_accepted_and_announced() {
    let server = healthy().await;
    let mut client = server.client().await;
    let product = create(&mut client, "still", "w", 3).await;
    let mut watch = watch(&mut client, "w", 0).await;
    update(&mut client, &product.id, 0, "count").await.unwrap();
    let change = next(&mut watch).await;
    assert_eq!((change.old_quantity, change.new_quantity), (3, 3));
}

#[tokio::test]
async fn a_thousand_watches_on_one_connection_leave_unary_calls_alone() {
    let server = healthy().await;
    let mut client = server.client().await;
    let product = create(&mut client, "popular", "w", 1).await;
    let mut watches = Vec::new();
    for _ in 0..1000 {
        watches.push(watch(&mut client, "w", 0).await);
    }
    for stock in 2..=4 {
        let after = within(update(&mut client, &product.id, 1, "")).await.unwrap();
        assert_eq!(after.stock_quantity, stock);
        assert_eq!(within(get(&mut client, &product.id)).await.unwrap(), after);
    }
    for watch in &mut watches {
        for stock in 2..=4 {
            assert_eq!(next(watch).await.new_quantity, stock);
        }
    }
}

#[tokio::test]
async fn cancelled_watches_leave_room_and_do_not_disturb_the_others() {
    let server = healthy().await;
    let mut client = server.client().await;
    let product = create(&mut client, "s", "w", 1).await;
    let mut steady = watch(&mut client, "w", 0).await;
    for _ in 0..3 {
        let mut opened = Vec::new();
        for _ in 0..100 {
            opened.push(watch(&mut client, "w", 0).await);
        }
        drop(opened);
        let after = within(update(&mut client, &product.id, 1, "")).await.unwrap();
        assert_eq!(next(&mut steady).await.new_quantity, after.stock_quantity);
    }
    watch(&mut client, "w", 0).await;
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_so() {
    let server = crate::Running::start(Config {
        watch_buffer: 4,
        ..Config::default()
    })
    .await;
    let mut client = server.client().await;
    let product = create(&mut client, "s", "w", 0).await;
    let mut slow = watch(&mut server.client().await, "w", 0).await;
    // Each fills more than a flow-control window, so that what is not read stays in the server.
    let reason = "r".repeat(1 << 20);
    for _ in 0..40 {
        update(&mut client, &product.id, 1, &reason).await.unwrap();
    }
    let mut seen = 0;
    let end = loop {
        match within(slow.message()).await {
            Ok(Some(change)) => {
                seen += 1;
                assert_eq!(change.new_quantity, seen);
            }
            Ok(None) => panic!("the watch ended OK after {seen} of 40 updates"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::ResourceExhausted);
    assert!(seen < 40);
}

#[tokio::test]
async fn heartbeats_come_to_those_who_ask() {
    let server = healthy().await;
    let mut client = server.client().await;
    let mut request = Request::new(WatchStockRequest::default());
    request.metadata_mut().insert(HEARTBEAT_KEY, "100ms".parse().unwrap());
    let mut watch = within(client.watch_stock_changes(request)).await.unwrap().into_inner();
    for _ in 0..2 {
        let beat = next(&mut watch).await;
        assert_eq!((beat.product_id.as_str(), beat.reason.as_str()), ("", "heartbeat"));
    }
}

#[tokio::test]
async fn a_heartbeat_that_is_no_duration_is_invalid() {
    let server = healthy().await;
    let mut client = server.client().await;
    for value in ["", "60", "often", "0s", "-1s"] {
        let mut request = Request::new(WatchStockRequest::default());
        request.metadata_mut().insert(HEARTBEAT_KEY, value.parse().unwrap());
        let end = within(client.watch_stock_changes(request)).await;
        assert_eq!(code(end), Code::InvalidArgument, "{value:?}");
    }
}
