//! Filters on elements of an unnested list, asked of the list as well.
//!
//! Takes `… FROM cloudtrail, UNNEST(resources) AS t(r) WHERE r.uid = 'x'` and lets below the
//! `UNNEST` only rows with `any_match(resources, r -> r.uid = 'x')`, which reaches the scan and
//! is looked up there (`needle`). Promises: no row more or less passes than without it.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, Result};
use datafusion::functions_nested::array_any_match::array_any_match_higher_order_function;
use datafusion::logical_expr::expr::{HigherOrderFunction, InList, LambdaVariable};
use datafusion::logical_expr::expr_fn::lambda;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Unnest};
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};

/// Returns DataFusion's rules and this one, behind the one that pushes filters down: that one brings conditions to the
/// `UNNEST`, those behind it hide them, and in the next pass it takes what is asked of the list on to the scan.
pub(super) fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let behind =
        rules.iter().position(|rule| rule.name() == "push_down_filter").map_or(rules.len(), |at| at + 1);
    rules.insert(behind, Arc::new(AnyElement));
    rules
}

/// The rule.
#[derive(Debug)]
struct AnyElement;

impl OptimizerRule for AnyElement {
    fn name(&self) -> &'static str {
        "any_element"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(filter) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Unnest(unnest) = filter.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let mut conditions = Vec::new();
        for condition in split_conjunction(&filter.predicate) {
            if let Some(condition) = any_element(condition, unnest)?
                && !is_asked(&unnest.input, &condition)?
            {
                conditions.push(condition);
            }
        }
        let Some(condition) = conditions.into_iter().reduce(Expr::and) else {
            return Ok(Transformed::no(plan));
        };
        let input = LogicalPlanBuilder::from(Arc::clone(&unnest.input)).filter(condition)?.build()?;
        let unnest = Unnest { input: Arc::new(input), ..unnest.clone() };
        let filter = Filter::try_new(filter.predicate.clone(), Arc::new(LogicalPlan::Unnest(unnest)))?;
        Ok(Transformed::yes(LogicalPlan::Filter(filter)))
    }
}

/// Says of the list what the condition says of its element; nothing when it speaks of something else too.
fn any_element(condition: &Expr, unnest: &Unnest) -> Result<Option<Expr>> {
    if !is_comparison(condition) {
        return Ok(None);
    }
    let columns = condition.column_refs();
    let mut lists = unnest.list_type_columns.iter().filter(|(_, list)| columns.contains(&list.output_column));
    let Some((at, list)) = lists.next().filter(|(_, list)| columns.len() == 1 && list.depth == 1) else {
        return Ok(None);
    };
    let (qualifier, field) = unnest.input.schema().qualified_field(*at);
    let DataType::List(element) = field.data_type() else { return Ok(None) };
    let body = of_variable(condition, &list.output_column, element)?;
    let column = Expr::Column(Column::from((qualifier, field)));
    let call = HigherOrderFunction::new(
        array_any_match_higher_order_function(),
        vec![column, lambda([VARIABLE], body)],
    );
    Ok(Some(Expr::HigherOrderFunction(call)))
}

const VARIABLE: &str = "element";

fn of_variable(condition: &Expr, column: &Column, element: &FieldRef) -> Result<Expr> {
    let replaced = condition.clone().transform(|expr| {
        Ok(match expr {
            Expr::Column(named) if named == *column => {
                let variable = LambdaVariable::new(VARIABLE.to_owned(), Some(Arc::clone(element)));
                Transformed::yes(Expr::LambdaVariable(variable))
            }
            expr => Transformed::no(expr),
        })
    });
    Ok(replaced?.data)
}

/// A member and values: asking anything else twice costs more than it saves.
fn is_comparison(condition: &Expr) -> bool {
    let is_member = |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if call.name() == "get_field");
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => is_member(left) || is_member(right),
        Expr::InList(InList { expr, negated: false, .. }) => is_member(expr),
        _ => false,
    }
}

/// Says whether an earlier pass asked it: it is somewhere below, under the names that the columns have there.
fn is_asked(input: &LogicalPlan, condition: &Expr) -> Result<bool> {
    let Expr::HigherOrderFunction(condition) = condition else { return Ok(false) };
    let is_same = |expr: &Expr| match expr {
        Expr::HigherOrderFunction(call) => call.args.get(1) == condition.args.get(1),
        _ => false,
    };
    input.exists(|plan| {
        let filters = match plan {
            LogicalPlan::Filter(filter) => vec![&filter.predicate],
            LogicalPlan::TableScan(scan) => scan.filters.iter().collect(),
            _ => Vec::new(),
        };
        Ok(filters.into_iter().flat_map(split_conjunction).any(is_same))
    })
}
