//! Keeps which parts of a backfill were read to their end.
//!
//! A part is recorded when every object of it that was announced has been committed, or needed nothing. What an
//! object could not be fetched of is not: the next run lists it again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::ingest::queue::{EmbeddedQueue, Unit};
use crate::lake::catalog::{Catalog, CatalogError};

/// How long after a day its last logs may come.
const LATE_DAYS: i64 = 2;

/// Which parts of a backfill were read to their end.
#[derive(Debug)]
pub struct Ledger {
    catalog: Catalog,
    clock: fn() -> Timestamp,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    finished: HashSet<(String, String)>,
    begun: Vec<(String, String)>,
    units: HashMap<Unit, (String, String)>,
    named: u64,
    passed: u64,
}

impl Ledger {
    /// Returns the ledger of a catalog.
    pub fn new(catalog: Catalog, clock: fn() -> Timestamp) -> Self {
        Self { catalog, clock, state: Mutex::default() }
    }

    /// Reads what a run that was stopped had read below a prefix.
    ///
    /// # Errors
    /// The catalog failed.
    pub async fn load(&self, bucket: &str, root: &str) -> Result<(), CatalogError> {
        let finished = self.catalog.finished_listings(bucket, root).await?;
        self.state().finished.extend(finished.into_iter().map(|prefix| (bucket.to_owned(), prefix)));
        Ok(())
    }

    /// Says whether nothing will be added to logs of a day any more.
    pub fn is_closed(&self, day: Date) -> bool {
        let today = jiff::tz::TimeZone::UTC.to_datetime((self.clock)()).date();
        day.checked_add(jiff::Span::new().days(LATE_DAYS)).is_ok_and(|late| late < today)
    }

    /// Begins a part; `None` when it was read before.
    pub fn begin(&self, bucket: &str, prefix: &str) -> Option<Unit> {
        let mut state = self.state();
        let part = (bucket.to_owned(), prefix.to_owned());
        state.begun.push(part.clone());
        if state.finished.contains(&part) {
            state.passed += 1;
            return None;
        }
        state.named += 1;
        let unit = Unit(state.named);
        state.units.insert(unit, part);
        Some(unit)
    }

    /// Returns how many parts were passed over since they had been read before.
    pub fn passed(&self) -> u64 {
        self.state().passed
    }

    /// Records the parts that have ended by now.
    ///
    /// # Errors
    /// The catalog failed; they will be listed again.
    pub async fn record(&self, queue: &EmbeddedQueue) -> Result<(), CatalogError> {
        let ended = queue.take_ended_units();
        let parts: Vec<_> = {
            let mut state = self.state();
            ended.iter().filter_map(|unit| state.units.remove(unit)).collect()
        };
        self.catalog.finish_listings(&parts, (self.clock)()).await
    }

    /// Forgets what was read below a prefix: the run is over, the next one looks at everything.
    ///
    /// # Errors
    /// The catalog failed.
    pub async fn forget(&self, bucket: &str, root: &str) -> Result<(), CatalogError> {
        self.catalog.forget_listings(bucket, root).await
    }

    /// Forgets every part of this run, for runs whose parts lie below no one prefix.
    ///
    /// # Errors
    /// The catalog failed.
    pub async fn forget_begun(&self) -> Result<(), CatalogError> {
        let begun = std::mem::take(&mut self.state().begun);
        for (bucket, prefix) in begun {
            self.forget(&bucket, &prefix).await?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one insert or count, so a panic elsewhere spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
