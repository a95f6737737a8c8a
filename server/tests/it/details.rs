//! Rich error details.

use crate::{create, draft, get, healthy, update};
use inventory_contract::CreateProductRequest;
use tonic_types::StatusExt;

#[tokio::test]
async fn an_invalid_draft_names_every_field() {
    let server = healthy().await;
    let bad = CreateProductRequest {
        name: String::new(),
        price: f64::NAN,
        stock_quantity: -1,
        ..draft("bad", "c", 0)
    };
    let status = server.client().await.create_product(bad).await.unwrap_err();
    let details = status.get_error_details();
    let fields: Vec<&str> = details
        .bad_request()
        .unwrap()
        .field_violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(fields, ["name", "price", "stock_quantity"]);
    let info = details.error_info().unwrap();
    assert_eq!(
        (info.domain.as_str(), info.reason.as_str()),
        ("inventory", "INVALID_FIELD")
    );
}

#[tokio::test]
async fn other_refusals_name_the_resource_or_the_condition() {
    let server = healthy().await;
    let mut client = server.client().await;

    let unknown = get(&mut client, "none").await.unwrap_err().get_error_details();
    let resource = unknown.resource_info().unwrap();
    assert_eq!(
        (resource.resource_type.as_str(), resource.resource_name.as_str()),
        ("inventory.Product", "none")
    );

    let taken = client
        .create_product(draft("TL-001", "c", 0))
        .await
        .unwrap_err()
        .get_error_details();
    assert_eq!(taken.resource_info().unwrap().resource_name, "TL-001");

    let id = create(&mut client, "s", "c", 0).await.id;
    for (change, reason) in [(-1, "INSUFFICIENT_STOCK"), (i32::MAX, ""), (1, "STOCK_OVERFLOW")] {
        if let Err(status) = update(&mut client, &id, change, "").await {
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().reason, reason);
            let violation = &details.precondition_failure().unwrap().violations[0];
            assert_eq!(
                (violation.r#type.as_str(), violation.subject.clone()),
                ("STOCK", format!("product/{id}"))
            );
        } else {
            assert_eq!(reason, "");
        }
    }
}

#[tokio::test]
async fn an_id_of_a_mebibyte_does_not_burst_the_headers() {
    let server = healthy().await;
    let status = get(&mut server.client().await, &"x".repeat(1 << 20)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert!(status.message().len() < 1000);
}
