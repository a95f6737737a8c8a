//! What is open beside the calls, and connections that end while no round is on.

use super::scripted::{field, frame, good_head};
use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// What a peer has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Watch,
    Call,
    /// A stream was reset, with this code.
    Reset(u32),
}

/// A peer of HTTP/2 that answers calls, and says of watches that they are open.
struct Peer {
    address: String,
    events: Receiver<Event>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    /// Ends each watch right away, or with the first call.
    ends: Arc<Mutex<Ends>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Never,
    AtOnce,
    WithACall,
}

const CANCEL: u32 = 8;

/// The messages of watches and of calls.
const BODIES: [&[u8]; 2] = [b"w", b"c"];

fn peer(ends: Ends) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, events) = sync_channel(1000);
    let (connections, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(ends)));
    let peer = Peer {
        address,
        events,
        connections: Arc::clone(&connections),
        ends: Arc::clone(&ends),
    };
    // The watch that a call is to end.
    let watch: Arc<Mutex<Option<(TcpStream, u32)>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // What is written first arrives first, also on another connection.
            stream.set_nodelay(true).unwrap();
            connections.lock().unwrap().push(stream.try_clone().unwrap());
            let (told, ends, watch) = (told.clone(), Arc::clone(&ends), Arc::clone(&watch));
            std::thread::spawn(move || serve(stream, &told, &ends, &watch));
        }
    });
    peer
}

fn serve(
    mut stream: TcpStream,
    told: &SyncSender<Event>,
    ends: &Mutex<Ends>,
    watch: &Mutex<Option<(TcpStream, u32)>>,
) -> Option<()> {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    stream.write_all(&frame(4, 0, 0, &[])).ok()?;
    let trailers = |id, code| frame(1, 5, id, &field("grpc-status", code));
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        stream.read_exact(&mut payload).ok()?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let answer = match (head[3], payload.last()) {
            (4, _) if head[4] == 0 => frame(4, 1, 0, &[]),
            (3, _) => {
                told.send(Event::Reset(u32::from_be_bytes(payload.try_into().ok()?)))
                    .ok()?;
                continue;
            }
            (0, Some(b'w')) => {
                told.send(Event::Watch).ok()?;
                let mut answer = frame(1, 4, id, &good_head());
                match *ends.lock().unwrap() {
                    Ends::AtOnce => answer.extend(trailers(id, "4")),
                    _ => *watch.lock().unwrap() = Some((stream.try_clone().ok()?, id)),
                }
                answer
            }
            (0, _) => {
                told.send(Event::Call).ok()?;
                if *ends.lock().unwrap() == Ends::WithACall
                    && let Some((mut stream, id)) = watch.lock().unwrap().take()
                {
                    stream.write_all(&trailers(id, "4")).ok()?;
                }
                let head = frame(1, 4, id, &good_head());
                [head, frame(0, 0, id, &prefixed(b"m")), trailers(id, "0")].concat()
            }
            _ => continue,
        };
        stream.write_all(&answer).ok()?;
    }
}

impl Peer {
    fn lane(&self) -> Lane {
        let [watch, call] = BODIES.map(|body| grpc("A", prefixed(body)));
        let prepared = Prepared {
            operations: vec![operation("call", vec![call], LONG)],
            watches: vec![streaming(watch, Enough::ItsEnd)],
        };
        lane(&endpoint(&self.address), Leg::Grpc, ONE, prepared)
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(LONG).unwrap()
    }
}

#[test]
fn watches_are_open_in_rounds_alone() {
    let peer = peer(Ends::Never);
    let mut lane = peer.lane();
    for is_made_ready in [true, false, true] {
        if is_made_ready {
            lane.ready();
        }
        let mut schedule = (0..2u64).map(|number| number * 1_000_000);
        let arrivals = Arrivals::Open(&mut schedule);
        let (seen, end) = run(&mut lane, arrivals, Duration::from_millis(10), Seen::new(usize::MAX));
        assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 2)]), "{end:?}");
        assert_eq!((end.watches_ended, end.opened, end.lost), (0, 0, 0), "{end:?}");
        let events: Vec<Event> = (0..4).map(|_| peer.next()).collect();
        assert_eq!(events, [Event::Watch, Event::Call, Event::Call, Event::Reset(CANCEL)]);
    }
}

