//! The events that no rule has judged yet, under names that begin with `new_`.
//!
//! Takes the name of a table of the lake, or `cloudtrail`, behind `new_` and gives the rows of
//! objects that a run of detections judges: the same rows in each query of the run, whatever
//! is committed, settled or deleted meanwhile.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::common::{Result, exec_datafusion_err, exec_err};
use datafusion::datasource::provider_as_source;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::{JoinType, LogicalPlan, LogicalPlanBuilder, ScalarUDF, col, lit};

use super::function::by_column;

/// What the names of new events begin with.
pub(super) const PREFIX: &str = "new_";

/// What a run of detections judges.
#[derive(Debug, Clone)]
pub struct News {
    /// The last run that came to its end.
    pub done: i64,
    /// The objects that were committed since, as evidence names them. Where they are too many to hold, nothing: rows of
    /// files with new rows then count as new.
    pub objects: Option<Arc<Vec<String>>>,
    /// Of them the events of this stretch of time, epoch milliseconds, first and last.
    pub times: Option<(i64, i64)>,
}

/// The function by which rules name the first of many: `few(['a', 'b', 'c', 'd'])` is `a, b, c and 1 more`.
pub(super) fn few() -> ScalarUDF {
    by_column("few", 1, DataType::Utf8, |args| {
        let lists = args.first().ok_or_else(|| exec_datafusion_err!("a list is missing"))?;
        let Some(lists) = lists.as_list_opt::<i32>() else { return exec_err!("no list") };
        let mut answers = StringBuilder::new();
        for list in lists.iter() {
            let texts = list.map(|list| cast(&list, &DataType::Utf8)).transpose()?;
            answers.append_option(texts.map(|texts| named(texts.as_string())));
        }
        Ok(Arc::new(answers.finish()))
    })
}

fn named(texts: &StringArray) -> String {
    const NAMED: usize = 3;
    let first: Vec<&str> = texts.iter().flatten().take(NAMED).collect();
    let more = texts.iter().flatten().count() - first.len();
    let first = first.join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// Leaves the rows of new objects, of the stretch that is judged.
pub(super) fn of_new_objects(plan: LogicalPlan, news: &News) -> Result<LogicalPlan> {
    let plan = match news.times {
        Some((first, last)) => {
            let is_in = col("time").gt_eq(lit(first)).and(col("time").lt_eq(lit(last)));
            LogicalPlanBuilder::from(plan).filter(is_in)?.build()?
        }
        None => plan,
    };
    let Some(objects) = &news.objects else { return Ok(plan) };
    const NAME: &str = "new_object";
    let names: ArrayRef = Arc::new(objects.iter().map(Some).collect::<StringArray>());
    let schema = Arc::new(Schema::new(vec![Field::new(NAME, DataType::Utf8, true)]));
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![names])?;
    let table = Arc::new(MemTable::try_new(schema, vec![vec![rows]])?);
    let objects = LogicalPlanBuilder::scan("new_objects", provider_as_source(table), None)?.build()?;
    let is_of = get_field(col("metadata"), "log_name").eq(col(NAME));
    LogicalPlanBuilder::from(plan).join_on(objects, JoinType::LeftSemi, [is_of])?.build()
}
