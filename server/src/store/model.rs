//! What both stores share: the shelf behind its lock, the change feed, and the judging and doing of writes.
//!
//! A write is judged first, without changing anything, and done second. The memory store does both under one lock; the
//! file store has the disk between them, and judges a write as if those that are on their way to the disk were done
//! ([`Ahead`]).

use super::{Shelf, new_id};
use crate::{
    inventory::{Draft, InventoryError, Page, Product, Query, StockChange, moved, now},
    watch::{Bounds, Feed},
};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// All products, and who wants to know of their changes.
#[derive(Debug)]
pub struct Model {
    shelf: RwLock<Shelf>,
    feed: Arc<Feed>,
}

/// A write that was judged and holds.
#[derive(Clone, Debug)]
pub enum Accepted {
    /// A new product, for the end of the shelf.
    Created(Product),
    /// Another stock.
    Changed {
        /// Of the product.
        row: usize,
        /// As it is after the change.
        product: Product,
        /// The stock before.
        old: i32,
        /// As the caller gave it.
        reason: String,
    },
}

/// Writes that are accepted and not done yet.
#[derive(Debug, Default)]
pub struct Ahead {
    skus: HashSet<String>,
    /// By row.
    changed: HashMap<usize, Product>,
}

impl Model {
    /// These products, and watches that each buffer so many updates.
    pub fn new(shelf: Shelf, watches: Bounds) -> Model {
        Model {
            shelf: RwLock::new(shelf),
            feed: Arc::new(Feed::new(watches)),
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

    /// The product of this id.
    pub fn get(&self, id: &str) -> Result<Product, InventoryError> {
        let product = self.read().by_id(id).cloned();
        product.ok_or_else(|| InventoryError::UnknownProduct { id: id.to_owned() })
    }

    /// One page of the products that match.
    pub fn list(&self, query: &Query) -> Page {
        self.read().list(query)
    }

    /// Does a write and announces it. Nothing else may have been written since it was judged, but for what was ahead of
    /// it.
    pub fn apply(&self, shelf: &mut Shelf, accepted: Accepted) {
        match accepted {
            Accepted::Created(product) => shelf.push(product),
            Accepted::Changed {
                row,
                product,
                old,
                reason,
            } => {
                self.feed.publish(&product, old, reason);
                shelf.replace(row, product);
            }
        }
    }
}

impl Accepted {
    /// The product as it is then.
    pub fn product(&self) -> &Product {
        match self {
            Accepted::Created(product) | Accepted::Changed { product, .. } => product,
        }
    }
}

impl Ahead {
    /// From now on writes are judged as if this one were done.
    pub fn note(&mut self, accepted: &Accepted) {
        match accepted {
            Accepted::Created(product) => {
                self.skus.insert(product.card.sku.clone());
            }
            Accepted::Changed { row, product, .. } => {
                self.changed.insert(*row, product.clone());
            }
        }
    }

    /// Judges the creation of a product of a draft that breaks no rule by itself (rule create.sku-unique).
    pub fn judge_create(&self, shelf: &Shelf, draft: Draft) -> Result<Accepted, InventoryError> {
        if shelf.row_of_sku(&draft.sku).is_some() || self.skus.contains(&draft.sku) {
            return Err(InventoryError::DuplicateSku { sku: draft.sku });
        }
        Ok(Accepted::Created(Product::new(new_id(), draft, now())))
    }

    /// Judges a change of stock. A product that is ahead has an id that nobody was told yet: it is unknown.
    pub fn judge_change(&self, shelf: &Shelf, change: StockChange) -> Result<Accepted, InventoryError> {
        let StockChange { id, change, reason } = change;
        let row = shelf.row_of_id(&id);
        let found = row.and_then(|row| Some((row, self.changed.get(&row).or_else(|| shelf.product(row))?)));
        let Some((row, product)) = found else {
            return Err(InventoryError::UnknownProduct { id });
        };
        Ok(Accepted::Changed {
            row,
            product: product.restocked(moved(product, change)?, now()),
            old: product.stock,
            reason,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn draft(sku: &str, stock: i32) -> Draft {
        Draft {
            name: "n".into(),
            sku: sku.into(),
            stock,
            ..Draft::default()
        }
    }

    fn change(id: &str, change: i32) -> StockChange {
        StockChange {
            id: id.into(),
            change,
            reason: String::new(),
        }
    }

    #[test]
    fn a_write_is_judged_as_if_those_ahead_were_done_and_changes_nothing() {
        let mut shelf = Shelf::default();
        let id = shelf.append("p".into(), draft("s", 5), now()).card.id.clone();
        let mut ahead = Ahead::default();

        let created = ahead.judge_create(&shelf, draft("t", 1)).unwrap();
        ahead.note(&created);
        for sku in ["s", "t"] {
            let again = ahead.judge_create(&shelf, draft(sku, 1)).unwrap_err();
            assert!(matches!(again, InventoryError::DuplicateSku { .. }), "{sku}: {again}");
        }
        let unseen = ahead.judge_change(&shelf, change(&created.product().card.id, 1));
        assert!(matches!(unseen.unwrap_err(), InventoryError::UnknownProduct { .. }));

        let mut last = shelf.by_id(&id).unwrap().clone();
        for left in [2, 0] {
            let Accepted::Changed { product, old, .. } =
                ahead.judge_change(&shelf, change(&id, left - last.stock)).unwrap()
            else {
                panic!("no change");
            };
            assert_eq!((product.stock, old), (left, last.stock));
            assert!(product.updated_at > last.updated_at);
            let accepted = Accepted::Changed {
                row: 0,
                product: product.clone(),
                old,
                reason: String::new(),
            };
            ahead.note(&accepted);
            last = product;
        }
        let oversold = ahead.judge_change(&shelf, change(&id, -1)).unwrap_err();
        assert!(
            matches!(oversold, InventoryError::Insufficient { stock: 0, .. }),
            "{oversold}"
        );
        assert_eq!((shelf.len(), shelf.by_id(&id).unwrap().stock), (1, 5));
    }
}
