//! Deadlines are decided by the server.

use crate::{healthy, within};
use bytes::Bytes;
use http::{Request, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use inventory_contract::WatchStockRequest;
use prost::Message;
use std::{convert::Infallible, net::SocketAddr, time::Duration};
use stocktake_server::{Config, Simulate};
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// A body of one message.
fn framed(message: &[u8]) -> Full<Bytes> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    Full::from(framed)
}

/// The status of a call whose deadline only the server knows: tonic's client would end it by itself.
async fn status_of<B>(addr: SocketAddr, method: &str, body: B, timeout: &str) -> Status
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::post(format!("http://{addr}/inventory.InventoryService/{method}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-timeout", timeout)
        .body(body)
        .unwrap();
    let response = within(sender.send_request(request)).await.unwrap();
    if let Some(status) = Status::from_header_map(response.headers()) {
        return status;
    }
    let body = within(response.into_body().collect()).await.unwrap();
    Status::from_header_map(body.trailers().unwrap()).unwrap()
}

#[tokio::test]
async fn a_silent_watch_is_ended_by_trailers_at_its_deadline() {
    let server = healthy().await;
    let request = framed(&WatchStockRequest::default().encode_to_vec());
    let status = status_of(server.addr, "WatchStockChanges", request, "200m").await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_unary_call_past_its_deadline_is_deadline_exceeded() {
    let simulate = Simulate {
        delay: Duration::from_secs(3600),
    };
    let server = crate::Running::start(Config {
        simulate,
        ..Config::default()
    })
    .await;
    let status = status_of(server.addr, "GetProduct", framed(&[]), "100m").await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_client_stream_that_stalls_is_deadline_exceeded() {
    let server = healthy().await;
    let stalled = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
    let status = status_of(server.addr, "BulkImport", stalled, "200m").await;
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_timeout_that_is_none_is_invalid() {
    let server = healthy().await;
    for timeout in ["1", "123456789S", "soon", "-1S"] {
        let status = status_of(server.addr, "GetProduct", framed(&[]), timeout).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{timeout}");
    }
}
