//! The change feed: subscribe, filter, and the rule for readers that fall behind.
//!
//! An update is built once and shared by all its watchers. Watchers are kept by category: a change costs nothing to those
//! of other categories. Each has a bounded queue; who lets it fill up is taken off the feed, reads what is left of the
//! queue and then the reason. Nothing here waits, so that a change can be announced under the lock of its store.

use crate::inventory::{InventoryError, Product, Timestamp};
use bytes::Bytes;
use futures_util::Stream;
use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::sync::mpsc;

/// An accepted change of stock.
#[derive(Clone, Debug)]
pub struct Update {
    /// The product with its new stock.
    pub product: Product,
    /// The stock before.
    pub old_quantity: i32,
    /// As the caller gave it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Its protobuf form; made for the first watcher that needs it, the same bytes for all.
    protobuf: OnceLock<Bytes>,
}

impl Update {
    /// The change of a product that had another stock.
    pub fn new(product: Product, old_quantity: i32, reason: String) -> Update {
        let at = product.updated_at;
        Update {
            product,
            old_quantity,
            reason,
            at,
            protobuf: OnceLock::new(),
        }
    }

    /// The protobuf form, made by `encode` when this is the first time.
    pub fn protobuf(&self, encode: impl FnOnce(&Update) -> Bytes) -> Bytes {
        self.protobuf.get_or_init(|| encode(self)).clone()
    }
}

/// Which changes a watch wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Exact match; empty means all.
    pub category: String,
    /// Above 0: only new quantities below it.
    pub threshold: i32,
}

/// Who watches.
#[derive(Debug)]
pub struct Feed {
    watchers: Mutex<Watchers>,
    buffer: usize,
}

#[derive(Debug, Default)]
struct Watchers {
    /// Of the next watcher.
    next: u64,
    /// Those without a category.
    everything: Vec<Watcher>,
    /// In the order of their numbers, as above; no entry is empty.
    by_category: HashMap<String, Vec<Watcher>>,
    closed: bool,
}

#[derive(Debug)]
struct Watcher {
    number: u64,
    threshold: i32,
    queue: mpsc::Sender<Arc<Update>>,
    end: Arc<OnceLock<InventoryError>>,
}

impl Feed {
    /// A feed whose watches each buffer this many updates, one at least.
    pub fn new(buffer: usize) -> Feed {
        Feed {
            watchers: Mutex::default(),
            buffer: buffer.max(1),
        }
    }

    /// Subscribes: what is published from now on arrives.
    pub fn subscribe(self: &Arc<Self>, filter: Filter) -> Result<Subscription, InventoryError> {
        let (queue, updates) = mpsc::channel(self.buffer);
        let end = Arc::new(OnceLock::new());
        let mut watchers = self.lock();
        if watchers.closed {
            return Err(InventoryError::ShuttingDown);
        }
        let number = watchers.next;
        watchers.next += 1;
        let watcher = Watcher {
            number,
            threshold: filter.threshold,
            queue,
            end: end.clone(),
        };
        if filter.category.is_empty() {
            watchers.everything.push(watcher);
        } else {
            watchers
                .by_category
                .entry(filter.category.clone())
                .or_default()
                .push(watcher);
        }
        Ok(Subscription {
            feed: self.clone(),
            number,
            category: filter.category,
            updates,
            end,
        })
    }

    /// Announces that the stock of a product was `old` and now is what the product says.
    pub fn publish(&self, product: &Product, old: i32, reason: String) {
        let mut watchers = self.lock();
        let Watchers {
            everything,
            by_category,
            ..
        } = &mut *watchers;
        let concerned = by_category.get_mut(&product.card.category);
        if everything.is_empty() && concerned.is_none() {
            return;
        }
        let update = Arc::new(Update::new(product.clone(), old, reason));
        everything.retain(|watcher| watcher.offer(&update, self.buffer));
        if let Some(concerned) = concerned {
            concerned.retain(|watcher| watcher.offer(&update, self.buffer));
            if concerned.is_empty() {
                by_category.remove(&product.card.category);
            }
        }
    }

    /// Ends every watch and refuses new ones.
    pub fn close(&self) {
        let mut watchers = self.lock();
        watchers.closed = true;
        let Watchers {
            everything,
            by_category,
            ..
        } = &mut *watchers;
        for watcher in everything
            .drain(..)
            .chain(by_category.drain().flat_map(|(_, watchers)| watchers))
        {
            let _ = watcher.end.set(InventoryError::ShuttingDown);
        }
    }

