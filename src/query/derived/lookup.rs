//! Which files hold what a query asks for, by the rows that were derived from them.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Int64Type, Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{TableType, provider_as_source};
use datafusion::execution::session_state::SessionState;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableProviderFilterPushDown, cast, ident};
use datafusion::physical_plan::{ExecutionPlan, collect};

use crate::lake::catalog::{BatchId, Catalog, DerivedPart, FileFilter, LakeFile};
use crate::lake::derived::{Derived, Origin};
use crate::lake::table::Table;
use crate::query::needle;
use crate::query::scan::{PART, catalog_failed, scan_derived};
use crate::query::shared::{Found, Scans, Times};

/// The place of a derived file in the list, as a column of its rows.
const DERIVATION: &str = "derivation";

/// Looks up which files of a table can hold rows that pass the filters. `None` where that is not known or not worth it.
pub(in crate::query) async fn files(
    state: &dyn Session,
    (catalog, counts): (&Catalog, &Arc<Scans>),
    table: Table,
    (filter, filters): (&FileFilter, &[Expr]),
) -> Result<Option<Vec<Found>>> {
    let Some(origin) = Origin::ALL.into_iter().find(|origin| origin.tables().contains(&table)) else {
        return Ok(None);
    };
    // A resource tells more than all else together.
    let wanted = [Derived::Touches, Derived::Footprints, Derived::Flows, Derived::FindingStates]
        .into_iter()
        .filter(|derived| origin.derived().contains(derived))
        .find_map(|derived| Some((derived, needle::lookup(derived, filters)?)));
    let (Some((derived, condition)), Some(state)) = (wanted, state.as_any().downcast_ref::<SessionState>())
    else {
        return Ok(None);
    };
    let of_all = FileFilter { table: None, ..filter.clone() };
    let place = counts.lookup(format!("{derived} {condition} {of_all:?}"));
    let found =
        place.get_or_try_init(|| found(state, (catalog, counts), (derived, origin), (&of_all, condition)));
    let mut files = found.await?.clone();
    if let Some(files) = &mut files {
        files.retain(|(file, times)| file.table == table && passes(file, filter, *times));
    }
    Ok(files)
}

/// Looks up which files of an origin can hold rows that pass.
async fn found(
    state: &SessionState,
    (catalog, counts): (&Catalog, &Arc<Scans>),
    (derived, origin): (Derived, Origin),
    (filter, condition): (&FileFilter, Expr),
) -> Result<Option<Vec<Found>>> {
    let failed = |source| catalog_failed(derived.name(), source);
    // What is derived from what, and what is not derived yet, are of one moment.
    let view = catalog.derived_view(derived, origin, filter).await.map_err(failed)?;
    if view.parts.is_empty() {
        return Ok(None);
    }
    let bytes = view.parts.iter().map(|part| part.file.bytes).sum();
    counts.add((view.parts.len() as u64, bytes), view.parts.len());
    let found = passing((state, counts), derived, &view.parts, condition).await?;
    let asked: Vec<_> = found.keys().cloned().collect();
    let known = catalog.derived_from(&asked).await.map_err(failed)?;
    if known.len() != asked.len() {
        // Deleted since: what took their place is not in this answer.
        return Ok(None);
    }
    let mut files: Vec<Found> =
        known.into_iter().map(|(origin, file)| (file, found.get(&origin).copied())).collect();
    files.extend(view.underived.into_iter().map(|file| (file, None)));
    Ok(Some(files))
}

/// What the catalog would have left out.
fn passes(file: &LakeFile, filter: &FileFilter, times: Option<Times>) -> bool {
    let (first, last) = times.unwrap_or((file.time_min, file.time_max));
    let in_time = filter.times.is_none_or(|(from, to)| last >= from && first <= to);
    let in_day = filter.days.is_none_or(|(from, to)| (from..=to).contains(&file.day));
    let in_slice = file.slices.is_empty()
        || file.slices.iter().any(|slice| {
            let is_in = |values: &Option<Vec<String>>, value: String| {
                values.as_ref().is_none_or(|values| values.contains(&value))
            };
            is_in(&filter.accounts, slice.account.to_string())
                && is_in(&filter.regions, slice.region.to_string())
        });
    in_time && in_day && in_slice
}

