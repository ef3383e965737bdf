//! Appends text, numbers and times to the buffer a record is written into.
//!
//! Takes plain values, gives bytes at the end of a `Vec<u8>`. Promises that nothing is allocated on the way
//! and that every time is printed in UTC.
//!
//! Not here: escaping. Whoever writes a value vouches that it needs none; the generator invents no other kind.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Appends the pieces one after another.
pub(super) fn put(out: &mut Vec<u8>, pieces: &[&str]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

/// Appends a whole number.
pub(super) fn number(out: &mut Vec<u8>, value: u64) {
    if value >= 10 {
        number(out, value / 10);
    }
    out.push(b'0' + (value % 10) as u8);
}

/// Appends a number of at least two digits, as dates want them.
fn two(out: &mut Vec<u8>, value: i8) {
    let value = value.unsigned_abs();
    out.push(b'0' + value / 10 % 10);
    out.push(b'0' + value % 10);
}

/// Returns the calendar reading of a second since 1970; a second outside the calendar reads as 1970.
pub(super) fn civil(second: i64) -> DateTime {
    let stamp = jiff::Timestamp::from_second(second).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(stamp)
}

/// Appends `2026-02-03T04:05:06Z`.
pub(super) fn iso(out: &mut Vec<u8>, second: i64) {
    let at = civil(second);
    number(out, u64::from(at.year().unsigned_abs()));
    for (mark, value) in [(b'-', at.month()), (b'-', at.day()), (b'T', at.hour()), (b':', at.minute())] {
        out.push(mark);
        two(out, value);
    }
    out.push(b':');
    two(out, at.second());
    out.push(b'Z');
}

/// Appends `2026/02/03`, the way log keys and stream names spell a day.
pub(super) fn day(out: &mut Vec<u8>, second: i64) {
    let at = civil(second);
    number(out, u64::from(at.year().unsigned_abs()));
    out.push(b'/');
    two(out, at.month());
    out.push(b'/');
    two(out, at.day());
}

/// Appends `Feb 3, 2026 4:05:06 AM`, the way AWS prints dates inside responses.
pub(super) fn long_date(out: &mut Vec<u8>, second: i64) {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = civil(second);
    let month = usize::from(at.month().unsigned_abs()).saturating_sub(1);
    put(out, &[MONTHS.get(month).copied().unwrap_or("Jan"), " "]);
    number(out, u64::from(at.day().unsigned_abs()));
    put(out, &[", "]);
    number(out, u64::from(at.year().unsigned_abs()));
    out.push(b' ');
    let hour = at.hour().unsigned_abs();
    number(out, u64::from((hour + 11) % 12 + 1));
    out.push(b':');
    two(out, at.minute());
    out.push(b':');
    two(out, at.second());
    put(out, &[if hour < 12 { " AM" } else { " PM" }]);
}

/// Returns `2026-02-03T04:05:06Z` as a string of its own.
pub(super) fn iso_string(second: i64) -> String {
    let mut out = Vec::with_capacity(20);
    iso(&mut out, second);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{day, iso_string, long_date, number};

    #[test]
    fn prints_times_as_aws_does() {
        let second = 1_770_091_506;
        assert_eq!(iso_string(second), "2026-02-03T04:05:06Z");
        let mut out = Vec::new();
        day(&mut out, second);
        out.push(b' ');
        long_date(&mut out, second + 12 * 3600);
        out.push(b' ');
        number(&mut out, 1_030);
        assert_eq!(String::from_utf8(out).unwrap(), "2026/02/03 Feb 3, 2026 4:05:06 PM 1030");
    }
}
