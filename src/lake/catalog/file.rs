//! Files of the lake: planned, visible, retired.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::retry::retrying;
use super::row::count;
use super::settling::{Settling, count_for_no_longer, insert_settling, mark_merged};
use super::statement::{ROWS_AT_ONCE, Statement};
use super::{BatchId, Catalog, CatalogError, to_sql};
use crate::lake::path::{AccountId, EventDay, Region};
use crate::lake::table::Table;

/// Whether a file holds a batch as it came, or a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// One table and day, all accounts and Regions of a batch.
    Hot,
    /// One partition in the Security Lake layout.
    Settled,
}

impl FileKind {
    fn word(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Settled => "settled",
        }
    }
}

/// The rows of one account and Region in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
    /// Its rows.
    pub rows: u64,
}

/// One Parquet file of the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LakeFile {
    /// Its key below the lake's root.
    pub key: String,
    /// The table.
    pub table: Table,
    /// Hot or settled.
    pub kind: FileKind,
    /// The day of its events.
    pub day: EventDay,
    /// Accounts and Regions in it, in the order of its rows; a settled file has one.
    pub slices: Vec<Slice>,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The oldest event, epoch milliseconds.
    pub time_min: i64,
    /// The newest event, epoch milliseconds.
    pub time_max: i64,
}

impl LakeFile {
    /// Says whether it is a partition's: Athena reads it from the moment it is written.
    pub fn is_settled(&self) -> bool {
        self.kind == FileKind::Settled
    }
}

/// Who wrote files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// A lane: a file a segment, so the events of two may overlap in time.
    Lane,
    /// A merge: files of one partition follow each other, each event once.
    Merge,
}

impl Writer {
    /// Says whether a file's name was planned before it was written: a lane's hot files are found by their batch.
    fn plans(self, file: &LakeFile) -> bool {
        self == Self::Merge || file.is_settled()
    }
}

/// What a query wants to see. `None` means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFilter {
    /// One table.
    pub table: Option<Table>,
    /// Event days, first and last.
    pub days: Option<(EventDay, EventDay)>,
    /// Accounts; an empty list leaves no file.
    pub accounts: Option<Vec<String>>,
    /// Regions; an empty list leaves no file.
    pub regions: Option<Vec<String>>,
    /// Event times in epoch milliseconds, first and last.
    pub times: Option<(i64, i64)>,
    /// Only files with rows that no run of detections up to this one has judged.
    pub judged_after: Option<i64>,
    /// So many files at most.
    pub limit: Option<usize>,
}

pub(super) const COLUMNS: &str =
    "file_key, source_name, kind, event_day, account, region, row_count, byte_count, time_min, time_max";

impl Catalog {
    /// Returns the visible files a filter leaves, each once, all from one moment.
    ///
    /// # Errors
    /// The database failed.
    pub async fn visible_files(&self, filter: &FileFilter) -> Result<Vec<LakeFile>, CatalogError> {
        let what = "list visible files";
        let mut select = Statement::new(format!("select {COLUMNS} from files where state = 'visible'"));
        push_filter(&mut select, filter);
        select.push(" order by source_name, event_day, file_key");
        if let Some(limit) = filter.limit.and_then(|limit| i64::try_from(limit).ok()) {
            select.push(" limit ").number(limit);
        }
        let mut transaction = self.pool.begin().await.map_err(CatalogError::doing(what))?;
        let rows = select.fetch_all(&mut transaction).await.map_err(CatalogError::doing(what))?;
        Ok(rows.iter().filter_map(read_file).collect())
    }

