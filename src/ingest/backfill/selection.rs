//! What of an archive is asked for: days, accounts, Regions, sources, all by what keys say.
//!
//! A key that does not say what is asked about is outside. Of a prefix it is told whether
//! anything below it can be inside, so that the rest is never listed.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::ingest::source::LogSource;
use crate::ingest::source::key::KeyFacts;

/// What of an archive is asked for; by default everything.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The first day, if there is one.
    pub from: Option<Date>,
    /// The last day, if there is one.
    pub to: Option<Date>,
    /// Accounts; all of them when it is empty.
    pub accounts: BTreeSet<String>,
    /// Regions; all of them when it is empty.
    pub regions: BTreeSet<String>,
    /// Sources; all of them when it is empty.
    pub sources: BTreeSet<LogSource>,
}

/// How the days of a prefix lie to those that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// None is asked for.
    None,
    /// Some are.
    Some,
    /// All are.
    All,
}

impl Selection {
    /// Says whether an object is asked for.
    pub fn takes(&self, key: &str, facts: &KeyFacts) -> bool {
        let account = facts.account.map(|account| account.to_string());
        let region = facts.region.as_ref().map(ToString::to_string);
        self.takes_account(account.as_deref())
            && self.takes_region(region.as_deref())
            && self.takes_source(facts.source)
            && (self.from.is_none() && self.to.is_none()
                || day_of(key, facts.time).is_some_and(|day| self.days(day, day) != Overlap::None))
    }

    /// Says whether an account is asked for.
    pub fn takes_account(&self, account: Option<&str>) -> bool {
        self.accounts.is_empty() || account.is_some_and(|account| self.accounts.contains(account))
    }

    /// Says whether a Region is asked for.
    pub fn takes_region(&self, region: Option<&str>) -> bool {
        self.regions.is_empty() || region.is_some_and(|region| self.regions.contains(region))
    }

    /// Says whether a source is asked for.
    pub fn takes_source(&self, source: Option<LogSource>) -> bool {
        self.sources.is_empty() || source.is_some_and(|source| self.sources.contains(&source))
    }

    /// Says how some days on end lie to those that are asked for.
    pub fn days(&self, first: Date, last: Date) -> Overlap {
        let is_after = self.to.is_some_and(|to| first > to);
        let is_before = self.from.is_some_and(|from| last < from);
        if is_after || is_before {
            return Overlap::None;
        }
        let is_inside = self.from.is_none_or(|from| first >= from) && self.to.is_none_or(|to| last <= to);
        if is_inside { Overlap::All } else { Overlap::Some }
    }
}

/// Finds the day in a key: three segments on end that are year, month and day, `eventDay=YYYYMMDD`, or else the
/// time of delivery in its name.
fn day_of(key: &str, delivered: Option<i64>) -> Option<Date> {
    let segments: Vec<&str> = key.split('/').collect();
    let in_folders = segments.windows(3).find_map(|window| match window {
        [year, month, day] => {
            Date::new(number(year, "year=", 4)?, short(month, "month=")?, short(day, "day=")?).ok()
        }
        _ => None,
    });
    let in_one = || {
        let day = segments.iter().find_map(|segment| segment.strip_prefix("eventDay="))?;
        let part = |range| day.get(range).and_then(|part: &str| part.parse().ok());
        Date::new(day.get(..4)?.parse().ok()?, part(4..6)?, part(6..8)?).ok()
    };
    let in_name = || {
        let time = jiff::Timestamp::from_millisecond(delivered?).ok()?;
        Some(jiff::tz::TimeZone::UTC.to_datetime(time).date())
    };
    in_folders.or_else(in_one).or_else(in_name)
}

/// Reads a segment of exactly so many digits, with the name that Hive-compatible keys put before it or without.
pub(super) fn number(segment: &str, name: &str, digits: usize) -> Option<i16> {
    let text = segment.strip_prefix(name).unwrap_or(segment);
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Reads a month or a day, which Config does not pad.
pub(super) fn short(segment: &str, name: &str) -> Option<i8> {
    let number = number(segment, name, 2).or_else(|| number(segment, name, 1))?;
    i8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_found_in_keys_of_every_kind() {
        for (key, day) in [
            ("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/05/x.json.gz", Some((2026, 1, 5))),
            ("AWSLogs/111122223333/Config/eu-west-1/2026/1/15/ConfigHistory/x.json.gz", Some((2026, 1, 15))),
            (
                "AWSLogs/aws-account-id=1/aws-service=x/aws-region=y/year=2026/month=01/day=02/hour=03/x",
                Some((2026, 1, 2)),
            ),
            (
                "aws/CLOUD_TRAIL_MGMT/2.0/region=x/accountId=1/eventDay=20260103/x.gz.parquet",
                Some((2026, 1, 3)),
            ),
            ("logs/2026/13/45/x.json", None),
            ("logs/x.json", None),
        ] {
            let day = day.map(|(year, month, day)| Date::new(year, month, day).unwrap());
            assert_eq!(day_of(key, None), day, "{key}");
        }
        let delivered = day_of("logs/x.json", Some(1_767_225_900_000));
        assert_eq!(delivered, Some(Date::new(2026, 1, 1).unwrap()));
    }

    #[test]
    fn what_a_key_does_not_say_is_outside_of_what_is_asked_about() {
        let day = |day| Some(Date::new(2026, 1, day).unwrap());
        let days = Selection { from: day(5), to: day(6), ..Selection::default() };
        let facts = KeyFacts::default();
        assert!(days.takes("2026/01/05/x", &facts) && days.takes("2026/1/6/x", &facts));
        assert!(!days.takes("2026/01/07/x", &facts) && !days.takes("x", &facts));
        let accounts = Selection { accounts: ["111122223333".to_owned()].into(), ..Selection::default() };
        assert!(!accounts.takes("x", &facts));
        assert!(Selection::default().takes("x", &facts));
    }
}
