//! One derived table as DataFusion sees it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Result, ScalarValue, Statistics, exec_datafusion_err};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, col, ident, lit};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;

use super::plan;
use crate::lake::catalog::{Catalog, DerivedPart, LakeFile};
use crate::lake::derived::{Derived, Origin};
use crate::query::prune::Scope;
use crate::query::scan::{PART, catalog_failed, scan_derived};
use crate::query::shared::Scans;

/// One derived table, for one query.
pub(in crate::query) struct DerivedTable {
    derived: Derived,
    catalog: Catalog,
    counts: Arc<Scans>,
    schema: SchemaRef,
}

impl fmt::Debug for DerivedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DerivedTable({})", self.derived)
    }
}

impl DerivedTable {
    /// Returns the table; its scans add to `counts`.
    pub(in crate::query) fn new(derived: Derived, catalog: Catalog, counts: Arc<Scans>) -> Self {
        let fields = derived.schema().arrow.fields().iter().filter(|field| field.name() != PART);
        let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        Self { derived, catalog, counts, schema }
    }

    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => Arc::clone(&self.schema),
        };
        let scope = Scope::of_all(filters);
        let mut plans = Vec::new();
        if !scope.is_nothing() {
            let origins = Origin::ALL.into_iter().filter(|origin| origin.derived().contains(&self.derived));
            for origin in origins {
                let view = self.catalog.derived_view(self.derived, origin, &scope.derived_filter()).await;
                let view = view.map_err(|source| catalog_failed(self.derived.name(), source))?;
                let bytes = view.parts.iter().map(|part| part.file.bytes).sum();
                self.counts.add((view.parts.len() as u64, bytes), view.parts.len());
                plans.extend(self.kept(state, &wanted, view.parts)?);
                if !view.underived.is_empty() {
                    plans.push(self.on_the_fly(state, &wanted, (origin, &view.underived), filters).await?);
                }
            }
        }
        match plans.len() {
            0 => Ok(Arc::new(EmptyExec::new(wanted))),
            1 => plans.pop().ok_or_else(|| exec_datafusion_err!("one plan is there")),
            _ => UnionExec::try_new(plans),
        }
    }

    /// The rows that are kept. Of derivations some of whose files were replaced, those of the others.
    fn kept(
        &self,
        state: &dyn Session,
        wanted: &SchemaRef,
        parts: Vec<DerivedPart>,
    ) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        let (whole, partial): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.live.is_none());
        let mut plans = Vec::new();
        if !whole.is_empty() {
            plans.push(project(self.scan(state, wanted, &whole)?, wanted)?);
        }
        for part in partial {
            let live: Vec<Expr> = part.live.iter().flatten().map(|part| lit(*part)).collect();
            let scan = self.scan(state, wanted, std::slice::from_ref(&part))?;
            let is_live = datafusion::logical_expr::cast(col(PART), arrow::datatypes::DataType::Int64)
                .in_list(live, false);
            let is_live = state.create_physical_expr(is_live, &DFSchema::try_from(scan.schema())?)?;
            plans.push(project(Arc::new(FilterExec::try_new(is_live, scan)?), wanted)?);
        }
        Ok(plans)
    }

    fn scan(
        &self,
        state: &dyn Session,
        wanted: &Schema,
        parts: &[DerivedPart],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = &self.derived.schema().arrow;
        let mut columns = vec![schema.index_of(PART)?];
        for field in wanted.fields() {
            columns.push(schema.index_of(field.name())?);
        }
        columns.sort_unstable();
        let files = parts.iter().map(|part| {
            PartitionedFile::new(part.file.key.clone(), part.file.bytes)
                .with_statistics(Arc::new(statistics(schema, part)))
        });
        scan_derived((state, &self.counts), Arc::clone(schema).into(), files.collect(), columns)
    }

    async fn on_the_fly(
        &self,
        state: &dyn Session,
        wanted: &Schema,
        (origin, files): (Origin, &[LakeFile]),
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let state = state.as_any().downcast_ref::<SessionState>();
        let state = state.ok_or_else(|| exec_datafusion_err!("no session to derive in"))?;
        let context = plan::deriving(state, origin, files, &self.counts)?;
        let derived = plan::derive(&context, (self.derived, origin)).await?;
        let columns: Vec<Expr> = wanted.fields().iter().map(|field| ident(field.name())).collect();
        let derived =
            LogicalPlanBuilder::from(plan::filtered(derived, filters)?).project(columns)?.build()?;
        context.state().create_physical_plan(&derived).await
    }
}

/// What the catalog knows of a derived file: its rows are of one day. Who asks for the first day opens the first
/// files, and not the others.
fn statistics(schema: &Schema, part: &DerivedPart) -> Statistics {
    let of = |field: &FieldRef| match field.name().as_str() {
        "eventday" => {
            let day = Precision::Exact(ScalarValue::from(part.day.to_string()));
            let null_count = Precision::Exact(0);
            ColumnStatistics {
                min_value: day.clone(),
                max_value: day,
                null_count,
                ..ColumnStatistics::new_unknown()
            }
        }
        _ => ColumnStatistics::new_unknown(),
    };
    let rows = usize::try_from(part.file.rows).map_or(Precision::Absent, Precision::Exact);
    let column_statistics = schema.fields().iter().map(of).collect();
    Statistics { num_rows: rows, total_byte_size: Precision::Absent, column_statistics }
}

/// Puts columns into the order that was asked for.
fn project(scan: Arc<dyn ExecutionPlan>, wanted: &Schema) -> Result<Arc<dyn ExecutionPlan>> {
    let exprs = wanted.fields().iter().map(|field| {
        let column = Column::new_with_schema(field.name(), scan.schema().as_ref())?;
        Ok(ProjectionExpr { expr: Arc::new(column), alias: field.name().clone() })
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ProjectionExec::try_new(exprs, scan)?))
}

type Planned<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl TableProvider for DerivedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'s, 'state, 'projection, 'filters, 'a>(
        &'s self,
        state: &'state dyn Session,
        projection: Option<&'projection Vec<usize>>,
        filters: &'filters [Expr],
        _limit: Option<usize>,
    ) -> Planned<'a>
    where
        's: 'a,
        'state: 'a,
        'projection: 'a,
        'filters: 'a,
        Self: 'a,
    {
        Box::pin(self.plan(state, projection, filters))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
