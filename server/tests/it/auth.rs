//! With tokens on, no method answers without one.

use crate::{
    Running,
    raw::{call_over, framed},
    rest::wire::{BOTH, Client, Wire},
    until, within,
};
use http::Method;
use http_body_util::Full;
use inventory_contract::GetProductRequest;
use prost::Message;
use std::path::{Path, PathBuf};
use stocktake_server::{Config, ServeError, Server};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tonic::Code;

const READER: &str = "reader-0123456789abcdef";
const WRITER: &str = "writer-0123456789abcdef";

/// A file with the two tokens, in a folder that goes with it.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("tokens");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

async fn guarded(tokens: &Path) -> Running {
    Running::start(Config {
        tokens: Some(tokens.to_owned()),
        reload: std::time::Duration::from_millis(10),
        ..Config::default()
    })
    .await
}

/// The code of a gRPC call with this value of `authorization`.
async fn code(server: &Running, path: &str, body: Full<bytes::Bytes>, authorization: Option<&str>) -> Option<Code> {
    let mut headers = vec![("grpc-timeout", "300m")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let stream = TcpStream::connect(server.addr).await.unwrap();
    call_over(stream, path, body, &headers).await.code()
}

#[tokio::test]
async fn no_method_answers_without_a_token_that_allows_it() {
    let (_folder, path) = file(&format!("read-only {READER}\nread-write {WRITER} the rollout\n"));
    let server = guarded(&path).await;
    let empty = || framed(&[]);
    // The path, whether it writes, a body, and the code of the method itself.
    let methods = [
        (
            "inventory.InventoryService/GetProduct",
            false,
            empty(),
            Code::InvalidArgument,
        ),
        ("inventory.InventoryService/ListProducts", false, empty(), Code::Ok),
        (
            "inventory.InventoryService/CreateProduct",
            true,
            empty(),
            Code::InvalidArgument,
        ),
        ("inventory.InventoryService/UpdateStock", true, empty(), Code::NotFound),
        // Silent until its deadline.
        (
            "inventory.InventoryService/WatchStockChanges",
            false,
            empty(),
            Code::DeadlineExceeded,
        ),
        ("inventory.InventoryService/BulkImport", true, Full::default(), Code::Ok),
        (
            "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            false,
            Full::default(),
            Code::Ok,
        ),
        (
            "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            false,
            Full::default(),
            Code::Ok,
        ),
        (
            "inventory.InventoryService/Nothing",
            false,
            empty(),
            Code::Unimplemented,
        ),
        ("no.Such/Method", false, empty(), Code::Unimplemented),
    ];
    let (reader, writer) = (format!("Bearer {READER}"), format!("bearer {WRITER}"));
    for (method, writes, body, itself) in methods {
        let path = format!("/{method}");
        let read_only = if writes { Code::PermissionDenied } else { itself };
        for (authorization, expected) in [
            (None, Code::Unauthenticated),
            (Some(""), Code::Unauthenticated),
            (Some("Bearer wrong-0123456789abcdef"), Code::Unauthenticated),
            (Some("Basic cmVhZGVyOnJlYWRlcg=="), Code::Unauthenticated),
            (Some(READER), Code::Unauthenticated),
            (Some(&*reader), read_only),
            (Some(&*writer), itself),
        ] {
            let seen = code(&server, &path, body.clone(), authorization).await;
            assert_eq!(seen, Some(expected), "{method} {authorization:?}");
        }
    }
}

#[tokio::test]
async fn no_route_answers_without_a_token_that_allows_it() {
    let (_folder, path) = file(&format!("read-only {READER}\nread-write {WRITER}\n"));
    let server = guarded(&path).await;
    let (reader, writer) = (format!("Bearer {READER}"), format!("bearer {WRITER}"));
    // Whether it writes follows from the verb; then HTTP status and code of the route itself.
    let routes = [
        (Method::GET, "/v1/products/none", "", (404, 5)),
        (Method::GET, "/v1/products", "", (200, 0)),
        (Method::HEAD, "/v1/products", "", (200, 0)),
        (Method::POST, "/v1/products", "{}", (400, 3)),
        (Method::POST, "/v1/products/none:updateStock", "{}", (404, 5)),
        // Silent until its deadline, which its last line tells.
        (Method::GET, "/v1/stock:watch", "", (200, 0)),
        (Method::POST, "/v1/products:bulkImport", "[]", (200, 0)),
        (Method::GET, "/nothing", "", (404, 5)),
        (Method::POST, "/nothing", "{}", (404, 5)),
        (Method::DELETE, "/v1/products/none", "", (405, 12)),
    ];
    for wire in BOTH {
        for (verb, path, body, itself) in &routes {
            let writes = !matches!(*verb, Method::GET | Method::HEAD);
            let read_only = if writes { (403, 7) } else { *itself };
            for (authorization, expected) in [
                (None, (401, 16)),
                (Some("Bearer wrong-0123456789abcdef"), (401, 16)),
                (Some("Basic cmVhZGVyOnJlYWRlcg=="), (401, 16)),
                (Some(&*reader), read_only),
                (Some(&*writer), *itself),
            ] {
                let mut headers = vec![("grpc-timeout", "200m"), ("content-type", "application/json")];
                headers.extend(authorization.map(|value| ("authorization", value)));
                let mut client = Client::connect(wire, server.addr).await;
                let request = client.request(verb.clone(), path, &headers, *body);
                let answer = client.send(request).await;
                let told = format!("{wire:?} {verb} {path} {authorization:?}: {answer:?}");
                assert_eq!(answer.status, expected.0, "{told}");
                // An answer to HEAD has no body.
                if *verb != Method::HEAD {
                    assert_eq!(answer.error(), expected, "{told}");
                }
                let challenge = if expected.0 == 401 { "Bearer" } else { "" };
                assert_eq!(answer.header("www-authenticate"), challenge, "{told}");
                assert!(
                    !told.replace(&writer, "").replace(&reader, "").contains(READER),
                    "{told}"
                );
            }
        }
    }
}

/// What the server offers for programs to find out what it offers.
#[tokio::test]
async fn descriptions_want_a_token_too() {
    let (_folder, path) = file(&format!("read-only {READER}"));
    let server = guarded(&path).await;
    for path in ["/", "/openapi.json"] {
        let mut client = Client::connect(Wire::H1, server.addr).await;
        assert_eq!(client.get(path).await.error(), (401, 16), "{path}");
    }
}

#[tokio::test]
async fn health_is_open() {
    let (_folder, path) = file(&format!("read-only {READER}"));
    let server = guarded(&path).await;
    assert_eq!(
        code(&server, "/grpc.health.v1.Health/Check", framed(&[]), None).await,
        Some(Code::Ok)
    );
    let watch = code(&server, "/grpc.health.v1.Health/Watch", framed(&[]), None).await;
    assert_eq!(watch, Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn a_refusal_says_why_and_repeats_no_token() {
    let (_folder, path) = file(&format!("read-only {READER}"));
    let server = guarded(&path).await;
    let create = "/inventory.InventoryService/CreateProduct";
    for (value, text) in [
        (None, "authorization: Bearer"),
        (Some("Bearer mistyped-0123456789"), "not known"),
        (Some("Bearer reader-0123456789abcdef"), "only read"),
    ] {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let headers: Vec<_> = value.map(|value| ("authorization", value)).into_iter().collect();
        let status = call_over(stream, create, framed(&[]), &headers).await.status.unwrap();
        assert!(status.message().contains(text), "{status:?}");
        assert!(!format!("{status:?}").contains("0123456789"), "{status:?}");
    }
}

#[tokio::test]
async fn a_changed_file_takes_effect() {
    let (_folder, path) = file(&format!("read-only {READER}"));
    let server = guarded(&path).await;
    let get = |token: &'static str| {
        let body = framed(&GetProductRequest::default().encode_to_vec());
        let bearer = format!("Bearer {token}");
        let server = &server;
        async move { code(server, "/inventory.InventoryService/GetProduct", body, Some(&bearer)).await }
    };
    assert_eq!(get(READER).await, Some(Code::InvalidArgument));
    assert_eq!(get(WRITER).await, Some(Code::Unauthenticated));
    std::fs::write(&path, format!("read-write {WRITER}")).unwrap();
    until(|| async { get(WRITER).await == Some(Code::InvalidArgument) }).await;
    assert_eq!(get(READER).await, Some(Code::Unauthenticated));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_stops_the_start() {
    let (folder, path) = file("read-only short");
    let refused = |path: PathBuf| async move {
        let config = Config {
            tokens: Some(path),
            ..Config::default()
        };
        match within(Server::bind(config)).await {
            Err(ServeError::File(error)) => error.to_string(),
            other => panic!("{:?}", other.map(|bound| bound.addr())),
        }
    };
    let error = refused(path).await;
    assert!(
        error.contains("tokens:1: ") && error.contains("16 characters"),
        "{error}"
    );
    let error = refused(folder.path().join("nowhere")).await;
    assert!(error.contains("cannot read") && error.contains("nowhere"), "{error}");
    let error = refused(folder.path().to_owned()).await;
    assert!(error.contains("not a regular file"), "{error}");
}
