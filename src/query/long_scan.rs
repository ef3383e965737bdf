//! A scan of many files, some of them at a time.
//!
//! Takes files and a scan without any, into which DataFusion pushes projection, filters and limit, and gives the rows of
//! all the files. DataFusion holds for each file of a scan what it was told and what it measured, some 30 kB, until the
//! query ends: here until the step ends that the file is of. Promises:
//! - each file is read once, in one partition;
//! - of an order by time, the files that can come first are read first.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, exec_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, ParquetSource,
};
use datafusion::datasource::source::DataSource;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::FilterPushdownPropagation;
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, SortOrderPushdownResult};
use futures::{StreamExt, TryStreamExt, stream};

use super::files::Chosen;
use super::reader::FOOTER_BYTES;

/// Files of the steps that are under way: some 16 MB of what DataFusion holds of them.
const STEPS_FILES: usize = 512;

/// A scan of one table, or of several that have the same columns.
#[derive(Clone)]
pub(super) struct LongScan {
    files: Arc<[Chosen]>,
    /// What was pushed down, in a scan of no file.
    config: FileScanConfig,
    partitions: usize,
    order: Vec<PhysicalSortExpr>,
    metrics: ExecutionPlanMetricsSet,
}

impl fmt::Debug for LongScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LongScan({} files)", self.files.len())
    }
}

impl LongScan {
    /// Returns the scan of files in so many partitions; `config` has no file.
    pub(super) fn new(files: Vec<Chosen>, config: FileScanConfig, partitions: usize) -> Self {
        let metrics = ExecutionPlanMetricsSet::new();
        Self { files: files.into(), config, partitions: partitions.max(1), order: Vec::new(), metrics }
    }

    fn with_config(&self, config: &Arc<dyn DataSource>) -> Result<Arc<dyn DataSource>> {
        let config = config.downcast_ref::<FileScanConfig>();
        let config = config.ok_or_else(|| exec_datafusion_err!("a scan of files stays one"))?.clone();
        Ok(Arc::new(Self { config, ..self.clone() }))
    }

    fn step_files(&self) -> usize {
        (STEPS_FILES / self.partitions).max(1)
    }

    /// The scan of some files, as DataFusion does it.
    fn step(&self, files: &[Chosen]) -> Result<Arc<dyn DataSource>> {
        let files = FileGroup::new(files.iter().map(Chosen::described).collect());
        let config = FileScanConfigBuilder::from(self.config.clone())
            .with_source(unmeasured(self.config.file_source())?)
            .with_file_groups(vec![files])
            .build();
        if self.order.is_empty() {
            return Ok(Arc::new(config));
        }
        Ok(match config.try_pushdown_sort(&self.order)? {
            SortOrderPushdownResult::Exact { inner } | SortOrderPushdownResult::Inexact { inner } => inner,
            SortOrderPushdownResult::Unsupported => Arc::new(config),
        })
    }

    /// The files, those first that come first in an order by time.
    fn ordered(&self, order: &[PhysicalSortExpr]) -> Vec<Chosen> {
        let mut files = self.files.to_vec();
        let by = order.first().and_then(|by| Some((by.expr.downcast_ref::<Column>()?.name(), by.options)));
        match by {
            Some(("time" | "time_dt", options)) if options.descending => {
                files.sort_by_key(|chosen| Reverse(chosen.file.time_max));
            }
            Some(("time" | "time_dt", _)) => files.sort_by_key(|chosen| chosen.file.time_min),
            _ => {}
        }
        files
    }
}

/// A source that reads the same and has measured nothing yet: a clone would add to what the other measured.
fn unmeasured(source: &Arc<dyn FileSource>) -> Result<Arc<dyn FileSource>> {
    let source = source.downcast_ref::<ParquetSource>();
    let source = source.ok_or_else(|| exec_datafusion_err!("files of the lake are Parquet"))?;
    let mut fresh = ParquetSource::new(source.table_schema().clone())
        .with_table_parquet_options(source.table_parquet_options().clone())
        .with_metadata_size_hint(FOOTER_BYTES);
    if let Some(factory) = source.parquet_file_reader_factory() {
        fresh = fresh.with_parquet_file_reader_factory(Arc::clone(factory));
    }
    if let Some(filter) = source.filter() {
        fresh = fresh.with_predicate(filter);
    }
    let projected = source.projection().map(|columns| fresh.try_pushdown_projection(columns)).transpose()?;
    Ok(projected.flatten().unwrap_or_else(|| Arc::new(fresh)))
}

impl DataSource for LongScan {
    fn open(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.config.projected_schema()?;
        let scan = self.clone();
        let step = self.step_files();
        let steps = (partition * step..self.files.len()).step_by(self.partitions * step);
        let rows = stream::iter(steps).map(move |first| {
            let last = scan.files.len().min(first + step);
            let files = scan.files.get(first..last).unwrap_or_default();
            scan.step(files)?.open(0, Arc::clone(&context))
        });
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten()));
        // Each step keeps the limit for itself.
        let measured = BaselineMetrics::new(&self.metrics, partition);
        Ok(Box::pin(LimitStream::new(rows, 0, self.config.limit, measured)))
    }

    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "files={}, files_at_a_time={}, ", self.files.len(), self.step_files())?;
        self.config.fmt_as(format, f)
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.partitions)
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        self.config.eq_properties()
    }

    fn scheduling_type(&self) -> SchedulingType {
        self.config.scheduling_type()
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        self.config.partition_statistics(partition)
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        self.with_config(&self.config.with_fetch(limit)?).ok()
    }

    fn fetch(&self) -> Option<usize> {
        self.config.fetch()
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.metrics.clone()
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        let config = self.config.try_swapping_with_projection(projection)?;
        // The order names columns that are now others.
        let unordered = Self { order: Vec::new(), ..self.clone() };
        config.map(|config| unordered.with_config(&config)).transpose()
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        options: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let pushed = self.config.try_pushdown_filters(filters, options)?;
        let updated_node = pushed.updated_node.map(|config| self.with_config(&config)).transpose()?;
        Ok(FilterPushdownPropagation { filters: pushed.filters, updated_node })
    }

    fn try_pushdown_sort(
        &self,
        order: &[PhysicalSortExpr],
    ) -> Result<SortOrderPushdownResult<Arc<dyn DataSource>>> {
        if matches!(self.config.try_pushdown_sort(order)?, SortOrderPushdownResult::Unsupported) {
            return Ok(SortOrderPushdownResult::Unsupported);
        }
        // Files overlap: what comes of it is nearly in order.
        let scan = Self { files: self.ordered(order).into(), order: order.to_vec(), ..self.clone() };
        Ok(SortOrderPushdownResult::Inexact { inner: Arc::new(scan) })
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.config.apply_expressions(f)
    }
}
