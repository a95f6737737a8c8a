//! TLS: what is agreed on, and the certificate, trusted or not.

use super::super::evidence::{Certificate, Secure as Seen};
use super::ms;
use super::redact::Secrets;
use crate::client::Secure;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, SignatureScheme};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Names of a certificate that are kept.
const NAMES: usize = 20;

/// A handshake that offers HTTP/2 and HTTP/1.1. Where the certificate is not trusted a second one looks at it, and ends there.
pub(super) async fn handshake(address: SocketAddr, secure: &Secure, within: Duration) -> Seen {
    let began = Instant::now();
    let name = secure.name.to_str().into_owned();
    match connect(address, &secure.either, &secure.name, within).await {
        Ok(stream) => {
            let (_, session) = stream.get_ref();
            let shown_one = session.peer_certificates().and_then(|all| all.first());
            Seen {
                name,
                version: session.protocol_version().map(version),
                alpn: session
                    .alpn_protocol()
                    .map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
                error: None,
                certificate: shown_one.and_then(|der| certificate(der)),
                took_ms: ms(began.elapsed()),
            }
        }
        Err(error) => Seen {
            took_ms: ms(began.elapsed()),
            certificate: look(address, &secure.name, within).await,
            error: Some(shown(&error)),
            name,
            ..Seen::default()
        },
    }
}

/// The certificate of a peer that got nowhere in plaintext, should it speak TLS.
pub(super) async fn behind(address: SocketAddr, host: &str, within: Duration) -> Option<Certificate> {
    let name = ServerName::try_from(host.to_owned()).ok()?;
    look(address, &name, within).await
}

/// It comes before anything is sent: nothing of it needs to be hidden.
fn shown(text: &str) -> String {
    Secrets::default().shown(text)
}

/// TLS over a new connection.
pub(super) async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    name: &ServerName<'static>,
    within: Duration,
) -> Result<TlsStream<TcpStream>, String> {
    let connecting = async {
        let tcp = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::clone(config)).connect(name.clone(), tcp).await
    };
    match timeout(within, connecting).await {
        Ok(connected) => connected.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no end within {}", humantime::format_duration(within))),
    }
}

fn version(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The certificate that the peer shows. The handshake fails in any case: nothing is sent to a peer that is not trusted.
async fn look(address: SocketAddr, name: &ServerName<'static>, within: Duration) -> Option<Certificate> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let witness = Arc::new(Witness {
        seen: Mutex::default(),
        provider: Arc::clone(&provider),
    });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    config.alpn_protocols = [b"h2".as_slice(), b"http/1.1"].map(<[u8]>::to_vec).into();
    // It always fails: the witness trusts nobody.
    let _ = connect(address, &Arc::new(config), name, within).await;
    let seen = witness.seen.lock().ok()?.take()?;
    certificate(&seen)
}

/// Notes the certificate and trusts none.
#[derive(Debug)]
struct Witness {
    seen: Mutex<Option<Vec<u8>>>,
    provider: Arc<CryptoProvider>,
}

impl Witness {
    fn refusal() -> Error {
        Error::General("looked at only".to_owned())
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = Some(end_entity.to_vec());
        }
        Err(Witness::refusal())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Witness::refusal())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Witness::refusal())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn certificate(der: &[u8]) -> Option<Certificate> {
    let (_, found) = X509Certificate::from_der(der).ok()?;
    let names = match found.subject_alternative_name() {
        Ok(Some(names)) => names.value.general_names.iter().filter_map(name).take(NAMES).collect(),
        _ => Vec::new(),
    };
    let validity = found.validity();
    let not_after = validity.not_after.timestamp();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    Some(Certificate {
        names,
        issuer: shown(&found.issuer().to_string()),
        self_signed: found.issuer() == found.subject(),
        not_before: validity.not_before.timestamp(),
        not_after,
        days_left: not_after.saturating_sub(now).div_euclid(86_400),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(four) => Some(IpAddr::from(four).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|all| IpAddr::from(all).to_string()),
        },
        _ => None,
    }
}
