//! Finds the fields of one CloudTrail record in its text.
//!
//! Takes a scanner at the record and gives a [`RawRecord`] of spans, in one pass.
//! Promises: every value of the record is in a field or an extra; a value of
//! another type than its column takes is an extra; a name that stands twice, or a
//! record without a usable time, is rejected, since no column could be trusted.

use super::classify;
use super::record::{Extra, FIELDS, Field, RawRecord, Records};
use crate::ingest::json::{Kind, Scanner, Span, Stop, find};
use crate::ingest::source::records::Found;
use crate::lake::path::AccountId;

/// Times before AWS or far in the future are mistakes, and no day of a lake.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2199;

/// A record being parsed.
struct Draft<'a> {
    text: &'a [u8],
    fields: [Option<Span>; FIELDS],
    extras: &'a mut Vec<Extra>,
    first_extra: usize,
    in_envelope: bool,
    fallback_time: Option<Span>,
    recipient: Option<Span>,
    management: Option<bool>,
    has_provider: bool,
    other_id: Option<Span>,
    window: Option<Span>,
    found: Found,
}

/// Parses the record at the scanner into `records`.
///
/// # Errors
/// The text is incomplete or no JSON.
pub fn parse(
    scanner: &mut Scanner<'_>,
    records: &mut Records,
    object: u32,
    index: u64,
) -> Result<Found, Stop> {
    if scanner.peek()? != b'{' {
        scanner.value()?;
        return Ok(Found::Rejected("a record that is no object"));
    }
    let first_extra = records.extras.len();
    let start = scanner.at();
    let mut extras = std::mem::take(&mut records.extras);
    let mut draft = Draft::new(scanner.bytes(), &mut extras);
    let walked = draft.record(scanner);
    let found = walked.map(|()| draft.found);
    let made = if found == Ok(Found::Record) { draft.finish(records, object, index) } else { Err("") };
    records.extras = extras;
    let result = match (found, made) {
        (Ok(Found::Record), Ok(mut record)) => {
            record.extras.end = narrow(records.extras.len());
            record.range = narrow(start)..narrow(scanner.at());
            records.records.push(record);
            return Ok(Found::Record);
        }
        (Ok(Found::Record), Err(reason)) => Ok(Found::Rejected(reason)),
        (other, _) => other,
    };
    records.extras.truncate(first_extra);
    result
}

impl<'a> Draft<'a> {
    fn new(text: &'a [u8], extras: &'a mut Vec<Extra>) -> Self {
        Self {
            text,
            fields: [None; FIELDS],
            first_extra: extras.len(),
            extras,
            in_envelope: false,
            fallback_time: None,
            recipient: None,
            management: None,
            has_provider: false,
            other_id: None,
            window: None,
            found: Found::Record,
        }
    }

    fn slice(&self, span: Span) -> &'a [u8] {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    fn str(&self, span: Span) -> Option<&'a str> {
        std::str::from_utf8(self.slice(span)).ok()
    }

    fn record(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        scanner.expect(b'{', "no object")?;
        let mut first = true;
        while let Some(key) = scanner.member(&mut first)? {
            self.top_member(scanner, key)?;
            if self.found == Found::Container {
                break;
            }
        }
        Ok(())
    }

