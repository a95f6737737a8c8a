//! Faults that need more than the common run of `transcript.rs` to show, and some of the intricate ones.

use crate::{Running, code, create, get, update, watch, within};
use stocktake_server::Fault;
use tonic::{Code, Status};

/// Long enough for what does happen, on an idle machine; a test that waits for it waits again.
const SHORT: std::time::Duration = std::time::Duration::from_millis(200);

#[tokio::test]
async fn a_fresh_connection_reads_what_was_and_the_writer_what_is() {
    let server = Running::with_fault(Fault::FreshConnectionStale).await;
    let mut writer = server.client().await;
    let product = create(&mut writer, "s", "c", 3).await;
    update(&mut writer, &product.id, 1, "").await.unwrap();
    assert_eq!(get(&mut writer, &product.id).await.unwrap().stock_quantity, 4);
    assert_eq!(
        get(&mut server.client().await, &product.id)
            .await
            .unwrap()
            .stock_quantity,
        3
    );
}

#[tokio::test]
async fn a_watch_closed_silences_its_twin() {
    let server = Running::with_fault(Fault::WatchCloseSilences).await;
    let mut client = server.client().await;
    let product = create(&mut client, "s", "c", 3).await;
    let mut silenced = watch(&mut client, "c", 0).await;
    let mut other = watch(&mut client, "", 0).await;
    drop(watch(&mut client, "c", 0).await);
    // The end of the third watch arrives in its own time; from then on its twin is silent and the other is not.
    let mut heard = true;
    while heard {
        let after = update(&mut client, &product.id, 1, "").await.unwrap();
        assert_eq!(
            within(other.message()).await.unwrap().unwrap().new_quantity,
            after.stock_quantity
        );
        heard = tokio::time::timeout(SHORT, silenced.message()).await.is_ok();
    }
}

#[tokio::test]
async fn nine_watches_starve_calls_until_one_closes() {
    let server = Running::with_fault(Fault::WatchEightStarve).await;
    let mut client = server.client().await;
    let mut open = Vec::new();
    for _ in 0..9 {
        open.push(watch(&mut client, "c", 0).await);
    }
    let mut other = client.clone();
    let starved = tokio::spawn(async move { get(&mut other, "none").await });
    tokio::time::timeout(SHORT, async {
        while !starved.is_finished() {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap_err();
    open.pop();
    assert_eq!(code(within(starved).await.unwrap()), Code::NotFound);
}

#[tokio::test]
async fn a_request_above_a_lowered_limit_is_refused() {
    for (fault, size) in [(Fault::Limit4MiB, 5 << 20), (Fault::Limit48MiB, 49 << 20)] {
        let server = Running::with_fault(fault).await;
        let answer = update(&mut server.client().await, "none", 1, &"r".repeat(size)).await;
        assert_eq!(code(answer), Code::OutOfRange);
    }
}

#[tokio::test]
async fn sixty_four_closed_watches_leak() {
    for fault in [Fault::WatchLeakSilent, Fault::WatchLeakUpdates] {
        let server = Running::with_fault(fault).await;
        let mut client = server.client().await;
        let product = create(&mut client, "s", "c", 3).await;
        for _ in 0..64 {
            drop(watch(&mut client, "c", 0).await);
        }
        // The server notices each end in its own time; the leak is there when the call hangs.
        let hangs = async {
            loop {
                let request = inventory_contract::WatchStockRequest {
                    category: "c".into(),
                    threshold: 0,
                };
                let hangs = if fault == Fault::WatchLeakSilent {
                    tokio::time::timeout(SHORT, client.watch_stock_changes(request))
                        .await
                        .is_err()
                } else {
                    tokio::time::timeout(SHORT, update(&mut client, &product.id, 1, ""))
                        .await
                        .is_err()
                };
                if hangs {
                    break;
                }
            }
        };
        within(hangs).await;
    }
}

/// Reads a watch only after 60 updates of a mebibyte: how many it got, and how it ended.
async fn read_late(fault: Fault) -> (usize, Option<Status>) {
    let server = Running::with_fault(fault).await;
    let mut client = server.client().await;
    let product = create(&mut client, "s", "c", 0).await;
    let mut slow = watch(&mut server.client().await, "c", 0).await;
    let reason = "r".repeat(1 << 20);
    for _ in 0..60 {
        update(&mut client, &product.id, 1, &reason).await.unwrap();
    }
    let mut seen = 0;
    loop {
        match tokio::time::timeout(std::time::Duration::from_secs(2), slow.message()).await {
            Ok(Ok(Some(_))) => seen += 1,
            Ok(Ok(None)) => return (seen, Some(Status::ok(""))),
            Ok(Err(status)) => return (seen, Some(status)),
            Err(_) => return (seen, None),
        }
    }
}

#[tokio::test]
async fn a_slow_reader_loses_updates_and_is_not_told() {
    let (seen, end) = read_late(Fault::WatchSlowLoses).await;
    assert!(seen < 60 && end.is_none(), "{seen} {end:?}");
    let (seen, end) = read_late(Fault::WatchSlowOk).await;
    assert!(seen < 60, "{seen}");
    assert_eq!(end.unwrap().code(), Code::Ok);
}
