//! Odd answers of HTTP/2 servers, and the observation that each becomes.

use super::*;
use base64::Engine as _;
use h2::Reason;
use prost::Message as _;
use protox::prost_reflect::prost_types::Any;
use stocktake::client::{Arrival, Code, GRACE, Layer};
use tokio::sync::mpsc;
use tonic_types::pb::bad_request::FieldViolation;
use tonic_types::pb::{BadRequest, Status};

/// The HTTP/2 library lets no answer with a body go without its end; this is `content-type` and then the frames.
async fn answering(frames: &'static [(u8, &'static [u8])], end: &'static [(&'static str, &'static str)]) -> SocketAddr {
    h2_peer(move |_, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).unwrap();
        for (flags, message) in frames {
            body.send_data(framed(*flags, message), false).unwrap();
        }
        body.send_trailers(trailers(end)).unwrap();
    })
    .await
}

#[tokio::test]
async fn a_proper_answer_is_seen_whole() {
    let address = h2_peer(|request, mut respond| async move {
        let (head, mut body) = request.into_parts();
        assert_eq!(head.method, "POST");
        assert_eq!(head.uri.path(), "/inventory.InventoryService/GetProduct");
        assert_eq!(head.headers["te"], "trailers");
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert_eq!(head.headers["grpc-accept-encoding"], "identity");
        assert_eq!(head.headers["grpc-timeout"], "30000000u");
        assert_eq!(
            head.headers["user-agent"],
            concat!("stocktake/", env!("CARGO_PKG_VERSION"))
        );
        assert_eq!(head.headers["x-shared"], "everywhere");
        assert_eq!(head.headers["x-raw-bin"], "AP8");
        assert_eq!(body.data().await.unwrap().unwrap(), framed(0, b""));
        let response = Response::builder()
            .header("content-type", "application/grpc+proto; charset=x")
            .header("x-revision", "r7")
            .header("x-raw-bin", "AP8,AQ==")
            .body(())
            .unwrap();
        let mut stream = respond.send_response(response, false).unwrap();
        stream.send_data(framed(0, PRODUCT), false).unwrap();
        stream
            .send_trailers(trailers(&[("grpc-status", "0"), ("x-cost", "3")]))
            .unwrap();
    })
    .await;
    let options = Options {
        metadata: vec![("x-shared".into(), b"everywhere".to_vec())],
        ..Options::default()
    };
    let mut call = call("GetProduct");
    call.metadata.push(("x-raw-bin".into(), vec![0, 255]));
    let request = call.method.input.new_message();
    let seen = collect(client_with(address, options).open(&call).await, vec![request]).await;
    assert_eq!(
        (seen.status.code, seen.layer, seen.http.status),
        (Code::OK, Layer::Application, 200)
    );
    assert_eq!(seen.violations, Vec::<String>::new());
    assert_eq!(seen.headers.get("x-revision"), Some("r7"));
    let raw: Vec<&str> = seen
        .headers
        .0
        .iter()
        .filter(|(k, _)| k == "x-raw-bin")
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(raw, ["AP8=", "AQ=="]);
    assert_eq!(seen.trailers.0, [("x-cost".to_owned(), "3".to_owned())]);
    assert!(!seen.http.trailers_only);
    assert_eq!(text(&seen.messages[0].value), r#"{id: "p-1"}"#);
}

#[tokio::test]
async fn an_error_is_read_with_message_and_details() {
    let address = h2_peer(|_, mut respond| async move {
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(status_with_bad_request());
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "3")
            .header("grpc-message", "sku%3A leer, %C3%A4h %zz")
            .header("grpc-status-details-bin", text)
            .body(())
            .unwrap();
        respond.send_response(response, true).unwrap();
    })
    .await;
    let seen = get(address).await;
    assert_eq!(
        (seen.status.code, seen.layer),
        (Code::INVALID_ARGUMENT, Layer::Application)
    );
    assert_eq!(seen.status.message, "sku: leer, äh %zz");
    assert_eq!(seen.status.details[0].type_name, "google.rpc.BadRequest");
    let detail = seen.status.details[0].value.as_ref().unwrap().to_text();
    assert_eq!(detail, r#"{field_violations: [{field: "sku", description: "empty"}]}"#);
    assert!(seen.http.trailers_only && seen.headers.0.is_empty());
    assert_eq!(seen.violations, Vec::<String>::new());
}

/// An encoded `google.rpc.Status` with one detail.
fn status_with_bad_request() -> Vec<u8> {
    let violation = FieldViolation {
        field: "sku".into(),
        description: "empty".into(),
        ..Default::default()
    };
    let detail = BadRequest {
        field_violations: vec![violation],
    };
    let any = Any {
        type_url: "type.googleapis.com/google.rpc.BadRequest".into(),
        value: detail.encode_to_vec(),
    };
    Status {
        code: 3,
        message: "x".into(),
        details: vec![any],
    }
    .encode_to_vec()
}

#[tokio::test]
async fn the_number_of_messages_on_a_unary_ok_is_judged() {
    let two = get(answering(&[(0, PRODUCT), (0, PRODUCT)], &[("grpc-status", "0")]).await).await;
    assert_eq!((two.status.code, two.messages.len()), (Code::OK, 2));
    assert_eq!(two.violations, ["2 messages on a unary OK"]);
    let none = get(answering(&[], &[("grpc-status", "0")]).await).await;
    assert_eq!(none.violations, ["0 messages on a unary OK"]);
    let beside = get(answering(&[(0, PRODUCT)], &[("grpc-status", "5")]).await).await;
    assert_eq!((beside.status.code, beside.messages.len()), (Code::NOT_FOUND, 1));
    assert_eq!(beside.violations, Vec::<String>::new());
    let stream = watch(answering(&[(0, b""), (0, b""), (0, b"")], &[("grpc-status", "0")]).await).await;
    assert_eq!((stream.messages.len(), stream.violations.len()), (3, 0));
}

#[tokio::test]
async fn broken_messages_and_statuses_are_violations() {
    for (frames, end, code, violation) in [
        (
            &[(0, PRODUCT)][..],
            &[("x-other", "1")][..],
            Code::UNKNOWN,
            "no grpc-status in the trailers",
        ),
        (
            &[(0, PRODUCT)],
            &[("grpc-status", "99")],
            Code::UNKNOWN,
            "grpc-status `99` is none of 0 to 16",
        ),
        (
            &[(0, PRODUCT)],
            &[("grpc-status", "no")],
            Code::UNKNOWN,
            "grpc-status `no` is none of 0 to 16",
        ),
        (
            &[(1, b"zip")],
            &[("grpc-status", "0")],
            Code::INTERNAL,
            "message 0 is compressed, though only identity",
        ),
        (
            &[(0x80, b"x")],
            &[("grpc-status", "0")],
            Code::INTERNAL,
            "message 0 begins with the byte 0x80",
        ),
        (
            &[(0, b"\x0a\xff")],
            &[("grpc-status", "0")],
            Code::INTERNAL,
            "message 0 is no inventory.Product",
        ),
        (
            &[(0, PRODUCT)],
            &[("grpc-status", "0"), ("grpc-status-details-bin", "?")],
            Code::OK,
            "grpc-status-details-bin is no base64",
        ),
    ] {
        let seen = get(answering(frames, end).await).await;
        assert_eq!(
            (seen.status.code, seen.layer),
            (code, Layer::Application),
            "{violation}: {seen:?}"
        );
        assert!(
            seen.violations.iter().any(|v| v.contains(violation)),
            "{violation}: {:?}",
            seen.violations
        );
    }
}

#[tokio::test]
async fn a_stream_that_ends_without_trailers_or_within_a_message_is_a_violation() {
    let address = h2_peer(|_, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).unwrap();
        body.send_data(framed(0, PRODUCT), true).unwrap();
    })
    .await;
    let seen = get(address).await;
    assert_eq!(seen.status.code, Code::UNKNOWN);
    assert_eq!(
        seen.violations,
        ["the stream ended without trailers, so without grpc-status"]
    );
    let address = h2_peer(|_, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).unwrap();
        body.send_data(framed(0, PRODUCT).slice(..7), false).unwrap();
        body.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
    })
    .await;
    let seen = get(address).await;
    assert_eq!(seen.status.code, Code::INTERNAL);
    assert!(
        seen.violations[0].contains("ended within a message, after 7 of its bytes"),
        "{:?}",
        seen.violations
    );
    let address = h2_peer(|_, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).unwrap();
        body.send_data(Bytes::from_static(b"\x00\x05\x00\x00\x00"), false)
            .unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let seen = get(address).await;
    assert!(
        seen.violations[0].contains("has 83886080 bytes; the client takes at most 67108864"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn trailers_only_may_end_in_an_empty_frame_but_not_in_messages() {
    let status = || {
        Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "5")
            .body(())
            .unwrap()
    };
    let address = h2_peer(move |_, mut respond| async move {
        respond
            .send_response(status(), false)
            .unwrap()
            .send_data(Bytes::new(), true)
            .unwrap();
    })
    .await;
    let seen = get(address).await;
    assert_eq!(
        (seen.status.code, seen.http.trailers_only, seen.violations.len()),
        (Code::NOT_FOUND, true, 0)
    );
    let address = h2_peer(move |_, mut respond| async move {
        respond
            .send_response(status(), false)
            .unwrap()
            .send_data(framed(0, PRODUCT), true)
            .unwrap();
    })
    .await;
    let seen = get(address).await;
    assert_eq!(seen.status.code, Code::NOT_FOUND);
    assert_eq!(
        seen.violations,
        ["grpc-status in the initial headers, with more after them"]
    );
}

#[tokio::test]
async fn http_without_grpc_is_the_answer_of_a_proxy() {
    for (status, code) in [
        (400, Code::INTERNAL),
        (401, Code::UNAUTHENTICATED),
        (403, Code::PERMISSION_DENIED),
        (404, Code::UNIMPLEMENTED),
        (429, Code::UNAVAILABLE),
        (502, Code::UNAVAILABLE),
        (503, Code::UNAVAILABLE),
        (504, Code::UNAVAILABLE),
        (500, Code::UNKNOWN),
        (200, Code::UNKNOWN),
    ] {
        let address = h2_peer(move |_, mut respond| async move {
            let response = Response::builder()
                .status(status)
                .header("content-type", "text/html")
                .body(())
                .unwrap();
            let mut body = respond.send_response(response, false).unwrap();
            body.send_data(Bytes::from_static(b"<h1>upstream\n connect error</h1>"), true)
                .unwrap();
        })
        .await;
        let seen = get(address).await;
        assert_eq!(
            (seen.status.code, seen.layer, seen.http.status),
            (code, Layer::Proxy, status)
        );
        let text =
            format!("HTTP {status} with content-type text/html, not a gRPC answer: <h1>upstream connect error</h1>");
        assert_eq!(seen.status.message, text);
        assert_eq!(seen.http.content_type.as_deref(), Some("text/html"));
    }
}

#[tokio::test]
async fn a_status_under_a_wrong_content_type_or_http_status_counts_with_a_violation() {
    let address = h2_peer(|_, mut respond| async move {
        let response = Response::builder()
            .status(500)
            .header("content-type", "text/plain")
            .header("grpc-status", "7");
        respond.send_response(response.body(()).unwrap(), true).unwrap();
    })
    .await;
    let seen = get(address).await;
    assert_eq!(
        (seen.status.code, seen.layer),
        (Code::PERMISSION_DENIED, Layer::Application)
    );
    assert_eq!(
        seen.violations,
        [
            "HTTP status 500 on a gRPC answer",
            "content-type `text/plain` on a gRPC answer"
        ]
    );
}

#[tokio::test]
async fn resets_map_to_codes_and_keep_their_name() {
    for (reason, code, name) in [
        (Reason::CANCEL, Code::CANCELLED, "CANCEL"),
        (Reason::REFUSED_STREAM, Code::UNAVAILABLE, "REFUSED_STREAM"),
        (Reason::ENHANCE_YOUR_CALM, Code::RESOURCE_EXHAUSTED, "ENHANCE_YOUR_CALM"),
        (
            Reason::INADEQUATE_SECURITY,
            Code::PERMISSION_DENIED,
            "INADEQUATE_SECURITY",
        ),
        (Reason::INTERNAL_ERROR, Code::INTERNAL, "INTERNAL_ERROR"),
        (Reason::HTTP_1_1_REQUIRED, Code::UNKNOWN, "HTTP_1_1_REQUIRED"),
    ] {
        let address = h2_peer(move |_, mut respond| async move { respond.send_reset(reason) }).await;
        let seen = get(address).await;
        assert_eq!((seen.status.code, seen.layer), (code, Layer::Transport), "{name}");
        assert_eq!(seen.http.reset.as_deref(), Some(name));
    }
    // After a message: what came stays.
    let address = h2_peer(|mut request, mut respond| async move {
        let mut body = respond.send_response(head("application/grpc"), false).unwrap();
        body.send_data(framed(0, b""), false).unwrap();
        // The half-close says that the message has arrived.
        while request.body_mut().data().await.is_some() {}
        body.send_reset(Reason::INTERNAL_ERROR);
    })
    .await;
    let call = call("WatchStockChanges");
    let mut open = client(address).open(&call).await;
    open.send(&call.method.input.new_message()).await.unwrap();
    assert!(matches!(open.next().await, Arrival::Headers(_)));
    assert!(matches!(open.next().await, Arrival::Message(_)));
    let seen = collect(open, Vec::new()).await;
    assert_eq!(
        (seen.status.code, seen.http.status, seen.messages.len()),
        (Code::INTERNAL, 200, 1)
    );
}

#[tokio::test]
async fn a_lost_connection_ends_the_call_and_the_next_call_connects_again() {
    let (accepted, mut connections) = mpsc::channel(8);
    let address = peer(move |stream| {
        let accepted = accepted.clone();
        async move {
            accepted.send(()).await.unwrap();
            let mut connection = h2::server::handshake(stream).await.unwrap();
            let (_, mut respond) = connection.accept().await.unwrap().unwrap();
            respond.send_response(head("application/grpc"), false).unwrap();
            // One turn of the connection writes the head out; then it is dropped.
            let _ = tokio::time::timeout(Duration::from_millis(1), connection.accept()).await;
        }
    })
    .await;
    let client = client(address);
    for _ in 0..2 {
        let call = call("GetProduct");
        let request = call.method.input.new_message();
        let seen = collect(client.open(&call).await, vec![request]).await;
        assert_eq!(
            (seen.status.code, seen.layer),
            (Code::UNAVAILABLE, Layer::Transport),
            "{seen:?}"
        );
        // FIN or RST, as the kernel has it.
        let text = &seen.status.message;
        assert!(
            text.contains("the connection was lost") || text.contains("closed the connection"),
            "{text}"
        );
        connections.recv().await.unwrap();
    }
}

#[tokio::test]
async fn after_goaway_open_calls_go_on_and_new_ones_connect_again() {
    let (accepted, mut connections) = mpsc::channel(8);
    let (finish, finished) = tokio::sync::watch::channel(false);
    let address = peer(move |stream| {
        let (accepted, mut finished) = (accepted.clone(), finished.clone());
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            accepted.send(()).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let mut body = respond.send_response(head("application/grpc"), false).unwrap();
                body.send_data(framed(0, b""), false).unwrap();
                connection.graceful_shutdown();
                let mut finished = finished.clone();
                tokio::spawn(async move {
                    finished.wait_for(|finished| *finished).await.unwrap();
                    body.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
                });
            }
            let _ = finished.wait_for(|finished| *finished).await;
        }
    })
    .await;
    let client = client(address);
    let call = call("WatchStockChanges");
    let mut calls = Vec::new();
    for _ in 0..2 {
        let mut open = client.open(&call).await;
        open.close();
        assert!(matches!(open.next().await, Arrival::Headers(_)));
        assert!(matches!(open.next().await, Arrival::Message(_)));
        connections.recv().await.unwrap();
        calls.push(open);
        // The GOAWAY follows the answer; a probe on a connection of its own gives it time to be read.
        client.probe(Protocol::Grpc, LONG).await.unwrap();
        connections.recv().await.unwrap();
    }
    finish.send(true).unwrap();
    for open in calls {
        assert_eq!(collect(open, Vec::new()).await.status.code, Code::OK);
    }
}

