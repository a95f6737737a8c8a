//! The REST side: the same methods as gRPC, as `proto/inventory.http.yaml` maps them, in proto3 JSON.
//!
//! A request is translated to the message of its method and answered by the same `Inventory` that answers gRPC, so that both
//! protocols behave alike, faults included. An error is a `google.rpc.Status` as JSON under the HTTP status of its code.

mod body;
mod json;
mod openapi;
mod path;
mod query;
mod reply;
mod rows;

use crate::{
    config::Config,
    deadline::{self, Ending},
    error,
    fault::{self, Active},
    grpc::Inventory,
    limits::Request,
    simulate::Conditions,
    store::Store,
    telemetry::{Call, Ended},
    watch::Form,
};
use body::Upload;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;
use inventory_contract::{
    CreateProductRequest, GetProductRequest, ListProductsRequest, UpdateStockRequest, WatchStockRequest,
    inventory_service_server::InventoryService,
};
use json::Malformed;
use path::Route;
use prost::DecodeError;
use query::BadParameter;
use reply::Refusal;
use rows::{BadRow, Splitter};
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};
use tonic::{Code, Status, body::Body};

pub use reply::line;

/// The documentation, without anything from elsewhere.
const PAGE: &str = include_str!("rest/page.html");

/// The types of an import besides application/json; what comes decides, not its type, whether it is an array.
const ROWS: [&str; 3] = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/// The REST side of an inventory.
pub struct Rest<S> {
    inventory: Inventory<S>,
    /// Of a message, in bytes.
    max_message: usize,
    timeout: Duration,
    conditions: Arc<Conditions>,
    openapi: Bytes,
    fault: Active,
}

impl<S: Store> Rest<S> {
    /// The REST side of this inventory; a message is at most `max_message` bytes long.
    pub fn new(
        inventory: Inventory<S>,
        max_message: usize,
        config: &Config,
        conditions: Arc<Conditions>,
        fault: Active,
    ) -> Result<Rest<S>, DecodeError> {
        Ok(Rest {
            inventory,
            max_message,
            timeout: config.request_timeout,
            conditions,
            openapi: openapi::document()?.into(),
            fault,
        })
    }

    /// Answers a request, if it is admitted; tells the call which method it is.
    pub async fn answer(&self, request: Request, admitted: Result<(), Status>, call: &mut Call) -> Response<Body> {
        let head = *request.method() == Method::HEAD;
        let answer = self.call(request, admitted, call).await;
        let response = answer.unwrap_or_else(Refusal::into_response);
        if head { without_body(response) } else { response }
    }

