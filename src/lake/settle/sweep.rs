//! Deletes files that nobody will read: replaced ones, and what crashes left behind.
//!
//! Promises: a visible file is never deleted, and neither is one that a live batch
//! may still commit, which is why orphans must be older than any batch lives.

use futures::TryStreamExt;
use jiff::Timestamp;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{SettleError, SettleLimits};
use crate::lake::catalog::Catalog;
use crate::lake::store::Lake;

/// Deletes dead files and returns how many there were.
pub(super) async fn sweep(
    catalog: &Catalog,
    lake: &Lake,
    limits: SettleLimits,
    now: Timestamp,
) -> Result<u64, SettleError> {
    let before = |age: std::time::Duration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let mut swept = 0;
    for key in catalog
        .dead_files(before(limits.orphan_age), before(limits.hot_grace))
        .await?
    {
        delete(lake, &key).await?;
        catalog.forget_file(&key).await?;
        swept += 1;
    }
    for prefix in ["hot", "quarantine"] {
        swept += sweep_orphans(catalog, lake, prefix, before(limits.orphan_age)).await?;
    }
    Ok(swept)
}

/// Deletes files below a prefix that the catalog does not know: their batch never committed.
async fn sweep_orphans(
    catalog: &Catalog,
    lake: &Lake,
    prefix: &str,
    older_than: Timestamp,
) -> Result<u64, SettleError> {
    let wrong = |source| SettleError::Store {
        what: "list",
        key: prefix.to_owned(),
        source,
    };
    let listed: Vec<_> = lake
        .store
        .list(Some(&Path::from(prefix)))
        .try_collect()
        .await
        .map_err(wrong)?;
    let mut swept = 0;
    for meta in listed {
        let key = meta.location.to_string();
        let is_old = meta.last_modified.timestamp_millis() < older_than.as_millisecond();
        if is_old && !catalog.knows_file(&key).await? {
            delete(lake, &key).await?;
            swept += 1;
        }
    }
    Ok(swept)
}

pub(super) async fn delete(lake: &Lake, key: &str) -> Result<(), SettleError> {
    match lake.store.delete(&Path::from(key)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(source) => Err(SettleError::Store {
            what: "delete",
            key: key.to_owned(),
            source,
        }),
    }
}
