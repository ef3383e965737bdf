//! Decides what a batch will read: from messages to claimed objects.
//!
//! Takes the messages of a batch and gives the objects nobody else reads or has
//! read. Objects whose key says there is nothing to read are skipped and counted;
//! messages all of whose objects are done can be deleted; those with an object that
//! another worker holds are put off until its lease ends.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::error::IngestError;
use super::fetch::Archive;
use super::fetch::Wanted;
use super::lane::Work;
use super::notification::{ObjectRef, read_notification};
use super::progress::Progress;
use super::queue::{Queue, QueueMessage};
use super::source::LogSource;
use super::source::key::{KeyFacts, KeyVerdict};
use super::trail::Trail;
use crate::lake::catalog::{BatchId, Claim, ClaimedObject, ObjectId};
use crate::lake::path::EventDay;

/// Objects of a batch, and the messages that announced them.
#[derive(Debug, Default)]
pub struct Announced {
    objects: Vec<(ObjectRef, KeyFacts, String)>,
    receipt_handles: Vec<String>,
}

/// What a batch may do.
#[derive(Debug)]
pub struct Claimed {
    /// What it reads.
    pub work: Work,
    /// Messages to delete once that is committed.
    pub finished: Vec<String>,
    /// Messages to hide until another worker's lease ends.
    pub held: Vec<(String, Duration)>,
}

/// Reads the messages of a batch.
pub fn read_messages(messages: &[QueueMessage], archive: &Archive, progress: &Progress) -> Announced {
    let mut announced = Announced::default();
    for message in messages {
        announced.receipt_handles.push(message.receipt_handle.clone());
        let objects = match read_notification(&message.body) {
            Ok(objects) => objects,
            Err(error) => {
                tracing::warn!(%error, "message announces nothing we know, deleted");
                progress.unknown_message();
                continue;
            }
        };
        for object in objects {
            match archive.declarations.read(&object.bucket, &object.key) {
                KeyVerdict::Skip(reason) => progress.skip(reason),
                KeyVerdict::Read(facts) => {
                    announced.objects.push((object, facts, message.receipt_handle.clone()));
                }
            }
        }
    }
    announced
}

/// Claims the announced objects.
///
/// # Errors
/// The catalog failed; nothing is claimed.
pub async fn claim<Q: Queue>(
    trail: &Trail<Q>,
    batch: &BatchId,
    announced: Announced,
) -> Result<Claimed, IngestError> {
    let now = (trail.clock)();
    let (mut seen, mut wishes, mut wanted) = (HashSet::new(), Vec::new(), Vec::new());
    for (object, facts, receipt_handle) in announced.objects {
        let id = ObjectId { bucket: object.bucket, key: object.key, version: object.version };
        if seen.insert(id.clone()) {
            wishes.push(wish(&id, &facts));
            wanted.push((id, Arc::new(facts), object.size, receipt_handle));
        }
    }
    let mut claims = Vec::new();
    if !wishes.is_empty() {
        claims = trail.catalog.claim(batch, &wishes, now, trail.limits.lease).await?;
    }
    let (mut objects, mut held) = (Vec::new(), BTreeMap::new());
    for (claim, (id, facts, size, receipt_handle)) in claims.into_iter().zip(wanted) {
        match claim {
            Claim::Granted => {
                let object = u32::try_from(objects.len()).unwrap_or(u32::MAX);
                objects.push(Wanted { object, id, facts, size });
            }
            Claim::Done => trail.progress.already(),
            Claim::Held { until } => {
                trail.progress.held();
                let longest: &mut Duration = held.entry(receipt_handle).or_default();
                *longest = until.duration_since(now).unsigned_abs().max(*longest);
            }
        }
    }
    let finished =
        announced.receipt_handles.into_iter().filter(|handle| !held.contains_key(handle)).collect();
    let day = EventDay::of(now.as_millisecond()).ok_or(IngestError::Lost { what: "the clock" })?;
    Ok(Claimed {
        work: Work { batch: batch.clone(), day, objects },
        finished,
        held: held.into_iter().collect(),
    })
}

fn wish(id: &ObjectId, facts: &KeyFacts) -> ClaimedObject {
    ClaimedObject {
        id: id.clone(),
        source: facts.source.map_or("unknown", LogSource::name),
        account: facts.account.map(|account| account.to_string()),
        region: facts.region.as_ref().map(ToString::to_string),
    }
}

/// Hides messages until the worker that holds their objects is done or its lease has ended.
///
/// # Errors
/// The queue failed.
pub async fn put_off<Q: Queue>(trail: &Trail<Q>, held: &[(String, Duration)]) -> Result<(), IngestError> {
    // A worker that is alive is done long before its lease ends: look again soon.
    const LOOK_AGAIN: Duration = Duration::from_secs(5);
    for (receipt_handle, wait) in held {
        let wait = (*wait + Duration::from_millis(50)).min(LOOK_AGAIN);
        trail.queue.extend(std::slice::from_ref(receipt_handle), wait).await?;
    }
    Ok(())
}
