//! One connection: TLS where it is wanted, which HTTP it speaks, its calls, its end.

use crate::{config::Config, dispatch::Dispatch, limits::Taken, reload::Source, store::Store};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::sync::CancellationToken;

/// The certificate and key, as of their last good change.
pub type Certificate = Arc<Source<ServerConfig, 2>>;

/// What every connection of a server shares.
pub struct Connections<S> {
    dispatch: Arc<Dispatch<S>>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    certificate: Option<Certificate>,
    draining: CancellationToken,
    patience: Duration,
}

impl<S: Store> Connections<S> {
    /// Connections set up as configured.
    pub fn new(
        dispatch: Dispatch<S>,
        config: &Config,
        certificate: Option<Certificate>,
        draining: CancellationToken,
    ) -> Arc<Connections<S>> {
        Arc::new(Connections {
            dispatch: Arc::new(dispatch),
            http1: http1(config),
            http2: http2(config),
            certificate,
            draining,
            patience: config.header_timeout,
        })
    }

    /// Serves one connection until it closes; when the server drains, until its calls have ended.
    pub async fn serve(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, _place: Taken) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "no TCP_NODELAY");
        }
        let number = self.dispatch.connected();
        tracing::debug!(%peer, number, "connected");
        let ended = tokio::select! {
            // Nothing was asked yet: there is nothing to wait for.
            () = self.draining.cancelled() => Ok(None),
            opened = self.open(stream) => opened.map(Some),
        };
        let ended = match ended {
            Ok(None) => Ok(()),
            Ok(Some(Opened::Plain(first))) => self.http(first, number).await,
            Ok(Some(Opened::Tls(first))) => self.http(*first, number).await,
            Err(error) => Err(error.into()),
        };
        match ended {
            Ok(()) => tracing::debug!(%peer, number, "closed"),
            Err(error) => tracing::debug!(%peer, number, error, "broken"),
        }
    }

    /// Waits for what a peer begins with: one that says nothing is not kept.
    async fn open(&self, stream: TcpStream) -> io::Result<Opened> {
        let opened = async {
            Ok(match &self.certificate {
                None => Opened::Plain(First::read(stream).await?),
                Some(certificate) => {
                    let stream = TlsAcceptor::from(certificate.current()).accept(stream).await?;
                    Opened::Tls(Box::new(First::read(stream).await?))
                }
            })
        };
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it did not say what it wants in time");
        timeout(self.patience, opened).await.map_err(late)?
    }

    async fn http<I>(&self, first: First<I>, number: u64) -> Result<(), Broken>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let dispatch = self.dispatch.clone();
        let service = service_fn(move |request: http::Request<Incoming>| {
            let dispatch = dispatch.clone();
            async move { Ok::<_, Infallible>(dispatch.answer(number, request).await) }
        });
        if first.is_http2() {
            let connection = self.http2.serve_connection(TokioIo::new(first), service);
            self.drive(connection).await
        } else {
            let connection = self.http1.serve_connection(TokioIo::new(first), service);
            self.drive(connection).await
        }
    }

    async fn drive<C: GracefulConnection<Error = hyper::Error>>(&self, connection: C) -> Result<(), Broken> {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.draining.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(Into::into)
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

enum Opened {
    Plain(First<TcpStream>),
    Tls(Box<First<tokio_rustls::server::TlsStream<TcpStream>>>),
}

/// What a client of HTTP/2 begins with (RFC 9113 section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose first bytes were looked at, and are read once more by whoever serves it.
struct First<I> {
    io: I,
    bytes: [u8; PREFACE.len()],
    /// Which of the bytes are still to be read.
    left: std::ops::Range<usize>,
}

impl<I: AsyncRead + Unpin> First<I> {
    /// Reads until it is clear whether they are the preface.
    async fn read(mut io: I) -> io::Result<First<I>> {
        let mut bytes = [0; PREFACE.len()];
        let mut filled = 0;
        while filled < PREFACE.len() && bytes[..filled] == PREFACE[..filled] {
            match io.read(&mut bytes[filled..]).await? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "it closed without a request",
                    ));
                }
                read => filled += read,
            }
        }
        let left = 0..filled;
        Ok(First { io, bytes, left })
    }
}

impl<I> First<I> {
    fn is_http2(&self) -> bool {
        self.bytes == *PREFACE
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for First<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.left.is_empty() {
            return Pin::new(&mut this.io).poll_read(context, buffer);
        }
        let count = this.left.len().min(buffer.remaining());
        buffer.put_slice(&this.bytes[this.left.start..][..count]);
        this.left.start += count;
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for First<I> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// How long a peer may be silent before it is asked whether it is still there, and how long it may take to say so. Without
/// it the watches of a client that vanished would stay.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));

/// Streams that were reset before they were answered; hyper's default of 20 closes the connection of a client that opens
/// and cancels a hundred watches at once.
const PENDING_RESETS: usize = 1024;

/// How much of a call, and of a connection, a client may send ahead of what was read. h2 ends a connection with "too many
/// data frames" when its small ones that nobody has read yet, each counted with the 256 bytes that it takes, exceed half
/// of the second window. An import writes each row as a frame: a call's window full of the shortest rows has to fit.
const WINDOWS: (u32, u32) = (512 << 10, 16 << 20);

/// How much may wait in the transport for a reader that reads nothing, a stream of HTTP/2 or a connection of HTTP/1.1;
/// hyper's defaults of 400 KB would be 4 GB for 10,000 of them.
const SEND_BUFFER: usize = 64 << 10;

fn http1(config: &Config) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_header_size(config.max_header)
        .max_buf_size(SEND_BUFFER.max(config.max_header));
    http
}

fn http2(config: &Config) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams)
        .max_header_list_size(u32::try_from(config.max_header).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1);
    http
}
