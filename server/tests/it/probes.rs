//! The second port: health for the platform, and numbers for whoever scrapes.

use crate::{
    Running, create, get, healthy,
    raw::http1,
    rest::wire::{Client, Wire},
    update, watch, within,
};
use http::Method;
use std::{collections::HashMap, net::SocketAddr};
use stocktake_server::{Config, Fault};
use tokio::net::TcpStream;

async fn probed(config: Config) -> Running {
    Running::start(Config {
        probe_listen: Some("127.0.0.1:0".parse().unwrap()),
        ..config
    })
    .await
}

/// The status and the body of `METHOD PATH`.
async fn ask(addr: SocketAddr, request: &str) -> (u16, String) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let answer = http1(
        stream,
        &format!("{request} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
    )
    .await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// The samples of a page, by name and labels; fails where the page does not keep the text format.
fn samples(page: &str) -> HashMap<String, f64> {
    let mut kinds = HashMap::new();
    let mut found = HashMap::new();
    for line in page.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(kinds.insert(name, kind).is_none(), "{name} is described twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        assert!(
            kinds.contains_key(name) || base.is_some_and(|base| kinds.get(base) == Some(&"histogram")),
            "{line}: no type"
        );
        assert!(
            found.insert(sample.to_owned(), value.parse().unwrap()).is_none(),
            "{sample} is there twice"
        );
    }
    assert!(page.ends_with('\n'));
    found
}

async fn metrics(server: &Running) -> HashMap<String, f64> {
    let (status, page) = ask(server.probes.unwrap(), "GET /metrics").await;
    assert_eq!(status, 200);
    samples(&page)
}

#[tokio::test]
async fn the_process_lives_and_is_ready() {
    let server = probed(Config::default()).await;
    let probes = server.probes.unwrap();
    for (request, status, body) in [
        ("GET /livez", 200, "alive\n"),
        ("HEAD /livez", 200, ""),
        ("GET /readyz", 200, "ready\n"),
        ("POST /readyz", 405, "method not allowed: use GET\n"),
        ("GET /", 404, "not found: there are /livez, /readyz and /metrics\n"),
    ] {
        assert_eq!(ask(probes, request).await, (status, body.to_owned()), "{request}");
    }
    // They are not on the port of the service.
    assert_eq!(ask(server.addr, "GET /livez").await.0, 404);
    assert!(healthy().await.probes.is_none());
}

#[tokio::test]
async fn a_server_that_drains_lives_and_is_not_ready() {
    let mut server = probed(Config::default()).await;
    let probes = server.probes.unwrap();
    let mut client = server.client().await;
    let open = watch(&mut client, "", 0).await;
    // An import whose rows do not end keeps the drain waiting.
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let stalled = http_body_util::StreamBody::new(tokio_stream::pending());
    let import = "/inventory.InventoryService/BulkImport";
    let import =
        tokio::spawn(async move { crate::raw::call_over::<_, StalledBody>(stream, import, stalled, &[]).await });
    crate::until(|| async { metrics(&server).await["stocktake_requests_in_flight"] == 2.0 }).await;
    server.shut_down();
    crate::until(|| async { ask(probes, "GET /readyz").await == (503, "draining\n".to_owned()) }).await;
    assert_eq!(ask(probes, "GET /livez").await.0, 200);
    assert_eq!(metrics(&server).await["stocktake_ready"], 0.0);
    import.abort();
    drop(open);
    server.stopped().await;
}

type StalledBody =
    http_body_util::StreamBody<tokio_stream::Pending<Result<http_body::Frame<bytes::Bytes>, std::convert::Infallible>>>;

