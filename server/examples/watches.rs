//! Many watches on one server: how long an update takes to the last of them, what unary calls beside them take, what a
//! watch costs in memory. `scripts/bench watches` starts the server and runs this.
//!
//! Arguments: the address of a server whose limits allow it, its process id, watches, connections for them, updates.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made says so and ends"
)]

use inventory_contract::{
    CreateProductRequest, GetProductRequest, UpdateStockRequest, WatchStockRequest,
    inventory_service_client::InventoryServiceClient,
};
use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tonic::transport::{Channel, Endpoint};

type Client = InventoryServiceClient<Channel>;

/// Between the unary calls that are measured.
const PACE: Duration = Duration::from_millis(5);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, process, numbers @ ..] = &*arguments else {
        panic!("ADDRESS PID WATCHES CONNECTIONS UPDATES");
    };
    let [watches, connections, updates] = numbers.iter().map(|n| n.parse().unwrap()).collect::<Vec<usize>>()[..] else {
        panic!("ADDRESS PID WATCHES CONNECTIONS UPDATES");
    };
    let connect = || async {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        InventoryServiceClient::new(endpoint.connect().await.unwrap())
    };
    let mut writer = connect().await;
    let id = created(&mut writer).await;

    let alone = unary(connect().await, id.clone(), Arc::default(), Duration::from_secs(6)).await;
    println!("unary alone: {}", percentiles(alone));

    let before = resident(process);
    let delivered = Arc::new(Semaphore::new(0));
    let mut open = Vec::new();
    for connection in 0..connections {
        let mut client = connect().await;
        let share = watches / connections + usize::from(connection < watches % connections);
        for _ in 0..share {
            let wanted = WatchStockRequest {
                category: "bench".to_owned(),
                threshold: 0,
            };
            let mut stream = client.watch_stock_changes(wanted).await.unwrap().into_inner();
            let delivered = delivered.clone();
            open.push(tokio::spawn(async move {
                while stream.message().await.unwrap().is_some() {
                    delivered.add_permits(1);
                }
            }));
        }
    }
    let idle = resident(process);
    println!(
        "{watches} watches over {connections} connections: {}",
        per_watch(before, idle, watches)
    );

    let over = Arc::new(AtomicBool::new(false));
    let beside = tokio::spawn(unary(connect().await, id.clone(), over.clone(), Duration::MAX));
    let mut times = Vec::with_capacity(updates);
    for number in 0..updates {
        let started = Instant::now();
        change(&mut writer, &id, number).await;
        let all = delivered.acquire_many(u32::try_from(watches).unwrap()).await.unwrap();
        times.push(started.elapsed());
        all.forget();
    }
    over.store(true, Ordering::Relaxed);
    println!("update to last delivery, one update at a time: {}", percentiles(times));
    println!("unary beside: {}", percentiles(beside.await.unwrap()));
    println!(
        "after {updates} updates: {}",
        per_watch(before, resident(process), watches)
    );
    for task in open {
        assert!(!task.is_finished(), "a watch ended");
        task.abort();
    }
}

async fn created(client: &mut Client) -> String {
    let wanted = CreateProductRequest {
        name: "bench".to_owned(),
        sku: format!("BENCH-WATCHES-{}", std::process::id()),
        category: "bench".to_owned(),
        price: 1.0,
        stock_quantity: 1000,
        description: String::new(),
    };
    client.create_product(wanted).await.unwrap().into_inner().id
}

async fn change(client: &mut Client, id: &str, number: usize) {
    let request = UpdateStockRequest {
        id: id.to_owned(),
        quantity_change: if number.is_multiple_of(2) { 1 } else { -1 },
        reason: "bench".to_owned(),
    };
    client.update_stock(request).await.unwrap();
}

/// GetProduct at a fixed pace until it is over, or for so long; each counts from when it was due.
async fn unary(mut client: Client, id: String, over: Arc<AtomicBool>, limit: Duration) -> Vec<Duration> {
    let started = Instant::now();
    let mut times = Vec::new();
    let mut ticks = tokio::time::interval(PACE);
    while !over.load(Ordering::Relaxed) && started.elapsed() < limit {
        let due = ticks.tick().await;
        let request = GetProductRequest { id: id.clone() };
        client.get_product(request).await.unwrap();
        times.push(due.elapsed());
    }
    times
}

/// Nearest rank; a percentile q needs n(1-q) >= 10.
fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let n = times.len();
    let rank = |q: f64| times[((n as f64 * q).ceil() as usize).clamp(1, n) - 1];
    let shown = |q: f64| match n as f64 * (1.0 - q) >= 9.999 {
        true => format!("{:.2} ms", rank(q).as_secs_f64() * 1e3),
        false => "-".to_owned(),
    };
    format!(
        "p50 {}, p99 {}, max {:.2} ms, n {n}",
        shown(0.5),
        shown(0.99),
        rank(1.0).as_secs_f64() * 1e3
    )
}

fn per_watch(before: usize, after: usize, watches: usize) -> String {
    let each = (after - before) as f64 / 1024.0 / watches as f64;
    format!(
        "{:.1} MiB resident more, {each:.1} KiB a watch",
        (after - before) as f64 / f64::from(1 << 20)
    )
}

/// Bytes of resident memory of a process.
fn resident(process: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
