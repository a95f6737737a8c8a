//! From an address to an HTTP/2 connection whose peer has proven to speak it.

use super::Target;
use super::failure::{ConnectError, explain_http2, explain_tls};
use super::tls::Tls;
use super::wire::Recorded;
use bytes::Bytes;
use h2::client::SendRequest;
use humantime::format_duration;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Receive windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// A stream that nobody reads must not hold up the others of the connection.
    Normal,
    /// 64 KiB for the stream and the connection, for a consumer that is slow on purpose.
    Small,
}

impl Window {
    /// Of a stream and of the connection, in bytes.
    pub fn sizes(self) -> (u32, u32) {
        match self {
            Window::Normal => (1 << 20, 256 << 20),
            Window::Small => (65_535, 65_535),
        }
    }
}

/// Where to, how, and until when.
pub(super) struct Plan<'a> {
    pub target: &'a Target,
    pub tls: Option<&'a Tls>,
    pub window: Window,
    pub within: Duration,
}

/// A connection. It runs in a task of its own, and closes when the last handle and the last stream are gone.
#[derive(Clone)]
pub(super) struct Link {
    pub send: SendRequest<Bytes>,
    pub ending: Ending,
}

/// How a connection ends; keeps none open.
#[derive(Clone)]
pub(super) struct Ending(watch::Receiver<Option<Result<(), h2::Error>>>);

impl Ending {
    /// Why the connection as a whole has ended. A stream is told only that it has lost it.
    pub fn epitaph(&self) -> Option<String> {
        match self.0.borrow().as_ref()? {
            Err(error) if error.is_go_away() && error.is_remote() => {
                let reason = error.reason().map(|reason| format!("{reason:?}")).unwrap_or_default();
                Some(format!("the target closed the connection with GOAWAY {reason}"))
            }
            Err(error) => Some(format!("the connection was lost: {error}")),
            Ok(()) => Some("the target closed the connection".to_owned()),
        }
    }
}

/// An HTTP/2 connection whose SETTINGS have arrived.
pub(super) async fn connect(plan: Plan<'_>) -> Result<Link, ConnectError> {
    let until = Instant::now() + plan.within;
    let tcp = connect_tcp(&plan, until, None).await?;
    let Some(tls) = plan.tls else {
        return start_http2(&plan, tcp, until).await;
    };
    let stream = connect_tls(&plan, tls, &tls.grpc, tcp, until).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return start_http2(&plan, stream, until).await;
    }
    Err(ConnectError::NoAlpn {
        address: plan.target.to_string(),
    })
}

/// TLS over a TCP connection; `connector` says which protocols are asked for.
pub(super) async fn connect_tls(
    plan: &Plan<'_>,
    tls: &Tls,
    connector: &TlsConnector,
    tcp: TcpStream,
    until: Instant,
) -> Result<TlsStream<Recorded<TcpStream>>, ConnectError> {
    let (tcp, raw) = Recorded::new(tcp);
    match timeout_at(until, connector.connect(tls.name.clone(), tcp)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(explain_tls(plan, tls, &raw.borrow(), Some(&error))),
        Err(_) => Err(explain_tls(plan, tls, &raw.borrow(), None)),
    }
}

/// A TCP connection to one of the target's addresses. `buffer` bounds what the system receives ahead of the reader, in bytes.
pub(super) async fn connect_tcp(
    plan: &Plan<'_>,
    until: Instant,
    buffer: Option<u32>,
) -> Result<TcpStream, ConnectError> {
    let (host, address) = (plan.target.host(), plan.target.to_string());
    let name = |reason: String| ConnectError::Name {
        host: host.to_owned(),
        reason,
    };
    let addresses: Vec<_> = match timeout_at(until, tokio::net::lookup_host((host, plan.target.port()))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return Err(name(error.to_string())),
        Err(_) => return Err(name(format!("no answer within {}", format_duration(plan.within)))),
    };
    let mut failure = name("it has no address".to_owned());
    for (index, socket) in addresses.iter().enumerate() {
        // Each address gets its share of what is left, so that one that drops packets leaves time for the next.
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - index).unwrap_or(1);
        match tokio::time::timeout(share, connect_to(*socket, buffer)).await {
            Ok(Ok(stream)) => {
                // Small frames must not wait for each other's acknowledgement.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                failure = ConnectError::Refused {
                    address: address.clone(),
                };
            }
            Ok(Err(error)) => {
                failure = ConnectError::Unreachable {
                    address: address.clone(),
                    reason: error.to_string(),
                };
            }
            Err(_) => {
                failure = ConnectError::NoTcp {
                    address: address.clone(),
                    within: plan.within,
                }
            }
        }
    }
    Err(failure)
}

async fn connect_to(address: SocketAddr, buffer: Option<u32>) -> io::Result<TcpStream> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let Some(bytes) = buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.connect(address).await
}

async fn start_http2<S>(plan: &Plan<'_>, stream: S, until: Instant) -> Result<Link, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, mut heard) = Recorded::new(stream);
    let mut builder = h2::client::Builder::new();
    let (stream_window, connection_window) = plan.window.sizes();
    builder
        .enable_push(false)
        .initial_window_size(stream_window)
        .initial_connection_window_size(connection_window)
        .max_header_list_size(1 << 20)
        // A watch sends small frames, and one that nobody reads for a while must not end the connection: what waits is bounded
        // by the window.
        .data_frame_budget(64 << 20)
        .max_concurrent_reset_streams(1024);
    let (send, connection) = match timeout_at(until, builder.handshake::<_, Bytes>(stream)).await {
        Ok(Ok(pair)) => pair,
        Ok(Err(error)) => return Err(explain_http2(plan, &heard.borrow(), Some(&error))),
        Err(_) => return Err(explain_http2(plan, &heard.borrow(), None)),
    };
    let (end, mut ended) = watch::channel(None);
    let driver = tokio::spawn(async move {
        let result = connection.await;
        end.send_replace(Some(result));
    });
    let began = timeout_at(until, async {
        tokio::select! {
            heard = heard.wait_for(|heard| heard.settings() || heard.is_foreign() || heard.ended) => drop(heard),
            ended = ended.wait_for(|end| end.is_some()) => drop(ended),
        }
    })
    .await;
    let now = heard.borrow().clone();
    if now.settings() {
        return Ok(Link {
            send,
            ending: Ending(ended),
        });
    }
    let error = match (began, now.is_foreign()) {
        (Err(_), _) => explain_http2(plan, &now, None),
        (Ok(()), true) => explain_http2(plan, &now, None),
        (Ok(()), false) => {
            // The reason follows at once: the connection has ended.
            let _ = timeout_at(until, ended.wait_for(|end| end.is_some())).await;
            let ended = ended.borrow();
            let now = heard.borrow().clone();
            explain_http2(plan, &now, ended.as_ref().and_then(|end| end.as_ref().err()))
        }
    };
    driver.abort();
    Err(error)
}
