//! A growing row of bits that knows its n-th set bit: rank and select by a Fenwick tree over 64-bit words.
//!
//! A list of products in stock must find its page without walking over those that are not; every operation here costs
//! O(log n), whatever the page.

/// Bits in the order they were pushed.
#[derive(Debug, Default)]
pub struct BitRow {
    words: Vec<u64>,
    /// `sums[i - 1]` is the number of ones in the words `i - lowbit(i) .. i`.
    sums: Vec<usize>,
    len: usize,
    ones: usize,
}

impl BitRow {
    /// Appends a bit.
    pub fn push(&mut self, bit: bool) {
        if self.len.is_multiple_of(64) {
            self.words.push(0);
            let node = self.words.len();
            // The word is new and empty: the node sums up its children alone.
            let mut sum = 0;
            let mut child = node - 1;
            while child > node - lowbit(node) {
                sum += self.sums.get(child - 1).copied().unwrap_or_default();
                child -= lowbit(child);
            }
            self.sums.push(sum);
        }
        self.len += 1;
        if bit {
            self.set(self.len - 1, true);
        }
    }

    /// Sets the bit at a position that was pushed before; others are ignored.
    pub fn set(&mut self, position: usize, bit: bool) {
        let Some(word) = self.words.get_mut(position / 64) else {
            return;
        };
        let mask = 1 << (position % 64);
        if (*word & mask != 0) == bit {
            return;
        }
        *word ^= mask;
        self.ones = if bit { self.ones + 1 } else { self.ones - 1 };
        let mut node = position / 64 + 1;
        while let Some(sum) = self.sums.get_mut(node - 1) {
            *sum = if bit { *sum + 1 } else { *sum - 1 };
            node += lowbit(node);
        }
    }

    /// How many bits are set.
    pub fn ones(&self) -> usize {
        self.ones
    }

    /// The position of the set bit that has `rank` set bits before it.
    pub fn select(&self, rank: usize) -> Option<usize> {
        if rank >= self.ones {
            return None;
        }
        let mut left = rank;
        let mut skipped = 0;
        let mut step = self.words.len().next_power_of_two();
        while step > 0 {
            if let Some(&sum) = self.sums.get(skipped + step - 1)
                && sum <= left
            {
                left -= sum;
                skipped += step;
            }
            step /= 2;
        }
        let mut word = *self.words.get(skipped)?;
        for _ in 0..left {
            word &= word - 1;
        }
        Some(skipped * 64 + word.trailing_zeros() as usize)
    }
}

fn lowbit(n: usize) -> usize {
    n & n.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small generator of numbers that are the same in every run (Knuth's MMIX constants).
    fn numbers() -> impl FnMut(usize) -> usize {
        let mut state = 7_u64;
        move |below| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        }
    }

    #[test]
    fn agrees_with_a_plain_vector() {
        let mut number = numbers();
        let (mut row, mut plain) = (BitRow::default(), Vec::new());
        for round in 0..3000 {
            let bit = number(3) == 0;
            row.push(bit);
            plain.push(bit);
            let position = number(plain.len());
            let bit = number(2) == 0;
            row.set(position, bit);
            plain[position] = bit;
            if round % 50 == 0 || round < 140 {
                let expected: Vec<usize> = (0..plain.len()).filter(|&i| plain[i]).collect();
                assert_eq!(row.ones(), expected.len());
                let found: Vec<usize> = (0..expected.len()).filter_map(|rank| row.select(rank)).collect();
                assert_eq!(found, expected);
                assert_eq!(row.select(expected.len()), None);
            }
        }
    }

    #[test]
    fn an_empty_row_selects_nothing() {
        let mut row = BitRow::default();
        assert_eq!((row.ones(), row.select(0)), (0, None));
        row.set(5, true);
        assert_eq!(row.ones(), 0);
    }
}
