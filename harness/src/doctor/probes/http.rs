//! Plain GETs over HTTP/2 and HTTP/1.1, to the authority of the calls.

use super::super::evidence::{Exchange, Http2, KEPT};
use super::redact::Secrets;
use super::tap::{Frames, Tap};
use super::{ms, tls};
use crate::client::{AGENT, Manner, add};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes of an answer over HTTP/1.1 that are read.
const READ: usize = 16 << 10;

/// Bytes of a body that are looked at.
const EXCERPT: usize = 512;

/// Header fields of an answer that are read.
const FIELDS: usize = 64;

/// A way to the target.
pub(super) struct Route<'a> {
    pub address: SocketAddr,
    pub manner: &'a Manner,
    pub secrets: &'a Secrets,
    pub within: Duration,
}

/// A byte stream to the target.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Route<'_> {
    async fn open(&self, http2: bool) -> Result<Box<dyn Stream>, String> {
        let Some(secure) = &self.manner.secure else {
            let tcp = timeout(self.within, TcpStream::connect(self.address)).await;
            let tcp = tcp.map_err(|_| self.late())?;
            return match tcp {
                Ok(tcp) => Ok(Box::new(tcp)),
                Err(error) => Err(error.to_string()),
            };
        };
        let config = if http2 { &secure.either } else { &secure.http1 };
        let stream = tls::connect(self.address, config, &secure.name, self.within).await?;
        if http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("HTTP/2 was not agreed on".to_owned());
        }
        Ok(Box::new(stream))
    }

    fn late(&self) -> String {
        format!("no answer within {}", humantime::format_duration(self.within))
    }

    /// What every request carries; without `host`.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("user-agent", HeaderValue::from_static(AGENT));
        headers.insert("accept", HeaderValue::from_static("*/*"));
        for (key, value) in &self.manner.metadata {
            // Metadata was looked at before: what is no header does not come here.
            let _ = add(&mut headers, key, value);
        }
        headers
    }
}

/// `GET /` over HTTP/2, with what else the connection shows.
pub(super) async fn over_http2(route: &Route<'_>) -> Http2 {
    let began = Instant::now();
    let failed = |error: String| Http2 {
        get: Exchange {
            error: Some(route.secrets.shown(&error)),
            took_ms: ms(began.elapsed()),
            ..Exchange::default()
        },
        ..Http2::default()
    };
    let stream = match route.open(true).await {
        Ok(stream) => stream,
        Err(error) => return failed(error),
    };
    let (tap, frames) = Tap::new(stream, route.secrets);
    let answered = timeout(route.within, get_http2(route, tap, began)).await;
    let mut seen = match answered {
        Ok(Ok(get)) => Http2 {
            get,
            ..Http2::default()
        },
        Ok(Err(error)) => failed(error.to_string()),
        Err(_) => failed(route.late()),
    };
    take(&frames, &mut seen);
    seen
}

fn take(frames: &Arc<Mutex<Frames>>, seen: &mut Http2) {
    if let Ok(mut frames) = frames.lock() {
        seen.settings = frames.settings.take();
        seen.goaway = frames.goaway.take();
    }
}

async fn get_http2<S: Stream + 'static>(route: &Route<'_>, stream: S, began: Instant) -> Result<Exchange, h2::Error> {
    let (send, connection) = h2::client::Builder::new()
        .enable_push(false)
        .handshake::<_, Bytes>(stream)
        .await?;
    let mut connection = std::pin::pin!(connection);
    let asked = async {
        let mut request = Request::new(());
        *request.uri_mut() = uri(route);
        *request.version_mut() = http::Version::HTTP_2;
        *request.headers_mut() = route.headers();
        let mut send = send.ready().await?;
        let (response, _) = send.send_request(request, true)?;
        let (head, mut body) = response.await?.into_parts();
        let mut exchange = Exchange {
            status: head.status.as_u16(),
            headers: kept(route.secrets, |name| head.headers.get(name).map(HeaderValue::as_bytes)),
            took_ms: ms(began.elapsed()),
            ..Exchange::default()
        };
        let mut excerpt = Vec::new();
        while let Some(data) = body.data().await {
            // An answer that breaks off has shown its head.
            let Ok(data) = data else { break };
            let _ = body.flow_control().release_capacity(data.len());
            excerpt.extend(data.iter().take(EXCERPT - excerpt.len()));
            if excerpt.len() >= EXCERPT {
                break;
            }
        }
        exchange.body = route.secrets.shown(&String::from_utf8_lossy(&excerpt));
        Ok(exchange)
    };
    let mut asked = std::pin::pin!(asked);
    tokio::select! {
        // The answer first: a peer may answer and close at once.
        biased;
        answer = &mut asked => answer,
        ended = &mut connection => match ended {
            Err(error) => Err(error),
            Ok(()) => asked.await,
        },
    }
}

