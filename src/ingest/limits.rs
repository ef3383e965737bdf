//! Bounds of the writing trail.

use std::time::Duration;

use super::fetch::FetchLimits;
use super::segment::SegmentLimits;

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
    /// Whether messages may name files of this machine.
    pub local_files: LocalFiles,
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
            local_files: LocalFiles::Refuse,
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

/// Whether messages may name files of this machine. Whoever can send to a queue could have them read else, so only
/// the queue in memory may, which `list::read_places` fills itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalFiles {
    /// They are read.
    Read,
    /// Their message is not understood.
    Refuse,
}

impl IngestLimits {
    /// How long a message is hidden when it is received: while its batch is gathered, until the first extension.
    pub fn visibility(&self) -> Duration {
        self.batch_age_max + self.lease * 2
    }
}
