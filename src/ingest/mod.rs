//! The writing trail: from a message about an object to rows that can be queried.
//!
//! ```text
//! queue ─ notification ─ claim ─ fetch ─ decompress ─ parse ─ normalize ─ batch ─ write ─ commit ─ delete message
//!                                └──────────────── lane, segment by segment ──────────────┘
//! ```
//!
//! [`ingest_batch`] is the whole story. Promises, which tests prove by stopping
//! between any two steps:
//! 1. a message that brought data is deleted only after its rows can be queried;
//! 2. an object announced twice adds no row;
//! 3. a bad record costs itself, a bad object costs itself;
//! 4. what was set aside is counted and can be found;
//! 5. memory does not grow with the object.

pub mod error;
pub mod queue;
pub mod sqs;
pub mod notification;
pub mod archive;
pub mod backfill;
pub mod list;
pub mod fetch;
pub mod decompress;
pub mod parquet_rows;
pub mod json;
pub mod source;
pub mod segment;
pub mod batch;
pub mod write;
pub mod lane;
pub mod commit;
pub mod claim;
pub mod acknowledge;
pub mod set_aside;
pub mod histogram;
pub mod freshness;
pub mod progress;
pub mod limits;
pub mod trail;
pub mod worker;
pub mod invocation;
pub mod quarantine;
pub mod again;

use std::sync::Arc;

pub use error::{IngestError, Setback};
pub use limits::{IngestLimits, LocalFiles, Outage};
pub use queue::{EmbeddedQueue, Queue, QueueMessage};
pub use trail::Trail;
pub use worker::run;

use crate::lake::catalog::BatchId;

/// Carries one batch of messages from receive to delete.
///
/// # Errors
/// The batch as a whole failed; nothing of it can be seen, and its messages are still in the queue.
pub async fn ingest_batch<Q: Queue + 'static>(
    trail: &Arc<Trail<Q>>,
    lane: &mut lane::Lane,
    batch: &BatchId,
    messages: &[QueueMessage],
) -> Result<(), IngestError> {
    let began = tokio::time::Instant::now();
    let announced = claim::read_messages(messages, trail);
    let mut claimed = claim::claim(trail, batch, announced).await?;
    if !claimed.work.objects.is_empty() {
        let mut hold = worker::Hold::start(trail, batch, messages);
        let writing = lane.write_objects(claimed.work, trail);
        // Not cancel-safe and need not be: when claims or messages are lost, what was written is never committed.
        let written = tokio::select! {
            written = writing => written?,
            lost = hold.lost() => return Err(lost),
        };
        let now = (trail.clock)();
        let receipt = commit::commit(&trail.catalog, batch, &written, now).await?;
        trail.progress.batch(&written, &receipt, now, began.elapsed());
        for (object, why) in written.unreachable {
            if let Some(message) = claimed.messages.get(&object) {
                claimed.setbacks.insert(*message, Setback::Unreachable { object, why });
            }
        }
        for (object, why) in written.away {
            if let Some(message) = claimed.messages.get(&object) {
                claimed.setbacks.insert(*message, Setback::Away { object, why });
            }
        }
    }
    acknowledge::acknowledge(trail, messages, &claimed.setbacks).await
}
