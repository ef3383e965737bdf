//! What `ashiato status` tells. Sums are cast, since PostgreSQL's sum of `bigint` is a `numeric`.

use std::collections::BTreeMap;

use sqlx::Row;

use super::row::{ObjectId, count, object_id};
use super::{Catalog, CatalogError};

/// Everything read of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSummary {
    /// The log source.
    pub source: String,
    /// Objects read.
    pub objects: u64,
    /// Objects of which nothing could be read.
    pub failed: u64,
    /// Records found in them.
    pub records: u64,
    /// Records that became events.
    pub events: u64,
    /// Records set aside.
    pub set_aside: u64,
    /// Records left out on purpose.
    pub skipped: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Bytes unpacked.
    pub plain_bytes: u64,
    /// The newest event, epoch milliseconds.
    pub time_max: Option<i64>,
    /// When the last object was finished, epoch milliseconds.
    pub finished_at: Option<i64>,
}

/// The visible files of one table, account, Region and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaySummary {
    /// The table's source name.
    pub table: String,
    /// The account.
    pub account: String,
    /// The Region.
    pub region: String,
    /// The day, `YYYYMMDD`.
    pub day: i64,
    /// Rows in hot files.
    pub hot_rows: u64,
    /// Rows in settled files.
    pub settled_rows: u64,
}

/// How fresh the logs of one source, account and Region are, as their keys name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceSummary {
    /// The log source.
    pub source: String,
    /// The account, where the key names one.
    pub account: Option<String>,
    /// The Region, where the key names one.
    pub region: Option<String>,
    /// Objects read.
    pub objects: u64,
    /// The newest event, epoch milliseconds.
    pub time_max: Option<i64>,
    /// When the last object was finished, epoch milliseconds.
    pub finished_at: Option<i64>,
}

/// Why records of a source were set aside, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideSummary {
    /// The log source.
    pub source: String,
    /// The reason.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl Catalog {
    /// Returns what was read, a line a source.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sources(&self) -> Result<Vec<SourceSummary>, CatalogError> {
        let rows = sqlx::query(
            "select source, count(*), cast(sum(case when state = 'committed' then 0 else 1 end) as bigint),
             cast(sum(records) as bigint), cast(sum(events) as bigint), cast(sum(set_aside) as bigint),
             cast(sum(skipped) as bigint), cast(sum(stored_bytes) as bigint), cast(sum(plain_bytes) as bigint),
             max(time_max), max(finished_at)
             from objects where state <> 'claimed' or reason is not null group by source order by source",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("sum up sources"))?;
        Ok(rows
            .iter()
            .map(|row| SourceSummary {
                source: row.get(0),
                objects: count(row, 1),
                failed: count(row, 2),
                records: count(row, 3),
                events: count(row, 4),
                set_aside: count(row, 5),
                skipped: count(row, 6),
                stored_bytes: count(row, 7),
                plain_bytes: count(row, 8),
                time_max: row.get(9),
                finished_at: row.get(10),
            })
            .collect())
    }

    /// Returns how fresh each source, account and Region is, what was silent longest first. Reads the whole table
    /// of objects: for a person who asks, not for a clock.
    ///
    /// # Errors
    /// The database failed.
    pub async fn places(&self) -> Result<Vec<PlaceSummary>, CatalogError> {
        let rows = sqlx::query(
            "select source, account, region, count(*), max(time_max), max(finished_at)
             from objects where state = 'committed' group by source, account, region
             order by 6, 1, 2, 3",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("sum up accounts and Regions"))?;
        Ok(rows
            .iter()
            .map(|row| PlaceSummary {
                source: row.get(0),
                account: row.get(1),
                region: row.get(2),
                objects: count(row, 3),
                time_max: row.get(4),
                finished_at: row.get(5),
            })
            .collect())
    }

    /// Returns what can be seen, a line a table, account, Region and day.
    ///
    /// # Errors
    /// The database failed.
    pub async fn days(&self) -> Result<Vec<DaySummary>, CatalogError> {
        let rows = sqlx::query(
            "select source_name, account, region, event_day, cast(sum(hot) as bigint), cast(sum(settled) as bigint) from (
               select source_name, account, region, event_day, 0 as hot, row_count as settled
               from files where state = 'visible' and kind = 'settled'
               union all
               select f.source_name, s.account, s.region, f.event_day, s.row_count, 0
               from files f join slices s on s.file_key = f.file_key where f.state = 'visible' and f.kind = 'hot'
             ) as parts group by source_name, account, region, event_day
             order by source_name, account, region, event_day",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("sum up days"))?;
        Ok(rows
            .iter()
            .map(|row| DaySummary {
                table: row.get(0),
                account: row.get(1),
                region: row.get(2),
                day: row.get(3),
                hot_rows: count(row, 4),
                settled_rows: count(row, 5),
            })
            .collect())
    }

    /// Returns why records were set aside.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_aside_reasons(&self) -> Result<Vec<SetAsideSummary>, CatalogError> {
        let rows = sqlx::query(
            "select source, reason, count(*) from quarantine where state = 'open'
             group by source, reason order by 3 desc, 1, 2",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("sum up what was set aside"))?;
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for row in &rows {
            *counts.entry((row.get(0), without_place(row.get(1)))).or_default() += count(row, 2);
        }
        let reasons =
            counts.into_iter().map(|((source, reason), count)| SetAsideSummary { source, reason, count });
        let mut reasons: Vec<SetAsideSummary> = reasons.collect();
        reasons.sort_by_key(|summary| std::cmp::Reverse(summary.count));
        Ok(reasons)
    }

    /// Returns objects of which nothing could be read, and why. Those that are tried again just now are among them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn failed_objects(&self) -> Result<Vec<(ObjectId, String)>, CatalogError> {
        // Ordered by the column itself, SQLite would read all objects in their order instead of these few.
        let rows = sqlx::query(
            "select bucket, object_key, version, coalesce(reason, '') from objects
             where state = 'failed' or state = 'claimed' and reason is not null
             order by bucket || '', object_key",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("list failed objects"))?;
        Ok(rows.iter().map(|row| (object_id(row, 0), row.get(3))).collect())
    }

    /// Returns how many duplicate rows were left out so far, within a batch and by settling.
    ///
    /// # Errors
    /// The database failed.
    pub async fn duplicates(&self) -> Result<u64, CatalogError> {
        let row = sqlx::query(
            "select cast((select coalesce(sum(duplicates), 0) from settlings)
             + (select coalesce(sum(skipped), 0) from objects) as bigint)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(CatalogError::doing("sum up duplicates"))?;
        Ok(count(&row, 0))
    }
}

/// A reason without its place in the object, so that those that are the same are counted together.
fn without_place(reason: &str) -> String {
    match reason.split_once(" at byte ") {
        Some((kind, rest)) => {
            format!("{kind}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
        }
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_the_same_wherever_they_stand() {
        let check = |reason, expected| assert_eq!(without_place(reason), expected);
        check("a record without eventTime at byte 10023", "a record without eventTime");
        check(
            "no value at byte 7, and nothing behind it can be read",
            "no value, and nothing behind it can be read",
        );
        check("broken gzip", "broken gzip");
    }
}
