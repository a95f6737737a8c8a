//! Connections for REST: over HTTP/1.1 one for each call in flight, kept for the next one; over HTTP/2, where TLS agreed on
//! it, one for all.

use super::request::{Outgoing, bare_head, explain};
use crate::client::connect::{Plan, Window, connect_tcp, connect_tls};
use crate::client::connection::Shared;
use crate::client::failure::explain_http;
use crate::client::wire::{Heard, Recorded};
use crate::client::{Call, ConnectError, GRACE};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// Servers close connections that lie idle, some after 2 s: one that closes just when a request is on its way would lose it.
const IDLE: Duration = Duration::from_secs(1);
/// Between the end of an answer and a connection that takes the next request lies no I/O.
const READY: Duration = Duration::from_millis(100);
/// More idle connections than a suite has calls in flight are closed.
const MOST_IDLE: usize = 64;
/// For a consumer that is slow on purpose: what the system receives ahead, and what hyper reads ahead.
const SMALL_BUFFER: u32 = 32 << 10;

/// The connections of one client.
#[derive(Default)]
pub(in crate::client) struct Pool {
    idle: Mutex<Vec<(Connection, Instant)>>,
    /// Locked while connecting, so that calls wait for one connection instead of opening one each.
    multiplexed: tokio::sync::Mutex<Option<Connection>>,
    /// Whether TLS agrees on HTTP/2, once that is known.
    http2: OnceLock<bool>,
}

struct Connection {
    sender: Sender,
    /// What the peer has said on it.
    heard: watch::Receiver<Heard>,
    /// Closes it.
    task: AbortHandle,
}

enum Sender {
    Http1(http1::SendRequest<Outgoing>),
    Http2(http2::SendRequest<Outgoing>),
}

/// A connection in use. Dropped before its exchange is over, it is closed, unless it carries other calls.
pub(super) struct Exchange {
    connection: Option<Connection>,
    /// It has answered before.
    pub reused: bool,
    /// For this call alone: never used again.
    own: bool,
}

impl Pool {
    /// A connection for a call.
    pub(super) async fn take(&self, shared: &Shared, call: &Call) -> Result<Exchange, ConnectError> {
        let within = shared.options.connect_timeout.min(call.deadline + GRACE);
        let window = if call.small_window {
            Window::Small
        } else {
            Window::Normal
        };
        if call.small_window || call.fresh_connection {
            return Ok(Exchange::new(connect(shared, window, within).await?, false, true));
        }
        while let Some(mut connection) = self.pop() {
            if connection.is_ready().await {
                return Ok(Exchange::new(connection, true, false));
            }
            connection.task.abort();
        }
        if !shared.target.is_tls() || self.http2.get() == Some(&false) {
            return Ok(Exchange::new(connect(shared, window, within).await?, false, false));
        }
        let mut multiplexed = self.multiplexed.lock().await;
        if let Some(connection) = multiplexed.as_ref().and_then(Connection::another) {
            return Ok(Exchange::new(connection, true, false));
        }
        let connection = connect(shared, window, within).await?;
        *multiplexed = connection.another();
        // The first answer stands: a target does not change its mind.
        let _ = self.http2.set(multiplexed.is_some());
        Ok(Exchange::new(connection, false, false))
    }

    fn pop(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let too_old = |(_, since): &mut (Connection, Instant)| since.elapsed() > IDLE;
        for (connection, _) in idle.extract_if(.., too_old) {
            connection.task.abort();
        }
        idle.pop().map(|(connection, _)| connection)
    }

    fn put(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            idle.push((connection, Instant::now()));
        } else {
            connection.task.abort();
        }
    }
}

impl Connection {
    /// The same connection for one more call, where it takes several.
    fn another(&self) -> Option<Connection> {
        match &self.sender {
            Sender::Http2(sender) if !sender.is_closed() => Some(Connection {
                sender: Sender::Http2(sender.clone()),
                heard: self.heard.clone(),
                task: self.task.clone(),
            }),
            Sender::Http1(_) | Sender::Http2(_) => None,
        }
    }

    async fn is_ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => matches!(timeout(READY, sender.ready()).await, Ok(Ok(()))),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }
}

