//! Counts what the writing trail did, while it does it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::commit::{Receipt, Written};
use super::freshness::Places;
use super::histogram::Histogram;
use super::notification::Formality;
use super::segment::{Ending, Tally};
use super::source::key::SkipReason;
use crate::lake::catalog::ObjectId;

/// Counts of one source, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects read.
    pub objects: u64,
    /// Records found.
    pub records: u64,
    /// Records that became events.
    pub events: u64,
    /// Records set aside.
    pub set_aside: u64,
    /// Records left out as duplicates.
    pub skipped: u64,
    /// Objects of which nothing could be read.
    pub failed: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// Bytes unpacked.
    pub plain_bytes: u64,
}

/// Everything a run did so far.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What was read, by source.
    pub sources: BTreeMap<&'static str, Counts>,
    /// Objects left alone, by why.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Objects found, and their bytes as stored.
    pub announced: u64,
    /// Bytes of the objects found.
    pub announced_bytes: u64,
    /// Messages that announce nothing by design, by what they are.
    pub formalities: BTreeMap<Formality, u64>,
    /// Messages that were dead-lettered.
    pub dead_letters: u64,
    /// Lanes that wait now for queue, catalog or lake.
    pub waiting: u64,
    /// Objects that were in the lake already.
    pub already: u64,
    /// Objects that another worker holds, each time one was met.
    pub held: u64,
    /// Objects that could not be fetched, and why.
    pub unreachable: Vec<(String, String)>,
    /// Objects of which nothing could be read, and why; the first few.
    pub failures: Vec<(String, String)>,
    /// Hot files written.
    pub files: u64,
    /// Bytes of those files.
    pub file_bytes: u64,
    /// How long batches took, from their messages to their commit.
    pub batch_durations: Histogram,
    /// How old messages were when they were deleted: from sent to rows that can be queried.
    pub message_ages: Histogram,
    /// What lies in the queue, when it was last asked.
    pub queue: Option<QueueDepth>,
    /// What lies in the queue for dead letters, when it was last asked.
    pub dead_letter_queue: Option<QueueDepth>,
}

/// How many messages lie in a queue, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueDepth {
    /// Waiting.
    pub visible: u64,
    /// In somebody's hands.
    pub in_flight: u64,
    /// Not yet shown to anybody.
    pub delayed: u64,
}

/// What a run did, in a few numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects read.
    pub objects: u64,
    /// Records that became events.
    pub events: u64,
    /// Records set aside.
    pub set_aside: u64,
    /// Objects of which nothing could be read.
    pub unreadable: u64,
    /// Objects that were in the lake already.
    pub already: u64,
    /// Messages that were dead-lettered.
    pub dead_letters: u64,
}

/// How many failures are told one by one.
const FAILURES_TOLD: usize = 20;

/// Shared counts of a run.
#[derive(Debug, Default)]
pub struct Progress {
    snapshot: Mutex<Snapshot>,
    places: Mutex<Places>,
}

