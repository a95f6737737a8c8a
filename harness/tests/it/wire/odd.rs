//! Odd answers, told alike by the client and by the load tier. The client looks closer: it names what the load tier only counts.

use super::scripted::{field, frame, good_head, scripted};
use super::*;
use crate::client::{
    PRODUCT, answer, call, chunked, client, framed, get, h2_peer, head, peer, rest_get, rest_watch, saying, trailers,
    watch,
};
use h2::Reason;
use http::Response;
use std::net::SocketAddr;
use stocktake::client::{Layer, Observation, Protocol, collect};
use tokio::io::AsyncWriteExt;

/// What the load tier has to say where the client has seen this.
fn expected(seen: &Observation) -> Outcome {
    let says = |part: &&str| seen.violations.iter().any(|violation| violation.contains(part));
    let made_up = [
        "no grpc-status",
        "without grpc-status",
        "none of 0 to 16",
        "is compressed",
        "begins with the byte",
        "the client takes at most",
        "messages on a unary OK",
        "without JSON",
        "is no inventory.",
        "where JSON should begin",
    ];
    match seen.layer {
        Layer::Client => Outcome::Timeout,
        Layer::Transport if says(&"broke the rules of HTTP/2") => Outcome::Garbled,
        Layer::Transport if seen.http.reset.is_none() => Outcome::Lost,
        Layer::Application if made_up.iter().any(says) => Outcome::Garbled,
        Layer::Application if says(&"ended within") && seen.status.code == Code::INTERNAL => Outcome::Garbled,
        Layer::Application | Layer::Proxy | Layer::Transport => Outcome::Status(seen.status.code),
    }
}

/// One call of the load tier to a peer of this test.
async fn sent(address: SocketAddr, leg: Leg, exchange: Exchange) -> Outcome {
    let sent = tokio::task::spawn_blocking(move || {
        let is_json = leg != Leg::Grpc;
        let prepared = only(operation("odd", vec![exchange], LONG));
        let target = endpoint(&address.to_string());
        let mut lane = match connect(&target, leg, ONE, prepared) {
            Ok(lane) => lane,
            // The client connects with the call, and a peer that speaks something else fails it.
            Err(WireError::Connect(_)) => return Outcome::Lost,
            Err(error) => panic!("{error}"),
        };
        let mut seen = Seen::new(usize::MAX);
        let stop = AtomicBool::new(false);
        let round = Round {
            began: Instant::now(),
            arrivals: Arrivals::Open(&mut [0].into_iter()),
            until: LONG,
            mix: &mut || (0, 0),
            decode: Some(&mut |_, message: &[u8]| match is_json {
                true => serde_json::from_slice::<serde_json::Value>(message).is_ok_and(|value| value.is_object()),
                false => message != b"\x0a\xff",
            }),
            stop: &stop,
        };
        let end = lane.run(round, &mut seen);
        assert_eq!((seen.samples.len(), end.done), (1, 1), "{end:?}");
        let outcome = seen.samples[0].outcome;
        assert_eq!(outcome == OK, end.failures.is_empty(), "{end:?}");
        outcome
    });
    sent.await.unwrap()
}

async fn sent_get(address: SocketAddr) -> Outcome {
    sent(address, Leg::Grpc, grpc("GetProduct", framed(0, b""))).await
}

async fn sent_watch(address: SocketAddr) -> Outcome {
    let watch = streaming(grpc("WatchStockChanges", framed(0, b"")), Enough::ItsEnd);
    sent(address, Leg::Grpc, watch).await
}

async fn sent_rest(address: SocketAddr, stream: bool) -> Outcome {
    let exchange = match stream {
        true => streaming(rest("GET", "/v1/stock:watch", ""), Enough::ItsEnd),
        false => rest("GET", "/v1/products/p-1", ""),
    };
    sent(address, Leg::RestH1, exchange).await
}

fn status(code: Code) -> Outcome {
    Outcome::Status(code)
}

type Fields = &'static [(&'static str, &'static str)];

/// A head of these fields, DATA, and trailers; without trailers DATA ends the stream, without DATA the head does.
async fn answering(http: u16, fields: Fields, data: &'static [&'static [u8]], end: Option<Fields>) -> SocketAddr {
    h2_peer(move |_, mut respond| async move {
        let mut response = Response::builder().status(http);
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let response = response.body(()).unwrap();
        let mut body = respond
            .send_response(response, data.is_empty() && end.is_none())
            .unwrap();
        for (number, part) in data.iter().enumerate() {
            let last = end.is_none() && number + 1 == data.len();
            body.send_data(Bytes::from_static(part), last).unwrap();
        }
        if let Some(end) = end {
            body.send_trailers(trailers(end)).unwrap();
        }
    })
    .await
}