impl Exchange {
    fn new(connection: Connection, reused: bool, own: bool) -> Exchange {
        Exchange {
            connection: Some(connection),
            reused,
            own,
        }
    }

    pub fn is_http2(&self) -> bool {
        matches!(&self.connection, Some(connection) if matches!(connection.sender, Sender::Http2(_)))
    }

    /// What the peer has said on the connection.
    pub fn heard(&self) -> Heard {
        let heard = self
            .connection
            .as_ref()
            .map(|connection| connection.heard.borrow().clone());
        heard.unwrap_or_default()
    }

    /// The response head. An error holds the request when nothing of it was sent.
    pub async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Option<Result<Response<Incoming>, TrySendError<Request<Outgoing>>>> {
        Some(match &mut self.connection.as_mut()?.sender {
            Sender::Http1(sender) => sender.try_send_request(request).await,
            Sender::Http2(sender) => sender.try_send_request(request).await,
        })
    }

    /// The exchange is over in order.
    pub fn recycle(&mut self, pool: &Pool) {
        if self.own || self.is_http2() {
            return;
        }
        if let Some(connection) = self.connection.take() {
            pool.put(connection);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let shared = self.is_http2() && !self.own;
        if let Some(connection) = self.connection.take().filter(|_| !shared) {
            connection.task.abort();
        }
    }
}

/// Any answer to `HEAD /`, on a connection of its own.
pub(in crate::client) async fn probe(shared: &Shared, within: Duration) -> Result<(), ConnectError> {
    let until = Instant::now() + within;
    let mut exchange = Exchange::new(connect(shared, Window::Normal, within).await?, false, true);
    let head = bare_head(shared, http::Method::HEAD, "/", exchange.is_http2());
    let request = head.map_err(|reason| ConnectError::Http {
        address: shared.target.to_string(),
        reason,
    })?;
    match timeout_at(until, exchange.send(request.map(|()| Outgoing::Whole(None)))).await {
        Ok(Some(Err(error))) => {
            let (_, reason) = explain(error.error());
            Err(explain_http(&shared.target, &exchange.heard(), reason))
        }
        Ok(Some(Ok(_)) | None) => Ok(()),
        Err(_) => Err(ConnectError::Silent {
            address: shared.target.to_string(),
            awaited: "answer to HEAD /",
            within,
        }),
    }
}

async fn connect(shared: &Shared, window: Window, within: Duration) -> Result<Connection, ConnectError> {
    let plan = Plan {
        target: &shared.target,
        tls: shared.tls.as_ref(),
        window,
        within,
    };
    let until = Instant::now() + within;
    let tcp = connect_tcp(&plan, until, (window == Window::Small).then_some(SMALL_BUFFER)).await?;
    let Some(tls) = plan.tls else {
        return http1(&plan, tcp).await;
    };
    let stream = connect_tls(&plan, tls, &tls.rest, tcp, until).await?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2(&plan, stream).await,
        _ => http1(&plan, stream).await,
    }
}

async fn http1<S>(plan: &Plan<'_>, stream: S) -> Result<Connection, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, heard) = Recorded::new(stream);
    let mut builder = http1::Builder::new();
    if plan.window == Window::Small {
        builder.max_buf_size(SMALL_BUFFER as usize);
    }
    let begun = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = begun.map_err(|error| failed(plan, &error))?;
    let task = tokio::spawn(async move {
        // Whoever waits for an answer is told.
        let _ = connection.await;
    });
    Ok(Connection {
        sender: Sender::Http1(sender),
        heard,
        task: task.abort_handle(),
    })
}

async fn http2<S>(plan: &Plan<'_>, stream: S) -> Result<Connection, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, heard) = Recorded::new(stream);
    let (stream_window, connection_window) = plan.window.sizes();
    let begun = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = begun.map_err(|error| failed(plan, &error))?;
    let task = tokio::spawn(async move {
        // Whoever waits for an answer is told.
        let _ = connection.await;
    });
    Ok(Connection {
        sender: Sender::Http2(sender),
        heard,
        task: task.abort_handle(),
    })
}

fn failed(plan: &Plan<'_>, error: &hyper::Error) -> ConnectError {
    ConnectError::Http {
        address: plan.target.to_string(),
        reason: explain(error).1,
    }
}
