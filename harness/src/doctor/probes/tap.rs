//! I/O that reads along: the peer's SETTINGS and GOAWAY as they stand on the wire (RFC 9113 sections 4.1, 6.5, 6.8).

use super::super::evidence::GoAway;
use super::redact::Secrets;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of a payload that are kept: more than SETTINGS or the debug data of a GOAWAY need.
const KEPT: usize = 1_024;

/// Characters of the debug data of a GOAWAY that are shown.
const DEBUG: usize = 120;

const HEAD: usize = 9;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

/// What was read along.
#[derive(Default)]
pub(super) struct Frames {
    pub settings: Option<Vec<(String, u32)>>,
    pub goaway: Option<GoAway>,
    /// They are not kept.
    secrets: Secrets,
    /// The head of the frame that arrives, and the beginning of its payload.
    part: Vec<u8>,
    /// Bytes of its payload that are still to come and are not kept.
    skip: usize,
}

impl Frames {
    /// Takes in what the peer sent.
    pub fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.skip -= skipped;
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            let wanted = self.wanted();
            let take = wanted.saturating_sub(self.part.len()).min(bytes.len());
            let (taken, rest) = bytes.split_at(take);
            self.part.extend_from_slice(taken);
            bytes = rest;
            if self.part.len() >= HEAD && self.part.len() >= self.wanted() {
                self.note();
                self.skip = self.length().saturating_sub(KEPT);
                self.part.clear();
            }
        }
    }

    /// Bytes of head and payload that are kept.
    fn wanted(&self) -> usize {
        match self.part.len() {
            0..HEAD => HEAD,
            _ => HEAD + self.length().min(KEPT),
        }
    }

    fn length(&self) -> usize {
        match self.part.as_slice() {
            [a, b, c, ..] => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
            _ => 0,
        }
    }

    fn note(&mut self) {
        let [_, _, _, kind, flags, _, _, _, _, payload @ ..] = self.part.as_slice() else {
            return;
        };
        match (*kind, payload) {
            (SETTINGS, _) if flags & ACK == 0 && self.settings.is_none() => {
                let pairs = payload.chunks_exact(6).filter_map(|pair| match pair {
                    [a, b, c, d, e, f] => {
                        let id = u16::from_be_bytes([*a, *b]);
                        Some((setting(id), u32::from_be_bytes([*c, *d, *e, *f])))
                    }
                    _ => None,
                });
                self.settings = Some(pairs.collect());
            }
            (GOAWAY, [_, _, _, _, a, b, c, d, debug @ ..]) => {
                let code = h2::Reason::from(u32::from_be_bytes([*a, *b, *c, *d]));
                self.goaway = Some(GoAway {
                    code: format!("{code:?}"),
                    debug: self.secrets.cut(&String::from_utf8_lossy(debug), DEBUG),
                });
            }
            _ => {}
        }
    }
}

/// RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1.
fn setting(id: u16) -> String {
    match id {
        1 => "HEADER_TABLE_SIZE".to_owned(),
        2 => "ENABLE_PUSH".to_owned(),
        3 => "MAX_CONCURRENT_STREAMS".to_owned(),
        4 => "INITIAL_WINDOW_SIZE".to_owned(),
        5 => "MAX_FRAME_SIZE".to_owned(),
        6 => "MAX_HEADER_LIST_SIZE".to_owned(),
        8 => "ENABLE_CONNECT_PROTOCOL".to_owned(),
        9 => "NO_RFC7540_PRIORITIES".to_owned(),
        other => format!("setting {other:#06x}"),
    }
}

/// A stream whose incoming bytes are read along.
pub(super) struct Tap<S> {
    inner: S,
    frames: Arc<Mutex<Frames>>,
}

impl<S> Tap<S> {
    pub fn new(inner: S, secrets: &Secrets) -> (Tap<S>, Arc<Mutex<Frames>>) {
        let frames = Arc::new(Mutex::new(Frames {
            secrets: secrets.clone(),
            ..Frames::default()
        }));
        let tap = Tap {
            inner,
            frames: Arc::clone(&frames),
        };
        (tap, frames)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let result = Pin::new(&mut self.inner).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = &result {
            let bytes = buf.filled().get(before..).unwrap_or_default();
            if let Ok(mut frames) = self.frames.lock() {
                frames.hear(bytes);
            }
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whatever_the_pieces() {
        let mut wire = Vec::new();
        // SETTINGS with two of them, a DATA frame longer than is kept, an acknowledgement, GOAWAY.
        wire.extend([0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100, 0, 4, 0, 1, 0, 0]);
        wire.extend([0, 8, 0, 0, 0, 0, 0, 0, 1]);
        wire.extend(vec![7; 2048]);
        wire.extend([0, 0, 0, 4, 1, 0, 0, 0, 0]);
        wire.extend([0, 0, 11, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11, b'a', b'\n', b'b']);
        for size in [1, 2, 7, 1000, wire.len()] {
            let mut frames = Frames::default();
            for piece in wire.chunks(size) {
                frames.hear(piece);
            }
            let settings = frames.settings.unwrap_or_default();
            assert_eq!(
                settings,
                [
                    ("MAX_CONCURRENT_STREAMS".to_owned(), 100),
                    ("INITIAL_WINDOW_SIZE".to_owned(), 65_536)
                ],
                "{size}"
            );
            let expected = GoAway {
                code: "ENHANCE_YOUR_CALM".to_owned(),
                debug: "a b".to_owned(),
            };
            assert_eq!(frames.goaway, Some(expected), "{size}");
        }
    }

    #[test]
    fn a_goaway_does_not_say_a_token_back() {
        let token = "0123456789".repeat(100);
        let metadata = [("authorization".to_owned(), format!("Bearer {token}").into_bytes())];
        // The whole of it, and as much as is kept.
        for said in [format!("who is {token}?"), format!("who is {token}{token}")] {
            let mut frames = Frames {
                secrets: Secrets::of(&metadata),
                ..Frames::default()
            };
            let length = u32::try_from(said.len() + 8).unwrap_or_default().to_be_bytes();
            frames.hear(&length[1..]);
            frames.hear(&[7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 11]);
            frames.hear(said.as_bytes());
            let debug = frames.goaway.map(|goaway| goaway.debug).unwrap_or_default();
            assert!(
                debug.starts_with("who is [hidden]") && !debug.contains("0123"),
                "{debug}"
            );
        }
    }
}
