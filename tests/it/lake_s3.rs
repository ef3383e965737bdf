//! A lake on S3: how its objects are written, and that archive and lake on S3 give the rows that folders give.

use serde_json::{Value, json};

use crate::archive::{REGION, assert_same_rows, event_id, file, gzip, key, noise, record};
use crate::bad_input::SmallDisk;
use crate::crash::{start, wait};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::{EVERY, EXTERNAL_ID, Fault, ROLE, Rules, s3_event};
use crate::sqs::LOGS;
use crate::worker::until;

const LAKE: &str = "the-lake";

/// Says that a site's lake is in the bucket, its catalog in a file.
fn on_s3(cloud: Cloud, prefix: &str) -> Cloud {
    let folder = cloud.site.lake();
    std::fs::create_dir_all(&folder).unwrap();
    let Cloud { site, s3, sqs } = cloud;
    let site = site
        .with("ASHIATO_LAKE", &format!("s3://{LAKE}/{prefix}"))
        .with("ASHIATO_SETTLE_HOT_GRACE", "0s")
        .with("ASHIATO_CATALOG", folder.join("catalog.sqlite").to_str().unwrap());
    Cloud { site, s3, sqs }
}

/// One object whose rows make a file of more than two parts.
fn big(cloud: &Cloud) {
    let records: Vec<Value> = (0..48)
        .map(|number| {
            let mut record = record(number);
            record["requestParameters"] = json!({"noise": noise(number.into(), 600_000)});
            record
        })
        .collect();
    cloud.s3.put(ARCHIVE, &key(REGION, "big"), &gzip(&file(&records)));
}

#[test]
fn every_object_is_written_with_a_checksum_a_key_and_a_condition() {
    let cloud = on_s3(Cloud::new(), "lake/one");
    let Cloud { site, s3, sqs } = cloud;
    let site = site
        .with("ASHIATO_LAKE_KMS_KEY", "arn:aws:kms:eu-west-1:111122223333:key/lake")
        .with("ASHIATO_LAKE_ACL", "bucket-owner-full-control");
    let cloud = Cloud { site, s3, sqs };
    big(&cloud);
    cloud.put(ARCHIVE, &key(REGION, "small"), 100);
    cloud.ingest(ARCHIVE).ended(0);
    let keys = cloud.s3.keys(LAKE);
    assert!(!keys.is_empty());
    for name in &keys {
        let stored = cloud.s3.newest(LAKE, name).unwrap();
        assert!(name.starts_with("lake/one/"), "{name}");
        assert!(stored.is_checked && stored.is_conditional, "{name}: {stored:?}");
        assert_eq!(stored.kms_key.as_deref(), Some("arn:aws:kms:eu-west-1:111122223333:key/lake"));
        assert_eq!(stored.acl.as_deref(), Some("bucket-owner-full-control"));
    }
    assert!(keys.iter().any(|name| cloud.s3.newest(LAKE, name).unwrap().parts >= 2), "{keys:?}");
    assert_eq!(cloud.site.uids().len(), 49);
    cloud.site.settle().ended(0);
    assert_eq!(cloud.site.uids().len(), 49);
    let keys = cloud.s3.keys(LAKE);
    let is_derived = |name: &&String| name.starts_with("lake/one/own/footprints/");
    assert!(keys.iter().any(|name| is_derived(&name)), "{keys:?}");
    for name in &keys {
        let stored = cloud.s3.newest(LAKE, name).unwrap();
        assert!(name.starts_with("lake/one/ext/") || name.starts_with("lake/one/own/"), "{name}");
        assert!(stored.is_checked && stored.is_conditional, "{name}: {stored:?}");
        assert_eq!(stored.kms_key.as_deref(), Some("arn:aws:kms:eu-west-1:111122223333:key/lake"));
    }
}

#[test]
fn of_many_small_files_more_are_asked_for_at_a_time_than_there_are_cores() {
    const TOGETHER: usize = 12;
    let cloud = on_s3(Cloud::new(), "lake");
    // Each day's is a file of its own.
    let records: Vec<Value> = (0..24)
        .map(|number| {
            let mut record = record(number);
            record["eventTime"] = json!(format!("2025-01-{:02}T10:00:00Z", number + 1));
            record
        })
        .collect();
    cloud.s3.put(ARCHIVE, &key(REGION, "days"), &gzip(&file(&records)));
    cloud.ingest(ARCHIVE).ended(0);
    cloud.s3.hold(TOGETHER);
    let sum =
        cloud.site.query("select count(*) as events, sum(length(metadata.uid)) as bytes from cloudtrail");
    assert_eq!(sum, [json!({"events": 24, "bytes": 24 * 36})]);
    assert!(cloud.s3.most_waiting() >= TOGETHER, "{} at a time", cloud.s3.most_waiting());
}

#[test]
fn a_write_whose_answer_was_lost_was_done() {
    let cloud = on_s3(Cloud::new(), "lake");
    big(&cloud);
    // Of another day, so that it is a file of its own.
    let mut other = record(100);
    other["eventTime"] = json!("2025-01-06T00:00:00Z");
    cloud.s3.put(ARCHIVE, &key(REGION, "small"), &gzip(&file(&[other])));
    for operation in ["PutObject", "CompleteMultipartUpload", "UploadPart"] {
        cloud.s3.fail_first(operation, &[Fault::Lost]);
    }
    cloud.ingest(ARCHIVE).ended(0);
    assert_eq!(cloud.s3.faults()["Lost"], 3);
    assert_eq!((cloud.site.uids().len(), cloud.s3.open_uploads()), (49, 0));
}

