//! The change feed: subscribe, filter, and the rule for readers that fall behind.
//!
//! An update is built once and shared by all its watchers. Watchers are kept by category: a change costs nothing to those
//! of other categories. Each has a queue, bounded in updates and in bytes; who lets it fill up is taken off the feed, the
//! queue is thrown away at once, since a reader that reads nothing would keep it, and the watch ends with the reason. So a
//! watch holds nothing while its reader keeps up, and never more than its bounds. Nothing here waits, so that a change can
//! be announced under the lock of its store.

use crate::{
    inventory::{InventoryError, Product, Timestamp},
    limits::{Places, Taken},
};
use bytes::Bytes;
use futures_util::Stream;
use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

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
    /// Its forms, by [`Form`]; each made for the first watcher that needs it, the same bytes for all.
    forms: [OnceLock<Bytes>; 2],
}

/// How the messages of a watch are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A gRPC message, with its prefix.
    Protobuf,
    /// A line of JSON.
    Json,
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
            forms: Default::default(),
        }
    }

    /// One of its forms, made by `encode` when this is the first time.
    pub fn encoded(&self, form: Form, encode: impl FnOnce(&Update) -> Bytes) -> Bytes {
        self.forms[form as usize].get_or_init(|| encode(self)).clone()
    }

    /// The bytes of the texts in it that callers chose.
    fn size(&self) -> usize {
        self.reason.len() + self.product.card.name.len() + self.product.card.id.len()
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

/// How many updates a watch may be behind, and how many watches there may be.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Updates that wait for one reader; 0 counts as 1.
    pub buffer: usize,
    /// A place for each open watch.
    pub open: Arc<Places>,
}

/// How many bytes of texts may wait for one reader beside its newest update; texts are as long as requests may be, so a
/// number of updates alone would be no bound on memory.
const BUFFER_BYTES: usize = 4 << 20;

/// Who watches.
#[derive(Debug)]
pub struct Feed {
    watchers: Mutex<Watchers>,
    bounds: Bounds,
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
    queue: Arc<Queue>,
}

/// How many places a queue keeps while it is empty.
const ROOM: usize = 4;

/// What waits for one reader.
#[derive(Debug, Default)]
struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    updates: VecDeque<Arc<Update>>,
    /// The sum of their sizes.
    bytes: usize,
    /// Why there will be no more; the reader gets it behind the updates.
    end: Option<InventoryError>,
    reader: Option<Waker>,
}

impl Feed {
    /// A feed with these bounds.
    pub fn new(bounds: Bounds) -> Feed {
        Feed {
            watchers: Mutex::default(),
            bounds,
        }
    }

