//! What is asked of the archive and what it gives.

use std::collections::BTreeMap;

use bytes::Bytes;

/// The bucket of all local files: keys are absolute paths without their first slash.
pub const LOCAL: &str = "file://";

/// An object to read.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    /// Its bucket, or [`LOCAL`].
    pub bucket: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its ETag; empty when it is not known.
    pub etag: &'a str,
    /// Its version id, where there is one.
    pub version_id: Option<&'a str>,
}

/// The first bytes of an object.
#[derive(Debug)]
pub struct First {
    /// Up to the size that was asked for.
    pub bytes: Bytes,
    /// Bytes of the whole object.
    pub size: u64,
    /// What tells the object from one that replaces it meanwhile; empty when nothing does.
    pub etag: String,
}

/// What is known of an object without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its size.
    pub size: u64,
    /// Its ETag.
    pub etag: String,
    /// Its version id, where its bucket keeps versions.
    pub version_id: Option<String>,
    /// What its writer said of it: user-defined metadata, names in lower case without `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its ETag; of a file its size and time.
    pub etag: String,
    /// Its size.
    pub size: u64,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// Objects.
    pub objects: Vec<Listed>,
    /// Prefixes that end in the next slash.
    pub folders: Vec<String>,
    /// What the next page is asked with.
    pub next: Option<String>,
}
