//! Lists an archive that is read once: a folder, a file, a bucket or a prefix.
//!
//! Takes a place and announces every object below it to the queue in memory, in
//! the order of keys, so that the objects of one account, Region and day come
//! together. Objects whose key says there is nothing to read are counted at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::archive::{Archive, ArchiveError, FolderWalk, Head, LOCAL, Listed, Met, Sought};
use super::error::IngestError;
use super::notification::{ObjectRef, write_notification};
use super::progress::Progress;
use super::queue::EmbeddedQueue;
use super::source::key::KeyVerdict;
use super::trail::Trail;
use crate::lake::store::Place;

/// Announces objects.
#[derive(Debug)]
pub struct Lister {
    /// Where they are announced.
    pub queue: Arc<EmbeddedQueue>,
    /// Where they are opened.
    pub archive: Arc<Archive>,
    /// Where they are counted.
    pub progress: Arc<Progress>,
}

impl Lister {
    /// Announces everything below a place. Ends early, without an error, when the queue is closed.
    ///
    /// # Errors
    /// The place cannot be opened or listed.
    pub async fn list(&self, place: &Place) -> Result<(), IngestError> {
        match place {
            // The identity of a local file is its absolute path, whichever folder above it was named.
            Place::Folder(path) => self.list_folder(place, path).await,
            Place::Bucket { bucket, prefix } => self.list_bucket(place, bucket, prefix).await,
        }
    }

    async fn list_bucket(&self, place: &Place, bucket: &str, prefix: &str) -> Result<(), IngestError> {
        let wrong = |source| list_error(place, source);
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (mut token, mut is_empty) = (None, true);
        loop {
            let page = self.archive.page(bucket, &below, false, token).await.map_err(wrong)?;
            for object in page.objects {
                is_empty = false;
                if !self.announce(bucket, object).await {
                    return Ok(());
                }
            }
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        if !is_empty || prefix.is_empty() {
            return Ok(());
        }
        // Nothing lies below it: it may be the key of one object.
        let sought = Sought { bucket, key: prefix, etag: "", version_id: None };
        match self.archive.head(sought).await {
            Ok(Head { size, etag, .. }) => {
                self.announce(bucket, Listed { key: prefix.to_owned(), etag, size }).await;
                Ok(())
            }
            Err(ArchiveError::Gone) => Ok(()),
            Err(error) => Err(wrong(error)),
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
        match met {
            Met::File(listed) => return Ok(self.announce(LOCAL, listed).await),
            Met::LeftAlone(reason) => self.progress.skip(reason),
            Met::Unreadable(path, error) if path == root => return Err(error),
            Met::Unreadable(path, error) => {
                self.progress.unreachable(path.display().to_string(), error.to_string());
            }
        }
        Ok(true)
    }

    /// False when nothing more is wanted.
    async fn announce(&self, bucket: &str, listed: Listed) -> bool {
        let Listed { key, etag, size } = listed;
        if let KeyVerdict::Skip(reason) = self.archive.declarations.read(bucket, &key) {
            self.progress.skip(reason);
            return true;
        }
        self.progress.announced(size);
        let bucket = bucket.to_owned();
        let object = ObjectRef { bucket, key, version: etag, size: Some(size), ..ObjectRef::default() };
        self.queue.send(write_notification(&object)).await
    }
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
    let running = async {
        let ran = super::run(Arc::new(trail), interrupted).await;
        // Lanes that stopped early leave messages behind; a listing that waits for room must not wait for them.
        queue.stop();
        ran
    };
    let (listed, ran) = tokio::join!(listing, running);
    ran.and(listed)
}

/// How long a batch of listed objects waits for more.
const LISTED_AGE_MAX: Duration = Duration::from_millis(250);

fn list_error(place: &Place, source: ArchiveError) -> IngestError {
    IngestError::List { place: place.to_string(), source }
}
