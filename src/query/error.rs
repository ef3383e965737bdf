//! What can go wrong with a query, in the order in which it goes wrong.
//!
//! DataFusion's messages quote values, and values come from logs: [`Cause`]
//! escapes them, so that an error can be printed to a terminal as it is.

use std::fmt;

use datafusion::error::DataFusionError;

use super::format::text::visible;
use crate::lake::catalog::CatalogError;

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The engine cannot be set up.
    #[error("set up the query engine")]
    Engine(#[source] Cause),
    /// The text is no SQL, or more than one statement.
    #[error("read the statement")]
    Parse(#[source] Cause),
    /// The statement would change something.
    #[error("refused {statement}: the lake is read-only, only select, explain, show and describe run")]
    Refused {
        /// What it is.
        statement: String,
    },
    /// A table that does not exist.
    #[error("no table {name}; there are {known}")]
    NoTable {
        /// The name as it was resolved.
        name: String,
        /// Names that can be asked.
        known: String,
    },
    /// The statement names something that is not there, or types that do not fit.
    #[error("plan the query")]
    Plan(#[source] Cause),
    /// A parameter the statement has and nobody gave.
    #[error("no value for {missing}; give each with --param name=value")]
    ParamMissing {
        /// The names, as the statement writes them.
        missing: String,
    },
    /// A parameter that was given and the statement does not have.
    #[error("the query has no parameter {given}; it has {known}")]
    ParamUnknown {
        /// What was given.
        given: String,
        /// What the statement has.
        known: String,
    },
    /// A value that is not of the type its place wants.
    #[error("the value of ${name} is no {wanted}")]
    ParamType {
        /// The parameter.
        name: String,
        /// The type.
        wanted: String,
    },
    /// A parameter that is not `name=value`.
    #[error("{text} is no parameter, want name=value")]
    ParamShape {
        /// What was typed.
        text: String,
    },
    /// No question of this id.
    #[error("no question {id}; there are {known}")]
    NoQuestion {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// The catalog could not be asked.
    #[error("find the files of {table}")]
    Catalog {
        /// The table.
        table: &'static str,
        /// Why.
        #[source]
        source: CatalogError,
    },
    /// What there was to open could not be counted.
    #[error("count the files of the lake")]
    Count(#[source] CatalogError),
    /// The memory limit was reached by something that cannot go to the disk.
    #[error("the query needs more than its {limit_bytes} bytes of memory")]
    Memory {
        /// The limit.
        limit_bytes: usize,
        /// Who asked for more.
        #[source]
        source: Cause,
    },
    /// What did not fit into memory did not fit onto the disk either.
    #[error("the query needs more disk than it may spill to")]
    Spill(#[source] Cause),
    /// Reading or computing failed.
    #[error("run the query")]
    Run(#[source] Cause),
    /// The rows cannot be written in this format.
    #[error("write the rows as {format}")]
    Encode {
        /// The format.
        format: &'static str,
        /// Why.
        #[source]
        source: Cause,
    },
    /// The place the rows go to does not take them.
    #[error("write the rows")]
    Write(#[source] std::io::Error),
}

/// A message of a library, safe to print.
#[derive(Debug)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

impl Cause {
    /// Takes a message and makes every control character of it visible.
    pub fn new(error: &dyn fmt::Display) -> Self {
        Self(visible(&error.to_string()).into_owned())
    }
}

impl From<&DataFusionError> for Cause {
    fn from(error: &DataFusionError) -> Self {
        Self::new(&error.strip_backtrace())
    }
}
