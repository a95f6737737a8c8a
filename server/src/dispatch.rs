//! Which service answers a request: a match on the content type and the path, without a router.
//!
//! gRPC is told apart by its content type; all else is HTTP.

use crate::{
    config::Config,
    deadline::{self, Ending},
    fault::{self, Active, Connection, Fault},
    grpc::{Inventory, Watch, WatchCodec},
    reflection::{self, Index, Reflection},
    serve::{Identity, ServeError},
    simulate::Delayed,
    store::Store,
    telemetry,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use inventory_contract::inventory_service_server::InventoryServiceServer;
use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body, server::Grpc};
use tonic_health::{
    pb::health_server::HealthServer,
    server::{HealthReporter, HealthService},
};
use tonic_prost::ProstCodec;
use tower::Service as _;

const REVISION: HeaderName = HeaderName::from_static("x-stocktake-revision");
const REPLICA: HeaderName = HeaderName::from_static("x-stocktake-replica");

const WATCH: &str = "/inventory.InventoryService/WatchStockChanges";
const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

/// All services of one server.
pub struct Dispatch<S> {
    inventory: Inventory<S>,
    service: InventoryServiceServer<Inventory<S>>,
    health: HealthServer<HealthService>,
    reflection: Reflection,
    max_message: usize,
    delay: Duration,
    identity: Identity,
    fault: Active,
    /// Ends the streams that do not end by themselves when the server shuts down.
    draining: CancellationToken,
    /// How many connections were accepted.
    connections: AtomicU64,
}

/// How a path is served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    /// One of the five methods that answer once.
    Inventory,
    Watch,
    Health,
    HealthWatch,
    Reflection,
    Unknown,
}

impl Route {
    fn of(path: &str, fault: Active) -> Route {
        match path {
            WATCH => Route::Watch,
            "/inventory.InventoryService/GetProduct"
            | "/inventory.InventoryService/ListProducts"
            | "/inventory.InventoryService/CreateProduct"
            | "/inventory.InventoryService/UpdateStock"
            | "/inventory.InventoryService/BulkImport" => Route::Inventory,
            "/grpc.health.v1.Health/Check" if !fault.is(Fault::NoHealth) => Route::Health,
            HEALTH_WATCH if !fault.is(Fault::NoHealth) => Route::HealthWatch,
            path if reflection::PATHS.contains(&path) && !fault.is(Fault::NoReflection) => Route::Reflection,
            _ => Route::Unknown,
        }
    }

    fn is_stream(self) -> bool {
        matches!(self, Route::Watch | Route::HealthWatch | Route::Reflection)
    }
}

impl<S: Store> Dispatch<S> {
    /// The services over this store, set up as configured.
    pub fn new(
        store: Arc<S>,
        config: &Config,
        identity: Identity,
        health: HealthReporter,
        draining: CancellationToken,
    ) -> Result<Dispatch<S>, ServeError> {
        let fault = Active(config.fault);
        let inventory = Inventory::new(store, fault);
        let max_message = fault::wire::max_message(fault).unwrap_or(config.max_message);
        Ok(Dispatch {
            service: InventoryServiceServer::new(inventory.clone()).max_decoding_message_size(max_message),
            inventory,
            health: HealthServer::new(HealthService::from_health_reporter(health)),
            reflection: Reflection(Arc::new(index(fault)?)),
            max_message,
            delay: config.simulate.delay,
            identity,
            fault,
            draining,
            connections: AtomicU64::new(0),
        })
    }

    /// The number of a new connection.
    pub fn connected(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Answers a request that came over this connection.
    pub async fn answer(&self, connection: u64, request: Request<Incoming>) -> Response<Body> {
        let mut response = match content(request.headers()) {
            Content::Grpc if self.fault.any() => {
                let newest = self.connections.load(Ordering::Relaxed);
                let path = request.uri().path().to_owned();
                let answer = Box::pin(self.grpc(request));
                let response = Connection {
                    number: connection,
                    newest,
                }
                .scope(answer)
                .await;
                fault::wire::response(self.fault, &path, response).await
            }
            Content::Grpc => self.grpc(request).await,
            Content::OtherGrpc => plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported content type: this server speaks application/grpc with protobuf messages\n",
            ),
            Content::Http => plain(
                StatusCode::NOT_FOUND,
                "not found: this server speaks gRPC (application/grpc over HTTP/2)\n",
            ),
        };
        let headers = response.headers_mut();
        headers.insert(REVISION, self.identity.revision.clone());
        headers.insert(REPLICA, self.identity.replica.clone());
        response
    }

