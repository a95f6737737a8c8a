//! proto3 JSON of the contract's messages (https://protobuf.dev/programming-guides/json/): camelCase or the proto's names,
//! defaults left out or null, integers also as texts, non-finite doubles as texts, unknown fields skipped.

use inventory_contract as contract;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error, Visitor},
};
use std::{fmt, hint::black_box};

/// Whether the bytes are the JSON of a message.
pub fn message<J: DeserializeOwned + Into<M>, M>(bytes: &[u8]) -> bool {
    // serde would read a list as the fields in their order.
    bytes.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<J>(bytes)
            .map(|json| black_box::<M>(json.into()))
            .is_ok()
}

/// Whether the bytes are a line of a stream: a message, or `{"result": message}` as grpc-gateway writes it.
pub fn line<J: DeserializeOwned + Into<M>, M>(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Wrapped<J> {
        result: J,
    }
    match bytes.trim_ascii_start() {
        line if line.starts_with(b"{\"error\":") => false,
        line if line.starts_with(b"{\"result\":") => serde_json::from_slice::<Wrapped<J>>(bytes)
            .map(|wrapped| black_box::<M>(wrapped.result.into()))
            .is_ok(),
        _ => message::<J, M>(bytes),
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Product {
    #[serde(deserialize_with = "or_default")]
    id: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    sku: String,
    #[serde(deserialize_with = "or_default")]
    category: String,
    #[serde(deserialize_with = "double")]
    price: f64,
    #[serde(alias = "stock_quantity", deserialize_with = "int32")]
    stock_quantity: i32,
    #[serde(deserialize_with = "or_default")]
    description: String,
    #[serde(alias = "created_at", deserialize_with = "or_default")]
    created_at: String,
    #[serde(alias = "updated_at", deserialize_with = "or_default")]
    updated_at: String,
}

impl From<Product> for contract::Product {
    fn from(json: Product) -> Self {
        contract::Product {
            id: json.id,
            name: json.name,
            sku: json.sku,
            category: json.category,
            price: json.price,
            stock_quantity: json.stock_quantity,
            description: json.description,
            created_at: json.created_at,
            updated_at: json.updated_at,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListProductsResponse {
    #[serde(deserialize_with = "or_default")]
    products: Vec<Product>,
    #[serde(alias = "total_count", deserialize_with = "int32")]
    total_count: i32,
    #[serde(deserialize_with = "int32")]
    page: i32,
    #[serde(alias = "page_size", deserialize_with = "int32")]
    page_size: i32,
}

impl From<ListProductsResponse> for contract::ListProductsResponse {
    fn from(json: ListProductsResponse) -> Self {
        contract::ListProductsResponse {
            products: json.products.into_iter().map(Into::into).collect(),
            total_count: json.total_count,
            page: json.page,
            page_size: json.page_size,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BulkImportResponse {
    #[serde(alias = "imported_count", deserialize_with = "int32")]
    imported_count: i32,
    #[serde(alias = "failed_count", deserialize_with = "int32")]
    failed_count: i32,
    #[serde(deserialize_with = "or_default")]
    errors: Vec<String>,
}

impl From<BulkImportResponse> for contract::BulkImportResponse {
    fn from(json: BulkImportResponse) -> Self {
        contract::BulkImportResponse {
            imported_count: json.imported_count,
            failed_count: json.failed_count,
            errors: json.errors,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StockUpdate {
    #[serde(alias = "product_id", deserialize_with = "or_default")]
    product_id: String,
    #[serde(alias = "product_name", deserialize_with = "or_default")]
    product_name: String,
    #[serde(alias = "old_quantity", deserialize_with = "int32")]
    old_quantity: i32,
    #[serde(alias = "new_quantity", deserialize_with = "int32")]
    new_quantity: i32,
    #[serde(deserialize_with = "or_default")]
    reason: String,
    #[serde(deserialize_with = "or_default")]
    timestamp: String,
}

impl From<StockUpdate> for contract::StockUpdate {
    fn from(json: StockUpdate) -> Self {
        contract::StockUpdate {
            product_id: json.product_id,
            product_name: json.product_name,
            old_quantity: json.old_quantity,
            new_quantity: json.new_quantity,
            reason: json.reason,
            timestamp: json.timestamp,
        }
    }
}

/// Null is the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn int32<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    struct Int;
    impl Visitor<'_> for Int {
        type Value = i32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an int32")
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<i32, E> {
            i32::try_from(value).map_err(E::custom)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<i32, E> {
            i32::try_from(value).map_err(E::custom)
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<i32, E> {
            let whole = value as i32;
            match f64::from(whole) == value {
                true => Ok(whole),
                false => Err(E::custom("no int32")),
            }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<i32, E> {
            match text.parse() {
                Ok(value) => Ok(value),
                Err(_) => self.visit_f64(text.parse().map_err(E::custom)?),
            }
        }

        fn visit_unit<E: Error>(self) -> Result<i32, E> {
            Ok(0)
        }
    }
    deserializer.deserialize_any(Int)
}

fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    struct Double;
    impl Visitor<'_> for Double {
        type Value = f64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a double")
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
            Ok(value)
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
            Ok(value as f64)
        }

        fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
            Ok(value as f64)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
            match text {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                _ => text
                    .parse::<f64>()
                    .ok()
                    .filter(|value| value.is_finite())
                    .ok_or_else(|| E::custom("no double")),
            }
        }

        fn visit_unit<E: Error>(self) -> Result<f64, E> {
            Ok(0.0)
        }
    }
    deserializer.deserialize_any(Double)
}
