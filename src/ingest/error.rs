//! What can go wrong on the writing trail, and what becomes of the messages then.

use super::write::WriteError;
use crate::lake::catalog::{BatchId, CatalogError, ObjectId};
use crate::lake::store::StoreError;

/// A failure of a whole batch. A bad record or object is none: it is set aside.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The queue cannot be asked.
    #[error("queue: {what}")]
    Queue {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
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
        source: object_store::Error,
    },
    /// An object broke off while it was fetched.
    #[error("fetch {object}")]
    Fetch {
        /// The object.
        object: Box<ObjectId>,
        /// Why.
        #[source]
        source: object_store::Error,
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
    /// A part of the work ended without an answer.
    #[error("{what} ended without an answer")]
    Lost {
        /// The part.
        what: &'static str,
    },
}

/// What becomes of a batch's messages when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They come again after a while: somebody else may have them, or what failed may be well then.
    Retry,
    /// Nothing will get better by itself: stop and say so.
    Stop,
}

impl IngestError {
    /// Says what becomes of the messages. No `_` arm: a new failure must choose.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Catalog(CatalogError::Fenced { .. }) | Self::Fetch { .. } => Fate::Retry,
            Self::Queue { .. }
            | Self::Catalog(_)
            | Self::Store(_)
            | Self::List { .. }
            | Self::Make { .. }
            | Self::Write { .. }
            | Self::Read { .. }
            | Self::Lost { .. } => Fate::Stop,
        }
    }
}
