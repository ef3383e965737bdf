//! Claims on objects, and the commit that ends them.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

use super::file::insert_visible;
use super::retry::retrying;
use super::row::{ObjectId, object_id};
use super::set_aside::insert_entries;
use super::{BatchId, Catalog, CatalogError, LakeFile, SetAsideEntry, to_sql};

/// An object that a batch wants, and what its key told.
#[derive(Debug, Clone)]
pub struct ClaimedObject {
    /// The object.
    pub id: ObjectId,
    /// The log source the key names.
    pub source: &'static str,
    /// The account in the key.
    pub account: Option<String>,
    /// The Region in the key.
    pub region: Option<String>,
}

/// What became of the wish to claim an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is ours until the lease ends.
    Granted,
    /// It is in the lake already, or was given up for good.
    Done,
    /// Another batch holds it until then; come again.
    Held {
        /// When its lease ends, unless it is renewed.
        until: Timestamp,
    },
}

/// How the reading of an object ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectState {
    /// Its records are in the lake or set aside.
    Committed,
    /// Nothing of it could be read, for this reason.
    Failed(String),
    /// It was left alone: a later version may know its source, a later try may reach it.
    LeftAlone,
}

/// An object of a batch, read.
#[derive(Debug, Clone)]
pub struct ObjectOutcome {
    /// The object.
    pub id: ObjectId,
    /// The source its key or its content told.
    pub source: &'static str,
    /// How it ended.
    pub state: ObjectState,
    /// Records found.
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
    /// The newest event in it, epoch milliseconds.
    pub time_max: Option<i64>,
}

/// Everything a batch has to say in its commit.
#[derive(Debug, Default)]
pub struct BatchOutcome {
    /// Its objects.
    pub objects: Vec<ObjectOutcome>,
    /// Its files.
    pub files: Vec<LakeFile>,
    /// What it set aside.
    pub set_aside: Vec<SetAsideEntry>,
}

impl Catalog {
    /// Claims objects for a batch, each until `now + lease`. Objects another batch holds past its
    /// lease are taken over; that batch's commit then fails.
    ///
    /// # Errors
    /// The database failed; nothing is claimed.
    pub async fn claim(
        &self,
        batch: &BatchId,
        objects: &[ClaimedObject],
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<Claim>, CatalogError> {
        let until = lease_end(now, lease);
        retrying(|| self.claim_once(batch, objects, (now, until))).await
    }

    async fn claim_once(
        &self,
        batch: &BatchId,
        objects: &[ClaimedObject],
        times: (Timestamp, Timestamp),
    ) -> Result<Vec<Claim>, CatalogError> {
        let what = "claim objects";
        // Rows are locked in one order, so that two batches that want the same objects do not wait for each other.
        let mut order: Vec<usize> = (0..objects.len()).collect();
        order.sort_by_key(|number| objects.get(*number).map(|object| &object.id));
        let mut transaction = self.write(what).await?;
        let mut claims = vec![Claim::Done; objects.len()];
        for number in order {
            let (Some(object), Some(slot)) = (objects.get(number), claims.get_mut(number)) else { continue };
            let claim = claim_one(&mut transaction, batch, object, times).await;
            *slot = claim.map_err(CatalogError::doing(what))?;
        }
        transaction.commit().await.map_err(CatalogError::doing(what))?;
        Ok(claims)
    }

    /// Extends the lease of everything the batch still holds.
    ///
    /// # Errors
    /// `Fenced` when it holds nothing any more: stop the work.
    pub async fn renew(&self, batch: &BatchId, now: Timestamp, lease: Duration) -> Result<(), CatalogError> {
        let what = "renew a lease";
        let held = sqlx::query("update objects set lease_until = $1 where batch = $2 and state = 'claimed'")
            .bind(lease_end(now, lease).as_millisecond())
            .bind(&batch.0)
            .execute(&self.pool)
            .await
            .map_err(CatalogError::doing(what))?;
        if held.rows_affected() == 0 { Err(CatalogError::Fenced { batch: batch.clone() }) } else { Ok(()) }
    }

    /// Gives back what the batch holds, so that others need not wait for the lease.
    ///
    /// # Errors
    /// The database failed; the lease will end by itself.
    pub async fn release(&self, batch: &BatchId) -> Result<(), CatalogError> {
        sqlx::query("delete from objects where batch = $1 and state = 'claimed'")
            .bind(&batch.0)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(CatalogError::doing("release claims"))
    }

    /// Says whether a batch may still commit: it holds claims that nobody took over, be their lease over or not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_alive(&self, batch: &BatchId) -> Result<bool, CatalogError> {
        sqlx::query("select 1 from objects where batch = $1 and state = 'claimed' limit 1")
            .bind(&batch.0)
            .fetch_optional(&self.pool)
            .await
            .map(|row| row.is_some())
            .map_err(CatalogError::doing("look for a batch's claims"))
    }

