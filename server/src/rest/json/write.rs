//! Messages that go out.

use inventory_contract::{BulkImportResponse, ListProductsResponse, Product, StockUpdate};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::HashMap;
use tonic_types::{
    BadRequest, ErrorInfo, FieldViolation, PreconditionFailure, PreconditionViolation, QuotaFailure, QuotaViolation,
    ResourceInfo,
};

/// A message that goes out.
pub trait Reply {
    /// Writes its fields that are not default.
    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;
}

macro_rules! replies {
    ($($message:ident { $($field:ident $json:literal)* })*) => {$(
        impl Reply for $message {
            fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(if !self.$field.is_default() {
                    map.serialize_entry($json, &Json(&self.$field))?;
                })*
                Ok(())
            }
        }

        impl Field for $message {
            fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                self.write(&mut map)?;
                map.end()
            }
        }
    )*};
}

replies! {
    Product {
        id "id" name "name" sku "sku" category "category" price "price" stock_quantity "stockQuantity"
        description "description" created_at "createdAt" updated_at "updatedAt"
    }
    ListProductsResponse { products "products" total_count "totalCount" page "page" page_size "pageSize" }
    BulkImportResponse { imported_count "importedCount" failed_count "failedCount" errors "errors" }
    StockUpdate {
        product_id "productId" product_name "productName" old_quantity "oldQuantity" new_quantity "newQuantity"
        reason "reason" timestamp "timestamp"
    }
    // google/rpc/error_details.proto, as far as errors here fill it.
    ErrorInfo { reason "reason" domain "domain" metadata "metadata" }
    BadRequest { field_violations "fieldViolations" }
    FieldViolation { field "field" description "description" }
    PreconditionFailure { violations "violations" }
    PreconditionViolation { r#type "type" subject "subject" description "description" }
    QuotaFailure { violations "violations" }
    QuotaViolation { subject "subject" description "description" }
    ResourceInfo {
        resource_type "resourceType" resource_name "resourceName" owner "owner" description "description"
    }
}

/// A message or a value of a field in its JSON form.
pub struct Json<'a, T>(pub &'a T);

impl<T: Field> Serialize for Json<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value(serializer)
    }
}

/// The type of a field, to write it.
pub trait Field {
    /// Whether it is left out; a message itself never is.
    fn is_default(&self) -> bool {
        false
    }

    /// Writes it as a JSON value.
    fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl Field for String {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Field for i32 {
    fn is_default(&self) -> bool {
        *self == 0
    }

    fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(*self)
    }
}

impl Field for f64 {
    fn is_default(&self) -> bool {
        *self == 0.0
    }

    fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            number if number.is_finite() => serializer.serialize_f64(number),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number if number > 0.0 => serializer.serialize_str("Infinity"),
            _ => serializer.serialize_str("-Infinity"),
        }
    }
}

impl<T: Field> Field for Vec<T> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Json))
    }
}

impl Field for HashMap<String, String> {
    fn is_default(&self) -> bool {
        self.is_empty()
    }

    fn value<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::tests::fields, *};

    fn text<T: Field>(message: &T) -> String {
        serde_json::to_string(&Json(message)).unwrap()
    }

    #[test]
    fn replies_have_the_fields_of_the_contract() {
        fn check<T: Field>(name: &str, full: T) {
            let json: serde_json::Value = serde_json::from_str(&text(&full)).unwrap();
            let here: Vec<&String> = json.as_object().unwrap().keys().collect();
            let contract = fields(name);
            assert_eq!(
                here,
                contract.iter().map(|(_, json)| json).collect::<Vec<_>>(),
                "{name}"
            );
        }
        let (s, n) = (|| String::from("x"), 7);
        let product = || Product {
            id: s(),
            name: s(),
            sku: s(),
            category: s(),
            price: 7.0,
            stock_quantity: n,
            description: s(),
            created_at: s(),
            updated_at: s(),
        };
        check("Product", product());
        check(
            "ListProductsResponse",
            ListProductsResponse {
                products: vec![product()],
                total_count: n,
                page: n,
                page_size: n,
            },
        );
        check(
            "BulkImportResponse",
            BulkImportResponse {
                imported_count: n,
                failed_count: n,
                errors: vec![s()],
            },
        );
        check(
            "StockUpdate",
            StockUpdate {
                product_id: s(),
                product_name: s(),
                old_quantity: n,
                new_quantity: n,
                reason: s(),
                timestamp: s(),
            },
        );
    }

    #[test]
    fn defaults_are_left_out_and_numbers_that_json_lacks_are_strings() {
        assert_eq!(text(&Product::default()), "{}");
        for (price, json) in [
            (0.1, r#"{"price":0.1}"#),
            (5.0, r#"{"price":5.0}"#),
            (f64::MAX, r#"{"price":1.7976931348623157e+308}"#),
            (f64::NAN, r#"{"price":"NaN"}"#),
            (f64::INFINITY, r#"{"price":"Infinity"}"#),
            (f64::NEG_INFINITY, r#"{"price":"-Infinity"}"#),
        ] {
            let product = Product {
                price,
                ..Product::default()
            };
            assert_eq!(text(&product), json);
        }
    }
}
