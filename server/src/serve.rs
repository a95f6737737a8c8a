//! The life of a server: bind, accept, drain.
//!
//! One port takes HTTP/1.1 and HTTP/2, in plaintext (h2c, by prior knowledge) or by TLS; which protocol a request speaks is
//! decided behind the accept loop. A second port is for probes.

use crate::{
    auth::Tokens,
    config::{Config, Simulate, Storage},
    connection::{Certificate, Connections},
    dispatch::Dispatch,
    fault::{self, Active, Fault, Faulty},
    limits::Places,
    probe::Probe,
    reload::{FileError, Source},
    store::{self, FileStore, Memory, Store, StoreError},
    telemetry::Metrics,
    tls,
    watch::Bounds,
};
use http::HeaderValue;
use inventory_contract::SERVICE;
use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpSocket},
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
    /// The certificate, the key or the tokens.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Faults are part of the memory store.
    #[error("a fault needs the store `memory`: leave out the fault or the file")]
    FaultOfFile,
    /// The descriptors built into the program cannot be read.
    #[error("the built-in descriptors are broken")]
    Descriptors(#[source] prost::DecodeError),
    /// Service times are simulated by a thread.
    #[error("the system gives no thread for the timer of `slow`")]
    Timer(#[source] io::Error),
}

/// A server that listens and does not answer yet; connections wait in the backlog.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    probes: Option<(TcpListener, SocketAddr)>,
    config: Config,
    identity: Identity,
    certificate: Option<Certificate>,
    tokens: Option<Arc<Source<Tokens, 1>>>,
    /// A place for each watch that may be open.
    watches: Arc<Places>,
    opened: Opened,
}

/// A store of any kind, with its products in it.
#[derive(Clone)]
enum Opened {
    Memory(Arc<Memory>),
    Faulty(Arc<Faulty>),
    File(Arc<FileStore>),
}

impl Opened {
    /// Opens what is configured; a file is read here, and that takes its time.
    fn open(config: &Config, watches: &Arc<Places>) -> Result<Opened, ServeError> {
        let samples = if config.sample_data {
            store::samples()
        } else {
            Vec::new()
        };
        let buffer = config.fault.and_then(fault::wire::watch_buffer);
        let watches = Bounds {
            buffer: buffer.unwrap_or(config.watch_buffer).max(1),
            open: watches.clone(),
        };
        Ok(match (&config.store, config.fault) {
            (Storage::Memory, None) => Opened::Memory(Arc::new(Memory::new(samples, watches))),
            (Storage::Memory, Some(fault)) => {
                let memory = Arc::new(Memory::new(samples, watches));
                Opened::Faulty(Arc::new(Faulty::new(memory, fault)))
            }
            (Storage::File(path), None) => Opened::File(Arc::new(FileStore::open(path, &samples, watches)?)),
            (Storage::File(_), Some(_)) => return Err(ServeError::FaultOfFile),
        })
    }
}

/// What every response says of the server, as header values.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Which version of the service.
    pub revision: HeaderValue,
    /// Which of its replicas.
    pub replica: HeaderValue,
}

