//! Years of an archive, read at once by `ingest`: walked in parts, limited by what keys say, or by an inventory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::json;

use crate::archive::{ACCOUNT, OTHER_ACCOUNT, Ran, blocking, event_id, gzip};
use crate::crash::{start, wait};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::Rules;
use crate::worker::{signal, uids, until};

pub(crate) const INVENTORIES: &str = "other-archive";

/// The key of a log.
fn log(account: &str, service: &str, region: &str, day: &str, number: u32) -> String {
    format!("o-x/AWSLogs/o-x/{account}/{service}/{region}/{day}/{account}_{number}.json.gz")
}

impl Cloud {
    /// Runs `ingest` on the archive's bucket.
    fn backfill(&self, words: &[&str]) -> Ran {
        let place = format!("s3://{ARCHIVE}");
        self.site.run(&[&["ingest", place.as_str()], words].concat())
    }

    /// Puts one record a month, two objects each, from 2022 on.
    fn months(&self, months: u32) {
        for month in 0..months {
            let day = format!("{}/{:02}/03", 2022 + month / 12, month % 12 + 1);
            for number in [month * 2, month * 2 + 1] {
                self.put(ARCHIVE, &log(ACCOUNT, "CloudTrail", "eu-west-1", &day, number), number);
            }
        }
    }
}

/// Two accounts, two Regions, three days and two services: object `number` says where it lies.
fn spread(cloud: &Cloud) {
    let mut number = 0;
    for account in [ACCOUNT, OTHER_ACCOUNT] {
        for region in ["eu-west-1", "us-east-1"] {
            for day in ["2025/01/31", "2025/02/01", "2025/02/02"] {
                cloud.put(ARCHIVE, &log(account, "CloudTrail", region, day, number), number);
                number += 1;
            }
        }
    }
    cloud.s3.put(ARCHIVE, &log(ACCOUNT, "CloudTrail-Digest", "eu-west-1", "2025/02/01", 90), b"digest");
    cloud.s3.put(ARCHIVE, &log(ACCOUNT, "GuardDuty", "eu-west-1", "2025/02/01", 91), b"{}");
    cloud.s3.put(ARCHIVE, "notes/readme.txt", b"no log");
}

#[test]
fn only_what_is_asked_for_is_listed_and_read() {
    for (words, expected) in [
        (vec!["--from", "2025-02-01"], vec![1, 2, 4, 5, 7, 8, 10, 11]),
        (vec!["--from", "2025-01-31", "--to", "2025-02-01", "--accounts", ACCOUNT], vec![0, 1, 3, 4]),
        (vec!["--regions", "us-east-1", "--sources", "cloudtrail"], vec![3, 4, 5, 9, 10, 11]),
        (vec!["--to", "2025-01-30"], vec![]),
    ] {
        let cloud = Cloud::new();
        spread(&cloud);
        let all: Vec<&str> = [&words[..], &["--sources", "cloudtrail"]].concat();
        let words = if words.contains(&"--sources") { words } else { all };
        let ran = cloud.backfill(&words).ended(0);
        let expected: Vec<_> = expected.into_iter().map(crate::archive::event_id).collect();
        assert_eq!(cloud.site.uids(), expected, "{words:?} {ran:?}");
        assert_eq!(cloud.s3.calls("GetObject"), expected.len() as u64, "{words:?}");
    }
    let cloud = Cloud::new();
    spread(&cloud);
    cloud.backfill(&["--accounts", OTHER_ACCOUNT, "--from", "2025-02-02", "--to", "2025-02-02"]).ended(0);
    // Root, o-x, AWSLogs, o-x, account, service; of each Region: itself, year, month, day; and the notes.
    assert_eq!(cloud.s3.calls("ListObjectsV2"), 6 + 2 * 4 + 1);
}