    fn top_member(&mut self, scanner: &mut Scanner<'_>, key: Span) -> Result<(), Stop> {
        if self.in_envelope {
            return self.extra(scanner, "", key);
        }
        let field = match self.slice(key) {
            b"eventTime" => Field::EventTime,
            b"eventVersion" => Field::EventVersion,
            b"eventType" => Field::EventType,
            b"eventID" => Field::EventId,
            b"eventCategory" => Field::EventCategory,
            b"eventName" => Field::EventName,
            b"eventSource" => Field::EventSource,
            b"apiVersion" => Field::ApiVersion,
            b"awsRegion" => Field::AwsRegion,
            b"requestID" => Field::RequestId,
            b"errorCode" => Field::ErrorCode,
            b"errorMessage" => Field::ErrorMessage,
            b"sourceIPAddress" => Field::SourceIpAddress,
            b"vpcEndpointId" => Field::VpcEndpointId,
            b"userAgent" => Field::UserAgent,
            b"requestParameters" => return self.json(scanner, key, Field::RequestParameters),
            b"responseElements" => return self.json(scanner, key, Field::ResponseElements),
            b"resources" => return self.json(scanner, key, Field::Resources),
            b"userIdentity" => return self.object(scanner, key, Inside::Identity),
            b"recipientAccountId" => {
                self.recipient = Some(self.noted(scanner, key)?);
                return Ok(());
            }
            // Aggregated events have names of their own for the account, the id and the time.
            b"accountId" => {
                let value = self.noted(scanner, key)?;
                self.recipient = self.recipient.or(Some(value));
                return Ok(());
            }
            b"eventId" => {
                self.other_id = Some(self.noted(scanner, key)?);
                return Ok(());
            }
            b"timeWindow" => {
                self.window = Some(self.noted(scanner, key)?);
                return Ok(());
            }
            b"managementEvent" => {
                let value = self.noted(scanner, key)?;
                self.management = (value.kind == Kind::Boolean).then(|| self.slice(value) == b"true");
                return Ok(());
            }
            b"@timestamp" => {
                self.fallback_time = Some(self.noted(scanner, key)?);
                return Ok(());
            }
            b"Records" if scanner.peek()? == b'[' => {
                self.found = Found::Container;
                return Ok(());
            }
            b"detail" if scanner.peek()? == b'{' => return self.envelope(scanner),
            _ => return self.extra(scanner, "", key),
        };
        self.text(scanner, key, field)
    }

    /// What was read so far belongs to an EventBridge envelope; the record is its `detail`.
    fn envelope(&mut self, scanner: &mut Scanner<'_>) -> Result<(), Stop> {
        for (field, value) in Field::ALL.into_iter().zip(std::mem::replace(&mut self.fields, [None; FIELDS]))
        {
            if let Some(value) = value {
                self.extras.push(Extra { prefix: field.path(), in_envelope: true, key: None, value });
            }
        }
        for extra in self.extras.iter_mut().skip(self.first_extra) {
            extra.in_envelope = true;
        }
        (self.recipient, self.management, self.fallback_time) = (None, None, None);
        (self.other_id, self.window) = (None, None);
        self.record(scanner)?;
        self.in_envelope = true;
        Ok(())
    }

    fn object(&mut self, scanner: &mut Scanner<'_>, key: Span, inside: Inside) -> Result<(), Stop> {
        let before = *scanner;
        if scanner.peek()? != b'{' {
            return self.extra(scanner, inside.parent(), key);
        }
        if inside == Inside::Identity && self.has_identity() {
            return Err(Stop::Broken { at: key.start as usize, what: TWICE });
        }
        scanner.expect(b'{', "no object")?;
        let mut first = true;
        while let Some(key) = scanner.member(&mut first)? {
            self.inner_member(scanner, key, inside)?;
        }
        if first {
            // An object without members would leave no trace.
            *scanner = before;
            self.extra(scanner, inside.parent(), key)?;
        }
        Ok(())
    }

    fn has_identity(&self) -> bool {
        self.fields.iter().skip(Field::UserType as usize).any(Option::is_some)
    }

    fn inner_member(&mut self, scanner: &mut Scanner<'_>, key: Span, inside: Inside) -> Result<(), Stop> {
        let field = match (inside, self.slice(key)) {
            (Inside::Identity, b"type") => Field::UserType,
            (Inside::Identity, b"userName") => Field::UserName,
            (Inside::Identity, b"arn") => Field::UserArn,
            (Inside::Identity, b"principalId") => Field::PrincipalId,
            (Inside::Identity, b"accountId") => Field::UserAccountId,
            (Inside::Identity, b"accessKeyId") => Field::AccessKeyId,
            (Inside::Identity, b"invokedBy") => Field::InvokedBy,
            (Inside::Identity, b"sessionContext") => return self.object(scanner, key, Inside::Session),
            (Inside::Session, b"sessionIssuer") => return self.object(scanner, key, Inside::Issuer),
            (Inside::Session, b"attributes") => return self.object(scanner, key, Inside::Attributes),
            (Inside::Issuer, b"arn") => Field::SessionIssuerArn,
            (Inside::Attributes, b"creationDate") => Field::CreationDate,
            (Inside::Attributes, b"mfaAuthenticated") => Field::MfaAuthenticated,
            (Inside::Identity, b"credentialId" | b"identityProvider")
            | (Inside::Session, b"webIdFederationData") => {
                self.has_provider = true;
                return self.extra(scanner, inside.prefix(), key);
            }
            _ => return self.extra(scanner, inside.prefix(), key),
        };
        self.text(scanner, key, field)
    }

