//! What several tables of the catalog have in their rows, and how it is read.

use sqlx::Row;
use sqlx::any::AnyRow;

/// What tells one object from another: a replaced object is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId {
    /// The bucket, or the folder of a local archive as a `file://` URL.
    pub bucket: String,
    /// The key, or the path below the folder.
    pub key: String,
    /// The ETag; of a file its size and time.
    pub version: String,
}

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.bucket.contains("://") {
            write!(f, "{}/{}", self.bucket, self.key)
        } else {
            write!(f, "s3://{}/{}", self.bucket, self.key)
        }
    }
}

/// Reads an object from three columns.
pub(super) fn object_id(row: &AnyRow, first: usize) -> ObjectId {
    ObjectId { bucket: row.get(first), key: row.get(first + 1), version: row.get(first + 2) }
}

/// Reads a count.
pub(super) fn count(row: &AnyRow, at: usize) -> u64 {
    u64::try_from(row.get::<i64, _>(at)).unwrap_or(0)
}