#[tokio::test]
async fn an_abrupt_goaway_ends_the_call_and_is_named() {
    let address = peer(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let _request = connection.accept().await.unwrap().unwrap();
        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        let _ = std::future::poll_fn(|cx| connection.poll_closed(cx)).await;
    })
    .await;
    let seen = get(address).await;
    assert_eq!((seen.status.code, seen.layer), (Code::UNAVAILABLE, Layer::Transport));
    assert!(
        seen.status.message.contains("GOAWAY ENHANCE_YOUR_CALM"),
        "{}",
        seen.status.message
    );
}

#[tokio::test]
async fn a_connection_is_shared_unless_a_call_wants_its_own() {
    let (accepted, mut connections) = mpsc::channel(8);
    let address = peer(move |stream| {
        let accepted = accepted.clone();
        async move {
            let mut connection = h2::server::handshake(stream).await.unwrap();
            accepted.send(()).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let mut body = respond.send_response(head("application/grpc"), false).unwrap();
                body.send_data(framed(0, PRODUCT), false).unwrap();
                body.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
            }
        }
    })
    .await;
    let client = client(address);
    for (fresh_connection, small_window, count) in
        [(false, false, 1), (false, false, 0), (true, false, 1), (false, true, 1)]
    {
        let call = Call {
            fresh_connection,
            small_window,
            ..call("GetProduct")
        };
        let seen = collect(client.open(&call).await, vec![call.method.input.new_message()]).await;
        assert_eq!(seen.status.code, Code::OK, "{seen:?}");
        for _ in 0..count {
            connections.recv().await.unwrap();
        }
        assert!(connections.try_recv().is_err());
    }
}

