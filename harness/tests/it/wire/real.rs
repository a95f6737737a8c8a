//! Against the built-in service.

use super::*;
use crate::client::PRODUCT;
use crate::secure;
use crate::support::process::Server;
use crate::support::stocktake::serve;
use inventory_contract::inventory_service_client::InventoryServiceClient;
use inventory_contract::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, UpdateStockRequest, WatchStockRequest,
};
use prost::Message as _;
use std::io::{Read, Write};
use std::path::Path;
use stocktake::load::exchange::MARK_PREFIX;

const EIGHT: Shape = Shape {
    connections: 2,
    streams: 4,
};

/// The id of a product of the catalogue that the service begins with.
fn product(server: &Server) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut stub = InventoryServiceClient::connect(format!("http://{}", server.address))
            .await
            .unwrap();
        let listed = stub.list_products(ListProductsRequest::default()).await.unwrap();
        listed.into_inner().products[0].id.clone()
    })
}

fn get(leg: Leg, id: &str) -> Exchange {
    match leg {
        Leg::Grpc => grpc(
            "GetProduct",
            prefixed(&GetProductRequest { id: id.into() }.encode_to_vec()),
        ),
        _ => rest("GET", &format!("/v1/products/{id}"), ""),
    }
}

/// What must hold of every round that ended by itself.
fn check(leg: Leg, seen: &Seen, end: &RoundEnd) {
    let name = leg.name();
    assert_eq!(
        (end.done, end.scheduled),
        (seen.samples.len() as u64, end.done),
        "{name}: {end:?}"
    );
    let mut service = 0u128;
    for sample in &seen.samples {
        let Sample {
            intended,
            able,
            sent,
            first,
            done,
            ..
        } = *sample;
        assert!(
            intended <= able && able <= sent && sent <= first && first <= done,
            "{name}: {sample:?}"
        );
        service += u128::from(done - sent);
    }
    // Little's law: one counter against the samples.
    let (integral, service) = (end.in_flight_integral as f64, service as f64);
    assert!(
        (integral - service).abs() <= service * 0.001,
        "{name}: {integral} and {service}"
    );
    assert!(end.bytes.0 > 0 && end.elapsed > Duration::ZERO, "{name}: {end:?}");
}

#[test]
fn every_leg_sends_in_a_closed_loop() {
    let server = serve(&[]);
    let id = product(&server);
    for leg in Leg::ALL {
        let prepared = only(operation("get", vec![get(leg, &id)], LONG));
        let mut lane = lane(&endpoint(&server.address), leg, EIGHT, prepared);
        for _ in 0..2 {
            let (seen, end) = closed(&mut lane, 8, usize::MAX, Duration::from_millis(300));
            assert_eq!(
                seen.outcomes().into_keys().collect::<Vec<_>>(),
                [OK],
                "{}: {end:?}",
                leg.name()
            );
            assert!(
                seen.samples.len() >= 16 && end.failures.is_empty() && end.lost == 0,
                "{}: {end:?}",
                leg.name()
            );
            assert_eq!(end.opened == 0, leg != Leg::RestH1Close, "{}: {end:?}", leg.name());
            check(leg, &seen, &end);
            assert!(end.bytes.1 > 50 * end.done, "{}: {end:?}", leg.name());
            // In a closed loop a call is due when the one before it is over.
            let mut dones: Vec<u64> = seen.samples.iter().map(|sample| sample.done).collect();
            dones.sort_unstable();
            let later = seen.samples.iter().filter(|sample| sample.intended > 0);
            assert!(
                later
                    .clone()
                    .all(|sample| dones.binary_search(&sample.intended).is_ok()),
                "{}",
                leg.name()
            );
            assert_eq!(later.count(), seen.samples.len() - 8);
        }
        lane.close();
    }
}

