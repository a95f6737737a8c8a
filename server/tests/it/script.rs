//! Calls whose outcome is written down in a form that two healthy servers share: ids are numbered as they appear, times
//! are told by their form and order.

use crate::{
    Client, get,
    raw::{call, framed},
    update,
};
use chrono::DateTime;
use inventory_contract::{CreateProductRequest, ListProductsRequest, ListProductsResponse, Product, StockUpdate};
use std::{collections::HashMap, time::Duration};
use tonic::{Status, Streaming};
use tonic_types::StatusExt;

/// How long a watch says nothing to count as silent, and a call to count as starved.
pub const SILENCE: Duration = Duration::from_secs(2);

/// How long a call with a deadline of 100 ms may go on; the fault that is late for it takes 1.6 s.
const ANSWER: Duration = Duration::from_millis(1500);

/// The calls of one transcript.
pub struct Script {
    pub addr: std::net::SocketAddr,
    pub client: Client,
    pub lines: Vec<String>,
    pub ids: HashMap<String, usize>,
}

impl Script {
    pub fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    pub fn id(&mut self, id: &str) -> String {
        if id.is_empty() {
            return "empty".into();
        }
        let next = self.ids.len();
        format!("#{}", self.ids.entry(id.to_owned()).or_insert(next))
    }

    pub fn product(&mut self, product: &Product) -> String {
        let parse = |time: &str| DateTime::parse_from_rfc3339(time).ok();
        let (created, updated) = (parse(&product.created_at), parse(&product.updated_at));
        let order = created.zip(updated).map(|(created, updated)| updated.cmp(&created));
        let id = self.id(&product.id);
        let rest = Product {
            id,
            created_at: String::new(),
            updated_at: String::new(),
            ..product.clone()
        };
        format!("{rest:?} {order:?}")
    }

    pub fn answer(&mut self, what: &str, answer: &Result<Product, Status>) {
        let line = match answer {
            Ok(product) => self.product(product),
            Err(status) => refusal(status),
        };
        self.say(format!("{what}: {line}"));
    }

    pub async fn create(&mut self, request: CreateProductRequest) -> Option<Product> {
        let what = format!("create {}", request.sku);
        let answer = self
            .client
            .create_product(request)
            .await
            .map(tonic::Response::into_inner);
        self.answer(&what, &answer);
        answer.ok()
    }

    pub async fn get(&mut self, id: &str) -> Option<Product> {
        let answer = get(&mut self.client, id).await;
        self.answer("get", &answer);
        answer.ok()
    }

    /// Moves stock and reads what is stored, three times, for caches.
    pub async fn update(&mut self, id: &str, change: i32, reason: &str) {
        let before = get(&mut self.client, id).await.ok();
        let answer = update(&mut self.client, id, change, reason).await;
        self.answer(&format!("change {change}"), &answer);
        for _ in 0..3 {
            let after = self.get(id).await;
            if let Some((before, after)) = before.clone().zip(after) {
                let moved = (
                    after.created_at == before.created_at,
                    after.updated_at.cmp(&before.updated_at),
                );
                self.say(format!("created_at stays, updated_at moves: {moved:?}"));
            }
        }
    }

    pub async fn list(&mut self, category: &str, in_stock_only: bool, page: i32, page_size: i32) {
        let request = ListProductsRequest {
            category: category.into(),
            page,
            page_size,
            in_stock_only,
        };
        let line = match self.client.list_products(request).await {
            Ok(answer) => {
                let ListProductsResponse {
                    products,
                    total_count,
                    page,
                    page_size,
                } = answer.into_inner();
                let skus: Vec<&str> = products.iter().map(|product| product.sku.as_str()).collect();
                format!("{skus:?} of {total_count}, {page} {page_size}")
            }
            Err(status) => refusal(&status),
        };
        self.say(format!("list {category:?} {in_stock_only}: {line}"));
    }

    pub async fn import(&mut self, rows: Vec<CreateProductRequest>) {
        let line = match self.client.bulk_import(tokio_stream::iter(rows)).await {
            Ok(answer) => format!("{:?}", answer.into_inner()),
            Err(status) => refusal(&status),
        };
        self.say(format!("import: {line}"));
    }

    pub async fn raw(&mut self, path: &str, message: &[u8], timeout: Option<&str>) {
        let answer = tokio::time::timeout(ANSWER, call(self.addr, path, framed(message), timeout)).await;
        let answer = answer.map(|answer| (answer.code(), answer.data.len()));
        self.say(format!("{path}: {answer:?}"));
    }

    /// What comes in a watch until the fence; whether that came.
    pub async fn hear(&mut self, name: &str, mut watch: Streaming<StockUpdate>) -> bool {
        loop {
            let line = match tokio::time::timeout(SILENCE, watch.message()).await {
                Ok(Ok(Some(update))) => {
                    let form = DateTime::parse_from_rfc3339(&update.timestamp).is_ok();
                    let product_id = self.id(&update.product_id);
                    format!(
                        "{:?} {form}",
                        StockUpdate {
                            product_id,
                            timestamp: String::new(),
                            ..update
                        }
                    )
                }
                Ok(Ok(None)) => "the end".into(),
                Ok(Err(status)) => refusal(&status),
                Err(_) => {
                    self.say(format!("{name}: silence"));
                    return false;
                }
            };
            let over = line == "the end" || line.contains("\"fence\"");
            self.say(format!("{name}: {line}"));
            if over {
                return true;
            }
        }
    }
}

pub fn refusal(status: &Status) -> String {
    let details = status.get_error_details();
    let fields = details
        .bad_request()
        .map(|bad| bad.field_violations.iter().map(|v| v.field.clone()).collect::<Vec<_>>());
    format!("{:?} {fields:?} {}", status.code(), details.error_info().is_some())
}