#[tokio::test]
async fn a_silent_target_is_given_up_after_deadline_and_grace() {
    let address = h2_peer(|_, respond| async move {
        std::future::pending::<()>().await;
        drop(respond);
    })
    .await;
    let client = client(address);
    client.probe(Protocol::Grpc, LONG).await.unwrap();
    let call = Call {
        deadline: Duration::from_millis(20),
        ..call("GetProduct")
    };
    let seen = collect(client.open(&call).await, vec![call.method.input.new_message()]).await;
    assert_eq!((seen.status.code, seen.layer), (Code::DEADLINE_EXCEEDED, Layer::Client));
    assert!(
        seen.status.message.contains("the client gave up"),
        "{}",
        seen.status.message
    );
    assert!(seen.status.message.contains("20ms and 2s"), "{}", seen.status.message);
    assert!(seen.elapsed >= Duration::from_millis(20) + GRACE, "{seen:?}");
}

#[tokio::test]
async fn cancelling_and_dropping_reset_the_stream() {
    let (resets, mut seen) = mpsc::channel(8);
    let address = h2_peer(move |request, mut respond| {
        let resets = resets.clone();
        async move {
            let mut body = respond.send_response(head("application/grpc"), false).unwrap();
            body.send_data(framed(0, b""), false).unwrap();
            let reason = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
            resets.send(reason.unwrap()).await.unwrap();
            drop(request);
        }
    })
    .await;
    let client = client(address);
    for half_closed in [true, false] {
        let call = call("WatchStockChanges");
        let mut open = client.open(&call).await;
        open.send(&call.method.input.new_message()).await.unwrap();
        if half_closed {
            open.close();
        }
        assert!(matches!(open.next().await, Arrival::Headers(_)));
        assert!(matches!(open.next().await, Arrival::Message(_)));
        if half_closed {
            let end = open.cancel();
            assert_eq!(
                (end.status.code, end.layer, end.messages.len()),
                (Code::CANCELLED, Layer::Client, 1)
            );
        } else {
            drop(open);
        }
        assert_eq!(seen.recv().await.unwrap(), Reason::CANCEL);
    }
}

