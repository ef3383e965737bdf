//! What every stage of the writing trail works with: the world at its ends, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::fetch::{Archive, FetchLimits};
use super::progress::Progress;
use super::segment::SegmentLimits;
use crate::lake::catalog::BatchId;
use crate::lake::{Catalog, Lake};

/// Bounds of the writing trail.
#[derive(Debug, Clone, Copy)]
pub struct IngestLimits {
    /// Lanes; by default as many as cores.
    pub lanes: usize,
    /// Stored bytes after which a batch is full: about one segment's worth of text when unpacked.
    pub batch_stored_bytes_max: u64,
    /// Messages after which a batch is full: SQS lets a queue have 120,000 in flight.
    pub batch_messages_max: usize,
    /// How long a batch waits for more: what makes a row visible late.
    pub batch_age_max: Duration,
    /// How long a claim lasts without being renewed. After a crash, others wait this long.
    pub lease: Duration,
    /// Deliveries of a message after which it is given up. Outages do not count, a batch waits for those.
    pub deliveries_max: u32,
    /// Deliveries of a message whose object cannot be fetched, after which it is given up.
    pub fetch_deliveries_max: u32,
    /// What to do while queue, catalog or lake cannot be reached.
    pub outage: Outage,
    /// Bounds of fetching.
    pub fetch: FetchLimits,
    /// Bounds of a segment.
    pub segment: SegmentLimits,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            lanes: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            batch_stored_bytes_max: 4 << 20,
            batch_messages_max: 2000,
            batch_age_max: Duration::from_secs(10),
            lease: Duration::from_secs(30),
            deliveries_max: 5,
            fetch_deliveries_max: 5,
            outage: Outage::Stop,
            fetch: FetchLimits::default(),
            segment: SegmentLimits::default(),
        }
    }
}

/// What to do while queue, catalog or lake cannot be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Stop and say so: a person looks on.
    Stop,
    /// Say so, wait and try again: nobody does.
    Wait,
}

impl IngestLimits {
    /// How long a message is hidden when it is received: while its batch is gathered, until the first extension.
    pub fn visibility(&self) -> Duration {
        self.batch_age_max + self.lease * 2
    }
}

/// Everything the writing trail works with.
#[derive(Debug)]
pub struct Trail<Q> {
    /// Where objects are announced.
    pub queue: Q,
    /// Where objects are read.
    pub archive: Arc<Archive>,
    /// What was read and what can be seen.
    pub catalog: Catalog,
    /// Where rows are written.
    pub lake: Lake,
    /// Bounds.
    pub limits: IngestLimits,
    /// Counts.
    pub progress: Arc<Progress>,
    /// The clock.
    pub clock: fn() -> Timestamp,
}

impl<Q> Trail<Q> {
    /// Returns a name for a batch: names sort by time.
    pub fn name_batch(&self) -> BatchId {
        let now = (self.clock)();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanos = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        let time = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos);
        BatchId(uuid::Uuid::new_v7(time).simple().to_string())
    }
}
