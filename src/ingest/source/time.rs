//! Times as AWS's services write them.

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