const GRPC: Fields = &[("content-type", "application/grpc")];
const MESSAGE: &[u8] = b"\0\0\0\0\x05\x0a\x03p-1";
const DONE: Option<Fields> = Some(&[("grpc-status", "0")]);

#[tokio::test]
async fn answers_of_grpc_come_to_the_same() {
    let trailers_only: Fields = &[("content-type", "application/grpc"), ("grpc-status", "5")];
    let wrong_http: Fields = &[("content-type", "text/plain"), ("grpc-status", "7")];
    let html: Fields = &[("content-type", "text/html")];
    let page: &[&[u8]] = &[b"<h1>upstream connect error</h1>"];
    let unreadable = Outcome::Garbled;
    for (what, http, fields, data, end, outcome) in [
        ("a message", 200, GRPC, &[MESSAGE][..], DONE, OK),
        (
            "a message in pieces",
            200,
            GRPC,
            &[b"\0\0\0", b"\0\x05\x0a\x03", b"p-1"],
            DONE,
            OK,
        ),
        ("trailers-only", 200, trailers_only, &[], None, status(Code::NOT_FOUND)),
        (
            "trailers-only, an empty frame after it",
            200,
            trailers_only,
            &[b""],
            None,
            status(Code::NOT_FOUND),
        ),
        (
            "trailers-only with a message",
            200,
            trailers_only,
            &[MESSAGE],
            None,
            status(Code::NOT_FOUND),
        ),
        (
            "an error beside a message",
            200,
            GRPC,
            &[MESSAGE],
            Some(&[("grpc-status", "5")]),
            status(Code::NOT_FOUND),
        ),
        ("two messages", 200, GRPC, &[MESSAGE, MESSAGE], DONE, unreadable),
        ("no message", 200, GRPC, &[], DONE, unreadable),
        (
            "trailers without a status",
            200,
            GRPC,
            &[MESSAGE],
            Some(&[("x-other", "1")]),
            unreadable,
        ),
        ("no trailers", 200, GRPC, &[MESSAGE], None, unreadable),
        (
            "a status of 99",
            200,
            GRPC,
            &[MESSAGE],
            Some(&[("grpc-status", "99")]),
            unreadable,
        ),
        (
            "a status that is no number",
            200,
            GRPC,
            &[MESSAGE],
            Some(&[("grpc-status", "no")]),
            unreadable,
        ),
        (
            "a compressed message",
            200,
            GRPC,
            &[b"\x01\0\0\0\x03zip"],
            DONE,
            unreadable,
        ),
        ("a wrong prefix", 200, GRPC, &[b"\x80\0\0\0\x01x"], DONE, unreadable),
        ("a length beyond all", 200, GRPC, &[b"\0\x05\0\0\0"], DONE, unreadable),
        (
            "a message that is cut off",
            200,
            GRPC,
            &[b"\0\0\0\0\x05\x0a\x03"],
            DONE,
            unreadable,
        ),
        (
            "one that is no protobuf",
            200,
            GRPC,
            &[b"\0\0\0\0\x02\x0a\xff"],
            DONE,
            unreadable,
        ),
        (
            "one that is cut off, and an error",
            200,
            GRPC,
            &[b"\0\0\0\0\x05"],
            Some(&[("grpc-status", "8")]),
            status(Code::RESOURCE_EXHAUSTED),
        ),
        (
            "a status under HTTP 500",
            500,
            wrong_http,
            &[],
            None,
            status(Code::PERMISSION_DENIED),
        ),
        ("HTTP 503 with a page", 503, html, page, None, status(Code::UNAVAILABLE)),
        (
            "HTTP 404 with a page",
            404,
            html,
            page,
            None,
            status(Code::UNIMPLEMENTED),
        ),
        ("HTTP 200 with a page", 200, html, page, None, status(Code::UNKNOWN)),
        (
            "HTTP 429 without anything",
            429,
            &[],
            &[],
            None,
            status(Code::UNAVAILABLE),
        ),
    ] {
        let address = answering(http, fields, data, end).await;
        let seen = get(address).await;
        assert_eq!(expected(&seen), outcome, "{what}: the client says {seen:?}");
        assert_eq!(sent_get(address).await, outcome, "{what}");
    }
    let three = answering(200, GRPC, &[MESSAGE, b"\0\0\0\0\0\0\0\0\0\0"], DONE).await;
    assert_eq!((expected(&watch(three).await), sent_watch(three).await), (OK, OK));
}

