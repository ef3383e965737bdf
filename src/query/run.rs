//! Runs one statement.
//!
//! Takes SQL and parameters and gives rows, batch by batch, and at the end what
//! it cost. Promises:
//! - a statement that could change or write anything is refused before it is planned further;
//! - a file that settling deleted between plan and read costs one new plan, as
//!   long as no row was given yet; after that it is an error, never a gap.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SQLOptions;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::Statement as Sql;
use futures::StreamExt;

use super::athena;
use super::error::{Cause, QueryError};
use super::param::Params;
use super::session::{Engine, Session};
use super::views;

/// What a query has cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// Rows given.
    pub rows: u64,
    /// Files the filters left.
    pub files_opened: u64,
    /// Files that are visible in the tables asked.
    pub files_visible: u64,
    /// The bytes of those.
    pub bytes_visible: u64,
    /// Bytes read from the store.
    pub bytes_read: u64,
}

/// The rows of a query, as they come.
pub struct Rows {
    session: Session,
    logical: LogicalPlan,
    plan: Arc<dyn ExecutionPlan>,
    stream: SendableRecordBatchStream,
    rows: u64,
    tries_left: u32,
    limit_bytes: usize,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Plans a statement and starts it.
///
/// # Errors
/// The statement is no SQL, is refused, names what is not there, or its parameters do not fit.
pub async fn run(engine: &Engine, sql: &str, params: &Params) -> Result<Rows, QueryError> {
    let session = engine.session();
    let state = session.context.state();
    let mut statement = state
        .sql_to_statement(sql, &state.config_options().sql_parser.dialect)
        .map_err(|error| QueryError::Parse(Cause::from(&error)))?;
    refuse_changes(&statement)?;
    athena::rewrite(&mut statement);
    let logical = state.statement_to_plan(statement).await.map_err(planning)?;
    verify(&logical)?;
    let logical = params.bind(logical)?;
    let (plan, stream) = start(&session, &logical, engine.limits().memory_bytes).await?;
    Ok(Rows {
        session,
        logical,
        plan,
        stream,
        rows: 0,
        tries_left: 1,
        limit_bytes: engine.limits().memory_bytes,
    })
}

impl Rows {
    /// Returns the columns, named as Athena names them: `api.operation` without an alias is `operation`.
    pub fn schema(&self) -> SchemaRef {
        let schema = self.stream.schema();
        let fields = schema.fields().iter().enumerate();
        let fields =
            fields.map(|(number, field)| field.as_ref().clone().with_name(shown_name(number, field.name())));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Returns the next batch that has rows, or nothing at the end.
    ///
    /// # Errors
    /// Reading or computing failed; no more rows come.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        loop {
            match self.stream.next().await {
                None => return Ok(None),
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    self.rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
                    let named = RecordBatch::try_new(self.schema(), batch.columns().to_vec());
                    return named.map(Some).map_err(|error| running(&error.into(), self.limit_bytes));
                }
                Some(Err(error)) if self.rows == 0 && self.tries_left > 0 && is_gone(&error) => {
                    self.tries_left -= 1;
                    self.restart().await?;
                }
                Some(Err(error)) => return Err(running(&error, self.limit_bytes)),
            }
        }
    }

    /// Returns how many files the filters left, and how many bytes were read up to now.
    pub fn cost(&self) -> (u64, u64) {
        (self.session.counts.opened(), self.session.counts.bytes_read())
    }

    /// Returns what the query has cost up to now, of how much there was: that is counted in the catalog.
    ///
    /// # Errors
    /// The catalog failed.
    pub async fn stats(&mut self) -> Result<QueryStats, QueryError> {
        let (files_opened, bytes_read) = self.cost();
        let visible = self.session.counts.visible(&self.session.catalog).await;
        let (files_visible, bytes_visible) = visible.map_err(QueryError::Count)?;
        Ok(QueryStats { rows: self.rows, files_opened, files_visible, bytes_visible, bytes_read })
    }

    async fn restart(&mut self) -> Result<(), QueryError> {
        tracing::debug!("a file was settled away while the query started, planning again");
        self.session.counts.reset();
        (self.plan, self.stream) = start(&self.session, &self.logical, self.limit_bytes).await?;
        Ok(())
    }
}

