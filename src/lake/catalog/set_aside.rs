//! Records that were set aside: where they came from, why, and where their bytes are.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::file::{Writer, insert_visible};
use super::retry::retrying;
use super::row::{ObjectId, count, object_id};
use super::statement::{ROWS_AT_ONCE, Statement, storable};
use super::{BatchId, Catalog, CatalogError, LakeFile, to_sql};

/// One record, or the rest of an object, that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideEntry {
    /// The file below the lake's root that holds its bytes.
    pub entry_file: String,
    /// The line in that file.
    pub entry_line: u64,
    /// The object it came from.
    pub object: ObjectId,
    /// Its index in the object.
    pub record_index: u64,
    /// The log source.
    pub source: String,
    /// Why it was set aside.
    pub reason: String,
}

impl Catalog {
    /// Returns what is set aside and not yet retried with success, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_aside(&self) -> Result<Vec<SetAsideEntry>, CatalogError> {
        let rows = sqlx::query(
            "select bucket, object_key, version, entry_file, entry_line, record_index, source, reason
             from quarantine where state = 'open' order by set_aside_at, entry_file, entry_line",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("list what was set aside"))?;
        Ok(rows.iter().map(read_entry).collect())
    }

    /// Makes the files of retried records visible and marks the records, together, once. With each record
    /// comes how many events it became: the rest of an object may hold many.
    ///
    /// # Errors
    /// `Fenced` when another run retried one of them in the meantime; nothing has changed then.
    pub async fn commit_retry(
        &self,
        batch: &BatchId,
        retried: &[(SetAsideEntry, u64)],
        files: &[LakeFile],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        retrying(|| self.commit_retry_once(batch, retried, files, now)).await
    }

    async fn commit_retry_once(
        &self,
        batch: &BatchId,
        retried: &[(SetAsideEntry, u64)],
        files: &[LakeFile],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "commit retried records";
        let mut transaction = self.write(what).await?;
        for (entry, events) in retried {
            let marked =
                mark_retried(&mut transaction, entry, *events).await.map_err(CatalogError::doing(what))?;
            if !marked {
                return Err(CatalogError::Fenced { batch: batch.clone() });
            }
        }
        let shown = insert_visible(&mut transaction, batch, files, (Writer::Lane, now)).await;
        if !shown.map_err(CatalogError::doing(what))? {
            return Err(CatalogError::Fenced { batch: batch.clone() });
        }
        transaction.commit().await.map_err(CatalogError::doing(what))
    }
}

async fn mark_retried(
    transaction: &mut Transaction<'_, Any>,
    entry: &SetAsideEntry,
    events: u64,
) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query(
        "update quarantine set state = 'retried' where entry_file = $1 and entry_line = $2 and state = 'open'",
    )
    .bind(&entry.entry_file)
    .bind(to_sql(entry.entry_line))
    .execute(&mut **transaction)
    .await?;
    sqlx::query(
        // What the object holds now is more than was judged.
        "update objects set set_aside = set_aside - 1, events = events + $1, records = records + $1 - 1,
         judged_in = null
         where bucket = $2 and object_key = $3 and version = $4",
    )
    .bind(to_sql(events))
    .bind(&entry.object.bucket)
    .bind(&entry.object.key)
    .bind(&entry.object.version)
    .execute(&mut **transaction)
    .await?;
    Ok(marked.rows_affected() == 1)
}

fn read_entry(row: &AnyRow) -> SetAsideEntry {
    SetAsideEntry {
        object: object_id(row, 0),
        entry_file: row.get(3),
        entry_line: count(row, 4),
        record_index: count(row, 5),
        source: row.get(6),
        reason: row.get(7),
    }
}

pub(super) async fn insert_entries(
    transaction: &mut Transaction<'_, Any>,
    entries: &[SetAsideEntry],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for entries in entries.chunks(ROWS_AT_ONCE) {
        let mut insert = Statement::new(
            "insert into quarantine (entry_file, entry_line, bucket, object_key, version, record_index, source,
             reason, state, set_aside_at) ",
        );
        insert.rows(entries, |row, entry| {
            row.text(&entry.entry_file)
                .and(to_sql(entry.entry_line))
                .and(entry.object.bucket.clone())
                .and(entry.object.key.clone())
                .and(entry.object.version.clone())
                .and(to_sql(entry.record_index))
                .and(entry.source.clone())
                .and(storable(&entry.reason))
                .push(", 'open'")
                .and(now.as_millisecond());
        });
        insert.execute(transaction).await?;
    }
    Ok(())
}
