//! Keeps what was set aside, and tries it again.
//!
//! A segment's set-aside records are one file of JSON lines under `quarantine/`:
//! the object, the index in it, the reason and the bytes. [`retry`] feeds them
//! through the same parse, normalize, batch and write as everything else, after a
//! fix of ours; what goes well becomes visible and is marked in one transaction, so
//! that a retry can be stopped anywhere and run twice. Where the bytes are not all
//! there (the rest of an object, a record too large to keep) the object is read again.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::batch::Builders;
use super::commit::Written;
use super::cpu::compute;
use super::error::IngestError;
use super::fetch::{Fetched, Wanted, fetch_all};
use super::lane::{Made, Work, put_all};
use super::queue::Queue;
use super::segment::{Fill, Piece, Segment, SegmentLimits};
use super::source::LogSource;
use super::worker::Trail;
use super::write::write;
use crate::lake::Lake;
use crate::lake::catalog::{BatchId, ObjectId, SetAsideEntry};
use crate::lake::path::quarantine_key;

/// A file of set-aside records, not yet in the store.
#[derive(Debug)]
pub struct EntryFile {
    /// Its key below the lake.
    pub key: String,
    /// Its lines.
    pub bytes: Bytes,
    /// What the catalog will say of each line.
    pub entries: Vec<SetAsideEntry>,
}

/// One line of such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The object it came from.
    pub object: String,
    /// Its index in the object.
    pub record: u64,
    /// The log source.
    pub source: String,
    /// Why it was set aside.
    pub reason: String,
    /// All its bytes are here.
    pub is_whole: bool,
    /// It is the rest of its object.
    pub is_rest: bool,
    /// Its bytes, when they are text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes in hexadecimal, when they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

/// What a retry did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetrySummary {
    /// Entries tried.
    pub tried: u64,
    /// Entries that went well.
    pub mended: u64,
    /// Events they became.
    pub events: u64,
}

/// Makes the file of a segment's set-aside records; `None` when there are none.
pub(super) fn file(segment: &Segment, work: &Work, name: &str) -> Option<EntryFile> {
    let key = quarantine_key(work.day, name);
    let (mut lines, mut entries) = (Vec::new(), Vec::new());
    for (number, entry) in (0..).zip(&segment.set_aside) {
        let Some(wanted) = work.objects.get(entry.object as usize) else {
            continue;
        };
        let source = wanted.source.unwrap_or(LogSource::CloudTrail).name().to_owned();
        let text = std::str::from_utf8(&entry.bytes).ok().map(str::to_owned);
        let line = Line {
            object: wanted.id.to_string(),
            record: entry.index,
            source: source.clone(),
            reason: entry.reason.clone(),
            is_whole: entry.is_whole,
            is_rest: entry.is_rest,
            hex: text
                .is_none()
                .then(|| entry.bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            text,
        };
        // A line of strings and numbers can always be written.
        lines.extend_from_slice(&serde_json::to_vec(&line).unwrap_or_default());
        lines.push(b'\n');
        entries.push(SetAsideEntry {
            entry_file: key.clone(),
            entry_line: number,
            object: wanted.id.clone(),
            record_index: entry.index,
            source,
            reason: entry.reason.clone(),
        });
    }
    (!entries.is_empty()).then(|| EntryFile {
        key,
        bytes: lines.into(),
        entries,
    })
}

/// Reads the lines of a file under `quarantine/`.
///
/// # Errors
/// The store's, or a line that is none of ours.
pub async fn read_lines(lake: &Lake, key: &str) -> Result<Vec<Line>, object_store::Error> {
    let bytes = lake.store.get(&Path::from(key)).await?.bytes().await?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(|source| object_store::Error::Generic {
            store: "quarantine",
            source: Box::new(source),
        })
}

impl Line {
    /// Returns the bytes that were set aside, as many as were kept.
    pub fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.hex) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(hex)) => {
                let pairs = hex
                    .as_bytes()
                    .chunks_exact(2)
                    .filter_map(|pair| std::str::from_utf8(pair).ok());
                pairs
                    .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
                    .collect()
            }
            (None, None) => Vec::new(),
        }
    }
}

/// Tries everything that is set aside again.
///
/// # Errors
/// The lake or the catalog failed; what was mended before stays.
pub async fn retry<Q: Queue>(trail: &Trail<Q>) -> Result<RetrySummary, IngestError> {
    let mut by_file: HashMap<String, Vec<SetAsideEntry>> = HashMap::new();
    for entry in trail.catalog.set_aside().await? {
        by_file.entry(entry.entry_file.clone()).or_default().push(entry);
    }
    let mut summary = RetrySummary::default();
    for (key, entries) in by_file {
        let lines = read_lines(&trail.lake, &key).await;
        let lines = lines.map_err(|source| IngestError::Read {
            key: key.clone(),
            source,
        })?;
        for entry in entries {
            let line = usize::try_from(entry.entry_line)
                .ok()
                .and_then(|number| lines.get(number));
            let Some(line) = line else { continue };
            summary.tried += 1;
            let events = retry_one(trail, entry, line).await?;
            summary.mended += u64::from(events > 0);
            summary.events += events;
        }
    }
    Ok(summary)
}

