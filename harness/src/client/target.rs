//! The address of a target and how it is reached.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// An address: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    tls: bool,
}

/// An address that is not accepted; says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

impl Target {
    /// `https://host[:port]`, `http://host:port`, or `host:port` (plaintext, on loopback only).
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        let uri: http::Uri = text
            .parse()
            .map_err(|e: http::uri::InvalidUri| TargetError(e.to_string()))?;
        let host = uri.host().unwrap_or_default().to_owned();
        Ok(Target {
            host,
            port: uri.port_u16().unwrap_or(443),
            tls: uri.scheme_str() == Some("https"),
        })
    }

    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// Whether it is this machine by its name or address: `localhost`, 127.0.0.0/8, `::1`.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// `host:port`, an IPv6 address in brackets.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

/// How a target is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// PEM file with certificates to trust beside those of the system.
    pub ca: Option<PathBuf>,
    /// Sent as `:authority`; over TLS it is also the name that the certificate must bear.
    pub authority: Option<String>,
    /// Sent with every call, reflection included; as in [`Call`](super::Call).
    pub metadata: Vec<(String, Vec<u8>)>,
    /// For TCP, TLS and the first HTTP/2 frame together.
    pub connect_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ca: None,
            authority: None,
            metadata: Vec::new(),
            connect_timeout: Duration::from_secs(5),
        }
    }
}
