//! What is not a call of a known method, and what every response carries.

use crate::{Running, code, get, healthy, update};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use stocktake_server::{Config, ServeError, Server};
use tokio::net::TcpStream;
use tonic::{Code, Request, codegen::http::uri::PathAndQuery};
use tonic_prost::ProstCodec;

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let server = healthy().await;
    for path in ["/inventory.InventoryService/Nothing", "/no.Such/Method", "/"] {
        let mut grpc = tonic::client::Grpc::new(server.channel().await);
        grpc.ready().await.unwrap();
        let codec = ProstCodec::<(), ()>::default();
        let answer = grpc
            .unary(Request::new(()), PathAndQuery::from_static(path), codec)
            .await;
        assert_eq!(code(answer), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_quite_grpc_is_told_so() {
    let server = healthy().await;
    for (content_type, status) in [
        ("text/html", 404),
        ("application/grpc-web", 415),
        ("application/grpc", 405),
    ] {
        let stream = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::get("/products")
            .header("host", "localhost")
            .header("content-type", content_type)
            .body(Empty::<bytes::Bytes>::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key("x-stocktake-revision"));
        assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
    }
}

#[tokio::test]
async fn every_response_says_which_revision_and_replica_it_came_from() {
    let named = Config {
        revision: Some("r7".into()),
        replica: Some("blue".into()),
        ..Config::default()
    };
    let server = Running::start(named).await;
    let mut client = server.client().await;
    let answer = client
        .list_products(inventory_contract::ListProductsRequest::default())
        .await
        .unwrap();
    assert_eq!(answer.metadata().get("x-stocktake-revision").unwrap(), "r7");
    assert_eq!(answer.metadata().get("x-stocktake-replica").unwrap(), "blue");
    let refused = get(&mut client, "none").await.unwrap_err();
    assert_eq!(refused.metadata().get("x-stocktake-revision").unwrap(), "r7");

    let unnamed = healthy().await;
    let answer = unnamed
        .client()
        .await
        .list_products(inventory_contract::ListProductsRequest::default())
        .await
        .unwrap();
    assert_eq!(
        answer.metadata().get("x-stocktake-revision").unwrap(),
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(answer.metadata().get("x-stocktake-replica").unwrap().len(), 8);
}

#[tokio::test]
async fn a_request_of_49_mebibytes_is_judged() {
    let server = healthy().await;
    let reason = "r".repeat(49 << 20);
    let answer = update(&mut server.client().await, "none", 1, &reason).await;
    assert_eq!(code(answer), Code::NotFound);
    let reason = "r".repeat(51 << 20);
    let answer = update(&mut server.client().await, "none", 1, &reason).await;
    assert_eq!(code(answer), Code::OutOfRange);
}

#[tokio::test]
async fn a_taken_address_and_an_unprintable_name_are_refused() {
    let server = healthy().await;
    let taken = Server::bind(Config {
        listen: server.addr,
        ..Config::default()
    })
    .await;
    assert!(matches!(taken, Err(ServeError::Bind { .. })));
    let odd = Server::bind(Config {
        revision: Some("a\nb".into()),
        ..Config::default()
    })
    .await;
    assert!(matches!(odd, Err(ServeError::Header { what: "revision", .. })));
}
