//! What can go wrong on the writing trail, and what becomes of the messages then.
//!
//! [`Setback::fate`] is the one place that decides it.

use std::time::Duration;

use super::archive::ArchiveError;
use super::limits::{IngestLimits, Outage};
use super::notification::NotificationError;
use super::write::WriteError;
use crate::lake::catalog::{BatchId, CatalogError, ObjectId};
use crate::lake::store::StoreError;

/// A failure of a whole batch. A bad record or object is none: it is set aside.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The queue cannot be asked now.
    #[error("queue: {what}")]
    Queue {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such queue.
    #[error("there is no queue {url}; check the URL and the Region")]
    NoQueue {
        /// Its URL.
        url: String,
        /// What the service said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The catalog failed, or the batch lost its claims.
    #[error("record the batch in the catalog")]
    Catalog(#[from] CatalogError),
    /// A place cannot be opened.
    #[error("open the archive or the lake")]
    Store(#[from] StoreError),
    /// The archive cannot be listed.
    #[error("list {place}")]
    List {
        /// The place.
        place: String,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// An object broke off after its first piece, and going on with it failed again and again.
    #[error("fetch {object}, which broke off")]
    BrokeOff {
        /// The object.
        object: Box<ObjectId>,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// An object was refused, replaced or deleted while it was fetched.
    #[error("fetch {object}")]
    Fetch {
        /// The object.
        object: Box<ObjectId>,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// No object of a batch can be fetched, since the archive does not answer.
    #[error("fetch {object}, as all others of its batch")]
    Away {
        /// One of the objects.
        object: Box<ObjectId>,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// Records could not be made a file.
    #[error("make the files of batch {batch}")]
    Make {
        /// The batch.
        batch: BatchId,
        /// Why.
        #[source]
        source: WriteError,
    },
    /// The lake cannot be written.
    #[error("write {key} into the lake; nothing of this batch can be seen, and the next run reads it again")]
    Write {
        /// The key below the lake.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// A file of the lake cannot be read.
    #[error("read {key} from the lake")]
    Read {
        /// The key below the lake.
        key: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// The queue shows the messages of a batch again, so others have them.
    #[error(
        "the queue gave the messages of batch {batch} to others while it was worked on: they were held for 12 hours, \
         or could not be extended in time"
    )]
    Lapsed {
        /// The batch.
        batch: BatchId,
    },
    /// A part of the work ended without an answer.
    #[error("{what} ended without an answer")]
    Lost {
        /// The part.
        what: &'static str,
    },
}

/// What keeps a message from being deleted.
#[derive(Debug)]
pub enum Setback<'a> {
    /// Its body is not understood.
    NotUnderstood(NotificationError),
    /// Another worker reads one of its objects; its lease ends after this time.
    Held(Duration),
    /// One of its objects cannot be fetched.
    Unreachable {
        /// The object.
        object: ObjectId,
        /// Why.
        why: String,
    },
    /// The archive does not answer for one of its objects, while it does for others.
    Away {
        /// The object.
        object: ObjectId,
        /// Why.
        why: String,
    },
    /// The batch it belongs to failed.
    Failed(&'a IngestError),
}

/// Deliveries of a message whose object is away, after which it is given up: with pauses of 8 s, then double, then 15
/// minutes, more than three hours. A queue's redrive policy must let it come as often.
pub const AWAY_DELIVERIES_MAX: u32 = 20;

/// What becomes of a message that cannot be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It comes again after a while.
    Retry {
        /// The while.
        after: Duration,
    },
    /// It is put where dead letters go, with the reason.
    DeadLetter,
    /// Nothing is wrong with it: its batch is tried again when the world is there again.
    Wait,
    /// Nothing will get better by itself: stop and say so.
    Stop,
}

impl Setback<'_> {
    /// Decides what becomes of a message after so many deliveries. No `_` arm: a new failure must choose.
    pub fn fate(&self, deliveries: u32, limits: &IngestLimits) -> Fate {
        // A worker that is alive is done long before its lease ends: look again soon, but not so often that
        // the queue's redrive policy takes a message for a bad one.
        const LOOK_AGAIN: Duration = Duration::from_secs(5);
        const ALONE_FROM: u32 = 3;
        let retry_below = |deliveries_max| {
            if deliveries < deliveries_max {
                Fate::Retry { after: back_off(deliveries) }
            } else {
                Fate::DeadLetter
            }
        };
        match self {
            Self::NotUnderstood(_) => Fate::DeadLetter,
            Self::Held(wait) => {
                Fate::Retry { after: (*wait + Duration::from_millis(50)).min(LOOK_AGAIN * deliveries.max(1)) }
            }
            Self::Unreachable { .. } => retry_below(limits.fetch_deliveries_max),
            Self::Away { .. } => away(deliveries, limits),
            Self::Failed(error) => match error {
                IngestError::Catalog(CatalogError::Fenced { .. }) | IngestError::Lapsed { .. } => {
                    Fate::Retry { after: back_off(1) }
                }
                // What the database refuses is refused each time: alone, the one that brings it costs itself.
                IngestError::Catalog(error) if error.is_refusal() => retry_below(limits.deliveries_max),
                IngestError::Fetch { .. } | IngestError::Make { .. } | IngestError::Lost { .. } => {
                    retry_below(limits.deliveries_max)
                }
                // It may be a part of S3 that went away just now; whoever looks on need not wait to find out.
                IngestError::BrokeOff { .. } if deliveries < ALONE_FROM => match limits.outage {
                    Outage::Wait => Fate::Wait,
                    Outage::Stop => Fate::Retry { after: back_off(deliveries) },
                },
                // From the third delivery on a message is alone: then it may be its object that is never given,
                // and waiting for that would hold a lane for good.
                IngestError::Away { .. } if deliveries < ALONE_FROM => Fate::Wait,
                IngestError::BrokeOff { .. } | IngestError::Away { .. } => away(deliveries, limits),
                IngestError::Queue { .. }
                | IngestError::Catalog(_)
                | IngestError::Store(_)
                | IngestError::List { .. }
                | IngestError::Write { .. }
                | IngestError::Read { .. } => Fate::Wait,
                IngestError::NoQueue { .. } => Fate::Stop,
            },
        }
    }

    /// Says what is wrong and what to do, for whoever finds the message among the dead letters.
    pub fn reason(&self) -> String {
        match self {
            Self::NotUnderstood(error @ NotificationError::Impossible { .. }) => error.to_string(),
            Self::NotUnderstood(error) => {
                format!("{error}; if it is a notification, move it back when a newer version knows it")
            }
            Self::Held(_) => "another worker reads its object".to_owned(),
            Self::Away { object, why } => {
                format!(
                    "cannot fetch {object}: {why}; it did not answer for hours, move the message back when it does"
                )
            }
            Self::Unreachable { object, why } => format!(
                "cannot fetch {object}: {why}; check permissions on bucket, key and encryption key, then move the message back"
            ),
            Self::Failed(error) => {
                format!("{}; move the message back when the cause is mended", chain(error))
            }
        }
    }
}

/// Decides about a message of whose object nothing is heard: nothing is wrong with it as long as a part of S3 may be
/// away, and it must not end unseen either when the queue forgets it.
fn away(deliveries: u32, limits: &IngestLimits) -> Fate {
    let told_at_once = limits.outage == Outage::Stop && deliveries >= limits.fetch_deliveries_max;
    if told_at_once || deliveries >= AWAY_DELIVERIES_MAX {
        Fate::DeadLetter
    } else {
        Fate::Retry { after: (back_off(deliveries) * 8).min(Duration::from_mins(15)) }
    }
}

/// Doubles the wait with each delivery: 1 s after the first, 15 minutes at most.
pub fn back_off(deliveries: u32) -> Duration {
    let doublings = deliveries.saturating_sub(1).min(10);
    Duration::from_secs(1 << doublings).min(Duration::from_mins(15))
}

/// The words of an error and of what caused it, each once: some repeat their cause in their own words.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string) {
        if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(setback: &Setback<'_>, fates: [(u32, Fate); 2]) {
        for (deliveries, fate) in fates {
            assert_eq!(setback.fate(deliveries, &IngestLimits::default()), fate, "{setback:?} {deliveries}");
        }
    }

    #[test]
    fn what_may_get_better_is_tried_again_and_what_may_not_is_set_aside() {
        let after = |seconds| Fate::Retry { after: Duration::from_secs(seconds) };
        let object = ObjectId { bucket: "b".into(), key: "k".into(), version: String::new() };
        check(&Setback::Unreachable { object, why: "denied".into() }, [(1, after(1)), (5, Fate::DeadLetter)]);
        check(
            &Setback::NotUnderstood(NotificationError::NoJson),
            [(1, Fate::DeadLetter), (9, Fate::DeadLetter)],
        );
        check(&Setback::Held(Duration::from_mins(1)), [(1, after(5)), (4, after(20))]);
        let lost = IngestError::Lost { what: "parsing" };
        check(&Setback::Failed(&lost), [(3, after(4)), (5, Fate::DeadLetter)]);
        let fenced = IngestError::Catalog(CatalogError::Fenced { batch: BatchId("x".into()) });
        check(&Setback::Failed(&fenced), [(1, after(1)), (99, after(1))]);
        let object = || Box::new(ObjectId { bucket: "b".into(), key: "k".into(), version: String::new() });
        let away = IngestError::Away { object: object(), source: ArchiveError::away("timed out") };
        check(&Setback::Failed(&away), [(1, Fate::Wait), (5, Fate::DeadLetter)]);
        let broke_off = IngestError::BrokeOff { object: object(), source: ArchiveError::away("timed out") };
        check(&Setback::Failed(&broke_off), [(1, after(1)), (5, Fate::DeadLetter)]);
        let worker = IngestLimits { outage: Outage::Wait, ..IngestLimits::default() };
        let away = Setback::Away { object: *object(), why: "timed out".into() };
        assert_eq!(Setback::Failed(&broke_off).fate(2, &worker), Fate::Wait);
        assert_eq!(Setback::Failed(&broke_off).fate(19, &worker), after(900));
        assert_eq!(away.fate(1, &worker), after(8));
        assert_eq!(away.fate(19, &worker), after(900));
        assert_eq!(away.fate(20, &worker), Fate::DeadLetter);
        let outage = IngestError::Queue { what: "receive", source: "timed out".into() };
        check(&Setback::Failed(&outage), [(1, Fate::Wait), (99, Fate::Wait)]);
    }
}
