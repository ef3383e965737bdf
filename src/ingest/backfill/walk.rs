//! Walks a bucket, many prefixes at once.

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::announce::{Announcer, Of};
use super::ledger::Ledger;
use super::step::{Step, step};
use crate::ingest::archive::{ArchiveError, Head, Listed, Page, Sought};
use crate::ingest::error::IngestError;

/// Prefixes listed at the same time: S3 answers 5,500 calls a second a prefix; lanes are full long before.
const WALKERS: usize = 16;

/// Announces what is asked for below a prefix of a bucket, without slashes at its ends. Ends early, without an
/// error, when nothing more is wanted.
///
/// # Errors
/// There is no such bucket, it cannot be listed, or the catalog failed.
pub async fn walk(
    announcer: &Announcer,
    ledger: Option<&Ledger>,
    (bucket, prefix): (&str, &str),
) -> Result<(), IngestError> {
    let root = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    if let Some(ledger) = ledger {
        ledger.load(bucket, &root).await?;
    }
    let walk = Walk { announcer, ledger, bucket };
    let (mut ahead, mut under_way) = (vec![root], FuturesUnordered::new());
    let (mut is_first, mut is_empty) = (true, true);
    loop {
        // The last one found first: the folders of one account come together, and few wait.
        while under_way.len() < WALKERS
            && let Some(prefix) = ahead.pop()
        {
            under_way.push(Box::pin(walk.visit(prefix)));
        }
        let Some(visited) = under_way.next().await else { break };
        let Some(Visited { folders, objects }) = visited? else { return Ok(()) };
        is_empty = is_empty && is_first && folders.is_empty() && objects == 0;
        is_first = false;
        ahead.extend(folders.into_iter().rev());
        if let Some(ledger) = ledger {
            ledger.record(&announcer.queue).await?;
        }
    }
    // Nothing lies below it: it may be the key of one object.
    if is_empty && !prefix.is_empty() { walk.one(prefix).await } else { Ok(()) }
}

struct Walk<'a> {
    announcer: &'a Announcer,
    ledger: Option<&'a Ledger>,
    bucket: &'a str,
}

/// What a prefix was found to hold.
struct Visited {
    folders: Vec<String>,
    objects: u64,
}

impl Walk<'_> {
    /// Visits a prefix; `None` when nothing more is wanted.
    async fn visit(&self, prefix: String) -> Result<Option<Visited>, IngestError> {
        let Announcer { archive, selection, queue, .. } = self.announcer;
        // Any name does: what it is, its folders tell.
        let verdict = archive.declarations.read(self.bucket, &format!("{prefix}x"));
        let (by_folder, mut unit) = (true, None);
        let by_folder = match step(&prefix, &verdict, selection) {
            Step::Pass => return Ok(Some(Visited { folders: Vec::new(), objects: 0 })),
            Step::Open => by_folder,
            Step::Read { last_day } => {
                let is_closed = |ledger: &&Ledger| last_day.is_some_and(|day| ledger.is_closed(day));
                if let Some(ledger) = self.ledger.filter(is_closed) {
                    unit = ledger.begin(self.bucket, &prefix);
                    if unit.is_none() {
                        return Ok(Some(Visited { folders: Vec::new(), objects: 1 }));
                    }
                }
                false
            }
        };
        let (mut found, mut token) = (Visited { folders: Vec::new(), objects: 0 }, None);
        loop {
            let page = archive.page(self.bucket, &prefix, by_folder, token).await;
            let Page { objects, folders, next } = page.map_err(|source| self.failed(&prefix, source))?;
            found.folders.extend(folders);
            for listed in objects {
                found.objects += 1;
                if !self.announcer.announce(self.bucket, listed, Of { unit, version_id: None }).await {
                    return Ok(None);
                }
            }
            token = next;
            if token.is_none() {
                break;
            }
        }
        if let Some(unit) = unit {
            queue.close_unit(unit);
        }
        Ok(Some(found))
    }

    async fn one(&self, key: &str) -> Result<(), IngestError> {
        let sought = Sought { bucket: self.bucket, key, etag: "", version_id: None };
        match self.announcer.archive.head(sought).await {
            Ok(Head { size, etag, .. }) => {
                let listed = Listed { key: key.to_owned(), etag, size };
                self.announcer.announce(self.bucket, listed, Of::default()).await;
                Ok(())
            }
            Err(ArchiveError::Gone) => Ok(()),
            Err(error) => Err(self.failed(key, error)),
        }
    }

    fn failed(&self, prefix: &str, source: ArchiveError) -> IngestError {
        IngestError::List { place: format!("s3://{}/{prefix}", self.bucket), source }
    }
}
