//! Protobuf to domain and back; decides nothing.
//!
//! Five methods stand behind the generated server. `WatchStockChanges` does not: its messages are framed once for all
//! watchers ([`Inventory::stream`]).

use crate::{
    error,
    fault::{self, Active},
    inventory::{Draft, Imported, InventoryError, Page, Problem, Product, Query, StockChange, Timestamp, Violation},
    store::Store,
    updates::{self, Updates},
    watch::{Filter, Form, Update},
};
use bytes::{BufMut, Bytes, BytesMut};
use chrono::SecondsFormat;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, HeaderValue, header};
use http_body::{Body as HttpBody, Frame};
use inventory_contract::{
    self as proto, BulkImportResponse, CreateProductRequest, GetProductRequest, ListProductsRequest,
    ListProductsResponse, StockUpdate, UpdateStockRequest, WatchStockRequest,
    inventory_service_server::InventoryService,
};
use prost::Message;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tonic::{Code, Request, Response, Status, Streaming, body::Body, codegen::StdError, metadata::MetadataValue};
use tonic_prost::ProstDecoder;

/// How much one import may be. Its answer names each row that was not taken, so that without limits an answer, and what
/// the server keeps until it is made, could be of any size.
#[derive(Clone, Copy, Debug)]
pub struct ImportLimits {
    /// Rows.
    pub rows: usize,
    /// Bytes of all their SKUs together.
    pub skus: usize,
}

/// The inventory service over a store.
pub struct Inventory<S> {
    store: Arc<S>,
    import: ImportLimits,
    fault: Active,
}

impl<S> Clone for Inventory<S> {
    fn clone(&self) -> Self {
        Inventory {
            store: self.store.clone(),
            import: self.import,
            fault: self.fault,
        }
    }
}

impl<S: Store> Inventory<S> {
    /// The service over this store, with a fault in it or none.
    pub fn new(store: Arc<S>, import: ImportLimits, fault: Active) -> Inventory<S> {
        Inventory { store, import, fault }
    }

    fn product(&self, product: &Product) -> proto::Product {
        let mut message = to_product(product);
        if self.fault.any() {
            fault::wire::product(self.fault, &mut message);
        }
        message
    }

    fn refused(&self, error: InventoryError) -> Status {
        error::status(&error, self.fault)
    }

    /// `BulkImport`. The rows end at the first that cannot be read; what came before stays imported.
    pub async fn import(
        &self,
        mut messages: impl Stream<Item = Result<CreateProductRequest, Status>> + Send + Unpin,
    ) -> Result<BulkImportResponse, Status> {
        let (mut broken, mut left) = (None, self.import);
        let rows = stream::poll_fn(|context| match ready!(messages.poll_next_unpin(context)) {
            Some(Ok(row)) => {
                let taken = left.rows.checked_sub(1).zip(left.skus.checked_sub(row.sku.len()));
                let Some((rows, skus)) = taken else {
                    broken = Some(self.too_long());
                    return Poll::Ready(None);
                };
                left = ImportLimits { rows, skus };
                Poll::Ready(Some(to_draft(row)))
            }
            Some(Err(status)) => {
                broken = Some(status);
                Poll::Ready(None)
            }
            None => Poll::Ready(None),
        });
        let Imported { imported, rejected } = self.store.import(rows).await.map_err(|error| self.refused(error))?;
        if let Some(status) = broken {
            return Err(status);
        }
        let mut response = BulkImportResponse {
            imported_count: count(imported),
            failed_count: count(rejected.len()),
            errors: rejected
                .iter()
                .map(|row| format!("SKU {:?}: {}", row.sku, row.error))
                .collect(),
        };
        if self.fault.any() {
            fault::wire::imported(self.fault, &rejected, &mut response);
        }
        Ok(response)
    }

    fn too_long(&self) -> Status {
        let ImportLimits { rows, skus } = self.import;
        let message = format!(
            "an import has at most {rows} rows, whose SKUs have at most {skus} bytes together: the rows up to there were \
             judged and the good ones stay; send the others by another import"
        );
        error::refused(Code::ResourceExhausted, "IMPORT_TOO_LONG", message, self.fault)
    }

    /// `WatchStockChanges`, with its messages in this form; the headers are those of the request.
    pub async fn watch(
        &self,
        request: WatchStockRequest,
        headers: &HeaderMap,
        form: Form,
    ) -> Result<Updates<S::Watch>, Status> {
        let heartbeat = updates::heartbeat(headers, self.fault)?;
        let WatchStockRequest { category, threshold } = request;
        let updates = self.store.watch(Filter { category, threshold }).await;
        let updates = updates.map_err(|error| self.refused(error))?;
        Ok(Updates::new(updates, heartbeat, form, self.fault))
    }
}

