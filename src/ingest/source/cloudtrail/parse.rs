//! Finds the fields of one CloudTrail record in its text.
//!
//! Takes a scanner at the record and gives a [`RawRecord`] of spans, in one pass.
//! Promises: every value of the record is in a field or an extra; a value of
//! another type than its column takes is an extra; a name that stands twice, or a
//! record without a usable time, is rejected, since no column could be trusted.

use super::classify;
use super::record::{Extra, FIELDS, Field, RawRecord};
use crate::ingest::json::{Kind, Scanner, Span, Stop, find};
use crate::ingest::source::LogSource;
use crate::ingest::source::record::{RecordHead, Records, narrow};
use crate::ingest::source::records::Found;
use crate::ingest::source::time::read_time;
use crate::lake::path::AccountId;

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
    let first_extra = records.cloudtrail.extras.len();
    let start = scanner.at();
    let mut extras = std::mem::take(&mut records.cloudtrail.extras);
    let mut draft = Draft::new(scanner.bytes(), &mut extras);
    let walked = draft.record(scanner);
    let found = walked.map(|()| draft.found);
    let made = if found == Ok(Found::Record) { draft.finish(records, object, index) } else { Err("") };
    records.cloudtrail.extras = extras;
    let result = match (found, made) {
        (Ok(Found::Record), Ok((mut head, mut record))) => {
            record.extras.end = narrow(records.cloudtrail.extras.len());
            head.range = narrow(start)..narrow(scanner.at());
            head.body = narrow(records.cloudtrail.records.len());
            records.cloudtrail.records.push(record);
            records.heads.push(head);
            return Ok(Found::Record);
        }
        (Ok(Found::Record), Err(reason)) => Ok(Found::Rejected(reason)),
        (other, _) => other,
    };
    records.cloudtrail.extras.truncate(first_extra);
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

    fn finish(
        &self,
        records: &mut Records,
        object: u32,
        index: u64,
    ) -> Result<(RecordHead, RawRecord), &'static str> {
        let time = self.time()?;
        let is_insight = self.field_str(Field::EventCategory) == Some("Insight")
            || self.field_str(Field::EventType) == Some("AwsCloudTrailInsight");
        if is_insight {
            return Err("an Insights event, which is a finding");
        }
        // Aggregated events have a type and no name.
        let name = self.field_str(Field::EventName).or_else(|| self.field_str(Field::EventType));
        let name = name.ok_or("a record without eventName and eventType")?;
        let source = self.field_str(Field::EventSource).unwrap_or_default();
        let category = self.field_str(Field::EventCategory);
        let region = self.field_str(Field::AwsRegion).map_or(0, |region| records.regions.number(region));
        let extras_start = narrow(self.first_extra);
        let head = RecordHead {
            source: LogSource::CloudTrail,
            object,
            index,
            range: 0..0,
            time,
            table: classify::table(name, source, category, self.management),
            account: self.account(),
            region,
            body: 0,
        };
        let record = RawRecord {
            fields: self.fields,
            has_provider: self.has_provider,
            other_id: self.other_id.filter(|id| id.kind == Kind::Plain),
            extras: extras_start..extras_start,
        };
        Ok((head, record))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
