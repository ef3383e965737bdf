//! Log sources: which there are, and how their records become events.
//!
//! `key` tells the source from an object's key, `content` where the key is
//! silent, `records` finds the records in JSON text of any container. Then a
//! folder a source: `parse` gives raw records, `normalize` OCSF events.

pub mod key;
pub mod content;
pub mod records;
pub mod unmapped;
pub mod cloudtrail;

/// A log source that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogSource {
    /// CloudTrail management, data, Insights, network-activity and aggregated events.
    CloudTrail,
}

impl LogSource {
    /// Returns the name in reports and in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
        }
    }
}
