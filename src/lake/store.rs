//! Names the folder or bucket a lake or an archive lies in, and opens lakes.
//!
//! Takes what a person types (`./lake`, `/var/lake`, `s3://bucket/prefix`) and
//! gives a [`Lake`]: an [`ObjectStore`] rooted there, and what writes into it.

use std::path::{Component, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::bucket::{BucketLake, WriteSettings};
use crate::aws::Aws;

/// Where a lake or an archive lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A folder, absolute.
    Folder(PathBuf),
    /// A bucket and the prefix below which everything lies.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The prefix, without a slash at either end; empty for the whole bucket.
        prefix: String,
    },
}

/// Why a place cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The text is no place.
    #[error("{text} is neither a folder nor s3://bucket/prefix")]
    NoPlace {
        /// What was typed.
        text: String,
    },
    /// The folder cannot be made or found.
    #[error("open folder {path}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store refused.
    #[error("open {place}")]
    Open {
        /// The place.
        place: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Place {
    /// Reads what a person typed. A folder need not exist yet.
    ///
    /// # Errors
    /// Another scheme than `s3://`, or no bucket.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        let no_place = || StoreError::NoPlace { text: text.to_owned() };
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            let prefix = prefix.trim_matches('/').to_owned();
            let bucket = Some(bucket).filter(|bucket| !bucket.is_empty()).ok_or_else(no_place)?.to_owned();
            return Ok(Self::Bucket { bucket, prefix });
        }
        let path = text.strip_prefix("file://").map_or(text, |path| if path.is_empty() { "/" } else { path });
        if path.is_empty() || path.contains("://") {
            return Err(no_place());
        }
        whole_path(std::path::Path::new(path))
            .map(Self::Folder)
            .map_err(|source| StoreError::Folder { path: PathBuf::from(path), source })
    }

    /// Returns bucket and prefix, when it is in one.
    pub fn as_bucket(&self) -> Option<(&str, &str)> {
        match self {
            Self::Folder(_) => None,
            Self::Bucket { bucket, prefix } => Some((bucket, prefix)),
        }
    }

    /// Returns what takes the place of a bucket's name in evidence: the bucket, or the folder's URL.
    pub fn bucket(&self) -> String {
        match self {
            Self::Folder(path) => format!("file://{}", path.display()),
            Self::Bucket { bucket, .. } => bucket.clone(),
        }
    }
}

/// Returns the one absolute path of a folder or file, links and `..` resolved, since a local object is known by
/// it. What is not there yet is resolved as far as it is.
fn whole_path(path: &std::path::Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut there = path.as_path();
    loop {
        match (there.canonicalize(), there.parent(), there.components().next_back()) {
            (Ok(found), _, _) => return Ok(missing.iter().rev().fold(found, |path, name| path.join(name))),
            (Err(_not_there), Some(parent), Some(Component::Normal(name))) => {
                missing.push(name.to_owned());
                there = parent;
            }
            (Err(error), _, _) => return Err(error),
        }
    }
}

/// The store of a lake, rooted at the lake.
#[derive(Debug, Clone)]
pub struct Lake {
    /// Where it lies.
    pub place: Place,
    /// Its objects, to read, list and delete; keys are those of [`super::path`].
    pub store: Arc<dyn ObjectStore>,
    writer: Writer,
}

/// What writes the objects of a lake.
#[derive(Debug, Clone)]
enum Writer {
    Folder(PathBuf),
    Bucket(Arc<BucketLake>),
}

impl Lake {
    /// Opens a lake, making its folder when it is local and new.
    ///
    /// # Errors
    /// The folder cannot be made, or the bucket's settings are wrong.
    pub async fn open(place: Place, aws: &Arc<Aws>, settings: WriteSettings) -> Result<Self, StoreError> {
        let (bucket, prefix) = match &place {
            Place::Folder(path) => return Self::in_folder(path.clone()),
            Place::Bucket { bucket, prefix } => (bucket, prefix),
        };
        let lake = BucketLake::new(aws, bucket, prefix, settings);
        let store = lake.store(aws).await;
        let mut store = store.map_err(|source| StoreError::Open { place: place.to_string(), source })?;
        if !prefix.is_empty() {
            store = Arc::new(PrefixStore::new(store, prefix.as_str()));
        }
        Ok(Self { place, store, writer: Writer::Bucket(Arc::new(lake)) })
    }

    /// Opens a lake in a folder, making it when it is new.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn in_folder(path: PathBuf) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&path).map_err(|source| StoreError::Folder { path: path.clone(), source })?;
        let place = Place::Folder(path.clone());
        let store = LocalFileSystem::new_with_prefix(&path)
            .map_err(|source| StoreError::Open { place: place.to_string(), source })?
            .with_automatic_cleanup(false);
        Ok(Self { place, store: Arc::new(store), writer: Writer::Folder(path) })
    }

    /// Writes one object. On success it is whole, and in a folder on the disk: the catalog's commit, which is,
    /// must never speak of a file that a power cut took.
    ///
    /// # Errors
    /// The store's.
    pub async fn put(&self, key: &str, payload: PutPayload) -> Result<(), object_store::Error> {
        let folder = match &self.writer {
            Writer::Bucket(lake) => {
                let put = Box::pin(lake.put(key, payload.into())).await;
                return put.map_err(|source| object_store::Error::Generic { store: "S3", source });
            }
            Writer::Folder(folder) => folder,
        };
        self.store.put(&object_store::path::Path::from(key), payload).await?;
        let path = folder.join(key);
        let synced = tokio::task::spawn_blocking(move || sync(&path)).await.map_err(std::io::Error::other);
        synced
            .flatten()
            .map_err(|source| object_store::Error::Generic { store: "folder", source: Box::new(source) })
    }

    /// Deletes one object; one that is gone already is no error.
    ///
    /// # Errors
    /// The store's.
    pub async fn delete(&self, key: &str) -> Result<(), object_store::Error> {
        match self.store.delete(&object_store::path::Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Brings a new file and its name to the disk.
fn sync(path: &std::path::Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_path_however_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        for name in ["a", "a/../a", "./a/.", "a/../b/../a"] {
            let place = Place::read(&root.join(name).display().to_string());
            if name.contains('b') {
                assert!(matches!(place, Err(StoreError::Folder { .. })), "b is not there to come back from");
            } else {
                assert_eq!(place.unwrap(), Place::Folder(root.join("a")), "{name}");
            }
        }
        let new = Place::read(&root.join("a/../new/lake").display().to_string());
        assert_eq!(new.unwrap(), Place::Folder(root.join("new/lake")));
    }

    #[test]
    fn other_schemes_are_no_place() {
        assert_eq!(
            Place::read("s3://b/p/").unwrap(),
            Place::Bucket { bucket: "b".into(), prefix: "p".into() }
        );
        for text in ["s3://", "gs://b", ""] {
            assert!(matches!(Place::read(text), Err(StoreError::NoPlace { .. })), "{text}");
        }
    }
}
