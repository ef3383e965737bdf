//! What the scans of one query share: what they counted, and what was looked up for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::lake::catalog::{Catalog, CatalogError, LakeFile};
use crate::lake::table::Table;

/// Times in which rows that pass lie, epoch milliseconds, first and last.
pub(super) type Times = (i64, i64);

/// A file that may hold rows that pass, and when.
pub(super) type Found = (LakeFile, Option<Times>);

/// What was looked up under one name: the files, or that they are not known that way.
type LookedUp = Arc<OnceCell<Option<Vec<Found>>>>;

/// One for each query.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// Requests to the store that may be under way together, beyond one for each core.
    pub(super) requests: usize,
    /// A view of several tables asks the same of each.
    lookups: Mutex<HashMap<String, LookedUp>>,
    /// How often each table of the lake was scanned.
    scanned: Mutex<HashMap<Table, u64>>,
    visible: AtomicU64,
    visible_bytes: AtomicU64,
    opened: AtomicU64,
    read: AtomicU64,
}

impl Scans {
    /// Returns those of a query of a lake whose store takes so many requests at a time.
    pub(super) fn of(requests: usize) -> Self {
        Self { requests, ..Self::default() }
    }

    /// Adds a scan of a table, and how many of its files the filters left.
    pub(super) fn add_scan(&self, table: Table, opened: usize) {
        let mut scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        *scanned.entry(table).or_default() += 1;
        self.add((0, 0), opened);
    }

    /// Adds files that were visible, and those of them that the filters left.
    pub(super) fn add(&self, (visible, bytes): (u64, u64), opened: usize) {
        self.visible.fetch_add(visible, Ordering::Relaxed);
        self.visible_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.opened.fetch_add(u64::try_from(opened).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns the place of what is looked up under a name.
    pub(super) fn lookup(&self, name: String) -> LookedUp {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(lookups.entry(name).or_default())
    }

    /// Adds bytes that came from the store.
    pub(super) fn add_read(&self, bytes: u64) {
        self.read.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes came from the store.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Starts anew, for the second try of a query; what was read for the first one stays read.
    pub(super) fn reset(&self) {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.scanned.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for count in [&self.visible, &self.visible_bytes, &self.opened] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Returns how many files the filters left.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Counts the files that were visible in what was scanned, and their bytes. A large lake has millions: who wants to
    /// know asks for it.
    ///
    /// # Errors
    /// The catalog failed.
    pub(super) async fn visible(&self, catalog: &Catalog) -> Result<(u64, u64), CatalogError> {
        let scanned = self.scanned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut visible = (read(&self.visible), read(&self.visible_bytes));
        for (table, times) in scanned {
            let (files, bytes) = catalog.visible_count(table).await?;
            visible = (visible.0 + files * times, visible.1 + bytes * times);
        }
        Ok(visible)
    }
}
