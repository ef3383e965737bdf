//! Reads records of one object again, as they stand there.
//!
//! Takes the indices that evidence names (`metadata.log_name`, `metadata.sequence`) and gives the bytes, through the same
//! fetch, unpacking and walk that counted them. Nothing is normalized or written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::archive::{Archive, ArchiveError};
use super::fetch::{FetchLimits, Fetched, Wanted, fetch_all};
use super::segment::{Ending, Fill, Piece, Segment, SegmentLimits};
use super::source::key::{KeyFacts, KeyVerdict};
use crate::cpu::compute;
use crate::lake::catalog::ObjectId;

/// Why records cannot be read again.
#[derive(Debug, thiserror::Error)]
pub enum AgainError {
    /// The archive does not give the object.
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    /// Nothing of the object can be read.
    #[error("{0}")]
    Unreadable(String),
    /// Reading ended without an answer.
    #[error("reading it ended without an answer")]
    Lost,
}

/// Reads records of an object by their indices; one that is not there is not in the answer.
///
/// # Errors
/// The object is not given, or nothing of it can be read.
pub async fn read_records(
    archive: &Arc<Archive>,
    (bucket, key): (&str, &str),
    indices: BTreeSet<u64>,
    (fetch, segment): (FetchLimits, SegmentLimits),
) -> Result<BTreeMap<u64, String>, AgainError> {
    let facts = match archive.declarations.read(bucket, key) {
        KeyVerdict::Read(facts) => facts,
        KeyVerdict::Skip(_) => KeyFacts::default(),
    };
    let wanted = Wanted {
        object: 0,
        id: ObjectId { bucket: bucket.to_owned(), key: key.to_owned(), version: String::new() },
        version_id: None,
        facts: Arc::new(facts),
        size: None,
        body: None,
    };
    let (sender, mut receiver) = mpsc::channel(1);
    // Dropped with everything else when all that is wanted was found.
    let mut fetching = JoinSet::new();
    fetching.spawn(fetch_all(Arc::clone(archive), vec![wanted], fetch, sender));
    let mut reading =
        Reading { segment: Segment::new(segment), indices, found: BTreeMap::new(), failure: None };
    while let Some(Fetched { piece, .. }) = receiver.recv().await {
        let piece = piece?;
        reading = compute(move || reading.feed(piece)).await.ok_or(AgainError::Lost)?;
        if reading.indices.is_empty() {
            break;
        }
    }
    match reading.failure {
        Some(reason) if reading.found.is_empty() => Err(AgainError::Unreadable(reason)),
        _ => Ok(reading.found),
    }
}

/// An object being read.
struct Reading {
    segment: Segment,
    /// What is still looked for.
    indices: BTreeSet<u64>,
    found: BTreeMap<u64, String>,
    failure: Option<String>,
}

impl Reading {
    fn feed(mut self, mut piece: Piece) -> Self {
        loop {
            let fill = self.segment.fill(piece);
            self.take();
            match fill {
                Fill::Taken(ended) => {
                    if let Some((_, tally)) = ended {
                        self.failure = match tally.ending {
                            Ending::Read => None,
                            Ending::Failed(reason) => Some(reason),
                            Ending::Skipped(reason) => Some(reason.text()),
                        };
                    }
                    return self;
                }
                Fill::Full(rest) => piece = rest,
            }
        }
    }

    /// Takes what is wanted out of the segment and makes room.
    fn take(&mut self) {
        // Records are UTF-8: the segment has set aside those that are not.
        if let Ok(text) = self.segment.text() {
            for head in &self.segment.records.heads {
                let range = head.range.start as usize..head.range.end as usize;
                if let (true, Some(record)) = (self.indices.remove(&head.index), text.get(range)) {
                    self.found.insert(head.index, record.to_owned());
                }
            }
        }
        self.segment.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::archive::LOCAL;

    async fn again(name: &str, bytes: &[u8], indices: &[u64]) -> Result<Vec<(u64, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join(name);
        std::fs::write(&path, bytes).unwrap();
        let key = path.to_str().unwrap().trim_start_matches('/');
        // A record of a few hundred bytes fills it, so that one object is read in many parts.
        let segment = SegmentLimits { plain_bytes_max: 100, ..SegmentLimits::default() };
        let fetch = FetchLimits { piece_bytes: 64 << 10, ..FetchLimits::default() };
        let indices = indices.iter().copied().collect();
        let found = read_records(&Arc::default(), (LOCAL, key), indices, (fetch, segment)).await;
        found.map(|found| found.into_iter().collect()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_record_is_given_as_it_stands() {
        let record = |number: u64| {
            let pad = "x".repeat(200);
            format!(
                "{{ \"eventTime\": \"2026-01-01T00:00:00Z\", \"eventName\":\"N{number}\",\"pad\":\"{pad}\" }}"
            )
        };
        let records: Vec<String> = (0..2000).map(record).collect();
        let text = format!("{{\"Records\":[{}]}}", records.join(" ,\n"));
        let found = again("x_CloudTrail_x.json", text.as_bytes(), &[0, 7, 1999, 5000]).await.unwrap();
        assert_eq!(found, [0, 7, 1999].map(|number| (number, record(number))));
    }

    #[tokio::test]
    async fn what_is_no_log_is_told() {
        assert_eq!(again("x.bin", b"\0\x01\x02", &[0]).await.unwrap_err(), "no log we know");
    }
}