    async fn call(
        &self,
        request: Request,
        admitted: Result<(), Status>,
        call: &mut Call,
    ) -> Result<Response<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        let route = self.route(&parts);
        if let Ok(route) = &route {
            call.is(route.method(&parts.method));
        }
        let mut body = Upload::new(body, self.fault);
        let deadline = deadline::of_call(&parts.headers, self.fault);
        let by = deadline.as_ref().ok().copied().flatten();
        let answer = match admitted {
            Ok(()) => self.answer_by(deadline, route, &parts, &mut body).await,
            Err(status) => Err(status.into()),
        };
        if answer.is_err() && parts.version < Version::HTTP_2 {
            body.discard(&parts.headers, by).await;
        }
        answer
    }

    async fn answer_by(
        &self,
        deadline: Result<Option<Instant>, Status>,
        route: Result<Route, Refusal>,
        parts: &Parts,
        body: &mut Upload,
    ) -> Result<Response<Body>, Refusal> {
        let (route, deadline) = (route?, deadline?);
        let is_stream = route == Route::Watch && parts.method == Method::GET;
        let method = route.method(&parts.method);
        let mut answer = pin!(self.dispatch(route, parts, body));
        let answer = self.conditions.answer(method, answer.as_mut());
        let answer = deadline::within(deadline, self.timeout, self.fault, answer).await??;
        Ok(if is_stream {
            let ended = answer.extensions().get().cloned().unwrap_or_default();
            answer.map(|body| self.stream(deadline, ended, body))
        } else {
            answer
        })
    }

    /// A stream that its deadline ends.
    fn stream(&self, deadline: Option<Instant>, ended: Ended, body: Body) -> Body {
        let body = self.conditions.stream(body);
        let fault = self.fault;
        match deadline {
            None => body,
            Some(deadline) => Body::new(Ending::new(body, async move {
                sleep_until(deadline).await;
                let status = deadline::stream_exceeded(fault);
                ended.tell(status.code());
                (status.code() != Code::Ok).then(|| Ok(Frame::data(reply::last_line(&status))))
            })),
        }
    }

    /// The route, which has the method.
    fn route(&self, parts: &Parts) -> Result<Route, Refusal> {
        let path = parts.uri.path();
        let found = Route::of(path).map_err(|_| self.bad_parameter(&BadParameter::undecodable("id")))?;
        let Some(route) = found else {
            let message = format!("no route has the path {}", crate::inventory::brief(path));
            return Err(error::refused(Code::NotFound, "ROUTE_NOT_FOUND", message, self.fault).into());
        };
        let allow = route.allow();
        if allow.split(", ").any(|method| method == parts.method.as_str()) {
            return Ok(route);
        }
        let message = format!("this path has no method {}: use {allow}", parts.method);
        Err(Refusal {
            status: error::refused(Code::Unimplemented, "METHOD_NOT_ALLOWED", message, self.fault),
            http: Some(StatusCode::METHOD_NOT_ALLOWED),
            allow: Some(allow),
        })
    }

    async fn dispatch(&self, route: Route, parts: &Parts, body: &mut Upload) -> Result<Response<Body>, Refusal> {
        let query = parts.uri.query();
        match route {
            Route::Product(id) => {
                query::none(query).map_err(|wrong| self.bad_parameter(&wrong))?;
                let request = tonic::Request::new(GetProductRequest { id });
                let product = self.inventory.get_product(request).await?;
                Ok(reply::message(product.get_ref()))
            }
            Route::Products if parts.method == Method::POST => {
                let request: CreateProductRequest = self.message(parts, body).await?;
                let product = self.inventory.create_product(tonic::Request::new(request)).await?;
                Ok(reply::message(product.get_ref()))
            }
            Route::Products => {
                let request: ListProductsRequest = query::read(query).map_err(|wrong| self.bad_parameter(&wrong))?;
                let page = self.inventory.list_products(tonic::Request::new(request)).await?;
                let times = fault::wire::times(self.fault, page.get_ref());
                Ok(reply::repeated(page.get_ref(), times))
            }
            Route::UpdateStock(id) => {
                let mut request: UpdateStockRequest = self.message(parts, body).await?;
                // The path binds the id; a body may repeat it.
                if !request.id.is_empty() && request.id != id {
                    let problem = "must be left out or be the id of the path";
                    return Err(self.bad_body("id", problem, format!("invalid id: {problem}")).into());
                }
                request.id = id;
                let product = self.inventory.update_stock(tonic::Request::new(request)).await?;
                Ok(reply::message(product.get_ref()))
            }
            Route::Watch => {
                let request: WatchStockRequest = query::read(query).map_err(|wrong| self.bad_parameter(&wrong))?;
                // HEAD subscribes to nothing.
                if parts.method == Method::HEAD {
                    return Ok(reply::stream(Body::empty()));
                }
                let updates = self.inventory.watch(request, &parts.headers, Form::Json).await?;
                let ended = Ended::default();
                let told = ended.clone();
                let lines = updates.map(move |line| {
                    let line = line.unwrap_or_else(|status| {
                        told.tell(status.code());
                        reply::last_line(&status)
                    });
                    Ok::<_, Status>(Frame::data(line))
                });
                let mut response = reply::stream(Body::new(StreamBody::new(lines)));
                response.extensions_mut().insert(ended);
                Ok(response)
            }
            Route::BulkImport => {
                query::none(query).map_err(|wrong| self.bad_parameter(&wrong))?;
                self.check_type(&parts.headers, &ROWS)?;
                let mut splitter = Splitter::new(self.max_message);
                let mut piece = Bytes::new();
                let rows = stream::poll_fn(|context| self.row(&mut splitter, &mut piece, body, context));
                let imported = self.inventory.import(rows).await?;
                Ok(reply::message(&imported))
            }
            Route::Page => Ok(reply::respond(PAGE.into(), reply::HTML)),
            Route::OpenApi => Ok(reply::respond(self.openapi.clone(), reply::JSON)),
        }
    }

    /// The message that the body of a POST is.
    async fn message<M: json::Request>(&self, parts: &Parts, body: &mut Upload) -> Result<M, Refusal> {
        query::none(parts.uri.query()).map_err(|wrong| self.bad_parameter(&wrong))?;
        self.check_type(&parts.headers, &[])?;
        let body = body.whole(self.max_message).await?;
        json::message(&body).map_err(|wrong| self.malformed(wrong).into())
    }

    /// The next row of an import.
    fn row(
        &self,
        splitter: &mut Splitter,
        piece: &mut Bytes,
        body: &mut Upload,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<CreateProductRequest, Status>>> {
        loop {
            match splitter.row(piece) {
                Ok(Some(row)) => {
                    let request = json::message(&row.text).map_err(|wrong| self.bad_row(row.wrong(wrong)));
                    return Poll::Ready(Some(request));
                }
                Ok(None) => {}
                Err(bad) => return Poll::Ready(Some(Err(self.bad_row(bad)))),
            }
            match ready!(body.poll_piece(context)) {
                Some(Ok(next)) => *piece = next,
                Some(Err(status)) => return Poll::Ready(Some(Err(status))),
                None => return Poll::Ready(splitter.end().err().map(|bad| Err(self.bad_row(bad)))),
            }
        }
    }

    fn bad_row(&self, bad: BadRow) -> Status {
        match bad {
            BadRow::TooLong => body::too_long(self.max_message, self.fault),
            BadRow::Malformed { number, malformed } => {
                let Malformed {
                    field,
                    problem,
                    line,
                    column,
                } = malformed;
                let field = field.as_deref().unwrap_or("body");
                let message = format!(
                    "invalid JSON at line {line} column {column}, row {number}: {field}: {problem}; \
                     the rows before it were judged and the good ones stay"
                );
                self.bad_body(field, &format!("row {number}: {problem}"), message)
            }
        }
    }

    fn check_type(&self, headers: &HeaderMap, others: &[&str]) -> Result<(), Refusal> {
        if body::is_json(headers, others) {
            return Ok(());
        }
        let problem = "must be application/json in UTF-8, and the body not compressed";
        let message = format!("unsupported content type: {problem}");
        let status = error::bad_field("UNSUPPORTED_MEDIA_TYPE", "content-type", problem, message, self.fault);
        Err(Refusal {
            status,
            http: Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            allow: None,
        })
    }

    fn bad_parameter(&self, wrong: &BadParameter) -> Status {
        let BadParameter { field, problem } = wrong;
        let message = format!("invalid parameter {field}: {problem}");
        error::bad_field("INVALID_PARAMETER", field, problem, message, self.fault)
    }

    fn malformed(&self, wrong: Malformed) -> Status {
        let Malformed {
            field,
            problem,
            line,
            column,
        } = wrong;
        let field = field.as_deref().unwrap_or("body");
        let message = format!("invalid JSON at line {line} column {column}: {field}: {problem}");
        self.bad_body(field, &problem, message)
    }

    fn bad_body(&self, field: &str, problem: &str, message: String) -> Status {
        error::bad_field("INVALID_JSON", field, problem, message, self.fault)
    }
}

/// The answer to HEAD: all but the body (RFC 9110 section 9.3.2).
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    // A stream has no length, and it has not begun.
    let stream = parts.headers.get(header::CONTENT_TYPE) == Some(&reply::LINES);
    if let Some(length) = body.size_hint().exact()
        && !stream
    {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}
