//! One table of the lake as DataFusion sees it, or several that have the same columns.
//!
//! Takes projection and filters and gives a Parquet scan over the files that the
//! catalog shows and the filters leave. Adds three columns that every table has,
//! computed from the row so that hot and settled files agree: `accountid`,
//! `region` and `eventday`. Promises:
//! - the catalog is asked once a scan for each table, so of each a scan sees one moment;
//! - several tables are one scan: a plan of four was four times the planning;
//! - filters choose files; DataFusion runs them again on the rows.
//!
//! No sort order is declared: hot files are sorted by account and Region first.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result, exec_datafusion_err};
use datafusion::datasource::TableType;
use datafusion::datasource::physical_plan::{FileGroup, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::functions::core::expr_fn::get_field_path;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, col, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit as physical_lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;

use super::derived::lookup;
use super::event_day::event_day;
use super::files::{Chosen, part, total_statistics};
use super::long_scan::LongScan;
use super::prune::Scope;
use super::scan::{PART, catalog_failed, divided, partitions, scan_config};
use super::shared::{Scans, Times};
use crate::lake::catalog::{Catalog, FileFilter, LakeFile};
use crate::lake::table::Table;

/// A column computed from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Computed {
    AccountId,
    Region,
    EventDay,
}

impl Computed {
    const ALL: [Self; 3] = [Self::AccountId, Self::Region, Self::EventDay];

    fn name(self) -> &'static str {
        match self {
            Self::AccountId => "accountid",
            Self::Region => "region",
            Self::EventDay => "eventday",
        }
    }

    /// The column of the file it is computed from.
    fn base(self) -> &'static str {
        match self {
            Self::AccountId | Self::Region => "cloud",
            Self::EventDay => "time",
        }
    }

    fn expr(self) -> Expr {
        match self {
            Self::AccountId => or_else(&["account", "uid"], "external"),
            Self::Region => or_else(&["region"], "unknown"),
            Self::EventDay => event_day(col("time")),
        }
    }
}

/// `coalesce(cloud.<path>, word)`, spelled out: a physical plan knows no `coalesce`.
fn or_else(path: &[&str], word: &str) -> Expr {
    let member = get_field_path(col("cloud"), path.iter().map(|&name| lit(name)).collect());
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![(Box::new(member.clone().is_not_null()), Box::new(member))],
        else_expr: Some(Box::new(lit(word))),
    })
}

/// Which files a table has.
enum Files {
    /// Those that the catalog shows.
    Visible(Catalog),
    /// Of those the ones with rows that no run of detections up to this one has judged.
    New(Catalog, i64),
    /// These, each with its number.
    Named(Vec<(i32, LakeFile)>),
}

/// Files of which only pages are read, each by a scan of its own, at most: a plan has a price too.
const NARROW_SCANS_MAX: usize = 128;

/// One table, or several of the same columns, for one query.
pub(super) struct LakeTable {
    tables: Vec<Table>,
    files: Files,
    counts: Arc<Scans>,
    /// The columns of a file.
    file_schema: SchemaRef,
    /// Those of a row.
    schema: SchemaRef,
}

impl fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LakeTable({:?})", self.tables)
    }
}

impl LakeTable {
    /// Returns the tables as one; its scans add to `counts`.
    pub(super) fn new(tables: &[Table], catalog: Catalog, counts: Arc<Scans>) -> Self {
        Self::with(tables, Files::Visible(catalog), (counts, None))
    }

    /// Returns the same of files with rows that no run of detections up to `done` has judged.
    pub(super) fn new_since(tables: &[Table], (catalog, done): (Catalog, i64), counts: Arc<Scans>) -> Self {
        Self::with(tables, Files::New(catalog, done), (counts, None))
    }

    /// Returns a table of named files: their numbers are a column more.
    pub(super) fn of(tables: &[Table], files: Vec<(i32, LakeFile)>, counts: Arc<Scans>) -> Self {
        Self::with(tables, Files::Named(files), (counts, Some(part())))
    }

