//! Bytes that wait for the system to take them.

use std::collections::VecDeque;

/// What one connection has to send, and which calls begin where in it.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How much of `bytes` the system has taken.
    taken: usize,
    /// Where a call begins in `bytes`, and its place in its connection.
    begun: VecDeque<(usize, usize)>,
}

impl Outbox {
    /// For appending.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The call at `place` begins with what is appended next.
    pub fn begin(&mut self, place: usize) {
        self.begun.push_back((self.bytes.len(), place));
    }

    /// What the system has not taken yet.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// So much is about to be handed over: `place` of each call whose first byte is in it.
    pub fn leaving(&mut self, count: usize) -> impl Iterator<Item = usize> + '_ {
        let until = self.taken + count;
        self.taken = until;
        let calls = self.begun.partition_point(|(at, _)| *at < until);
        self.begun.drain(..calls).map(|(_, place)| place)
    }

    /// Forgets what was taken, once it is all.
    pub fn tidy(&mut self) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
            // One long request must not keep its memory for good.
            if self.bytes.capacity() > (1 << 20) {
                self.bytes.shrink_to(1 << 16);
            }
        }
    }

    /// The connection is gone.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.begun.clear();
        self.taken = 0;
    }
}
