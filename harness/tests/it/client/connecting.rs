//! Connections that fail, and the sentence about each.

use super::*;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::Arc;
use stocktake::client::{Code, ConnectError, Layer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

async fn probe(url: &str) -> String {
    let client = Client::new(
        Target::parse(url).unwrap(),
        Options {
            connect_timeout: LONG,
            ..Options::default()
        },
    );
    client
        .unwrap()
        .probe(stocktake::client::Protocol::Grpc, LONG)
        .await
        .unwrap_err()
        .to_string()
}

/// Reads what the client says first, then writes this and closes.
async fn saying(bytes: &'static [u8]) -> SocketAddr {
    peer(move |mut stream| async move {
        let mut buffer = [0; 1024];
        let _ = stream.read(&mut buffer).await;
        let _ = stream.write_all(bytes).await;
    })
    .await
}

#[tokio::test]
async fn an_http1_server_is_named_with_the_remedy() {
    let address = saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    let text = probe(&format!("http://{address}")).await;
    assert!(
        text.contains("answers HTTP/1.1 only (`HTTP/1.1 400 Bad Request`)"),
        "{text}"
    );
    assert!(
        text.contains("on Azure Container Apps set the ingress transport to http2"),
        "{text}"
    );
    let address = saying(b"<!DOCTYPE HTML>\n<html>Error response").await;
    assert!(
        probe(&format!("http://{address}"))
            .await
            .contains("answers HTTP/1.1 only")
    );
}

#[tokio::test]
async fn a_tls_server_behind_http_is_named() {
    let address = saying(b"\x15\x03\x01\x00\x02\x02\x16").await;
    let text = probe(&format!("http://{address}")).await;
    assert_eq!(text, format!("http://{address} speaks TLS: write https://{address}"));
    // A real one, too.
    let authority = authority();
    let address = tls_peer(&authority, &["127.0.0.1"], &[b"h2"]).await;
    let text = probe(&format!("http://{address}")).await;
    assert!(text.contains("speaks TLS: write https://"), "{text}");
}

#[tokio::test]
async fn a_plaintext_server_behind_https_is_named() {
    let address = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let text = probe(&format!("https://{address}")).await;
    assert_eq!(
        text,
        format!("https://{address} speaks plaintext, not TLS: write http://{address}")
    );
    // The SETTINGS of an HTTP/2 server that speaks first.
    let address = saying(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00").await;
    let text = probe(&format!("https://{address}")).await;
    assert!(text.contains("speaks plaintext, not TLS"), "{text}");
    let address = saying(b"").await;
    let text = probe(&format!("https://{address}")).await;
    assert!(
        text.contains("closed the connection") && text.contains("write http://"),
        "{text}"
    );
}

#[tokio::test]
async fn garbage_is_shown() {
    let address = saying(b"SSH-2.0-OpenSSH_9.2p1\r\n").await;
    for scheme in ["http", "https"] {
        let text = probe(&format!("{scheme}://{address}")).await;
        assert!(
            text.contains("speaks neither HTTP/2 nor TLS: it sent `SSH-2.0-OpenSSH_9.2p1`"),
            "{text}"
        );
    }
    let address = saying(b"\x00\x01\xfe").await;
    let text = probe(&format!("http://{address}")).await;
    assert!(text.contains(r"it sent `\x00\x01\xfe`"), "{text}");
    let address = saying(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00").await;
    let text = probe(&format!("http://{address}")).await;
    assert!(text.contains("HTTP/2 with") && text.contains("failed"), "{text}");
}

#[tokio::test]
async fn a_closed_door_and_a_closed_connection_differ() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let text = probe(&format!("http://{address}")).await;
    assert!(text.contains("refused the connection: nothing listens there"), "{text}");
    let address = saying(b"").await;
    let text = probe(&format!("http://{address}")).await;
    assert!(text.contains("closed the connection without sending a byte"), "{text}");
    let text = probe("http://no-such-host.invalid:1").await;
    assert!(
        text.contains("cannot resolve the name `no-such-host.invalid`"),
        "{text}"
    );
}

#[tokio::test]
async fn a_half_open_target_is_given_up_in_time() {
    let address = peer(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    for (scheme, awaited) in [
        ("http", "HTTP/2 SETTINGS frame"),
        ("https", "answer to the TLS handshake"),
    ] {
        let target = Target::parse(&format!("{scheme}://{address}")).unwrap();
        let options = Options {
            connect_timeout: Duration::from_millis(150),
            ..Options::default()
        };
        let client = Client::new(target, options).unwrap();
        let text = client
            .probe(stocktake::client::Protocol::Grpc, Duration::from_millis(300))
            .await
            .unwrap_err()
            .to_string();
        assert!(text.contains("accepts connections but stays silent"), "{text}");
        assert!(text.contains(awaited) && text.contains("within 300ms"), "{text}");
        let call = call("GetProduct");
        let seen = collect(client.open(&call).await, vec![call.method.input.new_message()]).await;
        assert_eq!(
            (seen.status.code, seen.layer, seen.http.status),
            (Code::UNAVAILABLE, Layer::Transport, 0)
        );
        assert!(seen.status.message.contains("within 150ms"), "{}", seen.status.message);
    }
}

#[tokio::test]
async fn those_who_wait_for_a_connection_fail_together() {
    let (accepted, mut connections) = tokio::sync::mpsc::channel(64);
    let address = peer(move |mut stream| {
        let accepted = accepted.clone();
        async move {
            accepted.send(()).await.unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
        }
    })
    .await;
    let client = client(address);
    let call = call("GetProduct");
    let calls = (0..10).map(|_| async { collect(client.open(&call).await, Vec::new()).await });
    let seen = futures_util::future::join_all(calls).await;
    assert!(seen.iter().all(|seen| seen.status.code == Code::UNAVAILABLE));
    let mut count = 0;
    while connections.try_recv().is_ok() {
        count += 1;
    }
    assert_eq!(count, 1, "ten calls, one attempt");
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// An HTTP/2 server behind TLS with a certificate for these names, answering every call with a product.
async fn tls_peer(authority: &Authority, names: &[&str], alpn: &[&[u8]]) -> SocketAddr {
    tls_peer_asking(authority, names, alpn, false).await
}

/// As [`tls_peer`]; may ask for a client certificate.
async fn tls_peer_asking(authority: &Authority, names: &[&str], alpn: &[&[u8]], asks: bool) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, authority)
        .unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = if asks {
        verifier
    } else {
        verifier.allow_unauthenticated()
    };
    let verifier = verifier.build().unwrap();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    peer(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let Ok(mut connection) = h2::server::handshake(stream).await else {
                return;
            };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let authority = request.uri().authority().unwrap().to_string();
                let response = Response::builder()
                    .header("content-type", "application/grpc")
                    .header("x-scheme", request.uri().scheme_str().unwrap())
                    .header("x-authority", authority);
                let mut body = respond.send_response(response.body(()).unwrap(), false).unwrap();
                body.send_data(framed(0, PRODUCT), false).unwrap();
                body.send_trailers(trailers(&[("grpc-status", "0")])).unwrap();
            }
        }
    })
    .await
}