#[tokio::test]
async fn metrics_count_what_happened() {
    let server = probed(Config::default()).await;
    let mut client = server.client().await;
    let product = create(&mut client, "s", "w", 1).await;
    let mut open = watch(&mut client, "w", 0).await;
    update(&mut client, &product.id, 1, "").await.unwrap();
    within(open.message()).await.unwrap().unwrap();
    for _ in 0..3 {
        let _ = get(&mut client, "none").await;
    }
    let seen = metrics(&server).await;
    let count = |method: &str, code: &str| {
        let labels = format!(r#"protocol="grpc",method="inventory.InventoryService.{method}""#);
        let name = format!(r#"stocktake_requests_total{{{labels},code="{code}"}}"#);
        seen.get(&name).copied()
    };
    assert_eq!(count("CreateProduct", "OK"), Some(1.0));
    assert_eq!(count("UpdateStock", "OK"), Some(1.0));
    assert_eq!(count("GetProduct", "NOT_FOUND"), Some(3.0));
    assert_eq!(count("GetProduct", "OK"), None);
    // It is counted when it ends.
    assert_eq!(count("WatchStockChanges", "OK"), None);
    for (name, value) in [
        ("stocktake_products", 5.0),
        ("stocktake_connections_open", 1.0),
        ("stocktake_streams_open", 1.0),
        ("stocktake_watches_open", 1.0),
        ("stocktake_requests_in_flight", 1.0),
        ("stocktake_connections_refused_total", 0.0),
        ("stocktake_ready", 1.0),
    ] {
        assert_eq!(seen[name], value, "{name}");
    }
    assert!(
        seen.keys()
            .any(|name| name.starts_with("stocktake_build_info{version="))
    );
    assert!(seen["process_resident_memory_bytes"] > 1e6);
    assert!(seen["process_cpu_seconds_total"] >= 0.0);

    drop(open);
    crate::until(|| async { metrics(&server).await["stocktake_watches_open"] == 0.0 }).await;
    let ended = r#"stocktake_requests_total{protocol="grpc",method="inventory.InventoryService.WatchStockChanges",code="CANCELLED"}"#;
    crate::until(|| async { metrics(&server).await.get(ended) == Some(&1.0) }).await;
}

#[tokio::test]
async fn rest_is_counted_beside_grpc_and_by_the_same_codes() {
    let mut server = probed(Config::default()).await;
    let mut client = Client::connect(Wire::H2, server.addr).await;
    assert_eq!(client.get("/v1/products").await.status, 200);
    assert_eq!(client.get("/v1/products/none").await.status, 404);
    assert_eq!(client.get("/v1/stock:watch?threshold=x").await.status, 400);
    assert_eq!(client.get("/nothing").await.status, 404);
    let until = [("grpc-timeout", "50m")];
    let request = client.request(Method::GET, "/v1/stock:watch", &until, "");
    assert_eq!(client.send(request).await.status, 200);
    let mut cut = Client::connect(Wire::H1, server.addr).await;
    let request = cut.request(Method::GET, "/v1/stock:watch", &[], "");
    let left = cut.open(request).await;
    assert_eq!(metrics(&server).await["stocktake_watches_open"], 1.0);
    drop((left, cut));
    crate::until(|| async { metrics(&server).await["stocktake_watches_open"] == 0.0 }).await;
    let request = client.request(Method::GET, "/v1/stock:watch", &[], "");
    let ended = client.open(request).await;

    let seen = metrics(&server).await;
    let count = |method: &str, code: &str| {
        let name = format!(r#"stocktake_requests_total{{protocol="rest",method="{method}",code="{code}"}}"#);
        seen.get(&name).copied()
    };
    let watch = "inventory.InventoryService.WatchStockChanges";
    for (method, code) in [
        ("inventory.InventoryService.ListProducts", "OK"),
        ("inventory.InventoryService.GetProduct", "NOT_FOUND"),
        ("unknown", "NOT_FOUND"),
        (watch, "INVALID_ARGUMENT"),
        (watch, "DEADLINE_EXCEEDED"),
        (watch, "CANCELLED"),
    ] {
        assert_eq!(count(method, code), Some(1.0), "{method} {code}");
    }
    assert_eq!(seen["stocktake_streams_open"], 1.0);

    // The drain tells the last one, and then the probes go with the server.
    server.shut_down();
    let body = within(http_body_util::BodyExt::collect(ended.into_body()))
        .await
        .unwrap()
        .to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("shutting down"), "{body:?}");
    server.stopped().await;
}

#[tokio::test]
async fn the_histogram_adds_up() {
    let server = probed(Config::default()).await;
    let mut client = server.client().await;
    for _ in 0..5 {
        let _ = get(&mut client, "none").await;
    }
    let seen = metrics(&server).await;
    let labels = r#"protocol="grpc",method="inventory.InventoryService.GetProduct""#;
    let name = |end: &str| format!("stocktake_request_duration_seconds{end}");
    let mut buckets: Vec<(f64, f64)> = seen
        .iter()
        .filter_map(|(sample, value)| {
            let bound = sample.strip_prefix(&format!("{}{{{labels},le=\"", name("_bucket")))?;
            Some((bound.trim_end_matches("\"}").parse().unwrap(), *value))
        })
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(buckets.len(), 17);
    assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{buckets:?}");
    assert_eq!(*buckets.last().unwrap(), (f64::INFINITY, 5.0));
    assert_eq!(seen[&format!("{}{{{labels}}}", name("_count"))], 5.0);
    assert!(seen[&format!("{}{{{labels}}}", name("_sum"))] > 0.0);
}

#[tokio::test]
async fn connections_that_are_turned_away_are_counted() {
    let server = probed(Config {
        max_connections: 1,
        ..Config::default()
    })
    .await;
    let _first = server.client().await;
    let mut second = TcpStream::connect(server.addr).await.unwrap();
    let _ = within(tokio::io::AsyncReadExt::read(&mut second, &mut [0])).await;
    assert_eq!(metrics(&server).await["stocktake_connections_refused_total"], 1.0);
}

#[tokio::test]
async fn probes_need_no_token() {
    let folder = tempfile::TempDir::new().unwrap();
    let tokens = folder.path().join("tokens");
    std::fs::write(&tokens, "read-only 0123456789abcdef").unwrap();
    let server = probed(Config {
        tokens: Some(tokens),
        ..Config::default()
    })
    .await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(ask(server.probes.unwrap(), &format!("GET {path}")).await.0, 200);
    }
}

#[tokio::test]
async fn probes_tell_of_a_server_with_a_fault_too() {
    let server = probed(Config {
        fault: Some(Fault::HealthNotServing),
        ..Config::default()
    })
    .await;
    assert_eq!(ask(server.probes.unwrap(), "GET /readyz").await.0, 200);
}