    #[inline]
    fn text(&mut self, scanner: &mut Scanner<'_>, key: Span, field: Field) -> Result<(), Stop> {
        let value = scanner.value()?;
        if value.kind.is_string() {
            return self.set(key, field, value);
        }
        self.push(Extra { prefix: field.path(), in_envelope: false, key: None, value }, key)
    }

    #[inline]
    fn json(&mut self, scanner: &mut Scanner<'_>, key: Span, field: Field) -> Result<(), Stop> {
        let value = scanner.value()?;
        if value.kind == Kind::Null || (field == Field::Resources && value.kind != Kind::Array) {
            return self.push(Extra { prefix: field.path(), in_envelope: false, key: None, value }, key);
        }
        self.set(key, field, value)
    }

    #[inline]
    fn set(&mut self, key: Span, field: Field, value: Span) -> Result<(), Stop> {
        match self.fields.get_mut(field as usize) {
            Some(slot @ None) => *slot = Some(value),
            _ => {
                return Err(Stop::Broken { at: key.start as usize, what: TWICE });
            }
        }
        Ok(())
    }

    fn extra(&mut self, scanner: &mut Scanner<'_>, prefix: &'static str, key: Span) -> Result<(), Stop> {
        let value = scanner.value()?;
        self.push(Extra { prefix, in_envelope: self.in_envelope, key: Some(key), value }, key)
    }

    /// Keeps a value as an extra whose content is also needed.
    fn noted(&mut self, scanner: &mut Scanner<'_>, key: Span) -> Result<Span, Stop> {
        let value = scanner.value()?;
        self.push(Extra { prefix: "", in_envelope: false, key: Some(key), value }, key)?;
        Ok(value)
    }

    fn push(&mut self, extra: Extra, key: Span) -> Result<(), Stop> {
        let text = self.text;
        let name =
            |span: Option<Span>| span.and_then(|span| text.get(span.start as usize..span.end as usize));
        let own = name(extra.key);
        let twice = self.extras.iter().skip(self.first_extra).any(|other| {
            name(other.key).map(<[u8]>::len) == own.map(<[u8]>::len)
                && other.prefix.len() == extra.prefix.len()
                && other.in_envelope == extra.in_envelope
                && name(other.key) == own
                && other.prefix == extra.prefix
        });
        if twice {
            return Err(Stop::Broken { at: key.start as usize, what: TWICE });
        }
        self.extras.push(extra);
        Ok(())
    }