fn tls_client(address: SocketAddr, ca: Option<&Authority>, name: Option<&str>) -> (Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    if let Some(ca) = ca {
        std::fs::write(&path, ca.pem()).unwrap();
    }
    let options = Options {
        ca: ca.map(|_| path),
        authority: name.map(str::to_owned),
        connect_timeout: LONG,
        ..Options::default()
    };
    (
        Client::new(Target::parse(&format!("https://{address}")).unwrap(), options).unwrap(),
        folder,
    )
}

#[tokio::test]
async fn tls_works_with_the_issuer_and_the_name() {
    let ca = authority();
    let address = tls_peer(&ca, &["127.0.0.1"], &[b"h2"]).await;
    let (client, _folder) = tls_client(address, Some(&ca), None);
    client.probe(stocktake::client::Protocol::Grpc, LONG).await.unwrap();
    let call = call("GetProduct");
    let seen = collect(client.open(&call).await, vec![call.method.input.new_message()]).await;
    assert_eq!(
        (seen.status.code, seen.headers.get("x-scheme")),
        (Code::OK, Some("https")),
        "{seen:?}"
    );
    let address = tls_peer(&ca, &["stock.example"], &[b"h2", b"http/1.1"]).await;
    let (client, _folder) = tls_client(address, Some(&ca), Some("stock.example:8443"));
    let seen = collect(client.open(&call).await, vec![call.method.input.new_message()]).await;
    assert_eq!(seen.headers.get("x-authority"), Some("stock.example:8443"), "{seen:?}");
}

