//! Claims on objects, and the commit that ends them.
//!
//! A claimed object with a reason is one that failed and is read again: whatever ends the
//! claim without a commit leaves it as it was, and a crash leaves it listed (`report`).

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Any, Row, Transaction};

use super::file::{Writer, insert_visible};
use super::retry::retrying;
use super::row::{ObjectId, object_id};
use super::set_aside::insert_entries;
use super::statement::{ROWS_AT_ONCE, Statement, storable};
use super::{BatchId, Catalog, CatalogError, Failed, LakeFile, SetAsideEntry, to_sql};

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
        let mut order: Vec<(usize, &ClaimedObject)> = objects.iter().enumerate().collect();
        order.sort_by_key(|(_, object)| &object.id);
        let mut transaction = self.write(what).await?;
        // One that was given back between two statements is in no answer: it was held until now.
        let mut claims = vec![Claim::Held { until: times.0 }; objects.len()];
        for chunk in order.chunks(ROWS_AT_ONCE) {
            let claimed = claim_some(&mut transaction, batch, chunk, times, self.failed).await;
            let claimed = claimed.map_err(CatalogError::doing(what))?;
            for (number, object) in chunk {
                if let (Some(slot), Some(claim)) = (claims.get_mut(*number), claimed.get(&object.id)) {
                    *slot = *claim;
                }
            }
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
        let what = "release claims";
        for statement in [
            "update objects set state = 'failed' where batch = $1 and state = 'claimed' and reason is not null",
            "delete from objects where batch = $1 and state = 'claimed'",
        ] {
            let released = sqlx::query(statement).bind(&batch.0).execute(&self.pool).await;
            released.map_err(CatalogError::doing(what))?;
        }
        Ok(())
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
        let (left_alone, finished): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|object| object.state == ObjectState::LeftAlone);
        let kept =
            finish(&mut transaction, batch, &finished, now).await.map_err(CatalogError::doing(what))?
                && forget(&mut transaction, batch, &left_alone).await.map_err(CatalogError::doing(what))?;
        if !kept {
            return Err(CatalogError::Fenced { batch: batch.clone() });
        }
        let shown = insert_visible(&mut transaction, batch, &outcome.files, (Writer::Lane, now)).await;
        if !shown.map_err(CatalogError::doing(what))? {
            return Err(CatalogError::Fenced { batch: batch.clone() });
        }
        insert_entries(&mut transaction, &outcome.set_aside, now).await.map_err(CatalogError::doing(what))?;
        transaction.commit().await.map_err(CatalogError::doing(what))
    }
}

pub(super) fn lease_end(now: Timestamp, lease: Duration) -> Timestamp {
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}

/// Claims objects and says what became of each that is there now.
async fn claim_some(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    objects: &[(usize, &ClaimedObject)],
    (now, until): (Timestamp, Timestamp),
    failed: Failed,
) -> Result<HashMap<ObjectId, Claim>, sqlx::Error> {
    let mut insert = Statement::new(
        "insert into objects (bucket, object_key, version, state, batch, lease_until, source, account, region) ",
    );
    insert.rows(objects, |row, (_, object)| {
        write_id(row, &object.id)
            .push(", 'claimed'")
            .and(batch.0.clone())
            .and(until.as_millisecond())
            .and(object.source.to_owned())
            .and(object.account.clone())
            .and(object.region.clone());
    });
    insert
        .push(
            " on conflict (bucket, object_key, version) do update
             set state = excluded.state, batch = excluded.batch, lease_until = excluded.lease_until
             where (objects.state = 'claimed' and objects.lease_until < ",
        )
        .number(now.as_millisecond())
        .push(match failed {
            Failed::Done => ")",
            Failed::Claimed => ") or objects.state = 'failed'",
        })
        .push(" returning bucket, object_key, version");
    let granted = insert.fetch_all(transaction).await?;
    let mut claims: HashMap<ObjectId, Claim> =
        granted.iter().map(|row| (object_id(row, 0), Claim::Granted)).collect();
    let others: Vec<&ObjectId> =
        objects.iter().map(|(_, object)| &object.id).filter(|id| !claims.contains_key(id)).collect();
    if !others.is_empty() {
        let mut select = Statement::new(
            "select bucket, object_key, version, state, lease_until from objects
             where (bucket, object_key, version) in (",
        );
        select
            .rows(others, |row, id| {
                write_id(row, id);
            })
            .push(")");
        for row in select.fetch_all(transaction).await? {
            let claim = match row.get::<&str, _>(3) {
                "claimed" => Claim::Held { until: Timestamp::from_millisecond(row.get(4)).unwrap_or(until) },
                _ => Claim::Done,
            };
            claims.insert(object_id(&row, 0), claim);
        }
    }
    Ok(claims)
}

fn write_id<'a>(row: &'a mut Statement, id: &ObjectId) -> &'a mut Statement {
    row.text(&id.bucket).and(id.key.clone()).and(id.version.clone())
}

/// Ends claims as committed or failed; false when one of them is the batch's no longer.
async fn finish(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    objects: &[&ObjectOutcome],
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    for objects in objects.chunks(ROWS_AT_ONCE) {
        // Both databases call the columns of such a list column1, column2 and so on.
        let mut update = Statement::new(
            "update objects set state = told.column4, reason = told.column5, source = told.column6,
             records = told.column7, events = told.column8, set_aside = told.column9, skipped = told.column10,
             stored_bytes = told.column11, plain_bytes = told.column12, time_max = told.column13, finished_at = ",
        );
        update.number(now.as_millisecond()).push(" from (");
        update.rows(objects, |row, object| {
            let (state, reason) = match &object.state {
                ObjectState::Failed(reason) => ("failed", Some(storable(reason))),
                ObjectState::Committed | ObjectState::LeftAlone => ("committed", None),
            };
            write_id(row, &object.id)
                .and(state.to_owned())
                .and(reason)
                .and(object.source.to_owned())
                .and(to_sql(object.records))
                .and(to_sql(object.events))
                .and(to_sql(object.set_aside))
                .and(to_sql(object.skipped))
                .and(to_sql(object.stored_bytes))
                .and(to_sql(object.plain_bytes))
                .and(object.time_max);
        });
        update
            .push(
                ") as told where objects.bucket = told.column1 and objects.object_key = told.column2
                 and objects.version = told.column3 and objects.state = 'claimed' and objects.batch = ",
            )
            .text(&batch.0);
        if update.execute(transaction).await?.rows_affected() != objects.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ends claims as if they had never been, so that what failed before is failed again; false when one of them is the batch's no longer.
async fn forget(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    objects: &[&ObjectOutcome],
) -> Result<bool, sqlx::Error> {
    for objects in objects.chunks(ROWS_AT_ONCE) {
        let mut forgotten = 0;
        for (change, which) in [
            ("update objects set state = 'failed'", "reason is not null"),
            ("delete from objects", "reason is null"),
        ] {
            let mut forget =
                Statement::new(format!("{change} where state = 'claimed' and {which} and batch = "));
            forget.text(&batch.0).push(" and (bucket, object_key, version) in (");
            forget
                .rows(objects, |row, object| {
                    write_id(row, &object.id);
                })
                .push(")");
            forgotten += forget.execute(transaction).await?.rows_affected();
        }
        if forgotten != objects.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}
