//! Protobuf to domain and back; decides nothing.
//!
//! Five methods stand behind the generated server. `WatchStockChanges` does not: its messages are encoded once for all
//! watchers, so its codec takes bytes (`WatchCodec`).

use crate::{
    error,
    fault::{self, Active},
    inventory::{
        Draft, Imported, InventoryError, Page, Problem, Product, Query, StockChange, Timestamp, Violation, now,
    },
    store::Store,
    watch::{Filter, Update},
};
use bytes::{BufMut, Bytes};
use chrono::SecondsFormat;
use futures_util::{Stream, StreamExt, stream};
use inventory_contract::{
    self as proto, BulkImportResponse, CreateProductRequest, GetProductRequest, HEARTBEAT_KEY, HEARTBEAT_REASON,
    ListProductsRequest, ListProductsResponse, StockUpdate, UpdateStockRequest, WatchStockRequest,
    inventory_service_server::InventoryService,
};
use prost::Message;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tonic::{
    Request, Response, Status, Streaming,
    codec::{BufferSettings, Codec, EncodeBuf, Encoder},
    metadata::MetadataMap,
    server::ServerStreamingService,
};
use tonic_prost::ProstDecoder;

/// The inventory service over a store.
pub struct Inventory<S> {
    store: Arc<S>,
    fault: Active,
}

impl<S> Clone for Inventory<S> {
    fn clone(&self) -> Self {
        Inventory {
            store: self.store.clone(),
            fault: self.fault,
        }
    }
}

impl<S: Store> Inventory<S> {
    /// The service over this store, with a fault in it or none.
    pub fn new(store: Arc<S>, fault: Active) -> Inventory<S> {
        Inventory { store, fault }
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

    /// Never reached: the dispatch answers this method by [`Watch`].
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
        let mut messages = request.into_inner();
        let mut broken = None;
        // The rows end at the first message that cannot be read; what came before is imported.
        let rows = stream::poll_fn(|context| match ready!(messages.poll_next_unpin(context)) {
            Some(Ok(row)) => Poll::Ready(Some(to_draft(row))),
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
        Ok(Response::new(response))
    }
}

/// `WatchStockChanges`, with messages that are encoded already.
pub struct Watch<S>(pub Inventory<S>);

impl<S: Store> ServerStreamingService<WatchStockRequest> for Watch<S> {
    type Response = Bytes;
    type ResponseStream = Updates<S::Watch>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Self::ResponseStream>, Status>> + Send>>;

    fn call(&mut self, request: Request<WatchStockRequest>) -> Self::Future {
        let Inventory { store, fault } = self.0.clone();
        Box::pin(async move {
            let heartbeat = heartbeat(request.metadata(), fault)?;
            let WatchStockRequest { category, threshold } = request.into_inner();
            let updates = store.watch(Filter { category, threshold }).await;
            let updates = updates.map_err(|error| error::status(&error, fault))?;
            Ok(Response::new(Updates {
                updates,
                heartbeat,
                fault,
            }))
        })
    }
}

/// The messages of one watch: updates, and heartbeats where they were asked for.
pub struct Updates<W> {
    updates: W,
    heartbeat: Option<Interval>,
    fault: Active,
}

impl<W: Stream<Item = Result<Arc<Update>, InventoryError>> + Unpin> Stream for Updates<W> {
    type Item = Result<Bytes, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Poll::Ready(next) = this.updates.poll_next_unpin(context) {
            let fault = this.fault;
            return Poll::Ready(next.map(|update| match update {
                Ok(update) => Ok(update.protobuf(|update| encoded(update, fault))),
                Err(error) => Err(error::status(&error, fault)),
            }));
        }
        match &mut this.heartbeat {
            Some(pace) => {
                ready!(pace.poll_tick(context));
                let beat = StockUpdate {
                    reason: HEARTBEAT_REASON.to_owned(),
                    timestamp: to_text(now()),
                    ..StockUpdate::default()
                };
                Poll::Ready(Some(Ok(beat.encode_to_vec().into())))
            }
            None => Poll::Pending,
        }
    }
}

/// The shortest pace of heartbeats; below it they would be load.
const FASTEST_HEARTBEAT: Duration = Duration::from_millis(100);

/// The pace of the heartbeats that the metadata asks for: digits and `ms`, `s`, `m` or `h`.
fn heartbeat(metadata: &MetadataMap, fault: Active) -> Result<Option<Interval>, Status> {
    let Some(value) = metadata.get(HEARTBEAT_KEY) else {
        return Ok(None);
    };
    let pace = value
        .to_str()
        .ok()
        .and_then(duration)
        .filter(|pace| *pace >= FASTEST_HEARTBEAT);
    let start = pace.and_then(|pace| Some((Instant::now().checked_add(pace)?, pace)));
    let Some((start, pace)) = start else {
        let problem = "must be a duration of at least 100ms, such as 60s (units: ms, s, m, h)";
        return Err(error::bad_metadata(HEARTBEAT_KEY, problem, fault));
    };
    let mut interval = tokio::time::interval_at(start, pace);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(Some(interval))
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit())?;
    let (amount, unit) = text.split_at(unit);
    let amount: u64 = amount.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(amount.checked_mul(millis)?))
}

