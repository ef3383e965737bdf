//! The loop around the writing trail: lanes, leases, shutdown.
//!
//! N equal lanes; a lane takes its messages from receive to delete, so the
//! acknowledgement stays beside the work. While it works, a guard extends the
//! lease of its claims and the visibility of its messages; the guard ends with the
//! work. Shutdown stops receiving, lets lanes finish, and leaves the rest to redelivery.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::error::{Fate, IngestError};
use super::fetch::{Archive, FetchLimits};
use super::lane::Lane;
use super::notification::read_notification;
use super::progress::Progress;
use super::queue::{Queue, QueueMessage, Received};
use super::segment::SegmentLimits;
use crate::lake::catalog::{BatchId, CatalogError};
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
    /// Deliveries of a message after which its failing stops the run.
    pub deliveries_max: u32,
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
            fetch: FetchLimits::default(),
            segment: SegmentLimits::default(),
        }
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

/// Runs lanes until the queue is closed, shutdown is asked for, or one of them cannot go on.
///
/// # Errors
/// The first failure that no waiting will mend.
pub async fn run<Q: Queue + 'static>(
    trail: Arc<Trail<Q>>,
    shutdown: watch::Receiver<bool>,
) -> Result<(), IngestError> {
    let mut lanes = JoinSet::new();
    let (stop, stopped) = watch::channel(false);
    for _ in 0..trail.limits.lanes.max(1) {
        lanes.spawn(run_lane(Arc::clone(&trail), shutdown.clone(), stopped.clone()));
    }
    let mut result = Ok(());
    while let Some(ended) = lanes.join_next().await {
        let ended = ended.unwrap_or(Err(IngestError::Lost { what: "a lane" }));
        if ended.is_err() {
            // The others finish what they have in hand and stop.
            stop.send_replace(true);
        }
        result = result.and(ended);
    }
    result
}

async fn run_lane<Q: Queue + 'static>(
    trail: Arc<Trail<Q>>,
    mut shutdown: watch::Receiver<bool>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), IngestError> {
    let mut lane = Lane::new(trail.limits.segment);
    loop {
        // Cancel-safe: a receive given up leaves its messages to redelivery, and the watches keep their value.
        let gathered = tokio::select! {
            gathered = gather(&trail) => gathered?,
            _ = shutdown.wait_for(|stop| *stop) => None,
            _ = stopped.wait_for(|stop| *stop) => None,
        };
        let Some(messages) = gathered else {
            return Ok(());
        };
        if messages.is_empty() {
            continue;
        }
        let batch = trail.name_batch();
        if let Err(error) = super::ingest_batch(&trail, &mut lane, &batch, &messages).await {
            give_up(&trail, &batch, &messages, error).await?;
        }
    }
}

/// Gathers messages until a batch is full or old. `None` when none will come any more.
async fn gather<Q: Queue>(trail: &Trail<Q>) -> Result<Option<Vec<QueueMessage>>, IngestError> {
    // SQS gives ten at most.
    const RECEIVE_MAX: usize = 10;
    let limits = &trail.limits;
    let deadline = tokio::time::Instant::now() + limits.batch_age_max;
    let (mut gathered, mut stored_bytes) = (Vec::new(), 0);
    while gathered.len() < limits.batch_messages_max && stored_bytes < limits.batch_stored_bytes_max {
        let wait = deadline.saturating_duration_since(tokio::time::Instant::now());
        match trail.queue.receive(RECEIVE_MAX, wait).await? {
            Received::Messages(messages) => {
                let announced = messages
                    .iter()
                    .filter_map(|message| read_notification(&message.body).ok());
                stored_bytes += announced.flatten().filter_map(|object| object.size).sum::<u64>();
                gathered.extend(messages);
            }
            Received::Closed if gathered.is_empty() => return Ok(None),
            Received::Nothing | Received::Closed => break,
        }
    }
    Ok(Some(gathered))
}

/// Lets go of what a failed batch holds: its messages come again, or the run stops.
async fn give_up<Q: Queue>(
    trail: &Trail<Q>,
    batch: &BatchId,
    messages: &[QueueMessage],
    error: IngestError,
) -> Result<(), IngestError> {
    let released = trail.catalog.release(batch).await;
    let deliveries = messages
        .iter()
        .map(|message| message.receive_count)
        .max()
        .unwrap_or(0);
    if error.fate() == Fate::Stop || deliveries >= trail.limits.deliveries_max {
        return Err(error);
    }
    released?;
    tracing::warn!(%batch, error = &error as &dyn std::error::Error, "batch given up, its messages come again");
    let receipt_handles: Vec<String> = messages
        .iter()
        .map(|message| message.receipt_handle.clone())
        .collect();
    trail.queue.extend(&receipt_handles, Duration::from_secs(1)).await
}

/// Extends leases and visibility while a batch is worked on; ends when it is dropped.
#[derive(Debug)]
pub struct Hold {
    _task: JoinSet<()>,
    lost: watch::Receiver<bool>,
}

impl Hold {
    /// Starts to hold a batch.
    pub fn start<Q: Queue + 'static>(
        trail: &Arc<Trail<Q>>,
        batch: &BatchId,
        messages: &[QueueMessage],
    ) -> Self {
        let receipt_handles: Vec<String> = messages
            .iter()
            .map(|message| message.receipt_handle.clone())
            .collect();
        let (lose, lost) = watch::channel(false);
        let mut task = JoinSet::new();
        let (trail, batch) = (Arc::clone(trail), batch.clone());
        task.spawn(async move {
            let lease = trail.limits.lease;
            loop {
                tokio::time::sleep(lease / 3).await;
                match trail.catalog.renew(&batch, (trail.clock)(), lease).await {
                    Ok(()) => {}
                    Err(CatalogError::Fenced { .. }) => {
                        lose.send_replace(true);
                        return;
                    }
                    // The lease may still be renewed in time; if not, the commit is fenced.
                    Err(error) => tracing::warn!(%batch, error = &error as &dyn std::error::Error, "lease not renewed"),
                }
                if let Err(error) = trail.queue.extend(&receipt_handles, lease).await {
                    tracing::warn!(%batch, error = &error as &dyn std::error::Error, "visibility not extended");
                }
            }
        });
        Self { _task: task, lost }
    }

    /// Waits until the batch's claims are lost: the work is for nothing then.
    pub async fn lost(&mut self) {
        if self.lost.wait_for(|lost| *lost).await.is_err() {
            // The guard's task ended without losing anything; the commit will tell.
            std::future::pending::<()>().await;
        }
    }
}
