//! Where a target is and how it is spoken to, resolved once: what the load tier opens its own connections by.

use super::tls::Tls;
use super::{Client, ConnectError, Target};
use humantime::format_duration;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, Error};

/// A resolved target.
#[derive(Clone)]
pub struct Endpoint {
    /// At least one; tried in this order.
    pub addresses: Vec<SocketAddr>,
    /// `:authority`, or `host`.
    pub authority: String,
    /// Sent with every request; as in [`Call`](super::Call).
    pub metadata: Vec<(String, Vec<u8>)>,
    target: Target,
    tls: Option<Tls>,
}

/// Keys without values: metadata holds secrets.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: Vec<&str> = self.metadata.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Endpoint")
            .field("target", &self.target.to_string())
            .field("addresses", &self.addresses)
            .field("authority", &self.authority)
            .field("metadata", &keys)
            .finish()
    }
}

impl Endpoint {
    /// Whether connections are encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// For TLS: what asks for HTTP/2 alone, or for HTTP/1.1 alone, and whose certificate is checked.
    pub(crate) fn secure(&self, http2: bool) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
        let tls = self.tls.as_ref()?;
        let config = match http2 {
            true => tls.grpc.config(),
            false => tls.http1.config(),
        };
        Some((Arc::clone(config), tls.name.clone()))
    }

    /// Puts an error of TLS into a sentence.
    pub(crate) fn explain(&self, error: &Error) -> ConnectError {
        match &self.tls {
            Some(tls) => tls.explain(&self.target, error),
            None => ConnectError::Tls {
                address: self.target.to_string(),
                reason: error.to_string(),
            },
        }
    }

    /// The target in words.
    pub(crate) fn address(&self) -> String {
        self.target.to_string()
    }

    /// The same with the other scheme.
    pub(crate) fn with_other_scheme(&self) -> String {
        self.target.with_other_scheme()
    }
}

impl Client {
    /// Resolves the name of the target, once.
    pub async fn endpoint(&self) -> Result<Endpoint, ConnectError> {
        let shared = self.shared();
        let (target, options) = (&shared.target, &shared.options);
        let within: Duration = options.connect_timeout;
        let failed = |reason: String| ConnectError::Name {
            host: target.host().to_owned(),
            reason,
        };
        let lookup = tokio::net::lookup_host((target.host(), target.port()));
        let addresses: Vec<SocketAddr> = match tokio::time::timeout(within, lookup).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed(format!("no answer within {}", format_duration(within)))),
        };
        if addresses.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        Ok(Endpoint {
            addresses,
            authority: options.authority.clone().unwrap_or_else(|| target.authority()),
            metadata: options.metadata.clone(),
            target: target.clone(),
            tls: shared.tls.clone(),
        })
    }

    /// How the target is addressed beside calls: for whoever opens a connection of its own. No I/O.
    pub(crate) fn manner(&self) -> Manner {
        let shared = self.shared();
        let (target, options) = (&shared.target, &shared.options);
        Manner {
            authority: options.authority.clone().unwrap_or_else(|| target.authority()),
            metadata: options.metadata.clone(),
            secure: shared.tls.as_ref().map(|tls| Secure {
                either: Arc::clone(tls.rest.config()),
                http1: Arc::clone(tls.http1.config()),
                name: tls.name.clone(),
            }),
        }
    }
}

/// See [`Client::manner`].
pub(crate) struct Manner {
    /// `:authority`, or `host`.
    pub authority: String,
    /// Sent with every request; holds secrets.
    pub metadata: Vec<(String, Vec<u8>)>,
    /// Where the connection is encrypted.
    pub secure: Option<Secure>,
}

/// TLS to a target.
#[derive(Clone)]
pub(crate) struct Secure {
    /// Offers HTTP/2 and HTTP/1.1.
    pub either: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone.
    pub http1: Arc<ClientConfig>,
    /// Whose certificate is asked for.
    pub name: ServerName<'static>,
}
