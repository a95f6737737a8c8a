//! Length-prefixed messages: one byte of flags, four bytes of length, the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A longer message is refused. The contract asks for 49 MiB.
pub(crate) const MAX_MESSAGE: usize = 64 << 20;

const PREFIX: usize = 5;

/// A message with its prefix, uncompressed.
pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    // Nothing in a process that fits memory limits of ours comes near 4 GiB.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// Puts messages together from DATA as it arrives.
#[derive(Default)]
pub(crate) struct Deframer {
    buffer: BytesMut,
}

/// What the buffer holds next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A whole message.
    Message(Bytes),
    /// Its first byte has the bit for compression.
    Compressed,
    /// Its first byte is neither 0 nor 1.
    BadFlags(u8),
    /// Longer than [`MAX_MESSAGE`].
    TooLong(usize),
}

impl Deframer {
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    pub fn pop(&mut self) -> Option<Frame> {
        let [flags, a, b, c, d, ..] = self.buffer.as_ref() else {
            return None;
        };
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        match *flags {
            0 => {}
            1 => return Some(Frame::Compressed),
            other => return Some(Frame::BadFlags(other)),
        }
        if length > MAX_MESSAGE {
            return Some(Frame::TooLong(length));
        }
        if self.buffer.len() < PREFIX + length {
            return None;
        }
        self.buffer.advance(PREFIX);
        Some(Frame::Message(self.buffer.split_to(length).freeze()))
    }

    /// Bytes of a message that is not complete.
    pub fn rest(&self) -> usize {
        self.buffer.len()
    }
}
