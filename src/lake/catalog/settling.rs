//! What a run of settling did, and its line in the books.

use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

use super::statement::{ROWS_AT_ONCE, Statement};
use super::{BatchId, LakeFile, to_sql};
use crate::lake::path::EventDay;
use crate::lake::table::Table;

/// What one run of settling did to one table and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settling {
    /// The run.
    pub batch: BatchId,
    /// The table.
    pub table: Table,
    /// The day.
    pub day: EventDay,
    /// Files that take the place of others.
    pub written: Vec<LakeFile>,
    /// Keys of the files they replace.
    pub replaced: Vec<String>,
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows left out since their event id was there already.
    pub duplicates: u64,
}

pub(super) async fn insert_settling(
    transaction: &mut Transaction<'_, Any>,
    settling: &Settling,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into settlings (batch, source_name, event_day, rows_in, rows_out, duplicates, settled_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&settling.batch.0)
    .bind(settling.table.source_name())
    .bind(i64::from(settling.day.number()))
    .bind(to_sql(settling.rows_in))
    .bind(to_sql(settling.rows_out))
    .bind(to_sql(settling.duplicates))
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await
    .map(drop)
}

/// Marks merged files: as those they replace, or not at all when one of those bears no mark.
pub(super) async fn mark_merged(
    transaction: &mut Transaction<'_, Any>,
    replaced: &[&String],
    written: &[LakeFile],
) -> Result<(), sqlx::Error> {
    let mut newest = None;
    for keys in replaced.chunks(ROWS_AT_ONCE) {
        let mut select = Statement::new(
            "select count(*) - count(judged_in), max(judged_in) from files where file_key in ",
        );
        select.list(&keys.iter().map(|key| (*key).clone()).collect::<Vec<_>>());
        for row in select.fetch_all(transaction).await? {
            if row.get::<i64, _>(0) > 0 {
                return Ok(());
            }
            newest = newest.max(row.get::<Option<i64>, _>(1));
        }
    }
    let Some(newest) = newest else { return Ok(()) };
    for written in written.chunks(ROWS_AT_ONCE) {
        let mut update = Statement::new("update files set judged_in = ");
        update.number(newest).push(" where file_key in ");
        update.list(&written.iter().map(|file| file.key.clone()).collect::<Vec<_>>());
        update.execute(transaction).await?;
    }
    Ok(())
}

/// Lets derivations count for these files no longer, which were hidden in the same transaction.
pub(super) async fn count_for_no_longer(
    transaction: &mut Transaction<'_, Any>,
    keys: &[String],
) -> Result<(), sqlx::Error> {
    let mut update = Statement::new(
        "update derivations set live = live - gone.files from (
           select derivation, count(*) as files from files where derivation is not null and file_key in ",
    );
    update.list(keys);
    update.push(" group by derivation) as gone where derivations.derivation = gone.derivation");
    update.execute(transaction).await.map(drop)
}
