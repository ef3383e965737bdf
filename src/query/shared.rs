//! What the scans of one query share: what they counted, and what was looked up for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::lake::catalog::LakeFile;

/// Times in which rows that pass lie, epoch milliseconds, first and last.
pub(super) type Times = (i64, i64);

/// A file that may hold rows that pass, and when.
pub(super) type Found = (LakeFile, Option<Times>);

/// What was looked up under one name: the files, or that they are not known that way.
type LookedUp = Arc<OnceCell<Option<Vec<Found>>>>;

/// One for each query.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// A view of several tables asks the same of each.
    lookups: Mutex<HashMap<String, LookedUp>>,
    visible: AtomicU64,
    visible_bytes: AtomicU64,
    opened: AtomicU64,
    read: AtomicU64,
}

impl Scans {
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
        for count in [&self.visible, &self.visible_bytes, &self.opened] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Returns how many files were visible, their bytes, and how many of them the filters left.
    pub(super) fn read(&self) -> (u64, u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.visible), read(&self.visible_bytes), read(&self.opened))
    }
}
