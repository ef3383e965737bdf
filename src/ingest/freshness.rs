//! How fresh the logs of each source, account and Region are, as one worker saw it.
//!
//! Takes what was committed and gives, of each place, its newest event and its last
//! commit. Kept in memory and bounded: asking the catalog, whose table of objects has
//! millions of rows, would cost more each minute than the work itself. Of several
//! workers the greatest value is the truth.

use std::collections::BTreeMap;

use super::source::key::KeyFacts;
use crate::lake::path::{AccountId, Region};

/// 500 accounts × 17 Regions × 8 sources are 68,000.
const PLACES_MAX: usize = 100_000;

/// Where logs come from, as their keys say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPlace {
    /// The log source.
    pub source: &'static str,
    /// The account.
    pub account: AccountId,
    /// The Region.
    pub region: Region,
}

/// How fresh logs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The newest event, epoch milliseconds; never later than it was committed, since some clocks are wrong.
    pub event: i64,
    /// The last commit, epoch milliseconds.
    pub commit: i64,
}

impl Freshness {
    /// The newest event, epoch seconds.
    pub fn event_seconds(&self) -> f64 {
        seconds(self.event)
    }

    /// The last commit, epoch seconds.
    pub fn commit_seconds(&self) -> f64 {
        seconds(self.commit)
    }
}

#[expect(clippy::cast_precision_loss, reason = "epoch milliseconds are exact for 280,000 years")]
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}

/// Of each place, how fresh its logs are.
#[derive(Debug, Clone, Default)]
pub struct Places {
    places: BTreeMap<LogPlace, Freshness>,
}

impl LogPlace {
    /// Names the place of an object of a source.
    pub fn of(source: &'static str, facts: &KeyFacts) -> Self {
        Self {
            source,
            account: facts.account.unwrap_or(AccountId::EXTERNAL),
            region: facts.region.clone().unwrap_or_else(Region::unknown),
        }
    }
}

impl Places {
    /// Notes what was committed. Places beyond the bound are not followed.
    pub fn note(&mut self, place: &LogPlace, event: i64, commit: i64) {
        let seen = Freshness { event: event.min(commit), commit };
        if let Some(known) = self.places.get_mut(place) {
            known.event = known.event.max(seen.event);
            known.commit = known.commit.max(seen.commit);
        } else if self.places.len() < PLACES_MAX {
            self.places.insert(place.clone(), seen);
        }
    }

    /// Returns all places, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&LogPlace, &Freshness)> {
        self.places.iter()
    }

    /// Returns each source's freshest place.
    pub fn by_source(&self) -> BTreeMap<&'static str, Freshness> {
        let mut sources: BTreeMap<&'static str, Freshness> = BTreeMap::new();
        for (place, seen) in &self.places {
            let known = sources.entry(place.source).or_insert(*seen);
            known.event = known.event.max(seen.event);
            known.commit = known.commit.max(seen.commit);
        }
        sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_counts_and_none_is_from_the_future() {
        let place = |account: &str| LogPlace {
            source: "cloudtrail",
            account: AccountId::read(account).unwrap(),
            region: Region::unknown(),
        };
        let mut places = Places::default();
        places.note(&place("111122223333"), 50, 100);
        places.note(&place("111122223333"), 40, 110);
        places.note(&place("444455556666"), 999, 105);
        let seen: Vec<_> = places.iter().map(|(_, seen)| (seen.event, seen.commit)).collect();
        assert_eq!(seen, [(50, 110), (105, 105)]);
        assert_eq!(places.by_source()["cloudtrail"], Freshness { event: 105, commit: 110 });
    }
}
