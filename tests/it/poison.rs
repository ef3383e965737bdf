//! What would hold everything behind it up: names that no catalog keeps, rows that a database refuses, objects that
//! break off each time. Each costs itself, and nothing else.

use ashiato::ingest::commit::commit;
use ashiato::ingest::lane::Lane;
use ashiato::ingest::notification::{ObjectRef, write_notification};
use ashiato::lake::catalog::{CatalogPlace, ObjectState};
use serde_json::json;

use crate::archive::{REGION, Site, blocking, event_id, file, gzip, key, record, text};
use crate::backfill::{INVENTORIES, manifest};
use crate::crash::{claim, early, trail};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::{Rules, s3_event};
use crate::sqs::{DEAD, LOGS};
use crate::worker::{Rig, stop, uids, until};

/// What an S3 event says of an object with such a name.
fn named(bucket: &str, key: &str, version: &str) -> String {
    write_notification(&ObjectRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: version.to_owned(),
        size: Some(1),
        ..ObjectRef::default()
    })
}

#[test]
fn names_that_no_catalog_keeps_cost_their_message() {
    let rig = Rig::of(3);
    let long = key(REGION, &"k".repeat(2000));
    let etag = "e".repeat(3000);
    let bridge = json!({"source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": key(REGION, "bridge\0"), "etag": "e"}}});
    for body in [
        named("b", &key(REGION, "event\0"), "e"),
        bridge.to_string(),
        named("b", &long, "e"),
        named("b", &key(REGION, "a"), &etag),
        named("no bucket", &key(REGION, "a"), "e"),
    ] {
        rig.fake.send(LOGS, &body);
    }
    rig.work();
    assert_eq!(rig.site.uids(), uids(0..6));
    let mut reasons: Vec<_> = rig.fake.messages(DEAD).into_iter().map(|dead| dead.reason).collect();
    reasons.sort();
    let told = [
        "its ETag or version id has more than 1024 bytes",
        "its key has more than 1024 bytes",
        "its name holds the character U+0000, which no catalog keeps; copy it to another key",
        "its name holds the character U+0000, which no catalog keeps; copy it to another key",
        "no bucket can have such a name",
    ];
    assert_eq!(reasons, told.map(|what| format!("the object cannot be read: {what}")));
}

#[test]
fn beside_a_name_that_no_catalog_keeps_the_others_of_its_message_are_read() {
    let cloud = Cloud::new();
    let name = key(REGION, "good");
    let good = s3_event(ARCHIVE, &name, &cloud.put(ARCHIVE, &name, 1));
    let mut both: serde_json::Value = serde_json::from_str(&named(ARCHIVE, &key(REGION, "\0"), "e")).unwrap();
    let good: serde_json::Value = serde_json::from_str(&good).unwrap();
    both["Records"].as_array_mut().unwrap().push(good["Records"][0].clone());
    cloud.sqs.send(LOGS, &both.to_string());
    cloud.work();
    assert_eq!(cloud.site.uids(), [event_id(1)]);
    assert_eq!(cloud.dead().len(), 1);
}

#[test]
fn a_backfill_tells_of_names_that_no_catalog_keeps_and_goes_on() {
    let cloud = Cloud::new();
    let mut lines = String::new();
    for number in 0..4 {
        let name = key(REGION, &format!("object-{number}"));
        let stored = cloud.put(ARCHIVE, &name, number);
        lines += &format!("\"{ARCHIVE}\",\"{name}\",\"{}\",\"{}\"\n", stored.bytes.len(), stored.etag);
        lines += &format!("\"{ARCHIVE}\",\"{}%00\",\"1\",\"e\"\n", key(REGION, &format!("nul-{number}")));
    }
    cloud.s3.put(INVENTORIES, "all/data/1.csv.gz", &gzip(lines.as_bytes()));
    let place = manifest(&cloud, "CSV", "Bucket, Key, Size, ETag", &["all/data/1.csv.gz"]);
    let ran = cloud.site.run(&["ingest", "--inventory", &place]).ended(3);
    assert_eq!(cloud.site.uids(), uids(0..4));
    assert_eq!(ran.out.matches("its name holds the character U+0000").count(), 4, "{ran:?}");
    assert!(!ran.out.contains('\0'), "{ran:?}");
}

