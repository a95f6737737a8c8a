//! Where products are kept: one trait, and two stores over one model, in memory and with a file behind it.

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod brittle;
mod disk;
mod file;
mod memory;
mod model;
mod select;
mod shelf;

pub use file::FileStore;
pub use memory::Memory;
pub use shelf::Shelf;

use crate::{
    inventory::{Draft, Imported, InventoryError, Page, Product, Query, Rejected, StockChange, now},
    watch::{Filter, Update},
};
use futures_util::{Stream, StreamExt};
use std::{io, path::PathBuf, pin::pin, sync::Arc};
use uuid::Uuid;

/// Why a store file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process, or this one, has it open.
    #[error("the store {} is in use: stop the server that has it open, or name another file", path.display())]
    Locked {
        /// As named.
        path: PathBuf,
    },
    /// It holds something else.
    #[error("{} is no stocktake store: name another file", path.display())]
    Foreign {
        /// As named.
        path: PathBuf,
    },
    /// What it holds is not what was written.
    #[error("the store {} is damaged ({what}): put a copy of it back, or move it away to start anew", path.display())]
    Damaged {
        /// As named.
        path: PathBuf,
        /// The first thing that is wrong.
        what: String,
    },
    /// Another version of this program wrote it.
    #[error("the store {} has format {format}, this program reads {reads}: use the version that wrote it", path.display())]
    Format {
        /// As named.
        path: PathBuf,
        /// That it has.
        format: u64,
        /// That is understood.
        reads: u64,
    },
    /// The system does not give access to it.
    #[error("cannot use the store {}: name a file in a folder that this process may write to", path.display())]
    Io {
        /// As named.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The system gives no thread to write with.
    #[error("the store cannot start its writer")]
    Thread(#[source] io::Error),
}

/// A new id: random, so that replicas need not ask each other.
pub fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// The four products of the published service.
pub fn samples() -> Vec<Product> {
    let samples = [
        ("Widget A", "WDG-001", "Widgets", 9.99, 100, "Standard widget"),
        ("Widget B", "WDG-002", "Widgets", 14.99, 50, "Premium widget"),
        ("Gadget X", "GDG-001", "Gadgets", 29.99, 75, "Multi-purpose gadget"),
        ("Tool Y", "TL-001", "Tools", 49.99, 30, "Professional grade tool"),
    ];
    let product = |(name, sku, category, price, stock, description): (&str, &str, &str, f64, i32, &str)| {
        let draft = Draft {
            name: name.into(),
            sku: sku.into(),
            category: category.into(),
            price,
            stock,
            description: description.into(),
        };
        Product::new(new_id(), draft, now())
    };
    samples.into_iter().map(product).collect()
}

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

    /// Whether it can do what it is there for.
    fn check(&self) -> impl Future<Output = Result<(), InventoryError>> + Send {
        async { Ok(()) }
    }

    /// Ends every watch and refuses new ones, for the service is shutting down.
    fn close(&self);

    /// Does what it was asked for so far and lets go of what it holds; writes that come after are refused.
    fn finish(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}
