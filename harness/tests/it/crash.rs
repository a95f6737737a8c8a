//! `kill -9` while clients write: what was acknowledged, read or announced is there after the next start.

mod book;

use crate::support::{
    process::{Server, spawn},
    stocktake::{binary, serve},
};
use book::{Book, Event};
use inventory_contract::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, Product, UpdateStockRequest, WatchStockRequest,
    inventory_service_client::InventoryServiceClient,
};
use std::{
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use tonic::{Code, Status, transport::Channel};

/// How often the server is killed; `scripts/soak store` asks for more.
const ROUNDS: usize = 50;

/// After so many rounds on one file a new one follows, lest reading it all takes the most time.
const ROUNDS_OF_A_FILE: usize = 10;

const WRITERS: usize = 4;

/// No call takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

type Client = InventoryServiceClient<Channel>;

/// What the callers of a round share.
struct Round {
    number: usize,
    address: String,
    /// Ids to change and read.
    ids: Mutex<Vec<String>>,
    /// How many writes may still be acknowledged before the server is killed.
    left: AtomicUsize,
    enough: Notify,
    /// From here on an error is no surprise.
    killed: AtomicBool,
    /// SKUs that all want.
    contested: AtomicUsize,
}

/// Numbers that nobody needs to predict; the same for the same seed (Knuth's MMIX constants).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let rounds = std::env::var("STOCKTAKE_CRASH_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut chance = Chance(std::process::id().into());
    let mut acknowledged = 0;
    for start in (0..rounds).step_by(ROUNDS_OF_A_FILE) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("store.redb");
        let mut book = Book::default();
        let mut events = Vec::new();
        for number in start..rounds.min(start + ROUNDS_OF_A_FILE) {
            if number % 5 == 0 {
                kill_while_it_starts(&path, &mut chance);
            }
            let mut server = on(&path);
            let stored = everything(&server.address).await;
            let known = number > start;
            let problems = book.check(&events, &stored);
            assert!(
                !known || problems.is_empty(),
                "round {number}:\n{}",
                problems.join("\n")
            );
            events = round(number, &mut server, &stored, &mut chance).await;
            acknowledged += events.iter().filter(|event| is_answer(event)).count();
        }
        let problems = book.check(&events, &everything(&on(&path).address).await);
        assert!(problems.is_empty(), "last round:\n{}", problems.join("\n"));
    }
    println!("{rounds} rounds, {acknowledged} acknowledged writes");
    assert!(
        acknowledged > rounds * 20,
        "{acknowledged} writes in {rounds} rounds prove little"
    );
}

fn on(path: &Path) -> Server {
    serve(&["--log", "error", "--store", &format!("file:{}", path.display())])
}

