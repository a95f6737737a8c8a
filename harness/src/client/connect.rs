//! From an address to an HTTP/2 connection, and a sentence for every way in which that fails.

use super::Target;
use super::tls::{self, Tls};
use super::wire::{Heard, Recorded};
use bytes::Bytes;
use h2::client::SendRequest;
use humantime::format_duration;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Why there is no connection. The text is a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the sentence of each says what its fields are")]
pub enum ConnectError {
    #[error("cannot read certificates from {path:?}: {reason}; --ca wants a PEM file")]
    Ca { path: PathBuf, reason: String },
    #[error("cannot resolve the name `{host}`: {reason}; check the spelling, and that it is known where this runs")]
    Name { host: String, reason: String },
    #[error("{address} refused the connection: nothing listens there; check the port, and that the service runs")]
    Refused { address: String },
    #[error("cannot reach {address}: {reason}")]
    Unreachable { address: String, reason: String },
    #[error(
        "no TCP connection to {address} within {}: something drops the packets; check address, firewall and network rules",
        format_duration(*.within)
    )]
    NoTcp { address: String, within: Duration },
    #[error(
        "{address} accepts connections but stays silent: no {awaited} within {}; is it a gRPC port, and does a backend \
         stand behind it?",
        format_duration(*.within)
    )]
    Silent {
        address: String,
        awaited: &'static str,
        within: Duration,
    },
    #[error("{address} closed the connection without sending a byte ({reason}); is it a gRPC port?")]
    Closed { address: String, reason: String },
    #[error(
        "{address} answers HTTP/1.1 only (`{line}`), and gRPC needs HTTP/2: on Azure Container Apps set the ingress transport \
         to http2, elsewhere turn on HTTP/2 for this port"
    )]
    Http1 { address: String, line: String },
    #[error("{address} speaks TLS: write {instead}")]
    SpeaksTls { address: String, instead: String },
    #[error("{address} speaks plaintext, not TLS: write {instead}")]
    SpeaksPlaintext { address: String, instead: String },
    #[error("{address} speaks neither HTTP/2 nor TLS: it sent `{sent}`; is it a gRPC port?")]
    Foreign { address: String, sent: String },
    #[error(
        "the certificate of {address} comes from an issuer that is not trusted: give the issuer's PEM file with --ca"
    )]
    UnknownIssuer { address: String },
    #[error(
        "the certificate of {address} is not for `{name}`{}: give a name that it bears with --authority",
        presented_text(.presented)
    )]
    WrongName {
        address: String,
        name: String,
        presented: Vec<String>,
    },
    #[error("the certificate of {address} has expired: renew it, or check the clock of this machine")]
    Expired { address: String },
    #[error("the certificate of {address} is not accepted: {reason}")]
    Certificate { address: String, reason: String },
    #[error(
        "{address} speaks TLS but does not offer HTTP/2 (ALPN h2), and gRPC needs it: on Azure Container Apps set the ingress \
         transport to http2, elsewhere turn on HTTP/2 for this port"
    )]
    NoAlpn { address: String },
    #[error("TLS with {address} failed: {reason}")]
    Tls { address: String, reason: String },
    #[error("HTTP/2 with {address} failed: {reason}")]
    Http2 { address: String, reason: String },
}

fn presented_text(presented: &[String]) -> String {
    match presented {
        [] => String::new(),
        names => format!(" but for `{}`", names.join("`, `")),
    }
}

/// Receive windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// A stream that nobody reads must not hold up the others of the connection.
    Normal,
    /// 64 KiB for the stream and the connection, for a consumer that is slow on purpose.
    Small,
}

/// Where to, how, and until when.
pub(super) struct Plan<'a> {
    pub target: &'a Target,
    pub tls: Option<&'a Tls>,
    pub window: Window,
    pub within: Duration,
}

