//! Parameters: values that go into a plan, never into a text.
//!
//! Takes `name=value` pairs and a planned statement and gives the plan with every
//! `$name` (or `$1`) replaced by a literal. The type of a literal is the type its
//! place wants, as the planner inferred it; where it could not, a whole number is
//! a number and all else is text. A moment (`2025-01-01`, `2025-01-01T08:00Z`)
//! given where a number is wanted becomes epoch milliseconds, since that is what
//! OCSF's `time` holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::error::{Cause, QueryError};

/// Values by name; `$1` has the name `1`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads `name=value` pairs; a later one replaces an earlier one of its name.
    ///
    /// # Errors
    /// A text without a name before an equals sign.
    pub fn read<'a>(pairs: impl IntoIterator<Item = &'a str>) -> Result<Self, QueryError> {
        pairs.into_iter().map(read_pair).collect::<Result<_, _>>().map(Self)
    }

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts the values into a plan.
    ///
    /// # Errors
    /// A parameter without a value, a value without a parameter, or one of the wrong type.
    pub(super) fn bind(&self, plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
        let wanted = wanted(&plan).map_err(|error| plan_error(&error))?;
        self.check(&wanted)?;
        if wanted.is_empty() {
            return Ok(plan);
        }
        let bound = plan.transform_up_with_subqueries(|plan| self.bind_node(plan));
        bound.map(|plan| plan.data).map_err(|error| match error {
            DataFusionError::External(source) => match source.downcast::<QueryError>() {
                Ok(ours) => *ours,
                Err(other) => QueryError::Plan(Cause::new(&other)),
            },
            error => plan_error(&error),
        })
    }

    fn check(&self, wanted: &BTreeSet<String>) -> Result<(), QueryError> {
        let missing: Vec<_> = wanted.iter().filter(|name| !self.0.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(QueryError::ParamMissing { missing: names(missing) });
        }
        match self.0.keys().find(|name| !wanted.contains(*name)) {
            None => Ok(()),
            Some(given) => Err(QueryError::ParamUnknown {
                given: given.clone(),
                known: if wanted.is_empty() { "none".to_owned() } else { names(wanted) },
            }),
        }
    }

    /// Binds the expressions of one node, as DataFusion's own `replace_params_with_values`
    /// does, but each placeholder by the type of its own place: one name may stand beside
    /// a number here and a moment there.
    fn bind_node(&self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>, DataFusionError> {
        let schema = Arc::clone(plan.schema());
        let preserver = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let (expr, has_placeholder) = expr.infer_placeholder_types(&schema)?;
            if !has_placeholder {
                return Ok(Transformed::no(expr));
            }
            let name = preserver.save(&expr);
            let bound = expr.transform_up(|expr| self.bind_expr(expr))?;
            Ok(bound.update_data(|expr| name.restore(expr)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    }

    fn bind_expr(&self, expr: Expr) -> Result<Transformed<Expr>, DataFusionError> {
        let Expr::Placeholder(Placeholder { id, field }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let name = id.trim_start_matches('$');
        let Some(text) = self.0.get(name) else {
            return Ok(Transformed::no(expr));
        };
        let value = match field {
            None => Some(guess(text)),
            Some(field) => typed(text, field.data_type()),
        };
        let value = value.ok_or_else(|| {
            DataFusionError::External(Box::new(QueryError::ParamType {
                name: name.to_owned(),
                wanted: field.as_ref().map_or_else(String::new, |field| field.data_type().to_string()),
            }))
        })?;
        Ok(Transformed::yes(Expr::Literal(value, None)))
    }
}

fn read_pair(pair: &str) -> Result<(String, String), QueryError> {
    let shape = || QueryError::ParamShape { text: Cause::new(&pair).to_string() };
    let (name, value) = pair.split_once('=').ok_or_else(shape)?;
    let name = name.trim().trim_start_matches('$');
    let fits = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    fits.then(|| (name.to_owned(), value.to_owned())).ok_or_else(shape)
}

fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("${name}")).collect();
    names.join(", ")
}

fn plan_error(error: &DataFusionError) -> QueryError {
    QueryError::Plan(Cause::from(error))
}

fn wanted(plan: &LogicalPlan) -> Result<BTreeSet<String>, DataFusionError> {
    let mut names = BTreeSet::new();
    plan.apply_with_subqueries(|plan| {
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Placeholder(placeholder) = expr {
                    names.insert(placeholder.id.trim_start_matches('$').to_owned());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(names)
}

fn guess(text: &str) -> ScalarValue {
    // Only as it would be printed: 007 and +1 are text.
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => ScalarValue::Int64(Some(number)),
        _ => ScalarValue::from(text),
    }
}

fn typed(text: &str, wanted: &DataType) -> Option<ScalarValue> {
    if let (DataType::Int64, Err(_)) = (wanted, text.parse::<i64>()) {
        return moment(text).map(|time| ScalarValue::Int64(Some(time)));
    }
    if let DataType::Timestamp(_, _) = wanted {
        let time = ScalarValue::TimestampMillisecond(Some(moment(text)?), None);
        return time.cast_to(wanted).ok();
    }
    if wanted.is_null() {
        return Some(guess(text));
    }
    ScalarValue::try_from_string(text.to_owned(), wanted).ok()
}

/// Reads a moment as epoch milliseconds; without an offset it is UTC.
fn moment(text: &str) -> Option<i64> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.as_millisecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let moment = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(moment.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_what_its_place_wants() {
        let check = |text, wanted: &DataType, expected| assert_eq!(typed(text, wanted), expected, "{text}");
        let new_year = 1_735_689_600_000;
        check("5", &DataType::Int64, Some(ScalarValue::Int64(Some(5))));
        check("2025-01-01", &DataType::Int64, Some(ScalarValue::Int64(Some(new_year))));
        check("2025-01-01T01:00:00+01:00", &DataType::Int64, Some(ScalarValue::Int64(Some(new_year))));
        check("soon", &DataType::Int64, None);
        check("111122223333", &DataType::Utf8, Some(ScalarValue::from("111122223333")));
        check("true", &DataType::Boolean, Some(ScalarValue::Boolean(Some(true))));
        assert_eq!(guess("007"), ScalarValue::from("007"));
        assert_eq!(guess("-7"), ScalarValue::Int64(Some(-7)));
    }

    #[test]
    fn reads_pairs() {
        let read = |pair| Params::read([pair]);
        assert_eq!(read("a=b=c").unwrap(), Params::default().with("a", "b=c"));
        assert_eq!(read("$1=").unwrap(), Params::default().with("1", ""));
        for wrong in ["a", "=b", "a b=c"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
