//! What the generator promises: equal archives for equal specs, true shapes, chained sessions.

use super::{ArchiveSpec, ArchiveSummary, write_archive};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn small() -> ArchiveSpec {
    ArchiveSpec { events: 12_000, ..ArchiveSpec::demo() }
}

/// Returns every file below a folder with its bytes, in the order of their names.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), bytes);
            }
        }
    }
    found
}

fn records_of(gzip: &[u8]) -> Vec<Value> {
    // The last four bytes of a gzip file hold the size of what is inside.
    let size = u32::from_le_bytes(gzip[gzip.len() - 4..].try_into().unwrap());
    let mut plain = vec![0; usize::try_from(size).unwrap()];
    libdeflater::Decompressor::new().gzip_decompress(gzip, &mut plain).unwrap();
    let mut document: Value = serde_json::from_slice(&plain).unwrap();
    match document["Records"].take() {
        Value::Array(records) => records,
        other => panic!("Records is {other}"),
    }
}

/// Writes an archive and reads it back: what the generator says and what is there.
fn written(spec: &ArchiveSpec) -> (ArchiveSummary, BTreeMap<PathBuf, Vec<Value>>) {
    let root = tempfile::tempdir().unwrap();
    let summary = write_archive(root.path(), spec, |_| {}).unwrap();
    let read = files(root.path()).into_iter().map(|(key, gzip)| (key, records_of(&gzip))).collect();
    (summary, read)
}

fn text<'a>(record: &'a Value, pointer: &str) -> &'a str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[test]
fn equal_specs_give_equal_archives() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = write_archive(first.path(), &small(), |_| {}).unwrap();
    let other = write_archive(second.path(), &small(), |_| {}).unwrap();
    assert_eq!(one, other);
    assert!(files(first.path()) == files(second.path()), "same keys, same bytes");
    let third = tempfile::tempdir().unwrap();
    write_archive(third.path(), &ArchiveSpec { seed: 12, ..small() }, |_| {}).unwrap();
    assert!(files(first.path()) != files(third.path()), "another seed, another archive");
}

#[test]
fn the_summary_counts_what_is_there() {
    let root = tempfile::tempdir().unwrap();
    let mut calls = 0;
    let summary = write_archive(root.path(), &small(), |_| calls += 1).unwrap();
    let stored = files(root.path());
    assert_eq!(u64::try_from(stored.len()).unwrap(), summary.objects);
    assert_eq!(calls, summary.objects);
    assert_eq!(stored.values().map(|gzip| gzip.len() as u64).sum::<u64>(), summary.stored_bytes);
    let records: usize = stored.values().map(|gzip| records_of(gzip).len()).sum();
    assert_eq!(u64::try_from(records).unwrap(), summary.records);
    let wanted = small().events;
    assert!(summary.records.abs_diff(wanted) < wanted / 20, "{} records", summary.records);
}

#[test]
fn records_lie_where_their_key_says() {
    let (summary, archive) = written(&small());
    let mut ids = BTreeSet::new();
    for (key, records) in &archive {
        let key = key.to_str().unwrap();
        assert!(!records.is_empty(), "{key}");
        for record in records {
            let (account, region) = (text(record, "/recipientAccountId"), text(record, "/awsRegion"));
            let folder = format!("AWSLogs/{}/{account}/CloudTrail/{region}/", summary.organization);
            assert!(key.starts_with(&folder), "{record} in {key}");
            assert!(ids.insert(text(record, "/eventID").to_owned()), "an event id comes once");
        }
    }
}

#[test]
fn temporary_keys_have_an_issuing_record() {
    let (_, archive) = written(&small());
    let all: Vec<&Value> = archive.values().flatten().collect();
    let mut issued = BTreeMap::new();
    for record in &all {
        let key = text(record, "/responseElements/credentials/accessKeyId");
        if !key.is_empty() {
            issued.insert(
                key,
                (text(record, "/eventTime"), text(record, "/responseElements/assumedRoleUser/arn")),
            );
        }
    }
    let mut chained = 0;
    for record in &all {
        let key = text(record, "/userIdentity/accessKeyId");
        let forwarded = !text(record, "/userIdentity/invokedBy").is_empty()
            && !text(record, "/userIdentity/sessionContext/sessionIssuer/arn").contains("aws-service-role");
        let console = !text(record, "/sessionCredentialFromConsole").is_empty();
        if !key.starts_with("ASIA") || forwarded || console {
            continue;
        }
        let (at, arn) = issued.get(key).unwrap_or_else(|| panic!("nobody issued {key}: {record}"));
        assert_eq!(*at, text(record, "/userIdentity/sessionContext/attributes/creationDate"), "{record}");
        assert!(*at <= text(record, "/eventTime"), "used before it was issued: {record}");
        if text(record, "/userIdentity/type") == "AssumedRole" {
            assert_eq!(*arn, text(record, "/userIdentity/arn"));
        }
        chained += 1;
    }
    assert!(chained > all.len() / 3, "{chained} of {}", all.len());
}

