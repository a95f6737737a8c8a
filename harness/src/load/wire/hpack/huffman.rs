//! The Huffman code of HPACK, RFC 7541 appendix B. It is canonical: the lengths of the codes say all of it.

/// Bits of the code of each byte; the last one is the end of the text.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6,
    6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6,
    6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23,
    22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22,
    23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22,
    25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LONGEST: usize = 30;

/// How to read the code, made once for a connection.
pub(super) struct Huffman {
    /// By length: the first code of it, and how many codes of it there are.
    first: [(u32, u32); LONGEST + 1],
    /// By length: where its symbols begin in `symbols`.
    start: [usize; LONGEST + 1],
    /// In the order of their codes.
    symbols: Vec<u16>,
}

impl Huffman {
    pub fn new() -> Huffman {
        let mut first = [(0, 0); LONGEST + 1];
        let mut start = [0; LONGEST + 1];
        let mut symbols = Vec::with_capacity(LENGTHS.len());
        let mut code = 0u32;
        for length in 1..=LONGEST {
            code <<= 1;
            start[length] = symbols.len();
            let with_it = (0u16..).zip(LENGTHS).filter(|(_, bits)| usize::from(*bits) == length);
            symbols.extend(with_it.map(|(symbol, _)| symbol));
            let count = (symbols.len() - start[length]) as u32;
            first[length] = (code, count);
            code += count;
        }
        Huffman { first, start, symbols }
    }

    /// Appends the text of `coded`. An error where it is no text of this code.
    pub fn decode(&self, coded: &[u8], to: &mut Vec<u8>) -> Result<(), &'static str> {
        let (mut code, mut length) = (0u32, 0usize);
        for byte in coded {
            for bit in (0..8).rev() {
                code = code << 1 | u32::from(byte >> bit & 1);
                length += 1;
                let Some((first, count)) = self.first.get(length).copied() else {
                    return Err("a Huffman code that is none");
                };
                let Some(offset) = code.checked_sub(first).filter(|offset| *offset < count) else {
                    continue;
                };
                let symbol = self.symbols.get(self.start[length] + offset as usize).copied();
                match symbol.map(u8::try_from) {
                    Some(Ok(symbol)) => to.push(symbol),
                    _ => return Err("the end of a Huffman text within it"),
                }
                (code, length) = (0, 0);
            }
        }
        // The rest is filled up with the first bits of the end, which are ones.
        match length < 8 && code == (1 << length) - 1 {
            true => Ok(()),
            false => Err("a Huffman text that is not filled up with ones"),
        }
    }
}
