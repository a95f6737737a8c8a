//! The life of a server: bind, accept, drain.
//!
//! One port takes HTTP/1.1 and HTTP/2 with prior knowledge (h2c); which protocol a request speaks is decided behind the
//! accept loop.

use crate::{
    config::Config,
    dispatch::Dispatch,
    fault::{self, Active, Fault, Faulty},
    store::{Memory, Store},
};
use http::HeaderValue;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use inventory_contract::SERVICE;
use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};
use uuid::Uuid;

/// The reference service.
pub struct Server;

/// Why a server did not start or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {address}: choose another address or stop what uses it")]
    Bind {
        /// As configured.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A configured header value that HTTP cannot carry.
    #[error("the {what} {value:?} cannot be a header value: use printable ASCII characters")]
    Header {
        /// Which.
        what: &'static str,
        /// As configured.
        value: String,
    },
    /// The descriptors built into the program cannot be read.
    #[error("the built-in descriptors are broken")]
    Descriptors(#[source] prost::DecodeError),
}

/// A server that listens and does not answer yet; connections wait in the backlog.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    config: Config,
    identity: Identity,
}

/// What every response says of the server, as header values.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Which version of the service.
    pub revision: HeaderValue,
    /// Which of its replicas.
    pub replica: HeaderValue,
}

impl Identity {
    fn of(config: &Config) -> Result<Identity, ServeError> {
        let revision = config.revision.as_deref().unwrap_or(env!("CARGO_PKG_VERSION"));
        // Eight hexadecimal digits: enough to tell replicas apart, short enough to read.
        let random = format!("{:08x}", Uuid::new_v4().as_fields().0);
        let replica = config.replica.as_deref().unwrap_or(&random);
        let value = |what, value: &str| {
            HeaderValue::from_str(value).map_err(|_| ServeError::Header {
                what,
                value: value.to_owned(),
            })
        };
        Ok(Identity {
            revision: value("revision", revision)?,
            replica: value("replica", replica)?,
        })
    }
}

impl Server {
    /// Opens the port.
    pub async fn bind(config: Config) -> Result<Bound, ServeError> {
        let identity = Identity::of(&config)?;
        let refused = |source| ServeError::Bind {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Bound {
            listener,
            address,
            config,
            identity,
        })
    }
}

impl Bound {
    /// Where it listens; the port is the real one.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is ready, then drains: no new connection, health NOT_SERVING, every watch ends UNAVAILABLE,
    /// clients are told to go away, and calls under way have the configured time to end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let watch_buffer = self
            .config
            .fault
            .and_then(fault::wire::watch_buffer)
            .unwrap_or(self.config.watch_buffer);
        let memory = Arc::new(Memory::new(watch_buffer));
        if self.config.sample_data {
            memory.add_samples();
        }
        match self.config.fault {
            None => self.serve(memory, shutdown).await,
            Some(fault) => self.serve(Arc::new(Faulty::new(memory, fault)), shutdown).await,
        }
    }

    async fn serve<S: Store>(self, store: Arc<S>, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Bound {
            listener,
            address,
            config,
            identity,
        } = self;
        let health = HealthReporter::new();
        announce(&health, !Active(config.fault).is(Fault::HealthNotServing)).await;
        let draining = CancellationToken::new();
        let dispatch = Dispatch::new(store.clone(), &config, identity, health.clone(), draining.clone())?;
        let connections = Connections {
            dispatch: Arc::new(dispatch),
            http: Arc::new(http(&config)),
            draining: draining.clone(),
        };
        tracing::info!(%address, fault = ?config.fault, "serving");

        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        tasks.spawn(connections.serve(stream, peer));
                    }
                    Err(error) => {
                        // Such as too many open files: those that close make room.
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = tasks.join_next() => {}
                () = &mut shutdown => break,
            }
        }

        tracing::info!(connections = tasks.len(), "draining");
        drop(listener);
        announce(&health, false).await;
        store.close();
        draining.cancel();
        let drained = tokio::time::timeout(config.drain, async { while tasks.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = tasks.len(), after = ?config.drain, "closing connections with calls under way");
            tasks.shutdown().await;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

async fn announce(health: &HealthReporter, serving: bool) {
    let status = if serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for service in ["", SERVICE] {
        health.set_service_status(service, status).await;
    }
}

/// What every connection of a server shares.
struct Connections<S> {
    dispatch: Arc<Dispatch<S>>,
    http: Arc<auto::Builder<TokioExecutor>>,
    draining: CancellationToken,
}

impl<S: Store> Connections<S> {
    /// Serves one connection until it closes; when the server drains, until its calls have ended.
    fn serve(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + use<S> {
        let (dispatch, http, draining) = (self.dispatch.clone(), self.http.clone(), self.draining.clone());
        async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%peer, %error, "no TCP_NODELAY");
            }
            let number = dispatch.connected();
            tracing::debug!(%peer, number, "connected");
            let service = service_fn(move |request: http::Request<Incoming>| {
                let dispatch = dispatch.clone();
                async move { Ok::<_, Infallible>(dispatch.answer(number, request).await) }
            });
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = draining.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            match ended {
                Ok(()) => tracing::debug!(%peer, number, "closed"),
                Err(error) => tracing::debug!(%peer, number, %error, "broken"),
            }
        }
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

fn http(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new());
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_streams)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .initial_stream_window_size(WINDOWS.0)
        .initial_connection_window_size(WINDOWS.1)
        .keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1);
    http
}