#[test]
fn an_upload_that_cannot_be_ended_leaves_nothing_behind() {
    let cloud = on_s3(Cloud::new(), "lake");
    big(&cloud);
    cloud.s3.fail_first("UploadPart", &[Fault::Internal; 60]);
    // The service answers before it has read the part, and may close the connection: a broken pipe, which once
    // passed for a closed terminal.
    let ran = cloud.ingest(ARCHIVE).ended(1);
    assert!(ran.err.contains("into the lake; nothing of this batch can be seen"), "{ran:?}");
    assert_eq!(cloud.s3.calls("AbortMultipartUpload"), 1);
    assert_eq!((cloud.s3.open_uploads(), cloud.s3.keys(LAKE).len()), (0, 0));
}

#[test]
fn with_archive_and_lake_on_s3_and_faults_in_both_the_rows_are_those_of_a_clean_run() {
    let cloud = Cloud::generated();
    cloud.ingest(ARCHIVE).ended(0);
    let expected = cloud.site.rows();
    let cloud = on_s3(cloud.beside("worked"), "lake");
    cloud.s3.fail(5, &EVERY);
    for _ in 0..2 {
        for name in cloud.s3.keys(ARCHIVE) {
            cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &cloud.s3.newest(ARCHIVE, &name).unwrap()));
        }
    }
    cloud.work();
    cloud.site.settle().ended(0);
    let faults: u64 = cloud.s3.faults().values().sum();
    assert!(faults > 10, "{:?}", cloud.s3.faults());
    cloud.s3.fail(0, &[]);
    assert_same_rows(&cloud.site.rows(), &expected);
    assert_eq!(cloud.s3.open_uploads(), 0);
    assert!(cloud.dead().is_empty());
}

#[test]
fn killed_while_it_writes_a_bucket_the_next_runs_leave_no_orphan() {
    let cloud = Cloud::generated();
    cloud.ingest(ARCHIVE).ended(0);
    let expected = cloud.site.rows();
    let cloud = on_s3(cloud.beside("killed"), "lake");
    let Cloud { site, s3, sqs } = cloud;
    let cloud = Cloud { site: site.with("ASHIATO_SETTLE_ORPHAN_AGE", "0s"), s3, sqs };
    let mut kills = 0;
    for round in 0..6 {
        let mut child = start(&cloud.site, &["ingest", &format!("s3://{ARCHIVE}")]);
        let puts = cloud.s3.calls("PutObject");
        until("it writes", || {
            cloud.s3.calls("PutObject") > puts + round || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        kills += u32::from(wait(child).code.is_none());
    }
    assert!(kills > 0);
    cloud.ingest(ARCHIVE).ended(0);
    cloud.site.settle().ended(0);
    cloud.site.settle().ended(0);
    assert_same_rows(&cloud.site.rows(), &expected);
    let files = cloud.site.count(
        "select (select count(*) from files) + (select count(*) from derived_files where row_count > 0)",
    );
    let keys = cloud.s3.keys(LAKE);
    let parquet = keys.iter().filter(|name| name.ends_with(".parquet")).count();
    assert_eq!(i64::try_from(parquet).unwrap(), files, "{keys:#?}");
}

#[test]
fn a_lake_in_another_region_is_reached_with_its_role() {
    let cloud = on_s3(Cloud::new(), "lake");
    cloud.declare(&format!(
        "[[buckets]]\nplace = \"s3://{LAKE}/lake\"\nrole_arn = \"{ROLE}\"\nexternal_id = \"{EXTERNAL_ID}\"\n\
         region = \"us-west-2\"\n"
    ));
    cloud.s3.rules(LAKE, Rules { wants_role: true, region: Some("us-west-2"), ..Rules::default() });
    cloud.put(ARCHIVE, &key(REGION, "a"), 1);
    cloud.ingest(ARCHIVE).ended(0);
    cloud.site.settle().ended(0);
    assert_eq!(cloud.site.uids(), [event_id(1)]);
}

#[test]
fn what_does_not_fit_into_memory_is_merged_from_the_disk_and_a_full_one_is_said() {
    let Cloud { site, s3, sqs } = on_s3(Cloud::new(), "lake");
    let spill = site.root().join("spill");
    let Some(disk) = SmallDisk::mount(&spill, "16k") else {
        eprintln!("skipped: this user may not mount a small disk");
        return;
    };
    let site = site
        .with("ASHIATO_SETTLE_INPUT_BYTES_MAX", "1024")
        .with("ASHIATO_SETTLE_SPILL_FOLDER", spill.to_str().unwrap());
    let cloud = Cloud { site, s3, sqs };
    cloud.put(ARCHIVE, &key(REGION, "a"), 1);
    cloud.ingest(ARCHIVE).ended(0);
    cloud.put(ARCHIVE, &key(REGION, "b"), 2);
    cloud.ingest(ARCHIVE).ended(0);
    let ran = cloud.site.settle().ended(1);
    assert!(ran.err.contains("settle.spill_folder") && ran.err.contains("spill"), "{ran:?}");
    assert_eq!(cloud.site.uids(), [1, 2].map(event_id), "nothing changed");
    disk.grow("50m");
    cloud.site.settle().ended(0);
    assert_eq!(cloud.site.uids(), [1, 2].map(event_id));
    let settled = "select count(*) from files where kind = 'settled' and state = 'visible'";
    assert_eq!(cloud.site.count(settled), 1);
}