#[test]
fn a_dry_run_counts_and_touches_nothing() {
    let cloud = Cloud::new();
    spread(&cloud);
    let ran = cloud.backfill(&["--dry-run", "--from", "2025-02-01", "--accounts", ACCOUNT]).ended(0);
    for words in
        ["cloudtrail  111122223333  eu-west-1        2", "guardduty   111122223333  eu-west-1        1"]
    {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    assert!(ran.out.contains("\n5 objects, "), "{}", ran.out);
    assert!(ran.out.contains("1 objects left alone: CloudTrail digest"), "{}", ran.out);
    assert_eq!(cloud.s3.calls("GetObject"), 0);
    assert!(!cloud.site.lake().exists(), "no lake is made");
    let wrong = cloud.backfill(&["--dry-run", "--from", "2025-02-01", "--to", "2025-01-01"]).ended(1);
    assert!(wrong.err.contains("--from 2025-02-01 is after --to 2025-01-01"), "{wrong:?}");
    assert!(
        cloud.backfill(&["--sources", "cloudtrails"]).ended(2).err.contains("the sources are cloudtrail,")
    );
}

#[test]
fn a_rate_limit_holds() {
    let cloud = Cloud::new();
    cloud.months(10);
    let began = Instant::now();
    cloud.backfill(&["--objects-per-second", "10"]).ended(0);
    assert!(began.elapsed() >= Duration::from_millis(1900), "{:?}", began.elapsed());
    assert_eq!(cloud.site.uids(), uids(0..20));
}

#[test]
fn a_run_that_was_stopped_goes_on_without_listing_what_it_had_read() {
    const MONTHS: u32 = 48;
    for signal in ["-KILL", "-INT"] {
        let cloud = Cloud::new();
        cloud.months(MONTHS);
        let place = format!("s3://{ARCHIVE}");
        let child = start(&cloud.site, &["ingest", &place, "--objects-per-second", "50"]);
        until("it reads", || cloud.s3.calls("GetObject") > 0);
        let listed = || cloud.site.count("select count(*) from listings");
        until("some parts are read", || listed() >= 5);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let ran = wait(child);
        assert_eq!(ran.code, if signal == "-INT" { Some(130) } else { None }, "{ran:?}");
        let parts = u64::try_from(listed()).unwrap();
        assert!((5..u64::from(MONTHS)).contains(&parts), "{parts}");
        let before = cloud.s3.calls("ListObjectsV2");
        let ran = cloud.backfill(&[]).ended(0);
        let words = format!("{parts} parts of the archive were read by the run that was stopped");
        assert!(ran.out.contains(&words), "{parts} {ran:?}");
        // The seven folders above the years, the years, and the months that were left.
        let calls = cloud.s3.calls("ListObjectsV2") - before;
        assert_eq!(calls, 7 + 4 + u64::from(MONTHS) - parts);
        assert_eq!(cloud.site.uids(), uids(0..MONTHS * 2));
        // That run came to its end: the next one looks at everything.
        assert_eq!(listed(), 0);
        let ran = cloud.backfill(&[]).ended(0);
        assert!(ran.out.contains(&format!("{} objects were in the lake already", MONTHS * 2)), "{ran:?}");
    }
}

#[test]
fn a_part_of_which_something_could_not_be_fetched_is_not_finished() {
    let cloud = Cloud::new();
    cloud.months(3);
    cloud.s3.rules(ARCHIVE, Rules { is_denied: true, ..Rules::default() });
    let ran = cloud.backfill(&[]).ended(3);
    assert!(ran.out.contains("allow s3:GetObject"), "{ran:?}");
    cloud.s3.rules(ARCHIVE, Rules::default());
    let ran = cloud.backfill(&[]).ended(0);
    assert!(!ran.out.contains("parts of the archive"), "{ran:?}");
    assert_eq!(cloud.site.uids(), uids(0..6));
}

/// Writes the manifest of an inventory and returns its place.
pub(crate) fn manifest(cloud: &Cloud, format: &str, schema: &str, files: &[&str]) -> String {
    let files: Vec<_> = files.iter().map(|key| json!({"key": key, "size": 1, "MD5checksum": "x"})).collect();
    let manifest = json!({
        "sourceBucket": ARCHIVE, "destinationBucket": format!("arn:aws:s3:::{INVENTORIES}"), "version": "2016-11-30",
        "creationTimestamp": "1514944800000", "fileFormat": format, "fileSchema": schema, "files": files,
    });
    let key = format!("all/{format}/manifest.json");
    cloud.s3.put(INVENTORIES, &key, manifest.to_string().as_bytes());
    format!("s3://{INVENTORIES}/{key}")
}

/// An object as an inventory names it: key, version id, newest, marker, size, ETag.
type Inventoried = (String, String, bool, bool, i64, String);

/// Puts objects and returns them as an inventory names them.
fn inventoried(cloud: &Cloud) -> Vec<Inventoried> {
    cloud.s3.keep_versions(ARCHIVE);
    let mut rows = Vec::new();
    for number in 0..6 {
        let key = log(ACCOUNT, "CloudTrail", "eu-west-1", &format!("2025/02/0{}", number + 1), number);
        let key = key.replace("o-x/AWSLogs", "a b+c/AWSLogs");
        let stored = cloud.put(ARCHIVE, &key, number);
        let size = i64::try_from(stored.bytes.len()).unwrap();
        // One is an older version, and one was deleted.
        let (newest, marker) = (number != 4, number == 5);
        rows.push((key, stored.version, newest, marker, size, stored.etag));
    }
    rows
}

#[test]
fn an_inventory_as_csv_is_read_by_the_manifests_columns() {
    let cloud = Cloud::new();
    let mut lines = String::new();
    for (key, version, newest, marker, size, etag) in inventoried(&cloud) {
        let key: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        let cells =
            [ARCHIVE, &key, &version, &newest.to_string(), &marker.to_string(), &size.to_string(), &etag];
        lines += &cells.map(|cell| format!("\"{cell}\"")).join(",");
        lines.push('\n');
    }
    let (first, second) = lines.split_at(lines.find('\n').unwrap() + 1);
    cloud.s3.put(INVENTORIES, "all/data/1.csv.gz", &gzip(first.as_bytes()));
    cloud.s3.put(INVENTORIES, "all/data/2.csv.gz", &gzip(second.as_bytes()));
    let schema = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag";
    let place = manifest(&cloud, "CSV", schema, &["all/data/1.csv.gz", "all/data/2.csv.gz"]);
    cloud.site.run(&["ingest", "--inventory", &place, "--to", "2025-02-03"]).ended(0);
    assert_eq!(cloud.site.uids(), uids(0..3));
    cloud.site.run(&["ingest", "--inventory", &place]).ended(0);
    assert_eq!(cloud.site.uids(), uids(0..4));
    // What a listing finds afterwards is the same objects.
    let calls = cloud.s3.calls("ListObjectsV2");
    assert_eq!(calls, 0);
    cloud.backfill(&["--to", "2025-02-04"]).ended(0);
    assert_eq!(cloud.site.uids(), uids(0..4));
    assert_eq!(cloud.site.count("select count(*) from objects"), 4);
}

/// Writes an inventory of three files: of two accounts, then what takes a while, then what takes long.
fn slow_inventory(cloud: &Cloud) -> String {
    let lines = |numbers: std::ops::Range<u32>, account: &str| -> String {
        let line = |number| {
            let name = log(account, "CloudTrail", "eu-west-1", "2025/02/01", number);
            cloud.put(ARCHIVE, &name, number);
            format!("\"{ARCHIVE}\",\"{name}\"\n")
        };
        numbers.map(line).collect()
    };
    let first = lines(0..2, ACCOUNT) + &lines(2..4, OTHER_ACCOUNT);
    let files = [first, lines(4..34, ACCOUNT), lines(34..300, ACCOUNT)];
    let names = ["all/data/1.csv.gz", "all/data/2.csv.gz", "all/data/3.csv.gz"];
    for (name, lines) in names.iter().zip(files) {
        cloud.s3.put(INVENTORIES, name, &gzip(lines.as_bytes()));
    }
    manifest(cloud, "CSV", "Bucket, Key", &names)
}

#[test]
fn what_a_stopped_run_did_not_ask_for_is_read_by_one_that_does() {
    let cloud = Cloud::new();
    let place = slow_inventory(&cloud);
    let limited = ["ingest", "--inventory", &place, "--accounts", ACCOUNT];
    let child = start(&cloud.site, &[&limited[..], &["--objects-per-second", "5"]].concat());
    until("the first file is read", || {
        cloud.s3.calls("GetObject") > 0 && cloud.site.count("select count(*) from listings") > 0
    });
    signal(&child, "-KILL");
    wait(child);
    let read = cloud.site.uids();
    assert!(!read.contains(&event_id(2)) && read.len() < 200, "{read:?}");
    let ran = cloud.site.run(&["ingest", "--inventory", &place]).ended(0);
    assert!(!ran.out.contains("parts of the archive"), "{ran:?}");
    assert_eq!(cloud.site.uids(), uids(0..300));
}

#[test]
fn what_was_read_long_ago_is_looked_at_again() {
    let cloud = Cloud::new();
    cloud.months(24);
    let child = start(&cloud.site, &["ingest", &format!("s3://{ARCHIVE}"), "--objects-per-second", "50"]);
    let listed = "select count(*) from listings";
    until("some parts are read", || cloud.s3.calls("GetObject") > 0 && cloud.site.count(listed) >= 2);
    signal(&child, "-KILL");
    wait(child);
    blocking(async {
        let mut catalog = cloud.site.catalog().await;
        let later = "update listings set finished_at = finished_at - 8 * 86400 * cast(1000 as bigint)";
        sqlx::query(later).execute(&mut catalog).await.unwrap();
        sqlx::Connection::close(catalog).await.unwrap();
    });
    let ran = cloud.backfill(&[]).ended(0);
    assert!(!ran.out.contains("parts of the archive"), "{ran:?}");
    assert_eq!(cloud.site.uids(), uids(0..48));
}

#[test]
fn an_inventory_as_parquet_is_read_by_its_own_columns() {
    let cloud = Cloud::new();
    let rows = inventoried(&cloud);
    let text = |of: fn(&Inventoried) -> String| {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>()) as ArrayRef
    };
    let flags = |of: fn(&Inventoried) -> bool| {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<BooleanArray>()) as ArrayRef
    };
    let sizes = Arc::new(rows.iter().map(|row| row.4).collect::<Int64Array>()) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("bucket", text(|_| ARCHIVE.to_owned())),
        ("key", text(|row| row.0.clone())),
        ("version_id", text(|row| row.1.clone())),
        ("is_latest", flags(|row| row.2)),
        ("is_delete_marker", flags(|row| row.3)),
        ("size", sizes),
        ("e_tag", text(|row| row.5.clone())),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    cloud.s3.put(INVENTORIES, "all/data/1.parquet", &writer.into_inner().unwrap());
    let place = manifest(&cloud, "Parquet", "message s3.inventory { … }", &["all/data/1.parquet"]);
    let dry = cloud.site.run(&["ingest", "--inventory", &place, "--dry-run"]).ended(0);
    assert!(dry.out.contains("\n4 objects, "), "{dry:?}");
    cloud.site.run(&["ingest", "--inventory", &place]).ended(0);
    assert_eq!(cloud.site.uids(), uids(0..4));
}