    /// Subscribes: what is published from now on arrives.
    pub fn subscribe(self: &Arc<Self>, filter: Filter) -> Result<Subscription, InventoryError> {
        let open = &self.bounds.open;
        let place = open
            .take()
            .ok_or(InventoryError::TooManyWatches { most: open.most() })?;
        let queue = Arc::new(Queue::default());
        let mut watchers = self.lock();
        if watchers.closed {
            return Err(InventoryError::ShuttingDown);
        }
        let number = watchers.next;
        watchers.next += 1;
        let watcher = Watcher {
            number,
            threshold: filter.threshold,
            queue: queue.clone(),
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
            queue: Some(queue),
            _place: place,
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
        everything.retain(|watcher| watcher.offer(&update, self.bounds.buffer));
        if let Some(concerned) = concerned {
            concerned.retain(|watcher| watcher.offer(&update, self.bounds.buffer));
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
            watcher.queue.lock().end(InventoryError::ShuttingDown);
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
        let mut waiting = self.queue.lock();
        let bytes = waiting.bytes + update.size();
        let behind = !waiting.updates.is_empty();
        if behind && (waiting.updates.len() >= buffer || bytes > BUFFER_BYTES) {
            (waiting.updates, waiting.bytes) = (VecDeque::new(), 0);
            waiting.end(InventoryError::TooSlow { buffer });
            return false;
        }
        waiting.updates.push_back(update.clone());
        waiting.bytes = bytes;
        waiting.wake();
        true
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn end(&mut self, reason: InventoryError) {
        self.end = Some(reason);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn next(&mut self) -> Option<Arc<Update>> {
        let update = self.updates.pop_front()?;
        self.bytes -= update.size();
        if self.updates.is_empty() && self.updates.capacity() > ROOM {
            // The reader has caught up: the room that a burst took is given back.
            self.updates = VecDeque::new();
        }
        Some(update)
    }
}

/// A watch: the updates, then why it ended. Dropping it leaves the feed.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    number: u64,
    category: String,
    /// Gone once the end was told.
    queue: Option<Arc<Queue>>,
    _place: Taken,
}

impl Stream for Subscription {
    type Item = Result<Arc<Update>, InventoryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(queue) = &self.queue else {
            return Poll::Ready(None);
        };
        let mut waiting = queue.lock();
        if let Some(update) = waiting.next() {
            return Poll::Ready(Some(Ok(update)));
        }
        let Some(end) = waiting.end.take() else {
            waiting.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        drop(waiting);
        self.queue = None;
        Poll::Ready(Some(Err(end)))
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

    fn feed(buffer: usize) -> Arc<Feed> {
        let open = Places::new(100);
        Arc::new(Feed::new(Bounds { buffer, open }))
    }

    /// The new quantities that wait in a subscription.
    fn waiting(subscription: &mut Subscription) -> Vec<i32> {
        std::iter::from_fn(|| subscription.next().now_or_never().flatten())
            .map(|update| update.unwrap().product.stock)
            .collect()
    }

    #[test]
    fn a_watch_gets_what_matches_from_the_subscription_on() {
        let feed = feed(8);
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
    fn an_update_is_encoded_once_for_all_in_each_form() {
        let feed = feed(8);
        let mut watches: Vec<Subscription> = ["", "a", "a"]
            .iter()
            .map(|category| feed.subscribe(filter(category, 0)).unwrap())
            .collect();
        feed.publish(&product("a", 1), 0, String::new());
        let mut times = 0;
        let updates: Vec<Arc<Update>> = watches
            .iter_mut()
            .map(|watch| watch.next().now_or_never().flatten().unwrap().unwrap())
            .collect();
        for (form, text) in [(Form::Protobuf, "protobuf"), (Form::Json, "json")] {
            for update in &updates {
                let bytes = update.encoded(form, |_| {
                    times += 1;
                    Bytes::from_static(text.as_bytes())
                });
                assert_eq!(bytes, text);
            }
        }
        assert_eq!(times, 2);
    }

    /// Who reads nothing of what has these reasons, until the watch has ended.
    fn falls_behind(buffer: usize, reasons: &[String]) {
        let feed = feed(buffer);
        let mut slow = feed.subscribe(filter("a", 0)).unwrap();
        let mut quick = feed.subscribe(filter("a", 0)).unwrap();
        let mut first = None;
        for (stock, reason) in (1..).zip(reasons) {
            feed.publish(&product("a", stock), 0, reason.clone());
            let update = quick.next().now_or_never().flatten().unwrap().unwrap();
            assert_eq!(update.product.stock, stock);
            first.get_or_insert(Arc::downgrade(&update));
        }
        assert_eq!(first.unwrap().strong_count(), 0, "the queue is kept");
        let mut next = || slow.next().now_or_never().unwrap();
        assert_eq!(next().unwrap().unwrap_err(), InventoryError::TooSlow { buffer });
        assert!(next().is_none());
    }

    #[test]
    fn a_reader_that_falls_behind_loses_its_queue_and_gets_the_reason() {
        falls_behind(2, &vec![String::new(); 3]);
    }

    #[test]
    fn a_reader_may_not_be_behind_by_many_bytes_either() {
        let reason = "r".repeat(BUFFER_BYTES / 2);
        falls_behind(1000, &vec![reason; 2]);
    }

    #[test]
    fn one_update_of_any_size_reaches_a_reader_that_keeps_up() {
        let feed = feed(1);
        let mut watch = feed.subscribe(filter("a", 0)).unwrap();
        for stock in 1..=2 {
            feed.publish(&product("a", stock), 0, "r".repeat(2 * BUFFER_BYTES));
            assert_eq!(waiting(&mut watch), [stock]);
        }
    }

    #[test]
    fn a_reader_that_catches_up_gives_the_room_of_its_queue_back() {
        let feed = feed(1000);
        let mut watch = feed.subscribe(filter("a", 0)).unwrap();
        for stock in 1..=1000 {
            feed.publish(&product("a", stock), 0, "reason".to_owned());
        }
        assert_eq!(waiting(&mut watch).len(), 1000);
        let queue = watch.queue.as_ref().unwrap().lock();
        assert_eq!((queue.bytes, queue.updates.capacity() <= ROOM), (0, true));
    }

    #[test]
    fn watches_beyond_the_limit_are_refused_until_one_goes() {
        let feed = Arc::new(Feed::new(Bounds {
            buffer: 1,
            open: Places::new(1),
        }));
        let first = feed.subscribe(filter("", 0)).unwrap();
        let refused = feed.subscribe(filter("", 0)).unwrap_err();
        assert_eq!(refused, InventoryError::TooManyWatches { most: 1 });
        drop(first);
        assert!(feed.subscribe(filter("", 0)).is_ok());
    }

    #[test]
    fn leaving_one_watch_leaves_the_others_and_empties_the_index() {
        let feed = feed(8);
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
        let feed = feed(8);
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
