//! The file store: the model in memory, a file behind it, and one thread that writes.
//!
//! Readers never wait for the disk. A write goes through a bounded queue to the writer, which takes all that waits there as
//! one batch: it judges each write as if those before it were done, puts what it accepted into one transaction, and only
//! when that is on the disk does it change the model, announce the changes and answer. So nobody, neither caller nor reader
//! nor watcher, ever learns of a write that a crash could undo, refusals that rest on such a write included. The writer
//! alone changes the model; that makes the judging sound.
//!
//! When the disk fails, the writes of that batch fail and change nothing, reads go on, and later writes try the disk again.

use super::{
    Store, StoreError,
    disk::{Disk, Doubt, Opener, open_database},
    model::{Accepted, Ahead, Model},
};
use crate::{
    inventory::{Draft, Imported, InventoryError, Page, Product, Query, Rejected, StockChange},
    watch::{Bounds, Filter, Subscription},
};
use futures_util::{FutureExt, Stream, StreamExt};
use std::{
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How many calls may wait for the writer; more wait for a place. It is also the most that share a transaction.
const QUEUE: usize = 1024;

/// How many rows, and about how many bytes of text, an import sends to the writer at once.
const CHUNK: (usize, usize) = (1000, 1 << 20);

/// How soon a disk that failed is tried again; a big file takes long to open.
const RETRY: Duration = Duration::from_secs(1);

type Answer = Result<Product, InventoryError>;

/// Products that outlast the process.
#[derive(Debug)]
pub struct FileStore {
    model: Arc<Model>,
    queue: mpsc::Sender<Order>,
    /// Whether a closed queue is meant.
    finishing: AtomicBool,
    /// The writer has let go of the file.
    finished: CancellationToken,
}

enum Write {
    Create(Draft),
    Change(StockChange),
}

/// What the writer is told.
enum Order {
    /// Do these, in their order; as many answers.
    Write(Vec<Write>, oneshot::Sender<Vec<Answer>>),
    /// Do what is in the queue, then close the file.
    Finish,
}

impl FileStore {
    /// Opens a store file, or makes one with these products. Reads all of it: takes its time.
    pub fn open(path: &Path, products: &[Product], watches: Bounds) -> Result<FileStore, StoreError> {
        FileStore::open_by(Box::new(open_database), RETRY, path, products, watches)
    }

    fn open_by(
        opener: Opener,
        retry: Duration,
        path: &Path,
        products: &[Product],
        watches: Bounds,
    ) -> Result<FileStore, StoreError> {
        let started = Instant::now();
        let (disk, shelf) = Disk::open(path, products, opener)?;
        tracing::info!(path = %disk.path().display(), products = shelf.len(), elapsed = ?started.elapsed(), "loaded");
        let model = Arc::new(Model::new(shelf, watches));
        let (queue, orders) = mpsc::channel(QUEUE);
        let finished = CancellationToken::new();
        let writer = Writer {
            model: model.clone(),
            disk,
            doubt: Vec::new(),
            pause: retry,
            retry: None,
        };
        let done = finished.clone().drop_guard();
        let run = move || {
            // In this order, and also when it panics.
            let _done = done;
            writer.run(orders);
        };
        let named = thread::Builder::new().name("store".into());
        named.spawn(run).map_err(StoreError::Thread)?;
        Ok(FileStore {
            model,
            queue,
            finishing: AtomicBool::new(false),
            finished,
        })
    }

    /// Has the writer do these; as many answers.
    async fn submit(&self, writes: Vec<Write>) -> Vec<Answer> {
        let count = writes.len();
        let (answer, answers) = oneshot::channel();
        let gone = || match self.finishing.load(Ordering::Relaxed) {
            true => InventoryError::ShuttingDown,
            false => InventoryError::Store,
        };
        let answers = match self.queue.send(Order::Write(writes, answer)).await {
            Ok(()) => answers.await.ok(),
            Err(_) => None,
        };
        answers.unwrap_or_else(|| vec![Err(gone()); count])
    }

    async fn submit_one(&self, write: Write) -> Answer {
        let answer = self.submit(vec![write]).await.pop();
        answer.unwrap_or(Err(InventoryError::Store))
    }
}

impl Store for FileStore {
    type Watch = Subscription;

    async fn get(&self, id: &str) -> Result<Product, InventoryError> {
        self.model.get(id)
    }

    async fn list(&self, query: &Query) -> Result<Page, InventoryError> {
        Ok(self.model.list(query))
    }

    async fn create(&self, draft: Draft) -> Result<Product, InventoryError> {
        self.submit_one(Write::Create(draft)).await
    }

    async fn change(&self, change: StockChange) -> Result<Product, InventoryError> {
        self.submit_one(Write::Change(change)).await
    }

    async fn watch(&self, filter: Filter) -> Result<Subscription, InventoryError> {
        self.model.feed().subscribe(filter)
    }

    /// Rows that have arrived go to the writer together: a transaction for each would take a thousand times as long.
    async fn import(&self, rows: impl Stream<Item = Draft> + Send) -> Result<Imported, InventoryError> {
        // Asked again after its end, when that was found while filling a chunk.
        let mut rows = pin!(rows.fuse());
        let mut imported = Imported::default();
        while let Some(first) = rows.next().await {
            let (mut skus, mut writes, mut bytes) = (Vec::new(), Vec::new(), 0);
            let mut next = Some(first);
            while let Some(draft) = next {
                bytes += draft.name.len() + draft.sku.len() + draft.category.len() + draft.description.len();
                skus.push(draft.sku.clone());
                writes.push(Write::Create(draft));
                let full = writes.len() >= CHUNK.0 || bytes >= CHUNK.1;
                next = if full {
                    None
                } else {
                    rows.next().now_or_never().flatten()
                };
            }
            for (sku, answer) in skus.into_iter().zip(self.submit(writes).await) {
                match answer {
                    Ok(_) => imported.imported += 1,
                    Err(error) => imported.rejected.push(Rejected { sku, error }),
                }
            }
        }
        Ok(imported)
    }

    /// Asks the writer for a change of no product, which reaches no disk. A disk that failed is tried again for it: a
    /// replica that gets no calls because it is not ready would else stay so.
    async fn check(&self) -> Result<(), InventoryError> {
        match self.submit_one(Write::Change(StockChange::default())).await {
            Err(InventoryError::UnknownProduct { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn close(&self) {
        self.model.feed().close();
    }

    async fn finish(&self) {
        self.finishing.store(true, Ordering::Relaxed);
        // It fails when the writer is gone already.
        let _ = self.queue.send(Order::Finish).await;
        self.finished.cancelled().await;
    }
}

struct Writer {
    model: Arc<Model>,
    disk: Disk,
    /// What was in the transaction that failed; empty when none did.
    doubt: Vec<Accepted>,
    /// How long a disk that failed is left alone.
    pause: Duration,
    /// When the disk may be tried again.
    retry: Option<Instant>,
}

/// The answers to one order, and where they go.
type Answers = (oneshot::Sender<Vec<Answer>>, Vec<Answer>);

impl Writer {
    fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut waiting = Vec::new();
        while orders.blocking_recv_many(&mut waiting, QUEUE) > 0 {
            let mut batch = Vec::new();
            for order in waiting.drain(..) {
                match order {
                    // A caller whose time is up has gone away: better not done than done late.
                    Order::Write(_, answer) if answer.is_closed() => {}
                    Order::Write(writes, answer) => batch.push((writes, answer)),
                    Order::Finish => orders.close(),
                }
            }
            self.serve(batch);
        }
        tracing::debug!(path = %self.disk.path().display(), "closing the store");
    }

    /// Does a batch: judge, keep, apply and announce, answer.
    fn serve(&mut self, batch: Vec<(Vec<Write>, oneshot::Sender<Vec<Answer>>)>) {
        if self.disk.is_broken() && !self.recover() {
            let refused = batch
                .into_iter()
                .map(|(writes, answer)| (answer, vec![Err(InventoryError::Store); writes.len()]));
            return refused.for_each(send);
        }
        let (mut ahead, mut accepted) = (Ahead::default(), Vec::new());
        let shelf = self.model.read();
        let rows = shelf.len();
        let mut judge = |write| {
            let judged = match write {
                Write::Create(draft) => draft.checked().and_then(|draft| ahead.judge_create(&shelf, draft)),
                Write::Change(change) => ahead.judge_change(&shelf, change),
            }?;
            let product = judged.product().clone();
            ahead.note(&judged);
            accepted.push(judged);
            Ok(product)
        };
        let mut answers: Vec<Answers> = batch
            .into_iter()
            .map(|(writes, answer)| (answer, writes.into_iter().map(&mut judge).collect()))
            .collect();
        drop(shelf);

        if !accepted.is_empty() {
            match self.disk.append(&accepted, rows) {
                Ok(()) => self.apply(accepted),
                Err(error) => {
                    self.failed(&error);
                    self.doubt = accepted;
                    // A refusal may rest on what was not kept.
                    for answer in answers.iter_mut().flat_map(|(_, answers)| answers) {
                        *answer = Err(InventoryError::Store);
                    }
                }
            }
        }
        answers.into_iter().for_each(send);
    }

    fn apply(&self, accepted: Vec<Accepted>) {
        let mut shelf = self.model.write();
        for accepted in accepted {
            self.model.apply(&mut shelf, accepted);
        }
    }

    /// Tries to open the file again; whether it takes writes now.
    fn recover(&mut self) -> bool {
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            return false;
        }
        match self.disk.reopen() {
            Ok(doubt) => {
                let accepted = std::mem::take(&mut self.doubt);
                // Their callers know only that the store failed; the file has them, so that they are true.
                if doubt == Doubt::Kept {
                    self.apply(accepted);
                }
                tracing::info!(path = %self.disk.path().display(), "the store takes writes again");
                true
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    fn failed(&mut self, error: &redb::Error) {
        self.retry = Some(Instant::now() + self.pause);
        let path = self.disk.path().display();
        tracing::error!(%path, %error, "cannot write to the store: writes are refused, reads go on; look at the disk");
    }
}

/// A caller that has gone away does not want to know.
fn send((answer, answers): Answers) {
    let _ = answer.send(answers);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        limits::Places,
        store::brittle::{Brittle, Fails},
    };
    use std::{collections::HashMap, io};
    use tempfile::NamedTempFile;

    /// Tried again at once, for a test does not wait.
    const AT_ONCE: Duration = Duration::ZERO;

    /// A store on this disk. The file is there, so that nothing is put into its place; nobody reads it.
    fn store(disk: &Brittle) -> FileStore {
        let mut file = NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, b"elsewhere").unwrap();
        let disk = disk.clone();
        let watches = Bounds {
            buffer: 64,
            open: Places::new(64),
        };
        FileStore::open_by(Box::new(move |_| disk.open()), AT_ONCE, file.path(), &[], watches).unwrap()
    }

    /// A disk with an empty store on it.
    fn formatted() -> Brittle {
        let disk = Brittle::default();
        super::super::disk::format(&disk.open().unwrap()).unwrap();
        disk
    }

    fn draft(sku: &str) -> Draft {
        Draft {
            name: "n".into(),
            sku: sku.into(),
            category: "c".into(),
            stock: 100,
            ..Draft::default()
        }
    }

    fn change(product: &Product, change: i32) -> StockChange {
        StockChange {
            id: product.card.id.clone(),
            change,
            reason: "test".into(),
        }
    }

    fn query() -> Query {
        Query {
            page_size: 100,
            ..Query::default()
        }
    }

    /// The news that wait in a watch: the new quantities.
    fn news(watch: &mut Subscription) -> Vec<i32> {
        std::iter::from_fn(|| watch.next().now_or_never().flatten())
            .map(|update| update.unwrap().product.stock)
            .collect()
    }

    #[tokio::test]
    async fn a_failing_disk_refuses_writes_keeps_readers_and_recovers() {
        for fails in [Fails::Writes, Fails::Syncs] {
            let disk = formatted();
            let store = store(&disk);
            let product = store.create(draft("kept")).await.unwrap();
            let mut watch = store.watch(Filter::default()).await.unwrap();
            store.check().await.unwrap();
            disk.set(fails);
            // A look at a disk that nobody writes to finds nothing.
            store.check().await.unwrap();
            for _ in 0..3 {
                assert_eq!(store.change(change(&product, 1)).await, Err(InventoryError::Store));
                assert_eq!(store.create(draft("lost")).await, Err(InventoryError::Store));
                assert_eq!(store.get(&product.card.id).await.unwrap(), product, "{fails:?}");
                assert_eq!(store.list(&query()).await.unwrap().total, 1, "{fails:?}");
                assert_eq!(store.check().await, Err(InventoryError::Store), "{fails:?}");
            }
            assert_eq!(news(&mut watch), Vec::<i32>::new());

            disk.set(Fails::Nothing);
            // Readiness comes back without a write.
            store.check().await.unwrap();
            let now = store.change(change(&product, -10)).await.unwrap();
            // A change that was written and could not be synced was found in the file, and then it is true for all.
            let expected = match fails {
                Fails::Syncs => vec![101, 91],
                _ => vec![90],
            };
            assert_eq!(news(&mut watch), expected, "{fails:?}");
            assert_eq!(now.stock, *expected.last().unwrap(), "{fails:?}");
            store.create(draft("lost")).await.unwrap();
            let before = store.list(&query()).await.unwrap();
            store.finish().await;
            disk.cut(|| false);
            assert_eq!(self::store(&disk).list(&query()).await.unwrap(), before, "{fails:?}");
        }
    }

    /// The power goes after each number of steps of the disk, with what was not synced lost in part.
    #[tokio::test]
    async fn what_was_acknowledged_survives_a_power_loss() {
        let mut state = 1_u64;
        let mut coin = move || {
            // Knuth's MMIX constants.
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            state >> 63 == 1
        };
        let mut cut_within = 0;
        for left in 0..150 {
            let disk = formatted();
            let first = store(&disk);
            disk.set_left(left);
            // By SKU: the product as acknowledged last, and the change that was not answered.
            let mut acknowledged: HashMap<String, (Product, i32)> = HashMap::new();
            for n in 0.. {
                let sku = format!("s{}", n / 3);
                let answer = match acknowledged.get(&sku) {
                    None => first.create(draft(&sku)).await,
                    Some((product, _)) => first.change(change(product, -n)).await,
                };
                match (answer, acknowledged.get_mut(&sku)) {
                    (Ok(product), _) => acknowledged.insert(sku, (product, 0)),
                    (Err(_), Some((_, open))) => {
                        *open = -n;
                        break;
                    }
                    (Err(_), None) => break,
                };
            }
            cut_within += usize::from(acknowledged.values().any(|(_, open)| *open != 0));
            first.finish().await;
            disk.cut(&mut coin);

            let again = store(&disk);
            let found = again.list(&query()).await.unwrap();
            assert!(found.total <= acknowledged.len() + 1, "{left}: {found:?}");
            for (product, open) in acknowledged.values() {
                let stored = again.get(&product.card.id).await.unwrap();
                let as_told = stored == *product;
                let with_open = *open != 0 && stored.stock == product.stock + open && stored.card == product.card;
                assert!(as_told || with_open, "{left}: {stored:?} {product:?} {open}");
            }
            again.create(draft("afterwards")).await.unwrap();
        }
        assert!(cut_within > 10, "{cut_within}");
    }

    #[tokio::test]
    async fn a_store_that_finished_refuses_writes_and_answers_what_came_before() {
        let disk = formatted();
        let store = store(&disk);
        let product = store.create(draft("s")).await.unwrap();
        let (last, ()) = tokio::join!(store.change(change(&product, 1)), store.finish());
        assert_eq!(last.unwrap().stock, 101);
        assert_eq!(store.create(draft("t")).await, Err(InventoryError::ShuttingDown));
        assert_eq!(store.get(&product.card.id).await.unwrap().stock, 101);
        disk.cut(|| false);
        assert_eq!(self::store(&disk).get(&product.card.id).await.unwrap().stock, 101);
    }

    #[tokio::test]
    async fn a_write_whose_caller_went_away_before_its_turn_is_not_done() {
        let store = store(&formatted());
        let held = store.model.write();
        let mut first = pin!(store.create(draft("first")));
        assert!(first.as_mut().now_or_never().is_none());
        // The writer has taken it and waits for the model.
        while store.queue.capacity() < QUEUE {
            thread::yield_now();
        }
        assert!(store.create(draft("second")).now_or_never().is_none());
        drop(held);
        first.await.unwrap();
        store.create(draft("second")).await.unwrap();
    }

    #[tokio::test]
    async fn an_import_is_judged_row_by_row_in_its_order() {
        let store = store(&formatted());
        let rows = (0..2500).map(|n| match n {
            1200 => Draft::default(),
            n => draft(&format!("s{}", n % 2000)),
        });
        let imported = store.import(futures_util::stream::iter(rows)).await.unwrap();
        assert_eq!((imported.imported, imported.rejected.len()), (1999, 501));
        assert_eq!(imported.rejected[0].sku, "");
        assert_eq!(imported.rejected[1].sku, "s0");
        let page = store.list(&query()).await.unwrap();
        assert_eq!((page.total, page.products[99].card.sku.as_str()), (1999, "s99"));
    }
}
