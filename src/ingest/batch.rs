//! Turns a segment's records into the columns of their tables.
//!
//! Takes a full [`Segment`] and gives one record batch per table and event day,
//! rows ordered by account, Region and time, as settling wants to merge them; a
//! partition that is large by itself gets a batch of its own and settles at once.
//! Rows whose event id is there already are left out and counted. The order is
//! found on the records, before any column is filled: sorting columns afterwards
//! would copy every value once more.

use std::collections::{BTreeMap, HashSet};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::segment::Segment;
use super::source::normalize::{Scratch, fill_constants, normalize};
use super::source::record::{Origin, RecordHead, Records};
use crate::lake::catalog::Slice;
use crate::lake::path::{EventDay, Partition};
use crate::lake::table::Table;
use crate::ocsf::columns::Columns;

/// Rows of one table and day, in order; [`Builders::rows`] makes their columns.
#[derive(Debug)]
pub struct ClassBatch {
    /// The table.
    pub table: Table,
    /// The day.
    pub day: EventDay,
    keys: Vec<SortKey>,
    /// Accounts and Regions in the order of the rows.
    pub slices: Vec<Slice>,
    /// The oldest event, epoch milliseconds.
    pub time_min: i64,
    /// The newest event, epoch milliseconds.
    pub time_max: i64,
}

impl ClassBatch {
    /// Returns how many rows it has.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Says whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the partition, when all rows are of one and it is large enough to be a settled file.
    pub fn settled(&self) -> Option<Partition> {
        let [slice] = self.slices.as_slice() else {
            return None;
        };
        let partition = Partition {
            table: self.table,
            day: self.day,
            account: slice.account,
            region: slice.region.clone(),
        };
        (self.keys.len() >= SETTLED_ROWS_MIN).then_some(partition)
    }
}

/// Why a segment cannot become columns: mistakes of ours, not of the data.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Text that was checked is no UTF-8.
    #[error("segment text")]
    Text(#[from] std::str::Utf8Error),
    /// Columns do not fit each other.
    #[error("columns of {table}")]
    Columns {
        /// The table.
        table: Table,
        /// What Arrow says.
        #[source]
        source: ArrowError,
    },
}

/// A partition with this many rows in one segment is a file of half a megabyte or more: it goes straight into the
/// Security Lake layout.
const SETTLED_ROWS_MIN: usize = 8192;

/// Rows whose columns are made at once: about three megabytes.
const ROWS_AT_ONCE: usize = 2048;

/// Events at one place and time above which their ids are looked up in a set.
const CROWD: usize = 16;

/// Where a row belongs: table, day, then what rows are sorted by.
type SortKey = (Table, EventDay, u64, u32, i64, u32);

/// The columns of each table, which keep their size from batch to batch.
#[derive(Debug, Default)]
pub struct Builders {
    columns: BTreeMap<Table, Columns>,
    scratch: Scratch,
}

/// What came of a segment.
#[derive(Debug, Default)]
pub struct Built {
    /// The batches.
    pub batches: Vec<ClassBatch>,
    /// Of each object, by its number, how many rows were left out as duplicates.
    pub duplicates: BTreeMap<u32, u64>,
}

/// A segment whose columns are being made, and the names of its objects by their numbers, as evidence has them.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    records: &'a Records,
    text: &'a str,
    objects: &'a [String],
}

impl<'a> Source<'a> {
    /// Returns the source of a full segment.
    ///
    /// # Errors
    /// Its text is no UTF-8: a mistake of ours.
    pub fn new(segment: &'a Segment, objects: &'a [String]) -> Result<Self, BatchError> {
        Ok(Self { records: &segment.records, text: segment.text()?, objects })
    }
}

/// Decides which rows go into which batch, in which order.
pub fn plan(source: Source<'_>) -> Built {
    let mut built = Built::default();
    let order = leave_out_duplicates(&order(source.records), source, &mut built.duplicates);
    for group in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let mut small = Vec::new();
        for partition in group.chunk_by(|a, b| (a.2, a.3) == (b.2, b.3)) {
            if partition.len() >= SETTLED_ROWS_MIN {
                built.batches.extend(class_batch(partition.to_vec(), source.records));
            } else {
                small.extend_from_slice(partition);
            }
        }
        built.batches.extend(class_batch(small, source.records));
    }
    built
}

