//! The smallest tonic service that answers GetProduct, with one product that never changes: what the whole server is
//! measured against. Prints its address.

use inventory_contract::{
    BulkImportResponse, CreateProductRequest, GetProductRequest, ListProductsRequest, ListProductsResponse, Product,
    StockUpdate, UpdateStockRequest, WatchStockRequest,
    inventory_service_server::{InventoryService, InventoryServiceServer},
};
use std::error::Error;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

struct Bare;

#[tonic::async_trait]
impl InventoryService for Bare {
    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        Ok(Response::new(Product {
            id: request.into_inner().id,
            name: "Widget A".to_owned(),
            sku: "WDG-001".to_owned(),
            category: "Widgets".to_owned(),
            price: 9.99,
            stock_quantity: 100,
            description: "Standard widget".to_owned(),
            created_at: "2026-01-01T00:00:00.000000Z".to_owned(),
            updated_at: "2026-01-01T00:00:00.000000Z".to_owned(),
        }))
    }

    async fn list_products(&self, _: Request<ListProductsRequest>) -> Result<Response<ListProductsResponse>, Status> {
        Err(Status::unimplemented("only GetProduct"))
    }

    async fn create_product(&self, _: Request<CreateProductRequest>) -> Result<Response<Product>, Status> {
        Err(Status::unimplemented("only GetProduct"))
    }

    async fn update_stock(&self, _: Request<UpdateStockRequest>) -> Result<Response<Product>, Status> {
        Err(Status::unimplemented("only GetProduct"))
    }

    type WatchStockChangesStream = tokio_stream::Empty<Result<StockUpdate, Status>>;

    async fn watch_stock_changes(
        &self,
        _: Request<WatchStockRequest>,
    ) -> Result<Response<Self::WatchStockChangesStream>, Status> {
        Err(Status::unimplemented("only GetProduct"))
    }

    async fn bulk_import(
        &self,
        _: Request<Streaming<CreateProductRequest>>,
    ) -> Result<Response<BulkImportResponse>, Status> {
        Err(Status::unimplemented("only GetProduct"))
    }
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the address is what the caller waits for")]
async fn main() -> Result<(), Box<dyn Error>> {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse()?)?.with_nodelay(Some(true));
    println!("{}", incoming.local_addr()?);
    Server::builder()
        .add_service(InventoryServiceServer::new(Bare))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