#[tokio::test]
async fn resets_come_to_the_same() {
    for (reason, code) in [
        (Reason::CANCEL, Code::CANCELLED),
        (Reason::REFUSED_STREAM, Code::UNAVAILABLE),
        (Reason::ENHANCE_YOUR_CALM, Code::RESOURCE_EXHAUSTED),
        (Reason::INADEQUATE_SECURITY, Code::PERMISSION_DENIED),
        (Reason::INTERNAL_ERROR, Code::INTERNAL),
        (Reason::HTTP_1_1_REQUIRED, Code::UNKNOWN),
    ] {
        let address = h2_peer(move |_, mut respond| async move { respond.send_reset(reason) }).await;
        assert_eq!(expected(&get(address).await), status(code), "{reason:?}");
        assert_eq!(sent_get(address).await, status(code), "{reason:?}");
    }
    let after_a_message = h2_peer(|mut request, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).unwrap();
        body.send_data(framed(0, PRODUCT), false).unwrap();
        while request.body_mut().data().await.is_some() {}
        body.send_reset(Reason::INTERNAL_ERROR);
    })
    .await;
    assert_eq!(expected(&get(after_a_message).await), status(Code::INTERNAL));
    assert_eq!(sent_get(after_a_message).await, status(Code::INTERNAL));
}

#[tokio::test]
async fn connections_that_end_come_to_the_same() {
    let abrupt = peer(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        if let Some(Ok(_request)) = connection.accept().await {
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            let _ = std::future::poll_fn(|cx| connection.poll_closed(cx)).await;
        }
    })
    .await;
    let dropped = peer(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let _request = connection.accept().await;
    })
    .await;
    for address in [abrupt, dropped] {
        assert_eq!(expected(&get(address).await), Outcome::Lost);
        assert_eq!(sent_get(address).await, Outcome::Lost);
    }
}

#[tokio::test]
async fn frames_that_mean_nothing_here_are_passed_over() {
    for what in 0..7 {
        let address = scripted(move |_, id| {
            let around = match what {
                0 => frame(2, 0, id, &[0, 0, 0, 0, 16]),
                1 => frame(0xbe, 0xff, id, b"what is this"),
                2 => frame(6, 0, 0, &[7; 8]),
                3 => frame(4, 0, 0, &[0, 3, 0, 0, 0, 50, 0, 99, 0, 0, 0, 1]),
                4 => frame(1, 4, id, &field(":status", "103")),
                5 => frame(8, 0, id, &[0, 0, 1, 0]),
                _ => frame(1, 4, id, &[field(":status", "100"), field("x-a", "b")].concat()),
            };
            // A padded head with a priority, cut into two frames; padded data.
            let block = good_head();
            let (one, two) = block.split_at(5);
            let opening = [&[3, 0, 0, 0, 0, 9], one, &[0; 3]].concat();
            let data = [&[2], MESSAGE, &[0; 2]].concat();
            [
                around.clone(),
                frame(1, 8 | 32, id, &opening),
                frame(9, 4, id, two),
                frame(0, 8, id, &data),
                if matches!(what, 4 | 6) { Vec::new() } else { around },
                frame(1, 4 | 1, id, &field("grpc-status", "0")),
            ]
            .concat()
        });
        assert_eq!(expected(&get(address).await), OK, "{what}");
        assert_eq!(sent_get(address).await, OK, "{what}");
    }
}

#[tokio::test]
async fn peers_that_break_the_rules_come_to_the_same() {
    for (what, bytes) in [
        ("an index beyond the table", frame(1, 4, 1, &[0xfe])),
        ("a push", frame(5, 4, 1, &[0, 0, 0, 2, 0x88])),
        (
            "a frame within a header block",
            [frame(1, 0, 1, &[0x88]), frame(0, 0, 1, b"x")].concat(),
        ),
        (
            "padding longer than its frame",
            [frame(1, 4, 1, &good_head()), frame(0, 8, 1, &[9, 0])].concat(),
        ),
        ("a frame that is too long", frame(0, 0, 1, &[0; 20_000])),
        ("settings of seven bytes", frame(4, 0, 0, &[0; 7])),
    ] {
        let address = scripted(move |_, _| bytes.clone());
        assert_eq!(expected(&get(address).await), Outcome::Garbled, "{what}");
        assert_eq!(sent_get(address).await, Outcome::Garbled, "{what}");
    }
}

