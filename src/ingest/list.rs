//! Lists an archive that is read once: a folder, a file, a bucket, a prefix or an inventory.
//!
//! Takes a place and announces every object below it to the queue in memory, so that
//! the objects of one account, Region and day come together. Objects whose key says
//! there is nothing to read are counted at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::archive::{Archive, ArchiveError, FolderWalk, LOCAL, Met};
use super::backfill::{Announcer, Ledger, Of, Pace, Selection, read_inventory, walk};
use super::error::IngestError;
use super::limits::LocalFiles;
use super::progress::Progress;
use super::queue::EmbeddedQueue;
use super::trail::Trail;
use crate::lake::store::Place;

/// Lists places.
#[derive(Debug)]
pub struct Lister {
    /// What becomes of what is found.
    pub announcer: Announcer,
    /// Which parts of buckets were read to their end; without it every part is read.
    pub ledger: Option<Ledger>,
    /// What places are.
    pub places: Places,
}

/// What the places are that are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Places {
    /// What is to be read lies below them.
    Listed,
    /// Manifests of S3 Inventories, which name what is to be read.
    Inventories,
}

impl Lister {
    /// Returns what announces everything it finds.
    pub fn new(queue: Arc<EmbeddedQueue>, archive: Arc<Archive>, progress: Arc<Progress>) -> Self {
        let (selection, pace) = (Selection::default(), Pace::default());
        let announcer = Announcer { queue, archive, progress, selection, pace, survey: None };
        Self { announcer, ledger: None, places: Places::Listed }
    }

    /// Announces everything below a place. Ends early, without an error, when the queue is closed.
    ///
    /// # Errors
    /// The place cannot be opened or listed.
    pub async fn list(&self, place: &Place) -> Result<(), IngestError> {
        let ledger = self.ledger.as_ref();
        match (place, self.places) {
            (Place::Bucket { bucket, prefix }, Places::Listed) => {
                walk(&self.announcer, ledger, (bucket, prefix)).await
            }
            (Place::Bucket { bucket, prefix }, Places::Inventories) => {
                read_inventory(&self.announcer, ledger, (bucket, prefix)).await
            }
            // The identity of a local file is its absolute path, whichever folder above it was named.
            (Place::Folder(path), _) => self.list_folder(place, path).await,
        }
    }

    async fn list_folder(&self, place: &Place, path: &Path) -> Result<(), IngestError> {
        std::fs::metadata(path).map_err(|source| list_error(place, source.into()))?;
        let mut walk = FolderWalk::new(path.to_owned());
        while let Some(met) = walk.step() {
            for met in met {
                if !self.meet(met, path).await.map_err(|source| list_error(place, source.into()))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// False when nothing more is wanted.
    async fn meet(&self, met: Met, root: &Path) -> std::io::Result<bool> {
        let progress = &self.announcer.progress;
        match met {
            Met::File(listed) => return Ok(self.announcer.announce(LOCAL, listed, Of::default()).await),
            Met::LeftAlone(reason) => progress.skip(reason),
            Met::Unreadable(path, error) if path == root => return Err(error),
            Met::Unreadable(path, error) => {
                progress.unreachable(path.display().to_string(), error.to_string());
            }
        }
        Ok(true)
    }

    /// Records which parts have ended. When the whole run has, they are forgotten: the next one is another run,
    /// which looks at everything.
    async fn settle_ledger(&self, places: &[Place], is_whole: bool) -> Result<(), IngestError> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        ledger.record(&self.announcer.queue).await?;
        if is_whole {
            for bucket in places.iter().filter_map(Place::as_bucket) {
                match self.places {
                    Places::Listed => ledger.forget(bucket.0, &below(bucket.1)).await?,
                    Places::Inventories => ledger.forget_begun().await?,
                }
            }
        }
        Ok(())
    }
}

/// The prefix of what lies below a folder of a bucket.
fn below(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
}

/// Lists the places into the queue in memory and runs the lanes until it is empty, or until interrupted.
///
/// # Errors
/// The first failure of a lane or of the listing; what was committed before stays.
pub async fn read_places(
    mut trail: Trail<Arc<EmbeddedQueue>>,
    lister: &Lister,
    places: &[Place],
    interrupted: watch::Receiver<bool>,
) -> Result<(), IngestError> {
    // A batch of a listing need not wait for more: what is there is there.
    trail.limits.batch_age_max = LISTED_AGE_MAX;
    // What cannot be fetched is told at the end; the person who reads that decides when to try again.
    trail.limits.fetch_deliveries_max = 1;
    // The queue in memory says what was listed here, and nobody else sends to it.
    trail.limits.local_files = LocalFiles::Read;
    let queue = Arc::clone(&trail.queue);
    let mut stop = interrupted.clone();
    let listing = async {
        let mut listed = Ok(());
        for place in places {
            // Cancel-safe: a listing given up has sent whole messages only.
            listed = tokio::select! {
                listed = lister.list(place) => listed,
                _ = stop.wait_for(|stop| *stop) => Ok(()),
            };
            if listed.is_err() || *stop.borrow() {
                break;
            }
        }
        queue.close();
        listed
    };
    let stopped = interrupted.clone();
    let running = async {
        let ran = super::run(Arc::new(trail), interrupted).await;
        // Lanes that stopped early leave messages behind; a listing that waits for room must not wait for them.
        queue.stop();
        ran
    };
    let (listed, ran) = tokio::join!(listing, running);
    let ended = ran.and(listed);
    let is_whole = ended.is_ok() && !*stopped.borrow();
    ended.and(lister.settle_ledger(places, is_whole).await)
}

/// How long a batch of listed objects waits for more.
const LISTED_AGE_MAX: Duration = Duration::from_millis(250);

fn list_error(place: &Place, source: ArchiveError) -> IngestError {
    IngestError::List { place: place.to_string(), source }
}
