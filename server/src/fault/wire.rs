//! Faults in what goes over the wire; each is asked for where an answer leaves.

use super::{Active, Fault};
use crate::{
    inventory::{InventoryError, Rejected},
    watch::Update,
};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use inventory_contract::{BulkImportResponse, ListProductsResponse, Product, StockUpdate};
use prost::Message;
use tonic::{Code, Status, body::Body};
use tonic_types::{ErrorDetails, FieldViolation};

/// The limit on requests, where a fault changes it.
pub fn max_message(active: Active) -> Option<usize> {
    match active.0? {
        Fault::Limit4MiB => Some(4 << 20),
        Fault::Limit48MiB => Some(48 << 20),
        _ => None,
    }
}

/// The length of a watch's queue, where a fault changes it: a small one brings its fault to light soon.
pub fn watch_buffer(fault: Fault) -> Option<usize> {
    matches!(fault, Fault::WatchSlowLoses | Fault::WatchSlowOk).then_some(32)
}

/// The code of an error, where a fault changes it.
pub fn code(active: Active, error: &InventoryError) -> Option<Code> {
    match (active.0?, error) {
        (Fault::CreateDuplicateInvalid, InventoryError::DuplicateSku { .. }) => Some(Code::InvalidArgument),
        (Fault::UpdateBelowZeroInvalid, InventoryError::Insufficient { .. }) => Some(Code::InvalidArgument),
        (Fault::UpdateOverflowInternal, InventoryError::Overflow { .. }) => Some(Code::Internal),
        (Fault::UpdateOverflowUnknown, InventoryError::Overflow { .. }) => Some(Code::Unknown),
        _ => None,
    }
}

/// The details of an error; none at all by one fault.
pub fn details(active: Active, mut details: ErrorDetails) -> Option<ErrorDetails> {
    let field = match active.0 {
        Some(Fault::NoDetails) => return None,
        Some(Fault::DetailsWrongField) => "id",
        Some(Fault::DetailsNoField) => "",
        _ => return Some(details),
    };
    if let Some(bad) = details.bad_request() {
        let violations: Vec<FieldViolation> = bad
            .field_violations
            .iter()
            .map(|violation| FieldViolation::new(field, &violation.description))
            .collect();
        details.set_bad_request(violations);
    }
    Some(details)
}

/// Alters a product in an answer.
pub fn product(active: Active, product: &mut Product) {
    if product.created_at != product.updated_at {
        return;
    }
    let times = [&mut product.created_at, &mut product.updated_at];
    match active.0 {
        Some(Fault::CreateTimestampsNaive) => times.into_iter().for_each(|time| *time = time.replace('Z', "")),
        Some(Fault::CreateTimestampsBasicOffset) => {
            times.into_iter().for_each(|time| *time = time.replace('Z', "+0000"))
        }
        Some(Fault::CreateUpdatedEmpty) => product.updated_at.clear(),
        Some(Fault::CreateTimestampsDiffer) => {
            if let Ok(time) = DateTime::parse_from_rfc3339(&product.updated_at) {
                let later = time + TimeDelta::milliseconds(1);
                product.updated_at = later.to_rfc3339_opts(SecondsFormat::Micros, true);
            }
        }
        _ => {}
    }
}

/// Alters an update in a watch.
pub fn update(active: Active, update: &Update, message: &mut StockUpdate) {
    match active.0 {
        Some(Fault::WatchNoName) => message.product_name.clear(),
        Some(Fault::WatchSkuAsName) => message.product_name.clone_from(&update.product.card.sku),
        Some(Fault::WatchOldIsNew) => message.old_quantity = message.new_quantity,
        Some(Fault::WatchNoTimestamp) => message.timestamp.clear(),
        Some(Fault::WatchReasonCut) => message.reason = message.reason.chars().take(32).collect(),
        Some(Fault::WatchReasonAscii) => message.reason.retain(|c| c.is_ascii()),
        Some(Fault::WatchDrainIdIsName) if message.new_quantity == 0 => {
            message.product_id.clone_from(&message.product_name);
        }
        _ => {}
    }
}

/// Alters the answer to an import.
pub fn imported(active: Active, rejected: &[Rejected], response: &mut BulkImportResponse) {
    match active.0 {
        Some(Fault::BulkFailedZero) => response.failed_count = 0,
        Some(Fault::BulkImportedAll) => response.imported_count += response.failed_count,
        Some(Fault::BulkInvalidUncounted) => {
            let invalid = rejected
                .iter()
                .filter(|row| matches!(row.error, InventoryError::Invalid(_)))
                .count();
            response.failed_count -= i32::try_from(invalid).unwrap_or(i32::MAX);
        }
        Some(Fault::BulkErrorsUnnamed) => {
            response.errors = (1..=rejected.len()).map(|n| format!("bad row number {n}")).collect();
        }
        Some(Fault::BulkErrorsFirst) => response.errors.truncate(1),
        _ => {}
    }
}

/// The answer to a method that does not exist, where a fault changes it.
pub fn unknown_method(active: Active) -> Option<Response<Body>> {
    match active.0? {
        Fault::UnknownMethodNotFound => Some(Status::not_found("no such method").into_http()),
        Fault::UnknownMethodInternal => Some(Status::internal("no such method").into_http()),
        Fault::UnknownMethodOk => {
            let empty = Bytes::from_static(&[0; 5]);
            Some(respond(vec![Frame::data(empty), Frame::trailers(ok())]))
        }
        _ => None,
    }
}

/// Alters the frames of a whole response.
pub async fn response(active: Active, path: &str, response: Response<Body>) -> Response<Body> {
    match (active.0, path) {
        (Some(Fault::GetUnknownNoStatus), "/inventory.InventoryService/GetProduct") => {
            let status = Status::from_header_map(response.headers());
            if status.is_some_and(|status| status.code() == Code::NotFound) {
                return respond(Vec::new());
            }
            response
        }
        (Some(Fault::ListPastEndTwice), "/inventory.InventoryService/ListProducts") => doubled(response).await,
        _ => response,
    }
}

/// How often an answer carries its page.
pub fn times(active: Active, page: &ListProductsResponse) -> usize {
    let past_end = page.page > 1 && page.products.is_empty();
    1 + usize::from(past_end && active.is(Fault::ListPastEndTwice))
}

/// The answer with its message twice, when it is a page past the end.
async fn doubled(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let trailers = body.trailers().cloned();
    let data = body.to_bytes();
    let page = data
        .get(5..)
        .and_then(|message| ListProductsResponse::decode(message).ok());
    let times = if data.is_empty() {
        0
    } else {
        page.map_or(1, |page| times(Active(Some(Fault::ListPastEndTwice)), &page))
    };
    let mut frames: Vec<Frame<Bytes>> = std::iter::repeat_n(data, times).map(Frame::data).collect();
    frames.extend(trailers.map(Frame::trailers));
    Response::from_parts(parts, body_of(frames))
}

fn respond(frames: Vec<Frame<Bytes>>) -> Response<Body> {
    let mut response = Response::new(body_of(frames));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

fn body_of(frames: Vec<Frame<Bytes>>) -> Body {
    Body::new(StreamBody::new(stream::iter(frames).map(Ok::<_, Status>)))
}

fn ok() -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )])
}