#[test]
fn every_leg_sends_over_tls() {
    let folder = secure::setup();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let server = serve(&["--tls-cert", &path("cert.pem"), "--tls-key", &path("key.pem")]);
    let options = || Options {
        ca: Some(Path::new(&path("ca.pem")).to_path_buf()),
        ..Options::default()
    };
    let endpoint = endpoint_with(&format!("https://{}", server.address), options());
    for leg in Leg::ALL {
        // An id that is not there: the status says that the request came through whole.
        let prepared = only(Operation {
            accepted: vec![Code::NOT_FOUND],
            ..operation("get", vec![get(leg, "none")], LONG)
        });
        let mut lane = lane(&endpoint, leg, EIGHT, prepared);
        let (seen, end) = closed(&mut lane, 8, usize::MAX, Duration::from_millis(300));
        let outcomes: Vec<Outcome> = seen.outcomes().into_keys().collect();
        assert_eq!(outcomes, [Outcome::Status(Code::NOT_FOUND)], "{}: {end:?}", leg.name());
        assert!(end.failures.is_empty(), "{end:?}");
        check(leg, &seen, &end);
    }
    // Trust is checked here as in the client.
    let stranger = endpoint_with(&format!("https://{}", server.address), Options::default());
    let prepared = || only(operation("get", vec![get(Leg::Grpc, "none")], LONG));
    let error = connect(&stranger, Leg::Grpc, ONE, prepared())
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("an issuer that is not trusted"), "{error}");
}

#[test]
fn decoding_is_part_of_the_answer_on_every_leg() {
    const DECODING: Duration = Duration::from_millis(3);
    let server = serve(&["--log", "error"]);
    let (endpoint, id) = (endpoint(&server.address), product(&server));
    for leg in Leg::ALL {
        let prepared = only(operation("get", vec![get(leg, &id)], LONG));
        let mut lane = lane(&endpoint, leg, ONE, prepared);
        let mut seen = Seen::new(5);
        let stop = Arc::clone(&seen.stop);
        let mut decode = |_: usize, _: &[u8]| {
            // Not to wait for a state: it stands for the work.
            std::thread::sleep(DECODING);
            true
        };
        let round = Round {
            began: Instant::now(),
            arrivals: Arrivals::Closed { in_flight: 1 },
            until: LONG,
            mix: &mut || (0, 0),
            decode: Some(&mut decode),
            stop: &stop,
        };
        lane.run(round, &mut seen);
        assert!(seen.samples.len() >= 5, "{}", leg.name());
        for sample in &seen.samples {
            assert_eq!(sample.outcome, OK);
            let service = Duration::from_nanos(sample.done - sample.sent);
            assert!(service >= DECODING, "{}: {service:?}", leg.name());
        }
    }
}

#[test]
fn an_open_loop_sends_all_that_is_due_and_counts_from_when_it_was() {
    let server = serve(&[]);
    let id = product(&server);
    for leg in Leg::ALL {
        let prepared = only(operation("get", vec![get(leg, &id)], LONG));
        let mut lane = lane(&endpoint(&server.address), leg, EIGHT, prepared);
        let mut schedule = (0..400u64).map(|number| number * 1_000_000);
        let all: Vec<u64> = schedule.clone().collect();
        // What lies at the end of the schedule or beyond it is not sent.
        let until = Duration::from_millis(300);
        let (seen, end) = run(&mut lane, Arrivals::Open(&mut schedule), until, Seen::new(usize::MAX));
        assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 300)]), "{}: {end:?}", leg.name());
        let mut intended: Vec<u64> = seen.samples.iter().map(|sample| sample.intended).collect();
        intended.sort_unstable();
        assert_eq!(intended, all[..300]);
        check(leg, &seen, &end);
        assert!(end.elapsed >= Duration::from_millis(299), "{end:?}");
    }
}