fn encoded(update: &Update, fault: Active) -> Bytes {
    let mut message = StockUpdate {
        product_id: update.product.card.id.clone(),
        product_name: update.product.card.name.clone(),
        old_quantity: update.old_quantity,
        new_quantity: update.product.stock,
        reason: update.reason.clone(),
        timestamp: to_text(update.at),
    };
    if fault.any() {
        fault::wire::update(fault, update, &mut message);
    }
    message.encode_to_vec().into()
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
fn to_text(at: Timestamp) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A count as the contract can express it.
fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// Reads requests and writes messages that are encoded already.
#[derive(Clone, Copy, Debug, Default)]
pub struct WatchCodec;

/// Copies encoded messages into frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct EncodedMessage;

/// A watch is mostly idle, and there are many: tonic's default of 8 KiB for each would be 80 MB for 10,000.
const WATCH_BUFFERS: (usize, usize) = (512, 32 * 1024);

impl Codec for WatchCodec {
    type Encode = Bytes;
    type Decode = WatchStockRequest;
    type Encoder = EncodedMessage;
    type Decoder = ProstDecoder<WatchStockRequest>;

    fn encoder(&mut self) -> EncodedMessage {
        EncodedMessage
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

impl Encoder for EncodedMessage {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, frame: &mut EncodeBuf<'_>) -> Result<(), Status> {
        frame.reserve(message.len());
        frame.put(message);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(WATCH_BUFFERS.0, WATCH_BUFFERS.1)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn metadata(pace: &'static str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert(HEARTBEAT_KEY, pace.parse().unwrap());
        metadata
    }

    #[tokio::test(start_paused = true)]
    async fn heartbeats_keep_their_pace_from_the_first_on() {
        let heartbeat = heartbeat(&metadata("60s"), Active::default()).unwrap();
        let silent = stream::pending::<Result<Arc<Update>, InventoryError>>();
        let mut updates = Updates {
            updates: silent,
            heartbeat,
            fault: Active::default(),
        };
        let start = Instant::now();
        for minute in 1..=3 {
            let beat = StockUpdate::decode(updates.next().await.unwrap().unwrap()).unwrap();
            assert_eq!((beat.product_id.as_str(), beat.reason.as_str()), ("", HEARTBEAT_REASON));
            assert_eq!(start.elapsed().as_secs(), minute * 60);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_do_not_ask_get_no_heartbeat() {
        let heartbeat = heartbeat(&MetadataMap::new(), Active::default()).unwrap();
        let silent = stream::pending::<Result<Arc<Update>, InventoryError>>();
        let mut updates = Updates {
            updates: silent,
            heartbeat,
            fault: Active::default(),
        };
        let day = Duration::from_secs(24 * 3600);
        assert!(tokio::time::timeout(day, updates.next()).await.is_err());
    }

    #[test]
    fn durations_have_a_whole_amount_and_a_unit() {
        for (text, millis) in [("100ms", 100), ("60s", 60_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "60",
            "s",
            "-1s",
            "1.5s",
            "60 s",
            "60S",
            "99999999999999999999s",
            "9999999999999999999h",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_are_rfc_3339_in_utc_with_microseconds() {
        let text = to_text(Timestamp::UNIX_EPOCH);
        assert_eq!(text, "1970-01-01T00:00:00.000000Z");
    }
}
