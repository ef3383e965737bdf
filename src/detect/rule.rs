//! The rules that come with the program, one file each in `queries/detections/`.
//!
//! Takes the files, which are part of the binary, and gives statements with what their headers say. A
//! rule asks `new_cloudtrail` for what is to be judged and `footprints` for what was usual, and
//! gives a row a finding.

use std::time::Duration;

use crate::query::library::header;

/// How bad it is when a rule is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// Returns OCSF's number and word.
    pub const fn id_and_caption(self) -> (i64, &'static str) {
        match self {
            Self::Low => (2, "Low"),
            Self::Medium => (3, "Medium"),
            Self::High => (4, "High"),
            Self::Critical => (5, "Critical"),
        }
    }

    fn read(word: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High, Self::Critical]
            .into_iter()
            .find(|severity| severity.id_and_caption().1.eq_ignore_ascii_case(word))
    }
}

/// One suspicion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name: the name of its file.
    pub id: &'static str,
    /// What it finds, in a line.
    pub title: &'static str,
    /// How bad that is.
    pub severity: Severity,
    /// The technique of MITRE ATT&CK: its number and name.
    pub technique: (&'static str, &'static str),
    /// The tactic.
    pub tactic: (&'static str, &'static str),
    /// How far before a new event it looks.
    pub lookback: Duration,
    /// The file.
    pub sql: &'static str,
}

const FILES: [&str; 6] = [
    include_str!("../../queries/detections/instance_credential_elsewhere.sql"),
    include_str!("../../queries/detections/key_from_new_network.sql"),
    include_str!("../../queries/detections/dormant_key.sql"),
    include_str!("../../queries/detections/session_from_two_networks.sql"),
    include_str!("../../queries/detections/root_activity.sql"),
    include_str!("../../queries/detections/denied_burst.sql"),
];

/// Returns every rule.
pub fn rules() -> impl Iterator<Item = Rule> {
    FILES.into_iter().filter_map(read)
}

/// A file whose header lacks something is no rule; a test reads them all.
fn read(sql: &'static str) -> Option<Rule> {
    let value = |name: &str| header(sql).find(|(key, _)| *key == name).map(|(_, value)| value);
    let named = |name: &str| value(name)?.split_once(' ');
    let lookback: jiff::SignedDuration = hours(value("lookback")?)?;
    Some(Rule {
        id: value("id")?,
        title: value("title")?,
        severity: Severity::read(value("severity")?)?,
        technique: named("technique")?,
        tactic: named("tactic")?,
        lookback: Duration::try_from(lookback).ok()?,
        sql,
    })
}

/// Reads `90d` or what jiff knows.
fn hours(text: &str) -> Option<jiff::SignedDuration> {
    match text.strip_suffix('d') {
        Some(days) => Some(jiff::SignedDuration::from_hours(days.parse::<i64>().ok()?.checked_mul(24)?)),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_rule() {
        assert_eq!(rules().count(), FILES.len());
        for rule in rules() {
            assert!(rule.technique.0.starts_with('T') && rule.tactic.0.starts_with("TA"), "{}", rule.id);
            assert!(rule.lookback >= Duration::from_mins(30), "{}", rule.id);
            assert!(rule.sql.contains("new_cloudtrail"), "{}: judges what is new", rule.id);
            let is_bounded = ["$lookback_start", "$near_start"].iter().any(|start| rule.sql.contains(start));
            assert!(is_bounded, "{}: reads no more than it needs", rule.id);
            assert!(rule.sql.contains("-- known_gaps:"), "{}", rule.id);
        }
    }

    #[test]
    fn a_header_that_lacks_something_is_no_rule() {
        let whole = "-- id: a\n-- title: b\n-- severity: high\n-- technique: T1 c\n-- tactic: TA1 d\n-- lookback: 2d\nselect";
        let rule = read(whole).unwrap();
        assert_eq!((rule.severity, rule.lookback), (Severity::High, Duration::from_hours(48)));
        assert_eq!(read("-- id: a\n-- title: b\n-- severity: dire\n-- lookback: 2d"), None);
    }
}
