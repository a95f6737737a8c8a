//! The memory store: judges and writes under one lock, never held over an `.await`.

use super::{
    Shelf, Store,
    model::{Accepted, Ahead, Model},
};
use crate::{
    inventory::{Draft, InventoryError, Page, Product, Query, StockChange},
    watch::{Bounds, Feed, Filter, Subscription},
};
use std::sync::{Arc, RwLockReadGuard, RwLockWriteGuard};

/// Products that last as long as the process.
#[derive(Debug)]
pub struct Memory {
    model: Model,
}

impl Memory {
    /// A store of these products whose watches have these bounds.
    pub fn new(products: impl IntoIterator<Item = Product>, watches: Bounds) -> Memory {
        let mut shelf = Shelf::default();
        for product in products {
            shelf.push(product);
        }
        Memory {
            model: Model::new(shelf, watches),
        }
    }

    /// See [`Model::read`].
    pub fn read(&self) -> RwLockReadGuard<'_, Shelf> {
        self.model.read()
    }

    /// See [`Model::write`].
    pub fn write(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.model.write()
    }

    /// See [`Model::feed`].
    pub fn feed(&self) -> &Arc<Feed> {
        self.model.feed()
    }

    fn done(
        &self,
        judge: impl FnOnce(&Ahead, &Shelf) -> Result<Accepted, InventoryError>,
    ) -> Result<Product, InventoryError> {
        let mut shelf = self.write();
        let accepted = judge(&Ahead::default(), &shelf)?;
        let product = accepted.product().clone();
        self.model.apply(&mut shelf, accepted);
        Ok(product)
    }
}

impl Store for Memory {
    type Watch = Subscription;

    async fn get(&self, id: &str) -> Result<Product, InventoryError> {
        self.model.get(id)
    }

    async fn list(&self, query: &Query) -> Result<Page, InventoryError> {
        Ok(self.model.list(query))
    }

    async fn create(&self, draft: Draft) -> Result<Product, InventoryError> {
        let draft = draft.checked()?;
        self.done(|ahead, shelf| ahead.judge_create(shelf, draft))
    }

    async fn change(&self, change: StockChange) -> Result<Product, InventoryError> {
        self.done(|ahead, shelf| ahead.judge_change(shelf, change))
    }

    async fn watch(&self, filter: Filter) -> Result<Subscription, InventoryError> {
        self.feed().subscribe(filter)
    }

    fn close(&self) {
        self.feed().close();
    }
}
