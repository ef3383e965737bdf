//! What is derived, as a plan over files that are named one by one.

use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, ident};
use datafusion::prelude::SessionContext;

use crate::lake::catalog::LakeFile;
use crate::lake::derived::{Derived, Origin};
use crate::query::shared::Scans;
use crate::query::table::LakeTable;

/// The text of a derivation. Each origin has its own.
const fn text(derived: Derived, origin: Origin) -> &'static str {
    match (derived, origin) {
        (Derived::Footprints, _) => include_str!("../../../queries/derived/footprints.sql"),
        (Derived::Touches, _) => include_str!("../../../queries/derived/touches.sql"),
        (Derived::SessionEdge, _) => include_str!("../../../queries/derived/session_edge.sql"),
        (Derived::IpLease, Origin::VpcFlow) => include_str!("../../../queries/derived/flow_lease.sql"),
        (Derived::IpLease, _) => include_str!("../../../queries/derived/ip_lease.sql"),
        (Derived::Flows, _) => include_str!("../../../queries/derived/flows.sql"),
        (Derived::FindingStates, _) => include_str!("../../../queries/derived/finding_states.sql"),
    }
}

/// What a text calls the rows it reads.
const fn rows(origin: Origin) -> &'static str {
    match origin {
        Origin::CloudTrail => "events",
        Origin::VpcFlow => "flow_events",
        Origin::Findings => "finding_events",
    }
}

/// Returns a session in which the rows of an origin are those of the given files, in this order: the place of a file
/// is its `part`.
pub(super) fn deriving(
    state: &SessionState,
    origin: Origin,
    files: &[LakeFile],
    counts: &Arc<Scans>,
) -> Result<SessionContext> {
    let schema = MemorySchemaProvider::new();
    let numbered = (0_i32..).zip(files.iter().cloned()).collect();
    let table = LakeTable::of(origin.tables(), numbered, Arc::clone(counts));
    schema.register_table(rows(origin).to_owned(), Arc::new(table))?;
    let catalog = MemoryCatalogProvider::new();
    let names = &state.config_options().catalog;
    catalog.register_schema(&names.default_schema, Arc::new(schema))?;
    let list = datafusion::catalog::MemoryCatalogProviderList::new();
    datafusion::catalog::CatalogProviderList::register_catalog(
        &list,
        names.default_catalog.clone(),
        Arc::new(catalog),
    );
    let state =
        SessionStateBuilder::new_from_existing(state.clone()).with_catalog_list(Arc::new(list)).build();
    Ok(SessionContext::new_with_state(state))
}

/// Returns the rows of a derived table, its columns with their types.
pub(super) async fn derive(
    context: &SessionContext,
    (derived, origin): (Derived, Origin),
) -> Result<LogicalPlan> {
    let plan = context.state().create_logical_plan(text(derived, origin)).await?;
    let columns = derived.schema().arrow.fields().iter();
    let columns: Vec<Expr> = columns
        .map(|field| cast(ident(field.name()), field.data_type().clone()).alias(field.name()))
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// Leaves the rows that pass, by filters that somebody else qualified.
pub(super) fn filtered(plan: LogicalPlan, filters: &[Expr]) -> Result<LogicalPlan> {
    let mut plan = LogicalPlanBuilder::from(plan);
    for filter in filters {
        let unqualified = filter.clone().transform(|expr| {
            Ok(match expr {
                Expr::Column(column) => Transformed::yes(Expr::Column(Column::new_unqualified(column.name))),
                other => Transformed::no(other),
            })
        })?;
        plan = plan.filter(unqualified.data)?;
    }
    plan.build()
}
