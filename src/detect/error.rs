//! Why a run of detections ended without telling anything.

use crate::lake::catalog::CatalogError;
use crate::query::QueryError;

/// Why a run of detections ended without telling anything. The next run judges the same again.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// The catalog failed, or another run began meanwhile.
    #[error("detect: catalog")]
    Catalog(#[from] CatalogError),
    /// New events cannot be read.
    #[error("detect: read what is to be judged")]
    News {
        /// Why.
        #[source]
        source: QueryError,
    },
    /// A rule cannot be asked.
    #[error("detect: rule {rule}")]
    Rule {
        /// The rule.
        rule: &'static str,
        /// Why.
        #[source]
        source: QueryError,
    },
    /// A rule gives rows without the columns of a finding.
    #[error("detect: rule {rule} gives rows that are no findings")]
    Columns {
        /// The rule.
        rule: &'static str,
    },
    /// Findings cannot be encoded: a mistake of ours.
    #[error("detect: encode findings")]
    Encode(#[source] parquet::errors::ParquetError),
    /// The lake does not take the findings.
    #[error("detect: write {key}")]
    Store {
        /// The file.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

impl DetectError {
    /// Says whether less at a time would do.
    pub(super) fn is_of_memory(&self) -> bool {
        matches!(self, Self::Rule { source: QueryError::Memory { .. }, .. })
    }
}