#[test]
fn a_watch_that_ends_is_counted_and_opened_again_for_the_next_round() {
    for ends in [Ends::AtOnce, Ends::WithACall] {
        let peer = peer(ends);
        let mut lane = peer.lane();
        let (_, end) = closed(&mut lane, 1, 3, LONG);
        assert_eq!(end.watches_ended, 1, "{ends:?}: {end:?}");
        assert_eq!(end.failures, ["a watch ended: DEADLINE_EXCEEDED"], "{ends:?}");
        *peer.ends.lock().unwrap() = Ends::Never;
        let (seen, end) = closed(&mut lane, 1, 3, LONG);
        assert_eq!(seen.samples.len(), 3);
        assert_eq!((end.watches_ended, end.failures.len()), (0, 0), "{ends:?}: {end:?}");
    }
}

#[test]
fn what_closed_between_rounds_is_open_again_before_the_next() {
    let peer = peer(Ends::Never);
    let mut lane = peer.lane();
    for _ in 0..3 {
        lane.ready();
        let (seen, end) = closed(&mut lane, 1, 2, LONG);
        assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 2)]), "{end:?}");
        assert_eq!(
            (end.opened, end.lost, end.watches_ended, end.failures.len()),
            (0, 0, 0, 0),
            "{end:?}"
        );
        for connection in peer.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// The lines of the first request of each connection; each is answered.
fn heads() -> (String, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (told, heads) = sync_channel(100);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let lines = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
                let lines: Vec<String> = lines.collect();
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
                let _ = stream.write_all(answer);
                let _ = told.send(lines);
            });
        }
    });
    (address, heads)
}

fn with_metadata(address: &str, metadata: &[(&str, &[u8])]) -> Endpoint {
    let metadata = metadata
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
        .collect();
    let options = Options {
        metadata,
        ..Options::default()
    };
    endpoint_with(&format!("http://{address}"), options)
}

#[test]
fn metadata_is_encoded_once_and_what_the_client_says_is_replaced() {
    let (address, heads) = heads();
    let mut exchange = rest("GET", "/v1/x", "");
    // As `prepare` makes it.
    exchange.headers.push(("x-of-call-bin".into(), b"aGk".to_vec()));
    exchange.headers.push(("user-agent".into(), b"stocktake".to_vec()));
    exchange.headers.push(("x-both".into(), b"1".to_vec()));
    let endpoint = with_metadata(
        &address,
        &[
            ("x-of-all-bin", b"hi"),
            ("User-Agent", b"mine"),
            ("accept", b"text/plain"),
            ("x-both", b"2"),
        ],
    );
    let mut lane = lane(
        &endpoint,
        Leg::RestH1,
        ONE,
        only(operation("get", vec![exchange], LONG)),
    );
    let (seen, end) = closed(&mut lane, 1, 1, LONG);
    assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 1)]), "{end:?}");
    let mut lines = heads.recv_timeout(LONG).unwrap();
    lines.sort();
    let host = format!("host: {address}");
    assert_eq!(
        lines,
        [
            "GET /v1/x HTTP/1.1",
            "accept: text/plain",
            host.as_str(),
            "user-agent: mine",
            "x-both: 1",
            "x-both: 2",
            "x-of-all-bin: aGk",
            "x-of-call-bin: aGk"
        ]
    );
}

#[test]
fn metadata_that_belongs_to_http_is_refused_without_its_value() {
    for name in [
        "Host",
        "te",
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
    ] {
        for leg in Leg::ALL {
            let exchange = match leg {
                Leg::Grpc => grpc("A", prefixed(b"c")),
                _ => rest("GET", "/v1/x", ""),
            };
            let endpoint = with_metadata("127.0.0.1:1", &[(name, b"secret")]);
            let prepared = only(operation("get", vec![exchange], LONG));
            let error = connect(&endpoint, leg, ONE, prepared).err().unwrap().to_string();
            let wanted = format!("the metadata `{}` belongs to HTTP", name.to_ascii_lowercase());
            assert!(error.contains(&wanted) && !error.contains("secret"), "{error}");
        }
    }
}
