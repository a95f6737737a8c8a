//! `WatchStockChanges` done wrong.

use super::{
    Connection, Fault, Faulty,
    store::{State, lock},
};
use crate::{
    inventory::InventoryError,
    store::Memory,
    watch::{Filter, Subscription, Update},
};
use futures_util::{Stream, StreamExt};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, Sleep},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long an update that is to be overtaken waits for another.
const PATIENCE: Duration = Duration::from_millis(500);

/// A watch as the others see it.
#[derive(Debug)]
pub struct Member {
    number: u64,
    filter: Filter,
    /// Taken off the list, and left open.
    silenced: AtomicBool,
    ended: CancellationToken,
}

/// A watch with a fault in it.
pub struct FaultyWatch {
    fault: Fault,
    memory: Arc<Memory>,
    state: Arc<Mutex<State>>,
    open: Arc<watch::Sender<usize>>,
    member: Arc<Member>,
    connection: u64,
    source: Subscription,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    /// How many updates it wanted.
    count: usize,
    ready: VecDeque<Arc<Update>>,
    /// To be sent after the next one, or when nothing comes.
    held: Option<(Arc<Update>, Pin<Box<Sleep>>)>,
}

impl Faulty {
    /// Opens a watch as this fault does it.
    pub(super) async fn subscribe(&self, filter: Filter) -> Result<FaultyWatch, InventoryError> {
        let leaked = self
            .state()
            .closed
            .get(&filter.category)
            .is_some_and(|closed| *closed >= 64);
        if self.is(Fault::WatchLeakSilent) && leaked {
            std::future::pending::<()>().await;
        }
        if self.is(Fault::WatchLimitInternal) && *self.open.borrow() >= 16 {
            return Err(InventoryError::Store);
        }
        let source = self.memory.feed().subscribe(source_filter(self.fault, &filter))?;
        let ready = self.first(&filter);
        let mut state = self.state();
        let member = Arc::new(Member {
            number: state.next_watch,
            filter,
            silenced: AtomicBool::new(false),
            ended: CancellationToken::new(),
        });
        state.next_watch += 1;
        state.watches.push(member.clone());
        drop(state);
        self.open.send_modify(|open| *open += 1);
        Ok(FaultyWatch {
            fault: self.fault,
            memory: self.memory.clone(),
            state: self.state.clone(),
            open: self.open.clone(),
            connection: Connection::current().number,
            source,
            ended: Box::pin(member.ended.clone().cancelled_owned()),
            member,
            count: 0,
            ready,
            held: None,
        })
    }

    /// What a new watch gets before anything happened.
    fn first(&self, filter: &Filter) -> VecDeque<Arc<Update>> {
        match self.fault {
            Fault::WatchLastReplayed => self.state().last.get(&filter.category).cloned().into_iter().collect(),
            Fault::WatchSnapshotFirst if !filter.category.is_empty() => {
                let shelf = self.memory.read();
                let products = shelf
                    .products()
                    .filter(|product| product.card.category == filter.category);
                products
                    .map(|product| Arc::new(Update::new(product.clone(), product.stock, String::new())))
                    .collect()
            }
            _ => VecDeque::new(),
        }
    }
}

/// What to ask the feed for: all of it where the fault is in the filter.
fn source_filter(fault: Fault, filter: &Filter) -> Filter {
    match fault {
        Fault::WatchCategoryPrefix
        | Fault::WatchCategoryCase
        | Fault::WatchCategoryLost
        | Fault::WatchCategoryEmptyNone => Filter::default(),
        Fault::WatchThresholdInclusive | Fault::WatchThresholdOld => Filter {
            threshold: 0,
            ..filter.clone()
        },
        _ => filter.clone(),
    }
}

