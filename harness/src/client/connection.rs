//! The connection that calls share, opened again when it is lost.

use super::connect::{Link, Plan, Window, connect};
use super::identity::{Identity, Watch};
use super::rest::{self, Pool};
use super::tls::Tls;
use super::{Call, ConnectError, GRACE, OpenCall, Options, Protocol, Target, grpc};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Calls one target. Cheap to clone; clones share a connection.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    identity: Option<Arc<Identity>>,
}

pub(super) struct Shared {
    pub target: Target,
    pub options: Options,
    pub tls: Option<Tls>,
    /// Connections for REST.
    pub pool: Pool,
    /// Locked while connecting, so that calls wait for one connection instead of opening one each.
    live: Mutex<Live>,
}

#[derive(Default)]
struct Live {
    link: Option<Link>,
    /// The last attempt, where it failed: whoever waited for it fails with it instead of trying again.
    failure: Option<(Instant, ConnectError)>,
}

impl Client {
    /// No I/O but reading the certificates.
    pub fn new(target: Target, options: Options) -> Result<Client, ConnectError> {
        if let Some(authority) = &options.authority {
            check_authority(authority)?;
        }
        let tls = match target.is_tls() {
            true => Some(Tls::new(&target, &options)?),
            false => None,
        };
        Ok(Client {
            shared: Arc::new(Shared {
                target,
                options,
                tls,
                pool: Pool::default(),
                live: Mutex::default(),
            }),
            identity: None,
        })
    }

    /// The same, on the same connections; who answers its calls is counted there.
    pub fn watched(&self, identity: Arc<Identity>) -> Client {
        Client {
            identity: Some(identity),
            ..self.clone()
        }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// One for the same target with the same options that shares no connection with this one, and speaks REST over HTTP/1.1 alone,
    /// over TLS too.
    pub fn apart(&self) -> Client {
        Client {
            shared: Arc::new(Shared {
                target: self.shared.target.clone(),
                options: self.shared.options.clone(),
                tls: self.shared.tls.clone().map(Tls::rest_over_http1),
                pool: Pool::default(),
                live: Mutex::default(),
            }),
            identity: self.identity.clone(),
        }
    }

    /// Whom it calls.
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    /// Opens a call. Never fails: without a connection the call ends at once, on the transport layer.
    pub async fn open(&self, call: &Call) -> OpenCall {
        let open = self.unwatched(call).await;
        match &self.identity {
            Some(identity) => open.watched(Watch::new(identity.clone())),
            None => open,
        }
    }

    async fn unwatched(&self, call: &Call) -> OpenCall {
        let started = Instant::now();
        if call.protocol == Protocol::Rest {
            return rest::start(call, &self.shared, started);
        }
        let within = self.shared.options.connect_timeout.min(call.deadline + GRACE);
        let mut again = true;
        loop {
            let link = match (call.small_window, call.fresh_connection) {
                (true, _) => self.connect(Window::Small, within).await,
                (false, true) => self.connect(Window::Normal, within).await,
                (false, false) => self.shared_link(within).await,
            };
            let link = match link {
                Ok(link) => link,
                Err(error) => return OpenCall::unconnected(call, &error, started),
            };
            match grpc::start(call, &self.shared, link, started) {
                Ok(open) => return open,
                // The connection ended in between, before anything of the call was sent.
                Err(error) if again && (error.is_io() || error.is_go_away()) => {
                    again = false;
                    self.shared.forget_connection();
                }
                Err(error) => return grpc::unopened(call, &error, started),
            }
        }
    }

    /// Ok once the target has shown on a connection of its own that it speaks what the protocol needs: for gRPC its HTTP/2
    /// SETTINGS have arrived, for REST an answer to `HEAD /`, whatever it says.
    pub async fn probe(&self, protocol: Protocol, within: Duration) -> Result<(), ConnectError> {
        match protocol {
            Protocol::Grpc => self.connect(Window::Normal, within).await.map(drop),
            Protocol::Rest => rest::probe(&self.shared, within).await,
        }
    }

    async fn connect(&self, window: Window, within: Duration) -> Result<Link, ConnectError> {
        connect(Plan {
            target: &self.shared.target,
            tls: self.shared.tls.as_ref(),
            window,
            within,
        })
        .await
    }

    /// The shared connection; a new one where it has ended.
    async fn shared_link(&self, within: Duration) -> Result<Link, ConnectError> {
        let asked = Instant::now();
        let mut live = self.shared.live.lock().await;
        if let Some(link) = live.link.take()
            && let Ok(send) = link.send.clone().ready().await
        {
            let link = Link { send, ..link };
            live.link = Some(link.clone());
            return Ok(link);
        }
        if let Some((failed, error)) = &live.failure
            && *failed >= asked
        {
            return Err(error.clone());
        }
        match self.connect(Window::Normal, within).await {
            Ok(link) => {
                *live = Live {
                    link: Some(link.clone()),
                    failure: None,
                };
                Ok(link)
            }
            Err(error) => {
                live.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }
}

fn check_authority(authority: &str) -> Result<(), ConnectError> {
    let refuse = |reason: String| {
        Err(ConnectError::Authority {
            authority: authority.to_owned(),
            reason,
        })
    };
    if authority.contains('@') {
        return refuse("it holds no user and no password".to_owned());
    }
    match authority.parse::<http::uri::Authority>() {
        Ok(_) => Ok(()),
        Err(error) => refuse(error.to_string()),
    }
}

impl Shared {
    /// Lets the next call open a new connection; calls on the old one go on.
    pub fn forget_connection(&self) {
        if let Ok(mut live) = self.live.try_lock() {
            live.link = None;
        }
    }
}
