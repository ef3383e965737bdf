//! The files that a scan opens, and what DataFusion is told of them: rows and times as the catalog has them, so that a file
//! is skipped only where none of its rows can pass.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;

use super::scan::PART;
use super::shared::Times;
use crate::lake::catalog::LakeFile;

/// A file that a scan opens.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) file: LakeFile,
    pub(super) part: i32,
    /// When the rows lie that can pass; `None` is not known.
    pub(super) times: Option<Times>,
}

/// Rows of a file of which reading pages alone is worth a scan: two pages.
const NARROW_ROWS_MIN: u64 = 16 * 1024;

impl Chosen {
    /// Says whether the rows that can pass lie in some of its pages.
    pub(super) fn is_narrow(&self) -> bool {
        self.file.rows >= NARROW_ROWS_MIN
            && self.times.is_some_and(|(first, last)| first > self.file.time_min || last < self.file.time_max)
    }

    /// The file as DataFusion takes it.
    pub(super) fn described(&self) -> PartitionedFile {
        let file = &self.file;
        let known =
            statistics(&file.table.schema().arrow, (file.rows, file.bytes), (file.time_min, file.time_max));
        let mut described = PartitionedFile::new(file.key.clone(), file.bytes)
            .with_partition_values(vec![ScalarValue::from(self.part)]);
        // Of the columns in the file only: DataFusion adds those of the partition.
        described.statistics = Some(Arc::new(known));
        described
    }
}

/// The column of the file's number.
pub(super) fn part() -> FieldRef {
    Arc::new(Field::new(PART, DataType::Int32, true))
}

/// What the catalog knows of files together.
pub(super) fn total_statistics(schema: &Schema, files: &[Chosen]) -> Statistics {
    let files = || files.iter().map(|chosen| &chosen.file);
    let rows = files().map(|file| file.rows).sum();
    let bytes = files().map(|file| file.bytes).sum();
    let first = files().map(|file| file.time_min).min();
    let last = files().map(|file| file.time_max).max();
    statistics(schema, (rows, bytes), (first.unwrap_or(i64::MIN), last.unwrap_or(i64::MAX)))
}

fn statistics(schema: &Schema, (rows, bytes): (u64, u64), (first, last): (i64, i64)) -> Statistics {
    let count = |number| usize::try_from(number).map_or(Precision::Absent, Precision::Exact);
    let columns = schema.fields().iter().map(|field| {
        let value = |time| match field.name().as_str() {
            "time" => Precision::Exact(ScalarValue::Int64(Some(time))),
            "time_dt" => Precision::Exact(ScalarValue::TimestampMillisecond(Some(time), Some("UTC".into()))),
            _ => Precision::Absent,
        };
        ColumnStatistics {
            min_value: value(first),
            max_value: value(last),
            ..ColumnStatistics::new_unknown()
        }
    });
    Statistics {
        num_rows: count(rows),
        // What is on the disk is smaller than what will be in memory.
        total_byte_size: count(bytes).to_inexact(),
        column_statistics: columns.collect(),
    }
}