    fn leave(&self, category: &str, number: u64) {
        let mut watchers = self.lock();
        if category.is_empty() {
            remove(&mut watchers.everything, number);
        } else if let Some(list) = watchers.by_category.get_mut(category) {
            remove(list, number);
            if list.is_empty() {
                watchers.by_category.remove(category);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watchers> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(list: &mut Vec<Watcher>, number: u64) {
    if let Ok(index) = list.binary_search_by_key(&number, |watcher| watcher.number) {
        list.remove(index);
    }
}

impl Watcher {
    /// Gives the update to this watcher if it wants it; whether the watcher stays on the feed.
    fn offer(&self, update: &Arc<Update>, buffer: usize) -> bool {
        if self.threshold > 0 && update.product.stock >= self.threshold {
            return true;
        }
        match self.queue.try_send(update.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                let _ = self.end.set(InventoryError::TooSlow { buffer });
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        }
    }
}

/// A watch: the updates, then why it ended. Dropping it leaves the feed.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    number: u64,
    category: String,
    updates: mpsc::Receiver<Arc<Update>>,
    /// Set before the sender goes; taken when told.
    end: Arc<OnceLock<InventoryError>>,
}

impl Stream for Subscription {
    type Item = Result<Arc<Update>, InventoryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(update) = ready!(self.updates.poll_recv(context)) {
            return Poll::Ready(Some(Ok(update)));
        }
        let told = std::mem::take(&mut self.end);
        Poll::Ready(told.get().cloned().map(Err))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.leave(&self.category, self.number);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::inventory::{Card, now};
    use futures_util::{FutureExt, StreamExt};

    fn product(category: &str, stock: i32) -> Product {
        let card = Card {
            id: "p".into(),
            name: "n".into(),
            sku: "s".into(),
            category: category.into(),
            price: 1.0,
            description: String::new(),
            created_at: now(),
        };
        Product {
            updated_at: card.created_at,
            card: Arc::new(card),
            stock,
        }
    }

    fn filter(category: &str, threshold: i32) -> Filter {
        Filter {
            category: category.into(),
            threshold,
        }
    }

    /// The new quantities that wait in a subscription.
    fn waiting(subscription: &mut Subscription) -> Vec<i32> {
        std::iter::from_fn(|| subscription.next().now_or_never().flatten())
            .map(|update| update.unwrap().product.stock)
            .collect()
    }

    #[test]
    fn a_watch_gets_what_matches_from_the_subscription_on() {
        let feed = Arc::new(Feed::new(8));
        feed.publish(&product("a", 1), 0, String::new());
        let mut all = feed.subscribe(filter("", 0)).unwrap();
        let mut one = feed.subscribe(filter("a", 0)).unwrap();
        let mut low = feed.subscribe(filter("a", 5)).unwrap();
        for (category, stock) in [("a", 4), ("a", 5), ("ab", 3), ("A", 2), ("", 1)] {
            feed.publish(&product(category, stock), 9, String::new());
        }
        assert_eq!(waiting(&mut all), [4, 5, 3, 2, 1]);
        assert_eq!(waiting(&mut one), [4, 5]);
        assert_eq!(waiting(&mut low), [4]);
    }

    #[test]
    fn an_update_is_encoded_once_for_all() {
        let feed = Arc::new(Feed::new(8));
        let mut watches: Vec<Subscription> = ["", "a", "a"]
            .iter()
            .map(|category| feed.subscribe(filter(category, 0)).unwrap())
            .collect();
        feed.publish(&product("a", 1), 0, String::new());
        let mut times = 0;
        let forms: Vec<Bytes> = watches
            .iter_mut()
            .map(|watch| {
                let update = watch.next().now_or_never().flatten().unwrap().unwrap();
                update.protobuf(|_| {
                    times += 1;
                    Bytes::from_static(b"form")
                })
            })
            .collect();
        assert_eq!(times, 1);
        assert!(forms.iter().all(|form| form.as_ptr() == forms[0].as_ptr()));
    }

    #[test]
    fn a_reader_that_falls_behind_gets_its_queue_and_then_the_reason() {
        let feed = Arc::new(Feed::new(2));
        let mut slow = feed.subscribe(filter("a", 0)).unwrap();
        let mut quick = feed.subscribe(filter("a", 0)).unwrap();
        for stock in 1..=4 {
            feed.publish(&product("a", stock), 0, String::new());
            assert_eq!(waiting(&mut quick), [stock]);
        }
        let mut next = || slow.next().now_or_never().unwrap();
        assert_eq!(next().unwrap().unwrap().product.stock, 1);
        assert_eq!(next().unwrap().unwrap().product.stock, 2);
        assert_eq!(next().unwrap().unwrap_err(), InventoryError::TooSlow { buffer: 2 });
        assert!(next().is_none());
    }

    #[test]
    fn leaving_one_watch_leaves_the_others_and_empties_the_index() {
        let feed = Arc::new(Feed::new(8));
        let first = feed.subscribe(filter("a", 0)).unwrap();
        let mut second = feed.subscribe(filter("a", 0)).unwrap();
        drop(first);
        feed.publish(&product("a", 7), 0, String::new());
        assert_eq!(waiting(&mut second), [7]);
        drop(second);
        assert!(feed.lock().by_category.is_empty());
    }

    #[test]
    fn closing_ends_every_watch_and_refuses_new_ones() {
        let feed = Arc::new(Feed::new(8));
        let mut watch = feed.subscribe(filter("a", 0)).unwrap();
        feed.publish(&product("a", 7), 0, String::new());
        feed.close();
        assert!(watch.next().now_or_never().unwrap().unwrap().is_ok());
        assert_eq!(
            watch.next().now_or_never().unwrap().unwrap().unwrap_err(),
            InventoryError::ShuttingDown
        );
        assert!(feed.subscribe(filter("", 0)).is_err());
    }
}