    fn with(tables: &[Table], files: Files, (counts, more): (Arc<Scans>, Option<FieldRef>)) -> Self {
        let of_file = tables.first().map(|table| Arc::clone(&table.schema().arrow));
        let file_schema = of_file.unwrap_or_else(|| Arc::new(Schema::empty()));
        let computed = Computed::ALL.map(|column| Arc::new(Field::new(column.name(), DataType::Utf8, true)));
        let fields = file_schema.fields().iter().cloned().chain(computed).chain(more);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { tables: tables.to_vec(), files, counts, file_schema, schema }
    }

    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files(state, filters, limit).await?;
        let wanted = match projection {
            Some(indices) => self.schema.project(indices)?,
            None => self.schema.as_ref().clone(),
        };
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(wanted))));
        }
        let bases = self.bases(&wanted)?;
        let context = (state, &self.counts);
        // In a large file, rows that were looked up lie in few of its pages: each has a scan of its own.
        let (narrow, wide): (Vec<_>, Vec<_>) = files.into_iter().partition(Chosen::is_narrow);
        let mut scans = Vec::new();
        if narrow.len() <= NARROW_SCANS_MAX {
            for file in narrow {
                let times = file.times;
                scans.push(scan(context, &self.file_schema, vec![file], (bases.clone(), limit, times))?);
            }
            if !wide.is_empty() {
                scans.push(scan(context, &self.file_schema, wide, (bases, limit, None))?);
            }
        } else {
            let all = narrow.into_iter().chain(wide).collect();
            scans.push(scan(context, &self.file_schema, all, (bases, limit, None))?);
        }
        let scan = if scans.len() == 1 { scans.pop() } else { Some(UnionExec::try_new(scans)?) };
        compute(state, &wanted, scan.ok_or_else(|| exec_datafusion_err!("one scan is there"))?)
    }

    /// Asks the catalog, and the derived tables, where the filters name what they know. A filter that nothing can pass
    /// costs only the count.
    async fn files(
        &self,
        state: &dyn Session,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Vec<Chosen>> {
        let (catalog, judged_after) = match &self.files {
            Files::Visible(catalog) => (catalog, None),
            Files::New(catalog, done) => (catalog, Some(*done)),
            Files::Named(files) => {
                let bytes = files.iter().map(|(_, file)| file.bytes).sum();
                self.counts.add((files.len() as u64, bytes), files.len());
                let chosen =
                    files.iter().map(|(part, file)| Chosen { file: file.clone(), part: *part, times: None });
                return Ok(chosen.collect());
            }
        };
        let scope = Scope::of_all(filters);
        // Each file has a row: where nothing else is asked, so many files have as many.
        let limit = limit.filter(|_| filters.is_empty());
        let mut all = Vec::new();
        for &table in &self.tables {
            let wanted = limit.map(|limit| limit.saturating_sub(all.len()));
            if scope.is_nothing() || wanted == Some(0) {
                self.counts.add_scan(table, 0);
                continue;
            }
            let failed = |source| catalog_failed(table.sql_name(), source);
            let filter = FileFilter { judged_after, limit: wanted, ..scope.file_filter(table) };
            // What is new is in few files anyway.
            let found = match judged_after {
                None => lookup::files(state, (catalog, &self.counts), table, (&filter, filters)).await?,
                Some(_) => None,
            };
            let files = match found {
                Some(files) => files,
                None => {
                    let files = catalog.visible_files(&filter).await.map_err(failed)?;
                    files.into_iter().map(|file| (file, None)).collect()
                }
            };
            self.counts.add_scan(table, files.len());
            all.extend(files.into_iter().map(|(file, times)| Chosen { file, part: 0, times }));
        }
        Ok(all)
    }

    /// The columns of the file that the wanted ones are or are computed from, in file order.
    fn bases(&self, wanted: &Schema) -> Result<Vec<usize>> {
        let schema = &self.file_schema;
        let mut bases = wanted
            .fields()
            .iter()
            .map(|field| match computed(field.name()) {
                Some(column) => schema.index_of(column.base()),
                // It comes behind those of the file.
                None if field.name() == PART => Ok(schema.fields().len()),
                None => schema.index_of(field.name()),
            })
            .collect::<Result<Vec<_>, _>>()?;
        bases.sort_unstable();
        bases.dedup();
        Ok(bases)
    }
}

type Planned<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        if self.tables.len() == 1 { TableType::Base } else { TableType::View }
    }

    fn scan<'s, 'state, 'projection, 'filters, 'a>(
        &'s self,
        state: &'state dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        limit: Option<usize>,
    ) -> Planned<'a>
    where
        's: 'a,
        'state: 'a,
        'projection: 'a,
        'filters: 'a,
        Self: 'a,
    {
        Box::pin(self.plan(state, projection, filters, limit))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

fn computed(name: &str) -> Option<Computed> {
    Computed::ALL.into_iter().find(|column| column.name() == name)
}

/// Files of a scan that DataFusion holds all at once, at most.
const AT_ONCE_MAX: usize = 1000;

/// The scan of files of one schema, or of the pages of them in which rows of `times` can be.
fn scan(
    context: (&dyn Session, &Arc<Scans>),
    schema: &SchemaRef,
    files: Vec<Chosen>,
    (bases, limit, times): (Vec<usize>, Option<usize>, Option<Times>),
) -> Result<Arc<dyn ExecutionPlan>> {
    let whole = TableSchema::builder(Arc::clone(schema)).with_table_partition_cols(vec![part()]).build();
    let statistics = total_statistics(whole.table_schema(), &files);
    let mut source = ParquetSource::new(whole);
    if let Some(times) = times {
        source = source.with_predicate(within(times, schema)?);
    }
    let what = (bases, limit, Some(statistics));
    if files.len() <= AT_ONCE_MAX {
        let files = files.iter().map(Chosen::described).collect();
        // A few pages are not divided.
        let groups = if times.is_some() { vec![FileGroup::new(files)] } else { divided(context, files) };
        return Ok(DataSourceExec::from_data_source(scan_config(context, source, groups, what)?));
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

/// Puts the computed columns on top, in the order that was asked for.
fn compute(
    state: &dyn Session,
    wanted: &Schema,
    scan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    if wanted.fields() == scan.schema().fields() {
        return Ok(scan);
    }
    let schema = DFSchema::try_from(scan.schema())?;
    let exprs = wanted
        .fields()
        .iter()
        .map(|field| {
            let expr: Arc<dyn PhysicalExpr> = match computed(field.name()) {
                Some(column) => state.create_physical_expr(column.expr(), &schema)?,
                None => Arc::new(Column::new_with_schema(field.name(), scan.schema().as_ref())?),
            };
            Ok(ProjectionExpr { expr, alias: field.name().clone() })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ProjectionExec::try_new(exprs, scan)?))
}