#[test]
fn a_key_has_one_owner() {
    let (_, archive) = written(&small());
    let mut owners = BTreeMap::new();
    for record in archive.values().flatten() {
        let (key, arn) = (text(record, "/userIdentity/accessKeyId"), text(record, "/userIdentity/arn"));
        if !key.is_empty() {
            assert_eq!(*owners.entry(key).or_insert(arn), arn, "{record}");
        }
    }
}

#[test]
fn cross_account_calls_come_in_pairs() {
    let (_, archive) = written(&small());
    let mut pairs: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    let far = |record: &&Value| {
        text(record, "/eventName") == "AssumeRole" && text(record, "/userIdentity/type") == "AWSAccount"
    };
    for record in archive.values().flatten() {
        if text(record, "/eventName") == "AssumeRole" {
            pairs.entry(text(record, "/sharedEventID")).or_default().push(record);
        }
    }
    let count = archive.values().flatten().filter(far).count();
    assert!(count > 50, "{count} pairs");
    for pair in pairs.values().filter(|pair| pair.iter().any(far)) {
        assert_eq!(pair.len(), 2);
        assert_ne!(text(pair[0], "/recipientAccountId"), text(pair[1], "/recipientAccountId"));
        assert_eq!(pair[0].pointer("/responseElements"), pair[1].pointer("/responseElements"));
    }
}

#[test]
fn the_incident_is_as_its_facts_say() {
    let (summary, archive) = written(&small());
    let facts = summary.incident.unwrap();
    let all: Vec<&Value> = archive.values().flatten().collect();
    let theirs: Vec<&&Value> =
        all.iter().filter(|record| text(record, "/sourceIPAddress") == facts.attacker_ip).collect();
    assert_eq!(u64::try_from(theirs.len()).unwrap(), facts.records);
    assert!(theirs.iter().all(|record| text(record, "/userAgent") == facts.attacker_agent));
    let count = |name: &str| theirs.iter().filter(|record| text(record, "/eventName") == name).count();
    assert_eq!(u64::try_from(count("GetObject")).unwrap(), facts.downloads);
    for (name, times) in [
        ("PutBucketPolicy", 1),
        ("DeleteBucketPublicAccessBlock", 1),
        ("CreateAccessKey", 1),
        ("AssumeRole", 3),
    ] {
        assert_eq!(count(name), times, "{name}");
    }
    let bytes: u64 = theirs
        .iter()
        .filter(|record| text(record, "/eventName") == "GetObject")
        .map(|record| record.pointer("/additionalEventData/bytesTransferredOut").unwrap().as_u64().unwrap())
        .sum();
    assert_eq!(bytes, facts.downloaded_bytes);
    let times: BTreeSet<&str> = theirs.iter().map(|record| text(record, "/eventTime")).collect();
    assert_eq!(times.first().copied(), Some(facts.started.to_string()).as_deref());
    assert_eq!(times.last().copied(), Some(facts.ended.to_string()).as_deref());
    let usual = all.iter().filter(|record| {
        text(record, "/userIdentity/accessKeyId") == summary.key_of_interest
            && text(record, "/sourceIPAddress") == facts.usual_ip
    });
    assert!(usual.count() > 20, "the key has an ordinary life, too");
    let role =
        all.iter().filter(|record| text(record, "/userIdentity/accessKeyId") == facts.role_session_key);
    assert!(role.count() > 200);
}

#[test]
fn nobody_else_calls_from_the_attackers_range() {
    let (summary, archive) = written(&ArchiveSpec { incident: false, ..small() });
    assert!(summary.incident.is_none() && !summary.key_of_interest.is_empty());
    for record in archive.values().flatten() {
        assert!(!text(record, "/sourceIPAddress").starts_with("192.0.2."), "{record}");
    }
}

#[test]
fn the_smallest_archive_can_be_written() {
    let spec = ArchiveSpec { accounts: 1, regions: 1, hours: 1, events: 40, ..ArchiveSpec::demo() };
    let (summary, archive) = written(&spec);
    assert!(summary.records >= 40 && summary.incident.is_none());
    assert!(!archive.is_empty());
}
