//! `FROM findings, UNNEST(resources) AS t(resource)`: a row for each element, beside the row it is in.
//!
//! The parser takes it for a table function, so [`rewrite`] says what it is.
//! DataFusion plans it as a join with a subquery that reads from the tables before it,
//! and then cannot run that; [`UnnestColumns`] makes of it what it means: the rows of those
//! tables, unnested.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{Column, DFSchema, NullHandling, Result, UnnestOptions};
use datafusion::logical_expr::expr_rewriter::strip_outer_reference;
use datafusion::logical_expr::{Expr as LogicalExpr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Select, TableAlias, TableFactor,
    TableFunctionArgs, TableWithJoins, visit_expressions_mut,
};

use super::spelling::{call, member, number};

/// Says that table functions called `UNNEST` are that.
pub(super) fn rewrite(select: &mut Select) {
    let tables: Vec<Ident> = factors(&mut select.from).filter_map(|factor| table(factor)).collect();
    factors(&mut select.from).for_each(|factor| rewrite_factor(factor, &tables));
}

fn factors(from: &mut [TableWithJoins]) -> impl Iterator<Item = &mut TableFactor> {
    from.iter_mut().flat_map(|table| {
        std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation))
    })
}

/// Returns the name under which a statement knows a table.
fn table(factor: &TableFactor) -> Option<Ident> {
    let (name, alias) = match factor {
        TableFactor::Table { name, alias, .. } | TableFactor::Function { name, alias, .. } => {
            (name.0.last().and_then(|part| part.as_ident()), alias)
        }
        TableFactor::Derived { alias, .. } => (None, alias),
        _ => return None,
    };
    alias.as_ref().map(|alias| &alias.name).or(name).cloned()
}

fn rewrite_factor(factor: &mut TableFactor, tables: &[Ident]) {
    let (args, alias, with_ordinality) = match factor {
        TableFactor::Function { name, args, alias, with_ordinality, .. } if is_unnest(name) => {
            (args, alias, *with_ordinality)
        }
        TableFactor::Table {
            name,
            args: Some(TableFunctionArgs { args, .. }),
            alias,
            with_ordinality,
            ..
        } if is_unnest(name) => (args, alias, *with_ordinality),
        _ => return,
    };
    let arrays = args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    // Anything else than plain arguments stays a function, which the planner refuses with its own words.
    let Some(mut arrays) = arrays.collect::<Option<Vec<Expr>>>() else { return };
    for array in &mut arrays {
        let flow = visit_expressions_mut(array, |expr| {
            reach_in(expr, tables);
            ControlFlow::<()>::Continue(())
        });
        debug_assert!(flow.is_continue(), "every expression is visited");
    }
    *factor = TableFactor::UNNEST {
        array_exprs: columns(arrays, alias.as_ref(), with_ordinality),
        alias: alias.take(),
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    };
}

/// Spells `vulnerability.cve.cvss` as `vulnerability['cve']['cvss']`: of a table before it, the planner finds
/// columns, not their members.
fn reach_in(expr: &mut Expr, tables: &[Ident]) {
    let Expr::CompoundIdentifier(names) = expr else { return };
    let is_qualified = names
        .first()
        .is_some_and(|first| tables.iter().any(|table| table.value.eq_ignore_ascii_case(&first.value)));
    let (column, members) = names.split_at(if is_qualified { 2.min(names.len()) } else { 1 });
    if members.is_empty() {
        return;
    }
    let root = match column {
        [column] => Expr::Identifier(column.clone()),
        column => Expr::CompoundIdentifier(column.to_vec()),
    };
    *expr = Expr::CompoundFieldAccess {
        root: Box::new(root),
        access_chain: members.iter().map(member).collect(),
    };
}

fn is_unnest(name: &ObjectName) -> bool {
    name.0.len() == 1 && name.to_string().eq_ignore_ascii_case("unnest")
}

