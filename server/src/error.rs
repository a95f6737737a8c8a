//! The one table of errors: what a domain error is on the wire, in gRPC and in HTTP, with its details.

use crate::{
    fault::{self, Active},
    inventory::{InventoryError, brief},
};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of every `ErrorInfo`.
pub const DOMAIN: &str = "inventory";

/// What an error is called by each protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The gRPC status code.
    pub code: Code,
    /// The HTTP status.
    pub http: u16,
    /// The reason of `ErrorInfo`, for programs.
    pub reason: &'static str,
}

/// The row of the table for this error.
pub fn row(error: &InventoryError) -> Row {
    let (code, reason) = match error {
        InventoryError::Invalid(_) => (Code::InvalidArgument, "INVALID_FIELD"),
        InventoryError::UnknownProduct { .. } => (Code::NotFound, "PRODUCT_NOT_FOUND"),
        InventoryError::DuplicateSku { .. } => (Code::AlreadyExists, "SKU_EXISTS"),
        InventoryError::Insufficient { .. } => (Code::FailedPrecondition, "INSUFFICIENT_STOCK"),
        InventoryError::Overflow { .. } => (Code::OutOfRange, "STOCK_OVERFLOW"),
        InventoryError::TooSlow { .. } => (Code::ResourceExhausted, "WATCH_TOO_SLOW"),
        InventoryError::TooManyWatches { .. } => (Code::ResourceExhausted, "TOO_MANY_WATCHES"),
        InventoryError::ShuttingDown => (Code::Unavailable, "SHUTTING_DOWN"),
        InventoryError::Store => (Code::Internal, "STORE_FAILED"),
    };
    Row {
        code,
        http: http(code),
        reason,
    }
}

/// The HTTP status of a gRPC code, as google/rpc/code.proto maps them.
pub fn http(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::NotFound => 404,
        Code::AlreadyExists | Code::Aborted => 409,
        Code::ResourceExhausted => 429,
        Code::Cancelled => 499,
        Code::Unknown | Code::Internal | Code::DataLoss => 500,
        Code::Unimplemented => 501,
        Code::Unavailable => 503,
        Code::DeadlineExceeded => 504,
    }
}

/// The rich details of this error (google/rpc/error_details.proto).
pub fn details(error: &InventoryError) -> ErrorDetails {
    let mut details = ErrorDetails::with_error_info(row(error).reason, DOMAIN, HashMap::new());
    match error {
        InventoryError::Invalid(violations) => {
            let violations: Vec<FieldViolation> = violations
                .iter()
                .map(|violation| FieldViolation::new(violation.field, violation.problem.to_string()))
                .collect();
            details.set_bad_request(violations);
        }
        InventoryError::UnknownProduct { id } => {
            details.set_resource_info("inventory.Product", brief(id), "", "no product has this id");
        }
        InventoryError::DuplicateSku { sku } => {
            details.set_resource_info("inventory.Product", brief(sku), "", "a product with this SKU exists");
        }
        InventoryError::Insufficient { id, .. } | InventoryError::Overflow { id, .. } => {
            details.add_precondition_failure_violation("STOCK", format!("product/{}", brief(id)), error.to_string());
        }
        InventoryError::TooSlow { .. } | InventoryError::TooManyWatches { .. } => {
            details.add_quota_failure_violation("watch", error.to_string());
        }
        InventoryError::ShuttingDown | InventoryError::Store => {}
    }
    details
}

/// The gRPC status of this error.
pub(crate) fn status(error: &InventoryError, active: Active) -> Status {
    let code = fault::wire::code(active, error).unwrap_or(row(error).code);
    with_details(code, error.to_string(), details(error), active)
}

/// INVALID_ARGUMENT for something in the request's metadata, which no domain type knows.
pub(crate) fn bad_metadata(key: &str, problem: &str, active: Active) -> Status {
    let message = format!("invalid {key}: {problem}");
    bad_field("INVALID_METADATA", key, problem, message, active)
}

/// INVALID_ARGUMENT for a part of the request that a protocol cannot read: which, and what is wrong with it.
pub(crate) fn bad_field(reason: &'static str, field: &str, problem: &str, message: String, active: Active) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.add_bad_request_violation(field, problem);
    with_details(Code::InvalidArgument, message, details, active)
}

/// A request that a protocol refuses before anybody looks at its fields.
pub(crate) fn refused(code: Code, reason: &'static str, message: String, active: Active) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    with_details(code, message, details, active)
}

fn with_details(code: Code, message: String, details: ErrorDetails, active: Active) -> Status {
    match fault::wire::details(active, details) {
        Some(details) => Status::with_error_details(code, message, details),
        None => Status::new(code, message),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::inventory::{Problem, Violation};

    #[test]
    fn every_code_has_the_http_status_of_google_rpc_code() {
        let table = [
            200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
        ];
        for (number, status) in (0..).zip(table) {
            assert_eq!(http(Code::from_i32(number)), status, "{number}");
        }
    }

    #[test]
    fn every_error_has_its_code_its_http_status_and_its_details() {
        let (id, sku) = (String::from("p"), String::from("s"));
        let table = [
            (
                InventoryError::Invalid(vec![Violation::new("sku", Problem::Empty)]),
                Code::InvalidArgument,
                400,
            ),
            (InventoryError::UnknownProduct { id: id.clone() }, Code::NotFound, 404),
            (InventoryError::DuplicateSku { sku }, Code::AlreadyExists, 409),
            (
                InventoryError::Insufficient {
                    id: id.clone(),
                    stock: 1,
                    change: -2,
                },
                Code::FailedPrecondition,
                400,
            ),
            (
                InventoryError::Overflow {
                    id,
                    stock: 1,
                    change: i32::MAX,
                },
                Code::OutOfRange,
                400,
            ),
            (InventoryError::TooSlow { buffer: 1 }, Code::ResourceExhausted, 429),
            (InventoryError::TooManyWatches { most: 1 }, Code::ResourceExhausted, 429),
            (InventoryError::ShuttingDown, Code::Unavailable, 503),
            (InventoryError::Store, Code::Internal, 500),
        ];
        let mut reasons = std::collections::HashSet::new();
        for (error, code, http) in table {
            let row = row(&error);
            assert_eq!((row.code, row.http), (code, http), "{error}");
            assert!(reasons.insert(row.reason), "{error}");
            let status = status(&error, Active::default());
            assert_eq!(status.code(), code);
            assert_eq!(status.get_error_details().error_info().unwrap().reason, row.reason);
        }
    }
}
