//! The store file over restarts.

use crate::{Client, Running, code, create, draft, get, update, within};
use inventory_contract::{ListProductsRequest, Product};
use std::path::Path;
use stocktake_server::{Config, Fault, ServeError, Server, Storage, StoreError};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::Code;

fn on(path: &Path) -> Config {
    Config {
        store: Storage::File(path.to_owned()),
        ..Config::default()
    }
}

async fn everything(client: &mut Client) -> Vec<Product> {
    let request = ListProductsRequest {
        category: String::new(),
        page: 1,
        page_size: 100,
        in_stock_only: false,
    };
    client.list_products(request).await.unwrap().into_inner().products
}

#[tokio::test]
async fn a_restart_finds_everything_as_it_was_and_adds_no_samples() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    let mut before = Vec::new();
    for round in 0..3 {
        let mut server = Running::start(on(&path)).await;
        let mut client = server.client().await;
        let found = everything(&mut client).await;
        if round == 0 {
            assert_eq!(found.len(), 4);
        } else {
            assert_eq!(found, before);
        }
        let wanted = inventory_contract::CreateProductRequest {
            name: "e\u{301}é 😀".into(),
            price: 0.1 + 0.2,
            stock_quantity: i32::MAX,
            description: "x\ny\t".repeat(5000),
            ..draft(&format!(" spaced {round} "), "Straße", 0)
        };
        client.create_product(wanted).await.unwrap();
        create(&mut client, &format!("empty {round}"), "", 0).await;
        update(&mut client, &found[0].id, -7, "").await.unwrap();
        assert_eq!(
            code(client.create_product(draft("WDG-001", "", 0)).await),
            Code::AlreadyExists
        );
        before = everything(&mut client).await;
        drop(client);
        server.shut_down();
        server.stopped().await;
    }
}

#[tokio::test]
async fn a_file_serves_one_server_and_the_next_when_that_has_stopped() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    let mut first = Running::start(on(&path)).await;
    let Err(refused) = Server::bind(on(&path)).await else {
        panic!("two servers have the file");
    };
    assert!(
        matches!(refused, ServeError::Store(StoreError::Locked { .. })),
        "{refused}"
    );
    assert!(!refused.is_wrong_input());
    first.shut_down();
    first.stopped().await;
    Server::bind(on(&path)).await.unwrap();
}

#[tokio::test]
async fn a_fault_needs_the_memory_store() {
    let folder = TempDir::new().unwrap();
    let config = Config {
        fault: Some(Fault::UpdateFifthLost),
        ..on(&folder.path().join("store.redb"))
    };
    let Err(refused) = Server::bind(config).await else {
        panic!("it was taken");
    };
    assert!(matches!(refused, ServeError::FaultOfFile) && refused.is_wrong_input());
}

#[tokio::test]
async fn the_acknowledged_writes_of_many_callers_are_all_there_afterwards() {
    const CALLERS: i32 = 64;
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.redb");
    let mut server = Running::start(on(&path)).await;
    let mut client = server.client().await;
    let id = create(&mut client, "rush", "c", 0).await.id;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (mut client, id) = (client.clone(), id.clone());
        callers.spawn(async move {
            create(&mut client, &format!("of {caller}"), "c", caller).await;
            for _ in 0..5 {
                update(&mut client, &id, 1, "").await.unwrap();
            }
        });
    }
    within(callers.join_all()).await;
    drop(client);
    server.shut_down();
    server.stopped().await;
    let again = Running::start(on(&path)).await;
    let mut client = again.client().await;
    assert_eq!(get(&mut client, &id).await.unwrap().stock_quantity, 5 * CALLERS);
    let found = everything(&mut client).await;
    assert_eq!(found.iter().filter(|p| p.sku.starts_with("of ")).count(), 64);
}
