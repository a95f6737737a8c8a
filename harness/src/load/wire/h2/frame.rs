//! Frames of HTTP/2, RFC 9113 sections 4 and 6.

/// Types of frames.
pub(super) mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags.
pub(super) mod flag {
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
    pub const PRIORITY: u8 = 32;
}

/// Numbers of settings.
pub(super) mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const ENABLE_PUSH: u16 = 2;
    pub const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
}

/// What a client begins with.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// CANCEL of section 7.
pub(super) const CANCEL: u32 = 8;

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

/// Bytes of the head.
pub(super) const HEAD: usize = 9;

impl Frame {
    /// `None`: there is not enough for one.
    pub fn read(bytes: &[u8]) -> Option<Frame> {
        let [a, b, c, kind, flags, d, e, f, g, ..] = bytes else {
            return None;
        };
        Some(Frame {
            length: usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes([*d, *e, *f, *g]) & 0x7fff_ffff,
        })
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without padding, and without the priority that HEADERS may carry.
    pub fn content<'a>(&self, mut payload: &'a [u8]) -> Result<&'a [u8], &'static str> {
        const BROKEN: &str = "padding longer than its frame";
        let mut padding = 0;
        if self.has(flag::PADDED) {
            let (length, rest) = payload.split_first().ok_or(BROKEN)?;
            (padding, payload) = (usize::from(*length), rest);
        }
        if self.kind == kind::HEADERS && self.has(flag::PRIORITY) {
            payload = payload.get(5..).ok_or("a HEADERS frame without its priority")?;
        }
        let end = payload.len().checked_sub(padding).ok_or(BROKEN)?;
        Ok(&payload[..end])
    }
}

/// A number of four bytes, as most frames hold one.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    let bytes = payload.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}
