//! Lists an archive that is read once: a folder, a file, a bucket or a prefix.
//!
//! Takes a place and announces every object below it to the queue in memory, in
//! the order of keys, so that the objects of one account, Region and day come
//! together. Objects whose key says there is nothing to read are counted at once.

use std::path::Path as FsPath;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use tokio::sync::watch;

use super::error::IngestError;
use super::fetch::Archive;
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
            Place::Bucket { bucket, prefix } => {
                let store = self.archive.store(bucket)?;
                let prefix = Path::from(prefix.as_str());
                let mut objects = store.list(Some(&prefix).filter(|prefix| !prefix.as_ref().is_empty()));
                while let Some(meta) = objects.try_next().await.map_err(|source| list_error(place, source))? {
                    let version = meta.version.clone().or_else(|| meta.e_tag.clone()).unwrap_or_default();
                    if !self.announce(bucket, &meta, version.trim_matches('"').to_owned()).await {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    async fn list_folder(&self, place: &Place, path: &FsPath) -> Result<(), IngestError> {
        let store = self.archive.store(LOCAL)?;
        let wrong = |source| list_error(place, source);
        let root = Path::from_absolute_path(path).map_err(|source| wrong(source.into()))?;
        if path.is_file() {
            let meta = object_store::ObjectStoreExt::head(&store, &root).await.map_err(wrong)?;
            self.announce(LOCAL, &meta, local_version(&meta)).await;
            return Ok(());
        }
        std::fs::read_dir(path).map_err(|source| {
            wrong(object_store::Error::NotFound {
                path: path.display().to_string(),
                source: Box::new(source),
            })
        })?;
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            let mut below = store.list_with_delimiter(Some(&folder)).await.map_err(wrong)?;
            below.objects.sort_by(|a, b| a.location.cmp(&b.location));
            for meta in &below.objects {
                if !self.announce(LOCAL, meta, local_version(meta)).await {
                    return Ok(());
                }
            }
            below.common_prefixes.sort();
            folders.extend(below.common_prefixes.into_iter().rev());
        }
        Ok(())
    }

    /// False when nothing more is wanted.
    async fn announce(&self, bucket: &str, meta: &ObjectMeta, version: String) -> bool {
        let key = meta.location.to_string();
        if let KeyVerdict::Skip(reason) = self.archive.declarations.read(bucket, &key) {
            self.progress.skip(reason);
            return true;
        }
        self.progress.announced(meta.size);
        let object = ObjectRef { bucket: bucket.to_owned(), key, version, size: Some(meta.size) };
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

/// The bucket of all local files: keys are absolute paths.
const LOCAL: &str = "file://";

/// What tells a replaced file from the one before it.
fn local_version(meta: &ObjectMeta) -> String {
    format!("{}-{}", meta.size, meta.last_modified.timestamp_millis())
}

fn list_error(place: &Place, source: object_store::Error) -> IngestError {
    IngestError::List { place: place.to_string(), source }
}
