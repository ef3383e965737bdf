//! The one source of truth: which objects have been read, which files can be seen.
//!
//! Takes claims and commits and gives snapshots. Promises, each by one SQL transaction:
//! - an object is claimed by one batch at a time, and a committed one by none again;
//! - files become visible and objects committed together, or not at all, and only
//!   while the batch still owns every claim (`CatalogError::Fenced` otherwise);
//! - settling shows the new files and hides the old ones in the same moment.
//!
//! SQLite today; the statements are written so that PostgreSQL takes them too.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

mod row;
mod claim;
mod file;
mod set_aside;
mod report;

pub use claim::{BatchOutcome, Claim, ClaimedObject, ObjectOutcome, ObjectState};
pub use file::{FileFilter, FileKind, LakeFile, Settling, Slice};
pub use report::{DaySummary, SetAsideSummary, SourceSummary};
pub use row::ObjectId;
pub use set_aside::SetAsideEntry;

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
    pool: SqlitePool,
}

/// Bounds of the catalog.
#[derive(Debug, Clone, Copy)]
pub struct CatalogLimits {
    /// How long a statement waits for another process that writes.
    pub busy_timeout: Duration,
}

impl Default for CatalogLimits {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(60) }
    }
}

/// How long a statement waits for a connection beyond the time that those before it may wait for a lock.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

impl Catalog {
    /// Opens the catalog at `path`, creating it when it is not there.
    ///
    /// # Errors
    /// The file cannot be opened or its tables cannot be brought to this version.
    pub async fn open(path: &Path) -> Result<Self, CatalogError> {
        Self::open_with(path, CatalogLimits::default()).await
    }

    /// Opens the catalog at `path` with limits of its own, creating it when it is not there.
    ///
    /// # Errors
    /// The file cannot be opened or its tables cannot be brought to this version.
    pub async fn open_with(path: &Path, limits: CatalogLimits) -> Result<Self, CatalogError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit is followed by deleting messages, so it must be on the disk.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(limits.busy_timeout);
        let pool = connect(options, limits)
            .await
            .map_err(|source| CatalogError::Open { path: path.display().to_string(), source })?;
        let catalog = Self { pool };
        catalog.migrate().await?;
        Ok(catalog)
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

    /// Closes all connections, so that the last one folds the write-ahead log back.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Starts a transaction that writes. `immediate` takes the write lock at once: two writers
    /// then wait for each other instead of failing when the second one upgrades its read.
    async fn write(&self, what: &'static str) -> Result<sqlx::Transaction<'_, sqlx::Sqlite>, CatalogError> {
        self.pool.begin_with("begin immediate").await.map_err(CatalogError::doing(what))
    }
}

/// Connects. Making a new file ready takes a lock that SQLite does not wait for, so the waiting is here.
async fn connect(options: SqliteConnectOptions, limits: CatalogLimits) -> Result<SqlitePool, sqlx::Error> {
    const LOOK_AGAIN: Duration = Duration::from_millis(20);
    let deadline = tokio::time::Instant::now() + limits.busy_timeout;
    loop {
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(limits.busy_timeout + CONNECTION_TIMEOUT);
        match pool.connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            connected => return connected,
        }
    }
}

/// Says whether another process holds the lock. The low byte of SQLite's codes is what went wrong.
fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == BUSY)
}

/// Numbers of rows and bytes are never negative and far below 2^63.
fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
