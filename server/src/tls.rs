//! TLS: the certificate and key of the server, from PEM files that may change while it runs.

use crate::reload::{FileError, Read};
use std::sync::Arc;
use tokio_rustls::rustls::{
    Error, InconsistentKeys, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};

/// What TLS connections are set up with, from a certificate chain and its key. HTTP/2 and HTTP/1.1 are offered.
pub fn config([certificate, key]: [Read; 2]) -> Result<ServerConfig, FileError> {
    let (certificate, key) = (certificate?, key?);
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate.content).collect();
    let chain = chain.map_err(|error| certificate.wrong(None, format!("broken PEM: {error}")))?;
    if chain.is_empty() {
        let problem =
            "no PEM certificate: give the chain as `-----BEGIN CERTIFICATE-----` blocks, the server's own first";
        return Err(certificate.wrong(None, problem));
    }
    let private = PrivateKeyDer::from_pem_slice(&key.content).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            let problem =
                "no PEM private key: give an unencrypted `-----BEGIN PRIVATE KEY-----` block (PKCS#8, SEC1 or PKCS#1)";
            key.wrong(None, problem)
        }
        error => key.wrong(None, format!("broken PEM: {error}")),
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                let problem = format!("not the key of the certificate in {}", certificate.path.display());
                key.wrong(None, problem)
            }
            Error::InvalidCertificate(error) => certificate.wrong(None, format!("not a usable certificate: {error}")),
            error => key.wrong(None, format!("not a usable key: {error}")),
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
