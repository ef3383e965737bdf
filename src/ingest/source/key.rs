//! Tells an object's log source, account and Region from its key.
//!
//! Takes a key as Control Tower, organisation trails and plain trails write it
//! and finds the `AWSLogs` segment anywhere in it. Promises nothing about the
//! content: the key routes, the record decides its partition.

use std::sync::Arc;

use super::custom::mapping::Mapping;
use super::log_source::LogSource;
use super::time::read_time;
use crate::lake::path::{AccountId, OWN_PREFIXES, Region};

/// What a key says.
#[derive(Debug, Clone, PartialEq)]
pub enum KeyVerdict {
    /// Read it.
    Read(KeyFacts),
    /// Nothing to read.
    Skip(SkipReason),
}

/// What the key of a log says about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyFacts {
    /// The source; where the key is silent, the content tells.
    pub source: Option<LogSource>,
    /// The account in the key.
    pub account: Option<AccountId>,
    /// The Region in the key.
    pub region: Option<Region>,
    /// When it was delivered, epoch milliseconds: the time of records that have none.
    pub time: Option<i64>,
    /// How its records become OCSF, where the configuration says so.
    pub mapping: Option<Arc<Mapping>>,
}

/// Why an object is left alone. Each is counted under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SkipReason {
    /// CloudTrail's signed digest: evidence about logs, not a log.
    Digest,
    /// A probe with which a service checks that it can write.
    WriteCheck,
    /// A key that ends in a slash, made by a console to show a folder.
    FolderMarker,
    /// A file of a lake.
    OwnOutput,
    /// A log whose source is not built yet.
    NotBuilt(&'static str),
    /// Neither key nor content is that of a log we know.
    Unknown,
    /// Nothing is in it.
    Empty,
    /// A message tells of an object that was removed, restored or moved: not of a new one.
    NotCreated,
    /// It was announced or listed, and is gone.
    Gone,
    /// It was replaced before it was read; what replaced it is announced by itself.
    Replaced,
    /// It cannot be fetched now.
    Unreachable,
    /// A pipe, a socket or a device.
    NoFile,
    /// A file whose name is no text, so that no key can say it.
    NoText,
    /// A link leads to a folder that was read already.
    Walked,
    /// It is outside of what was asked for.
    NotAsked,
}

impl SkipReason {
    /// Returns the words of a report.
    pub fn text(self) -> String {
        match self {
            Self::Digest => "CloudTrail digest".to_owned(),
            Self::WriteCheck => "write check".to_owned(),
            Self::FolderMarker => "folder marker".to_owned(),
            Self::OwnOutput => "file of a lake".to_owned(),
            Self::NotBuilt(source) => format!("{source}: source not built yet"),
            Self::Unknown => "no log we know".to_owned(),
            Self::Empty => "empty object".to_owned(),
            Self::NotCreated => "message of something else than a new object".to_owned(),
            Self::Gone => "gone before it was read".to_owned(),
            Self::Replaced => "replaced before it was read".to_owned(),
            Self::Unreachable => "could not be fetched".to_owned(),
            Self::NoFile => "neither file nor folder".to_owned(),
            Self::NoText => "name that is no UTF-8".to_owned(),
            Self::Walked => "link to a folder that was read already".to_owned(),
            Self::NotAsked => "outside of what was asked for".to_owned(),
        }
    }
}

/// Reads a key.
pub fn read_key(key: &str) -> KeyVerdict {
    if key.ends_with('/') {
        return KeyVerdict::Skip(SkipReason::FolderMarker);
    }
    if is_lake_file(key) {
        return KeyVerdict::Skip(SkipReason::OwnOutput);
    }
    if key.ends_with("ConfigWritabilityCheckFile") {
        return KeyVerdict::Skip(SkipReason::WriteCheck);
    }
    let segments: Vec<&str> = key.split('/').collect();
    let Some(found) = segments.iter().position(|segment| *segment == "AWSLogs") else {
        return KeyVerdict::Read(KeyFacts { time: delivered(key), ..KeyFacts::default() });
    };
    let mut rest = segments.into_iter().skip(found + 1).peekable();
    // An organisation trail puts the organisation's id between; Hive-compatible keys name their segments.
    rest.next_if(|segment| segment.starts_with("o-"));
    let account = rest.next().map(|segment| segment.trim_start_matches("aws-account-id="));
    let account = account.and_then(AccountId::read);
    let service = rest.next().map(|segment| segment.trim_start_matches("aws-service=")).unwrap_or_default();
    let region = rest.next().map(|segment| segment.trim_start_matches("aws-region=")).and_then(Region::read);
    let source = match service {
        "CloudTrail" | "CloudTrail-NetworkActivity" | "CloudTrail-Aggregated" => Some(LogSource::CloudTrail),
        "CloudTrail-Insight" => Some(LogSource::Insight),
        "vpcflowlogs" => Some(LogSource::VpcFlow),
        "GuardDuty" => Some(LogSource::GuardDuty),
        "Config" => Some(LogSource::Config),
        "CloudTrail-Digest" => return KeyVerdict::Skip(SkipReason::Digest),
        "WAFLogs" => return KeyVerdict::Skip(SkipReason::NotBuilt("waf")),
        "elasticloadbalancing" => return KeyVerdict::Skip(SkipReason::NotBuilt("elb")),
        "vpcdnsquerylogs" => return KeyVerdict::Skip(SkipReason::NotBuilt("route53")),
        _ => None,
    };
    KeyVerdict::Read(KeyFacts { source, account, region, time: delivered(key), mapping: None })
}

