//! Keeps derived tables: footprints, touches, session edges, leases, flows.
//!
//! ```text
//! files without derived rows ─→ plan names ─→ compute and write ─→ commit: rows count, files are named
//! ```
//!
//! Takes the files of one origin and day that nothing is derived of yet, settled ones or hot
//! ones, computes their rows (`query::derived`) and shows them, in place of the files, in one
//! transaction. Hot files are derived so that questions about the last hour need not compute
//! what thousands of small files hold; their rows go when settling replaces them.
//! Promises:
//! - a query sees the rows of each file once, kept or computed, before, during and after;
//! - a run that is stopped leaves names in the catalog, by which the next one sweeps;
//! - two runs at once do the work twice, and the rows of one of them count;
//! - memory is bounded by [`DeriveLimits`] and the engine's limits.
//!
//! Not here: what is derived (`queries/derived/`), and which rows count (`lake::catalog`).

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use object_store::PutPayload;

use crate::cpu;
use crate::lake::catalog::{BatchId, Catalog, CatalogError, Derivation, DerivedFile, Due, LakeFile};
use crate::lake::derived::{Derived, Origin};
use crate::lake::parquet::{Encoder, FilePurpose};
use crate::lake::path::EventDay;
use crate::lake::store::Lake;
use crate::query::derived::keep::{DerivedError, derived_rows};
use crate::query::{Engine, QueryError};

/// Bounds of deriving.
#[derive(Debug, Clone, Copy)]
pub struct DeriveLimits {
    /// Files read by one derivation. A day of 500 accounts and 17 Regions has 8,500 a table and one derivation then.
    pub files_max: u32,
    /// Rows read by one derivation: what is derived of them is encoded in memory, some 12 bytes a row of an eighth.
    pub rows_max: u64,
    /// How long replaced derived files stay for queries that still read them.
    pub grace: Duration,
    /// How old a planned derivation must be to be swept: longer than any run works on one.
    pub orphan_age: Duration,
    /// Hot files of a day and origin that are worth a derivation: fewer are computed as fast as they are looked up.
    pub hot_files_min: usize,
}

