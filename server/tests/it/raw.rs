//! Calls at the level of HTTP/2: what tonic's client hides, or ends by itself.

use crate::within;
use bytes::Bytes;
use http::{Request, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, net::SocketAddr};
use tokio::net::TcpStream;
use tonic::{Code, Status};

/// What came back.
pub struct Answer {
    /// From the trailers or, without messages, the headers; none if there was none.
    pub status: Option<Status>,
    /// All messages with their prefixes.
    pub data: Bytes,
}

impl Answer {
    pub fn code(&self) -> Option<Code> {
        self.status.as_ref().map(Status::code)
    }
}

/// A body of one message.
pub fn framed(message: &[u8]) -> Full<Bytes> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    framed.extend(message);
    Full::from(framed)
}

/// One call on a connection of its own, whose deadline only the server knows.
pub async fn call<B>(addr: SocketAddr, path: &str, body: B, timeout: Option<&str>) -> Answer
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://{addr}{path}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    let response = within(sender.send_request(request.body(body).unwrap())).await.unwrap();
    let in_headers = Status::from_header_map(response.headers());
    let body = within(response.into_body().collect()).await.unwrap();
    let in_trailers = body.trailers().and_then(Status::from_header_map);
    Answer {
        status: in_headers.or(in_trailers),
        data: body.to_bytes(),
    }
}
