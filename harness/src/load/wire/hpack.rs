//! HPACK (RFC 7541), the decoding side, and integers and texts of the encoding side.
//!
//! Own code: what crates.io has beside the one inside `h2` is no longer kept, and the hot path needs to know when the table has
//! changed: between two changes the same bytes say the same ([`Decoder::generation`]), so that a load run decodes an answer once
//! and compares bytes from then on.

mod huffman;

use huffman::Huffman;
use std::collections::VecDeque;

/// SETTINGS_HEADER_TABLE_SIZE where nobody says otherwise (RFC 9113 section 6.5.2).
pub(super) const TABLE_SIZE: usize = 4096;

/// What an entry counts beyond its bytes (RFC 7541 section 4.1).
pub(super) const ENTRY_OVERHEAD: usize = 32;

/// The first index after the static table.
pub(super) const FIRST_DYNAMIC: usize = 62;

/// RFC 7541 appendix A, without index 0.
#[rustfmt::skip]
const STATIC: [(&str, &str); FIRST_DYNAMIC - 1] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"), (":scheme", "http"),
    (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""), ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""), ("accept-ranges", ""), ("accept", ""), ("access-control-allow-origin", ""), ("age", ""),
    ("allow", ""), ("authorization", ""), ("cache-control", ""), ("content-disposition", ""), ("content-encoding", ""),
    ("content-language", ""), ("content-length", ""), ("content-location", ""), ("content-range", ""), ("content-type", ""),
    ("cookie", ""), ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
    ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""),
    ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""),
    ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// The index of a field, or of its name alone, in the static table.
pub(super) fn static_index(name: &str, value: &[u8]) -> (Option<usize>, Option<usize>) {
    let whole = STATIC
        .iter()
        .position(|(n, v)| *n == name && v.as_bytes() == value && !value.is_empty());
    let named = STATIC.iter().position(|(n, _)| *n == name);
    (whole.map(|at| at + 1), named.map(|at| at + 1))
}

/// An integer after `bits` of its first byte (section 5.1); `pattern` is what stands before it.
pub(super) fn put_integer(value: usize, pattern: u8, bits: u32, to: &mut Vec<u8>) {
    let most = (1usize << bits) - 1;
    if value < most {
        to.push(pattern | value as u8);
        return;
    }
    to.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        to.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    to.push(rest as u8);
}

/// A text as it is (section 5.2).
pub(super) fn put_text(text: &[u8], to: &mut Vec<u8>) {
    put_integer(text.len(), 0, 7, to);
    to.extend_from_slice(text);
}

/// The table of one connection and its reader.
pub(super) struct Decoder {
    huffman: Huffman,
    /// The newest first.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    used: usize,
    limit: usize,
    generation: u64,
}

/// A text in a block, its Huffman code undone into a buffer of its own.
enum Text<'a> {
    Plain(&'a [u8]),
    Coded(Vec<u8>),
}

impl Text<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Text::Plain(bytes) => bytes,
            Text::Coded(bytes) => bytes,
        }
    }
}

impl Decoder {
    pub fn new() -> Decoder {
        Decoder {
            huffman: Huffman::new(),
            table: VecDeque::new(),
            used: 0,
            limit: TABLE_SIZE,
            generation: 0,
        }
    }

    /// Goes up with every change of the table.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Tells the fields of a block, in order. After an error the connection cannot be read any more.
    pub fn decode(&mut self, mut block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), &'static str> {
        let block = &mut block;
        while let Some(first) = block.first().copied() {
            if first & 0x80 != 0 {
                let index = integer(block, 7)?;
                let (name, value) = self.entry(index)?;
                field(name, value);
            } else if first & 0xe0 == 0x20 {
                let limit = integer(block, 5)?;
                if limit > TABLE_SIZE {
                    return Err("a header table larger than the 4096 bytes that the client allows");
                }
                self.generation += 1;
                self.limit = limit;
                self.shrink();
            } else {
                let indexing = first & 0x40 != 0;
                let index = integer(block, if indexing { 6 } else { 4 })?;
                let name = match index {
                    0 => self.text(block)?,
                    index => Text::Coded(self.entry(index)?.0.to_vec()),
                };
                let value = self.text(block)?;
                field(name.bytes(), value.bytes());
                if indexing {
                    self.insert(name.bytes().to_vec(), value.bytes().to_vec());
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, name: Vec<u8>, value: Vec<u8>) {
        self.generation += 1;
        self.used += name.len() + value.len() + ENTRY_OVERHEAD;
        self.table.push_front((name, value));
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.used > self.limit {
            let Some((name, value)) = self.table.pop_back() else {
                return;
            };
            self.used -= name.len() + value.len() + ENTRY_OVERHEAD;
        }
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), &'static str> {
        if let Some(at) = index.checked_sub(FIRST_DYNAMIC) {
            let found = self
                .table
                .get(at)
                .map(|(name, value)| (name.as_slice(), value.as_slice()));
            return found.ok_or("an index beyond the header table");
        }
        let found = index.checked_sub(1).and_then(|at| STATIC.get(at));
        found
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .ok_or("the header index 0")
    }

    fn text<'a>(&self, block: &mut &'a [u8]) -> Result<Text<'a>, &'static str> {
        let coded = block.first().is_some_and(|byte| byte & 0x80 != 0);
        let length = integer(block, 7)?;
        let Some((text, rest)) = block.split_at_checked(length) else {
            return Err("a header text longer than its block");
        };
        *block = rest;
        if !coded {
            return Ok(Text::Plain(text));
        }
        let mut plain = Vec::with_capacity(text.len() * 2);
        self.huffman.decode(text, &mut plain)?;
        Ok(Text::Coded(plain))
    }
}

