//! What detections have judged, and what they have told.
//!
//! A run takes a number and marks with it every object that was committed and not judged
//! yet; the number of the last run that came to its end says what is judged. A run that is
//! killed leaves marks above that, which the next one takes over. Files are marked too, so
//! that a run opens few of them: a merged file is as new as the newest of those it replaced.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

use super::file::{Writer, insert_visible};
use super::retry::retrying;
use super::row::ObjectId;
use super::statement::{ROWS_AT_ONCE, Statement};
use super::{BatchId, Catalog, CatalogError, LakeFile, to_sql};

/// Objects marked in one transaction: lanes wait for no longer than that takes.
const MARKED_AT_ONCE: u64 = 1000;

/// A run of detections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DetectionRun {
    /// Its number.
    pub number: i64,
    /// The last run before it that came to its end: what bears a number up to this is judged.
    pub done: i64,
}

/// A finding that is told for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its uid: the same for the same facts.
    pub uid: String,
    /// The rule.
    pub rule: String,
}

impl Catalog {
    /// Begins a run: marks what is yet to be judged as its own, also what a run had that never ended.
    ///
    /// # Errors
    /// The database failed; the next run marks what this one did not.
    pub async fn begin_detection(&self) -> Result<DetectionRun, CatalogError> {
        let run = retrying(|| self.number_run()).await?;
        // Files first: of what is in a file that is marked, every object is committed when objects are marked.
        let what = "mark what is to be judged";
        sqlx::query("update files set judged_in = $1 where state = 'visible' and judged_in is null")
            .bind(run.number)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::doing(what))?;
        sqlx::query("update objects set judged_in = $1 where judged_in > $2 and judged_in < $1")
            .bind(run.number)
            .bind(run.done)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::doing(what))?;
        while retrying(|| self.mark_some(run)).await? >= MARKED_AT_ONCE {}
        Ok(run)
    }

    async fn number_run(&self) -> Result<DetectionRun, CatalogError> {
        let row =
            sqlx::query("update detection_runs set begun = begun + 1 where lane = 1 returning begun, done")
                .fetch_one(&self.pool)
                .await
                .map_err(CatalogError::doing("number a run of detections"))?;
        Ok(DetectionRun { number: row.get(0), done: row.get(1) })
    }

    async fn mark_some(&self, run: DetectionRun) -> Result<u64, CatalogError> {
        sqlx::query(
            "update objects set judged_in = $1 where (bucket, object_key, version) in (
               select bucket, object_key, version from objects
               where judged_in is null and state = 'committed' limit $2)",
        )
        .bind(run.number)
        .bind(to_sql(MARKED_AT_ONCE))
        .execute(&self.pool)
        .await
        .map(|marked| marked.rows_affected())
        .map_err(CatalogError::doing("mark objects that are to be judged"))
    }

    /// Returns the objects of a run, as evidence names them; none when there are more than `objects_max`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn news(
        &self,
        run: DetectionRun,
        objects_max: u64,
    ) -> Result<Option<Vec<String>>, CatalogError> {
        let rows = sqlx::query("select bucket, object_key from objects where judged_in = $1 limit $2")
            .bind(run.number)
            .bind(to_sql(objects_max.saturating_add(1)))
            .fetch_all(&self.pool)
            .await
            .map_err(CatalogError::doing("list what is to be judged"))?;
        let name = |row: &sqlx::any::AnyRow| {
            ObjectId { bucket: row.get(0), key: row.get(1), version: String::new() }.to_string()
        };
        Ok((rows.len() as u64 <= objects_max).then(|| rows.iter().map(name).collect()))
    }

    /// Returns which of these findings were told before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn told(&self, uids: &[String]) -> Result<BTreeSet<String>, CatalogError> {
        let what = "look up what was told";
        let mut transaction = self.pool.begin().await.map_err(CatalogError::doing(what))?;
        let mut told = BTreeSet::new();
        for uids in uids.chunks(ROWS_AT_ONCE) {
            let mut select = Statement::new("select uid from detections where uid in ");
            select.list(uids);
            let rows = select.fetch_all(&mut transaction).await.map_err(CatalogError::doing(what))?;
            told.extend(rows.iter().map(|row| row.get::<String, _>(0)));
        }
        Ok(told)
    }

    /// Ends a run: its findings become visible, and what it judged is judged, together.
    ///
    /// # Errors
    /// `Fenced` when another run has begun since; nothing has changed then.
    pub async fn commit_detection(
        &self,
        run: DetectionRun,
        (batch, files): (&BatchId, &[LakeFile]),
        told: &[Told],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        retrying(|| self.commit_detection_once(run, (batch, files), told, now)).await
    }

    async fn commit_detection_once(
        &self,
        run: DetectionRun,
        (batch, files): (&BatchId, &[LakeFile]),
        told: &[Told],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "commit a run of detections";
        let fenced = || CatalogError::Fenced { batch: batch.clone() };
        let mut transaction = self.write(what).await?;
        let ended =
            sqlx::query("update detection_runs set done = $1 where lane = 1 and begun = $1 and done < $1")
                .bind(run.number)
                .execute(&mut *transaction)
                .await
                .map_err(CatalogError::doing(what))?;
        if ended.rows_affected() != 1 {
            return Err(fenced());
        }
        insert_told(&mut transaction, run, told, now).await.map_err(CatalogError::doing(what))?;
        let shown = insert_visible(&mut transaction, batch, files, (Writer::Lane, now)).await;
        if !shown.map_err(CatalogError::doing(what))? {
            return Err(fenced());
        }
        transaction.commit().await.map_err(CatalogError::doing(what))
    }
}

