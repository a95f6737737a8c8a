//! The REST client against hand-made HTTP peers: odd JSON, chunks cut anywhere, the forms of streams and errors, pages of a
//! proxy, connections that end too early.

use super::*;
use stocktake::client::{Arrival, Code, GRACE, Layer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A request as it came: its head, and the body as far as its length or its chunks say.
async fn read_request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut more = async |bytes: &mut Vec<u8>| {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&part[..read]);
        Some(())
    };
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        more(&mut bytes).await?;
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let header = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim().to_owned())
    };
    let length: usize = header("content-length:").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head + length {
        more(&mut bytes).await?;
    }
    if header("transfer-encoding:").is_some() {
        while !bytes.ends_with(b"0\r\n\r\n") {
            more(&mut bytes).await?;
        }
    }
    Some((text, String::from_utf8(bytes[head..].to_vec()).unwrap()))
}

/// A peer that answers every request with these bytes and keeps the connection.
pub async fn saying(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer: Vec<u8> = answer.into();
    peer(move |mut stream| {
        let answer = answer.clone();
        async move {
            while read_request(&mut stream).await.is_some() {
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// A response of HTTP/1.1 with its length.
pub fn answer(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A response in chunks of so many bytes.
pub fn chunked(content_type: &str, body: &str, size: usize) -> String {
    let mut out = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
    for part in body.as_bytes().chunks(size) {
        out.push_str(&format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part)));
    }
    out + "0\r\n\r\n"
}

fn rest_call(name: &str) -> Call {
    Call {
        protocol: Protocol::Rest,
        ..call(name)
    }
}

fn request_of(call: &Call, json: &str) -> DynMsg {
    DynMsg::from_proto_json(&call.method.input, json).unwrap().0
}

/// GetProduct of `p-1`, read to its end.
pub async fn rest_get(address: SocketAddr) -> Observation {
    let call = rest_call("GetProduct");
    let request = request_of(&call, r#"{"id":"p-1"}"#);
    collect(client(address).open(&call).await, vec![request]).await
}

/// WatchStockChanges, read to its end.
pub async fn rest_watch(address: SocketAddr) -> Observation {
    let call = rest_call("WatchStockChanges");
    let request = request_of(&call, "{}");
    collect(client(address).open(&call).await, vec![request]).await
}

#[tokio::test]
async fn a_request_is_what_the_rule_says() {
    let (told, mut heads) = mpsc::channel(8);
    let address = peer(move |mut stream| {
        let told = told.clone();
        async move {
            while let Some(request) = read_request(&mut stream).await {
                told.send(request).await.unwrap();
                let answer = answer("200 OK", "application/json", r#"{"id":"p-1","price":0.1}"#);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let options = Options {
        metadata: vec![("x-shared".into(), b"everywhere".to_vec())],
        ..Options::default()
    };
    let client = client_with(address, options);
    let mut call = rest_call("GetProduct");
    call.metadata.push(("x-raw-bin".into(), vec![0, 255]));
    let request = request_of(&call, r#"{"id":"a/b ü"}"#);
    let seen = collect(client.open(&call).await, vec![request]).await;
    let (head, body) = heads.recv().await.unwrap();
    assert!(
        head.starts_with("GET /v1/products/a%2Fb%20%C3%BC HTTP/1.1\r\n"),
        "{head}"
    );
    for line in [
        &format!("host: {address}"),
        "accept: application/json",
        "accept-encoding: identity",
        "grpc-timeout: 30000000u",
        concat!("user-agent: stocktake/", env!("CARGO_PKG_VERSION")),
        "x-shared: everywhere",
        "x-raw-bin: AP8",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
    }
    assert!(!head.contains("content-") && body.is_empty(), "{head}{body}");
    assert_eq!(
        (seen.protocol, seen.status.code, seen.layer, seen.http.status),
        (Protocol::Rest, Code::OK, Layer::Application, 200)
    );
    assert_eq!(seen.violations, Vec::<String>::new());
    assert_eq!(seen.headers.get("content-type"), Some("application/json"));
    assert_eq!(text(&seen.messages[0].value), r#"{id: "p-1", price: 0.1}"#);

    let call = rest_call("UpdateStock");
    let request = request_of(&call, r#"{"id":"p-1","quantityChange":-3,"reason":"\u0000\"é"}"#);
    collect(client.open(&call).await, vec![request]).await;
    let (head, body) = heads.recv().await.unwrap();
    assert!(
        head.starts_with("POST /v1/products/p-1:updateStock HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert_eq!(body, r#"{"quantityChange":-3,"reason":"\u0000\"é"}"#);
}

#[tokio::test]
async fn a_client_stream_is_an_array_that_is_written_as_it_comes() {
    let (told, mut bodies) = mpsc::channel(8);
    let address = peer(move |mut stream| {
        let told = told.clone();
        async move {
            while let Some((head, body)) = read_request(&mut stream).await {
                told.send((head, body)).await.unwrap();
                let answer = answer("200 OK", "application/json", r#"{"importedCount":2}"#);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let client = client(address);
    let call = rest_call("BulkImport");
    let row = |name: &str| request_of(&call, &format!(r#"{{"name":"{name}"}}"#));
    let seen = collect(client.open(&call).await, vec![row("a"), row("b")]).await;
    assert_eq!(text(&seen.messages[0].value), "{imported_count: 2}");
    let (head, body) = bodies.recv().await.unwrap();
    assert!(
        head.starts_with("POST /v1/products:bulkImport ") && head.contains("application/json"),
        "{head}"
    );
    // Each message in a chunk of its own.
    assert_eq!(
        body,
        "D\r\n[{\"name\":\"a\"}\r\nE\r\n,\n{\"name\":\"b\"}\r\n1\r\n]\r\n0\r\n\r\n"
    );
    collect(client.open(&call).await, Vec::new()).await;
    assert_eq!(bodies.recv().await.unwrap().1, "2\r\n[]\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_stream_is_read_in_every_form_and_wherever_its_chunks_are_cut() {
    for (content_type, body) in [
        (
            "application/x-ndjson",
            "{\"reason\":\"}\\\"\"}\n{\"reason\":\"ü\"}\n{}\n",
        ),
        ("application/json", "[{\"reason\":\"}\\\"\"},\n{\"reason\":\"ü\"}\n,{}]"),
        (
            "application/json; charset=utf-8",
            "{\"result\":{\"reason\":\"}\\\"\"}}\n{\"result\":{\"reason\":\"ü\"}}\n{\"result\":{}}",
        ),
        (
            "application/json-seq",
            "\u{1e}{\"reason\":\"}\\\"\"}\n\u{1e}{\"reason\":\"ü\"}\n\u{1e}{}\n",
        ),
    ] {
        for size in [1, 5, 1000] {
            // A chunk of this test holds whole characters.
            let body = if size == 1000 {
                body.to_owned()
            } else {
                body.replace('ü', "u")
            };
            let seen = rest_watch(saying(chunked(content_type, &body, size)).await).await;
            let reasons: Vec<String> = seen.messages.iter().map(|message| text(&message.value)).collect();
            let second = if size == 1000 { "ü" } else { "u" };
            let expected = [
                r#"{reason: "}\""}"#.to_owned(),
                format!("{{reason: {second:?}}}"),
                "{}".to_owned(),
            ];
            assert_eq!(reasons, expected, "{content_type} by {size}: {seen:?}");
            assert_eq!((seen.status.code, seen.layer), (Code::OK, Layer::Application));
            assert_eq!(seen.violations, Vec::<String>::new(), "{content_type} by {size}");
        }
    }
    let empty = rest_watch(saying(chunked("application/x-ndjson", "", 1)).await).await;
    assert_eq!(
        (empty.status.code, empty.messages.len(), empty.violations.len()),
        (Code::OK, 0, 0)
    );
}

#[tokio::test]
async fn an_error_is_read_in_every_form() {
    let details = r#","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"sku"}]},{"@type":"type.googleapis.com/x.Unknown","a":1}]"#;
    for (status, body) in [
        (
            "400 Bad Request",
            format!(r#"{{"code":3,"message":"no sku"{details}}}"#),
        ),
        (
            "400 Bad Request",
            format!(r#"{{"error":{{"code":400,"status":"INVALID_ARGUMENT","message":"no sku"{details}}}}}"#),
        ),
        (
            "400 Bad Request",
            format!(r#"{{"error":"no sku","code":3,"message":"no sku"{details}}}"#),
        ),
        (
            "400 Bad Request",
            format!(r#"{{"error":{{"code":3,"message":"no sku"{details}}}}}"#),
        ),
    ] {
        let seen = rest_get(saying(answer(status, "application/json", &body)).await).await;
        assert_eq!(
            (seen.status.code, seen.layer),
            (Code::INVALID_ARGUMENT, Layer::Application),
            "{body}"
        );
        assert_eq!((seen.status.message.as_str(), seen.http.status), ("no sku", 400));
        assert_eq!(seen.violations, Vec::<String>::new(), "{body}");
        let [bad, unknown] = seen.status.details.as_slice() else {
            panic!("two details: {seen:?}")
        };
        assert_eq!(bad.type_name, "google.rpc.BadRequest");
        assert_eq!(
            bad.value.as_ref().unwrap().to_text(),
            r#"{field_violations: [{field: "sku"}]}"#
        );
        assert!(unknown.type_name == "x.Unknown" && unknown.value.is_none());
    }
    // Envoy without `convert_grpc_status`: in headers, and no body.
    let head = "HTTP/1.1 404 Not Found\r\ngrpc-status: 5\r\ngrpc-message: no%20such\r\ncontent-length: 0\r\n\r\n";
    let seen = rest_get(saying(head).await).await;
    assert_eq!(
        (seen.status.code, seen.status.message.as_str()),
        (Code::NOT_FOUND, "no such")
    );
    assert_eq!(seen.layer, Layer::Application);
    // The code counts, whatever HTTP says beside it.
    let seen = rest_get(saying(answer("500 Oops", "application/json", r#"{"code":5}"#)).await).await;
    assert_eq!(seen.status.code, Code::NOT_FOUND);
    assert_eq!(seen.violations, ["HTTP 500 for NOT_FOUND, which is 404"]);
}

#[tokio::test]
async fn a_stream_that_fails_ends_with_its_status() {
    for body in [
        "{\"reason\":\"a\"}\n{\"error\":{\"code\":8,\"message\":\"too slow\"}}\n",
        "[{\"reason\":\"a\"},{\"error\":{\"code\":8,\"message\":\"too slow\"}}]",
        "{\"result\":{\"reason\":\"a\"}}\n{\"error\":{\"code\":429,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"too slow\"}}",
    ] {
        let seen = rest_watch(saying(chunked("application/json", body, 9)).await).await;
        assert_eq!(
            (seen.status.code, seen.layer),
            (Code::RESOURCE_EXHAUSTED, Layer::Application),
            "{body}"
        );
        assert_eq!((seen.status.message.as_str(), seen.messages.len()), ("too slow", 1));
        assert_eq!(seen.violations, Vec::<String>::new());
    }
    // Before it has begun it is an error like any other.
    let refused = answer(
        "429 Too Many Requests",
        "application/json",
        r#"{"code":8,"message":"full"}"#,
    );
    let seen = rest_watch(saying(refused).await).await;
    assert_eq!((seen.status.code, seen.http.status), (Code::RESOURCE_EXHAUSTED, 429));
    // Trailers of HTTP, as Envoy sends them.
    let trailers = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntrailer: grpc-status\r\ntransfer-encoding: chunked\r\n\r\n4\r\n[{}]\r\n0\r\ngrpc-status: 14\r\n\r\n";
    let seen = rest_watch(saying(trailers).await).await;
    assert_eq!((seen.status.code, seen.messages.len()), (Code::UNAVAILABLE, 1));
}

#[tokio::test]
async fn json_that_does_not_fit_is_a_violation() {
    for (body, code, violation) in [
        (
            r#"{"id":"p-1","colour":"red"}"#,
            Code::OK,
            "unknown field \"colour\" on message inventory.Product",
        ),
        ("", Code::OK, "HTTP 200 without JSON"),
        (r#"{"id":7}"#, Code::INTERNAL, "the answer is no inventory.Product: "),
        (
            r#"{"id":"a"} {"id":"b"}"#,
            Code::INTERNAL,
            "the answer is no inventory.Product: trailing characters",
        ),
        (
            "{\"id\":\"a\"",
            Code::INTERNAL,
            "the answer is no inventory.Product: EOF",
        ),
        ("[]", Code::INTERNAL, "the answer is no inventory.Product: "),
        (
            r#"{"stockQuantity":2147483648}"#,
            Code::INTERNAL,
            "the answer is no inventory.Product: ",
        ),
        (
            r#"{"stockQuantity":1,"stock_quantity":1}"#,
            Code::INTERNAL,
            "duplicate field",
        ),
    ] {
        let seen = rest_get(saying(answer("200 OK", "application/json", body)).await).await;
        assert_eq!(
            (seen.status.code, seen.layer),
            (code, Layer::Application),
            "{body}: {seen:?}"
        );
        assert!(
            seen.violations.iter().any(|found| found.contains(violation)),
            "{body}: {:?}",
            seen.violations
        );
    }
    for (body, violation) in [
        (
            "{}\n{\"a\":1}\n{\"a\":1}\n",
            "unknown field \"a\" on message inventory.StockUpdate",
        ),
        (
            "{}\n{\"reason\":",
            "the stream ended within a message, after 10 of its bytes",
        ),
        ("[{}", "the stream ended within its array"),
        ("{}\n<html>", "after 1 messages: `<` where JSON should begin"),
        ("{}\n{\"reason\":1}\n", "message 1 is no inventory.StockUpdate"),
    ] {
        let seen = rest_watch(saying(chunked("application/x-ndjson", body, 3)).await).await;
        assert!(seen.violations[0].contains(violation), "{body}: {:?}", seen.violations);
        assert_eq!(seen.violations.len(), 1);
    }
    let seen = rest_get(saying(answer("200 OK", "text/plain", r#"{"id":"p-1"}"#)).await).await;
    assert_eq!((seen.status.code, seen.messages.len()), (Code::OK, 1));
    assert_eq!(seen.violations, ["content-type `text/plain` on JSON"]);
    let zipped =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f{";
    let seen = rest_get(saying(zipped).await).await;
    assert_eq!(
        seen.violations[0],
        "content-encoding `gzip`, though only identity was accepted"
    );
}

#[tokio::test]
async fn a_page_of_something_else_is_the_proxys() {
    let page = "<html>\n<h1>502 Bad   Gateway</h1></html>";
    for (status, content_type, body, code, words) in [
        (
            "502 Bad Gateway",
            "text/html",
            page,
            Code::UNAVAILABLE,
            "HTTP 502 with content-type text/html, not a REST answer: <html> <h1>502 Bad Gateway</h1></html>",
        ),
        (
            "404 Not Found",
            "application/json",
            r#"{"detail":"Not Found"}"#,
            Code::UNIMPLEMENTED,
            "HTTP 404 with content-type application/json, not a REST answer: {\"detail\":\"Not Found\"}",
        ),
        (
            "404 Not Found",
            "application/json",
            r#"{"code":404}"#,
            Code::UNIMPLEMENTED,
            "{\"code\":404}",
        ),
        ("401 Unauthorized", "text/plain", "who?", Code::UNAUTHENTICATED, "who?"),
        ("302 Found", "text/plain", "", Code::UNKNOWN, "HTTP 302"),
        (
            "200 OK",
            "text/html",
            page,
            Code::UNKNOWN,
            "HTTP 200 with content-type text/html, not a REST answer",
        ),
    ] {
        for seen in [
            rest_get(saying(answer(status, content_type, body)).await).await,
            rest_watch(saying(answer(status, content_type, body)).await).await,
        ] {
            assert_eq!(
                (seen.layer, seen.status.code),
                (Layer::Proxy, code),
                "{status}: {seen:?}"
            );
            assert!(seen.status.message.contains(words), "{}", seen.status.message);
        }
    }
}

#[tokio::test]
async fn a_connection_that_ends_too_early_is_lost() {
    for (bytes, part) in [
        (
            &b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"id\""[..],
            "the connection was lost",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{\"id",
            "the connection was lost",
        ),
        (b"HTTP/1.1 200", "HTTP with http://"),
        (b"", "closed the connection without answering"),
        (b"SSH-2.0-x\r\n", "does not answer in HTTP/1.1: it sent `SSH-2.0-x`"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "speaks TLS: write https://"),
        (
            b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
            "answers HTTP/2 only, and REST without TLS goes over HTTP/1.1",
        ),
    ] {
        let address = peer(move |mut stream| async move {
            if read_request(&mut stream).await.is_some() {
                stream.write_all(bytes).await.unwrap();
            }
        })
        .await;
        let seen = rest_get(address).await;
        assert_eq!(
            (seen.layer, seen.status.code),
            (Layer::Transport, Code::UNAVAILABLE),
            "{part}: {seen:?}"
        );
        assert!(seen.status.message.contains(part), "{part}: {}", seen.status.message);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let seen = rest_get(nobody).await;
    assert_eq!(seen.layer, Layer::Transport);
    assert!(
        seen.status.message.contains("refused the connection"),
        "{}",
        seen.status.message
    );
}

#[tokio::test]
async fn the_client_gives_up_after_deadline_and_grace() {
    for beginning in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n",
    ] {
        let address = peer(move |mut stream| async move {
            read_request(&mut stream).await;
            stream.write_all(beginning.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await;
        let call = Call {
            deadline: Duration::from_millis(50),
            ..rest_call("WatchStockChanges")
        };
        let seen = collect(client(address).open(&call).await, vec![request_of(&call, "{}")]).await;
        assert_eq!((seen.layer, seen.status.code), (Layer::Client, Code::DEADLINE_EXCEEDED));
        assert!(seen.elapsed >= GRACE + call.deadline, "{:?}", seen.elapsed);
        assert_eq!(seen.messages.len(), usize::from(!beginning.is_empty()));
    }
}

/// A peer that counts connections and requests, and answers each request; then what it has counted.
async fn counting(answer: String) -> (SocketAddr, mpsc::Receiver<&'static str>) {
    let (told, log) = mpsc::channel(64);
    let address = peer(move |mut stream| {
        let (told, answer) = (told.clone(), answer.clone());
        async move {
            told.send("open").await.unwrap();
            while read_request(&mut stream).await.is_some() {
                told.send("request").await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            told.send("closed").await.unwrap();
        }
    })
    .await;
    (address, log)
}

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let (address, mut log) = counting(answer("200 OK", "application/json", "{}")).await;
    let client = client(address);
    let call = rest_call("GetProduct");
    let request = request_of(&call, r#"{"id":"a"}"#);
    for _ in 0..3 {
        collect(client.open(&call).await, vec![request.clone()]).await;
    }
    let mut seen = Vec::new();
    while let Ok(event) = log.try_recv() {
        seen.push(event);
    }
    assert_eq!(seen, ["open", "request", "request", "request"]);
    let fresh = Call {
        fresh_connection: true,
        ..call
    };
    collect(client.open(&fresh).await, vec![request]).await;
    assert_eq!(log.recv().await, Some("open"));
    assert_eq!(log.recv().await, Some("request"));
    // It was for one call.
    assert_eq!(log.recv().await, Some("closed"));
}

#[tokio::test]
async fn a_call_that_is_cancelled_closes_its_connection() {
    let endless =
        "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}\n\r\n";
    let (address, mut log) = counting(endless.to_owned()).await;
    let call = rest_call("WatchStockChanges");
    let mut open = client(address).open(&call).await;
    open.send(&request_of(&call, "{}")).await.unwrap();
    open.close();
    assert!(matches!(open.next().await, Arrival::Headers(_)));
    assert!(matches!(open.next().await, Arrival::Message(_)));
    let seen = open.cancel();
    assert_eq!(
        (seen.status.code, seen.layer, seen.messages.len()),
        (Code::CANCELLED, Layer::Client, 1)
    );
    let mut events = Vec::new();
    while events.last() != Some(&"closed") {
        events.push(log.recv().await.unwrap());
    }
    assert_eq!(events, ["open", "request", "closed"]);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_opened_again() {
    let (told, mut log) = mpsc::channel(8);
    let address = peer(move |mut stream| {
        let told = told.clone();
        async move {
            // One answer for each connection, without saying so.
            read_request(&mut stream).await;
            let answer = answer("200 OK", "application/json", "{}");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            told.send(()).await.unwrap();
        }
    })
    .await;
    let client = client(address);
    let call = rest_call("GetProduct");
    for _ in 0..3 {
        let request = request_of(&call, r#"{"id":"a"}"#);
        let seen = collect(client.open(&call).await, vec![request]).await;
        assert_eq!(seen.status.code, Code::OK, "{seen:?}");
        log.recv().await.unwrap();
    }
}

#[tokio::test]
async fn what_rest_cannot_say_is_not_sent() {
    let (address, mut log) = counting(answer("200 OK", "application/json", "{}")).await;
    let client = client(address);
    let call = rest_call("GetProduct");
    let seen = collect(client.open(&call).await, vec![request_of(&call, "{}")]).await;
    assert_eq!((seen.layer, seen.status.code), (Layer::Client, Code::INTERNAL));
    assert!(seen.status.message.contains("`id` is empty"), "{}", seen.status.message);
    let mut framing = rest_call("GetProduct");
    framing.metadata.push(("content-length".into(), b"5".to_vec()));
    let seen = collect(client.open(&framing).await, vec![request_of(&call, r#"{"id":"a"}"#)]).await;
    assert!(
        seen.status.message.contains("belongs to HTTP"),
        "{}",
        seen.status.message
    );
    while let Ok(event) = log.try_recv() {
        assert_ne!(event, "request");
    }
}

#[tokio::test]
async fn a_target_is_there_when_it_answers_http() {
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 No\r\nconnection: close\r\n\r\n",
    ] {
        client(saying(answer).await).probe(Protocol::Rest, LONG).await.unwrap();
    }
    let silent = peer(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let error = client(silent)
        .probe(Protocol::Rest, Duration::from_millis(50))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("no answer to HEAD / within 50ms"), "{error}");
}