#[test]
fn a_peer_may_use_its_header_table() {
    // The head goes into the table with the first answer and is an index from then on; each 50 answers the table changes, so that
    // the same bytes mean something else.
    let address = scripted(|number, id| {
        let value = ["application/grpc", "text/html"][number / 50 % 2];
        let mut block = vec![0x88];
        match number % 50 {
            0 => block.extend([&[0x5f, value.len() as u8], value.as_bytes()].concat()),
            _ => block.push(0xbe),
        }
        let end = frame(1, 4 | 1, id, &field("grpc-status", "0"));
        match number / 50 % 2 {
            0 => [frame(1, 4, id, &block), frame(0, 0, id, MESSAGE), end].concat(),
            _ => frame(1, 4 | 1, id, &block),
        }
    });
    let prepared = only(operation("get", vec![grpc("GetProduct", framed(0, b""))], LONG));
    let mut lane = lane(&endpoint(&address.to_string()), Leg::Grpc, ONE, prepared);
    let (seen, end) = closed(&mut lane, 1, 200, LONG);
    let outcomes = BTreeMap::from([(OK, 100), (status(Code::UNKNOWN), 100)]);
    assert_eq!(seen.outcomes(), outcomes, "{end:?}");
}

#[test]
fn after_goaway_calls_end_and_others_go_on_a_new_connection() {
    // Each connection answers ten calls, and says before the last that it takes no more.
    let address = scripted(|number, id| {
        let answer = [
            frame(1, 4, id, &good_head()),
            frame(0, 0, id, MESSAGE),
            frame(1, 4 | 1, id, &field("grpc-status", "0")),
        ]
        .concat();
        match number {
            9 => [frame(7, 0, 0, &[&id.to_be_bytes()[..], &[0; 4]].concat()), answer].concat(),
            _ => answer,
        }
    });
    let prepared = only(operation("get", vec![grpc("GetProduct", framed(0, b""))], LONG));
    let mut lane = lane(&endpoint(&address.to_string()), Leg::Grpc, ONE, prepared);
    let (seen, end) = closed(&mut lane, 1, 95, LONG);
    assert_eq!(seen.outcomes(), BTreeMap::from([(OK, 95)]), "{end:?}");
    assert_eq!((end.opened, end.lost), (9, 0), "{end:?}");
}