#[test]
fn what_finds_no_place_waits_and_is_not_lost() {
    let server = serve(&["--simulate", "delay=100ms"]);
    for leg in [Leg::Grpc, Leg::RestH1] {
        let prepared = only(operation("get", vec![get(leg, "none")], LONG));
        let mut lane = lane(&endpoint(&server.address), leg, ONE, prepared);
        let (seen, end) = run(
            &mut lane,
            Arrivals::Open(&mut [0, 0, 0, 0].into_iter()),
            LONG,
            Seen::new(4),
        );
        assert_eq!(
            (seen.samples.len(), end.most_waiting),
            (4, 3),
            "{}: {end:?}",
            leg.name()
        );
        for (place, sample) in seen.samples.iter().enumerate() {
            let wait = sample.able - sample.intended;
            assert!(wait >= place as u64 * 100_000_000, "{}: {sample:?}", leg.name());
            assert!(sample.done - sample.sent >= 100_000_000);
        }
        // What is never sent because its time is over is told too.
        let prepared = only(operation("get", vec![get(leg, "none")], Duration::from_millis(250)));
        let mut lane = super::lane(&endpoint(&server.address), leg, ONE, prepared);
        let (seen, end) = run(
            &mut lane,
            Arrivals::Open(&mut std::iter::repeat_n(0, 10)),
            Duration::from_millis(1),
            Seen::new(usize::MAX),
        );
        assert_eq!((seen.samples.len(), end.done), (10, 10), "{end:?}");
        let unsent = seen.samples.iter().filter(|sample| sample.sent == sample.done);
        assert!(unsent.clone().count() >= 7 && end.sent <= 3, "{end:?}");
        assert!(
            unsent
                .into_iter()
                .all(|sample| sample.outcome == Outcome::Timeout && sample.done >= 250_000_000)
        );
    }
}

#[test]
fn a_call_that_takes_too_long_is_given_up_on_time() {
    let server = serve(&["--simulate", "delay=400ms"]);
    for leg in Leg::ALL {
        let timeout = Duration::from_millis(60);
        let prepared = only(operation("get", vec![get(leg, "none")], timeout));
        let mut lane = lane(&endpoint(&server.address), leg, ONE, prepared);
        let (seen, end) = closed(&mut lane, 1, usize::MAX, Duration::from_millis(100));
        assert!(seen.samples.len() >= 2, "{}: {end:?}", leg.name());
        for sample in &seen.samples {
            assert_eq!(sample.outcome, Outcome::Timeout, "{}", leg.name());
            assert!(sample.done - sample.sent <= 60_000_000, "{sample:?}");
        }
        assert_eq!(seen.samples[0].done - seen.samples[0].sent, 60_000_000);
        assert_eq!(end.failures, ["get: no answer in time"]);
        check(leg, &seen, &end);
    }
}

#[test]
fn a_body_larger_than_every_window_arrives() {
    let server = serve(&[]);
    let rows = 3000u32;
    let row = |number: u32| CreateProductRequest {
        name: "x".repeat(1500),
        sku: format!("SKU-{number}"),
        price: 1.0,
        stock_quantity: 1,
        ..CreateProductRequest::default()
    };
    let body: Vec<u8> = (0..rows)
        .flat_map(|number| prefixed(&row(number).encode_to_vec()))
        .collect();
    assert!(body.len() > 4 << 20);
    let lines: String = (0..rows)
        .map(|number| {
            format!(
                "{{\"name\":\"{}\",\"sku\":\"R-{number}\",\"price\":1}}\n",
                "x".repeat(1500)
            )
        })
        .collect();
    for leg in Leg::ALL {
        let exchange = match leg {
            Leg::Grpc => grpc("BulkImport", body.clone()),
            _ => {
                let mut exchange = rest("POST", "/v1/products:bulkImport", &lines);
                exchange.headers[1].1 = b"application/x-ndjson".to_vec();
                exchange
            }
        };
        let prepared = only(operation("import", vec![exchange], LONG));
        let mut lane = lane(&endpoint(&server.address), leg, ONE, prepared);
        let mut seen = Seen::new(2);
        let stop = Arc::clone(&seen.stop);
        let mut answers = Vec::new();
        let end = lane.run(
            Round {
                began: Instant::now(),
                arrivals: Arrivals::Open(&mut [0, 0].into_iter()),
                until: LONG,
                mix: &mut || (0, 0),
                decode: Some(&mut |operation, message: &[u8]| {
                    answers.push(message.to_vec());
                    operation == 0
                }),
                stop: &stop,
            },
            &mut seen,
        );
        assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 2)]), "{}: {end:?}", leg.name());
        assert_eq!(answers.len(), 2);
        let counts = |answer: &Vec<u8>| match leg {
            Leg::Grpc => {
                let answer = inventory_contract::BulkImportResponse::decode(answer.as_slice()).unwrap();
                (answer.imported_count, answer.failed_count)
            }
            _ => {
                let answer: serde_json::Value = serde_json::from_slice(answer).unwrap();
                let number = |name: &str| answer[name].as_i64().unwrap_or(0) as i32;
                (number("importedCount"), number("failedCount"))
            }
        };
        // The first import of these SKUs creates the products; each one after it is refused row by row.
        let first = matches!(leg, Leg::Grpc | Leg::RestH1);
        let expected = if first { (rows as i32, 0) } else { (0, rows as i32) };
        assert_eq!(counts(&answers[0]), expected, "{}", leg.name());
        assert_eq!(counts(&answers[1]), (0, rows as i32), "{}", leg.name());
        assert!(end.bytes.0 > 2 * (4 << 20));
    }
}

