//! Finds the documents in JSON text and their places in the lake.

use super::map::{UNKNOWN, map, recognize};
use super::record::{Mapped, Record};
use crate::ingest::json::{Document, Scanner, Stop};
use crate::ingest::source::log_source::LogSource;
use crate::ingest::source::place::Place;
use crate::ingest::source::record::{BadPart, RecordHead, Records, narrow};
use crate::ingest::source::records::{Found, is_list_name};
use crate::lake::path::{AccountId, EventDay};

/// Parses the document at the scanner into the heads of its events.
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
    if is_container(scanner)? {
        return Ok(Found::Container);
    }
    let bytes = scanner.bytes().get(start..scanner.at()).unwrap_or_default();
    // A number is known to end only by what follows it, so the text goes on behind the document.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(Found::Rejected("text that is no UTF-8"));
    };
    let held = records.heads.len();
    let range = narrow(start)..narrow(scanner.at());
    match heads(text, range, (records, place), index) {
        Ok(1) => Ok(Found::Record),
        Ok(count) => Ok(Found::Records(count)),
        Err(reason) => {
            records.heads.truncate(held);
            Ok(Found::Rejected(reason))
        }
    }
}

/// Passes an object, or stops at the array of records in it.
fn is_container(scanner: &mut Scanner<'_>) -> Result<bool, Stop> {
    scanner.expect(b'{', "no object")?;
    let mut first = true;
    while let Some(key) = scanner.member(&mut first)? {
        if is_list_name(scanner, key) && scanner.peek()? == b'[' {
            return Ok(true);
        }
        scanner.value()?;
    }
    Ok(false)
}

/// Adds the heads of a document's events and returns how many there are.
fn heads(
    text: &str,
    range: std::ops::Range<u32>,
    (records, place): (&mut Records, Place<'_>),
    index: u64,
) -> Result<u64, &'static str> {
    let document = Document::read(text, 0).map_err(|stop| match stop {
        Stop::Broken { what, .. } => what,
        Stop::Incomplete => "the text ends inside a record",
    })?;
    let all = recognize(document.root())?;
    let (mut good, mut bad) = (0, Vec::new());
    for (part, (source, record)) in (0..).zip(&all) {
        let made = source.ok_or(UNKNOWN).and_then(|source| head(source, *record, (records, place)));
        match made {
            Ok(head) => {
                good += 1;
                let index = index + u64::from(part);
                records.heads.push(RecordHead { index, range: range.clone(), body: part, ..head });
            }
            Err(reason) => bad.push((part, reason, record.body.span())),
        }
    }
    match bad.first() {
        Some((_, reason, _)) if good == 0 => return Err(reason),
        _ => {}
    }
    for (part, reason, span) in bad {
        let range = range.start + span.start..range.start + span.end;
        records.bad_parts.push(BadPart { index: index + u64::from(part), range, reason });
    }
    Ok(all.len() as u64)
}

/// Finds the place of an event in the lake.
fn head(
    source: LogSource,
    record: Record<'_>,
    (records, place): (&mut Records, Place<'_>),
) -> Result<RecordHead, &'static str> {
    let Mapped { table, time, account, region, .. } = map(source, record)?;
    let time = time.or(place.facts.time).ok_or("a record without a time")?;
    EventDay::of(time).ok_or("a time outside the years 2000 to 2199")?;
    let account = account.as_deref().and_then(AccountId::read).or(place.facts.account);
    let region = region.as_deref().or_else(|| place.facts.region.as_ref().map(|region| region.as_str()));
    Ok(RecordHead {
        source,
        object: place.object,
        index: 0,
        range: 0..0,
        time,
        table,
        account: account.unwrap_or(AccountId::EXTERNAL),
        region: region.map_or(0, |region| records.regions.number(region)),
        body: 0,
    })
}
