//! The one source of truth: which objects have been read, which files can be seen.
//!
//! Takes claims and commits and gives snapshots. Promises, each by one SQL transaction:
//! - an object is claimed by one batch at a time, and a committed one by none again;
//! - files become visible and objects committed together, or not at all, and only
//!   while the batch still owns every claim (`CatalogError::Fenced` otherwise);
//! - settling shows the new files and hides the old ones in the same moment.
//!
//! SQLite beside the lake for one machine, PostgreSQL where several workers run: the
//! same tables and the same statements. Transactions are short, take their locks in one
//! order, and are tried again where the database asks for it (`retry`).

use std::path::Path;
use std::time::Duration;

use sqlx::{Any, AnyPool, Transaction};

mod place;
mod connect;
mod retry;
mod statement;
mod row;
mod claim;
mod duty;
mod file;
mod settling;
mod derivation;
mod detection;
mod set_aside;
mod listing;
mod report;

pub use claim::{BatchOutcome, Claim, ClaimedObject, ObjectOutcome, ObjectState};
pub use derivation::{Derivation, DerivedFile, DerivedPart, DerivedSummary, DerivedView, Due};
pub use detection::{DetectionRun, Told};
pub use duty::Duty;
pub use file::{FileFilter, FileKind, LakeFile, Slice};
pub use place::CatalogPlace;
pub use report::{DaySummary, PlaceSummary, SetAsideSummary, SourceSummary};
pub use row::ObjectId;
pub use set_aside::SetAsideEntry;
pub use settling::Settling;

/// Names the work whose claims and files belong together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BatchId(pub String);

impl std::fmt::Display for BatchId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What went wrong with the catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The catalog cannot be opened.
    #[error("open catalog {path}")]
    Open {
        /// Where it is.
        path: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The tables cannot be brought to this version.
    #[error("bring the catalog's tables to this version")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("catalog: {what}")]
    Statement {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: sqlx::Error,
    },
    /// Somebody else took over what this batch had claimed; nothing was committed.
    #[error("batch {batch} lost its claims to another worker, nothing of it was committed")]
    Fenced {
        /// The batch that came too late.
        batch: BatchId,
    },
}

impl CatalogError {
    fn doing(what: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Statement { what, source }
    }
}

/// The catalog of one lake.
#[derive(Debug, Clone)]
pub struct Catalog {
    pool: AnyPool,
    /// Starts a transaction that writes.
    begin: &'static str,
    /// Starts a transaction whose statements all see one moment.
    begin_read: &'static str,
    /// What is claimed of what was given up.
    failed: Failed,
}

/// What becomes of the wish to claim an object of which nothing could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// It was given up for good.
    Done,
    /// It is read once more.
    Claimed,
}

/// Bounds of the catalog.
#[derive(Debug, Clone, Copy)]
pub struct CatalogLimits {
    /// How long a statement waits for another process that writes.
    pub busy_timeout: Duration,
    /// Connections to PostgreSQL, a process.
    pub connections_max: u32,
}

impl Default for CatalogLimits {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(60), connections_max: 4 }
    }
}

impl Catalog {
    /// Opens the SQLite catalog at `path`, creating it when it is not there.
    ///
    /// # Errors
    /// The file cannot be opened or its tables cannot be brought to this version.
    pub async fn open(path: &Path) -> Result<Self, CatalogError> {
        Self::open_with(&CatalogPlace::File(path.to_owned()), CatalogLimits::default()).await
    }

    /// Opens a catalog with limits of its own, creating its tables when they are not there.
    ///
    /// # Errors
    /// It cannot be reached or its tables cannot be brought to this version.
    pub async fn open_with(place: &CatalogPlace, limits: CatalogLimits) -> Result<Self, CatalogError> {
        let pool = connect::connect(place, limits)
            .await
            .map_err(|source| CatalogError::Open { path: place.to_string(), source })?;
        // Taking SQLite's write lock at once: two writers then wait for each other instead of failing when the
        // second one upgrades its read.
        let (begin, begin_read) = match place {
            CatalogPlace::File(_) => ("begin immediate", "begin"),
            CatalogPlace::Postgres(_) => ("begin", "begin isolation level repeatable read"),
        };
        let catalog = Self { pool, begin, begin_read, failed: Failed::Done };
        catalog.migrate().await?;
        Ok(catalog)
    }

    /// Returns the catalog for who tries failed objects again: they can be claimed, and are failed objects still
    /// until that batch commits.
    #[must_use]
    pub fn with_failed_claimed(self) -> Self {
        Self { failed: Failed::Claimed, ..self }
    }

    /// Brings the tables to this version. What fails at first is tried again alone: another process may be
    /// at it just now.
    async fn migrate(&self) -> Result<(), CatalogError> {
        let migrations = sqlx::migrate!("./migrations");
        if migrations.run(&self.pool).await.is_ok() {
            return Ok(());
        }
        let what = "wait to bring the tables to this version";
        let mut alone = self.write(what).await?;
        migrations.run(&mut *alone).await.map_err(CatalogError::Migrate)?;
        alone.commit().await.map_err(CatalogError::doing(what))
    }

    /// Closes all connections, so that the last one folds SQLite's write-ahead log back.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Starts a transaction that writes.
    async fn write(&self, what: &'static str) -> Result<Transaction<'_, Any>, CatalogError> {
        self.pool.begin_with(self.begin).await.map_err(CatalogError::doing(what))
    }
}

/// Numbers of rows and bytes are never negative and far below 2^63.
fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
