//! What every stage of the writing trail works with: the world at its ends, and its bounds.

use std::sync::Arc;

use jiff::Timestamp;

use super::archive::Archive;
use super::limits::IngestLimits;
use super::progress::Progress;
use crate::lake::catalog::BatchId;
use crate::lake::{Catalog, Lake};

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