/// Returns which files have derived rows that pass, by derivation and part, and when.
async fn passing(
    (state, counts): (&SessionState, &Arc<Scans>),
    derived: Derived,
    parts: &[DerivedPart],
    condition: Expr,
) -> Result<HashMap<(BatchId, i64), Times>> {
    let mut found = HashMap::new();
    if parts.is_empty() {
        return Ok(found);
    }
    let kept = Kept::new(derived, parts, counts);
    let time = |name: &str| cast(ident(name), DataType::Int64);
    let (first, last) = derived.times();
    let plan = LogicalPlanBuilder::scan(derived.name(), provider_as_source(Arc::new(kept)), None)?
        .filter(condition)?
        .aggregate(
            vec![ident(DERIVATION), ident(PART)],
            vec![min(time(first)).alias("first"), max(time(last)).alias("last")],
        )?
        .build()?;
    let plan = state.create_physical_plan(&plan).await?;
    for batch in collect(plan, state.task_ctx()).await? {
        let column =
            |at: usize| batch.columns().get(at).ok_or_else(|| exec_datafusion_err!("four columns are there"));
        let numbers = [column(0)?.as_primitive::<Int32Type>(), column(1)?.as_primitive::<Int32Type>()];
        let times = [column(2)?.as_primitive::<Int64Type>(), column(3)?.as_primitive::<Int64Type>()];
        for row in 0..batch.num_rows() {
            let ([derivation, number], [first, last]) =
                (numbers.map(|column| column.value(row)), times.map(|column| column.value(row)));
            let Some(part) = usize::try_from(derivation).ok().and_then(|at| parts.get(at)) else { continue };
            let number = i64::from(number);
            if part.live.as_ref().is_none_or(|live| live.binary_search(&number).is_ok()) {
                found.insert((part.derivation.clone(), number), (first, last));
            }
        }
    }
    Ok(found)
}

/// The derived rows that are kept, each with the place of its file in the list.
struct Kept {
    schema: SchemaRef,
    files: Vec<PartitionedFile>,
    file_schema: SchemaRef,
    counts: Arc<Scans>,
}

impl Kept {
    fn new(derived: Derived, parts: &[DerivedPart], counts: &Arc<Scans>) -> Self {
        let file_schema = Arc::clone(&derived.schema().arrow);
        let fields: Vec<FieldRef> = file_schema.fields().iter().cloned().chain([derivation()]).collect();
        let files = (0_i32..).zip(parts).map(|(number, part)| {
            PartitionedFile::new(part.file.key.clone(), part.file.bytes)
                .with_partition_values(vec![ScalarValue::from(number)])
        });
        let (schema, counts) = (Arc::new(Schema::new(fields)), Arc::clone(counts));
        Self { schema, files: files.collect(), file_schema, counts }
    }
}

fn derivation() -> FieldRef {
    Arc::new(Field::new(DERIVATION, DataType::Int32, true))
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

type Planned<'a> = Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'a>>;

impl TableProvider for Kept {
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
        _filters: &'filters [Expr],
        _limit: Option<usize>,
    ) -> Planned<'a>
    where
        's: 'a,
        'state: 'a,
        'projection: 'a,
        'filters: 'a,
        Self: 'a,
    {
        let schema = TableSchema::builder(Arc::clone(&self.file_schema))
            .with_table_partition_cols(vec![derivation()])
            .build();
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let scan = scan_derived((state, &self.counts), schema, self.files.clone(), columns);
        Box::pin(std::future::ready(scan))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