    /// Returns what settling may have to do with: all hot files, and the settled files of partitions of days before
    /// `today` that have more than one merge did not write. Of the many that are settled for good it reads nothing;
    /// of those that are not, as many as fit into memory: ask again when they are settled. `passed_over` are tables
    /// and days that cannot be settled now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn due_files(
        &self,
        today: Option<EventDay>,
        passed_over: &BTreeSet<(Table, EventDay)>,
    ) -> Result<Vec<LakeFile>, CatalogError> {
        /// At a day's end each has 24 files or more.
        const PARTITIONS_MAX: i64 = 1000;
        let what = "list files to settle";
        let mut select = Statement::new(format!(
            "select {COLUMNS} from files where state = 'visible' and kind = 'hot'
             union all
             select {COLUMNS} from files join (
               select source_name, event_day, account, region from files
               where state = 'visible' and kind = 'settled' and event_day < "
        ));
        select.number(today.map_or(i64::MAX, |today| i64::from(today.number())));
        for (table, day) in passed_over {
            select.push(" and not (source_name = ").text(table.source_name()).push(" and event_day = ");
            select.number(i64::from(day.number())).push(")");
        }
        select.push(
            " group by source_name, event_day, account, region
               having count(*) > 1 and (count(distinct batch) > 1 or min(merged) = 0)
               order by source_name, event_day, account, region limit ",
        );
        select.number(PARTITIONS_MAX).push(
            ") as crowded using (source_name, event_day, account, region)
             where state = 'visible' and kind = 'settled'
             order by 2, 4, 1",
        );
        let mut transaction = self.pool.begin().await.map_err(CatalogError::doing(what))?;
        let rows = select.fetch_all(&mut transaction).await.map_err(CatalogError::doing(what))?;
        Ok(rows.iter().filter_map(read_file).collect())
    }

    /// Returns how many files of a table are visible, and their bytes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn visible_count(&self, table: Table) -> Result<(u64, u64), CatalogError> {
        let row = sqlx::query(
            "select count(*), cast(coalesce(sum(byte_count), 0) as bigint) from files
             where state = 'visible' and source_name = $1",
        )
        .bind(table.source_name())
        .fetch_one(&self.pool)
        .await
        .map_err(CatalogError::doing("count visible files"))?;
        Ok((count(&row, 0), count(&row, 1)))
    }

    /// Returns the accounts and Regions of hot files, in the order of their rows.
    ///
    /// # Errors
    /// The database failed.
    pub async fn slices(&self, file_key: &str) -> Result<Vec<Slice>, CatalogError> {
        let rows = sqlx::query(
            "select account, region, row_count from slices where file_key = $1 order by account, region",
        )
        .bind(file_key)
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing("list the slices of a file"))?;
        Ok(rows.iter().filter_map(|row| read_slice(row, 0)).collect())
    }

    /// Records names of settled files before they are written, so that a crash leaves none unknown.
    ///
    /// # Errors
    /// The database failed; write nothing.
    pub async fn plan_files(
        &self,
        batch: &BatchId,
        files: &[LakeFile],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        retrying(|| self.plan_files_once(batch, files, now)).await
    }

    async fn plan_files_once(
        &self,
        batch: &BatchId,
        files: &[LakeFile],
        now: Timestamp,
    ) -> Result<(), CatalogError> {
        let what = "plan files";
        let mut transaction = self.write(what).await?;
        insert_files(&mut transaction, batch, files, (Writer::Lane, "planned", now))
            .await
            .map_err(CatalogError::doing(what))?;
        transaction.commit().await.map_err(CatalogError::doing(what))
    }

    /// Shows the written files and hides the replaced ones, together.
    ///
    /// # Errors
    /// `Fenced` when one of the replaced files is gone already; nothing has changed then.
    pub async fn commit_settling(&self, settling: &Settling, now: Timestamp) -> Result<(), CatalogError> {
        retrying(|| self.commit_settling_once(settling, now)).await
    }

    async fn commit_settling_once(&self, settling: &Settling, now: Timestamp) -> Result<(), CatalogError> {
        let what = "commit a settling";
        let mut replaced: Vec<&String> = settling.replaced.iter().collect();
        replaced.sort_unstable();
        let mut transaction = self.write(what).await?;
        let retired = retire(&mut transaction, &replaced, now).await.map_err(CatalogError::doing(what))?;
        if !retired {
            return Err(CatalogError::Fenced { batch: settling.batch.clone() });
        }
        let shown =
            insert_visible(&mut transaction, &settling.batch, &settling.written, (Writer::Merge, now)).await;
        if !shown.map_err(CatalogError::doing(what))? {
            return Err(CatalogError::Fenced { batch: settling.batch.clone() });
        }
        mark_merged(&mut transaction, &replaced, &settling.written)
            .await
            .map_err(CatalogError::doing(what))?;
        insert_settling(&mut transaction, settling, now).await.map_err(CatalogError::doing(what))?;
        transaction.commit().await.map_err(CatalogError::doing(what))
    }

    /// Returns keys of files that are to be deleted: settled ones that were replaced, or planned before
    /// `planned_before` by a run that ended, and hot ones replaced before `retired_before`. A run that planned
    /// one of them and is alive after all cannot commit it any more.
    ///
    /// # Errors
    /// The database failed.
    pub async fn dead_files(
        &self,
        planned_before: Timestamp,
        retired_before: Timestamp,
    ) -> Result<Vec<String>, CatalogError> {
        let what = "list files to delete";
        sqlx::query("update files set state = 'retired' where state = 'planned' and changed_at < $1")
            .bind(planned_before.as_millisecond())
            .execute(&self.pool)
            .await
            .map_err(CatalogError::doing(what))?;
        let rows = sqlx::query(
            "select file_key from files where state = 'retired' and (kind = 'settled' or changed_at < $1)
             order by changed_at",
        )
        .bind(retired_before.as_millisecond())
        .fetch_all(&self.pool)
        .await
        .map_err(CatalogError::doing(what))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Forgets a file that was deleted from the store.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_file(&self, key: &str) -> Result<(), CatalogError> {
        sqlx::query("delete from files where file_key = $1 and state <> 'visible'")
            .bind(key)
            .execute(&self.pool)
            .await
            .map(drop)
            .map_err(CatalogError::doing("forget a deleted file"))
    }

    /// Says whether the catalog knows a file of this key, in whatever state.
    ///
    /// # Errors
    /// The database failed.
    pub async fn knows_file(&self, key: &str) -> Result<bool, CatalogError> {
        let row = sqlx::query(
            "select (select count(*) from files where file_key = $1)
             + (select count(*) from quarantine where entry_file = $1)",
        )
        .bind(key)
        .fetch_one(&self.pool)
        .await
        .map_err(CatalogError::doing("look a file up"))?;
        Ok(row.get::<i64, _>(0) > 0)
    }
}

