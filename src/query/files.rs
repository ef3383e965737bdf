//! The files of one table that a scan opens, and what DataFusion is told of them.
//!
//! Takes files as the catalog knows them and gives the scan of their rows. Promises: rows and times are told as the
//! catalog has them, so that a file is skipped only where none of its rows can pass.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit as physical_lit};
use datafusion::physical_plan::ExecutionPlan;

use super::long_scan::LongScan;
use super::scan::{PART, partitions, scan_config};
use super::shared::{Scans, Times};
use crate::lake::catalog::LakeFile;
use crate::lake::table::Table;

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
            statistics(file_schema(file.table), (file.rows, file.bytes), (file.time_min, file.time_max));
        let mut described = PartitionedFile::new(file.key.clone(), file.bytes)
            .with_partition_values(vec![ScalarValue::from(self.part)]);
        // Of the columns in the file only: DataFusion adds those of the partition.
        described.statistics = Some(Arc::new(known));
        described
    }
}

/// Files of a scan that DataFusion holds all at once, at most.
const AT_ONCE_MAX: usize = 1000;

/// The schema of a table's files.
pub(super) fn file_schema(table: Table) -> &'static SchemaRef {
    &table.schema().arrow
}

/// The column of the file's number.
pub(super) fn part() -> FieldRef {
    Arc::new(Field::new(PART, DataType::Int32, true))
}

/// The scan of a table's files, or of the pages of them in which rows of `times` can be.
pub(super) fn scan(
    context: (&dyn Session, &Arc<Scans>),
    table: Table,
    files: Vec<Chosen>,
    (bases, limit, times): (Vec<usize>, Option<usize>, Option<Times>),
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = file_schema(table);
    let whole = TableSchema::builder(Arc::clone(schema)).with_table_partition_cols(vec![part()]).build();
    let statistics = total_statistics(whole.table_schema(), &files);
    let mut source = ParquetSource::new(whole);
    if let Some(times) = times {
        source = source.with_predicate(within(times, schema)?);
    }
    let what = (bases, limit, Some(statistics));
    if files.len() <= AT_ONCE_MAX {
        let files = files.iter().map(Chosen::described).collect();
        return Ok(DataSourceExec::from_data_source(scan_config(context, source, files, what)?));
    }
    let config = scan_config(context, source, Vec::new(), what)?;
    let largest = files.iter().map(|chosen| chosen.file.bytes).max().unwrap_or_default();
    let partitions = partitions(context, largest);
    Ok(DataSourceExec::from_data_source(LongScan::new(files, config, partitions)))
}

/// `time >= first and time <= last`.
fn within((first, last): Times, schema: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
    let time = || -> Result<Arc<dyn PhysicalExpr>> { Ok(Arc::new(Column::new_with_schema("time", schema)?)) };
    let compared = |operator, value: i64| -> Result<Arc<dyn PhysicalExpr>> {
        Ok(Arc::new(BinaryExpr::new(time()?, operator, physical_lit(value))))
    };
    let (after, before) = (compared(Operator::GtEq, first)?, compared(Operator::LtEq, last)?);
    Ok(Arc::new(BinaryExpr::new(after, Operator::And, before)))
}

fn total_statistics(schema: &Schema, files: &[Chosen]) -> Statistics {
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
