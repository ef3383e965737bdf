//! Duties: work that one process at a time does for all, elected by a lease.

use std::time::Duration;

use jiff::Timestamp;

use super::claim::lease_end;
use super::retry::retrying;
use super::{BatchId, Catalog, CatalogError};

/// Work that one process does for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Bringing hot files into partitions.
    Settle,
    /// Deriving what nothing is derived of yet.
    Derive,
    /// Judging what was committed.
    Detect,
}

impl Duty {
    pub(in crate::lake) const fn word(self) -> &'static str {
        match self {
            Self::Settle => "settle",
            Self::Derive => "derive",
            Self::Detect => "detect",
        }
    }
}

impl Catalog {
    /// Takes a duty on until `now + lease`: when it was done `every` ago or longer, and nobody is at it. False
    /// otherwise.
    ///
    /// # Errors
    /// The database failed; nothing is taken on.
    pub async fn begin_duty(
        &self,
        duty: Duty,
        holder: &BatchId,
        now: Timestamp,
        (every, lease): (Duration, Duration),
    ) -> Result<bool, CatalogError> {
        let due = now.checked_sub(every).unwrap_or(Timestamp::MIN);
        retrying(|| async {
            let taken = sqlx::query(
                "insert into duties (duty, holder, lease_until, done_at) values ($1, $2, $3, 0)
                 on conflict (duty) do update set holder = excluded.holder, lease_until = excluded.lease_until
                 where duties.lease_until < $4 and duties.done_at <= $5",
            )
            .bind(duty.word())
            .bind(&holder.0)
            .bind(lease_end(now, lease).as_millisecond())
            .bind(now.as_millisecond())
            .bind(due.as_millisecond())
            .execute(&self.pool)
            .await
            .map_err(CatalogError::doing("take a duty on"))?;
            Ok(taken.rows_affected() == 1)
        })
        .await
    }

    /// Extends the lease of a duty.
    ///
    /// # Errors
    /// `Fenced` when somebody else is at it.
    pub async fn renew_duty(
        &self,
        duty: Duty,
        holder: &BatchId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<(), CatalogError> {
        let renewed = sqlx::query("update duties set lease_until = $1 where duty = $2 and holder = $3")
            .bind(lease_end(now, lease).as_millisecond())
            .bind(duty.word())
            .bind(&holder.0)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::doing("renew a duty's lease"))?;
        if renewed.rows_affected() == 0 {
            Err(CatalogError::Fenced { batch: holder.clone() })
        } else {
            Ok(())
        }
    }

    /// Lays a duty down, which counts as done at a time: it is due again a while after that.
    ///
    /// # Errors
    /// The database failed; the lease ends by itself.
    pub async fn end_duty(&self, duty: Duty, holder: &BatchId, done: Timestamp) -> Result<(), CatalogError> {
        sqlx::query("update duties set lease_until = 0, done_at = $1 where duty = $2 and holder = $3")
            .bind(done.as_millisecond())
            .bind(duty.word())
            .bind(&holder.0)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(CatalogError::doing("lay a duty down"))
    }

    /// Makes a duty due as soon as nobody is at it. Who is at it now may see what there is to do, and may not: then it
    /// is due as always.
    ///
    /// # Errors
    /// The database failed; the duty is due as always.
    pub async fn hasten_duty(&self, duty: Duty) -> Result<(), CatalogError> {
        sqlx::query("update duties set done_at = 0 where duty = $1")
            .bind(duty.word())
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(CatalogError::doing("make a duty due"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_does_it_and_not_too_often() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite")).await.unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap();
        let (one, other) = (BatchId("one".to_owned()), BatchId("other".to_owned()));
        let times = (Duration::from_secs(100), Duration::from_secs(10));
        let begin =
            async |who: &BatchId, now| catalog.begin_duty(Duty::Settle, who, now, times).await.unwrap();
        assert!(begin(&one, at(0)).await);
        assert!(!begin(&other, at(9)).await, "one is at it");
        assert!(begin(&other, at(11)).await, "one seems to be dead");
        let lost = catalog.renew_duty(Duty::Settle, &one, at(12), times.1).await;
        assert!(matches!(lost, Err(CatalogError::Fenced { .. })), "{lost:?}");
        catalog.end_duty(Duty::Settle, &one, at(12)).await.unwrap();
        assert!(!begin(&one, at(13)).await, "what one says does not count any more");
        catalog.renew_duty(Duty::Settle, &other, at(20), times.1).await.unwrap();
        assert!(!begin(&one, at(29)).await);
        catalog.end_duty(Duty::Settle, &other, at(29)).await.unwrap();
        assert!(!begin(&one, at(128)).await, "not due yet");
        assert!(begin(&one, at(129)).await);
        catalog.end_duty(Duty::Settle, &one, at(29)).await.unwrap();
        assert!(begin(&other, at(130)).await, "nothing was done since");
        catalog.end_duty(Duty::Settle, &other, at(131)).await.unwrap();
        catalog.hasten_duty(Duty::Settle).await.unwrap();
        assert!(begin(&one, at(132)).await, "it is wanted now");
        catalog.hasten_duty(Duty::Settle).await.unwrap();
        assert!(!begin(&other, at(133)).await, "one is at it");
    }
}
