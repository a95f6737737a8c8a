//! BulkImport by the rules of the contract.

use super::healthy;
use crate::{draft, get};
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Frame, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use inventory_contract::{BulkImportResponse, CreateProductRequest, ListProductsRequest};
use prost::Message;
use std::convert::Infallible;
use tokio::net::TcpStream;

async fn import(client: &mut crate::Client, rows: Vec<CreateProductRequest>) -> BulkImportResponse {
    client.bulk_import(tokio_stream::iter(rows)).await.unwrap().into_inner()
}

#[tokio::test]
async fn bad_rows_are_counted_and_named_and_good_rows_stay() {
    let server = healthy().await;
    let mut client = server.client().await;
    let rows = vec![
        draft("good-1", "import", 1),
        CreateProductRequest {
            name: String::new(),
            ..draft("bad-name", "import", 1)
        },
        draft("WDG-001", "import", 1),
        draft("good-1", "import", 1),
        CreateProductRequest {
            price: -1.0,
            ..draft("bad-price", "import", 1)
        },
        draft("good-2", "import", 1),
    ];
    let answer = import(&mut client, rows).await;
    assert_eq!((answer.imported_count, answer.failed_count), (2, 4));
    for (error, sku) in answer.errors.iter().zip(["bad-name", "WDG-001", "good-1", "bad-price"]) {
        assert!(error.contains(sku), "{error}");
    }
    let request = ListProductsRequest {
        category: "import".into(),
        page: 1,
        page_size: 100,
        in_stock_only: false,
    };
    let stored = client.list_products(request).await.unwrap().into_inner().products;
    assert_eq!(
        stored.iter().map(|product| product.sku.as_str()).collect::<Vec<_>>(),
        ["good-1", "good-2"]
    );
    assert_eq!(get(&mut client, &stored[0].id).await.unwrap(), stored[0]);
}

#[tokio::test]
async fn an_empty_stream_imports_nothing() {
    let server = healthy().await;
    assert_eq!(
        import(&mut server.client().await, Vec::new()).await,
        BulkImportResponse::default()
    );
}

#[tokio::test]
async fn of_a_thousand_rows_all_are_judged() {
    let server = healthy().await;
    let rows = (0..1000)
        .map(|n| draft(&format!("bulk-{}", n % 20), "import", 1))
        .collect();
    let answer = import(&mut server.client().await, rows).await;
    assert_eq!(
        (answer.imported_count, answer.failed_count, answer.errors.len()),
        (20, 980, 980)
    );
}

/// Most clients write each message as a DATA frame of its own, and h2 ends a connection that holds too many small ones.
#[tokio::test]
async fn a_long_import_of_small_frames_is_not_cut() {
    const ROWS: usize = 50_000;
    let server = healthy().await;
    let stream = TokioIo::new(TcpStream::connect(server.addr).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let row = CreateProductRequest {
        sku: "bulk".into(),
        ..CreateProductRequest::default()
    };
    let mut frame = vec![0];
    frame.extend(u32::try_from(row.encoded_len()).unwrap().to_be_bytes());
    row.encode(&mut frame).unwrap();
    let frame = Bytes::from(frame);
    let rows = (0..ROWS).map(move |_| Ok::<_, Infallible>(Frame::data(frame.clone())));
    let request = http::Request::post(format!("http://{}/inventory.InventoryService/BulkImport", server.addr))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(StreamBody::new(tokio_stream::iter(rows)))
        .unwrap();
    let response = crate::within(sender.send_request(request)).await.unwrap();
    let body = crate::within(response.into_body().collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap().get("grpc-status").unwrap(), "0");
    let answer = BulkImportResponse::decode(body.to_bytes().slice(5..)).unwrap();
    assert_eq!(answer.failed_count as usize, ROWS);
    connection.abort();
}
