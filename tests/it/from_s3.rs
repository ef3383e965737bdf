//! An archive on S3, read by the built binary: whatever buckets do to their readers, each record is there once.

use std::process::Child;
use std::time::{Duration, Instant};

use ashiato::ingest::notification::{ObjectRef, write_notification};
use serde_json::json;

use crate::archive::{
    REGION, Ran, Site, assert_same_rows, event_id, file, files_below, gzip, key, noise, record,
};
use crate::crash::{generated, start, wait};
use crate::s3::{EVERY, EXTERNAL_ID, FakeS3, Fault, HOME, ROLE, Rules, Stored, s3_event};
use crate::sqs::{DEAD, FakeSqs, LOGS};
use crate::worker::{stop, uids, until};

/// The bucket of most archives here.
pub(crate) const ARCHIVE: &str = "the-archive";

/// A lake, a queue, and buckets.
pub(crate) struct Cloud {
    pub(crate) site: Site,
    pub(crate) s3: FakeS3,
    pub(crate) sqs: FakeSqs,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        Self::with(Site::new().with("ASHIATO_INGEST_LEASE", "1s"))
    }

    /// Settings under which nothing waits long.
    fn with(site: Site) -> Self {
        let (s3, sqs) = (FakeS3::start(&[ARCHIVE, "other-archive", "the-lake"]), FakeSqs::start());
        let mut site =
            site.with("ASHIATO_INGEST_BATCH_AGE_MAX", "200ms").with("ASHIATO_WORKER_DELIVERIES_MAX", "3");
        for (name, value) in sqs.variables().into_iter().chain(s3.variables()) {
            site = site.with(name, &value);
        }
        Self { site, s3, sqs }
    }

    /// A generated archive of many objects, in a bucket.
    pub(crate) fn generated() -> Self {
        let cloud = Self::with(generated());
        for path in files_below(&cloud.site.archive()) {
            cloud.s3.put(ARCHIVE, &path, &std::fs::read(cloud.site.archive().join(&path)).unwrap());
        }
        cloud
    }

    /// The same buckets and queue with another lake.
    pub(crate) fn beside(self, lake: &str) -> Self {
        Self { site: self.site.beside(lake), ..self }
    }

    /// Writes an object with one record.
    pub(crate) fn put(&self, bucket: &str, key: &str, number: u32) -> Stored {
        self.s3.put(bucket, key, &gzip(&file(&[record(number)])))
    }

    /// Writes an object that is read in several pieces: 0.45 MB a record.
    pub(crate) fn put_big(&self, key: &str, numbers: std::ops::Range<u32>) -> Stored {
        let noisy = |number: u32| {
            let mut record = record(number);
            record["requestParameters"] = json!({"noise": noise(number.into(), 600_000)});
            record
        };
        self.s3.put(ARCHIVE, key, &gzip(&file(&numbers.map(noisy).collect::<Vec<_>>())))
    }

    pub(crate) fn ingest(&self, bucket: &str) -> Ran {
        self.site.run(&["ingest", &format!("s3://{bucket}")])
    }

    /// Declares how a bucket is reached.
    pub(crate) fn declare(&self, text: &str) {
        std::fs::write(self.site.root().join("ashiato.toml"), text).unwrap();
    }

    pub(crate) fn start(&self) -> Child {
        let (logs, dead) = (self.sqs.url(LOGS), self.sqs.url(DEAD));
        start(&self.site, &["worker", "--queue", &logs, "--dead-letter-queue", &dead])
    }

    /// Runs a worker until the queue is empty.
    pub(crate) fn work(&self) -> Ran {
        let worker = self.start();
        until("the queue is empty", || self.sqs.messages(LOGS).is_empty());
        stop(worker)
    }

    pub(crate) fn dead(&self) -> Vec<String> {
        self.sqs.messages(DEAD).into_iter().map(|dead| dead.reason).collect()
    }
}