#[tonic::async_trait]
impl<S: Store> InventoryService for Inventory<S> {
    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<proto::Product>, Status> {
        let id = request.into_inner().id;
        match self.store.get(&id).await {
            Ok(product) => Ok(Response::new(self.product(&product))),
            // No product has an empty id: the caller forgot it, and is told so.
            Err(InventoryError::UnknownProduct { .. }) if id.is_empty() => {
                Err(self.refused(InventoryError::Invalid(vec![Violation::new("id", Problem::Empty)])))
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let request = request.into_inner();
        let query = Query {
            category: request.category,
            in_stock_only: request.in_stock_only,
            page: request.page,
            page_size: request.page_size,
        };
        let Page {
            products,
            total,
            page,
            page_size,
        } = self.store.list(&query).await.map_err(|error| self.refused(error))?;
        Ok(Response::new(ListProductsResponse {
            products: products.iter().map(|product| self.product(product)).collect(),
            total_count: count(total),
            page,
            page_size,
        }))
    }

    async fn create_product(&self, request: Request<CreateProductRequest>) -> Result<Response<proto::Product>, Status> {
        let product = self.store.create(to_draft(request.into_inner())).await;
        product
            .map(|product| Response::new(self.product(&product)))
            .map_err(|error| self.refused(error))
    }

    async fn update_stock(&self, request: Request<UpdateStockRequest>) -> Result<Response<proto::Product>, Status> {
        let UpdateStockRequest {
            id,
            quantity_change,
            reason,
        } = request.into_inner();
        let product = self
            .store
            .change(StockChange {
                id,
                change: quantity_change,
                reason,
            })
            .await;
        product
            .map(|product| Response::new(self.product(&product)))
            .map_err(|error| self.refused(error))
    }

    type WatchStockChangesStream = stream::Empty<Result<StockUpdate, Status>>;

    /// Never reached: the dispatch answers this method by [`Inventory::stream`].
    async fn watch_stock_changes(
        &self,
        _: Request<WatchStockRequest>,
    ) -> Result<Response<Self::WatchStockChangesStream>, Status> {
        Err(Status::unimplemented("watches are served by another way"))
    }

    async fn bulk_import(
        &self,
        request: Request<Streaming<CreateProductRequest>>,
    ) -> Result<Response<BulkImportResponse>, Status> {
        self.import(request.into_inner()).await.map(Response::new)
    }
}

impl<S: Store> Inventory<S> {
    /// `WatchStockChanges` by gRPC, from a request whose message has at most `longest` bytes.
    pub async fn stream<B>(&self, request: http::Request<B>, longest: usize) -> http::Response<Body>
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<StdError>,
    {
        match self.updates(request, longest).await {
            Ok(updates) => {
                let mut response = http::Response::new(Body::new(Messages(Some(updates))));
                let grpc = HeaderValue::from_static("application/grpc");
                response.headers_mut().insert(header::CONTENT_TYPE, grpc);
                response
            }
            Err(status) => status.into_http(),
        }
    }

    async fn updates<B>(&self, request: http::Request<B>, longest: usize) -> Result<Updates<S::Watch>, Status>
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<StdError>,
    {
        let (parts, body) = request.into_parts();
        uncompressed(&parts.headers)?;
        let decoder = ProstDecoder::<WatchStockRequest>::default();
        let mut messages = Streaming::new_request(decoder, body, None, Some(longest));
        let missing = || Status::invalid_argument("the request has no message");
        let request = messages.message().await?.ok_or_else(missing)?;
        // The call is there once its request has ended (gRPC over HTTP/2, Requests).
        messages.trailers().await?;
        drop(messages);
        self.watch(request, &parts.headers, Form::Protobuf).await
    }
}

/// Refuses a compressed request, as tonic does where no compression is enabled.
fn uncompressed(headers: &HeaderMap) -> Result<(), Status> {
    match headers.get("grpc-encoding") {
        Some(encoding) if encoding != "identity" => {
            let mut status = Status::unimplemented("compressed requests are not supported");
            let identity = MetadataValue::from_static("identity");
            status.metadata_mut().insert("grpc-accept-encoding", identity);
            Err(status)
        }
        _ => Ok(()),
    }
}

/// The body of a watch. A message is the same bytes in every watch, and no codec copies them: an update of 50 MB with
/// 10,000 watches open is 50 MB.
struct Messages<W>(Option<Updates<W>>);

impl<W: Stream<Item = Result<Arc<Update>, InventoryError>> + Unpin> HttpBody for Messages<W> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(updates) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let end = match ready!(updates.poll_next_unpin(context)) {
            Some(Ok(message)) => return Poll::Ready(Some(Ok(Frame::data(message)))),
            Some(Err(status)) => status,
            None => Status::ok(""),
        };
        self.0 = None;
        let mut trailers = HeaderMap::new();
        end.add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

fn to_product(product: &Product) -> proto::Product {
    let card = &*product.card;
    proto::Product {
        id: card.id.clone(),
        name: card.name.clone(),
        sku: card.sku.clone(),
        category: card.category.clone(),
        price: card.price,
        stock_quantity: product.stock,
        description: card.description.clone(),
        created_at: to_text(card.created_at),
        updated_at: to_text(product.updated_at),
    }
}

fn to_draft(request: CreateProductRequest) -> Draft {
    Draft {
        name: request.name,
        sku: request.sku,
        category: request.category,
        price: request.price,
        stock: request.stock_quantity,
        description: request.description,
    }
}

/// RFC 3339 in UTC with microseconds.
pub fn to_text(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A count as the contract can express it.
fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// A message with the prefix that it has on the wire (gRPC over HTTP/2, Length-Prefixed-Message).
pub fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    // Its texts came in messages, whose length has 32 bits and a limit far below them.
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    // A BytesMut always has room.
    let _ = message.encode(&mut frame);
    frame.freeze()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rfc_3339_in_utc_with_microseconds() {
        let text = to_text(Timestamp::UNIX_EPOCH);
        assert_eq!(text, "1970-01-01T00:00:00.000000Z");
    }
}