fn uri(route: &Route<'_>) -> Uri {
    let scheme = if route.manner.secure.is_some() { "https" } else { "http" };
    Uri::builder()
        .scheme(scheme)
        .authority(route.manner.authority.as_str())
        .path_and_query("/")
        .build()
        .unwrap_or_default()
}

fn kept<'a>(secrets: &Secrets, value: impl Fn(&str) -> Option<&'a [u8]>) -> Vec<(String, String)> {
    let found = KEPT.iter().filter_map(|name| Some((*name, value(name)?)));
    found.map(|(name, value)| secrets.header(name, value)).collect()
}

/// `GET /` over HTTP/1.1.
pub(super) async fn over_http1(route: &Route<'_>) -> Exchange {
    let began = Instant::now();
    let failed = |error: String| Exchange {
        error: Some(route.secrets.shown(&error)),
        took_ms: ms(began.elapsed()),
        ..Exchange::default()
    };
    let mut stream = match route.open(false).await {
        Ok(stream) => stream,
        Err(error) => return failed(error),
    };
    let mut answer = Vec::new();
    let read = timeout(route.within, get_http1(route, &mut stream, &mut answer)).await;
    let took_ms = ms(began.elapsed());
    if let Some(exchange) = parse(&answer, route.secrets) {
        return Exchange { took_ms, ..exchange };
    }
    match (read, answer.as_slice()) {
        (Err(_), []) => failed(route.late()),
        (Ok(Err(error)), []) => failed(error.to_string()),
        (Ok(Ok(())), []) => failed("the connection was closed without a byte".to_owned()),
        // A SETTINGS frame, which HTTP/2 begins with.
        (_, [_, _, _, 4, _, 0, 0, 0, 0, ..]) => failed("it answers in HTTP/2".to_owned()),
        (_, bytes) => {
            let begin = bytes.get(..bytes.len().min(40)).unwrap_or_default();
            // Its end is hidden before anything stands behind it.
            let begin = route.secrets.hide(&begin.escape_ascii().to_string());
            failed(format!("no HTTP/1.1: `{begin}`"))
        }
    }
}

async fn get_http1(route: &Route<'_>, stream: &mut Box<dyn Stream>, answer: &mut Vec<u8>) -> std::io::Result<()> {
    let mut request = format!(
        "GET / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
        route.manner.authority
    )
    .into_bytes();
    for (name, value) in &route.headers() {
        request.extend(name.as_str().bytes());
        request.extend(b": ");
        request.extend(value.as_bytes());
        request.extend(b"\r\n");
    }
    request.extend(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut buffer = [0; 4096];
    while answer.len() < READ {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        answer.extend(buffer.get(..n).unwrap_or_default());
        // A peer that keeps the connection open has said enough.
        if parse(answer, route.secrets).is_some_and(|exchange| !exchange.body.is_empty()) {
            return Ok(());
        }
    }
    Ok(())
}

/// The head, once it is complete.
fn parse(answer: &[u8], secrets: &Secrets) -> Option<Exchange> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let Ok(httparse::Status::Complete(end)) = response.parse(answer) else {
        return None;
    };
    let status = response.code?;
    let body = answer.get(end..).unwrap_or_default();
    let body = body.get(..body.len().min(EXCERPT)).unwrap_or_default();
    let value = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name));
        found.map(|field| field.value)
    };
    Some(Exchange {
        status,
        headers: kept(secrets, value),
        body: secrets.shown(&String::from_utf8_lossy(body)),
        ..Exchange::default()
    })
}