#[test]
fn keys_are_read_as_they_stand_and_each_object_once() {
    const NAMES: [&str; 6] = ["a b", "a+b", "a%2Bb", "Zürich 足跡", "x=y&z", "plain"];
    let cloud = Cloud::new();
    cloud.s3.announce(ARCHIVE, cloud.sqs.sender());
    for (number, name) in (0..).zip(NAMES) {
        cloud.put(ARCHIVE, &format!("logs//{}", key(REGION, name)), number);
    }
    cloud.s3.put(ARCHIVE, &key(REGION, "empty"), b"");
    let ran = cloud.ingest(ARCHIVE).ended(0);
    assert!(ran.out.contains("1 objects left alone: empty object"), "{ran:?}");
    assert_eq!(cloud.site.uids(), uids(0..6));
    let rows =
        cloud.site.query("select metadata.log_name as name from cloudtrail where metadata.uid like '%3'");
    assert_eq!(rows[0]["name"], format!("s3://{ARCHIVE}/logs//{}", key(REGION, "Zürich 足跡")));
    // The events that S3 sent of them bring nothing new, nor does a second run below a prefix with two slashes.
    cloud.work();
    let gets = cloud.s3.calls("GetObject");
    let ran = cloud.ingest(&format!("{ARCHIVE}/logs//o-example123")).ended(0);
    assert!(ran.out.contains("6 objects were in the lake already"), "{ran:?}");
    assert_eq!((cloud.site.uids(), cloud.s3.calls("GetObject")), (uids(0..6), gets));
    assert!(cloud.dead().is_empty());
}

#[test]
fn one_object_can_be_named_as_a_place() {
    let cloud = Cloud::new();
    let name = key(REGION, "one");
    cloud.put(ARCHIVE, &name, 1);
    cloud.put(ARCHIVE, &format!("{name}.old"), 2);
    cloud.ingest(&format!("{ARCHIVE}/{name}")).ended(0);
    assert_eq!(cloud.site.uids(), [event_id(1)]);
}

/// The ways in which an object is announced.
fn announcements(key: &str, stored: &Stored) -> [String; 4] {
    let object =
        json!({"key": key, "size": stored.bytes.len(), "etag": stored.etag, "version-id": stored.version});
    [
        s3_event(ARCHIVE, key, stored),
        json!({"source": "aws.s3", "detail-type": "Object Created", "region": HOME,
            "detail": {"bucket": {"name": ARCHIVE}, "object": object}})
        .to_string(),
        json!({"s3Bucket": ARCHIVE, "s3ObjectKey": [key]}).to_string(),
        json!({"s3Bucket": ARCHIVE, "s3ObjectKey": key, "messageType": "ConfigurationHistoryDeliveryCompleted"})
            .to_string(),
    ]
}

#[test]
fn an_object_is_one_however_it_is_announced_or_found() {
    for keeps_versions in [false, true] {
        let cloud = Cloud::new();
        if keeps_versions {
            cloud.s3.keep_versions(ARCHIVE);
        }
        let name = key(REGION, "a");
        let stored = cloud.put(ARCHIVE, &name, 1);
        for body in announcements(&name, &stored) {
            cloud.sqs.send(LOGS, &body);
            cloud.work();
        }
        let ran = cloud.ingest(ARCHIVE).ended(0);
        assert!(ran.out.contains("1 objects were in the lake already"), "{ran:?}");
        assert_eq!(cloud.site.uids(), [event_id(1)]);
        assert_eq!(cloud.site.count("select count(*) from objects"), 1);
        assert_eq!(cloud.s3.calls("GetObject"), 1);
    }
}

#[test]
fn a_replaced_object_is_left_alone_and_what_replaced_it_is_read() {
    let cloud = Cloud::new();
    let name = key(REGION, "a");
    let first = cloud.put(ARCHIVE, &name, 1);
    let second = cloud.put(ARCHIVE, &name, 2);
    cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &first));
    let ran = cloud.work();
    assert!(ran.out.contains("1 objects left alone: replaced before it was read"), "{ran:?}");
    assert!(cloud.site.uids().is_empty());
    assert_eq!(cloud.site.count("select count(*) from objects"), 0);
    cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &second));
    cloud.work();
    assert_eq!(cloud.site.uids(), [event_id(2)]);
}

