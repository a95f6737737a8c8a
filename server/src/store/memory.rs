//! The memory store: a shelf behind one lock, never held over an `.await`, and the change feed.

use super::{Shelf, Store};
use crate::{
    inventory::{Draft, InventoryError, Page, Product, Query, StockChange, moved, now},
    watch::{Feed, Filter, Subscription},
};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

/// Products that last as long as the process.
#[derive(Debug)]
pub struct Memory {
    shelf: RwLock<Shelf>,
    feed: Arc<Feed>,
}

impl Memory {
    /// An empty store whose watches each buffer this many updates.
    pub fn new(watch_buffer: usize) -> Memory {
        Memory {
            shelf: RwLock::default(),
            feed: Arc::new(Feed::new(watch_buffer)),
        }
    }

    /// Puts the four products of the published service on the shelf.
    pub fn add_samples(&self) {
        let samples = [
            ("Widget A", "WDG-001", "Widgets", 9.99, 100, "Standard widget"),
            ("Widget B", "WDG-002", "Widgets", 14.99, 50, "Premium widget"),
            ("Gadget X", "GDG-001", "Gadgets", 29.99, 75, "Multi-purpose gadget"),
            ("Tool Y", "TL-001", "Tools", 49.99, 30, "Professional grade tool"),
        ];
        let mut shelf = self.write();
        for (name, sku, category, price, stock, description) in samples {
            let draft = Draft {
                name: name.into(),
                sku: sku.into(),
                category: category.into(),
                price,
                stock,
                description: description.into(),
            };
            shelf.append(new_id(), draft, now());
        }
    }

    /// The shelf, to read. A panic while it was locked cannot leave it half changed: nothing in it panics.
    pub fn read(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shelf, to write; changes are announced before it is let go, so that they arrive in their order.
    pub fn write(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where changes are announced.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }
}

/// A new id: random, so that replicas need not ask each other.
pub fn new_id() -> String {
    Uuid::new_v4().to_string()
}

impl Store for Memory {
    type Watch = Subscription;

    async fn get(&self, id: &str) -> Result<Product, InventoryError> {
        self.read()
            .by_id(id)
            .cloned()
            .ok_or_else(|| InventoryError::UnknownProduct { id: id.to_owned() })
    }

    async fn list(&self, query: &Query) -> Result<Page, InventoryError> {
        Ok(self.read().list(query))
    }

    async fn create(&self, draft: Draft) -> Result<Product, InventoryError> {
        let draft = draft.checked()?;
        let id = new_id();
        let mut shelf = self.write();
        if shelf.row_of_sku(&draft.sku).is_some() {
            return Err(InventoryError::DuplicateSku { sku: draft.sku });
        }
        Ok(shelf.append(id, draft, now()))
    }

    async fn change(&self, change: StockChange) -> Result<Product, InventoryError> {
        let mut shelf = self.write();
        let Some(row) = shelf.row_of_id(&change.id) else {
            return Err(InventoryError::UnknownProduct { id: change.id });
        };
        let (old, stock) = match shelf.product(row) {
            Some(product) => (product.stock, moved(product, change.change)?),
            None => return Err(InventoryError::Store),
        };
        let product = shelf.restock(row, stock, now()).ok_or(InventoryError::Store)?;
        self.feed.publish(&product, old, change.reason);
        Ok(product)
    }

    async fn watch(&self, filter: Filter) -> Result<Subscription, InventoryError> {
        self.feed.subscribe(filter)
    }

    fn close(&self) {
        self.feed.close();
    }
}
