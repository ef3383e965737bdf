//! Keeps which parts of a backfill were read to their end.
//!
//! A part is recorded when every object of it that was announced has been committed, or needed nothing. What an
//! object could not be fetched of is not: the next run lists it again. It is recorded under what the run asked for
//! and what was declared, since a run that asks for more must look at it again; and it counts for some days only.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::selection::Selection;
use crate::ingest::queue::{EmbeddedQueue, Unit};
use crate::ingest::source::declared::Declarations;
use crate::lake::catalog::{Catalog, CatalogError};

/// How long after a day its last logs may come.
const LATE_DAYS: i64 = 2;

/// How long a part counts as read: who starts a run again later than that wants to see everything anew.
const COUNTS_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which parts of a backfill were read to their end.
#[derive(Debug)]
pub struct Ledger {
    catalog: Catalog,
    clock: fn() -> Timestamp,
    /// What the run asks for, in short.
    asked: String,
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
    /// Returns the ledger of a catalog, for a run that asks for a selection of what is declared so.
    pub fn new(
        catalog: Catalog,
        clock: fn() -> Timestamp,
        (selection, declarations): (&Selection, &Declarations),
    ) -> Self {
        Self { catalog, clock, asked: digest(selection, declarations), state: Mutex::default() }
    }

    /// Reads what a run that was stopped had read below a prefix.
    ///
    /// # Errors
    /// The catalog failed.
    pub async fn load(&self, bucket: &str, root: &str) -> Result<(), CatalogError> {
        let since = (self.clock)().saturating_sub(COUNTS_FOR).unwrap_or(Timestamp::MIN);
        let finished = self.catalog.finished_listings((bucket, root), since).await?;
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
        // Behind the prefix, so that everything below one is still found by it.
        let part = (bucket.to_owned(), format!("{prefix}#{}", self.asked));
        state.begun.push((bucket.to_owned(), prefix.to_owned()));
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

/// Tells a run from those that would read other objects of a part, or read them otherwise. Where the words of a value
/// change with a version, parts are only looked at again.
fn digest(selection: &Selection, declarations: &Declarations) -> String {
    let digest = Sha256::digest(format!("{selection:?} {declarations:?}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::source::LogSource;
    use crate::ingest::source::declared::Declared;
    use crate::lake::store::Place;

    #[test]
    fn runs_that_ask_for_something_else_have_other_parts() {
        let place = Place::read("s3://archive/onprem").unwrap();
        let declared = Declarations(vec![Declared { place, mapping: None }]);
        let day = Date::new(2026, 1, 5).ok();
        let selections = [
            Selection::default(),
            Selection { from: day, ..Selection::default() },
            Selection { to: day, ..Selection::default() },
            Selection { accounts: ["111122223333".to_owned()].into(), ..Selection::default() },
            Selection { regions: ["eu-west-1".to_owned()].into(), ..Selection::default() },
            Selection { sources: [LogSource::CloudTrail].into(), ..Selection::default() },
        ];
        let of = |declarations: &Declarations| -> HashSet<String> {
            selections.iter().map(|selection| digest(selection, declarations)).collect()
        };
        let (plain, declared) = (of(&Declarations::default()), of(&declared));
        assert_eq!(plain.len(), selections.len());
        assert!(plain.is_disjoint(&declared) && declared.len() == selections.len());
        assert_eq!(plain, of(&Declarations::default()));
    }
}
