//! The memory store with a fault in it.

use super::{Connection, Fault, bulk, create::Pending, list, update::Race, watch::FaultyWatch, watch::Member};
use crate::{
    inventory::{Card, Draft, Imported, InventoryError, Page, Product, Query, StockChange, Timestamp},
    store::{Memory, Store},
    watch::{Filter, Update},
};
use futures_util::{Stream, StreamExt};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The memory store, breaking one rule.
#[derive(Debug)]
pub struct Faulty {
    pub(super) memory: Arc<Memory>,
    pub(super) fault: Fault,
    pub(super) state: Arc<Mutex<State>>,
    /// How many watches are open.
    pub(super) open: Arc<watch::Sender<usize>>,
}

/// What faults remember.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By id: what a product was before its last update.
    before: HashMap<String, Before>,
    /// By id: the newest connection when the product was created.
    created: HashMap<String, u64>,
    /// By id: whether a product had stock when it was created.
    stocked: HashMap<String, bool>,
    /// By id: how many updates were accepted.
    pub accepted: HashMap<String, u32>,
    /// By id: the connection of the last update.
    pub writers: HashMap<String, u64>,
    /// By id: the updates under way.
    pub races: HashMap<String, Race>,
    /// By SKU: the creates under way.
    pub pending: HashMap<String, Pending>,
    /// By category: how many watches were closed.
    pub closed: HashMap<String, usize>,
    /// By category: the last update; under the empty category the last of all.
    pub last: HashMap<String, Arc<Update>>,
    /// The open watches, oldest first.
    pub watches: Vec<Arc<Member>>,
    /// Of the next watch.
    pub next_watch: u64,
    /// How many lists were asked for.
    lists: usize,
}

#[derive(Debug)]
struct Before {
    product: Product,
    /// How often it was shown.
    reads: u32,
    /// The newest connection at the update.
    newest: u64,
}

impl Faulty {
    /// This store with this fault.
    pub fn new(memory: Arc<Memory>, fault: Fault) -> Faulty {
        let (open, _) = watch::channel(0);
        Faulty {
            memory,
            fault,
            state: Arc::default(),
            open: Arc::new(open),
        }
    }

    pub(super) fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Where calls wait while watches starve them.
    async fn turn(&self) {
        let most = match self.fault {
            Fault::WatchEightStarve => 8,
            Fault::WatchThirtyTwoStarve => 31,
            _ => return,
        };
        // The sender lives as long as the store.
        let _ = self.open.subscribe().wait_for(|open| *open <= most).await;
    }

    /// Remembers a product that was created over the connection of this call.
    pub(super) fn remember_created(&self, product: &Product) {
        let id = product.card.id.clone();
        let mut state = self.state();
        state.stocked.insert(id.clone(), product.stock > 0);
        state.created.insert(id, Connection::current().newest);
    }

    /// Remembers what a product was before an update and who made it.
    pub(super) fn remember_updated(&self, old: &Product, update: Arc<Update>) {
        let connection = Connection::current();
        let mut state = self.state();
        state.writers.insert(old.card.id.clone(), connection.number);
        state.last.insert(old.card.category.clone(), update.clone());
        state.last.insert(String::new(), update);
        let before = state.before.entry(old.card.id.clone());
        let before = before.or_insert_with(|| Before {
            product: old.clone(),
            reads: 0,
            newest: 0,
        });
        before.newest = connection.newest;
        if self.fault == Fault::FreshConnectionStale {
            before.product = old.clone();
        }
    }

    /// Whether the connection of this call is newer than the product.
    fn is_news(&self, id: &str) -> bool {
        let newest = self.state().created.get(id).copied();
        newest.is_some_and(|newest| Connection::current().number > newest)
    }

    fn read(&self, id: &str) -> Result<Product, InventoryError> {
        let shelf = self.memory.read();
        let unknown = || InventoryError::UnknownProduct { id: id.to_owned() };
        let mut product = match shelf.by_id(id).cloned() {
            // An id may be empty by a fault; the rule on empty ids holds all the same.
            Some(product) if !id.is_empty() => product,
            _ => {
                return match self.fault {
                    Fault::GetUnknownOk if !id.is_empty() => Ok(nothing()),
                    Fault::GetUnknownInvalid => Err(InventoryError::Invalid(Vec::new())),
                    Fault::GetEmptyIdFirst if id.is_empty() => shelf.products().next().cloned().ok_or_else(unknown),
                    Fault::GetEmptyIdInternal if id.is_empty() => Err(InventoryError::Store),
                    _ => Err(unknown()),
                };
            }
        };
        match self.fault {
            Fault::GetNoDescription => alter(&mut product, |card| card.description.clear()),
            Fault::GetPriceCents => alter(&mut product, |card| card.price = (card.price * 100.0).round() / 100.0),
            Fault::GetStale => {
                let mut state = self.state();
                if let Some(before) = state.before.get_mut(id) {
                    before.reads += 1;
                    if before.reads < 3 {
                        return Ok(before.product.clone());
                    }
                    state.before.remove(id);
                }
            }
            Fault::FreshConnectionStale => {
                if let Some(before) = self.state().before.get(id)
                    && Connection::current().number > before.newest
                {
                    return Ok(before.product.clone());
                }
            }
            Fault::FreshConnectionUnknown if self.is_news(id) => return Err(unknown()),
            _ => {}
        }
        Ok(product)
    }
}

impl Store for Faulty {
    type Watch = FaultyWatch;

    async fn get(&self, id: &str) -> Result<Product, InventoryError> {
        self.turn().await;
        self.read(id)
    }

    async fn list(&self, query: &Query) -> Result<Page, InventoryError> {
        self.turn().await;
        // In the order in which updates take them.
        let shelf = self.memory.read();
        let mut state = self.state();
        state.lists += 1;
        let stocked = |product: &Product| state.stocked.get(&product.card.id).copied().unwrap_or(true);
        list::list(self.fault, &shelf, query, stocked, state.lists)
    }

    async fn create(&self, draft: Draft) -> Result<Product, InventoryError> {
        self.turn().await;
        let product = self.add(draft).await?;
        self.remember_created(&product);
        Ok(product)
    }

    async fn change(&self, change: StockChange) -> Result<Product, InventoryError> {
        self.turn().await;
        self.update(change).await
    }

    async fn watch(&self, filter: Filter) -> Result<FaultyWatch, InventoryError> {
        self.subscribe(filter).await
    }

    async fn import(&self, rows: impl Stream<Item = Draft> + Send) -> Result<Imported, InventoryError> {
        self.turn().await;
        let rows: Vec<Draft> = rows.collect().await;
        bulk::import(self, rows).await
    }

    fn close(&self) {
        self.memory.close();
    }
}

pub(super) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changes what is on the card of a product.
pub(super) fn alter(product: &mut Product, change: impl FnOnce(&mut Card)) {
    let mut card = Card::clone(&product.card);
    change(&mut card);
    product.card = Arc::new(card);
}

/// What an answer without a product is taken from.
pub(super) fn nothing() -> Product {
    let card = Card {
        id: String::new(),
        name: String::new(),
        sku: String::new(),
        category: String::new(),
        price: 0.0,
        description: String::new(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    Product {
        card: Arc::new(card),
        stock: 0,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}
