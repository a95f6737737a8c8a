//! A page of text over plain HTTP/1.1, such as the metrics of a replica.

use bytes::Bytes;
use http_body::Body as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::{future::poll_fn, pin::pin, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// No page of metrics is longer.
const LONGEST: usize = 16 << 20;

/// No body.
struct Empty;

impl http_body::Body for Empty {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

/// Gets the text of a page, `http://host:port/path`.
///
/// # Errors
/// Why there is none, in words; the URL is for the caller to name.
pub async fn text(url: &str, within: Duration) -> Result<String, String> {
    let whole = async {
        let uri: http::Uri = url.parse().map_err(|error| format!("it is no URL: {error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("write http://host:port/path: metrics are read over plain HTTP".to_owned());
        }
        let host = uri.host().ok_or("it names no host")?.trim_matches(['[', ']']);
        let port = uri.port_u16().unwrap_or(80);
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.map_err(|error| format!("it cannot be reached: {error}"))?;
        let made = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = made.map_err(|error| error.to_string())?;
        // It ends with the sender; what went wrong with it is told by the answer.
        let driven = tokio::spawn(async move { drop(connection.await) });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        let request = http::Request::get(path).header("host", authority).body(Empty);
        let request = request.map_err(|error| error.to_string())?;
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if answer.status() != http::StatusCode::OK {
            return Err(format!("it answers HTTP {}", answer.status().as_u16()));
        }
        let mut body = pin!(answer.into_body());
        let mut bytes = Vec::new();
        while let Some(frame) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
            let frame = frame.map_err(|error| error.to_string())?;
            if let Some(data) = frame.data_ref() {
                if bytes.len() + data.len() > LONGEST {
                    return Err(format!("it is longer than {LONGEST} bytes"));
                }
                bytes.extend_from_slice(data);
            }
        }
        driven.abort();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    timeout(within, whole)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {}", humantime::format_duration(within))))
}
