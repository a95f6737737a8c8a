//! The client against hand-made peers: what it says of connections that fail, and what it makes of odd answers.

mod answers;
mod connecting;
mod reflecting;
mod rest;

pub use rest::{answer, chunked, rest_get, rest_watch, saying};

use bytes::{BufMut, Bytes, BytesMut};
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use stocktake::client::{Call, Client, Observation, Options, Protocol, Target, collect};
use stocktake::schema::{DynMsg, Method, Schema};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for a machine under load; no test waits for it to pass.
pub const LONG: Duration = Duration::from_secs(30);

/// A peer that treats each connection as told.
pub async fn peer<F, T>(treat: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream));
        }
    });
    address
}

/// An HTTP/2 server that treats each request as told.
pub async fn h2_peer<F, T>(treat: F) -> SocketAddr
where
    F: Fn(Request<h2::RecvStream>, SendResponse<Bytes>) -> T + Clone + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    peer(move |stream| {
        let treat = treat.clone();
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else {
                return;
            };
            while let Some(Ok((request, respond))) = connection.accept().await {
                tokio::spawn(treat(request, respond));
            }
        }
    })
    .await
}

fn client_with(address: SocketAddr, options: Options) -> Client {
    Client::new(Target::parse(&format!("http://{address}")).unwrap(), options).unwrap()
}

pub fn client(address: SocketAddr) -> Client {
    client_with(
        address,
        Options {
            connect_timeout: LONG,
            ..Options::default()
        },
    )
}

fn method(name: &str) -> Method {
    Schema::built_in().method("inventory.InventoryService", name).unwrap()
}

pub fn call(name: &str) -> Call {
    Call {
        method: method(name),
        protocol: Protocol::Grpc,
        metadata: Vec::new(),
        deadline: LONG,
        fresh_connection: false,
        small_window: false,
    }
}

/// GetProduct with an empty request, read to its end.
pub async fn get(address: SocketAddr) -> Observation {
    let call = call("GetProduct");
    let request = call.method.input.new_message();
    collect(client(address).open(&call).await, vec![request]).await
}

/// WatchStockChanges with an empty request, read to its end.
pub async fn watch(address: SocketAddr) -> Observation {
    let call = call("WatchStockChanges");
    let request = call.method.input.new_message();
    collect(client(address).open(&call).await, vec![request]).await
}

pub fn head(content_type: &str) -> Response<()> {
    Response::builder()
        .header("content-type", content_type)
        .body(())
        .unwrap()
}

pub fn trailers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(key, value)| (http::HeaderName::from_static(key), value.parse().unwrap()))
        .collect()
}

/// A message with its five bytes.
pub fn framed(flags: u8, message: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(flags);
    out.put_u32(message.len() as u32);
    out.put_slice(message);
    out.freeze()
}

/// `Product { id: "p-1" }` in protobuf.
pub const PRODUCT: &[u8] = b"\x0a\x03p-1";

/// Text of a field of the first message.
fn text(message: &DynMsg) -> String {
    message.to_text()
}
