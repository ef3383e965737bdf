//! Counts what a backfill would read, without reading it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::ingest::source::LogSource;
use crate::ingest::source::key::KeyFacts;

/// Source, account and Region, as far as keys tell them.
pub type SurveyPlace = (&'static str, Option<String>, Option<String>);

/// Objects and stored bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SurveyCount {
    /// Objects.
    pub objects: u64,
    /// Bytes as stored.
    pub bytes: u64,
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Survey {
    counts: Mutex<BTreeMap<SurveyPlace, SurveyCount>>,
}

impl Survey {
    /// Counts an object.
    pub fn count(&self, facts: &KeyFacts, bytes: u64) {
        let place = (
            facts.source.map_or("told by content", LogSource::name),
            facts.account.map(|account| account.to_string()),
            facts.region.as_ref().map(ToString::to_string),
        );
        // Counts are valid after every statement, so a panic elsewhere spoils nothing.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(place).or_default();
        count.objects += 1;
        count.bytes += bytes;
    }

    /// Returns the counts of this moment.
    pub fn counts(&self) -> BTreeMap<SurveyPlace, SurveyCount> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