#[test]
fn a_server_that_dies_ends_its_calls_as_lost_and_the_round_goes_on() {
    for leg in Leg::ALL {
        let mut server = serve(&[]);
        let endpoint = endpoint(&server.address);
        let prepared = only(operation("get", vec![get(leg, "none")], Duration::from_secs(2)));
        let mut lane = lane(&endpoint, leg, EIGHT, prepared);
        let mut seen = Seen::new(usize::MAX);
        seen.each = Box::new(move |count| {
            if count == 20 {
                server.kill();
            }
        });
        let (seen, end) = run(
            &mut lane,
            Arrivals::Closed { in_flight: 8 },
            Duration::from_millis(1500),
            seen,
        );
        let outcomes = seen.outcomes();
        assert!(
            outcomes[&Outcome::Status(Code::NOT_FOUND)] >= 20,
            "{}: {outcomes:?}",
            leg.name()
        );
        assert_eq!(outcomes.len(), 2, "{}: {outcomes:?}", leg.name());
        let lost = outcomes[&Outcome::Lost];
        // Not one turn of the loop each: pauses lie between the attempts.
        assert!((8..3000).contains(&lost), "{}: {outcomes:?}", leg.name());
        assert!(
            end.failures
                .iter()
                .any(|words| words.contains("refused the connection")),
            "{}: {end:?}",
            leg.name()
        );
        assert!(end.elapsed >= Duration::from_millis(1000), "{end:?}");
        check(leg, &seen, &end);
    }
}

#[test]
fn the_peers_limit_of_streams_is_kept() {
    let server = serve(&["--max-streams", "3", "--simulate", "delay=20ms"]);
    let prepared = only(operation("get", vec![get(Leg::Grpc, "none")], LONG));
    let shape = Shape {
        connections: 1,
        streams: 10,
    };
    let mut lane = lane(&endpoint(&server.address), Leg::Grpc, shape, prepared);
    let (seen, end) = closed(&mut lane, 10, usize::MAX, Duration::from_millis(200));
    assert_eq!(
        (end.peer_streams, end.peer_limit_reached, end.lost),
        (Some(3), true, 0),
        "{end:?}"
    );
    let outcomes: Vec<Outcome> = seen.outcomes().into_keys().collect();
    assert_eq!(outcomes, [Outcome::Status(Code::NOT_FOUND)], "{end:?}");
    let mean = end.in_flight_integral as f64 / end.elapsed.as_nanos() as f64;
    assert!((1.0..=3.001).contains(&mean), "{mean} in flight");
}

