//! The second port, for the platform rather than for callers: is the process alive, does it want calls, what has it done.
//! Plain HTTP/1.1, no token: it is bound to an address that only the platform reaches.

use crate::{
    inventory::Query,
    limits::Places,
    serve::Identity,
    store::Store,
    telemetry::{Looked, Metrics},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

/// How many may probe at once; a platform needs a few.
const CONNECTIONS: usize = 64;

/// How long a request may take to arrive, and a connection to stay idle.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the store may take to answer before it counts as failed; platforms give a probe about a second.
const STORE: Duration = Duration::from_millis(900);

/// What probes are answered from.
pub struct Probe<S> {
    /// Asked at each probe of readiness.
    pub store: Arc<S>,
    /// Shown.
    pub metrics: Arc<Metrics>,
    /// Named in the metrics.
    pub identity: Identity,
    /// Cancelled once the server no longer wants calls.
    pub draining: CancellationToken,
}

impl<S: Store> Probe<S> {
    /// Answers for ever.
    pub async fn serve(self, listener: TcpListener) {
        let probe = Arc::new(self);
        let places = Places::new(CONNECTIONS);
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = tasks.join_next() => continue,
            };
            let Ok((stream, _)) = accepted else {
                // Such as too many open files: those that close make room.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let Some(place) = places.take() else { continue };
            let probe = probe.clone();
            let service = service_fn(move |request| {
                let probe = probe.clone();
                async move { Ok::<_, Infallible>(probe.answer(&request).await) }
            });
            let connection = http.serve_connection(TokioIo::new(stream), service);
            tasks.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a probe broke off");
                }
                drop(place);
            });
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let known = matches!(request.uri().path(), "/livez" | "/readyz" | "/metrics");
        if known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed: use GET\n");
        }
        match request.uri().path() {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" if self.draining.is_cancelled() => text(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            "/readyz" if self.works().await => text(StatusCode::OK, "ready\n"),
            "/readyz" => text(StatusCode::SERVICE_UNAVAILABLE, "the store failed\n"),
            "/metrics" => {
                let looked = Looked {
                    products: self.products().await,
                    ready: !self.draining.is_cancelled() && self.works().await,
                };
                let mut page = text(StatusCode::OK, self.metrics.exposition(looked, &self.identity));
                let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                page.headers_mut().insert(header::CONTENT_TYPE, format);
                page
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "not found: there are /livez, /readyz and /metrics\n",
            ),
        }
    }

    /// Whether the store says in time that it works.
    async fn works(&self) -> bool {
        timeout(STORE, self.store.check())
            .await
            .is_ok_and(|checked| checked.is_ok())
    }

    /// How many products there are, if the store answers in time.
    async fn products(&self) -> Option<usize> {
        let page = timeout(STORE, self.store.list(&Query::default())).await;
        page.ok()?.ok().map(|page| page.total)
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
