//! Where products are kept: one trait, and the memory store.

mod memory;
mod select;
mod shelf;

pub use memory::{Memory, new_id};
pub use shelf::Shelf;

use crate::{
    inventory::{Draft, Imported, InventoryError, Page, Product, Query, Rejected, StockChange},
    watch::{Filter, Update},
};
use futures_util::{Stream, StreamExt};
use std::{pin::pin, sync::Arc};

/// What the protocols ask of a store. Each method is one atomic step; the change feed is part of the store, since only
/// the store knows the order of changes.
pub trait Store: Send + Sync + 'static {
    /// Updates from the subscription on, then why it ended.
    type Watch: Stream<Item = Result<Arc<Update>, InventoryError>> + Send + Unpin + 'static;

    /// The product of this id.
    fn get(&self, id: &str) -> impl Future<Output = Result<Product, InventoryError>> + Send;

    /// One page of the products that match.
    fn list(&self, query: &Query) -> impl Future<Output = Result<Page, InventoryError>> + Send;

    /// Makes a product of a draft that nobody checked yet.
    fn create(&self, draft: Draft) -> impl Future<Output = Result<Product, InventoryError>> + Send;

    /// Moves stock and announces it; the new product.
    fn change(&self, change: StockChange) -> impl Future<Output = Result<Product, InventoryError>> + Send;

    /// Subscribes to changes.
    fn watch(&self, filter: Filter) -> impl Future<Output = Result<Self::Watch, InventoryError>> + Send;

    /// Creates a product of each row as it comes.
    fn import(
        &self,
        rows: impl Stream<Item = Draft> + Send,
    ) -> impl Future<Output = Result<Imported, InventoryError>> + Send {
        async move {
            let mut rows = pin!(rows);
            let mut imported = Imported::default();
            while let Some(draft) = rows.next().await {
                let sku = draft.sku.clone();
                match self.create(draft).await {
                    Ok(_) => imported.imported += 1,
                    Err(error) => imported.rejected.push(Rejected { sku, error }),
                }
            }
            Ok(imported)
        }
    }

    /// Ends every watch and refuses new ones, for the service is shutting down.
    fn close(&self);
}
