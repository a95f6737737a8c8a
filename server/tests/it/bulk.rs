//! BulkImport by the rules of the contract.

use crate::{draft, get, healthy};
use inventory_contract::{BulkImportResponse, CreateProductRequest, ListProductsRequest};

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