/// What a column is called. What the planner calls an expression names every table in it: past a length, it is
/// Athena's name for one without a name.
fn shown_name(number: usize, name: &str) -> String {
    const LENGTH_MAX: usize = 40;
    let name = last_name(name);
    if name.len() > LENGTH_MAX { format!("_col{number}") } else { name.to_owned() }
}

/// The last name of a path that DataFusion wrote as `table.column[member][member]`; any other text as it is.
fn last_name(name: &str) -> &str {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let member = name.strip_suffix(']').and_then(|path| path.rsplit_once('['));
    match member {
        Some((path, last))
            if is_word(last) && path.split(['.', '[', ']']).all(|part| part.is_empty() || is_word(part)) =>
        {
            last
        }
        _ => name,
    }
}

async fn start(
    session: &Session,
    logical: &LogicalPlan,
    limit_bytes: usize,
) -> Result<(Arc<dyn ExecutionPlan>, SendableRecordBatchStream), QueryError> {
    let state = session.context.state();
    let plan = state.create_physical_plan(logical).await.map_err(planning)?;
    let stream = execute_stream(Arc::clone(&plan), session.context.task_ctx())
        .map_err(|error| running(&error, limit_bytes))?;
    Ok((plan, stream))
}

/// Refuses by the statement's kind, since planning some of them would already act on the session.
fn refuse_changes(statement: &Statement) -> Result<(), QueryError> {
    let inner = match statement {
        Statement::Explain(explain) => return refuse_changes(&explain.statement),
        Statement::Statement(inner) => inner.as_ref(),
        Statement::CreateExternalTable(_) => return Err(refused("create external table")),
        Statement::CopyTo(_) => return Err(refused("copy")),
        Statement::Reset(_) => return Err(refused("reset")),
    };
    match inner {
        Sql::Query(_)
        | Sql::ShowTables { .. }
        | Sql::ShowColumns { .. }
        | Sql::ShowVariable { .. }
        | Sql::ShowFunctions { .. }
        | Sql::ShowCreate { .. }
        | Sql::ExplainTable { .. } => Ok(()),
        Sql::Explain { statement, .. } => refuse_changes(&Statement::Statement(statement.clone())),
        other => {
            let text = other.to_string().to_lowercase();
            let words: Vec<_> = text.split_whitespace().take(2).collect();
            Err(refused(&words.join(" ")))
        }
    }
}

fn refused(statement: &str) -> QueryError {
    QueryError::Refused { statement: Cause::new(&statement).to_string() }
}

/// The same again on the plan: what a query contains counts too.
fn verify(plan: &LogicalPlan) -> Result<(), QueryError> {
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(plan)
        .map_err(|error| refused(&error.strip_backtrace()))
}

fn planning(error: DataFusionError) -> QueryError {
    if let DataFusionError::Plan(text) = error.find_root()
        && let Some(name) = text.strip_prefix("table '").and_then(|rest| rest.strip_suffix("' not found"))
    {
        let known: Vec<_> = views::listed().collect();
        return QueryError::NoTable { name: Cause::new(&name).to_string(), known: known.join(", ") };
    }
    match error {
        DataFusionError::External(source) => match source.downcast::<QueryError>() {
            Ok(ours) => *ours,
            Err(other) => QueryError::Plan(Cause::new(&other)),
        },
        error => QueryError::Plan(Cause::from(&error)),
    }
}

fn running(error: &DataFusionError, limit_bytes: usize) -> QueryError {
    let source = Cause::from(error);
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => QueryError::Memory { limit_bytes, source },
        // Of a spill past its limit only the text is kept.
        _ if error.to_string().contains("during the spilling") => QueryError::Spill(source),
        _ => QueryError::Run(source),
    }
}

/// Says whether a file was not there. DataFusion's Parquet reader keeps of the store's error
/// only its text, so the text is what there is; taking another error for it costs one plan.
pub(super) fn is_gone(error: &DataFusionError) -> bool {
    let text = error.to_string();
    text.contains("Object at location") && text.contains("not found")
}
