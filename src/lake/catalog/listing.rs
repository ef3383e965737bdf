//! Prefixes that a run under way has listed and read to their end.

use std::collections::HashSet;

use jiff::Timestamp;
use sqlx::Row;

use super::retry::retrying;
use super::{Catalog, CatalogError, to_sql};

impl Catalog {
    /// Returns the prefixes below `root` that were listed and read since a moment.
    ///
    /// # Errors
    /// The database failed.
    pub async fn finished_listings(
        &self,
        (bucket, root): (&str, &str),
        since: Timestamp,
    ) -> Result<HashSet<String>, CatalogError> {
        let rows = sqlx::query(
            "select prefix from listings where bucket = $1 and substr(prefix, 1, cast($2 as integer)) = $3
             and finished_at >= $4",
        )
        .bind(bucket)
        .bind(to_sql(root.chars().count() as u64))
        .bind(root)
        .bind(since.as_millisecond())
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("read what was listed"))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Records prefixes that were listed and read.
    ///
    /// # Errors
    /// The database failed; they will be listed again.
    pub async fn finish_listings(
        &self,
        finished: &[(String, String)],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        if finished.is_empty() {
            return Ok(());
        }
        retrying(|| self.finish_listings_once(finished, now)).await
    }

    async fn finish_listings_once(
        &self,
        finished: &[(String, String)],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "record what was listed";
        let mut transaction = self.write(what).await?;
        // A prefix that PostgreSQL does not keep is listed again.
        for (bucket, prefix) in finished.iter().filter(|(_, prefix)| !prefix.contains('\0')) {
            sqlx::query(
                "insert into listings (bucket, prefix, finished_at) values ($1, $2, $3)
                 on conflict (bucket, prefix) do update set finished_at = excluded.finished_at",
            )
            .bind(bucket)
            .bind(prefix)
            .bind(now.as_millisecond())
            .execute(&mut *transaction)
            .await
            .map_err(CatalogError::doing(what))?;
        }
        transaction.commit().await.map_err(CatalogError::doing(what))
    }

    /// Forgets what was listed below `root`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_listings(&self, bucket: &str, root: &str) -> Result<(), CatalogError> {
        sqlx::query("delete from listings where bucket = $1 and substr(prefix, 1, cast($2 as integer)) = $3")
            .bind(bucket)
            .bind(to_sql(root.chars().count() as u64))
            .bind(root)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(CatalogError::doing("forget what was listed"))
    }
}
