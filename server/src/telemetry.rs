//! What the server tells of itself: counts for whoever scrapes, and a log line a call at debug. Who installs a subscriber
//! decides where lines go.
//!
//! A call costs a few relaxed additions and two looks at the clock: no lock, and nothing allocated.

use crate::{limits::Places, method::Method, serve::Identity};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    fmt::Write,
    fs,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tonic::{Code, Status, body::Body};

/// Which protocol a call came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// gRPC.
    Grpc,
    /// The REST twin.
    Rest,
}

const PROTOCOLS: [(Protocol, &str); 2] = [(Protocol::Grpc, "grpc"), (Protocol::Rest, "rest")];

/// The upper bounds of the latency buckets in microseconds; above the last comes everything.
const BUCKETS: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// The names of the gRPC status codes, by number (google/rpc/code.proto).
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    calls: [[Calls; Method::ALL.len()]; PROTOCOLS.len()],
    in_flight: AtomicU64,
    streams: AtomicU64,
    /// Connections that were turned away because there were too many.
    refused: AtomicU64,
    connections: Arc<Places>,
    watches: Arc<Places>,
}

/// The calls of one method over one protocol; on cache lines of their own, so that busy methods do not slow each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Calls {
    codes: [AtomicU64; CODES.len()],
    /// Not cumulative; the last is for what is above all bounds.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    /// The sum of all durations.
    nanos: AtomicU64,
}

impl Metrics {
    /// Nothing yet; connections and watches are read from their limits.
    pub fn new(connections: &Arc<Places>, watches: &Arc<Places>) -> Arc<Metrics> {
        Arc::new(Metrics {
            calls: Default::default(),
            in_flight: AtomicU64::new(0),
            streams: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            connections: connections.clone(),
            watches: watches.clone(),
        })
    }

    /// Counts a connection that was turned away.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A call begins.
    pub fn call(self: &Arc<Self>, protocol: Protocol, method: Method, path: &str) -> Call {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let logged = tracing::enabled!(tracing::Level::DEBUG);
        Call {
            metrics: self.clone(),
            protocol,
            method,
            started: Instant::now(),
            code: Code::Cancelled,
            streams: false,
            path: logged.then(|| crate::inventory::brief(path).into()),
        }
    }
}

/// A call under way. It is counted when this is dropped: as CANCELLED if its caller went away before its end was known.
#[derive(Debug)]
pub struct Call {
    metrics: Arc<Metrics>,
    protocol: Protocol,
    method: Method,
    started: Instant,
    code: Code,
    streams: bool,
    /// Where somebody listens to the log.
    path: Option<Box<str>>,
}

impl Call {
    /// Its method, where it was not known at the start.
    pub fn is(&mut self, method: Method) {
        self.method = method;
    }

    /// The call was answered by this; if the answer is a stream, the call goes on in it.
    pub fn answered(mut self, response: Response<Body>) -> Response<Body> {
        // An error without messages has its status in the headers, or beside them in REST; else it follows the last message.
        let refused = code(response.headers()).or_else(|| response.extensions().get().copied());
        self.code = refused.unwrap_or(Code::Ok);
        if self.code != Code::Ok || !self.method.is_stream() || response.body().is_end_stream() {
            return response;
        }
        self.code = Code::Cancelled;
        self.streams = true;
        self.metrics.streams.fetch_add(1, Ordering::Relaxed);
        let ended = response.extensions().get::<Ended>().cloned();
        response.map(|body| {
            Body::new(Observed {
                body,
                ended,
                call: self,
            })
        })
    }
}

/// How a stream of REST ended, which its last line says in JSON; beside the response that has the stream.
#[derive(Clone, Debug, Default)]
pub struct Ended(Arc<OnceLock<Code>>);

impl Ended {
    /// It ended so.
    pub fn tell(&self, code: Code) {
        // The first end is the end.
        let _ = self.0.set(code);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let metrics = &self.metrics;
        let elapsed = self.started.elapsed();
        metrics.in_flight.fetch_sub(1, Ordering::Relaxed);
        let calls = &metrics.calls[self.protocol as usize][self.method as usize];
        calls.codes[self.code as usize].fetch_add(1, Ordering::Relaxed);
        if self.streams {
            metrics.streams.fetch_sub(1, Ordering::Relaxed);
        } else {
            calls.observe(elapsed);
        }
        if let Some(path) = &self.path {
            let (_, protocol) = PROTOCOLS[self.protocol as usize];
            tracing::debug!(protocol, path, code = CODES[self.code as usize], ?elapsed, "answered");
        }
    }
}

impl Calls {
    fn observe(&self, elapsed: Duration) {
        let micros = elapsed.as_micros();
        let bucket = BUCKETS.partition_point(|bound| u128::from(*bound) < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }
}

fn code(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

/// The body of a streaming answer, whose trailers tell how its call ended; in REST it is told beside it.
struct Observed {
    body: Body,
    ended: Option<Ended>,
    call: Call,
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.call.code = code(trailers).unwrap_or(Code::Unknown);
                }
            }
            Poll::Ready(Some(Err(status))) => self.call.code = status.code(),
            Poll::Ready(None) if self.ended.is_some() => self.call.code = Code::Ok,
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if let Some(code) = self.ended.as_ref().and_then(|ended| ended.0.get()) {
            self.call.code = *code;
        }
    }
}

