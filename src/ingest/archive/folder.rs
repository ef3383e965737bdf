//! Reads and walks local folders.
//!
//! A local object is known by the real path of its file, links resolved, and by size and
//! time. Folders hold what buckets cannot: links that lead in circles, names that are no
//! text, pipes that never end. None of them stops a walk or keeps it waiting.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::{self, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use super::error::ArchiveError;
use super::object::{First, Head, LOCAL, Listed, Sought};
use crate::ingest::source::key::SkipReason;

/// What tells a replaced file from the one before it.
pub fn local_version(meta: &Metadata) -> String {
    let changed = meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000;
    format!("{}-{changed}", meta.len())
}

/// Opens a file that is one (a pipe would keep us waiting for a writer) and still the one that is sought.
fn open(path: &Path, etag: &str) -> Result<(fs::File, Metadata), ArchiveError> {
    if !fs::metadata(path)?.is_file() {
        return Err(ArchiveError::refused("it is no file", std::io::Error::other("no regular file")));
    }
    let file = fs::File::open(path)?;
    let meta = file.metadata()?;
    if etag.is_empty() || etag == local_version(&meta) {
        Ok((file, meta))
    } else {
        Err(ArchiveError::Replaced)
    }
}

/// The path of an object below the folder that is its bucket.
fn path_of((bucket, key): (&str, &str)) -> Result<PathBuf, ArchiveError> {
    let folder = bucket.trim_start_matches(LOCAL);
    let folder = Path::new(if folder.is_empty() { "/" } else { folder });
    if !folder.is_dir() {
        let what = format!("there is no folder {}", folder.display());
        return Err(ArchiveError::refused(what, std::io::Error::from(std::io::ErrorKind::NotFound)));
    }
    let key = Path::new(key.trim_start_matches('/'));
    if key.components().any(|part| part == Component::ParentDir) {
        return Err(ArchiveError::refused("its key leads out of its folder", std::io::Error::other("..")));
    }
    Ok(folder.join(key))
}

fn read(file: &mut fs::File, range: Range<u64>) -> Result<Bytes, ArchiveError> {
    file.seek(SeekFrom::Start(range.start))?;
    let wanted = range.end.saturating_sub(range.start);
    let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(0));
    file.take(wanted).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// Runs what waits for a disk beside the runtime.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, ArchiveError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ArchiveError::away(error)))
}

pub(super) async fn first(sought: Sought<'_>, piece_bytes: u64) -> Result<First, ArchiveError> {
    let (bucket, key, etag) = (sought.bucket.to_owned(), sought.key.to_owned(), sought.etag.to_owned());
    beside(move || {
        let path = path_of((&bucket, &key))?;
        let (mut file, meta) = open(&path, &etag)?;
        let bytes = read(&mut file, 0..piece_bytes.min(meta.len()))?;
        Ok(First { bytes, size: meta.len(), etag: local_version(&meta) })
    })
    .await
}

pub(super) async fn range(sought: Sought<'_>, range: Range<u64>) -> Result<Bytes, ArchiveError> {
    let (bucket, key, etag) = (sought.bucket.to_owned(), sought.key.to_owned(), sought.etag.to_owned());
    beside(move || {
        let path = path_of((&bucket, &key))?;
        let (mut file, _) = open(&path, &etag)?;
        let bytes = read(&mut file, range.clone())?;
        if bytes.len() as u64 == range.end - range.start { Ok(bytes) } else { Err(ArchiveError::Replaced) }
    })
    .await
}

pub(super) async fn head(sought: Sought<'_>) -> Result<Head, ArchiveError> {
    let (bucket, key) = (sought.bucket.to_owned(), sought.key.to_owned());
    beside(move || {
        let path = path_of((&bucket, &key))?;
        let meta = fs::metadata(&path)?;
        let metadata = metadata_beside(&path);
        Ok(Head { size: meta.len(), etag: local_version(&meta), version_id: None, metadata })
    })
    .await
}