/// The file is being made, repaired or read.
fn kill_while_it_starts(path: &Path, chance: &mut Chance) {
    let mut command = Command::new(binary());
    let store = format!("file:{}", path.display());
    let mut child = spawn(command.args(["serve", "--listen", "127.0.0.1:0", "--store", &store]));
    std::thread::sleep(Duration::from_micros(chance.below(100_000) as u64));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Lets clients write, kills the server within, gathers what each of them knows.
async fn round(number: usize, server: &mut Server, stored: &[Product], chance: &mut Chance) -> Vec<Event> {
    let round = Arc::new(Round {
        number,
        address: server.address.clone(),
        ids: Mutex::new(stored.iter().rev().take(6).map(|product| product.id.clone()).collect()),
        left: AtomicUsize::new(1 + chance.below(120)),
        enough: Notify::new(),
        killed: AtomicBool::new(false),
        contested: AtomicUsize::new(0),
    });
    let mut callers = JoinSet::new();
    for writer in 0..WRITERS {
        callers.spawn(write(round.clone(), writer, Chance(chance.0 ^ writer as u64)));
    }
    callers.spawn(watch(round.clone()));
    callers.spawn(read(round.clone(), Chance(chance.0)));
    timeout(PATIENCE, round.enough.notified()).await.unwrap();
    // Half of the kills follow an answer at once, half come later, in the midst of something else.
    if chance.below(2) == 0 {
        tokio::time::sleep(Duration::from_micros(chance.below(5000) as u64)).await;
    }
    round.killed.store(true, Ordering::SeqCst);
    server.kill();
    let events = timeout(PATIENCE, callers.join_all()).await.unwrap();
    events.into_iter().flatten().collect()
}

impl Round {
    async fn client(&self) -> Option<Client> {
        let client = InventoryServiceClient::connect(format!("http://{}", self.address)).await;
        match client {
            Ok(client) => Some(client),
            Err(_) if self.killed.load(Ordering::SeqCst) => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn acknowledged(&self) {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left == Ok(1) {
            self.enough.notify_one();
        }
    }

    /// The refusal that an error is, if the server said it; `None` when it may be the kill.
    fn refusal(&self, status: &Status, expected: Code) -> Option<Code> {
        if status.code() == expected {
            return Some(expected);
        }
        assert!(self.killed.load(Ordering::SeqCst), "round {}: {status}", self.number);
        None
    }

    fn any_id(&self, chance: &mut Chance) -> String {
        let ids = self.ids.lock().unwrap();
        ids[chance.below(ids.len())].clone()
    }
}

fn draft(sku: String, chance: &mut Chance) -> CreateProductRequest {
    CreateProductRequest {
        name: format!("name of {sku}"),
        sku,
        category: format!("c{}", chance.below(3)),
        price: chance.below(10_000) as f64 / 7.0,
        stock_quantity: 500,
        description: "as ordered ".repeat(chance.below(40)),
    }
}

/// Creates, changes and imports until the server is gone.
async fn write(round: Arc<Round>, writer: usize, mut chance: Chance) -> Vec<Event> {
    let mut events = Vec::new();
    let Some(mut client) = round.client().await else {
        return events;
    };
    for n in 0.. {
        let own = format!("r{}-w{writer}-{n}", round.number);
        let goes_on = match chance.below(20) {
            0..10 => change(&round, &mut client, &mut chance, &mut events).await,
            10..15 => create(&round, &mut client, draft(own, &mut chance), &mut events).await,
            15..18 => {
                // Each is wanted about as often as there are writers.
                let wanted = round.contested.fetch_add(1, Ordering::Relaxed) / WRITERS;
                let draft = draft(format!("r{}-contested-{wanted}", round.number), &mut chance);
                create(&round, &mut client, draft, &mut events).await
            }
            _ => {
                let count = 1 + chance.below(12);
                let mut rows: Vec<_> = (0..count)
                    .map(|row| draft(format!("{own}-{row}"), &mut chance))
                    .collect();
                // A row again: it is refused, and changes nothing.
                rows.push(rows[0].clone());
                import(&round, &mut client, rows, &mut events).await
            }
        };
        if !goes_on {
            break;
        }
    }
    events
}

async fn change(round: &Round, client: &mut Client, chance: &mut Chance, events: &mut Vec<Event>) -> bool {
    let request = UpdateStockRequest {
        id: round.any_id(chance),
        quantity_change: i32::try_from(chance.below(2000)).unwrap() - 1000,
        reason: "crash".into(),
    };
    match client.update_stock(request.clone()).await {
        Ok(product) => {
            round.acknowledged();
            events.push(Event::Changed(request.quantity_change, product.into_inner()));
            true
        }
        Err(status) => {
            let refused = round.refusal(&status, Code::FailedPrecondition).is_some();
            if !refused {
                events.push(Event::ChangeOpen(request.id, request.quantity_change));
            }
            refused
        }
    }
}

async fn create(round: &Round, client: &mut Client, wanted: CreateProductRequest, events: &mut Vec<Event>) -> bool {
    match client.create_product(wanted.clone()).await {
        Ok(product) => {
            round.acknowledged();
            let product = product.into_inner();
            round.ids.lock().unwrap().push(product.id.clone());
            events.push(Event::Created(product));
            true
        }
        Err(status) => {
            let refused = round.refusal(&status, Code::AlreadyExists).is_some();
            events.push(match refused {
                true => Event::Exists(wanted.sku),
                false => Event::CreateOpen(wanted),
            });
            refused
        }
    }
}

async fn import(round: &Round, client: &mut Client, rows: Vec<CreateProductRequest>, events: &mut Vec<Event>) -> bool {
    match client.bulk_import(tokio_stream::iter(rows.clone())).await {
        Ok(answer) => {
            round.acknowledged();
            events.push(Event::Imported(rows, answer.into_inner()));
            true
        }
        Err(status) => {
            round.refusal(&status, Code::Ok);
            events.push(Event::ImportOpen(rows));
            false
        }
    }
}

/// What is announced must survive too.
async fn watch(round: Arc<Round>) -> Vec<Event> {
    let mut events = Vec::new();
    let Some(mut client) = round.client().await else {
        return events;
    };
    let Ok(updates) = client.watch_stock_changes(WatchStockRequest::default()).await else {
        return events;
    };
    let mut updates = updates.into_inner();
    while let Ok(Some(update)) = updates.message().await {
        events.push(Event::Seen(update.product_id, update.new_quantity, update.timestamp));
    }
    events
}

/// What is read must survive too.
async fn read(round: Arc<Round>, mut chance: Chance) -> Vec<Event> {
    let mut events = Vec::new();
    let Some(mut client) = round.client().await else {
        return events;
    };
    loop {
        let request = GetProductRequest {
            id: round.any_id(&mut chance),
        };
        match client.get_product(request).await {
            Ok(product) => {
                let product = product.into_inner();
                events.push(Event::Seen(product.id, product.stock_quantity, product.updated_at));
            }
            Err(status) => {
                round.refusal(&status, Code::Ok);
                return events;
            }
        }
    }
}

fn is_answer(event: &Event) -> bool {
    matches!(event, Event::Created(_) | Event::Changed(..) | Event::Imported(..))
}

/// Every product, page by page.
async fn everything(address: &str) -> Vec<Product> {
    let mut client = InventoryServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let mut found = Vec::new();
    for page in 1.. {
        let request = ListProductsRequest {
            page,
            page_size: 100,
            ..ListProductsRequest::default()
        };
        let answer = client.list_products(request).await.unwrap().into_inner();
        let total = usize::try_from(answer.total_count).unwrap();
        let last = answer.products.is_empty();
        found.extend(answer.products);
        if last {
            assert_eq!(found.len(), total);
            break;
        }
    }
    found
}
