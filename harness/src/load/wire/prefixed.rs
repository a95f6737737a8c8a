//! Messages of gRPC in DATA as it arrives: one byte of flags, four of length, the message.

use crate::client::MAX_MESSAGE;

const PREFIX: usize = 5;

/// Where in a message the stream stands.
#[derive(Default)]
pub(super) struct Prefixed {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix that have come; all of them within a message.
    have: usize,
    /// Bytes of the message that are still to come.
    left: usize,
    /// Its beginning, where somebody looks at messages.
    kept: Vec<u8>,
}

impl Prefixed {
    /// For the next call.
    pub fn reset(&mut self) {
        (self.have, self.left) = (0, 0);
        self.kept.clear();
    }

    /// Tells each message that becomes whole. With `keep` its bytes are whole too; without, they are only what came last. `each`
    /// answers whether to go on.
    pub fn push(
        &mut self,
        mut data: &[u8],
        keep: bool,
        mut each: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), &'static str> {
        while !data.is_empty() {
            if self.have < PREFIX {
                let (part, rest) = data.split_at((PREFIX - self.have).min(data.len()));
                self.prefix[self.have..self.have + part.len()].copy_from_slice(part);
                self.have += part.len();
                data = rest;
                if self.have < PREFIX {
                    return Ok(());
                }
                let [flags, a, b, c, d] = self.prefix;
                match flags {
                    0 => {}
                    1 => return Err("a message is compressed, though only identity was accepted"),
                    _ => return Err("a message begins with a byte that is neither 0 nor 1"),
                }
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.left > MAX_MESSAGE {
                    return Err("a message is longer than the 64 MiB that the client takes");
                }
                // A message without bytes is whole with its prefix.
                if self.left == 0 {
                    self.have = 0;
                    if !each(&[]) {
                        return Ok(());
                    }
                    continue;
                }
            }
            let (part, rest) = data.split_at(self.left.min(data.len()));
            data = rest;
            self.left -= part.len();
            if self.left > 0 {
                if keep {
                    self.kept.extend_from_slice(part);
                }
                return Ok(());
            }
            self.have = 0;
            let goes_on = match self.kept.is_empty() {
                true => each(part),
                false => {
                    self.kept.extend_from_slice(part);
                    let goes_on = each(&self.kept);
                    self.kept.clear();
                    goes_on
                }
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether the stream stands within a message.
    pub fn is_within(&self) -> bool {
        self.have > 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_wherever_they_are_cut() {
        let stream = b"\0\0\0\0\x03abc\0\0\0\0\0\0\0\0\0\x01x\0\0\0\0\0";
        for size in 1..=stream.len() {
            let mut prefixed = Prefixed::default();
            let mut seen = Vec::new();
            for part in stream.chunks(size) {
                prefixed
                    .push(part, true, |message| {
                        seen.push(message.to_vec());
                        true
                    })
                    .unwrap();
            }
            assert_eq!(seen, [&b"abc"[..], b"", b"x", b""], "by {size}");
            assert!(!prefixed.is_within());
        }
    }

    #[test]
    fn broken_prefixes_are_told() {
        for (bytes, part) in [
            (&b"\x01\0\0\0\x01x"[..], "compressed"),
            (b"\x80\0\0\0\x01x", "neither 0 nor 1"),
            (b"\0\x7f\0\0\0", "64 MiB"),
        ] {
            let error = Prefixed::default().push(bytes, false, |_| true).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let mut cut = Prefixed::default();
        cut.push(b"\0\0\0\0\x03ab", false, |_| panic!("no message is whole"))
            .unwrap();
        assert!(cut.is_within());
    }
}
