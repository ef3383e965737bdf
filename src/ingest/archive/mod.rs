//! The archive: where log objects are listed and read, buckets and folders alike.
//!
//! Takes the name of an object and gives its bytes, in pieces; takes a place and gives what
//! lies below it. Keys are exact: `logs//AWSLogs/…` and names with any character are
//! read as they stand. Promises:
//! - the bytes of one object are those of the object that was announced, however many
//!   calls they take (`If-Match`, version ids), or none;
//! - bodies that break off are gone on with where they broke off;
//! - nothing in a folder makes a reader wait or walk in circles.

mod object;
mod error;
mod folder;
mod s3;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

pub use error::{ArchiveError, Cause};
pub use folder::{FolderWalk, Met, local_version};
pub use object::{First, Head, LOCAL, Listed, Page, Sought};

use super::source::declared::Declarations;
use crate::aws::Aws;
use crate::aws::buckets::Buckets;

/// The archive, as this process reaches it.
#[derive(Debug, Default)]
pub struct Archive {
    /// Places whose logs the configuration declares.
    pub declarations: Declarations,
    buckets: Buckets,
}

impl Archive {
    /// Returns an archive of which something is declared.
    pub fn new(declarations: Declarations, aws: Arc<Aws>) -> Self {
        Self { declarations, buckets: Buckets::new(aws) }
    }

    /// Hears from a notification where a bucket is.
    pub fn hint(&self, bucket: &str, region: &str) {
        self.buckets.hint(bucket, region);
    }

    /// Reads an object's first bytes, up to `piece_bytes`.
    ///
    /// # Errors
    /// It is not there, was replaced, or is not given.
    pub async fn first(&self, sought: Sought<'_>, piece_bytes: u64) -> Result<First, ArchiveError> {
        match sought.bucket {
            bucket if bucket.starts_with(LOCAL) => folder::first(sought, piece_bytes).await,
            bucket if bucket.contains("://") => Err(no_bucket(bucket)),
            _ => s3::first(&self.buckets, sought, piece_bytes).await,
        }
    }

    /// Reads more of an object whose first bytes were read.
    ///
    /// # Errors
    /// It is not there any more, was replaced meanwhile, or is not given.
    pub async fn range(&self, sought: Sought<'_>, range: Range<u64>) -> Result<Bytes, ArchiveError> {
        match sought.bucket {
            bucket if bucket.starts_with(LOCAL) => folder::range(sought, range).await,
            bucket if bucket.contains("://") => Err(no_bucket(bucket)),
            _ => s3::range(&self.buckets, sought, range).await,
        }
    }

    /// Asks what an object is.
    ///
    /// # Errors
    /// It is not there, or it is not told.
    pub async fn head(&self, sought: Sought<'_>) -> Result<Head, ArchiveError> {
        match sought.bucket {
            bucket if bucket.starts_with(LOCAL) => folder::head(sought).await,
            bucket if bucket.contains("://") => Err(no_bucket(bucket)),
            _ => s3::head(&self.buckets, sought).await,
        }
    }

    /// Lists one page of what lies in a bucket below a prefix, in the order of keys; with `by_folder` what
    /// lies deeper than the next slash is only named.
    ///
    /// # Errors
    /// There is no such bucket, or it is not told.
    pub async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        by_folder: bool,
        token: Option<String>,
    ) -> Result<Page, ArchiveError> {
        s3::page(&self.buckets, (bucket, prefix), by_folder, token).await
    }

    /// Returns the keys of all objects below a folder, in order; none when there is no such folder.
    ///
    /// # Errors
    /// There is no such bucket, or it is not told.
    pub async fn keys_below(&self, bucket: &str, folder: &str) -> Result<Vec<String>, ArchiveError> {
        match bucket {
            bucket if bucket.starts_with(LOCAL) => folder::keys_below(bucket, folder).await,
            bucket if bucket.contains("://") => Err(no_bucket(bucket)),
            bucket => {
                let prefix = format!("{}/", folder.trim_end_matches('/'));
                let (mut keys, mut token) = (Vec::new(), None);
                loop {
                    let page = self.page(bucket, &prefix, false, token).await?;
                    keys.extend(page.objects.into_iter().map(|object| object.key));
                    token = page.next;
                    if token.is_none() {
                        return Ok(keys);
                    }
                }
            }
        }
    }
}

/// A record that came in a message is read with its message and never again.
fn no_bucket(name: &str) -> ArchiveError {
    ArchiveError::refused(format!("{name} is no bucket and no folder"), "nothing to ask")
}
