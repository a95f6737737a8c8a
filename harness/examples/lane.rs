//! What a request costs the generator: `lane ADDRESS LEG CONNECTIONS STREAMS REQUESTS [RATE]` sends GetProduct from one thread, in a
//! closed loop or at so many a second, and prints one line of JSON. `scripts/bench generator` sets it beside other generators.
#![allow(clippy::print_stdout)]

use inventory_contract::inventory_service_client::InventoryServiceClient;
use inventory_contract::{GetProductRequest, ListProductsRequest, Product};
use prost::Message as _;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use stocktake::client::{Client, Code, Endpoint, Options, Target};
use stocktake::load::exchange::{Answer, Exchange, Operation, Order, Prepared};
use stocktake::load::leg::Leg;
use stocktake::load::sample::{Moment, Outcome, Sample, Sink};
use stocktake::load::wire::{Arrivals, Lane, Round, Shape};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, leg, connections, streams, requests, rate @ ..] = words.as_slice() else {
        return Err("usage: lane ADDRESS LEG CONNECTIONS STREAMS REQUESTS [RATE]".into());
    };
    let rate = rate
        .first()
        .map(|rate| rate.parse::<u64>())
        .transpose()?
        .filter(|rate| *rate > 0);
    let leg = Leg::of_name(leg).ok_or("the leg is grpc, rest-h1, rest-h2 or rest-h1-close")?;
    let (connections, streams) = (connections.parse::<usize>()?, streams.parse::<usize>()?);
    let requests: u64 = requests.parse()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (endpoint, product) = runtime.block_on(find(address))?;
    let prepared = Arc::new(get_product(&product.id, leg));
    let timeout = Duration::from_secs(10);
    let mut lane = Lane::connect(&endpoint, leg, Shape { connections, streams }, prepared, timeout)?;

    let stop = AtomicBool::new(false);
    let mut count = Count {
        left: requests,
        failed: 0,
        late: Vec::new(),
        stop: &stop,
    };
    let mut schedule = (0..requests).map(|number| number * 1_000_000_000 / rate.unwrap_or(1));
    let round = Round {
        began: Instant::now(),
        arrivals: match rate {
            Some(_) => Arrivals::Open(&mut schedule),
            None => Arrivals::Closed {
                in_flight: connections * streams,
            },
        },
        until: Duration::from_secs(3600),
        mix: &mut || (0, 0),
        decode: None,
        stop: &stop,
    };
    let end = lane.run(round, &mut count);
    if count.failed > 0 {
        return Err(format!("{} requests failed: {:?}", count.failed, end.failures).into());
    }
    let (user, system) = end.cpu;
    count.late.sort_unstable();
    let late = |share: usize| count.late.get(count.late.len() * share / 100).copied().unwrap_or(0);
    println!(
        "{{\"requests\":{},\"user_us\":{},\"system_us\":{},\"seconds\":{},\"sent_bytes\":{},\"received_bytes\":{},\
         \"late_p50_ns\":{},\"late_p99_ns\":{}}}",
        end.done,
        user.as_micros(),
        system.as_micros(),
        end.elapsed.as_secs_f64(),
        end.bytes.0,
        end.bytes.1,
        late(50),
        late(99)
    );
    lane.close();
    Ok(())
}

/// Ends the round after so many requests.
struct Count<'a> {
    left: u64,
    failed: u64,
    /// From when a request could be sent to when it was.
    late: Vec<u64>,
    stop: &'a AtomicBool,
}

impl Sink for Count<'_> {
    fn sample(&mut self, sample: &Sample) {
        self.failed += u64::from(sample.outcome != Outcome::Status(Code::OK));
        self.late.push(sample.sent - sample.able);
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn moment(&mut self, _: Moment) {}
}

/// The endpoint, and the first product of its catalogue.
async fn find(address: &str) -> Result<(Endpoint, Product), Box<dyn Error>> {
    let target = Target::parse(&format!("http://{address}"))?;
    let mut stub = InventoryServiceClient::connect(target.to_string()).await?;
    let request = ListProductsRequest {
        page_size: 100,
        ..ListProductsRequest::default()
    };
    let listed = stub.list_products(request).await?.into_inner().products;
    let product = listed.into_iter().find(|product| product.sku == "WDG-001");
    let endpoint = Client::new(target, Options::default())?.endpoint().await?;
    Ok((endpoint, product.ok_or("there is no product WDG-001")?))
}

fn get_product(id: &str, leg: Leg) -> Prepared {
    let exchange = if leg == Leg::Grpc {
        let message = GetProductRequest { id: id.to_owned() }.encode_to_vec();
        let mut body = vec![0];
        body.extend_from_slice(&(message.len() as u32).to_be_bytes());
        body.extend_from_slice(&message);
        Exchange {
            method: "POST".into(),
            path: "/inventory.InventoryService/GetProduct".into(),
            headers: vec![("content-type".into(), b"application/grpc".to_vec())],
            body: body.into(),
            answer: Answer::Message,
            mark: None,
        }
    } else {
        Exchange {
            method: "GET".into(),
            path: format!("/v1/products/{id}"),
            headers: vec![("accept".into(), b"application/json".to_vec())],
            body: Default::default(),
            answer: Answer::Message,
            mark: None,
        }
    };
    let operation = Operation {
        id: "get".into(),
        weight: 1,
        exchanges: vec![exchange],
        order: Order::Sequential,
        accepted: vec![Code::OK],
        timeout: Duration::from_secs(10),
    };
    Prepared {
        operations: vec![operation],
        watches: Vec::new(),
    }
}
