//! The scan of files of the lake, whichever table they are of, and what scans count.
//!
//! Takes files and the columns that are wanted; DataFusion's physical filter pushdown gives a scan its predicate.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::Session;
use datafusion::common::{DataFusionError, Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use tokio::sync::OnceCell;

use super::derived::lookup::Found;
use super::error::QueryError;
use super::reader::reading;
use crate::lake::catalog::CatalogError;

/// How DataFusion names the store of the lake.
pub(super) const STORE_URL: &str = "ashiato://lake/";

/// What the scans of one query share: what they counted, and what was looked up for them.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// A view of several tables asks the same of each.
    lookups: Mutex<HashMap<String, Arc<OnceCell<Option<Vec<Found>>>>>>,
    visible: AtomicU64,
    visible_bytes: AtomicU64,
    opened: AtomicU64,
    read: AtomicU64,
}

impl Scans {
    /// Adds files that were visible, and those of them that the filters left.
    pub(super) fn add(&self, (visible, bytes): (u64, u64), opened: usize) {
        self.visible.fetch_add(visible, Ordering::Relaxed);
        self.visible_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.opened.fetch_add(u64::try_from(opened).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the place of what is looked up under a name.
    pub(super) fn lookup(&self, name: String) -> Arc<OnceCell<Option<Vec<Found>>>> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lookups.entry(name).or_default())
    }

    /// Adds bytes that came from the store.
    pub(super) fn add_read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes came from the store.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Starts anew, for the second try of a query; what was read for the first one stays read.
    pub(super) fn reset(&self) {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for count in [&self.visible, &self.visible_bytes, &self.opened] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Returns how many files were visible, their bytes, and how many of them the filters left.
    pub(super) fn read(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.visible), read(&self.visible_bytes), read(&self.opened))
    }
}

/// The number of a file that was named, as a column of its rows.
pub(super) const PART: &str = "part";

pub(super) fn catalog_failed(table: &'static str, source: CatalogError) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::Catalog { table, source }))
}

/// The scan of files that share their columns. DataFusion's physical filter pushdown gives it the predicate.
pub(super) fn scan_files(
    (state, counts): (&dyn Session, &Arc<Scans>),
    schema: TableSchema,
    files: Vec<PartitionedFile>,
    columns: Vec<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    scan_source((state, counts), ParquetSource::new(schema), files, (columns, None, None))
}

/// The same, of a source that may have a predicate already.
pub(super) fn scan_source(
    (state, counts): (&dyn Session, &Arc<Scans>),
    source: ParquetSource,
    files: Vec<PartitionedFile>,
    (columns, limit, statistics): (Vec<usize>, Option<usize>, Option<Statistics>),
) -> Result<Arc<dyn ExecutionPlan>> {
    let groups = FileGroup::new(files).split_files(state.config().target_partitions());
    let source = reading(source, state, counts)?;
    let mut config = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE_URL)?, Arc::new(source))
        .with_file_groups(groups)
        .with_projection_indices(Some(columns))?
        .with_limit(limit);
    if let Some(statistics) = statistics {
        config = config.with_statistics(statistics);
    }
    Ok(DataSourceExec::from_data_source(config.build()))
}
