//! `UpdateStock` done wrong.

use super::{
    Fault, Faulty,
    store::{alter, nothing},
};
use crate::{
    inventory::{InventoryError, Product, StockChange, moved, now},
    store::Shelf,
    watch::Update,
};
use chrono::TimeDelta;
use std::{sync::Arc, time::Duration};

/// How long an update dawdles between its look and its write, or between its write and the news of it.
const WINDOW: Duration = Duration::from_millis(10);

/// The updates of one product under way.
#[derive(Debug, Default)]
pub struct Race {
    count: usize,
}

impl Faulty {
    /// Moves stock as this fault does it.
    pub(super) async fn update(&self, change: StockChange) -> Result<Product, InventoryError> {
        match self.fault {
            Fault::UpdateRaceLost | Fault::UpdateRaceOversells => {
                let seen = self.judged(&change)?;
                tokio::time::sleep(WINDOW).await;
                self.write_late(&change, seen)
            }
            Fault::WatchRaceLost | Fault::WatchRaceOrder => self.announce_late(change).await,
            Fault::WatchLeakUpdates if self.leaked(&change.id) => std::future::pending().await,
            _ => self.update_at_once(change),
        }
    }

    /// The product as it is and the stock it would get.
    fn judged(&self, change: &StockChange) -> Result<(Product, i32), InventoryError> {
        let shelf = self.memory.read();
        let product = shelf.by_id(&change.id).cloned();
        let product = product.ok_or_else(|| InventoryError::UnknownProduct { id: change.id.clone() })?;
        let stock = moved(&product, change.change)?;
        Ok((product, stock))
    }

    fn write_late(&self, change: &StockChange, (old, judged): (Product, i32)) -> Result<Product, InventoryError> {
        let mut shelf = self.memory.write();
        let row = shelf.row_of_id(&change.id).ok_or(InventoryError::Store)?;
        let current = shelf.product(row).map_or(old.stock, |product| product.stock);
        let (from, to) = match self.fault {
            Fault::UpdateRaceLost => (old.stock, judged),
            _ => (current, current.saturating_add(change.change)),
        };
        let product = shelf.restock(row, to, now()).ok_or(InventoryError::Store)?;
        self.memory.feed().publish(&product, from, change.reason.clone());
        Ok(product)
    }

    /// Updates of one product that overlap in time: the first of them tells its news last, the others not at all or before.
    async fn announce_late(&self, change: StockChange) -> Result<Product, InventoryError> {
        let company = {
            let mut state = self.state();
            let race = state.races.entry(change.id.clone()).or_default();
            race.count += 1;
            race.count > 1
        };
        let applied = self.apply_silently(&change);
        if !company || applied.is_err() {
            tokio::time::sleep(WINDOW).await;
        }
        if let Ok((old, product)) = &applied
            && !(company && self.is(Fault::WatchRaceLost))
        {
            self.memory.feed().publish(product, old.stock, change.reason);
        }
        let mut state = self.state();
        if let Some(race) = state.races.get_mut(&change.id) {
            race.count -= 1;
            if race.count == 0 {
                state.races.remove(&change.id);
            }
        }
        applied.map(|(_, product)| product)
    }

    fn apply_silently(&self, change: &StockChange) -> Result<(Product, Product), InventoryError> {
        let mut shelf = self.memory.write();
        let unknown = || InventoryError::UnknownProduct { id: change.id.clone() };
        let row = shelf.row_of_id(&change.id).ok_or_else(unknown)?;
        let old = shelf.product(row).cloned().ok_or_else(unknown)?;
        let stock = moved(&old, change.change)?;
        let product = shelf.restock(row, stock, now()).ok_or(InventoryError::Store)?;
        Ok((old, product))
    }

    /// Whether the watches of this product's category were closed too often.
    fn leaked(&self, id: &str) -> bool {
        let shelf = self.memory.read();
        let category = shelf.by_id(id).map(|product| product.card.category.as_str());
        category.is_some_and(|category| self.state().closed.get(category).is_some_and(|closed| *closed >= 64))
    }