#[test]
fn a_manifest_names_neither_files_of_this_machine_nor_other_buckets() {
    let cloud = Cloud::new();
    let name = crate::archive::key(crate::archive::REGION, "own");
    cloud.site.put(&name, &gzip(&crate::archive::file(&[crate::archive::record(1)])));
    let own = cloud.site.archive().canonicalize().unwrap();
    let own = format!("file://{}", own.display());
    cloud.s3.put(INVENTORIES, "1.csv", format!("x,{name}\n").as_bytes());
    std::fs::write(cloud.site.archive().join("1.csv"), format!("x,{name}\n")).unwrap();
    cloud.s3.put(ARCHIVE, "1.csv", format!("x,{name}\n").as_bytes());
    let run = |source: &str, home: &str| {
        let manifest = json!({"sourceBucket": source, "destinationBucket": home, "fileFormat": "CSV",
            "fileSchema": "Bucket, Key", "files": [{"key": "1.csv"}]});
        cloud.s3.put(INVENTORIES, "manifest.json", manifest.to_string().as_bytes());
        cloud.site.run(&["ingest", "--inventory", &format!("s3://{INVENTORIES}/manifest.json")]).ended(1).err
    };
    let beside = format!("arn:aws:s3:::{INVENTORIES}");
    assert!(run(&own, &beside).contains("is no bucket"), "{own}");
    for home in [own.as_str(), "arn:aws:s3:::the-archive", ""] {
        let told = run(ARCHIVE, home);
        assert!(told.contains("not beside it in other-archive"), "{home} {told}");
    }
    assert!(cloud.site.uids().is_empty());
}

