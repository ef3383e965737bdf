//! Where an object of the archive lies, and where the digests that cover it do.
//!
//! Takes URIs as evidence names them (`metadata.log_name`) and keys as CloudTrail writes them. A copy of a
//! bucket in a folder, or in another bucket, is read by what stands from `AWSLogs/` on: it holds the account, and
//! nobody but CloudTrail writes below that of a trail.

use std::fmt;

use jiff::civil::Date;

use crate::ingest::archive::LOCAL;
use crate::ingest::source::time::read_time;

/// An object of the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectPlace {
    /// Its bucket, or what stands for one.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

impl fmt::Display for ObjectPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bucket.contains("://") {
            write!(f, "{}/{}", self.bucket, self.key)
        } else {
            write!(f, "s3://{}/{}", self.bucket, self.key)
        }
    }
}

impl ObjectPlace {
    /// Reads `s3://bucket/key`, `file:///path` or another URI that a row's `metadata.log_name` holds.
    pub fn read(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once("://")?;
        let (bucket, key) = match scheme {
            "file" => (LOCAL.to_owned(), rest.trim_start_matches('/')),
            "s3" => {
                let (bucket, key) = rest.split_once('/')?;
                (bucket.to_owned(), key)
            }
            // A record that came in a message: the queue is its bucket.
            _ => {
                let (bucket, key) = rest.rsplit_once('/')?;
                (format!("{scheme}://{bucket}"), key)
            }
        };
        (!bucket.is_empty() && !key.is_empty()).then(|| Self { bucket, key: key.to_owned() })
    }

    /// Says whether it is a file of this machine.
    pub fn is_local(&self) -> bool {
        self.bucket == LOCAL
    }

    /// Says whether it lies in the archive: a record that came in a message is nowhere any more.
    pub(super) fn is_kept(&self) -> bool {
        self.is_local() || !self.bucket.contains("://")
    }

    /// Returns the object at a key that a digest names, in the same copy of the bucket as this one.
    pub(super) fn beside(&self, key: &str) -> Option<Self> {
        let root = self.key.strip_suffix(tail(&self.key)?)?;
        Some(Self { bucket: self.bucket.clone(), key: format!("{root}{}", tail(key)?) })
    }
}

/// The part of a key that is CloudTrail's: from the last `AWSLogs/` on.
pub(super) fn tail(key: &str) -> Option<&str> {
    const ROOT: &str = "AWSLogs/";
    let at = key
        .match_indices(ROOT)
        .map(|(at, _)| at)
        .filter(|at| at.checked_sub(1).is_none_or(|before| key.as_bytes().get(before) == Some(&b'/')));
    key.get(at.last()?..)
}

/// What the key of a CloudTrail log file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LogKey {
    /// The account of the log.
    pub(super) account: String,
    /// The folder of its Region's digests, without a slash at its end.
    pub(super) digests: String,
    /// When it was delivered, epoch milliseconds.
    pub(super) delivered: i64,
}

impl LogKey {
    /// Reads `…AWSLogs/[o-…/]<account>/CloudTrail…/<region>/YYYY/MM/DD/<name>`.
    pub(super) fn read(key: &str) -> Option<Self> {
        let tail = tail(key)?;
        let root = key.strip_suffix(tail)?;
        let parts: Vec<&str> = tail.split('/').collect();
        let (head, account, log, region) = match *parts.as_slice() {
            ["AWSLogs", account, log, region, _, _, _, _] => ("AWSLogs".to_owned(), account, log, region),
            ["AWSLogs", organization, account, log, region, _, _, _, _] => {
                (format!("AWSLogs/{organization}"), account, log, region)
            }
            _ => return None,
        };
        if !log.starts_with("CloudTrail") || log == "CloudTrail-Digest" {
            return None;
        }
        Some(Self {
            account: account.to_owned(),
            digests: format!("{root}{head}/{account}/CloudTrail-Digest/{region}"),
            delivered: delivered(key)?,
        })
    }
}

/// The moment in the name of a log file, to the minute, or of a digest, to the second.
pub(super) fn delivered(key: &str) -> Option<i64> {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    name.split(['_', '.']).rev().find_map(moment)
}

/// Reads `20260101T0005Z` or `20260101T000507Z`.
fn moment(part: &str) -> Option<i64> {
    let (date, clock) = part.strip_suffix('Z')?.split_once('T')?;
    let date: Date = date.parse().ok()?;
    let (hour, rest) = clock.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    let second = if second.is_empty() { "00" } else { second };
    read_time(&format!("{date}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_comes_back_as_it_was() {
        for uri in
            ["s3://archive/logs//AWSLogs/x", "file:///var/archive/AWSLogs/x", "sqs://111122223333/logs/0a1b"]
        {
            assert_eq!(ObjectPlace::read(uri).map(|place| place.to_string()).as_deref(), Some(uri));
        }
        for wrong in ["", "archive/x", "s3://archive", "s3:///x", "file://"] {
            assert_eq!(ObjectPlace::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_log_names_the_folder_of_its_digests() {
        let name = "111122223333_CloudTrail_eu-west-1_20260101T0005Z_abcdefghijklmnop.json.gz";
        let check = |prefix: &str, digests: &str| {
            let found = LogKey::read(&format!("{prefix}/CloudTrail/eu-west-1/2026/01/01/{name}")).unwrap();
            assert_eq!((found.digests.as_str(), found.delivered), (digests, 1_767_225_900_000));
            assert_eq!(found.account, "111122223333");
        };
        check("AWSLogs/111122223333", "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1");
        check(
            "a/AWSLogs/o-1/AWSLogs/o-1/111122223333",
            "a/AWSLogs/o-1/AWSLogs/o-1/111122223333/CloudTrail-Digest/eu-west-1",
        );
        for other in [
            format!("AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/01/{name}"),
            format!("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/01/{name}"),
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/01/x.json".to_owned(),
            "somewhere/else.json".to_owned(),
        ] {
            assert_eq!(LogKey::read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_copy_is_known_by_what_cloudtrail_wrote_of_its_key() {
        let copy = ObjectPlace::read("file:///copy/AWSLogs/1/CloudTrail/x").unwrap();
        let other = copy.beside("prefix/AWSLogs/1/CloudTrail-Digest/y").unwrap();
        assert_eq!(other.to_string(), "file:///copy/AWSLogs/1/CloudTrail-Digest/y");
        assert_eq!(copy.beside("y"), None);
        assert_eq!(tail("myAWSLogs/1"), None);
        assert_eq!(tail("a/AWSLogs/b/AWSLogs/1"), Some("AWSLogs/1"));
    }

    #[test]
    fn a_digest_says_when_it_ended() {
        let name = "1_CloudTrail-Digest_eu-west-1_my_20200101T000000Z_trail_eu-west-1_20260101T000007Z";
        assert_eq!(delivered(&format!("x/{name}.json.gz")), Some(1_767_225_607_000));
        assert_eq!(delivered(&format!("x/{name}_backfill.json.gz")), Some(1_767_225_607_000));
        assert_eq!(delivered("x/20261301T000000Z.json.gz"), None);
    }
}