#[tokio::test]
async fn next_loses_nothing_when_it_is_dropped() {
    let (say, heard) = mpsc::channel::<()>(1);
    let heard = std::sync::Arc::new(tokio::sync::Mutex::new(heard));
    let address = h2_peer(move |_, mut respond| {
        let heard = heard.clone();
        async move {
            let mut body = respond.send_response(head("application/grpc"), false).unwrap();
            for _ in 0..3 {
                heard.lock().await.recv().await;
                // In two halves, so that a message is incomplete between polls.
                body.send_data(framed(0, b"\x0a\x03p-1").slice(..3), false).unwrap();
                tokio::task::yield_now().await;
                body.send_data(framed(0, b"\x0a\x03p-1").slice(3..), false).unwrap();
            }
            body.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
        }
    })
    .await;
    let call = call("WatchStockChanges");
    let mut open = client(address).open(&call).await;
    open.send(&call.method.input.new_message()).await.unwrap();
    open.close();
    let mut messages = 0;
    let mut spoken = 0;
    let end = loop {
        // A future that is polled once and dropped.
        let arrival = tokio::select! {
            biased;
            arrival = open.next() => arrival,
            () = tokio::task::yield_now() => {
                if spoken < 3 {
                    spoken += 1;
                    say.send(()).await.unwrap();
                }
                continue;
            }
        };
        match arrival {
            Arrival::Headers(_) => {}
            Arrival::Message(_) => messages += 1,
            Arrival::End(end) => break end,
        }
    };
    assert_eq!((messages, end.messages.len(), end.status.code), (3, 3, Code::OK));
    assert!(matches!(open.next().await, Arrival::End(_)));
    assert!(open.send(&call.method.input.new_message()).await.is_err());
}

