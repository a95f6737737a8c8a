//! TLS in front of both protocols.

use crate::{
    Running,
    raw::{call_over, framed, http1},
    until, within,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use stocktake_server::{Config, ServeError, Server, TlsFiles};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};
use tonic::Code;

/// An authority, and the files of what it signs.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority {
            folder: TempDir::new().unwrap(),
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new certificate for localhost, and its key.
    fn issue(&self) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path("cert.pem"), certificate.pem()).unwrap();
        fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        TlsFiles {
            certificate: self.path("cert.pem"),
            key: self.path("key.pem"),
        }
    }

    async fn connect(&self, addr: SocketAddr, alpn: &[&[u8]]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let stream = TcpStream::connect(addr).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

async fn encrypted(files: &TlsFiles) -> Running {
    Running::start(Config {
        tls: Some(files.clone()),
        reload: Duration::from_millis(10),
        header_timeout: Duration::from_millis(300),
        ..Config::default()
    })
    .await
}

#[tokio::test]
async fn both_protocols_are_offered_and_the_client_chooses() {
    let authority = Authority::new();
    let server = encrypted(&authority.issue()).await;
    for (alpn, chosen) in [
        (vec![&b"h2"[..]], Some(&b"h2"[..])),
        (vec![b"http/1.1", b"h2"], Some(b"h2")),
        (vec![b"http/1.1"], Some(b"http/1.1")),
        (vec![], None),
    ] {
        let stream = within(authority.connect(server.addr, &alpn)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
        if chosen == Some(b"h2") {
            let list = "/inventory.InventoryService/ListProducts";
            let answer = call_over(stream, list, framed(&[]), &[]).await;
            assert_eq!(answer.code(), Some(Code::Ok));
        } else {
            let answer = http1(
                stream,
                "GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
            )
            .await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        }
    }
    let other = within(authority.connect(server.addr, &[b"spdy/3"])).await.unwrap_err();
    assert!(other.to_string().contains("NoApplicationProtocol"), "{other}");
}

#[tokio::test]
async fn plaintext_and_silence_are_turned_away() {
    let authority = Authority::new();
    let server = encrypted(&authority.issue()).await;
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let answer = http1(stream, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!answer.contains("HTTP"), "{answer}");
    let mut silent = TcpStream::connect(server.addr).await.unwrap();
    assert_eq!(within(silent.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_renewed_certificate_takes_effect() {
    let authority = Authority::new();
    let files = authority.issue();
    let server = encrypted(&files).await;
    let presented = || async {
        let stream = within(authority.connect(server.addr, &[b"h2"])).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let first = presented().await;
    authority.issue();
    until(|| async { presented().await != first }).await;
}

#[tokio::test]
async fn files_that_do_not_fit_stop_the_start_and_say_why() {
    let authority = Authority::new();
    let files = authority.issue();
    let (other, text, empty) = (
        authority.path("other.pem"),
        authority.path("text.pem"),
        authority.path("empty.pem"),
    );
    fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    fs::write(&text, "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(&empty, "").unwrap();
    let (certificate, key) = (&*files.certificate, &*files.key);
    let table: [(&Path, &Path, &str); 6] = [
        (Path::new("nowhere.pem"), key, "cannot read nowhere.pem"),
        (certificate, Path::new("nowhere.pem"), "cannot read nowhere.pem"),
        (&empty, key, "empty.pem: no PEM certificate"),
        (&text, key, "text.pem: broken PEM"),
        (certificate, certificate, "cert.pem: no PEM private key"),
        (certificate, &other, "other.pem: not the key of the certificate in"),
    ];
    for (certificate, key, expected) in table {
        let tls = Some(TlsFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        });
        let bound = Server::bind(Config {
            tls,
            ..Config::default()
        })
        .await;
        match bound {
            Err(ServeError::File(error)) => assert!(error.to_string().contains(expected), "{error}"),
            other => panic!("{expected}: {:?}", other.map(|bound| bound.addr())),
        }
    }
}