impl ServeError {
    /// Whether the configuration is to blame, and not the state of the machine.
    pub fn is_wrong_input(&self) -> bool {
        match self {
            ServeError::Header { .. } | ServeError::File(_) | ServeError::FaultOfFile => true,
            ServeError::Store(error) => !matches!(error, StoreError::Locked { .. } | StoreError::Thread(_)),
            ServeError::Bind { .. } | ServeError::Descriptors(_) | ServeError::Timer(_) => false,
        }
    }
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
    /// Reads the files and opens the ports and the store; connections wait in the backlog until [`Bound::run`].
    pub async fn bind(config: Config) -> Result<Bound, ServeError> {
        let identity = Identity::of(&config)?;
        let certificate = match &config.tls {
            Some(files) => {
                let paths = [files.certificate.clone(), files.key.clone()];
                Some(Arc::new(Source::open(paths, tls::config)?))
            }
            None => None,
        };
        let tokens = match &config.tokens {
            Some(path) => Some(Arc::new(Source::open([path.clone()], Tokens::of)?)),
            None => None,
        };
        let (listener, address) = listen(config.listen).await?;
        let probes = match config.probe_listen {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        // Blocks this thread for as long as a store file takes to read: there is nothing to serve before.
        let watches = Places::new(config.max_watches);
        let opened = Opened::open(&config, &watches)?;
        Ok(Bound {
            listener,
            address,
            probes,
            config,
            identity,
            certificate,
            tokens,
            watches,
            opened,
        })
    }
}

/// Connections that wait to be accepted. A thousand clients that come at once, as after a rollout, must not be turned away; the
/// system has a bound of its own (`net.core.somaxconn`).
const BACKLOG: u32 = 4096;

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let refused = |source| ServeError::Bind { address, source };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(refused)?;
    // A restart must not wait for the connections of the process before it.
    #[cfg(unix)]
    socket.set_reuseaddr(true).map_err(refused)?;
    socket.bind(address).map_err(refused)?;
    let listener = socket.listen(BACKLOG).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

impl Bound {
    /// Where it listens; the port is the real one.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for probes, if it does; the port is the real one.
    pub fn probe_addr(&self) -> Option<SocketAddr> {
        self.probes.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown` is ready, then drains: no new connection, health NOT_SERVING, every watch ends UNAVAILABLE,
    /// clients are told to go away, and calls under way have the configured time to end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        match self.opened.clone() {
            Opened::Memory(store) => self.serve(store, shutdown).await,
            Opened::Faulty(store) => self.serve(store, shutdown).await,
            Opened::File(store) => self.serve(store, shutdown).await,
        }
    }

    async fn serve<S: Store>(self, store: Arc<S>, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Bound {
            listener,
            address,
            probes,
            config,
            identity,
            certificate,
            tokens,
            watches,
            ..
        } = self;
        let health = HealthReporter::new();
        announce(&health, !Active(config.fault).is(Fault::HealthNotServing)).await;
        let draining = CancellationToken::new();
        let places = Places::new(config.max_connections);
        let metrics = Metrics::new(&places, &watches);

        // What runs beside the connections, until the very end.
        let mut beside = JoinSet::new();
        if let Some(certificate) = certificate.clone() {
            beside.spawn(certificate.follow(config.reload));
        }
        if let Some(tokens) = tokens.clone() {
            beside.spawn(tokens.follow(config.reload));
        }
        if let Some((listener, address)) = probes {
            tracing::info!(%address, "answering probes");
            let probe = Probe {
                store: store.clone(),
                metrics: metrics.clone(),
                identity: identity.clone(),
                draining: draining.clone(),
            };
            beside.spawn(probe.serve(listener));
        }
        tracing::info!(
            %address,
            fault = ?config.fault,
            tls = certificate.is_some(),
            tokens = tokens.is_some(),
            "serving"
        );
        tracing::info!(
            message_bytes = config.max_message,
            import_rows = config.max_import_rows,
            request_memory_bytes = config.max_request_memory,
            header_bytes = config.max_header,
            connections = config.max_connections,
            streams_per_connection = config.max_streams,
            watches = config.max_watches,
            watch_buffer = config.watch_buffer,
            request_timeout = ?config.request_timeout,
            header_timeout = ?config.header_timeout,
            drain = ?config.drain,
            "limits"
        );
        if config.simulate != Simulate::default() {
            tracing::info!(conditions = ?config.simulate, "simulating");
        }
        let state = Shared {
            identity,
            health: health.clone(),
            metrics: metrics.clone(),
            tokens,
            draining: draining.clone(),
        };
        let dispatch = Dispatch::new(store.clone(), &config, state)?;
        let connections = Connections::new(dispatch, &config, certificate, draining.clone());
        let mut tasks = JoinSet::new();
        let mut complaint = Complaint::default();
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => match places.take() {
                        Some(place) => {
                            tasks.spawn(connections.clone().serve(stream, peer, place));
                        }
                        None => {
                            metrics.refuse();
                            complaint.make(&format!("closing new connections: {} are open", places.most()));
                        }
                    },
                    Err(error) => {
                        // Such as too many open files: those that close make room.
                        complaint.make(&format!("cannot accept a connection: {error}"));
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
        beside.shutdown().await;
        store.finish().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// What calls share beside the store.
pub struct Shared {
    /// Sent with every answer.
    pub identity: Identity,
    /// What health says.
    pub health: HealthReporter,
    /// Where calls are counted.
    pub metrics: Arc<Metrics>,
    /// Who may call; everybody without it.
    pub tokens: Option<Arc<Source<Tokens, 1>>>,
    /// Cancelled once the server no longer wants calls.
    pub draining: CancellationToken,
}

/// A line of the log that could come thousands of times a second and comes every ten seconds at most.
#[derive(Default)]
struct Complaint {
    last: Option<Instant>,
    kept: u64,
}

impl Complaint {
    fn make(&mut self, text: &str) {
        if self.last.is_some_and(|last| last.elapsed() < Duration::from_secs(10)) {
            self.kept += 1;
            return;
        }
        tracing::warn!(since_last_line = self.kept, "{text}");
        (self.last, self.kept) = (Some(Instant::now()), 0);
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
