//! A body in chunks, RFC 9112 section 7.1, as it arrives.

/// A line of the framing, at most.
const LONGEST_LINE: usize = 16 << 10;

/// Where in the framing the body stands.
#[derive(Default)]
pub(super) struct Chunks {
    state: State,
    /// Bytes of the chunk that are still to come.
    left: u64,
    /// A line that is not whole.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data,
    /// The line end after a chunk.
    After,
    /// Fields after the last chunk.
    Trailers,
    Over,
}

impl Chunks {
    /// For the next body.
    pub fn reset(&mut self) {
        *self = Chunks {
            line: std::mem::take(&mut self.line),
            ..Chunks::default()
        };
        self.line.clear();
    }

    /// Takes bytes in; how many of them. Tells parts of the body, and fields after it.
    pub fn push(
        &mut self,
        bytes: &[u8],
        mut data: impl FnMut(&[u8]),
        mut trailer: impl FnMut(&[u8], &[u8]),
    ) -> Result<usize, &'static str> {
        let mut rest = bytes;
        while self.state != State::Over && !rest.is_empty() {
            if self.state == State::Data {
                let most = usize::try_from(self.left).unwrap_or(usize::MAX);
                let (part, after) = rest.split_at(most.min(rest.len()));
                data(part);
                self.left -= part.len() as u64;
                rest = after;
                if self.left == 0 {
                    self.state = State::After;
                }
                continue;
            }
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (part, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            self.line.extend_from_slice(part);
            rest = after;
            if self.line.len() > LONGEST_LINE {
                return Err("a line between chunks that does not end");
            }
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                self.line_ends(line.trim_ascii_end(), &mut trailer)?;
                self.line = line;
                self.line.clear();
            }
        }
        Ok(bytes.len() - rest.len())
    }

    fn line_ends(&mut self, line: &[u8], trailer: &mut impl FnMut(&[u8], &[u8])) -> Result<(), &'static str> {
        match self.state {
            State::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let digits = std::str::from_utf8(digits).unwrap_or_default().trim_end();
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let size = u64::from_str_radix(digits, 16).ok().filter(|_| is_number);
                self.left = size.ok_or("a chunk whose size is no number")?;
                self.state = if self.left == 0 { State::Trailers } else { State::Data };
            }
            State::After if line.is_empty() => self.state = State::Size,
            State::After => return Err("a chunk longer than its size"),
            State::Trailers if line.is_empty() => self.state = State::Over,
            State::Trailers => {
                let colon = line
                    .iter()
                    .position(|byte| *byte == b':')
                    .ok_or("a field after the chunks without a colon")?;
                let (name, value) = line.split_at(colon);
                trailer(&name.to_ascii_lowercase(), value[1..].trim_ascii());
            }
            State::Data | State::Over => {}
        }
        Ok(())
    }

    /// Whether the body has ended.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_read_wherever_they_are_cut() {
        let wire = b"4;x=\"y\"\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\nGrpc-Status: 14\r\n\r\nHTTP/1.1";
        for size in 1..=wire.len() {
            let (mut body, mut fields) = (Vec::new(), Vec::new());
            let mut chunks = Chunks::default();
            let mut taken = 0;
            for part in wire.chunks(size) {
                let trailer = |name: &[u8], value: &[u8]| fields.push((name.to_vec(), value.to_vec()));
                taken += chunks.push(part, |data| body.extend_from_slice(data), trailer).unwrap();
            }
            assert_eq!(
                (body.as_slice(), taken),
                (&b"{\"a\":1}"[..], wire.len() - 8),
                "by {size}"
            );
            assert_eq!(fields, [(b"grpc-status".to_vec(), b"14".to_vec())]);
            assert!(chunks.is_over());
        }
    }

    #[test]
    fn what_is_no_chunk_is_told() {
        for (wire, part) in [
            ("zz\r\n", "no number"),
            ("\r\n", "no number"),
            ("-1\r\n", "no number"),
            ("1\r\nab\r\n", "longer than its size"),
            ("0\r\nnothing\r\n\r\n", "without a colon"),
            ("fffffffffffffffff\r\n", "no number"),
        ] {
            let error = Chunks::default().push(wire.as_bytes(), |_| {}, |_, _| {}).unwrap_err();
            assert!(error.contains(part), "{wire:?}: {error}");
        }
    }
}
