//! The digests of the archive, each read once.
//!
//! Takes the key of a log file and gives the digests that may cover it: those of its Region that ended in the
//! hours around and after its delivery.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::content::{ContentError, Keep, read};
use super::digest::{Digest, Document};
use super::place::{LogKey, ObjectPlace, delivered};
use crate::ingest::archive::{Archive, ArchiveError, Sought};

/// A digest lists a few hundred log files an hour; this is ten thousand times that.
const DIGEST_BYTES_MAX: usize = 64 << 20;

const HOUR_MS: i64 = 3_600_000;

/// A log's name may be some minutes ahead of its delivery.
const BEFORE_MS: i64 = HOUR_MS;

/// Digests come hourly, an hour or two late at most; one that comes later than a day is not looked for.
const AFTER_MS: i64 = 26 * HOUR_MS;

/// What was found at a digest's place.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// The digest.
    Digest(Arc<Digest>),
    /// Nothing.
    Gone,
    /// Something that cannot be read, and why.
    Unreadable(String),
}

/// The digests of one archive.
#[derive(Debug)]
pub(super) struct Shelf {
    archive: Arc<Archive>,
    folders: HashMap<ObjectPlace, Vec<String>>,
    digests: HashMap<ObjectPlace, Found>,
}

impl Shelf {
    pub(super) fn new(archive: Arc<Archive>) -> Self {
        Self { archive, folders: HashMap::new(), digests: HashMap::new() }
    }

    /// Returns the places of digests that may cover a log, in the order in which they ended.
    ///
    /// # Errors
    /// The archive does not tell.
    pub(super) async fn around(
        &mut self,
        bucket: &str,
        log: &LogKey,
    ) -> Result<Vec<ObjectPlace>, ArchiveError> {
        let (from, to) = (log.delivered - BEFORE_MS, log.delivered + AFTER_MS);
        let mut found = Vec::new();
        for day in days(from, to) {
            let folder = ObjectPlace { bucket: bucket.to_owned(), key: format!("{}/{day}", log.digests) };
            if !self.folders.contains_key(&folder) {
                let keys = self.archive.keys_below(bucket, &folder.key).await?;
                self.folders.insert(folder.clone(), keys);
            }
            let keys = self.folders.get(&folder).map(Vec::as_slice).unwrap_or_default();
            let timed = keys
                .iter()
                .filter(|key| key.ends_with(".json.gz"))
                .filter_map(|key| Some((delivered(key)?, key)));
            found.extend(
                timed
                    .filter(|(ended, _)| (from..=to).contains(ended))
                    .map(|(ended, key)| (ended, key.clone())),
            );
        }
        found.sort();
        Ok(found.into_iter().map(|(_, key)| ObjectPlace { bucket: bucket.to_owned(), key }).collect())
    }

    /// Reads a digest, or returns what was found there before.
    pub(super) async fn take(&mut self, place: &ObjectPlace) -> Found {
        if let Some(found) = self.digests.get(place) {
            return found.clone();
        }
        let found = match self.fetch(place).await {
            Ok(digest) => Found::Digest(Arc::new(digest)),
            Err(FetchError::Content(ContentError::Archive(ArchiveError::Gone))) => Found::Gone,
            Err(error) => Found::Unreadable(error.to_string()),
        };
        self.digests.insert(place.clone(), found.clone());
        found
    }

    async fn fetch(&self, place: &ObjectPlace) -> Result<Digest, FetchError> {
        let sought = Sought { bucket: &place.bucket, key: &place.key, etag: "", version_id: None };
        let content = read(&self.archive, place, Keep::Text(DIGEST_BYTES_MAX)).await?;
        let mut head = self.archive.head(sought).await.map_err(ContentError::Archive)?;
        let document: Document = serde_json::from_slice(&content.text)?;
        Ok(Digest {
            place: place.clone(),
            document,
            text: content.text,
            sha256: content.sha256,
            signature: head.metadata.remove("signature"),
        })
    }

    /// Returns all digests that were read, in the order of their places.
    pub(super) fn read(&self) -> Vec<Arc<Digest>> {
        let mut digests: Vec<_> = self
            .digests
            .values()
            .filter_map(|found| match found {
                Found::Digest(digest) => Some(Arc::clone(digest)),
                Found::Gone | Found::Unreadable(_) => None,
            })
            .collect();
        digests.sort_by(|a, b| a.place.cmp(&b.place));
        digests
    }
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Content(#[from] ContentError),
    #[error("it is no digest: {0}")]
    Document(#[from] serde_json::Error),
}

/// The folders of the days a stretch of time touches, as `2026/01/01`.
fn days(from: i64, to: i64) -> Vec<String> {
    let day = |time| Timestamp::from_millisecond(time).ok().map(|time| time.strftime("%Y/%m/%d").to_string());
    let mut days: Vec<_> = (0..)
        .map(|number| from + number * 24 * HOUR_MS)
        .take_while(|time| *time < to)
        .chain([to])
        .filter_map(day)
        .collect();
    days.dedup();
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_touches_its_first_and_last_day() {
        let noon = 1_767_225_600_000 + 12 * HOUR_MS;
        assert_eq!(days(noon, noon + HOUR_MS), ["2026/01/01"]);
        assert_eq!(days(noon, noon + 13 * HOUR_MS), ["2026/01/01", "2026/01/02"]);
        assert_eq!(days(noon, noon + 37 * HOUR_MS), ["2026/01/01", "2026/01/02", "2026/01/03"]);
    }
}
