//! Tries again what was set aside.
//!
//! [`retry`] feeds records through the same parse, normalize, batch and write as everything else, after a
//! fix of ours; what goes well becomes visible and is marked in one transaction, so
//! that a retry can be stopped anywhere and run twice. Where the bytes are not all
//! there (the rest of an object, a record too large to keep) the object is read again.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::archive::Archive;
use super::batch::{Builders, Source, plan};
use super::commit::Written;
use super::error::IngestError;
use super::fetch::{Fetched, Wanted, fetch_all};
use super::lane::{Made, put_all};
use super::queue::Queue;
use super::segment::{Fill, Piece, Segment, SegmentLimits};
use super::set_aside::{Line, read_lines};
use super::source::LogSource;
use super::source::key::{KeyFacts, KeyVerdict};
use super::trail::Trail;
use super::write::{WriteError, WrittenFile, write};
use crate::cpu::compute;
use crate::lake::catalog::{BatchId, SetAsideEntry};

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
        let lines = lines.map_err(|source| IngestError::Read { key: key.clone(), source })?;
        for entry in entries {
            let line = usize::try_from(entry.entry_line).ok().and_then(|number| lines.get(number));
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
        let (bytes, facts) = (line.bytes().into(), facts_of(&entry, &trail.archive));
        let piece = Piece { object: 0, facts, bytes, first: true, last: true };
        retrying(move || attempt.feed(piece)).await?
    } else {
        read_again(trail, attempt, &entry).await?
    };
    let Attempt { made, events, is_bad, .. } = retrying(move || attempt.flush()).await?;
    if is_bad || events == 0 {
        return Ok(0);
    }
    let mut written = Written::default();
    put_all(trail, &batch, made, &mut written).await?;
    trail.catalog.commit_retry(&batch, &[(entry, events)], &written.outcome.files, (trail.clock)()).await?;
    Ok(events)
}

/// What is known of an entry's object: what its key says, and the source its content told.
fn facts_of(entry: &SetAsideEntry, archive: &Archive) -> Arc<KeyFacts> {
    let mut facts = match archive.declarations.read(&entry.object.bucket, &entry.object.key) {
        KeyVerdict::Read(facts) => facts,
        KeyVerdict::Skip(_) => KeyFacts::default(),
    };
    facts.source = facts.source.or(LogSource::from_name(&entry.source));
    Arc::new(facts)
}

/// Reads the object of an entry once more. One that is gone or breaks off leaves the entry as it is.
async fn read_again<Q: Queue>(
    trail: &Trail<Q>,
    mut attempt: Attempt,
    entry: &SetAsideEntry,
) -> Result<Attempt, IngestError> {
    let wanted = Wanted {
        object: 0,
        id: entry.object.clone(),
        version_id: None,
        facts: facts_of(entry, &trail.archive),
        size: None,
        body: None,
    };
    let (sender, mut receiver) = mpsc::channel(1);
    let mut fetching = JoinSet::new();
    fetching.spawn(fetch_all(Arc::clone(&trail.archive), vec![wanted], trail.limits.fetch, sender));
    while let Some(Fetched { piece, .. }) = receiver.recv().await {
        let Ok(piece) = piece else {
            attempt.is_bad = true;
            break;
        };
        attempt = retrying(move || attempt.feed(piece)).await?;
    }
    Ok(attempt)
}

/// Runs a step of an attempt on the CPU pool.
async fn retrying(
    step: impl FnOnce() -> Result<Attempt, IngestError> + Send + 'static,
) -> Result<Attempt, IngestError> {
    compute(step).await.ok_or(IngestError::Lost { what: "retrying" })?
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
            for record in &mut self.segment.records.heads {
                record.index = from;
            }
            self.is_bad |= !self.segment.set_aside.is_empty();
        } else {
            self.segment.records.heads.retain(|record| is_wanted(record.index));
            self.is_bad |= self.segment.set_aside.iter().any(|entry| is_wanted(entry.index));
        }
        self.events += self.segment.rows() as u64;
        let name = format!("{}-{}", self.batch, self.writes);
        self.writes += 1;
        let files =
            self.write(&name).map_err(|source| IngestError::Make { batch: self.batch.clone(), source })?;
        self.made.files.extend(files);
        self.segment.clear();
        Ok(self)
    }

    fn write(&self, name: &str) -> Result<Vec<WrittenFile>, WriteError> {
        let source = Source::new(&self.segment, std::slice::from_ref(&self.object))?;
        let mut builders = Builders::default();
        plan(source).batches.iter().map(|batch| write(batch, builders.rows(batch, source), name)).collect()
    }
}