    /// Makes the batch's files visible and its objects committed, together.
    ///
    /// # Errors
    /// `Fenced` when one of the objects is no longer the batch's own; nothing has changed then.
    pub async fn commit(
        &self,
        batch: &BatchId,
        outcome: &BatchOutcome,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        retrying(|| self.commit_once(batch, outcome, now)).await
    }

    async fn commit_once(
        &self,
        batch: &BatchId,
        outcome: &BatchOutcome,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "commit a batch";
        let mut objects: Vec<&ObjectOutcome> = outcome.objects.iter().collect();
        objects.sort_by_key(|object| &object.id);
        let mut transaction = self.write(what).await?;
        for object in objects {
            let kept =
                finish_one(&mut transaction, batch, object, now).await.map_err(CatalogError::doing(what))?;
            if !kept {
                return Err(CatalogError::Fenced { batch: batch.clone() });
            }
        }
        let shown = insert_visible(&mut transaction, batch, &outcome.files, now).await;
        if !shown.map_err(CatalogError::doing(what))? {
            return Err(CatalogError::Fenced { batch: batch.clone() });
        }
        insert_entries(&mut transaction, &outcome.set_aside, now).await.map_err(CatalogError::doing(what))?;
        transaction.commit().await.map_err(CatalogError::doing(what))
    }

    /// Forgets objects that failed, so that they can be read again. Returns how many there were.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_failed(&self) -> Result<Vec<ObjectId>, CatalogError> {
        let what = "forget failed objects";
        let rows =
            sqlx::query("delete from objects where state = 'failed' returning bucket, object_key, version")
                .fetch_all(&self.pool)
                .await
                .map_err(CatalogError::doing(what))?;
        Ok(rows.iter().map(|row| object_id(row, 0)).collect())
    }
}

pub(super) fn lease_end(now: Timestamp, lease: Duration) -> Timestamp {
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}

async fn claim_one(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    object: &ClaimedObject,
    (now, until): (Timestamp, Timestamp),
) -> Result<Claim, sqlx::Error> {
    let claimed = sqlx::query(
        "insert into objects (bucket, object_key, version, state, batch, lease_until, source, account, region)
         values ($1, $2, $3, 'claimed', $4, $5, $6, $7, $8)
         on conflict (bucket, object_key, version) do update
         set batch = excluded.batch, lease_until = excluded.lease_until
         where objects.state = 'claimed' and objects.lease_until < $9",
    )
    .bind(&object.id.bucket)
    .bind(&object.id.key)
    .bind(&object.id.version)
    .bind(&batch.0)
    .bind(until.as_millisecond())
    .bind(object.source)
    .bind(&object.account)
    .bind(&object.region)
    .bind(now.as_millisecond())
    .execute(&mut **transaction)
    .await?;
    if claimed.rows_affected() == 1 {
        return Ok(Claim::Granted);
    }
    let row = sqlx::query(
        "select state, lease_until from objects where bucket = $1 and object_key = $2 and version = $3",
    )
    .bind(&object.id.bucket)
    .bind(&object.id.key)
    .bind(&object.id.version)
    .fetch_one(&mut **transaction)
    .await?;
    Ok(match row.get::<&str, _>(0) {
        "claimed" => Claim::Held { until: Timestamp::from_millisecond(row.get(1)).unwrap_or(until) },
        _ => Claim::Done,
    })
}

async fn finish_one(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    object: &ObjectOutcome,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let (state, reason) = match &object.state {
        ObjectState::Committed => ("committed", None),
        ObjectState::Failed(reason) => ("failed", Some(reason)),
        ObjectState::LeftAlone => return forget_one(transaction, batch, &object.id).await,
    };
    let finished = sqlx::query(
        "update objects set state = $1, reason = $2, records = $3, events = $4, set_aside = $5, skipped = $6,
         stored_bytes = $7, plain_bytes = $8, time_max = $9, finished_at = $10,
         source = $11
         where bucket = $12 and object_key = $13 and version = $14 and batch = $15 and state = 'claimed'",
    )
    .bind(state)
    .bind(reason)
    .bind(to_sql(object.records))
    .bind(to_sql(object.events))
    .bind(to_sql(object.set_aside))
    .bind(to_sql(object.skipped))
    .bind(to_sql(object.stored_bytes))
    .bind(to_sql(object.plain_bytes))
    .bind(object.time_max)
    .bind(now.as_millisecond())
    .bind(object.source)
    .bind(&object.id.bucket)
    .bind(&object.id.key)
    .bind(&object.id.version)
    .bind(&batch.0)
    .execute(&mut **transaction)
    .await?;
    Ok(finished.rows_affected() == 1)
}

async fn forget_one(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    id: &ObjectId,
) -> Result<bool, sqlx::Error> {
    let forgotten = sqlx::query(
        "delete from objects where bucket = $1 and object_key = $2 and version = $3 and batch = $4
         and state = 'claimed'",
    )
    .bind(&id.bucket)
    .bind(&id.key)
    .bind(&id.version)
    .bind(&batch.0)
    .execute(&mut **transaction)
    .await?;
    Ok(forgotten.rows_affected() == 1)
}
