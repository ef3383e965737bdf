//! Derivations: which derived rows there are, and of which files there are none yet.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::file::{COLUMNS, push_filter, read_file};
use super::retry::retrying;
use super::row::count;
use super::statement::{ROWS_AT_ONCE, Statement};
use super::{BatchId, Catalog, CatalogError, FileFilter, LakeFile, to_sql};
use crate::lake::derived::{Derived, Origin};
use crate::lake::path::EventDay;

/// Files that are looked up in one statement.
const PARTS_AT_ONCE: usize = 512;

/// One run over files of one origin and day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    /// The run.
    pub id: BatchId,
    /// What was read.
    pub origin: Origin,
    /// The day of its events.
    pub day: EventDay,
    /// The files that were read; the place of each is its number.
    pub read: Vec<String>,
    /// The files that came of it.
    pub written: Vec<DerivedFile>,
}

/// One file of a derived table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedFile {
    /// Its key below the lake's root.
    pub key: String,
    /// The table.
    pub derived: Derived,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

/// Files of a derived table that may be read, and which of their rows count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedPart {
    /// The file.
    pub file: DerivedFile,
    /// The derivation.
    pub derivation: BatchId,
    /// The day of its rows.
    pub day: EventDay,
    /// The numbers of the files whose rows count; `None` is all.
    pub live: Option<Vec<i64>>,
}

/// What there is of a derived table, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DerivedView {
    /// Rows that are derived already.
    pub parts: Vec<DerivedPart>,
    /// Files that nothing is derived of yet.
    pub underived: Vec<LakeFile>,
}

/// Which files are due to be derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Settled ones.
    Settled,
    /// Hot ones of this day and later. What is derived of them counts until they are settled.
    HotSince(EventDay),
}

impl Due {
    fn push(self, select: &mut Statement) {
        match self {
            Self::Settled => select.push(" and kind = 'settled'"),
            Self::HotSince(first) => {
                select.push(" and kind = 'hot' and event_day >= ").number(i64::from(first.number()))
            }
        };
    }
}

/// What derived tables take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedSummary {
    /// The table.
    pub derived: Derived,
    /// Its files.
    pub files: u64,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
}

impl Catalog {
    /// Returns what there is of a derived table: derived rows, and the files of their origins that are visible and
    /// have none, all from one moment. Of `filter`, days choose derived files; accounts and Regions those without.
    ///
    /// # Errors
    /// The database failed.
    pub async fn derived_view(
        &self,
        derived: Derived,
        origin: Origin,
        filter: &FileFilter,
    ) -> Result<DerivedView, CatalogError> {
        let what = "list derived files";
        let mut transaction =
            self.pool.begin_with(self.begin_read).await.map_err(CatalogError::doing(what))?;
        self.view(&mut transaction, (derived, origin), filter).await.map_err(CatalogError::doing(what))
    }

    async fn view(
        &self,
        transaction: &mut Transaction<'_, Any>,
        (derived, origin): (Derived, Origin),
        filter: &FileFilter,
    ) -> Result<DerivedView, sqlx::Error> {
        let mut select = Statement::new(
            "select f.file_key, f.row_count, f.byte_count, d.derivation, d.event_day, d.parts, d.live
             from derivations d join derived_files f on f.derivation = d.derivation
             where d.state = 'visible' and d.live > 0 and f.row_count > 0 and f.derived = ",
        );
        select.text(derived.name()).push(" and d.origin = ").text(origin.name());
        if let Some((first, last)) = filter.days {
            select.push(" and d.event_day between ").number(i64::from(first.number()));
            select.push(" and ").number(i64::from(last.number()));
        }
        select.push(" order by d.event_day, f.file_key");
        let mut view = DerivedView::default();
        for row in select.fetch_all(transaction).await? {
            let (derivation, parts, live) = (row.get::<String, _>(3), count(&row, 5), count(&row, 6));
            let Some(day) = EventDay::read(&format!("{:08}", row.get::<i64, _>(4))) else { continue };
            let live = if live == parts { None } else { Some(live_parts(transaction, &derivation).await?) };
            let file = DerivedFile { key: row.get(0), derived, rows: count(&row, 1), bytes: count(&row, 2) };
            view.parts.push(DerivedPart { file, derivation: BatchId(derivation), day, live });
        }
        for table in origin.tables() {
            let mut select = Statement::new(format!(
                "select {COLUMNS} from files where state = 'visible' and derivation is null"
            ));
            push_filter(&mut select, &FileFilter { table: Some(*table), days: None, ..filter.clone() });
            if let Some((first, last)) = filter.days {
                // The sign keeps SQLite from the index of days: of what has no derivation there is one of few rows.
                select.push(" and +event_day between ").number(i64::from(first.number()));
                select.push(" and ").number(i64::from(last.number()));
            }
            select.push(" order by event_day, file_key");
            view.underived.extend(select.fetch_all(transaction).await?.iter().filter_map(read_file));
        }
        Ok(view)
    }

