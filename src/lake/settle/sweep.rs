//! Deletes files that nobody will read: replaced ones, and what crashes left behind.
//!
//! Promises: a visible file is never deleted, and neither is one that a live batch
//! may still commit: orphans are those of batches without claims, and older than any batch lives.

use std::io::ErrorKind;
use std::path::{Path as FsPath, PathBuf};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::path::Path;

use super::{SettleError, SettleLimits};
use crate::lake::catalog::{BatchId, Catalog};
use crate::lake::path::OWN_PREFIXES;
use crate::lake::store::{Lake, Place};

/// Deletions in flight at once: a day's end leaves some hundred thousand replaced files.
const DELETES_AT_ONCE: usize = 16;

/// Deletes files that were replaced, or planned by a run that ended, and returns how many there were.
pub(super) async fn sweep_dead(
    catalog: &Catalog,
    lake: &Lake,
    limits: &SettleLimits,
    now: Timestamp,
) -> Result<u64, SettleError> {
    let dead = catalog.dead_files(before(now, limits.orphan_age), before(now, limits.hot_grace)).await?;
    futures::stream::iter(dead)
        .map(|key| async move {
            delete(lake, &key).await?;
            catalog.forget_file(&key).await?;
            Ok(1)
        })
        .buffer_unordered(DELETES_AT_ONCE)
        .try_fold(0, |swept, one| std::future::ready(Ok(swept + one)))
        .await
}

/// Deletes what batches left that never committed.
pub(super) async fn sweep_left_behind(
    catalog: &Catalog,
    lake: &Lake,
    limits: &SettleLimits,
    now: Timestamp,
) -> Result<u64, SettleError> {
    let before = before(now, limits.orphan_age);
    let mut swept = 0;
    for prefix in ["hot", "quarantine"] {
        swept += sweep_orphans(catalog, lake, prefix, before).await?;
    }
    Ok(swept + sweep_half_written(lake, before).await?)
}

fn before(now: Timestamp, age: std::time::Duration) -> Timestamp {
    now.checked_sub(age).unwrap_or(Timestamp::MIN)
}

/// Deletes what a crash left half-written in a local lake. The store writes a file under its name with `#` and
/// a number behind it, and never lists such a one; in a bucket nothing is seen before it is whole.
async fn sweep_half_written(lake: &Lake, older_than: Timestamp) -> Result<u64, SettleError> {
    let Place::Folder(root) = &lake.place else {
        return Ok(0);
    };
    let folders = OWN_PREFIXES.map(|prefix| root.join(prefix)).to_vec();
    let sweeping = tokio::task::spawn_blocking(move || delete_half_written(folders, older_than));
    sweeping.await.map_err(|_panic| SettleError::Lost)?
}

fn delete_half_written(mut folders: Vec<PathBuf>, older_than: Timestamp) -> Result<u64, SettleError> {
    let mut swept = 0;
    while let Some(folder) = folders.pop() {
        let wrong = |source| failed("list", &folder, source);
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.map_err(wrong)?,
        };
        for entry in entries {
            let entry = entry.map_err(wrong)?;
            let path = entry.path();
            if entry.file_type().map_err(wrong)?.is_dir() {
                folders.push(path);
            } else if is_half_written(&path) && is_older(&entry, older_than) {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(failed("delete", &path, error));
                    }
                    Ok(()) | Err(_) => swept += 1,
                }
            }
        }
    }
    Ok(swept)
}

fn is_half_written(path: &FsPath) -> bool {
    let number = path.file_name().and_then(|name| name.to_str()?.rsplit_once('#')).map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// False also when it is gone in the meantime: then it was renamed, being whole.
fn is_older(entry: &std::fs::DirEntry, than: Timestamp) -> bool {
    let modified = entry.metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|modified| Timestamp::try_from(modified).is_ok_and(|modified| modified < than))
}

fn failed(what: &'static str, path: &FsPath, source: std::io::Error) -> SettleError {
    SettleError::Store {
        what,
        key: path.display().to_string(),
        source: object_store::Error::Generic { store: "folder", source: Box::new(source) },
    }
}

/// Deletes files below a prefix that the catalog does not know: their batch never committed.
async fn sweep_orphans(
    catalog: &Catalog,
    lake: &Lake,
    prefix: &str,
    older_than: Timestamp,
) -> Result<u64, SettleError> {
    let wrong = |source| SettleError::Store { what: "list", key: prefix.to_owned(), source };
    let listed: Vec<_> = lake.store.list(Some(&Path::from(prefix))).try_collect().await.map_err(wrong)?;
    let mut swept = 0;
    for meta in listed {
        let key = meta.location.to_string();
        let is_old = meta.last_modified.timestamp_millis() < older_than.as_millisecond();
        // In this order: a batch that commits in between is known by the second question.
        if is_old && !may_commit(catalog, &key).await? && !catalog.knows_file(&key).await? {
            delete(lake, &key).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Says whether the batch that wrote a file may still show it. Its age alone would not do: clocks differ.
async fn may_commit(catalog: &Catalog, key: &str) -> Result<bool, SettleError> {
    let name = key.rsplit('/').next().unwrap_or(key);
    match name.rsplit_once('-') {
        Some((batch, _number)) => Ok(catalog.is_alive(&BatchId(batch.to_owned())).await?),
        None => Ok(false),
    }
}

pub(super) async fn delete(lake: &Lake, key: &str) -> Result<(), SettleError> {
    let deleted = lake.delete(key).await;
    deleted.map_err(|source| SettleError::Store { what: "delete", key: key.to_owned(), source })
}
