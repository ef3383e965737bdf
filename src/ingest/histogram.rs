//! Counts durations in buckets, as Prometheus wants them.

use std::time::Duration;

/// Upper bounds of the buckets, milliseconds. From a batch of one small object to a message that waited for hours.
pub const BOUNDS_MS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 14_400_000];

/// Durations, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BOUNDS_MS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Counts a duration.
    pub fn add(&mut self, duration: Duration) {
        let first = BOUNDS_MS.iter().position(|bound| duration <= Duration::from_millis(*bound));
        if let Some(bucket) = first {
            self.buckets.iter_mut().skip(bucket).for_each(|count| *count += 1);
        }
        self.count += 1;
        self.sum += duration;
    }

    /// Returns each bucket's upper bound in seconds and how many were not longer.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        BOUNDS_MS
            .into_iter()
            .zip(self.buckets)
            .map(|(bound, count)| (Duration::from_millis(bound).as_secs_f64(), count))
    }

    /// Returns how many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns how long they were together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_all_that_is_not_longer() {
        let mut histogram = Histogram::default();
        for millis in [100, 101, 3_000, 100_000_000] {
            histogram.add(Duration::from_millis(millis));
        }
        let counts: Vec<u64> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_millis(100_003_201)));
    }
}
