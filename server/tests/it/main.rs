//! The server from outside, through the generated client alone: if the harness is wrong, these still tell.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod auth;
mod bulk;
mod deadlines;
mod details;
mod faults;
mod lifecycle;
mod limits;
mod on_file;
mod probes;
mod products;
mod protocol;
mod raw;
mod reflection;
mod rest;
mod script;
mod store;
mod tls;
mod transcript;
mod watches;

use inventory_contract::{CreateProductRequest, Product, inventory_service_client::InventoryServiceClient};
use std::{net::SocketAddr, time::Duration};
use stocktake_server::{Config, Fault, Server, Storage};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint},
};

/// Bounds every wait of a test; none is expected to come near it.
const PATIENCE: Duration = Duration::from_secs(30);

type Client = InventoryServiceClient<Channel>;

/// A server of its own for each test; it stops when dropped.
struct Running {
    addr: SocketAddr,
    probes: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// Where it keeps its file, if it does.
    folder: Option<TempDir>,
}

impl Running {
    async fn start(config: Config) -> Running {
        let bound = Server::bind(config).await.unwrap();
        let (addr, probes) = (bound.addr(), bound.probe_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            bound
                .run(async {
                    let _ = stopped.await;
                })
                .await
                .unwrap();
        });
        Running {
            addr,
            probes,
            stop: Some(stop),
            task,
            folder: None,
        }
    }

    /// With a store file of its own.
    async fn on_file() -> Running {
        let folder = TempDir::new().unwrap();
        let store = Storage::File(folder.path().join("store.redb"));
        let mut running = Running::start(Config {
            store,
            ..Config::default()
        })
        .await;
        running.folder = Some(folder);
        running
    }

    async fn with_fault(fault: Fault) -> Running {
        Running::start(Config {
            fault: Some(fault),
            ..Config::default()
        })
        .await
    }

    async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.addr))
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// A client over a connection of its own.
    async fn client(&self) -> Client {
        InventoryServiceClient::new(self.channel().await)
            .max_decoding_message_size(64 << 20)
            .max_encoding_message_size(64 << 20)
    }

    fn shut_down(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    async fn stopped(self) {
        within(self.task).await.unwrap();
    }
}

async fn healthy() -> Running {
    Running::start(Config::default()).await
}

async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("nothing came")
}

/// Polls for a state that a server reaches by itself.
async fn until<F: Future<Output = bool>>(mut state: impl FnMut() -> F) {
    within(async {
        while !state().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

fn draft(sku: &str, category: &str, stock: i32) -> CreateProductRequest {
    CreateProductRequest {
        name: format!("name of {sku}"),
        sku: sku.to_owned(),
        category: category.to_owned(),
        price: 1.5,
        stock_quantity: stock,
        description: "as ordered".to_owned(),
    }
}

async fn create(client: &mut Client, sku: &str, category: &str, stock: i32) -> Product {
    client
        .create_product(draft(sku, category, stock))
        .await
        .unwrap()
        .into_inner()
}

async fn get(client: &mut Client, id: &str) -> Result<Product, Status> {
    let request = inventory_contract::GetProductRequest { id: id.to_owned() };
    client.get_product(request).await.map(tonic::Response::into_inner)
}

async fn update(client: &mut Client, id: &str, change: i32, reason: &str) -> Result<Product, Status> {
    let request = inventory_contract::UpdateStockRequest {
        id: id.to_owned(),
        quantity_change: change,
        reason: reason.to_owned(),
    };
    client.update_stock(request).await.map(tonic::Response::into_inner)
}

async fn watch(client: &mut Client, category: &str, threshold: i32) -> Streaming<inventory_contract::StockUpdate> {
    let request = inventory_contract::WatchStockRequest {
        category: category.to_owned(),
        threshold,
    };
    within(client.watch_stock_changes(request)).await.unwrap().into_inner()
}

fn code<T>(result: Result<T, Status>) -> Code {
    result.err().map_or(Code::Ok, |status| status.code())
}
