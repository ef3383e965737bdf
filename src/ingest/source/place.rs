//! What parsing knows of the object that a record lies in.

use super::key::KeyFacts;
use super::log_source::LogSource;

/// Where the records of a walk belong.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The number of the object in its batch.
    pub object: u32,
    /// What its key says.
    pub facts: &'a KeyFacts,
    /// What it is of, by its key or its content.
    pub source: LogSource,
    /// A record may have this many bytes.
    pub record_bytes_max: usize,
}
