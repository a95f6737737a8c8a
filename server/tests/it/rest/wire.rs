//! A plain HTTP client, over HTTP/1.1 and over h2c.

use crate::within;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use std::{convert::Infallible, net::SocketAddr};
use tokio::net::TcpStream;

type Sent = UnsyncBoxBody<Bytes, Infallible>;

/// The protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    H1,
    H2,
}

pub const BOTH: [Wire; 2] = [Wire::H1, Wire::H2];

/// One connection.
pub enum Client {
    H1(http1::SendRequest<Sent>),
    H2(http2::SendRequest<Sent>),
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// HTTP status and gRPC code of an error; the code is 0 where there is none.
    pub fn error(&self) -> (u16, i64) {
        let code = if self.status.is_success() {
            0
        } else {
            self.json()["code"].as_i64().unwrap()
        };
        (self.status.as_u16(), code)
    }

    /// The fields that the `BadRequest` of an error names.
    pub fn fields(&self) -> Vec<String> {
        let json = self.json();
        let details = json["details"].as_array().cloned().unwrap_or_default();
        let violations = details.iter().filter_map(|detail| detail["fieldViolations"].as_array());
        violations
            .flatten()
            .map(|violation| violation["field"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Client {
    pub async fn connect(wire: Wire, addr: SocketAddr) -> Client {
        let io = TokioIo::new(TcpStream::connect(addr).await.unwrap());
        match wire {
            Wire::H1 => {
                let (sender, connection) = http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                Client::H1(sender)
            }
            Wire::H2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                Client::H2(sender)
            }
        }
    }

    /// Sends a request, and gives the answer as soon as its headers are there.
    pub async fn open(&mut self, request: Request<Sent>) -> Response<Incoming> {
        let answer = async {
            match self {
                Client::H1(sender) => {
                    sender.ready().await.unwrap();
                    sender.send_request(request).await
                }
                Client::H2(sender) => {
                    sender.ready().await.unwrap();
                    sender.send_request(request).await
                }
            }
        };
        within(answer).await.unwrap()
    }

    /// The whole answer to a request.
    pub async fn send(&mut self, request: Request<Sent>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let body = within(body.collect()).await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path, &[], Bytes::new())).await
    }

    pub async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Answer {
        let json = [("content-type", "application/json")];
        self.send(self.request(Method::POST, path, &json, body)).await
    }

    pub fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Request<Sent> {
        self.streaming(method, path, headers, Full::new(body.into()))
    }

    pub fn streaming(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
    ) -> Request<Sent> {
        let mut request = Request::builder().method(method);
        request = match self {
            Client::H1(_) => request.uri(path).header("host", "localhost"),
            Client::H2(_) => request.version(Version::HTTP_2).uri(format!("http://localhost{path}")),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.boxed_unsync()).unwrap()
    }
}

/// The lines of a stream, as they come.
pub struct Lines {
    /// Kept, for a connection closes with its sender.
    _client: Client,
    body: Incoming,
    buffer: Vec<u8>,
}

impl Lines {
    pub fn new(client: Client, response: Response<Incoming>) -> Lines {
        Lines {
            _client: client,
            body: response.into_body(),
            buffer: Vec::new(),
        }
    }

    /// The next line; none where the stream ends, which it does behind a whole line.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            match within(self.body.frame()).await {
                Some(frame) => self.buffer.extend(frame.unwrap().into_data().unwrap()),
                None => {
                    assert_eq!(self.buffer, b"");
                    return None;
                }
            }
        }
    }
}