impl FaultyWatch {
    fn wants(&self, update: &Update) -> bool {
        let Filter { category, threshold } = &self.member.filter;
        let found = &update.product.card.category;
        let in_category = match self.fault {
            Fault::WatchCategoryEmptyNone => category == found,
            Fault::WatchCategoryLost if *threshold > 0 => true,
            _ if category.is_empty() => true,
            Fault::WatchCategoryPrefix => found.starts_with(category.as_str()),
            Fault::WatchCategoryCase => found.to_lowercase() == category.to_lowercase(),
            _ => category == found,
        };
        let (old, new) = (update.old_quantity, update.product.stock);
        let low = *threshold <= 0
            || match self.fault {
                Fault::WatchThresholdInclusive => new <= *threshold,
                Fault::WatchThresholdOld => old < *threshold,
                Fault::WatchThresholdCrossing => old >= *threshold && new < *threshold,
                Fault::WatchThresholdDrain => new < *threshold && new != 0,
                _ => new < *threshold,
            };
        in_category && low && self.hears(update)
    }

    /// Whether the updates of this watch reach it at all.
    fn hears(&self, update: &Update) -> bool {
        let Filter { category, .. } = &self.member.filter;
        match self.fault {
            Fault::WatchCloseSilences => !self.member.silenced.load(Ordering::Relaxed),
            Fault::WatchSecondSilent if !category.is_empty() => {
                let state = lock(&self.state);
                let first = state.watches.iter().find(|member| member.filter.category == *category);
                first.is_some_and(|first| first.number == self.member.number)
            }
            Fault::WatchOtherConnection => {
                lock(&self.state).writers.get(&update.product.card.id) == Some(&self.connection)
            }
            _ => true,
        }
    }

    /// Queues an update that is wanted.
    fn take(&mut self, update: Arc<Update>) {
        self.count += 1;
        let Filter { category, threshold } = &self.member.filter;
        let twice = match self.fault {
            Fault::WatchTenthLost if self.count.is_multiple_of(10) => return,
            Fault::WatchFourthLate if self.count.is_multiple_of(4) => {
                self.held = Some((update, Box::pin(tokio::time::sleep_until(Instant::now() + PATIENCE))));
                return;
            }
            Fault::WatchFifthTwice => self.count.is_multiple_of(5),
            Fault::WatchBothFiltersTwice => !category.is_empty() && *threshold > 0,
            _ => false,
        };
        if twice {
            self.ready.push_back(update.clone());
        }
        self.ready.push_back(update);
        self.ready.extend(self.held.take().map(|(held, _)| held));
    }
}

impl Stream for FaultyWatch {
    type Item = Result<Arc<Update>, InventoryError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(update) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(update)));
            }
            if this.ended.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            match this.source.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(update))) => {
                    if this.wants(&update) {
                        this.take(update);
                    }
                }
                Poll::Ready(Some(Err(InventoryError::TooSlow { .. }))) if this.fault == Fault::WatchSlowOk => {
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(InventoryError::TooSlow { .. }))) if this.fault == Fault::WatchSlowLoses => {
                    let filter = source_filter(this.fault, &this.member.filter);
                    match this.memory.feed().subscribe(filter) {
                        Ok(source) => this.source = source,
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                Poll::Ready(end) => return Poll::Ready(end),
                Poll::Pending => {
                    let Some((_, patience)) = &mut this.held else {
                        return Poll::Pending;
                    };
                    ready!(patience.as_mut().poll(context));
                    this.ready.extend(this.held.take().map(|(held, _)| held));
                }
            }
        }
    }
}

impl Drop for FaultyWatch {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.watches.retain(|member| member.number != self.member.number);
        *state.closed.entry(self.member.filter.category.clone()).or_default() += 1;
        match self.fault {
            Fault::WatchCloseSilences => {
                let alike = |member: &&Arc<Member>| {
                    member.filter == self.member.filter && !member.silenced.load(Ordering::Relaxed)
                };
                if let Some(other) = state.watches.iter().find(alike) {
                    other.silenced.store(true, Ordering::Relaxed);
                }
            }
            Fault::WatchCloseEnds => {
                let category = &self.member.filter.category;
                for other in state
                    .watches
                    .iter()
                    .filter(|member| member.filter.category == *category)
                {
                    other.ended.cancel();
                }
            }
            _ => {}
        }
        drop(state);
        self.open.send_modify(|open| *open -= 1);
    }
}