    fn finish(&self, records: &mut Records, object: u32, index: u64) -> Result<RawRecord, &'static str> {
        let time = self.time()?;
        // Insights and aggregated events have a type and no name.
        let name = self.field_str(Field::EventName).or_else(|| self.field_str(Field::EventType));
        let name = name.ok_or("a record without eventName and eventType")?;
        let source = self.field_str(Field::EventSource).unwrap_or_default();
        let category = self.field_str(Field::EventCategory);
        let region = self.field_str(Field::AwsRegion).map_or(0, |region| records.region_number(region));
        let extras_start = narrow(self.first_extra);
        Ok(RawRecord {
            object,
            index,
            range: 0..0,
            time,
            table: classify::table(name, source, category, self.management),
            account: self.account(),
            region,
            fields: self.fields,
            has_provider: self.has_provider,
            other_id: self.other_id.filter(|id| id.kind == Kind::Plain),
            extras: extras_start..extras_start,
        })
    }

    fn field_str(&self, field: Field) -> Option<&'a str> {
        self.fields.get(field as usize).copied().flatten().and_then(|span| self.str(span))
    }

    /// The account the record pertains to; numbers stand for text in some archives.
    fn account(&self) -> AccountId {
        let recipient = self.recipient.and_then(|span| self.str(span)).and_then(AccountId::read);
        let caller = || self.field_str(Field::UserAccountId).and_then(AccountId::read);
        recipient.or_else(caller).unwrap_or(AccountId::EXTERNAL)
    }

    fn time(&self) -> Result<i64, &'static str> {
        let field = self.fields.get(Field::EventTime as usize).copied().flatten().or(self.fallback_time);
        let text = match (field, self.window) {
            (Some(field), _) => self.str(field),
            (None, Some(window)) => self
                .str(window)
                .and_then(|window| find(window, &["windowStart"]))
                .map(|(start, text)| start.of(text)),
            (None, None) => return Err("a record without eventTime"),
        };
        text.and_then(read_time).ok_or("an eventTime that is no time between 2000 and 2199")
    }
}

/// A segment stays under 4 GiB, and so do the places in it.
fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

const TWICE: &str = "a name that stands twice";

/// Which object of a record a member stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Identity,
    Session,
    Issuer,
    Attributes,
}

impl Inside {
    fn prefix(self) -> &'static str {
        match self {
            Self::Identity => "userIdentity.",
            Self::Session => "userIdentity.sessionContext.",
            Self::Issuer => "userIdentity.sessionContext.sessionIssuer.",
            Self::Attributes => "userIdentity.sessionContext.attributes.",
        }
    }

    fn parent(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Session => "userIdentity.",
            Self::Issuer | Self::Attributes => "userIdentity.sessionContext.",
        }
    }
}

/// Reads a time in any form of RFC 3339, to the millisecond.
pub fn read_time(text: &str) -> Option<i64> {
    if let Some(time) = read_plain_time(text.as_bytes()) {
        return Some(time);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    YEARS.contains(&jiff::tz::TimeZone::UTC.to_datetime(time).year()).then(|| time.as_millisecond())
}

/// Reads `YYYY-MM-DDThh:mm:ssZ`, the form CloudTrail writes: no other text gives the same number this way.
pub fn read_plain_time(text: &[u8]) -> Option<i64> {
    let text: &[u8; 20] = text.try_into().ok()?;
    let [y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'Z'] = *text
    else {
        return None;
    };
    let two = |tens: u8, ones: u8| {
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        (tens < 10 && ones < 10).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(o0, o1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?);
    let in_range =
        (2000..2200).contains(&year) && (1..=12).contains(&month) && hour < 24 && minute < 60 && second < 60;
    if !in_range || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some((days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 1000)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, for years after 0.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years start in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month <= 2 { month + 9 } else { month - 3 };
    let of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_times_are_read_as_jiff_reads_them() {
        for text in
            ["2000-01-01T00:00:00Z", "2024-02-29T23:59:59Z", "2100-03-01T12:00:00Z", "2199-12-31T23:59:59Z"]
        {
            let expected: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(read_plain_time(text.as_bytes()), Some(expected.as_millisecond()), "{text}");
        }
        for text in [
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01 00:00:00Z",
            "",
        ] {
            assert_eq!(read_plain_time(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read_time("0000-01-01T00:00:00Z"), None);
        assert_eq!(read_time("9999-12-31T23:59:59Z"), None);
        assert_eq!(read_time("2024-01-01T00:00:00.250+01:00"), Some(1_704_063_600_250));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut records = Records::default();
            let _found = parse(&mut Scanner::new(&bytes, 0), &mut records, 0, 0);
        }

        #[test]
        fn no_json_panics(text in r#"\{("(eventTime|eventName|userIdentity|sessionContext|resources|detail|Records)":(\{|\[|1|"2024-01-01T00:00:00Z"|null)[,}\]]{0,3}){0,8}"#) {
            let mut records = Records::default();
            let _found = parse(&mut Scanner::new(text.as_bytes(), 0), &mut records, 0, 0);
        }
    }
}