#[tokio::test]
async fn an_early_answer_is_heard_while_requests_wait() {
    // The peer never reads: the client's 100 MiB do not fit any window, and must not keep it from listening.
    let address = h2_peer(|request, mut respond| async move {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "8");
        respond.send_response(response.body(()).unwrap(), true).unwrap();
        std::future::pending::<()>().await;
        drop(request);
    })
    .await;
    let call = call("BulkImport");
    let schema = Schema::built_in();
    let large = {
        let ty = schema.message_type(call.method.input.full_name()).unwrap();
        let mut bytes = vec![0x0a, 0x80, 0x80, 0x80, 0x02];
        bytes.extend(std::iter::repeat_n(b'x', 4 << 20));
        DynMsg::decode(&ty, &bytes).unwrap()
    };
    let seen = collect(client(address).open(&call).await, vec![large; 25]).await;
    assert_eq!(
        (seen.status.code, seen.layer),
        (Code::RESOURCE_EXHAUSTED, Layer::Application)
    );
}

#[tokio::test]
async fn a_reader_that_pauses_stops_the_sender_with_a_small_window() {
    let (sent, mut progress) = mpsc::unbounded_channel();
    let address = h2_peer(move |request, mut respond| {
        let sent = sent.clone();
        async move {
            let mut body = respond.send_response(head("application/grpc"), false).unwrap();
            let message = framed(0, &[b"\x0a\x80\x08".as_slice(), &[b'x'; 1024]].concat());
            for number in 0..200 {
                body.reserve_capacity(message.len());
                while body.capacity() < message.len() {
                    if std::future::poll_fn(|cx| body.poll_capacity(cx)).await.is_none() {
                        return;
                    }
                }
                body.send_data(message.clone(), false).unwrap();
                sent.send(number).unwrap();
            }
            body.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
            drop(request);
        }
    })
    .await;
    let call = Call {
        small_window: true,
        ..call("WatchStockChanges")
    };
    let mut open = client(address).open(&call).await;
    open.send(&call.method.input.new_message()).await.unwrap();
    open.close();
    assert!(matches!(open.next().await, Arrival::Headers(_)));
    // 65,535 bytes of window hold 63 messages of 1,032 bytes.
    let mut last = 0;
    while last < 62 {
        last = progress.recv().await.unwrap();
    }
    let early = tokio::time::timeout(Duration::from_millis(50), progress.recv()).await;
    assert!(early.is_err(), "the sender went on without a reader: {early:?}");
    let end = collect(open, Vec::new()).await;
    assert_eq!((end.status.code, end.messages.len()), (Code::OK, 200));
}

#[tokio::test]
async fn metadata_that_cannot_be_sent_ends_the_call_here() {
    let address = answering(&[(0, PRODUCT)], &[("grpc-status", "0")]).await;
    for (key, value, part) in [
        ("no key", "x", "`no key` is no metadata key"),
        ("x-secret", "a\nb", "`x-secret`"),
        ("connection", "close", "cannot be sent"),
    ] {
        let mut call = call("GetProduct");
        call.metadata.push((key.into(), value.as_bytes().to_vec()));
        let seen = collect(client(address).open(&call).await, Vec::new()).await;
        assert_eq!((seen.status.code, seen.layer), (Code::INTERNAL, Layer::Client));
        assert!(
            seen.status.message.contains(part) && !seen.status.message.contains("a\nb"),
            "{}",
            seen.status.message
        );
    }
}