/// Returns a list for each column: a map, which `t(key, value)` tells, is its keys and its values, and the
/// ordinality is a list as long as the first.
fn columns(mut arrays: Vec<Expr>, alias: Option<&TableAlias>, with_ordinality: bool) -> Vec<Expr> {
    let named = alias.map_or(0, |alias| alias.columns.len());
    if let ([map], true) = (arrays.as_slice(), named == 2 + usize::from(with_ordinality)) {
        arrays = vec![call("map_keys", [map.clone()]), call("map_values", [map.clone()])];
    }
    if let (Some(first), true) = (arrays.first(), with_ordinality) {
        let length = call("cardinality", [first.clone()]);
        arrays.push(call("generate_series", [number("1"), length]));
    }
    arrays
}

/// Plans an `UNNEST` of columns of the tables before it.
#[derive(Debug)]
pub(super) struct UnnestColumns;

impl AnalyzerRule for UnnestColumns {
    fn name(&self) -> &'static str {
        "unnest_columns"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Join(join) => Ok(match unnested(&join)? {
                Some(plan) => Transformed::yes(plan),
                None => Transformed::no(LogicalPlan::Join(join)),
            }),
            plan => Ok(Transformed::no(plan)),
        })
        .data()
    }
}

/// Returns the rows of the left side, unnested, when the right side only unnests columns of the left.
fn unnested(join: &Join) -> Result<Option<LogicalPlan>> {
    let nulls = match join.join_type {
        JoinType::Inner => NullHandling::Drop,
        JoinType::Left => NullHandling::PreserveAndExpandEmpty,
        _ => return Ok(None),
    };
    // A condition of an outer join says which elements count; without one, and with `ON TRUE`, all do.
    let is_plain = join.filter.as_ref().is_none_or(|filter| *filter == lit(true));
    if !join.on.is_empty() || (join.join_type == JoinType::Left && !is_plain) {
        return Ok(None);
    }
    let LogicalPlan::SubqueryAlias(alias) = join.right.as_ref() else { return Ok(None) };
    let LogicalPlan::Subquery(subquery) = alias.input.as_ref() else { return Ok(None) };
    let LogicalPlan::Projection(last) = subquery.subquery.as_ref() else { return Ok(None) };
    // Columns of queries further out are not the left side's to give.
    let is_left = |expr: &LogicalExpr| match expr {
        LogicalExpr::OuterReferenceColumn(_, column) => join.left.schema().has_column(column),
        _ => true,
    };
    if !subquery.outer_ref_columns.iter().all(is_left) {
        return Ok(None);
    }
    let Some(input) = graft(&last.input, &join.left, nulls)? else { return Ok(None) };
    // The names by which the statement knows the columns.
    let named = last.expr.iter().cloned().zip(alias.schema.iter()).map(|(expr, (relation, field))| {
        strip_outer_reference(expr).unalias().alias_qualified(relation.cloned(), field.name())
    });
    let columns = passing(join.left.schema()).chain(named);
    let plan = LogicalPlanBuilder::from(input).project(columns)?.build()?;
    let mut builder = LogicalPlanBuilder::from(plan);
    if let (Some(filter), false) = (&join.filter, is_plain) {
        builder = builder.filter(filter.clone())?;
    }
    builder.build().map(Some)
}

/// Puts the left side where the subquery has its one row without columns, and lets its columns pass through.
fn graft(plan: &LogicalPlan, left: &Arc<LogicalPlan>, nulls: NullHandling) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Ok(Some(left.as_ref().clone())),
        LogicalPlan::Projection(projection) => {
            let Some(input) = graft(&projection.input, left, nulls)? else { return Ok(None) };
            let passing = passing(left.schema());
            let own = projection.expr.iter().cloned().map(strip_outer_reference);
            LogicalPlanBuilder::from(input).project(passing.chain(own))?.build().map(Some)
        }
        LogicalPlan::Unnest(unnest) => {
            let Some(input) = graft(&unnest.input, left, nulls)? else { return Ok(None) };
            let options = UnnestOptions { null_handling: nulls, ..unnest.options.clone() };
            let columns: Vec<Column> = unnest.exec_columns.clone();
            LogicalPlanBuilder::from(input).unnest_columns_with_options(columns, options)?.build().map(Some)
        }
        LogicalPlan::SubqueryAlias(alias) => graft(&alias.input, left, nulls),
        _ => Ok(None),
    }
}

fn passing(schema: &DFSchema) -> impl Iterator<Item = LogicalExpr> {
    schema.columns().into_iter().map(LogicalExpr::Column)
}