async fn insert_told(
    transaction: &mut Transaction<'_, Any>,
    run: DetectionRun,
    told: &[Told],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for told in told.chunks(ROWS_AT_ONCE) {
        let mut insert = Statement::new("insert into detections (uid, rule, run, found_at) ");
        insert.rows(told, |row, told| {
            row.text(&told.uid).and(told.rule.clone()).and(run.number).and(now.as_millisecond());
        });
        insert.execute(transaction).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::catalog::{FileFilter, FileKind, Settling, Slice};
    use crate::lake::path::{AccountId, EventDay, Region};
    use crate::lake::table::Table;

    fn file(key: &str) -> LakeFile {
        let slice = Slice { account: AccountId::EXTERNAL, region: Region::unknown(), rows: 1 };
        LakeFile {
            key: key.to_owned(),
            table: Table::ApiActivity,
            kind: FileKind::Hot,
            day: EventDay::read("20260101").unwrap(),
            slices: vec![slice],
            rows: 1,
            bytes: 1,
            time_min: 0,
            time_max: 0,
        }
    }

    async fn write(catalog: &Catalog, key: &str) {
        let outcome = crate::lake::catalog::BatchOutcome { files: vec![file(key)], ..Default::default() };
        catalog.commit(&BatchId(key.to_owned()), &outcome, Timestamp::UNIX_EPOCH).await.unwrap();
    }

    async fn merge(catalog: &Catalog, from: &[&str], into: &str) {
        let (batch, now) = (BatchId(into.to_owned()), Timestamp::UNIX_EPOCH);
        catalog.plan_files(&batch, &[file(into)], now).await.unwrap();
        let settling = Settling {
            batch,
            table: Table::ApiActivity,
            day: EventDay::read("20260101").unwrap(),
            written: vec![file(into)],
            replaced: from.iter().map(ToString::to_string).collect(),
            rows_in: 1,
            rows_out: 1,
            duplicates: 0,
        };
        catalog.commit_settling(&settling, now).await.unwrap();
    }

    /// Judges all there is and returns the files that were opened for it.
    async fn judge(catalog: &Catalog) -> Vec<String> {
        let run = catalog.begin_detection().await.unwrap();
        let filter = FileFilter { judged_after: Some(run.done), ..FileFilter::default() };
        let files = catalog.visible_files(&filter).await.unwrap();
        let batch = BatchId("detect".to_owned());
        catalog.commit_detection(run, (&batch, &[]), &[], Timestamp::UNIX_EPOCH).await.unwrap();
        files.into_iter().map(|file| file.key).collect()
    }

    #[tokio::test]
    async fn a_merged_file_is_opened_when_something_in_it_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite")).await.unwrap();
        for key in ["a", "b"] {
            write(&catalog, key).await;
        }
        assert_eq!(judge(&catalog).await, ["a", "b"]);
        merge(&catalog, &["a", "b"], "ab").await;
        assert_eq!(judge(&catalog).await, Vec::<String>::new(), "all of it is judged");
        write(&catalog, "c").await;
        merge(&catalog, &["ab", "c"], "abc").await;
        assert_eq!(judge(&catalog).await, ["abc"]);
        write(&catalog, "d").await;
        let dead = catalog.begin_detection().await.unwrap();
        merge(&catalog, &["d"], "e").await;
        assert_eq!(judge(&catalog).await, ["e"], "what a run had that never ended");
        assert!(
            catalog
                .commit_detection(dead, (&BatchId("x".to_owned()), &[]), &[], Timestamp::UNIX_EPOCH)
                .await
                .is_err()
        );
    }
}