/// Pushes what a filter leaves of visible files.
pub(super) fn push_filter(select: &mut Statement, filter: &FileFilter) {
    if let Some(table) = filter.table {
        select.push(" and source_name = ").text(table.source_name());
    }
    if let Some((first, last)) = filter.days {
        select.push(" and event_day between ").number(i64::from(first.number()));
        select.push(" and ").number(i64::from(last.number()));
    }
    if let Some((first, last)) = filter.times {
        select.push(" and time_max >= ").number(first).push(" and time_min <= ").number(last);
    }
    if let Some(done) = filter.judged_after {
        select.push(" and (judged_in is null or judged_in > ").number(done).push(")");
    }
    push_slices(select, filter);
}

/// Account and Region are asked of one slice together: a file with this account and, elsewhere
/// in it, that Region has nothing to say.
fn push_slices(select: &mut Statement, filter: &FileFilter) {
    let wanted = [("account", &filter.accounts), ("region", &filter.regions)];
    let wanted = wanted.map(|(column, values)| values.as_ref().map(|values| (column, values)));
    if wanted.iter().all(Option::is_none) {
        return;
    }
    select.push(" and ((kind = 'settled'");
    for (column, values) in wanted.into_iter().flatten() {
        select.push(&format!(" and files.{column} in ")).list(values);
    }
    select.push(") or exists (select 1 from slices where slices.file_key = files.file_key");
    for (column, values) in wanted.into_iter().flatten() {
        select.push(&format!(" and slices.{column} in ")).list(values);
    }
    select.push("))");
}

pub(super) fn read_file(row: &AnyRow) -> Option<LakeFile> {
    let kind = if row.get::<&str, _>(2) == "hot" { FileKind::Hot } else { FileKind::Settled };
    let rows = count(row, 6);
    let slice = match (row.get::<Option<&str>, _>(4), row.get::<Option<&str>, _>(5)) {
        (Some(account), Some(region)) => {
            vec![Slice { account: account_id(account), region: Region::read(region)?, rows }]
        }
        _ => Vec::new(),
    };
    Some(LakeFile {
        key: row.get(0),
        table: Table::from_source_name(row.get(1))?,
        kind,
        day: EventDay::read(&format!("{:08}", row.get::<i64, _>(3)))?,
        slices: slice,
        rows,
        bytes: count(row, 7),
        time_min: row.get(8),
        time_max: row.get(9),
    })
}