/// An HTTP/2 connection whose SETTINGS have arrived. It runs in a task of its own, and closes when the last handle and the
/// last stream are gone.
pub(super) async fn connect(plan: Plan<'_>) -> Result<SendRequest<Bytes>, ConnectError> {
    let until = Instant::now() + plan.within;
    let tcp = connect_tcp(&plan, until).await?;
    let Some(tls) = plan.tls else {
        return start_http2(&plan, tcp, until).await;
    };
    let (tcp, raw) = Recorded::new(tcp);
    let handshake = tls.connector.connect(tls.name.clone(), tcp);
    match timeout_at(until, handshake).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => start_http2(&plan, stream, until).await,
        Ok(Ok(_)) => Err(ConnectError::NoAlpn {
            address: plan.target.to_string(),
        }),
        Ok(Err(error)) => Err(explain_tls(&plan, tls, &raw.borrow(), Some(&error))),
        Err(_) => Err(explain_tls(&plan, tls, &raw.borrow(), None)),
    }
}

async fn connect_tcp(plan: &Plan<'_>, until: Instant) -> Result<TcpStream, ConnectError> {
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
        match tokio::time::timeout(share, TcpStream::connect(socket)).await {
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

async fn start_http2<S>(plan: &Plan<'_>, stream: S, until: Instant) -> Result<SendRequest<Bytes>, ConnectError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, mut heard) = Recorded::new(stream);
    let mut builder = h2::client::Builder::new();
    let (stream_window, connection_window) = match plan.window {
        Window::Normal => (1 << 20, 256 << 20),
        Window::Small => (65_535, 65_535),
    };
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
        end.send_replace(Some(result.err()));
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
        return Ok(send);
    }
    let error = match (began, now.is_foreign()) {
        (Err(_), _) => explain_http2(plan, &now, None),
        (Ok(()), true) => explain_http2(plan, &now, None),
        (Ok(()), false) => {
            // The reason follows at once: the connection has ended.
            let _ = timeout_at(until, ended.wait_for(|end| end.is_some())).await;
            explain_http2(plan, &now, ended.borrow().as_ref().and_then(Option::as_ref))
        }
    };
    driver.abort();
    Err(error)
}

fn explain_tls(plan: &Plan<'_>, tls: &Tls, heard: &Heard, error: Option<&io::Error>) -> ConnectError {
    let address = plan.target.to_string();
    if heard.head.is_empty() {
        return match error {
            None => ConnectError::Silent {
                address,
                awaited: "answer to the TLS handshake",
                within: plan.within,
            },
            Some(error) => {
                let reason = format!(
                    "{error}; if it speaks plaintext, write {}",
                    plan.target.with_other_scheme()
                );
                ConnectError::Closed { address, reason }
            }
        };
    }
    let instead = plan.target.with_other_scheme();
    match error {
        _ if heard.begins_with_settings() || heard.http1().is_some() => {
            ConnectError::SpeaksPlaintext { address, instead }
        }
        _ if !heard.is_tls() => ConnectError::Foreign {
            address,
            sent: heard.shown(),
        },
        Some(error) => tls::explain(plan.target, &tls.name, error),
        None => ConnectError::Silent {
            address,
            awaited: "end of the TLS handshake",
            within: plan.within,
        },
    }
}

fn explain_http2(plan: &Plan<'_>, heard: &Heard, error: Option<&h2::Error>) -> ConnectError {
    let address = plan.target.to_string();
    let within = plan.within;
    if heard.is_tls() && plan.tls.is_none() {
        return ConnectError::SpeaksTls {
            address,
            instead: plan.target.with_other_scheme(),
        };
    }
    if let Some(line) = heard.http1() {
        return ConnectError::Http1 { address, line };
    }
    match (heard.head.is_empty(), heard.begins_with_settings()) {
        (true, _) if heard.ended || error.is_some() => {
            let reason = error.map_or_else(|| "end of stream".to_owned(), ToString::to_string);
            ConnectError::Closed { address, reason }
        }
        (true, _) => ConnectError::Silent {
            address,
            awaited: "HTTP/2 SETTINGS frame",
            within,
        },
        (false, false) => ConnectError::Foreign {
            address,
            sent: heard.shown(),
        },
        (false, true) => {
            let reason = error.map_or_else(|| "its SETTINGS frame breaks off".to_owned(), ToString::to_string);
            ConnectError::Http2 { address, reason }
        }
    }
}
