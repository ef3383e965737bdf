//! The scan of files of the lake, whichever table they are of.
//!
//! Takes files and the columns that are wanted; DataFusion's physical filter pushdown gives a scan its predicate.

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfig, FileScanConfigBuilder, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;

use super::error::QueryError;
use super::reader::{STORE_URL, reading};
use super::shared::Scans;
use crate::lake::catalog::CatalogError;

/// The number of a file that was named, as a column of its rows.
pub(super) const PART: &str = "part";

pub(super) fn catalog_failed(table: &'static str, source: CatalogError) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::Catalog { table, source }))
}

/// The scan of derived files. DataFusion's physical filter pushdown gives it the predicate.
pub(super) fn scan_derived(
    (state, counts): (&dyn Session, &Arc<Scans>),
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    columns: Vec<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let mut options = TableParquetOptions::default();
    // What a filter has read is kept by whole batches: of a needle in one page, it would read and decode four.
    options.global.max_predicate_cache_size = Some(0);
    let source = ParquetSource::new(schema).with_table_parquet_options(options);
    let groups = divided((state, counts), files);
    let config = scan_config((state, counts), source, groups, (columns, None, None))?;
    Ok(DataSourceExec::from_data_source(config))
}

/// Bytes of files that are read together, at most: a partition holds what it reads of one row group.
const TOGETHER_BYTES_MAX: u64 = 256 << 20;

/// In how many partitions files are read: as many as there are cores, or as their store takes requests, while files are
/// small.
pub(super) fn partitions((state, counts): (&dyn Session, &Arc<Scans>), largest_bytes: u64) -> usize {
    let fitting = usize::try_from(TOGETHER_BYTES_MAX / largest_bytes.max(1)).unwrap_or(usize::MAX);
    counts.requests.min(fitting).max(state.config().target_partitions())
}

/// The files of each partition. Of few files, parts of them: of nine files, eight partitions would get two each or none.
pub(super) fn divided(context: (&dyn Session, &Arc<Scans>), files: Vec<PartitionedFile>) -> Vec<FileGroup> {
    let largest = files.iter().map(|file| file.object_meta.size).max().unwrap_or_default();
    let partitions = partitions(context, largest);
    let is_few = files.len() < 4 * partitions;
    let groups = FileGroup::new(files).split_files(partitions);
    let parts = FileGroupPartitioner::new().with_target_partitions(partitions);
    is_few.then(|| parts.repartition_file_groups(&groups)).flatten().unwrap_or(groups)
}

/// The same before it is a plan, of a source that may have a predicate already.
pub(super) fn scan_config(
    (state, counts): (&dyn Session, &Arc<Scans>),
    source: ParquetSource,
    groups: Vec<FileGroup>,
    (columns, limit, statistics): (Vec<usize>, Option<usize>, Option<Statistics>),
) -> Result<FileScanConfig> {
    let source = reading(source, state, counts)?;
    let mut config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
        .with_file_groups(groups)
        .with_projection_indices(Some(columns))?
        .with_limit(limit);
    if let Some(statistics) = statistics {
        config = config.with_statistics(statistics);
    }
    Ok(config.build())
}