fn integer(block: &mut &[u8], bits: u32) -> Result<usize, &'static str> {
    const BROKEN: &str = "a header integer that does not end";
    let most = (1usize << bits) - 1;
    let (first, mut rest) = block.split_first().ok_or(BROKEN)?;
    let mut value = usize::from(*first) & most;
    if value == most {
        let mut shift = 0;
        loop {
            let (byte, after) = rest.split_first().ok_or(BROKEN)?;
            rest = after;
            value += usize::from(byte & 127) << shift;
            if byte & 128 == 0 {
                break;
            }
            shift += 7;
            // Nothing in a block is longer than 2^28.
            if shift > 21 {
                return Err(BROKEN);
            }
        }
    }
    *block = rest;
    Ok(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<String, &'static str> {
        let mut text = String::new();
        decoder.decode(block, |name, value| {
            text += &format!("{}={};", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        })?;
        Ok(text)
    }

    /// RFC 7541 appendix C.3 and C.4: the same requests without and with Huffman code.
    #[test]
    fn reads_the_requests_of_the_rfc() {
        for blocks in [
            [
                "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
                "8286 84be 5808 6e6f 2d63 6163 6865",
                "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            ],
            [
                "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
                "8286 84be 5886 a8eb 1064 9cbf",
                "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            ],
        ] {
            let mut decoder = Decoder::new();
            let seen = blocks.map(|block| fields(&mut decoder, &hex(block)).unwrap());
            assert_eq!(
                seen,
                [
                    ":method=GET;:scheme=http;:path=/;:authority=www.example.com;",
                    ":method=GET;:scheme=http;:path=/;:authority=www.example.com;cache-control=no-cache;",
                    ":method=GET;:scheme=https;:path=/index.html;:authority=www.example.com;custom-key=custom-value;",
                ]
            );
            assert_eq!((decoder.generation(), decoder.used), (3, 164));
        }
    }

    /// RFC 7541 appendix C.6, with a table of 256 bytes: entries leave it.
    #[test]
    fn old_entries_leave_the_table() {
        let mut decoder = Decoder::new();
        decoder.limit = 256;
        let blocks = [
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            "4883 640e ffc1 c0bf",
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
        ];
        let seen = blocks.map(|block| fields(&mut decoder, &hex(block)).unwrap());
        assert!(seen[0].starts_with(":status=302;cache-control=private;date=Mon, 21 Oct 2013 20:13:21 GMT;"));
        assert!(
            seen[1].starts_with(":status=307;cache-control=private;")
                && seen[1].ends_with("location=https://www.example.com;")
        );
        assert!(seen[2].contains("set-cookie=foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1;"));
        assert_eq!(decoder.used, 215);
    }

    #[test]
    fn what_is_no_hpack_is_told() {
        for (block, reason) in [
            ("80", "the header index 0"),
            ("be", "an index beyond the header table"),
            ("3fe2 1f", "larger than the 4096 bytes"),
            ("ff", "does not end"),
            ("ffff ffff ffff ffff", "does not end"),
            ("0005 6162", "longer than its block"),
            ("0081 00", "not filled up with ones"),
            ("0084 ffff ffff", "the end of a Huffman text within it"),
        ] {
            let error = fields(&mut Decoder::new(), &hex(block)).unwrap_err();
            assert!(error.contains(reason), "{block}: {error}");
        }
    }

    #[test]
    fn integers_and_texts_are_read_as_they_are_written() {
        for value in [0, 1, 14, 15, 16, 30, 31, 127, 128, 1337, 4096, 1 << 20] {
            for bits in [4, 5, 6, 7] {
                let mut bytes = Vec::new();
                put_integer(value, 0, bits, &mut bytes);
                let mut rest = bytes.as_slice();
                assert_eq!((integer(&mut rest, bits), rest.len()), (Ok(value), 0));
            }
        }
        let mut block = vec![0];
        put_text(b"x-name", &mut block);
        put_text(&[b'v'; 300], &mut block);
        assert_eq!(
            fields(&mut Decoder::new(), &block).unwrap(),
            format!("x-name={};", "v".repeat(300))
        );
    }
}
