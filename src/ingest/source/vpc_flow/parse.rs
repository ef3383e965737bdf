//! Finds the fields of flow records in their lines.
//!
//! Promises: fields are bound by the header line, never by counting; a line of
//! another number of fields, or without a time, is rejected; no field is copied.

use std::ops::Range;
use std::sync::Arc;

use super::record::{DEFAULT, Field, Flow, Format, Line};
use crate::ingest::source::LogSource;
use crate::ingest::source::place::Place;
use crate::ingest::source::record::{RecordHead, Records, narrow};
use crate::ingest::source::records::Found;
use crate::ingest::source::time::epoch_seconds;
use crate::lake::path::AccountId;
use crate::lake::table::Table;

/// Reads the lines of one object.
#[derive(Debug, Default)]
pub struct FlowReader {
    format: Option<Arc<Format>>,
    /// The account of the line before: it is most often the next one's too.
    account: Option<(String, AccountId)>,
}

impl FlowReader {
    /// Parses one line into `records`.
    pub fn line(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        (records, place): (&mut Records, Place<'_>),
        index: u64,
    ) -> Found {
        let line = bytes.get(range.clone()).unwrap_or_default();
        if !line.first().is_some_and(|first| first.is_ascii_digit() || *first == b'-') && self.is_header(line)
        {
            return Found::Container;
        }
        let format = match &self.format {
            Some(format) => Arc::clone(format),
            None => match Format::read(DEFAULT) {
                Ok(format) => Arc::clone(self.format.insert(Arc::new(format))),
                Err(reason) => return Found::Rejected(reason),
            },
        };
        let first_end = records.vpc_flow.ends.len();
        let head = self.head(line, &format, (records, place), index);
        match head {
            Ok(head) => {
                let format = records.vpc_flow.format_number(&format);
                records.vpc_flow.flows.push(Flow { format, ends: narrow(first_end) });
                records.heads.push(RecordHead { range: narrow(range.start)..narrow(range.end), ..head });
                Found::Record
            }
            Err(reason) => {
                records.vpc_flow.ends.truncate(first_end);
                Found::Rejected(reason)
            }
        }
    }

    /// Takes a line for a header if it names the fields of flow records, which files put together have again
    /// in their midst.
    fn is_header(&mut self, line: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(line) else { return false };
        let text = text.trim_start_matches('\u{feff}');
        let known = text.split([' ', '\t']).filter(|name| Field::of(name).is_some()).count();
        match Format::read(text) {
            Ok(format) if known >= 2 => {
                self.format = Some(Arc::new(format));
                true
            }
            _ => false,
        }
    }

    fn head(
        &mut self,
        bytes: &[u8],
        format: &Format,
        (records, place): (&mut Records, Place<'_>),
        index: u64,
    ) -> Result<RecordHead, &'static str> {
        let length = u16::try_from(bytes.len()).map_err(|_too_long| "a line of more than 65,535 bytes")?;
        let first = records.vpc_flow.ends.len();
        let ends = &mut records.vpc_flow.ends;
        // The length fits, so every place in the line does.
        ends.extend(
            memchr::memchr_iter(format.delimiter, bytes).map(|end| u16::try_from(end).unwrap_or(length)),
        );
        ends.push(length);
        let ends = records.vpc_flow.ends.get(first..).unwrap_or_default();
        if ends.len() != format.fields {
            return Err("a line with more or fewer fields than its header");
        }
        let text = std::str::from_utf8(bytes).map_err(|_no_text| "text that is no UTF-8")?;
        let line = Line { text, format, ends };
        let time = match line.get(Field::Start).or_else(|| line.get(Field::End)) {
            Some(seconds) => epoch_seconds(seconds).ok_or("a start that is no time between 2000 and 2199")?,
            None => {
                place.facts.time.ok_or("a record without start and end, under a key that names no time")?
            }
        };
        let account = line.get(Field::AccountId).and_then(|account| self.account(account));
        let region = match (line.get(Field::Region), &place.facts.region) {
            (Some(region), _) => records.regions.number(region),
            (None, Some(region)) => records.regions.number(region.as_str()),
            (None, None) => 0,
        };
        Ok(RecordHead {
            source: LogSource::VpcFlow,
            object: place.object,
            index,
            range: 0..0,
            time,
            table: Table::VpcFlow,
            account: account.or(place.facts.account).unwrap_or(AccountId::EXTERNAL),
            region,
            body: narrow(records.vpc_flow.flows.len()),
        })
    }

    fn account(&mut self, text: &str) -> Option<AccountId> {
        if let Some((_, account)) = self.account.as_ref().filter(|(before, _)| before == text) {
            return Some(*account);
        }
        // Parquet files may hold accounts as numbers, which lose their first zeros.
        let account = AccountId::read(&format!("{text:0>12}"))?;
        self.account = Some((text.to_owned(), account));
        Some(account)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ingest::source::key::KeyFacts;

    fn parse(text: &str) -> (Records, Vec<Found>) {
        let facts = KeyFacts::default();
        let place = Place { object: 0, facts: &facts, source: LogSource::VpcFlow, record_bytes_max: 1 << 20 };
        let (mut records, mut reader, mut start, mut found) =
            (Records::default(), FlowReader::default(), 0, Vec::new());
        for line in text.split('\n') {
            let range = start..start + line.len();
            found.push(reader.line(text.as_bytes(), range, (&mut records, place), 0));
            start += line.len() + 1;
        }
        (records, found)
    }

    #[test]
    fn binds_by_the_header_or_by_version_2() {
        let line = "2 111122223333 eni-1 192.0.2.1 192.0.2.2 1 2 6 3 4 1700000000 1700000060 ACCEPT OK";
        let (records, found) = parse(line);
        assert_eq!(found, [Found::Record]);
        assert_eq!(records.heads.first().map(|head| head.time), Some(1_700_000_000_000));
        let (records, found) = parse("end region account-id\n1700000060 eu-west-1 444455556666\n1 2\n- - -");
        assert_eq!(found.first(), Some(&Found::Container));
        assert_eq!(found.get(1), Some(&Found::Record));
        assert!(found.iter().skip(2).all(|found| matches!(found, Found::Rejected(_))));
        let head = records.heads.first().unwrap();
        assert_eq!((head.time, head.account.to_string().as_str()), (1_700_000_060_000, "444455556666"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(version account-id start\n)?([0-9a-z .:\t-]{0,12}\n){0,6}") {
            parse(&text);
        }
    }
}
