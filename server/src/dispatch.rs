//! Which service answers a request: a match on the content type and the path, without a router.
//!
//! gRPC is told apart by its content type; all else is REST.

use crate::{
    auth::Tokens,
    config::Config,
    deadline::{self, Ending},
    fault::{self, Active, Connection, Fault},
    grpc::{ImportLimits, Inventory},
    limits::{Metered, Places, Request},
    method::Method,
    reflection::{self, Index, Reflection},
    reload::Source,
    rest::Rest,
    serve::{Identity, ServeError, Shared},
    simulate::Conditions,
    store::Store,
    telemetry::{Metrics, Protocol},
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
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
use tonic_health::{pb::health_server::HealthServer, server::HealthService};
use tonic_prost::ProstCodec;
use tower::Service as _;

const REVISION: HeaderName = HeaderName::from_static("x-stocktake-revision");
const REPLICA: HeaderName = HeaderName::from_static("x-stocktake-replica");

/// All services of one server.
pub struct Dispatch<S> {
    inventory: Inventory<S>,
    service: InventoryServiceServer<Inventory<S>>,
    rest: Rest<S>,
    health: HealthServer<HealthService>,
    reflection: Reflection,
    max_message: usize,
    /// For the bytes of requests that are arriving.
    memory: Arc<Places>,
    timeout: Duration,
    conditions: Arc<Conditions>,
    identity: Identity,
    fault: Active,
    metrics: Arc<Metrics>,
    tokens: Option<Arc<Source<Tokens, 1>>>,
    /// Ends the streams that do not end by themselves when the server shuts down.
    draining: CancellationToken,
    /// How many connections were accepted.
    connections: AtomicU64,
}

/// The method that has this path in gRPC.
fn method(path: &str, fault: Active) -> Method {
    match path {
        "/inventory.InventoryService/GetProduct" => Method::GetProduct,
        "/inventory.InventoryService/ListProducts" => Method::ListProducts,
        "/inventory.InventoryService/CreateProduct" => Method::CreateProduct,
        "/inventory.InventoryService/UpdateStock" => Method::UpdateStock,
        "/inventory.InventoryService/WatchStockChanges" => Method::WatchStockChanges,
        "/inventory.InventoryService/BulkImport" => Method::BulkImport,
        "/grpc.health.v1.Health/Check" if !fault.is(Fault::NoHealth) => Method::HealthCheck,
        "/grpc.health.v1.Health/Watch" if !fault.is(Fault::NoHealth) => Method::HealthWatch,
        path if reflection::PATHS.contains(&path) && !fault.is(Fault::NoReflection) => Method::Reflection,
        _ => Method::Unknown,
    }
}

impl<S: Store> Dispatch<S> {
    /// The services over this store, set up as configured.
    pub fn new(store: Arc<S>, config: &Config, shared: Shared) -> Result<Dispatch<S>, ServeError> {
        let fault = Active(config.fault);
        let max_message = fault::wire::max_message(fault).unwrap_or(config.max_message);
        let import = ImportLimits {
            rows: config.max_import_rows,
            skus: max_message,
        };
        let inventory = Inventory::new(store, import, fault);
        let conditions = Arc::new(Conditions::start(&config.simulate).map_err(ServeError::Timer)?);
        Ok(Dispatch {
            service: InventoryServiceServer::new(inventory.clone()).max_decoding_message_size(max_message),
            rest: Rest::new(inventory.clone(), max_message, config, conditions.clone(), fault)
                .map_err(ServeError::Descriptors)?,
            inventory,
            health: HealthServer::new(HealthService::from_health_reporter(shared.health)),
            reflection: Reflection(Arc::new(index(fault)?)),
            max_message,
            memory: Places::new(config.max_request_memory),
            timeout: config.request_timeout,
            conditions,
            identity: shared.identity,
            fault,
            metrics: shared.metrics,
            tokens: shared.tokens,
            draining: shared.draining,
            connections: AtomicU64::new(0),
        })
    }

    /// The number of a new connection.
    pub fn connected(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Answers a request that came over this connection.
    pub async fn answer(&self, connection: u64, request: http::Request<Incoming>) -> Response<Body> {
        let request = request.map(|body| Metered::new(body, &self.memory, self.max_message));
        let mut response = match content(request.headers()) {
            Content::Grpc if self.fault.any() => {
                let path = request.uri().path().to_owned();
                let answer = Box::pin(self.grpc(request));
                let response = self.connection(connection).scope(answer).await;
                fault::wire::response(self.fault, &path, response).await
            }
            Content::Grpc => self.grpc(request).await,
            Content::OtherGrpc => plain(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported content type: this server speaks application/grpc with protobuf messages\n",
            ),
            // Boxed, so that a gRPC call does not pay for its size.
            Content::Http => {
                let answer = Box::pin(self.http(request));
                if self.fault.any() {
                    self.connection(connection).scope(answer).await
                } else {
                    answer.await
                }
            }
        };
        let headers = response.headers_mut();
        headers.insert(REVISION, self.identity.revision.clone());
        headers.insert(REPLICA, self.identity.replica.clone());
        response
    }

    fn connection(&self, number: u64) -> Connection {
        let newest = self.connections.load(Ordering::Relaxed);
        Connection { number, newest }
    }

    /// Whether a call is let in.
    fn admit(&self, headers: &HeaderMap, writes: bool) -> Result<(), Status> {
        match &self.tokens {
            Some(tokens) => {
                let admitted = tokens.current().admit(headers, writes);
                admitted.map_err(|refused| refused.status(self.fault))
            }
            None => Ok(()),
        }
    }

    async fn http(&self, request: Request) -> Response<Body> {
        // GET and HEAD are what the mapping maps reading methods to.
        let writes = !matches!(*request.method(), http::Method::GET | http::Method::HEAD);
        let admitted = self.admit(request.headers(), writes);
        let mut call = self.metrics.call(Protocol::Rest, Method::Unknown, request.uri().path());
        let response = self.rest.answer(request, admitted, &mut call).await;
        call.answered(response)
    }

    async fn grpc(&self, request: Request) -> Response<Body> {
        if request.method() != http::Method::POST {
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
        let path = request.uri().path();
        let method = method(path, self.fault);
        let call = self.metrics.call(Protocol::Grpc, method, path);
        call.answered(self.judged(method, request).await)
    }

    async fn judged(&self, method: Method, request: Request) -> Response<Body> {
        // Health is open to everybody.
        if !method.is_health()
            && let Err(refused) = self.admit(request.headers(), method.writes())
        {
            return refused.into_http();
        }
        match deadline::of_call(request.headers(), self.fault) {
            Ok(deadline) => self.within(deadline, method, request).await,
            Err(status) => status.into_http(),
        }
    }

    async fn within(&self, deadline: Option<Instant>, method: Method, request: Request) -> Response<Body> {
        let mut answer = pin!(self.route(method, request));
        let mut answer = pin!(self.conditions.answer(method, answer.as_mut()));
        let response = match deadline::within(deadline, self.timeout, self.fault, answer.as_mut()).await {
            Ok(response) => response,
            Err(status) => return status.into_http(),
        };
        if method.is_stream() {
            response.map(|body| self.stream(method, deadline, body))
        } else {
            response
        }
    }

    /// Calls that are rare or long are boxed, so that the others, which are many, stay small.
    async fn route(&self, method: Method, request: Request) -> Response<Body> {
        let response = match method {
            Method::GetProduct
            | Method::ListProducts
            | Method::CreateProduct
            | Method::UpdateStock
            | Method::BulkImport => self.service.clone().call(request).await,
            Method::WatchStockChanges => Ok(Box::pin(self.inventory.stream(request, self.max_message)).await),
            Method::HealthCheck | Method::HealthWatch => self.health.clone().call(request).await,
            Method::Reflection => {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(Box::pin(grpc.streaming(self.reflection.clone(), request)).await)
            }
            Method::Docs | Method::Unknown => Ok(fault::wire::unknown_method(self.fault).unwrap_or_else(|| {
                Status::unimplemented(format!("no method has the path {}", brief_path(&request))).into_http()
            })),
        };
        match response {
            Ok(response) => response,
        }
    }

    /// A stream that its deadline ends, and the shutdown where the stream itself does not know of it.
    fn stream(&self, method: Method, deadline: Option<Instant>, body: Body) -> Body {
        let body = self.conditions.stream(body);
        let fault = self.fault;
        let deadline = async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
            deadline::stream_exceeded(fault)
        };
        // The feed of the watches tells its own end, behind what it still has to say.
        let draining = (method != Method::WatchStockChanges).then(|| self.draining.clone());
        let draining = async move {
            match draining {
                Some(draining) => draining.cancelled_owned().await,
                None => std::future::pending().await,
            }
            Status::unavailable("the service is shutting down: try again elsewhere")
        };
        Body::new(Ending::new(body, async move {
            let status = tokio::select! {
                status = deadline => status,
                status = draining => status,
            };
            deadline::trailers(&status)
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

fn brief_path(request: &Request) -> &str {
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