#[test]
fn marked_writes_are_found_in_a_watch() {
    let server = serve(&[]);
    let id = product(&server);
    for leg in [Leg::Grpc, Leg::RestH2, Leg::RestH1] {
        let reason = format!("{MARK_PREFIX}{}", "0".repeat(16));
        let request = UpdateStockRequest {
            id: id.clone(),
            quantity_change: 1,
            reason: reason.clone(),
        };
        let (mut update, watch) = match leg {
            Leg::Grpc => (
                grpc("UpdateStock", prefixed(&request.encode_to_vec())),
                grpc(
                    "WatchStockChanges",
                    prefixed(&WatchStockRequest::default().encode_to_vec()),
                ),
            ),
            _ => {
                let body = format!("{{\"quantityChange\":1,\"reason\":\"{reason}\"}}");
                let path = format!("/v1/products/{id}:updateStock");
                (rest("POST", &path, &body), rest("GET", "/v1/stock:watch", ""))
            }
        };
        let body = update.body.to_vec();
        update.mark = body
            .windows(MARK_PREFIX.len())
            .position(|window| window == MARK_PREFIX.as_bytes());
        let prepared = Prepared {
            operations: vec![operation("update", vec![update], LONG)],
            watches: vec![streaming(watch, Enough::ItsEnd)],
        };
        let mut lane = lane(&endpoint(&server.address), leg, ONE, prepared);
        // The watch of the second round is another one.
        for _ in 0..2 {
            let mut schedule = (0..50u64).map(|number| number * 4_000_000);
            lane.ready();
            let (seen, end) = run(
                &mut lane,
                Arrivals::Open(&mut schedule),
                Duration::from_millis(400),
                Seen::new(usize::MAX),
            );
            assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 50)]), "{}: {end:?}", leg.name());
            assert_eq!((end.watches_ended, end.opened), (0, 0), "{}: {end:?}", leg.name());
            let mut delivered = Vec::new();
            for moment in &seen.moments {
                let Moment::Delivery {
                    operation: 0,
                    intended,
                    at,
                } = moment
                else {
                    panic!("{moment:?}")
                };
                assert!(at >= intended);
                delivered.push(*intended);
            }
            // The watch is open before the first write is sent; the last delivery may come after the round's last answer.
            assert!(
                delivered.len() >= 45,
                "{}: {} deliveries, {end:?}",
                leg.name(),
                delivered.len()
            );
            assert!(
                delivered
                    .iter()
                    .all(|intended| intended % 4_000_000 == 0 && *intended < 200_000_000)
            );
        }
    }
}

