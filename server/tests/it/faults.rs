//! Faults that need the whole server to show.

use crate::{Running, code, create, get, update, watch, within};
use stocktake_server::Fault;
use tonic::Code;

#[tokio::test]
async fn every_fault_starts_and_answers() {
    for info in Fault::all() {
        let server = Running::with_fault(info.fault).await;
        let mut client = server.client().await;
        let product = create(&mut client, "s", "c", 3).await;
        let answer = within(update(&mut client, &product.id, 1, "")).await;
        assert_eq!(code(answer), Code::Ok, "{}", info.name);
    }
}

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
        heard = tokio::time::timeout(std::time::Duration::from_millis(200), silenced.message())
            .await
            .is_ok();
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
    tokio::time::timeout(std::time::Duration::from_millis(200), async {
        while !starved.is_finished() {
            tokio::task::yield_now().await
        }
    })
    .await
    .unwrap_err();
    open.pop();
    assert_eq!(code(within(starved).await.unwrap()), Code::NotFound);
}
