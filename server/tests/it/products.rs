//! The unary methods by the rules of the contract.

use super::healthy;
use crate::{Client, code, create, draft, get, update};
use inventory_contract::{CreateProductRequest, ListProductsRequest, ListProductsResponse};
use std::collections::HashSet;
use tonic::Code;

async fn list(
    client: &mut Client,
    category: &str,
    in_stock_only: bool,
    page: i32,
    page_size: i32,
) -> ListProductsResponse {
    let request = ListProductsRequest {
        category: category.into(),
        page,
        page_size,
        in_stock_only,
    };
    client.list_products(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn the_sample_products_are_there() {
    let server = healthy().await;
    let page = list(&mut server.client().await, "", false, 1, 100).await;
    let found: Vec<(&str, &str, &str, f64, i32, &str)> = page
        .products
        .iter()
        .map(|p| {
            (
                &*p.name,
                &*p.sku,
                &*p.category,
                p.price,
                p.stock_quantity,
                &*p.description,
            )
        })
        .collect();
    let expected = [
        ("Widget A", "WDG-001", "Widgets", 9.99, 100, "Standard widget"),
        ("Widget B", "WDG-002", "Widgets", 14.99, 50, "Premium widget"),
        ("Gadget X", "GDG-001", "Gadgets", 29.99, 75, "Multi-purpose gadget"),
        ("Tool Y", "TL-001", "Tools", 49.99, 30, "Professional grade tool"),
    ];
    assert_eq!(found, expected);
    assert_eq!(page.total_count, 4);
}

#[tokio::test]
async fn every_field_comes_back_exactly_over_another_connection() {
    let server = healthy().await;
    let wanted = CreateProductRequest {
        name: "e\u{301}é 😀 \u{202e}".into(),
        sku: " spaced ".into(),
        category: "Straße".into(),
        price: 0.1 + 0.2,
        stock_quantity: i32::MAX,
        description: "x\ny\t".repeat(1000),
    };
    let product = server
        .client()
        .await
        .create_product(wanted.clone())
        .await
        .unwrap()
        .into_inner();
    let read = get(&mut server.client().await, &product.id).await.unwrap();
    assert_eq!(read, product);
    let CreateProductRequest {
        name,
        sku,
        category,
        price,
        stock_quantity,
        description,
    } = wanted;
    assert_eq!(
        (name, sku, category, price.to_bits(), stock_quantity, description),
        (
            read.name,
            read.sku,
            read.category,
            read.price.to_bits(),
            read.stock_quantity,
            read.description
        )
    );
    assert_eq!(read.created_at, read.updated_at);
    assert!(read.created_at.ends_with('Z') && read.created_at.len() == "2026-01-01T00:00:00.000000Z".len());
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_and_an_empty_id_is_invalid() {
    let server = healthy().await;
    let mut client = server.client().await;
    assert_eq!(code(get(&mut client, "none").await), Code::NotFound);
    assert_eq!(code(get(&mut client, "").await), Code::InvalidArgument);
    // An unknown id is judged before anything else.
    for (id, change) in [("none", i32::MIN), ("none", i32::MAX), ("", 1)] {
        assert_eq!(code(update(&mut client, id, change, "").await), Code::NotFound);
    }
}

#[tokio::test]
async fn a_draft_that_breaks_a_rule_is_refused_and_leaves_nothing() {
    let server = healthy().await;
    let mut client = server.client().await;
    let good = draft("bad", "refused", 1);
    for bad in [
        CreateProductRequest {
            name: String::new(),
            ..good.clone()
        },
        CreateProductRequest {
            sku: String::new(),
            ..good.clone()
        },
        CreateProductRequest {
            stock_quantity: -1,
            ..good.clone()
        },
        CreateProductRequest {
            price: -0.01,
            ..good.clone()
        },
        CreateProductRequest {
            price: f64::NAN,
            ..good.clone()
        },
        CreateProductRequest {
            price: f64::INFINITY,
            ..good.clone()
        },
        CreateProductRequest {
            description: "\0".into(),
            ..good.clone()
        },
    ] {
        assert_eq!(
            code(client.create_product(bad.clone()).await),
            Code::InvalidArgument,
            "{bad:?}"
        );
    }
    assert_eq!(list(&mut client, "refused", false, 1, 100).await.total_count, 0);
    assert_eq!(code(client.create_product(good).await), Code::Ok);
}

#[tokio::test]
async fn a_sku_is_taken_once_also_when_its_product_has_no_stock() {
    let server = healthy().await;
    let mut client = server.client().await;
    let first = create(&mut client, "once", "c", 0).await;
    let again = CreateProductRequest {
        name: "other".into(),
        ..draft("once", "c", 5)
    };
    assert_eq!(code(client.create_product(again).await), Code::AlreadyExists);
    assert_eq!(get(&mut client, &first.id).await.unwrap(), first);
    assert_eq!(list(&mut client, "c", false, 1, 100).await.total_count, 1);
}

#[tokio::test]
async fn of_concurrent_creates_of_one_sku_one_wins() {
    let server = healthy().await;
    let client = server.client().await;
    let creates = (0..50).map(|_| {
        let mut client = client.clone();
        tokio::spawn(async move { code(client.create_product(draft("race", "c", 1)).await) })
    });
    let mut won = 0;
    for create in creates.collect::<Vec<_>>() {
        match create.await.unwrap() {
            Code::Ok => won += 1,
            other => assert_eq!(other, Code::AlreadyExists),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn stock_moves_within_its_bounds_and_nothing_else_does() {
    let server = healthy().await;
    let mut client = server.client().await;
    let mut before = create(&mut client, "s", "c", 5).await;
    for (change, expected) in [
        (-6, Code::FailedPrecondition),
        (i32::MIN, Code::FailedPrecondition),
        (-5, Code::Ok),
        (-1, Code::FailedPrecondition),
        (0, Code::Ok),
        (i32::MAX, Code::Ok),
        (1, Code::OutOfRange),
        (i32::MAX, Code::OutOfRange),
        (-i32::MAX, Code::Ok),
    ] {
        let result = update(&mut client, &before.id, change, "").await;
        let stored = get(&mut client, &before.id).await.unwrap();
        match result {
            Err(status) => {
                assert_eq!(status.code(), expected, "{change}");
                assert_eq!(stored, before, "{change}");
            }
            Ok(after) => {
                assert_eq!(expected, Code::Ok, "{change}");
                assert_eq!(stored, after);
                assert_eq!(after.stock_quantity, before.stock_quantity + change);
                assert!(after.updated_at > before.updated_at);
                let unmoved = inventory_contract::Product {
                    stock_quantity: before.stock_quantity,
                    updated_at: before.updated_at.clone(),
                    ..after.clone()
                };
                assert_eq!(unmoved, before);
                before = after;
            }
        }
    }
}

#[tokio::test]
async fn concurrent_updates_add_up_and_never_oversell() {
    let server = healthy().await;
    let mut client = server.client().await;
    let id = create(&mut client, "rush", "c", 30).await.id;
    let updates = (0..100).map(|_| {
        let (mut client, id) = (client.clone(), id.clone());
        tokio::spawn(async move { code(update(&mut client, &id, -1, "").await) })
    });
    let mut accepted = 0;
    for update in updates.collect::<Vec<_>>() {
        match update.await.unwrap() {
            Code::Ok => accepted += 1,
            other => assert_eq!(other, Code::FailedPrecondition),
        }
    }
    assert_eq!(accepted, 30);
    assert_eq!(get(&mut client, &id).await.unwrap().stock_quantity, 0);
}

#[tokio::test]
async fn pages_hold_every_match_exactly_once() {
    let server = healthy().await;
    let mut client = server.client().await;
    for n in 0..23 {
        create(&mut client, &format!("p{n}"), "paged", n % 2).await;
    }
    create(&mut client, "near", "paged-not", 1).await;
    for (in_stock_only, total) in [(false, 23), (true, 11)] {
        let mut seen = HashSet::new();
        for page in 1..=6 {
            let found = list(&mut client, "paged", in_stock_only, page, 5).await;
            assert_eq!((found.total_count, found.page, found.page_size), (total, page, 5));
            for product in found.products {
                assert!(!in_stock_only || product.stock_quantity > 0);
                assert!(seen.insert(product.sku));
            }
        }
        assert_eq!(seen.len(), usize::try_from(total).unwrap());
    }
}

#[tokio::test]
async fn page_and_size_in_effect_are_told() {
    let server = healthy().await;
    let mut client = server.client().await;
    for ((page, size), effective, rows) in [
        ((0, 0), (1, 1), 1),
        ((-5, -5), (1, 1), 1),
        ((i32::MIN, i32::MIN), (1, 1), 1),
        ((1, 101), (1, 100), 4),
        ((2, i32::MAX), (2, 100), 0),
        ((i32::MAX, 100), (i32::MAX, 100), 0),
    ] {
        let found = list(&mut client, "", false, page, size).await;
        assert_eq!((found.page, found.page_size), effective, "{page} {size}");
        assert_eq!((found.products.len(), found.total_count), (rows, 4), "{page} {size}");
    }
}
