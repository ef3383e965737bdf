//! Parses one JSON record, whichever source it is of.
//!
//! An object's key or content says what its records are; a single record may be
//! of another source all the same, since Firehose puts whatever comes over an event
//! bus into one object.

use super::cloudtrail;
use super::custom;
use super::document;
use super::log_source::LogSource;
use super::place::Place;
use super::record::{Records, narrow};
use super::records::{Found, TOO_LARGE};
use crate::ingest::json::{Scanner, Stop};

/// Parses the record at the scanner into `records`.
///
/// # Errors
/// The text is incomplete or no JSON.
pub fn record(
    scanner: &mut Scanner<'_>,
    records: &mut Records,
    place: Place<'_>,
    index: u64,
) -> Result<Found, Stop> {
    let (start, held) = (*scanner, records.heads.len());
    let found = match place.source {
        LogSource::CloudTrail => cloudtrail::parse(scanner, records, place.object, index)?,
        // What was declared is taken for what it was declared to be.
        LogSource::Custom => return custom::parse(scanner, records, place, index),
        _ => document::parse(scanner, records, place, index)?,
    };
    let found = match found {
        Found::Rejected(reason) => {
            let mut again = start;
            let other = match place.source {
                LogSource::CloudTrail => document::parse(&mut again, records, place, index),
                _ => cloudtrail::parse(&mut again, records, place.object, index),
            };
            match other {
                Ok(other @ (Found::Record | Found::Records(_))) => other,
                _ => Found::Rejected(reason),
            }
        }
        found => found,
    };
    // The same record is too large, whether it came in one piece or in many.
    let is_large = |head: &super::record::RecordHead| {
        (head.range.end - head.range.start) as usize > place.record_bytes_max
    };
    if records.heads.len() > held && records.heads.last().is_some_and(is_large) {
        records.heads.truncate(held);
        records.bad_parts.retain(|bad| bad.range.start < narrow(start.at()));
        return Ok(Found::Rejected(TOO_LARGE));
    }
    Ok(found)
}
