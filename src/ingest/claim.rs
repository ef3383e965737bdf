//! Decides what a batch will read: from messages to claimed objects.
//!
//! Takes the messages of a batch and gives the objects nobody else reads or has
//! read. Objects whose key says there is nothing to read are skipped and counted. A
//! record that a message carries itself is an object too: its bucket is the queue and
//! its key the digest of its text, so that a copy of the message adds nothing, however
//! it came. What keeps a message from being deleted is a [`Setback`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::archive::{ArchiveError, Head, Sought};
use super::error::{IngestError, Setback, chain};
use super::fetch::Wanted;
use super::lane::Work;
use super::limits::LocalFiles;
use super::notification::{Notice, NotificationError, ObjectRef, read_notification};
use super::queue::{Queue, QueueMessage};
use super::source::LogSource;
use super::source::key::{KeyFacts, KeyVerdict, SkipReason};
use super::trail::Trail;
use crate::lake::catalog::{BatchId, Claim, ClaimedObject, ObjectId};
use crate::lake::path::EventDay;

/// Objects of a batch, and the messages that announced them.
#[derive(Debug, Default)]
pub struct Announced {
    objects: Vec<Found>,
    setbacks: Setbacks,
}

/// What keeps messages from being deleted, by their number in the batch.
pub type Setbacks = BTreeMap<usize, Setback<'static>>;

/// An object a message announced.
#[derive(Debug)]
struct Found {
    object: ObjectRef,
    facts: KeyFacts,
    body: Option<Bytes>,
    message: usize,
}

/// What a batch may do.
#[derive(Debug)]
pub struct Claimed {
    /// What it reads.
    pub work: Work,
    /// What keeps messages from being deleted.
    pub setbacks: Setbacks,
    /// The message that announced an object.
    pub messages: HashMap<ObjectId, usize>,
}

/// Reads the messages of a batch.
pub fn read_messages<Q: Queue>(messages: &[QueueMessage], trail: &Trail<Q>) -> Announced {
    let mut announced = Announced::default();
    for (message, QueueMessage { body, .. }) in messages.iter().enumerate() {
        match read_notification(body) {
            Ok(Notice::Objects(objects, left_alone)) => {
                left_alone.into_iter().for_each(|reason| trail.progress.skip(reason));
                for object in objects {
                    announced.object(object, message, trail);
                }
            }
            Ok(Notice::Record { source, text }) => {
                let object = carried(trail.queue.name(), &text);
                let facts = KeyFacts { source: Some(source), ..KeyFacts::default() };
                announced.objects.push(Found { object, facts, body: Some(text.into()), message });
            }
            Ok(Notice::Nothing(formality)) => trail.progress.formality(formality),
            Err(error) => drop(announced.setbacks.insert(message, Setback::NotUnderstood(error))),
        }
    }
    announced
}

impl Announced {
    /// Takes an object that a message announced. One that cannot be costs its message, and neither the others that
    /// the message names nor the rest of the batch.
    fn object<Q: Queue>(&mut self, object: ObjectRef, message: usize, trail: &Trail<Q>) {
        let facts = match trail.archive.declarations.read(&object.bucket, &object.key) {
            KeyVerdict::Skip(reason) => return trail.progress.skip(reason),
            KeyVerdict::Read(facts) => facts,
        };
        if !may_name(&object.bucket, trail.limits.local_files) {
            self.setbacks.insert(message, Setback::NotUnderstood(NotificationError::NoBucket(object.bucket)));
            return;
        }
        if let Err(error) = object.check() {
            self.setbacks.insert(message, Setback::NotUnderstood(error));
            return;
        }
        if let Some(region) = &object.region {
            trail.archive.hint(&object.bucket, region);
        }
        self.objects.push(Found { object, facts, body: None, message });
    }
}

/// Says whether a message may name a bucket: names with a scheme are ours, for what lies in no bucket.
fn may_name(bucket: &str, local_files: LocalFiles) -> bool {
    !bucket.contains("://") || local_files == LocalFiles::Read
}

