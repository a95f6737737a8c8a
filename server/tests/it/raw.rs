//! Calls at the level of HTTP/2: what tonic's client hides, or ends by itself.

use crate::within;
use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, net::SocketAddr};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
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
    let headers: Vec<(&str, &str)> = timeout.map(|timeout| ("grpc-timeout", timeout)).into_iter().collect();
    let stream = TcpStream::connect(addr).await.unwrap();
    call_over(stream, path, body, &headers).await
}

/// One call with these headers, over a stream that nobody else uses.
pub async fn call_over<I, B>(stream: I, path: &str, body: B, headers: &[(&str, &str)]) -> Answer
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let response = within(send(stream, path, body, headers)).await;
    let in_headers = Status::from_header_map(response.headers());
    let body = within(response.into_body().collect()).await.unwrap();
    let in_trailers = body.trailers().and_then(Status::from_header_map);
    Answer {
        status: in_headers.or(in_trailers),
        data: body.to_bytes(),
    }
}

/// Sends a call over a stream; what it is answered with, as it comes.
pub async fn send<I, B>(stream: I, path: &str, body: B, headers: &[(&str, &str)]) -> Response<Incoming>
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://localhost{path}"))
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    sender.send_request(request.body(body).unwrap()).await.unwrap()
}

/// Sends these bytes, as a client of HTTP/1.1 would; all that comes back until the server closes.
pub async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let (mut reader, mut writer) = tokio::io::split(stream);
    writer.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes while bytes are under way to it resets the connection: what it said before counts.
    let _ = within(reader.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}
