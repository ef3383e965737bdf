//! The rows of a derived table for who keeps them: of named files, numbered and sorted.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{LogicalPlanBuilder, ident};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;

use super::plan;
use crate::lake::catalog::LakeFile;
use crate::lake::derived::{Derived, Origin};
use crate::query::error::{Cause, QueryError};
use crate::query::session::Engine;

/// Rows as they are to be written.
pub struct DerivedRows {
    stream: SendableRecordBatchStream,
    schema: Arc<Schema>,
}

impl std::fmt::Debug for DerivedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DerivedRows").finish_non_exhaustive()
    }
}

/// Computes what is derived from files of an origin. The place of a file in the list is the `part` of its rows.
///
/// # Errors
/// The rows cannot be planned.
pub async fn derived_rows(
    engine: &Engine,
    (derived, origin): (Derived, Origin),
    files: &[LakeFile],
) -> Result<DerivedRows, QueryError> {
    let wrong = |error: DataFusionError| QueryError::Plan(Cause::from(&error));
    let session = engine.session();
    let context = plan::deriving(&session.context.state(), origin, files, &session.counts).map_err(wrong)?;
    let rows = plan::derive(&context, (derived, origin)).await.map_err(wrong)?;
    let order = derived.order().iter().map(|name| ident(*name).sort(true, false));
    let rows = LogicalPlanBuilder::from(rows).sort(order.collect::<Vec<_>>());
    let rows = rows.and_then(LogicalPlanBuilder::build).map_err(wrong)?;
    let physical = context.state().create_physical_plan(&rows).await.map_err(wrong)?;
    let stream = execute_stream(physical, context.task_ctx()).map_err(wrong)?;
    Ok(DerivedRows { stream, schema: Arc::clone(&derived.schema().arrow) })
}

impl DerivedRows {
    /// Returns the next rows, or nothing at the end.
    ///
    /// # Errors
    /// Reading or computing failed; [`DerivedError::is_gone`] says whether a file was settled away meanwhile.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, DerivedError> {
        let Some(batch) = self.stream.next().await else { return Ok(None) };
        let batch = batch.map_err(DerivedError)?;
        RecordBatch::try_new(Arc::clone(&self.schema), batch.columns().to_vec())
            .map(Some)
            .map_err(|error| DerivedError(error.into()))
    }
}

/// Why rows could not be derived.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct DerivedError(DataFusionError);

impl DerivedError {
    /// Says whether a file is not there any more.
    pub fn is_gone(&self) -> bool {
        crate::query::run::is_gone(&self.0)
    }
}
