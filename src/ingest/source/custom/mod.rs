//! Logs from elsewhere: JSON records that a mapping file turns into OCSF.
//!
//! A record becomes an OCSF event as text, by its mapping, and goes the way of events that are OCSF already. What the
//! mapping does not name, or no column tells back, is in `unmapped` under its own name. Not here: text that is no
//! JSON; whoever ships such logs (Vector, Fluent Bit) makes JSON of them.

pub mod mapping;

use self::mapping::Mapping;
use super::document::record::{Mapped, Record};
use super::document::write_row;
use super::log_source::LogSource;
use super::ocsf;
use super::place::Place;
use super::record::{Origin, RecordHead, Records, narrow};
use super::records::Found;
use crate::ingest::json::{Document, Scanner, Stop};
use crate::lake::path::{AccountId, EventDay};
use crate::ocsf::columns::Columns;

/// Parses the record at the scanner.
///
/// # Errors
/// The text is incomplete or no JSON.
pub fn parse(
    scanner: &mut Scanner<'_>,
    records: &mut Records,
    place: Place<'_>,
    index: u64,
) -> Result<Found, Stop> {
    if scanner.peek()? != b'{' {
        scanner.value()?;
        return Ok(Found::Rejected("a record that is no object"));
    }
    let start = scanner.at();
    scanner.value()?;
    let bytes = scanner.bytes().get(start..scanner.at()).unwrap_or_default();
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(Found::Rejected("text that is no UTF-8"));
    };
    let Some(mapping) = &place.facts.mapping else {
        return Ok(Found::Rejected("a record without a mapping"));
    };
    match read(text, mapping) {
        Ok(Mapped { table, time: Some(time), account, region, .. }) if EventDay::of(time).is_some() => {
            let account = account.as_deref().and_then(AccountId::read).or(place.facts.account);
            let region = region.as_deref().map_or(0, |region| records.regions.number(region));
            let body = records.mapping_number(mapping);
            records.heads.push(RecordHead {
                source: LogSource::Custom,
                object: place.object,
                index,
                range: narrow(start)..narrow(scanner.at()),
                time,
                table,
                account: account.unwrap_or(AccountId::EXTERNAL),
                region,
                body,
            });
            Ok(Found::Record)
        }
        Ok(_) => Ok(Found::Rejected("a record without a time")),
        Err(reason) => Ok(Found::Rejected(reason)),
    }
}

fn read(text: &str, mapping: &Mapping) -> Result<Mapped, &'static str> {
    let document = Document::read(text, 0).map_err(broken)?;
    let event = mapping.event(document.root())?;
    let event = Document::read(&event, 0).map_err(broken)?;
    ocsf::normalize(Record { whole: event.root(), body: event.root() })
}

fn broken(stop: Stop) -> &'static str {
    match stop {
        Stop::Broken { what, .. } => what,
        Stop::Incomplete => "the text ends inside a record",
    }
}

/// Fills one row.
pub fn normalize(
    head: &RecordHead,
    records: &Records,
    origin: Origin<'_>,
    columns: &mut Columns,
    scratch: &mut String,
) {
    // All went well when the record was parsed, of the same text.
    let Some(mapping) = records.mappings.get(head.body as usize) else { return };
    let Ok(document) = Document::read(origin.text, head.range.start as usize) else { return };
    let Ok(text) = mapping.event(document.root()) else { return };
    let Ok(event) = Document::read(&text, 0) else { return };
    let record = Record { whole: event.root(), body: event.root() };
    let Ok(Mapped { event: attributes, .. }) = ocsf::normalize(record) else { return };
    mapping.take(document.root(), event.root());
    write_row(attributes, document.root(), (head, records, origin), (columns, scratch));
}
