//! Workloads against the service: the set-up, and that its results reach the requests.

use crate::support::stocktake::serve;
use bytes::Bytes;
use stocktake::{
    client::{Client, Layer, Options, Protocol, Target},
    load::{
        decode::Decoder,
        exchange::Exchange,
        leg::Leg,
        prepare::{prepare, scope},
        setup::{SetupError, setup},
        workload::{self, Workload},
    },
    scenario::{expr::Scope, source::SourceFile},
    schema::Schema,
    verify::residue::Created,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

fn built_in(id: &str) -> Workload {
    let (name, text) = workload::embedded(id).unwrap();
    read(name, text)
}

fn read(name: &str, text: &str) -> Workload {
    workload::parse(SourceFile::new(name, text), &|_| Err("no file".to_owned()))
        .unwrap_or_else(|errors| panic!("{}", errors[0].render()))
}

fn client(url: &str) -> Client {
    Client::new(Target::parse(url).unwrap(), Options::default()).unwrap()
}

/// Runs the set-up; the scope and what was created.
async fn ready(workload: &Workload, url: &str, protocol: Protocol) -> (Result<Scope, SetupError>, Vec<String>) {
    let mut scope = scope(workload, &format!("{protocol:?}").to_lowercase()).unwrap();
    let mut created = Created::default();
    let schema = Schema::built_in();
    let done = setup(workload, &client(url), &schema, protocol, &mut scope, &mut created).await;
    (done.map(|()| scope), created.lines())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_workload_is_ready_over_both_protocols() {
    let server = serve(&[]);
    let workload = built_in(workload::DEFAULT);
    for protocol in [Protocol::Grpc, Protocol::Rest] {
        let (scope, created) = ready(&workload, &server.address, protocol).await;
        let scope = scope.unwrap();
        assert_eq!(created.len(), 20, "{created:?}");
        assert!(created[0].starts_with("product st-"), "{}", created[0]);
        for leg in Leg::ALL {
            let prepared = prepare(&workload, &workload.cells[0], &Schema::built_in(), &scope, leg, &[]).unwrap();
            let counts: Vec<usize> = prepared.operations.iter().map(|o| o.exchanges.len()).collect();
            assert_eq!(counts, [20, 1, 40], "{leg:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_up_that_fails_says_which_call_and_stops_there() {
    let server = serve(&[]);
    let text = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\narrivals: { constant: 1 }\n\
                setup:\n  - id: made\n    call: CreateProduct\n    repeat: 100\n    request: { name: a, sku: \"st-${{ run.id }}-${{ index % 3 }}\" }\n\
                operations:\n  - { id: list, call: ListProducts }\n";
    let (done, created) = ready(&read("x.yaml", text), &server.address, Protocol::Grpc).await;
    let error = done.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("set-up `made`: CreateProduct, call 4 of 100, ended ALREADY_EXISTS: "),
        "{text}"
    );
    assert!(matches!(
        error,
        SetupError::Call {
            layer: Layer::Application,
            ..
        }
    ));
    assert_eq!(created.len(), 3, "what was created before is told: {created:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_target_is_told_from_one_that_refuses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (done, _) = ready(&built_in(workload::DEFAULT), &url, Protocol::Grpc).await;
    let error = done.unwrap_err();
    assert!(
        matches!(
            error,
            SetupError::Call {
                layer: Layer::Transport,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("ended UNAVAILABLE"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_back_and_cannot_be_read_is_told_at_its_place() {
    let server = serve(&[]);
    let text = "version: 1\nid: x\nname: x\nservice: inventory.InventoryService\neffects: writes\narrivals: { constant: 1 }\n\
                setup:\n  - { id: page, call: ListProducts, request: { category: \"st-${{ run.id }}\" } }\n  \
                - { id: first, call: GetProduct, request: { id: \"${{ page.response.products[0].id }}\" } }\n\
                operations:\n  - { id: get, call: GetProduct, request: { id: \"${{ first.response.id }}\" } }\n";
    let (done, created) = ready(&read("x.yaml", text), &server.address, Protocol::Grpc).await;
    let text = done.unwrap_err().to_string();
    assert!(text.starts_with("there is no element [0]"), "{text}");
    assert!(text.contains("--> x.yaml:9:"), "{text}");
    assert!(created.is_empty());
}

#[test]
fn a_decoder_can_go_to_any_thread() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let method = Schema::built_in()
        .method(inventory_contract::SERVICE, "GetProduct")
        .unwrap();
    shared(&Decoder::new(&method, Protocol::Grpc));
}

/// Sends an exchange over HTTP/1.1; status line and body.
async fn over_http1(address: &str, exchange: &Exchange) -> (String, Vec<u8>) {
    let mut head = format!(
        "{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        exchange.method,
        exchange.path,
        exchange.body.len()
    );
    for (name, value) in &exchange.headers {
        head.push_str(&format!("{name}: {}\r\n", std::str::from_utf8(value).unwrap()));
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(&exchange.body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head.lines().next().unwrap().to_owned(), answer[end + 4..].to_vec())
}

/// Sends an exchange over HTTP/2; the status of gRPC and the message.
async fn over_http2(address: &str, exchange: &Exchange) -> (String, Vec<u8>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = http::Request::builder()
        .method(exchange.method.as_str())
        .uri(format!("http://{address}{}", exchange.path))
        .header("te", "trailers");
    for (name, value) in &exchange.headers {
        request = request.header(name, value.as_slice());
    }
    let (response, mut body) = send.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(exchange.body.clone(), true).unwrap();
    let mut answer = response.await.unwrap().into_body();
    let mut data: Vec<u8> = Vec::new();
    while let Some(piece) = answer.data().await {
        let piece: Bytes = piece.unwrap();
        answer.flow_control().release_capacity(piece.len()).unwrap();
        data.extend_from_slice(&piece);
    }
    let trailers = answer.trailers().await.unwrap().unwrap();
    let status = trailers["grpc-status"].to_str().unwrap().to_owned();
    (status, data.get(5..).unwrap_or_default().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_takes_what_was_prepared_and_its_answers_are_decoded() {
    let server = serve(&[]);
    let workload = built_in(workload::DEFAULT);
    let schema = Schema::built_in();
    let (scope, _) = ready(&workload, &server.address, Protocol::Grpc).await;
    let scope = scope.unwrap();
    let prepare = |leg| prepare(&workload, &workload.cells[0], &schema, &scope, leg, &[]).unwrap();
    let (grpc, rest) = (prepare(Leg::Grpc), prepare(Leg::RestH1));
    for (at, operation) in workload.operations.iter().enumerate() {
        let method = schema
            .method(inventory_contract::SERVICE, &operation.spec.method.value)
            .unwrap();
        let (status, message) = over_http2(&server.address, &grpc.operations[at].exchanges[0]).await;
        assert_eq!(status, "0", "{}", operation.id.value);
        let (line, body) = over_http1(&server.address, &rest.operations[at].exchanges[0]).await;
        assert_eq!(line, "HTTP/1.1 200 OK", "{}", operation.id.value);
        let decoders = [Protocol::Grpc, Protocol::Rest].map(|protocol| Decoder::new(&method, protocol));
        assert!(
            decoders[0].is_typed() && decoders[0].decode(&message),
            "{}",
            operation.id.value
        );
        assert!(
            decoders[1].is_typed() && decoders[1].decode(&body),
            "{}",
            operation.id.value
        );
        assert!(message.len() > 60 && body.len() > message.len());
        assert!(!decoders[0].decode(&message[1..]) && !decoders[1].decode(&body[1..]));
    }
}