    async fn grpc(&self, request: Request<Incoming>) -> Response<Body> {
        if request.method() != Method::POST {
            return plain(
                StatusCode::METHOD_NOT_ALLOWED,
                "method not allowed: a gRPC call is a POST\n",
            );
        }
        if request.version() != Version::HTTP_2 {
            return plain(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "HTTP version not supported: gRPC needs HTTP/2\n",
            );
        }
        let deadline = match deadline::of_call(request.headers(), self.fault) {
            Ok(deadline) => deadline,
            Err(status) => return status.into_http(),
        };
        let log = telemetry::started().map(|started| (started, request.uri().path().to_owned()));
        let response = self.within(deadline, request).await;
        if let Some((started, path)) = log {
            telemetry::answered(&path, started, &response);
        }
        response
    }

    async fn within(&self, deadline: Option<Instant>, request: Request<Incoming>) -> Response<Body> {
        let route = Route::of(request.uri().path(), self.fault);
        let mut answer = pin!(async {
            let response = self.route(route, request).await;
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            response
        });
        let response = match deadline {
            None => answer.await,
            Some(deadline) => match tokio::time::timeout_at(deadline, answer.as_mut()).await {
                Ok(response) => response,
                Err(_) => return deadline::exceeded(self.fault).into_http(),
            },
        };
        if route.is_stream() {
            response.map(|body| self.stream(route, deadline, body))
        } else {
            response
        }
    }

    /// Calls that are rare or long are boxed, so that the others, which are many, stay small.
    async fn route(&self, route: Route, request: Request<Incoming>) -> Response<Body> {
        let response = match route {
            Route::Inventory => self.service.clone().call(request).await,
            Route::Watch => {
                let mut grpc = Grpc::new(WatchCodec).max_decoding_message_size(self.max_message);
                Ok(Box::pin(grpc.server_streaming(Watch(self.inventory.clone()), request)).await)
            }
            Route::Health | Route::HealthWatch => self.health.clone().call(request).await,
            Route::Reflection => {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(Box::pin(grpc.streaming(self.reflection.clone(), request)).await)
            }
            Route::Unknown => Ok(fault::wire::unknown_method(self.fault).unwrap_or_else(|| {
                Status::unimplemented(format!("no method has the path {}", brief_path(&request))).into_http()
            })),
        };
        match response {
            Ok(response) => response,
        }
    }

    /// A stream that its deadline ends, and the shutdown where the stream itself does not know of it.
    fn stream(&self, route: Route, deadline: Option<Instant>, mut body: Body) -> Body {
        if !self.delay.is_zero() {
            body = Body::new(Delayed::new(body, self.delay));
        }
        let fault = self.fault;
        let deadline = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
            deadline::stream_exceeded(fault)
        };
        // The feed of the watches tells its own end, behind what it still has to say.
        let draining = (route != Route::Watch).then(|| self.draining.clone());
        let draining = async move {
            match draining {
                Some(draining) => draining.cancelled_owned().await,
                None => std::future::pending().await,
            }
            Status::unavailable("the service is shutting down: try again elsewhere")
        };
        Body::new(Ending::new(body, async move {
            tokio::select! {
                status = deadline => status,
                status = draining => status,
            }
        }))
    }
}

/// What a request is, by its content type.
enum Content {
    Grpc,
    /// A dialect that is not spoken here, such as gRPC-Web.
    OtherGrpc,
    Http,
}

/// gRPC over HTTP/2: `application/grpc`, then nothing, `+proto` or parameters.
fn content(headers: &HeaderMap) -> Content {
    let value = headers.get(header::CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    match value.strip_prefix(b"application/grpc") {
        Some(b"" | b"+proto" | [b';', ..] | [b'+', b'p', b'r', b'o', b't', b'o', b';', ..]) => Content::Grpc,
        Some(_) => Content::OtherGrpc,
        None => Content::Http,
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

fn brief_path(request: &Request<Incoming>) -> &str {
    crate::inventory::brief(request.uri().path())
}

/// The descriptors of every service here, and of the error details.
fn index(fault: Active) -> Result<Index, ServeError> {
    let mut index = Index::default();
    for set in [
        inventory_contract::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        index.add(set).map_err(ServeError::Descriptors)?;
    }
    if fault.is(Fault::ReflectionUnlisted) {
        index.unlist(inventory_contract::SERVICE);
    }
    Ok(index)
}