/// Tries one entry and returns how many events came of it; none when any part of it is still bad.
async fn retry_one<Q: Queue>(
    trail: &Trail<Q>,
    entry: SetAsideEntry,
    line: &Line,
) -> Result<u64, IngestError> {
    let batch = trail.name_batch();
    let attempt = Attempt::new(batch.clone(), &entry, line, trail.limits.segment);
    let attempt = if line.is_whole {
        let bytes = line.bytes().into();
        let piece = Piece {
            object: 0,
            source: Some(LogSource::CloudTrail),
            bytes,
            first: true,
            last: true,
        };
        compute("retrying", move || attempt.feed(piece)).await??
    } else {
        read_again(trail, attempt, &entry.object).await?
    };
    let Attempt {
        made, events, is_bad, ..
    } = compute("retrying", move || attempt.flush()).await??;
    if is_bad || events == 0 {
        return Ok(0);
    }
    let mut written = Written::default();
    put_all(trail, &batch, made, &mut written).await?;
    trail
        .catalog
        .commit_retry(
            &batch,
            &[(entry, events)],
            &written.outcome.files,
            (trail.clock)(),
        )
        .await?;
    Ok(events)
}

/// Reads the object of an entry once more. One that is gone or breaks off leaves the entry as it is.
async fn read_again<Q: Queue>(
    trail: &Trail<Q>,
    mut attempt: Attempt,
    object: &ObjectId,
) -> Result<Attempt, IngestError> {
    let wanted = Wanted {
        object: 0,
        id: object.clone(),
        source: Some(LogSource::CloudTrail),
        size: None,
    };
    let (sender, mut receiver) = mpsc::channel(1);
    let mut fetching = JoinSet::new();
    fetching.spawn(fetch_all(
        Arc::clone(&trail.archive),
        vec![wanted],
        trail.limits.fetch,
        sender,
    ));
    while let Some(Fetched { piece, .. }) = receiver.recv().await {
        let Ok(piece) = piece else {
            attempt.is_bad = true;
            break;
        };
        attempt = compute("retrying", move || attempt.feed(piece)).await??;
    }
    Ok(attempt)
}

/// One entry being tried.
struct Attempt {
    batch: BatchId,
    object: String,
    segment: Segment,
    /// The first record that is wanted, and whether it alone is.
    from: u64,
    is_one: bool,
    is_whole: bool,
    made: Made,
    events: u64,
    is_bad: bool,
    writes: u32,
}

impl Attempt {
    fn new(batch: BatchId, entry: &SetAsideEntry, line: &Line, limits: SegmentLimits) -> Self {
        Self {
            batch,
            object: entry.object.to_string(),
            segment: Segment::new(limits),
            from: entry.record_index,
            is_one: line.is_whole || !line.is_rest,
            is_whole: line.is_whole,
            made: Made::default(),
            events: 0,
            is_bad: false,
            writes: 0,
        }
    }

    fn feed(mut self, mut piece: Piece) -> Result<Self, IngestError> {
        while let Fill::Full(rest) = self.segment.fill(piece) {
            self = self.flush()?;
            piece = rest;
        }
        Ok(self)
    }

    /// Makes files of the records that are wanted and forgets the others.
    fn flush(mut self) -> Result<Self, IngestError> {
        let (from, is_one) = (self.from, self.is_one);
        let is_wanted = |index: u64| if is_one { index == from } else { index >= from };
        if self.is_whole {
            for record in &mut self.segment.records.records {
                record.index = from;
            }
            self.is_bad |= !self.segment.set_aside.is_empty();
        } else {
            self.segment
                .records
                .records
                .retain(|record| is_wanted(record.index));
            self.is_bad |= self.segment.set_aside.iter().any(|entry| is_wanted(entry.index));
        }
        self.events += self.segment.rows() as u64;
        let batch = self.batch.clone();
        let built = Builders::default().build(&self.segment, std::slice::from_ref(&self.object));
        let built = built.map_err(|source| IngestError::Batch {
            batch: batch.clone(),
            source,
        })?;
        let name = format!("{batch}-{}", self.writes);
        self.writes += 1;
        for rows in &built.batches {
            let file = write(rows, &name);
            self.made.files.push(file.map_err(|source| IngestError::Encode {
                batch: batch.clone(),
                source,
            })?);
        }
        self.segment.clear();
        Ok(self)
    }
}