    fn update_at_once(&self, change: StockChange) -> Result<Product, InventoryError> {
        let mut shelf = self.memory.write();
        let row = shelf.row_of_id(&change.id);
        let Some((row, old)) = row.and_then(|row| Some((row, shelf.product(row).cloned()?))) else {
            return match self.fault {
                Fault::UpdateUnknownOk => Ok(nothing()),
                Fault::UpdateUnknownPrecondition => Err(InventoryError::Insufficient {
                    id: change.id,
                    stock: 0,
                    change: change.change,
                }),
                _ => Err(InventoryError::UnknownProduct { id: change.id }),
            };
        };
        let stock = match judge(self.fault, &old, change.change) {
            Ok(stock) => stock,
            Err(error) => {
                self.refuse(&mut shelf, row, &old, &change, &error);
                return Err(error);
            }
        };
        if self.is(Fault::UpdateFifthLost) && self.is_fifth(&change.id) {
            return Ok(Product {
                stock,
                updated_at: now(),
                ..old
            });
        }

        shelf.restock(row, stock, now()).ok_or(InventoryError::Store)?;
        let product = shelf.product_mut(row).ok_or(InventoryError::Store)?;
        damage(self.fault, product, &old, &change);
        let product = product.clone();
        self.remember_updated(
            &old,
            Arc::new(Update::new(product.clone(), old.stock, change.reason.clone())),
        );
        if !(self.is(Fault::WatchDrainLost) && stock == 0) {
            self.memory.feed().publish(&product, old.stock, change.reason);
        }
        if self.is(Fault::UpdateDrainAnswersOld) && stock == 0 {
            return Ok(old);
        }
        Ok(product)
    }

    /// What a refused update does all the same.
    fn refuse(&self, shelf: &mut Shelf, row: usize, old: &Product, change: &StockChange, error: &InventoryError) {
        let overflow = matches!(error, InventoryError::Overflow { .. });
        match self.fault {
            Fault::UpdateRefusedApplied if !overflow => {
                shelf.restock(row, 0, now());
            }
            Fault::UpdateOverflowApplied if overflow => {
                shelf.restock(row, i32::MAX, now());
            }
            Fault::UpdateRefusedTouches => {
                shelf.restock(row, old.stock, now());
            }
            Fault::WatchRefusedSent | Fault::WatchOverflowSent if overflow == self.is(Fault::WatchOverflowSent) => {
                let stock = old.stock.saturating_add(change.change);
                let told = Product { stock, ..old.clone() };
                self.memory.feed().publish(&told, old.stock, change.reason.clone());
            }
            _ => {}
        }
    }

    fn is_fifth(&self, id: &str) -> bool {
        let mut state = self.state();
        let accepted = state.accepted.entry(id.to_owned()).or_default();
        *accepted += 1;
        accepted.is_multiple_of(5)
    }
}

/// The new stock, or the refusal, as this fault sees it.
fn judge(fault: Fault, product: &Product, change: i32) -> Result<i32, InventoryError> {
    let (id, stock) = (product.card.id.clone(), product.stock);
    let right = moved(product, change);
    match (fault, &right) {
        (Fault::UpdateDrainRefused, Ok(0)) if change < 0 => Err(InventoryError::Insufficient { id, stock, change }),
        (Fault::UpdateBelowZeroByOne, Err(_)) if stock.saturating_add(change) == -1 => Ok(-1),
        (Fault::UpdateClampsToZero, Err(InventoryError::Insufficient { .. })) => Ok(0),
        (Fault::UpdateIntMinAccepted, Err(_)) if change == i32::MIN => Ok(stock.wrapping_add(change)),
        (Fault::UpdateOverflowWraps, Err(InventoryError::Overflow { .. })) => Ok(stock.wrapping_add(change)),
        (Fault::UpdateOverflowSaturates, Err(InventoryError::Overflow { .. })) => Ok(i32::MAX),
        (Fault::UpdateMaxRefused, Ok(i32::MAX)) if change > 0 => Err(InventoryError::Overflow { id, stock, change }),
        _ => right,
    }
}

/// What an accepted update does to the rest of the product.
fn damage(fault: Fault, product: &mut Product, old: &Product, change: &StockChange) {
    match fault {
        Fault::UpdateCreatedMoves => {
            let moved = product.updated_at;
            alter(product, |card| card.created_at = moved);
        }
        Fault::UpdateUpdatedFrozen => product.updated_at = old.updated_at,
        Fault::UpdateUpdatedBack if change.change < 0 => product.updated_at = old.updated_at - TimeDelta::hours(1),
        #[expect(clippy::cast_possible_truncation, reason = "the loss is the fault")]
        Fault::UpdatePriceF32 => alter(product, |card| card.price = f64::from(card.price as f32)),
        Fault::UpdateDescriptionLost => alter(product, |card| card.description.clear()),
        Fault::UpdateReasonKept => alter(product, |card| card.description.clone_from(&change.reason)),
        _ => {}
    }
}