#[test]
fn a_reason_with_any_character_is_kept() {
    let site = Site::new();
    site.put(&key(REGION, "a"), &gzip(&file(&[record(1), json!(null)])));
    site.put(&key(REGION, "b"), b"<html>");
    blocking(async {
        let (trail, messages) = trail(&site, early).await;
        let batch = trail.name_batch();
        let work = claim(&trail, &batch, &messages).await.work;
        let mut written = Lane::new(trail.limits.segment).write_objects(work, &trail).await.unwrap();
        written.outcome.set_aside[0].reason = "no record: a\0b".to_owned();
        for object in &mut written.outcome.objects {
            if let ObjectState::Failed(reason) = &mut object.state {
                *reason = "no object: a\0b".to_owned();
            }
        }
        drop(commit(&trail.catalog, &batch, &written, early()).await.unwrap());
    });
    assert_eq!(site.uids(), [event_id(1)]);
    let reasons: Vec<_> = site.quarantine().iter().map(|entry| text(entry, "/reason")).collect();
    assert_eq!(reasons, ["no record: a\u{fffd}b", "no object: a\u{fffd}b"]);
}

/// Lets the database refuse to finish objects whose key holds `refused`, as a limit of its own would.
fn refuse_some(site: &Site) {
    site.run(&["ingest", "archive/none"]).ended(0);
    let statement = match site.catalog_place() {
        CatalogPlace::File(_) => {
            "create trigger refuse before update on objects when new.object_key like '%refused%'
             and new.state <> 'claimed' begin select raise(abort, 'refused'); end"
        }
        CatalogPlace::Postgres(_) => {
            "alter table objects add constraint refuse check
             (object_key not like '%refused%' or state = 'claimed')"
        }
    };
    blocking(async {
        let mut catalog = site.catalog().await;
        sqlx::query(statement).execute(&mut catalog).await.unwrap();
        sqlx::Connection::close(catalog).await.unwrap();
    });
}

#[test]
fn what_the_database_refuses_costs_itself() {
    let rig = Rig::of(3);
    let name = key(REGION, "refused");
    rig.site.put(&name, &gzip(&file(&[record(90)])));
    std::fs::create_dir(rig.site.archive().join("none")).unwrap();
    refuse_some(&rig.site);
    rig.announce(&name);
    let ran = rig.work();
    assert_eq!(rig.site.uids(), uids(0..6));
    let dead = rig.fake.messages(DEAD);
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(dead[0].body.contains("refused") && dead[0].reason.contains("commit a batch"), "{dead:?}");
    assert!(!ran.err.contains("waiting, nothing is lost"), "{ran:?}");
    // A run that somebody looks on at tells of it, and reads the rest.
    let site = rig.site.beside("ingested");
    refuse_some(&site);
    let ran = site.ingest().ended(3);
    assert_eq!(site.uids(), uids(0..6));
    assert!(ran.out.contains("refused.json.gz: record the batch in the catalog"), "{ran:?}");
    assert_eq!(site.count("select count(*) from objects where state <> 'committed'"), 0);
}

/// An archive with a large object that always breaks off, and small ones beside it.
fn broken_off() -> Cloud {
    let cloud = Cloud::new();
    let stored = cloud.put_big(&key(REGION, "broken"), 90..112);
    assert!(stored.bytes.len() > 9 << 20, "more than a piece: {}", stored.bytes.len());
    for number in 0..6 {
        cloud.put(ARCHIVE, &key(REGION, &format!("object-{number}")), number);
    }
    cloud.s3.rules(ARCHIVE, Rules { broken_tail: Some("broken"), ..Rules::default() });
    cloud
}

#[test]
fn an_object_that_always_breaks_off_costs_its_neighbours_nothing() {
    let cloud = broken_off();
    for name in cloud.s3.keys(ARCHIVE) {
        cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &cloud.s3.newest(ARCHIVE, &name).unwrap()));
    }
    let worker = cloud.start();
    until("the others are read", || cloud.sqs.messages(LOGS).len() == 1);
    assert_eq!(cloud.site.uids(), uids(0..6));
    until("it comes again by itself", || cloud.sqs.messages(LOGS)[0].receive_count >= 3);
    cloud.s3.rules(ARCHIVE, Rules::default());
    until("it is read at last", || cloud.sqs.messages(LOGS).is_empty());
    stop(worker);
    assert_eq!(cloud.site.uids(), [uids(0..6), uids(90..112)].concat());
    assert!(cloud.dead().is_empty());
}

#[test]
fn a_backfill_tells_of_an_object_that_always_breaks_off_and_reads_the_rest() {
    let cloud = broken_off();
    let ran = cloud.ingest(ARCHIVE).ended(3);
    assert_eq!(cloud.site.uids(), uids(0..6));
    assert!(ran.out.contains("broken.json.gz: fetch s3://the-archive/"), "{ran:?}");
    cloud.s3.rules(ARCHIVE, Rules::default());
    cloud.ingest(ARCHIVE).ended(0);
    assert_eq!(cloud.site.uids(), [uids(0..6), uids(90..112)].concat());
}
