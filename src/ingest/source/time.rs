//! Times as AWS's services write them.

use crate::ingest::json::{Item, Kind};

/// Times before AWS or far in the future are mistakes, and no day of a lake.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2199;

/// Reads a time in any form of RFC 3339, to the millisecond.
pub fn read_time(text: &str) -> Option<i64> {
    if let Some(time) = read_plain_time(text.as_bytes()) {
        return Some(time);
    }
    let time: jiff::Timestamp = text.parse().ok()?;
    YEARS.contains(&jiff::tz::TimeZone::UTC.to_datetime(time).year()).then(|| time.as_millisecond())
}

/// Returns the time at a path of a document, as text of RFC 3339 or as a number since 1970, and takes it when the
/// milliseconds tell the same instant back. What says more, a finer fraction or another offset, stays.
pub fn take_time(item: Item<'_>, path: &str) -> Option<i64> {
    let item = item.get(path)?;
    let (time, is_exact) = time_of(item)?;
    if is_exact {
        item.take();
    }
    Some(time)
}

/// Returns the time that a value is, and whether the milliseconds tell the same instant back.
pub fn time_of(item: Item<'_>) -> Option<(i64, bool)> {
    if item.kind() == Kind::Number {
        return read_number(item.json());
    }
    let text = item.text()?;
    match read_time(&text) {
        Some(time) => Some((time, is_whole_utc(&text))),
        None => read_words(&text).map(|time| (time, true)),
    }
}

/// Reads `Sep 8, 2023, 8:07:30 PM`, as Inspector writes times to EventBridge. They are UTC. Newer versions of Java
/// put a narrow space before the half of the day.
fn read_words(text: &str) -> Option<i64> {
    let spaced = text.replace('\u{202f}', " ");
    let civil = jiff::civil::DateTime::strptime("%b %d, %Y, %I:%M:%S %p", &spaced).ok()?;
    let time = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
    YEARS.contains(&civil.year()).then(|| time.as_millisecond())
}

/// Says whether a time of RFC 3339 is in UTC and has no more than milliseconds.
fn is_whole_utc(text: &str) -> bool {
    let local = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00"));
    local.is_some_and(|local| {
        let fraction = local.split_once('.').map_or("", |(_, fraction)| fraction);
        fraction.trim_end_matches('0').len() <= 3
    })
}

/// Reads seconds since 1970, with a fraction as SDKs dump them, or milliseconds, which are far larger. Says also
/// whether the milliseconds are the whole of it.
fn read_number(text: &str) -> Option<(i64, bool)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if let Some(seconds) = epoch_seconds(whole) {
        let is_number = fraction.bytes().all(|byte| byte.is_ascii_digit());
        let milliseconds: String = fraction.chars().chain("000".chars()).take(3).collect();
        let time = seconds + milliseconds.parse::<i64>().ok().filter(|_| is_number)?;
        return Some((time, fraction.trim_end_matches('0').len() <= 3));
    }
    let time = plain_number(text)?;
    epoch_seconds(&(time / 1000).to_string()).map(|_| (time, true))
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

/// Reads whole seconds since 1970, as flow logs write times, and gives milliseconds.
#[inline]
pub fn epoch_seconds(text: &str) -> Option<i64> {
    /// 2000-01-01 and 2200-01-01.
    const BOUNDS: std::ops::Range<i64> = 946_684_800..7_258_118_400;
    let seconds = plain_number(text).filter(|seconds| BOUNDS.contains(seconds))?;
    Some(seconds * 1000)
}

/// Reads a whole number written in the only way that gives it back: no sign, no zeros before it.
#[inline]
pub fn plain_number(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.is_empty() || bytes.len() > 18 || (bytes.len() > 1 && bytes.first() == Some(&b'0')) {
        return None;
    }
    bytes.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + i64::from(digit))
    })
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
    use super::*;
    use crate::ingest::json::Document;

    #[test]
    fn a_time_is_taken_when_milliseconds_tell_it_back() {
        for (json, expected, is_taken) in [
            (r#""2024-01-01T00:00:00Z""#, Some(1_704_067_200_000), true),
            (r#""2024-01-01T00:00:00.250Z""#, Some(1_704_067_200_250), true),
            (r#""2024-01-01T00:00:00.250000+00:00""#, Some(1_704_067_200_250), true),
            (r#""2024-01-01T00:00:00.2501Z""#, Some(1_704_067_200_250), false),
            (r#""2024-01-01T01:00:00+01:00""#, Some(1_704_067_200_000), false),
            ("1704067200", Some(1_704_067_200_000), true),
            ("1704067200.25", Some(1_704_067_200_250), true),
            ("1704067200.2504", Some(1_704_067_200_250), false),
            ("1704067200250", Some(1_704_067_200_250), true),
            ("1704067200.2e1", None, false),
            ("1.7040672e9", None, false),
            ("-1", None, false),
            (r#""yesterday""#, None, false),
            ("null", None, false),
            ("{}", None, false),
            (r#""Sep 8, 2023, 8:07:30 PM""#, Some(1_694_203_650_000), true),
            ("\"Sep 8, 2023, 8:07:30\u{202f}PM\"", Some(1_694_203_650_000), true),
            (r#""Sep 8, 1923, 8:07:30 PM""#, None, false),
            (r#""2023-09-08T20:07:30.366""#, None, false),
        ] {
            let text = format!(r#"{{"at":{json}}}"#);
            let document = Document::read(&text, 0).unwrap();
            assert_eq!(take_time(document.root(), "at"), expected, "{json}");
            assert_eq!(document.root().is_touched(), is_taken, "{json}");
        }
    }

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
}