/// Names a record that a message carries itself.
fn carried(queue: &str, text: &str) -> ObjectRef {
    let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    ObjectRef {
        bucket: format!("sqs://{queue}"),
        key: format!("{digest}.json"),
        size: Some(text.len() as u64),
        ..ObjectRef::default()
    }
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
    let Announced { objects: found, mut setbacks } = announced;
    let found = look_up(trail, found, &mut setbacks).await?;
    let (mut messages, mut wishes, mut wanted) = (HashMap::new(), Vec::new(), Vec::new());
    for Found { object, facts, body, message } in found {
        let id = ObjectId { bucket: object.bucket, key: object.key, version: object.version };
        if messages.insert(id.clone(), message).is_none() {
            wishes.push(wish(&id, &facts));
            let (version_id, facts) = (object.version_id, Arc::new(facts));
            wanted.push(Wanted { object: 0, id, version_id, facts, size: object.size, body });
        }
    }
    let mut claims = Vec::new();
    if !wishes.is_empty() {
        claims = trail.catalog.claim(batch, &wishes, now, trail.limits.lease).await?;
    }
    let mut objects = Vec::new();
    for (claim, mut wanted) in claims.into_iter().zip(wanted) {
        match claim {
            Claim::Granted => {
                wanted.object = u32::try_from(objects.len()).unwrap_or(u32::MAX);
                objects.push(wanted);
            }
            Claim::Done => trail.progress.already(),
            Claim::Held { until } => {
                trail.progress.held();
                if let Some(message) = messages.get(&wanted.id) {
                    setbacks.insert(*message, Setback::Held(until.duration_since(now).unsigned_abs()));
                }
            }
        }
    }
    let day = EventDay::of(now.as_millisecond()).ok_or(IngestError::Lost { what: "the clock" })?;
    Ok(Claimed { work: Work { batch: batch.clone(), day, objects }, setbacks, messages })
}

/// Asks S3 for the ETag of objects that were announced without: it is what tells one object from another.
async fn look_up<Q: Queue>(
    trail: &Trail<Q>,
    found: Vec<Found>,
    setbacks: &mut Setbacks,
) -> Result<Vec<Found>, IngestError> {
    let all = found.len();
    let mut away = Vec::new();
    // Nothing extends the messages' visibility before their objects are claimed.
    let deadline = tokio::time::Instant::now() + trail.limits.lease;
    let looking = futures::stream::iter(found).map(|mut found| async move {
        let ObjectRef { bucket, key, version, version_id, .. } = &found.object;
        if !version.is_empty() || bucket.contains("://") {
            return (found, Ok(()));
        }
        let sought = Sought { bucket, key, etag: "", version_id: version_id.as_deref() };
        let head = tokio::time::timeout_at(deadline, trail.archive.head(sought)).await;
        let head = head.unwrap_or_else(|elapsed| Err(ArchiveError::away(elapsed)));
        let known = head.map(|Head { size, etag, version_id, .. }| {
            found.object.version = etag;
            found.object.version_id = version_id;
            found.object.size = Some(size);
        });
        (found, known)
    });
    let mut looked_up = looking.buffered(trail.limits.fetch.concurrency);
    let mut known = Vec::new();
    while let Some((found, answer)) = looked_up.next().await {
        match answer {
            Ok(()) => known.push(found),
            Err(ArchiveError::Gone) => trail.progress.skip(SkipReason::Gone),
            Err(error) => {
                let ObjectRef { bucket, key, version, .. } = found.object;
                let object = ObjectId { bucket, key, version };
                match error {
                    error @ ArchiveError::Away { .. } => away.push((found.message, object, error)),
                    error => {
                        let why = chain(&error);
                        setbacks.insert(found.message, Setback::Unreachable { object, why });
                    }
                }
            }
        }
    }
    if away.len() == all
        && let Some((_, object, source)) = away.pop()
    {
        return Err(IngestError::Away { object: Box::new(object), source });
    }
    for (message, object, error) in away {
        setbacks.insert(message, Setback::Away { object, why: chain(&error) });
    }
    Ok(known)
}

fn wish(id: &ObjectId, facts: &KeyFacts) -> ClaimedObject {
    ClaimedObject {
        id: id.clone(),
        source: facts.source.map_or("unknown", LogSource::name),
        account: facts.account.map(|account| account.to_string()),
        region: facts.region.as_ref().map(ToString::to_string),
    }
}