#[tokio::test]
async fn certificates_that_do_not_fit_are_explained() {
    let (ca, other) = (authority(), authority());
    let address = tls_peer(&ca, &["stock.example"], &[b"h2"]).await;
    let (client, _folder) = tls_client(address, None, Some("stock.example"));
    let text = client
        .probe(stocktake::client::Protocol::Grpc, LONG)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("issuer that is not trusted") && text.contains("--ca"),
        "{text}"
    );
    let (client, _folder) = tls_client(address, Some(&other), Some("stock.example"));
    assert!(matches!(
        client.probe(stocktake::client::Protocol::Grpc, LONG).await,
        Err(ConnectError::UnknownIssuer { .. } | ConnectError::Certificate { .. })
    ));
    let (client, _folder) = tls_client(address, Some(&ca), None);
    let text = client
        .probe(stocktake::client::Protocol::Grpc, LONG)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("is not for `127.0.0.1` but for `stock.example`"),
        "{text}"
    );
    assert!(text.contains("--authority"), "{text}");
}

#[tokio::test]
async fn tls_without_http2_is_explained() {
    let ca = authority();
    for alpn in [&[b"http/1.1".as_slice()][..], &[]] {
        let address = tls_peer(&ca, &["127.0.0.1"], alpn).await;
        let (client, _folder) = tls_client(address, Some(&ca), None);
        let text = client
            .probe(stocktake::client::Protocol::Grpc, LONG)
            .await
            .unwrap_err()
            .to_string();
        assert!(text.contains("does not offer HTTP/2 (ALPN h2)"), "{text}");
    }
}

#[tokio::test]
async fn a_client_apart_speaks_rest_over_http1_alone() {
    use stocktake::client::Protocol::{Grpc, Rest};
    let ca = authority();
    let address = tls_peer(&ca, &["127.0.0.1"], &[b"h2"]).await;
    let (client, _folder) = tls_client(address, Some(&ca), None);
    let apart = client.apart();
    for (of, protocol, reached) in [
        (&client, Grpc, true),
        (&client, Rest, true),
        (&apart, Grpc, true),
        (&apart, Rest, false),
    ] {
        let probed = of.probe(protocol, LONG).await;
        assert_eq!(probed.is_ok(), reached, "{protocol:?}: {probed:?}");
    }
}

#[tokio::test]
async fn a_target_that_wants_a_client_certificate_is_explained() {
    let ca = authority();
    let address = tls_peer_asking(&ca, &["127.0.0.1"], &[b"h2"], true).await;
    let (client, _folder) = tls_client(address, Some(&ca), None);
    let text = client
        .probe(stocktake::client::Protocol::Grpc, LONG)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.contains("asks for a client certificate") && text.contains("clientCertificateMode"),
        "{text}"
    );
}

#[test]
fn an_authority_is_checked_at_once() {
    for authority in ["", "a b", "a/b", "me:secret@a"] {
        let options = Options {
            authority: Some(authority.to_owned()),
            ..Options::default()
        };
        let error = Client::new(Target::parse("localhost:1").unwrap(), options)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("--authority"), "{error}");
    }
}

#[test]
fn a_ca_file_that_holds_no_certificate_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let error = |path: &std::path::Path| {
        let options = Options {
            ca: Some(path.to_path_buf()),
            ..Options::default()
        };
        Client::new(Target::parse("https://localhost:1").unwrap(), options)
            .err()
            .unwrap()
            .to_string()
    };
    assert!(error(&path).contains("cannot read certificates from"));
    std::fs::write(&path, "hello").unwrap();
    assert!(error(&path).contains("it holds no PEM certificate"));
}
