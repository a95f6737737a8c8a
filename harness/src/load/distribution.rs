//! A distribution of times: an HdrHistogram with one set of bounds for all, so that any two can be added exactly. Pure.

use hdrhistogram::Histogram;

/// The longest time that is told apart, nanoseconds: one hour. A longer one counts as this, and is counted apart.
pub const LONGEST: u64 = 3_600_000_000_000;

/// Significant digits: a time is told to 0.1 % of itself.
pub const DIGITS: u8 = 3;

/// Times in nanoseconds. Empty, it holds no buffer; else about 270 KB, however many times it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    // Boxed: most distributions of most operations stay empty.
    histogram: Option<Box<Histogram<u64>>>,
    sum: u128,
    beyond: u64,
}

impl Distribution {
    /// Adds a time.
    pub fn record(&mut self, time: u64) {
        if time > LONGEST {
            self.beyond += 1;
        }
        self.sum += u128::from(time);
        self.buffer().saturating_record(time.min(LONGEST));
    }

    /// Adds the times of another one. Exact, in any order.
    pub fn merge(&mut self, other: &Distribution) {
        let Some(histogram) = &other.histogram else { return };
        self.buffer().add(&**histogram).expect("all have the same bounds");
        self.sum += other.sum;
        self.beyond += other.beyond;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// Their sum, exact.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Those longer than [`LONGEST`].
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// The mean, exact (not of the histogram's steps).
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64)
    }

    /// The smallest, to the lower edge of its step.
    pub fn min(&self) -> Option<u64> {
        self.histogram.as_ref().map(|histogram| histogram.min())
    }

    /// The largest, to the upper edge of its step, as every reader of the histogram's file shows it.
    pub fn max(&self) -> Option<u64> {
        self.histogram.as_ref().map(|histogram| histogram.max())
    }

    /// The values of quantiles (0 to 1) in rising order, to the upper edge of their step; whether there are enough samples for
    /// them is for the summary to say. Empty without samples.
    pub fn at(&self, quantiles: &[f64]) -> Vec<u64> {
        match &self.histogram {
            Some(histogram) => histogram.value_at_quantiles(quantiles.iter().copied()).collect(),
            None => Vec::new(),
        }
    }

    /// The histogram; `None` without samples.
    pub fn histogram(&self) -> Option<&Histogram<u64>> {
        self.histogram.as_deref()
    }

    /// Bytes of its buffer.
    pub fn buffer_bytes(&self) -> usize {
        let counts = self
            .histogram
            .as_ref()
            .map_or(0, |histogram| histogram.distinct_values());
        counts * size_of::<u64>()
    }

    fn buffer(&mut self) -> &mut Histogram<u64> {
        self.histogram.get_or_insert_with(|| {
            let histogram = Histogram::new_with_bounds(1, LONGEST, DIGITS);
            Box::new(histogram.expect("the bounds are constants that the library takes"))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_time_beyond_the_bounds_counts_as_the_longest() {
        let mut times = Distribution::default();
        times.record(0);
        times.record(LONGEST);
        times.record(LONGEST + 1);
        times.record(u64::MAX);
        assert_eq!((times.count(), times.beyond(), times.min()), (4, 2, Some(0)));
        let max = times.max().unwrap();
        assert!((LONGEST..LONGEST + LONGEST / 1_000).contains(&max), "{max}");
    }

    #[test]
    fn an_empty_one_holds_no_buffer_and_says_nothing() {
        let empty = Distribution::default();
        assert_eq!((empty.buffer_bytes(), empty.count()), (0, 0));
        assert_eq!((empty.min(), empty.mean(), empty.max()), (None, None, None));
        assert!(empty.at(&[0.5]).is_empty());
        let mut merged = Distribution::default();
        merged.merge(&empty);
        assert_eq!(merged, empty);
    }
}