fn read_slice(row: &AnyRow, first: usize) -> Option<Slice> {
    Some(Slice {
        account: account_id(row.get(first)),
        region: Region::read(row.get(first + 1))?,
        rows: count(row, first + 2),
    })
}

fn account_id(text: &str) -> AccountId {
    AccountId::read(text).unwrap_or(AccountId::EXTERNAL)
}

/// Makes files visible. False when one that must be planned is so no longer: nothing may be committed then.
pub(super) async fn insert_visible(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    files: &[LakeFile],
    (writer, now): (Writer, Timestamp),
) -> Result<bool, sqlx::Error> {
    let planned: Vec<&LakeFile> = files.iter().filter(|file| writer.plans(file)).collect();
    for files in planned.chunks(ROWS_AT_ONCE) {
        // They were planned under these names before they were written, unless a sweep took them for dead since.
        let mut delete = Statement::new("delete from files where state = 'planned' and file_key in ");
        delete.list(&files.iter().map(|file| file.key.clone()).collect::<Vec<_>>());
        if delete.execute(transaction).await?.rows_affected() != files.len() as u64 {
            return Ok(false);
        }
    }
    insert_files(transaction, batch, files, (writer, "visible", now)).await?;
    let hot = files.iter().filter(|file| file.kind == FileKind::Hot);
    let slices: Vec<(&str, &Slice)> =
        hot.flat_map(|file| file.slices.iter().map(|slice| (file.key.as_str(), slice))).collect();
    for slices in slices.chunks(ROWS_AT_ONCE) {
        let mut insert = Statement::new("insert into slices (file_key, account, region, row_count) ");
        insert.rows(slices, |row, (key, slice)| {
            row.text(key)
                .and(slice.account.to_string())
                .and(slice.region.to_string())
                .and(to_sql(slice.rows));
        });
        insert.execute(transaction).await?;
    }
    Ok(true)
}

async fn insert_files(
    transaction: &mut Transaction<'_, Any>,
    batch: &BatchId,
    files: &[LakeFile],
    (writer, state, now): (Writer, &'static str, Timestamp),
) -> Result<(), sqlx::Error> {
    for files in files.chunks(ROWS_AT_ONCE) {
        let mut insert =
            Statement::new(format!("insert into files ({COLUMNS}, state, batch, changed_at, merged) "));
        insert.rows(files, |row, file| {
            let partition = file.slices.first().filter(|_| file.kind == FileKind::Settled);
            row.text(&file.key)
                .and(file.table.source_name().to_owned())
                .and(file.kind.word().to_owned())
                .and(i64::from(file.day.number()))
                .and(partition.map(|slice| slice.account.to_string()))
                .and(partition.map(|slice| slice.region.to_string()))
                .and(to_sql(file.rows))
                .and(to_sql(file.bytes))
                .and(file.time_min)
                .and(file.time_max)
                .and(state.to_owned())
                .and(batch.0.clone())
                .and(now.as_millisecond())
                .and(i64::from(writer == Writer::Merge));
        });
        insert.execute(transaction).await?;
    }
    Ok(())
}

/// Hides files; false when one of them is hidden already.
async fn retire(
    transaction: &mut Transaction<'_, Any>,
    keys: &[&String],
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    for keys in keys.chunks(ROWS_AT_ONCE) {
        let keys: Vec<String> = keys.iter().map(|key| (*key).clone()).collect();
        let mut update = Statement::new("update files set state = 'retired', changed_at = ");
        update.number(now.as_millisecond()).push(" where state = 'visible' and file_key in ");
        update.list(&keys);
        if update.execute(transaction).await?.rows_affected() != keys.len() as u64 {
            return Ok(false);
        }
        count_for_no_longer(transaction, &keys).await?;
    }
    Ok(true)
}
