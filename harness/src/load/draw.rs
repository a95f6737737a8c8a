//! The random numbers of a run: the same seed gives the same ones, on every machine and in later versions. Pure.
//!
//! The generator is PCG-XSL-RR 128/64 (`rand_pcg`, which holds it to reference vectors). Seeding and the conversions to what
//! is drawn are written out here, because those of libraries change between versions.

use rand_core::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// What numbers are drawn for: two purposes of one seed share none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// When requests are sent.
    Arrivals = 1,
    /// Which requests are sent.
    Mix = 2,
    /// How long users think.
    #[cfg(feature = "goose")]
    Think = 3,
}

/// A source of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Draw(Pcg64);

impl Draw {
    /// The numbers of one thread for one purpose.
    pub fn new(seed: u64, purpose: Purpose, index: usize) -> Draw {
        let mut state = scrambled(scrambled(seed) ^ purpose as u64) ^ index as u64;
        let mut bytes = [0; 32];
        for word in bytes.chunks_exact_mut(8) {
            state = state.wrapping_add(STEP);
            word.copy_from_slice(&scrambled(state).to_le_bytes());
        }
        Draw(Pcg64::from_seed(bytes))
    }

    /// One of 0 to n - 1, each as likely as the others (to within n / 2^64). 0 where n is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Exponentially distributed with mean 1, never 0.
    pub fn exponential(&mut self) -> f64 {
        // The middles of 2^53 equal parts of 0 to 1: neither end is drawn, so the logarithm is finite and not 0.
        let unit = ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        -unit.ln()
    }
}

/// The step and the finalizer of SplitMix64 (Steele, Lea, Flood 2014; constants of Stafford's variant 13): seeds that differ in
/// one bit have nothing in common afterwards.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

fn scrambled(value: u64) -> u64 {
    let value = value.wrapping_add(STEP);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_purposes_and_seeds_share_no_numbers() {
        let first = |seed, purpose, index| Draw::new(seed, purpose, index).below(u64::MAX);
        let mut all: Vec<u64> = (0..20)
            .flat_map(|seed| (0..20).map(move |index| (seed, index)))
            .flat_map(|(seed, index)| [first(seed, Purpose::Arrivals, index), first(seed, Purpose::Mix, index)])
            .collect();
        let drawn = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), drawn), (800, 800));
    }

    #[test]
    fn below_reaches_each_number_and_no_other() {
        let mut draw = Draw::new(7, Purpose::Mix, 0);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[draw.below(6) as usize] += 1;
        }
        // Binomial with n = 60,000 and p = 1/6: standard deviation 91, and this is five of them.
        assert!(counts.iter().all(|n| n.abs_diff(10_000) < 456), "{counts:?}");
        assert_eq!(draw.below(0), 0);
    }
}