#[test]
fn a_stream_that_is_enough_is_ok_and_is_cancelled() {
    let server = serve(&["--probe-listen", "127.0.0.1:0"]);
    let id = product(&server);
    for leg in [Leg::Grpc, Leg::RestH2, Leg::RestH1] {
        let watch = match leg {
            Leg::Grpc => grpc(
                "WatchStockChanges",
                prefixed(&WatchStockRequest::default().encode_to_vec()),
            ),
            _ => rest("GET", "/v1/stock:watch", ""),
        };
        let enough = Enough::Time(Duration::from_millis(50));
        let prepared = only(operation("watch", vec![streaming(watch.clone(), enough)], LONG));
        let mut lane = lane(&endpoint(&server.address), leg, ONE, prepared);
        let (seen, end) = closed(&mut lane, 1, usize::MAX, Duration::from_millis(120));
        assert_eq!(
            seen.outcomes().into_keys().collect::<Vec<_>>(),
            [OK],
            "{}: {end:?}",
            leg.name()
        );
        for sample in &seen.samples {
            let took = sample.done - sample.sent;
            assert!(
                took >= 50_000_000 && sample.messages == 0 && sample.first == sample.done,
                "{sample:?}"
            );
        }
        check(leg, &seen, &end);

        // Two messages of a watch, made by writes beside it.
        let update = match leg {
            Leg::Grpc => {
                let request = UpdateStockRequest {
                    id: id.clone(),
                    quantity_change: 1,
                    reason: String::new(),
                };
                grpc("UpdateStock", prefixed(&request.encode_to_vec()))
            }
            _ => rest(
                "POST",
                &format!("/v1/products/{id}:updateStock"),
                "{\"quantityChange\":1}",
            ),
        };
        let prepared = Prepared {
            operations: vec![
                operation("watch", vec![streaming(watch, Enough::Messages(2))], LONG),
                operation("update", vec![update], LONG),
            ],
            watches: Vec::new(),
        };
        let shape = Shape {
            connections: 2,
            streams: 1,
        };
        let mut lane = super::lane(&endpoint(&server.address), leg, shape, prepared);
        let mut seen = Seen::new(usize::MAX);
        let stop = Arc::clone(&seen.stop);
        let mut sent = 0;
        lane.run(
            Round {
                began: Instant::now(),
                arrivals: Arrivals::Open(&mut (0..100).map(|number| number * 5_000_000)),
                until: LONG,
                mix: &mut || {
                    sent += 1;
                    (usize::from(sent > 1), 0)
                },
                decode: None,
                stop: &stop,
            },
            &mut seen,
        );
        let watched: Vec<&Sample> = seen.samples.iter().filter(|sample| sample.operation == 0).collect();
        assert_eq!(watched.len(), 1, "{}", leg.name());
        let watched = watched[0];
        assert_eq!((watched.outcome, watched.messages), (OK, 2), "{}", leg.name());
        assert!(
            watched.first > watched.sent && watched.first < watched.done,
            "{watched:?}"
        );
        let [Moment::Gap { operation: 0, at, gap }] = seen.moments.as_slice() else {
            panic!("{:?}", seen.moments)
        };
        assert_eq!((*at, *gap), (watched.done, watched.done - watched.first));
    }
}

#[test]
fn what_cannot_be_sent_or_reached_is_told_before_the_run() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for leg in [Leg::Grpc, Leg::RestH2, Leg::RestH1] {
        let prepared = only(operation("get", vec![get(leg, "x")], LONG));
        let error = connect(&endpoint(&nobody.to_string()), leg, ONE, prepared)
            .err()
            .unwrap();
        assert!(error.to_string().contains("refused the connection"), "{error}");
    }
    for (answer, part) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "answers HTTP/1.1 only (`HTTP/1.1 400 Bad Request`)",
        ),
        (b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS: write https://"),
        (
            b"SSH-2.0-x y z\r\n",
            "speaks neither HTTP/2 nor TLS: it sent `SSH-2.0-x y z`",
        ),
        (b"", "closed the connection"),
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                // All that the client begins with: what is left unread would reset the connection.
                let mut preface = [0; 24 + 9 + 12 + 13];
                let _ = stream.read_exact(&mut preface);
                let _ = stream.write_all(answer);
            }
        });
        let prepared = only(operation("get", vec![get(Leg::Grpc, "x")], LONG));
        let error = connect(&endpoint(&address), Leg::Grpc, ONE, prepared)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
    let mut exchange = grpc("GetProduct", PRODUCT.to_vec());
    exchange.headers.push(("x-a".into(), b"b\r\nc: d".to_vec()));
    let error = connect(
        &endpoint(&nobody.to_string()),
        Leg::Grpc,
        ONE,
        only(operation("get", vec![exchange], LONG)),
    );
    let text = error.err().unwrap().to_string();
    assert!(text.contains("`x-a` has control characters"), "{text}");
    let exchange = Exchange {
        mark: Some(3),
        ..rest("POST", "/v1/x", "{}")
    };
    let error = connect(
        &endpoint(&nobody.to_string()),
        Leg::RestH1,
        ONE,
        only(operation("get", vec![exchange], LONG)),
    );
    let text = error.err().unwrap().to_string();
    assert!(text.contains("no `st-mark-` and 16 digits at byte 3"), "{text}");
}
