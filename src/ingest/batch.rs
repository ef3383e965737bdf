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
use super::source::cloudtrail::normalize::{Origin, Scratch, fill_constants};
use super::source::cloudtrail::record::{Field, RawRecord};
use super::source::cloudtrail::{Records, normalize};
use crate::lake::catalog::Slice;
use crate::lake::path::{EventDay, Partition};
use crate::lake::table::Table;
use crate::ocsf::columns::Columns;

/// The rows of one table and day.
#[derive(Debug)]
pub struct ClassBatch {
    /// The table.
    pub table: Table,
    /// The day.
    pub day: EventDay,
    /// The rows.
    pub rows: RecordBatch,
    /// Accounts and Regions in the order of the rows.
    pub slices: Vec<Slice>,
    /// The oldest event, epoch milliseconds.
    pub time_min: i64,
    /// The newest event, epoch milliseconds.
    pub time_max: i64,
}

impl ClassBatch {
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
        (self.rows.num_rows() >= SETTLED_ROWS_MIN).then_some(partition)
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

impl Builders {
    /// Builds the batches of a segment. `objects` names the objects by their numbers, as evidence does.
    ///
    /// # Errors
    /// A mistake of ours; no record can cause it.
    pub fn build(&mut self, segment: &Segment, objects: &[String]) -> Result<Built, BatchError> {
        let text = segment.text()?;
        let records = &segment.records;
        let mut built = Built::default();
        let order = leave_out_duplicates(&order(records), (records, text), &mut built.duplicates);
        for group in order.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let mut small = Vec::new();
            for partition in group.chunk_by(|a, b| (a.2, a.3) == (b.2, b.3)) {
                if partition.len() >= SETTLED_ROWS_MIN {
                    built.batches.extend(self.rows(partition.iter(), (records, text), objects)?);
                } else {
                    small.push(partition);
                }
            }
            built.batches.extend(self.rows(small.into_iter().flatten(), (records, text), objects)?);
        }
        Ok(built)
    }

    /// Builds one batch of rows of one table and day; `None` when there are none.
    fn rows<'k>(
        &mut self,
        mut keys: impl Iterator<Item = &'k SortKey>,
        (records, text): (&Records, &str),
        objects: &[String],
    ) -> Result<Option<ClassBatch>, BatchError> {
        let Some(first) = keys.next() else { return Ok(None) };
        let (table, day) = (first.0, first.1);
        let columns = self.columns.entry(table).or_insert_with(|| Columns::new(table.schema()));
        let mut span = Slices::default();
        for key in std::iter::once(first).chain(keys) {
            let Some(record) = records.records.get(key.5 as usize) else {
                continue;
            };
            let object = objects.get(record.object as usize).map(String::as_str).unwrap_or_default();
            normalize(record, records, Origin { text, object }, columns, &mut self.scratch);
            span.add(record, records);
        }
        fill_constants(table.class(), columns);
        let rows = columns.finish().map_err(|source| BatchError::Columns { table, source })?;
        let Slices { slices, time_min, time_max } = span;
        Ok(Some(ClassBatch { table, day, rows, slices, time_min, time_max }))
    }
}

/// Leaves out keys of records whose event id another one has at the same place and time.
fn leave_out_duplicates(
    order: &[SortKey],
    (records, text): (&Records, &str),
    duplicates: &mut BTreeMap<u32, u64>,
) -> Vec<SortKey> {
    let mut kept: Vec<SortKey> = Vec::with_capacity(order.len());
    let id = |key: &SortKey| {
        let record = records.records.get(key.5 as usize)?;
        record.field(Field::EventId).or(record.other_id).map(|id| id.of(text))
    };
    for group in order.chunk_by(|a, b| (a.0, a.1, a.2, a.3, a.4) == (b.0, b.1, b.2, b.3, b.4)) {
        let first = kept.len();
        // Most events have their second for themselves or share it with a few; a set is for crowds.
        let mut seen = if group.len() > CROWD { Some(HashSet::with_capacity(group.len())) } else { None };
        for key in group {
            let here = id(key);
            let is_duplicate = here.is_some_and(|here| match &mut seen {
                Some(seen) => !seen.insert(here),
                None => kept.iter().skip(first).any(|other| id(other) == Some(here)),
            });
            if !is_duplicate {
                kept.push(*key);
            } else if let Some(record) = records.records.get(key.5 as usize) {
                *duplicates.entry(record.object).or_default() += 1;
            }
        }
    }
    kept
}

fn order(records: &Records) -> Vec<SortKey> {
    let ranks = region_ranks(records);
    let mut order: Vec<SortKey> = Vec::with_capacity(records.records.len());
    for (number, record) in records.records.iter().enumerate() {
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

/// Regions sort by name, whatever number they were met with.
fn region_ranks(records: &Records) -> Vec<u32> {
    let mut by_name: Vec<usize> = (0..records.regions.len()).collect();
    by_name.sort_by_key(|number| records.regions.get(*number));
    let mut ranks = vec![0; by_name.len()];
    for (rank, number) in (0_u32..).zip(by_name) {
        if let Some(slot) = ranks.get_mut(number) {
            *slot = rank;
        }
    }
    ranks
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
    fn add(&mut self, record: &RawRecord, records: &Records) {
        self.time_min = self.time_min.min(record.time);
        self.time_max = self.time_max.max(record.time);
        let Some(region) = records.regions.get(record.region as usize) else {
            return;
        };
        match self.slices.last_mut() {
            Some(slice) if slice.account == record.account && slice.region == *region => slice.rows += 1,
            _ => self.slices.push(Slice { account: record.account, region: region.clone(), rows: 1 }),
        }
    }
}