#[tokio::test]
async fn answers_of_rest_come_to_the_same() {
    let json = "application/json";
    let page = "<html><h1>502 Bad Gateway</h1></html>";
    let envoy = "HTTP/1.1 404 Not Found\r\ngrpc-status: 5\r\ncontent-length: 0\r\n\r\n".to_owned();
    let continued = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{}",
        answer("200 OK", json, "{}")
    );
    let closing =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"
            .to_owned();
    let gzip =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f{"
            .to_owned();
    for (what, wire, outcome) in [
        ("a message", answer("200 OK", json, r#"{"id":"p-1"}"#), OK),
        ("in chunks", chunked(json, r#"{"id":"p-1"}"#, 3), OK),
        ("after informational heads", continued, OK),
        ("with the end of the connection", closing, OK),
        (
            "JSON that says it is text",
            answer("200 OK", "text/plain", r#"{"id":"p-1"}"#),
            OK,
        ),
        (
            "a status",
            answer("404 Not Found", json, r#"{"code":5,"message":"x"}"#),
            status(Code::NOT_FOUND),
        ),
        (
            "a status of Google's form",
            answer(
                "400 Bad Request",
                json,
                r#"{"error":{"code":400,"status":"INVALID_ARGUMENT"}}"#,
            ),
            status(Code::INVALID_ARGUMENT),
        ),
        ("a status in headers", envoy, status(Code::NOT_FOUND)),
        (
            "a code against its HTTP status",
            answer("500 Oops", json, r#"{"code":5}"#),
            status(Code::NOT_FOUND),
        ),
        (
            "a page",
            answer("502 Bad Gateway", "text/html", page),
            status(Code::UNAVAILABLE),
        ),
        (
            "JSON of somebody else",
            answer("404 Not Found", json, r#"{"detail":"x"}"#),
            status(Code::UNIMPLEMENTED),
        ),
        (
            "a page under 200",
            answer("200 OK", "text/html", page),
            status(Code::UNKNOWN),
        ),
        (
            "a redirect",
            answer("302 Found", "text/plain", ""),
            status(Code::UNKNOWN),
        ),
        ("nothing", answer("200 OK", json, ""), Outcome::Garbled),
        ("204", "HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Outcome::Garbled),
        (
            "JSON that is cut off",
            answer("200 OK", json, r#"{"id":"a""#),
            Outcome::Garbled,
        ),
        ("an array", answer("200 OK", json, "[]"), Outcome::Garbled),
        ("a coding that was not accepted", gzip, Outcome::Garbled),
    ] {
        let address = saying(wire).await;
        let seen = rest_get(address).await;
        assert_eq!(expected(&seen), outcome, "{what}: the client says {seen:?}");
        assert_eq!(sent_rest(address, false).await, outcome, "{what}");
    }
}

#[tokio::test]
async fn streams_of_rest_come_to_the_same() {
    let lines = "application/x-ndjson";
    let late = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\n[{}]\r\n0\r\ngrpc-status: 14\r\n\r\n";
    for (what, wire, outcome) in [
        ("lines", chunked(lines, "{\"reason\":\"a\"}\n{}\n", 4), OK),
        (
            "an array",
            chunked("application/json", "[{\"reason\":\"}\"},{}]", 3),
            OK,
        ),
        ("nothing", chunked(lines, "", 1), OK),
        (
            "a last line with a status",
            chunked(lines, "{}\n{\"error\":{\"code\":8}}\n", 9),
            status(Code::RESOURCE_EXHAUSTED),
        ),
        ("a status in trailers", late.to_owned(), status(Code::UNAVAILABLE)),
        (
            "a refusal",
            answer("429 Too Many", "application/json", r#"{"code":8}"#),
            status(Code::RESOURCE_EXHAUSTED),
        ),
        (
            "a line that is cut off",
            chunked(lines, "{}\n{\"reason\":", 5),
            Outcome::Garbled,
        ),
        (
            "an array that is cut off",
            chunked("application/json", "[{}", 5),
            Outcome::Garbled,
        ),
        ("a page after a line", chunked(lines, "{}\n<html>", 3), Outcome::Garbled),
        ("a page", answer("200 OK", "text/html", "<html>"), status(Code::UNKNOWN)),
    ] {
        let address = saying(wire).await;
        let seen = rest_watch(address).await;
        let client = match what {
            // Here the client speaks of the end of a stream as it does for gRPC.
            "an array that is cut off" => Outcome::Garbled,
            _ => expected(&seen),
        };
        assert_eq!(client, outcome, "{what}: the client says {seen:?}");
        assert_eq!(sent_rest(address, true).await, outcome, "{what}");
    }
}

#[tokio::test]
async fn connections_of_http1_that_end_come_to_the_same() {
    for bytes in [
        &b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"id\""[..],
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"id",
        b"HTTP/1.1 200",
        b"",
    ] {
        let address = peer(move |mut stream| async move {
            let mut request = [0; 4096];
            if tokio::io::AsyncReadExt::read(&mut stream, &mut request)
                .await
                .is_ok_and(|read| read > 0)
            {
                stream.write_all(bytes).await.unwrap();
            }
        })
        .await;
        assert_eq!(expected(&rest_get(address).await), Outcome::Lost);
        assert_eq!(
            sent_rest(address, false).await,
            Outcome::Lost,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[tokio::test]
async fn a_silent_peer_is_given_up_by_both() {
    let address = h2_peer(|_, respond| async move {
        std::future::pending::<()>().await;
        drop(respond);
    })
    .await;
    let call = stocktake::client::Call {
        deadline: Duration::from_millis(20),
        protocol: Protocol::Grpc,
        ..call("GetProduct")
    };
    let seen = collect(client(address).open(&call).await, vec![call.method.input.new_message()]).await;
    assert_eq!(expected(&seen), Outcome::Timeout);
    let outcome = tokio::task::spawn_blocking(move || {
        let exchange = grpc("GetProduct", framed(0, b""));
        let prepared = only(operation("get", vec![exchange], Duration::from_millis(20)));
        let mut lane = lane(&endpoint(&address.to_string()), Leg::Grpc, ONE, prepared);
        let (seen, _) = run(
            &mut lane,
            Arrivals::Open(&mut [0].into_iter()),
            LONG,
            Seen::new(usize::MAX),
        );
        seen.samples[0].outcome
    });
    assert_eq!(outcome.await.unwrap(), Outcome::Timeout);
}

#[tokio::test]
async fn an_early_answer_ends_a_long_request() {
    // The peer never reads: the body does not fit its window, and must not keep the lane from listening.
    let address = h2_peer(|request, mut respond| async move {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "8");
        respond.send_response(response.body(()).unwrap(), true).unwrap();
        std::future::pending::<()>().await;
        drop(request);
    })
    .await;
    let body = prefixed(&vec![b'x'; 8 << 20]);
    let outcome = sent(address, Leg::Grpc, grpc("BulkImport", body)).await;
    assert_eq!(outcome, status(Code::RESOURCE_EXHAUSTED));
}
