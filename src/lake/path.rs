//! Object keys of the lake, built and parsed in one place.
//!
//! Settled files lie as Security Lake wants custom sources:
//! `ext/<source>/region=<region>/accountId=<account>/eventDay=<YYYYMMDD>/<name>.parquet`.
//! Tables that are no OCSF class lie the same way under `own/`, where no crawler of Security Lake looks.
//! Hot files lie under `hot/<source>/eventDay=<YYYYMMDD>/`, where no crawler looks.
//! What was set aside lies under `quarantine/`. Every part that comes from a
//! record is checked here, so a record cannot choose a path.

use jiff::civil::Date;

use super::table::Table;

/// An AWS account id: twelve digits, or `external` where a record names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(u64);

impl AccountId {
    /// The account of records that name none; Security Lake's word for it.
    pub const EXTERNAL: Self = Self(u64::MAX);

    /// Reads twelve digits.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// Returns a number that sorts as the text does.
    pub fn ordinal(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == Self::EXTERNAL { f.write_str("external") } else { write!(f, "{:012}", self.0) }
    }
}

/// A Region, or `unknown` where a record names none that could be one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(Box<str>);

impl Region {
    /// Reads a Region: lower-case letters, digits and hyphens, since it becomes part of a path.
    /// A Region that does not exist (yet) is kept.
    pub fn read(text: &str) -> Option<Self> {
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        fits.then(|| Self(text.into()))
    }

    /// The Region of records that name none.
    pub fn unknown() -> Self {
        Self("unknown".into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The UTC day of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventDay(u32);

impl EventDay {
    /// Before and after every day that can be.
    pub const BOUNDS: (Self, Self) = (Self(0), Self(99_999_999));

    /// Returns the day of a moment in epoch milliseconds.
    pub fn of(time_ms: i64) -> Option<Self> {
        let day =
            jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_millisecond(time_ms).ok()?).date();
        Self::from_date(day)
    }

    /// Returns the day of a date.
    pub fn from_date(day: Date) -> Option<Self> {
        let year = u32::try_from(day.year()).ok()?;
        let (month, day) = (u32::try_from(day.month()).ok()?, u32::try_from(day.day()).ok()?);
        Some(Self(year * 10_000 + month * 100 + day))
    }

    /// Reads `YYYYMMDD`.
    pub fn read(text: &str) -> Option<Self> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok().map(Self)).flatten()
    }

    /// Returns the day as the number `YYYYMMDD`.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl std::fmt::Display for EventDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// One partition of a table in Security Lake's layout.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// The table.
    pub table: Table,
    /// The day of its events.
    pub day: EventDay,
    /// The account of its events.
    pub account: AccountId,
    /// The Region of its events.
    pub region: Region,
}

/// Returns the key of a hot file.
pub fn hot_key(table: Table, day: EventDay, name: &str) -> String {
    format!("hot/{table}/eventDay={day}/{name}.parquet")
}

/// Returns the key of a settled file.
pub fn settled_key(partition: &Partition, name: &str) -> String {
    let Partition { table, day, account, region } = partition;
    let layout = if table.class().is_some() { "ext" } else { "own" };
    format!("{layout}/{table}/region={region}/accountId={account}/eventDay={day}/{name}.parquet")
}

/// Returns the key of a batch's set-aside records.
pub fn quarantine_key(day: EventDay, name: &str) -> String {
    format!("quarantine/{day}/{name}.jsonl")
}

/// The first parts of keys that are our own output, never an archive's.
pub const OWN_PREFIXES: [&str; 4] = ["hot/", "ext/", "own/", "quarantine/"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cannot_choose_a_path() {
        for hostile in ["../../etc", "us-east-1/..", "US-EAST-1", "", "a b", "é", &"x".repeat(33)] {
            assert_eq!(Region::read(hostile), None, "{hostile}");
        }
        for hostile in ["1", "1111222233334", "11112222333x", "+11122223333", "１１１１２２２２３３３３"]
        {
            assert_eq!(AccountId::read(hostile), None, "{hostile}");
        }
        assert_eq!(
            Region::read("me-south-1r").map(|region| region.to_string()).as_deref(),
            Some("me-south-1r")
        );
    }

    #[test]
    fn settled_files_lie_as_security_lake_wants() {
        let partition = Partition {
            table: Table::ApiActivity,
            day: EventDay::of(1_700_000_000_000).unwrap(),
            account: AccountId::read("000000000012").unwrap(),
            region: Region::read("eu-west-1").unwrap(),
        };
        assert_eq!(
            settled_key(&partition, "x"),
            "ext/ct-api-activity/region=eu-west-1/accountId=000000000012/eventDay=20231114/x.parquet"
        );
    }
}