/// `None` when there are no rows.
fn class_batch(keys: Vec<SortKey>, records: &Records) -> Option<ClassBatch> {
    let (table, day) = keys.first().map(|key| (key.0, key.1))?;
    let mut span = Slices::default();
    for record in keys.iter().filter_map(|key| records.heads.get(key.5 as usize)) {
        span.add(record, records);
    }
    let Slices { slices, time_min, time_max } = span;
    Some(ClassBatch { table, day, keys, slices, time_min, time_max })
}

impl Builders {
    /// Makes the columns of a batch, some rows at a time, so that they stay in the processor's cache until they
    /// are encoded: of a whole segment they would not.
    ///
    /// # Errors
    /// A mistake of ours; no record can cause it.
    pub fn rows<'b>(
        &'b mut self,
        batch: &'b ClassBatch,
        source: Source<'b>,
    ) -> impl Iterator<Item = Result<RecordBatch, BatchError>> + 'b {
        let table = batch.table;
        let head = move |key: &SortKey| source.records.heads.get(key.5 as usize);
        let source_of = move |key: &SortKey| head(key).map(|head| head.source);
        // Rows of one source at a time: sources differ in what is the same in all their rows.
        let runs = batch.keys.chunk_by(move |a, b| source_of(a) == source_of(b));
        runs.flat_map(|run| run.chunks(ROWS_AT_ONCE)).map(move |keys| {
            let columns = self.columns.entry(table).or_insert_with(|| Columns::new(table.schema()));
            for record in keys.iter().filter_map(head) {
                let object =
                    source.objects.get(record.object as usize).map(String::as_str).unwrap_or_default();
                let origin = Origin { text: source.text, object };
                normalize(record, source.records, origin, columns, &mut self.scratch);
            }
            if let Some(log_source) = keys.first().and_then(source_of) {
                fill_constants(log_source, table, columns);
            }
            columns.finish().map_err(|source| BatchError::Columns { table, source })
        })
    }
}

/// Leaves out keys of records whose event id another one has at the same place and time.
fn leave_out_duplicates(
    order: &[SortKey],
    Source { records, text, .. }: Source<'_>,
    duplicates: &mut BTreeMap<u32, u64>,
) -> Vec<SortKey> {
    let mut kept: Vec<SortKey> = Vec::with_capacity(order.len());
    let id = |key: &SortKey| records.event_id(records.heads.get(key.5 as usize)?, text);
    for group in order.chunk_by(|a, b| (a.0, a.1, a.2, a.3, a.4) == (b.0, b.1, b.2, b.3, b.4)) {
        let first = kept.len();
        // Most events have their second for themselves or share it with a few; a set is for crowds.
        let mut seen = if group.len() > CROWD && group.first().and_then(id).is_some() {
            Some(HashSet::with_capacity(group.len()))
        } else {
            None
        };
        for key in group {
            let here = id(key);
            let is_duplicate = here.is_some_and(|here| match &mut seen {
                Some(seen) => !seen.insert(here),
                None => kept.iter().skip(first).any(|other| id(other) == Some(here)),
            });
            if !is_duplicate {
                kept.push(*key);
            } else if let Some(record) = records.heads.get(key.5 as usize) {
                *duplicates.entry(record.object).or_default() += 1;
            }
        }
    }
    kept
}

fn order(records: &Records) -> Vec<SortKey> {
    let ranks = records.regions.ranks();
    let mut order: Vec<SortKey> = Vec::with_capacity(records.heads.len());
    for (number, record) in records.heads.iter().enumerate() {
        let Some(day) = EventDay::of(record.time) else {
            continue;
        };
        let region = ranks.get(record.region as usize).copied().unwrap_or(0);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        order.push((record.table, day, record.account.ordinal(), region, record.time, number));
    }
    order.sort_unstable();
    order
}

/// Sums up accounts, Regions and times of rows in order.
#[derive(Debug)]
struct Slices {
    slices: Vec<Slice>,
    time_min: i64,
    time_max: i64,
}

impl Default for Slices {
    fn default() -> Self {
        Self { slices: Vec::new(), time_min: i64::MAX, time_max: i64::MIN }
    }
}

impl Slices {
    fn add(&mut self, record: &RecordHead, records: &Records) {
        self.time_min = self.time_min.min(record.time);
        self.time_max = self.time_max.max(record.time);
        let Some(region) = records.regions.get(record.region) else {
            return;
        };
        match self.slices.last_mut() {
            Some(slice) if slice.account == record.account && slice.region == *region => slice.rows += 1,
            _ => self.slices.push(Slice { account: record.account, region: region.clone(), rows: 1 }),
        }
    }
}