/// Finds the time of delivery in the name of a file, `…_20260101T0005Z_…`.
fn delivered(key: &str) -> Option<i64> {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    let time = name
        .split('_')
        .find(|part| part.len() == 14 && part.as_bytes().get(8) == Some(&b'T') && part.ends_with('Z'))?;
    let part = |range| time.get(range);
    let (date, clock) = (part(0..8)?, part(9..13)?);
    let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
    read_time(&format!("{year}-{month}-{day}T{}:{}:00Z", clock.get(..2)?, clock.get(2..)?))
}

/// Says whether a key is that of a file of some lake, wherever that lies.
fn is_lake_file(key: &str) -> bool {
    let below = |prefix: &str| key.starts_with(prefix) || key.contains(&format!("/{prefix}"));
    let ours = (key.ends_with(".parquet") && key.contains("/eventDay=")) || key.ends_with(".jsonl");
    ours && OWN_PREFIXES.into_iter().any(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, expected: &str) {
        let verdict = match read_key(key) {
            KeyVerdict::Read(KeyFacts { source: None, .. }) => "silent".to_owned(),
            KeyVerdict::Read(facts) => format!(
                "{} {} {}",
                facts.source.map_or("-", LogSource::name),
                facts.account.map_or_else(|| "-".to_owned(), |account| account.to_string()),
                facts.region.map_or_else(|| "-".to_owned(), |region| region.to_string()),
            ),
            KeyVerdict::Skip(reason) => reason.text(),
        };
        assert_eq!(verdict, expected, "{key}");
    }

    #[test]
    fn finds_the_source_wherever_the_tree_hangs() {
        let file = "111122223333_CloudTrail_eu-west-1_20260101T0000Z_abcdefghijklmnop.json.gz";
        let day = "eu-west-1/2026/01/01";
        let found = "cloudtrail 111122223333 eu-west-1";
        check(&format!("AWSLogs/111122223333/CloudTrail/{day}/{file}"), found);
        check(&format!("a/b/AWSLogs/111122223333/CloudTrail/{day}/{file}"), found);
        check(&format!("AWSLogs/o-exampleorg1/111122223333/CloudTrail/{day}/{file}"), found);
        check(&format!("o-exampleorg1/AWSLogs/o-exampleorg1/111122223333/CloudTrail/{day}/{file}"), found);
        let insight = "insight 111122223333 eu-west-1";
        check(&format!("AWSLogs/111122223333/CloudTrail-Insight/{day}/{file}"), insight);
        check(&format!("AWSLogs/111122223333/CloudTrail-NetworkActivity/{day}/{file}"), found);
        check(&format!("AWSLogs/111122223333/CloudTrail-Aggregated/{day}/{file}"), found);
    }

    #[test]
    fn finds_flow_logs_by_either_kind_of_key() {
        let found = "vpc_flow 111122223333 eu-west-1";
        check("AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/01/x.log.gz", found);
        check(
            "a/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1/year=2026/month=01/day=01/hour=00/x.parquet",
            found,
        );
    }

    #[test]
    fn knows_when_a_file_was_delivered() {
        let name = "111122223333_vpcflowlogs_eu-west-1_fl-0a1b2c3d_20260101T0005Z_3d4e5f6a.log.gz";
        assert_eq!(delivered(&format!("x/{name}")), Some(1_767_225_900_000));
        assert_eq!(delivered("x/20260101T9905Z_3d4e5f6a.log.gz"), None);
        assert_eq!(delivered("x/20260101.log.gz"), None);
    }

    #[test]
    fn leaves_alone_what_is_no_log() {
        check("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/x.json.gz", "CloudTrail digest");
        check("AWSLogs/111122223333/Config/ConfigWritabilityCheckFile", "write check");
        check("AWSLogs/111122223333/CloudTrail/", "folder marker");
        check("hot/ct-api-activity/eventDay=20260101/x.parquet", "file of a lake");
        check("AWSLogs/111122223333/WAFLogs/eu-west-1/acl/2026/01/01/x.log.gz", "waf: source not built yet");
        check(
            "var/lake/ext/ct-api-activity/region=x/accountId=1/eventDay=20260101/x.parquet",
            "file of a lake",
        );
        check("somewhere/else.json", "silent");
        check("ext/AWSLogs/notes.txt", "silent");
    }
}
