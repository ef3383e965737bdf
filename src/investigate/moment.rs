//! A moment as answers write it and as rows of a query bring it.
//!
//! Written as RFC 3339 in UTC with milliseconds only where there are any; read from the same, and from
//! the form without an offset that columns without a time zone have.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// Reads a moment; without an offset it is UTC, a day alone is its midnight.
    pub fn read(text: &str) -> Option<Self> {
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Some(Self(moment));
        }
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        jiff::tz::TimeZone::UTC.to_timestamp(civil).ok().map(Self)
    }

    /// Returns the moment so long after.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.checked_add(duration).unwrap_or(Timestamp::MAX))
    }

    /// Returns the moment so long before.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.checked_sub(duration).unwrap_or(Timestamp::MIN))
    }

    /// Returns how many milliseconds lie between this moment and another.
    pub fn distance_ms(self, other: Self) -> u64 {
        self.0.as_millisecond().abs_diff(other.0.as_millisecond())
    }

    /// Returns its day as `eventday` has it.
    pub fn day(self) -> String {
        self.0.strftime("%Y%m%d").to_string()
    }

    /// Returns it as people read it, to the second.
    pub fn plain(self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom("no moment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_queries_and_people_write() {
        let check = |text, expected: &str| assert_eq!(Moment::read(text).unwrap().to_string(), expected);
        check("2026-02-04T02:41:17Z", "2026-02-04T02:41:17Z");
        check("2026-02-04T02:41:17.250", "2026-02-04T02:41:17.25Z");
        check("2026-02-04T03:41:17+01:00", "2026-02-04T02:41:17Z");
        check("2026-02-04", "2026-02-04T00:00:00Z");
        assert_eq!(Moment::read("soon"), None);
        assert_eq!(Moment::read("2026-02-04").unwrap().day(), "20260204");
    }
}
