//! What a run of settling did, and its line in the books.

use jiff::Timestamp;
use sqlx::{Any, Transaction};

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
