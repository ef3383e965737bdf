//! Brings hot files into the Security Lake layout.
//!
//! Takes the visible files of one table and day, merges them by account, Region
//! and time, leaves out rows whose event id was there already, and shows the new
//! files and hides the old ones in one transaction. Promises:
//! - a query sees each row once, before, during and after;
//! - a name under `ext/` is in the catalog before the file is in the store, so that
//!   a crash leaves nothing that Athena would count twice once the next run has swept;
//! - two runs at once do the work twice and commit it once; the one that comes second deletes what it wrote;
//! - memory is bounded by [`SettleLimits`].
//!
//! A past day's partition ends as one file (several when it is large); today's gets
//! one more with every run, and they are merged when the day is over.

mod input;
mod keep;
mod merge;
mod plan;
mod sweep;

pub use keep::keep_settled;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use object_store::PutPayload;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::catalog::{BatchId, Catalog, CatalogError, FileFilter, FileKind, LakeFile, Settling};
use super::path::EventDay;
use super::store::Lake;
use super::table::Table;
use input::{Input, Spool};
use merge::Merged;
use plan::{Job, Round};

use crate::cpu;

/// Bounds of settling.
#[derive(Debug, Clone)]
pub struct SettleLimits {
    /// Hot files merged at once, each with a page of every column in memory; more are folded into fewer hot ones
    /// first, so that a partition gets one file of them all.
    pub inputs_max: usize,
    /// Bytes of a round that may be in memory; of a bucket's files, what exceeds it is merged from the disk.
    pub input_bytes_max: u64,
    /// Where files of a bucket are put that exceed it together; the system's folder for such files by default.
    pub spill_folder: Option<PathBuf>,
    /// A settled file is cut at this size: its encoder holds it in memory.
    pub file_bytes_max: usize,
    /// Merges that run at the same time.
    pub jobs: usize,
    /// How long a hidden hot file stays for queries that still read it.
    pub hot_grace: Duration,
    /// How often workers settle; at zero they leave it to `ashiato settle`.
    pub every: Duration,
    /// How often workers derive what is not settled yet; at zero it is computed when it is asked for.
    pub derive_every: Duration,
    /// How old a file nobody knows, or a planned one, must be to be swept: longer than any batch lives.
    pub orphan_age: Duration,
}

impl Default for SettleLimits {
    fn default() -> Self {
        Self {
            inputs_max: 32,
            input_bytes_max: 128 << 20,
            spill_folder: None,
            file_bytes_max: 64 << 20,
            jobs: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            hot_grace: Duration::from_secs(600),
            every: Duration::from_secs(3600),
            derive_every: Duration::from_secs(300),
            orphan_age: Duration::from_secs(3600),
        }
    }
}

/// What a run of settling did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettleSummary {
    /// Files that were merged.
    pub files_in: u64,
    /// Files that came of it.
    pub files_out: u64,
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows left out, since their event id was there already.
    pub duplicates: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Files deleted from the store: replaced, or left behind by a crash.
    pub swept: u64,
}