impl Default for DeriveLimits {
    fn default() -> Self {
        Self {
            files_max: 50_000,
            rows_max: 16_000_000,
            grace: Duration::from_mins(10),
            orphan_age: Duration::from_hours(6),
            hot_files_min: 8,
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeriveSummary {
    /// Derivations committed.
    pub derivations: u64,
    /// Files that were read.
    pub files_read: u64,
    /// Rows that were read.
    pub rows_read: u64,
    /// Rows that came of it.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Old files deleted.
    pub swept: u64,
}

/// Why deriving stopped. What was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// The catalog failed.
    #[error("derive: catalog")]
    Catalog(#[from] CatalogError),
    /// What is derived cannot be planned.
    #[error("derive {derived} of {day}")]
    Plan {
        /// The table.
        derived: Derived,
        /// The day.
        day: EventDay,
        /// Why.
        #[source]
        source: QueryError,
    },
    /// A file of the lake is broken, or memory did not do.
    #[error("derive {derived} of {day}")]
    Compute {
        /// The table.
        derived: Derived,
        /// The day.
        day: EventDay,
        /// Why.
        #[source]
        source: DerivedError,
    },
    /// Derived rows cannot be encoded.
    #[error("encode {derived} of {day}")]
    Parquet {
        /// The table.
        derived: Derived,
        /// The day.
        day: EventDay,
        /// Why.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// The store failed.
    #[error("derive: {what} {key}")]
    Store {
        /// Writing or deleting.
        what: &'static str,
        /// The file.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// The thread that encoded is gone.
    #[error("derive: encoding ended without an answer")]
    Lost,
}

/// Derives all that is due; `told` hears of each derivation, and stops the run by breaking.
///
/// # Errors
/// The first one; days after the one that failed were derived all the same.
pub async fn derive(
    (engine, catalog, lake): (&Engine, &Catalog, &Lake),
    (due, limits): (Due, DeriveLimits),
    clock: fn() -> Timestamp,
    mut told: impl FnMut(Origin, EventDay, DeriveSummary) -> ControlFlow<()>,
) -> Result<DeriveSummary, DeriveError> {
    let mut summary =
        DeriveSummary { swept: sweep(catalog, lake, limits, clock()).await?, ..Default::default() };
    let mut failed = None;
    for origin in Origin::ALL {
        let mut passed_over = Vec::new();
        loop {
            let mut files = catalog.underived((origin, due), limits.files_max, &passed_over).await?;
            let Some(day) = files.first().map(|file| file.day) else { break };
            if matches!(due, Due::HotSince(_)) && files.len() < limits.hot_files_min {
                passed_over.push(day);
                continue;
            }
            cut(&mut files, limits.rows_max);
            match derive_files((engine, catalog, lake), (origin, day), &files, clock).await {
                Ok(one) => {
                    summary = summary.and(one);
                    if told(origin, day, one).is_break() {
                        return failed.map_or(Ok(summary), Err);
                    }
                }
                // Settled away while it was read: what took their place is read at the next look.
                Err(DeriveError::Compute { source, .. }) if source.is_gone() => {
                    tracing::debug!(%day, "files were settled away while they were read, looking again");
                }
                Err(DeriveError::Catalog(CatalogError::Fenced { .. })) => {
                    tracing::debug!(%day, "a plan was swept before it was done, looking again");
                }
                Err(error) => {
                    tracing::warn!(%day, error = &error as &dyn std::error::Error, "nothing derived of a day");
                    passed_over.push(day);
                    failed.get_or_insert(error);
                }
            }
        }
    }
    summary.swept += sweep(catalog, lake, limits, clock()).await?;
    failed.map_or(Ok(summary), Err)
}

impl DeriveSummary {
    /// Returns the sum of two runs.
    #[must_use]
    pub fn and(self, one: Self) -> Self {
        Self {
            derivations: self.derivations + one.derivations,
            files_read: self.files_read + one.files_read,
            rows_read: self.rows_read + one.rows_read,
            rows: self.rows + one.rows,
            bytes: self.bytes + one.bytes,
            swept: self.swept + one.swept,
        }
    }
}

/// Leaves as many files as have so many rows together, one at least.
fn cut(files: &mut Vec<LakeFile>, rows_max: u64) {
    let mut rows = 0;
    let fits = files.iter().take_while(|file| {
        rows += file.rows;
        rows <= rows_max
    });
    let fits = fits.count().max(1);
    files.truncate(fits);
}

async fn derive_files(
    (engine, catalog, lake): (&Engine, &Catalog, &Lake),
    (origin, day): (Origin, EventDay),
    files: &[LakeFile],
    clock: fn() -> Timestamp,
) -> Result<DeriveSummary, DeriveError> {
    let id = BatchId(uuid::Uuid::now_v7().simple().to_string());
    let name = |derived: &Derived| DerivedFile {
        key: derived.key(day, &id.0),
        derived: *derived,
        rows: 0,
        bytes: 0,
    };
    let written: Vec<DerivedFile> = origin.derived().iter().map(name).collect();
    let read = files.iter().map(|file| file.key.clone()).collect();
    let mut derivation = Derivation { id, origin, day, read, written };
    catalog.plan_derivation(&derivation, clock()).await?;
    // All at once: each reads the same files, whose footers are then read and understood once.
    let written = derivation.written.iter_mut().map(|file| async {
        let encoded = encode(engine, (file.derived, origin, day), files).await?;
        (file.rows, file.bytes) = (encoded.rows, encoded.bytes.len() as u64);
        if file.rows == 0 {
            return Ok(());
        }
        let put = lake.put(&file.key, PutPayload::from_bytes(encoded.bytes)).await;
        put.map(drop).map_err(|source| DeriveError::Store { what: "write", key: file.key.clone(), source })
    });
    futures::future::try_join_all(written).await?;
    if let Err(error) = catalog.commit_derivation(&derivation, clock()).await {
        if matches!(error, CatalogError::Fenced { .. }) {
            // A sweep took the plan for dead, and may have been here before the files were.
            for file in &derivation.written {
                delete(lake, &file.key).await?;
            }
        }
        return Err(error.into());
    }
    Ok(DeriveSummary {
        derivations: 1,
        files_read: files.len() as u64,
        rows_read: files.iter().map(|file| file.rows).sum(),
        rows: derivation.written.iter().map(|file| file.rows).sum(),
        bytes: derivation.written.iter().filter(|file| file.rows > 0).map(|file| file.bytes).sum(),
        swept: 0,
    })
}

struct Encoded {
    rows: u64,
    bytes: Bytes,
}

async fn encode(
    engine: &Engine,
    (derived, origin, day): (Derived, Origin, EventDay),
    files: &[LakeFile],
) -> Result<Encoded, DeriveError> {
    let wrong = |source| DeriveError::Parquet { derived, day, source };
    let mut rows = derived_rows(engine, (derived, origin), files)
        .await
        .map_err(|source| DeriveError::Plan { derived, day, source })?;
    let expected = files.iter().map(|file| file.rows).sum();
    let purpose = FilePurpose::Derived { rows: expected, order: derived.order() };
    let mut encoder = Encoder::new(derived.schema(), purpose);
    let mut count = 0;
    while let Some(batch) =
        rows.next().await.map_err(|source| DeriveError::Compute { derived, day, source })?
    {
        count += batch.num_rows() as u64;
        let encoding = cpu::compute(move || encoder.write(&batch).map(|()| encoder));
        encoder = encoding.await.ok_or(DeriveError::Lost)?.map_err(wrong)?;
    }
    let bytes = cpu::compute(move || encoder.finish()).await.ok_or(DeriveError::Lost)?.map_err(wrong)?;
    Ok(Encoded { rows: count, bytes })
}

/// Deletes files of derivations that count no more, and of those that were planned and never committed.
async fn sweep(
    catalog: &Catalog,
    lake: &Lake,
    limits: DeriveLimits,
    now: Timestamp,
) -> Result<u64, DeriveError> {
    let before = |age| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    let dead = (before(limits.orphan_age), before(limits.grace));
    let mut swept = 0;
    for key in catalog.dead_derived_files(dead, now).await? {
        delete(lake, &key).await?;
        catalog.forget_derived_file(&key).await?;
        swept += 1;
    }
    Ok(swept)
}

async fn delete(lake: &Lake, key: &str) -> Result<(), DeriveError> {
    let deleted = lake.delete(key).await;
    deleted.map_err(|source| DeriveError::Store { what: "delete", key: key.to_owned(), source })
}