    /// Returns the files behind numbers of derivations, hidden ones too: who asks read their rows at an earlier moment.
    /// One that is missing was deleted since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn derived_from(
        &self,
        parts: &[(BatchId, i64)],
    ) -> Result<Vec<((BatchId, i64), LakeFile)>, CatalogError> {
        let what = "look up what was derived from";
        let mut transaction = self.pool.begin().await.map_err(CatalogError::doing(what))?;
        let mut files = Vec::new();
        for parts in parts.chunks(PARTS_AT_ONCE) {
            let mut select = Statement::new(format!("select {COLUMNS}, derivation, part from ("));
            select
                .rows(parts, |row, (derivation, part)| {
                    row.text(&derivation.0).and(*part);
                })
                // From what is asked to the files: the other way round, SQLite reads all files.
                .push(") as told cross join files where derivation = told.column1 and part = told.column2");
            let rows = select.fetch_all(&mut transaction).await.map_err(CatalogError::doing(what))?;
            files.extend(
                rows.iter().filter_map(|row| Some(((BatchId(row.get(10)), row.get(11)), read_file(row)?))),
            );
        }
        Ok(files)
    }

    /// Returns files of the oldest day of which nothing is derived yet, at most so many. `passed_over` are days that
    /// cannot be derived now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn underived(
        &self,
        (origin, due): (Origin, Due),
        files_max: u32,
        passed_over: &[EventDay],
    ) -> Result<Vec<LakeFile>, CatalogError> {
        let what = "list files nothing is derived of";
        let mut transaction = self.pool.begin().await.map_err(CatalogError::doing(what))?;
        let tables: Vec<String> =
            origin.tables().iter().map(|table| table.source_name().to_owned()).collect();
        let mut select = Statement::new(
            "select event_day from files where state = 'visible' and derivation is null and source_name in ",
        );
        select.list(&tables);
        due.push(&mut select);
        for day in passed_over {
            select.push(" and event_day <> ").number(i64::from(day.number()));
        }
        select.push(" group by event_day order by event_day limit 1");
        let day = select.fetch_all(&mut transaction).await.map_err(CatalogError::doing(what))?;
        let Some(day) = day.first().map(|row| row.get::<i64, _>(0)) else { return Ok(Vec::new()) };
        let mut select = Statement::new(format!(
            "select {COLUMNS} from files where state = 'visible' and derivation is null and event_day = "
        ));
        select.number(day).push(" and source_name in ").list(&tables);
        due.push(&mut select);
        select.push(" order by account, region, source_name, file_key limit ").number(i64::from(files_max));
        let rows = select.fetch_all(&mut transaction).await.map_err(CatalogError::doing(what))?;
        Ok(rows.iter().filter_map(read_file).collect())
    }

    /// Records a derivation and the names of its files before they are written.
    ///
    /// # Errors
    /// The database failed; write nothing.
    pub async fn plan_derivation(&self, derivation: &Derivation, now: Timestamp) -> Result<(), CatalogError> {
        retrying(|| self.plan_derivation_once(derivation, now)).await
    }

    async fn plan_derivation_once(
        &self,
        derivation: &Derivation,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "plan derived files";
        let mut transaction = self.write(what).await?;
        let mut insert = Statement::new(
            "insert into derivations (derivation, origin, event_day, state, parts, changed_at) ",
        );
        insert.rows([derivation], |row, derivation| {
            row.text(&derivation.id.0)
                .and(derivation.origin.name().to_owned())
                .and(i64::from(derivation.day.number()))
                .and("planned".to_owned())
                .and(to_sql(derivation.read.len() as u64))
                .and(now.as_millisecond());
        });
        insert.execute(&mut transaction).await.map_err(CatalogError::doing(what))?;
        let mut insert = Statement::new(
            "insert into derived_files (file_key, derivation, derived, row_count, byte_count) ",
        );
        insert.rows(&derivation.written, |row, file| {
            row.text(&file.key)
                .and(derivation.id.0.clone())
                .and(file.derived.name().to_owned())
                .and(to_sql(file.rows))
                .and(to_sql(file.bytes));
        });
        insert.execute(&mut transaction).await.map_err(CatalogError::doing(what))?;
        transaction.commit().await.map_err(CatalogError::doing(what))
    }

    /// Shows what was derived, from then on in place of the files it was derived from. Those that were replaced
    /// meanwhile, or derived by somebody else, are not claimed for it; their rows never count.
    ///
    /// # Errors
    /// `Fenced` when a sweep took the plan for dead; nothing has changed then.
    pub async fn commit_derivation(
        &self,
        derivation: &Derivation,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        retrying(|| self.commit_derivation_once(derivation, now)).await
    }

    async fn commit_derivation_once(
        &self,
        derivation: &Derivation,
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "commit a derivation";
        let failed = CatalogError::doing;
        let mut transaction = self.write(what).await?;
        let shown = sqlx::query(
            "update derivations set state = 'visible', changed_at = $1 where derivation = $2 and state = 'planned'",
        )
        .bind(now.as_millisecond())
        .bind(&derivation.id.0)
        .execute(&mut *transaction)
        .await
        .map_err(failed(what))?;
        if shown.rows_affected() == 0 {
            return Err(CatalogError::Fenced { batch: derivation.id.clone() });
        }
        for file in &derivation.written {
            sqlx::query("update derived_files set row_count = $1, byte_count = $2 where file_key = $3")
                .bind(to_sql(file.rows))
                .bind(to_sql(file.bytes))
                .bind(&file.key)
                .execute(&mut *transaction)
                .await
                .map_err(failed(what))?;
        }
        let mut numbered: Vec<(usize, &String)> = derivation.read.iter().enumerate().collect();
        numbered.sort_by_key(|(_, key)| *key);
        let mut live = 0;
        for numbered in numbered.chunks(ROWS_AT_ONCE) {
            let mut update = Statement::new("update files set derivation = ");
            update.text(&derivation.id.0).push(", part = told.column2 from (");
            update.rows(numbered, |row, (number, key)| {
                row.text(key).and(to_sql(*number as u64));
            });
            update.push(
                ") as told where files.file_key = told.column1 and files.state = 'visible' and files.derivation is null",
            );
            live += update.execute(&mut transaction).await.map_err(failed(what))?.rows_affected();
        }
        sqlx::query("update derivations set live = $1 where derivation = $2")
            .bind(to_sql(live))
            .bind(&derivation.id.0)
            .execute(&mut *transaction)
            .await
            .map_err(failed(what))?;
        transaction.commit().await.map_err(failed(what))
    }

    /// Forgets all that was derived, so that it is derived anew.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_derivations(&self, now: Timestamp) -> Result<(), CatalogError> {
        let what = "forget what was derived";
        let mut transaction = self.write(what).await?;
        for statement in [
            "update files set derivation = null, part = null where derivation is not null and $1 = $1",
            "update derivations set state = 'retired', changed_at = $1 where state = 'visible'",
        ] {
            sqlx::query(statement)
                .bind(now.as_millisecond())
                .execute(&mut *transaction)
                .await
                .map_err(CatalogError::doing(what))?;
        }
        transaction.commit().await.map_err(CatalogError::doing(what))
    }

    /// Hides derivations of which no file is visible any more, and those planned before `planned_before` by a run that
    /// ended; returns the files of all that were hidden before `retired_before`, which nobody reads any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dead_derived_files(
        &self,
        (planned_before, retired_before): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<Vec<String>, CatalogError> {
        let what = "list derived files to delete";
        let failed = CatalogError::doing;
        sqlx::query(
            "update derivations set state = 'retired', changed_at = $1 where state = 'visible' and live = 0",
        )
        .bind(now.as_millisecond())
        .execute(&self.pool)
        .await
        .map_err(failed(what))?;
        sqlx::query("update derivations set state = 'retired' where state = 'planned' and changed_at < $1")
            .bind(planned_before.as_millisecond())
            .execute(&self.pool)
            .await
            .map_err(failed(what))?;
        let rows = sqlx::query(
            "select f.file_key from derivations d cross join derived_files f
             where d.state = 'retired' and d.changed_at < $1 and f.derivation = d.derivation order by f.file_key",
        )
        .bind(retired_before.as_millisecond())
        .fetch_all(&self.pool)
        .await
        .map_err(failed(what))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Forgets a derived file that was deleted from the store, and with the last one its derivation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_derived_file(&self, key: &str) -> Result<(), CatalogError> {
        let what = "forget a deleted derived file";
        for statement in [
            "delete from derived_files where file_key = $1 and derivation in (
               select derivation from derivations where state = 'retired')",
            "delete from derivations where state = 'retired' and $1 = $1 and not exists (
               select 1 from derived_files where derived_files.derivation = derivations.derivation)",
        ] {
            sqlx::query(statement).bind(key).execute(&self.pool).await.map_err(CatalogError::doing(what))?;
        }
        Ok(())
    }

    /// Returns what derived tables take.
    ///
    /// # Errors
    /// The database failed.
    pub async fn derived_sizes(&self) -> Result<Vec<DerivedSummary>, CatalogError> {
        let rows = sqlx::query(
            "select f.derived, count(*), cast(sum(f.row_count) as bigint), cast(sum(f.byte_count) as bigint)
             from derived_files f join derivations d on d.derivation = f.derivation
             where d.state = 'visible' group by f.derived order by f.derived",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("sum derived files up"))?;
        let read = |row: &AnyRow| {
            Some(DerivedSummary {
                derived: Derived::from_name(row.get(0))?,
                files: count(row, 1),
                rows: count(row, 2),
                bytes: count(row, 3),
            })
        };
        Ok(rows.iter().filter_map(read).collect())
    }
}

async fn live_parts(
    transaction: &mut Transaction<'_, Any>,
    derivation: &str,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut select = Statement::new("select part from files where state = 'visible' and derivation = ");
    select.text(derivation).push(" order by part");
    Ok(select.fetch_all(transaction).await?.iter().map(|row| row.get(0)).collect())
}
