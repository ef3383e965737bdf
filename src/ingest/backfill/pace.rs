//! Slows announcing down, so that a backfill leaves a bucket, a network or a budget to others.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// How fast objects are announced; without a limit as fast as they are read.
#[derive(Debug, Default)]
pub struct Pace {
    /// Objects a second.
    pub objects_per_second: Option<f64>,
    /// Stored bytes a second.
    pub bytes_per_second: Option<f64>,
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    /// Returns a pace of its own.
    pub fn new(objects_per_second: Option<f64>, bytes_per_second: Option<f64>) -> Self {
        Self { objects_per_second, bytes_per_second, free_at: Mutex::default() }
    }

    /// Waits until an object of this size may be announced.
    pub async fn wait(&self, bytes: u64) {
        let share = self.share(bytes);
        if share.is_zero() {
            return;
        }
        let start = {
            let mut free_at = self.free_at.lock().await;
            let now = Instant::now();
            let start = free_at.unwrap_or(now).max(now);
            *free_at = Some(start + share);
            start
        };
        tokio::time::sleep_until(start).await;
    }

    /// The time that an object takes up.
    fn share(&self, bytes: u64) -> Duration {
        let of_objects = self.objects_per_second.map_or(0.0, |rate| 1.0 / rate);
        #[expect(clippy::cast_precision_loss, reason = "objects are far below 2^53 bytes")]
        let of_bytes = self.bytes_per_second.map_or(0.0, |rate| bytes as f64 / rate);
        Duration::try_from_secs_f64(of_objects.max(of_bytes)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_takes_its_share_of_a_second() {
        let share = |objects, bytes, size| Pace::new(objects, bytes).share(size);
        assert_eq!(share(None, None, 1 << 30), Duration::ZERO);
        assert_eq!(share(Some(4.0), None, 1 << 30), Duration::from_millis(250));
        assert_eq!(share(Some(4.0), Some(1000.0), 2000), Duration::from_secs(2));
    }
}
