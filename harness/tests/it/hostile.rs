//! Readers that never read and bytes that mean nothing: the service stays within bounds and goes on serving. Small by
//! default; `STOCKTAKE_HOSTILE_READERS` and `STOCKTAKE_HOSTILE_SECONDS` for more, `STOCKTAKE_HOSTILE_SEED` for other bytes.

use crate::support::{process::Server, random::Random, stocktake::serve};
use bytes::Bytes;
use h2::client::{Connection, ResponseFuture, SendRequest};
use http::Request;
use inventory_contract::{CreateProductRequest, ListProductsRequest, Product, UpdateStockRequest, WatchStockRequest};
use prost::Message;
use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
    task::JoinSet,
    time::timeout,
};

/// How long any answer to an honest call may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Streams a connection, below what the server allows.
const STREAMS: usize = 500;

/// Memory that the server may take beside what the readers may: its catalogue, its threads, what the fuzzers have open.
const BASE: usize = 192 << 20;

/// Memory that each reader may cost: what waits in its stream and in its queue, and what every stream costs.
const READER: usize = 64 << 10;

fn number(name: &str, default: usize) -> usize {
    env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Resident bytes of a process.
fn resident(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// What a reader of HTTP/2 offers to take, and whether it takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Windows as large as they can be, and nothing is read from the socket once the streams are open.
    Deaf,
    /// The smallest windows of usual clients, and none is ever opened again.
    Full,
}

fn framed(message: &impl Message) -> Bytes {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
    message.encode(&mut frame).unwrap();
    frame.into()
}

fn call(method: &str) -> Request<()> {
    Request::post(format!("http://localhost/inventory.InventoryService/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

fn send(client: &mut SendRequest<Bytes>, method: &str, message: Bytes) -> ResponseFuture {
    let (answer, mut body) = client.send_request(call(method), false).unwrap();
    body.send_data(message, true).unwrap();
    answer
}

async fn connect(address: &str, reader: Reader) -> (SendRequest<Bytes>, Connection<TcpStream>) {
    let window = match reader {
        Reader::Deaf => (1 << 31) - 1,
        Reader::Full => 65_535,
    };
    let stream = TcpStream::connect(address).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder
        .initial_window_size(window)
        .initial_connection_window_size(window);
    builder.handshake(stream).await.unwrap()
}

/// An honest client.
struct Honest(SendRequest<Bytes>);

impl Honest {
    async fn connect(address: &str) -> Honest {
        let (client, connection) = connect(address, Reader::Full).await;
        tokio::spawn(connection);
        Honest(client)
    }

    /// The message of the answer; fails when it does not come.
    async fn call<M: Message + Default>(&mut self, method: &str, message: &impl Message) -> M {
        let mut client = self.0.clone().ready().await.unwrap();
        let answer = send(&mut client, method, framed(message));
        let answered = async {
            let response = answer.await.unwrap();
            assert!(
                !response.headers().contains_key("grpc-status"),
                "{method}: {:?}",
                response.headers()
            );
            let mut body = response.into_body();
            let mut data = Vec::new();
            while let Some(piece) = body.data().await {
                let piece = piece.unwrap();
                body.flow_control().release_capacity(piece.len()).unwrap();
                data.extend(piece);
            }
            M::decode(&data[5..]).unwrap()
        };
        timeout(PATIENCE, answered)
            .await
            .expect("an honest call was not answered")
    }

    async fn create(&mut self, sku: &str) -> Product {
        let wanted = CreateProductRequest {
            name: "wanted".to_owned(),
            sku: sku.to_owned(),
            category: "hostile".to_owned(),
            price: 1.0,
            stock_quantity: 1,
            description: "d".repeat(100),
        };
        self.call("CreateProduct", &wanted).await
    }

    /// Updates with a reason of so many bytes.
    async fn update(&mut self, product: &Product, times: usize, bytes: usize) {
        for number in 0..times {
            let change = UpdateStockRequest {
                id: product.id.clone(),
                quantity_change: if number.is_multiple_of(2) { 1 } else { -1 },
                reason: "r".repeat(bytes),
            };
            self.call::<Product>("UpdateStock", &change).await;
        }
    }
}

/// A connection with many streams that are open and not read; it lives until the task is aborted.
async fn unread(
    address: String,
    reader: Reader,
    streams: usize,
    open: Arc<AtomicUsize>,
    mut closing: watch::Receiver<()>,
) {
    let (mut client, mut connection) = connect(&address, reader).await;
    let mut answers = Vec::new();
    let opening = async {
        for number in 0..streams {
            client = client.clone().ready().await.unwrap();
            // One in ten wants a page of the catalogue instead.
            answers.push(if number % 10 == 9 {
                let page = ListProductsRequest {
                    page_size: 100,
                    ..ListProductsRequest::default()
                };
                send(&mut client, "ListProducts", framed(&page))
            } else {
                send(&mut client, "WatchStockChanges", framed(&WatchStockRequest::default()))
            });
        }
        let mut bodies = Vec::new();
        for answer in &mut answers {
            bodies.push(answer.await.unwrap().into_body());
            open.fetch_add(1, Ordering::Relaxed);
        }
        bodies
    };
    let bodies = tokio::select! {
        bodies = opening => bodies,
        ended = &mut connection => panic!("{ended:?}"),
    };
    match reader {
        Reader::Deaf => closing.changed().await.unwrap(),
        Reader::Full => {
            tokio::select! {
                changed = closing.changed() => changed.unwrap(),
                ended = connection => panic!("{ended:?}"),
            }
        }
    }
    drop(bodies);
}

/// A watch over HTTP/1.1 that is open and not read; it lives until the task is aborted.
async fn unread_lines(address: String, open: Arc<AtomicUsize>, mut closing: watch::Receiver<()>) {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = "GET /v1/stock:watch HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    open.fetch_add(1, Ordering::Relaxed);
    closing.changed().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_never_read_and_noise_leave_the_service_within_bounds() {
    let (readers, seconds) = (
        number("STOCKTAKE_HOSTILE_READERS", 400),
        number("STOCKTAKE_HOSTILE_SECONDS", 2),
    );
    let seed = number("STOCKTAKE_HOSTILE_SEED", 1);
    let mut server = serve(&["--log", "warn"]);
    let address = server.address.clone();
    let mut honest = Honest::connect(&address).await;
    let product = honest.create("watched").await;
    for number in 0..100 {
        honest.create(&format!("listed-{number}")).await;
    }
    let start = resident(&server);

    let (close, closing) = watch::channel(());
    let open = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    // One in ten by HTTP/1.1, which is a connection each.
    let by_lines = readers / 10;
    for _ in 0..by_lines {
        tasks.spawn(unread_lines(address.clone(), open.clone(), closing.clone()));
    }
    let streams = readers - by_lines;
    let connections = streams.div_ceil(STREAMS).max(2);
    let kinds = [Reader::Deaf, Reader::Full].into_iter().cycle();
    for (connection, reader) in (0..connections).zip(kinds) {
        let streams = streams / connections + usize::from(connection < streams % connections);
        tasks.spawn(unread(address.clone(), reader, streams, open.clone(), closing.clone()));
    }
    timeout(PATIENCE, async {
        while open.load(Ordering::Relaxed) < readers {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("not every stream was opened");
    let opened = resident(&server);

    // More than any queue takes, small and large.
    honest.update(&product, 2500, 100).await;
    honest.update(&product, 20, 1 << 20).await;
    let behind = resident(&server);

    let until = Instant::now() + Duration::from_secs(seconds as u64);
    let mut noise = JoinSet::new();
    for number in 0..4 {
        noise.spawn(fuzz(address.clone(), Random((seed * 4 + number + 1) as u64), until));
    }
    let mut rounds = 0;
    while let Some(made) = noise.join_next().await {
        rounds += made.unwrap();
    }
    assert!(rounds > 50, "{rounds} rounds of noise");
    let fuzzed = resident(&server);

    let served = Instant::now();
    let mut fresh = Honest::connect(&address).await;
    fresh.update(&product, 1, 10).await;
    let mib = |bytes: usize| bytes >> 20;
    let told = format!(
        "{readers} readers: {} MiB at the start, {} opened, {} when behind; {} after {rounds} rounds of noise in {seconds} s; \
         answered in {:?}",
        mib(start),
        mib(opened),
        mib(behind),
        mib(fuzzed),
        served.elapsed()
    );
    println!("{told}");
    let bound = BASE + readers * READER;
    assert!(
        opened.max(behind).max(fuzzed) <= bound,
        "{told}; at most {} MiB",
        mib(bound)
    );
    close.send(()).unwrap();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let log = server.kill();
    assert!(!log.contains("panicked"), "{log}");
}

/// What a client might mean to send.
const PATHS: [&str; 12] = [
    "/inventory.InventoryService/GetProduct",
    "/inventory.InventoryService/ListProducts",
    "/inventory.InventoryService/CreateProduct",
    "/inventory.InventoryService/UpdateStock",
    "/inventory.InventoryService/WatchStockChanges",
    "/inventory.InventoryService/BulkImport",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/v1/products",
    "/v1/products/a:updateStock",
    "/v1/stock:watch?threshold=1",
    "/v1/products:bulkImport",
];

/// Names and values that mean something to somebody.
const NAMES: [&str; 12] = [
    "content-type",
    "content-length",
    "transfer-encoding",
    "grpc-timeout",
    "grpc-encoding",
    "x-stocktake-heartbeat",
    "authorization",
    "te",
    "host",
    "expect",
    "connection",
    "x-anything-bin",
];
const VALUES: [&str; 16] = [
    "application/grpc",
    "application/json",
    "application/grpc+proto; x",
    "0",
    "-1",
    "18446744073709551616",
    "chunked",
    "chunked, chunked",
    "99999999H",
    "1n",
    "gzip",
    "100ms",
    "Bearer \u{7f}",
    "100-continue",
    "upgrade, close",
    "é",
];
const JSON: [&str; 16] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\"sku\"",
    "\"price\":",
    "1e999",
    "-0",
    "NaN",
    "\"\\ud800\"",
    "null",
    "\n",
    "\u{0}",
];

/// Noise until then, of all kinds in turn; how many rounds of it.
async fn fuzz(address: String, mut random: Random, until: Instant) -> usize {
    let mut rounds = 0;
    while Instant::now() < until {
        let bytes = match rounds % 4 {
            0 => frames(&mut random),
            1 => mutated(&mut random),
            2 => text(&mut random),
            _ => (0..random.below(300)).map(|_| random.next() as u8).collect(),
        };
        let round = async {
            let mut stream = TcpStream::connect(&address).await?;
            stream.write_all(&bytes).await?;
            let mut answer = [0; 4096];
            // Some answers come; some requests wait for more than is sent.
            let _ = timeout(Duration::from_millis(10), stream.read(&mut answer)).await;
            if random.below(4) == 0 {
                stream.shutdown().await?;
            }
            std::io::Result::Ok(())
        };
        // A server may close at any byte.
        let _ = round.await;
        if rounds % 8 == 7 {
            grpc(&address, &mut random).await;
        }
        rounds += 1;
    }
    rounds
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block of literals without indexing (RFC 7541 section 6.2.2).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        for text in [name, value] {
            if text == name {
                block.push(0);
            }
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.bytes());
        }
    }
    block
}

/// The bytes of a call that means something.
fn conversation(random: &mut Random) -> Vec<u8> {
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for stream in [1, 3] {
        let path = random.of(&PATHS);
        let fields = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "localhost"),
            ("content-type", *random.of(&VALUES[..3])),
            ("te", "trailers"),
        ];
        bytes.extend(frame(1, 4, stream, &block(&fields)));
        bytes.extend(frame(0, 1, stream, &framed(&WatchStockRequest::default())));
    }
    bytes
}

/// A call with a few bytes changed, cut or repeated.
fn mutated(random: &mut Random) -> Vec<u8> {
    let mut bytes = conversation(random);
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        match random.below(4) {
            0 => bytes[at] = random.next() as u8,
            1 => bytes.truncate(at.max(1)),
            2 => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
            _ => bytes.insert(at, random.next() as u8),
        }
    }
    bytes
}

/// Frames of every type with any flags, on any stream.
fn frames(random: &mut Random) -> Vec<u8> {
    let mut bytes = match random.below(2) {
        0 => conversation(random),
        _ => [PREFACE.to_vec(), frame(4, 0, 0, &[])].concat(),
    };
    for _ in 0..random.below(100) {
        let length = *random.of(&[0, 1, 4, 5, 6, 8, 40, 3000, 17_000]);
        let payload: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let (kind, flags) = (random.below(12) as u8, random.next() as u8);
        let stream = *random.of(&[0, 1, 2, 3, 5, 7, 0x7fff_ffff, 0xffff_ffff]);
        bytes.extend(frame(kind, flags, stream, &payload));
    }
    bytes
}

/// HTTP/1.1 with odd headers and a body of JSON's pieces.
fn text(random: &mut Random) -> Vec<u8> {
    let body: String = (0..random.below(60)).map(|_| *random.of(&JSON)).collect();
    let (verb, path) = (
        random.of(&["GET", "POST", "HEAD", "PUT", "OPTIONS", "PRI", "G\0T"]),
        random.of(&PATHS),
    );
    let mut head = format!("{verb} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for _ in 0..random.below(8) {
        head += &format!("{}: {}\r\n", random.of(&NAMES), random.of(&VALUES));
    }
    match random.below(3) {
        0 => head += &format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len()),
        1 => head += &format!("x-long: {}\r\n", "l".repeat(random.below(40_000))),
        _ => {}
    }
    format!("{head}\r\n{body}").into_bytes()
}

/// Calls that HTTP/2 allows, whose headers and messages nobody understands.
async fn grpc(address: &str, random: &mut Random) {
    let Ok(stream) = TcpStream::connect(address).await else {
        return;
    };
    let Ok((client, connection)) = h2::client::handshake(stream).await else {
        return;
    };
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..random.below(20) {
        let mut request = Request::post(format!("http://localhost{}", random.of(&PATHS)));
        for _ in 0..random.below(6) {
            request = request.header(*random.of(&NAMES), *random.of(&VALUES));
        }
        let (Ok(request), Ok(mut client)) = (request.body(()), client.clone().ready().await) else {
            continue;
        };
        let Ok((answer, mut body)) = client.send_request(request, false) else {
            continue;
        };
        let mut message: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
        if random.below(2) == 0 {
            // A prefix that tells the truth, or nearly.
            let length = (message.len() + random.below(2)) as u32;
            message.splice(0..0, [&[random.below(2) as u8], &length.to_be_bytes()[..]].concat());
        }
        let _ = body.send_data(message.into(), random.below(4) != 0);
        answers.push((answer, body));
    }
    for (answer, _) in answers {
        let _ = timeout(Duration::from_millis(5), answer).await;
    }
    connection.abort();
}
