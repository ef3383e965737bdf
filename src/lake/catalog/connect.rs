//! Connects to the database of a catalog.

use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Executor};
use tracing::log::LevelFilter;

use super::CatalogLimits;
use super::place::CatalogPlace;

/// How long a statement waits for a connection beyond the time that those before it may wait for a lock.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections to a SQLite file, a process: one writes, the others read.
const FILE_CONNECTIONS: u32 = 4;

/// Connects. Making a new SQLite file ready takes a lock that SQLite does not wait for, so the waiting is here.
pub(super) async fn connect(place: &CatalogPlace, limits: CatalogLimits) -> Result<AnyPool, sqlx::Error> {
    const LOOK_AGAIN: Duration = Duration::from_millis(20);
    sqlx::any::install_default_drivers();
    // Whoever runs this cannot do anything about a slow statement's text; that the catalog is slow shows elsewhere.
    // Who asks for it by `sqlx::query=debug` has every statement, without its values.
    let options =
        AnyConnectOptions::from_str(&url(place)?)?.log_slow_statements(LevelFilter::Off, Duration::MAX);
    let deadline = tokio::time::Instant::now() + limits.busy_timeout;
    loop {
        let pool = pool_options(place, limits);
        match pool.connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            connected => return connected,
        }
    }
}

fn url(place: &CatalogPlace) -> Result<String, sqlx::Error> {
    match place {
        CatalogPlace::Postgres(url) => Ok(url.url().to_owned()),
        CatalogPlace::File(path) => {
            let path = std::path::absolute(path)?;
            let wrong = || sqlx::Error::Configuration("a path that no URL can say".into());
            let url = url::Url::from_file_path(&path).map_err(|()| wrong())?;
            Ok(format!("sqlite://{}?mode=rwc", url.path()))
        }
    }
}

fn pool_options(place: &CatalogPlace, limits: CatalogLimits) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().acquire_timeout(limits.busy_timeout + CONNECTION_TIMEOUT);
    match place {
        CatalogPlace::Postgres(_) => options
            .max_connections(limits.connections_max)
            .after_connect(move |connection, _| Box::pin(prepare_server(connection, limits.busy_timeout))),
        CatalogPlace::File(_) => options
            .max_connections(FILE_CONNECTIONS)
            .after_connect(move |connection, _| Box::pin(prepare_file(connection, limits.busy_timeout))),
    }
}

/// A process that freezes inside a transaction holds its locks; the server takes them from it, so that others
/// wait no longer than they would for a file. A server that does not know the setting has limits of its own.
async fn prepare_server(connection: &mut AnyConnection, busy_timeout: Duration) -> Result<(), sqlx::Error> {
    let wait = format!("set idle_in_transaction_session_timeout = {}", busy_timeout.as_millis());
    match connection.execute(AssertSqlSafe(wait)).await {
        Err(error) if error.as_database_error().is_some() => {
            tracing::debug!(error = &error as &dyn std::error::Error, "no limit of idle transactions");
            Ok(())
        }
        set => set.map(drop),
    }
}

async fn prepare_file(connection: &mut AnyConnection, busy_timeout: Duration) -> Result<(), sqlx::Error> {
    let wait = format!("pragma busy_timeout = {}", busy_timeout.as_millis());
    connection.execute(AssertSqlSafe(wait)).await?;
    // A commit is followed by deleting messages, so it must be on the disk: synchronous is full.
    // 16 MiB of pages a connection: objects of many accounts lie far apart in the index of a large catalog.
    for pragma in [
        "pragma journal_mode = wal",
        "pragma synchronous = full",
        "pragma foreign_keys = on",
        "pragma cache_size = -16384",
    ] {
        connection.execute(pragma).await?;
    }
    Ok(())
}

/// Says whether another process holds the lock. The low byte of SQLite's codes is what went wrong.
fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: u32 = 5;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == BUSY)
}
