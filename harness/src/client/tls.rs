//! TLS: which certificates are trusted, which protocol is asked for.

use super::{ConnectError, Options, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

/// What a TLS connection to one target needs.
#[derive(Clone)]
pub(super) struct Tls {
    /// Asks for HTTP/2.
    pub grpc: TlsConnector,
    /// Asks for HTTP/2, else HTTP/1.1.
    pub rest: TlsConnector,
    /// Asks for HTTP/1.1 alone.
    pub http1: TlsConnector,
    /// Whose certificate is asked for and checked: the host of `--authority`, else that of the target.
    pub name: ServerName<'static>,
    ca: Option<PathBuf>,
}

impl Tls {
    pub fn new(target: &Target, options: &Options) -> Result<Tls, ConnectError> {
        let mut roots = RootCertStore::empty();
        // A machine without system roots still reaches targets whose `--ca` is given.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &options.ca {
            add_file(&mut roots, path)?;
        }
        let invalid = |e: Error| ConnectError::Tls {
            address: target.to_string(),
            reason: e.to_string(),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(invalid)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut asking_for = |protocols: &[&[u8]]| {
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsConnector::from(Arc::new(config.clone()))
        };
        let (grpc, rest) = (asking_for(&[b"h2"]), asking_for(&[b"h2", b"http/1.1"]));
        let http1 = asking_for(&[b"http/1.1"]);
        let host = match &options.authority {
            Some(authority) => authority_host(authority),
            None => target.host(),
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|e| ConnectError::Tls {
            address: target.to_string(),
            reason: format!("`{host}` is no name that a certificate can bear: {e}"),
        })?;
        Ok(Tls {
            grpc,
            rest,
            http1,
            name,
            ca: options.ca.clone(),
        })
    }

    /// The same, but REST asks for HTTP/1.1 alone.
    pub fn rest_over_http1(mut self) -> Tls {
        self.rest = self.http1.clone();
        self
    }

    /// Puts an error of TLS into a sentence.
    pub fn explain(&self, target: &Target, error: &Error) -> ConnectError {
        let address = target.to_string();
        let name = self.name.to_str().into_owned();
        match error {
            Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer => ConnectError::UnknownIssuer {
                    address,
                    ca: self.ca.clone(),
                },
                CertificateError::NotValidForName => ConnectError::WrongName {
                    address,
                    name,
                    presented: Vec::new(),
                },
                CertificateError::NotValidForNameContext { presented, .. } => {
                    // The library shows each as `DnsName("a.example")`.
                    let presented = presented
                        .iter()
                        .map(|p| p.split('"').nth(1).unwrap_or(p).to_owned())
                        .collect();
                    ConnectError::WrongName {
                        address,
                        name,
                        presented,
                    }
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    ConnectError::Expired { address }
                }
                other => ConnectError::Certificate {
                    address,
                    reason: other.to_string(),
                },
            },
            Error::NoApplicationProtocol | Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                ConnectError::NoAlpn { address }
            }
            Error::AlertReceived(AlertDescription::CertificateRequired) => ConnectError::ClientCertificate { address },
            other => ConnectError::Tls {
                address,
                reason: other.to_string(),
            },
        }
    }
}

/// The error of TLS within one of I/O.
pub(super) fn of_io(error: &std::io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

/// The host of `host`, `host:port` or `[v6]:port`.
fn authority_host(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), ConnectError> {
    let invalid = |reason: String| ConnectError::Ca {
        path: path.to_path_buf(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| invalid(e.to_string()))?;
    let mut count = 0;
    for certificate in certificates {
        let certificate = certificate.map_err(|e| invalid(e.to_string()))?;
        roots.add(certificate).map_err(|e| invalid(e.to_string()))?;
        count += 1;
    }
    match count {
        0 => Err(invalid("it holds no PEM certificate".to_owned())),
        _ => Ok(()),
    }
}
