//! Announces objects that a listing or an inventory found.
//!
//! Takes what was found and sends those that are to be read to the queue in memory, at a
//! pace. What its key says to leave alone, or nobody asked for, is counted at once; what cannot be
//! read for its name's sake is told and costs nothing else.

use std::sync::Arc;

use super::pace::Pace;
use super::selection::Selection;
use super::survey::Survey;
use crate::ingest::archive::{Archive, Listed};
use crate::ingest::notification::{ObjectRef, write_notification};
use crate::ingest::progress::Progress;
use crate::ingest::queue::{EmbeddedQueue, Unit};
use crate::ingest::source::key::{KeyVerdict, SkipReason};
use crate::lake::catalog::ObjectId;

/// Announces objects.
#[derive(Debug)]
pub struct Announcer {
    /// Where they are announced.
    pub queue: Arc<EmbeddedQueue>,
    /// Where they are opened.
    pub archive: Arc<Archive>,
    /// Where they are counted.
    pub progress: Arc<Progress>,
    /// What of them is asked for.
    pub selection: Selection,
    /// How fast.
    pub pace: Pace,
    /// Counts them, and nothing is announced.
    pub survey: Option<Survey>,
}

impl Announcer {
    /// Announces an object. False when nothing more is wanted.
    pub async fn announce(&self, bucket: &str, listed: Listed, of: Of<'_>) -> bool {
        let Listed { key, etag, size } = listed;
        let facts = match self.archive.declarations.read(bucket, &key) {
            KeyVerdict::Skip(reason) => {
                self.progress.skip(reason);
                return true;
            }
            KeyVerdict::Read(facts) => facts,
        };
        if !self.selection.takes(&key, &facts) {
            self.progress.skip(SkipReason::NotAsked);
            return true;
        }
        if let Some(survey) = &self.survey {
            survey.count(&facts, size);
            return true;
        }
        let (bucket, version_id) = (bucket.to_owned(), of.version_id.map(str::to_owned));
        // An inventory need not tell sizes; what it does not tell must not count as nothing.
        let known = Some(size).filter(|size| *size > 0);
        let object =
            ObjectRef { bucket, key, version: etag, version_id, size: known, ..ObjectRef::default() };
        if let Err(error) = object.check() {
            let ObjectRef { bucket, key, version, .. } = object;
            self.progress.unreachable(ObjectId { bucket, key, version }.to_string(), error.to_string());
            return true;
        }
        self.pace.wait(size).await;
        self.progress.announced(size);
        self.queue.send_of(write_notification(&object), of.unit).await
    }
}

/// What an object was found with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Of<'a> {
    /// The part of a backfill it belongs to.
    pub unit: Option<Unit>,
    /// Its version id.
    pub version_id: Option<&'a str>,
}