#[test]
fn of_a_bucket_that_keeps_versions_the_announced_one_is_read() {
    let cloud = Cloud::new();
    cloud.s3.keep_versions(ARCHIVE);
    let name = key(REGION, "a");
    let versions = [cloud.put(ARCHIVE, &name, 1), cloud.put(ARCHIVE, &name, 2)];
    cloud.s3.delete(ARCHIVE, &name);
    versions.iter().for_each(|stored| cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, stored)));
    cloud.work();
    assert_eq!(cloud.site.uids(), uids(1..3));
}

#[test]
fn what_is_gone_is_counted_and_holds_nothing_up() {
    let cloud = Cloud::new();
    cloud.s3.keep_versions("other-archive");
    for bucket in [ARCHIVE, "other-archive"] {
        let name = key(REGION, "gone");
        let stored = cloud.put(bucket, &name, 1);
        cloud.s3.delete(bucket, &name);
        // Of a version that is still there the object is read though its key is deleted; this one never was.
        cloud.sqs.send(LOGS, &s3_event(bucket, &name, &Stored { version: "never".to_owned(), ..stored }));
    }
    cloud.sqs.send(LOGS, &json!({"s3Bucket": ARCHIVE, "s3ObjectKey": [key(REGION, "gone")]}).to_string());
    let here = key(REGION, "here");
    cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &here, &cloud.put(ARCHIVE, &here, 2)));
    let ran = cloud.work();
    assert!(ran.out.contains("3 objects left alone: gone before it was read"), "{ran:?}");
    assert_eq!(cloud.site.uids(), [event_id(2)]);
    assert!(cloud.dead().is_empty());
}

#[test]
fn buckets_are_reached_as_they_want() {
    let cloud = Cloud::new();
    cloud.declare(&format!(
        "[[buckets]]\nplace = \"s3://other-archive/role\"\nrole_arn = \"{ROLE}\"\nexternal_id = \"{EXTERNAL_ID}\"\n\
         [[buckets]]\nplace = \"s3://{ARCHIVE}\"\nrequest_payer = true\n"
    ));
    cloud.s3.rules(ARCHIVE, Rules { payer: true, region: Some("ap-northeast-1"), ..Rules::default() });
    cloud
        .s3
        .rules("other-archive", Rules { wants_role: true, region: Some("us-west-2"), ..Rules::default() });
    cloud.put(ARCHIVE, &key(REGION, "a"), 0);
    cloud.put("other-archive", &format!("role/{}", key(REGION, "b")), 1);
    cloud.ingest(ARCHIVE).ended(0);
    cloud.ingest("other-archive/role").ended(0);
    assert_eq!(cloud.site.uids(), uids(0..2));
    assert_eq!(cloud.s3.calls("AssumeRole"), 1, "its session is kept");
    // A worker is told the Region by the message, here a wrong one, and learns the right one once.
    let lists = cloud.s3.calls("GetObject");
    for number in 2..12 {
        let name = key(REGION, &format!("late-{number}"));
        cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &cloud.put(ARCHIVE, &name, number)));
    }
    cloud.work();
    assert_eq!(cloud.site.uids(), uids(0..12));
    assert!(cloud.s3.calls("GetObject") - lists <= 30, "{}", cloud.s3.calls("GetObject") - lists);
}

