//! Tells a log source from the first bytes of its text, where the key is silent.

use super::key::SkipReason;
use super::log_source::LogSource;
use super::vpc_flow::record::Field;

/// How much of the text is looked at.
const LOOK_BYTES: usize = 64 * 1024;

/// Names that stand in CloudTrail records, whatever is around them. An Insights event has them deeper inside.
const CLOUDTRAIL_NAMES: [&[u8]; 2] = [b"\"eventSource\"", b"\"eventName\""];

/// Names that only records of one source have, in the order in which they are looked for. A record is asked
/// again by itself when it is parsed: here an object as a whole gets its source.
const SIGNS: [(LogSource, &[u8]); 21] = [
    (LogSource::Ocsf, b"\"class_uid\""),
    (LogSource::SecurityHub, b"\"ProductArn\""),
    (LogSource::SecurityHub, b"\"aws.securityhub\""),
    (LogSource::GuardDuty, b"\"GuardDuty Finding\""),
    (LogSource::GuardDuty, b"\"guardduty\""),
    // Its weaknesses in code have detectors, too.
    (LogSource::Inspector, b"\"aws.inspector2\""),
    (LogSource::Inspector, b"\"findingArn\""),
    (LogSource::GuardDuty, b"\"detectorId\""),
    (LogSource::GuardDuty, b"\"DetectorId\""),
    (LogSource::AccessAnalyzer, b"\"aws.access-analyzer\""),
    (LogSource::AccessAnalyzer, b"\"resourceOwnerAccount\""),
    (LogSource::AccessAnalyzer, b"\"analyzedAt\""),
    (LogSource::Macie, b"\"aws.macie\""),
    (LogSource::Macie, b"\"resourcesAffected\""),
    (LogSource::Config, b"\"aws.config\""),
    (LogSource::Config, b"\"configurationItem"),
    (LogSource::Config, b"\"invokingEvent\""),
    // Within text, where the quote behind it is escaped, as well.
    (LogSource::Config, b"\"messageType"),
    (LogSource::Config, b"\"complianceType\""),
    (LogSource::Config, b"\"ComplianceType\""),
    // Findings name identities as well.
    (LogSource::CloudTrail, b"\"userIdentity\""),
];

/// Says what the text is.
///
/// # Errors
/// The reason to leave it alone.
pub fn read_content(text: &[u8]) -> Result<LogSource, SkipReason> {
    let head = text.get(..LOOK_BYTES).unwrap_or(text);
    let json = head.iter().find(|byte| !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf));
    let has = |name: &[u8]| memchr::memmem::find(head, name).is_some();
    if matches!(json, Some(b'{' | b'[')) {
        if has(b"\"insightDetails\"") {
            return Ok(LogSource::Insight);
        }
        if CLOUDTRAIL_NAMES.iter().any(|name| has(name)) {
            return Ok(LogSource::CloudTrail);
        }
        let sign = SIGNS.iter().find(|(_, name)| has(name));
        return sign.map(|(source, _)| *source).ok_or(SkipReason::Unknown);
    }
    if is_flow_header(head) { Ok(LogSource::VpcFlow) } else { Err(SkipReason::Unknown) }
}

/// Says whether the first line names fields of flow records and nothing but words.
fn is_flow_header(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let known = line.trim().split([' ', '\t']).filter(|name| Field::of(name).is_some()).count();
    known >= 3
}

/// Says what makes a text unreadable as a log, if anything does.
pub fn unreadable(text: &[u8], source: Option<LogSource>) -> Option<&'static str> {
    match text {
        _ if source == Some(LogSource::VpcFlow) => unreadable_lines(text),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => {
            Some("UTF-16 or UTF-32 text, want UTF-8")
        }
        _ => {
            let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
            match first {
                b'{' | b'[' | 0xef => None,
                b'<' => Some("HTML or XML, want JSON"),
                _ => Some("no JSON object or array at the start"),
            }
        }
    }
}

fn unreadable_lines(text: &[u8]) -> Option<&'static str> {
    // A zero byte at the start is another encoding; further on it costs its line.
    match text {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => {
            Some("UTF-16 or UTF-32 text, or none at all, want UTF-8")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_cloudtrail_by_its_names() {
        assert_eq!(read_content(br#"{"Records":[{"eventName":"X"}]}"#), Ok(LogSource::CloudTrail));
        assert_eq!(read_content(br#"{"a":1}"#), Err(SkipReason::Unknown));
        assert_eq!(read_content(b"version account-id interface-id\n2 1 2"), Ok(LogSource::VpcFlow));
        assert_eq!(read_content(b"start and end of a story"), Err(SkipReason::Unknown));
    }

    #[test]
    fn says_what_is_unreadable() {
        assert!(unreadable(b"<!doctype html>", None).is_some());
        assert!(unreadable(b"\xff\xfe{\0", None).is_some());
        assert!(unreadable(b"{\0", None).is_some());
        assert!(unreadable(b"\xef\xbb\xbf{}", None).is_none());
        assert!(unreadable(b"  [1]", None).is_none());
        assert!(unreadable(b"", None).is_none());
    }
}
