//! Athena's arithmetic and formats of time. Times are UTC, in milliseconds, as in the lake.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::Offset;
use jiff::{RoundMode, Span, SpanRound, Timestamp, Unit};

/// Reads the unit of `date_add` and `date_diff`.
pub(super) fn unit(text: &str) -> Option<Unit> {
    Some(match text.to_lowercase().as_str() {
        "millisecond" => Unit::Millisecond,
        "second" => Unit::Second,
        "minute" => Unit::Minute,
        "hour" => Unit::Hour,
        "day" => Unit::Day,
        "week" => Unit::Week,
        "month" => Unit::Month,
        "year" => Unit::Year,
        _ => return None,
    })
}

fn civil(millis: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(Timestamp::from_millisecond(millis).ok()?))
}

fn millis(time: DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(time).ok()?.as_millisecond())
}

/// Adds so many units; `None` where no calendar reaches.
pub(super) fn add(unit: Unit, count: i64, start: i64) -> Option<i64> {
    let span = match unit {
        Unit::Millisecond => Span::new().try_milliseconds(count),
        Unit::Second => Span::new().try_seconds(count),
        Unit::Minute => Span::new().try_minutes(count),
        Unit::Hour => Span::new().try_hours(count),
        Unit::Day => Span::new().try_days(count),
        Unit::Week => Span::new().try_weeks(count),
        Unit::Month => Span::new().try_months(count),
        Unit::Year => Span::new().try_years(count),
        Unit::Microsecond | Unit::Nanosecond => return None,
    };
    millis(civil(start)?.checked_add(span.ok()?).ok()?)
}

/// Counts the whole units between two times.
pub(super) fn difference(unit: Unit, from: i64, to: i64) -> Option<i64> {
    let (from, to) = (civil(from)?, civil(to)?);
    let span = from.until((unit, to)).ok()?;
    let rounding = SpanRound::new().largest(unit).smallest(unit).relative(from).mode(RoundMode::Trunc);
    let span = span.round(rounding).ok()?;
    Some(match unit {
        Unit::Year => i64::from(span.get_years()),
        Unit::Month => i64::from(span.get_months()),
        Unit::Week => i64::from(span.get_weeks()),
        Unit::Day => i64::from(span.get_days()),
        Unit::Hour => i64::from(span.get_hours()),
        Unit::Minute => span.get_minutes(),
        Unit::Second => span.get_seconds(),
        Unit::Millisecond => span.get_milliseconds(),
        Unit::Microsecond | Unit::Nanosecond => return None,
    })
}

/// Reads a format of MySQL, which Athena's `date_format` and `date_parse` take, as one of `strftime`.
pub(super) fn strftime(mysql: &str) -> Option<String> {
    let mut format = String::with_capacity(mysql.len());
    let mut letters = mysql.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            format.push(letter);
            continue;
        }
        format.push_str(match letters.next()? {
            'a' => "%a",
            'b' => "%b",
            'c' => "%-m",
            'd' => "%d",
            'e' => "%-d",
            'f' => "%6f",
            'H' => "%H",
            'h' | 'I' => "%I",
            'i' => "%M",
            'j' => "%j",
            'k' => "%-H",
            'l' => "%-I",
            'M' => "%B",
            'm' => "%m",
            'p' => "%p",
            'r' => "%I:%M:%S %p",
            'S' | 's' => "%S",
            'T' => "%H:%M:%S",
            'v' => "%V",
            'W' => "%A",
            'x' => "%G",
            'Y' => "%Y",
            'y' => "%y",
            '%' => "%%",
            _ => return None,
        });
    }
    Some(format)
}

/// Writes a time.
pub(super) fn format(format: &str, at: i64) -> Option<String> {
    strtime::format(format, civil(at)?).ok()
}

/// Reads a time; what the text does not say of the day is midnight.
pub(super) fn parse(format: &str, text: &str) -> Option<i64> {
    let parts = strtime::parse(format, text).ok()?;
    let time =
        parts.to_datetime().or_else(|_no_time| parts.to_date().map(|date| date.at(0, 0, 0, 0))).ok()?;
    millis(time)
}

/// Reads a time in ISO 8601; without a zone it is UTC, without a time midnight.
pub(super) fn iso8601(text: &str) -> Option<i64> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    millis(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        iso8601(text).unwrap()
    }

    #[test]
    fn months_end_where_they_end_and_only_whole_units_count() {
        let (leap, end) = (at("2024-01-31T10:00:00Z"), at("2024-02-29T10:00:00Z"));
        assert_eq!(add(Unit::Month, 1, leap), Some(end));
        assert_eq!(add(Unit::Day, -31, leap), Some(at("2023-12-31T10:00:00Z")));
        assert_eq!(difference(Unit::Day, leap, end), Some(29));
        assert_eq!(difference(Unit::Hour, leap, leap + 3_599_999), Some(0));
        assert_eq!(difference(Unit::Year, end, leap), Some(0));
        assert_eq!(difference(Unit::Minute, leap, leap - 60_000), Some(-1));
        assert_eq!(add(Unit::Year, 1_000_000, leap), None);
    }

    #[test]
    fn formats_are_those_of_mysql() {
        let format_of = |mysql: &str| format(&strftime(mysql).unwrap(), at("2026-02-04T05:06:07Z"));
        assert_eq!(format_of("%Y-%m-%d %H:%i:%s").as_deref(), Some("2026-02-04 05:06:07"));
        assert_eq!(format_of("%e %M %Y, %W, 100%%").as_deref(), Some("4 February 2026, Wednesday, 100%"));
        assert_eq!(strftime("%Q"), None);
        let parse_as = |mysql: &str, text: &str| parse(&strftime(mysql).unwrap(), text);
        assert_eq!(parse_as("%Y-%m-%d", "2026-02-04"), Some(at("2026-02-04T00:00:00Z")));
        assert_eq!(parse_as("%Y-%m-%d %T", "2026-02-04 05:06:07"), Some(at("2026-02-04T05:06:07Z")));
        assert_eq!(parse_as("%Y-%m-%d", "soon"), None);
    }

    #[test]
    fn iso_times_may_lack_a_zone_or_a_time() {
        assert_eq!(at("2026-02-04T05:06:07+01:00"), at("2026-02-04T04:06:07Z"));
        assert_eq!(at("2026-02-04T05:06:07"), at("2026-02-04T05:06:07Z"));
        assert_eq!(at("2026-02-04"), at("2026-02-04T00:00:00Z"));
        assert_eq!(iso8601("yesterday"), None);
    }
}