#[test]
fn what_is_refused_says_what_to_do_and_costs_itself() {
    let cloud = Cloud::new();
    let refusals = [
        ("is-denied", Rules { is_denied: true, ..Rules::default() }, "allow s3:GetObject"),
        ("is-kms-denied", Rules { is_kms_denied: true, ..Rules::default() }, "allow kms:Decrypt on the key"),
        ("wants-payer", Rules { payer: true, ..Rules::default() }, "set request_payer in [[buckets]]"),
        ("is-archived", Rules { is_archived: true, ..Rules::default() }, "restore it (s3:RestoreObject)"),
        ("wants-role", Rules { wants_role: true, ..Rules::default() }, "access denied"),
    ];
    for (number, (bucket, rules, _)) in (0..).zip(&refusals) {
        cloud.s3.add(bucket);
        cloud.s3.rules(bucket, rules.clone());
        for (bucket, number) in [(*bucket, 100 + number), (ARCHIVE, number)] {
            let name = key(REGION, &format!("object-{number}"));
            cloud.sqs.send(LOGS, &s3_event(bucket, &name, &cloud.put(bucket, &name, number)));
        }
    }
    cloud.work();
    assert_eq!(cloud.site.uids(), uids(0..5));
    let dead = cloud.dead();
    assert_eq!(dead.len(), refusals.len(), "{dead:?}");
    for (bucket, _, words) in refusals {
        let reason = dead.iter().find(|reason| reason.contains(&format!("s3://{bucket}/"))).unwrap();
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn a_role_that_is_not_to_be_had_costs_its_own_bucket() {
    let cloud = Cloud::new();
    cloud.declare(&format!("[[buckets]]\nplace = \"s3://other-archive\"\nrole_arn = \"{ROLE}\"\n"));
    for (bucket, number) in [("other-archive", 1), (ARCHIVE, 2)] {
        let name = key(REGION, &format!("object-{number}"));
        cloud.sqs.send(LOGS, &s3_event(bucket, &name, &cloud.put(bucket, &name, number)));
    }
    cloud.work();
    assert_eq!(cloud.site.uids(), [event_id(2)]);
    let dead = cloud.dead();
    assert!(dead.len() == 1 && dead[0].contains("check role_arn, external_id"), "{dead:?}");
}

#[test]
fn a_big_object_is_read_in_ranges_and_goes_on_where_it_broke_off() {
    let cloud = Cloud::new();
    let name = key(REGION, "big");
    let stored = cloud.put_big(&name, 0..40);
    assert!(stored.bytes.len() > 16 << 20, "{}", stored.bytes.len());
    cloud.s3.fail_first("GetObject", &[Fault::Cut, Fault::Cut, Fault::Internal, Fault::Cut]);
    cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &stored));
    let ran = cloud.work();
    assert!(!ran.err.contains("waiting") && !ran.err.contains("given up"), "it goes on, not anew: {ran:?}");
    assert_eq!(cloud.site.uids(), uids(0..40));
    assert_eq!(cloud.s3.faults().values().sum::<u64>(), 4);
    assert!(cloud.s3.calls("GetObject") >= 7, "{}", cloud.s3.calls("GetObject"));
}

#[test]
fn five_faults_in_a_hundred_calls_change_nothing() {
    let cloud = Cloud::generated();
    for number in 0..300 {
        cloud.put(ARCHIVE, &key(REGION, &format!("small-{number}")), number);
    }
    cloud.ingest(ARCHIVE).ended(0);
    let expected = cloud.site.rows();
    let uids: std::collections::BTreeSet<_> = expected.iter().map(crate::archive::uid).collect();
    assert!(uids.len() == expected.len() && uids.len() > 1000);
    let cloud = cloud.beside("worked");
    cloud.s3.fail(5, &EVERY);
    let name_all = || {
        for name in cloud.s3.keys(ARCHIVE) {
            cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &cloud.s3.newest(ARCHIVE, &name).unwrap()));
        }
    };
    name_all();
    name_all();
    cloud.work();
    let faults = cloud.s3.faults();
    assert!(faults.len() == EVERY.len(), "every kind came: {faults:?}");
    assert_same_rows(&cloud.site.rows(), &expected);
    assert!(cloud.dead().is_empty());
    let cloud = cloud.beside("listed");
    cloud.ingest(ARCHIVE).ended(0);
    assert_same_rows(&cloud.site.rows(), &expected);
}

#[test]
fn a_worker_waits_for_an_archive_that_is_away_and_uses_no_delivery_up() {
    let cloud = Cloud::new();
    cloud.s3.away(true);
    for number in 0..20 {
        let name = key(REGION, &format!("object-{number}"));
        cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &name, &cloud.put(ARCHIVE, &name, number)));
    }
    let worker = cloud.start();
    until("the worker tried for a while", || cloud.s3.calls("GetObject") > 100);
    assert_eq!(cloud.sqs.messages(LOGS).len(), 20);
    cloud.s3.away(false);
    until("the queue is empty", || cloud.sqs.messages(LOGS).is_empty());
    let ran = stop(worker);
    assert!(ran.err.contains("waiting, nothing is lost"), "{ran:?}");
    assert_eq!(cloud.site.uids(), uids(0..20));
    assert!(cloud.dead().is_empty());
}

