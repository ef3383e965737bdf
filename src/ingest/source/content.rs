//! Tells a log source from the first bytes of its text, where the key is silent.

use super::LogSource;
use super::key::SkipReason;

/// How much of the text is looked at.
const LOOK_BYTES: usize = 64 * 1024;

/// Names that stand in every CloudTrail record, whatever is around it.
const CLOUDTRAIL_NAMES: [&[u8]; 3] = [b"\"eventSource\"", b"\"eventName\"", b"\"userIdentity\""];

/// Says what the text is.
///
/// # Errors
/// The reason to leave it alone.
pub fn read_content(text: &[u8]) -> Result<LogSource, SkipReason> {
    let head = text.get(..LOOK_BYTES).unwrap_or(text);
    let json = head.iter().find(|byte| !byte.is_ascii_whitespace() && !matches!(byte, 0xef | 0xbb | 0xbf));
    if matches!(json, Some(b'{' | b'['))
        && CLOUDTRAIL_NAMES.iter().any(|name| memchr::memmem::find(head, name).is_some())
    {
        return Ok(LogSource::CloudTrail);
    }
    if head.starts_with(b"version account-id") {
        return Err(SkipReason::NotBuilt("vpc_flow"));
    }
    Err(SkipReason::Unknown)
}

/// Says what makes a text unreadable as a log of JSON records, if anything does.
pub fn unreadable(text: &[u8]) -> Option<&'static str> {
    match text {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_cloudtrail_by_its_names() {
        assert_eq!(read_content(br#"{"Records":[{"eventName":"X"}]}"#), Ok(LogSource::CloudTrail));
        assert_eq!(read_content(br#"{"a":1}"#), Err(SkipReason::Unknown));
        assert_eq!(read_content(b"version account-id interface-id"), Err(SkipReason::NotBuilt("vpc_flow")));
    }

    #[test]
    fn says_what_is_unreadable() {
        assert!(unreadable(b"<!doctype html>").is_some());
        assert!(unreadable(b"\xff\xfe{\0").is_some());
        assert!(unreadable(b"{\0").is_some());
        assert!(unreadable(b"\xef\xbb\xbf{}").is_none());
        assert!(unreadable(b"  [1]").is_none());
        assert!(unreadable(b"").is_none());
    }
}
