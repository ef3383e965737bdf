//! Decides how a prefix is walked: opened a folder at a time, read to its end, or passed over.
//!
//! Logs lie by account, service, Region, year, month and day. A walk opens folders down to
//! the months, so that parts of it can be read at once and one that was stopped goes on where
//! it was; days are opened where only some of a month are asked for. Other trees are
//! opened for a few levels, which is enough to find the logs in them.

use jiff::civil::Date;

use super::selection::{Overlap, Selection, number, short};
use crate::ingest::source::key::KeyVerdict;

/// How a prefix is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing below it is asked for.
    Pass,
    /// Its folders are looked at one by one.
    Open,
    /// Everything below it is listed.
    Read {
        /// The last day of its logs, where keys tell: nothing is delivered there when that is long over.
        last_day: Option<Date>,
    },
}

/// Levels that are opened of a tree that is no tree of logs.
const LEVELS_OPENED: usize = 4;

const READ: Step = Step::Read { last_day: None };

/// Decides about a prefix that ends in a slash or is empty. `verdict` is what its keys are.
pub(super) fn step(prefix: &str, verdict: &KeyVerdict, selection: &Selection) -> Step {
    let folders: Vec<&str> =
        prefix.strip_suffix('/').map(|path| path.split('/').collect()).unwrap_or_default();
    let Some(found) = folders.iter().position(|folder| *folder == "AWSLogs") else {
        return if folders.len() < LEVELS_OPENED { Step::Open } else { READ };
    };
    let rest = folders.get(found + 1..).unwrap_or_default();
    let rest = match rest {
        [first, rest @ ..] if first.starts_with("o-") => rest,
        rest => rest,
    };
    let [account, of_account @ ..] = rest else { return Step::Open };
    let account = account.trim_start_matches("aws-account-id=");
    if !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return READ;
    }
    if !selection.takes_account(Some(account)) {
        return Step::Pass;
    }
    let [_service, of_service @ ..] = of_account else { return Step::Open };
    match verdict {
        KeyVerdict::Read(facts) if !selection.takes_source(facts.source) => return Step::Pass,
        KeyVerdict::Read(_) => {}
        // Left alone and counted, in as few calls as that takes.
        KeyVerdict::Skip(_) => return READ,
    }
    let [region, of_region @ ..] = of_service else { return Step::Open };
    if !selection.takes_region(Some(region.trim_start_matches("aws-region="))) {
        return Step::Pass;
    }
    of_days(of_region, selection)
}

/// Decides by year, month and day.
fn of_days(folders: &[&str], selection: &Selection) -> Step {
    let [year, of_year @ ..] = folders else { return Step::Open };
    let Some(first) = number(year, "year=", 4).and_then(|year| Date::new(year, 1, 1).ok()) else {
        return READ;
    };
    let [month, of_month @ ..] = of_year else {
        let is_asked = selection.days(first, first.last_of_year()) != Overlap::None;
        return if is_asked { Step::Open } else { Step::Pass };
    };
    let first = short(month, "month=").and_then(|month| Date::new(first.year(), month, 1).ok());
    let Some(first) = first else { return READ };
    let [day, ..] = of_month else {
        let last = first.last_of_month();
        return match selection.days(first, last) {
            Overlap::None => Step::Pass,
            Overlap::Some => Step::Open,
            Overlap::All => Step::Read { last_day: Some(last) },
        };
    };
    let day = short(day, "day=").and_then(|day| Date::new(first.year(), first.month(), day).ok());
    match day {
        Some(day) if selection.days(day, day) == Overlap::None => Step::Pass,
        last_day => Step::Read { last_day },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::source::key::read_key;

    fn date(month: i8, day: i8) -> Option<Date> {
        Date::new(2026, month, day).ok()
    }

    #[test]
    fn opens_down_to_months_and_to_days_where_some_are_asked_for() {
        let all = Selection::default();
        let some = Selection { from: date(1, 5), to: date(2, 28), ..Selection::default() };
        let one = Selection {
            accounts: ["111122223333".to_owned()].into(),
            regions: ["eu-west-1".to_owned()].into(),
            sources: [crate::ingest::source::LogSource::CloudTrail].into(),
            ..Selection::default()
        };
        let (open, pass) = (Step::Open, Step::Pass);
        let read = |month, day| Step::Read { last_day: date(month, day) };
        let trail = "o-x/AWSLogs/o-x/111122223333/CloudTrail/eu-west-1/";
        for (selection, prefix, expected) in [
            (&all, "", open),
            (&all, "o-x/", open),
            (&all, "a/b/c/d/", READ),
            (&all, "logs//AWSLogs/", open),
            (&all, "AWSLogs/111122223333/", open),
            (&all, "AWSLogs/somebody/", READ),
            (&all, trail, open),
            (&all, "AWSLogs/111122223333/CloudTrail-Digest/", READ),
            (&all, "AWSLogs/111122223333/WAFLogs/eu-west-1/acl/", READ),
            (&all, &format!("{trail}2026/"), open),
            (&all, &format!("{trail}2026/02/"), read(2, 28)),
            (&all, "AWSLogs/111122223333/Config/eu-west-1/2026/2/", read(2, 28)),
            (&some, &format!("{trail}2025/"), pass),
            (&some, &format!("{trail}2026/01/"), open),
            (&some, &format!("{trail}2026/01/04/"), pass),
            (&some, &format!("{trail}2026/01/05/"), read(1, 5)),
            (&some, &format!("{trail}2026/02/"), read(2, 28)),
            (&some, &format!("{trail}2026/03/"), pass),
            (&one, trail, open),
            (&one, "AWSLogs/444455556666/", pass),
            (&one, "AWSLogs/111122223333/GuardDuty/", pass),
            (&one, "AWSLogs/111122223333/CloudTrail/us-east-1/", pass),
        ] {
            assert_eq!(step(prefix, &read_key(&format!("{prefix}x")), selection), expected, "{prefix}");
        }
    }
}