#[test]
fn while_one_bucket_is_away_the_others_are_read_and_its_messages_come_again() {
    let cloud = Cloud::new();
    cloud.s3.rules("other-archive", Rules { is_away: true, ..Rules::default() });
    for (bucket, number) in [("other-archive", 1), (ARCHIVE, 2), ("other-archive", 3), (ARCHIVE, 4)] {
        let name = key(REGION, &format!("object-{number}"));
        cloud.sqs.send(LOGS, &s3_event(bucket, &name, &cloud.put(bucket, &name, number)));
    }
    let worker = cloud.start();
    until("what is there is read", || cloud.sqs.messages(LOGS).len() == 2);
    until("the rest came again", || cloud.sqs.messages(LOGS).iter().all(|message| message.receive_count > 1));
    cloud.s3.rules("other-archive", Rules::default());
    until("the queue is empty", || cloud.sqs.messages(LOGS).is_empty());
    stop(worker);
    assert_eq!(cloud.site.uids(), uids(1..5));
    assert!(cloud.dead().is_empty());
}

#[test]
fn notices_without_etag_wait_too_while_the_archive_is_away() {
    let cloud = Cloud::new();
    let name = key(REGION, "a");
    cloud.put(ARCHIVE, &name, 1);
    cloud.s3.away(true);
    cloud.sqs.send(LOGS, &json!({"s3Bucket": ARCHIVE, "s3ObjectKey": [name]}).to_string());
    let worker = cloud.start();
    until("the worker tried for a while", || cloud.s3.calls("HeadObject") > 4);
    assert_eq!(cloud.sqs.messages(LOGS)[0].receive_count, 1);
    cloud.s3.away(false);
    until("the queue is empty", || cloud.sqs.messages(LOGS).is_empty());
    stop(worker);
    assert_eq!(cloud.site.uids(), [event_id(1)]);
}

#[test]
fn a_body_that_stalls_is_given_up_and_gone_on_with() {
    let cloud = Cloud::new();
    let name = key(REGION, "a");
    cloud.s3.put(ARCHIVE, &name, &gzip(&file(&(0..500).map(record).collect::<Vec<_>>())));
    cloud.s3.fail_first("GetObject", &[Fault::Stall]);
    let began = Instant::now();
    cloud.ingest(ARCHIVE).ended(0);
    assert!(began.elapsed() > Duration::from_secs(5), "it stalled");
    assert_eq!(cloud.site.uids(), uids(0..500));
    assert_eq!(cloud.s3.calls("GetObject"), 2);
}

#[test]
fn killed_while_it_reads_a_bucket_the_next_run_goes_on() {
    let cloud = Cloud::generated();
    cloud.ingest(ARCHIVE).ended(0);
    let expected = cloud.site.rows();
    let mut cloud = cloud.beside("killed");
    let mut kills = 0;
    for round in 0..20 {
        let child = start(&cloud.site, &["ingest", &format!("s3://{ARCHIVE}")]);
        let gets = cloud.s3.calls("GetObject");
        until("it reads", || cloud.s3.calls("GetObject") > gets + round);
        let mut child = child;
        child.kill().unwrap();
        let ran = wait(child);
        if ran.code.is_some() {
            cloud = cloud.beside(&format!("killed-{round}"));
            continue;
        }
        kills += 1;
        if kills == 3 {
            break;
        }
    }
    assert_eq!(kills, 3);
    cloud.ingest(ARCHIVE).ended(0);
    assert_same_rows(&cloud.site.rows(), &expected);
}

#[test]
fn an_object_without_etag_in_its_notice_is_looked_up_before_it_is_claimed() {
    let cloud = Cloud::new();
    let name = key(REGION, "a");
    cloud.put(ARCHIVE, &name, 1);
    let object = ObjectRef { bucket: ARCHIVE.to_owned(), key: name, ..ObjectRef::default() };
    for _ in 0..3 {
        cloud.sqs.send(LOGS, &write_notification(&object));
        cloud.work();
    }
    assert_eq!((cloud.s3.calls("HeadObject"), cloud.s3.calls("GetObject")), (3, 1));
    assert_eq!(cloud.site.uids(), [event_id(1)]);
}