#[test]
fn what_is_no_inventory_that_can_be_read_is_said() {
    let cloud = Cloud::new();
    let run = |place: &str| cloud.site.run(&["ingest", "--inventory", place]).ended(1).err;
    let orc = manifest(&cloud, "ORC", "struct<…>", &["all/data/1.orc"]);
    assert!(run(&orc).contains("an inventory in ORC is not read; have S3 write it as CSV or Parquet"));
    cloud.s3.put(INVENTORIES, "x.json", b"{}");
    assert!(run(&format!("s3://{INVENTORIES}/x.json")).contains("no manifest.json of an S3 Inventory"));
    assert!(run(&format!("s3://{INVENTORIES}/none.json")).contains("it is gone"));
    let lost = manifest(&cloud, "CSV", "Bucket, Key", &["all/data/lost.csv.gz"]);
    assert!(run(&lost).contains("all/data/lost.csv.gz"));
    let line = vec![b'a'; 9 << 20];
    cloud.s3.put(INVENTORIES, "all/data/long.csv.gz", &gzip(&line));
    let long = run(&manifest(&cloud, "CSV", "Bucket, Key", &["all/data/long.csv.gz"]));
    assert!(long.contains("all/data/long.csv.gz: a line of it is longer than 4194304 bytes"), "{long}");
    assert!(long.contains("\"all/CSV/manifest.json\""), "{long}");
    assert!(run("/tmp").contains("is no s3://bucket/…/manifest.json"));
}