/// Why settling stopped. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The catalog failed.
    #[error("settle: catalog")]
    Catalog(#[from] CatalogError),
    /// A file cannot be read from or written to the lake.
    #[error("settle: {what} {key}")]
    Store {
        /// Reading, writing or deleting.
        what: &'static str,
        /// The file.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// A file of the lake is broken, or cannot be encoded.
    #[error("settle: merge files of {table} on {day}")]
    Parquet {
        /// The table.
        table: Table,
        /// The day.
        day: EventDay,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// A merge did not find the rows that the catalog says are there; nothing was committed.
    #[error("settle: {table} on {day} has {expected} rows by the catalog, and the merge found {found}")]
    Rows {
        /// The table.
        table: Table,
        /// The day.
        day: EventDay,
        /// What the catalog says.
        expected: u64,
        /// What was there.
        found: u64,
    },
    /// The folder for files that do not fit into memory is full, or not there.
    #[error("settle: write to {folder}: give it room, or name another folder as settle.spill_folder")]
    Spill {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A part of the work ended without an answer.
    #[error("settle: a merge ended without an answer")]
    Lost,
}

/// Settles everything that is due: all hot files, and partitions of past days that have several files.
/// `told` is called after each table and day, and ends the run there when it breaks: what is left waits for the next.
///
/// # Errors
/// The first failure; everything else is settled all the same, unless it is the catalog that fails.
pub async fn settle(
    catalog: &Catalog,
    lake: &Lake,
    limits: &SettleLimits,
    clock: fn() -> Timestamp,
    mut told: impl FnMut(Table, EventDay, SettleSummary) -> ControlFlow<()>,
) -> Result<SettleSummary, SettleError> {
    let mut summary = SettleSummary {
        swept: sweep::sweep_dead(catalog, lake, limits, clock()).await?
            + sweep::sweep_left_behind(catalog, lake, limits, clock()).await?,
        ..SettleSummary::default()
    };
    let mut course = Course::default();
    let today = EventDay::of(clock().as_millisecond());
    // Each round takes what fits; a round that finds nothing ends it. Every round leaves fewer files.
    loop {
        let due = course.keep(catalog.due_files(today, &course.failed).await?);
        let mut rounds = plan::rounds(due, today, limits, |table, day| course.may_fold(table, day));
        rounds.retain(|round| !course.failed.contains(&(round.table, round.day)));
        if rounds.is_empty() {
            break;
        }
        for round in rounds {
            let (table, day) = (round.table, round.day);
            match settle_round(catalog, lake, round, limits, clock).await {
                Ok(Some(done)) => {
                    summary.add(done.summary);
                    course.folded(table, day, &done);
                    if told(table, day, done.summary).is_break() {
                        return Ok(summary);
                    }
                }
                // Another run may have settled these files first: the next look finds what is left.
                Ok(None) => {}
                Err(error @ SettleError::Catalog(_)) => return Err(error),
                // One broken file keeps no other day from being settled.
                Err(error) => {
                    course.failed.insert((table, day));
                    course.failure.get_or_insert(error);
                }
            }
        }
        // Athena counts rows twice until the files that were replaced are gone.
        summary.swept += sweep::sweep_dead(catalog, lake, limits, clock()).await?;
    }
    course.failure.map_or(Ok(summary), Err)
}

/// How a run goes on.
#[derive(Default)]
struct Course {
    /// The hot files it settles: those of its first look, and what it folds them into. Lanes write on while it
    /// runs, and a run that took all they write would never end.
    hot: Option<BTreeSet<String>>,
    /// Tables and days whose hot files folding did not make fewer.
    unfoldable: BTreeSet<(Table, EventDay)>,
    failed: BTreeSet<(Table, EventDay)>,
    failure: Option<SettleError>,
}

impl Course {
    fn keep(&mut self, mut due: Vec<LakeFile>) -> Vec<LakeFile> {
        let first = || due.iter().filter(|file| !file.is_settled()).map(|file| file.key.clone()).collect();
        let hot = self.hot.get_or_insert_with(first);
        due.retain(|file| file.is_settled() || hot.contains(&file.key));
        due
    }

    fn may_fold(&self, table: Table, day: EventDay) -> bool {
        !self.unfoldable.contains(&(table, day))
    }

    fn folded(&mut self, table: Table, day: EventDay, done: &Done) {
        if !done.hot.is_empty() && done.summary.files_out * 2 > done.summary.files_in {
            self.unfoldable.insert((table, day));
        }
        self.hot.get_or_insert_default().extend(done.hot.iter().cloned());
    }
}

/// What a round did.
struct Done {
    summary: SettleSummary,
    /// Hot files it folded others into.
    hot: Vec<String>,
}

impl SettleSummary {
    fn add(&mut self, other: Self) {
        self.files_in += other.files_in;
        self.files_out += other.files_out;
        self.rows_in += other.rows_in;
        self.rows_out += other.rows_out;
        self.duplicates += other.duplicates;
        self.bytes_out += other.bytes_out;
        self.swept += other.swept;
    }
}

/// Merges the files of one round and commits the result. `None` when another run did that first.
async fn settle_round(
    catalog: &Catalog,
    lake: &Lake,
    round: Round,
    limits: &SettleLimits,
    clock: fn() -> Timestamp,
) -> Result<Option<Done>, SettleError> {
    let batch = BatchId(uuid::Uuid::now_v7().simple().to_string());
    let Some(inputs) = read_inputs(catalog, lake, &round, limits).await? else {
        return Ok(None);
    };
    // One file is to come of many hot ones, not one a thread.
    let threads = if round.into == FileKind::Hot { 1 } else { limits.jobs };
    let jobs = plan::jobs(&inputs, threads);
    let mut settling = Settling {
        batch: batch.clone(),
        table: round.table,
        day: round.day,
        written: Vec::new(),
        replaced: round.files.iter().map(|file| file.key.clone()).collect(),
        rows_in: 0,
        rows_out: 0,
        duplicates: 0,
    };
    let (mut receiver, mut merging) = start_all(inputs, jobs, &round, limits, &batch);
    if let Err(error) = write_merged(catalog, lake, (&mut receiver, &mut merging), &mut settling, clock).await
    {
        // What was written is deleted, and swept once more when it is old: a write that was given up may still
        // come to its end in the store.
        for file in &settling.written {
            if let Err(left) = sweep::delete(lake, &file.key).await {
                tracing::warn!(
                    error = &left as &dyn std::error::Error,
                    "a file of a failed merge is swept later"
                );
            }
        }
        return Err(error);
    }
    let expected: u64 = round.files.iter().map(|file| file.rows).sum();
    if settling.rows_in != expected || settling.rows_out + settling.duplicates != expected {
        return Err(SettleError::Rows {
            table: round.table,
            day: round.day,
            expected,
            found: settling.rows_in,
        });
    }
    match catalog.commit_settling(&settling, clock()).await {
        Err(CatalogError::Fenced { .. }) => {
            take_back(catalog, lake, &settling.written).await?;
            return Ok(None);
        }
        committed => committed?,
    }
    let summary = SettleSummary {
        files_in: settling.replaced.len() as u64,
        files_out: settling.written.len() as u64,
        rows_in: settling.rows_in,
        rows_out: settling.rows_out,
        duplicates: settling.duplicates,
        bytes_out: settling.written.iter().map(|file| file.bytes).sum(),
        swept: 0,
    };
    let hot = settling.written.into_iter().filter(|file| !file.is_settled()).map(|file| file.key).collect();
    Ok(Some(Done { summary, hot }))
}

/// Writes what the merges of a round make, as it comes, and adds up their rows.
async fn write_merged(
    catalog: &Catalog,
    lake: &Lake,
    (receiver, merging): (&mut mpsc::Receiver<Merged>, &mut JoinSet<Result<merge::Counts, SettleError>>),
    settling: &mut Settling,
    clock: fn() -> Timestamp,
) -> Result<(), SettleError> {
    let mut fresh: Vec<Merged> = Vec::new();
    while receiver.recv_many(&mut fresh, 64).await > 0 {
        settling.written.extend(fresh.iter().map(|merged| merged.file.clone()));
        put_planned(catalog, lake, &settling.batch, &fresh, clock()).await?;
        fresh.clear();
    }
    while let Some(ended) = merging.join_next().await {
        let counts = ended.map_err(|_panic| SettleError::Lost)??;
        settling.rows_in += counts.rows_in;
        settling.rows_out += counts.rows_out;
        settling.duplicates += counts.duplicates;
    }
    Ok(())
}

/// Deletes files that were written and will never be shown: Athena would count their rows twice.
async fn take_back(catalog: &Catalog, lake: &Lake, written: &[LakeFile]) -> Result<(), SettleError> {
    for file in written {
        sweep::delete(lake, &file.key).await?;
        catalog.forget_file(&file.key).await?;
    }
    Ok(())
}

/// One job, ready for a thread.
struct Work {
    inputs: Arc<Vec<Input>>,
    job: Job,
    name: String,
    round: (Table, EventDay, FileKind),
    file_bytes_max: usize,
}

/// Starts the merges of a round.
fn start_all(
    inputs: Vec<Input>,
    jobs: Vec<Job>,
    round: &Round,
    limits: &SettleLimits,
    batch: &BatchId,
) -> (mpsc::Receiver<Merged>, JoinSet<Result<merge::Counts, SettleError>>) {
    let (sender, receiver) = mpsc::channel(4);
    let (mut merging, inputs) = (JoinSet::new(), Arc::new(inputs));
    for (number, job) in jobs.into_iter().enumerate() {
        let work = Work {
            inputs: Arc::clone(&inputs),
            job,
            name: format!("{batch}-{number}"),
            round: (round.table, round.day, round.into),
            file_bytes_max: limits.file_bytes_max,
        };
        start(&mut merging, work, sender.clone());
    }
    (receiver, merging)
}

fn start(
    merging: &mut JoinSet<Result<merge::Counts, SettleError>>,
    work: Work,
    sender: mpsc::Sender<Merged>,
) {
    let merge = move || {
        let Work { inputs, job, name, round: (table, day, into), file_bytes_max } = work;
        let merge = merge::Merge { table, day, inputs: &inputs, name: &name, file_bytes_max, into };
        // Nobody receives when the round was given up: the rest of the merge is for nothing.
        let merged = merge.run(&job.partitions, |file| sender.blocking_send(file).is_ok());
        merged.map_err(|source| SettleError::Parquet { table, day, source })
    };
    merging.spawn(async { cpu::merge(merge).await.ok_or(SettleError::Lost)? });
}

/// Reads the files of a round; `None` when another run has replaced and deleted some of them.
async fn read_inputs(
    catalog: &Catalog,
    lake: &Lake,
    round: &Round,
    limits: &SettleLimits,
) -> Result<Option<Vec<Input>>, SettleError> {
    let spool = Spool::of(&round.files, limits);
    let read: Result<Vec<_>, _> = futures::stream::iter(&round.files)
        .map(|file| input::read(catalog, lake, &spool, file))
        .buffered(8)
        .try_collect()
        .await;
    let is_gone = |error: &SettleError| {
        let SettleError::Store { source, .. } = error else {
            return false;
        };
        matches!(source, object_store::Error::NotFound { .. })
    };
    match read {
        Err(error) if is_gone(&error) && !is_visible(catalog, round).await? => Ok(None),
        read => read.map(Some),
    }
}

/// Says whether all files of a round can still be seen.
async fn is_visible(catalog: &Catalog, round: &Round) -> Result<bool, SettleError> {
    let filter =
        FileFilter { table: Some(round.table), days: Some((round.day, round.day)), ..FileFilter::default() };
    let visible = catalog.visible_files(&filter).await?;
    let is_seen = |file: &LakeFile| visible.iter().any(|other| other.key == file.key);
    Ok(round.files.iter().all(is_seen))
}

/// Records the names of files, then writes them.
async fn put_planned(
    catalog: &Catalog,
    lake: &Lake,
    batch: &BatchId,
    merged: &[Merged],
    now: Timestamp,
) -> Result<(), SettleError> {
    let files: Vec<LakeFile> = merged.iter().map(|merged| merged.file.clone()).collect();
    catalog.plan_files(batch, &files, now).await?;
    futures::stream::iter(merged)
        .map(|Merged { file, bytes }| async move {
            let put = lake.put(&file.key, PutPayload::from(bytes.clone())).await;
            put.map_err(|source| SettleError::Store { what: "write", key: file.key.clone(), source })
        })
        .buffer_unordered(4)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lake::path::hot_key;

    #[test]
    fn a_run_leaves_what_is_written_while_it_runs_to_the_next() {
        let day = EventDay::read("20260101").unwrap();
        let hot = |name: &str| LakeFile {
            key: hot_key(Table::ApiActivity, day, name),
            table: Table::ApiActivity,
            kind: FileKind::Hot,
            day,
            slices: Vec::new(),
            rows: 1,
            bytes: 1,
            time_min: 0,
            time_max: 0,
        };
        let mut course = Course::default();
        assert_eq!(course.keep(vec![hot("a"), hot("b")]).len(), 2);
        let done = Done {
            summary: SettleSummary { files_in: 2, files_out: 1, ..SettleSummary::default() },
            hot: vec![hot("ab").key],
        };
        course.folded(Table::ApiActivity, day, &done);
        assert_eq!(course.keep(vec![hot("ab"), hot("c")]), [hot("ab")], "c came while it ran");
        assert!(course.may_fold(Table::ApiActivity, day));
        let useless = SettleSummary { files_in: 2, files_out: 2, ..SettleSummary::default() };
        course.folded(Table::ApiActivity, day, &Done { summary: useless, hot: done.hot });
        assert!(!course.may_fold(Table::ApiActivity, day));
    }
}
