//! Ends a batch: its files become visible and its objects committed, once.
//!
//! Takes what was written and gives a [`Receipt`]; only its holder may delete
//! the messages. No commit, no delete.

use jiff::Timestamp;

use super::error::IngestError;
use super::freshness::LogPlace;
use super::segment::{Ending, Tally};
use super::source::key::SkipReason;
use crate::lake::catalog::{BatchId, BatchOutcome, Catalog, ObjectId, ObjectOutcome, ObjectState};

/// What a lane wrote of a batch; nothing of it can be seen yet.
#[derive(Debug, Default)]
pub struct Written {
    /// What the commit will say.
    pub outcome: BatchOutcome,
    /// What was found in each of its objects, and where it comes from.
    pub tallies: Vec<(LogPlace, Tally)>,
    /// Objects that could not be fetched, and why.
    pub unreachable: Vec<(ObjectId, String)>,
    /// Objects of which nothing was heard, and what was last.
    pub away: Vec<(ObjectId, String)>,
}

/// Proof that a batch was committed: its rows can be queried from now on.
#[derive(Debug)]
#[must_use = "the messages are still in the queue"]
pub struct Receipt {
    _committed: (),
}

/// Commits a batch.
///
/// # Errors
/// Another worker took its claims over, or the catalog failed; nothing of it can be seen then.
pub async fn commit(
    catalog: &Catalog,
    batch: &BatchId,
    written: &Written,
    now: Timestamp,
) -> Result<Receipt, IngestError> {
    catalog.commit(batch, &written.outcome, now).await?;
    Ok(Receipt { _committed: () })
}

/// Says in the catalog's words how an object ended.
pub fn outcome(id: ObjectId, source: &'static str, tally: &Tally) -> ObjectOutcome {
    let state = match &tally.ending {
        Ending::Read | Ending::Skipped(SkipReason::Empty) => ObjectState::Committed,
        Ending::Failed(reason) => ObjectState::Failed(reason.clone()),
        Ending::Skipped(_) => ObjectState::LeftAlone,
    };
    ObjectOutcome {
        id,
        source,
        state,
        records: tally.records,
        events: tally.records - tally.set_aside - tally.skipped,
        set_aside: tally.set_aside,
        skipped: tally.skipped,
        stored_bytes: tally.stored_bytes,
        plain_bytes: tally.plain_bytes,
        time_max: tally.time_max,
    }
}