/// What only a look tells, beside what is counted.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    /// In the store; none if the store does not answer.
    pub products: Option<usize>,
    /// Whether new calls are welcome.
    pub ready: bool,
}

impl Metrics {
    /// All of it in the text format of Prometheus, version 0.0.4
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    pub fn exposition(&self, looked: Looked, identity: &Identity) -> String {
        let mut page = Page(String::with_capacity(16 << 10));
        let word = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let (revision, replica) = (word(&identity.revision), word(&identity.replica));
        page.head("stocktake_build_info", "gauge", "Which build this is; always 1.");
        let labels = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("revision", &revision),
            ("replica", &replica),
        ];
        page.sample("stocktake_build_info", &labels, 1);
        page.gauge(
            "stocktake_ready",
            "Whether new calls are welcome.",
            u64::from(looked.ready),
        );
        if let Some(products) = looked.products {
            page.gauge("stocktake_products", "Products in the store.", products as u64);
        }
        page.gauge(
            "stocktake_connections_open",
            "Open connections.",
            self.connections.taken() as u64,
        );
        page.gauge(
            "stocktake_connections_limit",
            "Connections that may be open.",
            self.connections.most() as u64,
        );
        page.gauge("stocktake_watches_open", "Open watches.", self.watches.taken() as u64);
        page.gauge(
            "stocktake_watches_limit",
            "Watches that may be open.",
            self.watches.most() as u64,
        );
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        page.gauge(
            "stocktake_streams_open",
            "Streaming answers under way.",
            load(&self.streams),
        );
        page.gauge(
            "stocktake_requests_in_flight",
            "Calls under way, streams included.",
            load(&self.in_flight),
        );
        let name = "stocktake_connections_refused_total";
        page.head(
            name,
            "counter",
            "Connections that were turned away because too many were open.",
        );
        page.sample(name, &[], load(&self.refused));
        self.calls(&mut page);
        process(&mut page);
        page.0
    }

    fn calls(&self, page: &mut Page) {
        let all = || {
            PROTOCOLS.iter().zip(&self.calls).flat_map(|((_, protocol), methods)| {
                let labels = |method: Method| [("protocol", *protocol), ("method", method.name())];
                Method::ALL
                    .iter()
                    .zip(methods)
                    .map(move |(method, calls)| (labels(*method), calls))
            })
        };
        let name = "stocktake_requests_total";
        page.head(name, "counter", "Calls that ended, by the gRPC code of their end.");
        for ([protocol, method], calls) in all() {
            for (code, count) in CODES.iter().zip(&calls.codes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    page.sample(name, &[protocol, method, ("code", code)], count);
                }
            }
        }
        let name = "stocktake_request_duration_seconds";
        page.head(
            name,
            "histogram",
            "From the head of a request to the head of its answer; streams are not in it.",
        );
        for ([protocol, method], calls) in all() {
            let counts = calls.buckets.each_ref().map(|count| count.load(Ordering::Relaxed));
            let total: u64 = counts.iter().sum();
            if total == 0 {
                continue;
            }
            let mut below = 0;
            for (bound, count) in BUCKETS.iter().zip(counts) {
                below += count;
                let bound = (*bound as f64 / 1e6).to_string();
                page.sample(
                    "stocktake_request_duration_seconds_bucket",
                    &[protocol, method, ("le", &bound)],
                    below,
                );
            }
            page.sample(
                "stocktake_request_duration_seconds_bucket",
                &[protocol, method, ("le", "+Inf")],
                total,
            );
            let sum = calls.nanos.load(Ordering::Relaxed) as f64 / 1e9;
            page.sample("stocktake_request_duration_seconds_sum", &[protocol, method], sum);
            page.sample("stocktake_request_duration_seconds_count", &[protocol, method], total);
        }
    }
}

/// The unit of times in /proc: 100 a second on every architecture that Linux tells programs of (proc(5), USER_HZ).
const TICKS: f64 = 100.0;

/// What the system knows of this process; left out where there is no /proc.
fn process(page: &mut Page) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program is in parentheses and may hold spaces; the times are fields 14 and 15.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    if let (Some(user), Some(system)) = (ticks(11), ticks(12)) {
        let name = "process_cpu_seconds_total";
        page.head(name, "counter", "User and system time of this process.");
        page.sample(name, &[], (user + system) as f64 / TICKS);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| {
        line.strip_prefix("VmRSS:")?
            .strip_suffix(" kB")?
            .trim()
            .parse::<u64>()
            .ok()
    });
    if let Some(kibibytes) = resident {
        page.gauge(
            "process_resident_memory_bytes",
            "Resident memory of this process.",
            kibibytes * 1024,
        );
    }
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String does not fail; so below.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}
