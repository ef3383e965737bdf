//! Turns a segment's records into the columns of their tables.
//!
//! Takes a full [`Segment`] and gives one record batch per table and event day,
//! rows ordered by account, Region and time, as settling wants to merge them.
//! The order is found on the records, before any column is filled: sorting
//! columns afterwards would copy every value once more.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::segment::Segment;
use super::source::cloudtrail::normalize::{Origin, Scratch, fill_constants};
use super::source::cloudtrail::record::RawRecord;
use super::source::cloudtrail::{Records, normalize};
use crate::lake::catalog::Slice;
use crate::lake::path::EventDay;
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

/// Where a row belongs: table, day, then what rows are sorted by.
type SortKey = (Table, EventDay, u64, u32, i64, u32);

/// The columns of each table, which keep their size from batch to batch.
#[derive(Debug, Default)]
pub struct Builders {
    columns: BTreeMap<Table, Columns>,
    scratch: Scratch,
}

impl Builders {
    /// Builds the batches of a segment. `objects` names the objects by their numbers, as evidence does.
    ///
    /// # Errors
    /// A mistake of ours; no record can cause it.
    pub fn build(&mut self, segment: &Segment, objects: &[String]) -> Result<Vec<ClassBatch>, BatchError> {
        let text = segment.text()?;
        let records = &segment.records;
        let mut batches = Vec::new();
        for group in order(records).chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let Some((table, day)) = group.first().map(|key| (key.0, key.1)) else {
                continue;
            };
            let columns = self
                .columns
                .entry(table)
                .or_insert_with(|| Columns::new(table.schema()));
            let mut span = Slices::default();
            for key in group {
                let Some(record) = records.records.get(key.5 as usize) else {
                    continue;
                };
                let object = objects
                    .get(record.object as usize)
                    .map(String::as_str)
                    .unwrap_or_default();
                normalize(
                    record,
                    records,
                    Origin { text, object },
                    columns,
                    &mut self.scratch,
                );
                span.add(record, records);
            }
            fill_constants(table.class(), columns);
            let rows = columns
                .finish()
                .map_err(|source| BatchError::Columns { table, source })?;
            let Slices {
                slices,
                time_min,
                time_max,
            } = span;
            batches.push(ClassBatch {
                table,
                day,
                rows,
                slices,
                time_min,
                time_max,
            });
        }
        Ok(batches)
    }
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
        order.push((
            record.table,
            day,
            record.account.ordinal(),
            region,
            record.time,
            number,
        ));
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
        Self {
            slices: Vec::new(),
            time_min: i64::MAX,
            time_max: i64::MIN,
        }
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
            _ => self.slices.push(Slice {
                account: record.account,
                region: region.clone(),
                rows: 1,
            }),
        }
    }
}
