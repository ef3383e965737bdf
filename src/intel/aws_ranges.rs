//! AWS's address ranges: the `ip-ranges.json` that AWS publishes.

use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use super::IntelError;
use super::networks::{Network, Networks};

/// A range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsRange {
    pub(super) region: String,
    pub(super) service: String,
}

/// All ranges.
#[derive(Debug, Default)]
pub(super) struct AwsRanges(Networks<AwsRange>);

#[derive(Deserialize)]
struct File {
    prefixes: Vec<Entry>,
    #[serde(default)]
    ipv6_prefixes: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(alias = "ipv6_prefix")]
    ip_prefix: String,
    region: String,
    service: String,
}

/// The service that stands beside every other: a range is told by the other name when it has one.
const ANY_SERVICE: &str = "AMAZON";

impl AwsRanges {
    pub(super) fn read(path: &Path) -> Result<Self, IntelError> {
        let text = std::fs::read(path).map_err(|error| IntelError::of(path, error))?;
        let file: File = serde_json::from_slice(&text)
            .map_err(|error| IntelError::of(path, format!("no ip-ranges.json of AWS: {error}")))?;
        let mut ranges = Networks::default();
        let mut entries: Vec<Entry> = file.prefixes.into_iter().chain(file.ipv6_prefixes).collect();
        entries.sort_by_key(|entry| entry.service != ANY_SERVICE);
        for Entry { ip_prefix, region, service } in entries {
            let network = Network::read(&ip_prefix).ok_or_else(|| {
                IntelError::of(path, format!("'{}' is no network", ip_prefix.escape_debug()))
            })?;
            ranges.insert(network, AwsRange { region, service });
        }
        Ok(Self(ranges))
    }

    pub(super) fn find(&self, address: IpAddr) -> Option<&AwsRange> {
        self.0.find(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_told_by_the_service_it_is_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ip-ranges.json");
        let entry = |prefix: &str, service: &str| {
            format!(
                r#"{{"ip_prefix":"{prefix}","region":"eu-west-1","service":"{service}","network_border_group":"eu-west-1"}}"#
            )
        };
        let entries =
            [entry("3.5.0.0/19", "S3"), entry("3.5.0.0/19", "AMAZON"), entry("3.0.0.0/8", "AMAZON")];
        let v6 = r#"{"ipv6_prefix":"2600:1f00::/24","region":"us-east-1","service":"EC2"}"#;
        std::fs::write(&path, format!(r#"{{"prefixes":[{}],"ipv6_prefixes":[{v6}]}}"#, entries.join(",")))
            .unwrap();
        let ranges = AwsRanges::read(&path).unwrap();
        let service =
            |address: &str| ranges.find(address.parse().unwrap()).map(|range| range.service.as_str());
        assert_eq!(service("3.5.1.1"), Some("S3"));
        assert_eq!(service("3.250.1.1"), Some("AMAZON"));
        assert_eq!(service("2600:1f00::1"), Some("EC2"));
        assert_eq!(service("8.8.8.8"), None);
        std::fs::write(&path, "[]").unwrap();
        assert!(AwsRanges::read(&path).unwrap_err().to_string().contains("no ip-ranges.json of AWS"));
    }
}