/// A file has no metadata of S3's; who copied a bucket may have put it beside the object, in the headers' names or as
/// `aws s3api head-object` answers.
fn metadata_beside(path: &Path) -> BTreeMap<String, String> {
    const BYTES_MAX: u64 = 64 << 10;
    let mut name = path.as_os_str().to_owned();
    name.push(".metadata.json");
    let mut text = String::new();
    let read = fs::metadata(&name)
        .and_then(
            |meta| if meta.is_file() { fs::File::open(&name) } else { Err(std::io::ErrorKind::Other.into()) },
        )
        .and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    let Some(serde_json::Value::Object(mut told)) = read.ok().and_then(|_| serde_json::from_str(&text).ok())
    else {
        return BTreeMap::new();
    };
    if let Some(serde_json::Value::Object(of_user)) = told.remove("Metadata") {
        told = of_user;
    }
    let values = told.into_iter().filter_map(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let name = name.strip_prefix("x-amz-meta-").map_or_else(|| name.clone(), str::to_owned);
        Some((name, value.as_str()?.to_owned()))
    });
    values.collect()
}

/// Walks a folder of a bucket and returns the keys of its files, in order.
pub(super) async fn keys_below(bucket: &str, folder: &str) -> Result<Vec<String>, ArchiveError> {
    let (bucket, folder) = (bucket.to_owned(), folder.to_owned());
    beside(move || {
        let path = path_of((&bucket, &folder))?;
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        let (mut walk, mut keys) = (FolderWalk::new(path), Vec::new());
        while let Some(met) = walk.step() {
            for met in met {
                match met {
                    Met::File(listed) => keys.push(listed.key),
                    Met::LeftAlone(_) => {}
                    Met::Unreadable(_, error) => return Err(error.into()),
                }
            }
        }
        keys.sort();
        Ok(keys)
    })
    .await
}

/// What a walk meets.
#[derive(Debug)]
pub enum Met {
    /// A file, its key the path without the first slash.
    File(Listed),
    /// Something that is left alone.
    LeftAlone(SkipReason),
    /// Something that cannot be read, and why.
    Unreadable(PathBuf, std::io::Error),
}

/// A walk below a folder, a folder at a time.
#[derive(Debug)]
pub struct FolderWalk {
    folders: Vec<PathBuf>,
    /// Folders by device and number, so that each is walked once whatever links lead to it.
    walked: HashSet<(u64, u64)>,
}

impl FolderWalk {
    /// Starts at a folder or file.
    pub fn new(root: PathBuf) -> Self {
        Self { folders: vec![root], walked: HashSet::new() }
    }

    /// Walks the next folder and returns what is in it; `None` at the end.
    pub fn step(&mut self) -> Option<VecDeque<Met>> {
        let folder = self.folders.pop()?;
        let mut met = VecDeque::new();
        if let Err(error) = self.look(&folder, &mut met) {
            met.push_back(Met::Unreadable(folder, error));
        }
        Some(met)
    }

    fn look(&mut self, path: &Path, met: &mut VecDeque<Met>) -> std::io::Result<()> {
        let meta = fs::metadata(path)?;
        if !meta.is_dir() {
            met.push_back(file(path, &meta));
            return Ok(());
        }
        if !self.walked.insert((meta.dev(), meta.ino())) {
            met.push_back(Met::LeftAlone(SkipReason::Walked));
            return Ok(());
        }
        let mut paths = fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        let mut folders = Vec::new();
        for path in paths {
            match resolve(&path) {
                Ok((real, meta)) if meta.is_dir() => folders.push(real),
                Ok((real, meta)) => met.push_back(file(&real, &meta)),
                Err(error) if is_nowhere(&path, &error) => met.push_back(Met::LeftAlone(SkipReason::Gone)),
                Err(error) => met.push_back(Met::Unreadable(path, error)),
            }
        }
        self.folders.extend(folders.into_iter().rev());
        Ok(())
    }
}

/// Follows a link to what it names.
fn resolve(path: &Path) -> std::io::Result<(PathBuf, Metadata)> {
    let real = if path.is_symlink() { path.canonicalize()? } else { path.to_owned() };
    let meta = fs::metadata(&real)?;
    Ok((real, meta))
}

/// A link to nowhere or to itself, or a file that went while we looked. What links to itself has an error whose kind
/// has no name yet.
fn is_nowhere(path: &Path, error: &std::io::Error) -> bool {
    let is_forbidden = error.kind() == std::io::ErrorKind::PermissionDenied;
    error.kind() == std::io::ErrorKind::NotFound || path.is_symlink() && !is_forbidden
}

fn file(path: &Path, meta: &Metadata) -> Met {
    if !meta.is_file() {
        return Met::LeftAlone(SkipReason::NoFile);
    }
    let Some(text) = path.to_str() else { return Met::LeftAlone(SkipReason::NoText) };
    Met::File(Listed {
        key: text.trim_start_matches('/').to_owned(),
        etag: local_version(meta),
        size: meta.len(),
    })
}
