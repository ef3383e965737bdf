//! The facts of the incident as the security services tell them.

use super::spec::IncidentFacts;
use super::text::civil;
use serde_json::Value;

/// What there is to tell.
#[derive(Debug)]
pub(super) struct Story<'a> {
    /// The incident.
    pub(super) incident: &'a IncidentFacts,
    /// The leaked key.
    pub(super) key: &'a str,
    /// The instance that was knocked at.
    pub(super) instance: &'a str,
}

pub(super) const DETECTOR: &str = "d4b0d1c2e3f4a5b6c7d8e9f0a1b2c3d4";
pub(super) const KEY_FINDING: &str = "1ec3a5b7d9f1e3a5c7b9d1f3e5a7c9b1";
pub(super) const BUCKET_FINDING: &str = "2fd4b6c8eaf2d4b6c8ead2f4b6c8ead2";
pub(super) const DOWNLOAD_FINDING: &str = "3ae5c7d9fb13e5c7d9fbe3a5c7d9fbe3";
pub(super) const PROBE_FINDING: &str = "4bf6d8eafc24f6d8eafcf4b6d8eafcf4";

impl Story<'_> {
    pub(super) fn at(&self, after: i64) -> String {
        let second = self.incident.started.as_second() + after;
        jiff::Timestamp::from_second(second).map(|at| format!("{at:.3}")).unwrap_or_default()
    }

    pub(super) fn arn(&self, account: &str, id: &str) -> String {
        format!("arn:aws:guardduty:{}:{account}:detector/{DETECTOR}/finding/{id}", self.incident.region)
    }

    pub(super) fn bucket_arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.incident.bucket)
    }

    /// The key under which a service files an object.
    pub(super) fn key(&self, account: &str, service: &str, (after, name): (i64, &str)) -> String {
        let at = civil(self.incident.started.as_second() + after);
        let (year, month, day) = (at.year(), at.month(), at.day());
        let region = &self.incident.region;
        format!("AWSLogs/{account}/{service}/{region}/{year}/{month:02}/{day:02}/{name}")
    }
}

/// Lays one object over another, member by member.
pub(super) fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
