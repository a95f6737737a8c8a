//! The least that can answer GetProduct with tonic: no store, no rules, one product for every id. `scripts/bench get`
//! measures the full server against it.
#![allow(clippy::print_stdout)]

use inventory_contract::{
    BulkImportResponse, CreateProductRequest, GetProductRequest, ListProductsRequest, ListProductsResponse, Product,
    StockUpdate, UpdateStockRequest, WatchStockRequest,
    inventory_service_server::{InventoryService, InventoryServiceServer},
};
use tonic::{Request, Response, Status, Streaming, transport::server::TcpIncoming};

struct Bare(Product);

#[tonic::async_trait]
impl InventoryService for Bare {
    async fn get_product(&self, _: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        Ok(Response::new(self.0.clone()))
    }

    async fn list_products(&self, _: Request<ListProductsRequest>) -> Result<Response<ListProductsResponse>, Status> {
        Err(absent())
    }

    async fn create_product(&self, _: Request<CreateProductRequest>) -> Result<Response<Product>, Status> {
        Err(absent())
    }

    async fn update_stock(&self, _: Request<UpdateStockRequest>) -> Result<Response<Product>, Status> {
        Err(absent())
    }

    type WatchStockChangesStream = tokio_stream::Empty<Result<StockUpdate, Status>>;

    async fn watch_stock_changes(
        &self,
        _: Request<WatchStockRequest>,
    ) -> Result<Response<Self::WatchStockChangesStream>, Status> {
        Err(absent())
    }

    async fn bulk_import(
        &self,
        _: Request<Streaming<CreateProductRequest>>,
    ) -> Result<Response<BulkImportResponse>, Status> {
        Err(absent())
    }
}

fn absent() -> Status {
    Status::unimplemented("the bare server answers GetProduct alone")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // As large on the wire as a sample product of the full server.
    let product = Product {
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        name: "Widget A".to_owned(),
        sku: "WDG-001".to_owned(),
        category: "Widgets".to_owned(),
        price: 9.99,
        stock_quantity: 100,
        description: "Standard widget".to_owned(),
        created_at: "2026-01-01T00:00:00.000000Z".to_owned(),
        updated_at: "2026-01-01T00:00:00.000000Z".to_owned(),
    };
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("listening on {}", incoming.local_addr()?);
    tonic::transport::Server::builder()
        .add_service(InventoryServiceServer::new(Bare(product)))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
