//! I/O that remembers how the peer began, so that a connection that fails can be explained.

use super::tls;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Enough for a status line, a banner or the head of a frame.
const KEPT: usize = 64;

/// The beginning of what the peer sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    /// At most [`KEPT`] bytes.
    pub head: Vec<u8>,
    total: usize,
    /// The peer has ended its side, or the connection broke.
    pub ended: bool,
    /// Where TLS broke it.
    pub tls: Option<tokio_rustls::rustls::Error>,
}

impl Heard {
    /// Whether the server's connection preface, a SETTINGS frame, has arrived in full (RFC 9113 section 3.4).
    pub fn settings(&self) -> bool {
        self.begins_with_settings() && self.total >= 9 + self.frame_length()
    }

    /// Whether it cannot become a SETTINGS frame any more.
    pub fn is_foreign(&self) -> bool {
        match self.head.len() {
            0..=8 => self.head.get(3).is_some_and(|kind| *kind != 4),
            _ => !self.begins_with_settings(),
        }
    }

    /// A frame of type SETTINGS, not an acknowledgement, on stream 0.
    pub fn begins_with_settings(&self) -> bool {
        matches!(self.head.as_slice(), [_, _, _, 4, flags, 0, 0, 0, 0, ..] if flags & 1 == 0)
    }

    fn frame_length(&self) -> usize {
        match self.head.as_slice() {
            [a, b, c, ..] => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
            _ => 0,
        }
    }

    /// Whether these are TLS records, alerts or handshake messages of any version.
    pub fn is_tls(&self) -> bool {
        matches!(self.head.as_slice(), [0x15 | 0x16, 3, ..])
    }

    /// The first line, where the peer speaks HTTP/1.x or answers in bare HTML, as old servers do to an unknown version.
    pub fn http1(&self) -> Option<String> {
        let is_http1 = self.head.starts_with(b"HTTP/1.") || self.head.starts_with(b"HTTP/0.");
        let is_html = self.head.starts_with(b"<!DOCTYPE") || self.head.starts_with(b"<html");
        (is_http1 || is_html).then(|| self.shown())
    }

    /// The first line, printable.
    pub fn shown(&self) -> String {
        let line = self.head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        line.trim_ascii_end().escape_ascii().to_string()
    }
}

/// A stream that notes what it reads.
pub(super) struct Recorded<S> {
    inner: S,
    heard: watch::Sender<Heard>,
    /// Nothing more is of interest.
    done: bool,
}

impl<S> Recorded<S> {
    pub fn new(inner: S) -> (Self, watch::Receiver<Heard>) {
        let (sender, receiver) = watch::channel(Heard::default());
        (
            Self {
                inner,
                heard: sender,
                done: false,
            },
            receiver,
        )
    }

    fn note(&mut self, bytes: &[u8], result: &io::Result<()>, ended: bool) {
        self.heard.send_modify(|heard| {
            let room = KEPT.saturating_sub(heard.head.len());
            heard.head.extend(bytes.iter().take(room));
            heard.total = heard.total.saturating_add(bytes.len());
            heard.ended |= ended;
            heard.tls = result.as_ref().err().and_then(tls::of_io).cloned();
        });
        let heard = self.heard.borrow();
        self.done = heard.settings() || heard.head.len() == KEPT && heard.is_foreign();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(result) = &result
            && !self.done
        {
            let bytes = buf.filled().get(before..).unwrap_or_default();
            let ended = result.is_err() || bytes.is_empty() && buf.remaining() > 0;
            self.note(bytes, result, ended);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