impl Progress {
    /// Returns the counts of this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    /// Counts a batch that was committed.
    pub fn batch(&self, written: &Written, _committed: &Receipt, now: Timestamp, took: Duration) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        for (place, tally) in &written.tallies {
            if let Some(newest) = tally.time_max {
                places.note(place, newest, now.as_millisecond());
            }
        }
        drop(places);
        let mut snapshot = self.lock();
        for (outcome, (place, tally)) in written.outcome.objects.iter().zip(&written.tallies) {
            snapshot.object(place.source, &outcome.id, tally);
        }
        snapshot.batch_durations.add(took);
        for (id, why) in written.unreachable.iter().chain(&written.away) {
            snapshot.unreachable(id.to_string(), why.clone());
        }
        snapshot.files += written.outcome.files.len() as u64;
        snapshot.file_bytes += written.outcome.files.iter().map(|file| file.bytes).sum::<u64>();
    }

    /// Returns how fresh the logs of each place are.
    pub fn places(&self) -> Places {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a message that is deleted, since its rows can be queried.
    pub fn finished(&self, sent: Timestamp, now: Timestamp) {
        // The queue's clock may be ahead of ours.
        let age = Duration::try_from(now.duration_since(sent)).unwrap_or(Duration::ZERO);
        self.lock().message_ages.add(age);
    }

    /// Notes what lies in the queues; `None` where that cannot be asked.
    pub fn queues(&self, queue: Option<QueueDepth>, dead_letter_queue: Option<QueueDepth>) {
        let mut snapshot = self.lock();
        (snapshot.queue, snapshot.dead_letter_queue) = (queue, dead_letter_queue);
    }

    /// Counts an object that its key says to leave alone.
    pub fn skip(&self, reason: SkipReason) {
        *self.lock().skipped.entry(reason).or_default() += 1;
    }

    /// Tells of something that was found and cannot be read, and why.
    pub fn unreachable(&self, what: String, why: String) {
        self.lock().unreachable(what, why);
    }

    /// Counts an object that was found and will be read.
    pub fn announced(&self, bytes: u64) {
        let mut snapshot = self.lock();
        snapshot.announced += 1;
        snapshot.announced_bytes += bytes;
    }

    /// Counts a message that announces nothing by design.
    pub fn formality(&self, formality: Formality) {
        *self.lock().formalities.entry(formality).or_default() += 1;
    }

    /// Counts a message that was dead-lettered.
    pub fn dead_letter(&self) {
        self.lock().dead_letters += 1;
    }

    /// Counts a lane that waits from now on.
    pub fn wait_begins(&self) {
        self.lock().waiting += 1;
    }

    /// Counts a lane that waits no longer.
    pub fn wait_ends(&self) {
        let mut snapshot = self.lock();
        snapshot.waiting = snapshot.waiting.saturating_sub(1);
    }

    /// Counts an object that is in the lake already.
    pub fn already(&self) {
        self.lock().already += 1;
    }

    /// Counts an object that somebody else holds.
    pub fn held(&self) {
        self.lock().held += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        // Counts are valid after every statement, so a panic elsewhere spoils nothing.
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Totals {
    /// Returns what was done since then.
    pub fn since(self, then: Self) -> Self {
        Self {
            objects: self.objects - then.objects,
            events: self.events - then.events,
            set_aside: self.set_aside - then.set_aside,
            unreadable: self.unreadable - then.unreadable,
            already: self.already - then.already,
            dead_letters: self.dead_letters - then.dead_letters,
        }
    }
}

impl Snapshot {
    /// Sums all sources up.
    pub fn totals(&self) -> Totals {
        let sum = |count: fn(&Counts) -> u64| self.sources.values().map(count).sum();
        Totals {
            objects: sum(|source| source.objects),
            events: sum(|source| source.events),
            set_aside: sum(|source| source.set_aside),
            unreadable: sum(|source| source.failed),
            already: self.already,
            dead_letters: self.dead_letters,
        }
    }

    fn unreachable(&mut self, what: String, why: String) {
        if self.unreachable.len() < FAILURES_TOLD {
            self.unreachable.push((what, why));
        }
    }

    fn object(&mut self, source: &'static str, id: &ObjectId, tally: &Tally) {
        if let Ending::Skipped(reason) = tally.ending {
            *self.skipped.entry(reason).or_default() += 1;
            return;
        }
        let counts = self.sources.entry(source).or_default();
        counts.objects += 1;
        counts.records += tally.records;
        counts.set_aside += tally.set_aside;
        counts.skipped += tally.skipped;
        counts.events += tally.records - tally.set_aside - tally.skipped;
        counts.stored_bytes += tally.stored_bytes;
        counts.plain_bytes += tally.plain_bytes;
        if let Ending::Failed(reason) = &tally.ending {
            counts.failed += 1;
            if self.failures.len() < FAILURES_TOLD {
                self.failures.push((id.to_string(), reason.clone()));
            }
        }
    }
}
