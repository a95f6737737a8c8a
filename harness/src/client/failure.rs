//! A sentence for every way in which there is no connection.

use super::Target;
use super::connect::Plan;
use super::tls::{self, Tls};
use super::wire::Heard;
use humantime::format_duration;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why there is no connection. The text is a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the sentence of each says what its fields are")]
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
    #[error("--authority {authority:?} is no host and no host:port: {reason}")]
    Authority { authority: String, reason: String },
    #[error("the certificate of {address} comes from an issuer that is not trusted: {}", issuer_text(.ca))]
    UnknownIssuer { address: String, ca: Option<PathBuf> },
    #[error(
        "{address} asks for a client certificate, which stocktake does not send: on Azure Container Apps set \
         clientCertificateMode to accept or ignore"
    )]
    ClientCertificate { address: String },
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
    #[error(
        "{address} answers HTTP/2 only, and REST without TLS goes over HTTP/1.1: turn on HTTP/1.1 for this port, or write \
         {instead}"
    )]
    OnlyHttp2 { address: String, instead: String },
    #[error("{address} does not answer in HTTP/1.1: it sent `{sent}`; is it an HTTP port?")]
    NotHttp1 { address: String, sent: String },
    #[error("{address} closed the connection without answering ({reason}); is it an HTTP port?")]
    NoAnswer { address: String, reason: String },
    #[error("HTTP with {address} failed: {reason}")]
    Http { address: String, reason: String },
}

fn presented_text(presented: &[String]) -> String {
    match presented {
        [] => String::new(),
        names => format!(" but for `{}`", names.join("`, `")),
    }
}

fn issuer_text(ca: &Option<PathBuf>) -> String {
    match ca {
        None => "give the issuer's PEM file with --ca".to_owned(),
        Some(path) => {
            format!("neither the system nor {path:?} knows it; --ca wants the issuer, not the certificate itself")
        }
    }
}

/// TLS has failed, or has not come to an end where there is no error.
pub(super) fn explain_tls(plan: &Plan<'_>, tls: &Tls, heard: &Heard, error: Option<&io::Error>) -> ConnectError {
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
        Some(error) => match tls::of_io(error) {
            Some(error) => tls.explain(plan.target, error),
            None => ConnectError::Tls {
                address,
                reason: error.to_string(),
            },
        },
        None => ConnectError::Silent {
            address,
            awaited: "end of the TLS handshake",
            within: plan.within,
        },
    }
}

/// HTTP/2 has not begun: the connection has ended, or time is up where there is no error.
pub(super) fn explain_http2(plan: &Plan<'_>, heard: &Heard, error: Option<&h2::Error>) -> ConnectError {
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
    // With TLS 1.3 the server tells only now that it wanted a certificate.
    if let (Some(tls), Some(error)) = (plan.tls, &heard.tls) {
        return tls.explain(plan.target, error);
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

/// HTTP has failed before the first response on a connection.
pub(super) fn explain_http(target: &Target, heard: &Heard, reason: String) -> ConnectError {
    let address = target.to_string();
    let instead = target.with_other_scheme();
    if heard.is_tls() && !target.is_tls() {
        return ConnectError::SpeaksTls { address, instead };
    }
    if heard.begins_with_settings() && !target.is_tls() {
        return ConnectError::OnlyHttp2 { address, instead };
    }
    match (heard.head.is_empty(), heard.http1()) {
        (true, _) => ConnectError::NoAnswer { address, reason },
        (false, None) if !heard.begins_with_settings() => ConnectError::NotHttp1 {
            address,
            sent: heard.shown(),
        },
        (false, _) => ConnectError::Http { address, reason },
    }
}
